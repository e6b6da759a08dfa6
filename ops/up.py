"""`up`: the whole system on one machine, kept running until somebody ends it."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from queue import Empty, SimpleQueue
from types import FrameType, MappingProxyType
from typing import Final, Protocol

from ops import OperationError, composition, kafka_noise, policies, topics
from ops.broker_files import BrokerError
from ops.children import Child, Notice, Program, is_loud
from ops.embedded import EmbeddedBroker
from ops.screen import Facts, show_start, show_warning
from ops.settings import Settings

_TICK_SECONDS: Final = 0.2
_START_SCREEN_SECONDS: Final = 30.0
"""Without a word of a program until then, the screen is shown without its address."""
_BROKER_STARTS: Final = 5
_BROKER_BACK_OFF_SECONDS: Final = 1.0


class Companion(Protocol):
    """What runs beside the programs in a thread of its own, and whose end is the system's."""

    @property
    def environment(self) -> Mapping[str, str]:
        """Settings that the programs get beside those of the caller."""

    def begin(self, servers: str) -> None:
        """Begin: the topics are there, the programs are about to start. Raises OperationError, LogError."""

    def notice(self, name: str, notice: Notice) -> None:
        """Hear what a program logs."""

    def started(self, facts: Facts) -> None:
        """Hear where everything is, once the programs have told where their metrics are."""

    def tell(self, sentence: str) -> None:
        """Pass on to people what is not as it should be."""

    def ended(self) -> bool:
        """Whether it is done."""

    def end(self) -> None:
        """End, if it is not done yet, and return when nothing of it runs any more."""


class Resident:
    """The companion of a system that runs until somebody ends it: it tells people what there is to tell."""

    environment: Mapping[str, str] = MappingProxyType({})

    def begin(self, servers: str) -> None:
        """See `Companion.begin`."""

    def notice(self, name: str, notice: Notice) -> None:
        """See `Companion.notice`."""

    def started(self, facts: Facts) -> None:
        """See `Companion.started`."""
        show_start(facts)

    def tell(self, sentence: str) -> None:
        """See `Companion.tell`."""
        show_warning(sentence)

    def ended(self) -> bool:
        """See `Companion.ended`."""
        return False

    def end(self) -> None:
        """See `Companion.end`."""


def programs(config: Path | None, environment: Mapping[str, str]) -> tuple[Program, ...]:
    """What runs beside the broker. They end in reverse order."""
    given = () if config is None else ("--config", str(config.absolute()))
    return tuple(Program(name, (*given, name), environment) for name in ("worker", "exporter"))


def run(settings: Settings, config: Path | None, companion: Companion | None = None) -> None:
    """Run the system until SIGINT or SIGTERM, or the end of its companion, and end it cleanly.

    Raises OperationError, PolicyError: what keeps it from starting.
    """
    versions = policies.load(settings.policy)  # before anything is started that would then die of it
    composition.require_client(settings)
    kafka_noise.limit()
    beside = companion or Resident()
    broker = None if settings.kafka_bootstrap_servers else EmbeddedBroker(settings)
    with interruptible() as shield:
        try:
            servers = settings.kafka_bootstrap_servers or _started(broker)
            _prepare(settings, servers, beside.tell)
            policy, logs = versions.in_force(datetime.now(UTC)).label, log_directory(settings)
            started = programs(config, beside.environment)
            _System(settings, broker, servers, policy, logs, started, beside, shield).run()
        except KeyboardInterrupt:
            pass
        finally:
            shield()
            if broker is not None:
                broker.stop()


def run_broker(settings: Settings, tell: Callable[[str], None]) -> None:
    """Run the embedded broker alone until SIGINT or SIGTERM; `tell` gets its address.

    Raises OperationError where it cannot start, or ends by itself.
    """
    kafka_noise.limit()
    broker = EmbeddedBroker(settings)
    with interruptible() as shield:
        try:
            tell(broker.start())
            broker.wait()
            raise BrokerError(broker.failure())
        except KeyboardInterrupt:
            pass
        finally:
            shield()
            broker.stop()


