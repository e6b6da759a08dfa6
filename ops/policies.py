"""Finding the policy that is in force: a file, a folder of versions, or the one that comes with us."""

from importlib import resources
from pathlib import Path

from ops.settings import SettingsError
from workflow import policy_file
from workflow.policy import Policies, Policy
from workflow.policy_file import PolicyError, Problem

_DEFAULT = "gosuslugi.yaml"
_SUFFIXES = (".yaml", ".yml")
_MOST_FILES = 100
# A character takes up to four bytes; workflow.yaml_reader has the limit in characters.
_MOST_BYTES = 4 << 20


def load(path: Path | None) -> Policies:
    """The versions in a file or folder; None: the default policy.

    Raises:
        SettingsError: there is nothing at `path`.
        PolicyError: a sentence for each problem, with file and line.
    """
    if path is None:
        return policy_file.policies([(_DEFAULT, default_text())])
    return policy_file.policies(_texts(path))


def reviewed(path: Path) -> tuple[Policies, tuple[Problem, ...]]:
    """The versions in a file or folder, and hints: what in them has no effect. Raises as `load`."""
    return policy_file.reviewed(_texts(path))


def last_version(name: str, path: Path | None) -> Policy:
    """What a file or a folder states (of a folder the version that comes into force last).

    Where there is no such file and the name is that of a version, `policy@version`, it is taken from `path`,
    as `load` reads it. Raises as `load`.
    """
    if "@" in name and not Path(name).exists():
        versions = {each.label: each for each in load(path).versions}
        if name in versions:
            return versions[name]
        known = ", ".join(versions)
        raise SettingsError(
            f"There is no such file, and TICKETFLOW_POLICY has no such version, only {known}."
        )
    return load(Path(name)).versions[-1]


def default_text() -> str:
    """The default policy as its file states it."""
    return resources.files("workflow.policies").joinpath(_DEFAULT).read_text(encoding="utf-8")


def _texts(path: Path) -> list[tuple[str, str]]:
    if not path.exists():
        raise SettingsError(f"There is no policy at {path}: name a policy file, or a folder of versions.")
    return [(str(file), _text(file)) for file in _files(path)]


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    try:
        files = sorted(
            file
            for file in path.iterdir()
            if file.suffix in _SUFFIXES and not file.name.startswith(".") and file.is_file()
        )
    except OSError as error:
        raise _refused(path, f"The folder of the policy cannot be read: {error.strerror}.") from error
    if not files:
        raise _refused(path, "The folder holds no policy: a version is a file that ends in .yaml.")
    if len(files) > _MOST_FILES:
        raise _refused(path, f"The folder holds more than {_MOST_FILES} versions of the policy.")
    return files


def _text(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            content = stream.read(_MOST_BYTES + 1)
    except OSError as error:
        raise _refused(file, f"The policy file cannot be read: {error.strerror}.") from error
    if len(content) > _MOST_BYTES:
        raise _refused(file, "The file is too large to be a policy.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _refused(file, "A policy file is UTF-8 text, and this is not.", line) from None


def _refused(path: Path, sentence: str, line: int = 1) -> PolicyError:
    return PolicyError((Problem(line, sentence, str(path)),))
