"""Brain and hands together on a real Slurm that places jobs on names that are off: what others do to a name while it is
ours, by rows of area O in doc/scenarios.md."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from slurm_cloud_stage import Site, placing_site

from arvnodeman.fleet.values.model import CloudNode
from arvnodeman.fleet.values.work import Power, WorkKind

SEVERAL_POLLS = 6.0  # seconds


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    with placing_site(tmp_path, monkeypatch.setenv) as site:
        yield site


def update(site: Site, name: str, *words: str) -> None:
    """An administrator's hand."""
    site.slurm.say("scontrol", "update", f"nodename={name}", *words)


def for_several_polls(site: Site) -> None:
    end = time.monotonic() + SEVERAL_POLLS
    site.until(lambda: time.monotonic() > end, "some polls")


@pytest.mark.long
def test_a_name_that_is_off_without_a_machine_is_left_alone(site: Site) -> None:
    """Row O1."""
    site.until(lambda: site.log, "the daemon to have begun")
    before = site.words.listed()
    for_several_polls(site)
    assert site.words.listed() == before
    assert site.machines.asked == []


def test_a_machine_of_an_earlier_power_up_goes_before_another_is_created(site: Site) -> None:
    """The stage's cloud refuses a second machine of a name. Row O4."""
    old = CloudNode(
        "i-99", "s-1", "i-99", size_tag="small", provider_size="small", start_time=time.time() - 900, token="old"
    )
    site.machines.nodes["i-99"] = old
    job = site.submit("--nodelist=s-1", sleep=1)
    site.slurm_comes_to(lambda: site.work("s-1").power is Power.STARTING, "the name to be powered up")
    site.machines.sleeps = True
    site.until(lambda: site.machines.asked, "a machine to be asked for")
    assert "i-99" not in site.machines.nodes
    site.machines.sleeps = False
    site.until(lambda: site.state(job) == "COMPLETED", "the job to have run")
    site.until(site.is_over, "all to be gone")


@pytest.mark.long
def test_a_name_that_is_drained_while_it_boots_is_powered_down_and_its_machine_goes(site: Site) -> None:
    """Row O6."""
    site.machines.sleeps = True
    job = site.submit()
    site.until(lambda: site.machines.nodes, "a machine to be asked for")
    (first,) = site.machines.nodes
    update(site, "s-1", "state=drain", "reason=disk")
    site.slurm.say("scancel", job)
    site.until(lambda: first not in site.machines.nodes, "its machine to be gone")
    site.slurm_comes_to(lambda: site.work("s-1").power in (Power.GOING, Power.OFF), "it to be powered down")


def test_a_busy_node_that_somebody_powers_down_is_kept_until_its_job_has_ended(site: Site) -> None:
    """Slurm would start more jobs there, so it counts neither as spare nor as gone. Rows O10, O11."""
    job = site.submit()
    site.until(lambda: site.state(job) == "RUNNING", "it to run")
    (name,) = site.names(job)
    (machine,) = site.machines.nodes
    update(site, name, "state=power_down")
    site.slurm_comes_to(lambda: site.work(name).power is Power.LEAVING, "it to be asked to power down")
    for_several_polls(site)
    assert list(site.machines.nodes) == [machine]
    assert site.state(job) == "RUNNING"
    assert len(site.machines.asked) == 1
    site.slurm.say("scancel", job)
    site.until(site.is_over, "all to be gone")


@pytest.mark.long
def test_a_node_in_a_maintenance_is_left_alone_and_goes_when_that_is_over(site: Site) -> None:
    """Row O14."""
    job = site.submit()
    site.until(lambda: site.state(job) == "RUNNING", "it to run")
    (name,) = site.names(job)
    words = ("reservationname=works", "starttime=now", "duration=60", f"nodes={name}", "flags=maint,ignore_jobs")
    site.slurm.say("scontrol", "create", "reservation", *words, "users=root")
    site.slurm.say("scancel", job)
    site.slurm_comes_to(lambda: site.work(name).state.kind is WorkKind.RESERVED, "the maintenance to be shown")
    for_several_polls(site)
    assert [node.name for node in site.machines.nodes.values()] == [name]
    assert site.work(name).power is Power.ON
    site.slurm.say("scontrol", "delete", "reservationname=works")
    site.until(site.is_over, "all to be gone")
