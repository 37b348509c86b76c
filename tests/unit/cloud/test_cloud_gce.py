"""What is particular to Google Compute Engine. What every driver does is in test_cloud_conformance.py."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cloud_peer import Verb
from peer_gce import PROJECT, TAG, ZONE, GCEPeer
from peer_trouble import Spoilt
from recorded_answers import reply

from arvnodeman.cloud.base import CloudDriver
from arvnodeman.cloud.gce_libcloud import LateGCEConnection
from arvnodeman.fleet.values.model import (
    CloudNode,
    Directive,
    ErrorKind,
    NodeSize,
    OperatorDirective,
    RemoteError,
    RemoteFailure,
)

API = f"https://www.googleapis.com/compute/v1/projects/{PROJECT}"


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[GCEPeer]:
    with GCEPeer(tmp_path) as peer:
        yield peer


def failure(act: Callable[[], object]) -> RemoteError:
    with pytest.raises(RemoteFailure) as caught:
        act()
    return caught.value.error


def create(peer: GCEPeer, driver: CloudDriver | None = None, size: NodeSize | None = None) -> CloudNode:
    driver = driver or peer.driver()
    return driver.create_node(size or peer.size, peer.record(), "token-1", peer.ping_url())


def insert(peer: GCEPeer, size: NodeSize | None = None, /, **options: str) -> dict[str, Any]:
    """The body of a create request with these options of [Cloud Create]."""
    create(peer, peer.driver(create=options), size)
    return peer.inserts[-1]


def metadata(body: dict[str, Any]) -> dict[str, str]:
    return {item["key"]: item["value"] for item in body["metadata"]["items"]}


# ---- create ----------------------------------------------------------------------------------------------------------


def test_a_new_node_is_what_the_options_say(peer: GCEPeer, tmp_path: Path) -> None:
    """Rows H2, H4: a name that begins with a letter, the ping URL in the metadata, a boot disk that goes with the node,
    and no address on the Internet."""
    (tmp_path / "id.pub").write_text("ssh-ed25519 AAAA root@example\n")
    accounts = '[{"email": "default", "scopes": ["storage-ro"]}]'
    body = insert(peer, ssh_key=str(tmp_path / "id.pub"), service_accounts=accounts, tag_team="blue")
    name = "compute-000000000000001-zzzzz"
    assert body["name"] == name
    assert body["machineType"] == f"{API}/zones/{ZONE}/machineTypes/n1-standard-1"
    assert body["tags"] == {"items": [TAG, "http-server"]}
    assert body["networkInterfaces"] == [
        {"kind": "compute#instanceNetworkInterface", "network": f"{API}/global/networks/default"}
    ]
    (disk,) = body["disks"]
    assert (disk["boot"], disk["autoDelete"], disk["deviceName"]) == (True, True, name)
    assert disk["initializeParams"]["diskType"] == f"{API}/zones/{ZONE}/diskTypes/pd-standard"
    assert disk["initializeParams"]["sourceImage"].endswith("/custom-image")
    assert body["serviceAccounts"] == [
        {"email": "default", "scopes": ["https://www.googleapis.com/auth/devstorage.read_only"]}
    ]
    assert "scheduling" not in body
    written = metadata(body)
    assert written.pop("booted_at").endswith("Z")
    assert written == {
        "arv-ping-url": peer.ping_url().reveal(),
        "sshKeys": "root:ssh-ed25519 AAAA root@example",
        "arvados_node_size": "small",
        "arvados_node_token": "token-1",
        "hostname": "compute1.zzzzz.example.com",
        "team": "blue",
    }


@pytest.mark.parametrize(("scratch", "disks", "warnings"), [(0, 1, 0), (1, 2, 0), (375_000, 2, 0), (375_001, 2, 1)])
def test_scratch_is_one_local_ssd(
    peer: GCEPeer, caplog: pytest.LogCaptureFixture, scratch: float, disks: int, warnings: int
) -> None:
    """Row H6: more than 375 GB are a warning."""
    body = insert(peer, replace(peer.size, scratch=scratch))
    assert len(body["disks"]) == disks
    for disk in body["disks"][1:]:
        assert (disk["type"], disk["deviceName"], disk["autoDelete"]) == ("SCRATCH", "tmp", True)
        assert disk["initializeParams"] == {"diskType": f"{API}/zones/{ZONE}/diskTypes/local-ssd"}
    told = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(told) == warnings
    assert all("only supports attaching a single 375 GB disk" in record.getMessage() for record in told)


def test_a_preemptible_node_is_asked_for_as_one(peer: GCEPeer) -> None:
    assert insert(peer, peer.spot)["scheduling"] == {"preemptible": True}


@pytest.mark.parametrize(
    ("options", "interface"),
    [
        ({"network": "lab"}, {"network": f"{API}/global/networks/lab"}),
        (
            {"network": "projects/host/global/networks/shared"},
            {"network": "https://www.googleapis.com/compute/v1/projects/host/global/networks/shared"},
        ),
        (
            {"network": "lab", "subnetwork": "east"},
            {
                "network": f"{API}/global/networks/lab",
                "subnetwork": f"{API}/regions/us-central1/subnetworks/east",
            },
        ),
        ({"subnetwork": "east"}, {"subnetwork": f"{API}/regions/us-central1/subnetworks/east"}),
    ],
)
def test_networks(peer: GCEPeer, options: dict[str, str], interface: dict[str, str]) -> None:
    """A subnetwork alone is enough. None has an external address."""
    (made,) = insert(peer, **options)["networkInterfaces"]
    made.pop("kind", None)
    assert made == interface


def test_options_that_we_do_not_know_go_to_libcloud(peer: GCEPeer) -> None:
    """An external address for those who ask for one."""
    (made,) = insert(peer, external_ip="ephemeral", ex_can_ip_forward="yes")["networkInterfaces"]
    assert made["accessConfigs"] == [{"name": "External NAT", "type": "ONE_TO_ONE_NAT"}]


def test_kind_and_size_of_the_boot_disk_can_be_chosen(peer: GCEPeer) -> None:
    parameters = insert(peer, ex_disk_type="pd-ssd", ex_disk_size="50")["disks"][0]["initializeParams"]
    assert parameters["diskType"] == f"{API}/zones/{ZONE}/diskTypes/pd-ssd"
    assert parameters["diskSizeGb"] == "50"


@pytest.mark.parametrize(
    ("image", "link"),
    [
        (
            "projects/debian-cloud/global/images/family/debian-12",
            "projects/debian-cloud/global/images/family/debian-12",
        ),
        ("global/images/family/compute", f"projects/{PROJECT}/global/images/family/compute"),
        (f"{API}/global/images/x", f"projects/{PROJECT}/global/images/x"),
    ],
)
def test_a_link_of_an_image_is_not_looked_up(peer: GCEPeer, image: str, link: str) -> None:
    body = insert(peer, image=image)
    assert body["disks"][0]["initializeParams"]["sourceImage"] == f"https://www.googleapis.com/compute/v1/{link}"
    assert not [path for _, path in peer.log if "images" in path]


def test_an_image_is_looked_up_once_in_our_own_project(peer: GCEPeer) -> None:
    """Row H8."""
    driver = peer.driver()
    for number in (1, 2):
        driver.create_node(peer.size, peer.record(number), f"token-{number}", peer.ping_url(number))
    assert [path for _, path in peer.log if "images" in path] == [f"/compute/v1/projects/{PROJECT}/global/images"]


def test_a_create_asks_for_nothing_but_image_node_and_operation(peer: GCEPeer) -> None:
    create(peer)
    paths = [path.rpartition(f"{PROJECT}/")[2] for _, path in peer.log]
    zone = f"zones/{ZONE}"
    assert [path.partition("operation-")[0] for path in paths] == [
        "/o/oauth2/token",
        "global/images",
        f"{zone}/instances",
        f"{zone}/operations/",
        f"{zone}/instances/compute-000000000000001-zzzzz",
    ]


@pytest.mark.parametrize(
    ("text", "key"), [("#!/bin/sh\ncurl '{ping_url}'\n", "startup-script"), ("#cloud-config\n", "user-data")]
)
def test_user_data_of_the_operator(peer: GCEPeer, tmp_path: Path, text: str, key: str) -> None:
    (tmp_path / "template").write_text(text)
    written = metadata(insert(peer, user_data=str(tmp_path / "template")))
    assert written[key] == text.replace("{ping_url}", peer.ping_url().reveal())
    assert written["arv-ping-url"] == peer.ping_url().reveal()


def test_a_node_of_the_same_name_that_another_boot_made_is_not_ours(peer: GCEPeer) -> None:
    create(peer)
    told = failure(lambda: peer.driver().create_node(peer.size, peer.record(), "token-2", peer.ping_url()))
    assert told.kind is ErrorKind.TRANSIENT
    assert peer.driver().find_node(peer.size, peer.record(), "token-2") is None


def test_a_create_waits_no_longer_than_the_timeout(peer: GCEPeer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the operation tells of missing capacity. One that does not end is an uncertain create, and is looked for."""
    monkeypatch.setattr(LateGCEConnection, "poll_interval", 0.05)
    monkeypatch.setattr(peer, "done", False)
    assert failure(lambda: create(peer, peer.driver(timeout=0.3))).kind is ErrorKind.TRANSIENT
    assert peer.driver().find_node(peer.size, peer.record(), "token-1") is not None


