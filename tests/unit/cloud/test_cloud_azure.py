"""What is particular to Azure. What every driver does is in test_cloud_conformance.py."""

from __future__ import annotations

import base64
import logging
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from azure_answers import CLASS, GROUP, LAST_YEARS, MACHINES, SUBSCRIPTION, TENANT, URN
from cloud_peer import Verb
from fake_cloud_server import settings_in
from peer_azure import AzurePeer
from peer_trouble import Spoilt
from recorded_answers import reply

from arvnodeman.cloud.azure_libcloud import AzureNodes
from arvnodeman.cloud.base import CloudDriver
from arvnodeman.cloud.registry import make_driver
from arvnodeman.config import ConfigError
from arvnodeman.fleet.values.model import CloudNode, ErrorKind, RemoteError, RemoteFailure, Secret

NAME = "compute-000000000000001-zzzzz"


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[AzurePeer]:
    with AzurePeer(tmp_path) as peer:
        yield peer


def failure(act: Callable[[], object]) -> RemoteError:
    with pytest.raises(RemoteFailure) as caught:
        act()
    return caught.value.error


def create(peer: AzurePeer, driver: CloudDriver | None = None, token: str = "token-1") -> CloudNode:
    return (driver or peer.driver()).create_node(peer.size, peer.record(), token, peer.ping_url())


def put(peer: AzurePeer, **options: str) -> dict[str, Any]:
    """The body of a create request with these options of [Cloud Create]."""
    create(peer, peer.driver(create=options))
    return peer.puts[-1]


# ---- create ----------------------------------------------------------------------------------------------------------


def test_a_new_node_is_what_the_options_say(peer: AzurePeer, tmp_path: Path) -> None:
    """Row I1: the image by its URN, and tag_* as tags, not as arguments."""
    (tmp_path / "id.pub").write_text("ssh-rsa AAAA root@example\n")
    body = put(peer, ssh_key=str(tmp_path / "id.pub"), ex_user_name="arvados", tag_team="blue")
    properties = body["properties"]
    assert (body["name"], body["location"]) == (NAME, "eastus")
    assert properties["hardwareProfile"] == {"vmSize": "Standard_A1"}
    storage = properties["storageProfile"]
    assert ":".join(storage["imageReference"][part] for part in ("publisher", "offer", "sku", "version")) == URN
    account = properties["osProfile"]
    assert account["adminUsername"] == "arvados"
    assert "adminPassword" not in account
    assert account["linuxConfiguration"]["ssh"]["publicKeys"] == [
        {"path": "/home/arvados/.ssh/authorized_keys", "keyData": "ssh-rsa AAAA root@example"}
    ]
    tags = dict(body["tags"])
    assert tags.pop("booted_at").endswith("Z")
    assert tags == {
        "arv-ping-url": peer.ping_url().reveal(),
        "arvados-class": CLASS,
        "arvados_node_size": "small",
        "arvados_node_token": "token-1",
        "hostname": "compute1.zzzzz.example.com",
        "team": "blue",
    }


def test_interface_and_disk_are_to_go_with_the_node(peer: AzurePeer) -> None:
    """Row I8."""
    properties = put(peer)["properties"]
    (interface,) = properties["networkProfile"]["networkInterfaces"]
    assert interface["properties"]["deleteOption"] == "Delete"
    disk = properties["storageProfile"]["osDisk"]
    assert disk["deleteOption"] == "Delete"
    assert disk["managedDisk"]["storageAccountType"] == "Standard_LRS"


def test_without_a_key_nobody_knows_the_password(peer: AzurePeer) -> None:
    """Azure wants letters of both cases, figures and signs; libcloud's has none of the half of them."""
    password = put(peer)["properties"]["osProfile"]["adminPassword"]
    assert len(password) > 30
    assert all(any(test(letter) for letter in password) for test in (str.isupper, str.islower, str.isdigit))
    peer.machines.clear()
    assert put(peer)["properties"]["osProfile"]["adminPassword"] != password


