"""What `ticket explain` and `ticket protocol` print: words to follow, lines that fit, nobody's data."""

import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from rich.console import Console

from consumers.memory import MemoryBroker, MemoryPublisher, MemoryReader
from ops import OperationError
from ops.cli import main
from ops.explain import show_explanation
from ops.plain_data import as_data
from ops.protocol import show_protocol
from ops.ticket_journal import read_last_life
from ops.wording import WIDTH, duration, listed, moment, plain
from producers.outbox import Outbox
from schemas.topics import partition_for
from tests.support.histories import POLICY, Sent, histories
from tests.support.world import DAY, HOUR, World, at, world, written
from workflow.explain import explain
from workflow.history import last_life
from workflow.protocol import protocol

POLICIES = written(POLICY)
OFFICE = """
calendars:
  office:
    timezone: Europe/Moscow
    hours: {mon: [["08:00","13:00"],["14:00","20:00"]], tue: [["08:00","20:00"]]}
    holidays: ["2026-03-03"]
region_calendars: {"77": office}
clocks:
  - {clock: resolution, when: {category: [complex]}, target: 8h, start: [created], stop: [resolved]}
  - {clock: resolution, target: 8h, start: [created], stop: [resolved, closed], pause: [pending],
     calendar: region, on_breach: [{after: 0s, do: escalate, notify: [supervisor]}]}
"""
PERSONAL = ("Vera Primerova", "+70000000104", "wrong since May")


def explained(w: World) -> str:
    """What `ticket explain` prints."""
    console = Console(file=(file := io.StringIO()), width=240)
    show_explanation(explain(last_life(w.entries("T")), w.policies), console)
    return file.getvalue()


def protocolled(w: World, *, personal: bool = False) -> str:
    """What `ticket protocol` prints."""
    console = Console(file=(file := io.StringIO()), width=240)
    show_protocol(
        protocol(last_life(w.entries("T")), w.policies, w.tickets.get("T"), personal=personal), console
    )
    return file.getvalue()


def lived() -> World:
    """A ticket at the office of Moscow: some hours of Monday, a pause, the rest a week later."""
    w = world(OFFICE)
    client = {"id": "c-104", "name": PERSONAL[0], "phone": PERSONAL[1]}
    w.send("created", 0, region="77", client=client, description=PERSONAL[2])
    w.send("assigned", 60, operator="op-7")
    w.send("pending", 3 * HOUR)
    w.send("resumed", 4 * HOUR)
    return w


def test_the_arithmetic_can_be_followed() -> None:
    """Shift by shift in the calendar's zone, the pause beside it, and the sum that is the target."""
    lines = [" ".join(line.split()) for line in explained(lived()).splitlines()]
    start = lines.index("The arithmetic")
    assert lines[start:] == [
        "The arithmetic",
        "In the calendar office (Europe/Moscow: mon 08:00–13:00 and 14:00–20:00, tue 08:00–20:00):",
        "Mon 2026-03-02 12:00 – 13:00 1 h",
        "Mon 2026-03-02 14:00 – 15:00 1 h",
        "Mon 2026-03-02 15:00 – 16:00 – paused, 1 h",
        "Mon 2026-03-02 16:00 – 20:00 4 h up to the deadline",
        "Mon 2026-03-09 08:00 – 10:00 2 h",
        "= 8 h the target",
        "So the deadline is Mon 2026-03-09 10:00 (07:00 UTC), as the journal has it.",
    ]


def test_the_chain_of_facts_is_in_words() -> None:
    """What started the clock, by which rule and why, what held it up, and each deadline on the way."""
    text = " ".join(explained(lived()).split())
    for words in (
        "started Mon 2026-03-02 12:00 (09:00 UTC) event e0 of /test, record 1 The ticket was registered.",
        "Rule 2 of test@1: it is for every ticket. Rule 1, before it, does not match.",
        "Kept by closed or resolved; stands still in pending.",
        "2026-03-03 closed), of region 77.",
        "Target: 8 h. Deadline: Mon 2026-03-09 09:00 (06:00 UTC).",
        "In pending the clock stands still. 2 h of 8 h counted.",
        "1 h of the calendar's time do not count. Deadline: Mon 2026-03-09 10:00 (07:00 UTC).",
    ):
        assert words in text


def test_a_breach_says_when_it_was_found_and_who_was_told() -> None:
    """Due, found, late, escalated, told; then a late stop leaves it broken."""
    w = lived()
    w.until(8 * DAY)
    w.send("closed", 8 * DAY + 60, reason="confirmed")
    text = " ".join(explained(w).split())
    assert "has passed. Found at Tue 2026-03-10 12:00 (09:00 UTC), 26 h late." in text
    assert "The ticket was escalated to level 1. Told: supervisor registration." in text
    assert "The ticket was closed: too late, the promise stays broken." in text


