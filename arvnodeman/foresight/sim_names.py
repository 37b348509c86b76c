"""The keeper of a simulated site of Slurm alone: names are the records, nodes are heard from through their slurmd.

What the lists say of a name is put together by the real keeper's own functions, from what Slurm would show.
"""

from __future__ import annotations

import heapq

from arvnodeman.fleet.messages import PrepareRecord, RecordPrepared
from arvnodeman.fleet.values.model import CloudNode, ErrorKind, NodeRecord, RemoteError, RemoteFailure, Secret
from arvnodeman.fleet.values.work import OUR_BOOT, drain_of, reason_for
from arvnodeman.foresight.agenda import Agenda
from arvnodeman.foresight.sim_cloud import SimNode
from arvnodeman.foresight.sim_room import SimName
from arvnodeman.foresight.sim_slurm import SimSlurm
from arvnodeman.records.marks import mark_of_boot, mark_of_node, read_mark
from arvnodeman.records.names import Contact, contact_of, is_free, record_of
from arvnodeman.slurm.show import ShownNode

REST = 60.0  # seconds
_FLAGS = {  # of a name that is drained, or answers
    (False, True): frozenset[str](),
    (False, False): frozenset({"NOT_RESPONDING"}),
    (True, True): frozenset({"DRAIN"}),
    (True, False): frozenset({"DRAIN", "NOT_RESPONDING"}),
}
_Facts = tuple[str, frozenset[str], str, float | None, str, float | None, str]


