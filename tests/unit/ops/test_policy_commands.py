"""`policy check` and `policy diff` as people and programs meet them."""

import json
from pathlib import Path

import pytest

from ops import policies
from ops.cli import main

ODD = """policy: p
version: 1
clocks:
  - {clock: c, target: 5m, start: [created], stop: [resolved], warn: [-10m]}
"""


pytestmark = pytest.mark.usefixtures("nothing_runs_here")


@pytest.fixture
def default(tmp_path: Path) -> Path:
    """A copy of the default policy."""
    return written(tmp_path / "default.yaml", policies.default_text())


@pytest.fixture
def draft(tmp_path: Path) -> Path:
    """The next version: faults are solved within 20 minutes, and the service works until seven."""
    text = policies.default_text()
    for old, new in (
        ('version: "2026.1"', 'version: "2026.2"'),
        ('effective_from: "2026-01-01', 'effective_from: "2026-07-01'),
        (
            "when: {category: [technical_fault]}\n    target: 30m",
            "when: {category: [technical_fault]}\n    target: 20m",
        ),
        ('[["09:00", "18:00"]]', '[["09:00", "19:00"]]'),
    ):
        assert old in text
        text = text.replace(old, new)
    return written(tmp_path / "draft.yaml", text)


def written(path: Path, text: str) -> Path:
    """The path, once the text is there."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def told(capsys: pytest.CaptureFixture[str], *arguments: object) -> list[str]:
    """The lines that a command prints that ends well."""
    assert main([str(each) for each in arguments]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out.splitlines()


DIFFERENCE = [
    "gosuslugi@2026.1 -> gosuslugi@2026.2",
    "",
    "Promises",
    "  shorter: first_response of any ticket by cabinet: counted in service_terms, whose hours change",
    "  shorter: resolution of technical_fault: 30 min becomes 20 min",
    "",
    "Citizens",
    "  registrations by feedback_form or cabinet have the service hours service_terms, whose hours change "
    "(open longer)",
    "",
    "Version",
    "  in force from 2026-07-01T00:00:00Z instead of from 2026-01-01T00:00:00Z",
    "",
    "Calendars",
    "  service_terms: mon–sun 09:00–18:00 becomes 09:00–19:00",
]


def test_policy_diff_says_what_changes(
    default: Path, draft: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What matters to citizens first, then what the file does for it."""
    assert told(capsys, "policy", "diff", default, draft) == DIFFERENCE


def test_policy_diff_tells_programs(default: Path, draft: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--json` has each promise with its clock, its tickets and its sentence."""
    data = json.loads("\n".join(told(capsys, "policy", "diff", default, draft, "--json")))
    assert (data["before"], data["after"]) == ("gosuslugi@2026.1", "gosuslugi@2026.2")
    assert data["changes_promises"] is True
    assert data["promises"][1] == {
        "clock": "resolution",
        "becomes": "shorter",
        "tickets": [{"fields": {"category": ["technical_fault"]}, "other_than": []}],
        "details": ["30 min becomes 20 min"],
        "text": "resolution of technical_fault: 30 min becomes 20 min",
    }


def test_a_folder_and_a_version_can_be_compared(
    default: Path, draft: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a folder it is the last version; a version's name is looked up in the policy of the settings."""
    folder = default.parent / "versions"
    written(folder / "a.yaml", draft.read_text(encoding="utf-8"))
    written(folder / "b.yaml", default.read_text(encoding="utf-8"))
    assert told(capsys, "policy", "diff", default, folder) == DIFFERENCE
    assert told(capsys, "policy", "diff", "gosuslugi@2026.1", draft) == DIFFERENCE
    monkeypatch.setenv("TICKETFLOW_POLICY", str(folder))
    assert told(capsys, "policy", "diff", "gosuslugi@2026.1", "gosuslugi@2026.2") == DIFFERENCE


def test_the_same_policy_in_two_files_differs_in_nothing(
    default: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is said in a sentence, and is no failure."""
    lines = told(capsys, "policy", "diff", default, "gosuslugi@2026.1")
    assert lines == ["gosuslugi@2026.1 -> gosuslugi@2026.1", "", "No promise changes."]


@pytest.mark.parametrize(
    ("name", "status", "sentence"),
    [
        ("none.yaml", 2, "There is no policy at none.yaml: "),
        (
            "gosuslugi@1999.1",
            2,
            "There is no such file, and TICKETFLOW_POLICY has no such version, only gosus",
        ),
        ("bad.yaml", 1, "bad.yaml:1: "),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(
    name: str, status: int, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """A file that is missing, a version that nobody knows, and a policy with problems."""
    monkeypatch.chdir(tmp_path)
    written(Path("bad.yaml"), "policy: p\nversion: 1\n")
    assert main(["policy", "diff", "gosuslugi@2026.1", name]) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(sentence)
    assert len(err.splitlines()) == 1


def test_one_policy_alone_is_wrong_usage(default: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """There is nothing to compare it with."""
    assert main(["policy", "diff", str(default)]) == 2
    assert "Missing argument 'B'" in capsys.readouterr().err


def test_hints_are_told_and_do_not_fail(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What has no effect is a line before the verdict, which stays that there are no problems."""
    path = written(tmp_path / "odd.yaml", ODD)
    hint, verdict = told(capsys, "policy", "check", path)
    assert hint.startswith(f"{path}:4: hint: the warning lies before the clock's start")
    assert verdict == "p@1: no problems."
    assert policies.load(path).labels == ("p@1",)


def test_hints_are_told_to_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--json` has them apart from the problems."""
    path = written(tmp_path / "odd.yaml", ODD)
    data = json.loads("\n".join(told(capsys, "policy", "check", path, "--json")))
    assert data["problems"] == []
    assert [(each["file"], each["line"]) for each in data["hints"]] == [(str(path), 4)]


def test_the_demos_policy_has_neither_problems_nor_hints(capsys: pytest.CaptureFixture[str]) -> None:
    """It is read as an example."""
    path = Path(__file__).parents[3] / "examples" / "service-day" / "policy.yaml"
    assert told(capsys, "policy", "check", path) == ["service-day@1: no problems."]
