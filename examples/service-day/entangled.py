"""Stories of several tickets about one matter, and of tickets that go from hand to hand.

Times are seconds after the ticket's registration. Each story is a function that tells one scene, and stays at
least half a second away from every deadline of `policy.yaml`: it comes out the same on every computer.
"""

from scene import Scene, Ticket

# ---- Several about one matter ------------------------------------------------------------------------------


def merged(scene: Scene, state: str) -> None:
    """Two tickets about one matter become one, in whatever state the other one is."""
    survivor = scene.ticket(category="complex")
    _lead_to(survivor, state)
    other = scene.ticket(category="complex", begins=14)
    other.take(1)
    other.close(5, "merged", merged_into=survivor)
    _finish_from(survivor, state, 26)


def merged_into_younger(scene: Scene) -> None:
    """The older of two is merged into the younger one, whose promise counts from the older."""
    older = scene.ticket("cabinet", "technical_fault")
    younger = scene.ticket("chat", "technical_fault", begins=5)
    younger.take()
    older.close(13, "merged", merged_into=younger)
    younger.finish(14)


def duplicate(scene: Scene) -> None:
    """The same question by two channels: one is closed as a duplicate."""
    first = scene.ticket("mobile_app", scene.one("access_recovery", "technical_fault"))
    first.take()
    second = scene.ticket("chat", first.category, begins=3)
    second.close(2, "duplicate")
    first.finish(0.65 * first.target)


# ---- From hand to hand -------------------------------------------------------------------------------------


def transferred(scene: Scene) -> None:
    """From queue to queue, out of every state."""
    ticket = scene.ticket("chat", "technical_fault")
    ticket.transfer(1, "reference")
    ticket.take(2)
    ticket.transfer(6, "security")
    ticket.take(7)
    ticket.escalate(8)
    ticket.transfer(10, "registration")
    ticket.take(11)
    ticket.wait(12)
    ticket.transfer(14, "technical")
    ticket.take(15)
    ticket.finish(18)


def forgotten_by_unit(scene: Scene) -> None:
    """A unit keeps it too long."""
    ticket = scene.ticket("phone", "technical_fault")
    ticket.take()
    ticket.transfer(3, "applications")
    ticket.take(20.5)
    ticket.finish(23)


def forgotten_complex(scene: Scene) -> None:
    """A unit keeps a complex question longer than half of its 48 hours; it is solved in time all the same."""
    ticket = scene.ticket(category="complex")
    ticket.take()
    ticket.transfer(10, "status")
    ticket.take(73)
    ticket.finish(80)


def escalated(scene: Scene) -> None:
    """To higher levels, out of every state."""
    ticket = scene.ticket("chat", "technical_fault")
    ticket.escalate(1)
    ticket.take(2)
    ticket.escalate(5, "line-3")
    ticket.wait(7)
    ticket.escalate(10, "developers")
    ticket.wait(12)
    ticket.go_on(15)
    ticket.finish(18)


def reclassified(scene: Scene) -> None:
    """What looked like a fault is a complex question: more time from then on."""
    ticket = scene.ticket(scene.one("chat", "mobile_app"), "technical_fault")
    ticket.take()
    ticket.reclassify(8, category="complex", priority="high")
    ticket.finish(scene.random.uniform(28, 45))


def reclassified_downwards(scene: Scene) -> None:
    """What looked complex is a status check, whose time is over already."""
    ticket = scene.ticket("mobile_app", "complex")
    ticket.take()
    ticket.reclassify(20, category="status_check", queue="status")
    ticket.finish(23)


def chat_becomes_call(scene: Scene) -> None:
    """A chat goes on by telephone before anybody answered, and the citizen turns out to live elsewhere."""
    ticket = scene.ticket("chat", scene.one("contact_change", "access_recovery"))
    ticket.reclassify(1, channel="phone", region="39")
    ticket.take(2)
    ticket.finish(0.65 * ticket.target)


def gives_up(scene: Scene, state: str) -> None:
    """The citizen gives up, in whatever state the ticket is."""
    ticket = scene.ticket(category="complex")
    _lead_to(ticket, state)
    ticket.close(11, "cancelled")


def gives_up_everything(scene: Scene) -> None:
    """The citizen gives up while every clock runs that can."""
    ticket = scene.ticket("phone", "complex")
    ticket.drop(1)
    ticket.transfer(2, "applications")
    ticket.client(3)
    ticket.promise(4, deadline=30)
    ticket.schedule(5, at=28)
    ticket.drop(6)
    ticket.close(8, "cancelled")


def difficult(scene: Scene, state: str) -> None:
    """Everything at once while the ticket is in one state."""
    ticket = scene.ticket(scene.one("phone", "cabinet"), "complex")
    if state == "created":
        ticket.drop(1)
    else:
        _lead_to(ticket, state)
    ticket.reclassify(10.5, priority=scene.one("high", "urgent"), queue=scene.one("security", "status"))
    ticket.client(11)
    ticket.promise(11.5, deadline=45)
    ticket.schedule(12, at=21)
    ticket.drop(13)
    ticket.answer(15)
    ticket.schedule(16, at=23)
    ticket.call_back(19)
    _finish_from(ticket, state, 24)


def unanswered(scene: Scene) -> None:
    """Two citizens ask again, in the chat and elsewhere, and are answered too late."""
    chat = scene.ticket("chat", "technical_fault")
    chat.take()
    chat.client(6)
    chat.answer(17)
    chat.finish(20)
    elsewhere = scene.ticket(scene.one("phone", "feedback_form", "cabinet"), "complex", begins=2)
    elsewhere.take()
    elsewhere.client(8)
    elsewhere.answer(36)
    elsewhere.finish(42)


# ---- Ways to a state and from it ---------------------------------------------------------------------------


def _lead_to(ticket: Ticket, state: str) -> None:
    """Bring a ticket into a state within ten seconds."""
    if state == "created":
        return
    ticket.take()
    if state == "escalated":
        ticket.escalate(9)
    elif state == "pending":
        ticket.wait(9)
    elif state == "resolved":
        ticket.resolve(9)


def _finish_from(ticket: Ticket, state: str, seconds: float) -> None:
    """End a ticket out of a state: resolved and confirmed, or confirmed at once."""
    if state == "created":
        ticket.take(seconds)
    if state in ("created", "assigned"):
        ticket.finish(seconds + 1)
    else:
        ticket.close(seconds)