def test_custom_data_is_a_script_with_quoted_values(peer: AzurePeer, tmp_path: Path) -> None:
    """Row I2: the ping URL is there before the node starts; its values cannot become commands."""
    url = Secret(f"https://x.example.com/ping?a=1&ping_secret=q$(touch {tmp_path}/owned)'\"x")
    peer.driver().create_node(peer.size, peer.record(), "token-1", url)
    data = peer.puts[-1]["properties"]["osProfile"]["customData"]
    script = base64.b64decode(data).decode().replace("/var/tmp/arv-node-data", str(tmp_path / "data"))
    assert script.startswith("#!/bin/sh\n")
    subprocess.run(["sh", "-eu"], input=script.encode(), check=True, timeout=30)
    written = {path.name: path.read_text() for path in (tmp_path / "data").rglob("*") if path.is_file()}
    assert written == {
        "arv-ping-url": url.reveal() + "\n",
        "instance-id": f"{NAME}\n",
        "instance-type": "Standard_A1\n",
    }
    assert not (tmp_path / "owned").exists()


def test_user_data_of_the_operator_takes_the_scripts_place(peer: AzurePeer, tmp_path: Path) -> None:
    (tmp_path / "template").write_text("#cloud-config\nhostname: {hostname}\n")
    data = put(peer, user_data=str(tmp_path / "template"))["properties"]["osProfile"]["customData"]
    assert base64.b64decode(data).decode() == "#cloud-config\nhostname: compute1\n"


def test_a_ping_url_that_no_tag_can_hold_is_in_the_custom_data_alone(
    peer: AzurePeer, caplog: pytest.LogCaptureFixture
) -> None:
    url = Secret("https://" + "x" * 300)
    peer.driver().create_node(peer.size, peer.record(), "token-1", url)
    assert "arv-ping-url" not in peer.puts[-1]["tags"]
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "xxx" not in caplog.text


@pytest.mark.parametrize(
    ("image", "reference"),
    [
        ("/subscriptions/1/x/galleries/g/images/arvados", {"id": "/subscriptions/1/x/galleries/g/images/arvados"}),
        ("A:B:C:1.2", {"publisher": "A", "offer": "B", "sku": "C", "version": "1.2"}),
    ],
)
def test_images(peer: AzurePeer, image: str, reference: dict[str, str]) -> None:
    assert put(peer, image=image)["properties"]["storageProfile"]["imageReference"] == reference


