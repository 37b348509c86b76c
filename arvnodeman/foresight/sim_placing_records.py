"""The names of a simulated Slurm that places jobs, as node records: put together by the real keeper's own functions,
from what Slurm would show."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from arvnodeman.fleet.values.model import BootIntent, CloudNode, ErrorKind, NodeRecord, RemoteError, RemoteFailure
from arvnodeman.fleet.values.work import NodeWork
from arvnodeman.foresight.agenda import Agenda
from arvnodeman.foresight.sim_cloud_slurm import SimCloudSlurm
from arvnodeman.foresight.sim_power import PowerName
from arvnodeman.records.cloud_names import contact_with, is_free, record_of
from arvnodeman.records.marks import mark_of_boot, mark_of_node, read_mark
from arvnodeman.records.names import Contact
from arvnodeman.slurm.power import work_of


@dataclass(slots=True)
class PlacingRecords:
    """The keeper. `skew`: the daemon's clock less Slurm's, in seconds."""

    agenda: Agenda
    slurm: SimCloudSlurm
    skew: float = 0.0
    tells_rooms: bool = False  # what is free of each node is told, too
    _list: tuple[NodeRecord, ...] = ()
    _works: dict[str, NodeWork] | None = None
    _contacts: dict[str, Contact] = field(default_factory=dict)

    def daemon_started(self) -> None:
        """A new daemon remembers nobody."""
        self._contacts.clear()

    def listed(self) -> tuple[tuple[NodeRecord, ...], dict[str, NodeWork]]:
        """One `scontrol show nodes`: the records, and what the names do. The same objects until something is other."""
        works = {name.name: self._work(name) for name in self.slurm.names.values()}
        records = tuple([self._record(name) for name in self.slurm.names.values()])
        if records != self._list:
            self._list = records
        if works != self._works or self._works is None:
            self._works = works
        return self._list, self._works

    def prepare(self, hostname: str, intent: BootIntent) -> NodeRecord:
        """Write an intent on a name for which a node is to come. Raises RemoteFailure."""
        name = self.slurm.name(hostname)
        shown, mark = name.shown(), read_mark(name.comment)
        ours = mark is not None and mark.intent is not None and mark.intent.token == intent.token
        if not is_free(shown, None if ours else mark):
            raise RemoteFailure(RemoteError(ErrorKind.SLOTS, "it is not free any more"))
        name.comment = mark_of_boot(intent)
        return record_of(shown, name.size, read_mark(name.comment), None)

    def describe(self, hostname: str, node: CloudNode) -> None:
        """The name is this node's."""
        self.slurm.name(hostname).comment = mark_of_node(node.report_id)

    def release(self, hostname: str) -> None:
        """It is nobody's."""
        self.slurm.name(hostname).comment = ""

    def slots(self) -> int:
        """Names with a mark."""
        return sum(bool(name.comment) for name in self.slurm.names.values())

    def _work(self, name: PowerName) -> NodeWork:
        work = work_of(name.shown())
        return replace(work, has=name.has, free=name.free) if self.tells_rooms else work

    def _record(self, name: PowerName) -> NodeRecord:
        shown, mark, contact = name.shown(), read_mark(name.comment), None
        if mark is not None and mark.instance_id:
            before, now = self._contacts.get(name.name), self.agenda.now + self.skew
            contact = self._contacts[name.name] = contact_with(shown, mark.instance_id, before, now)
        else:
            self._contacts.pop(name.name, None)
        return record_of(shown, name.size, mark, contact)