def test_a_missing_version_is_named_and_the_facts_are_left() -> None:
    """Without the policy there are no rules and no arithmetic, and a sentence says what to do."""
    w = lived()
    w.policies = written(OFFICE.replace("\n", '\nversion: "2"\n', 1))
    text = " ".join(explained(w).split())
    assert "The policy version test@1 is not here" in text
    assert "TICKETFLOW_POLICY" in text
    assert "Deadline: Mon 2026-03-09 07:00 UTC." in text
    assert "The arithmetic" not in text


def test_a_protocol_names_a_missing_version() -> None:
    """What it says of hours may be wrong then, and a sentence says what to do."""
    w = lived()
    assert "is not here" not in protocolled(w)
    w.policies = written(OFFICE.replace("\n", '\nversion: "2"\n', 1))
    text = " ".join(protocolled(w).split())
    assert "The policy version test@1 is not here: whether" in text
    assert "TICKETFLOW_POLICY" in text


def test_a_follow_up_asks_for_consent_again() -> None:
    """Where the channel needs it the text says so, and only there."""
    w, form = world(OFFICE), {"channel": "cabinet", "consent": True, "description": "The page stays empty."}
    w.send("created", 0, ticket="T", **form)
    assert "First ask the citizen for consent" in " ".join(protocolled(w).split())
    assert "consent" not in protocolled(lived())


def test_a_disagreement_is_not_hidden() -> None:
    """Where the file of that version was changed the last line says so."""
    w = lived()
    w.policies = written(OFFICE.replace("14:00", "15:00"))
    text = " ".join(explained(w).split())
    assert "The arithmetic and the journal do not agree." in text
    assert "as the journal has it" not in text


def test_nobodys_data_is_printed_unasked() -> None:
    """Neither text nor JSON of either command has more of the citizen than the id, but for `--personal`."""
    w = lived()
    journal = last_life(w.entries("T"))
    told = protocol(journal, w.policies, w.tickets["T"])
    printed = [
        explained(w),
        protocolled(w),
        *map(str, (as_data(told), as_data(explain(journal, w.policies)))),
    ]
    assert [word for text in printed for word in PERSONAL if word in text] == []
    assert [word for word in PERSONAL if word not in protocolled(w, personal=True)] == []


def test_a_protocol_reads_without_colours() -> None:
    """Plain text with a line for each thing that happened, was promised, and was told."""
    w = lived()
    w.until(8 * DAY)
    text = protocolled(w)
    assert "\x1b" not in text
    assert text.startswith("Protocol of contact T. All times are UTC.\n")
    for words in (
        "Mon 2026-03-02 09:01:00 an operator took the ticket: op-7 (from /test)",
        "the ticket was escalated to level 1 (by the engine, for resolution)",
        "supervisor registration, by inbox: a deadline has passed (resolution breach)",
        "client c-104, by sms: the contact is registered",
    ):
        assert words in " ".join(text.split())
    (promise,) = [line.split() for line in text.splitlines() if line.startswith("  resolution ")]
    assert promise == ["resolution", "broken", "8", "h", "2026-03-09", "07:00:00", "–"]


def test_a_pause_of_days_and_seconds_fits() -> None:
    """A long span with a long length stands in one line of at most 100 columns."""
    w = world(OFFICE)
    w.send("created", 0)
    w.send("assigned", 1)
    w.send("pending", 600)
    w.send("resumed", 600 + 30 * HOUR + 57 * 60 + 2)
    text = explained(w)
    assert " paused, 30 h 57 min 2 s\n" in text
    assert max(map(len, text.splitlines())) <= WIDTH


@given(histories())
def test_whatever_happens_it_fits_and_is_json(history: list[Sent]) -> None:
    """No line of either text is longer than 100 columns, and the data is JSON."""
    w = World(POLICIES)
    for sent in history:
        w.send(sent.trigger, sent.time, ticket="T", arrives=sent.arrives, id=sent.id, **sent.data)
    w.until(history[-1].arrives + HOUR)
    lines = [*explained(w).splitlines(), *protocolled(w).splitlines()]
    assert [line for line in lines if len(line) > WIDTH or line != line.rstrip()] == []
    journal = last_life(w.entries("T"))
    json.dumps([as_data(explain(journal, w.policies)), as_data(protocol(journal, w.policies))])


def test_json_has_the_contracts_instants() -> None:
    """Field names as the docstrings say, instants with six digits and `Z`, changes as in the journal."""
    w = lived()
    (cycle,) = as_data(explain(last_life(w.entries("T")), w.policies))["clocks"]
    assert (cycle["deadline"], cycle["agrees"]) == ("2026-03-09T07:00:00.000000Z", True)
    assert [fact["change"] for fact in cycle["facts"]] == ["started", "paused", "resumed"]
    assert cycle["facts"][0]["cause"]["type"] == "ticket.created.v1"
    assert cycle["arithmetic"]["legs"][0]["stretches"][0]["seconds"] == HOUR


