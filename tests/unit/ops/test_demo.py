"""The demo around its day: what it chooses, whom it refuses, what it counts and what it says in the end."""

import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from consumers.log import LogError, Record
from consumers.verifier_report import Counts, Finding, Law, Report
from ops import OperationError, composition, demo, demo_play, demo_show, embedded, live
from ops.demo import choices, tag_of
from ops.demo_day import POLICY, read_day
from ops.demo_play import DayFold
from ops.demo_recount import Recount, Totals
from ops.demo_show import Progress, Result
from ops.policies import load
from ops.settings import Settings
from schemas.envelope import Code
from schemas.instants import to_epoch
from schemas.records import Outcome
from schemas.topics import valid_ticket_id
from tests.support.boards import OUTBOX, board, busy, dead_letters, records, world
from tests.support.world import at

TAG = "-k3f9"
SENT = 5


def _named(choice: Mapping[str, object]) -> set[str]:
    return set(choice)


def test_without_settings_the_demo_keeps_its_data_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The default data directory is the system's own; the demo's is below it."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert choices(Settings()) == {"data_dir": tmp_path / "ticketflow" / "demo", "policy": POLICY}


def test_on_a_cluster_the_demo_has_topics_and_a_group_of_its_own(tmp_path: Path) -> None:
    """Workers of one group must not read the topics of another prefix."""
    settings = Settings(kafka_bootstrap_servers="kafka:9092", data_dir=tmp_path)
    assert choices(settings) == {"topic_prefix": "demo", "group_id": "demo", "policy": POLICY}


def test_what_is_set_is_obeyed(tmp_path: Path) -> None:
    """The demo chooses nothing that somebody has set, but for the policy."""
    assert _named(choices(Settings(data_dir=tmp_path))) == {"policy"}
    settings = Settings(kafka_bootstrap_servers="kafka:9092", topic_prefix="mine", policy=POLICY)
    assert _named(choices(settings)) == {"group_id", "policy"}


def test_the_programs_get_what_the_demo_has_chosen(tmp_path: Path) -> None:
    """Worker and exporter find the demo's broker and policy, and tell when they are ready."""
    chosen = choices(Settings(kafka_bootstrap_servers="kafka:9092", data_dir=tmp_path))
    made = demo.Demo(Settings(data_dir=tmp_path), chosen, ())
    assert made.environment == {
        "TICKETFLOW_TOPIC_PREFIX": "demo",
        "TICKETFLOW_GROUP_ID": "demo",
        "TICKETFLOW_POLICY": str(POLICY),
        "TICKETFLOW_LOG_LEVEL": "info",
    }
    made.end()


def test_commands_find_the_demo_where_nobody_says_where_to_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker of the demo is found on the default directory, and only where there is no other."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    default = tmp_path / "ticketflow"
    running = {default / "demo": "127.0.0.1:2"}
    monkeypatch.setattr(composition, "find_running", running.get)
    assert composition.bootstrap_servers(Settings()) == "127.0.0.1:2"
    with pytest.raises(OperationError):
        composition.bootstrap_servers(Settings(data_dir=default))
    running[default] = "127.0.0.1:1"
    assert composition.bootstrap_servers(Settings()) == "127.0.0.1:1"
    assert embedded.find_running(tmp_path) is None


def test_the_tag_tells_runs_apart() -> None:
    """A second later it is another one, and a ticket id with it is still a ticket id."""
    assert tag_of(at(0)) != tag_of(at(1))
    assert len(tag_of(at(0))) == len(TAG)
    assert valid_ticket_id(f"cabinet-0001{tag_of(at(0))}")


def test_tickets_under_another_policy_are_refused(tmp_path: Path) -> None:
    """The demo names the other policy, and what to set."""
    made = demo.Demo(Settings(data_dir=tmp_path), {}, ())
    history = world()
    history.send("created", 0)
    fold = DayFold("tickets", TAG)
    fold.apply(records(history))
    with pytest.raises(OperationError, match=r"test@1.*TICKETFLOW_TOPIC_PREFIX"):
        made.refuse_others(frozenset({"service-day@1"}), fold)
    made.refuse_others(frozenset({"service-day@1", "test@1"}), fold)
    made.end()


def test_an_interrupted_demo_has_no_result(tmp_path: Path) -> None:
    """Who ended the demo before its end gets the status of an interrupt."""
    made = demo.Demo(Settings(data_dir=tmp_path), {}, ())
    made.end()
    with pytest.raises(KeyboardInterrupt):
        made.result()


