"""The group of the in-memory log: membership, generations, cooperative rebalancing; no threads, no clock.

As in Kafka's classic protocol a rebalance waits until every member has joined it by polling; then the
generation moves, and a partition that changes hands is first given up by its old owner, at that owner's
next poll, and goes to its new one in a second rebalance. A member is static: an instance that comes back
under its name takes its partitions over with no rebalance, and the instance it replaces is fenced.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from consumers.log import Fenced, Position, Restart


@dataclass(slots=True, eq=False)
class Member:
    """An instance of a worker, as the group sees it."""

    worker_id: str
    owned: frozenset[int] = frozenset()
    generation: int = 0
    joined: bool = False
    gone: bool = False


@dataclass(slots=True)
class MemoryGroup:
    """The members of a group, who owns which partition, and the positions they have committed."""

    partitions: int
    generation: int = 0
    positions: dict[int, Position] = field(default_factory=dict)
    # Positions of transactions that are being committed, by transactional id: `committed` has to wait for
    # them.
    pending: dict[str, Mapping[int, Position]] = field(default_factory=dict)
    members: dict[str, Member] = field(default_factory=dict)
    _targets: dict[str, frozenset[int]] = field(default_factory=dict)
    _rebalancing: bool = False

    def join(self, worker_id: str) -> Member:
        """Return a member for a new instance of a worker; it has taken part when it has called `sync`."""
        old = self.members.get(worker_id)
        if old is None:
            member = Member(worker_id)
            self.members[worker_id] = member
            self._start()
            return member
        old.gone = True
        member = Member(worker_id, old.owned, old.generation, old.joined)
        self.members[worker_id] = member
        return member

    def sync(self, member: Member) -> bool:
        """Take part in a rebalance and pick up its outcome; say whether the member has one it may work with.

        Raises Fenced when another instance has the member's name, and Restart when the group has expelled it.
        """
        self._check_known(member)
        while self._rebalancing or member.generation != self.generation:
            if self._rebalancing:
                member.joined = True
                if not self._complete():
                    return False
            self._pick_up(member)
        return True

    def check(self, member: Member, generation: int) -> None:
        """Refuse whoever is no longer a member of the current generation. Raises Fenced, Restart."""
        self._check_known(member)
        if generation != self.generation:
            raise Restart("the group has rebalanced since the poll: the positions were refused")

    def leave(self, member: Member) -> None:
        """Take a member out, of its own will or because its session has expired; its partitions move on."""
        if self.members.get(member.worker_id) is not member:
            return
        del self.members[member.worker_id]
        member.owned = frozenset()
        self._start()
        self._complete()

    def _check_known(self, member: Member) -> None:
        if member.gone:
            raise Fenced(
                f"another process runs as worker {member.worker_id!r}: give each worker an id of its own"
            )
        if self.members.get(member.worker_id) is not member:
            raise Restart("the group has expelled this worker: its session has expired")

    def _start(self) -> None:
        self._rebalancing = True
        for member in self.members.values():
            member.joined = False

    def _complete(self) -> bool:
        if not self.members or not all(member.joined for member in self.members.values()):
            return False
        self.generation += 1
        self._rebalancing = False
        self._targets = balance({m.worker_id: m.owned for m in self.members.values()}, self.partitions)
        return True

    def _pick_up(self, member: Member) -> None:
        target = self._targets[member.worker_id]
        others = frozenset().union(*(m.owned for m in self.members.values() if m is not member))
        given_up = member.owned - target
        member.owned = target - others
        member.generation = self.generation
        if given_up:
            self._start()


def balance(owned: Mapping[str, frozenset[int]], partitions: int) -> dict[str, frozenset[int]]:
    """Share out the partitions evenly, moving as few as that allows; the same input gives the same shares."""
    least, extra = divmod(partitions, len(owned))
    shares: dict[str, list[int]] = {}
    for rank, worker_id in enumerate(sorted(owned, key=lambda name: (-len(owned[name]), name))):
        shares[worker_id] = sorted(owned[worker_id])[: least + (rank < extra)]
    taken = frozenset().union(*shares.values())
    free = [p for p in range(partitions) if p not in taken]
    for rank, share in enumerate(shares.values()):
        while len(share) < least + (rank < extra):
            share.append(free.pop(0))
    return {worker_id: frozenset(share) for worker_id, share in shares.items()}
