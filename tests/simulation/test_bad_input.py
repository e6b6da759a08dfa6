"""Every class of bad input through the engine on the in-memory log: fates, dead letters, nobody's data."""

import json
import logging

import pytest

from ops.verify import verify
from tests.bad_input.samples import CLASSES, PERSONAL, Sample, catalogue, prelude
from tests.support.cluster import GROUP, PREFIX, Cluster, settle
from tests.support.letters import Fates, Place, words_of_ours
from tests.support.world import HOUR, at, written

pytestmark = pytest.mark.simulation

SILENT = "clocks: [{clock: first, target: 10m, start: [created], stop: [assigned]}]"
"""Some samples are illegal only in the states that their prelude leads to: nothing may escalate."""


def played(*groups: str) -> tuple[Cluster, dict[Place, Sample]]:
    """A cluster that has worked off the prelude, the samples of these classes and one good event more."""
    cluster = Cluster(written(SILENT), partitions=3)
    cluster.clock.time = at(HOUR)
    for good in prelude():
        cluster.append(good.key, good.value, good.headers, HOUR)
    places = {
        cluster.append(each.key, each.value, each.headers, HOUR, misplaced=each.misplaced): each
        for each in catalogue()
        if each.group in groups
    }
    cluster.publish("created", HOUR, ticket="AFTER")
    settle(cluster.worker())
    return cluster, places


def fates(cluster: Cluster) -> Fates:
    """What became of every record, by the topics alone."""
    found = Fates()
    for entry in cluster.journal():
        found.take_journal(entry["cause"])
    for letter in cluster.records("dead-letter"):
        found.take_letter(letter)
    return found


@pytest.mark.parametrize("group", CLASSES)
def test_each_sample_has_the_fate_that_the_catalogue_says(group: str) -> None:
    """It is applied, a duplicate, or a dead letter as received with its code; what comes after is applied."""
    cluster, places = played(group)
    found = fates(cluster)
    received = {(record.partition, record.offset): record for record in cluster.records("events")}
    for place, sample in places.items():
        found.check(sample, received[place], GROUP)
    assert "AFTER" in {entry["ticket_id"] for entry in cluster.journal()}
    report = verify(cluster.reader, PREFIX, GROUP, cluster.policies)
    assert report.clean, report.findings
    totals = report.totals
    assert totals["consumed"] == totals["applied"] + totals["rejected"] + totals["duplicate"]
    assert totals["consumed"] == len(received)


def test_nobodys_data_leaks(caplog: pytest.LogCaptureFixture) -> None:
    """Names, phones, e-mails and numbers of the samples are in no output, header of ours or log line."""
    caplog.set_level(logging.DEBUG)
    cluster, _ = played(*CLASSES)
    seen = [caplog.text, repr(cluster.watcher.tallies), repr(cluster.watcher.outcomes())]
    for topic in ("journal", "notifications", "metrics"):
        for record in cluster.records(topic):
            value = (record.value or b"").decode()
            seen += [repr(record.key), value, json.dumps(json.loads(value), ensure_ascii=False)]
    seen += [words_of_ours(letter) for letter in cluster.records("dead-letter")]
    assert len(seen) > len(list(catalogue()))
    assert {word: text for text in seen for word in PERSONAL if word in text} == {}
