"""The parts of a worker process: what it counts and serves, how it is told to end."""

import logging
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from consumers.log import Outgoing, Position, Reader, Reason, Restart, Unavailable
from consumers.memory import MemoryBroker, MemoryReader
from consumers.processor import Tally
from ops import OperationError
from ops.http import Endpoint
from ops.kafka_noise import KafkaNoise
from ops.lag import LagSampler, lags
from ops.observer import WorkerMetrics
from ops.service import Stop, Stopped
from schemas.instants import EARLIEST


def endpoint(
    metrics: WorkerMetrics,
    alive: Callable[[], bool] = bool,
    not_ready: Callable[[], str | None] = lambda: "not yet",
    *,
    port: int = 0,
    or_next_free: bool = False,
) -> Endpoint:
    return Endpoint(
        metrics.registry,
        alive,
        not_ready,
        setting="TICKETFLOW_METRICS_PORT",
        port=port,
        or_next_free=or_next_free,
    )


class Served:
    """An endpoint whose answers a test chooses."""

    def __init__(self) -> None:
        self.metrics = WorkerMetrics()
        self.alive = True
        self.not_ready: str | None = None
        self.endpoint = endpoint(self.metrics, lambda: self.alive, lambda: self.not_ready)

    def get(self, path: str) -> tuple[int, str]:
        """Status and body."""
        try:
            with urllib.request.urlopen(self.endpoint.url + path, timeout=10) as answer:  # noqa: S310
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.read().decode()


@pytest.fixture
def served() -> Iterator[Served]:
    """An endpoint that is closed afterwards."""
    made = Served()
    yield made
    made.endpoint.close()


def test_metrics_have_the_contracts_names(served: Served) -> None:
    """Every series of a worker is there under its name, and no other series of ours."""
    served.metrics.lags({3: (7, 1.5)})
    served.metrics.committed(Tally({("ticket.created.v1", "applied"): 2}, [0.25]), 0.01)
    _, text = served.get("/metrics")
    families = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    assert families == {
        "ticketflow_events_total",
        "ticketflow_timer_lateness_seconds",
        "ticketflow_transaction_seconds",
        "ticketflow_transactions_total",
        "ticketflow_restore_seconds",
        "ticketflow_worker_blocked",
        "ticketflow_consumer_lag_records",
        "ticketflow_consumer_lag_seconds",
        "ticketflow_build_info",
    }
    assert 'ticketflow_events_total{outcome="applied",type="ticket.created.v1"} 2.0' in text
    assert 'ticketflow_consumer_lag_records{partition="3"} 7.0' in text
    assert "ticketflow_timer_lateness_seconds_sum 0.25" in text


def test_an_unknown_type_makes_no_label(served: Served) -> None:
    """What a publisher wrote as a type cannot blow up the number of series."""
    served.metrics.committed(Tally({("ticket.made-up.v9", "unknown_type"): 1}), 0.01)
    _, text = served.get("/metrics")
    assert 'type="unknown"' in text
    assert "made-up" not in text


def test_transactions_are_counted_by_outcome(served: Served) -> None:
    """A restart is counted, and each commit."""
    served.metrics.committed(Tally(), 0.01)
    served.metrics.restarted(Restart("refused"))
    _, text = served.get("/metrics")
    assert 'ticketflow_transactions_total{outcome="committed"} 1.0' in text
    assert 'ticketflow_transactions_total{outcome="restarted"} 1.0' in text


def _blocked(served: Served) -> list[str]:
    lines = served.get("/metrics")[1].splitlines()
    return [line for line in lines if line.startswith("ticketflow_worker_blocked{") and line.endswith(" 1.0")]


