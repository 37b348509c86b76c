"""Node records at the sandbox's API server: slots, bodies and pings, as the real one is known to treat them."""

from __future__ import annotations

import re
import sys
import threading

import pytest
from arvados_server import Server, error_of

from arvnodeman.sandbox.arvados_query import ApiFailure
from arvnodeman.sandbox.arvados_store import ArvadosStore

CLEAN = {
    "hostname": None,
    "ip_address": None,
    "slot_number": None,
    "first_ping_at": None,
    "last_ping_at": None,
    "properties": {},
    "info": {"ec2_instance_id": None, "last_action": "Prepared by Node Manager"},
}


@pytest.fixture
def server() -> Server:
    return Server()


# ---- slots and hostnames ----


def test_a_new_node_without_assign_slot_has_neither_slot_nor_hostname(server: Server) -> None:
    node = server.ask("POST", "nodes", {})
    assert (node["slot_number"], node["hostname"], node["status"]) == (None, None, "pending")
    assert re.fullmatch("zzzzz-7ekkf-[0-9a-z]{15}", node["uuid"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", node["created_at"])
    assert re.fullmatch("[0-9a-z]{50}", node["info"]["ping_secret"])


def test_assign_slot_takes_the_lowest_free_one(server: Server) -> None:
    nodes = [server.ask("POST", "nodes", {}, assign_slot="true") for _ in range(3)]
    assert [node["hostname"] for node in nodes] == ["compute1", "compute2", "compute3"]
    server.ask("PUT", f"nodes/{nodes[1]['uuid']}", {"node": CLEAN})
    assert server.ask("POST", "nodes", {}, assign_slot="true")["slot_number"] == 2


def test_assign_slot_in_a_json_body_is_heard_too(server: Server) -> None:
    assert server.ask("POST", "nodes", {"assign_slot": True})["slot_number"] == 1
    assert server.ask("POST", "nodes", {"assign_slot": False})["slot_number"] is None


def test_a_slot_that_is_held_is_kept_and_0_counts_as_none(server: Server) -> None:
    node = server.ask("POST", "nodes", {}, assign_slot="true")
    again = server.ask("PUT", f"nodes/{node['uuid']}", {}, assign_slot="true")
    assert again["slot_number"] == 1
    zero = server.ask("POST", "nodes", {"slot_number": 0, "hostname": "custom1"}, assign_slot="true")
    assert (zero["slot_number"], zero["hostname"]) == (2, "custom1")


def test_no_slot_left_is_a_422_and_makes_no_record() -> None:
    server = Server(max_compute_vms=1)
    server.ask("POST", "nodes", {}, assign_slot="true")
    response = server.raw("POST", "nodes", {}, assign_slot="true")
    assert response.status_code == 422
    assert "No available node slots" in error_of(response)
    assert len(server.store.nodes) == 1


def test_a_slot_belongs_to_one_record(server: Server) -> None:
    server.ask("POST", "nodes", {}, assign_slot="true")
    response = server.raw("POST", "nodes", {"slot_number": 1})
    assert (response.status_code, "RecordNotUnique" in error_of(response)) == (422, True)


def test_slots_stay_unique_when_many_threads_ask(server: Server) -> None:
    together = threading.Barrier(4)

    def create() -> None:
        together.wait(30)
        for _ in range(15):
            server.store.create_node({}, assign_slot=True)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # the threads get in each other's way as often as they can
    try:
        threads = [threading.Thread(target=create) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    finally:
        sys.setswitchinterval(interval)
    assert sorted(node["slot_number"] for node in server.store.nodes.values()) == list(range(1, 61))


@pytest.mark.parametrize(("template", "hostname"), [("compute%04d", "compute0001"), (None, None)])
def test_the_hostname_comes_from_the_template(template: str | None, hostname: str | None) -> None:
    server = Server(hostname_template=template, domain="zzzzz.example.com")
    node = server.ask("POST", "nodes", {}, assign_slot="true")
    assert (node["hostname"], node["domain"]) == (hostname, "zzzzz.example.com")


def test_a_malformed_template_is_a_422() -> None:
    assert Server(hostname_template="compute%q").raw("POST", "nodes", {}, assign_slot="true").status_code == 422


# ---- bodies ----


@pytest.mark.parametrize("wrapped", [True, False])
def test_bodies_may_be_wrapped_or_bare(server: Server, wrapped: bool) -> None:
    attributes = {"properties": {"cloud_node": {"size": "small"}}}
    node = server.ask("POST", "nodes", {"node": attributes} if wrapped else attributes)
    assert node["properties"] == attributes["properties"]


def test_an_attribute_that_is_none_is_refused_when_wrapped_and_ignored_when_bare(server: Server) -> None:
    assert "unknown attribute 'colour'" in error_of(server.raw("POST", "nodes", {"node": {"colour": "red"}}))
    assert "colour" not in server.ask("POST", "nodes", {"colour": "red"})


def test_what_only_the_server_writes_is_left_alone(server: Server) -> None:
    node = server.ask("POST", "nodes", {})
    changed = {"uuid": "other", "created_at": None, "modified_at": None, "kind": "x", "hostname": "compute7"}
    after = server.ask("PUT", f"nodes/{node['uuid']}", {"node": changed})
    assert (after["uuid"], after["created_at"], after["hostname"]) == (node["uuid"], node["created_at"], "compute7")


def test_hashes_are_replaced_so_cleaning_makes_a_new_secret(server: Server) -> None:
    node = server.ask("POST", "nodes", {"properties": {"a": 1}}, assign_slot="true")
    secret = node["info"]["ping_secret"]
    kept = server.ask("PATCH", f"nodes/{node['uuid']}", {"node": {"properties": {"b": 2}}})
    assert (kept["properties"], kept["info"]["ping_secret"]) == ({"b": 2}, secret)
    clean = server.ask("PUT", f"nodes/{node['uuid']}", {"node": CLEAN})
    assert clean["info"]["ping_secret"] != secret
    assert clean["info"]["last_action"] == "Prepared by Node Manager"


@pytest.mark.parametrize(
    "body", [{"node": {"info": "x"}}, {"node": [1]}, {"node": "["}, {"node": {"last_ping_at": "x"}}]
)
def test_a_body_that_is_none_is_a_422(server: Server, body: object) -> None:
    assert server.raw("POST", "nodes", body).status_code == 422


# ---- pings ----


def test_the_first_ping_registers_and_later_ones_only_refresh(server: Server) -> None:
    node = server.ask("POST", "nodes", {})
    first = server.ping(node, instance_id="i-1", total_cpu_cores="4").json or {}
    assert (first["ip_address"], first["slot_number"], first["hostname"]) == ("10.0.0.1", 1, "compute1")
    assert first["first_ping_at"] == first["last_ping_at"]
    assert (first["info"]["ec2_instance_id"], first["properties"]) == ("i-1", {"total_cpu_cores": 4})
    server.now += 60
    later = server.ping(node, instance_id="i-1", local_ipv4="10.0.0.9").json or {}
    assert (later["ip_address"], later["first_ping_at"]) == ("10.0.0.1", first["first_ping_at"])
    assert later["last_ping_at"] > first["last_ping_at"]
    assert later["properties"] == {}


def test_a_ping_needs_no_token_but_the_right_secret(server: Server) -> None:
    node = server.ask("POST", "nodes", {})
    for secret in ("wrong", "ö"):
        response = server.ping(node, ping_secret=secret)
        assert (response.status_code, "Incorrect ping_secret" in error_of(response)) == (401, True)
    assert server.ping(node, ping_secret="").status_code == 422
    assert server.ping(node | {"uuid": "zzzzz-7ekkf-000000000000000"}).status_code == 404
    assert server.store.nodes[node["uuid"]]["last_ping_at"] is None


def test_the_secret_may_stand_in_the_url_and_the_address_be_the_callers(server: Server) -> None:
    node = server.ask("POST", "nodes", {})
    url = f"/arvados/v1/nodes/{node['uuid']}/ping?ping_secret={node['info']['ping_secret']}"
    assert (server.http.post(url, environ_base={"REMOTE_ADDR": "10.9.9.9"}).json or {})["ip_address"] == "10.9.9.9"


def test_another_instance_is_rejected(server: Server) -> None:
    node = server.ask("POST", "nodes", {})
    server.ping(node, instance_id="i-1")
    response = server.ping(node, instance_id="i-2")
    assert response.status_code == 422
    assert "is already running at i-1 so rejecting ping from i-2" in error_of(response)


def test_the_newest_ping_wins_an_address(server: Server) -> None:
    old, new = (server.ask("POST", "nodes", {}) for _ in range(2))
    server.ping(old)
    server.ping(new)
    assert server.store.nodes[old["uuid"]]["ip_address"] is None


def test_the_site_pings_by_the_same_rules_without_http(server: Server) -> None:
    node = server.store.create_node({}, assign_slot=True)
    row = server.store.ping(node["uuid"], node["info"]["ping_secret"], ip="10.0.0.1", instance_id="i-1")
    assert row["info"]["ec2_instance_id"] == "i-1"
    with pytest.raises(ApiFailure, match="Incorrect ping_secret"):
        server.store.ping(node["uuid"], "wrong", ip="10.0.0.1")


def test_status_follows_the_pings(server: Server) -> None:
    node = server.ask("POST", "nodes", {})
    path = f"nodes/{node['uuid']}"
    server.now += 301
    assert server.ask("GET", path)["status"] == "startup-fail"
    server.ping(node)
    assert server.ask("GET", path)["status"] == "running"
    server.now += 3601
    assert server.ask("GET", path)["status"] == "missing"


@pytest.mark.parametrize(
    ("slot", "slurm_state", "expected"),
    [(1, "alloc", "busy"), (1, "drng", "busy"), (1, "idle", "idle"), (1, "drain", "down"), (None, "idle", "down")],
)
def test_the_worker_state_is_what_the_old_dispatcher_wrote(
    server: Server, slot: int | None, slurm_state: str, expected: str
) -> None:
    node = server.ask("POST", "nodes", {"slot_number": slot, "info": {"slurm_state": slurm_state}})
    assert node["crunch_worker_state"] == expected


def test_a_container_is_locked_by_the_token_that_moves_it_and_its_progress_is_that_ones_alone() -> None:
    store = ArvadosStore(lambda: 1e9)
    ours, other = store.add_token("ours").token_uuid, store.add_token("other").token_uuid
    uuid = store.add_container()["uuid"]
    assert store.update_container(uuid, {"state": "Locked"}, token=ours)["locked_by_uuid"] == ours
    for column in ("progress", "runtime_status", "log", "cost"):
        with pytest.raises(ApiFailure, match="cannot be modified in state Locked") as caught:
            store.update_container(uuid, {column: None, "state": "Cancelled"}, token=other)
        assert caught.value.status == 422
    with pytest.raises(ApiFailure, match="Locked by uuid cannot be changed"):
        store.update_container(uuid, {"locked_by_uuid": other}, token=other)
    assert store.update_container(uuid, {"progress": 0.5}, token=ours)["progress"] == 0.5
    cancelled = store.update_container(uuid, {"state": "Cancelled"}, token=other)  # the state itself is every admin's
    assert (cancelled["state"], cancelled["locked_by_uuid"]) == ("Cancelled", None)
