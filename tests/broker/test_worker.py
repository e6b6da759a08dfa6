"""A worker as a process: how it ends, and what keeps it from going on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import Worker, workers
from tests.support.system import awaited, registered, run

pytestmark = pytest.mark.timeout(900)  # several processes start, on a machine that may be busy


@pytest.fixture
def pair(settings: dict[str, str], tmp_path: Path) -> Iterator[list[Worker]]:
    """Two workers that are not started yet."""
    with workers(tmp_path, settings, "a", "b") as made:
        yield made


def test_sigterm_ends_a_worker_cleanly(pair: list[Worker]) -> None:
    """It ends with status 0, having left the group: another worker gets its partitions without waiting."""
    first, second = pair
    first.start().ready()
    assert first.stop() == 0
    assert first.logged("worker ended") is not None
    line = second.start().await_line("worker ready")
    assert line["partitions"] == 3


def test_workers_share_the_partitions(pair: list[Worker]) -> None:
    """When a second worker comes, the first gives some of its partitions away."""
    first, second = pair
    first.start().ready()
    second.start().ready()
    assert first.await_line("partition dropped")["partition"] in (0, 1, 2)


def test_a_worker_id_belongs_to_one_process(settings: dict[str, str], tmp_path: Path) -> None:
    """The earlier of two processes with the same id ends with a sentence and status 1."""
    for name in ("1", "2"):
        (tmp_path / name).mkdir()
    with (
        workers(tmp_path / "1", settings, "same") as (first,),
        workers(tmp_path / "2", settings, "same") as (second,),
    ):
        first.start().ready()
        second.start().ready()
        run(settings, "publish", "-", stdin=b"".join(registered(f"T-{i}") for i in range(20)))
        awaited(lambda: not first.running, "the earlier worker has ended")
        assert first.stop() == 1
        assert "worker" in str(first.lines()[-1]["event"])
        assert "Traceback" not in first.log.read_text()


def test_a_clock_under_a_missing_version_stops_the_worker(settings: dict[str, str], tmp_path: Path) -> None:
    """A worker without the version under which a clock runs names it, and ends with status 1."""
    policy = (
        "policy: p\nversion: '{}'\nclocks: [{{clock: c, target: 1h, start: [created], stop: [closed]}}]\n"
    )
    for version in ("1", "2"):
        (tmp_path / f"{version}.yaml").write_text(policy.format(version))
    with workers(tmp_path, {**settings, "TICKETFLOW_POLICY": str(tmp_path / "1.yaml")}, "a") as (worker,):
        worker.start().ready()
        assert run(settings, "publish", "-", stdin=registered("T-1")).returncode == 0
        awaited(lambda: 'outcome="applied"' in worker.metrics(), "the event is applied")
        assert worker.stop() == 0
    ran = run(
        {**settings, "TICKETFLOW_POLICY": str(tmp_path / "2.yaml"), "TICKETFLOW_WORKER_ID": "a"}, "worker"
    )
    assert ran.returncode == 1
    assert "p@1" in ran.stderr.decode().splitlines()[-1]
    assert "Traceback" not in ran.stderr.decode()
