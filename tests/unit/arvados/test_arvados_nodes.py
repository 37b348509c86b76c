"""Node records through the SDK, over HTTP, at the sandbox's API server."""

from __future__ import annotations

import dataclasses
import itertools
import json
import time
from pathlib import Path
from typing import Any

import arvados.util
import pytest
from arvados_site import Site, serving
from werkzeug.wrappers import Response

from arvnodeman.arvados.client import client
from arvnodeman.arvados.nodes import record_of
from arvnodeman.fleet.values.model import BootIntent, ErrorKind, NodeRecord, RemoteFailure, Secret
from arvnodeman.records.keeper import make_keeper
from arvnodeman.sandbox.arvados_store import ArvadosStore

INTENT = BootIntent(size="small", price=0.25, token="boot-1", at=1_700_000_000.5)
GOOD: dict[str, Any] = {
    "uuid": "zzzzz-7ekkf-000000000000001",
    "hostname": "compute1",
    "domain": "",
    "slot_number": 1,
    "created_at": "2024-01-31T12:00:00.000000001Z",
    "modified_at": "2024-01-31T12:00:00.500000000Z",
    "first_ping_at": None,
    "last_ping_at": None,
    "crunch_worker_state": "down",
    "properties": {},
    "info": {"ping_secret": "thepingsecret"},
}


def listing(*items: object, **more: object) -> Response:
    return Response(json.dumps({"items": list(items), "limit": 1000, "offset": 0, **more}), mimetype="application/json")


def failing(action: Any) -> RemoteFailure:
    with pytest.raises(RemoteFailure) as caught:
        action()
    return caught.value


def test_a_new_record_has_slot_hostname_intent_and_secret(site: Site) -> None:
    """Rows B9 and B14."""
    prepared = make_keeper(site.settings).prepare(INTENT, None)
    assert (prepared.record.slot, prepared.record.hostname, prepared.record.intent) == (1, "compute1", INTENT)
    row = site.store.nodes[prepared.record.uuid]
    assert prepared.ping_secret == Secret(row["info"]["ping_secret"])
    assert row["properties"] == {
        "cloud_node": {"size": "small", "price": 0.25, "token": "boot-1", "at": "2023-11-14T22:13:20.500000+00:00"}
    }
    assert [method for method, path in site.requests if path.startswith("/arvados/")] == ["POST"]


def test_a_stale_record_is_cleaned_and_prepared_in_one_request(site: Site) -> None:
    """Rows B6, B9 and B14: nothing of the node before is left, and its secret is worth nothing any more."""
    keeper = make_keeper(site.settings)
    old = keeper.prepare(INTENT, None)
    site.store.ping(old.record.uuid, old.ping_secret.reveal(), ip="10.0.0.1", instance_id="i-old")
    site.requests.clear()
    intent = dataclasses.replace(INTENT, size="large", price=1.5, token="boot-2")
    new = keeper.prepare(intent, old.record.uuid)
    assert [method for method, _ in site.requests] == ["PUT"]
    assert new.ping_secret != old.ping_secret
    (listed,) = keeper.list_records()
    assert listed == new.record
    assert listed == dataclasses.replace(old.record, intent=intent, modified_at=listed.modified_at)
    row = site.store.nodes[old.record.uuid]
    assert (row["ip_address"], row["info"]["last_action"]) == (None, "Prepared by Node Manager")


def test_release_gives_everything_back(site: Site) -> None:
    """Row B6."""
    keeper = make_keeper(site.settings)
    prepared = keeper.prepare(INTENT, None)
    site.store.ping(prepared.record.uuid, prepared.ping_secret.reveal(), ip="10.0.0.1", instance_id="i-1")
    keeper.release(prepared.record.uuid, "Shut down by Node Manager")
    row = site.store.nodes[prepared.record.uuid]
    gone = ("hostname", "ip_address", "slot_number", "first_ping_at", "last_ping_at")
    assert [row[name] for name in gone] == [None] * 5
    assert row["properties"] == {}
    assert row["info"]["ec2_instance_id"] is None
    assert row["info"]["last_action"] == "Shut down by Node Manager"
    assert row["info"]["ping_secret"] != prepared.ping_secret.reveal()
    assert keeper.prepare(dataclasses.replace(INTENT, token="boot-2"), None).record.slot == 1


def test_the_ping_is_read_with_its_fractions(site: Site) -> None:
    """Row A18."""
    site.store.clock = lambda: 1_700_000_000.75
    keeper = make_keeper(site.settings)
    prepared = keeper.prepare(INTENT, None)
    site.store.ping(prepared.record.uuid, prepared.ping_secret.reveal(), ip="10.0.0.1", instance_id="i-1")
    (record,) = keeper.list_records()
    assert record.instance_id == "i-1"
    assert record.first_ping_at == record.last_ping_at
    assert record.first_ping_at == pytest.approx(1_700_000_000.75, abs=2e-6)