class SimNames:
    """The records of Slurm alone. `skew`: the daemon's clock less Slurm's, in seconds. `heard`: so long a node counts
    as heard from just now; 0: each list that shows that its slurmd answers is another."""

    def __init__(self, agenda: Agenda, slurm: SimSlurm, address: str = "") -> None:
        """`address`: that slurm.conf gives all of them; '': one of its own to each."""
        self.skew = self.heard = 0.0
        self.sets_aside = False  # a name is closed from an intent on, until its node's address is told
        self._agenda = agenda
        self._slurm = slurm
        self._comments: dict[str, str] = {}
        self._contacts: dict[str, Contact] = {}
        self._kept: dict[str, NodeRecord] = {}  # all of them, in order, as they were listed last
        self._made_of: dict[str, _Facts] = {}  # what these were made of
        self._listed_with = 0.0  # this skew
        self._until: list[tuple[float, int, str]] = []  # when one is another though nothing has changed
        self._again: dict[str, float] = {}  # when nodes are heard from again
        self._list: tuple[NodeRecord, ...] = ()
        for name in slurm.names.values():
            name.address = address or name.name

    def daemon_started(self) -> None:
        """A new daemon remembers nobody."""
        self._contacts.clear()
        self._kept.clear()

    def listed(self) -> tuple[NodeRecord, ...]:
        """One `scontrol show nodes`."""
        now, names, renewed = self._agenda.now + self.skew, self._slurm.names, self._slurm.renewed
        if self._listed_with != self.skew or not self._kept:
            self._kept = dict.fromkeys(names, NodeRecord(""))
            renewed.update(names.values())
            for each in (self._until, self._again, self._made_of):
                each.clear()
            self._listed_with = self.skew
        due: set[SimName] = set()
        while self._until and self._until[0][0] <= now:
            moment, _, other = heapq.heappop(self._until)
            if self._again.get(other) == moment:
                del self._again[other]
            due.add(names[other])
        others = [name for name in renewed if name not in due and self._made_of.get(name.name) != self._facts(name)]
        renewed.clear()
        if due or others:
            for name in sorted([*due, *others], key=lambda name: name.number):
                self._kept[name.name] = self._record(name, now)
            self._list = tuple(self._kept.values())
        return self._list

    def slots(self) -> int:
        """Names with a mark."""
        return sum(map(bool, self._comments.values()))

    def prepare(self, step: PrepareRecord) -> RecordPrepared:
        """Write an intent on a free name. Raises RemoteFailure."""
        if step.reuse is None:
            raise RemoteFailure(RemoteError(ErrorKind.SLOTS, "no name is free"))
        name = self._slurm.names[step.reuse]
        node = self._shown(name)
        mark = read_mark(node.comment)
        ours = mark is not None and mark.intent is not None and mark.intent.token == step.intent.token
        if not ours and not is_free(node, mark, REST, self._agenda.now + self.skew):
            raise RemoteFailure(RemoteError(ErrorKind.SLOTS, "it is not free any more"))
        if self.sets_aside and not name.drain:  # so a node that registers has no jobs before Slurm knows where it is
            name.down = True
            self._slurm.drain(name.name, reason_for(OUR_BOOT, step.intent.token), self._agenda.now)
        self._note(name, mark_of_boot(step.intent))
        shown = self._shown(name)
        return RecordPrepared(record_of(shown, read_mark(shown.comment), None, free=False), Secret(""))

    def describe(self, uuid: str, node: CloudNode) -> None:
        """The name is this node's, and is found at its address: then it may have jobs."""
        name = self._slurm.names[uuid]
        if node.address is not None:
            name.address = node.address
            drain = drain_of(name.reason) if self.sets_aside and name.drain else None
            if drain is not None and (drain.kind == OUR_BOOT or drain.instance != node.report_id):
                self._slurm.resume(name.name)
        self._note(name, mark_of_node(node.report_id))
        self._slurm.schedule()

    def release(self, uuid: str) -> None:
        """No mark, and its own address again."""
        name = self._slurm.names[uuid]
        name.address = name.name
        self._note(name, "")

    def contact(self, node: SimNode) -> str:
        """Its slurmd registers under the name that it was given."""
        name = self._slurm.names[node.record]
        name.slurmd_started = self._agenda.now
        return name.name

    def silent(self, node: SimNode) -> None:
        """Slurm sees that by itself."""

    def hostname(self, node: SimNode) -> str:
        """The name that it was given."""
        return node.record

    def _note(self, name: SimName, comment: str) -> None:
        self._comments[name.name] = comment
        self._slurm.changed(name)

    def _record(self, name: SimName, now: float) -> NodeRecord:
        self._made_of[name.name] = self._facts(name)
        node = self._shown(name)
        mark = read_mark(node.comment)
        contact = None
        if mark is not None and mark.instance_id:
            contact = contact_of(node, mark.instance_id, self._contacts.get(name.name), now)
            self._contacts[name.name] = contact
        else:
            self._contacts.pop(name.name, None)
        record = record_of(node, mark, contact, free=is_free(node, mark, REST, now))
        if node.reason_at is not None and now < node.reason_at + REST:
            until = node.reason_at + REST if now >= node.reason_at else node.reason_at
            heapq.heappush(self._until, (until, name.number, name.name))
        if contact is not None and contact.last == now and name.name not in self._again:  # heard from anew
            self._again[name.name] = now + self.heard
            heapq.heappush(self._until, (now + self.heard, name.number, name.name))
        return record

    def _shown(self, name: SimName) -> ShownNode:
        base, flags, address, started, reason, reason_at, comment = self._facts(name)
        return ShownNode(
            name.name,
            base,
            flags,
            address,
            slurmd_started=started,
            reason=reason,
            reason_at=reason_at if reason else None,
            comment=comment,
        )

    def _facts(self, name: SimName) -> _Facts:
        base = "IDLE"
        if name.jobs:
            base = "ALLOCATED"
        elif name.down:
            base = "DOWN" if name.slurmd_started is not None or name.reason else "UNKNOWN"
        flags = _FLAGS[name.drain, self._slurm.answers(name) and not name.silent]
        comment = self._comments.get(name.name, "")
        return base, flags, name.address, name.slurmd_started, name.reason, name.reason_at, comment
