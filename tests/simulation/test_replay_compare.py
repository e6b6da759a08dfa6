"""`replay --compare` and `replay --topic`: two policies over files and over the events topic."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from rich.console import Console

from consumers.log import Outgoing
from ops import OperationError
from ops.cli import main
from ops.policies import load
from ops.replay import FILES
from ops.replay_compare import DIFFERENCES, Result, as_dict, compare_policies
from ops.replay_events import EventsTopic, Files, Incoming, from_lines
from ops.replay_player import Player
from ops.replay_tables import MOST_SHOWN, show
from ops.wording import percent
from schemas.envelope import Code
from schemas.instants import EARLIEST, parse_instant
from schemas.state import Ticket
from schemas.topics import Topic
from tests.simulation.histories import BEGIN, Step, event, lines, steps
from tests.simulation.test_replay import FIXED, UNTIL
from tests.simulation.worlds import World
from tests.support.processes import ROOT
from tests.support.replays import replay
from workflow.decide import Accepted

POLICIES = load(None)
SHORT = """
policy: gosuslugi
version: "short"
clocks:
  - {clock: first_response, target: 5s, start: [created], stop: [assigned]}
  - {clock: resolution, target: 20m, start: [created], stop: [resolved, closed], pause: [pending]}
"""
END = parse_instant(UNTIL)


class Lines:
    """Lines of a file that is in memory."""

    partitions, total, paths = 1, 1, ()

    def __init__(self, content: Sequence[bytes]) -> None:
        self._content = content

    def events(self) -> Iterator[Incoming]:
        return from_lines(self._content)


@pytest.fixture
def short(tmp_path: Path) -> Path:
    """The file of another policy."""
    path = tmp_path / "short.yaml"
    path.write_text(SHORT)
    return path


@pytest.fixture
def events(tmp_path: Path) -> Path:
    """A file with a history in which everything goes wrong."""
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"".join(line + b"\n" for line in lines(FIXED)))
    return path


def _compared(source: Any, tmp_path: Path, batch: int = 500) -> Result:
    path = tmp_path / "short.yaml"
    path.write_text(SHORT)
    return compare_policies(source, POLICIES, load(path), END, batch, None)


def _decided(result: Result) -> dict[str, Any]:
    """What was found, without how many events there were."""
    told = as_dict(result)
    for side in ("before", "after"):
        told[side] = {name: told[side][name] for name in ("verdicts", "kept", "escalations", "notifications")}
    return told


@pytest.mark.parametrize("batch", [1, 7])
def test_any_batch_finds_the_same(tmp_path: Path, batch: int) -> None:
    """How many records a transaction has changes nothing in a comparison, and there is something to find."""
    found = _compared(Lines(lines(FIXED)), tmp_path)
    assert found.comparison.differences
    assert as_dict(_compared(Lines(lines(FIXED)), tmp_path, batch)) == as_dict(found)


@pytest.mark.simulation
@settings(max_examples=25)
@given(steps)
def test_topic_and_file_find_the_same(tmp_path_factory: pytest.TempPathFactory, taken: list[Step]) -> None:
    """What channels sent gives the same over the topic, with the engine's own events, as over a file."""
    # Of what arrives at the same instant in two partitions nobody knows which came first.
    history = [(ticket, kind, max(gap, 1), late) for ticket, kind, gap, late in taken]
    _topic_is_as_file(tmp_path_factory.mktemp("compared"), history)


def test_the_topic_of_a_history_with_merges(tmp_path: Path) -> None:
    """What the engine wrote to the topic itself is left out: the replay writes its own."""
    history = [(ticket, kind, max(gap, 1), late) for ticket, kind, gap, late in FIXED]
    result = _topic_is_as_file(tmp_path, history)
    assert (result.before.summary.lines, result.before.summary.absorbed > 0) == (len(FIXED), True)


