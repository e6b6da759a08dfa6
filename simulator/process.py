"""Worker processes, and the supervisor that starts again what has ended."""

from collections.abc import Callable
from typing import Final

from consumers.engine import Bounds, Engine
from consumers.log import Fenced, Restart
from consumers.processor import Tally
from producers.outbox import Outbox
from simulator.agenda import SECOND
from simulator.kafka_python import SimulatedLog
from simulator.kafka_python_consumer import HEARTBEAT_US
from simulator.node import GROUP, PREFIX, Crashed, Node
from simulator.stage import Stage

_RESTART_US: Final = SECOND
_LEAST_IDLE_US: Final = 50_000
_PATIENCE: Final = 100
"""After each so many turns in vain a worker that finds nothing to do rests longer, lest no time goes by."""
_MOST_BUGS: Final = 20
"""After so many ends that nothing explains no worker is started again."""


class Process:
    """One worker process: the real engine on the real adapter, or such ones of another type."""

    log_type: type[SimulatedLog] = SimulatedLog
    engine_type: type[Engine] = Engine

    def __init__(self, node: Node, stage: Stage, bounds: Bounds) -> None:
        self.node, self._stage, self._bounds = node, stage, bounds
        self.engine: Engine | None = None
        self._moved = False

    def make_engine(self) -> Engine:
        """The engine of this process."""
        outbox = Outbox(PREFIX, self._stage.plan.partitions, GROUP)
        log = self.log_type(self.node)
        return self.engine_type(
            log, self.node.clock, self._stage.policies, outbox, self, self._bounds, sleep=self.node.sleep
        )

    def awaits(self, partition: int | None) -> bool:
        """Whether a new record of this partition is one for this process."""
        return partition is None or self.engine is None or partition in self.engine.partitions

    def turn(self) -> int:
        """Start, or turn the loop once; returns how much was done."""
        if self.engine is None:
            self.engine = self.make_engine()
            return 1
        if self.node.ending:
            self.engine.close()
            self.node.die()
            return 0
        self._moved = False
        done = self.engine.turn()
        if self._moved:  # the real client's poll would not wait: this one sleeps afterwards
            self.node.idle_us = 0
        return done

    # The engine's observer.

    def restored(self, partition: int, tickets: int, seconds: float) -> None:
        """See `Observer`."""
        del seconds
        self._moved = True
        self._stage.tell(f"{self.node.member_id} restored partition {partition} with {tickets} tickets")

    def dropped(self, partition: int) -> None:
        """See `Observer`."""
        self._moved = True
        self._stage.tell(f"{self.node.member_id} dropped partition {partition}")

    def committed(self, tally: Tally, seconds: float) -> None:
        """See `Observer`."""

    def restarted(self, reason: Restart) -> None:
        """See `Observer`."""
        self._stage.tell(f"{self.node.member_id} begins anew: {reason}")

    def turned(self) -> None:
        """See `Observer`."""


def _nothing(node: Node, point: str) -> None:
    """Befalls who is not told otherwise."""


