"""doc/clouds/conformance.md tells what the suite is run against."""

from __future__ import annotations

import ast
from pathlib import Path

from cloud_peer import PEERS, Shown, peer_classes
from conformance_table import PAGE, cell, page, suite
from peer_sandbox import SandboxPeer


def test_the_page_is_up_to_date() -> None:
    """If this fails: make docs"""
    assert PAGE.read_text(encoding="utf-8") == page(peer_classes())


def test_every_driver_has_its_peer() -> None:
    assert set(peer_classes()) == set(PEERS)


def test_peers_speak_only_of_tests_that_there_are() -> None:
    for peer in peer_classes().values():
        assert {*peer.otherwise, *peer.cannot} <= set(suite())


def test_what_is_shown_on_the_real_service_is_a_test_there() -> None:
    for provider, peer in peer_classes().items():
        assert set(peer.real) <= set(suite())
        files = (Path(__file__).parents[2] / provider).glob("test_*.py")
        trees = [ast.parse(path.read_text()) for path in files]
        named = {node.name for tree in trees for node in tree.body if isinstance(node, ast.FunctionDef)}
        assert set(peer.real.values()) <= named


def test_cells() -> None:
    class Odd(SandboxPeer):
        otherwise = {"lists_sizes": Shown.LAYER}  # noqa: RUF012 (a class of this test alone)
        cannot = {"destroys_a_node": "it is odd"}  # noqa: RUF012
        spot = None
        real = {"lists_sizes": "test_sizes"}  # noqa: RUF012

    assert cell(Odd, "lists_sizes") == "ours, real"
    assert cell(Odd, "destroys_a_node") == "–"
    assert cell(Odd, "a_preemptible_size_makes_a_preemptible_node") == "–"
    assert cell(Odd, "nothing_is_retried") == "itself"
    assert "Not shown: destroys a node: it is odd." in page({"odd": Odd})
