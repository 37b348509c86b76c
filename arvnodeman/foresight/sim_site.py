"""What every simulated site has: a cloud whose nodes come up and go, and is asked for them."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from arvnodeman.fleet.messages import (
    CloudListed,
    CreateNode,
    DestroyNode,
    FindNode,
    LookForNode,
    Poll,
    SetWord,
    Step,
    StepResult,
    SyncFqdn,
)
from arvnodeman.fleet.values.model import CloudNode
from arvnodeman.foresight.agenda import Agenda
from arvnodeman.foresight.sim_cloud import SimCloud, SimNode, SimTally
from arvnodeman.loop.world import Listed

RUNS = 0.2  # of a boot, until a node that gets its address late has one


@dataclass(slots=True)
class Nature:
    """How its nodes are: seconds, and chances of 0 to 1."""

    boot: float = 120.0  # from create to first contact, a fifth more or less
    never_pings: float = 0.0
    dies: float = 0.0  # to vanish at some time in its first two hours


class Fate(NamedTuple):
    """What is to become of a node: in how many seconds after its create; None: never."""

    up: float | None
    vanishes: float | None = None


class SimSite(ABC):
    """A World, of which the cloud's half is here. `addresses`: nodes have some; `address`: all have this one."""

    def __init__(self, agenda: Agenda, rng: random.Random, *, addresses: bool, address: str = "") -> None:
        self.nature = Nature()
        self.skew = 0.0  # the daemon's clock less the site's
        self.tally = SimTally()
        self.killed_on_request: set[str] = set()  # cloud ids that an operator's kill may destroy while busy
        self.clouds = SimCloud(self.tally, addresses=addresses, address=address)
        self._agenda = agenda
        self._rng = rng
        self._serial = 0

    @abstractmethod
    def daemon_started(self) -> None:
        """A new daemon remembers nothing."""

    @abstractmethod
    def list(self, poll: Poll) -> Listed:
        """One list."""

    def do(self, steps: Sequence[Step]) -> Sequence[StepResult]:
        """What steps ask for. Raises RemoteFailure."""
        return [self._do(step) for step in steps]

    @abstractmethod
    def _do(self, step: Step) -> StepResult:
        """One step. Raises RemoteFailure."""

    @abstractmethod
    def _boot_ends(self, node: SimNode) -> None:
        """It is up for the first time, unless it is gone."""

    @abstractmethod
    def _before_destroy(self, node: SimNode) -> None:
        """It is asked for that this one goes: blame who must not have done that."""

    @abstractmethod
    def _silent(self, node: SimNode) -> None:
        """It makes contact no more."""

    # ---- requests ----------------------------------------------------------------------------------------------------

    def _list_cloud(self) -> CloudListed:
        return CloudListed(self.clouds.listed(), self._agenda.now + self.skew, clock_offset=-self.skew)

    def _do_at_cloud(
        self, step: CreateNode | FindNode | LookForNode | SyncFqdn | SetWord | DestroyNode
    ) -> CloudNode | None:
        match step:
            case CreateNode():
                return self._create(step)
            case FindNode():
                return self.clouds.find(step.token)
            case LookForNode():
                return self.clouds.shown(step.node.id)
            case SyncFqdn():
                node = self.clouds.node(step.node.id)
                node.fqdn = step.fqdn
                self.clouds.changed(node)
            case SetWord():
                node = self.clouds.node(step.node.id)
                node.directive = step.directive
                self.clouds.changed(node)
            case DestroyNode():
                self._destroy(step.node.id)
        return None

    def _name(self, kind: str) -> str:
        self._serial += 1
        return f"{kind}{self._serial:06d}"

    def _create(self, step: CreateNode) -> CloudNode:
        found = self.clouds.find(step.token)
        if found is not None:
            return found
        node = self.clouds.create(step, self._name("i-"), self._agenda.now)
        fate = self._fate(node)
        if fate.up is None:
            node.dead = True
        else:
            self._agenda.at(self._agenda.now + fate.up, lambda: self._boot_ends(node))
        if fate.vanishes is not None:
            self._agenda.at(self._agenda.now + fate.vanishes, lambda: self._die(node))
        if self.clouds.address:
            self._agenda.at(self._agenda.now + (fate.up or 0.0) * RUNS, lambda: self.clouds.addressed(node))
        shown = self.clouds.shown(node.id)
        assert shown is not None
        return shown

    def _fate(self, node: SimNode) -> Fate:
        """What is to become of a new node."""
        rng, nature = self._rng, self.nature
        up = None if rng.random() < nature.never_pings else nature.boot * (0.8 + 0.4 * rng.random())
        return Fate(up, rng.random() * 7200 if rng.random() < nature.dies else None)

    def _destroy(self, identity: str) -> None:
        self._before_destroy(self.clouds.node(identity))
        self.tally.destroyed += 1
        self.vanish(identity)

    # ---- what happens to nodes ---------------------------------------------------------------------------------------

    def _die(self, node: SimNode) -> None:
        if not node.gone:
            self.vanish(node.id)

    def vanish(self, identity: str) -> None:
        """The cloud node is gone; its job sits there until Slurm is told, or finds out."""
        self._silent(self.clouds.remove(identity, self._agenda.now))

    def stop(self, identity: str) -> None:
        """The cloud stops a node (spot); it stays listed, and its slurmd answers no more."""
        node = self.clouds.node(identity)
        node.stopped, node.up = True, False
        self.clouds.changed(node)
        self.fall_silent(identity)

    def fall_silent(self, identity: str) -> None:
        """It makes contact no more; what Slurm has seen of it last stands."""
        node = self.clouds.node(identity)
        node.dead = True
        self._silent(node)
