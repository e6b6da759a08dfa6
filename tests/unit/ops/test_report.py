"""`report`: options, files, and the four ways in which a report is written."""

import csv
import json
import re
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from ops import OperationError, policies
from ops.cli import main
from ops.plain_data import as_data
from ops.report import (
    Format,
    Report,
    Usage,
    dimensions,
    home_zone,
    instant,
    make,
    period,
    rendered,
    write,
)
from ops.report_plots import _as_percent
from ops.report_text import table
from ops.report_words import Grid, duration, percent
from ops.settings import Settings
from tests.support.replays import replay
from tests.support.reporting import FOR_EVER, MOSCOW, POLICY, figures, figures_of, frame
from tests.support.world import HOUR, MINUTE, World, written

ROOT = Path(__file__).parents[3]
PERSONAL = ("Агафья Небывалая", "+79995550123", "agafya@example.org", "c-77")
VISIBLE = re.compile(r"https?://|src=|<script|<link|@import|url\(", re.IGNORECASE)
"""What would make a browser ask somebody else."""


def sample(by: list[str] | None = None) -> Report:
    """A report with something in every part of it."""
    w = World(written(POLICY))
    client = {"id": "c-77", "name": PERSONAL[0], "phone": PERSONAL[1], "email": PERSONAL[2]}
    w.send("created", 0, ticket="A", region="77", client=client, description="Агафья Небывалая")
    w.send("assigned", MINUTE, ticket="A")
    w.send("resolved", 5 * MINUTE, ticket="A")
    w.send("created", 6 * MINUTE, ticket="B", follows="A", category="complex")
    w.send("assigned", 30 * MINUTE, ticket="B")
    w.send("escalated", 31 * MINUTE, ticket="B")
    w.send("reopened", 40 * MINUTE, ticket="A")
    w.until(24 * HOUR)
    of = frame(0, 48 * HOUR, by or ())
    return Report(of, figures_of(w, of))


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The journal of the service day."""
    day, out = ROOT / "examples" / "service-day", tmp_path_factory.mktemp("replayed")
    replay([day / "day.jsonl"], day / "policy.yaml", "2026-01-10T00:00:00Z", out)
    return out / "journal.jsonl"


@pytest.mark.parametrize("form", list(Format))
@pytest.mark.parametrize("by", [[], ["category"], ["category", "queue", "channel", "region", "day"]])
def test_no_person_is_in_a_report(form: Format, by: list[str]) -> None:
    """No name, address or id of a citizen; tickets are named, operators are not."""
    text = rendered(sample(by), form)
    assert not [word for word in (*PERSONAL, "op-1") if word in text]
    assert text.endswith("\n")


def test_text_fits_a_hundred_columns(journal: Path) -> None:
    """However many dimensions: groups that do not fit become lines above their rows."""
    for by in ("", "category", "category,queue", "category,queue,channel,region,day"):
        report = make(Settings(), journal, period("2026-01-01", "2026-01-10", MOSCOW, dimensions(by)))
        lines = rendered(report, Format.TEXT).splitlines()
        assert max(map(len, lines)) <= 100
        assert not [line for line in lines if line != line.rstrip()]


def test_a_table_that_is_too_wide_has_its_groups_above_the_rows() -> None:
    """A group is told once, and its rows stand below it with their columns aligned."""
    rows = [("a" * 60, "b" * 50, "x", "1"), ("a" * 60, "b" * 50, "long", "22")]
    lines = table(Grid("", ("category", "queue", "clock", "kept"), 3, rows), 2)
    assert lines == ["  clock  kept", f"{'a' * 60} / {'b' * 50}", "  x         1", "  long     22"]


def test_the_page_asks_nobody_for_anything() -> None:
    """No address, script, font or style from elsewhere: it opens without a network."""
    page = rendered(sample(["category"]), Format.HTML)
    assert not VISIBLE.findall(page)
    assert "Generated with" not in page


def test_the_page_can_be_read_without_seeing_it() -> None:
    """Every drawing has a title and a description, every table heads, and the page a language."""
    page = rendered(sample(["category"]), Format.HTML)
    drawings = re.findall(r"<svg [^>]*>", page)
    assert len(drawings) == 5
    for drawing in drawings:
        assert 'role="img"' in drawing
        for reference in re.findall(r'aria-labelledby="([^"]+)"', drawing)[0].split():
            assert page.count(f'id="{reference}"') == 1
    assert page.count("<table") == page.count("<thead")
    assert '<html lang="en">' in page
    assert "prefers-color-scheme: dark" in page
    assert "@media print" in page


def test_the_same_report_is_the_same_file() -> None:
    """Nothing in it is of the moment or of chance."""
    for form in Format:
        assert rendered(sample(["day"]), form) == rendered(sample(["day"]), form)


def test_a_report_of_nothing_is_one_too() -> None:
    """Where nothing counted there are zeros and dashes, and no error."""
    nothing = Report(frame(), figures([], frame()))
    for form in Format:
        assert rendered(nothing, form)
    assert "Promises kept: –" in rendered(nothing, Format.TEXT)


def test_json_has_the_figures_by_their_names() -> None:
    """Instants as the contract writes them, the zone, and every figure."""
    report = sample(["category"])
    data = json.loads(rendered(report, Format.JSON))
    assert (data["from"], data["zone"], data["by"]) == (
        "2026-03-02T09:00:00.000000Z", "Europe/Moscow", ["category"],
    )  # fmt: skip
    assert data["total"] == as_data(report.figures.total)
    assert {group["group"]["category"] for group in data["groups"]} == {"access_recovery", "complex"}
    assert data["total"]["counts"]["registered"] == 2


def test_csv_is_one_tidy_table() -> None:
    """A figure a row; with dimensions only the groups, so that counts add up to the total."""
    rows = list(csv.DictReader(StringIO(rendered(sample(["category"]), Format.CSV))))
    assert list(rows[0]) == ["from", "to", "category", "clock", "measure", "value"]
    registered = [int(row["value"]) for row in rows if row["measure"] == "registered"]
    assert sum(registered) == 2
    assert len({(row["category"], row["clock"], row["measure"]) for row in rows}) == len(rows)
    total = list(csv.DictReader(StringIO(rendered(sample(), Format.CSV))))
    assert [row["value"] for row in total if row["measure"] == "registered"] == ["2"]


def test_a_date_is_its_midnight_in_the_zone() -> None:
    """A day of 23 hours is one, too; an instant with an offset is itself."""
    berlin = ZoneInfo("Europe/Berlin")
    of = period("2026-03-29", "2026-03-30", berlin, ())
    assert (of.end - of.start).total_seconds() == 23 * HOUR
    there = instant("--from", "2026-03-29T09:00:00+03:00", berlin)
    assert there == datetime(2026, 3, 29, 6, tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "end"),
    [("2026-03-02", "2026-03-02"), ("2026-03-03", "2026-03-02"), ("yesterday", "2026-03-02"),
     ("2026-02-30", "2026-03-02"), ("2026-W01-1", "2026-03-02"), ("2026-02-01", "2026-W10-1"),
     ("2026-03-02T09:00:00", "2026-03-03"), ("2026-03-01", "0001-01-01")],
)  # fmt: skip
def test_a_period_that_is_none_is_refused(start: str, end: str) -> None:
    """Backwards, empty, no date, a week's date, or without an offset."""
    with pytest.raises(Usage):
        period(start, end, ZoneInfo("Asia/Tokyo"), ())