@contextmanager
def interruptible() -> Iterator[Callable[[], None]]:
    """Let SIGTERM interrupt as Ctrl-C does; what this gives ends that, so that the end is not interrupted."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    def shield() -> None:
        for number in before:
            signal.signal(number, signal.SIG_IGN)

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield shield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


def log_directory(settings: Settings) -> Path:
    """Return where the programs' logs are. Raises OperationError where they cannot be written."""
    directory = settings.data_dir / "logs"
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as problem:
        raise OperationError(
            f"Nothing can be written to {directory} ({problem.strerror}): set TICKETFLOW_DATA_DIR to a "
            "directory that can be written."
        ) from None
    return directory


def _started(broker: EmbeddedBroker | None) -> str:
    assert broker is not None  # noqa: S101 (without one the settings name a cluster)
    if sys.stderr.isatty():
        print("Starting Kafka ...", file=sys.stderr)
    return broker.start()


def _prepare(settings: Settings, servers: str, tell: Callable[[str], None]) -> None:
    options = composition.kafka_options(settings, servers)
    topics.create(options, settings.topic_prefix, settings.partitions, settings.replication_factor)
    for finding in topics.check(options, settings.topic_prefix):
        tell(finding.sentence)


@dataclass(slots=True)
class _System:
    """The broker and the programs beside it, looked after in one thread."""

    settings: Settings
    broker: EmbeddedBroker | None
    servers: str
    policy: str
    logs: Path
    programs: tuple[Program, ...]
    companion: Companion
    shield: Callable[[], None]

    def run(self) -> None:
        notices: SimpleQueue[tuple[str, Notice]] = SimpleQueue()
        children = [
            Child(program, self.logs, lambda name, notice: notices.put((name, notice)), self.companion.tell)
            for program in self.programs
        ]
        try:
            self.companion.begin(self.servers)
            self._look_after(children, notices)
        finally:
            self.shield()
            self.companion.end()
            for child in reversed(children):
                child.stop()

    def _look_after(self, children: list[Child], notices: SimpleQueue[tuple[str, Notice]]) -> None:
        screen_at = time.monotonic() + _START_SCREEN_SECONDS
        shown = False
        metrics: dict[str, str] = {}
        while not self.companion.ended():
            for child in children:
                child.tend()
            metrics.update(self._read(notices))
            if not shown and (len(metrics) == len(children) or time.monotonic() > screen_at):
                shown = True
                self._show(children, metrics)
            self._wait(children)

    def _read(self, notices: SimpleQueue[tuple[str, Notice]]) -> dict[str, str]:
        """Pass on what is loud; return the addresses of the programs' metrics where they told them."""
        metrics: dict[str, str] = {}
        while True:
            try:
                name, notice = notices.get_nowait()
            except Empty:
                return metrics
            self.companion.notice(name, notice)
            if isinstance(notice.get("metrics"), str):
                metrics[name] = str(notice["metrics"])
            if is_loud(notice):
                detail = notice.get("reason")
                self.companion.tell(f"{name}: {notice.get('event')}{f' ({detail})' if detail else ''}")

    def _show(self, children: list[Child], metrics: Mapping[str, str]) -> None:
        self.companion.started(
            Facts(
                servers=self.servers,
                data_dir=None if self.broker is None else self.settings.data_dir,
                prefix=self.settings.topic_prefix,
                policy=self.policy,
                metrics=tuple((child.name, metrics.get(child.name)) for child in children),
                logs=(
                    *(child.log_file for child in children),
                    *(() if self.broker is None else (self.broker.log_file,)),
                ),
            )
        )

    def _wait(self, children: list[Child]) -> None:
        """Let a moment pass. A broker that died meanwhile is started again."""
        if self.broker is None:
            time.sleep(_TICK_SECONDS)
        elif self.broker.wait(_TICK_SECONDS) is not None:
            self.companion.tell(self.broker.failure())
            servers = self._broker_again(self.broker)
            if servers != self.servers:
                self.servers = servers
                self.companion.tell(f"Kafka now answers at {servers}.")
                for child in children:
                    child.restart()

    def _broker_again(self, broker: EmbeddedBroker) -> str:
        for attempt in range(_BROKER_STARTS):
            time.sleep(_BROKER_BACK_OFF_SECONDS * 2**attempt)
            try:
                return broker.start()
            except OperationError as problem:
                if attempt == _BROKER_STARTS - 1:
                    raise
                self.companion.tell(str(problem))
        raise AssertionError("the last attempt returns or raises")
