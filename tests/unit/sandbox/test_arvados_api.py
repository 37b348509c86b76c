"""The sandbox's API server answers as the real one is known to: who may, lists, the other resources, HTTP itself."""

from __future__ import annotations

import pytest
from arvados_server import NOW, Server, error_of
from werkzeug.http import parse_date
from werkzeug.wrappers import Response


@pytest.fixture
def server() -> Server:
    return Server()


# ---- who may ----


def test_without_a_token_nothing_but_the_document_is_shown(server: Server) -> None:
    for path in ("nodes", "jobs/queue", "logs", "containers", "users/current", "api_client_authorizations/current"):
        for token in (None, "wrong"):
            response = server.raw("GET", path, token=token)
            assert (response.status_code, error_of(response).startswith("Not logged in")) == (401, True)
    assert (server.http.get("/discovery/v1/apis/arvados/v1/rest").json or {})["name"] == "arvados"


def test_only_administrators_change_nodes_and_see_their_secrets(server: Server) -> None:
    node = server.ask("POST", "nodes", {}, assign_slot="true")
    path = f"nodes/{node['uuid']}"
    assert server.raw("POST", "nodes", {}, token="user").status_code == 403
    assert server.raw("GET", path, token="user").status_code == 404, "it never pinged"
    server.ping(node)
    assert server.raw("PUT", path, {}, token="user").status_code == 403
    assert server.raw("DELETE", path, token="user").status_code == 403
    seen = server.ask("GET", path, token="user")
    assert not {"info", "first_ping_at", "nameservers"} & seen.keys()
    assert [item["uuid"] for item in server.ask("GET", "nodes", token="user")["items"]] == [node["uuid"]]
    assert server.ask("GET", "nodes", token="asleep")["items"] == []
    server.now += 3601
    assert server.ask("GET", "nodes", token="user")["items"] == []
    assert len(server.ask("GET", "nodes")["items"]) == 1


def test_delete_removes_the_row(server: Server) -> None:
    node = server.ask("POST", "nodes", {})
    assert server.ask("DELETE", f"nodes/{node['uuid']}")["uuid"] == node["uuid"]
    assert server.raw("DELETE", f"nodes/{node['uuid']}").status_code == 404


# ---- lists ----


def test_a_list_has_the_real_envelope(server: Server) -> None:
    server.ask("POST", "nodes", {})
    page = server.ask("GET", "nodes", limit="1")
    assert {name: page[name] for name in page if name != "items"} == {
        "kind": "arvados#nodeList",
        "etag": "",
        "self_link": "",
        "offset": 0,
        "limit": 1,
        "items_available": 1,
    }
    assert "items_available" not in server.ask("GET", "nodes", count="none")


def test_select_cuts_the_items(server: Server) -> None:
    server.ask("POST", "nodes", {})
    (item,) = server.ask("GET", "nodes", select=["uuid", "crunch_worker_state"])["items"]
    assert item.keys() == {"uuid", "crunch_worker_state", "kind"}
    assert server.ask("POST", "nodes", {}, select=["uuid"]).keys() == {"uuid", "kind"}


def test_keyset_paging_visits_everything_once(server: Server) -> None:
    expected = sorted(server.ask("POST", "nodes", {})["uuid"] for _ in range(7))
    seen: list[str] = []
    while True:
        filters = [["uuid", ">", seen[-1]]] if seen else []
        items = server.ask("GET", "nodes", filters=filters, order=["uuid asc"], limit="2", count="none")["items"]
        if not items:
            break
        seen += [item["uuid"] for item in items]
    assert seen == expected


def test_a_very_long_list_request_comes_as_a_post(server: Server) -> None:
    server.ask("POST", "nodes", {})
    headers = {"Authorization": "OAuth2 admin", "X-HTTP-Method-Override": "GET"}
    form = {"filters": '[["uuid", "=", null]]', "limit": "7"}
    response = server.http.post("/arvados/v1/nodes", data=form, headers=headers)
    assert ((response.json or {})["limit"], (response.json or {})["items"]) == (7, [])


# ---- jobs, containers, logs, users ----


def test_the_queue_has_queued_jobs_by_priority_and_age_up_to_1_4(server: Server) -> None:
    server.store.jobs_mode = "1.4"
    for priority, state in ((1, "Queued"), (5, "Queued"), (9, "Running")):
        server.store.add_job({"min_nodes": 1}, priority=priority, state=state)
    page = server.ask("GET", "jobs/queue")
    assert (page["kind"], [job["priority"] for job in page["items"]]) == ("arvados#jobList", [5, 1])
    uuid = page["items"][0]["uuid"]
    assert server.ask("POST", f"jobs/{uuid}/cancel")["state"] == "Cancelled"
    assert len(server.ask("GET", "jobs/queue")["items"]) == 1
    assert server.raw("POST", "jobs/zzzzz-8i9sb-000000000000000/cancel").status_code == 404


def test_from_2_0_on_the_queue_is_empty_and_cancelling_a_400(server: Server) -> None:
    uuid = server.store.add_job({})["uuid"]
    assert server.ask("GET", "jobs/queue")["items"] == []
    response = server.raw("POST", f"jobs/{uuid}/cancel")
    assert (response.status_code, "Unsupported legacy jobs API" in error_of(response)) == (400, True)


