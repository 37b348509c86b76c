"""Of several addresses, the one at which slurmctld finds a node is chosen by a rule, and not by the order of a list."""

from __future__ import annotations

import itertools

import pytest

from arvnodeman.cloud.addresses import best_address

RANKED = ("10.0.0.5", "198.51.100.7", "fd00::5", "2001:db8::5", "node.example.com")  # the best first
PRIVATE = frozenset({"10.0.0.5", "fd00::5"})


@pytest.mark.parametrize("left", range(len(RANKED)))
def test_ipv4_before_ipv6_and_private_before_public(left: int) -> None:
    """Whatever the order in which the cloud lists them."""
    there = RANKED[left:]
    for order in itertools.permutations(there):
        private = [address for address in order if address in PRIVATE]
        assert best_address(private, [address for address in order if address not in PRIVATE]) == there[0]


@pytest.mark.parametrize("useless", ["", None, "127.0.0.1", "::1", "fe80::1", "169.254.1.2", "0.0.0.0", "224.0.0.1"])
def test_what_nobody_else_can_use_is_no_address(useless: object) -> None:
    assert best_address([useless], [useless]) is None
    assert best_address([useless], ["2001:db8::5"]) == "2001:db8::5"


def test_of_equals_the_first() -> None:
    assert best_address(["10.0.0.9", "10.0.0.5"], []) == "10.0.0.9"


def test_no_address_at_all() -> None:
    assert best_address([], []) is None