# ---- lists -----------------------------------------------------------------------------------------------------------


def test_a_page_costs_one_request_and_no_disk_is_asked_for(peer: GCEPeer) -> None:
    peer.add(3)
    driver = peer.driver()
    driver.list_nodes()
    before = peer.requests()
    assert len(driver.list_nodes()) == 3
    assert peer.requests() - before == 1


def test_all_network_tags_are_wanted(peer: GCEPeer) -> None:
    """Rows H3, H7: the filter is ours, and it looks at all of them."""
    first, second = peer.add(2)
    peer._of(second)["tags"]["items"] = [TAG]
    assert [node.id for node in peer.driver().list_nodes()] == [first]


def test_without_network_tags_our_size_tag_tells(peer: GCEPeer) -> None:
    peer.add(1, ours=False)
    peer.add(1, tagged=False)
    assert len(peer.driver(listing="").list_nodes()) == 1


def test_the_start_time_is_ours_else_the_clouds_else_none(peer: GCEPeer) -> None:
    """Row H3: unknown is None here, when the Fleet takes the time of its first sight."""
    items = [[{"key": "booted_at", "value": "2020-01-01T00:00:00Z"}], [{"key": "booted_at", "value": "soon"}], []]
    for node_id, each in zip(peer.add(3), items, strict=True):
        peer._of(node_id)["metadata"]["items"] = each
    (last,) = peer.add(1)
    peer._of(last)["creationTimestamp"] = None
    assert [node.start_time for node in peer.driver().list_nodes()] == [
        1577836800.0,
        1386960323.351,
        1386960323.351,
        None,
    ]


