"""`up`: the whole system on one machine, kept running until somebody ends it."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from types import FrameType
from typing import Final

from ops import OperationError, composition, kafka_noise, policies, topics
from ops.broker_files import BrokerError
from ops.children import Child, Notice, Program, is_loud
from ops.embedded import EmbeddedBroker
from ops.screen import Facts, show_start, show_warning
from ops.settings import Settings

_TICK_SECONDS: Final = 0.2
_START_SCREEN_SECONDS: Final = 30.0
"""Without a word of the worker until then, the screen is shown without its address."""
_BROKER_STARTS: Final = 5
_BROKER_BACK_OFF_SECONDS: Final = 1.0


def programs(config: Path | None) -> tuple[Program, ...]:
    """What runs beside the broker. They end in reverse order."""
    given = () if config is None else ("--config", str(config.absolute()))
    return (Program("worker", (*given, "worker")),)


def run(settings: Settings, config: Path | None) -> None:
    """Run the system until SIGINT or SIGTERM, and end it cleanly.

    Raises OperationError, PolicyError: what keeps it from starting.
    """
    versions = policies.load(settings.policy)  # before anything is started that would then die of it
    kafka_noise.limit()
    broker = None if settings.kafka_bootstrap_servers else EmbeddedBroker(settings)
    with interruptible() as shield:
        try:
            servers = settings.kafka_bootstrap_servers or _started(broker)
            _prepare(settings, servers)
            logs = log_directory(settings)
            _System(settings, broker, servers, versions.labels[-1], logs, programs(config), shield).run()
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


def _prepare(settings: Settings, servers: str) -> None:
    options = composition.kafka_options(settings, servers)
    topics.create(options, settings.topic_prefix, settings.partitions, settings.replication_factor)
    for finding in topics.check(options, settings.topic_prefix):
        show_warning(finding.sentence)


@dataclass(slots=True)
class _System:
    """The broker and the programs beside it, looked after in one thread."""

    settings: Settings
    broker: EmbeddedBroker | None
    servers: str
    policy: str
    logs: Path
    programs: tuple[Program, ...]
    shield: Callable[[], None]

    def run(self) -> None:
        notices: SimpleQueue[tuple[str, Notice]] = SimpleQueue()
        children = [
            Child(program, self.logs, lambda name, notice: notices.put((name, notice)), show_warning)
            for program in self.programs
        ]
        try:
            self._look_after(children, notices)
        finally:
            self.shield()
            for child in reversed(children):
                child.stop()

    def _look_after(self, children: list[Child], notices: SimpleQueue[tuple[str, Notice]]) -> None:
        screen_at = time.monotonic() + _START_SCREEN_SECONDS
        shown = False
        while True:
            for child in children:
                child.tend()
            metrics = self._read(notices)
            if not shown and (metrics or time.monotonic() > screen_at):
                shown = True
                self._show(children, metrics)
            self._wait(children)

    def _read(self, notices: SimpleQueue[tuple[str, Notice]]) -> str | None:
        """Pass on what is loud; return the address of the worker's metrics where it told it."""
        metrics: str | None = None
        while True:
            try:
                name, notice = notices.get_nowait()
            except Empty:
                return metrics
            if isinstance(notice.get("metrics"), str):
                metrics = str(notice["metrics"])
            if is_loud(notice):
                detail = notice.get("reason")
                show_warning(f"{name}: {notice.get('event')}{f' ({detail})' if detail else ''}")

    def _show(self, children: list[Child], metrics: str | None) -> None:
        show_start(
            Facts(
                servers=self.servers,
                data_dir=None if self.broker is None else self.settings.data_dir,
                prefix=self.settings.topic_prefix,
                policy=self.policy,
                metrics=metrics,
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
            show_warning(self.broker.failure())
            servers = self._broker_again(self.broker)
            if servers != self.servers:
                self.servers = servers
                show_warning(f"Kafka now answers at {servers}.")
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
                show_warning(str(problem))
        raise AssertionError("the last attempt returns or raises")
