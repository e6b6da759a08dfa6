"""Where a user's files are by the XDG Base Directory Specification (freedesktop.org)."""

import os
from pathlib import Path


def data_directory() -> Path | None:
    """Return our directory for data; None: this user has no home directory."""
    return _ours("XDG_DATA_HOME", ".local/share")


def cache_directory() -> Path | None:
    """Return our directory for what can be fetched again; None: this user has no home directory."""
    return _ours("XDG_CACHE_HOME", ".cache")


def demo_directory(data_dir: Path) -> Path:
    """Return where the demo keeps its data if nobody says where: below the directory for data."""
    return data_dir / "demo"


def _ours(variable: str, below_home: str) -> Path | None:
    base = os.environ.get(variable, "")
    if os.path.isabs(base):  # the specification: a relative path counts as not set
        return Path(base) / "ticketflow"
    try:
        return Path.home() / below_home / "ticketflow"
    except RuntimeError:
        return None
