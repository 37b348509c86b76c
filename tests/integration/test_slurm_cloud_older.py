"""Slurm decides, on a Slurm older than 24.11: with names of one size alone, and two lines in slurm.conf."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from slurm_cloud_stage import FILE, Site
from slurm_stage import need_slurm, slurm_version

from arvnodeman.config import ConfigError, load
from arvnodeman.fleet.values.reasons_of_placing import Returned
from arvnodeman.records.keeper import check_keeper
from arvnodeman.sandbox.real_slurm import PrivateSlurm
from arvnodeman.sandbox.real_slurm_conf import CloudNames, Shape

pytestmark = pytest.mark.long
NAMES = (CloudNames(names="s-[1-4]", size="small"),)
POWER = (("SuspendTimeout", "8"), ("ResumeTimeout", "300"), ("PrivateData", "cloud"))
PARAMETERS = "power_save_interval=1,cloud_reg_addrs"
ONE_SIZE = FILE.partition("[Size big]")[0].format(options="max_nodes = 3\nsize_retry_after = 5")


@pytest.fixture
def slurm(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[PrivateSlurm]:
    need_slurm()
    if not (22, 5) <= slurm_version() < (23, 11):
        pytest.skip(f"Slurm {slurm_version()} is not one of those that need these two lines")
    power = (*POWER, ("SlurmctldParameters", getattr(request, "param", PARAMETERS)))
    with PrivateSlurm(Shape(nodes=1, cloud=NAMES, power=power, message_timeout=10)) as slurm:
        for name, value in slurm.environment().items():
            monkeypatch.setenv(name, value)
        yield slurm


def test_names_of_one_size_live_there_as_on_a_newer_one(slurm: PrivateSlurm, tmp_path: Path) -> None:
    """Jobs that run once at most, jobs of two nodes, a refusal, and a job that a limit forbids: a minute, most of it
    Slurm's own looks 30 s apart."""
    (tmp_path / "site.cfg").write_text(ONE_SIZE)
    site = Site(slurm, tmp_path / "site.cfg")
    jobs = [site.submit("--no-requeue", sleep=2), site.submit("-N2", "--exclusive", sleep=2)]
    site.until(lambda: {site.state(job) for job in jobs} == {"COMPLETED"}, "both to be done")
    site.until(site.is_over, "all names to be off and free")
    site.machines.refused = {"small"}
    job = site.submit("--no-requeue", sleep=2)
    site.until(lambda: any("Giving" in line for line in site.log), "the job to go back")
    site.machines.refused = set()
    site.until(lambda: site.state(job) == "COMPLETED", "it to be done after the rest")
    assert "Requeue=0" in slurm.say("scontrol", "show", "job", job)
    site.until(site.is_over, "all names to be off and free")
    large = site.submit("-N4", "--exclusive", sleep=2)
    site.until(lambda: isinstance(site.brain.view.placed.get(large), Returned), "the job to be told why it waits")
    assert "configured max_nodes (3)" in site.brain.view.placed[large].words(site.brain.view.t)


@pytest.mark.parametrize("slurm", ["power_save_interval=1"], indirect=True)
def test_one_that_takes_no_address_from_its_nodes_is_refused(slurm: PrivateSlurm, tmp_path: Path) -> None:
    path = tmp_path / "site.cfg"
    path.write_text(ONE_SIZE)
    with pytest.raises(ConfigError, match="SlurmctldParameters needs cloud_reg_addrs"):
        check_keeper(load(str(path)))
