"""Brain and hands together on a real Slurm that places jobs on names that are off: what goes wrong."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from slurm_cloud_stage import OPTIONS, Site, placing_site

from arvnodeman.fleet.values.model import CloudNode
from arvnodeman.fleet.values.work import Power, WorkKind
from arvnodeman.slurm.power import GAVE_UP


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Site]:
    """`request.param`: more options of [Daemon], and how long Slurm waits for a node."""
    options, patience = getattr(request, "param", (OPTIONS, "300"))
    with placing_site(tmp_path, monkeypatch.setenv, options, patience) as site:
        yield site


@pytest.mark.long
def test_a_job_cancelled_while_its_node_boots_leaves_nothing(site: Site) -> None:
    """Row O5."""
    site.machines.sleeps = True
    job = site.submit()
    site.until(lambda: site.machines.nodes, "a machine to be asked for")
    site.slurm.say("scancel", job)
    site.until(site.is_over, "all to be gone")
    assert site.machines.asked == [("small", "s-1")]


@pytest.mark.long
def test_a_name_that_is_powered_up_for_nobody_is_given_back(site: Site) -> None:
    """Row O5."""
    site.until(lambda: site.log, "the daemon to have begun")
    site.slurm.say("scontrol", "update", "nodename=s-2", "state=power_up")
    site.slurm_comes_to(lambda: site.work("s-2").power is Power.STARTING, "it to be powered up")
    site.until(site.is_over, "it to be free again")
    assert site.machines.asked == []


def test_a_machine_under_a_name_that_is_off_is_destroyed(site: Site) -> None:
    """Row O2."""
    stray = CloudNode("i-99", "s-3", "i-99", size_tag="small", provider_size="small", start_time=time.time() - 900)
    site.machines.nodes["i-99"] = stray
    site.until(site.is_over, "the stray machine to be gone")


def test_an_idle_node_whose_machine_vanishes_frees_its_name(site: Site) -> None:
    """Row O8."""
    job = site.submit()
    site.until(lambda: site.state(job) == "RUNNING", "it to run")
    (name,) = site.names(job)
    site.slurm.say("scancel", job)
    site.machines.vanish(name)
    site.until(site.is_over, "the name to be free")


@pytest.mark.long
def test_what_an_administrator_powers_down_is_destroyed(site: Site) -> None:
    """Rows O11, O16."""
    job = site.submit()
    site.until(lambda: site.state(job) == "RUNNING", "it to run")
    (name,) = site.names(job)
    site.slurm.say("scontrol", "update", f"nodename={name}", "state=power_down_force", "reason=an admin's")
    site.until(lambda: name not in site.machines.up, "its machine to be gone")
    site.slurm.say("scancel", job)
    site.until(site.is_over, "all to be gone")


@pytest.mark.long
def test_a_name_that_somebody_else_has_drained_is_left_to_him(site: Site) -> None:
    """Row O13."""
    site.slurm.say("scontrol", "update", "nodename=s-1", "state=drain", "reason=disk broken")
    job = site.submit(sleep=1)
    site.until(lambda: site.state(job) == "COMPLETED", "the job to have run")
    assert ("small", "s-1") not in site.machines.asked
    site.until(lambda: not site.machines.nodes, "the node to go")
    work = site.work("s-1")
    assert (work.state.kind, work.reason) == (WorkKind.DRAINED, "disk broken")


def test_a_machine_that_does_not_come_up_in_time_goes_and_its_job_goes_on(site: Site) -> None:
    """Row O17."""
    site.machines.sleeps = True
    job = site.submit("--no-requeue", sleep=1)
    site.until(lambda: site.machines.nodes, "a machine to be asked for")
    (first,) = site.machines.nodes
    site.until(lambda: first not in site.machines.nodes, "it to be given up")
    site.machines.sleeps = False
    site.until(lambda: site.state(job) == "COMPLETED", "the job to have run")
    site.until(site.is_over, "all to be gone")


@pytest.mark.long
@pytest.mark.parametrize("site", [(OPTIONS, "12")], indirect=True)
def test_a_name_that_slurm_gave_up_is_opened(site: Site) -> None:
    """The daemon was not there meanwhile. Row O12."""
    job = site.submit()
    site.slurm_comes_to(lambda: site.work("s-1").reason == GAVE_UP, "the name to be given up")
    site.slurm.say("scancel", job)
    site.until(site.is_over, "the name to be free")