def test_slots_that_ran_out_are_a_kind_of_their_own(tmp_path: Path) -> None:
    with serving(tmp_path, ArvadosStore(time.time, max_compute_vms=1)) as site:
        keeper = make_keeper(site.settings)
        keeper.prepare(INTENT, None)
        error = failing(lambda: keeper.prepare(INTENT, None)).error
        assert (error.kind, "MaxComputeVMs" in error.text) == (ErrorKind.SLOTS, True)


def test_a_record_that_gets_no_slot_announces_no_boot(tmp_path: Path) -> None:
    """The server saves the intent before it looks for a slot: it must not stay, or a node is waited for in vain."""
    with serving(tmp_path, ArvadosStore(time.time, max_compute_vms=1)) as site:
        keeper = make_keeper(site.settings)
        keeper.prepare(INTENT, None)
        without_slot = site.store.create_node({})["uuid"]
        assert failing(lambda: keeper.prepare(INTENT, without_slot)).error.kind is ErrorKind.SLOTS
        assert site.store.nodes[without_slot]["properties"] == {}


def test_another_422_is_not_taken_for_slots(site: Site) -> None:
    site.answer_with(Response('{"errors": ["Hostname is bad"]}', 422), path="/arvados/v1/nodes")
    error = failing(lambda: make_keeper(site.settings).prepare(INTENT, None)).error
    assert (error.kind, error.text) == (ErrorKind.REFUSED, "Arvados: nodes.create: HTTP 422 Hostname is bad")