def test_what_others_wrote_steers_no_terminal() -> None:
    """Control characters in a free text are spaces on the screen."""
    w = world(OFFICE)
    w.send("created", 0, description="a\x1b[2Jb\nc", client={"id": "c-1"})
    text = protocolled(w, personal=True)
    assert "\x1b" not in text
    assert "a [2Jb c" in text


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (90, "1 min 30 s"),
        (4800, "1 h 20 min"),
        (172_800, "48 h"),
        (1.25, "1.25 s"),
        (-60, "-1 min"),
    ],
)
def test_durations_are_exact(seconds: float, words: str) -> None:
    """Hours, minutes and seconds with their fraction; nothing is rounded, and no day is made of hours."""
    assert duration(seconds) == words


def test_moments_are_told_in_two_zones() -> None:
    """The zone's wall time, UTC beside it, and its date where that is another one."""
    assert moment(at(0)) == "Mon 2026-03-02 09:00 UTC"
    assert moment(at(0), "Europe/Moscow") == "Mon 2026-03-02 12:00 (09:00 UTC)"
    assert moment(at(16 * HOUR + 0.5), "Asia/Omsk") == "Tue 2026-03-03 07:00:00.500 (01:00:00.500 UTC)"
    assert moment(at(0.000001)) == "Mon 2026-03-02 09:00:00.000001 UTC"
    assert moment(at(10 * HOUR), "Asia/Omsk") == "Tue 2026-03-03 01:00 (2026-03-02 19:00 UTC)"
    assert plain(at(0.5)) == "Mon 2026-03-02 09:00:00"
    assert listed(["a", "b", "c"], "or") == "a, b or c"


@pytest.fixture
def broker() -> MemoryBroker:
    """A journal with a ticket that lived twice, among others."""
    broker = MemoryBroker({"t.journal": 3}, now_us=lambda: 0)
    publisher, outbox = MemoryPublisher(broker), Outbox("t", 3, "g")
    w = world(f"reopening_window: 1d\n{OFFICE}")
    for ticket in ("T", "U"):
        w.send("created", 0, ticket=ticket)
        w.send("closed", 60, ticket=ticket)
    w.send("created", 5 * DAY, ticket="T")
    w.send("assigned", 5 * DAY + 1, ticket="T")
    for fact in w.facts:
        record = next(outbox.fact(fact, partition_for(fact.entry.ticket_id.encode(), 3)))
        publisher.send(record.topic, record.key, record.value, record.headers, record.partition)
    return broker


def test_only_the_last_life_of_a_ticket_is_read(broker: MemoryBroker) -> None:
    """Of an id that was used twice the later ticket; of an unknown one nothing."""
    reader = MemoryReader(broker)
    found = read_last_life(reader, "t", "T")
    assert [(entry.seq, entry.trigger) for entry in found] == [(1, "created"), (2, "assigned")]
    assert read_last_life(reader, "t", "T-404") == []


@pytest.mark.parametrize("command", ["explain", "protocol"])
def test_a_journal_without_its_beginning_is_one_sentence(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Where records were deleted the command fails and says from where on the journal is kept."""
    broker = MemoryBroker({"t.journal": 3, "t.state": 3}, now_us=lambda: 0)
    outbox, w = Outbox("t", 3, "g"), lived()
    for fact in w.facts[1:]:
        record = next(outbox.fact(fact, partition_for(b"T", 3)))
        MemoryPublisher(broker).send(record.topic, record.key, record.value, (), record.partition)
    monkeypatch.setattr("ops.composition.reader", lambda *_: MemoryReader(broker))
    monkeypatch.setenv("TICKETFLOW_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    monkeypatch.setenv("TICKETFLOW_TOPIC_PREFIX", "t")
    monkeypatch.setenv("TICKETFLOW_DATA_DIR", str(tmp_path))
    assert main(["ticket", command, "T"]) == 1
    told = capsys.readouterr()
    assert (told.out, told.err.count("\n")) == ("", 1)
    assert "only from its record 2 on" in told.err


def test_what_is_no_journal_record_is_named(broker: MemoryBroker) -> None:
    """A foreign record under the ticket's key ends the command with its place, not with its text."""
    MemoryPublisher(broker).send("t.journal", b"T", b"{nonsense", (), partition_for(b"T", 3))
    with pytest.raises(OperationError, match="is no journal record") as refused:
        read_last_life(MemoryReader(broker), "t", "T")
    assert "nonsense" not in str(refused.value)