def test_the_board_shows_the_run_and_the_state_whole() -> None:
    """Of tickets of an earlier run only the state is shown: their clocks have waited for a worker since."""
    history = world()
    for ticket in ("old-1-zzzz", f"new-1{TAG}"):
        history.send("created", 0, ticket=ticket)
    history.until(31)
    fold = DayFold("tickets", TAG)
    fold.apply(records(history))
    assert [breach.ticket_id for breach in fold.board.breaches] == [f"new-1{TAG}"]
    assert {promise.ticket_id for promise in fold.board.promises()} == {"old-1-zzzz", f"new-1{TAG}"}


def _event_record(offset: int, **changes: Any) -> Record:
    event = {"source": "/test", "id": f"e{offset}", "subject": f"T{TAG}", **changes}
    return Record("tickets.events", 0, offset, to_epoch(at(0)) - 40_000, b"T", json.dumps(event).encode())


def _run() -> list[Record]:
    """An event that is applied, the same again, one refused, one by the engine, one not decided yet."""
    history = world()
    history.send("created", 0, ticket=f"T{TAG}", id="e0")
    events = [
        _event_record(0),
        _event_record(1, id="e0"),
        Record("tickets.events", 0, 2, 0, None, b"\xff"),
        _event_record(3, source="ticketflow"),
        _event_record(4),
    ]
    refused = OUTBOX.dead_letter(events[2], Code.MALFORMED, "why")
    letter = Record(refused.topic, 0, 0, 0, refused.key, refused.value, refused.headers)
    return [*events, *records(history), letter]


@pytest.mark.parametrize("backwards", [False, True])
def test_the_recount_knows_how_every_event_ended(backwards: bool) -> None:
    """Applied, rejected by code, duplicate or not decided yet, in whatever order the topics are read."""
    made = Recount("tickets", TAG)
    made.apply(reversed(_run()) if backwards else _run())
    totals = made.totals()
    assert (totals.events, totals.by_engine, totals.applied, totals.duplicates) == (5, 1, 1, 1)
    assert (totals.rejected, totals.undecided, totals.tickets) == (Counter(malformed=1), 2, 1)
    assert totals.latency_seconds == (0.04,)


def test_a_notifiers_dead_letter_is_no_rejected_event() -> None:
    """Only what was refused of the events topic counts."""
    made = Recount("notifications.of.others", TAG)
    made.apply(dead_letters([Code.MALFORMED]))
    assert made.totals().rejected == {}


_PROGRESS = Progress(elapsed_seconds=140.0, whole_seconds=135.0, sent=SENT, lines=SENT)
_TOTALS = Totals(6, 1, 3, Counter(malformed=2), 1, 0, 2, (0.01, 0.02), (0.005,))

_COUNTS = Counts(0, 0, 6, consumed=6, applied=3, rejected=2, duplicate=1)
_REPORT = Report((_COUNTS,), (), 0)


def _result(**changes: Any) -> Result:
    made = Result(
        progress=_PROGRESS,
        planned_codes=Counter(malformed=2),
        planned_duplicates=1,
        totals=_TOTALS,
        outcomes=Counter({("complex", Outcome.MET): 3, ("complex", Outcome.BREACHED): 1}),
        notified=Counter(sla_warning=4),
        repeat_contacts=1,
        report=_REPORT,
        looked_at=6,
        fresh=True,
        ticket_id=f"phone-0001{TAG}",
    )
    return replace(made, **changes)


def _summary(result: Result, capsys: pytest.CaptureFixture[str]) -> str:
    commands = demo_show.next_commands({"TICKETFLOW_DATA_DIR": "/a b"}, result.ticket_id, None)
    demo_show.show_result(result, commands)
    return capsys.readouterr().out


def test_the_summary_adds_up(capsys: pytest.CaptureFixture[str]) -> None:
    """Events, promises, notifications, lateness and what it is compared to, verify, and what to try."""
    text = _summary(_result(), capsys)
    assert _result().right
    for words in (
        "2 tickets",
        "5 sent, 1 by the engine itself",
        "3 applied, 2 rejected, 1 duplicates",
        "2 malformed",
        "4: 4 sla_warning",
        "found late by p50 5 ms, p99 5 ms, max 5 ms",
        "a job that scans every 5 minutes: 150 s on average",
        "p50 10 ms, p99 20 ms, max 20 ms after they arrived",
        "verify: nothing was found",
        f"TICKETFLOW_DATA_DIR='/a b' ./dev ticket explain phone-0001{TAG}",
    ):
        assert words in text
    assert [line.split() for line in text.splitlines() if line.strip().startswith(("complex", "all"))] == [
        ["complex", "3", "1", "75%"],
        ["all", "3", "1", "75%"],
    ]
    assert "planned" not in text


