"""The documents say what the code says, and what they tell people to type is right."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from ops.cli import app
from ops.completion import DEV_TASKS
from ops.docs import pages
from ops.settings import PREFIX, Settings
from tests.support.documents import DOCUMENTS, ROOT, Block, arguments_of, blocks, commands

_LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_VARIABLE = re.compile(rf"\b{PREFIX}([A-Z_]+)\b")
_COMMANDS = [block for block in blocks() if block.is_commands]


@pytest.mark.parametrize("path", sorted(pages()))
def test_a_generated_page_is_current(path: str) -> None:
    """The page in the checkout is what the code would write now (`python -m ops.docs`)."""
    assert (ROOT / path).read_text(encoding="utf-8") == pages()[path]


def _leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if hasattr(command, "commands"):
        for name, inner in command.commands.items():
            yield from _leaves(inner, (*path, name))
    else:
        yield path, command


def _disarmed() -> Any:
    """Return our command, which parses everything and does nothing."""
    command = typer.main.get_command(app)
    for _, leaf in _leaves(command):
        leaf.callback = lambda **_: None
    return command


def _ticketflow(block: Block) -> list[list[str]]:
    found = [arguments_of(words, "./dev", "ticketflow") for words in commands(block.text)]
    return [arguments for arguments in found if arguments]


@pytest.mark.parametrize("block", _COMMANDS, ids=str)
def test_a_printed_command_can_be_typed(block: Block) -> None:
    """Each command of ours has the subcommand, the options and as many arguments as are printed."""
    for arguments in _ticketflow(block):
        if arguments[0] not in DEV_TASKS:
            _disarmed().main(args=arguments, standalone_mode=False)


def test_a_misprinted_command_is_noticed() -> None:
    """The check above sees an option that is not there, behind an assignment and a pipe, too."""
    block = Block(
        "a document", 1, "sh", None, "echo '{}' |\n  TICKETFLOW_POLICY=p ./dev publish --nonsense -\n"
    )
    ((*arguments,),) = _ticketflow(block)
    assert arguments == ["publish", "--nonsense", "-"]
    with pytest.raises(Exception, match="--nonsense"):
        _disarmed().main(args=arguments, standalone_mode=False)


@pytest.mark.parametrize("block", _COMMANDS, ids=str)
def test_a_printed_command_names_files_that_are_there(block: Block) -> None:
    """What is in the checkout by its path is really in it."""
    ours = ("examples/", "docs/", "tests/", "workflow/", "benchmarks/", "./")
    named = [word for words in commands(block.text) for word in words if word.startswith(ours)]
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_setting_that_is_named_exists(document: str) -> None:
    """Every TICKETFLOW_ variable in a document is one of the settings."""
    named = {
        name for name in _VARIABLE.findall((ROOT / document).read_text("utf-8")) if not name.endswith("_")
    }
    assert named - {field.upper() for field in Settings.model_fields} == set()


@pytest.mark.parametrize("block", [block for block in blocks() if block.language == "yaml"], ids=str)
def test_a_printed_settings_file_has_settings_only(block: Block) -> None:
    """Every line of it is a setting, by the name that it has in files."""
    assert yaml.safe_load(block.text).keys() <= Settings.model_fields.keys()


def _anchors(path: Path) -> set[str]:
    headings = _HEADING.findall(_FENCED.sub("", path.read_text("utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", [*DOCUMENTS, "examples/README.md", "CHANGELOG.md"])
def test_a_link_leads_somewhere(document: str) -> None:
    """Every link to a file of the checkout, and to a heading in it, has its goal."""
    path = ROOT / document
    for name, anchor in _LINK.findall(_FENCED.sub("", path.read_text("utf-8"))):
        goal = Path(os.path.normpath(path.parent / name)) if name else path
        assert goal.exists(), name
        assert not anchor or anchor in _anchors(goal), f"{name}#{anchor}"


def _first_cells(section: str) -> list[str]:
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row.split(" | ")[0])]


def test_every_setting_is_documented() -> None:
    """The table of settings is whole, and each stands in it once."""
    head, *names = _first_cells((ROOT / "docs" / "settings.md").read_text("utf-8"))
    assert head == f"{PREFIX}…"
    assert sorted(names) == sorted(name.upper() for name in Settings.model_fields)


def test_the_readme_has_every_command() -> None:
    """The table of commands is whole."""
    text = (ROOT / "README.md").read_text("utf-8")
    cells = _first_cells(text.split("\n## Commands\n")[1].split("\n## ")[0])
    listed = {" ".join(found.group().split()) for cell in cells if (found := re.match("[a-z ]+", cell))}
    existing = {" ".join(path) for path, leaf in _leaves(typer.main.get_command(app)) if not leaf.hidden}
    assert listed == existing
