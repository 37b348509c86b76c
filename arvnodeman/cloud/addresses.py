"""Which of a node's addresses the rest of the cluster uses to reach it."""

from __future__ import annotations

import enum
import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


class AddressKind(enum.IntEnum):
    """How far an address reaches; the smaller value is the nearer one."""

    PRIVATE = 0
    PUBLIC = 1
    FLOATING = 2  # of a gateway, which passes on what comes there


@dataclass(frozen=True, slots=True)
class NodeAddress:
    """An address as a cloud shows it. place: of its network among those that the operator names, the first is 0."""

    text: object
    kind: AddressKind = AddressKind.PRIVATE
    place: int = 0


_VERSIONS = {"ipv4": 4, "ipv6": 6}  # what [Cloud] address_family says
_NAME = 7
_MOST_NAMED = 4  # addresses of a node, in a reason


def best_address(shown: Iterable[NodeAddress], family: str = "any") -> tuple[str | None, str]:
    """The address, and where there is none, why the ones that are there will not do, in words.

    Of the family alone; with `any` IPv4 before IPv6. Then private before public, the operator's networks in their
    order, else the cloud's order. The cluster's nodes are of one network, and slurmctld and the nodes' own daemons
    speak IPv4 unless they are told otherwise: IPv6 is taken where it is all there is. A name in the place of an address
    comes last, and is of any family.
    """
    usable = [(version, each.kind, each.place, text) for each in shown for version, text in _usable(each.text)]
    wanted = (_VERSIONS.get(family, 0), _NAME)
    fitting = [each for each in usable if family == "any" or each[0] in wanted]
    if fitting:
        return min(fitting, key=lambda each: each[:3])[3], ""
    return None, _why([each[3] for each in usable], family) if usable else ""


def _usable(text: object) -> list[tuple[int, str]]:
    stripped = str(text or "").strip()
    version = _version(stripped)
    return [] if version is None else [(version, stripped)]


def _why(others: Sequence[str], family: str) -> str:
    named = ", ".join(others[:_MOST_NAMED]) + (", …" if len(others) > _MOST_NAMED else "")
    return f"no IPv{_VERSIONS[family]} address of it ([Cloud] address_family), only {named}"


def _version(text: str) -> int | None:
    """4 or 6, 7 for a name; None for an address that other machines cannot use: none, loopback, link-local."""
    if not text:
        return None
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return _NAME
    if address.is_loopback or address.is_link_local or address.is_unspecified or address.is_multicast:
        return None
    return address.version
