"""At which rung of its size a boot asks the cloud: the first that is open, one at a time."""

from __future__ import annotations

from collections import Counter

from arvnodeman.fleet.decide.reclaims import was_taken
from arvnodeman.fleet.decide.state import State
from arvnodeman.fleet.messages import Decided, Poll, PollNow
from arvnodeman.fleet.nodes.node import Node
from arvnodeman.fleet.operations.boot import Boot
from arvnodeman.fleet.sizes.ladder import LadderHealth
from arvnodeman.fleet.values.model import BootIntent, NodeSize
from arvnodeman.fleet.values.rungs import Rung

MINUTE = 60.0  # seconds


class Rungs:
    """What is under way at each rung, as boots are let through one after the other."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._standing: int | None = None
        self._flying: dict[str, Counter[str]] = {}  # by size
        self._coming: dict[str, Counter[str]] = {}

    def choose(self, boot: Boot) -> Rung | None:
        """The rung at which it asks now; None: none is open, or has none been asked for."""
        health = self._state.health_of(boot.size)
        assert isinstance(health, LadderHealth)
        if self._standing is None:
            self._standing = self._state.existing()
        flying, coming = self._under_way(boot.size)
        rung = health.choose(self._state.t, self._standing, flying, coming, boot.shuns)
        if self._state.policy.cheapest_rung and boot.rung is not None and rung is not None:
            dearer = boot.size.at(rung).price > boot.sized.price
            return None if dearer else rung  # perhaps a rung of another size is cheaper: the plan says
        return rung

    def awaited(self, boot: Boot) -> bool:
        """Is a request for its size under way, whose answer tells whether a rung is open?"""
        return bool(self._under_way(boot.size)[0])

    def ask(self, boot: Boot, rung: Rung | None) -> bool:
        """It asks the cloud at this rung; not yet, where its record has to say so before."""
        if rung is not None and self._state.policy.places and boot.intent.rung != rung.key:
            boot.note_rung(rung)
            return False
        boot.create(rung)
        if boot.rung is not None:
            for counts in self._under_way(boot.size):
                counts[boot.rung.key] += 1
        return True

    def _under_way(self, size: NodeSize) -> tuple[Counter[str], Counter[str]]:
        if size.id not in self._flying:
            boots = [boot for boot in self._state.boots.values() if boot.size.id == size.id]
            flying = Counter(boot.rung_key for boot in boots if boot.in_flight and boot.row is None)
            young = (node for node in self._state.roster.awake() if node.size is not None and not node.been_up)
            self._flying[size.id] = flying
            self._coming[size.id] = flying + Counter(node.cloud.rung for node in young if _is_of(node, size))
        return self._flying[size.id], self._coming[size.id]


def _is_of(node: Node, size: NodeSize) -> bool:
    return node.size is not None and node.size.id == size.id and node.destroyed_at is None and node.shutdown is None


def plan_rung(state: State, boot: Boot, earlier: BootIntent | None) -> None:
    """It takes its record now, and says there where it will ask: where an earlier run may have asked under its token,
    else at the first rung that is open. A daemon that goes on with it after a kill asks there again, and the cloud
    answers with the node that it has made."""
    if earlier is not None:
        boot.rung = boot.rung_of(earlier.rung)
    health = state.health_of(boot.size)
    assert isinstance(health, LadderHealth)
    rung = boot.rung or health.first_open(state.t, state.existing(), boot.shuns)
    if rung is not None:
        boot.goes_to(rung)


def no_rung_left(state: State, boot: Boot) -> None:
    """Its size rests: what it was for is decided anew."""
    boot.no_rung()
    state.context.out.append(PollNow(frozenset({Poll.QUEUE})))


def note_taken(state: State, node: Node) -> None:
    """The cloud takes a node back, or has taken it: had it work?"""
    if was_taken(node, state.t):
        state.context.counters["nodes_reclaimed"] += 1
        state.reclaims.reclaimed(node, state.roster.hostname(node))


def note_undelivered(state: State) -> None:
    """A list of the cloud has come: nodes that it has promised for too long, and does not deliver."""
    patience = state.policy.rung_patience * MINUTE
    for node in state.roster.awake():
        if not node.cloud.pending or node.undelivered or node.been_up or node.destroyed_at is not None:
            continue
        if state.t - node.first_seen >= patience:
            node.undelivered = True
            state.touch(node)
            text = "Cloud node %s has not been delivered for %.0f seconds"
            state.context.decide(Decided.BOOT_FAILED, node.cloud.name, text, node.cloud.name, state.t - node.first_seen)
