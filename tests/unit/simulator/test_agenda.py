"""Virtual time."""

from simulator.agenda import Agenda


def test_things_happen_in_the_order_of_their_times() -> None:
    """What is due first happens first, and at the same time what was put there first."""
    agenda, happened = Agenda(0), []
    agenda.at(20, lambda: happened.append("late"))
    agenda.at(10, lambda: happened.append("first"))
    agenda.at(10, lambda: happened.append("second"))
    agenda.until(15)
    assert (happened, agenda.now_us) == (["first", "second"], 15)
    agenda.until(20)
    assert happened[-1] == "late"


def test_while_one_waits_the_others_go_on() -> None:
    """Waiting within something that happens lets what is due meanwhile happen before it goes on."""
    agenda, happened = Agenda(0), []

    def waits() -> None:
        happened.append("begins")
        agenda.pass_time(10)
        happened.append(f"goes on at {agenda.now_us}")

    agenda.at(5, waits)
    agenda.at(8, lambda: happened.append("meanwhile"))
    agenda.until(9)
    assert happened == ["begins", "meanwhile", "goes on at 15"]


def test_what_should_have_happened_happens_now() -> None:
    """Nothing happens in the past."""
    agenda, happened = Agenda(100), []
    agenda.at(50, lambda: happened.append(agenda.now_us))
    agenda.until(100)
    assert happened == [100]
