"""Faults of a node that is up: its computer reboots, loses its pings or its slurmd, or the cloud takes it back.

Each fault is looked at once in the life of a node, when its slurmd first starts, and strikes at some time after.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from arvnodeman.sandbox.clock import SiteClock
from arvnodeman.sandbox.cloud import Cloud
from arvnodeman.sandbox.faults import Faults, chance
from arvnodeman.sandbox.nodes import Machine, Machines
from arvnodeman.sandbox.site_events import SiteEvents

_WITHIN = 300.0  # simulated seconds after its slurmd's first start


class NodeFaults:
    """Used under the site's lock. `deeds`: what one may also do to a node by name, at once."""

    def __init__(
        self,
        clock: SiteClock,
        faults: Faults,
        events: SiteEvents,
        cloud: Cloud,
        machines: Machines,
        seed: int = 0,
    ) -> None:
        self._clock = clock
        self._faults = faults
        self._events = events
        self._cloud = cloud
        self._seed = seed
        self.deeds: Mapping[str, Callable[[Machine], None]] = {
            "node-reboots": machines.reboot,
            "node-loses-ping": machines.lose_ping,
            "node-loses-slurmd": machines.lose_slurmd,
            "node-reclaimed": self._reclaim,
        }
        machines.on_up = self._schedule

    def _schedule(self, machine: Machine) -> None:
        for name in self.deeds:
            if name == "node-reclaimed" and not machine.node.preemptible:
                continue
            if self._faults.strikes(name, machine.node.size.id):
                wait = chance(self._seed, name, machine.node.id).uniform(0.0, _WITHIN)
                self._clock.after(wait, lambda name=name: self._strike(name, machine))  # type: ignore[misc]

    def _strike(self, name: str, machine: Machine) -> None:
        if machine.alive:
            self._events.add("fault", machine.node.id, name)
            self.deeds[name](machine)

    def _reclaim(self, machine: Machine) -> None:
        """As EC2 does, or as GCE does."""
        if chance(self._seed, "reclaim", machine.node.id).random() < 0.5:
            self._cloud.vanish(machine.node, "node-reclaimed")
        else:
            self._cloud.stop(machine.node, "preempted")
