"""The table of nodes: what the cloud lists, joined with node records and Slurm's words; and the pairing of them.

One pass for each list, in time that grows with the list. Nothing is decided here; what a list lacks is only counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from arvnodeman.fleet.nodes.node import FIRST_PING_TOLERANCE, Node, host_part
from arvnodeman.fleet.sizes.table import SizeTable
from arvnodeman.fleet.values.model import CloudNode, NodeRecord
from arvnodeman.fleet.values.work import NodeWork

UUID_TAIL = 15  # what GCE and Azure names carry of a record's uuid


@dataclass(slots=True)
class Listing:
    """What a cloud list changed."""

    new: list[Node] = field(default_factory=list)
    missing: list[Node] = field(default_factory=list)  # known, and not in this list
    delisted: list[Node] = field(default_factory=list)  # destroyed by us, and now gone
    duplicates: list[str] = field(default_factory=list)
    changed: list[Node] = field(default_factory=list)  # known, and listed otherwise than before


class Roster:
    """All nodes that exist as far as we know, by cloud id; all node records, by uuid."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self.records: dict[str, NodeRecord] = {}
        self.slurm: Mapping[str, NodeWork] | None = None
        self.hosts: dict[str, NodeRecord] = {}  # hostname -> record that has it
        self.paired: dict[str, Node] = {}  # record uuid -> node
        self._by_instance: dict[str, NodeRecord] = {}
        self._by_tail: dict[str, NodeRecord] | None = {}  # None: not made yet for these records
        self._by_token: dict[str, NodeRecord] = {}
        self._by_address: dict[str, NodeRecord] | None = {}  # likewise

    def take_cloud(self, listed: Sequence[CloudNode], t: float, table: SizeTable | None) -> Listing:
        """Take in a cloud list."""
        change = Listing()
        seen: set[str] = set()
        for cloud in listed:
            if cloud.id in seen:
                change.duplicates.append(cloud.id)
                continue
            seen.add(cloud.id)
            node = self.nodes.get(cloud.id)
            if node is None:
                change.new.append(self.add(cloud, t, table, listed=True))
            elif not node.listed or node.missing or node.word_unseen_until or node.cloud != cloud or _is_counted(cloud):
                self._renew(node, cloud, t, table)
                change.changed.append(node)
        for identity in self.nodes.keys() - seen:
            node = self.nodes[identity]
            if node.destroyed_at is not None:
                change.delisted.append(node)
            else:
                change.missing.append(node)
        return change

    def add(self, cloud: CloudNode, t: float, table: SizeTable | None, *, listed: bool) -> Node:
        """A new row, paired at once where its record is known."""
        node = Node(cloud, table.of_node(cloud) if table is not None else None, t, listed)
        node.stop_polls, node.failed_polls = int(cloud.stopped), int(cloud.failed)
        self.nodes[cloud.id] = node
        self._pair(node)
        return node

    def _renew(self, node: Node, cloud: CloudNode, t: float, table: SizeTable | None) -> None:
        old = node.cloud
        if not node.listed:
            node.listed = True
        node.missing, node.missing_since, node.missing_ping = 0, None, None
        node.stop_polls = node.stop_polls + 1 if cloud.stopped else 0
        node.failed_polls = node.failed_polls + 1 if cloud.failed else 0
        if node.word_unwritten or t < node.word_unseen_until:  # the list may be older than the operator's word
            if cloud.word == old.word:
                node.word_unseen_until = 0.0
            cloud = replace(cloud, word=old.word)
        node.cloud = cloud
        if table is not None and (old.size_tag, old.provider_size) != (cloud.size_tag, cloud.provider_size):
            node.size = table.of_node(cloud)
            node.reprice()

    def resize(self, table: SizeTable) -> None:
        """The sizes have changed."""
        for node in self.nodes.values():
            node.size = table.of_node(node.cloud)
            node.reprice()

    def drop(self, node: Node) -> None:
        """The node is gone; its record can pair again (row B2)."""
        self.nodes.pop(node.id, None)
        self.unpair(node)

    def unpair(self, node: Node) -> None:
        """Its record has been given back."""
        if node.record is not None:
            self.paired.pop(node.record.uuid, None)
        node.record = node.prepared = None

    def take_records(self, records: dict[str, NodeRecord], slurm: Mapping[str, NodeWork] | None) -> list[Node]:
        """Take in a list of records, by uuid, with Slurm's answer. Returns the nodes that paired now."""
        self.slurm = slurm
        self.records = records
        self.hosts = {record.hostname: record for record in records.values() if record.hostname}
        self._by_token = {record.intent.token: record for record in records.values() if record.intent is not None}
        self._by_tail = self._by_address = None
        self._by_instance = self._index_instances()
        paired: list[Node] = []
        for node in self.nodes.values():
            record = node.record
            if record is not None:
                newer = records.get(record.uuid)
                # a record that another took, or that is missing, leaves the last one, whose age grows (row B15)
                if newer is not None and newer.instance_id == node.cloud.report_id:
                    intent, record, node.record = record.intent, newer, newer
                    if newer.intent is not intent:
                        node.reprice()
                hostname = record.hostname
            else:
                if node.destroyed_at is None and self._pair(node):
                    paired.append(node)
                hostname = self.hostname(node)
            node.slurm = slurm.get(hostname) if slurm is not None and hostname else None
            node.namesake = None
            if node.slurm is None and slurm is not None and (shared := self.shared_name(node)) is not None:
                node.namesake = slurm.get(shared)
        return paired

    def _index_instances(self) -> dict[str, NodeRecord]:
        """The record of each instance; of several for one, that with the newest first ping."""
        having = [record for record in self.records.values() if record.instance_id]
        index = {record.instance_id: record for record in having if record.instance_id}
        if len(index) == len(having):
            return index
        index.clear()
        for record in having:
            if not record.instance_id:
                continue
            other = index.get(record.instance_id)
            if other is None or (other.first_ping_at or 0) < (record.first_ping_at or 0):
                index[record.instance_id] = record
        return index

    def _pair(self, node: Node) -> bool:
        """Find the node's record (rows B3, B4, A18), or at least the one that was made for it."""
        cloud = node.cloud
        record = self._by_instance.get(cloud.report_id)
        if record is not None and record.uuid not in self.paired and _pinged_by(record, cloud):
            node.record, node.prepared = record, None
            self.paired[record.uuid] = node
            node.reprice()
            return True
        node.prepared = self.made_for(cloud)
        node.reprice()
        return False

    def made_for(self, cloud: CloudNode) -> NodeRecord | None:
        """The record that a cloud node was made for, while neither has been paired: by token, and by the names that
        drivers give. A record that was used again since is another's."""
        host = host_part(cloud)
        if host is not None and (named := self.hosts.get(host)) is not None and named.is_name:
            return named if self._agrees(named, cloud) else None
        found = self._by_token.get(cloud.token) if cloud.token is not None else None
        if found is None and host is not None:
            found = self.hosts.get(host)
        if found is None or not self._agrees(found, cloud):
            tails = self._tails()
            found = next((tails[part] for part in cloud.name.split("-") if part in tails), None)
        return found if found is not None and self._agrees(found, cloud) else None

    def _tails(self) -> dict[str, NodeRecord]:
        if self._by_tail is None:
            self._by_tail = {uuid[-UUID_TAIL:]: record for uuid, record in self.records.items()}
        return self._by_tail

    def _agrees(self, record: NodeRecord, cloud: CloudNode) -> bool:
        if record.uuid in self.paired:
            return False
        if record.instance_id not in (None, cloud.report_id) and not self.is_left(record):
            return False
        return cloud.token is None or record.intent is None or record.intent.token == cloud.token

    def is_left(self, record: NodeRecord) -> bool:
        """Is it a name whose instance no list shows any more? Then the node that carries the name has it."""
        return record.is_name and all(node.cloud.report_id != record.instance_id for node in self.nodes.values())

    def hostname(self, node: Node) -> str | None:
        """The name in Slurm that is this node's alone: one that a record has by now is that record's."""
        record = node.record or node.prepared
        if record is not None:
            return record.hostname
        name = host_part(node.cloud)
        return None if name is None or name in self.hosts else name

    def shared_name(self, node: Node) -> str | None:
        """The name in Slurm of a record that is another node's, or nobody's, and under which Slurm may find this node
        all the same: its jobs may run here. None where Slurm finds the other there, and where a record is this one's.
        """
        cloud, host = node.cloud, host_part(node.cloud)
        if node.record is not None or node.prepared is not None:
            return None
        record = self._at(cloud.address) or self._by_instance.get(cloud.report_id)
        if record is None and cloud.token is not None:
            record = self._by_token.get(cloud.token)
        if record is None and host is not None:
            record = self.hosts.get(host)
        if record is None:
            tails = self._tails()
            record = next((tails[part] for part in cloud.name.split("-") if part in tails), None)
        if record is None:
            return None
        other = self.paired.get(record.uuid)
        if other is not None and cloud.address is not None and record.address == other.cloud.address != cloud.address:
            return None
        return record.hostname

    def _at(self, address: str | None) -> NodeRecord | None:
        """The name that Slurm looks for at this address."""
        if self._by_address is None:
            self._by_address = {record.address: record for record in self.records.values() if record.address}
        return self._by_address.get(address) if address is not None else None

    def is_anothers(self, record: NodeRecord, node: Node) -> bool:
        """Has another listed node taken the record over that this one was paired with?"""
        now = self.records.get(record.uuid)
        if now is None or now.instance_id in (None, node.cloud.report_id):
            return False
        return any(other.cloud.report_id == now.instance_id and not other.missing for other in self.nodes.values())

    def slurm_works(self, hostname: str | None) -> bool:
        """Does Slurm call this name busy, without the flag that it does not respond?"""
        if self.slurm is None or hostname is None:
            return False
        slurm = self.slurm.get(hostname)
        return slurm is not None and slurm.state.kind.busy and slurm.responding


def _is_counted(cloud: CloudNode) -> bool:
    """Does it matter how many lists in a row show it so?"""
    return cloud.stopped or cloud.failed


def _pinged_by(record: NodeRecord, cloud: CloudNode) -> bool:
    """Was the record's first ping sent by this node, and not by an earlier one under the same id? (row B3)"""
    if record.first_ping_at is None:
        return False
    return cloud.start_time is None or record.first_ping_at >= cloud.start_time - FIRST_PING_TOLERANCE
