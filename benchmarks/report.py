"""What a benchmark found, for people and for machines."""

import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Row:
    """One figure. `note`: what to compare it with."""

    name: str
    value: float
    unit: str
    note: str = ""


@dataclass(frozen=True)
class Result:
    """A benchmark's figures, and in one sentence what was done."""

    name: str
    what: str
    rows: Sequence[Row] = field(default_factory=tuple)

    def as_dict(self) -> dict[str, object]:
        """For machines."""
        return {
            "name": self.name,
            "what": self.what,
            "figures": [
                {"name": row.name, "value": row.value, "unit": row.unit, "note": row.note}
                for row in self.rows
            ],
        }

    def show(self, console: Console) -> None:
        """For people."""
        table = Table(title=self.name, caption=self.what, title_justify="left", caption_justify="left")
        table.add_column("")
        table.add_column("figure", justify="right")
        table.add_column("unit")
        table.add_column("note", style="dim")
        for row in self.rows:
            table.add_row(row.name, _number(row.value), row.unit, row.note)
        console.print(table)


def machine() -> Mapping[str, object]:
    """Where it was measured: figures of two machines are not comparable, ratios may be."""
    import os

    return {
        "python": sys.version.split()[0],
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
    }


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least that share of all does not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(-(-len(ordered) * round(share * 1000) // 1000) - 1, 0)]


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.1f}" if abs(value) >= 1 else f"{value:.3f}"
