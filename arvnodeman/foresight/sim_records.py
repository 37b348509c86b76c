"""Who keeps the node records of a simulated site: an API server that nodes ping, or Slurm, whose names they are."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from arvnodeman.fleet.messages import PrepareRecord, RecordPrepared
from arvnodeman.fleet.values.model import (
    BootIntent,
    CloudNode,
    ErrorKind,
    NodeRecord,
    RemoteError,
    RemoteFailure,
    Secret,
)
from arvnodeman.foresight.agenda import Agenda
from arvnodeman.foresight.sim_cloud import SimCloud, SimNode, SimTally


@dataclass(slots=True, eq=False)
class SimRecord:
    """A node record."""

    uuid: str
    slot: int | None = None
    created: float = 0.0
    modified: float = 0.0
    secret: str = ""
    instance: str | None = None
    first_ping: float | None = None
    last_ping: float | None = None  # while its node pings: of the time at which it was written last
    intent: BootIntent | None = None
    pinging: SimNode | None = None

    @property
    def hostname(self) -> str | None:
        """computeN."""
        return f"compute{self.slot}" if self.slot else None


class SimKeeper(Protocol):
    """What a site needs of its keeper."""

    def listed(self) -> tuple[NodeRecord, ...]:
        """The node record list; the same object until something has changed."""
        ...

    def slots(self) -> int:
        """Records that hold something which has to be given back."""
        ...

    def prepare(self, step: PrepareRecord) -> RecordPrepared:
        """Raises RemoteFailure."""
        ...

    def describe(self, uuid: str, node: CloudNode) -> None:
        """It is told which node has a record."""
        ...

    def release(self, uuid: str) -> None:
        """A record is given back."""
        ...

    def contact(self, node: SimNode) -> str | None:
        """The node is up, and makes contact. Its name in Slurm; None: it is told to halt."""
        ...

    def silent(self, node: SimNode) -> None:
        """The node makes contact no more."""
        ...

    def hostname(self, node: SimNode) -> str:
        """The name in Slurm that was given to a node; '' for none."""
        ...


class SimRecords:
    """Arvados' nodes. Each of them pings every `ping` seconds; that is worked out when somebody reads its record."""

    def __init__(
        self, agenda: Agenda, cloud: SimCloud, tally: SimTally, slots: int, halt: Callable[[SimNode], None]
    ) -> None:
        """`halt` is told of nodes that are told to halt."""
        self.ping = 60.0
        self._halt = halt
        self.records: dict[str, SimRecord] = {}
        self._agenda = agenda
        self._cloud = cloud
        self._tally = tally
        self._free = list(range(1, slots + 1))  # a heap
        self._serial = 0
        self._pinging: dict[str, SimRecord] = {}
        self._shown: dict[str, NodeRecord] = {}
        self._list: tuple[NodeRecord, ...] | None = ()

    def listed(self) -> tuple[NodeRecord, ...]:
        """The node record list."""
        for record in self._pinging.values():
            if self._catch_up(record):
                self._changed(record)
        if self._list is None:
            self._list = tuple(self._shown.values())
        return self._list

    def slots(self) -> int:
        """Records with a slot."""
        return sum(record.slot is not None for record in self.records.values())

    def prepare(self, step: PrepareRecord) -> RecordPrepared:
        """A record with a slot: a new one, or one that is used again. Raises RemoteFailure."""
        record = self.records.get(step.reuse) if step.reuse is not None else None
        if record is None:
            record = SimRecord(f"zzzzz-7ekkf-{self._name('r'):0>15}", created=self._agenda.now)
        else:
            self._forget_node(record)
        if record.slot is None:
            if not self._free:
                raise RemoteFailure(RemoteError(ErrorKind.SLOTS, "no free slot: look at MaxComputeVMs"))
            record.slot = heapq.heappop(self._free)
        record.modified, record.secret, record.intent = self._agenda.now, self._name("s"), step.intent
        self.records[record.uuid] = record
        return RecordPrepared(self._changed(record), Secret(record.secret))

    def describe(self, uuid: str, node: CloudNode) -> None:
        """Nodes tell that themselves."""

    def release(self, uuid: str) -> None:
        """Clean it."""
        record = self.records[uuid]
        self._forget_node(record)
        if record.slot is not None:
            heapq.heappush(self._free, record.slot)
        record.slot = record.intent = None
        record.modified, record.secret = self._agenda.now, self._name("s")
        self._changed(record)

    def contact(self, node: SimNode) -> str | None:
        """The first ping."""
        record = self.records.get(node.record)
        if record is None or record.secret != node.secret:
            return None
        record.first_ping = record.last_ping = record.modified = self._agenda.now
        record.instance, record.pinging = node.id, node
        self._pinging[record.uuid] = record
        self._changed(record)
        return record.hostname

    def silent(self, node: SimNode) -> None:
        """It pings no more."""
        record = self.records.get(node.record)
        if record is not None and record.pinging is node:
            self._catch_up(record)
            del self._pinging[record.uuid]
            record.pinging = None
            self._changed(record)

    def hostname(self, node: SimNode) -> str:
        """That of its record."""
        record = self.records.get(node.record)
        return (record.hostname if record is not None else None) or ""

    def _forget_node(self, record: SimRecord) -> None:
        """A record that is somebody else's from now on. Where a node pings it still, that is told so, and halts."""
        node = self._cloud.nodes.get(record.instance or "")
        if node is not None and node.up:
            self._tally.records_stolen.append(record.uuid)
        pinging = record.pinging
        if pinging is not None:
            self.silent(pinging)
            assert record.last_ping is not None
            self._agenda.at(record.last_ping + self.ping, lambda: self._halt(pinging))
        record.instance = record.first_ping = record.last_ping = None

    def _catch_up(self, record: SimRecord) -> bool:
        """Write down the pings that have come meanwhile. Were there any?"""
        first, last = record.first_ping, record.last_ping
        assert first is not None
        assert last is not None
        newest = first + (self._agenda.now - first) // self.ping * self.ping
        record.last_ping, record.modified = newest, max(record.modified, newest)
        return newest != last

    def _changed(self, record: SimRecord) -> NodeRecord:
        self._list = None
        shown = self._shown[record.uuid] = NodeRecord(
            record.uuid,
            record.hostname,
            "sim" if record.slot else None,
            record.slot,
            record.instance,
            record.created,
            record.modified,
            record.first_ping,
            record.last_ping,
            intent=record.intent,
        )
        return shown

    def _name(self, kind: str) -> str:
        self._serial += 1
        return f"{kind}{self._serial:06d}"
