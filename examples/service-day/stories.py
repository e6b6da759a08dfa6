"""Which stories are told, and how often."""

from collections.abc import Callable
from functools import partial

import announced as a
import entangled as e
import everyday as d
from scene import SHORT, Scene

Story = Callable[[Scene], None]

OPEN = ("created", "assigned", "escalated", "pending", "resolved")

_OF_EACH: list[Story] = [
    *(partial(e.merged, state=state) for state in OPEN),
    *(partial(e.gives_up, state=state) for state in OPEN[:-1]),
    *(partial(e.difficult, state=state) for state in OPEN),
    *(partial(d.left_lying, channel=channel) for channel in ("chat", "feedback_form", "cabinet")),
    *(partial(d.solved_very_late, category=category) for category in SHORT),
    *(partial(d.calls_after_closing, answered=answered) for answered in (True, False)),
]

_RARE: list[Story] = [
    d.handed_over, d.answered_very_slowly, d.climbs_untouched, d.rejected_and_late,
    d.rejected_without_operator, d.back_after_closing, d.back_after_giving_up,
    a.never_called_back, a.broke_off_later, a.call_kept, a.call_missed, a.call_moved, a.call_needless,
    a.promise_kept, a.promise_broken, a.promise_moved, a.promised_again, a.promise_broken_while_waiting,
    a.late_but_harmless, a.late_answer, a.late_solution, a.late_pause, a.late_reply, a.late_hand_back,
    a.late_callback, a.late_fulfilment, a.late_arranged_call, a.late_confirmation,
    e.merged_into_younger, e.duplicate, e.transferred, e.forgotten_by_unit, e.escalated, e.reclassified,
    e.reclassified_downwards, e.chat_becomes_call, e.gives_up_everything, e.unanswered,
]  # fmt: skip

TOLD: tuple[tuple[Story, int], ...] = (
    *((story, 2) for story in (*_OF_EACH, *_RARE)),
    (e.forgotten_complex, 1), (d.repeat_contact, 6), (d.never_confirmed, 8),
)  # fmt: skip
"""Stories that are told this many times each, at any time of the day."""

EVERYDAY: tuple[tuple[Story, int], ...] = (
    (d.in_time, 50), (d.talk, 8), (d.waits_for_citizen, 8), (d.solved_while_waiting, 4),
    (d.answered_slowly, 7), (d.solved_late, 7), (a.hung_up, 5), (a.broke_off_at_once, 4), (d.rejected, 5),
)  # fmt: skip
"""Stories that fill the day, by their weight."""
