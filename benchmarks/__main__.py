"""`python -m benchmarks`: runs all benchmarks, or those that are named, and prints what they found."""

import argparse
import json
import sys

from rich.console import Console

from benchmarks import calendars, clients, engine, latency, reports, restore, throughput
from benchmarks.cluster import running
from benchmarks.report import Result, machine

WITHOUT_BROKER = {"calendars": calendars, "engine": engine, "reports": reports, "restore": restore}
NAMES = (*WITHOUT_BROKER, "clients", "latency", "throughput")


def main() -> int:
    """Run them one after another: two at a time would measure each other."""
    asked = _arguments()
    console = Console(stderr=asked.json, highlight=False)
    results: list[Result] = []

    def found(result: Result) -> None:
        results.append(result)
        result.show(console)

    names = asked.names or NAMES
    for name, benchmark in WITHOUT_BROKER.items():
        if name in names:
            found(benchmark.measure(asked.events // 2))
    if set(names) - WITHOUT_BROKER.keys():
        with running() as cluster:
            if "clients" in names:
                found(clients.measure(cluster, asked.events // 2))
            if "latency" in names:
                found(latency.measure(cluster, asked.latencies))
            if "throughput" in names:
                found(throughput.measure(cluster, asked.events))
    if asked.json:
        print(json.dumps({"machine": machine(), "results": [each.as_dict() for each in results]}, indent=2))
    else:
        console.print("  ".join(f"{name} {value}" for name, value in machine().items()), style="dim")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev bench", description="Measure latency, throughput and costs.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; without one: all")
    parser.add_argument("--json", action="store_true", help="print JSON, for programs; tables go to stderr")
    parser.add_argument("--events", type=int, default=50_000, help="the backlog (default: 50000)")
    parser.add_argument("--latencies", type=int, default=300, help="events of the latency (default: 300)")
    asked = parser.parse_args()
    unknown = [name for name in asked.names if name not in NAMES]
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]}: choose from {', '.join(NAMES)}")
    return asked


if __name__ == "__main__":
    sys.exit(main())