def test_what_to_try_next_has_the_settings_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only that file may say how the cluster lets somebody in: each command that is copied has it."""
    monkeypatch.setattr(demo.up, "run", lambda *_: None)
    monkeypatch.setattr(demo.Demo, "result", lambda _: _result())
    assert demo.perform(Settings(kafka_bootstrap_servers="kafka:9092"), Path("my settings.yaml"))
    commands = [line for line in capsys.readouterr().out.splitlines() if "./dev" in line]
    assert len(commands) == 5
    assert all("./dev --config 'my settings.yaml' " in command for command in commands)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"progress": replace(_PROGRESS, sent=4)}, "Only 4 of 5 events were sent."),
        ({"totals": replace(_TOTALS, events=5)}, "Of the events that were sent 1 are not on the topic."),
        (
            {"totals": replace(_TOTALS, undecided=1)},
            "Neither applied nor rejected nor duplicate: 1 of the events.",
        ),
        (
            {"report": Report((), (Finding(Law.ONCE, "tickets.journal", 0, 1, "T", "twice"),), 1)},
            "verify: 1 findings",
        ),
        (
            {"looked_at": 4},
            "verify has looked at 4 of the 6 events only: the rest was not decided before it.",
        ),
        (
            {"report": Report((replace(_COUNTS, consumed=5, applied=2),), (), 0)},
            "By verify the events are 2 applied, 2 rejected and 1 duplicates.",
        ),
    ],
)
def test_what_is_not_right_is_said(
    changes: dict[str, Any], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A demo in which something does not add up says what, and is not right."""
    result = _result(**changes)
    assert not result.right
    assert words in _summary(result, capsys)


