"""`./dev torture`: thousands of histories, with progress, kept so that a later run goes on where one ended.

Results are kept under the digest of the code that they speak of: after a change they begin anew.
"""

import argparse
import gc
import hashlib
import json
import logging
import multiprocessing.connection
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from simulator.history import play
from simulator.node import POINTS
from simulator.plan import plan
from simulator.planted import PLANTED

SEEDS: Final = 10_000
LEAST_CRASHES: Final = 50
"""So often every boundary of a step must have been hit by a crash, over the whole run."""
LEAST: Final = {"tickets": 200, "events": 1000, "workers": 2, "faults": 20}
"""What every history must have in it."""
_ROOT: Final = Path(__file__).resolve().parent.parent
_CODE: Final = ("schemas", "workflow", "consumers", "producers", "simulator")


def main(arguments: list[str] | None = None) -> int:
    """Run it; returns the exit status: 0 nothing was found, 1 something was."""
    asked = _arguments(arguments)
    logging.disable(logging.CRITICAL)  # what goes wrong here is wanted
    console = Console(stderr=True, highlight=False, markup=False)
    if asked.planted:
        return plant(asked.seeds if asked.seeds != SEEDS else 40, console)
    path = asked.results or _results()
    done = _read(path)
    console.print(f"Results: {path}, {len(done)} histories played before.", soft_wrap=True)
    try:
        torture(asked.first, asked.seeds, asked.jobs, done, path, console)
    except KeyboardInterrupt:
        console.print("Ended. The same command goes on.")
        return 130
    wanted = range(asked.first, asked.first + asked.seeds)
    total = sum_up(done[seed] for seed in wanted if seed in done)
    print(json.dumps(total.as_dict(), indent=2) if asked.json else "\n".join(total.lines()))
    return 1 if total.failed or total.thin or (total.histories >= SEEDS and total.seldom) else 0


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="./dev torture",
        description="Play histories of the simulator: three days of tickets each, on a cluster that fails.",
        epilog="Ctrl-C ends it, and the same command goes on. A seed's story: ./dev simulate --seed N",
    )
    parser.add_argument("--seeds", type=int, default=SEEDS, help=f"how many ({SEEDS})")
    parser.add_argument("--first", type=int, default=0, help="the first seed (0)")
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, help="how many at a time (all cores)"
    )
    parser.add_argument(
        "--results", type=Path, help="where results are kept (the cache, by the code's digest)"
    )
    parser.add_argument("--json", action="store_true", help="print the sum as JSON")
    parser.add_argument(
        "--planted",
        action="store_true",
        help="plant bugs instead, and say after how many histories each is found",
    )
    return parser.parse_args(arguments)


def _results() -> Path:
    cache = Path(os.environ.get("TICKETFLOW_CACHE_DIR", _ROOT / ".cache"))
    return cache / "torture" / f"{code_digest()}.jsonl"


