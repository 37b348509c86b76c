"""Time a sweep of eight points: one after the other, and in as many processes as there are cores.

make bench ARGS="sweep --jobs 300"
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from write_trace import lines

from arvnodeman.whatif.workers import cores

CONFIG = """\
[Daemon]
dispatcher = slurm
[Cloud]
provider = dummy
shutdown_windows = 0, 60
[Size small]
cores = 8
ram = 32000
price = 0.4
[Size large]
cores = 16
ram = 128000
price = 1.0
"""
SWEEP = "[Daemon] max_nodes = 10,12,14,16,18,20,22,24"


def main() -> None:
    parser = argparse.ArgumentParser(description="Time a sweep of eight points.")
    parser.add_argument("--jobs", type=int, default=300)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "site.cfg").write_text(CONFIG)
        (Path(folder) / "trace.swf").write_text("".join(f"{line}\n" for line in lines(options.jobs, 2, 1, 16)))
        one, all_ = (seconds(folder, processes) for processes in (1, cores()))
    print(f"8 points of {options.jobs} jobs: {one:.1f} s in one process, {all_:.1f} s in {cores()}: {all_ / one:.2f}")


def seconds(folder: str, processes: int) -> float:
    """Of the whole command, with the reading of the trace."""
    argv = [sys.executable, "-m", "arvnodeman", "simulate", "--config", "site.cfg", "--trace", "trace.swf"]
    began = time.perf_counter()
    argv += ["--sweep", SWEEP, "--set", "[Daemon] max_nodes = 10", "--processes", str(processes), "--json"]
    subprocess.run(argv, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
