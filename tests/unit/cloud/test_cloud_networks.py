"""Each cloud's own way to show the addresses of a node, and which of them is taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from azure_answers import INTERFACES, MACHINES
from cloud_peer import Verb
from peer_azure import AzurePeer
from peer_ec2 import EC2Peer
from peer_gce import GCEPeer
from peer_openstack import NETWORK, OpenStackPeer
from recorded_answers import recorded, reply
from werkzeug.wrappers import Request, Response

from arvnodeman.cloud.base import CloudDriver
from arvnodeman.fleet.values.model import CloudNode

NO_V6 = "no IPv6 address of it ([Cloud] address_family), only "


def listed(driver: CloudDriver, family: str = "any") -> CloudNode:
    """The one node, as a driver with this address_family lists it."""
    settings = driver._settings  # type: ignore[attr-defined]
    driver._settings = replace(settings, cloud=replace(settings.cloud, address_family=family))  # type: ignore[attr-defined]
    (node,) = driver.list_nodes()
    return node


# ---- EC2 -------------------------------------------------------------------------------------------------------------

INSTANCE = """<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><reservationSet><item><instancesSet>
<item><instanceId>i-1</instanceId><instanceState><name>running</name></instanceState>{}
<tagSet><item><key>Name</key><value>compute1</value></item><item><key>{}</key><value>{}</value></item></tagSet>
</item></instancesSet></item></reservationSet></DescribeInstancesResponse>"""
ONE_V6 = "<ipv6Address>2001:db8:1::5</ipv6Address>"
TWO_V6 = (
    "<networkInterfaceSet><item><ipv6AddressesSet><item><ipv6Address>2001:db8:1::6</ipv6Address></item>"
    "<item><ipv6Address>2001:db8:1::7</ipv6Address></item></ipv6AddressesSet></item></networkInterfaceSet>"
)
V4 = "<privateIpAddress>10.0.0.5</privateIpAddress>"
PUBLIC = "<ipAddress>198.51.100.7</ipAddress>"


def interface(subnet: str, *addresses: str) -> str:
    """A network interface, as DescribeInstances shows it."""
    v4 = [f"<item><privateIpAddress>{each}</privateIpAddress></item>" for each in addresses if ":" not in each]
    v6 = [f"<item><ipv6Address>{each}</ipv6Address></item>" for each in addresses if ":" in each]
    sets = f"<privateIpAddressesSet>{''.join(v4)}</privateIpAddressesSet>"
    return f"<item><subnetId>{subnet}</subnetId>{sets}<ipv6AddressesSet>{''.join(v6)}</ipv6AddressesSet></item>"


def of_interfaces(*interfaces: str) -> str:
    return f"<networkInterfaceSet>{''.join(interfaces)}</networkInterfaceSet>"


@pytest.mark.parametrize(
    ("said", "family", "address", "why"),
    [
        (ONE_V6, "any", "2001:db8:1::5", ""),
        (TWO_V6, "any", "2001:db8:1::6", ""),
        (ONE_V6 + TWO_V6, "any", "2001:db8:1::5", ""),
        (V4 + TWO_V6, "any", "10.0.0.5", ""),
        (V4 + TWO_V6, "ipv6", "2001:db8:1::6", ""),
        (ONE_V6, "ipv4", None, "no IPv4 address of it ([Cloud] address_family), only 2001:db8:1::5"),
        (PUBLIC + ONE_V6, "any", "198.51.100.7", ""),
        (PUBLIC + V4, "any", "10.0.0.5", ""),
        (PUBLIC, "ipv6", None, f"{NO_V6}198.51.100.7"),
        ("", "any", None, ""),
        ("", "ipv6", None, ""),
        (of_interfaces(interface("subnet-9", "10.9.0.5"), interface("subnet-1", "10.1.0.5")), "any", "10.1.0.5", ""),
        (of_interfaces(interface("subnet-9", "fd09::5"), interface("subnet-1", "fd01::5")), "ipv6", "fd01::5", ""),
    ],
)
def test_ec2(tmp_path: Path, said: str, family: str, address: str | None, why: str) -> None:
    """libcloud reads no IPv6 addresses of instances, and of several interfaces the first one's."""
    with EC2Peer(tmp_path) as peer:
        driver = peer.driver(create={"subnet_id": "subnet-1, subnet-2"})
        ((name, value),) = driver._filters.items()  # type: ignore[attr-defined]
        peer.answer_with(Verb.LIST, 200, INSTANCE.format(said, name, value))
        node = listed(driver, family)
        assert (node.address, node.no_address) == (address, why)


# ---- GCE -------------------------------------------------------------------------------------------------------------