def _topic_is_as_file(tmp_path: Path, history: Sequence[Step]) -> Result:
    world = World(POLICIES)
    world.play(history)
    source = EventsTopic(world.reader, world.topic(Topic.EVENTS))
    from_topic = _compared(source, tmp_path)
    assert _decided(from_topic) == _decided(_compared(Lines(lines(history)), tmp_path))
    return from_topic


def test_records_that_were_deleted_meanwhile_are_missed() -> None:
    """When the broker has deleted records since the first reading, the second one is refused."""
    world = World(POLICIES)
    world.play(FIXED)
    source = EventsTopic(world.reader, world.topic(Topic.EVENTS))
    assert list(source.events())
    for number in range(3):
        world.broker.delete_before(world.topic(Topic.EVENTS), number, 1)
    with pytest.raises(OperationError, match="run it again"):
        source.events()


def test_arrivals_of_a_topic_never_go_back() -> None:
    """Records of all partitions come in the order of their arrivals, and of a partition in their own."""
    world = World(POLICIES)
    world.play(FIXED)
    found = list(EventsTopic(world.reader, world.topic(Topic.EVENTS)).events())
    assert [each.arrival for each in found] == sorted(each.arrival for each in found)
    for number in range(3):
        offsets = [each.place["offset"] for each in found if each.partition == number]
        assert offsets == sorted(offsets)


def test_out_has_the_files_of_the_first_policy_and_every_difference(
    tmp_path: Path, events: Path, short: Path
) -> None:
    """The files are those of a replay under the first policy, byte for byte, and compare.jsonl is beside."""
    replay([events], None, UNTIL, tmp_path / "plain")
    assert (
        main(["replay", str(events), "--until", UNTIL, "--compare", str(short), "--out", str(tmp_path)]) == 0
    )
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (tmp_path / "plain" / name).read_bytes()
    written = [json.loads(line) for line in (tmp_path / DIFFERENCES).read_text().splitlines()]
    result = _compared(Lines(lines(FIXED)), tmp_path)
    assert written == as_dict(result)["differences"]