@pytest.mark.parametrize(
    "found",
    [
        {"items": [{"key": "arvados_node_size", "value": "small"}, {"key": "hostname"}, 3, None], "fingerprint": "x"},
        {"arvados_node_size": "small", "fingerprint": "x", "kind": "compute#metadata"},
    ],
)
def test_metadata_is_read_in_both_of_its_forms(peer: GCEPeer, found: dict[str, Any]) -> None:
    """Row N16."""
    (node_id,) = peer.add(1)
    peer._of(node_id)["metadata"] = found
    (node,) = peer.driver().list_nodes()
    assert (node.size_tag, node.fqdn) == ("small", None)


@pytest.mark.parametrize("wrong", [{"id": None}, {"tags": None}, {"zone": None}, {"machineType": 7}, {"status": None}])
def test_a_malformed_instance_costs_only_itself(
    peer: GCEPeer, caplog: pytest.LogCaptureFixture, wrong: dict[str, object]
) -> None:
    """Row I7."""
    first, second = peer.add(2)
    for name, value in wrong.items():
        peer._of(first)[name] = value
        if value is None:
            del next(each for each in peer.instances.values() if each.get("id") != second)[name]
    assert [node.id for node in peer.driver().list_nodes()] == [second]
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


@pytest.mark.parametrize(
    "page",
    [
        "",
        "null",
        "[]",
        {"items": {}},
        {"items": "x"},
        {"items": [], "warning": {"code": "UNREACHABLE"}},
        {"items": [], "unreachables": ["zone"]},
    ],
)
def test_what_is_no_whole_page_is_no_short_list(peer: GCEPeer, page: Any) -> None:
    peer.trouble.spoil(Verb.LIST, Spoilt(lambda: reply(page)), 1)
    if page == {"items": {}}:
        assert peer.driver().list_nodes() == ()
        return
    assert failure(peer.driver().list_nodes).kind is ErrorKind.TRANSIENT


