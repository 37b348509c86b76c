"""Nodes for jobs that cannot start yet, on a real Slurm that places jobs on names that are off.

First where it puts a job whose begin time comes, if a node is up already; then what the daemon does about that. Tasks
of an array beyond its limit need nothing booted (test_slurm_array_limit.py).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from slurm_cloud_stage import OPTIONS, Site, placing_site
from slurm_stage import BOUND, need_slurm, slurm_version

from arvnodeman.fleet.values.reasons_of_spares import Readied, StaysAhead
from arvnodeman.sandbox.real_slurm import PrivateSlurm
from arvnodeman.sandbox.real_slurm_conf import CloudNames, Shape

NAMES = (CloudNames(names="s-[1-4]", size="small"), CloudNames(names="b-[1-2]", size="big", cores=4, weight=9))
BEGINS = "--begin=now+3"
pytestmark = pytest.mark.long


@pytest.fixture
def slurm() -> Iterator[PrivateSlurm]:
    need_slurm()
    if slurm_version() < (24, 11):
        pytest.skip(f"Slurm {slurm_version()} is older than the mode: make proofs ARGS=slurms")
    with PrivateSlurm(Shape(nodes=1, cloud=NAMES, message_timeout=10)) as slurm:
        yield slurm


def until(true: Callable[[], object], what: str) -> None:
    end = time.monotonic() + BOUND
    while not true():
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.2)


def power_up(slurm: PrivateSlurm, name: str) -> None:
    """Slurm waits for the node of a name, and no job does."""
    slurm.say("scontrol", "update", f"NodeName={name}", "State=POWER_UP")
    until(lambda: "POWERING_UP" in slurm.say("scontrol", "show", "node", name), f"{name} to be waited for")


def bring_up(slurm: PrivateSlurm, name: str) -> None:
    """Likewise, and the node registers."""
    power_up(slurm, name)
    slurm.start_node(name)
    until(lambda: slurm.say("sinfo", "-hN", "-n", name, "-o", "%t").split()[0] == "idle", f"{name} to be idle")


def submit(slurm: PrivateSlurm, *options: str) -> str:
    return slurm.say("sbatch", "-p", "cloud", "--mem=10", *options, "--wrap", "sleep 600").split()[-1]


def put(slurm: PrivateSlurm, *options: str) -> list[str]:
    """Submit a job; its state and its name once Slurm has found it one. It has no name before its begin time."""
    job = submit(slurm, *options)
    found: list[str] = []

    def look() -> bool:
        found[:] = slurm.say("squeue", "-h", f"--jobs={job}", "-o", "%T %N").split()
        return len(found) > 1

    until(look, f"job {job} to have a name")
    return found


@pytest.mark.parametrize("option", ["--ntasks=1", "--constraint=instancetype=small", "--exclusive"])
def test_of_names_of_one_weight_the_one_that_is_up_is_taken(slurm: PrivateSlurm, option: str) -> None:
    bring_up(slurm, "s-3")
    assert put(slurm, BEGINS, option) == ["RUNNING", "s-3"]


def test_one_that_is_up_is_taken_before_one_of_less_weight_that_is_off(slurm: PrivateSlurm) -> None:
    bring_up(slurm, "b-1")
    assert put(slurm, BEGINS) == ["RUNNING", "b-1"]


def test_one_that_is_powered_up_already_is_not_off(slurm: PrivateSlurm) -> None:
    """So among it and one that is up the weight decides, and the job waits for the boot."""
    bring_up(slurm, "b-1")
    power_up(slurm, "s-3")
    assert put(slurm, BEGINS) == ["CONFIGURING", "s-3"]


def test_room_on_a_node_at_work_is_taken_before_a_node_that_was_brought_up(slurm: PrivateSlurm) -> None:
    for name in ("s-3", "s-4"):
        bring_up(slurm, name)
    assert put(slurm, "--nodelist=s-4") == ["RUNNING", "s-4"]
    assert put(slurm, BEGINS) == ["RUNNING", "s-4"]


# ---- the daemon ------------------------------------------------------------------------------------------------------


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Site]:
    """`request.param`: more options of [Daemon]."""
    options = getattr(request, "param", "")
    with placing_site(tmp_path, monkeypatch.setenv, f"{OPTIONS}\nahead = yes\n{options}") as site:
        yield site


def idle(site: Site) -> list[str]:
    """Names whose nodes are up and have no job."""
    works = site.words.listed()[1]
    return sorted(name for name in site.machines.up if works[name].state.said == "idle")


def when(site: Site, job: str, what: str) -> float:
    """A moment of a job's, in seconds since the epoch."""
    shown = site.slurm.say("scontrol", "show", "job", job)
    (told,) = [word.partition("=")[2] for word in shown.split() if word.startswith(f"{what}=")]
    return time.mktime(time.strptime(told, "%Y-%m-%dT%H:%M:%S"))


def counted(site: Site) -> tuple[int, int, int]:
    """Nodes booted for such jobs, those that were used, those that were not."""
    counters = site.brain.view.counters
    booted, used, in_vain = (counters.get(f"ahead_{name}", 0) for name in ("boots", "used", "in_vain"))
    return booted, used, in_vain


