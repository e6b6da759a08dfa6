"""Making a failing history small."""

from dataclasses import replace

from simulator.plan import Plan, plan
from simulator.shrink import shrink

WHOLE = plan(3)


def test_only_what_the_failure_needs_is_left() -> None:
    """Where one record and one fault are to blame, one record and one fault are left."""
    record, fault = WHOLE.arriving[500], WHOLE.faults[9]

    def fails(smaller: Plan) -> bool:
        return record in smaller.arriving and fault in smaller.faults

    small = shrink(WHOLE, fails, attempts=400)
    assert (small.arriving, small.faults) == ((record,), (fault,))


def test_it_ends_after_so_many_attempts() -> None:
    """However many there might be, no more are made, and what is returned fails."""
    attempts = []

    def fails(smaller: Plan) -> bool:
        attempts.append(smaller)
        return len(smaller.arriving) >= 1000

    small = shrink(WHOLE, fails, attempts=20)
    assert len(attempts) == 20
    assert len(small.arriving) >= 1000


def test_what_does_not_fail_smaller_stays_whole() -> None:
    """Nothing is left out that the failure needs."""
    assert shrink(WHOLE, lambda smaller: smaller == WHOLE) == WHOLE
    assert shrink(replace(WHOLE, faults=()), lambda smaller: False).arriving == WHOLE.arriving  # noqa: ARG005