def test_a_record_that_is_gone_is_said_to_be_gone(site: Site) -> None:
    keeper = make_keeper(site.settings)
    uuid = "zzzzz-7ekkf-000000000000000"
    assert failing(lambda: keeper.prepare(INTENT, uuid)).error.kind is ErrorKind.GONE
    assert failing(lambda: keeper.release(uuid, "x")).error.kind is ErrorKind.GONE


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 9])
def test_lists_are_paged_to_their_end(site: Site, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """Row A20: also where the server gives fewer at once than it was asked for."""
    monkeypatch.setattr("arvnodeman.sandbox.arvados_query.MAX_ITEMS", 4)
    uuids = {site.store.create_node({}, assign_slot=True)["uuid"] for _ in range(count)}
    records = make_keeper(site.settings).list_records()
    assert len(records) == count
    assert {record.uuid for record in records} == uuids


def test_the_sdks_own_paging_works_at_the_sandbox_too(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """It pages by time of creation; here the first half was made in one instant."""
    monkeypatch.setattr("arvnodeman.sandbox.arvados_query.MAX_ITEMS", 4)
    monkeypatch.setattr(site.store, "_now", iter(["2024-01-31T12:00:00.000000001Z"] * 6).__next__)
    uuids = [site.store.create_node({})["uuid"] for _ in range(6)]
    monkeypatch.undo()
    monkeypatch.setattr("arvnodeman.sandbox.arvados_query.MAX_ITEMS", 4)
    uuids += [site.store.create_node({})["uuid"] for _ in range(5)]
    nodes = client(site.settings)._sdk.nodes()
    assert sorted(item["uuid"] for item in arvados.util.keyset_list_all(nodes.list)) == sorted(uuids)


def test_a_server_whose_pages_do_not_go_on_is_not_asked_for_ever(site: Site) -> None:
    site.answer_with(listing(GOOD, limit=1))
    assert failing(make_keeper(site.settings).list_records).error.kind is ErrorKind.TRANSIENT


@pytest.mark.parametrize(
    "bad",
    [
        None,
        [],
        "a text",
        {"info": {}},
        GOOD | {"uuid": None},
        GOOD | {"uuid": 7},
        GOOD | {"uuid": "../../etc"},
        GOOD | {"slot_number": "1"},
        GOOD | {"slot_number": True},
        GOOD | {"hostname": 7},
        GOOD | {"hostname": "compute[1-999]"},
        GOOD | {"hostname": "compute1,compute2"},
        GOOD | {"hostname": "-h"},
        GOOD | {"info": "text"},
        GOOD | {"properties": [1]},
        GOOD | {"info": {"ec2_instance_id": {}}},
        GOOD | {"created_at": 17},
        GOOD | {"last_ping_at": "yesterday"},
        GOOD | {"last_ping_at": "2024-02-30T00:00:00Z"},
        {name: value for name, value in GOOD.items() if name != "info"},
    ],
)
def test_one_malformed_record_costs_only_itself(site: Site, caplog: pytest.LogCaptureFixture, bad: object) -> None:
    """Row F15's rule for records: a warning names it, the others are there."""
    good = GOOD | {"uuid": "zzzzz-7ekkf-000000000000002"}
    site.answer_with(listing(bad, good))
    (record,) = make_keeper(site.settings).list_records()
    assert record.uuid == good["uuid"]
    (warning,) = [entry for entry in caplog.records if entry.levelname == "WARNING"]
    name = (
        str(bad["uuid"]) if isinstance(bad, dict) and "uuid" in bad else "without uuid" if bad != {"info": {}} else ""
    )
    assert name in warning.getMessage()


def test_null_fields_and_unknown_ones_are_nothing_special() -> None:
    nulls = dict.fromkeys(GOOD) | {"uuid": GOOD["uuid"], "surprise": [1]}
    assert record_of(nulls) == NodeRecord(uuid=GOOD["uuid"])


def test_slot_0_is_no_slot() -> None:
    assert record_of(GOOD | {"slot_number": 0}).slot is None


@pytest.mark.parametrize(
    "cloud_node",
    [
        None,
        "small",
        {},
        {"size": "small", "price": 0.25},
        {"size": "small", "price": "0.25", "token": "t", "at": "2024-01-31T12:00:00Z"},
        {"size": "small", "price": True, "token": "t", "at": "2024-01-31T12:00:00Z"},
        {"size": "small", "price": -1, "token": "t", "at": "2024-01-31T12:00:00Z"},
        {"size": "small", "price": 10**400, "token": "t", "at": "2024-01-31T12:00:00Z"},
        {"size": "", "price": 1, "token": "t", "at": "2024-01-31T12:00:00Z"},
        {"size": "small", "price": 1, "token": "", "at": "2024-01-31T12:00:00Z"},
        {"size": "small", "price": 1, "token": "t", "at": "soon"},
        {"size": "small", "price": 1, "token": "t", "at": None},
    ],
)
def test_an_intent_that_is_not_whole_is_none(cloud_node: object) -> None:
    assert record_of(GOOD | {"properties": {"cloud_node": cloud_node}}).intent is None


def test_a_node_name_is_read_where_it_is_written() -> None:
    assert record_of(GOOD | {"properties": {"cloud_node": {"name": "compute-1"}}}).node_name == "compute-1"


def test_a_boot_whose_answer_got_lost_finds_its_record_again(site: Site) -> None:
    """Row A7, and no slot leaks: the retry takes the record that the first attempt has made after all."""
    keeper = make_keeper(site.settings)
    attempts = itertools.count()

    def lose_the_first_answer(method: str, path: str) -> Response | None:
        if method != "POST" or next(attempts):
            return None
        site.store.create_node({"properties": {"cloud_node": {**CLOUD_NODE}}}, assign_slot=True)
        return Response("<html>Bad gateway</html>", 502)

    site.fault = lose_the_first_answer
    assert failing(lambda: keeper.prepare(INTENT, None)).error.kind is ErrorKind.TRANSIENT
    prepared = make_keeper(site.settings).prepare(INTENT, None)  # another operator's keeper carries out the retry
    assert list(site.store.nodes) == [prepared.record.uuid]
    assert prepared.record.intent == INTENT
    assert prepared.ping_secret.reveal() == site.store.nodes[prepared.record.uuid]["info"]["ping_secret"]


CLOUD_NODE = {"size": "small", "price": 0.25, "token": "boot-1", "at": "2023-11-14T22:13:20.500000+00:00"}


def test_a_boot_that_reached_nobody_is_simply_made_again(site: Site) -> None:
    keeper = make_keeper(site.settings)
    site.answer_with(Response("", 503))
    failing(lambda: keeper.prepare(INTENT, None))
    site.fault = None
    assert keeper.prepare(INTENT, None).record.uuid in site.store.nodes
    assert len(site.store.nodes) == 1


def test_a_token_that_is_no_administrators_is_refused_not_believed(site: Site) -> None:
    """Such a token sees neither instance ids nor first pings: no node would pair with its record any more."""
    prepared = make_keeper(site.settings).prepare(INTENT, None)
    site.store.ping(prepared.record.uuid, prepared.ping_secret.reveal(), ip="10.0.0.1")
    site.store.add_token("usertoken", admin=False)
    arvados = dataclasses.replace(site.settings.arvados, token=Secret("usertoken"))
    keeper = make_keeper(dataclasses.replace(site.settings, arvados=arvados))
    for action in (keeper.list_records, lambda: keeper.prepare(INTENT, None)):
        error = failing(action).error
        assert (error.kind, error.hint) == (ErrorKind.REFUSED, "[Arvados] token")


def test_no_secret_is_shown(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    prepared = make_keeper(site.settings).prepare(INTENT, None)
    make_keeper(site.settings).list_records()
    shown = caplog.text + repr(prepared) + repr(client(site.settings))
    assert prepared.ping_secret.reveal() not in shown
    assert "thesecretpart" not in shown


def test_the_servers_clock_is_compared_with_ours(site: Site) -> None:
    keeper = make_keeper(site.settings)
    assert keeper.clock_offset is None
    site.api.clock = lambda: time.time() + 120
    keeper.list_records()
    assert keeper.clock_offset == pytest.approx(120, abs=5)
