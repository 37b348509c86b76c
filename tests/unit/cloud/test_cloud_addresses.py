"""Of several addresses, the one at which slurmctld finds a node is chosen by a rule, and not by the order of a list."""

from __future__ import annotations

import itertools

import pytest

from arvnodeman.cloud.addresses import AddressKind, NodeAddress, best_address

RANKED = (
    NodeAddress("10.0.0.5"),
    NodeAddress("10.0.0.6", place=1),
    NodeAddress("198.51.100.7", AddressKind.PUBLIC),
    NodeAddress("10.9.0.7", AddressKind.FLOATING),
    NodeAddress("fd00::5"),
    NodeAddress("2001:db8::5", AddressKind.PUBLIC),
    NodeAddress("node.example.com", AddressKind.PUBLIC),
)
"""The best first."""


@pytest.mark.parametrize("left", range(len(RANKED)))
def test_ipv4_before_ipv6_and_private_before_public(left: int) -> None:
    """Whatever the order in which the cloud lists them."""
    there = RANKED[left:]
    for order in itertools.permutations(there):
        assert best_address(order) == (there[0].text, "")


@pytest.mark.parametrize("useless", ["", None, "127.0.0.1", "::1", "fe80::1", "169.254.1.2", "0.0.0.0", "224.0.0.1"])
def test_what_nobody_else_can_use_is_no_address(useless: object) -> None:
    assert best_address([NodeAddress(useless), NodeAddress(useless, AddressKind.PUBLIC)]) == (None, "")
    assert best_address([NodeAddress(useless), NodeAddress("2001:db8::5", AddressKind.PUBLIC)]) == ("2001:db8::5", "")


def test_of_equals_the_first() -> None:
    assert best_address([NodeAddress("10.0.0.9"), NodeAddress("10.0.0.5")]) == ("10.0.0.9", "")


def test_no_address_at_all() -> None:
    assert best_address([]) == (None, "")


@pytest.mark.parametrize("order", [RANKED, RANKED[::-1]])
def test_only_the_family_that_is_asked_for(order: tuple[NodeAddress, ...]) -> None:
    assert best_address(order, "ipv4") == ("10.0.0.5", "")
    assert best_address(order, "ipv6") == ("fd00::5", "")
    assert best_address(RANKED[-1:], "ipv6") == ("node.example.com", "")


def test_why_none_will_do_is_said() -> None:
    four = [NodeAddress(f"10.0.0.{number}") for number in range(1, 6)]
    assert best_address(four[:1], "ipv6") == (None, "no IPv6 address of it ([Cloud] address_family), only 10.0.0.1")
    told = "no IPv6 address of it ([Cloud] address_family), only 10.0.0.1, 10.0.0.2, 10.0.0.3, 10.0.0.4, …"
    assert best_address([*four, NodeAddress("fe80::1")], "ipv6") == (None, told)
    assert best_address([NodeAddress("fd00::5")], "ipv4") == (
        None,
        "no IPv4 address of it ([Cloud] address_family), only fd00::5",
    )
