"""The real daemon makes several EC2 nodes by one request, and is killed in the middle of it: nothing leaks, nothing is
made twice. moto's EC2, with the sandbox for Arvados, Slurm and the computers. `make proofs ARGS=bursts` has all; those
on a real Slurm that places jobs on names that are off need one that is new enough: `make proofs ARGS=bursts-placed`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from daemon_process import BOUND, DaemonProcess
from ec2_relay import Ec2Relay, Moment
from slurm_stage import need_slurm, slurm_version

from arvnodeman.cloud.ec2_batch import BATCH_TAG
from arvnodeman.sandbox.process import SiteProcess
from arvnodeman.sandbox.wiring import PLACES

pytest.importorskip("moto")
JOBS = 5  # as many as a size may have on their way before one of its nodes has come up
POINTS = {
    "before-the-request": Moment("RunInstances"),
    "before-its-answer": Moment("RunInstances", done=True),
    "before-the-tags": Moment("CreateTags"),
    "after-the-first-tags": Moment("CreateTags", done=True),
    "between-the-tags": Moment("CreateTags", 3),
}
SHORT = [("before-its-answer", "arvados"), ("between-the-tags", "slurm")]
ALL = [(point, keeper) for point in POINTS for keeper in ("arvados", "slurm", PLACES)]
CHOSEN = ALL if os.environ.get("PROOFS") else [pytest.param(*SHORT[0], marks=pytest.mark.long), pytest.param(*SHORT[1])]
Start = Callable[[], DaemonProcess]


@pytest.fixture
def records(request: pytest.FixtureRequest) -> str:
    """Who keeps the node records."""
    return str(getattr(request, "param", "arvados"))


@pytest.fixture
def site(records: str) -> Iterator[SiteProcess]:
    if records != PLACES:
        options: dict[str, object] = {"speed": 60}
    else:
        need_slurm()
        if slurm_version() < (24, 11):
            pytest.skip(f"Slurm {slurm_version()} is older than the mode: make proofs ARGS=bursts-placed")
        options = {"speed": 30, "slurm": "real", "slots": 40}
    with SiteProcess(cloud="ec2", records=records, **options) as site:
        yield site


@pytest.fixture
def relay(site: SiteProcess) -> Iterator[Ec2Relay]:
    with Ec2Relay(int(site.address.cloud["Cloud Credentials"]["port"])) as relay:
        yield relay


@pytest.fixture
def start(site: SiteProcess, relay: Ec2Relay, records: str, tmp_path: Path) -> Iterator[Start]:
    """Start a daemon; the same configuration and log for each. One operator makes all boots, one after the other, so
    that creates wait for each other."""
    started: list[DaemonProcess] = []
    log, template = tmp_path / "log", tmp_path / "user-data"
    template.write_text("#!/bin/sh\n# node_name={hostname}\n")
    reads = {"user_data": template} if records != "arvados" else {}  # else they ping, and Arvados tells them

    def start() -> DaemonProcess:
        sections: dict[str, dict[str, object]] = {
            "Logging": {"file": log, "level": "DEBUG"},
            "Cloud": {"burst": "yes"},
            "Cloud Credentials": {"port": relay.port},
            "Cloud Create": {"subnet_id": "", **reads},
        }
        options = {"max_concurrent_cloud_ops": 2, "max_nodes": 2 * JOBS}
        config = site.write_config(tmp_path / "site.cfg", dict(sections), **options)
        started.append(DaemonProcess(config, log, site.environment()))
        return started[-1]

    yield start
    for daemon in started:
        daemon.end()


def add_jobs(site: SiteProcess) -> None:
    site.add_jobs(*({"cores": 2, "duration": 60} for _ in range(JOBS)))


def comes_to_rest(site: SiteProcess, daemon: DaemonProcess) -> dict[str, Any]:
    """All jobs have run, and all nodes are gone: EC2's account of it."""
    site.wait_for(lambda state: state["quiet"] and state["jobs"].get("completed") == JOBS, timeout=4 * BOUND)
    assert daemon.stop() == 0
    assert site.verdict()["clean"], site.verdict()
    account = site.get("ec2")
    assert (account["live"], account["volumes_left"]) == (0, 0)
    return account


def batches(account: dict[str, Any]) -> list[str]:
    """The list of its batch, of each instance that is of one."""
    return list(filter(None, (instance["tags"].get(f"{BATCH_TAG}_0") for instance in account["instances"])))


def test_one_request_makes_the_nodes_of_all_jobs(site: SiteProcess, start: Start) -> None:
    daemon = start()
    add_jobs(site)
    account = comes_to_rest(site, daemon)
    assert account["made"] == JOBS
    assert 1 <= len(set(batches(account))) < len(batches(account))  # that some came together is enough


@pytest.mark.parametrize(("point", "records"), CHOSEN, indirect=["records"])
def test_a_daemon_that_is_killed_in_a_burst_leaves_nothing_and_makes_nothing_twice(
    site: SiteProcess, relay: Ec2Relay, start: Start, point: str
) -> None:
    """Whatever it had heard of the instances by then: the next one joins them by batch and launch index."""
    first = start()
    relay.at(POINTS[point], first.process.kill)
    add_jobs(site)
    assert relay.struck.wait(4 * BOUND)
    first.process.wait(BOUND)
    second = start()
    account = comes_to_rest(site, second)
    assert account["made"] == JOBS
    assert batches(account)
    assert "never paired" not in second.text()
