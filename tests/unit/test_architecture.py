"""What the design forbids, as a test: wrong imports, clocks in the core, long functions, dead modules."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("schemas", "workflow", "consumers", "producers", "simulator", "ops")

MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "schemas": ("schemas",),
    "workflow": ("schemas", "workflow"),
    "consumers": ("schemas", "workflow", "consumers"),
    "producers": ("schemas", "workflow", "producers", "consumers.log"),
    "simulator": ("schemas", "workflow", "producers", "consumers", "simulator"),
    "ops": PACKAGES,
}
"""Imports point one way."""

KAFKA_CLIENTS = ("kafka", "confluent_kafka", "aiokafka")
COMES_WITH_WHAT_IS_DECLARED = {"pydantic-core", "lz4", "zstandard"}
"""The inside of pydantic, and what the extras of kafka-python are."""
FOR_OTHERS = {"producers.publisher"}
"""What channels import (docs/publishing.md)."""
FOR_TESTS = {"consumers.memory_feed"}
"""The in-memory log's part that no command needs: subscribers are tested on it."""

MAY_IMPORT_KAFKA = re.compile(
    r"consumers/(kafka_\w+|librdkafka\w*|memory\w*)\.py|ops/topics\.py|simulator/(kafka_python\w*|node)\.py"
)
"""The simulator's clients raise what kafka-python raises."""

FORBIDDEN_IN_THE_CORE = {
    "asyncio", "concurrent", "glob", "http", "io", "logging", "multiprocessing", "os", "pathlib", "random",
    "secrets", "select", "shutil", "signal", "socket", "sqlite3", "ssl", "subprocess", "sys", "tempfile",
    "threading", "time", "urllib", "uuid",
}  # fmt: skip
FORBIDDEN_CALLS = {"open", "input", "print", "eval", "exec"}
CLOCKS = {"now", "utcnow", "today"}

LONGEST_FUNCTION = 70
LONGEST_MODULE = 400

TELLS_PEOPLE = {
    ("ops/cli.py", "_ended"), ("ops/watch.py", "_run"),
    ("simulator/process.py", "_turn"), ("simulator/torture.py", "one"),
}  # fmt: skip
"""What catches everything: one makes a sentence and an exit status of it, a thread hands it on, and in the
simulator it is a finding."""


def modules() -> list[Path]:
    """Every module of the product."""
    return [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def suites() -> list[Path]:
    """Every module of the tests."""
    return sorted((ROOT / "tests").rglob("*.py"))


def shown(path: Path) -> str:
    """The path as a person writes it."""
    return path.relative_to(ROOT).as_posix()


def dotted(path: Path) -> str:
    """The name under which a module is imported."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def tree(path: Path) -> ast.Module:
    """The syntax of a module."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and full name of everything that a module imports."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, name.name) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{shown(path)}:{node.lineno} imports relatively"
            yield from ((node.lineno, f"{node.module}.{name.name}") for name in node.names)


def within(name: str, allowed: tuple[str, ...]) -> bool:
    """Whether a name is one of these modules or inside one."""
    return any(name == each or name.startswith(f"{each}.") for each in allowed)


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method of a module."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_point_one_way(package: str) -> None:
    """Schemas ← workflow ← consumers, producers ← simulator ← ops; producers know only the log."""
    wrong = [
        f"{shown(path)}:{line} imports {name}"
        for path in sorted((ROOT / package).rglob("*.py"))
        for line, name in imports(path)
        if name.split(".")[0] in (*PACKAGES, "tests", "benchmarks") and not within(name, MAY_IMPORT[package])
    ]
    assert wrong == []


def _distribution(name: str) -> str:
    """A distribution's name as all its spellings are compared."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _declared() -> set[str]:
    """The distributions that ours says it needs, or that an extra of it needs."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    needed = [*project["dependencies"], *(each for extra in extras for each in extra)]
    return {_distribution(re.split(r"[^\w.-]", each)[0]) for each in needed}


def test_what_is_imported_is_declared() -> None:
    """No module of the product comes only because something else happens to need it."""
    distributions, declared = packages_distributions(), _declared() | COMES_WITH_WHAT_IS_DECLARED
    wrong = []
    for path in modules():
        for line, name in imports(path):
            package = name.split(".")[0]
            if package in (*PACKAGES, *sys.stdlib_module_names):
                continue
            if declared.isdisjoint(map(_distribution, distributions.get(package, [package]))):
                wrong.append(f"{shown(path)}:{line} imports {name}")
    assert wrong == []


