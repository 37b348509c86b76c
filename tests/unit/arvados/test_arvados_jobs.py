"""Arvados' own queue, reasons and cancelling, through the SDK at the sandbox's API server."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from arvados_site import TOKEN, Site, serving
from werkzeug.wrappers import Response

from arvnodeman.arvados.jobs import JobsQueue, job_of
from arvnodeman.fleet.values.model import ErrorKind, Job, JobShape, RemoteFailure
from arvnodeman.sandbox.arvados_store import ArvadosStore

UUID = "zzzzz-8i9sb-000000000000001"


def test_the_queue_of_a_server_up_to_1_4_comes_in_its_order(site: Site) -> None:
    """Constraints may be texts; a job without any wants one core."""
    site.store.jobs_mode = "1.4"
    low = site.store.add_job({}, priority=1)["uuid"]
    constraints = {"min_nodes": 2, "min_cores_per_node": "4", "min_ram_mb_per_node": 2000}
    high = site.store.add_job(constraints | {"min_scratch_mb_per_node": "10000"}, priority=5)["uuid"]
    assert JobsQueue(site.settings).waiting() == (
        Job(high, JobShape(cores=4, ram=2000, scratch=10000, nodes=2), priority=5, in_slurm=False),
        Job(low, JobShape(cores=1), priority=1, in_slurm=False),
    )


def test_a_long_queue_is_read_to_its_end(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row A20."""
    monkeypatch.setattr("arvnodeman.sandbox.arvados_query.MAX_ITEMS", 4)
    site.store.jobs_mode = "1.4"
    uuids = {site.store.add_job({})["uuid"] for _ in range(9)}
    assert {job.id for job in JobsQueue(site.settings).waiting()} == uuids


def test_servers_from_2_0_on_have_an_empty_queue(site: Site) -> None:
    site.store.add_job({})
    assert JobsQueue(site.settings).waiting() == ()


def test_servers_from_3_0_on_have_no_queue_and_that_is_no_error(tmp_path: Path) -> None:
    with serving(tmp_path, nodes_api=False) as site:
        assert JobsQueue(site.settings).waiting() == ()


@pytest.mark.parametrize(
    "bad",
    [
        None,
        "text",
        {},
        {"uuid": None, "runtime_constraints": {}},
        {"uuid": UUID, "runtime_constraints": [1]},
        {"uuid": UUID, "runtime_constraints": {"min_nodes": "many"}},
        {"uuid": UUID, "runtime_constraints": {"min_nodes": "nan"}},
        {"uuid": UUID, "runtime_constraints": {"min_ram_mb_per_node": -1}},
        {"uuid": UUID, "runtime_constraints": {"min_cores_per_node": [1]}},
        {"uuid": UUID, "priority": "high"},
    ],
)
def test_one_malformed_job_costs_only_itself(site: Site, caplog: pytest.LogCaptureFixture, bad: Any) -> None:
    items = [bad, {"uuid": "zzzzz-8i9sb-000000000000002", "runtime_constraints": None, "priority": None}]
    site.answer_with(Response(json.dumps({"items": items, "limit": 1000}), mimetype="application/json"))
    assert [job.id for job in JobsQueue(site.settings).waiting()] == ["zzzzz-8i9sb-000000000000002"]
    (warning,) = [entry.getMessage() for entry in caplog.records if entry.levelname == "WARNING"]
    assert str(bad.get("uuid") if isinstance(bad, dict) else None) in warning


def test_an_empty_string_of_a_number_is_none() -> None:
    job = job_of({"uuid": UUID, "runtime_constraints": {"min_nodes": "", "min_ram_mb_per_node": None}})
    assert job.shape == JobShape()


@pytest.mark.parametrize(("nodes_api", "event_type"), [(True, "stderr"), (False, "dispatch")])
def test_the_reason_is_logged_where_it_is_not_swept_away(tmp_path: Path, nodes_api: bool, event_type: str) -> None:
    with serving(tmp_path, nodes_api=nodes_api) as site:
        JobsQueue(site.settings).explain("zzzzz-dz642-000000000000001", "no size has 999 cores")
        (row,) = site.store.logs.values()
        assert row["object_uuid"] == "zzzzz-dz642-000000000000001"
        assert (row["event_type"], row["properties"]) == (event_type, {"text": "no size has 999 cores"})