def test_pages_that_do_not_end_are_a_failure(peer: GCEPeer) -> None:
    peer.trouble.spoil(Verb.LIST, Spoilt(lambda: reply({"items": [], "nextPageToken": "again"})), 9)
    assert failure(peer.driver().list_nodes).kind is ErrorKind.TRANSIENT
    assert peer.requests() == 3  # a token, and two pages


def test_without_a_datacenter_all_zones_are_listed(peer: GCEPeer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row H5: the datacenter restricts the list. A zone that cannot be reached makes the list a failure."""
    (node_id,) = peer.add(1)
    scopes: dict[str, Any] = {
        f"zones/{ZONE}": {"instances": [peer._of(node_id)]},
        "zones/europe-west1-a": {"warning": {"code": "NO_RESULTS_ON_PAGE"}},
    }
    inner = peer.answer
    monkeypatch.setattr(
        peer,
        "answer",
        lambda request, body: reply({"items": scopes}) if "/aggregated/" in request.path else inner(request, body),
    )
    assert [node.id for node in peer.driver(credentials={"datacenter": ""}).list_nodes()] == [node_id]
    scopes["zones/us-east1-b"] = {"warning": {"code": "UNREACHABLE"}}
    assert failure(peer.driver(credentials={"datacenter": ""}).list_nodes).kind is ErrorKind.TRANSIENT


@pytest.mark.parametrize(
    ("status", "listed", "stopped"),
    [
        ("PROVISIONING", True, False),
        ("STAGING", True, False),
        ("RUNNING", True, False),
        ("STOPPING", False, False),
        ("DEPROVISIONING", False, False),
        ("TERMINATED", True, True),
        ("SUSPENDING", True, True),
        ("SUSPENDED", True, True),
        ("REPAIRING", True, False),
        ("DREAMING", True, False),
    ],
)
def test_states(peer: GCEPeer, status: str, listed: bool, stopped: bool) -> None:
    """A preempted node is TERMINATED: it stays listed, and its disk is paid."""
    (node_id,) = peer.add(1)
    peer._of(node_id)["status"] = status
    assert [node.stopped for node in peer.driver().list_nodes()] == ([stopped] if listed else [])


# ---- destroy, write --------------------------------------------------------------------------------------------------


def test_destroy_leaves_the_disk_to_the_cloud_and_does_not_wait(peer: GCEPeer) -> None:
    """Row H4: deleting the disk as well failed, since the cloud had done it."""
    made = create(peer)
    before = len(peer.log)
    peer.driver().destroy_node(made)
    path = f"/compute/v1/projects/{PROJECT}/zones/{ZONE}/instances/{made.name}"
    assert peer.log[before:] == [("GET", path), ("DELETE", path)]


def test_a_name_that_is_another_nodes_by_now_is_left_alone(peer: GCEPeer) -> None:
    """A record that is used again gives its name again."""
    first = create(peer)
    peer.vanish(first.id)
    second = peer.driver().create_node(peer.size, peer.record(), "token-2", peer.ping_url())
    assert (first.name, first.id) != (second.name, second.id)
    assert failure(lambda: peer.driver().destroy_node(first)).kind is ErrorKind.GONE
    assert failure(lambda: peer.driver().sync_fqdn(first, "x.example.com")).kind is ErrorKind.GONE
    (node,) = peer.driver().list_nodes()
    assert (node.id, node.fqdn) == (second.id, "compute1.zzzzz.example.com")


def test_metadata_is_read_before_it_is_written(peer: GCEPeer) -> None:
    """Row H9: `Supplied fingerprint does not match`. What others have written meanwhile stays."""
    made = create(peer)
    instance = peer._of(made.id)
    instance["metadata"]["items"].append({"key": "theirs", "value": "kept"})
    instance["metadata"]["fingerprint"] = "another"
    peer.driver().set_directive(made, OperatorDirective(Directive.HOLD, "look"))
    written = metadata(instance)
    assert (written["theirs"], written["arvados_node_word"]) == ("kept", "hold: look")
    peer.fail(Verb.TAG, "conditionNotMet")
    assert failure(lambda: peer.driver().set_directive(made, None)).kind is ErrorKind.TRANSIENT