def test_json_has_it_all(events: Path, short: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For programs: both sides, what moved, groups that add up to the differences, every ticket concerned."""
    assert main(["replay", str(events), "--until", UNTIL, "--compare", str(short), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["before"]["policy"], told["after"]["policy"]) == (["gosuslugi@2026.1"], ["gosuslugi@short"])
    assert sum(group["verdicts"] for group in told["groups"]) == told["changed"]["verdicts"]
    assert len(told["differences"]) == told["changed"]["verdicts"]
    assert len({each["ticket_id"] for each in told["differences"]}) == told["changed"]["tickets"]
    assert {"clock", "category", "queue", "before", "after", "breach", "verdicts"} == set(told["groups"][0])


def test_the_share_is_the_reports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Text and data give the share that `report` gives of the same replay: without `confirmation`."""
    day = ROOT / "examples" / "service-day"
    policies, until = load(day / "policy.yaml"), "2026-01-10T00:00:00Z"
    source = Files([day / "day.jsonl"])
    result = compare_policies(source, policies, policies, parse_instant(until), 500, tmp_path)
    side, console = as_dict(result)["before"], Console(file=StringIO(), width=240, highlight=False)
    show(result, ("", ""), console)
    text = console.file.getvalue() if isinstance(console.file, StringIO) else ""
    period = ("--from", "2025-12-01T00:00:00Z", "--to", until)
    assert main(["report", "--journal", str(tmp_path / "journal.jsonl"), *period, "--json"]) == 0
    reported = json.loads(capsys.readouterr().out)["total"]["all_promises"]
    assert side["verdicts"]["confirmation"]["breached"] > 0
    assert side["kept"] == reported["kept_share"]
    for word, count in (("met", reported["kept"]), ("breached", reported["broken"])):
        assert re.search(rf"^{word} +{count} +{count} *$", text, re.MULTILINE)
    assert f"{percent(reported['kept_share']):.1f} %" in text


def test_a_person_reads_tables(tmp_path: Path) -> None:
    """The text names both policies, each group and the first tickets, and says how many there are more."""
    data = {"channel": "phone", "category": "complex", "client": {"id": "c-1", "name": "Агафья"}}
    created = [
        json.dumps(event(f"e{number}", f"T-{number:03}", "ticket.created.v1", BEGIN, data)).encode()
        for number in range(MOST_SHOWN + 5)
    ]
    result = _compared(Lines(created), tmp_path)
    text = StringIO()
    show(result, ("one.yaml", "two.yaml"), Console(file=text, width=240, highlight=False))
    told = text.getvalue()
    assert "gosuslugi@2026.1 (one.yaml)" in told
    assert "gosuslugi@short (two.yaml)" in told
    assert "T-000" in told
    assert f"{len(result.comparison.differences)} verdicts change, of 55 tickets." in told
    assert f"And {len(result.comparison.differences) - MOST_SHOWN} more" in told
    assert "Агафья" not in told


def test_the_same_policy_changes_nothing(events: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Compared with itself the default policy changes no verdict, and the text says so."""
    folder = Path(__file__).parents[2] / "workflow" / "policies"
    assert main(["replay", str(events), "--until", UNTIL, "--compare", str(folder)]) == 0
    assert "No verdict changes." in capsys.readouterr().out


def test_a_bad_policy_is_told_with_its_lines(
    tmp_path: Path, events: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second policy's problems come with file and line before anything is played or written."""
    bad = tmp_path / "bad.yaml"
    bad.write_text(
        "policy: gosuslugi\nversion: '1'\nclocks:\n  - {clock: a, target: soon, start: [created]}\n"
    )
    out = tmp_path / "out"
    ran = main(["replay", str(events), "--until", UNTIL, "--compare", str(bad), "--out", str(out)])
    told = capsys.readouterr()
    assert (ran, told.out, out.exists()) == (1, "", False)
    assert all(line.startswith(f"{bad}:4: ") for line in told.err.splitlines())


@pytest.mark.parametrize(
    "arguments",
    [["--until", UNTIL, "--out", "x"], ["e.jsonl", "--topic", "--until", UNTIL, "--out", "x"],
     ["e.jsonl", "--until", UNTIL]],
    ids=["nothing to play", "file and topic", "nowhere to write"],
)  # fmt: skip
def test_what_to_play_and_where_to_write(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Files or the topic, one of both; and a folder unless there is something to compare."""
    assert main(["replay", *arguments]) == 2
    assert "Error: " in capsys.readouterr().err


class Watching:
    """Notes how many records the log in memory holds while something is decided."""

    def __init__(self) -> None:
        self.player: Player | None = None
        self.most = self.facts = 0

    def applied(self, fact: Accepted, partition: int) -> None:  # noqa: ARG002 - see Outlet
        if self.player is not None:
            self.facts += 1
            self.most = max(self.most, self.player.held)

    def refused(
        self, letter: Outgoing, place: Mapping[str, int | None], code: Code, message: str
    ) -> None: ...
    def left(self, ticket: Ticket, partition: int) -> None: ...


def test_no_more_than_a_batch_is_held() -> None:
    """The log holds the records of a batch while they are decided, and nothing between two batches."""
    batch, outlet = 50, Watching()
    player = outlet.player = Player(POLICIES, outlet, batch)
    created = [(number, "created", 0, 0) for number in range(400)]
    # One event a day later: hundreds of clocks fire before it, in one transaction.
    history = [*created, (400, "created", 90_000, 0)]
    for _ in player.feed(from_lines(lines(history))):
        assert player.held == 0
    for _ in player.fire(END):
        assert player.held == 0
    assert outlet.facts > 2_000
    assert outlet.most <= batch
    assert player.arrival > EARLIEST
