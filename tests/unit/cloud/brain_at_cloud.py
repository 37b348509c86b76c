"""The brain at a cloud, such as a peer of the conformance suite.

What it asks of the cloud goes through the driver, and lists come from there. Records, Slurm and jobs are the World's.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from world import NEVER, World, policy

from arvnodeman.cloud.base import CloudDriver
from arvnodeman.fleet.messages import (
    CreateNode,
    DestroyNode,
    FindNode,
    FinishNode,
    LookForNode,
    PrepareRecord,
    RecordPrepared,
    Step,
    StepFailed,
    StepResult,
    SyncFqdn,
)
from arvnodeman.fleet.values.model import (
    CloudNode,
    NodeRecord,
    NodeSize,
    ProviderSize,
    RemoteFailure,
    Secret,
    SizeSection,
)
from arvnodeman.fleet.values.rungs import Rung


class Place(Protocol):
    """A cloud that the brain can be at: see Peer."""

    @property
    def size(self) -> NodeSize:
        """The size that it boots."""

    def driver(self, *, create: Mapping[str, str] | None = None) -> CloudDriver:
        """A driver with these options of [Cloud Create] on top."""

    def record(self, number: int) -> NodeRecord:
        """A node record for a new node."""

    def ping_url(self, number: int) -> Secret:
        """Its ping URL."""


def brain_at(peer: Place, *zones: str, **options: Any) -> BrainAtCloud:
    """It has the peer's small size, in these zones."""
    size, ladder = peer.size, tuple(Rung(zone) for zone in zones)
    section = SizeSection("small", cores=size.cores, instance_type=size.provider_name, ladder=ladder)
    offer = ProviderSize(size.provider_id, size.provider_name, size.ram, size.disk, price=size.price)
    rules = policy(**{"sections": (section,), "shutdown_windows": NEVER, "max_nodes": 20, **options})
    driver = peer.driver(create={"zones": ", ".join(zones)} if zones else {})
    return BrainAtCloud(rules, (offer,), now=time.time(), peer=peer, driver=driver)


@dataclass
class BrainAtCloud(World):
    """See above."""

    peer: Place = None  # type: ignore[assignment]  # given always: see brain_at
    driver: CloudDriver = None  # type: ignore[assignment]

    def poll_cloud(self, **options: Any) -> None:
        """What the driver lists comes."""
        self.cloud = {node.id: node for node in self.driver.list_nodes()}
        super().poll_cloud(**options)

    def obey(self, *kinds: type[Step]) -> None:
        """See World. What the driver refuses has failed."""
        while step := next((each for each in self.steps if isinstance(each, kinds or Step)), None):
            try:
                result = self._carry_out(step)
            except RemoteFailure as failure:
                self.steps.remove(step)
                self.tell(StepFailed(step, failure.error))
            else:
                self.done(step, result)

    def asked_at(self) -> list[str]:
        """The zones of all create requests so far."""
        return [step.size.rung.zone for step in self.asked if isinstance(step, CreateNode) and step.size.rung]

    def _carry_out(self, step: Step) -> StepResult:
        match step:
            case FindNode():
                return self.driver.find_node(step.size, step.record, step.token)
            case FinishNode():
                self.driver.finish_node(step.node, step.record)
            case SyncFqdn():
                self.driver.sync_fqdn(step.node, step.fqdn)
            case DestroyNode():
                self.driver.destroy_node(step.node)
            case LookForNode():
                return next((node for node in self.driver.list_nodes() if node.id == step.node.id), None)
            case _:
                return super()._carry_out(step)
        return None

    def _prepare(self, step: PrepareRecord) -> RecordPrepared:
        self.serial += 1
        record = replace(self.peer.record(self.serial), slot=self.serial, created_at=self.now, modified_at=self.now)
        self.records[record.uuid] = replace(record, intent=step.intent)
        return RecordPrepared(record, self.peer.ping_url(self.serial))

    def _create(self, step: CreateNode) -> CloudNode:
        return self.driver.create_node(step.size, step.record, step.token, self.peer.ping_url(self.serial))