def test_what_keeps_a_worker_from_going_on_is_told_once_and_shown_all_the_time() -> None:
    """One line for each change and none for an attempt; the gauge and /readyz have it until it is over."""
    served = Served()
    metrics = served.metrics
    metrics.working(ready=True, trouble=None)
    missing, silent = Unavailable("there is no topic t", Reason.TOPIC_MISSING), Unavailable("no answer")
    with capture_logs() as logged:
        for reason in (missing, missing, Restart("it failed"), missing, silent, silent):
            metrics.dropped(0)
            metrics.restarted(reason)
            metrics.restored(0, 1, 0.1)
            metrics.working(ready=True, trouble=reason)
            if reason is missing:
                assert _blocked(served) == ['ticketflow_worker_blocked{reason="topic_missing"} 1.0']
        assert metrics.not_ready == "no answer; tried again until it succeeds"
        metrics.working(ready=True, trouble=None)
    served.endpoint.close()
    told = [(line["event"], line.get("reason")) for line in logged if line["log_level"] != "debug"]
    assert told == [
        ("partition dropped", None),
        ("starting over from the log", "there is no topic t"),
        ("worker not ready", None),
        ("starting over from the log", "no answer"),
        ("going on", None),
        ("worker ready", None),
    ]
    assert (_blocked_now(metrics), metrics.not_ready) == (0.0, None)


def _blocked_now(metrics: WorkerMetrics) -> float:
    return sum(
        sample.value
        for family in metrics.registry.collect()
        for sample in family.samples
        if family.name == "ticketflow_worker_blocked"
    )


def test_a_partition_that_went_leaves_no_lag(served: Served) -> None:
    """Lag is shown of the partitions last told, and of no other."""
    served.metrics.lags({1: (1, 1.0), 2: (2, 2.0)})
    served.metrics.lags({2: (0, 0.0)})
    _, text = served.get("/metrics")
    assert 'lag_records{partition="1"}' not in text
    assert 'lag_records{partition="2"} 0.0' in text


def test_partitions_follow_restores_and_drops() -> None:
    """The sampler looks at what is restored."""
    metrics = WorkerMetrics()
    metrics.restored(1, 10, 0.1)
    metrics.restored(2, 0, 0.1)
    metrics.dropped(1)
    assert metrics.partitions == {2}


@pytest.mark.parametrize(
    ("path", "word", "no"),
    [("/livez", "alive", "the loop does not turn"), ("/readyz", "ready", "why not")],
)
def test_probes_answer_200_and_503(path: str, word: str, no: str, served: Served) -> None:
    """A probe has its own verdict, and a word for people."""
    assert served.get(path) == (200, f"{word}\n")
    served.alive, served.not_ready = False, "why not"
    assert served.get(path) == (503, f"{no}\n")


def test_another_path_is_404(served: Served) -> None:
    """What is not there says what is."""
    assert served.get("/") == (404, "there is /metrics, /livez and /readyz\n")


