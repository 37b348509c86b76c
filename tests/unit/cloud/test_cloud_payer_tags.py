"""Who pays, in tags for the provider's bill: what each cloud takes, and only where it is wanted."""

from __future__ import annotations

from pathlib import Path

import pytest
from cloud_peer import Peer
from peer_azure import AzurePeer
from peer_ec2 import EC2Peer, moto
from peer_gce import GCEPeer
from peer_openstack import OpenStackPeer

from arvnodeman.cloud.azure import AzureDriver
from arvnodeman.cloud.base import NodeWish
from arvnodeman.cloud.ec2 import EC2Driver
from arvnodeman.cloud.gce import GCEDriver
from arvnodeman.cloud.libcloud_driver import LibcloudDriver
from arvnodeman.cloud.openstack import OpenStackDriver
from arvnodeman.cloud.payer_tags import REMEMBERED, PayersOfBoots, ValueRule, fitting, payer_tags, payers_of_process
from arvnodeman.fleet.values.meant_for import MeantFor
from arvnodeman.fleet.values.model import JobOwner

ANN = MeantFor("17_3", JobOwner("ann", "Physics & Co", "normal"), "main")
BOB = MeantFor("18", JobOwner("bob", "biology"), "main")


@pytest.mark.parametrize(
    ("driver", "text", "value"),
    [
        (EC2Driver, "Physics & Co", "Physics _ Co"),
        (EC2Driver, "a=b+c@d/e:f_g.h-i", "a=b+c@d/e:f_g.h-i"),
        (EC2Driver, "x" * 300, "x" * 256),
        (EC2Driver, "\N{GRINNING FACE}é", "_é"),
        (GCEDriver, "Physics & Co", "physics___co"),
        (GCEDriver, "17_3", "17_3"),
        (GCEDriver, "é" * 5 + "X" * 100, "_" * 5 + "x" * 58),
        (AzureDriver, "Physics & Co\n", "Physics & Co_"),
        (AzureDriver, "x" * 300, "x" * 256),
        (OpenStackDriver, "\N{GRINNING FACE}" * 300, "_" * 255),
        (OpenStackDriver, " é\x1b ", "é_"),
    ],
)
def test_values_are_such_as_the_cloud_takes(driver: type[LibcloudDriver], text: str, value: str) -> None:
    assert fitting(text, driver.payer_rule) == value


def test_the_first_job_is_told_and_what_is_not_known_has_no_tag() -> None:
    assert payer_tags([ANN, BOB], ValueRule()) == {
        "arvados_node_account": "Physics & Co",
        "arvados_node_user": "ann",
        "arvados_node_partition": "main",
        "arvados_node_job": "17_3",
    }
    assert payer_tags([MeantFor("1", JobOwner("ann"))], ValueRule()).keys() == {"arvados_node_user", "arvados_node_job"}
    assert payer_tags([], ValueRule()) == {}


def test_boots_that_are_long_past_are_forgotten() -> None:
    payers = PayersOfBoots(ValueRule())
    for number in range(REMEMBERED + 1):
        payers.note(str(number), [ANN])
    assert not payers.of("0")
    assert payers.of("1") == payers.of(str(REMEMBERED))


@pytest.fixture(autouse=True)
def _nobody_pays_yet() -> None:
    payers_of_process.cache_clear()  # tokens are used again


def create(peer: Peer, *, wanted: bool) -> LibcloudDriver:
    driver = peer.driver()
    assert isinstance(driver, LibcloudDriver)
    driver.tags_payers = wanted
    driver.bill_to("token-1", [ANN])
    node = driver.create_node(peer.size, peer.record(), "token-1", peer.ping_url())
    assert [each.id for each in driver.list_nodes()] == [node.id]
    return driver


@pytest.mark.parametrize("wanted", [True, False])
def test_ec2_tags_the_instance(tmp_path: Path, wanted: bool) -> None:
    with EC2Peer(tmp_path) as peer:
        create(peer, wanted=wanted)
        (instance,) = moto().live()
        assert instance.tags.get("arvados_node_account") == ("Physics _ Co" if wanted else None)
        assert instance.tags.get("arvados_node_job") == ("17_3" if wanted else None)


@pytest.mark.parametrize("wanted", [True, False])
def test_gce_labels_it(tmp_path: Path, wanted: bool) -> None:
    """Bills are divided by labels, and metadata are none."""
    with GCEPeer(tmp_path) as peer:
        create(peer, wanted=wanted)
        body = peer.inserts[-1]
        assert (body.get("labels") or {}).get("arvados_node_account") == ("physics___co" if wanted else None)
        assert not [item for item in body["metadata"]["items"] if item["key"] == "arvados_node_account"]


@pytest.mark.parametrize("kind", [AzurePeer, OpenStackPeer])
def test_others_take_them_with_what_we_keep_there(tmp_path: Path, kind: type[Peer]) -> None:
    with kind(tmp_path) as peer:
        driver = create(peer, wanted=True)
        (tags,) = [tags for _, tags in driver._ours()]
        assert tags["arvados_node_account"] == "Physics & Co"
        assert tags["arvados_node_user"] == "ann"


def test_nodes_of_one_request_share_what_they_have_in_common(tmp_path: Path) -> None:
    """The rest is in tags of their own, once they are finished: by another operator's driver, too."""
    with EC2Peer(tmp_path) as peer:
        driver, another = peer.driver(burst="yes"), peer.driver(burst="yes")
        assert isinstance(driver, EC2Driver)
        assert isinstance(another, EC2Driver)
        driver.tags_payers = another.tags_payers = True
        wishes = [NodeWish(peer.size, peer.record(number), f"t-{number}", peer.ping_url(number)) for number in (1, 2)]
        for wish, job in zip(wishes, (ANN, BOB), strict=True):
            driver.bill_to(wish.token, [job])
        nodes = driver.create_nodes(wishes)
        shared = [each.tags for each in moto().live()]
        assert all(tags["arvados_node_partition"] == "main" for tags in shared)
        assert not any("arvados_node_account" in tags for tags in shared)
        for node, wish in zip(nodes, wishes, strict=True):
            assert not isinstance(node, Exception)
            another.finish_node(node, wish.record)
        accounts = {each.launch_index: each.tags["arvados_node_account"] for each in moto().live()}
        assert accounts == {0: "Physics _ Co", 1: "biology"}
