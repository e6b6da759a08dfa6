"""`dlq list` and `dlq replay` on the in-memory log: what is counted, shown, sent again, and refused."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from consumers.dead_letters import event_id, received_headers, refusal
from consumers.log import Headers, LogError, Record, Restart, Unavailable
from consumers.memory import MemoryPublisher
from ops import dlq as dead
from ops import dlq_replay, failures
from ops.cli import main
from ops.settings import Settings
from producers.outbox import Outbox
from schemas.envelope import Code
from schemas.instants import to_epoch
from tests.bad_input.samples import PERSONAL, prelude, samples
from tests.support.cluster import PREFIX, STRUCTURED, Cluster, settle
from tests.support.world import HOUR, at, written

SILENT = "clocks: [{clock: first, target: 10m, start: [created], stop: [assigned]}]"
STRANGE: Headers = (
    ("trace", b"\xff\x00"),
    ("empty", None),
    ("na\udcffme", b""),
    ("dlq.errors.code", b"forged"),
    ("dlq.errors.size", b"7"),
    ("dlq.errors.topic", b"tickets.metrics"),
)
"""Headers of a channel's own, some with the names of ours."""

Run = Callable[..., "Ran"]


class Ran:
    """A command that was run."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status, self.out, self.err = status, out, err

    @property
    def data(self) -> dict[str, Any]:
        """What was printed as JSON."""
        return dict(json.loads(self.out))


@pytest.fixture
def cluster() -> Cluster:
    """Three partitions, a clock that stands, and nothing on the topics."""
    made = Cluster(written(SILENT), partitions=3)
    made.clock.time = at(HOUR)
    return made


@pytest.fixture
def run(cluster: Cluster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """`ticketflow dlq …` on that cluster."""
    settings = Settings(topic_prefix=PREFIX, kafka_bootstrap_servers="127.0.0.1:1")
    monkeypatch.setattr("ops.cli_dlq.settings_of", lambda _: settings)
    monkeypatch.setattr("ops.composition.reader", lambda *_: cluster.reader)
    monkeypatch.setattr("ops.composition.publisher", lambda *_: MemoryPublisher(cluster.broker))

    def command(*arguments: str) -> Ran:
        capsys.readouterr()
        status = main(["dlq", *arguments])
        return Ran(status, *capsys.readouterr())

    return command


def refused(cluster: Cluster, *, key: bytes | None = b"T", headers: Headers = STRUCTURED) -> None:
    """Let a record arrive that is no JSON, and a worker refuse it."""
    cluster.append(key, b"{", headers, HOUR)
    settle(cluster.worker())


def foreign(cluster: Cluster) -> None:
    """Let a subscriber write a dead letter about a notification."""
    outbox = Outbox(PREFIX, 3, "ticketflow-notifier")
    record = Record(f"{PREFIX}.notifications", 1, 4, to_epoch(at(0)), b"T", b"{}", STRUCTURED)
    letter = outbox.dead_letter(record, Code.INVALID_DATA, "nobody has this address")
    cluster.broker.append(letter.topic, letter.key, letter.value, letter.headers, partition=1)


def all_samples(cluster: Cluster) -> None:
    """Let a bad record of every code arrive, and a worker refuse them."""
    for good in prelude():
        cluster.append(good.key, good.value, good.headers, HOUR)
    for sample in samples():
        cluster.append(sample.key, sample.value, sample.headers, HOUR)
    settle(cluster.worker())


def content(record: Record) -> tuple[bytes | None, bytes | None, Headers]:
    """All that came with a record."""
    return record.key, record.value, record.headers


def test_a_letter_is_read_behind_what_a_channel_forged(cluster: Cluster) -> None:
    """What the engine says is believed, and what came with the record comes out as it was."""
    refused(cluster, headers=STRANGE)
    (letter,) = cluster.records("dead-letter")
    said = refusal(letter)
    assert said is not None
    assert (said.code, said.topic, said.offset, said.group, said.cut) == (
        "malformed", "tickets.events", 0, "ticketflow", False,
    )  # fmt: skip
    assert said.arrival == at(HOUR)
    assert received_headers(letter) == STRANGE


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("code", b"no code"), ("code", None), ("message", b"\xff"), ("message", b"\x1b[31m"),
        ("message", b""), ("topic", b"a b"), ("partition", b"-1"), ("offset", b"1" * 19), ("group", None),
        ("timestamp", b"now"),
    ],
)  # fmt: skip
def test_what_is_no_header_of_ours_is_not_read(name: str, value: bytes | None, cluster: Cluster) -> None:
    """One header that cannot be read makes the whole letter unreadable; nothing of it is shown."""
    refused(cluster)
    (letter,) = cluster.records("dead-letter")
    headers = tuple((n, value if n == f"dlq.errors.{name}" else v) for n, v in letter.headers)
    assert refusal(Record("d", 0, 0, 0, None, None, headers)) is None


@pytest.mark.parametrize(
    ("value", "headers", "identifier"),
    [
        (b'{"id":"a"}', STRUCTURED, "a"),
        (b'{"id":"a"}', (), "a"),
        (b'{"id":"data"}', (("ce_id", b"b"), ("content-type", b"application/json")), "b"),
        (b'{"id":"a"}', (("ce_id", b"b"), *STRUCTURED), "a"),
        (b"\xff", (("ce_id", b"b"),), "b"),
        (b'{"id":7}', (), None),
        (b"[", (), None),
        (None, (), None),
    ],
)
def test_an_events_id_is_found_in_both_modes(
    value: bytes | None, headers: Headers, identifier: str | None
) -> None:
    """It is in the value, or in a header of binary mode, or cannot be read."""
    assert event_id(Record("e", 0, 0, 0, None, value, headers)) == identifier


def test_letters_are_counted_by_code_and_the_latest_shown(cluster: Cluster, run: Run) -> None:
    """Every sample is counted under its code, and no more are shown than asked for, the newest first."""
    all_samples(cluster)
    cluster.clock.time = at(HOUR + 60)
    cluster.append(b"LATER", b"{", (), HOUR)
    settle(cluster.worker())
    found = run("list", "--limit", "3", "--json").data
    expected = [str(sample.code) for sample in samples()]
    assert found["total"] == len(expected) + 1
    assert found["codes"] == {code: expected.count(code) + (code == "malformed") for code in set(expected)}
    assert len(found["latest"]) == 3
    assert found["latest"][0]["at"] == "2026-03-02T10:01:00.000000Z"
    assert found["latest"][0]["from"]["topic"] == "tickets.events"
    shown = run("list").out
    assert f"the latest 20 of {found['total']}" in shown
    assert "the value is not JSON" in shown


def test_nobodys_data_is_shown(cluster: Cluster, run: Run) -> None:
    """Neither the list nor a replay prints a value, a key or a header that came with a record."""
    all_samples(cluster)
    refused(cluster, key=PERSONAL[0].encode(), headers=(("x", PERSONAL[1].encode()),))
    said = [
        run(*command) for command in (("list", "--limit", "1000"), ("list", "--json"), ("replay", "--all"))
    ]
    text = "".join(ran.out + ran.err for ran in said)
    assert "malformed" in text
    assert [word for word in PERSONAL if word in text] == []


def test_the_list_can_be_narrowed(cluster: Cluster, run: Run) -> None:
    """Only the codes that are named, and only what was written since an instant, are counted and shown."""
    all_samples(cluster)
    some = run("list", "--code", "tombstone", "--code", "too_large", "--json").data
    assert set(some["codes"]) == {"tombstone", "too_large"}
    assert {each["code"] for each in some["latest"]} == {"tombstone", "too_large"}
    since = run("list", "--since", "2026-03-02T10:00:00Z", "--json").data
    assert since["total"] == len(list(samples()))
    assert run("list", "--since", "2026-03-02T10:00:01Z").out == "There are no such dead letters.\n"


def test_an_unreadable_letter_is_listed_as_such(cluster: Cluster, run: Run) -> None:
    """It has a place and a size, and says why it cannot be sent again."""
    cluster.broker.append(f"{PREFIX}.dead-letter", b"k", b"secret", (("dlq.errors.code", b"x"),), partition=2)
    found = run("list", "--json").data
    assert (found["total"], found["unreadable"], found["codes"]) == (1, 1, {})
    assert (found["latest"][0]["code"], found["latest"][0]["size_bytes"]) == (None, 6)
    assert not found["latest"][0]["replayable"]
    shown = run("list").out
    assert "2:0" in shown
    assert "its headers do not say what it is about" in shown


def test_codes_beyond_the_bound_are_counted_together(
    cluster: Cluster, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many codes somebody invents, the memory for them is bounded and none is lost."""
    monkeypatch.setattr(dead, "MOST_CODES", 2)
    all_samples(cluster)
    found = run("list", "--json").data
    assert len(found["codes"]) == 2
    assert sum(found["codes"].values()) + found["more_codes"] == found["total"] == len(list(samples()))


