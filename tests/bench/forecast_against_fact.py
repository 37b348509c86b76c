"""Forecast against fact: demos on a real Slurm, and each one's own jobs played with its own configuration and history.

Says for each how far the forecast is off, the mean of ten seeds; the exit code is 1 where node hours are off by more
than 10 % or the mean wait by more than 20 %. A demo takes 17 minutes in its own time, the pace of life:

make bench ARGS="forecast --records slurm-cloud --slurm-root DIR --demos 1 2 3"
make bench ARGS="forecast --kept FOLDER..."     of demos that were run before, with --keep FOLDER
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from arvnodeman.history.reading import reading
from arvnodeman.history.report import make
from arvnodeman.history.schema import FILE_NAME
from arvnodeman.sandbox.demo_trace import FILE_NAME as TRACE

LIFE = 2700  # seconds of --seconds at which a demo is as fast as life
MOST_HOURS, MOST_WAIT = 0.10, 0.20
HEAD = "| demo | node hours | forecast | off by | $ | off by | mean wait | forecast | of the seeds | off by |"


class Row(NamedTuple):
    """One demo: what was, and what ten seeds tell of it."""

    name: str
    hours: tuple[float, Sequence[float]]
    cost: tuple[float, Sequence[float]]
    wait: tuple[float, Sequence[float]]

    @property
    def is_true(self) -> bool:
        return abs(off(*self.hours)) <= MOST_HOURS and abs(off(*self.wait)) <= MOST_WAIT

    def line(self) -> str:
        (hours, all_hours), (cost, costs), (wait, waits) = self.hours, self.cost, self.wait
        cells = (
            self.name,
            f"{hours:.2f}",
            f"{fmean(all_hours):.2f}",
            f"{off(hours, all_hours):+.1%}",
            f"{cost:.2f}",
            f"{off(cost, costs):+.1%}",
            f"{wait:.0f} s",
            f"{fmean(waits):.0f} s",
            f"{min(waits):.0f} to {max(waits):.0f} s",
            f"{off(wait, waits):+.1%}",
        )
        return f"| {' | '.join(cells)} |"


def off(fact: float, forecasts: Sequence[float]) -> float:
    return fmean(forecasts) / fact - 1


def main() -> int:
    parser = argparse.ArgumentParser(description="Hold forecasts against demos on a real Slurm.")
    parser.add_argument("--kept", nargs="+", type=Path, default=[], help="demos that have been run")
    parser.add_argument("--demos", nargs="+", type=int, default=[1], help="seeds of those to run")
    parser.add_argument("--records", choices=("slurm", "slurm-cloud"), default="slurm")
    parser.add_argument("--slurm-root", metavar="DIR")
    parser.add_argument("--seconds", type=int, default=LIFE, help="a demo of fewer goes faster than life")
    parser.add_argument("--seeds", type=int, default=10)
    options = parser.parse_args()
    rows = []
    print(HEAD, "|---" * HEAD.count(" | ") + "|---|", sep="\n", flush=True)
    with tempfile.TemporaryDirectory() as passing:
        for folder in options.kept or (Path(passing) / f"{options.records}-{seed}" for seed in options.demos):
            if not options.kept:
                run_demo(folder, options)
            rows.append(compared(folder, options.seeds))
            print(rows[-1].line(), flush=True)
    return 0 if all(row.is_true for row in rows) else 1


def run_demo(folder: Path, options: argparse.Namespace) -> None:
    argv = ["demo", "--slurm", "real", "--records", options.records, "--seconds", str(options.seconds)]
    argv += ["--seed", folder.name.rpartition("-")[2], "--keep", str(folder)]
    argv += ["--slurm-root", options.slurm_root] if options.slurm_root else []
    subprocess.run([sys.executable, "-m", "arvnodeman", *argv], check=True, stdout=sys.stderr)


def compared(folder: Path, seeds: int) -> Row:
    """What the demo's own history and Slurm tell of it, beside the forecasts."""
    with reading(folder / "state" / FILE_NAME) as connection:
        was = make(connection, 0.0, time.time(), time.time()).total
    found = [forecast(folder, seed) for seed in range(seeds)]
    return Row(
        folder.name,
        (was.hours, [sum(each["node_hours"].values()) for each in found]),
        (was.cost, [each["cost"] for each in found]),
        (found[0]["traced_waits"]["mean"], [each["waits"]["mean"] for each in found]),
    )


def forecast(folder: Path, seed: int) -> dict[str, Any]:
    argv = ["simulate", "--config", str(folder / "nodemanager.cfg"), "--trace", str(folder / TRACE)]
    argv += ["--history", str(folder / "state" / FILE_NAME), "--seed", str(seed), "--json"]
    done = subprocess.run([sys.executable, "-m", "arvnodeman", *argv], check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    raise SystemExit(main())
