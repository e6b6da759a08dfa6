"""What README and guides print in fenced blocks, and the command lines in it."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
DOCUMENTS = ("README.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md"))))

_FENCE = re.compile(r"^```(?P<language>\w*)(?: (?P<file>\S+))?\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_ASSIGNMENT = re.compile(r"^[A-Z_]+=")
_OPERATORS = frozenset("|&;()\n")


@dataclass(frozen=True)
class Block:
    """A fenced block. `file` is the file that it says it is a part of."""

    document: str
    line: int
    language: str
    file: str | None
    text: str

    @property
    def is_commands(self) -> bool:
        """Whether it is for the reader's shell."""
        return self.language == "sh" and self.file is None

    def __str__(self) -> str:
        return f"{self.document}:{self.line}"


def blocks() -> list[Block]:
    """Every fenced block of README and guides."""
    return [block for document in DOCUMENTS for block in _blocks(document)]


def _blocks(document: str) -> Iterator[Block]:
    text = (ROOT / document).read_text("utf-8")
    for found in _FENCE.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        yield Block(document, line, found["language"], found["file"], found["text"])


def commands(script: str) -> list[list[str]]:
    """The simple commands of a script as words, assignments before them included."""
    lexer = shlex.shlex(script.replace("\\\n", " "), posix=True, punctuation_chars="();|&\n")
    lexer.whitespace = " \t\r"
    lexer.whitespace_split = True
    found: list[list[str]] = [[]]
    for word in lexer:
        if set(word) <= _OPERATORS:
            found.append([])
        else:
            found[-1].append(word)
    return [words for words in found if words]


def arguments_of(words: list[str], *programs: str) -> list[str] | None:
    """What a simple command gives one of these programs; None if it starts none of them."""
    while words and (words[0] == "export" or _ASSIGNMENT.match(words[0])):
        words = words[1:]
    if not words or words[0] not in programs:
        return None
    redirected = [place for place, word in enumerate(words) if word.startswith((">", "<", "2>"))]
    return words[1 : redirected[0]] if redirected else words[1:]
