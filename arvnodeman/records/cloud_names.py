"""The keeper that a Slurm is whose names are declared CLOUD: it places jobs on them while they are off.

Each name is of one size, and is wanted when Slurm powers it up. As in names.py, what has to outlast this process is in
the name's Comment, which Slurm keeps while it powers the name up and down, through its restarts and reconfigurations:
first the intent of a boot, then the instance that has the name. Nothing is drained for a boot: the job that is placed
there would be thrown off.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import ClassVar

from arvnodeman.config.settings import Settings
from arvnodeman.fleet.messages import RecordPrepared
from arvnodeman.fleet.values.model import (
    BootIntent,
    CloudNode,
    ErrorKind,
    NodeRecord,
    RemoteError,
    RemoteFailure,
    Secret,
)
from arvnodeman.fleet.values.work import NodeWork, Power, WorkKind
from arvnodeman.records.advice import Advice
from arvnodeman.records.marks import NameMark, mark_of_boot, mark_of_node, read_mark
from arvnodeman.records.names import Contact, answers, contact_of, only_one, unknown_name
from arvnodeman.records.power_saving import names_of_sizes
from arvnodeman.slurm.keeping import NameNote
from arvnodeman.slurm.placing import PlacingSlurm
from arvnodeman.slurm.power import work_of
from arvnodeman.slurm.show import ShownNode

NOT_WANTED = "Slurm: {} is not being powered up any more, or another boot has it"
_UP = frozenset({Power.ON, Power.LEAVING})
_WANTED = frozenset({Power.WANTED, Power.STARTING})
_RESERVED = frozenset({"RESERVED", "MAINTENANCE"})  # free for the jobs of its reservation alone


class CloudRecords:
    """Records that are names declared CLOUD. `uuid` and `hostname` of a record are the name."""

    clock_offset: ClassVar[float | None] = None  # Slurm does not tell

    def __init__(self, settings: Settings, slurm: PlacingSlurm | None = None) -> None:
        self._settings = settings
        self._slurm = slurm or PlacingSlurm(settings.slurm_timeout, ahead=settings.daemon.ahead)
        self._contacts: dict[str, Contact] = {}
        self._advice = Advice(settings, self._slurm)

    def list_records(self) -> tuple[NodeRecord, ...]:
        """One record for each name that is ours."""
        return self.list_with_work()[0]

    def list_with_work(self) -> tuple[tuple[NodeRecord, ...], Mapping[str, NodeWork]]:
        """One record for each name that is ours, and what all nodes of Slurm do, of one answer of it. ErrorKind.REFUSED
        when Slurm is set up so that no node may be touched."""
        now = time.time()
        shown, works = self._slurm.listed()
        by_size = names_of_sizes(self._settings.sizes, shown, self._settings.daemon.partitions)
        self._advice.check(shown, [name for names in by_size.values() for name in names], by_size)
        records = []
        contacts: dict[str, Contact] = {}
        for size, names in by_size.items():
            for name in names:
                if name not in shown:
                    continue
                node = shown[name]
                mark = read_mark(node.comment)
                if mark is not None and mark.instance_id:
                    contacts[name] = contact_with(node, mark.instance_id, self._contacts.get(name), now)
                records.append(record_of(node, size, mark, contacts.get(name)))
        self._contacts = contacts
        return tuple(records), works

    def prepare(self, intent: BootIntent, reuse: str | None) -> RecordPrepared:
        """prepare_all() of one. ErrorKind.SLOTS when Slurm does not want the name any more."""
        return only_one(self.prepare_all([(intent, reuse)]))

    def prepare_all(self, wishes: Sequence[tuple[BootIntent, str | None]]) -> list[RecordPrepared | RemoteFailure]:
        """Write each intent on the name that it is for, if Slurm powers that up now. What came of each."""
        found = self._slurm.shown_now([name for _, name in wishes if name is not None])
        answers: list[RecordPrepared | RemoteFailure] = []
        notes: dict[str, NameNote] = {}
        for intent, name in wishes:
            node = found.get(name or "")
            if name is None or not isinstance(node, ShownNode):
                answers.append(node if isinstance(node, RemoteFailure) else unknown_name(name or ""))
            elif name in notes or not _may_have(node, intent):
                refused = RemoteError(ErrorKind.SLOTS, NOT_WANTED.format(name), hint="[Size NAME] node_names")
                answers.append(RemoteFailure(refused))
            else:
                notes[name] = NameNote(name, mark_of_boot(intent))
                record = record_of(node, intent.size, NameMark(intent=intent), None)
                answers.append(RecordPrepared(record, Secret("")))
        failures = self._slurm.note_all(list(notes.values()))
        return [
            failures.get(answer.record.uuid, answer) if isinstance(answer, RecordPrepared) else answer
            for answer in answers
        ]

    def describe(self, uuid: str, node: CloudNode) -> None:
        """describe_all() of one."""
        only_one(self.describe_all([(uuid, node)]))

    def describe_all(self, nodes: Sequence[tuple[str, CloudNode]]) -> list[RemoteFailure | None]:
        """Each name is this instance's. Where it is looked for is told only until it is up: from then on Slurm goes by
        where it registered from."""
        found = self._slurm.shown_now([name for name, _ in nodes])
        notes = []
        for name, node in nodes:
            shown = found[name]
            if isinstance(shown, ShownNode):
                address = None if work_of(shown).power in _UP else node.address
                notes.append(NameNote(name, mark_of_node(node.report_id), address, keeps_hostname=True))
        failures = self._slurm.note_all(notes)
        return [_failure(found[name], name) or failures.get(name) for name, _ in nodes]

    def release(self, uuid: str, action: str) -> None:
        """release_all() of one."""
        only_one(self.release_all([uuid], action))

    def release_all(self, uuids: Sequence[str], action: str) -> list[RemoteFailure | None]:
        """No mark. (Where the name is looked for Slurm forgets itself, when it powers it down.)"""
        failures = self._slurm.note_all([NameNote(uuid, "") for uuid in uuids])
        return [failures.get(uuid) for uuid in uuids]


def contact_with(node: ShownNode, instance_id: str, before: Contact | None, now: float) -> Contact:
    """What Slurm tells of the node that has a name. Slurm keeps the start of the last slurmd after it has powered the
    name down: that tells a node that was up before from one that is only coming. It is heard from only while it is
    up: what was told of a slurmd before that is of the node that had the name before, and counts no more then."""
    heard = before if before is not None and before.instance_id == instance_id and before.last is not None else None
    found = contact_of(node, instance_id, heard, now)
    if work_of(node).power in _UP and answers(node):
        return found
    last = heard.last if heard is not None else None
    return Contact(instance_id, found.first, last)


def is_free(node: ShownNode, mark: NameMark | None) -> bool:
    """Does Slurm want a new node for this name now? What the cloud lists under it, and what we are doing with it, the
    Fleet knows."""
    work = work_of(node)
    return mark is None and work.power in _WANTED and work.state.kind is WorkKind.UNHEARD


def record_of(node: ShownNode, size: str, mark: NameMark | None, contact: Contact | None) -> NodeRecord:
    """A name as a record."""
    return NodeRecord(
        uuid=node.name,
        hostname=node.name,
        domain="",
        slot=None if mark is None else 1,  # it holds something that has to be given back
        instance_id=mark.instance_id or None if mark else None,
        modified_at=(contact.last or contact.first) if contact else None,
        first_ping_at=contact.first if contact else None,
        last_ping_at=(contact.last or contact.first) if contact else None,
        intent=mark.intent if mark else None,
        address=node.address or node.name,
        free=is_free(node, mark),
        partitions=node.partitions,
        reserved=not _RESERVED.isdisjoint(node.flags),
        size=size,
    )


def _may_have(node: ShownNode, intent: BootIntent) -> bool:
    mark = read_mark(node.comment)
    ours = mark is not None and mark.intent is not None and mark.intent.token == intent.token
    return is_free(node, None if ours else mark)


def _failure(found: object, name: str) -> RemoteFailure | None:
    if isinstance(found, ShownNode):
        return None
    return found if isinstance(found, RemoteFailure) else unknown_name(name)
