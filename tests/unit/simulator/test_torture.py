"""Playing thousands of histories: what is kept, what goes on, what the sum says."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from simulator import torture
from simulator.node import POINTS
from tests.support.system import awaited

RESULT: dict[str, Any] = {
    "seed": 0, "tickets": 210, "events": 1000, "workers": 2, "transactions": 9, "aborted": 2, "firings": 5,
    "faults": {"crash": 20}, "crashes": dict.fromkeys(POINTS, 50), "digest": "d",
    "findings": [],
}  # fmt: skip


def test_a_run_plays_only_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seeds whose results are there, the last line cut off by a kill or not, are not played again."""
    path = tmp_path / "results.jsonl"
    path.write_text(json.dumps({**RESULT, "seed": 1}) + "\n" + json.dumps({**RESULT, "seed": 2})[:20])
    played: list[int] = []

    def in_parallel(_: object, seeds: list[int], jobs: int) -> list[dict[str, Any]]:
        assert jobs == 1
        played.extend(seeds)
        return [{**RESULT, "seed": seed} for seed in seeds]

    monkeypatch.setattr(torture, "_in_parallel", in_parallel)
    done = torture._read(path)
    torture.torture(0, 4, 1, done, path, Console(quiet=True))
    assert played == [0, 2, 3]
    assert sorted(torture._read(path)) == sorted(done) == [0, 1, 2, 3]


def test_the_sum_says_what_was_found_and_hit() -> None:
    """Findings are named with their seeds; without one it says so; a boundary seldom hit is named."""
    whole = torture.sum_up([RESULT])
    assert list(whole.lines())[-1].startswith("0 lost, 0 twice, 0 early")
    assert f"hit by at least {torture.LEAST_CRASHES} crashes" in "\n".join(whole.lines())
    found = torture.sum_up(
        [RESULT, {**RESULT, "seed": 7, "findings": ["once: x", "oracle: y"], "crashes": {}}]
    )
    assert (found.failed, dict(found.found)) == ([7], {"once": 1, "oracle": 1})
    assert "seeds: 7" in list(found.lines())
    seldom = torture.sum_up([{**RESULT, "crashes": {"poll": 49}}])
    assert "fewer than 50 crashes at start, poll" in "\n".join(seldom.lines())


def test_results_are_those_of_this_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change of any module gives another digest, so that results never speak of other code."""
    monkeypatch.setattr(torture, "_ROOT", tmp_path)
    (tmp_path / "workflow").mkdir()
    (tmp_path / "workflow" / "sla.py").write_text("a = 1")
    before = torture.code_digest()
    (tmp_path / "workflow" / "sla.py").write_text("a = 2")
    assert torture.code_digest() != before


def test_whoever_kills_it_kills_its_processes(tmp_path: Path) -> None:
    """A kill -9 of the run that hands out leaves nobody behind; the output ends when the last one has."""
    results = tmp_path / "results.jsonl"
    command = [sys.executable, "-m", "simulator.torture", "--jobs", "2", "--results", str(results)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as run:
        assert run.stdout is not None
        awaited(lambda: results.exists() and results.read_text().strip() != "", "a history was played")
        run.kill()
        assert run.stdout.read() == b""
