"""Which of a node's addresses is the one at which the rest of the cluster finds it."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable


def best_address(private: Iterable[object], public: Iterable[object]) -> str | None:
    """IPv4 before IPv6, private before public, else in the cloud's order; None where there is none that others can use.

    The cluster's nodes are of one network, and slurmctld and the nodes' own daemons speak IPv4 unless they are told
    otherwise: IPv6 is taken where it is all there is. A name in the place of an address comes last.
    """
    ranked: list[tuple[int, int, str]] = []
    for rank, addresses in enumerate((private, public)):
        for address in addresses:
            text = str(address or "").strip()
            version = _version(text)
            if version is not None:
                ranked.append((version, rank, text))
    return min(ranked, key=lambda each: each[:2])[2] if ranked else None


def _version(text: str) -> int | None:
    """4 or 6, 7 for a name; None for what nobody else can use: nothing, loopback, link-local."""
    if not text:
        return None
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return 7
    if address.is_loopback or address.is_link_local or address.is_unspecified or address.is_multicast:
        return None
    return address.version