def test_a_replay_sends_the_record_as_it_was_received(cluster: Cluster, run: Run) -> None:
    """Key, value and headers are those of the first publication, and so is the partition."""
    for key in (b"T", b"\xff\xfe", None):
        refused(cluster, key=key, headers=STRANGE)
    before = cluster.records("events")
    ran = run("replay", "--all")
    assert (ran.status, ran.err) == (0, "")
    assert ran.out.splitlines()[-1] == "3 dead letters sent to tickets.events."
    assert ran.out.count(" malformed\n") == 3
    for number in range(3):
        records = [record for record in cluster.records("events") if record.partition == number]
        half = len(records) // 2
        assert list(map(content, records[half:])) == list(map(content, records[:half]))
    assert len(cluster.records("events")) == 2 * len(before)


def test_after_a_fix_the_event_is_applied(cluster: Cluster, run: Run) -> None:
    """An event of an unknown ticket is applied once the ticket is there; sent twice, it is a duplicate."""
    worker = cluster.worker()
    cluster.publish("assigned", HOUR, id="lost")
    settle(worker)
    cluster.publish("created", HOUR, arrives=HOUR)
    settle(worker)
    assert run("replay", "--code", "unknown_ticket").status == 0
    settle(worker)
    assert [entry["trigger"] for entry in cluster.journal()] == ["created", "assigned"]
    assert run("replay", "--id", "lost").status == 0
    settle(worker)
    assert cluster.watcher.outcomes() == {"unknown_ticket": 1, "applied": 2, "duplicate": 1}


