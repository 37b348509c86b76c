"""The addresses of an EC2 instance. libcloud reads two of them, and none of IPv6."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from libcloud.compute.drivers.ec2 import NAMESPACE
from libcloud.utils.xml import findall, findtext

from arvnodeman.cloud.addresses import AddressKind, NodeAddress

_IN_ITEM = (
    ("privateIpAddress", AddressKind.PRIVATE),
    ("ipAddress", AddressKind.PUBLIC),
    ("ipv6Address", AddressKind.PRIVATE),
)
_IN_INTERFACE = (
    ("privateIpAddress", AddressKind.PRIVATE),
    ("privateIpAddressesSet/item/privateIpAddress", AddressKind.PRIVATE),
    ("association/publicIp", AddressKind.PUBLIC),
    ("ipv6AddressesSet/item/ipv6Address", AddressKind.PRIVATE),  # of the network, though they are global
)


def addresses_of(item: Any, subnets: Collection[str]) -> Iterator[NodeAddress]:
    """Of an item of DescribeInstances: its first interface's, then those of the others.

    subnets: the configured ones. The interfaces in them come first: others may be put onto an instance later, into
    networks that slurmctld does not reach.
    """

    def place(element: Any) -> int:
        subnet = findtext(element=element, xpath="subnetId", namespace=NAMESPACE)
        return 0 if not subnets or subnet in subnets else 1

    yield from _at(item, _IN_ITEM, place(item))
    for interface in findall(element=item, xpath="networkInterfaceSet/item", namespace=NAMESPACE):
        yield from _at(interface, _IN_INTERFACE, place(interface))


def _at(element: Any, paths: tuple[tuple[str, AddressKind], ...], place: int) -> Iterator[NodeAddress]:
    for path, kind in paths:
        for found in findall(element=element, xpath=path, namespace=NAMESPACE):
            yield NodeAddress(found.text, kind, place)
