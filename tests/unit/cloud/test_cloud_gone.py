"""A node that lives is never forgotten, whatever a cloud, or something before it, answers to its destroy request.

The brain's own shutdown is played, its steps carried out by the driver against its peer: what is held here is what the
two make of an answer together.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
from cloud_peer import Peer, Verb, peer_classes
from peer_gce import OPERATION_ERRORS
from shutdown_world import going

from arvnodeman.cloud.base import CloudDriver
from arvnodeman.fleet.messages import (
    DestroyNode,
    DrainNode,
    LookAtNode,
    LookForNode,
    ReleaseRecord,
    SetNodeDown,
    StepFailed,
)
from arvnodeman.fleet.values.model import CloudNode, RemoteFailure

CLASSES = peer_classes()
PAGES = (
    "",
    "<html><head><title>404 Not Found</title></head><body>nginx</body></html>",
    "{}",
    "[]",
    "null",
    "itemNotFound",
)
ERRORS = [
    (provider, name)
    for provider, peer in CLASSES.items()
    for name in itertools.chain(*peer.errors.values())
    if name not in OPERATION_ERRORS  # told later: the request itself is answered well, and the row stays while listed
]


def forgets(peer: Peer, spoil: Callable[[Peer], None]) -> bool:
    """Play the end of a node's shutdown, its destroy spoilt so. Is the node forgotten, or its name given to another?"""
    driver = peer.driver()
    node = driver.create_node(peer.size, peer.record(), "token-1", peer.ping_url())
    spoil(peer)
    world = going()
    world.obey(DrainNode, LookAtNode)
    asked = 0
    while steps := [step for step in world.steps if isinstance(step, DestroyNode | LookForNode)]:
        asked += 1
        try:
            found = carry_out(driver, steps[0], node)
        except RemoteFailure as failure:
            world.steps.remove(steps[0])
            world.tell(StepFailed(steps[0], failure.error))
        else:
            world.done(steps[0], found)
    assert asked
    return bool(world.open(SetNodeDown) or world.open(ReleaseRecord))


def carry_out(driver: CloudDriver, step: DestroyNode | LookForNode, node: CloudNode) -> CloudNode | None:
    """The step, on the node of the peer that stands for the world's."""
    if isinstance(step, LookForNode):
        return driver.fetch_node(node)
    driver.destroy_node(node)
    return None


@pytest.mark.parametrize(("provider", "error"), ERRORS)
def test_no_error_of_a_destroy_lets_a_living_node_be_forgotten(provider: str, error: str, tmp_path: Path) -> None:
    """Also one that says that it is gone: whoever says so may mean another, or lie."""
    with CLASSES[provider](tmp_path) as peer:
        assert not forgets(peer, lambda peer: peer.fail(Verb.DESTROY, error))
        assert len(peer.nodes()) == 1


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("status", [404, 410, 500])
@pytest.mark.parametrize("provider", list(CLASSES))
def test_no_page_of_a_proxy_lets_a_living_node_be_forgotten(
    provider: str, status: int, page: str, tmp_path: Path
) -> None:
    with CLASSES[provider](tmp_path) as peer:
        assert not forgets(peer, lambda peer: peer.answer_with(Verb.DESTROY, status, page))
        assert len(peer.nodes()) == 1


@pytest.mark.parametrize("provider", list(CLASSES))
def test_a_node_that_is_destroyed_is_forgotten(provider: str, tmp_path: Path) -> None:
    """Else what is above would show nothing; likewise where the answer gets lost, and a list tells."""
    with CLASSES[provider](tmp_path) as peer:
        assert forgets(peer, lambda _peer: None)
        assert peer.nodes() == []


@pytest.mark.parametrize("provider", list(CLASSES))
def test_a_node_that_had_gone_already_is_forgotten(provider: str, tmp_path: Path) -> None:
    with CLASSES[provider](tmp_path) as peer:
        assert forgets(peer, lambda peer: peer.vanish(peer.nodes()[0].id))
