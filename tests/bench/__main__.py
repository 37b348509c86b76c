"""What `make bench` runs, by name, each with options of its own (`-h` behind the name)."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
TESTS = HERE.parent
sys.path.append(str(TESTS))
from ending import end_with_all_that_was_started  # noqa: E402  (it stands beside this folder, not in it)

FIRST = "cycle"


class Bench(NamedTuple):
    """A script beside this one."""

    script: str
    what: str
    given: tuple[str, ...] = ()


BENCHES = {
    "cycle": Bench("fleet_cycle.py", "a full cycle of the brain with 1,000 and 10,000 nodes", ("--quiet",)),
    "nodes": Bench("two_hundred_nodes.py", "200 nodes' lives with the real daemon"),
    "against": Bench("compare_builds.py", "brain and pollers against an earlier build: against COMMIT"),
    "idle": Bench("many_idle.py", "5,000 idle nodes go, 300 nodes live, by an earlier build and this one"),
    "bursts": Bench(
        "bursts.py", "200 nodes from moto's EC2, by an earlier build and this one (--nodes 1000 --throttled)"
    ),
    "manage": Bench("manage_load.py", "the management server with 5,000 nodes: requests a second"),
    "page": Bench("page_load.py", "the page with 5,000 nodes in Chromium"),
    "report": Bench("report_rows.py", "reports over a history of a million rows"),
    "slurm": Bench("slurm_scale.py", "node and queue polls with 1,000 nodes and 5,000 jobs in a real slurmctld"),
    "wakes": Bench("wakes.py", "from sbatch to the create request, and what it costs slurmctld (hours)"),
    "refusals": Bench("refusals.py", "from a refusal to the place on another size, on a real Slurm (--handbook)"),
    "sharing": Bench("sharing_cycle.py", "what it costs the brain that jobs share nodes"),
    "packing": Bench("packing.py", "what sharing saves: nodes, cost, waits, in virtual time (5 minutes)"),
    "simulate": Bench("simulate.py", "what a month of jobs costs to play (--jobs 100000 1000000)"),
    "sweep": Bench("simulate_sweep.py", "a sweep of eight points in one process and in one for each core"),
    "forecast": Bench("forecast_against_fact.py", "simulate against a demo on a real Slurm (20 minutes each)"),
    "trace": Bench("write_trace.py", "writes made-up jobs of a week, trace.swf (--jobs 2000 --days 7 --out FILE)"),
}


def main() -> int:
    """Run the one that is named; the first without a name. 2 for a name that there is not."""
    told = "\n".join(f"  {name:9} {bench.what}" for name, bench in BENCHES.items())
    parser = argparse.ArgumentParser(
        prog='make bench ARGS="..."', epilog=told, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", nargs="?", default=FIRST, choices=BENCHES, metavar="NAME", help=f"default: {FIRST}")
    given = parser.parse_args(sys.argv[1:2])
    bench = BENCHES[given.name]
    path = os.pathsep.join(
        map(str, (TESTS, HERE, *(TESTS / each for each in ("integration", "unit/fleet", "unit/manage"))))
    )
    argv = [sys.executable, str(HERE / bench.script), *bench.given, *sys.argv[2:]]
    end_with_all_that_was_started()
    return subprocess.run(argv, env={**os.environ, "PYTHONPATH": path}, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())
