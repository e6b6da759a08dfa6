"""A whole system of a test's own: topics on a real broker, real workers, and what must come of traffic."""

import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from confluent_kafka import Message

from tests.support.processes import Worker, run, workers
from tests.support.traffic import Expected, Sent
from tests.support.traffic_foreign import Follower, Outcome, data, publish, waiting

_PATIENCE_SECONDS = 45.0
"""How long nothing may come before a test gives up; a dead worker's session and more."""


@dataclass(frozen=True)
class System:
    """The topics with `prefix`; `directory` holds the workers' logs."""

    servers: str
    prefix: str
    directory: Path

    def topic(self, suffix: str) -> str:
        """The name of one of the six topics."""
        return f"{self.prefix}.{suffix}"

    def settings(self, **more: str) -> dict[str, str]:
        """The environment of every command; `more` by the setting's name in lower case."""
        return {
            "TICKETFLOW_KAFKA_BOOTSTRAP_SERVERS": self.servers,
            "TICKETFLOW_TOPIC_PREFIX": self.prefix,
            "TICKETFLOW_GROUP_ID": self.prefix,
            "TICKETFLOW_METRICS_PORT": "0",
            "TICKETFLOW_DATA_DIR": str(self.directory),
            "TICKETFLOW_LOG_FORMAT": "json",
            **{f"TICKETFLOW_{name.upper()}": value for name, value in more.items()},
        }

    @contextmanager
    def workers(self, *ids: str, **settings: str) -> Iterator[list[Worker]]:
        """Workers that are not started yet, and none of them left afterwards."""
        with workers(self.directory, self.settings(**settings), *ids) as made:
            yield made

    def publish(self, records: Iterable[Sent]) -> int:
        """Publish to the events topic; returns how many."""
        return publish(self.servers, self.topic("events"), records)

    def follow(self, *suffixes: str, isolation: str = "read_committed") -> Follower:
        """Read these topics."""
        return Follower(self.servers, [self.topic(suffix) for suffix in suffixes], isolation)

    def read(self, *suffixes: str, isolation: str = "read_committed") -> list[Message]:
        """All records of these topics, those of one partition in order."""
        with self.follow(*suffixes, isolation=isolation) as follower:
            return follower.to_end()

    def await_records(self, suffix: str, count: int, *alive: Worker) -> list[Message]:
        """Wait until one of the topics has that many committed records; returns them all."""
        found: list[Message] = []
        idle_since = time.monotonic()
        with self.follow(suffix) as follower:
            while len(found) < count:
                if messages := follower.read():
                    found += messages
                    idle_since = time.monotonic()
                for worker in alive:
                    worker.check()
                idle_seconds = time.monotonic() - idle_since
                came = f"{len(found)} of {count} records came to {suffix}"
                assert idle_seconds < _PATIENCE_SECONDS, self._trouble(came, alive)
        return found

    def settle(self, expected: Expected, *alive: Worker) -> None:
        """Wait until all that is expected has happened and no record waits; say what did not happen."""
        outcome = Outcome()
        idle_since = time.monotonic()
        with self.follow("journal") as journal:
            while not outcome.is_whole(expected):
                messages = journal.read()
                for message in messages:
                    outcome.take(data(message))
                if messages:
                    idle_since = time.monotonic()
                for worker in alive:
                    worker.check()
                if time.monotonic() - idle_since > _PATIENCE_SECONDS:
                    break
        missing = outcome.missing(expected)
        assert not missing, self._trouble("\n".join(missing), alive)
        self.await_input_done(*alive)

    def await_input_done(self, *alive: Worker) -> None:
        """Wait until every record is processed."""
        before, idle_since = 0, time.monotonic()
        while left := waiting(self.servers, self.prefix, self.topic("events")):
            if left != before:
                before, idle_since = left, time.monotonic()
            for worker in alive:
                worker.check()
            idle_seconds = time.monotonic() - idle_since
            assert idle_seconds < _PATIENCE_SECONDS, self._trouble(f"{left} records still wait", alive)
            time.sleep(0.05)

    def _trouble(self, what: str, alive: Iterable[Worker]) -> str:
        """What did not happen, what others see, and what those were doing who should have; it ends them."""
        committed, written = (
            len(self.read("journal", isolation=f"read_{each}")) for each in ("committed", "uncommitted")
        )
        left = waiting(self.servers, self.prefix, self.topic("events"))
        seen = f"the journal has {committed} records, {written} with those of no commit; {left} events wait"
        return "\n".join([what, seen, *(line for worker in alive for line in worker.last_words())])

    def codes(self) -> Counter[str]:
        """How many dead letters there are by code."""
        return Counter(header(message, "dlq.errors.code") for message in self.read("dead-letter"))

    def verify(self) -> dict[str, Any]:
        """What `ticketflow verify` says of the topics, once it has found nothing."""
        done = run(self.settings(), "verify", "--json")
        assert done.returncode == 0, (done.stdout[-3000:] + done.stderr[-2000:]).decode()
        report: dict[str, Any] = json.loads(done.stdout)
        return report

    def check(self, expected: Expected) -> None:
        """Hold the topics against what is expected, and `verify` them."""
        assert self.codes() == expected.rejected
        totals = self.verify()["totals"]
        found = {name: totals[name] for name in ("consumed", "applied", "rejected", "duplicate")}
        assert found == {
            "consumed": expected.published + expected.absorbed,
            "applied": expected.applied + expected.absorbed,
            "rejected": expected.rejected.total(),
            "duplicate": expected.duplicate,
        }


def header(message: Message, name: str) -> str:
    """A header's text. Of several with that name the last one counts."""
    value = dict(message.headers() or ())[name]
    assert isinstance(value, bytes)
    return value.decode()
