"""The whole daemon at a real Slurm that places jobs on names that are off: a name's life, refusals, and deaths.

One Slurm for all tests of the file; each begins and ends with no node and all names off. A real second is 30 simulated
ones; Slurm itself starts a job within its next 30 real seconds once the node is there.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from daemon_process import DaemonProcess
from slurm_stage import SPEED, Stage, need_slurm, slurm_version, stage

from arvnodeman.sandbox.process import SiteProcess

OFF = "idle~"


@pytest.fixture(scope="module")
def site() -> Iterator[SiteProcess]:
    need_slurm()
    if slurm_version() < (24, 11):
        pytest.skip(f"Slurm {slurm_version()} is older than the mode: make proofs ARGS=slurms")
    with SiteProcess(speed=SPEED, slots=20, slurm="real", records="slurm-cloud") as site:
        yield site


@pytest.fixture
def at(site: SiteProcess, tmp_path: Path) -> Iterator[Stage]:
    with stage(site, tmp_path) as made:
        yield made


def state_of(at: Stage, name: str) -> str:
    return str(at.site.state("slurm")["slurm_list"][name]["state"])


def queue(at: Stage, job: str) -> list[str]:
    """Of a job: its state, why it waits, its names and its number."""
    line = at.slurm("squeue", "-h", f"--name={job}", "--format=%T|%r|%N|%A")
    return line.split("|") if line else ["", "", "", ""]


def until_placed(at: Stage, job: str, *, elsewhere: str = "") -> str:
    """Wait until a job waits for a name, of another size where one is given; the name."""
    found = [""]

    def look() -> bool:
        state, _, name, _ = queue(at, job)
        found[0] = name
        return state in ("CONFIGURING", "RUNNING") and bool(name) and not (elsewhere and name.startswith(elsewhere))

    at.until(look, f"{job} to be placed")
    return found[0]


def crash_and_start(at: Stage, daemon: DaemonProcess) -> DaemonProcess:
    at.crash(daemon)
    return at.daemon()


def test_a_name_is_powered_up_for_a_job_and_is_off_and_free_again(at: Stage) -> None:
    at.daemon()
    job = at.job(size="small", duration=60)
    name = until_placed(at, job)
    verdict = at.until_quiet()
    assert verdict["requeues"] == {}
    assert at.completed()[job] == 1
    assert len(at.subjects("node-created")) == 1
    (destroyed,) = at.happened("node-destroyed")
    at.until(lambda: state_of(at, name) == OFF, "the name to be off")
    let_go = re.findall(rf"\[(\S+)\] powering down node {name}$", at.ctld(), flags=re.MULTILINE)
    assert let_go, at.ctld()
    assert datetime.fromisoformat(let_go[-1]).timestamp() < destroyed["at"]  # by Slurm, before its machine went


@pytest.mark.parametrize("requeue", [True, pytest.param(False, marks=pytest.mark.long)])
def test_a_refused_job_is_on_another_size_at_once(
    at: Stage, capsys: pytest.CaptureFixture[str], *, requeue: bool
) -> None:
    at.daemon(size_retry_after=20)  # on a slow machine a shorter rest is over before Slurm places the job again
    at.site.post("faults", {"arm": {"create-capacity:small": 1}})
    job = at.job(cores=1, duration=30, requeue=requeue)
    other = until_placed(at, job, elsewhere="small")
    placed_at = time.time()
    (refused,) = [event for event in at.happened("fault") if event["text"] == "create-capacity"]
    with capsys.disabled():
        sys.stderr.write(f"\nfrom the refusal to {other}: {placed_at - refused['at']:.1f} s (requeue {requeue})\n")
    assert refused["subject"].startswith("small-")
    number = queue(at, job)[3]
    wanted = f"Requeue={int(requeue)} "
    at.until(lambda: wanted in at.slurm("scontrol", "show", "job", number) + " ", "the job to be as it was submitted")
    at.until_job(job, "completed")
    verdict = at.until_quiet()
    assert verdict["requeues"] == {}
    assert at.completed()[job] == 1


def test_two_jobs_on_one_refused_name_are_both_given_back(at: Stage) -> None:
    at.daemon()
    at.site.post("faults", {"arm": {"create-capacity:large": 1}})
    jobs = [at.job(cores=8, duration=30, requeue=requeue) for requeue in (True, False)]
    at.until(lambda: at.happened("fault"), "a refusal")
    for job in jobs:
        at.until_job(job, "completed")
    assert at.until_quiet()["requeues"] == {}
    assert [at.completed()[job] for job in jobs] == [1, 1]


@pytest.mark.parametrize(
    "moment", ["created", "running", *(pytest.param(moment, marks=pytest.mark.long) for moment in ("placed", "up"))]
)
def test_a_daemon_that_dies_costs_no_job_and_no_node(at: Stage, moment: str) -> None:
    daemon = at.daemon()
    job = at.job(size="medium", duration=60)
    match moment:
        case "placed":
            until_placed(at, job)
        case "created":
            at.until(lambda: at.subjects("node-created"), "a node")
        case "up":
            at.until(lambda: at.subjects("slurmd-started"), "a slurmd")
        case _:
            at.until_job(job, "running")
    crash_and_start(at, daemon)
    at.until_job(job, "completed")
    assert at.until_quiet()["requeues"] == {}
    assert at.completed()[job] == 1
    assert len(at.subjects("node-created")) == 1


def test_a_daemon_that_dies_with_jobs_given_back_lets_them_go(at: Stage) -> None:
    """The next one finds them by their marks, and the names by their reasons."""
    daemon = at.daemon()
    at.site.post("faults", {"arm": {"create-capacity:small": 1}})
    job = at.job(cores=1, duration=30)
    at.until(lambda: at.happened("fault"), "a refusal")
    crash_and_start(at, daemon)
    at.until_job(job, "completed")
    assert at.until_quiet()["requeues"] == {}
    assert at.completed()[job] == 1
