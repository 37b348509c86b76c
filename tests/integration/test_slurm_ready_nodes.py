"""Spares, and nodes for jobs that cannot start yet, on a real Slurm. A real second is 30 simulated ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from slurm_stage import SPEED, Stage, need_slurm, stage

from arvnodeman.fleet.values.later_jobs import LaterJob
from arvnodeman.sandbox.process import SiteProcess
from arvnodeman.slurm.keeping import NamesInSlurm

BOUND = 150.0  # real seconds
SLOTS = 4


@pytest.fixture
def site() -> Iterator[SiteProcess]:
    need_slurm()
    with SiteProcess(speed=SPEED, slots=SLOTS, slurm="real", records="slurm") as site:
        yield site


@pytest.fixture
def alone(site: SiteProcess, tmp_path: Path) -> Iterator[Stage]:
    with stage(site, tmp_path) as alone:
        for number in range(1, SLOTS + 1):
            alone.slurm("scontrol", "update", f"NodeName=compute{number}", "NodeAddr=192.0.2.1")
        try:
            yield alone
            alone.slurm("scancel", "--user=root", "--state=PENDING")
            alone.slurm("scancel", "--user=root")
            alone.until(lambda: not alone.slurm("squeue", "-h"), "the end of all", BOUND)
        finally:
            for daemon in alone.daemons:
                daemon.stop()


def sbatch(alone: Stage, *options: str, seconds: float = 600.0) -> str:
    """Submit a plain job; its number."""
    script = alone.folder / "job.sh"
    script.write_text(f"#!/bin/sh\nexec sleep {seconds}\n")
    return alone.slurm("sbatch", "--parsable", "--output=/dev/null", *options, str(script))


def told(alone: Stage, slurm: NamesInSlurm, jobs: set[str]) -> dict[str, LaterJob]:
    """What is known of these jobs and no others, once Slurm has looked at them."""
    found: dict[str, LaterJob] = {}

    def look() -> bool:
        found.clear()
        found.update((job.id, job) for job in slurm.queue().later)
        return set(found) == jobs

    alone.until(look, f"the moments of {sorted(jobs)}", BOUND)
    return found


def idle(alone: Stage) -> int:
    """Nodes that Slurm calls idle, and that answer."""
    return alone.slurm("sinfo", "-h", "-N", "--partition=compute", "-o", "%t").split().count("idle")


def test_a_spare_stands_ready_and_another_comes_when_a_job_has_it(alone: Stage) -> None:
    daemon = alone.daemon(sections={"Spare ready": {"size": "small", "nodes": 1}})
    alone.until(lambda: idle(alone) == 1, "a spare", BOUND)
    job = sbatch(alone)
    alone.until(lambda: alone.slurm("squeue", "-h", f"--jobs={job}", "-o", "%t") == "R", "the job to run", BOUND)
    alone.until(lambda: idle(alone) == 1, "another spare", BOUND)
    assert len(alone.subjects("node-created")) == 2
    assert daemon.process.poll() is None


@pytest.mark.long
def test_when_jobs_may_start_is_read_of_slurm(alone: Stage, site: SiteProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in site.environment().items():
        monkeypatch.setenv(name, value)
    slurm = NamesInSlurm(job_name_pattern="", numbered=True, ahead=True)
    begins = sbatch(alone, "--begin=now+2hours")
    array = sbatch(alone, "--begin=now+1hour", "--array=1-2")
    found = told(alone, slurm, {begins, f"{array}_1", f"{array}_2"})
    assert found[begins].at - found[f"{array}_1"].at == pytest.approx(3600.0, abs=60.0)
    alone.daemon()
    first = sbatch(alone, "--time=30")
    after = sbatch(alone, f"--dependency=afterany:{first}")
    never = sbatch(alone, f"--dependency=afterok:{begins}")
    alone.until(lambda: alone.slurm("squeue", "-h", f"--jobs={first}", "-o", "%t") == "R", "the first to run", BOUND)
    known = {begins, f"{array}_1", f"{array}_2", after}
    found = told(alone, NamesInSlurm(job_name_pattern="", numbered=True, ahead=True), known)
    assert never not in found
    assert len(found[after].frees) == 1


@pytest.mark.long
def test_a_node_boots_before_its_job_may_start(alone: Stage) -> None:
    alone.daemon(ahead="yes")
    job = sbatch(alone, "--begin=now+1hour")
    alone.slurm("scontrol", "update", f"JobId={job}", "StartTime=now+60")
    alone.until(lambda: len(alone.subjects("node-created")) == 1, "a node", BOUND)
    begun = alone.slurm("squeue", "-h", f"--jobs={job}", "-o", "%r") != "BeginTime"
    assert not begun, "the node came when the job could start, and no sooner"
    alone.until(lambda: alone.slurm("squeue", "-h", f"--jobs={job}", "-o", "%t") == "R", "the job to run", BOUND)
    assert len(alone.subjects("node-created")) == 1
