"""The site's HTTP, asked through werkzeug's client."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sandbox_play import Play
from werkzeug.test import Client

from arvnodeman.sandbox.routes import ARGV_TYPE, SiteApplication

KEY = {"Authorization": "Bearer sandbox-cloud-key"}


@pytest.fixture
def stops() -> list[str]:
    return []


@pytest.fixture
def client(play: Play, stops: list[str]) -> Client:
    return Client(SiteApplication(play.site, lambda: stops.append("stop")))


def cloud(client: Client, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
    answer = client.open(f"/cloud/{path}", method=method, json=body, headers={**KEY, **headers})
    return answer.status_code, answer.json


def test_the_cloud_lists_sizes_and_creates_lists_tags_and_destroys_nodes(client: Client) -> None:
    status, answer = cloud(client, "GET", "sizes")
    assert status == 200
    assert answer["sizes"][0] == {
        "id": "small",
        "name": "Sandbox small",
        "ram": 4000,
        "disk": 50,
        "price": 0.05,
        "cores": 2,
        "bandwidth": 1000,
    }
    body = {"name": "n", "size": "small", "tags": {"a": "b"}, "user_data": "u", "preemptible": False, "token": "t"}
    status, node = cloud(client, "POST", "nodes", body)
    assert status == 200
    keys = {"id", "name", "state", "size", "created", "tags", "preemptible", "address", "broken"}
    assert set(node) == keys
    assert cloud(client, "GET", "nodes?page=0")[1] == {"nodes": [node], "next": None}
    assert cloud(client, "PUT", f"nodes/{node['id']}/tags", {"tags": {"c": "d"}})[1]["tags"] == {"a": "b", "c": "d"}
    assert cloud(client, "DELETE", f"nodes/{node['id']}") == (200, {})


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer sandbox-cloud-keys"}]
)
def test_the_cloud_wants_its_key(client: Client, headers: dict[str, str]) -> None:
    answer = client.get("/cloud/nodes", headers=headers)
    assert (answer.status_code, answer.json["error"]["code"]) == (401, "Unauthorized")  # type: ignore[index]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "nodes?page=-1", None, 400, "InvalidParameter"),
        ("GET", "nodes?page=x", None, 400, "InvalidParameter"),
        ("POST", "nodes", {"name": "n"}, 400, "InvalidParameter"),
        ("POST", "nodes", [], 400, "InvalidParameter"),
        ("DELETE", "nodes/none", None, 404, "NoSuchNode"),
        ("PUT", "nodes/none/tags", {"tags": {}}, 404, "NoSuchNode"),
        ("GET", "nothing", None, 404, "NotFound"),
        ("PATCH", "nodes", None, 404, "NotFound"),
    ],
)
def test_the_clouds_errors_have_one_form(
    client: Client, method: str, path: str, body: object, status: int, code: str
) -> None:
    found, answer = cloud(client, method, path, body)
    assert (found, answer["error"]["code"]) == (status, code)
    assert answer["error"]["message"]


def test_a_body_that_is_not_json_is_refused(client: Client) -> None:
    answer = client.post("/cloud/nodes", data=b"{", headers=KEY)
    assert answer.status_code == 400


def test_throttling_says_how_long_to_wait(client: Client, play: Play) -> None:
    play.site.faults.arm("create-throttled")
    answer = client.post("/cloud/nodes", json={"name": "n", "size": "small"}, headers=KEY)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")


def test_a_lost_answer_is_a_503_though_the_node_is_there(client: Client, play: Play) -> None:
    play.site.faults.set_values({"hang": 0.01})
    play.site.faults.arm("create-lost")
    assert cloud(client, "POST", "nodes", {"name": "n", "size": "small"})[0] == 503
    assert len(cloud(client, "GET", "nodes")[1]["nodes"]) == 1


def test_slurm_commands_run_from_json(client: Client) -> None:
    answer = client.post("/slurm", json={"argv": ["sinfo", "-h", "-n", "compute1", "-o", "%n|%t"]})
    assert answer.json == {"stdout": "compute1|unk\n", "stderr": "", "returncode": 0}
    bads: list[object] = [{}, {"argv": "sinfo"}, {"argv": [1]}, []]
    for bad in bads:
        assert client.post("/slurm", json=bad).status_code == 400


def test_slurm_commands_run_from_raw_arguments(client: Client) -> None:
    raw = b"scontrol\0update\0NodeName=nosuch\0Weight=1\0"
    answer = client.post("/slurm", data=raw, content_type=ARGV_TYPE)
    assert answer.data == b""
    assert answer.headers["X-Returncode"] == "1"
    assert answer.headers.getlist("X-Stderr") == ["slurm_update error: Invalid node name specified"]


def test_the_rest_is_arvados(client: Client, play: Play) -> None:
    assert client.get("/discovery/v1/apis/arvados/v1/rest").json["name"] == "arvados"  # type: ignore[index]
    headers = {"Authorization": f"Bearer {play.site.options.token}"}
    assert client.get("/arvados/v1/nodes", headers=headers).json["items"] == []  # type: ignore[index]
    assert client.get("/arvados/v1/nodes").status_code == 401


def test_the_state_tells_all(client: Client, play: Play) -> None:
    node, name = play.up()
    play.job("a", duration=500)
    play.clock.advance(5)
    state = client.get("/site/state?with=nodes,slurm,jobs,records").json
    assert state is not None
    assert state["cloud"] == {"nodes": {"running": 1}, "quota": 1000, "created": 1}
    assert state["jobs"] == {"running": 1}
    assert state["slots"] == 1
    assert state["node_list"][0]["slurm"] == "alloc"
    assert state["node_list"][0]["job"] == "a"
    assert state["slurm_list"][name] == {"state": "alloc", "reason": ""}
    assert state["job_list"][0]["starts"] == 1
    assert state["record_list"][0]["instance_id"] == node.id
    assert "node_list" not in client.get("/site/state").json  # type: ignore[operator]
    assert "ping_secret" not in json.dumps(state)


def test_events_can_be_read_on_from_where_one_was(client: Client, play: Play) -> None:
    play.up()
    first = client.get("/site/events").json["events"]  # type: ignore[index]
    last = first[-1]["seq"]
    play.up()
    more = client.get(f"/site/events?after={last}&kind=first-ping").json["events"]  # type: ignore[index]
    assert [h["kind"] for h in more] == ["first-ping"]
    assert more[0]["seq"] > last
    assert client.get("/site/events?after=x").status_code == 400


def test_jobs_come_singly_or_as_a_workload(client: Client, play: Play) -> None:
    answer = client.post("/site/jobs", json={"jobs": [{"cores": 2}, {"name": "x"}]})
    assert answer.json["names"][1] == "x"  # type: ignore[index]
    answer = client.post("/site/jobs", json={"workload": {"jobs": 3, "seed": 9, "window": 10}})
    assert len(answer.json["names"]) == 3  # type: ignore[index]
    assert len(play.site.dispatcher.work) == 5
    bads: list[object] = [
        {"jobs": {}},
        {"jobs": [{"core": 1}]},
        {"workload": {"job": 1}},
        {"jobs": [{"name": "x"}]},
        [],
    ]
    for bad in bads:
        assert client.post("/site/jobs", json=bad).status_code == 400, bad


def test_faults_and_settings_are_set(client: Client, play: Play) -> None:
    answer = client.post("/site/faults", json={"rates": {"create-lost": 0.5}, "arm": {"create-quota": 2}})
    assert answer.json["armed"] == {"create-quota": 2}  # type: ignore[index]
    assert client.post("/site/faults", json={"rates": {"nope": 1}}).status_code == 400
    settings = {"quota": 3, "slots": 4, "shared_nodes": True, "resubmit_cancelled": False, "self_resume": False}
    assert client.post("/site/settings", json=settings).status_code == 200
    assert (play.site.cloud.quota, play.site.store.max_compute_vms) == (3, 4)
    assert client.post("/site/settings", json={"quota": -1}).status_code == 400
    assert client.post("/site/settings", json={"quote": 1}).status_code == 400


@pytest.mark.parametrize(
    ("what", "state"),
    [
        ("vanish", "terminated"),
        ("stop", "stopped"),
        ("preempt", "preempted"),
        ("halt", "running"),
        ("break", "running"),
    ],
)
def test_a_node_can_be_played_with(client: Client, play: Play, what: str, state: str) -> None:
    node, _ = play.up()
    answer = client.post(f"/site/nodes/{node.id}", json={"do": what})
    assert answer.json["state"] == state  # type: ignore[index]
    assert answer.json["broken"] is (what == "break")  # type: ignore[index]
    assert (play.site.verdict().halted == (node.id,)) is (what == "halt")
    assert client.post("/site/nodes/none", json={"do": what}).status_code == 404
    assert client.post(f"/site/nodes/{node.id}", json={"do": "dance"}).status_code == 400


def test_a_slurm_node_can_be_reserved(client: Client, play: Play) -> None:
    _, name = play.up()
    assert client.post(f"/site/slurm/{name}", json={"reserved": "maint"}).json == {"state": "maint"}
    assert client.post(f"/site/slurm/{name}", json={"reserved": "x"}).status_code == 400
    assert client.post("/site/slurm/none", json={"reserved": ""}).status_code == 404


def test_ready_verdict_and_stop(client: Client, stops: list[str]) -> None:
    assert client.get("/site/ready").json == {"ready": True}
    assert client.get("/site/verdict").json["clean"] is True  # type: ignore[index]
    assert client.get("/site/nothing").status_code == 404
    assert client.post("/site/stop").json == {}
    assert stops == ["stop"]