def test_only_the_adapters_know_a_kafka_client() -> None:
    """Nothing but the implementations of the log and the administration of topics imports a Kafka client."""
    wrong = [
        f"{shown(path)}:{line} imports {name}"
        for path in modules()
        for line, name in imports(path)
        if name.split(".")[0] in KAFKA_CLIENTS and not MAY_IMPORT_KAFKA.fullmatch(shown(path))
    ]
    assert wrong == []


@pytest.mark.parametrize("package", ["schemas", "workflow"])
def test_the_core_has_no_clock_no_chance_and_no_input_or_output(package: str) -> None:
    """Time, ids and files are passed in: no such module, no `now`, no `open` in the core."""
    wrong = []
    for path in sorted((ROOT / package).rglob("*.py")):
        for line, name in imports(path):
            if name.split(".")[0] in FORBIDDEN_IN_THE_CORE or name in ("datetime.time",):
                wrong.append(f"{shown(path)}:{line} imports {name}")
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call) and _is_forbidden(node.func):
                wrong.append(f"{shown(path)}:{node.lineno} calls {ast.unparse(node.func)}")
    assert wrong == []


def _is_forbidden(called: ast.expr) -> bool:
    if isinstance(called, ast.Name):
        return called.id in FORBIDDEN_CALLS
    if isinstance(called, ast.Attribute) and called.attr in CLOCKS:
        return "datetime" in ast.unparse(called.value) or ast.unparse(called.value).endswith("date")
    return False


def test_functions_are_short() -> None:
    """No function of ours is longer than 70 lines."""
    wrong = [
        f"{shown(path)}:{node.lineno} {node.name} has {(node.end_lineno or 0) - node.lineno + 1} lines"
        for path in (*modules(), *suites())
        for node in functions(path)
        if (node.end_lineno or 0) - node.lineno + 1 > LONGEST_FUNCTION
    ]
    assert wrong == []


def test_modules_are_short() -> None:
    """No module of the product is longer than 400 lines."""
    lengths = {shown(path): len(path.read_text(encoding="utf-8").splitlines()) for path in modules()}
    assert {name: length for name, length in lengths.items() if length > LONGEST_MODULE} == {}


def test_no_module_is_dead() -> None:
    """Every module is imported by another one or by channels, or can be started by its `__main__` part."""
    used = FOR_OTHERS | FOR_TESTS
    for path in modules():
        if '__name__ == "__main__"' in path.read_text(encoding="utf-8"):
            used.add(dotted(path))
        for _, name in imports(path):
            if not within(name, (dotted(path),)):
                used |= {name, name.rpartition(".")[0]}
    names = {dotted(path) for path in modules() if path.name not in ("__init__.py", "__main__.py")}
    assert names - used == set()


def test_every_test_says_in_one_sentence_what_it_states() -> None:
    """Each test function has a docstring of one sentence or a few, ended by a full stop."""
    wrong = []
    for path in suites():
        for node in functions(path):
            if not node.name.startswith("test_"):
                continue
            text = ast.get_docstring(node) or ""
            if not text.rstrip().endswith(".") or "\n\n" in text:
                wrong.append(f"{shown(path)}:{node.lineno} {node.name}")
    assert wrong == []


def test_no_test_is_skipped_or_expected_to_fail() -> None:
    """Tests run, all of them: no skip and no xfail, by mark or by call."""
    wrong = []
    for path in suites():
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Attribute) and node.attr in ("skip", "skipif", "xfail", "importorskip"):
                wrong.append(f"{shown(path)}:{node.lineno} {ast.unparse(node)}")
    assert wrong == []


def test_no_error_is_swallowed() -> None:
    """No bare `except`, and none of `Exception` that does not raise again."""
    wrong = []
    for path in modules():
        exempt = {
            line
            for node in functions(path)
            if (shown(path), node.name) in TELLS_PEOPLE
            for line in range(node.lineno, (node.end_lineno or 0) + 1)
        }
        for node in ast.walk(tree(path)):
            if not isinstance(node, ast.ExceptHandler) or node.lineno in exempt:
                continue
            caught = "" if node.type is None else ast.unparse(node.type)
            raises = any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
            if caught in ("", "Exception", "BaseException") and not raises:
                wrong.append(f"{shown(path)}:{node.lineno}")
    assert wrong == []
