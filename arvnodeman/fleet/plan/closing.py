"""Which half-empty nodes take no new jobs, so that they run dry: those whose work would have room on others like them.

Nobody is sent away, and nobody waits for it: only while no job waits, and only where as much as runs on a node has room
on another of its pool, so that jobs like those find some when these have ended. What is saved is the price of what is
empty; the node of which most is saved goes first.
"""

from __future__ import annotations

from collections.abc import Sequence

from arvnodeman.fleet.plan.picture import PartlyUsed, Stop
from arvnodeman.fleet.values.leaving import ShutdownKind
from arvnodeman.fleet.values.reasons_of_use import RunsDry


def run_dry(nodes: Sequence[PartlyUsed], most: int) -> list[Stop]:
    """Those that take no new jobs from now on, `most` at most."""
    room = {node.id: (node.free.cpus, node.free.ram) for node in nodes}
    hosts: set[str] = set()  # that are to hold what runs on others
    closed: list[Stop] = []
    for node in sorted(nodes, key=lambda node: (-node.price * node.empty, node.id)):
        if len(closed) >= most:
            break
        if node.id in hosts or node.empty < 0.5 or node.free.gres != node.has.gres:
            continue
        cpus, ram = node.has.cpus - node.free.cpus, node.has.ram - node.free.ram
        others = [each for each in nodes if each.pool == node.pool and each.id != node.id and each.id in room]
        fitting = [each.id for each in others if room[each.id][0] >= cpus and room[each.id][1] >= ram]
        if fitting:
            host = min(fitting, key=lambda each: (room[each], each))
            room[host] = room[host][0] - cpus, room[host][1] - ram
            del room[node.id]
            hosts.add(host)
            closed.append(Stop(node.id, ShutdownKind.UNWANTED, RunsDry(), works=True))
    return closed
