"""Brain and hands together on a real Slurm that places jobs on names that are off: how jobs get their nodes."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from slurm_cloud_stage import OPTIONS, Site, placing_site


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Site]:
    """`request.param`: more options of [Daemon], and how long Slurm waits for a node."""
    options, patience = getattr(request, "param", (OPTIONS, "300"))
    with placing_site(tmp_path, monkeypatch.setenv, options, patience) as site:
        yield site


def test_a_job_gets_its_node_and_the_node_goes_when_it_idles(site: Site) -> None:
    """Rows O3, O7, O11."""
    job = site.submit(sleep=1)
    site.until(lambda: site.state(job) == "COMPLETED", "the job to have run")
    assert site.machines.asked == [("small", "s-1")]
    site.until(site.is_over, "all to be gone")


def test_a_refused_size_gives_its_jobs_to_the_next_one(site: Site) -> None:
    """Rows O12, O19."""
    site.machines.refused.add("small")
    jobs = [site.submit("--no-requeue", sleep=1), site.submit(sleep=1), site.submit("--array=1-2", sleep=1)]
    site.until(lambda: all(set(site.state(job).split()) == {"COMPLETED"} for job in jobs), "all jobs to have run")
    assert {size for size, _ in site.machines.asked[1:]} >= {"big"}
    assert site.slurm.say("squeue", "-h", "--states=all", f"--jobs={jobs[0]}", "--Format=Requeue:0").strip() == "0"


def test_a_machine_that_dies_loses_no_job_that_may_run_again(site: Site) -> None:
    """Row O8."""
    job = site.submit(sleep=600)
    site.until(lambda: site.state(job) == "RUNNING", "it to run")
    (name,) = site.names(job)
    site.machines.vanish(name)
    site.until(lambda: site.state(job) == "RUNNING" and site.names(job) and site.machines.nodes, "it to run again")
    site.slurm.say("scancel", job)
    site.until(site.is_over, "all to be gone")


def test_a_daemon_that_forgot_everything_goes_on(site: Site) -> None:
    """Row O21."""
    job = site.submit("-N2", "--exclusive", sleep=1)
    site.until(lambda: site.machines.asked, "a machine to be asked for")
    site.starts()
    site.until(lambda: site.state(job) == "COMPLETED", "the job to have run")
    site.starts()
    site.until(site.is_over, "all to be gone")
    assert len(site.machines.asked) == 2


@pytest.mark.long
@pytest.mark.parametrize("site", [("max_nodes = 1", "300")], indirect=True)
def test_what_a_limit_forbids_waits_and_runs_when_there_is_room(site: Site) -> None:
    """Row O18."""
    jobs = [site.submit("--exclusive", "--no-requeue", sleep=1) for _ in range(2)]
    most = [0]

    def done() -> bool:
        most[0] = max(most[0], len(site.machines.nodes))
        return all(site.state(job) == "COMPLETED" for job in jobs)

    site.until(done, "both to have run")
    assert most == [1]
    site.until(site.is_over, "all to be gone")


@pytest.mark.long
@pytest.mark.parametrize("site", [("max_nodes = 5\nmin_nodes = 1", "300")], indirect=True)
def test_a_node_is_kept_before_any_job(site: Site) -> None:
    """Row O23."""
    site.until(lambda: site.machines.up, "a node to come up")
    (name,) = site.machines.up
    job = site.submit(sleep=1)
    site.until(lambda: site.state(job) == "COMPLETED", "the job to have run")
    assert site.machines.asked == [("small", name)]


def test_a_job_of_several_nodes_of_which_one_is_refused_goes_back_whole(site: Site) -> None:
    """Row O19."""
    site.machines.refused.add("s-2")
    job = site.submit("-N2", "--exclusive", sleep=1)
    site.until(lambda: site.state(job) == "COMPLETED", "it to have run")
    site.machines.refused.clear()
    assert {"s-1", "s-2"} <= {name for _, name in site.machines.asked}


@pytest.mark.long
@pytest.mark.parametrize("site", [("max_nodes = 5\nsize_retry_after = 2", "300")], indirect=True)
def test_a_user_at_a_terminal_waits_for_the_boot_that_was_refused(site: Site) -> None:
    """Row O20."""
    site.machines.refused.add("small")
    argv = ["srun", "-p", "cloud", "-n1", "--mem=10", "true"]
    with subprocess.Popen(argv, env=site.slurm.environment(), stderr=subprocess.DEVNULL) as srun:
        try:
            site.until(lambda: len(site.machines.asked) > 1, "the boot to be tried again")
            assert {name for _, name in site.machines.asked} == {"s-1"}
            assert srun.poll() is None
            site.machines.refused.clear()
            site.until(lambda: srun.poll() is not None, "srun to have run")
        finally:
            srun.kill()
    assert srun.returncode == 0
    assert {name for _, name in site.machines.asked} == {"s-1"}