def test_a_disk_in_a_storage_account_has_the_right_url(peer: AzurePeer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row I9: libcloud 2.6.0 had it wrong."""
    monkeypatch.setattr(AzureNodes, "_ex_delete_old_vhd", lambda _self, _group, _uri: True)
    disk = put(peer, ex_storage_account="account")["properties"]["storageProfile"]["osDisk"]
    assert disk["vhd"] == {"uri": f"https://account.blob.core.windows.net/vhds/{NAME}-os_0.vhd"}
    assert "managedDisk" not in disk


def test_a_create_costs_four_requests(peer: AzurePeer) -> None:
    """Row I6: nothing is asked for its addresses and power. A token, is it there, its interface, itself."""
    create(peer)
    assert [method for method, _ in peer.log] == ["POST", "GET", "PUT", "PUT"]


def test_a_node_is_found_by_its_name(peer: AzurePeer) -> None:
    """Its address is not listed; the DNS of the virtual network knows the name."""
    create(peer)
    (node,) = peer.driver().list_nodes()
    assert node.address == node.name


@pytest.mark.parametrize("error", ["SkuNotAvailable", "QuotaExceeded", "InvalidParameter"])
def test_a_refused_node_leaves_no_interface(peer: AzurePeer, error: str) -> None:
    """Row I8."""
    peer.fail(Verb.CREATE, error)
    failure(lambda: create(peer))
    assert peer.interfaces == set()


def test_an_interface_whose_node_may_exist_is_left(peer: AzurePeer) -> None:
    peer.fail(Verb.CREATE, "InternalServerError")
    failure(lambda: create(peer))
    assert peer.interfaces == {f"{NAME}-nic"}


def test_a_name_that_another_boots_node_has_is_not_written_over(peer: AzurePeer) -> None:
    """A request to create what exists would change it."""
    first = create(peer)
    assert failure(lambda: create(peer, token="token-2")).kind is ErrorKind.TRANSIENT
    assert len(peer.puts) == 1
    (node,) = peer.driver().list_nodes()
    assert (node.id, node.token) == (first.id, "token-1")
    assert create(peer) == node


# ---- lists -----------------------------------------------------------------------------------------------------------


def test_a_page_costs_one_request(peer: AzurePeer) -> None:
    """Row I6: no request for each node."""
    peer.add(5)
    driver = peer.driver()
    assert len(driver.list_nodes()) == 5
    assert len(peer.log) == 2  # a token, and the page


def test_ids_are_the_same_in_every_answer(peer: AzurePeer) -> None:
    """Azure's list has the resource group in capitals, other answers as it was written."""
    made = create(peer)
    (listed,) = peer.driver().list_nodes()
    assert made.id == listed.id == f"{MACHINES}/{NAME}"


@pytest.mark.parametrize(
    ("state", "broken"),
    [
        ("Creating", False),
        ("Updating", False),
        ("Succeeded", False),
        ("Running", False),
        ("Failed", True),
        ("?", True),
        ("Canceled", True),
    ],
)
def test_a_node_in_an_unknown_or_bad_state_is_broken(peer: AzurePeer, state: str, broken: bool) -> None:
    """Row I4."""
    (node_id,) = peer.add(1)
    peer._of(node_id)["properties"]["provisioningState"] = state
    (node,) = peer.driver().list_nodes()
    assert (node.broken, node.failed) == (broken, state in ("Failed", "Canceled"))


FULL = "Allocation failed. We do not have sufficient capacity for the requested VM size in this region."


@pytest.mark.parametrize(
    ("statuses", "fault", "kind"),
    [
        (
            [
                {"code": "PowerState/stopped"},
                {"code": "ProvisioningState/failed/AllocationFailed", "level": "Error", "message": FULL},
            ],
            f"AllocationFailed: {FULL}",
            ErrorKind.CAPACITY,
        ),
        ([{"code": "ProvisioningState/canceled", "message": "Operation was canceled"}], "Operation was canceled", None),
        ([{"code": "ProvisioningState/failed/SubnetIsFull"}], "SubnetIsFull", ErrorKind.QUOTA),
        ([{"code": 7}, "odd", None], "", None),
        (None, "", None),
    ],
)
def test_why_a_node_has_failed_is_asked_once_and_told(
    peer: AzurePeer, statuses: object, fault: str, kind: ErrorKind | None
) -> None:
    """The list does not tell: only nodes that have failed cost a request of their own."""
    failed, well = peer.add(2)
    peer._of(failed)["properties"]["provisioningState"] = "Failed"
    peer.views[failed.rpartition("/")[2].lower()] = {"statuses": statuses}
    driver = peer.driver()
    for _ in range(3):
        listed = {node.id: node for node in driver.list_nodes()}
    assert (listed[failed].failed, listed[failed].fault, listed[failed].fault_kind) == (True, fault, kind)
    assert (listed[well].failed, listed[well].fault) == (False, "")
    asked = [line for line in peer.log if "instanceView" in str(line)]
    assert len(asked) == (1 if fault else 3)


def test_a_fault_that_cannot_be_asked_for_costs_no_list(peer: AzurePeer) -> None:
    (failed,) = peer.add(1)
    peer._of(failed)["properties"]["provisioningState"] = "Failed"
    peer.views[failed.rpartition("/")[2].lower()] = [1, 2]
    assert [(node.failed, node.fault) for node in peer.driver().list_nodes()] == [(True, "")]


def test_a_node_that_does_not_say_when_it_started(peer: AzurePeer) -> None:
    """Row N18: unknown, and no crash."""
    peer.add(2)
    first, second = peer.machines.values()
    second["tags"] = {**second["tags"], "booted_at": "2020-01-01T00:00:00Z"}
    first["tags"] = {**first["tags"], "booted_at": "yesterday"}
    peer.add(1)
    assert [node.start_time for node in peer.driver().list_nodes()] == [None, 1577836800.0, None]


@pytest.mark.parametrize("wrong", [{"properties": None}, {"properties": {}}, {"id": None}, {"name": None}])
def test_a_malformed_machine_costs_only_itself(
    peer: AzurePeer, caplog: pytest.LogCaptureFixture, wrong: dict[str, object]
) -> None:
    """Row I7."""
    first, second = peer.add(2)
    machine = peer._of(first)
    name = machine["name"]
    for key, value in wrong.items():
        if value is None:
            del machine[key]
        else:
            machine[key] = value
    machine.setdefault("id", "")
    peer.machines[name] = machine
    assert [node.id for node in peer.driver().list_nodes()] == [second]
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


@pytest.mark.parametrize("page", ["", "null", "[]", "{}", {"value": None}, {"value": {}}, {"error": "x"}])
def test_what_is_no_page_is_no_short_list(peer: AzurePeer, page: Any) -> None:
    peer.trouble.spoil(Verb.LIST, Spoilt(lambda: reply(page)), 1)
    assert failure(peer.driver().list_nodes).kind is ErrorKind.TRANSIENT


def test_pages_that_do_not_end_are_a_failure(peer: AzurePeer) -> None:
    link = f"https://management.azure.com{MACHINES}?api-version=1&$skiptoken=again"
    peer.trouble.spoil(Verb.LIST, Spoilt(lambda: reply({"value": [], "nextLink": link})), 9)
    assert failure(peer.driver().list_nodes).kind is ErrorKind.TRANSIENT
    assert peer.requests() == 3  # a token, and two pages


@pytest.mark.parametrize("body", ["{}", "[]", "null", '{"access_token": "x", "expires_on": "soon"}', "<html>"])
def test_an_answer_without_a_token_is_a_failure(peer: AzurePeer, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    monkeypatch.setattr(peer, "_token", lambda _request: reply(body))
    assert failure(peer.driver().list_nodes).kind is ErrorKind.TRANSIENT


@pytest.mark.parametrize("body", ['{"error": "text"}', '{"error": null}', "[]", "7", ""])
def test_an_error_of_any_shape_is_an_error(peer: AzurePeer, body: str) -> None:
    peer.trouble.spoil(Verb.LIST, Spoilt(lambda: reply(body, 500)), 1)
    assert failure(peer.driver().list_nodes).kind is ErrorKind.TRANSIENT


def test_a_secret_that_has_ended_is_named(peer: AzurePeer) -> None:
    """Row I10: it does so after a year. doc/clouds/azure.md tells how to see the day and to make a new one."""
    told = failure(peer.driver(credentials={"secret": LAST_YEARS}).list_nodes)
    assert (told.kind, told.hint) == (ErrorKind.REFUSED, "[Cloud Credentials] secret")
    assert "are expired" in told.text


# ---- destroy, write --------------------------------------------------------------------------------------------------


def test_destroy_leaves_nothing_and_waits_for_nothing(peer: AzurePeer) -> None:
    """Row I8: a request for the node as it is, one to delete it."""
    made = create(peer)
    before = len(peer.log)
    peer.driver().destroy_node(made)
    assert [method for method, _ in peer.log[before:]] == ["POST", "GET", "DELETE"]
    assert (peer.nodes(), peer.interfaces, peer.disks) == ([], set(), set())


def test_destroy_takes_along_what_belongs_to_a_node_of_an_earlier_version(peer: AzurePeer) -> None:
    """Row I8: its interface and disk did not have the option."""
    peer.add(1)
    driver = peer.driver()
    (node,) = driver.list_nodes()
    driver.destroy_node(node)
    assert (peer.nodes(), peer.interfaces, peer.disks) == ([], set(), set())


def test_a_name_that_is_another_nodes_by_now_is_left_alone(peer: AzurePeer) -> None:
    """The id of a node ends in its name, and a record that is used again gives its name again."""
    first = create(peer)
    peer.vanish(first.id)
    second = create(peer, token="token-2")
    assert first.id == second.id
    assert failure(lambda: peer.driver().destroy_node(first)).kind is ErrorKind.GONE
    assert failure(lambda: peer.driver().sync_fqdn(first, "x.example.com")).kind is ErrorKind.GONE
    (node,) = peer.driver().list_nodes()
    assert (node.token, node.fqdn) == ("token-2", "compute1.zzzzz.example.com")


def test_destroy_of_a_node_that_is_being_deleted_asks_no_more(peer: AzurePeer) -> None:
    made = create(peer)
    peer.terminate(made.id)
    assert failure(lambda: peer.driver().destroy_node(made)).kind is ErrorKind.GONE
    assert "DELETE" not in [method for method, _ in peer.log]


def test_tags_of_others_stay(peer: AzurePeer) -> None:
    """Row I3: an error while the FQDN is written is one of the outside's."""
    made = create(peer)
    peer._of(made.id)["tags"]["theirs"] = "kept"
    peer.driver().sync_fqdn(made, "x.example.com")
    assert peer._of(made.id)["tags"]["theirs"] == "kept"
    peer.fail(Verb.TAG, "InternalServerError")
    assert failure(lambda: peer.driver().sync_fqdn(made, "y.example.com")).kind is ErrorKind.TRANSIENT


# ---- options ---------------------------------------------------------------------------------------------------------


def refused(tmp_path: Path, listing: str, create: str, **given: str) -> str:
    """What is said to be wrong with the configuration."""
    with pytest.raises(ConfigError) as caught:
        make_driver(settings_in(tmp_path, listing + create, provider="azure", **given))
    return "\n".join(line.partition(".ini: ")[2] for line in caught.value.problems)


LISTING = f"[Cloud List]\nex_resource_group = {GROUP}\n"
CREATE = f"[Cloud Create]\nping_host = ping.example.com\ntag_arvados-class = {CLASS}\n"
GIVEN = {"tenant_id": TENANT, "subscription_id": SUBSCRIPTION, "key": "k", "secret": "s", "region": "eastus"}


def test_the_resource_group_is_required(tmp_path: Path) -> None:
    """Row I1."""
    told = refused(tmp_path, "[Cloud List]\n", CREATE, **GIVEN)
    assert told.startswith("[Cloud List] ex_resource_group: missing; required with azure")


def test_what_is_missing_is_named_at_once(tmp_path: Path) -> None:
    assert refused(tmp_path, LISTING, CREATE).splitlines() == [
        "[Cloud Credentials] tenant_id: missing; required here",
        "[Cloud Credentials] subscription_id: missing; required here",
        "[Cloud Credentials] key: missing; required here",
        "[Cloud Credentials] secret: missing; required here",
        "[Cloud Credentials] region: missing; required here",
        "[Cloud Create] image: missing; required here",
        "[Cloud Create] ex_network: missing; required here",
    ]


@pytest.mark.parametrize("image", ["Ubuntu", "a:b:c", "a:b:c:d:e", "a:b c:d:e"])
def test_an_image_that_is_no_urn_is_named(tmp_path: Path, image: str) -> None:
    told = refused(tmp_path, LISTING, f"{CREATE}image = {image}\nex_network = n\n", **GIVEN)
    assert told.startswith("[Cloud Create] image: not an image; allowed: PUBLISHER:OFFER:SKU:VERSION")


def test_preemptible_sizes_are_refused(tmp_path: Path) -> None:
    text = f"{CREATE}image = {URN}\nex_network = n\n[Size spot]\ncores = 1\npreemptible = yes\n"
    assert "[Size spot] preemptible: the azure driver has no such nodes" in refused(tmp_path, LISTING, text, **GIVEN)


def test_cloud_test_can_look_the_subnet_up(peer: AzurePeer, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = peer.answer
    subnets = {"value": [{"id": "x", "name": "nodes", "properties": {}}]}
    monkeypatch.setattr(
        peer,
        "answer",
        lambda request, body: reply(subnets) if request.path.endswith("/vnet/subnets") else inner(request, body),
    )
    ((option, look),) = peer.driver(create={"ex_subnet": "nodes"}).lookups()
    assert (option, look()) == ("ex_subnet", "nodes")
    ((_, look),) = peer.driver().lookups()
    told = failure(look)
    assert (told.kind, told.hint) == (ErrorKind.REFUSED, "[Cloud Create] ex_subnet")