@pytest.mark.parametrize("text", ["priority", "day,day", "category,nobody"])
def test_dimensions_that_are_none_are_refused(text: str) -> None:
    """The sentence names those that there are."""
    with pytest.raises(Usage, match="category, queue, channel, region, day"):
        dimensions(text)


def test_the_zone_is_that_of_the_policys_calendar_for_regions() -> None:
    """Moscow for the default policy; UTC where no calendar has hours."""
    assert home_zone(policies.load(None).versions[0]) == "Europe/Moscow"
    plain = written("clocks: [{clock: c, target: 1m, start: [created], stop: [closed]}]")
    assert home_zone(plain.versions[0]) == "UTC"


def test_what_is_no_journal_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Status 1, the line named, and nothing of what stands in it."""
    file = tmp_path / "journal.jsonl"
    file.write_text('\n{"data": "Агафья"}\n')
    status = main(["report", "--from", "2026-01-01", "--to", "2026-02-01", "--journal", str(file)])
    told = capsys.readouterr().err
    assert (status, told.count("\n")) == (1, 1)
    assert told.startswith("Record 2 in ")
    assert "Агафья" not in told


def test_a_report_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    """Where it cannot be written there is a sentence, and no half of a file."""
    write(sample(), Format.JSON, tmp_path / "report.json")
    assert json.loads((tmp_path / "report.json").read_text())["zone"] == "Europe/Moscow"
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]
    with pytest.raises(OperationError, match="cannot be written"):
        write(sample(), Format.JSON, tmp_path / "nowhere" / "report.json")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OperationError, match="cannot be written"):
        write(sample(), Format.JSON, tmp_path / "folder")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "report.json"]


@pytest.mark.parametrize("out", ["", ".", "..", "/", "folder", "folder/"])
def test_a_folder_is_no_file_to_write_to(
    out: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """However it is named: one sentence, and nothing is left in it."""
    journal = tmp_path / "journal.jsonl"
    journal.touch()
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    options = ["--from", "2026-01-01", "--to", "2026-01-05", "--journal", str(journal)]
    assert main(["report", *options, "--out", out]) == 1
    told = f"The report cannot be written to {Path(out)}: Is a directory."
    assert capsys.readouterr().err.splitlines()[-1] == told
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["folder", "journal.jsonl"]


def test_the_command_reports_over_the_journal_of_a_replay(
    journal: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a file and on standard output stands the same."""
    options = ["report", "--from", "2026-01-01", "--to", "2026-01-05", "--journal", str(journal)]
    assert main([*options, "--by", "category", "--json"]) == 0
    printed = capsys.readouterr().out
    out = tmp_path / "report.json"
    assert main([*options, "--by", "category", "--format", "json", "--out", str(out)]) == 0
    assert out.read_text() == printed
    data = json.loads(printed)
    assert data["left_out"] == 0
    assert data["total"]["all_promises"]["kept_share"] > 0.5
    assert data["total"]["times"]["issue_age_seconds"]["count"] > 0


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--from", "2026-01-01"],
        ["--from", "2026-01-01", "--to", "2026-01-02", "--by", "weather"],
        ["--from", "2026-01-01", "--to", "2026-01-02", "--format", "pdf"],
        ["--from", "2026-01-01", "--to", "2026-01-02", "--zone", "Europe"],
        ["--schedule", "0 8 * * *"],
        ["--schedule", "0 8 * * *", "--out", "x", "--from", "2026-01-01"],
        ["--schedule", "0 8 * * 1", "--out", "x"],
        ["--schedule", "often", "--out", "x"],
    ],
)
def test_wrong_usage_is_said(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Status 2, and a sentence that names the option."""
    assert main(["report", *arguments]) == 2
    assert "--" in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(None, "–"), (0, "0.000s"), (0.0321, "0.032s"), (59.99, "59.9s"), (60, "1m00s"), (754.2, "12m34s"),
     (3600, "1h00m"), (FOR_EVER, "277777h46m")],
)  # fmt: skip
def test_durations_are_short(seconds: float | None, told: str) -> None:
    """Two units, cut and not rounded: 59.99 s is less than a minute."""
    assert duration(seconds) == told


def test_shares_are_cut() -> None:
    """999 of 1000 is 99.9 %, and 9999 of 10000 too: only all is 100 %. 57 of 100 is no less than 57 %."""
    assert [percent(each) for each in (None, 0.9999, 1.0, 2 / 3)] == ["–", "99.9 %", "100.0 %", "66.6 %"]
    shares = [kept / of for of in range(1, 200) for kept in range(of + 1)]
    exact = [1_000 * kept // of / 10 for of in range(1, 200) for kept in range(of + 1)]
    assert [percent(share) for share in shares] == [f"{each:.1f} %" for each in exact]
    assert [_as_percent(share * 100) for share in shares] == [f"{each:g} %" for each in exact]
