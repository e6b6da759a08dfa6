"""The command line: usage, the one sentence for each failure, exit statuses."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from ops import OperationError, failures, logs, policies
from ops.cli import app, main

GOLDEN = Path(__file__).parent.parent.parent / "golden" / "events"


def _commands(command: typer.core.TyperGroup, path: list[str]) -> Iterator[list[str]]:
    for name, each in command.commands.items():
        yield [*path, name]
        if isinstance(each, typer.core.TyperGroup):
            yield from _commands(each, [*path, name])


ALL = typer.main.get_command(app)
assert isinstance(ALL, typer.core.TyperGroup)
COMMANDS = ([], *_commands(ALL, []))
GROUPS = ([], ["ticket"], ["policy"], ["topics"], ["schemas"], ["dlq"])
NEED_KAFKA = (
    ["worker"],
    ["publish", str(GOLDEN / "ticket.created.v1.json")],
    ["exporter"],
    ["ticket", "show", "T-1"],
    ["ticket", "explain", "T-1"],
    ["ticket", "protocol", "T-1"],
    ["dlq", "list"],
    ["dlq", "replay", "--all"],
    ["top"],
    ["report", "--from", "2026-01-01", "--to", "2026-01-02"],
    ["verify"],
    ["topics", "create"],
    ["topics", "check"],
)


pytestmark = pytest.mark.usefixtures("nothing_runs_here")


@pytest.fixture
def no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    """Name a port where nobody listens, and wait for it briefly."""
    monkeypatch.setenv("TICKETFLOW_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    monkeypatch.setenv("TICKETFLOW_REQUEST_TIMEOUT_SECONDS", "0.2")
    monkeypatch.setenv("TICKETFLOW_TRANSACTION_TIMEOUT_SECONDS", "0.4")


class Ran:
    """A command that was run: its exit status and what it printed."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *arguments: str) -> None:
        self.status = main(list(arguments))
        self.out, self.err = capsys.readouterr()

    @property
    def sentence(self) -> str:
        """The one line on stderr."""
        assert self.err.count("\n") == 1, self.err
        return self.err.strip()


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_explains_itself(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """`--help` ends with status 0 and says more than how the command is called."""
    ran = Ran(capsys, *command, "--help")
    assert (ran.status, ran.err) == (0, "")
    assert len(ran.out.splitlines()) > 5


@pytest.mark.parametrize(
    "command",
    [[], *(command for command in COMMANDS if command not in GROUPS)],
    ids=" ".join,
)
def test_every_command_shows_an_example(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """The help ends with an example that begins with the command itself."""
    example = Ran(capsys, *command, "--help").out.partition("Example:\n")[2]
    assert " ".join(["ticketflow", *command]) in example


def test_the_version_is_the_distributions(capsys: pytest.CaptureFixture[str]) -> None:
    """`--version` prints name and version and ends with status 0."""
    ran = Ran(capsys, "--version")
    assert (ran.status, ran.out.split()[0]) == (0, "ticketflow")


@pytest.mark.parametrize(
    "arguments",
    [
        ["fly"],
        ["publish"],
        ["worker", "--fast"],
        ["ticket", "show"],
        ["ticket", "show", "nobody's"],
        ["ticket", "show", "T-1", "--personal"],
        ["replay", "events.jsonl"],
        ["replay", "events.jsonl", "--until", "2026-01-01T00:00:00Z", "--out", "x", "--batch", "0"],
        ["replay", "events.jsonl", "--until", "yesterday", "--out", "x"],
        ["schemas", "export"],
    ],
    ids=" ".join,
)
def test_wrong_usage_ends_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """What is called wrongly says so on stderr, does nothing, and ends with status 2."""
    ran = Ran(capsys, *arguments)
    assert (ran.status, ran.out) == (2, "")
    assert "Error: " in ran.err


@pytest.mark.parametrize("command", [*NEED_KAFKA, ["up"], ["broker"], ["policy", "show"]], ids=" ".join)
def test_a_wrong_setting_ends_with_2(
    command: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every command that reads settings names the wrong one in a sentence, without its value."""
    monkeypatch.setenv("TICKETFLOW_METRICS_PORT", "ninety")
    ran = Ran(capsys, *command)
    assert ran.status == 2
    assert "TICKETFLOW_METRICS_PORT" in ran.sentence
    assert "ninety" not in ran.sentence


def test_a_wrong_line_of_the_settings_file_ends_with_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--config` reads settings from a file, and what is wrong there is named with it."""
    config = tmp_path / "settings.yaml"
    config.write_text("worker_idd: a\n")
    ran = Ran(capsys, "--config", str(config), "worker")
    assert ran.status == 2
    assert "worker_idd in" in ran.sentence


@pytest.mark.parametrize("command", NEED_KAFKA, ids=" ".join)
def test_without_a_broker_a_command_says_how_to_start_one(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Where no broker runs on the data directory the sentence says what would help."""
    ran = Ran(capsys, *command)
    assert ran.status == 1
    assert "ticketflow up" in ran.sentence


@pytest.mark.usefixtures("no_cluster")
@pytest.mark.parametrize("command", NEED_KAFKA[1:4], ids=" ".join)
def test_a_cluster_that_does_not_answer_is_one_sentence(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The sentence names the address and the setting."""
    ran = Ran(capsys, *command)
    assert ran.status == 1
    assert "127.0.0.1:1" in ran.sentence
    assert "TICKETFLOW_KAFKA_BOOTSTRAP_SERVERS" in ran.sentence


@pytest.mark.parametrize("command", [["worker"], ["up"], ["policy", "show"]], ids=" ".join)
def test_a_policy_with_an_error_keeps_a_process_from_starting(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The problem is named with file and line before anything is started."""
    policy = tmp_path / "policy.yaml"
    policy.write_text(
        "policy: p\nversion: '1'\nclocks: [{clock: c, target: soon, start: [created], stop: [closed]}]\n"
    )
    monkeypatch.setenv("TICKETFLOW_POLICY", str(policy))
    ran = Ran(capsys, *command)
    assert ran.status == 1
    assert ran.sentence.startswith(f"{policy}:3: ")


def test_a_mistake_of_ours_is_one_sentence_and_its_trace_quotes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sentence says where the trace is; the trace says where it happened and not with which values."""
    name = "Vera Primerova"

    def fail(_: object) -> None:
        raise KeyError(name)

    monkeypatch.setattr(policies, "load", fail)
    ran = Ran(capsys, "policy", "show")
    trace = tmp_path / "data" / "logs" / "errors.log"
    assert ran.status == 1
    assert str(trace) in ran.sentence
    assert "builtins.KeyError" in trace.read_text()
    assert "Primerova" not in trace.read_text() + ran.err


def test_traces_of_mistakes_do_not_fill_the_disk(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who makes the same mistake again and again keeps the last traces, each whole, and no more."""

    def fail(_: object) -> None:
        raise KeyError

    monkeypatch.setattr(policies, "load", fail)
    monkeypatch.setattr(failures, "_MAX_TRACE_BYTES", 4_000)
    for _ in range(20):
        Ran(capsys, "policy", "show")
    logs = sorted((tmp_path / "data" / "logs").iterdir())
    assert [file.name for file in logs] == ["errors.log", "errors.log.1"]
    for file in logs:
        assert file.stat().st_size <= 4_000
        lines = file.read_text().splitlines()
        assert (" process " in lines[0], lines[-1]) == (True, "builtins.KeyError")


def test_a_mistake_of_ours_is_told_with_its_notes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Notes are ours and say where it happened; the exception's text is not shown."""

    def fail(_: object) -> None:
        problem = KeyError("Vera Primerova")
        problem.add_note("at partition 1, offset 7 of tickets.events")
        raise problem

    monkeypatch.setattr(policies, "load", fail)
    sentence = Ran(capsys, "policy", "show").sentence
    assert "(KeyError; at partition 1, offset 7 of tickets.events)" in sentence
    assert "Primerova" not in sentence


@pytest.fixture
def broken_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistake of ours before the settings are read."""

    def fail() -> None:
        raise KeyError

    monkeypatch.setattr(logs, "check_package_names", fail)
    monkeypatch.setattr(failures, "_trace_directory", None)


@pytest.mark.usefixtures("broken_early")
def test_an_early_mistake_is_traced_in_the_users_own_directory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the settings are read the default data directory is taken, and nobody else may look into it."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "xdg"))
    directory = tmp_path / "xdg" / "ticketflow" / "logs"
    assert str(directory / "errors.log") in Ran(capsys, "worker").sentence
    assert directory.stat().st_mode & 0o777 == 0o700


@pytest.mark.usefixtures("broken_early")
def test_an_early_mistake_without_a_home_leaves_no_file(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No directory that everybody shares is taken instead, and the sentence says so."""

    def nowhere() -> Path:
        raise RuntimeError

    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setattr(Path, "home", nowhere)
    assert "No trace of it is kept" in Ran(capsys, "worker").sentence


def test_interrupted_is_no_failure_to_explain(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C ends a command with the status that shells expect, and without a word."""

    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(policies, "load", interrupt)
    ran = Ran(capsys, "policy", "show")
    assert (ran.status, ran.err) == (130, "")


def test_another_distributions_package_is_found_first(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing runs, not even the help, where one of our packages is somebody else's."""

    def shadowed() -> None:
        raise OperationError("The package 'ops' is not ticketflow's own.")

    monkeypatch.setattr(logs, "check_package_names", shadowed)
    ran = Ran(capsys, "--help")
    assert (ran.status, ran.out) == (1, "")
    assert "not ticketflow's own" in ran.sentence


@pytest.fixture
def lined_policy(tmp_path: Path) -> Iterator[Path]:
    """A policy file with two problems."""
    policy = tmp_path / "policy.yaml"
    policy.write_text(
        "policy: p\nversion: '1'\nclocks:\n"
        "  - {clock: a, target: soon, start: [created], stop: [closed]}\n"
        "  - {clock: b, target: 5m, start: [borne], stop: [closed]}\n"
    )
    return policy


def test_policy_check_names_every_problem(lined_policy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each problem is a line `FILE:LINE: message` on stdout, and one is enough for status 1."""
    ran = Ran(capsys, "policy", "check", str(lined_policy))
    assert (ran.status, ran.err) == (1, "")
    assert [line.split(": ")[0] for line in ran.out.splitlines()] == [
        f"{lined_policy}:4",
        f"{lined_policy}:5",
    ]


def test_policy_check_tells_programs(lined_policy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--json` has file, line and message of each problem."""
    ran = Ran(capsys, "policy", "check", str(lined_policy), "--json")
    assert ran.status == 1
    assert [each["line"] for each in json.loads(ran.out)["problems"]] == [4, 5]


def test_policy_check_is_content_with_the_default(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file without problems ends with status 0 and says which version it states."""
    policy = tmp_path / "gosuslugi.yaml"
    policy.write_text(policies.default_text())
    ran = Ran(capsys, "policy", "check", str(policy))
    assert (ran.status, ran.out) == (0, "gosuslugi@2026.1: no problems.\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ["policy", "check", "FILE"],
        ["replay", "events", "--policy", "FILE", "--until", "2026-03-03T00:00:00Z", "--out", "out"],
    ],
    ids=["check", "replay"],
)
def test_a_policy_that_is_not_there_is_wrong_usage(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One sentence names the path and no line, and the status is that of a wrong TICKETFLOW_POLICY."""
    missing = str(tmp_path / "none.yaml")
    ran = Ran(capsys, *[missing if each == "FILE" else each for each in arguments])
    assert (ran.status, ran.out) == (2, "")
    assert ran.sentence.startswith(f"There is no policy at {missing}: ")


def test_policy_show_prints_each_promise(capsys: pytest.CaptureFixture[str]) -> None:
    """The default policy's clocks are there with their targets, for people and for programs."""
    shown = Ran(capsys, "policy", "show").out
    told = json.loads(Ran(capsys, "policy", "show", "--json").out)
    assert "gosuslugi@2026.1" in shown
    assert told["effective_from"] == "2026-01-01T00:00:00.000000Z"
    assert {"resolution", "first_response", "callback"} <= {clock["clock"] for clock in told["clocks"]}
    assert all(
        clock["clock"] in shown and clock["target"] in shown
        for clock in told["clocks"]
        if clock["target"][0].isdigit()
    )


def test_schemas_export_writes_valid_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each schema is a file of its own in a folder that is made for it."""
    directory = tmp_path / "deep" / "schemas"
    ran = Ran(capsys, "schemas", "export", str(directory))
    assert ran.status == 0
    assert json.loads((directory / "ticket.created.v1.schema.json").read_text())["$id"]


def test_schemas_export_says_where_it_cannot_write(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file where the folder should be is one sentence."""
    (tmp_path / "taken").write_text("")
    ran = Ran(capsys, "schemas", "export", str(tmp_path / "taken"))
    assert ran.status == 1
    assert "taken" in ran.sentence


def test_replay_tells_what_became_of_the_events(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The summary counts events, and the files are where it says."""
    events = str(GOLDEN / "ticket.created.v1.full.json")
    out = tmp_path / "out"
    ran = Ran(
        capsys, "replay", events, events, "--until", "2026-03-03T00:00:00Z", "--out", str(out), "--json"
    )
    told = json.loads(ran.out)
    assert (ran.status, told["lines"], told["applied"], told["duplicate"]) == (0, 2, 1, 1)
    assert (out / "journal.jsonl").read_bytes().count(b"\n") == 1 + told["firings"]


MERGE = {"reason": "merged", "merged_into": "T-2"}
MERGED = [
    ("T-1", "ticket.created.v1", {"channel": "phone", "category": "complex", "client": {"id": "C"}}),
    ("T-2", "ticket.created.v1", {"channel": "phone", "category": "complex", "client": {"id": "C"}}),
    ("T-1", "ticket.closed.v1", MERGE),
    ("T-3", "ticket.closed.v1", MERGE),
]


def test_replay_counts_the_engines_own_events(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What a survivor learns is an event, too: the sentences name it, or their sum would be wrong."""
    events, policy = tmp_path / "events.jsonl", Path("workflow/policies").resolve()
    with events.open("w") as file:
        for number, (ticket, kind, data) in enumerate(MERGED):
            event = {"specversion": "1.0", "id": str(number), "source": "me", "type": kind, "subject": ticket,
                     "time": "2026-03-02T09:00:00Z", "data": data}  # fmt: skip
            file.write(json.dumps(event) + "\n")
    until = ("--until", "2026-03-02T09:00:01Z")
    told = "4 events and 1 of the engine's own: 4 applied, 0 duplicate, 1 rejected"
    ran = Ran(capsys, "replay", str(events), *until, "--out", str(tmp_path / "out"))
    assert (ran.status, ran.out.splitlines()[0]) == (0, f"{told}.")
    ran = Ran(capsys, "replay", str(events), *until, "--compare", str(policy))
    assert [told in line for line in ran.out.splitlines()[:2]] == [True, True]


def test_replay_of_a_missing_file_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that cannot be read ends with status 1."""
    ran = Ran(
        capsys, "replay", str(tmp_path / "none"), "--until", "2026-03-03T00:00:00Z", "--out", str(tmp_path)
    )
    assert ran.status == 1
    assert "none" in ran.sentence


def test_publish_names_bad_lines_and_sends_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each bad line is named with its code, and the cluster is not even asked."""
    monkeypatch.setenv("TICKETFLOW_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    events = tmp_path / "events.jsonl"
    events.write_bytes((GOLDEN / "ticket.created.v1.json").read_bytes().strip() + b"\n\n{\n")
    ran = Ran(capsys, "publish", str(events), "--json")
    told = json.loads(ran.out)
    assert (ran.status, told["sent"], told["invalid"]) == (1, 0, 1)
    assert ran.err.startswith(f"{events}:3 malformed ")


def test_publish_looks_at_the_lines_before_it_looks_for_a_broker(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a broker bad lines are still named: who mends a file needs none for that."""
    events = tmp_path / "events.jsonl"
    events.write_bytes(b"{\n")
    ran = Ran(capsys, "publish", str(events))
    assert ran.status == 1
    assert ran.err.startswith(f"{events}:1 malformed ")
    assert "ticketflow up" not in ran.err


@pytest.mark.parametrize("command", ["worker", "up"])
def test_no_worker_is_started_on_a_client_that_is_not_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    """It is said once, before a broker or anything else is started that would then be of no use."""
    monkeypatch.setenv("TICKETFLOW_KAFKA_CLIENT", "librdkafka")
    ran = Ran(capsys, command)
    assert (ran.status, ran.out) == (1, "")
    assert "No worker of this version runs on librdkafka" in ran.sentence
