"""Which half-empty nodes take no new jobs, so that they run dry: those whose work would have room on others like them.

Nobody is sent away, and nobody waits for it: only while no job waits, and only where as much as runs on a node has room
on another of its pool, so that jobs like those find some when these have ended. What is saved is the price of what is
empty; the node of which most is saved goes first.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence

from arvnodeman.fleet.plan.picture import PartlyUsed, Stop
from arvnodeman.fleet.values.leaving import ShutdownKind
from arvnodeman.fleet.values.reasons_of_use import RunsDry


def run_dry(nodes: Sequence[PartlyUsed], most: int) -> list[Stop]:
    """Those that take no new jobs from now on, `most` at most."""
    room: dict[str, list[tuple[int, float, str]]] = {}  # by pool: what is free, the least first
    for node in nodes:
        room.setdefault(node.pool, []).append(_left(node))
    for alike in room.values():
        alike.sort()
    hosts: set[str] = set()  # that are to hold what runs on others
    closed: list[Stop] = []
    for node in sorted(nodes, key=lambda node: (-node.price * node.empty, node.id)):
        if len(closed) >= most:
            break
        if node.id in hosts or node.empty < 0.5 or node.free.gres != node.has.gres:
            continue
        cpus, ram = node.has.cpus - node.free.cpus, node.has.ram - node.free.ram
        alike = room[node.pool]
        fitting = range(bisect_left(alike, (cpus,)), len(alike))
        host = next((at for at in fitting if alike[at][1] >= ram and alike[at][2] != node.id), None)
        if host is not None:
            left, ram_left, name = alike.pop(host)
            insort(alike, (left - cpus, ram_left - ram, name))
            del alike[bisect_left(alike, _left(node))]
            hosts.add(name)
            closed.append(Stop(node.id, ShutdownKind.UNWANTED, RunsDry(), works=True))
    return closed


def _left(node: PartlyUsed) -> tuple[int, float, str]:
    return node.free.cpus, node.free.ram, node.id