class Supervisor:
    """Starts workers, gives each its turns, and starts again what has ended."""

    def __init__(self, stage: Stage, process: type[Process], bounds: Bounds) -> None:
        self._stage, self._make, self._bounds = stage, process, bounds
        self.befall: Callable[[Node, str], None] = _nothing
        self.clock_offsets_us: dict[str, int] = {}  # by how much the clocks of workers' machines are wrong
        self.restart_us: dict[Node, int] = {}  # how long it takes until one that has ended is started again
        self._instances = 0
        self.processes: dict[str, Process] = {}
        self._busy: set[Node] = set()
        self._missed: set[Node] = set()  # who was at work when something came for it
        self._looks_again_us: dict[Node, int] = {}  # when, for it may be a heartbeat that tells what changed
        self._wakes: dict[Node, int] = {}
        self._in_vain: dict[Node, int] = {}  # turns since the last that did something
        self.done = 0
        self._latency = stage.chance("wakes")

    def start(self, worker_id: str) -> Process:
        """Start a process under a name, beside any other that may have it."""
        self._instances += 1
        stage = self._stage
        node = Node(
            worker_id, self._instances, stage.cluster, stage.agenda,
            stage.chance(f"node/{worker_id}/{self._instances}"), self.befall,
        )  # fmt: skip
        node.clock_offset_us = self.clock_offsets_us.get(worker_id, 0)
        process = self._make(node, stage, self._bounds)
        self.processes[worker_id] = process
        stage.tell(f"{node.member_id} starts")
        self._schedule(process, 0)
        return process

    def start_later(self, worker_id: str, delay_us: int) -> None:
        """Start a process if none runs under that name by then."""
        self._stage.agenda.after(delay_us, lambda: self._start_missing(worker_id))

    def _start_missing(self, worker_id: str) -> None:
        process = self.processes.get(worker_id)
        if process is None or process.node.dead:
            self.start(worker_id)

    def mend_all(self) -> None:
        """Mend what is wrong with the processes that run; who has to wait for a time to come starts anew."""
        for process in list(self.processes.values()):
            node = process.node
            if node.dead:
                continue
            node.mend()
            if node.clock_is_ahead:
                node.die()
                self.start_later(node.worker_id, 0)

    def wake(self, partition: int | None = None) -> None:
        """Something has changed on the cluster: whoever waits for it gets it soon.

        A new record of a `partition` changes nothing for a worker that works on others.
        """
        for process in self.processes.values():
            node = process.node
            if node.dead or not process.awaits(partition):
                continue
            if partition is None:
                self._looks_again_us[node] = self._stage.agenda.now_us + HEARTBEAT_US + SECOND // 2
            elif node in self._busy:
                self._missed.add(node)
            if node not in self._busy and node.idle_us:
                node.idle_us = 0
                self._schedule(process, self._latency.randrange(30_000))

    def _schedule(self, process: Process, delay_us: int) -> None:
        node = process.node
        wake = self._wakes[node] = self._wakes.get(node, 0) + 1
        self._stage.agenda.after(delay_us, lambda: self._turn(process, wake))

    def _turn(self, process: Process, wake: int) -> None:
        node = process.node
        if node.dead or node in self._busy or self._wakes[node] != wake:
            return
        self._busy.add(node)
        self._missed.discard(node)
        begun_us = self._stage.agenda.now_us
        done, self_ended = 0, True
        try:
            done, self_ended = process.turn(), False
        except Crashed:
            self_ended = False
        except (Fenced, Restart) as reason:
            self._stage.tell(f"{node.member_id} ends: {reason}")
            if isinstance(reason, Restart) and process.engine is not None:
                self._stage.bugs.append(f"{node.member_id} ends for what it should wait for: {reason}")
        except Exception as bug:  # noqa: BLE001 (whatever it is, it is a finding)
            notes = "; ".join(getattr(bug, "__notes__", ()))
            self._stage.bugs.append(f"{node.member_id} ends: {type(bug).__name__}: {bug} {notes}")
        finally:
            self._busy.discard(node)
        self.done += done
        self._go_on(process, begun_us, done, self_ended)

    def _go_on(self, process: Process, begun_us: int, done: int, self_ended: bool) -> None:
        node = process.node
        if self_ended:
            node.die()
        if node.dead:
            if (
                len(self._stage.bugs) < _MOST_BUGS
                and self.processes.get(node.worker_id) is process
                and node.worker_id in self._stage.plan.workers
            ):
                self.start_later(node.worker_id, self.restart_us.pop(node, _RESTART_US))
            return
        in_vain = self._in_vain[node] = 0 if done else self._in_vain.get(node, 0) + 1
        at_once = done or node.ending or node in self._missed
        node.idle_us = 0 if at_once else self._rest_us(node, begun_us, in_vain)
        self._schedule(process, node.idle_us)

    def _rest_us(self, node: Node, begun_us: int, in_vain: int) -> int:
        """How long a worker waits in the poll of a turn that began then, and in which nothing was to do."""
        now_us = self._stage.agenda.now_us
        left_us = node.polled_us + node.idle_us - now_us  # of its poll, if it stood still
        again_us = self._looks_again_us.get(node, begun_us)
        if again_us > begun_us:
            left_us = min(left_us, again_us - now_us)
        return max(min(left_us, node.idle_us), _LEAST_IDLE_US * (1 + in_vain // _PATIENCE))
