"""The newest list of node records, and the ways to find one. What a list leaves as it was costs next to nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from itertools import compress
from operator import attrgetter, is_not, ne

from arvnodeman.fleet.nodes.rows import are_few, moved
from arvnodeman.fleet.values.model import NodeRecord

STAMPS = frozenset({"last_ping_at", "modified_at"})  # what changes while nothing else does
UUID_TAIL = 15  # what GCE and Azure names carry of a record's uuid
_but_stamps = attrgetter(*(each.name for each in fields(NodeRecord) if each.name not in STAMPS))
_names = attrgetter("uuid", "hostname", "instance_id", "intent")  # what a record is looked for by


@dataclass(slots=True)
class RecordChange:
    """What a list of records changed, by uuid."""

    came: dict[str, NodeRecord] = field(default_factory=dict)  # new, or another object than before
    before: dict[str, NodeRecord] = field(default_factory=dict)  # what those were that were known, and what is gone

    @property
    def new(self) -> list[str]:
        """Records that the list before did not have."""
        return [] if self._keeps_all else [uuid for uuid in self.came if uuid not in self.before]

    @property
    def gone(self) -> list[str]:
        """Records that only the list before had."""
        return [] if self._keeps_all else [uuid for uuid in self.before if uuid not in self.came]

    @property
    def _keeps_all(self) -> bool:
        return self.came.keys() == self.before.keys()


class RecordIndex:
    """All node records, by uuid and by what else they are looked for. Of two with one name the later in the list has
    it."""

    def __init__(self) -> None:
        self.records: dict[str, NodeRecord] = {}  # in the order of the list
        self.hosts: dict[str, NodeRecord] = {}  # hostname -> record that has it
        self._by_instance: dict[str, NodeRecord] = {}
        self._by_token: dict[str, NodeRecord] = {}
        self._by_tail: dict[str, str] | None = None  # -> uuid; None: not made yet for these records
        self._by_address: dict[str, NodeRecord] | None = None  # likewise
        self._list: tuple[NodeRecord, ...] = ()
        self.one_for_each_host = True  # no two records have one hostname
        self._single = True  # what is more: no two records have one uuid, hostname, instance or token

    def take(self, listed: Sequence[NodeRecord]) -> RecordChange:
        """Take a list in."""
        newest = tuple(listed)
        before, self._list = self._list, newest
        if newest is before:
            return RecordChange()
        others = -1  # rows that are others than at the same places before
        if len(before) == len(newest):
            came = list(compress(newest, map(is_not, before, newest)))
            if not came:
                return RecordChange()
            left = list(compress(before, map(is_not, before, newest)))
            self._by_address = None
            if self._single:
                named = list(map(ne, map(_names, came), map(_names, left)))
                renamed, old = list(compress(came, named)), list(compress(left, named))
                if are_few(renamed, newest) and self._patch(renamed, old, in_place=True) is not None:
                    return self._renew(came, left)
            others = len(came)
        came, left = moved(before, newest)
        self._by_address = None
        if self._single and are_few(came, newest) and are_few(left, newest):
            change = self._patch(came, left, in_place=others == len(came))
            if change is not None:
                return change
        return self._take_anew(newest)

    def _renew(self, came: list[NodeRecord], left: list[NodeRecord]) -> RecordChange:
        """Each stands in the place of the one that had its names, as where nodes have only pinged."""
        change = RecordChange({record.uuid: record for record in came}, {record.uuid: record for record in left})
        self.records.update(change.came)
        self.hosts.update([(record.hostname, record) for record in came if record.hostname])
        self._by_instance.update([(record.instance_id, record) for record in came if record.instance_id])
        self._by_token.update([(record.intent.token, record) for record in came if record.intent is not None])
        return change

    def _patch(self, came: list[NodeRecord], left: list[NodeRecord], *, in_place: bool) -> RecordChange | None:
        """Put what came in the place of what left; None where something stands twice then: all is to be made anew.
        `in_place`: each of them stands where one of those did."""
        change = RecordChange({record.uuid: record for record in came})
        change.before = {record.uuid: record for record in left}
        if len(change.came) != len(came) or any(
            uuid in self.records and uuid not in change.before for uuid in change.came
        ):
            return None
        for record in left:
            self.hosts.pop(record.hostname or "", None)
            self._by_instance.pop(record.instance_id or "", None)
            if record.intent is not None:
                self._by_token.pop(record.intent.token, None)
        for record in came:
            if not self._enter(record):
                return None
        if in_place and all(new.uuid == old.uuid for new, old in zip(came, left, strict=True)):
            self.records.update(change.came)
        else:
            self.records = {record.uuid: record for record in self._list}
            self._by_tail = None
        return change

    def _enter(self, record: NodeRecord) -> bool:
        """False where another has its hostname, instance or token."""
        if record.hostname:
            if record.hostname in self.hosts:
                return False
            self.hosts[record.hostname] = record
        if record.instance_id:
            if record.instance_id in self._by_instance:
                return False
            self._by_instance[record.instance_id] = record
        if record.intent is not None:
            if record.intent.token in self._by_token:
                return False
            self._by_token[record.intent.token] = record
        return True

    def _take_anew(self, listed: tuple[NodeRecord, ...]) -> RecordChange:
        known, records = self.records, {record.uuid: record for record in listed}
        change = RecordChange()
        for uuid, record in records.items():
            before = known.get(uuid)
            if before is not record:
                change.came[uuid] = record
                if before is not None:
                    change.before[uuid] = before
        for uuid in known.keys() - records.keys():
            change.before[uuid] = known[uuid]
        self.records, self._by_tail = records, None
        named = [record for record in records.values() if record.hostname]
        sought = [record for record in records.values() if record.intent is not None]
        self.hosts = {record.hostname: record for record in records.values() if record.hostname}
        self._by_token = {record.intent.token: record for record in records.values() if record.intent is not None}
        self._by_instance, having = self._index_instances()
        self.one_for_each_host = len(named) == len(self.hosts)
        self._single = (len(listed), len(named), len(sought), having) == (
            len(records),
            len(self.hosts),
            len(self._by_token),
            len(self._by_instance),
        )
        return change

    def _index_instances(self) -> tuple[dict[str, NodeRecord], int]:
        """The record of each instance, of several for one that with the newest first ping; and how many have one."""
        having = [record for record in self.records.values() if record.instance_id]
        index = {record.instance_id: record for record in having if record.instance_id}
        if len(index) == len(having):
            return index, len(having)
        index.clear()
        for record in having:
            if not record.instance_id:
                continue
            other = index.get(record.instance_id)
            if other is None or (other.first_ping_at or 0) < (record.first_ping_at or 0):
                index[record.instance_id] = record
        return index, len(having)

    def of_instance(self, report_id: str) -> NodeRecord | None:
        """The record that a node with this id pings."""
        return self._by_instance.get(report_id)

    def of_token(self, token: str | None) -> NodeRecord | None:
        """The record that a boot with this token prepared."""
        return self._by_token.get(token) if token is not None else None

    def of_name(self, name: str) -> NodeRecord | None:
        """The record whose uuid a cloud node's name ends with, or carries."""
        if self._by_tail is None:
            self._by_tail = {uuid[-UUID_TAIL:]: uuid for uuid in self.records}
        for part in name.split("-"):
            uuid = self._by_tail.get(part)
            if uuid is not None:
                return self.records[uuid]
        return None

    def at(self, address: str | None) -> NodeRecord | None:
        """The name that Slurm looks for at this address."""
        if address is None:
            return None
        if self._by_address is None:
            self._by_address = {record.address: record for record in self.records.values() if record.address}
        return self._by_address.get(address)


def is_fresher(newer: NodeRecord, older: NodeRecord) -> bool:
    """Does it differ in its stamps alone, and are these no older?"""
    return (
        (newer.last_ping_at or 0.0) >= (older.last_ping_at or 0.0)
        and (newer.modified_at or 0.0) >= (older.modified_at or 0.0)
        and bool(_but_stamps(newer) == _but_stamps(older))
    )
