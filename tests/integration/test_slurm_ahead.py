"""What Slurm will not do, on a real one that does not say so while every node is off: no node is booted for it.

One Slurm without Arvados for all tests of the file. A real second is 30 simulated ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from daemon_process import DaemonProcess
from slurm_stage import SPEED, Stage, need_slurm, stage

from arvnodeman.fleet.values.model import Job, JobOwner
from arvnodeman.fleet.values.places import Place
from arvnodeman.sandbox.process import SiteProcess
from arvnodeman.slurm.keeping import NamesInSlurm

BOUND = 120.0  # real seconds
SLOTS = 6
ALL = f"compute[0-{SLOTS}]"


@pytest.fixture(scope="module")
def site() -> Iterator[SiteProcess]:
    need_slurm()
    with SiteProcess(speed=SPEED, slots=SLOTS, slurm="real", records="slurm") as site:
        conf = Path(site.address.slurm_conf)
        conf.write_text(f"{conf.read_text()}\nLicenses=solver:2,matlab:5\n")
        site.post("slurm/slurmctld", {"do": "restart"})
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
            alone.until(lambda: not alone.slurm("squeue", "-h") and site.state()["quiet"], "the end of all", BOUND)
        finally:
            for daemon in alone.daemons:
                daemon.stop()


@pytest.fixture
def slurm(site: SiteProcess, monkeypatch: pytest.MonkeyPatch) -> NamesInSlurm:
    """Our own way to ask it."""
    for name, value in site.environment().items():
        monkeypatch.setenv(name, value)
    return NamesInSlurm(job_name_pattern="", numbered=True)


def sbatch(alone: Stage, *options: str, seconds: float = 600.0) -> str:
    """Submit a plain job; its number."""
    script = alone.folder / "job.sh"
    script.write_text(f"#!/bin/sh\nexec sleep {seconds}\n")
    return alone.slurm("sbatch", "--parsable", "--output=/dev/null", *options, str(script))


def state_of(alone: Stage, job: str) -> str:
    return alone.slurm("squeue", "-h", "--states=all", f"--jobs={job}", "-o", "%t")


def running(alone: Stage) -> list[str]:
    return alone.slurm("squeue", "-h", "--states=RUNNING", "-o", "%i|%N").split()


def reserve(alone: Stage, name: str, nodes: str, start: str, *more: str) -> None:
    given = [f"ReservationName={name}", f"Nodes={nodes}", f"StartTime={start}", "Duration=240", "Users=root", *more]
    alone.slurm("scontrol", "create", "reservation", *given)


def queue_polls(alone: Stage, daemon: DaemonProcess, count: int) -> None:
    """Wait for so many more looks at the queue."""

    def seen() -> int:
        lines = daemon.text().splitlines()
        return sum("JobQueueMonitorActor" in line and "got response" in line for line in lines)

    before = seen()
    alone.until(lambda: seen() >= before + count, "the next looks at the queue")


def test_no_more_nodes_than_there_are_licences_for(alone: Stage) -> None:
    jobs = [sbatch(alone, "--licenses=solver:1") for _ in range(6)]
    daemon = alone.daemon()
    alone.until(lambda: len(running(alone)) == 2, "two jobs to run")
    queue_polls(alone, daemon, 3)
    assert len(alone.subjects("node-created")) == 2
    assert [state_of(alone, job) for job in jobs].count("PD") == 4


@pytest.mark.long
def test_running_tasks_of_an_array_count_for_its_limit(alone: Stage) -> None:
    sbatch(alone, "--array=1-10%2")
    first = alone.daemon(max_nodes=1)
    alone.until(lambda: running(alone), "the first task to run")
    assert first.stop() == 0
    daemon = alone.daemon()
    alone.until(lambda: len(running(alone)) == 2, "two tasks to run")
    queue_polls(alone, daemon, 3)
    assert len(alone.subjects("node-created")) == 2


@pytest.mark.long
@pytest.mark.parametrize("flags", ["maint,ignore_jobs", "ignore_jobs"])
def test_a_job_that_would_run_into_a_reservation_waits_for_its_end_without_a_node(alone: Stage, flags: str) -> None:
    """The short one runs meanwhile; when the reservation is gone, the long one does."""
    reserve(alone, "window", "ALL", "now+1hour", f"Flags={flags}")
    try:
        long = sbatch(alone, "--time=120", seconds=1)
        daemon = alone.daemon()
        queue_polls(alone, daemon, 3)
        assert alone.subjects("node-created") == []
        short = sbatch(alone, "--time=20", seconds=1)
        alone.until(lambda: state_of(alone, short) == "CD", "the short job to be done", BOUND)
        assert len(alone.subjects("node-created")) == 1
        assert state_of(alone, long) == "PD"
    finally:
        alone.slurm("scontrol", "delete", "ReservationName=window")
    alone.until(lambda: state_of(alone, long) == "CD", "the long job to be done", BOUND)


@pytest.mark.long
def test_a_name_outside_a_maintenance_is_booted(alone: Stage) -> None:
    reserve(alone, "window", f"compute[0-{SLOTS - 1}]", "now", "Flags=maint,ignore_jobs")
    try:
        job = sbatch(alone, "--time=120")
        alone.daemon()
        alone.until(lambda: f"{job}|compute{SLOTS}" in running(alone), "the job to run outside", BOUND)
        assert len(alone.subjects("node-created")) == 1
    finally:
        alone.slurm("scontrol", "delete", "ReservationName=window")


@pytest.mark.long
def test_a_job_in_a_reservation_gets_a_name_inside(alone: Stage) -> None:
    reserve(alone, "course", "compute4", "now", "Flags=ignore_jobs")
    try:
        inside = [sbatch(alone, "--reservation=course") for _ in range(2)]
        daemon = alone.daemon()
        alone.until(lambda: f"{inside[0]}|compute4" in running(alone), "the job to run inside", BOUND)
        queue_polls(alone, daemon, 3)
        assert len(alone.subjects("node-created")) == 1
    finally:
        alone.slurm("scancel", "--user=root")
        alone.until(lambda: not alone.slurm("squeue", "-h"), "an empty queue")
        alone.slurm("scontrol", "delete", "ReservationName=course")


# ---- what is read of jobs, on Slurm itself ---------------------------------------------------------------------------


def waiting(slurm: NamesInSlurm, alone: Stage, job: str) -> Job:
    found: list[Job] = []

    def look() -> bool:
        found[:] = [each for each in slurm.queue().jobs if each.id == job]
        return bool(found)

    alone.until(look, f"job {job} to wait for nodes")
    return found[0]


@pytest.mark.parametrize(
    ("options", "seconds"),
    [
        ("--time=30", 1800.0),
        ("--time=1-02:03:04", 93840.0),
        ("--time=120 --time-min=10", 600.0),
        ("", float("inf")),
        ("--time=0", float("inf")),
    ],
)
def test_time_limits(alone: Stage, slurm: NamesInSlurm, options: str, seconds: float) -> None:
    assert waiting(slurm, alone, sbatch(alone, *options.split())).time_limit == seconds


def test_licences_and_owners(alone: Stage, slurm: NamesInSlurm) -> None:
    job = waiting(slurm, alone, sbatch(alone, "--licenses=matlab:2,solver"))
    assert job.shape.licences == ((("matlab", 2), ("solver", 1)),)
    assert job.shape.owner == JobOwner("root")
    assert slurm.queue().outlook.licences == {"matlab": 5, "solver": 2}


def test_places(alone: Stage, slurm: NamesInSlurm) -> None:
    reserve(alone, "far", "compute1", "now+10days", "Flags=maint,ignore_jobs")
    reserve(alone, "near", "compute[1-2]", "now+1hour", "Flags=overlap,flex")
    try:
        jobs = [sbatch(alone, option) for option in ("--time=10", "--time=120", "--time=0", "--reservation=near")]
        queue = {job.id: job for job in [waiting(slurm, alone, job) for job in jobs]}
        assert [queue[job].shape.place for job in jobs] == [
            Place(),
            Place(outside=("near",)),
            Place(outside=("far", "near")),
            Place(),
        ]
        assert slurm.queue().outlook.zones() == {"compute1": ("far", "near"), "compute2": ("near",)}
    finally:
        alone.slurm("scancel", "--user=root")
        alone.until(lambda: not alone.slurm("squeue", "-h"), "an empty queue")
        for name in ("far", "near"):
            alone.slurm("scontrol", "delete", f"ReservationName={name}")


def test_a_task_that_is_not_like_the_others_counts_by_its_own_reason(alone: Stage, slurm: NamesInSlurm) -> None:
    array = sbatch(alone, "--array=1-9%4")
    alone.slurm("scontrol", "hold", f"{array}_2")
    alone.slurm("scontrol", "update", f"JobId={array}_5", "StartTime=now+1hour")

    def told_apart() -> bool:
        others = slurm.queue().others
        return others.get(f"{array}_2", "").startswith("JobHeld") and others.get(f"{array}_5") == "BeginTime"

    alone.until(told_apart, "the reasons of the tasks")
    queue = slurm.queue()
    assert [job.id for job in queue.jobs] == [f"{array}_{task}" for task in (1, 3, 4, 6)]
    assert {task for task, reason in queue.others.items() if reason == "JobArrayTaskLimit"} == {
        f"{array}_{task}" for task in (7, 8, 9)
    }