def test_a_reason_is_logged_once_however_often_the_cancellation_is_tried(site: Site) -> None:
    jobs = JobsQueue(site.settings)
    for reason in ("too big", "too big", "too dear", "too big"):
        jobs.explain("zzzzz-dz642-000000000000001", reason)
    jobs.explain("zzzzz-dz642-000000000000002", "too big")
    assert sorted(row["properties"]["text"] for row in site.store.logs.values()) == ["too big", "too big", "too dear"]


def test_a_job_is_cancelled_where_jobs_still_live(site: Site) -> None:
    site.store.jobs_mode = "1.4"
    uuid = site.store.add_job({})["uuid"]
    JobsQueue(site.settings).cancel(uuid)
    assert site.store.jobs[uuid]["state"] == "Cancelled"
    site.store.jobs_mode = "2.0"
    with pytest.raises(RemoteFailure, match="Unsupported legacy jobs API") as caught:
        JobsQueue(site.settings).cancel(uuid)
    assert caught.value.error.kind is ErrorKind.REFUSED


@pytest.mark.parametrize("state", ["Queued", "Locked", "Running"])
def test_a_container_is_cancelled_in_arvados_itself(site: Site, state: str) -> None:
    """Row N6: its dispatcher does not queue it again then."""
    uuid = site.store.add_container(state=state)["uuid"]
    JobsQueue(site.settings).cancel(uuid)
    assert site.store.containers[uuid]["state"] == "Cancelled"


@pytest.mark.parametrize("state", ["Complete", "Cancelled"])
def test_a_container_that_has_ended_by_itself_needs_no_cancelling(site: Site, state: str) -> None:
    uuid = site.store.add_container(state=state)["uuid"]
    JobsQueue(site.settings).cancel(uuid)
    assert site.store.containers[uuid]["state"] == state


def test_a_container_that_may_not_be_cancelled_is_an_error(site: Site) -> None:
    uuid = site.store.add_container()["uuid"]
    site.fault = lambda method, _path: Response('{"errors": ["no"]}', 422) if method == "PUT" else None
    with pytest.raises(RemoteFailure, match="422 no"):
        JobsQueue(site.settings).cancel(uuid)


def test_an_unknown_container_is_gone(site: Site) -> None:
    with pytest.raises(RemoteFailure) as caught:
        JobsQueue(site.settings).cancel("zzzzz-dz642-000000000000000")
    assert caught.value.error.kind is ErrorKind.GONE


def test_one_store_serves_queue_and_records(tmp_path: Path) -> None:
    store = ArvadosStore(time.time, jobs_mode="1.4")
    store.add_job({"min_nodes": 3})
    with serving(tmp_path, store) as site:
        (job,) = JobsQueue(site.settings).waiting()
        assert job.shape.nodes == 3


def test_a_container_locked_by_the_dispatcher_is_cancelled_for_good(tmp_path: Path) -> None:
    """As from 3.0 on: the reason as a log of type dispatch, then the state, which is not its locker's alone."""
    with serving(tmp_path, nodes_api=False) as site:
        dispatcher = site.store.add_token("dispatcher").token_uuid
        uuid = site.store.add_container()["uuid"]
        site.store.update_container(uuid, {"state": "Locked"}, token=dispatcher)
        jobs = JobsQueue(site.settings)
        jobs.explain(uuid, "No node type offers the GRES gpu:9")
        jobs.cancel(uuid)
        row = site.store.containers[uuid]
        assert (row["state"], row["locked_by_uuid"]) == ("Cancelled", None)
        assert [log["event_type"] for log in site.store.logs.values()] == ["dispatch"]


@pytest.mark.parametrize(
    ("rights", "status"), [({"admin": False}, "403"), ({"may_not": ("containers",)}, "403 Forbidden")]
)
def test_a_token_that_may_not_cancel_is_one_line_with_the_option(
    tmp_path: Path, rights: dict[str, Any], status: str
) -> None:
    with serving(tmp_path, nodes_api=False) as site:
        uuid = site.store.add_container()["uuid"]
        site.store.add_token(TOKEN, **rights)
        with pytest.raises(RemoteFailure, match=f"containers.update: HTTP {status}") as caught:
            JobsQueue(site.settings).cancel(uuid)
        assert caught.value.error.kind is ErrorKind.REFUSED
        assert caught.value.error.hint == "[Arvados] token"
        assert "\n" not in caught.value.error.text
