"""Shell completion: bash itself completes with the script, quickly; the other scripts name the commands."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from ops.cli import main
from ops.completion import DEV_TASKS

ROOT = Path(__file__).parents[3]
WRONG_SETTINGS = {"TICKETFLOW_METRICS_PORT": "ninety", "TICKETFLOW_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}


def script(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What `ticketflow completion` prints."""
    assert main(["completion", shell]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def program(path: Path) -> None:
    """Make an executable `ticketflow`, as an installation does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m ops.cli "$@"\n')
    path.chmod(0o700)


def completed(completion: str, directory: Path, *words: str) -> list[str]:
    """What bash offers for the last of these words, in that directory."""
    line = " ".join(map(shlex.quote, words))
    asked = f"""
        source ./completion.bash
        registered=$(complete -p {words[0]}) || exit 9
        [[ $registered == *"-o default"* ]] || exit 8
        function=${{registered##*-F }}
        COMP_WORDS=({line}) COMP_CWORD={len(words) - 1}
        ${{function%% *}} {words[0]} {shlex.quote(words[-1])} {shlex.quote(words[-2])}
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    (directory / "completion.bash").write_text(completion)
    ran = subprocess.run(
        ["bash", "--noprofile", "--norc", "-c", asked],  # noqa: S607 (the one on the PATH)
        cwd=directory,
        env={**os.environ, **WRONG_SETTINGS, "PATH": f"{directory / 'bin'}:{os.environ['PATH']}"},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, b"")
    return ran.stdout.decode().split()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("dl",), ["dlq"]),
        (("dlq", ""), ["list", "replay"]),
        (("dlq", "replay", "--code", "malformed", "--dr"), ["--dry-run"]),
        (("--config", "some.yaml", "worker", "--"), ["--help"]),
        (("--version", "pub"), ["publish"]),
        (("completion", ""), ["bash", "zsh", "fish"]),
        (("publish", ""), []),
        (("--config", ""), []),
    ],
    ids=str,
)
def test_bash_completes(
    words: tuple[str, ...], offered: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Commands and options are offered; where none fits bash offers files. No setting is looked at."""
    program(tmp_path / "bin" / "ticketflow")
    assert completed(script("bash", capsys), tmp_path, "ticketflow", *words) == offered


def test_bash_completes_a_checkouts_own_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For `./dev` its environment is asked, and its own commands are offered; `./dev` itself is not run."""
    asked = script("bash", capsys)
    dev = tmp_path / "dev"
    dev.write_text("#!/bin/sh\ntouch was-run\n")
    dev.chmod(0o700)
    assert completed(asked, tmp_path, "./dev", "t") == []
    program(tmp_path / ".venv" / "bin" / "ticketflow")
    assert completed(asked, tmp_path, "./dev", "t") == ["top", "ticket", "topics", "test", "torture"]
    assert completed(asked, tmp_path, "./dev", "ticket", "s") == ["show"]
    for task in DEV_TASKS:
        assert completed(asked, tmp_path, "./dev", task, "") == []
    assert not (tmp_path / "was-run").exists()


def test_an_answer_loads_nothing_that_takes_long() -> None:
    """Neither the settings nor a Kafka client nor what checks and shows values is imported for an answer."""
    ran = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "ops.cli"],
        cwd=ROOT,
        env={
            **os.environ,
            "_TICKETFLOW_COMPLETE": "complete_zsh",
            "_TYPER_COMPLETE_ARGS": "ticketflow dlq replay --dr",
        },
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert b"--dry-run" in ran.stdout
    loaded = {line.rpartition("|")[2].strip() for line in ran.stderr.decode().splitlines()}
    assert "typer" in loaded
    slow = {"pydantic", "rich", "kafka", "structlog", "yaml", "ops.settings", "schemas.envelope", "asyncio"}
    assert loaded & slow == set()


@pytest.mark.parametrize(
    ("shell", "registered"),
    [
        (
            "zsh",
            ("compdef _ticketflow_completion ticketflow", "compdef _ticketflow_dev_completion -p '*/dev'"),
        ),
        ("fish", ("complete --command ticketflow ", "complete --path '*/dev' ")),
    ],
)
def test_the_other_scripts_name_both_commands(
    shell: str, registered: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """These scripts ask `ticketflow`, and for `./dev` the environment of the checkout."""
    printed = script(shell, capsys)
    for each in registered:
        assert each in printed
    assert printed.count(f"_TICKETFLOW_COMPLETE=complete_{shell}") >= 2
    assert ".venv/bin/ticketflow" in printed


def test_dev_and_the_scripts_know_the_same_tasks(capsys: pytest.CaptureFixture[str]) -> None:
    """Each task that `./dev` takes is offered by all three scripts, and its head names it."""
    dev = (ROOT / "dev").read_text("utf-8")
    (cases,) = re.findall(r"^case \$\{1:-\} in\n(.*)\)$", dev, re.MULTILINE)
    assert tuple(cases.split(" | ")) == DEV_TASKS
    assert tuple(re.findall(r"^#   \./dev ([a-z]+)", dev, re.MULTILINE)) == DEV_TASKS
    offers = {"bash": '-W "{}"', "zsh": "compadd -- {}\n", "fish": '--arguments "{}"'}
    for shell, offer in offers.items():
        printed = script(shell, capsys)
        assert offer.format(" ".join(DEV_TASKS)) in printed
        assert "TASK" not in printed


def test_another_shell_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """A shell that is not known is refused with those that are."""
    assert main(["completion", "ksh"]) == 2
    assert "'bash', 'zsh', 'fish'" in capsys.readouterr().err
