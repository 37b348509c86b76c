"""A real Slurm whose jobs share nodes, and the daemon: it boots as many nodes as the jobs fill, under names that have
what the nodes have."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from slurm_stage import SPEED, Stage, need_slurm, stage

from arvnodeman.sandbox.catalogue import SIZES
from arvnodeman.sandbox.process import SiteProcess
from arvnodeman.slurm.keeping import NamesInSlurm

JOBS, ON_EACH = 160, 16
BOUND = 240.0  # real seconds for all of them
OTHERS = {f"Size {size.id}": None for size in SIZES if size.id != "xlarge"}


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Stage]:
    need_slurm()
    with SiteProcess(speed=SPEED, slots=JOBS // 4, slurm="real", records="slurm") as site, stage(site, tmp_path) as at:
        yield at


def submit(alone: Stage, *options: str, seconds: float = 10.0) -> None:
    """An array of jobs of one core, of which 16 have room on a node."""
    script = alone.folder / "job.sh"
    script.write_text(f"#!/bin/sh\nexec sleep {seconds}\n")
    argv = ("sbatch", "--partition=shared", "--mem=1500", "--output=/dev/null", *options, str(script))
    alone.slurm(*argv)


def until_over(alone: Stage) -> None:
    alone.until(lambda: not alone.slurm("squeue", "-h") and alone.site.state()["quiet"], "all jobs to be done", BOUND)
    assert "Traceback" not in alone.logs()


@pytest.mark.long
def test_sixteen_jobs_have_a_node_together(alone: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """At most a twelfth of the nodes that one job on a node takes; they are counted on each."""
    for name, value in alone.site.environment().items():
        monkeypatch.setenv(name, value)
    slurm = NamesInSlurm(job_name_pattern="", numbered=True, share=True, counts_jobs=lambda: True)
    submit(alone, f"--array=1-{JOBS}")
    alone.daemon(sections=OTHERS, node_names="compute[1-40]", max_nodes=JOBS // 4)
    alone.until(lambda: ON_EACH in {node.free.jobs for node in slurm.nodes().values() if node.free}, "a full node")
    until_over(alone)
    made = len(alone.happened("node-created"))
    assert JOBS / ON_EACH <= made <= JOBS / 12
    assert sum(alone.completed().values()) == JOBS
    assert not alone.happened("busy-node-destroyed")


@pytest.mark.long
def test_a_boot_of_a_size_takes_a_name_of_its_own_range(alone: Stage) -> None:
    """And the log says of names of another shape what is lost: here all are declared with 16 CPUs."""
    submit(alone, "--array=1-3", "--constraint=instancetype=small", "--exclusive")
    submit(alone, "--cpus-per-task=16", seconds=5.0)
    small, large = {"node_names": "compute[1-9]", "cores": 2}, {"node_names": "compute[31-40]", "cores": 16}
    only = {name: None for name in OTHERS if name != "Size small"}
    alone.daemon(sections={**only, "Size small": small, "Size xlarge": large}, max_nodes=12)
    until_over(alone)
    started = {h["subject"]: h["text"] for h in alone.happened("slurmd-started")}
    sizes = {h["subject"]: h["text"].partition("(")[2].rstrip(")") for h in alone.happened("node-created")}
    names = {size: sorted(started[node] for node in sizes if sizes[node] == size) for size in ("small", "xlarge")}
    assert names == {"small": ["compute1", "compute2", "compute3"], "xlarge": ["compute31"]}
    assert "[Size small] node_names: the names have CPUs=16, the nodes cores = 2" in alone.logs()
    assert "[Size xlarge] node_names: " not in alone.logs()
