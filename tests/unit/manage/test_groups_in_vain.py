"""Groups of jobs for which a node was up in vain, as the API, the metrics and the command line show them."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from managed_world import Managed, jobs, policy
from msgspec import structs
from world import EPOCH

from arvnodeman.commands import wording
from arvnodeman.fleet.messages import QueueListed
from arvnodeman.fleet.plan.vain import group_name
from arvnodeman.fleet.values.model import Job, JobOwner, JobShape
from arvnodeman.fleet.values.work import WaitKind
from arvnodeman.manage.access import LOCAL
from arvnodeman.manage.answers import GroupShown, JobShown

SHAPE = JobShape(owner=JobOwner("ann", "lab", "spent"))
GROUP = group_name(SHAPE)


@pytest.fixture
def site(tmp_path: Path) -> Managed:
    """Two jobs wait, and Slurm has not used the node for them."""
    site = Managed(tmp_path, token="t", policy=policy(use_within=180.0))
    site.world.node()
    site.begin(*jobs(2, SHAPE))
    site.cycle(times=4)
    return site


def test_a_group_with_slurms_reason_the_node_and_the_next_try(site: Managed) -> None:
    (group,) = site.ask("/v1/groups")["groups"]
    assert (group["name"], group["jobs"], group["node"], group["slurm_reason"]) == (GROUP, 2, "compute1", "Resources")
    assert group["words"] == "user ann, account lab, QOS spent, 1 core(s), 0 MB"
    assert group["until_seconds"] is not None
    assert group["why"].startswith(
        "compute1 stood idle for it for 3 min and Slurm did not use it: Slurm said Resources"
    )
    assert site.ask("/v1/status")["groups_in_vain"] == 1
    read = msgspec.convert(group, GroupShown)
    assert list(wording.in_vain([read])) == [f"in vain: {GROUP} ({group['words']}; 2 jobs): {group['why']}"]
    more = [*wording.in_vain([read] * 8)]
    assert (len(more), more[-1]) == (6, "in vain: 3 more groups")
    assert not [*wording.in_vain([structs.replace(read, until_seconds=None)])]


def test_a_job_names_its_group_and_says_why_it_waits(site: Managed) -> None:
    job = site.ask("/v1/jobs")["jobs"][1]
    assert job["group"] == GROUP
    assert job["why"] == site.ask("/v1/groups")["groups"][0]["why"]
    assert f"  its group, of jobs like it: {GROUP}" in [*wording.job(msgspec.convert(job, JobShown))]


def test_a_job_that_slurm_refuses_says_what_came_of_its_nodes(site: Managed) -> None:
    job = site.world.jobs[0]
    site.waits.update((), EPOCH, {job.id: "QOSGrpCpuLimit"})
    site.world.tell(
        QueueListed((), site.world.now, {SHAPE: [Job(job.id, SHAPE, 0, "QOSGrpCpuLimit", waits=WaitKind.RULES)]})
    )
    told = site.ask(f"/v1/jobs/{job.id}")
    assert told["why"].startswith(
        "Slurm's reason is QOSGrpCpuLimit: more nodes would not help; of jobs like it, compute1"
    )


def test_metrics_count_them(site: Managed) -> None:
    text = site.client.get("/metrics", environ_overrides={LOCAL: True}).get_data(as_text=True)
    assert "arvados_node_manager_groups_in_vain 1.0" in text
    assert "arvados_node_manager_boots_in_vain_total 1.0" in text


@pytest.mark.parametrize("meant", ["group", "job", "size"])
def test_an_operator_has_it_tried_again(site: Managed, meant: str) -> None:
    name = {"group": GROUP, "job": site.world.jobs[1].id, "size": "small"}[meant]
    answer = site.post(f"/v1/retry/{name}", {"reason": "the limit is raised"})
    assert answer.status_code == 200
    assert answer.json == {"name": name, "groups": [GROUP], "reason": "the limit is raised", "heard": True}
    (group,) = site.ask("/v1/groups")["groups"]
    assert group["until_seconds"] is None
    kinds = [(each["kind"], each["subject"]) for each in site.ask("/v1/decisions")["decisions"]]
    assert kinds[-2:] == [("word", name), ("tried again", GROUP)]


def groups_of(site: Managed, name: str) -> object:
    return site.post(f"/v1/retry/{name}", {}).get_json()["groups"]


def test_what_is_not_known_is_404_and_what_waits_for_nothing_is_no_group(site: Managed) -> None:
    assert site.post("/v1/retry/g00000000", {}).status_code == 404
    assert groups_of(site, "large") == [GROUP]  # it would do for them, too
    site.cycle(*jobs(1, JobShape(cores=4), name="other"))
    other = site.world.jobs[0].id
    assert groups_of(site, other) == []


def test_it_needs_the_token_and_may_be_heard_later(site: Managed) -> None:
    assert site.post(f"/v1/retry/{GROUP}", {}, local=False).status_code == 401
    site.hears = False
    answer = site.post(f"/v1/retry/{GROUP}", {})
    assert (answer.status_code, json.loads(answer.data)["heard"]) == (202, False)
