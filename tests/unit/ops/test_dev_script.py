"""`./dev` before it has anything: what it says, and that CI runs what the README says."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
TOOLS = ("sh", "dirname", "cat", "cksum", "tr", "mkdir", "rm", "basename")


def _run(dev: Path, *arguments: str, path: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": path, "HOME": str(dev.parent), **variables}
    return subprocess.run(
        [str(dev), *arguments], env=environment, capture_output=True, text=True, check=False, timeout=30
    )


def _checkout(parent: Path) -> Path:
    copy = parent / "a checkout"
    copy.mkdir()
    for name in ("dev", "pyproject.toml", *(lock.name for lock in ROOT.glob("requirements*.txt"))):
        (copy / name).write_bytes((ROOT / name).read_bytes())
    (copy / "dev").chmod(0o755)
    return copy


def _tools(directory: Path) -> Path:
    directory.mkdir()
    for tool in TOOLS:
        place = next(p for p in ("/bin", "/usr/bin") if os.path.exists(f"{p}/{tool}"))
        (directory / tool).symlink_to(f"{place}/{tool}")
    return directory


def test_without_a_python_it_says_so_in_one_sentence(tmp_path: Path) -> None:
    """On a machine with no Python 3.11+ the answer is one line, in a path with a space too."""
    old = _tools(tmp_path / "tools") / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")  # as a Python 3.9 answers the question for its version
    old.chmod(0o755)
    done = _run(_checkout(tmp_path) / "dev", "up", path=str(tmp_path / "tools"))
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "./dev: no Python 3.11 or newer was found on the PATH: install one (such as python3.12), "
        "then start again."
    ]


def test_a_python_without_venv_is_named(tmp_path: Path) -> None:
    """A distribution that ships Python without ensurepip is told which package to install."""
    python = _tools(tmp_path / "tools") / "python3"
    python.write_text('#!/bin/sh\ncase "$2" in *ensurepip*) exit 1 ;; esac\nexit 0\n')
    python.chmod(0o755)
    done = _run(_checkout(tmp_path) / "dev", "up", path=str(tmp_path / "tools"))
    assert done.returncode == 1
    assert "python3-venv" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "asked_for"),
    [
        (["up"], "up"), (["broker"], "broker"), (["--config", "up.yaml", "up", "--demo"], "up up.yaml"),
        (["--config=a file", "broker"], "broker a file"), (["--config", "up", "verify"], None),
        (["--config"], None), (["worker"], None), ([], None),
    ],
)  # fmt: skip
def test_what_may_need_a_broker_is_asked_for_java_also_behind_an_option(
    tmp_path: Path, arguments: list[str], asked_for: str | None
) -> None:
    """The settings file is passed on, for it may name a cluster; nothing is fetched before the command."""
    copy, tools = _checkout(tmp_path), _tools(tmp_path / "tools")
    asked = tmp_path / "asked"
    _set_up(copy, tools, python=f'echo "$@" >>"{asked}"')
    done = _run(copy / "dev", *arguments, path=str(tools))
    assert (done.returncode, done.stderr) == (0, "")
    question = [] if asked_for is None else [f"-P -m ops.java {asked_for}"]
    assert (asked.read_text().splitlines() if asked.exists() else []) == question


@pytest.mark.parametrize("installed", [False, True])
def test_a_java_that_is_missing_is_installed_once(tmp_path: Path, installed: bool) -> None:
    """Where the answer is that there is none, the set-up begins, unless it is done."""
    copy, tools = _checkout(tmp_path), _tools(tmp_path / "tools")
    _set_up(copy, tools, python="exit 1")
    if installed:
        _stamp(copy, tools, "requirements-java.txt")
    done = _run(copy / "dev", "up", path=str(tools))
    # It cannot get far here, for this machine has no Python but that of the checkout.
    assert (done.returncode, "no Python 3.11" in done.stderr) == ((0, False) if installed else (1, True))


@pytest.mark.parametrize(
    ("home", "variables", "data_home"),
    [
        ("/nonexistent", {}, ".cache/data"),
        ("/nonexistent", {"XDG_DATA_HOME": "/their/own"}, "/their/own"),
        (".", {}, None),
    ],
    ids=["no home", "their own choice", "a home"],
)
def test_without_a_home_data_is_in_the_checkout_and_nothing_counts_as_set(
    home: str, variables: dict[str, str], data_home: str | None, tmp_path: Path
) -> None:
    """No setting is made for the person, or the demo would take it for a choice and play in the real data."""
    copy, tools = _checkout(tmp_path), _tools(tmp_path / "tools")
    _set_up(copy, tools, command='echo "${TICKETFLOW_DATA_DIR-none} ${XDG_DATA_HOME-none}"')
    done = _run(copy / "dev", "top", path=str(tools), HOME=str(copy / home), **variables)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"none {'none' if data_home is None else copy / data_home}\n"


def _set_up(copy: Path, tools: Path, *, python: str = "", command: str = "") -> None:
    """What the set-up of the runtime leaves, with these lines of shell for its two programs."""
    programs = copy / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name, lines in (("python", python), ("ticketflow", command)):
        (programs / name).write_text(f"#!/bin/sh\n{lines}\n")
        (programs / name).chmod(0o755)
    _stamp(copy, tools, "requirements.txt")


def _stamp(copy: Path, tools: Path, lock: str) -> None:
    """What a set-up of this lock leaves: the digest that `./dev` makes."""
    digest = subprocess.run(
        ["/bin/sh", "-c", f"cat pyproject.toml {lock} | cksum | tr ' ' '-'"],
        cwd=copy, env={"PATH": str(tools)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    (copy / ".venv" / f"stamp-{lock}").write_text(f"{copy} {digest.stdout}")


def test_ci_runs_the_readmes_test_command() -> None:
    """The last thing that CI does is `./dev test`, with nothing added."""
    assert (ROOT / ".ci" / "run").read_text().splitlines()[-1] == "exec ./dev test"


def test_no_lock_names_a_registry() -> None:
    """The locked requirements have hashes for everything and addresses for nothing."""
    for lock in ROOT.glob("requirements*.txt"):
        text = lock.read_text()
        assert "://" not in text
        pins = [line for line in text.splitlines() if "==" in line and not line.startswith("#")]
        assert pins
        assert all(line.endswith("\\") for line in pins)