_NETWORKS = "https://www.googleapis.com/compute/v1/projects/p/global/networks"
_SUBNETWORKS = "https://www.googleapis.com/compute/v1/projects/p/regions/us-central1/subnetworks"
STORAGE = {"network": f"{_NETWORKS}/storage", "subnetwork": f"{_SUBNETWORKS}/storage-1", "networkIP": "10.9.0.5"}
CLUSTER = {"network": f"{_NETWORKS}/cluster", "subnetwork": f"{_SUBNETWORKS}/cluster-1", "networkIP": "10.1.0.5"}
INTERNAL_V6 = {"network": f"{_NETWORKS}/cluster", "ipv6Address": "fd20::5", "ipv6AccessType": "INTERNAL"}
EXTERNAL_V6 = {"network": f"{_NETWORKS}/cluster", "ipv6AccessConfigs": [{"externalIpv6": "2600:1900::5"}]}


@pytest.mark.parametrize(
    ("interfaces", "options", "family", "address", "why"),
    [
        ([STORAGE, CLUSTER], {}, "any", "10.9.0.5", ""),
        ([STORAGE, CLUSTER], {"network": "cluster"}, "any", "10.1.0.5", ""),
        ([STORAGE, CLUSTER], {"subnetwork": "cluster-1"}, "any", "10.1.0.5", ""),
        ([STORAGE, CLUSTER], {"subnetwork": CLUSTER["subnetwork"]}, "any", "10.1.0.5", ""),
        ([{**CLUSTER, "accessConfigs": [{"natIP": "198.51.100.7"}, {}]}], {}, "any", "10.1.0.5", ""),
        ([CLUSTER, INTERNAL_V6], {}, "ipv6", "fd20::5", ""),
        ([INTERNAL_V6], {}, "any", "fd20::5", ""),
        ([EXTERNAL_V6], {}, "any", "2600:1900::5", ""),
        ([EXTERNAL_V6, INTERNAL_V6], {}, "ipv6", "fd20::5", ""),
        ([CLUSTER], {}, "ipv6", None, f"{NO_V6}10.1.0.5"),
        ([], {}, "any", None, ""),
    ],
)
def test_gce(
    tmp_path: Path,
    interfaces: list[dict[str, Any]],
    options: Mapping[str, str],
    family: str,
    address: str | None,
    why: str,
) -> None:
    with GCEPeer(tmp_path) as peer:
        peer.add()
        next(iter(peer.instances.values()))["networkInterfaces"] = interfaces
        node = listed(peer.driver(create=options), family)
        assert (node.address, node.no_address) == (address, why)


# ---- Azure -----------------------------------------------------------------------------------------------------------


class InterfacesPeer(AzurePeer):
    """It lists network interfaces, two to a page."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.cards: list[dict[str, Any]] = []
        self.asked = 0

    def answer(self, request: Request, body: Any) -> Response:
        """See RecordedPeer."""
        if request.path.lower() != INTERFACES.lower():
            return super().answer(request, body)
        self.asked += 1
        start = int(request.args.get("skip", "0"))
        page: dict[str, Any] = {"value": self.cards[start : start + 2]}
        if len(self.cards) > start + 2:
            page["nextLink"] = f"https://management.azure.com{INTERFACES}?api-version=1&skip={start + 2}"
        return reply(page)

    def put(self, machine: str, *addresses: str, subnet: str = "default", primary: bool = True) -> None:
        """An interface of a machine."""
        made = recorded(
            "azure_arm/_subscriptions_99999999_resourceGroups_000000_providers_Microsoft_Network_networkInterfaces_"
            "test_node_1_nic.json"
        )
        below = {"id": f"/subscriptions/9/resourceGroups/g/providers/n/virtualNetworks/vnet/subnets/{subnet}"}
        configurations = [{"properties": {"privateIPAddress": each, "subnet": below}} for each in addresses]
        made["properties"] |= {"ipConfigurations": configurations, "primary": primary}
        made["properties"]["virtualMachine"] = {"id": machine}
        self.cards.append(made)


def test_azure_names_the_node_unless_a_family_is_asked_for(tmp_path: Path) -> None:
    with InterfacesPeer(tmp_path) as peer:
        (machine,) = peer.add()
        assert listed(peer.driver()).address == machine.rpartition("/")[2]
        assert peer.asked == 0


@pytest.mark.parametrize(
    ("family", "address", "why"), [("ipv4", "10.0.0.5", ""), ("ipv6", None, f"{NO_V6}10.0.0.9, 10.0.0.5")]
)
def test_azure_lists_the_interfaces_for_a_family(tmp_path: Path, family: str, address: str | None, why: str) -> None:
    """All of the group at once, to the last page; what is malformed, or another's, costs nothing."""
    with InterfacesPeer(tmp_path) as peer:
        (machine,) = peer.add()
        peer.put(f"{MACHINES}/another", "10.0.0.4")
        peer.cards.append({"id": "nonsense"})
        peer.put(machine.upper(), "10.0.0.9", subnet="storage")
        peer.put(machine, "10.0.0.5", primary=False)
        peer.put(machine, "", primary=False)
        node = listed(peer.driver(), family)
        assert (node.address, node.no_address) == (address, why)
        assert peer.asked == 3