def test_a_trial_sends_nothing_and_says_the_same(cluster: Cluster, run: Run) -> None:
    """`--dry-run` names the letters that would be sent."""
    refused(cluster)
    trial = run("replay", "--all", "--dry-run")
    assert trial.status == 0
    assert trial.out.splitlines()[-1] == "1 dead letter would be sent to tickets.events."
    assert len(cluster.records("events")) == 1
    assert trial.out.splitlines()[0] == run("replay", "--all").out.splitlines()[0]


def test_a_record_with_many_letters_is_sent_once(cluster: Cluster, run: Run) -> None:
    """What is refused again and again does not double with every replay."""
    refused(cluster)
    for _ in range(3):
        assert run("replay", "--all", "--json").data["sent"] == 1
        settle(cluster.worker())
    assert len(cluster.records("dead-letter")) == 4


def test_options_are_met_together(cluster: Cluster, run: Run) -> None:
    """A letter is sent only if it fits the code, the place and the id; what is not there is named."""
    cluster.publish("assigned", HOUR, id="one")
    cluster.publish("assigned", HOUR, id="two")
    refused(cluster)
    places = {each["code"]: each for each in run("list", "--json").data["latest"]}
    place = f"{places['malformed']['partition']}:{places['malformed']['offset']}"
    both = run("replay", "--code", "unknown_ticket", "--offset", place, "--json")
    assert (both.status, both.data["sent"], both.data["missing"]) == (1, 0, [place])
    two = run("replay", "--code", "unknown_ticket", "--id", "two", "--id", "three", "--json")
    assert (two.status, two.data["sent"], two.data["missing"]) == (1, 1, ["three"])
    alone = run("replay", "--offset", place, "--offset", "7:1", "--offset", "0:99999")
    assert alone.status == 1
    assert alone.out.splitlines() == [f"{place} malformed", "1 dead letter sent to tickets.events."]
    assert [line.split(": ")[0] for line in alone.err.splitlines()] == ["0:99999", "7:1"]


def test_what_an_earlier_replay_has_sent_can_be_left_out(cluster: Cluster, run: Run) -> None:
    """Letters written before an instant are not sent, also not with --all."""
    refused(cluster)
    cluster.clock.time = at(2 * HOUR)
    cluster.append(b"T", b"{{", STRUCTURED, 2 * HOUR)
    settle(cluster.worker())
    earlier, later = run("list", "--json").data["latest"][::-1]
    ran = run("replay", "--all", "--since", later["at"])
    assert ran.out.splitlines()[0] == f"{later['partition']}:{later['offset']} malformed"
    assert [record.value for record in cluster.records("events")] == [b"{", b"{{", b"{{"]
    place = f"{earlier['partition']}:{earlier['offset']}"
    named = run("replay", "--offset", place, "--since", later["at"], "--json")
    assert (named.status, named.data["sent"], named.data["missing"]) == (1, 0, [place])


def test_between_two_places_nothing_is_sent(cluster: Cluster, run: Run) -> None:
    """Only the letters at the places that were named are sent again."""
    for number in range(4):
        cluster.append(b"T", b"{%d" % number, (), HOUR)
    settle(cluster.worker())
    first, second, third, _ = [
        f"{letter.partition}:{letter.offset}" for letter in cluster.records("dead-letter")
    ]
    ran = run("replay", "--offset", third, "--offset", first)
    assert ran.out.splitlines()[:2] == [f"{first} malformed", f"{third} malformed"]
    assert second not in ran.out
    assert [record.value for record in cluster.records("events")[4:]] == [b"{0", b"{2"]


