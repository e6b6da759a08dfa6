"""The guides print the examples as they are, and the examples are whole."""

import re
import shutil
import subprocess
from itertools import groupby
from pathlib import Path

import pytest

from tests.support.documents import ROOT, Block, blocks

GUIDES = {"docs/publishing.md": "examples/channel", "docs/subscribing.md": "examples/subscriber"}
EXAMPLES = sorted(
    str(path.relative_to(ROOT))
    for directory in GUIDES.values()
    for path in (ROOT / directory).iterdir()
    if path.suffix in {".py", ".sh", ".java"}
)
_QUOTING = [block for block in blocks() if block.file is not None]


def _parts(file: str) -> list[Block]:
    return [block for block in _QUOTING if block.file == file]


@pytest.mark.parametrize("block", _QUOTING, ids=str)
def test_a_block_that_names_a_file_is_part_of_it(block: Block) -> None:
    """What a guide prints as a file's code stands in that file, line by line."""
    assert block.file is not None
    assert block.text in (ROOT / block.file).read_text("utf-8")


@pytest.mark.parametrize("example", EXAMPLES)
def test_a_guide_prints_all_of_an_example(example: str) -> None:
    """Its blocks together are the whole file, so a reader who copies them has a program that runs."""
    printed = "".join(block.text for block in _parts(example))
    assert printed.split("\n") == (ROOT / example).read_text("utf-8").split("\n")


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_has_its_command_in_the_guide(example: str) -> None:
    """One block of its guide's commands starts it."""
    guide = next(guide for guide, directory in GUIDES.items() if example.startswith(directory))
    starting = [block.document for block in blocks() if block.is_commands and f" {example} " in block.text]
    assert starting.count(guide) == 1


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_finds_the_broker_that_up_starts(example: str) -> None:
    """Without a setting it takes the embedded broker's address, and it can be told another one."""
    text = (ROOT / example).read_text("utf-8")
    assert "127.0.0.1:9092" in text
    assert "TICKETFLOW_KAFKA_BOOTSTRAP_SERVERS" in text
    assert "TICKETFLOW_TOPIC_PREFIX" in text


@pytest.mark.parametrize("example", [name for name in EXAMPLES if name.endswith(".java")])
def test_a_java_example_is_one_whole_file(example: str) -> None:
    """Outside any package, its one public class is named as the file and can be started."""
    text = (ROOT / example).read_text("utf-8")
    assert not re.search(r"^package ", text, re.MULTILINE)
    assert re.findall(r"^public (?:final )?class (\w+)", text, re.MULTILINE) == [Path(example).stem]
    assert "public static void main(String[] arguments)" in text
    assert text.count("{") == text.count("}")
    imported = re.findall(r"^import ([\w.]+);", text, re.MULTILINE)
    known = ("java.", "org.apache.kafka.", "com.fasterxml.jackson.")
    assert [name for name in imported if not name.startswith(known)] == []
    assert [name for name in imported if len(re.findall(rf"\b{name.rsplit('.')[-1]}\b", text)) < 2] == []


@pytest.mark.parametrize("example", [name for name in EXAMPLES if name.endswith(".sh")])
def test_a_shell_example_is_for_every_shell(example: str) -> None:
    """The system's sh, whichever it is, takes its syntax."""
    sh = shutil.which("sh")
    assert sh is not None
    checked = subprocess.run([sh, "-n", str(ROOT / example)], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_the_guides_quote_nothing_else() -> None:
    """Each file that a block names is an example; the blocks of one file follow each other."""
    assert {block.file for block in _QUOTING} == set(EXAMPLES)
    assert len([file for file, _ in groupby(block.file for block in _QUOTING)]) == len(EXAMPLES)
