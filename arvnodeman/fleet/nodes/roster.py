"""The table of nodes: what the cloud lists, joined with node records and Slurm's words; and the pairing of them.

Nothing is decided here; what a list lacks is only counted. Rows to which nothing can happen before their entries change
or a known time comes are *quiet*: no pass looks at them (see quiet.py). A list costs what it changes, and the rows that
are awake.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import replace
from operator import attrgetter

from arvnodeman.fleet.nodes.changes import Joining, Listing
from arvnodeman.fleet.nodes.cloud_list import CloudList
from arvnodeman.fleet.nodes.node import BUSY, IDLE, SHUTDOWN, Node, host_part
from arvnodeman.fleet.nodes.record_index import RecordIndex, is_fresher
from arvnodeman.fleet.nodes.rows import keys_of_others
from arvnodeman.fleet.nodes.stamps import pinged_by
from arvnodeman.fleet.sizes.table import SizeTable
from arvnodeman.fleet.values.model import CloudNode, NodeRecord, NodeState
from arvnodeman.fleet.values.work import NodeWork

_ID = attrgetter("id")


class Roster:
    """All nodes that exist as far as we know, by cloud id; all node records, by uuid."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self.index = RecordIndex()
        self.slurm: Mapping[str, NodeWork] | None = None
        self.paired: dict[str, Node] = {}  # record uuid -> node
        self.listed = CloudList()
        self.judged_at = 0.0  # t of the newest node poll
        self.polls = 0  # node polls so far
        self.clocks_apart = 0.0  # seconds: the clock of the keeper of records less the cloud's
        self.round = 0  # times that rows could come to rest
        self._dropped: set[str] = set()  # ids of rows that went since the newest cloud list
        self._reporting: dict[str, tuple[Node, ...]] = {}  # by the id that nodes report
        self._carried: Counter[str | None] = Counter()  # the first parts of their names
        self._last_turn = 0
        self._awake: dict[int, Node] = {}
        self._in_turn: Sequence[Node] | None = None  # those; None: they are others than when they were sorted last
        self._quiet: Counter[tuple[str | None, NodeState]] = Counter()
        self._idle: dict[str, dict[int, Node]] = {}  # quiet and idle, by size and turn

    @property
    def records(self) -> Mapping[str, NodeRecord]:
        """All records by uuid."""
        return self.index.records

    @property
    def hosts(self) -> Mapping[str, NodeRecord]:
        """Hostname -> the record that has it."""
        return self.index.hosts

    # ---- awake and quiet --------------------------------------------------------------------------------------------

    def awake(self) -> Sequence[Node]:
        """The rows to which something may happen, in the order in which they came."""
        if self._in_turn is None:
            self._in_turn = [self._awake[turn] for turn in sorted(self._awake)]
        return self._in_turn

    @property
    def quiet(self) -> int:
        """How many rows are not awake."""
        return len(self.nodes) - len(self._awake)

    def quiet_sizes(self) -> Iterable[str]:
        """The sizes of quiet rows that are up."""
        counts = self._quiet.items()
        return [size for (size, state), count in counts if size is not None and state is not SHUTDOWN and count]

    def quiet_idle(self) -> dict[str, list[Node]]:
        """The quiet rows that are idle, by size, in any order."""
        return {size: list(rows.values()) for size, rows in self._idle.items() if rows}

    def polled(self, t: float) -> None:
        """Nodes are judged now."""
        self.judged_at = t
        self.polls += 1

    def rest(self, node: Node) -> None:
        """Nothing can happen to this row for now."""
        size = node.size.id if node.size is not None else None
        node.quiet = (size, node.state)
        node.rested = self.polls
        self._quiet[node.quiet] += 1
        if node.state is IDLE and size is not None:
            self._idle.setdefault(size, {})[node.turn] = node
        del self._awake[node.turn]
        self._in_turn = None

    def wake(self, node: Node) -> None:
        """Something may happen to this row."""
        node.woken = self.round
        if node.quiet is None or self.nodes.get(node.id) is not node:
            return
        size, state = node.quiet
        self._quiet[node.quiet] -= 1
        if state is BUSY:
            node.busy_at = self.judged_at  # it was that at each node poll so far
        elif state is IDLE and size is not None:
            node.idle_polls += self.polls - node.rested
            node.use.ready_polls += self.polls - node.rested
            del self._idle[size][node.turn]
        node.quiet = None
        self._awake[node.turn] = node
        self._in_turn = None

    def wake_rows(self, nodes: Iterable[Node]) -> None:
        """Something may happen to these rows."""
        for node in nodes:
            if node.quiet is None:
                node.woken = self.round  # nearly all of them, where all have changed
            else:
                self.wake(node)

    def wake_all(self) -> None:
        """What concerns all rows has changed."""
        self.wake_rows(self.nodes.values())

    def wake_idle(self) -> None:
        """What concerns all idle rows has changed."""
        for rows in self._idle.values():
            self.wake_rows(list(rows.values()))

    # ---- the cloud list ---------------------------------------------------------------------------------------------

    def take_cloud(self, listed: Sequence[CloudNode], t: float, table: SizeTable | None) -> Listing:
        """Take in a cloud list."""
        entries = self.listed.take(listed)
        change, find = Listing(entries), self.listed.entries.get
        gone = set(map(_ID, entries.left)).difference(self.listed.entries)
        self.wake_rows([lacking for name in gone if (lacking := self.nodes.get(name)) is not None])
        again = [entry for name in sorted(self._dropped) if (entry := find(name)) is not None]
        self._dropped.clear()
        others: dict[int, tuple[Node, CloudNode]] = {}
        for cloud in (*entries.came, *again):
            node = self.nodes.get(cloud.id)
            if node is None:
                change.new.append(self.add(cloud, t, table, listed=True))
            elif node.cloud != cloud:
                self.wake(node)
                others[node.turn] = node, cloud
        for node in self.awake():
            if node.turn in others:
                continue
            entry = find(node.id)  # of one that is stopped or failed the lists are counted
            if entry is None:
                (change.missing if node.destroyed_at is None else change.delisted).append(node)
            elif not node.listed or node.missing or node.directive_unseen_until or entry.stopped or entry.failed:
                others[node.turn] = node, entry
        fresh = {node.turn for node in change.new}
        for turn in sorted(others):
            node, entry = others[turn]
            if turn not in fresh:
                self._renew(node, entry, t, table)
                change.changed.append(node)
        return change

    def add(self, cloud: CloudNode, t: float, table: SizeTable | None, *, listed: bool) -> Node:
        """A new row, paired at once where its record is known."""
        node = Node(cloud, table.of_node(cloud) if table is not None else None, t, listed)
        node.stop_polls, node.failed_polls = int(cloud.stopped), int(cloud.failed)
        self._last_turn += 1
        node.turn = self._last_turn
        self.nodes[cloud.id] = self._awake[node.turn] = node
        self._in_turn = None
        self._note_names(node)
        self._pair(node)
        return node

    def _note_names(self, node: Node) -> None:
        report_id = node.cloud.report_id
        self._reporting[report_id] = (*self._reporting.get(report_id, ()), node)
        self._carried[host_part(node.cloud)] += 1

    def _forget_names(self, node: Node) -> None:
        report_id, host = node.cloud.report_id, host_part(node.cloud)
        others = tuple(other for other in self._reporting[report_id] if other is not node)
        if others:
            self._reporting[report_id] = others
        else:
            del self._reporting[report_id]
        self._carried[host] -= 1
        if not self._carried[host]:
            del self._carried[host]

    def _renew(self, node: Node, cloud: CloudNode, t: float, table: SizeTable | None) -> None:
        old = node.cloud
        if not node.listed:
            node.listed = True
        node.missing, node.missing_since, node.missing_ping = 0, None, None
        node.stop_polls = node.stop_polls + 1 if cloud.stopped else 0
        node.failed_polls = node.failed_polls + 1 if cloud.failed else 0
        # the list may be older than the operator's directive
        if node.directive_unwritten or t < node.directive_unseen_until:
            if cloud.directive == old.directive:
                node.directive_unseen_until = 0.0
            cloud = replace(cloud, directive=old.directive)
        if (old.report_id, old.fqdn, old.name) == (cloud.report_id, cloud.fqdn, cloud.name):
            node.cloud = cloud
        else:
            self._forget_names(node)
            node.cloud = cloud
            self._note_names(node)
        if table is not None and (old.size_tag, old.provider_size) != (cloud.size_tag, cloud.provider_size):
            node.size = table.of_node(cloud)
            node.reprice()

    def resize(self, table: SizeTable) -> None:
        """The sizes have changed."""
        self.wake_all()
        for node in self.nodes.values():
            node.size = table.of_node(node.cloud)
            node.reprice()

    def drop(self, node: Node) -> None:
        """The node is gone; its record can pair again (row B2)."""
        self.wake(node)
        if self.nodes.get(node.id) is node:
            del self.nodes[node.id]
            del self._awake[node.turn]
            self._in_turn = None
            self._forget_names(node)
            self._dropped.add(node.id)
        self.unpair(node)

    def unpair(self, node: Node) -> None:
        """Its record has been given back."""
        self.wake(node)
        if node.record is not None:
            self.paired.pop(node.record.uuid, None)
        node.record = node.prepared = None

    # ---- the records, and Slurm's words -----------------------------------------------------------------------------

    def take_records(self, listed: Sequence[NodeRecord], slurm: Mapping[str, NodeWork] | None) -> Joining:
        """Take in a list of records with Slurm's answer."""
        joining = Joining(self.index.take(listed))
        before, self.slurm = self.slurm, slurm
        if not self.index.one_for_each_host:
            self.wake_all()
        self._wake_for_records(joining)
        joining.words = self._wake_for_words(before, slurm)
        for node in self.awake():
            self._join(node, joining)
        return joining

    def _wake_for_records(self, joining: Joining) -> None:
        """Rows whose record is another, or gone, are awake; not those of which it shows newer stamps alone."""
        came = joining.records.came
        for uuid, before in joining.records.before.items():
            node, newer = self.paired.get(uuid), came.get(uuid)
            if node is None or node.quiet is None or newer is before:
                continue
            if newer is not None and is_fresher(newer, before):
                node.record = newer
                joining.fresh.append(node)
            else:
                self.wake(node)

    def _wake_for_words(self, before: Mapping[str, NodeWork] | None, slurm: Mapping[str, NodeWork] | None) -> bool:
        """Rows of which Slurm says something else are awake. True when it shows other names, or other features."""
        if before is None or slurm is None:
            self.wake_all()
            return True
        if before is slurm:
            return False
        others = keys_of_others(before, slurm)
        new = [name for name in others if name not in before]
        lost = before.keys() - slurm.keys() if len(before) + len(new) != len(slurm) else ()
        features = bool(new or lost)
        for name in (*others, *lost):
            word, old = slurm.get(name), before.get(name)
            if word == old:
                continue
            features = features or (word is not None and old is not None and word.features != old.features)
            record = self.hosts.get(name)
            node = self.paired.get(record.uuid) if record is not None else None
            if node is not None:
                self.wake(node)
        return features

    def _join(self, node: Node, joining: Joining) -> None:
        """A row that is awake, with its newest record and Slurm's word."""
        record, slurm = node.record, self.slurm
        if record is not None:
            newer = self.records.get(record.uuid)
            # a record that another took, or that is missing, leaves the last one, whose age grows (row B15)
            if newer is not None and newer.instance_id == node.cloud.report_id:
                intent, record, node.record = record.intent, newer, newer
                if newer.intent is not intent:
                    node.reprice()
            hostname = record.hostname
        else:
            if node.destroyed_at is None and self._pair(node):
                joining.paired.append(node)
            hostname = self.hostname(node)
        node.slurm = slurm.get(hostname) if slurm is not None and hostname else None
        node.namesake = None
        if node.slurm is None and slurm is not None and (shared := self.shared_name(node)) is not None:
            node.namesake = slurm.get(shared)

    def _pair(self, node: Node) -> bool:
        """Find the node's record (rows B3, B4, A18), or at least the one that was made for it."""
        cloud = node.cloud
        record = self.index.of_instance(cloud.report_id)
        if record is not None and record.uuid not in self.paired and pinged_by(record, cloud, self.clocks_apart):
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
        found = self.index.of_token(cloud.token)
        if found is None and host is not None:
            found = self.hosts.get(host)
        if found is None or not self._agrees(found, cloud):
            found = self.index.of_name(cloud.name)
        return found if found is not None and self._agrees(found, cloud) else None

    def _agrees(self, record: NodeRecord, cloud: CloudNode) -> bool:
        if record.uuid in self.paired:
            return False
        if record.instance_id not in (None, cloud.report_id) and not self.is_left(record):
            return False
        return cloud.token is None or record.intent is None or record.intent.token == cloud.token

    def is_left(self, record: NodeRecord) -> bool:
        """Is it a name whose instance no list shows any more? Then the node that carries the name has it."""
        return record.is_name and not self.is_reported(record.instance_id)

    def is_reported(self, instance_id: str | None) -> bool:
        """Is there a node with this id, which nodes report themselves?"""
        return instance_id in self._reporting

    @property
    def carried(self) -> Set[str | None]:
        """The names of which there is a node."""
        return self._carried.keys()

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
        record = self.index.at(cloud.address) or self.index.of_instance(cloud.report_id)
        if record is None:
            record = self.index.of_token(cloud.token)
        if record is None and host is not None:
            record = self.hosts.get(host)
        if record is None:
            record = self.index.of_name(cloud.name)
        if record is None:
            return None
        other = self.paired.get(record.uuid)
        if other is not None and cloud.address is not None and record.address == other.cloud.address != cloud.address:
            return None
        return record.hostname

    def is_anothers(self, record: NodeRecord, node: Node) -> bool:
        """Has another listed node taken the record over that this one was paired with?"""
        now = self.records.get(record.uuid)
        if now is None or now.instance_id in (None, node.cloud.report_id):
            return False
        return any(not other.missing for other in self._reporting.get(now.instance_id or "", ()))

    def slurm_works(self, hostname: str | None) -> bool:
        """Does Slurm call this name busy, without the flag that it does not respond?"""
        slurm = self.slurm.get(hostname) if self.slurm is not None and hostname is not None else None
        return slurm is not None and slurm.state.busy and slurm.responding
