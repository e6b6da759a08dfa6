"""Stories of calls and announced deadlines, and of news that comes too late.

Times are seconds after the ticket's registration. Each story is a function that tells one scene, and stays at
least half a second away from every deadline of `policy.yaml`: it comes out the same on every computer.
"""

from scene import DROPPED, SHORT, Scene

# ---- Calls -------------------------------------------------------------------------------------------------


def hung_up(scene: Scene) -> None:
    """The caller hangs up before anybody answers, and is called back in time."""
    ticket = scene.ticket("phone", scene.one("access_recovery", "technical_fault"))
    ticket.drop(1.5)
    ticket.call_back(5)
    ticket.take(5.4)
    ticket.finish(9)


def broke_off_at_once(scene: Scene) -> None:
    """A call breaks off before it is registered: the drop registers it, and another is arranged."""
    ticket = scene.ticket("phone", scene.one("access_recovery", "technical_fault"), kind=DROPPED)
    ticket.schedule(2, at=10)
    ticket.call_back(8)
    ticket.take(8.4)
    ticket.finish(11)


def never_called_back(scene: Scene) -> None:
    """A call breaks off and nobody calls back until the supervisor was told twice."""
    ticket = scene.ticket("phone", "technical_fault", kind=DROPPED)
    ticket.call_back(21.5)
    ticket.take(22)
    ticket.finish(23.5)


def broke_off_later(scene: Scene) -> None:
    """A call about a known ticket breaks off; the operator writes instead."""
    ticket = scene.ticket("chat", "technical_fault")
    ticket.take()
    ticket.drop(6)
    ticket.answer(9)
    ticket.finish(13)


def call_kept(scene: Scene) -> None:
    """A call is arranged, and made in time."""
    ticket = scene.ticket(category="technical_fault")
    ticket.take()
    ticket.schedule(7, at=17)
    ticket.call_back(15)
    ticket.finish(18)


def call_missed(scene: Scene) -> None:
    """A call is arranged, and made too late."""
    ticket = scene.ticket(category="technical_fault")
    ticket.take()
    ticket.schedule(7, at=12)
    ticket.call_back(15)
    ticket.finish(18)


def call_moved(scene: Scene) -> None:
    """A call is put off by agreement, and then made."""
    ticket = scene.ticket(category="technical_fault")
    ticket.take()
    ticket.schedule(7, at=11)
    ticket.schedule(9, at=19)
    ticket.call_back(16)
    ticket.finish(18)


def call_needless(scene: Scene) -> None:
    """The question is solved before the arranged call."""
    ticket = scene.ticket(category="technical_fault")
    ticket.take()
    ticket.schedule(7, at=30)
    ticket.finish(14)


# ---- Announced deadlines -----------------------------------------------------------------------------------


def promise_kept(scene: Scene) -> None:
    """Another unit is asked, a deadline announced, and kept."""
    ticket = scene.ticket(category="complex")
    ticket.take()
    ticket.transfer(10, "applications")
    ticket.take(12)
    ticket.promise(13, deadline=45)
    ticket.finish(scene.random.uniform(25, 40))


def promise_broken(scene: Scene) -> None:
    """An announced deadline passes, and ten seconds (four hours) later it is escalated once more."""
    ticket = scene.ticket("phone", "technical_fault")
    ticket.take()
    ticket.promise(3, deadline=10)
    ticket.finish(21.5)


def promise_moved(scene: Scene) -> None:
    """A later deadline is announced before the first one passes."""
    ticket = scene.ticket("phone", "technical_fault")
    ticket.take()
    ticket.promise(3, deadline=9)
    ticket.promise(6, deadline=19)
    ticket.finish(16)


def promised_again(scene: Scene) -> None:
    """After a broken promise another one is given, and kept."""
    ticket = scene.ticket("phone", "technical_fault")
    ticket.take()
    ticket.promise(3, deadline=7)
    ticket.promise(9, deadline=20)
    ticket.finish(16)


def promise_broken_while_waiting(scene: Scene) -> None:
    """The deadline passes while the service waits for the citizen; it goes on at the higher level."""
    ticket = scene.ticket("chat", "technical_fault")
    ticket.take()
    ticket.promise(6.5, deadline=11)
    ticket.wait(8)
    ticket.go_on(14)
    ticket.finish(17)


# ---- Late news: a channel was cut off, and what it knows comes after a breach --------------------------


def late_but_harmless(scene: Scene) -> None:
    """The news comes late, yet before the deadline."""
    ticket = scene.ticket("cabinet", scene.one("access_recovery", "technical_fault"))
    ticket.take(3, late=4)
    ticket.finish(11)


def late_answer(scene: Scene) -> None:
    """The call was taken in time, as it turns out."""
    ticket = scene.ticket("phone", scene.one("access_recovery", "technical_fault"))
    ticket.take(2, late=4)
    ticket.finish(9)


def late_solution(scene: Scene) -> None:
    """It was solved in time, as it turns out."""
    ticket = scene.ticket("phone", scene.one(*SHORT))
    ticket.take()
    ticket.resolve(ticket.target - 1, late=4)
    ticket.close(ticket.target + 5)


def late_pause(scene: Scene) -> None:
    """It was waiting for the citizen already, as it turns out."""
    ticket = scene.ticket("phone", scene.one("contact_change", "access_recovery"))
    ticket.take()
    ticket.wait(ticket.target - 2, late=4)
    ticket.go_on(ticket.target + 4)
    ticket.finish(ticket.target + 5)


def late_reply(scene: Scene) -> None:
    """The citizen was answered in time, as it turns out."""
    ticket = scene.ticket("chat", "technical_fault")
    ticket.take()
    ticket.client(6)
    ticket.answer(13, late=4)
    ticket.finish(19)


def late_hand_back(scene: Scene) -> None:
    """The unit passed it on in time, as it turns out."""
    ticket = scene.ticket("phone", "technical_fault")
    ticket.take()
    ticket.transfer(3, "applications")
    ticket.transfer(18, "technical", late=3)
    ticket.take(21.4)
    ticket.finish(23)


def late_callback(scene: Scene) -> None:
    """The caller was called back in time, as it turns out."""
    ticket = scene.ticket("phone", "technical_fault", kind=DROPPED)
    ticket.call_back(7, late=4)
    ticket.take(11.5)
    ticket.finish(15)


def late_fulfilment(scene: Scene) -> None:
    """The announced deadline was kept, as it turns out."""
    ticket = scene.ticket("phone", "technical_fault")
    ticket.take()
    ticket.promise(3, deadline=12)
    ticket.resolve(11, late=4)
    ticket.close(17)


def late_arranged_call(scene: Scene) -> None:
    """The arranged call was made in time, as it turns out."""
    ticket = scene.ticket("phone", "technical_fault")
    ticket.take()
    ticket.schedule(3, at=12)
    ticket.call_back(11, late=4)
    ticket.finish(17)


def late_confirmation(scene: Scene) -> None:
    """The citizen had confirmed before the engine closed for want of it, as it turns out."""
    ticket = scene.ticket("phone", "contact_change")
    ticket.take()
    ticket.resolve(7)
    ticket.close(25, late=6)
