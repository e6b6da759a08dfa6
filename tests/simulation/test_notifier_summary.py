"""What the engine writes about an answer is what the notifier needs to tell it."""

from pathlib import Path

import pytest

from consumers.checkpoint import Checkpoint
from consumers.notifier import FORMAT
from consumers.notifier_people import People
from consumers.notifier_request import read_request
from tests.support.cluster import Cluster, settle
from tests.support.world import at, written

pytestmark = pytest.mark.simulation


def test_each_answer_has_its_summary_in_the_state_of_the_same_transaction(tmp_path: Path) -> None:
    """Answered, reopened and answered again, the second time late: notification and state name one record."""
    c = Cluster(written("clocks: [{clock: first, target: 10m, start: [created], stop: [assigned]}]"))
    c.clock.time = at(0)
    checkpoint = Checkpoint(tmp_path / "notifier.sqlite", FORMAT)
    people, worker = People(checkpoint.database), c.worker()
    for second, trigger, data in (
        (0, "created", {}),
        (1, "assigned", {}),
        (2, "resolved", {"summary": "Первый ответ"}),
        (3, "reopened", {}),
        (4, "contacted", {}),
        (5, "resolved", {"summary": "Второй ответ"}),
    ):
        c.publish(trigger, second, arrives=20 * second, **data)
        settle(worker)
        told = [read_request(record.value) for record in c.records("notifications")]
        for record in c.records("state"):
            assert people.learn(record.key or b"", record.value)
        answers = [each for each in told if each is not None and each.data.template == "ticket_resolved"]
        if trigger == "resolved":
            person = people.find("T", answers[-1].data.recipient.ref)
            assert person is not None
            assert (person.summary, person.resolved_seq) == (data["summary"], answers[-1].seq)
            assert data["summary"] not in "".join(map(repr, c.values("notifications") + c.journal()))
    assert [answer.seq for answer in answers] == [3, 6]
    checkpoint.close()
