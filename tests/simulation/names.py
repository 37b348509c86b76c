"""A simulated site of Slurm alone: names are the records, and nodes are heard of through their slurmd.

What the lists say of a name is put together by the keeper's own functions, from what Slurm would show.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from arvnodeman.fleet.messages import DescribeRecord, PrepareRecord, RecordPrepared, SetNodeDown, Step, StepResult
from arvnodeman.fleet.values.model import (
    CloudNode,
    ErrorKind,
    JobShape,
    NodeRecord,
    ProviderSize,
    RemoteError,
    RemoteFailure,
    Secret,
)
from arvnodeman.fleet.values.model import SlurmNode as SinfoNode
from arvnodeman.records.marks import mark_of_boot, mark_of_node, read_mark
from arvnodeman.records.names import Contact, contact_of, is_free, record_of
from arvnodeman.slurm.show import ShownNode
from simulation.site import SimNode, SimRecord, SimSlurmNode, Site

REST = 60.0  # seconds


@dataclass(slots=True)
class SimName(SimRecord):
    """What Slurm keeps of a name, besides its state."""

    comment: str = ""
    address: str = ""
    slurmd_started: float | None = None
    reason_at: float | None = None

    @property
    def hostname(self) -> str | None:
        """The name."""
        return self.uuid


class NamesSite(Site):
    """One cluster without Arvados. `skew`: the daemon's clock less Slurm's, in seconds."""

    def __init__(self, sizes: tuple[ProviderSize, ...], rng: random.Random, *, slots: int = 64) -> None:
        super().__init__(sizes, rng, slots=slots)
        self.names = {name: SimName(name, address=name) for name in self.slurm}
        self.records = dict(self.names)
        self.skew = 0.0
        self._contacts: dict[str, Contact] = {}

    def daemon_started(self) -> None:
        """A new daemon remembers nobody."""
        self._contacts = {}

    # ---- lists -------------------------------------------------------------------------------------------------------

    def _cloud_node(self, node: SimNode) -> CloudNode:
        return replace(super()._cloud_node(node), address=_address(node), tagged_price=node.price)

    def list_records(self) -> tuple[NodeRecord, ...]:
        """One `scontrol show nodes`."""
        now = self.now + self.skew
        records, contacts = [], {}
        for name in self.names:
            node = self._shown(name)
            mark = read_mark(node.comment)
            if mark is not None and mark.instance_id:
                contacts[name] = contact_of(node, mark.instance_id, self._contacts.get(name), now)
            records.append(record_of(node, mark, contacts.get(name), free=is_free(node, mark, REST, now)))
        self._contacts = contacts
        return tuple(records)

    def _shown(self, name: str) -> ShownNode:
        slurm, kept = self.slurm[name], self.names[name]
        base = "IDLE"
        if slurm.job is not None:
            base = "ALLOCATED"
        elif slurm.down:
            base = "DOWN" if kept.slurmd_started is not None or slurm.reason else "UNKNOWN"
        flags = {"DRAIN"} if slurm.drain else set()
        if not self._answers(slurm):
            flags.add("NOT_RESPONDING")
        return ShownNode(
            name,
            base,
            frozenset(flags),
            kept.address,
            slurmd_started=kept.slurmd_started,
            reason=slurm.reason,
            reason_at=kept.reason_at if slurm.reason else None,
            comment=kept.comment,
        )

    def _answers(self, slurm: SimSlurmNode) -> bool:
        node = self.cloud.get(slurm.node or "")
        return node is not None and node.up and self.names[slurm.name].address == _address(node)

    def _slurm_node(self, node: SimSlurmNode) -> SinfoNode:
        return replace(super()._slurm_node(node), responding=self._answers(node))

    # ---- steps -------------------------------------------------------------------------------------------------------

    def carry_out(self, step: Step) -> StepResult:
        """Do what a step asks for; raises RemoteFailure."""
        if isinstance(step, DescribeRecord):
            name = self.names[step.uuid]
            name.comment = mark_of_node(step.node.report_id)
            if step.node.address is not None:
                name.address = step.node.address
                self.schedule()
            name.slot, name.instance = 1, step.node.report_id
            return None
        result = super().carry_out(step)
        if isinstance(step, SetNodeDown):
            self.names[step.hostname].reason_at = self.now
        return result

    def drain(self, hostname: str, reason: str) -> None:
        """scontrol update State=DRAIN."""
        super().drain(hostname, reason)
        self.names[hostname].reason_at = self.now

    def _prepare(self, step: PrepareRecord) -> RecordPrepared:
        if step.reuse is None:
            raise RemoteFailure(RemoteError(ErrorKind.SLOTS, "no name is free"))
        node, name = self._shown(step.reuse), self.names[step.reuse]
        mark = read_mark(node.comment)
        ours = mark is not None and mark.intent is not None and mark.intent.token == step.intent.token
        if not ours and not is_free(node, mark, REST, self.now + self.skew):
            raise RemoteFailure(RemoteError(ErrorKind.SLOTS, "it is not free any more"))
        self._check_stolen(name)
        name.comment, name.slot = mark_of_boot(step.intent), 1
        shown = self._shown(step.reuse)
        return RecordPrepared(record_of(shown, read_mark(shown.comment), None, free=False), Secret(""))

    def _release(self, uuid: str) -> None:
        name = self.names[uuid]
        self._check_stolen(name)
        name.comment, name.address, name.slot, name.instance = "", name.uuid, None, None

    # ---- what happens by itself --------------------------------------------------------------------------------------

    def ping(self, node: SimNode) -> bool:
        """Its slurmd runs: the first time, it registers under the name that the node was given."""
        if not node.up:
            node.up, node.up_since = True, self.now
            slurm = self.slurm[node.record]
            if slurm.job is not None:
                self.requeue(self.jobs[slurm.job])
            slurm.node, slurm.down = node.id, False
            self.names[node.record].slurmd_started = self.now
            self.schedule()
        return True

    def reboot_slurm(self) -> None:
        """A plain restart of slurmctld: addresses, too, are slurm.conf's again. Comments stay."""
        super().reboot_slurm()
        for name in self.names.values():
            name.address = name.uuid

    def _fits(self, node: SimSlurmNode, shape: JobShape) -> bool:
        return self._answers(node) and super()._fits(node, shape)


def _address(node: SimNode) -> str:
    return f"10.{node.id}"