def test_any_active_user_may_log(server: Server) -> None:
    row = {"object_uuid": "zzzzz-dz642-000000000000000", "event_type": "stderr", "properties": {"text": "why"}}
    made = server.ask("POST", "logs", {"log": row}, token="user")
    assert made["event_at"] == made["created_at"]
    assert server.raw("POST", "logs", {"log": row}, token="asleep").status_code == 403
    filters = [["object_uuid", "=", row["object_uuid"]], ["event_type", "in", ["stderr", "dispatch"]]]
    (item,) = server.ask("GET", "logs", filters=filters)["items"]
    assert item["properties"] == {"text": "why"}


@pytest.mark.parametrize(
    ("before", "after", "status"),
    [
        ("Queued", "Cancelled", 200),
        ("Locked", "Cancelled", 200),
        ("Running", "Cancelled", 200),
        ("Cancelled", "Cancelled", 200),
        ("Complete", "Cancelled", 422),
        ("Queued", "Running", 422),
        ("Cancelled", "Queued", 422),
    ],
)
def test_containers_change_state_as_allowed(server: Server, before: str, after: str, status: int) -> None:
    uuid = server.store.add_container(state=before)["uuid"]
    response = server.raw("PUT", f"containers/{uuid}", {"container": {"state": after}})
    assert response.status_code == status
    assert server.ask("GET", f"containers/{uuid}")["state"] == (after if status == 200 else before)


def test_containers_are_listed_and_changed_by_administrators_only(server: Server) -> None:
    uuid = server.store.add_container(uuid="zzzzz-dz642-000000000000001", priority=7)["uuid"]
    filters = [["state", "in", ["Queued", "Locked"]], ["priority", ">", 0]]
    assert [item["uuid"] for item in server.ask("GET", "containers", filters=filters)["items"]] == [uuid]
    assert server.raw("PUT", f"containers/{uuid}", {"state": "Cancelled"}, token="user").status_code == 403
    assert server.raw("PUT", "containers/zzzzz-dz642-000000000000000", {}).status_code == 404


def test_a_token_tells_whose_it_is(server: Server) -> None:
    user = server.ask("GET", "users/current", token="user")
    assert (user["is_admin"], user["is_active"]) == (False, True)
    assert server.ask("GET", "users/current")["is_admin"] is True
    assert server.ask("GET", "api_client_authorizations/current")["scopes"] == ["all"]
    server.store.revoke_token("user")
    assert server.raw("GET", "users/current", token="user").status_code == 401


# ---- HTTP ----


def test_the_request_id_is_echoed_and_the_date_is_the_sites(server: Server) -> None:
    headers = {"X-Request-Id": "req-abcdefghij0123456789"}
    response = server.http.get("/arvados/v1/nodes", headers=headers)
    assert response.headers["X-Request-Id"] == "req-abcdefghij0123456789"
    assert "(req-abcdefghij0123456789)" in error_of(response)
    date = parse_date(response.headers["Date"])
    assert date is not None
    assert date.timestamp() == NOW
    assert server.http.get("/", headers={"X-Request-Id": "x" * 2000}).headers["X-Request-Id"].startswith("req-")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("GET", "secrets"),
        ("GET", "nodes/x/y"),
        ("POST", "nodes/x"),
        ("GET", "jobs"),
        ("PUT", "logs"),
        ("POST", "users"),
        ("GET", "_caller"),
    ],
)
def test_what_is_not_there_is_a_404(server: Server, method: str, path: str) -> None:
    response = server.raw(method, path)
    assert (response.status_code, error_of(response).startswith("Path not found")) == (404, True)


def test_a_server_from_3_0_on_has_neither_nodes_nor_jobs(server: Server) -> None:
    server.api.nodes_api = False
    document = server.http.get("/discovery/v1/apis/arvados/v1/rest").json or {}
    assert not {"nodes", "jobs"} & document["resources"].keys()
    assert server.raw("GET", "nodes").status_code == 404
    assert server.raw("GET", "containers").status_code == 200


def test_a_body_that_is_no_json_is_a_400(server: Server) -> None:
    headers = {"Authorization": "Bearer admin", "Content-Type": "application/json"}
    assert server.http.post("/arvados/v1/nodes", data="{", headers=headers).status_code == 400
    assert server.http.post("/arvados/v1/nodes", data="", headers=headers).status_code == 200
    assert server.http.post("/arvados/v1/nodes", data="[]", headers=headers).status_code == 200


def test_faults_come_first(server: Server) -> None:
    asked = []

    def before(method: str, path: str) -> Response | None:
        asked.append((method, path))
        return Response("busy", 503) if path.endswith("/nodes") else None

    server.api.before_request = before
    assert server.raw("GET", "nodes").status_code == 503
    assert server.raw("GET", "logs").status_code == 200
    assert asked == [("GET", "/arvados/v1/nodes"), ("GET", "/arvados/v1/logs")]


def test_it_can_be_mounted_under_both_of_its_prefixes(server: Server) -> None:
    """A dispatcher moves the prefix from the path to the script's name."""
    environ = {"SCRIPT_NAME": "/arvados/v1"}
    headers = {"Authorization": "Bearer admin"}
    assert server.http.get("/nodes", environ_overrides=environ, headers=headers).status_code == 200
