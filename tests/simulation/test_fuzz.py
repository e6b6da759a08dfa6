"""Schema-aware fuzzing of the engine on the in-memory log: no crash, conservation, nobody's data."""

import logging
import time
from collections import Counter
from datetime import timedelta

import pytest
from prometheus_client import generate_latest

from consumers.engine import Engine
from consumers.memory import MemoryLog
from ops.observer import WorkerMetrics
from ops.policies import load
from ops.verify import verify
from producers.outbox import Outbox
from schemas.envelope import Code
from tests.fuzz.checks import check_letter, check_output, shows_nothing
from tests.fuzz.traffic import Traffic
from tests.support.cluster import GROUP, PREFIX, Cluster, settle
from tests.support.letters import OURS
from tests.support.world import START

pytestmark = pytest.mark.simulation

EPISODE_EVENTS = 20_000
"""As many at a time: one after another, so that memory has a bound."""
_TOGETHER = 400
"""So many records arrive between two looks of the worker."""
_PARTITIONS = 4


@pytest.mark.parametrize(
    "events",
    [EPISODE_EVENTS, pytest.param(1_000_000, marks=[pytest.mark.long, pytest.mark.timeout(7_200)])],
)
def test_hostile_traffic_crashes_nothing_loses_nothing_and_shows_nobody(
    events: int, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the topics alone each record is applied, rejected or a duplicate; nothing shows what it must not."""
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.ERROR, "transitions")  # as ops.logs has it
    fates: Counter[str] = Counter()
    begun = time.monotonic()
    for seed in range(events // EPISODE_EVENTS):
        fates += _episode(seed)
        shows_nothing(f"the log, seed {seed}", caplog.text + "".join(capsys.readouterr()))
        caplog.clear()
        with capsys.disabled():
            print(
                f"\n{fates.total():,} events in {time.monotonic() - begun:.0f} s: {dict(fates)}", flush=True
            )
    assert fates.total() >= events
    assert set(fates) == {"applied", "duplicate", *map(str, Code)}
    assert fates["applied"] > events / 5


def _episode(seed: int) -> Counter[str]:
    """Let hostile traffic through an engine that is restarted half way; returns what became of how many."""
    cluster, traffic, metrics = (
        Cluster(load(None), partitions=_PARTITIONS),
        Traffic(seed, START),
        WorkerMetrics(),
    )
    for part in range(2):
        engine = _engine(cluster, metrics)
        for _ in range(EPISODE_EVENTS // 2 // _TOGETHER):
            for sent, arrival in traffic.records(_TOGETHER):
                seconds = (arrival - START) / timedelta(seconds=1)
                cluster.append(sent.key, sent.value, sent.headers, seconds, misplaced=sent.misplaced)
            cluster.clock.time = max(cluster.clock.time, traffic.now)
            settle(engine)
        assert metrics.partitions == frozenset(range(_PARTITIONS)), f"seed {seed}, part {part}"
    return _checked(cluster, metrics, seed)


def _engine(cluster: Cluster, metrics: WorkerMetrics) -> Engine:
    log = MemoryLog(
        cluster.broker, events=f"{PREFIX}.events", state=f"{PREFIX}.state", group=GROUP, worker_id="a"
    )
    outbox = Outbox(PREFIX, _PARTITIONS, GROUP)
    return Engine(log, cluster.clock, cluster.policies, outbox, metrics, sleep=lambda _: None)


def _checked(cluster: Cluster, metrics: WorkerMetrics, seed: int) -> Counter[str]:
    report = verify(cluster.reader, PREFIX, GROUP, cluster.policies)
    assert report.clean, (seed, report.findings[:3])
    totals = report.totals
    assert totals["consumed"] == EPISODE_EVENTS + totals["absorbed"], seed
    assert totals["consumed"] == totals["applied"] + totals["rejected"] + totals["duplicate"], seed
    for topic in ("journal", "notifications", "metrics"):
        for record in cluster.records(topic):
            check_output(topic, record)
    received = {(record.partition, record.offset): record for record in cluster.records("events")}
    fates = Counter({"applied": totals["applied"], "duplicate": totals["duplicate"]})
    for letter in cluster.records("dead-letter"):
        said = dict(letter.headers)
        place = int(said[f"{OURS}partition"] or b""), int(said[f"{OURS}offset"] or b"")
        check_letter(letter, received[place])
        fates[(said[f"{OURS}code"] or b"").decode()] += 1
    assert fates.total() == totals["consumed"]
    shows_nothing("metrics of the worker", generate_latest(metrics.registry).decode())
    return fates
