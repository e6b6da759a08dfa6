"""Reading YAML so that every problem is found, each with its line, in one go.

Works on the tree of nodes and on the text of scalars as written: YAML 1.1 would turn an unquoted ``09:00``
into the number 540 and an unquoted date into a date. Messages say what is expected and what was perhaps
meant; they do not repeat what the file says, which may be anything (people's data, in a wrong file).
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Final

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

LONGEST_TEXT: Final = 1 << 20
"""Characters of a policy file; the default policy has some 10,000."""
MOST_PROBLEMS: Final = 100
"""Problems reported of one file: whoever has more has named the wrong file."""
_MOST_ITEMS: Final = 10_000

_NULL: Final = "tag:yaml.org,2002:null"


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """Something wrong in a policy file, at a line counted from 1. ``source`` is the file's name, if known."""

    line: int
    message: str
    source: str = ""

    def __str__(self) -> str:
        return f"{self.source}:{self.line}: {self.message}" if self.source else f"{self.line}: {self.message}"


@dataclass(slots=True)
class Reader:
    """Collects the problems of one file while its nodes are read. Methods return None where there is one."""

    problems: list[Problem] = field(default_factory=list)
    failures: int = 0
    """How often something was wrong, repetitions and what is beyond the hundredth included."""

    def fail(self, at: Node | int, message: str) -> None:
        """Note a problem at a node or a line; what is beyond the hundredth is dropped."""
        self.failures += 1
        if len(self.problems) < MOST_PROBLEMS:
            problem = Problem(at if isinstance(at, int) else line_of(at), message)
            if problem not in self.problems:
                self.problems.append(problem)

    def document(self, text: str) -> Node | None:
        """The root of a text's only document."""
        if len(text) > LONGEST_TEXT:
            self.fail(1, f"the file is longer than {LONGEST_TEXT} characters")
            return None
        try:
            root = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.reader.ReaderError as error:
            self.fail(
                text.count("\n", 0, error.position) + 1, "there is a character that YAML does not allow"
            )
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            self.fail(mark.line + 1 if mark else 1, _yaml_words(error))
        except RecursionError:
            self.fail(1, "lists and mappings are nested far deeper than a policy needs")
        else:
            if root is None:
                self.fail(1, "the file is empty")
            return root
        return None

    def mapping(
        self, node: Node, what: str, known: Collection[str] | None = None, required: Iterable[str] = ()
    ) -> dict[str, Node] | None:
        """The entries of a mapping. Duplicate, unknown and missing keys are noted; unknown ones left out."""
        if not isinstance(node, MappingNode):
            self.fail(node, f"{what} must be a mapping, `key: value`")
            return None
        entries: dict[str, Node] = {}
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                self.fail(key, f"a key of {what} must be plain text")
            elif key.value in entries:
                self.fail(key, f"a key stands twice in {what}; keep one")
            elif known is not None and key.value not in known:
                self.fail(key, f"{what} has no such key; {alternatives(key.value, known)}")
            else:
                entries[key.value] = value
        for name in required:
            if name not in entries:
                self.fail(node, f"{what} needs `{name}`")
        return entries

    def items(self, node: Node, what: str, most: int = _MOST_ITEMS) -> list[Node]:
        """The items of a list; none where it is not one or has more than ``most``."""
        if not isinstance(node, SequenceNode):
            self.fail(node, f"{what} must be a list, as in `[…]`")
            return []
        if len(node.value) > most:
            self.fail(node, f"{what} has more than {most} entries")
            return []
        return list(node.value)

    def text(self, node: Node, what: str) -> str | None:
        """A scalar as it is written."""
        if not isinstance(node, ScalarNode) or node.tag == _NULL or not node.value:
            self.fail(node, f"{what} must be a single value")
            return None
        return str(node.value)

    def choice(self, node: Node, what: str, known: Collection[str]) -> str | None:
        """A scalar that is one of the known names."""
        text = self.text(node, what)
        if text is not None and text not in known:
            self.fail(node, f"{what} names something unknown; {alternatives(text, known)}")
            return None
        return text

    def choices(self, node: Node, what: str, known: Collection[str]) -> tuple[str, ...]:
        """A list of different known names, in their order."""
        found: list[str] = []
        for item in self.items(node, what):
            name = self.choice(item, what, known)
            if name in found:
                self.fail(item, f"{what} names the same thing twice; keep one")
            elif name is not None:
                found.append(name)
        return tuple(found)


def line_of(node: Node) -> int:
    """The line on which a node begins, counted from 1."""
    return int(node.start_mark.line) + 1


def is_empty_list(node: Node) -> bool:
    """Whether a node is ``[]``: another message than for a list of wrong items."""
    return isinstance(node, SequenceNode) and not node.value


def alternatives(text: str, known: Collection[str]) -> str:
    """What to write instead: the nearest known name, or all of them where they are few."""
    near = get_close_matches(text[:64], known, n=1)
    if near:
        return f"was `{near[0]}` meant?"
    names = [f"`{name}`" for name in known]
    return f"known: {', '.join(names[:20])}" + (", …" if len(names) > 20 else "")


def _yaml_words(error: yaml.MarkedYAMLError) -> str:
    """What a YAML error is about, without what it quotes from the file."""
    kind = {
        yaml.scanner.ScannerError: "the text cannot be split into YAML's signs: a missing quote, or a tab",
        yaml.parser.ParserError: "the structure is not YAML: look at the indentation, brackets and commas",
        yaml.composer.ComposerError: "an alias without its anchor, an anchor twice, or a second document",
    }
    return f"this is not valid YAML: {kind.get(type(error), 'it breaks off here')}"