def code_digest() -> str:
    """Of every module of which the results speak: all but this one, which only hands out and adds up."""
    digest = hashlib.sha256()
    for package in _CODE:
        for path in sorted(set((_ROOT / package).rglob("*.py")) - {Path(__file__).resolve()}):
            digest.update(path.relative_to(_ROOT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _read(path: Path) -> dict[int, Mapping[str, Any]]:
    if not path.exists():
        return {}
    done = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            result = json.loads(line)
        except ValueError:  # none, or one that was being written when its run was killed
            continue
        done[result["seed"]] = result
    return done


_NOTHING: Final = {
    "tickets": 0, "events": 0, "workers": 0, "transactions": 0, "aborted": 0, "firings": 0, "faults": {},
    "crashes": {},
}  # fmt: skip


def one(seed: int) -> dict[str, Any]:
    """Play one seed; what is found is kept as sentences, a history that cannot be played too."""
    try:
        history = play(plan(seed)).as_dict()
    except Exception as bug:  # noqa: BLE001 (whatever it is, it is a finding)
        return {**_NOTHING, "seed": seed, "findings": [f"simulator: {type(bug).__name__}: {bug}"]}
    finally:
        gc.collect()
    return {**history, "findings": [f"{each['checker']}: {each['sentence']}" for each in history["findings"]]}


def torture(
    first: int, seeds: int, jobs: int, done: dict[int, Mapping[str, Any]], path: Path, console: Console
) -> None:
    """Play what is missing of some seeds, and keep each result as it comes."""
    missing = [seed for seed in range(first, first + seeds) if seed not in done]
    path.parent.mkdir(parents=True, exist_ok=True)
    bar = Progress(
        TextColumn("histories"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[found]} found"),
        TimeRemainingColumn(), console=console,
    )  # fmt: skip
    found = sum(bool(result["findings"]) for result in done.values())
    with bar, path.open("a", encoding="utf-8") as file, _pool(jobs) as pool:
        task = bar.add_task("", total=seeds, completed=seeds - len(missing), found=found)
        file.write("\n")  # the run before may have been killed within a line
        for result in _in_parallel(pool.submit, missing, jobs):
            done[result["seed"]] = result
            file.write(json.dumps(result) + "\n")
            file.flush()
            if result["findings"]:
                found += 1
                console.print(f"seed {result['seed']}: {result['findings'][0]}", soft_wrap=True)
            bar.update(task, advance=1, found=found)


def _pool(jobs: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(jobs, initializer=_prepare)


def _prepare() -> None:
    """Make a process ready: what it has by now stays, and what a history leaves is collected after it."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one that hands out
    logging.disable(logging.CRITICAL)
    gc.freeze()
    gc.disable()


def _end_with_parent() -> None:
    """A pool's process would wait for work for ever if its parent was killed."""
    parent = multiprocessing.parent_process()
    assert parent is not None  # noqa: S101 - a pool has started this process
    multiprocessing.connection.wait([parent.sentinel])
    os._exit(1)


def _in_parallel(submit: Callable[..., Any], seeds: Iterable[int], jobs: int) -> Iterator[dict[str, Any]]:
    """Results as they come, with a few seeds waiting and no more."""
    waiting: set[Any] = set()
    for seed in seeds:
        waiting.add(submit(one, seed))
        if len(waiting) >= 2 * jobs:
            finished = next(as_completed(waiting))
            waiting.discard(finished)
            yield finished.result()
    for finished in as_completed(waiting):
        yield finished.result()


@dataclass(slots=True)
class Total:
    """The sum of many histories. `fewest`: the least of a thing that any of them had."""

    histories: int = 0
    tickets: int = 0
    events: int = 0
    transactions: int = 0
    aborted: int = 0
    firings: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    crashes: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    failed: list[int] = field(default_factory=list)
    fewest: dict[str, int] = field(default_factory=dict)

    @property
    def seldom(self) -> list[str]:
        """The boundaries of a step that were hit by too few crashes."""
        return [point for point in POINTS if self.crashes[point] < LEAST_CRASHES]

    @property
    def thin(self) -> list[str]:
        """Of what some history has too little."""
        return [name for name, count in self.fewest.items() if count < LEAST[name]]

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        return {name: getattr(self, name) for name in self.__slots__}

    def lines(self) -> Iterator[str]:
        """For people."""
        yield (
            f"{self.histories} histories: {self.tickets} tickets, {self.events} events, "
            f"{self.transactions} transactions committed and {self.aborted} aborted, {self.firings} firings"
        )
        yield f"faults: {', '.join(f'{count} {kind}' for kind, count in self.faults.most_common())}"
        yield f"at least, in each: {', '.join(f'{count} {name}' for name, count in self.fewest.items())}"
        yield f"crashes: {', '.join(f'{self.crashes[point]} at {point!r}' for point in POINTS)}"
        if self.thin:
            yield f"too little in a history: {', '.join(self.thin)}"
        yield (
            f"fewer than {LEAST_CRASHES} crashes at {', '.join(self.seldom)}"
            if self.seldom
            else f"every boundary of a step was hit by at least {LEAST_CRASHES} crashes"
        )
        if self.failed:
            yield f"findings in {len(self.failed)} histories, by checker: {dict(self.found)}"
            yield f"seeds: {', '.join(map(str, self.failed[:50]))}"
        else:
            yield "0 lost, 0 twice, 0 early: no checker has found anything"


def sum_up(results: Iterable[Mapping[str, Any]]) -> Total:
    """Add histories up."""
    total = Total()
    for result in results:
        total.histories += 1
        for name in ("tickets", "events", "transactions", "aborted", "firings"):
            setattr(total, name, getattr(total, name) + result[name])
        total.faults.update(result["faults"])
        total.crashes.update(result["crashes"])
        total.found.update({finding.split(":")[0] for finding in result["findings"]})
        if result["findings"]:
            total.failed.append(result["seed"])
        counts = {name: result[name] for name in ("tickets", "events", "workers")}
        counts["faults"] = sum(result["faults"].values())
        total.fewest = {name: min(total.fewest.get(name, count), count) for name, count in counts.items()}
    return total


def caught(name: str, seeds: int) -> tuple[int, str] | None:
    """After how many histories a planted bug is found, and by what; None where it is not."""
    for seed in range(seeds):
        findings = play(plan(seed), PLANTED[name]).findings
        if findings:
            return seed + 1, ", ".join(dict.fromkeys(finding.checker for finding in findings))
    return None


def _histories(count: int) -> str:
    return "1 history" if count == 1 else f"{count} histories"


def plant(seeds: int, console: Console) -> int:
    """Say of every planted bug after how many histories it is found; 1 where one is not."""
    table = Table("bug", "found after", "by")
    missed = 0
    for name in PLANTED:
        found = caught(name, seeds)
        missed += found is None
        words = ("not found", f"in {seeds}") if found is None else (_histories(found[0]), found[1])
        console.print(f"{name}: {', '.join(words)}")
        table.add_row(name, *words)
    Console(highlight=False).print(table)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
