"""What goes wrong, when its time has come or a worker has reached the step that it waits for."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from simulator.agenda import SECOND
from simulator.node import TIMEOUTS, Crashed, LeaderAway, Node
from simulator.plan import Fault, at_us
from simulator.process import Process, Supervisor
from simulator.stage import START_US, Stage

_NEVER_US: Final = 2**63
_MAX_POLL_US: Final = int(TIMEOUTS.max_poll_seconds * SECOND)
_WRONG_CLOCK_US: Final = 1200 * SECOND
"""For so long a clock that has jumped stays wrong."""


class Misfortune:
    """Brings the faults of a plan. `happened` counts those that did, by kind."""

    def __init__(self, stage: Stage, supervisor: Supervisor) -> None:
        self._stage, self._supervisor = stage, supervisor
        supervisor.befall = self.befall
        self._armed: list[Fault] = []
        self._seen: Counter[tuple[Fault, str]] = Counter()
        self.happened: Counter[str] = Counter()
        self.crashed: Counter[str] = Counter()
        self.clocks_wrong_since_us = _NEVER_US
        self._healed = False

    def plan(self, faults: Sequence[Fault]) -> None:
        """Put faults on the agenda."""
        for fault in faults:
            self._stage.agenda.at(START_US + at_us(fault.at_seconds), lambda each=fault: self._bring(each))  # type: ignore[misc]

    def heal(self) -> None:
        """Nothing goes wrong any more, and what is wrong is mended; the workers go on by themselves."""
        self._healed = True
        self._stage.cluster.troubled(0)
        self._armed.clear()
        self._supervisor.clock_offsets_us.clear()
        self._stage.cluster.clock_offset_us = 0
        self._stage.cluster.outage.until_us = 0
        self._stage.tell("all is mended")

    def _note(self, fault: Fault) -> None:
        self.happened[fault.kind] += 1
        self._stage.tell(f"FAULT {fault.said}")
        if fault.kind in ("clock", "cluster clock"):
            self.clocks_wrong_since_us = min(self.clocks_wrong_since_us, self._stage.agenda.now_us)
            self._stage.cluster.troubled(_WRONG_CLOCK_US)
        else:
            self._stage.cluster.troubled(at_us(fault.seconds))

    def _bring(self, fault: Fault) -> None:
        if self._healed:
            return
        process = self._supervisor.processes.get(fault.worker)
        node = None if process is None or process.node.dead else process.node
        if fault.point:
            self._armed.append(fault)
        elif fault.kind in ("outage", "cluster clock", "scale", "compact"):
            self._to_the_cluster(fault)
        elif node is not None:
            self._to_a_worker(fault, node)
        else:  # it is just being started: in a moment
            self._stage.agenda.after(SECOND, lambda: self._bring(fault))

    def _to_the_cluster(self, fault: Fault) -> None:
        stage = self._stage
        self._note(fault)
        match fault.kind:
            case "outage":
                stage.cluster.outage.until_us = stage.agenda.now_us + at_us(fault.seconds)
            case "cluster clock":
                stage.cluster.clock_offset_us = at_us(fault.seconds)
                stage.agenda.after(_WRONG_CLOCK_US, self._right_the_cluster)
            case "compact":
                stage.compact()
            case "scale":
                process = self._supervisor.start(fault.worker)
                stage.agenda.after(at_us(fault.seconds), lambda: self._end(process))

    def _end(self, process: Process) -> None:
        """SIGTERM, which ends a wait at once."""
        process.node.ending = True
        self._supervisor.wake()

    def _right_the_cluster(self) -> None:
        self._stage.cluster.clock_offset_us = 0

    def _to_a_worker(self, fault: Fault, node: Node) -> None:
        self._note(fault)
        agenda = self._stage.agenda
        match fault.kind:
            case "commit":
                node.fate = fault.detail
            case "leader":
                node.leader = LeaderAway(at_us(fault.seconds), 1.0 if fault.detail == "all" else 0.5)
            case "clock":
                node.clock_offset_us = at_us(fault.seconds)
                self._supervisor.clock_offsets_us[node.worker_id] = node.clock_offset_us
                agenda.after(_WRONG_CLOCK_US, lambda: self._right_a_clock(node.worker_id))
                self._supervisor.wake()

    def _right_a_clock(self, worker_id: str) -> None:
        self._supervisor.clock_offsets_us.pop(worker_id, None)
        process = self._supervisor.processes.get(worker_id)
        if process is not None:
            process.node.clock_offset_us = 0
            self._supervisor.wake()  # who waits for something due waits by its own clock

    def befall(self, node: Node, point: str) -> None:
        """A worker has come to a boundary between two steps. Raises Crashed."""
        if not self._armed:
            return
        for fault in [each for each in self._armed if each.worker == node.worker_id and each.point == point]:
            self._seen[fault, point] += 1
            if self._seen[fault, point] < fault.nth or fault not in self._armed:
                continue
            self._armed.remove(fault)
            self._note(fault)
            self._strike(fault, node, point)

    def _strike(self, fault: Fault, node: Node, point: str) -> None:
        match fault.kind:
            case "crash":
                self.crashed[point] += 1
                self._supervisor.restart_us[node] = at_us(fault.seconds)
                node.die()
                raise Crashed
            case "stop":
                node.ending = True
                self._supervisor.restart_us[node] = at_us(fault.seconds)
            case "expel":
                node.expel()
            case "cut":
                self._cut(node, at_us(fault.seconds))
            case "stall":
                self._stall(node, at_us(fault.seconds))
            case "zombie":
                self._supervisor.start(node.worker_id)
                self._suspend(node, at_us(fault.seconds))
            case _:
                self._suspend(node, at_us(fault.seconds))

    def _cut(self, node: Node, duration_us: int) -> None:
        """The cluster and a worker do not reach each other."""
        agenda = self._stage.agenda
        node.cut.until_us = agenda.now_us + duration_us
        node.silence()
        agenda.at(node.cut.until_us, lambda: None if node.dead else node.heard())

    def _stall(self, node: Node, duration_us: int) -> None:
        """Its loop stands still, and its heartbeats go on until it has not polled for too long."""
        if duration_us > _MAX_POLL_US:
            self._stage.agenda.after(_MAX_POLL_US, node.expel)
        node.wait(duration_us)

    def _suspend(self, node: Node, duration_us: int) -> None:
        """The whole process stands still, its heartbeats too, while the others go on."""
        node.silence()
        node.wait(duration_us)
        node.heard()
        self._stage.tell(f"{node.member_id} goes on after {duration_us / SECOND:g} s")
