"""Stories of one ticket and its operator: in time, too late, back again, not over.

Times are seconds after the ticket's registration. Each story is a function that tells one scene, and stays at
least half a second away from every deadline of `policy.yaml`: it comes out the same on every computer.
"""

from scene import SHORT, Scene

# ---- As it should be ---------------------------------------------------------------------------------------


def in_time(scene: Scene) -> None:
    """Taken, resolved and confirmed within the promise."""
    ticket = scene.ticket()
    ticket.take()
    if ticket.category == "complex":
        ticket.finish(scene.random.uniform(20, 70))
    else:
        ticket.finish(scene.random.choice((0.4, 0.65)) * ticket.target)


def talk(scene: Scene) -> None:
    """The citizen writes again, and is answered."""
    ticket = scene.ticket(scene.one("chat", "mobile_app"), scene.one(*SHORT))
    ticket.take()
    ticket.client(ticket.soon + 0.5)
    ticket.answer(ticket.soon + 1.8)
    ticket.finish(0.65 * ticket.target)


def waits_for_citizen(scene: Scene) -> None:
    """While the service waits for the citizen the promise waits too."""
    ticket = scene.ticket(category=scene.one(*SHORT))
    ticket.take()
    ticket.wait(0.4 * ticket.target)
    ticket.go_on(0.4 * ticket.target + 7)
    ticket.finish(0.65 * ticket.target + 7)


def solved_while_waiting(scene: Scene) -> None:
    """The document arrives, and that was all: resolved out of the waiting."""
    ticket = scene.ticket(category=scene.one(*SHORT))
    ticket.take()
    ticket.wait(0.4 * ticket.target)
    ticket.finish(0.4 * ticket.target + 5)


def never_confirmed(scene: Scene) -> None:
    """Resolved, and nobody says yes or no: the engine closes it."""
    ticket = scene.ticket()
    ticket.take()
    ticket.resolve(min(0.65 * ticket.target, 20))
    scene.tail_seconds = 36


def handed_over(scene: Scene) -> None:
    """One operator hands it to another, who closes it at once."""
    ticket = scene.ticket("phone", scene.one("contact_change", "access_recovery"))
    ticket.take()
    ticket.at(3, "ticket.assigned.v1", operator="op-25")
    ticket.close(6)


# ---- Too late ----------------------------------------------------------------------------------------------


def answered_slowly(scene: Scene) -> None:
    """A caller waits longer than 30 seconds (3 here), and is helped in time all the same."""
    ticket = scene.ticket("phone", scene.one("contact_change", "access_recovery", "technical_fault"))
    ticket.take(5)
    ticket.finish(0.65 * ticket.target)


def answered_very_slowly(scene: Scene) -> None:
    """A caller waits so long that the supervisor is told twice."""
    ticket = scene.ticket("phone", "technical_fault")
    ticket.take(10)
    ticket.finish(16)


def solved_late(scene: Scene) -> None:
    """The promise is broken, a higher level takes over, and it is solved."""
    ticket = scene.ticket(category=scene.one(*SHORT))
    ticket.take()
    ticket.finish(ticket.target + 4)


def left_lying(scene: Scene, channel: str) -> None:
    """Nobody takes it for so long that the supervisor is told twice; it is solved in time all the same."""
    ticket = scene.ticket(channel, "complex")
    ticket.take(43)
    ticket.finish(scene.random.uniform(48, 56))


def solved_very_late(scene: Scene, category: str) -> None:
    """Late by so much that it climbs level by level."""
    ticket = scene.ticket(category=category)
    ticket.take()
    ticket.finish(ticket.target + (37 if ticket.category == "technical_fault" else 18))


def climbs_untouched(scene: Scene) -> None:
    """Nobody took it before its promise was broken: who takes it then is of the higher level."""
    ticket = scene.ticket("feedback_form", "status_check")
    ticket.take(10)
    ticket.finish(13)


# ---- Back again --------------------------------------------------------------------------------------------


def rejected(scene: Scene) -> None:
    """The citizen says no, and what is left of the promise goes on."""
    ticket = scene.ticket(category=scene.one(*SHORT))
    ticket.take()
    ticket.resolve(0.5 * ticket.target)
    ticket.reopen(0.5 * ticket.target + 3)
    ticket.finish(0.75 * ticket.target + 3)


def rejected_and_late(scene: Scene) -> None:
    """The citizen says no, and the second answer takes too long."""
    ticket = scene.ticket(category=scene.one(*SHORT))
    ticket.take()
    ticket.resolve(0.5 * ticket.target)
    ticket.reopen(0.5 * ticket.target + 3)
    ticket.finish(ticket.target + 6)


def rejected_without_operator(scene: Scene) -> None:
    """A unit solves it without anybody in charge; after the citizen's no it waits for an operator."""
    ticket = scene.ticket("feedback_form", scene.one("access_recovery", "technical_fault"))
    ticket.escalate(2, "archive")
    ticket.resolve(5)
    ticket.reopen(8)
    ticket.take(9)
    ticket.finish(12)


def back_after_closing(scene: Scene) -> None:
    """The citizen confirms, and comes back while it can be reopened."""
    ticket = scene.ticket(category=scene.one(*SHORT))
    ticket.take()
    ticket.resolve(0.5 * ticket.target)
    ticket.close(0.5 * ticket.target + 2)
    ticket.reopen(0.5 * ticket.target + 8)
    ticket.finish(0.75 * ticket.target + 8)


def back_after_giving_up(scene: Scene) -> None:
    """Cancelled before anybody took it, and taken up again."""
    ticket = scene.ticket("cabinet", scene.one("access_recovery", "technical_fault"))
    ticket.close(2, "cancelled")
    ticket.reopen(6)
    ticket.take(8)
    ticket.finish(12)


def repeat_contact(scene: Scene) -> None:
    """After the closing the citizen writes, and turns to the service anew about the same matter."""
    first = scene.ticket("phone", scene.one(*SHORT))
    first.take()
    first.resolve(0.6 * first.target)
    first.close(0.6 * first.target + 2)
    first.client(0.6 * first.target + 4)
    second = scene.ticket(scene.one("cabinet", "mobile_app"), begins=0.6 * first.target + 8, follows=first)
    second.take()
    second.finish(0.65 * second.target if second.category != "complex" else 25)


def calls_after_closing(scene: Scene, answered: bool) -> None:
    """A call about a closed ticket breaks off: a callback is due, and the operator makes it, or not."""
    ticket = scene.ticket("phone", scene.one(*SHORT))
    ticket.take()
    ticket.resolve(0.6 * ticket.target)
    ticket.close(0.6 * ticket.target + 2)
    ticket.drop(0.6 * ticket.target + 4)
    if answered:
        ticket.answer(0.6 * ticket.target + 8)


# ---- Not over at the end of the day ------------------------------------------------------------------------


def still_waiting(scene: Scene) -> None:
    """The citizen has not answered yet."""
    ticket = scene.ticket(category=scene.one(*SHORT))
    ticket.take()
    ticket.wait(0.5 * ticket.target)


def still_worked_on(scene: Scene) -> None:
    """A complex question that came late in the day."""
    ticket = scene.ticket(category="complex")
    ticket.take()


def broken_at_the_end(scene: Scene) -> None:
    """48 hours are over, and the question is not solved. What the channel had to keep at first comes late."""
    ticket = scene.ticket(scene.one("feedback_form", "cabinet"), "complex", late=7)
    ticket.take(late=7)
    ticket.transfer(10, "applications")
    ticket.take(12)
    ticket.wait(80)
    if scene.random.random() < 0.5:
        ticket.go_on(100)