def test_what_was_cut_is_refused(cluster: Cluster, run: Run) -> None:
    """Of a record over 1 MiB only the beginning is there: it is named, not sent, and the status is 1."""
    cluster.append(b"T", b"x" * (1024 * 1024 + 1), (), HOUR)
    refused(cluster)
    ran = run("replay", "--all")
    assert ran.status == 1
    assert ran.err.count("too_large: not sent, for the record was too large to be kept whole.") == 1
    assert ran.out.splitlines()[-1] == "1 dead letter sent to tickets.events, 1 cannot be sent."
    assert len(cluster.records("events")) == 3


def test_a_subscribers_letters_are_left_out(cluster: Cluster, run: Run) -> None:
    """They are the subscriber's: left out of all with a sentence, and refused when one is named."""
    refused(cluster)
    foreign(cluster)
    everything = run("replay", "--all")
    assert everything.status == 0
    assert everything.out.splitlines()[-1] == "1 dead letter sent to tickets.events."
    assert "1 left out" in everything.err
    place = next(
        f"{each['partition']}:{each['offset']}"
        for each in run("list", "--json").data["latest"]
        if each["from"]["topic"] == f"{PREFIX}.notifications"
    )
    named = run("replay", "--offset", place)
    assert named.status == 1
    assert "only its subscriber ticketflow-notifier knows" in named.err
    assert cluster.records("notifications") == []
    assert len(cluster.records("events")) == 2


def test_an_unreadable_letter_is_refused(cluster: Cluster, run: Run) -> None:
    """Nobody knows where it came from, so that it cannot be sent again."""
    cluster.broker.append(f"{PREFIX}.dead-letter", b"k", b"secret", (), partition=2)
    ran = run("replay", "--all")
    assert ran.status == 1
    assert ran.err.startswith("2:0 unreadable: not sent, for its headers")
    assert cluster.records("events") == []


def test_a_replay_never_meets_its_own_letters(
    cluster: Cluster, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reads to the end as of its start, though what it sends is refused at once."""
    monkeypatch.setattr(dlq_replay, "_BATCH_RECORDS", 1)
    monkeypatch.setattr(dlq_replay, "_REMEMBERED", 0)
    worker = cluster.worker()

    class Eager(MemoryPublisher):
        def flush(self) -> None:
            settle(worker)

    monkeypatch.setattr("ops.composition.publisher", lambda *_: Eager(cluster.broker))
    cluster.append(b"T", b"{", (), HOUR)
    cluster.append(b"T", b"[", (), HOUR)
    settle(worker)
    assert run("replay", "--all", "--json").data["sent"] == 2
    assert len(cluster.records("dead-letter")) == 4


def test_a_hundred_letters_are_named_and_the_rest_counted(cluster: Cluster, run: Run) -> None:
    """Only what was confirmed is named, and no more than a hundred lines of it."""
    for number in range(105):
        cluster.append(b"T", b"{%d" % number, (), HOUR)
    settle(cluster.worker())
    ran = run("replay", "--all")
    assert ran.out.count(" malformed\n") == 100
    assert ran.out.splitlines()[-2:] == ["... and 5 more.", "105 dead letters sent to tickets.events."]


@pytest.mark.parametrize("problem", [Unavailable, Restart, LogError])
def test_a_cluster_that_stops_answering_is_one_sentence(
    problem: type[LogError], cluster: Cluster, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says how many letters were confirmed and up to where, so that one can go on from there."""
    monkeypatch.setattr(dlq_replay, "_BATCH_RECORDS", 2)

    class Failing(MemoryPublisher):
        flushes = 0

        def flush(self) -> None:
            self.flushes += 1
            if self.flushes == 2:
                raise problem("the cluster takes no records")

    monkeypatch.setattr("ops.composition.publisher", lambda *_: Failing(cluster.broker))
    for number in range(5):
        cluster.append(b"T", b"{%d" % number, (), HOUR)
    settle(cluster.worker())
    ran = run("replay", "--all")
    assert ran.status == failures.FAILED
    assert ran.out.count("\n") == 2
    assert "2 letters were sent and confirmed, the last of them" in ran.err
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["replay"], ["replay", "--dry-run"], ["replay", "--all", "--code", "malformed"],
        ["replay", "--code", "undeliverable"], ["replay", "--offset", "3"], ["replay", "--offset", "-1:2"],
        ["list", "--since", "yesterday"], ["list", "--limit", "-1"],
        ["replay", "--all", "--since", "yesterday"], ["replay", "--since", "2026-03-02T10:00:00Z"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_wrong_usage_ends_with_2(arguments: list[str], cluster: Cluster, run: Run) -> None:
    """Nothing selected, everything and something, and what is no code, place or instant send nothing."""
    refused(cluster)
    ran = run(*arguments)
    assert (ran.status, ran.out) == (2, "")
    assert "Error: " in ran.err
    assert len(cluster.records("events")) == 1
