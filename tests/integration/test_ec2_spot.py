"""The whole daemon with spot nodes on moto's EC2: what is taken back, the next purchase, and what is told of it."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from daemon_process import BOUND, DaemonProcess, command

from arvnodeman.sandbox.process import SiteProcess

pytest.importorskip("moto")


@pytest.fixture
def site() -> Iterator[SiteProcess]:
    with SiteProcess(speed=60, cloud="ec2", records="slurm") as site:
        yield site


def told(config: Path, *arguments: str) -> str:
    ended = subprocess.run(
        command(*arguments, "--config", str(config)), capture_output=True, text=True, timeout=4 * BOUND, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.mark.long
def test_a_job_whose_spot_node_is_taken_back_runs_on_demand(site: SiteProcess, tmp_path: Path) -> None:
    """spot_tries is 1: the first is spot, the second is not; report tells of it by pool."""
    log, template = tmp_path / "log", tmp_path / "user-data"
    template.write_text("#!/bin/sh\n# node_name={hostname}\n")
    sections: dict[str, dict[str, object]] = {
        "Logging": {"file": log, "level": "DEBUG"},
        "Cloud Create": {"user_data": template},
        "Size small": {"purchases": "spot, on-demand", "spot_price": "0.02"},
    }
    config = site.write_config(tmp_path / "site.cfg", dict(sections), state_dir=tmp_path / "state", max_nodes=4)
    daemon = DaemonProcess(config, log, site.environment())
    try:
        site.add_jobs({"size": "small", "duration": 400})
        taken = 0
        while taken < 3:  # a job may be on its next node before a list shows that the last was taken
            state = site.wait_for(lambda state: state["jobs"].get("running") == 1, ["nodes"], 4 * BOUND)
            (node,) = [each for each in state["node_list"] if each["job"]]
            if not node["preemptible"]:
                break
            time.sleep(3.0)  # some polls hear of the job
            site.post(f"nodes/{node['id']}", {"do": "node-reclaimed"})
            taken += 1
            site.wait_for(lambda state: state["jobs"].get("running") != 1, timeout=4 * BOUND)
        site.wait_for(lambda state: state["jobs"].get("completed") == 1, timeout=8 * BOUND)
        site.wait_for(lambda state: state["quiet"], timeout=8 * BOUND)
        report = told(config, "report", "--since", "today")
    finally:
        daemon.stop()
        daemon.end()
    spots = [each["spot"] for each in site.get("ec2")["instances"]]
    assert spots == [True] * taken + [False]
    assert taken in (1, 2)
    assert site.verdict()["clean"], site.verdict()
    pools = re.findall(r"^small +subnet-\w+ +(\d+) +\S+ +(\d+) ", report, re.MULTILINE)
    assert sum(int(nodes) for nodes, _ in pools) == sum(int(gone) for _, gone in pools) == taken, report