def test_azure_of_two_families(tmp_path: Path) -> None:
    with InterfacesPeer(tmp_path) as peer:
        (machine,) = peer.add()
        peer.put(machine, "10.0.0.5", "fd00::5")
        assert listed(peer.driver(), "ipv6").address == "fd00::5"
        assert listed(peer.driver(), "ipv4").address == "10.0.0.5"


# ---- OpenStack -------------------------------------------------------------------------------------------------------


def fixed(address: str) -> dict[str, Any]:
    return {"addr": address, "version": 6 if ":" in address else 4, "OS-EXT-IPS:type": "fixed"}


def floating(address: str) -> dict[str, Any]:
    return {**fixed(address), "OS-EXT-IPS:type": "floating"}


TWO = {"net0": [fixed("10.0.0.5")], "net1": [fixed("10.1.0.5")]}


@pytest.mark.parametrize(
    ("networks", "addresses", "family", "address", "why"),
    [
        ("net1", {"net1": [fixed("10.1.0.5"), fixed("fd01::5")]}, "any", "10.1.0.5", ""),
        ("net1", {"net1": [fixed("10.1.0.5"), fixed("fd01::5")]}, "ipv6", "fd01::5", ""),
        ("net1", {"net1": [fixed("fd01::5")]}, "any", "fd01::5", ""),
        ("net1", {"net1": [fixed("10.1.0.5")]}, "ipv6", None, f"{NO_V6}10.1.0.5"),
        ("net1", {"net1": [floating("10.9.0.5"), fixed("192.168.0.5")]}, "any", "192.168.0.5", ""),
        ("net1", {"net1": [floating("198.51.100.7")]}, "any", "198.51.100.7", ""),
        ("net0, net1", TWO, "any", "10.0.0.5", ""),
        ("net1, net0", TWO, "any", "10.1.0.5", ""),
        (f"{NETWORK}, net0", TWO, "any", "10.1.0.5", ""),
        (f"net0, {NETWORK}", TWO, "any", "10.0.0.5", ""),
        ("net2, net1", TWO, "any", "10.1.0.5", ""),
        ("net1", {"net0": [fixed("8.8.8.8")], "net1": [fixed("10.1.0.5")]}, "any", "10.1.0.5", ""),
        ("net1", {}, "ipv6", None, ""),
    ],
)
def test_openstack(
    tmp_path: Path,
    networks: str,
    addresses: Mapping[str, list[dict[str, Any]]],
    family: str,
    address: str | None,
    why: str,
) -> None:
    """The network that the option names first; what floats comes after what is the server's own."""
    with OpenStackPeer(tmp_path) as peer:
        (server,) = peer.add()
        peer.servers[server]["addresses"] = dict(addresses)
        node = listed(peer.driver(create={"networks": networks}), family)
        assert (node.address, node.no_address) == (address, why)


def test_openstack_asks_for_the_names_of_networks_once_and_does_without(tmp_path: Path) -> None:
    with OpenStackPeer(tmp_path) as peer:
        (server,) = peer.add()
        peer.servers[server]["addresses"] = TWO
        driver = peer.driver(create={"networks": f"{NETWORK}, net0"})
        for _ in range(3):
            assert listed(driver).address == "10.1.0.5"
        assert [path for _, path in peer.log].count("/v2.0/networks") == 1


def test_openstack_lists_while_networks_cannot_be_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with OpenStackPeer(tmp_path) as peer:
        (server,) = peer.add()
        peer.servers[server]["addresses"] = TWO
        driver = peer.driver(create={"networks": f"{NETWORK}, net0"})
        answer = peer.answer
        broken = lambda request, body: (  # noqa: E731
            peer.error("unavailable") if request.path == "/v2.0/networks" else answer(request, body)
        )
        monkeypatch.setattr(peer, "answer", broken)
        assert listed(driver).address == "10.0.0.5"
        monkeypatch.undo()
        assert listed(driver).address == "10.1.0.5"
