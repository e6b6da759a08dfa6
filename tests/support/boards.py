"""Records as the engine writes them, of histories in memory: what screens are made of."""

from collections.abc import Iterator, Sequence

from consumers.board import Board
from consumers.log import Outgoing, Record
from producers.outbox import Outbox
from schemas.envelope import Code
from schemas.instants import to_epoch
from tests.support.world import World, at, written

PREFIX = "tickets"
OUTBOX = Outbox(PREFIX, 1, "group")

POLICY = """
clocks:
  - {clock: first_response, target: 30s, start: [created], stop: [assigned], warn: [50%],
     on_breach: [{after: 0s, do: none, notify: [supervisor]}]}
  - {clock: resolution, target: 10m, start: [created], stop: [resolved], pause: [pending]}
"""


def world() -> World:
    """A world with two clocks a ticket."""
    return World(written(POLICY))


def records(history: World) -> list[Record]:
    """What a worker writes of a world's facts, in the order in which it was decided."""
    found = []
    for fact in history.facts:
        outgoing = [*OUTBOX.fact(fact, 0), OUTBOX.state(fact.entry.ticket_id, fact.after, 0)]
        found += [_record(each, len(found) + place) for place, each in enumerate(outgoing)]
    return found


def dead_letters(codes: Sequence[Code]) -> Iterator[Record]:
    """A dead letter of each of these codes."""
    for offset, code in enumerate(codes):
        refused = Record(f"{PREFIX}.events", 0, offset, to_epoch(at(offset)), b"T", b"{}")
        yield _record(OUTBOX.dead_letter(refused, code, "why"), offset)


def _record(out: Outgoing, offset: int) -> Record:
    return Record(out.topic, out.partition, offset, to_epoch(at(0)), out.key, out.value, out.headers)


def board(found: Sequence[Record]) -> Board:
    """The board of these records."""
    made = Board(PREFIX)
    made.apply(found)
    return made


def busy(tickets: int) -> World:
    """So many tickets, a second apart and each with a clock that runs out; some assigned, some resolved."""
    history = world()
    for number in range(tickets):
        name = f"phone-{number:05d}-k3f9"
        history.send("created", number, ticket=name, category="complex")
        if number % 3:
            history.send("assigned", number, ticket=name, operator=f"op-{number % 40}")
        if number % 5 == 0:
            history.send("resolved", number, ticket=name) if number % 3 else None
    return history
