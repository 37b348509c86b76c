"""A sweep as a job array of a real Slurm, on nodes that the daemon boots for it: the result is the same as here.

One Slurm without Arvados for all tests of the file.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from slurm_stage import Stage, need_slurm, stage

from arvnodeman.sandbox.process import SiteProcess

SPEED = 30.0
BOUND = 240.0  # real seconds
CONFIG = """\
[Daemon]
dispatcher = slurm
max_nodes = 4
[Cloud]
provider = dummy
shutdown_windows = 0, 60
[Size small]
cores = 2
price = 0.1
ram = 8000
"""
SWEEP = ("--sweep", "[Daemon] max_nodes = 1,2,4", "--seeds", "2")


@pytest.fixture(scope="module")
def site() -> Iterator[SiteProcess]:
    need_slurm()
    with SiteProcess(speed=SPEED, slots=4, slurm="real", records="slurm") as site:
        yield site


@pytest.fixture
def alone(site: SiteProcess, tmp_path: Path) -> Iterator[Stage]:
    rows = [f"{each + 1} {60 * each} 120 600 1 -1 -1 1 900 -1 1 1 1 1 1 1 -1 -1" for each in range(8)]
    (tmp_path / "trace.swf").write_text(
        "; Version: 2.2\n; UnixStartTime: 1735689600\n" + "".join(f"{r}\n" for r in rows)
    )
    (tmp_path / "what.cfg").write_text(CONFIG)
    with stage(site, tmp_path) as alone:
        try:
            yield alone
            alone.until(lambda: not alone.slurm("squeue", "-h"), "the end of all", BOUND)
        finally:
            for daemon in alone.daemons:
                daemon.stop()


def simulate(alone: Stage, *arguments: str) -> str:
    argv = [sys.executable, "-m", "arvnodeman", "simulate", "--config", "what.cfg", "--trace", "trace.swf", *SWEEP]
    done = subprocess.run(
        [*argv, *arguments],
        env=alone.site.environment(),
        cwd=alone.folder,
        capture_output=True,
        text=True,
        timeout=BOUND,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def results(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "sweep.json").read_text())
    return found


def done(folder: Path) -> bool:
    return (folder / "sweep.json").exists() and not (folder / "work").exists()


def logs(folder: Path) -> str:
    return "\n".join(f"{path.name}: {path.read_text()}" for path in sorted((folder / "work").glob("*.log")))


@pytest.mark.long
def test_the_array_gives_what_comes_out_here_and_leaves_nothing_else(alone: Stage) -> None:
    folder = alone.folder / "swept"
    said = simulate(alone, "--sbatch", "swept")
    assert re.fullmatch(r"job \d+: 6 runs\njob \d+ collects them into swept: sweep.txt, sweep.json, sweep.csv\n", said)
    alone.daemon(max_nodes=2)
    alone.until(lambda: done(folder), f"the sweep to be done\n{logs(folder)}", BOUND)
    assert sorted(path.name for path in folder.iterdir()) == ["sweep.csv", "sweep.json", "sweep.txt"]
    assert results(folder) == json.loads(simulate(alone, "--json", "--processes", "1"))
    assert not results(folder)["partial"]


@pytest.mark.long
def test_what_is_missing_is_played_when_it_is_called_again(alone: Stage) -> None:
    folder = alone.folder / "swept"
    array = simulate(alone, "--sbatch", "swept").split()[1].rstrip(":")
    alone.slurm("scancel", f"{array}_[1-5]")
    alone.daemon(max_nodes=2)
    alone.until((folder / "sweep.json").exists, f"what there is\n{logs(folder)}", BOUND)
    assert results(folder)["partial"]
    assert (folder / "work").exists()
    alone.until(lambda: not alone.slurm("squeue", "-h"), "the jobs to be gone", BOUND)
    assert "5 runs" in simulate(alone, "--sbatch", "swept")
    alone.until(lambda: done(folder), f"the rest\n{logs(folder)}", BOUND)
    assert not results(folder)["partial"]
    assert all(point["figures"] for point in results(folder)["points"])