@pytest.mark.parametrize("changes", [{"looked_at": 4}, {"report": Report((), (), 0)}])
def test_nothing_found_is_not_said_alone_where_not_all_was_looked_at(
    changes: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """The line that people look for says itself that it is not worth its words."""
    lines = _summary(_result(**changes), capsys).splitlines()
    assert "verify: nothing was found" not in lines
    assert "verify: nothing was found, but it does not agree with what is counted above" in lines


@pytest.mark.parametrize(
    ("applied", "right"), [(3, True), (90, True), (2, False)], ids=["alone", "more", "too few"]
)
def test_verify_counts_what_was_there_before_the_demo(applied: int, right: bool) -> None:
    """On topics of an earlier run verify finds more than the demo has counted, and never less."""
    report = Report((replace(_COUNTS, consumed=3 + applied, applied=applied),), (), 0)
    assert _result(report=report, fresh=False).right is right


def test_a_busy_machine_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    """Where other events were refused than planned, the summary says why; everything still adds up."""
    result = _result(planned_codes=Counter(malformed=1))
    assert result.right
    assert "planned were 1 rejected and 1 duplicates" in _summary(result, capsys)


def test_the_heading_has_two_rows_that_fit() -> None:
    """The heading tells the hour of the service day and what was sent, in two rows of any width."""
    picture = live.take(board(records(busy(3))), at(40))
    for width in (80, 140):
        rows = demo_show.heading(replace(_PROGRESS, elapsed_seconds=72.5), picture, None, width)
        console = Console(width=width, file=io.StringIO())
        for row in rows:
            console.print(row)
        text = console.file.getvalue() if isinstance(console.file, io.StringIO) else ""
        assert len(text.splitlines()) == 2
        assert "14:30" in text
        assert "5/5 events" in text


def test_news_take_the_second_row() -> None:
    """What is not as it should be is said above the picture."""
    picture = live.take(board([]), at(0))
    rows = demo_show.heading(_PROGRESS, picture, "The worker ended by signal 9.", 80)
    assert str(rows[1]) == "The worker ended by signal 9."


def test_without_a_terminal_there_is_a_line_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    """In a log the demo says where it is, not four times a second, and news once."""
    picture = live.take(board(records(busy(3))), at(40))
    with demo_show.Display() as display:
        for _ in range(5):
            display.draw(_PROGRESS, picture, "Starting the worker ...")
        for _ in range(5):
            display.draw(_PROGRESS, picture, None)
    first, second = capsys.readouterr().out.splitlines()
    assert first == "Starting the worker ..."
    assert second.startswith("24:00  5 of 5 events sent; 3 tickets open; promises: ")


def test_what_failed_in_the_demos_thread_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the demo's own thread ends the command with its sentence."""
    made = demo.Demo(Settings(data_dir=tmp_path), {}, ())

    def failing() -> None:
        raise LogError("the cluster went away")

    monkeypatch.setattr(made, "_done", made._thread.submit(failing))
    made.end()
    assert made.ended()
    with pytest.raises(LogError, match="went away"):
        made.result()


class _Watch:
    """A watch on which the worker decides another event at every look."""

    trouble = None

    def __init__(self, records: Sequence[Record]) -> None:
        self._left = list(records)
        self.fold = DayFold("tickets", TAG)

    @contextmanager
    def locked(self) -> Iterator[DayFold]:
        self.fold.apply(self._left[:1])
        del self._left[:1]
        yield self.fold


def _events(count: int) -> list[Record]:
    return [_event_record(offset) for offset in range(count)]


def _decisions(count: int) -> list[Record]:
    """The dead letters of so many events."""
    letters = (OUTBOX.dead_letter(event, Code.MALFORMED, "why") for event in _events(count))
    return [Record(each.topic, 0, 0, 0, each.key, each.value, each.headers) for each in letters]


def _report(committed: int) -> Report:
    counts = Counts(0, 0, committed, consumed=committed, rejected=committed)
    return Report((counts,), (), 0)


class _NoReader:
    def close(self) -> None: ...


class _Playing:
    """A demo whose day is over, on a machine on which nothing is fast but the test."""

    def __init__(self, watch: _Watch, monkeypatch: pytest.MonkeyPatch, reports: Sequence[Report]) -> None:
        self._reports = list(reports)
        self.play = demo_play.Play(Settings(), "127.0.0.1:1", read_day()[:1], TAG, watch, fresh=True)  # type: ignore[arg-type]
        self.news: list[str] = []
        monkeypatch.setattr(demo_play, "_REDRAW_SECONDS", 0.001)
        monkeypatch.setattr(demo_play, "_TELL_SECONDS", 0.0)
        monkeypatch.setattr(demo_play, "_SETTLE_SECONDS", 0.05)
        monkeypatch.setattr(demo_play, "verify", self._verify)
        monkeypatch.setattr(composition, "reader", lambda *_: _NoReader())
        monkeypatch.setattr(self.play._display, "draw", lambda _p, _q, news: self.news.append(news or ""))

    def _verify(self, *_: object) -> Report:
        return self._reports.pop(0)

    @property
    def verifications_left(self) -> int:
        return len(self._reports)

    def result(self) -> Result | None:
        return self.play._result(load(POLICY))


def test_the_demo_waits_as_long_as_something_is_decided(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow worker is waited for to the end, longer than one that does nothing."""
    watch = _Watch(_decisions(200))
    watch.fold.apply(_events(200))
    playing = _Playing(watch, monkeypatch, [_report(200)])
    result = playing.result()
    assert result is not None
    assert result.totals.undecided == 0
    assert result.agrees
    assert any(
        "Waiting for the worker: 1" in news and "events are not decided" in news for news in playing.news
    )


def test_a_worker_that_does_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left then is the result, and it is not right."""
    watch = _Watch(_decisions(30))
    watch.fold.apply(_events(40))
    playing = _Playing(watch, monkeypatch, [_report(30)])
    result = playing.result()
    assert result is not None
    assert (result.totals.undecided, result.looked_at, result.right) == (10, 30, False)


def test_what_came_while_verify_looked_is_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where an event comes after all were decided, verify looks once more before the demo ends as wrong."""
    watch = _Watch([])
    watch.fold.apply([*_events(5), *_decisions(5)])
    playing = _Playing(watch, monkeypatch, [_report(4), _report(5)])
    result = playing.result()
    assert result is not None
    assert (result.agrees, playing.verifications_left) == (True, 0)


def test_a_demo_that_is_ended_while_it_waits_has_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends the waiting, too."""
    watch = _Watch([])
    watch.fold.apply(_events(1))
    playing = _Playing(watch, monkeypatch, [])
    playing.play.end.set()
    assert playing.result() is None
