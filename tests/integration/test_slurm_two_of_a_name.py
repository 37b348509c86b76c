"""Two live nodes of one name: Slurm talks to an address, and nobody who may be there is destroyed while it works."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from slurm_stage import SPEED, Stage, stage

from arvnodeman.cloud.sandbox import NODE_NAME
from arvnodeman.sandbox.process import SiteProcess

FAILS_AFTER = 10.0  # real seconds: boot_fail_after


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Stage]:
    with SiteProcess(speed=SPEED, slots=4, records="slurm") as site, stage(site, tmp_path) as alone:
        yield alone


def cloud(alone: Stage, method: str, body: object = None) -> Any:
    """Ask the cloud for its nodes, or for another one."""
    address = alone.site.address
    request = urllib.request.Request(
        f"{address.url}/cloud/nodes",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {address.key}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())


def second_of(alone: Stage, first: Any) -> Any:
    """Another node with the name and the tags of the first, as an earlier boot may have left one; its slurmd is up."""
    name = first["tags"]["hostname"]
    body = {"name": first["name"], "size": first["size"], "tags": first["tags"], "user_data": f"{NODE_NAME}{name}"}
    second = cloud(alone, "POST", body)
    alone.until(lambda: second["id"] in alone.subjects("slurmd-started"), "the slurmd of the second")
    return next(node for node in cloud(alone, "GET")["nodes"] if node["id"] == second["id"])


@pytest.mark.long
def test_the_second_node_of_a_name_outlives_the_work_that_slurm_has_given_to_it(alone: Stage) -> None:
    """NodeAddr is the second's when the job begins; the first has the name by all accounts."""
    options: dict[str, Any] = {"min_nodes": 1, "max_nodes": 2, "boot_fail_after": FAILS_AFTER}
    daemon = alone.daemon(**options)
    daemon.wait_for_line("is now paired with")
    alone.until(lambda: [node["slurm"] for node in alone.nodes()] == ["idle"], "an idle node")
    alone.crash(daemon)
    (first,) = cloud(alone, "GET")["nodes"]
    second = second_of(alone, first)
    name = first["tags"]["hostname"]
    alone.slurm("scontrol", "update", f"NodeName={name}", f"NodeAddr={second['address']}")
    alone.until(lambda: alone.sinfo(name) == "idle", "Slurm to find the second")
    job = alone.job(size=first["size"], duration=4 * FAILS_AFTER * SPEED)
    assert alone.node_of(job)["id"] == second["id"]
    daemon = alone.daemon(**options)
    daemon.wait_for_line(f"Slurm says alloc of {name}, which may be this node")
    began = alone.site.state()["elapsed"]
    alone.until(lambda: alone.site.state()["elapsed"] > began + 1.5 * FAILS_AFTER * SPEED, "time to pass")
    assert {node["id"] for node in alone.nodes()} == {first["id"], second["id"]}
    alone.until_job(job, "completed")
    alone.until(lambda: [node["id"] for node in alone.nodes()] == [first["id"]], "the second to go")
    assert "busy-node-destroyed" not in alone.site.state()["counts"]
    assert alone.subjects("job-started") == [job]
    assert daemon.stop() == 0