def begins_on_a_node_that_is_up(site: Site, job: str) -> None:
    """A node is idle while the job cannot start; then it runs there, and has waited for no boot."""
    site.until(lambda: idle(site), "a node to be up")
    assert site.state(job) == "PENDING"
    up = time.time()
    site.until(lambda: site.state(job) == "RUNNING", "the job to run")
    begin, start = when(site, job, "EligibleTime"), when(site, job, "StartTime")
    print(f"job {job}: a node was up {begin - up:.0f} s before its begin time, it started {start - begin:.0f} s after")
    assert up < begin <= start


def test_a_node_is_up_when_the_begin_time_of_a_job_comes(site: Site) -> None:
    job = site.submit("--begin=now+45", "--exclusive")
    site.until(lambda: idle(site), "a node to be up")
    site.until(lambda: job in site.brain.view.ahead, "the job to be known")
    assert isinstance(site.brain.view.ahead[job], Readied)
    site.until(
        lambda: [type(node.why) for node in site.brain.view.nodes.values()] == [StaysAhead], "it to stay for the job"
    )
    begins_on_a_node_that_is_up(site, job)
    (name,) = site.names(job)
    site.until(lambda: counted(site) == (1, 1, 0), "the node to be known as used")
    assert site.machines.asked == [("small", name)]
    site.slurm.say("scancel", job)
    site.until(site.is_over, "all to be gone")
    assert len(site.machines.asked) == 1
    assert site.words.listed()[0][name].slurmd_started is not None, "Slurm keeps it while the name is off"


def test_jobs_that_fit_on_one_node_have_one(site: Site) -> None:
    """Two of one core, and two cores on a node; a third begins in what another job leaves."""
    first = site.submit("--begin=now+45")
    second = site.submit("--begin=now+45")
    begins_on_a_node_that_is_up(site, first)
    site.until(lambda: site.state(second) == "RUNNING", "the other to run")
    assert site.names(first) == site.names(second)
    site.slurm.say("scancel", second)
    third = site.submit("--begin=now+15")
    site.until(lambda: site.state(third) == "RUNNING", "the third to run")
    assert (len(site.machines.asked), site.names(third)) == (1, site.names(first))


def test_after_the_end_of_another_job_a_job_of_two_nodes_has_the_one_that_it_lacks(site: Site) -> None:
    first = site.submit("--exclusive", "--time=5", sleep=40)
    job = site.submit("-N2", "--exclusive", f"--dependency=afterok:{first}")
    site.until(lambda: site.state(first) == "RUNNING", "the first to run")
    site.until(lambda: idle(site), "a node to be up beside it")
    assert (site.state(first), site.state(job)) == ("RUNNING", "PENDING")
    site.until(lambda: site.state(job) == "RUNNING", "the other to run")
    assert len(site.machines.asked) == 2
    print(f"it started {when(site, job, 'StartTime') - when(site, first, 'EndTime'):.0f} s after the end of the first")


def test_a_job_in_a_reservation_has_a_name_inside(site: Site) -> None:
    """And one outside it has none of these."""
    given = ["ReservationName=course", "Nodes=s-3", "StartTime=now+60", "Duration=60", "Users=root"]
    site.slurm.say("scontrol", "create", "reservation", *given, "Flags=ignore_jobs")
    inside = site.submit("--reservation=course", "--exclusive", "--time=10")
    outside = site.submit("--begin=now+50", "--exclusive", "--time=600")
    site.until(lambda: len(idle(site)) == 2, "two nodes to be up")
    assert "s-3" in idle(site)
    site.until(lambda: {site.state(inside), site.state(outside)} == {"RUNNING"}, "both to run")
    assert site.names(inside) == ["s-3"]
    assert len(site.machines.asked) == 2


def test_after_a_cancel_the_node_goes(site: Site) -> None:
    job = site.submit("--begin=now+250")
    site.until(lambda: idle(site), "a node to be up")
    site.slurm.say("scancel", job)
    site.until(site.is_over, "all to be gone")
    assert (len(site.machines.asked), counted(site)) == (1, (1, 0, 1))


@pytest.mark.parametrize("site", ["ahead_max_idle = 0.3"], indirect=True)
def test_a_node_waits_for_ahead_max_idle_and_no_longer(site: Site) -> None:
    job = site.submit("--begin=now+250")
    site.until(lambda: idle(site), "a node to be up")
    site.until(site.is_over, "all to be gone")
    assert "a node was ready for ahead_max_idle in vain" in site.brain.view.ahead[job].words(0.0)
    assert (site.state(job), len(site.machines.asked)) == ("PENDING", 1)


@pytest.mark.parametrize("site", ["min_nodes = 1"], indirect=True)
def test_a_node_that_min_nodes_keeps_is_enough(site: Site) -> None:
    """Also for a daemon that knows nothing of it."""
    site.until(lambda: idle(site), "a node to be up")
    job = site.submit("--begin=now+30", "--exclusive")
    site.starts()
    begins_on_a_node_that_is_up(site, job)
    assert len(site.machines.asked) == 1
