"""An earlier build and this one, side by side: `make bench ARGS="against COMMIT"`.

Both run in environments of their own, in turns (A B, A B, ...), each measurement in a fresh process. Seconds are the
processor's. Prints a line for each row with both figures and their ratio, this build's to the other's; asserts nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from builds import Build

SCRIPT = Path(__file__).with_name("measure_build.py")
Figures = Mapping[str, float]  # name of a row: its figure
Told = list[Any]  # what the turns of one build have measured


def _cycles(said: str) -> Callable[[Told], Figures]:
    def figures(told: Told) -> Figures:
        polled, brain = (sorted(1000 * pair[part] for turn in told for pair in turn) for part in (0, 1))
        both = [1000 * sum(pair) for turn in told for pair in turn]
        return {
            f"brain, {said}: median (ms)": median(brain),
            f"brain, {said}: 99 % (ms)": _late(brain),
            f"brain, {said}: 99 % / median": _late(brain) / median(brain),
            f"squeue and sinfo, {said}: median (ms)": median(polled),
            f"both, {said}: median (ms)": median(both),
        }

    return figures


def _late(values: list[float]) -> float:
    return quantiles(values, n=100)[98] if len(values) > 1 else values[0]


def _least(name: str, label: str) -> Callable[[Told], Figures]:
    return lambda told: {label: min(turn[name] for turn in told)}


def _hours(length: int, jobs: int) -> Callable[[Told], Figures]:
    def figures(told: Told) -> Figures:
        best = min(told, key=lambda turn: turn["seconds"])
        return {
            f"{length} simulated hours, {jobs:,} jobs (s)": best["seconds"],
            f"{length} simulated hours: a job (ms)": 1000 * best["seconds"] / jobs,
            f"{length} simulated hours: events": best["events"],
        }

    return figures


def measurements(given: argparse.Namespace) -> dict[str, tuple[list[str], Callable[[Told], Figures]]]:
    """By the name under which one is asked for: arguments for the script, and what is made of its answers."""
    nodes, count = str(given.nodes), str(given.cycles)
    return {
        "some": (["cycle", nodes, "0.01", count], _cycles("1 % changed")),
        "all": (["cycle", nodes, "1", count], _cycles("all changed")),
        "memory": (["memory", nodes, "5"], _least("traced", "memory of pollers and brain (MiB)")),
        "resident": (["resident", nodes, "5"], _least("rss", "resident, with the cluster's texts (MiB)")),
        "hours": (["hours", "12", "720"], _hours(12, 720)),
        "days": (["hours", "120", "7200"], _hours(120, 7200)),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base", help="the other build: anything that git knows")
    parser.add_argument("--rows", help="some of: some, all, memory, resident, hours, days (default: all of them)")
    parser.add_argument("--turns", type=int, default=3, help="of each build (default 3; of days: one)")
    parser.add_argument("--cycles", type=int, default=50, help="timed in each turn (default 50)")
    parser.add_argument("--nodes", type=int, default=10_000, help="five jobs wait for each (default 10,000)")
    given = parser.parse_args(arguments)
    known = measurements(given)
    wanted = given.rows.split(",") if given.rows else list(known)
    if unknown := [name for name in wanted if name not in known]:
        parser.error(f"no rows are called {', '.join(unknown)}")
    base, now = Build(given.base), Build("")
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors; {given.nodes:,} nodes, {given.turns} turns")
    print(f"{'':<48}{base.name:>10}{now.name:>10}{'ratio':>8}", flush=True)
    for name in wanted:
        script, figures = known[name]
        told: tuple[Told, Told] = ([], [])
        for _ in range(given.turns if name != "days" else 1):
            for build, answers in zip((base, now), told, strict=True):
                answers.append(json.loads(build.run(SCRIPT, *script)))
        before, after = map(figures, told)
        for row, figure in before.items():
            print(f"{row:<48}{figure:>10.2f}{after[row]:>10.2f}{after[row] / figure:>8.3f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