def test_a_scrape_that_fails_is_told(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistake of ours leaves the log its kind, and not its text, which may quote a record."""

    def mistaken() -> bool:
        raise KeyError("somebody-s-name")

    monkeypatch.setattr(served.endpoint, "_alive", mistaken)
    with capture_logs() as told, pytest.raises(ConnectionError):
        served.get("/livez")
    assert told == [{"event": "a request was not answered", "problem": "KeyError", "log_level": "error"}]


def test_a_taken_port_leads_to_the_next_free_one(served: Served) -> None:
    """Workers on one machine need no ports of their own to be given."""
    port = int(served.endpoint.url.rpartition(":")[2])
    second = endpoint(WorkerMetrics(), port=port, or_next_free=True)
    try:
        assert int(second.url.rpartition(":")[2]) > port
    finally:
        second.close()


def test_a_taken_port_that_was_asked_for_is_one_sentence(served: Served) -> None:
    """Who names a port gets that one or a word."""
    port = int(served.endpoint.url.rpartition(":")[2])
    with pytest.raises(
        OperationError, match=f"Port {port} cannot be used for metrics .*TICKETFLOW_METRICS_PORT"
    ):
        endpoint(WorkerMetrics(), port=port)


def _behind(now_us: int) -> MemoryReader:
    """A topic of two partitions: three records in the first, of which one is committed."""
    broker = MemoryBroker({"t": 2}, now_us=lambda: now_us)
    for _ in range(3):
        broker.append("t", b"k", b"v", partition=0)
    transaction = broker.begin("x", broker.init_producer("x"))
    broker.write(transaction, Outgoing("t", 1, b"k", b"v"))
    broker.finish(transaction, commit=False)
    return MemoryReader(broker)


class _Committed(MemoryReader):
    """Reads of a broker, with positions that a test gives."""

    def __init__(self, reader: MemoryReader, positions: dict[int, Position]) -> None:
        self.__dict__.update(reader.__dict__)
        self._positions = positions

    def committed(self, group: str, topic: str) -> dict[int, Position]:  # noqa: ARG002 (the Protocol's)
        return self._positions


def test_lag_is_what_is_not_committed_and_how_old_it_is() -> None:
    """Records are counted by offset, and the age is that of the oldest."""
    reader = _Committed(_behind(1_000_000), {0: Position(1)})
    now = EARLIEST + timedelta(seconds=4)
    assert lags(reader, "g", "t", frozenset({0}), now) == {0: (2, 3.0)}


def test_nothing_but_transaction_markers_is_no_lag() -> None:
    """An aborted transaction at the end leaves nothing to do."""
    found = lags(_Committed(_behind(0), {}), "g", "t", frozenset({1}), datetime.now(UTC))
    assert found == {1: (0, 0.0)}


def test_a_sampler_without_a_cluster_shows_nothing() -> None:
    """An old lag would be taken for a true one."""
    shown: list[object] = []

    def connect() -> Reader:
        raise Unavailable("the cluster does not answer")

    sampler = LagSampler(connect, "g", "t", lambda: frozenset({0}), shown.append)
    try:
        sampler.sample()
    finally:
        sampler.close()
    assert shown == [{}]


def test_a_sampler_takes_no_failure_of_the_client_for_a_lag() -> None:
    """Nothing is shown, what the client said is not logged, and the next sample connects anew."""
    shown: list[object] = []
    connected: list[Reader] = []

    class Broken(MemoryReader):
        def ends(self, topic: str) -> dict[int, int]:
            raise AssertionError(topic)

        def close(self) -> None:
            raise ValueError

    def connect() -> Reader:
        connected.append(Broken(MemoryBroker({"t": 1}, now_us=lambda: 0)))
        return connected[-1]

    sampler = LagSampler(connect, "g", "t", lambda: frozenset({0}), shown.append)
    try:
        with capture_logs() as logged:
            sampler.sample()
            sampler.sample()
    finally:
        sampler.close()
    assert (shown, len(connected)) == ([{}, {}], 2)
    assert [line["reason"] for line in logged] == ["the Kafka client made a mistake (AssertionError)"] * 2


def test_a_request_to_end_interrupts_a_long_wait() -> None:
    """While the cluster does not answer the engine waits in `sleep`, and must still end at once."""
    stop = Stop()
    stop.request()
    with pytest.raises(Stopped):
        stop.sleep(3600)


def _said(noise: KafkaNoise, logger: str, line: int) -> bool:
    return noise.filter(logging.LogRecord(logger, logging.ERROR, "p", line, "text", (), None))


def test_the_client_says_nothing_until_we_are_connected() -> None:
    """A start that fails is one sentence, so the client's own lines would be noise; ours pass."""
    noise = KafkaNoise()
    assert (_said(noise, "kafka.net.manager", 1), _said(noise, "ops.worker", 1)) == (False, True)


def test_the_client_says_each_thing_once_a_minute() -> None:
    """A broker that is away for hours does not fill a disk."""
    now = 0.0
    noise = KafkaNoise(lambda: now)
    noise.connected = True
    assert [_said(noise, "kafka.x", line) for line in (1, 1, 2)] == [True, False, True]
    now = 61.0
    assert _said(noise, "kafka.x", 1)
