"""The keeper that Slurm is: the names of its nodes are the records.

A name is given to one cloud node after the other. What has to outlast this process is in Slurm itself, in the name's
Comment: first the intent of a boot, then, from the first list that shows the node, the instance that has the name.
There is no ping: a node has made contact when Slurm knows of a slurmd under its name, and is heard from while that
answers.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeVar

from arvnodeman.config.hostlist import hostlist
from arvnodeman.config.settings import Settings
from arvnodeman.config.size_names import names_in
from arvnodeman.fleet.messages import RecordPrepared
from arvnodeman.fleet.values.model import (
    BootIntent,
    CloudNode,
    ErrorKind,
    NodeRecord,
    RemoteError,
    RemoteFailure,
    Secret,
    SizeSection,
)
from arvnodeman.fleet.values.quick import quick
from arvnodeman.fleet.values.work import OUR_BOOT, OURS, drain_of, reason_for
from arvnodeman.records.advice import Advice
from arvnodeman.records.marks import NameMark, mark_of_boot, mark_of_node, read_mark
from arvnodeman.slurm.commands import DUMMY_NODE
from arvnodeman.slurm.errors import UnknownNode
from arvnodeman.slurm.keeping import NOBODYS_ADDRESS, NameNote, NamesInSlurm
from arvnodeman.slurm.show import ShownNode

RESTS = 1 / 30  # of boot_fail_after: how long a name that was given back is left alone, as old traces may linger
NO_NAME = (
    "Slurm: no name is free for another node: node_names has {}, and each is in use, rests or was taken out of use"
)
_NOT_FREE = frozenset({"COMPLETING", "FAIL", "PLANNED", "CLOUD", "DYNAMIC_NORM", "DYNAMIC_FUTURE"})
_NOT_FREE |= {"POWERED_DOWN", "POWERING_UP", "POWERING_DOWN", "POWER_DOWN", "REBOOT_ISSUED", "REBOOT_REQUESTED"}
_RESERVED = frozenset({"RESERVED", "MAINTENANCE"})  # free for the jobs of its reservation alone
_log = logging.getLogger("arvnodeman.slurm")
Found = TypeVar("Found")


@quick
@dataclass(frozen=True, slots=True)
class Contact:
    """When the node that has a name was first and last heard from, as far as this process knows."""

    instance_id: str
    first: float | None
    last: float | None


class SlurmRecords:
    """Records that are names in Slurm. `uuid` and `hostname` of a record are the name."""

    clock_offset: ClassVar[float | None] = None  # Slurm does not tell; sinfo and we are of one cluster

    def __init__(self, settings: Settings, slurm: NamesInSlurm | None = None) -> None:
        self._settings = settings
        self._slurm = slurm or NamesInSlurm(settings.slurm_timeout)
        self._rest = settings.daemon.boot_fail_after * RESTS
        self._contacts: dict[str, Contact] = {}
        self._sizes = sizes_of_names(settings.sizes)
        self._advice = Advice(settings, self._slurm)

    def ask_with(self, slurm: NamesInSlurm) -> None:
        """Ask Slurm with this from now on: what it shows of all nodes is then not asked for twice in a poll."""
        self._slurm, self._advice = slurm, Advice(self._settings, slurm)

    def list_records(self) -> tuple[NodeRecord, ...]:
        """One record for each name that is ours. One `scontrol show nodes`; at the first time, and after a refusal,
        `scontrol show config`, too. ErrorKind.REFUSED when Slurm is set up so that no node may be touched."""
        now = time.time()
        shown = self._slurm.shown()
        names, sizes = names_of(self._settings, shown), self._sizes
        self._advice.check(shown, names)
        records = []
        contacts: dict[str, Contact] = {}
        for name in names:
            node = shown.get(name)
            if node is None:
                continue
            mark = read_mark(node.comment)
            if mark is not None and mark.instance_id:
                contacts[name] = contact_of(node, mark.instance_id, self._contacts.get(name), now)
            free = is_free(node, mark, self._rest, now)
            records.append(record_of(node, mark, contacts.get(name), free=free, size=sizes.get(name)))
        self._contacts = contacts
        return tuple(records)

    def prepare(self, intent: BootIntent, reuse: str | None) -> RecordPrepared:
        """prepare_all() of one. ErrorKind.SLOTS when no name is free, or this one is not any more."""
        return only_one(self.prepare_all([(intent, reuse)]))

    def prepare_all(self, wishes: Sequence[tuple[BootIntent, str | None]]) -> list[RecordPrepared | RemoteFailure]:
        """Write each intent on a free name, which is kept drained until it is told where its node is: Slurm starts jobs
        on whatever registers, and a job whose node cannot be reached is lost. What came of each."""
        shown = self._slurm.shown_nodes([name for _, name in wishes if name is not None and self._may_ask(name)])
        now = time.time()
        failures: dict[str, RemoteFailure] = {}
        taken: dict[str, BootIntent] = {}
        for intent, name in wishes:
            node = shown.get(name or "")
            if name is None or node is None or name in taken or not self._may_have(node, intent, now):
                continue  # no name for it
            taken[name] = intent
        self._set_aside({name: intent for name, intent in taken.items() if "DRAIN" not in shown[name].flags}, failures)
        notes = [NameNote(name, mark_of_boot(intent)) for name, intent in taken.items() if name not in failures]
        failures |= self._slurm.note_all(notes)
        found: list[RecordPrepared | RemoteFailure] = []
        for intent, name in wishes:
            if name is None or taken.get(name) is not intent:
                unknown = name is not None and name not in shown
                found.append(unknown_name(name) if unknown and name is not None else self._no_name(intent.size))
            elif name in failures:
                found.append(failures[name])
            else:
                mark = NameMark(intent=intent)
                record = record_of(shown[name], mark, None, free=False, size=self._sizes.get(name))
                found.append(RecordPrepared(record, Secret("")))
        return found

    def _may_ask(self, name: str) -> bool:
        try:
            self._slurm.check_changeable(name)
        except RemoteFailure:
            return False
        return True

    def _may_have(self, node: ShownNode, intent: BootIntent, now: float) -> bool:
        mark = read_mark(node.comment)
        ours = mark is not None and mark.intent is not None and mark.intent.token == intent.token
        if self._sizes.get(node.name) not in (None, intent.size):
            return False
        return ours or is_free(node, mark, self._rest, now)

    def describe(self, uuid: str, node: CloudNode) -> None:
        """describe_all() of one."""
        only_one(self.describe_all([(uuid, node)]))

    def describe_all(self, nodes: Sequence[tuple[str, CloudNode]]) -> list[RemoteFailure | None]:
        """Each name is this instance's, and is found at its address, once it has one: then it may have jobs."""
        shown = self._slurm.shown_nodes([name for name, _ in nodes if self._may_ask(name)])
        notes = []
        for name, node in nodes:
            if name not in shown:
                continue
            drain = drain_of(shown[name].reason)
            for_another = drain is not None and (drain.kind == OUR_BOOT or drain.instance != node.report_id)
            resume = node.address is not None and for_another and "DRAIN" in shown[name].flags
            notes.append(NameNote(name, mark_of_node(node.report_id), node.address, resume))
        failures = self._slurm.note_all(notes)
        return [failures.get(name) if name in shown else unknown_name(name) for name, _ in nodes]

    def release(self, uuid: str, action: str) -> None:
        """release_all() of one."""
        only_one(self.release_all([uuid], action))

    def release_all(self, uuids: Sequence[str], action: str) -> list[RemoteFailure | None]:
        """No mark, and nobody's address. The Slurm node has been set DOWN before that, where it was up."""
        failures = self._slurm.note_all([NameNote(uuid, "", NOBODYS_ADDRESS) for uuid in uuids])
        return [failures.get(uuid) for uuid in uuids]

    def _set_aside(self, intents: Mapping[str, BootIntent], failures: dict[str, RemoteFailure]) -> None:
        """DOWN and drained: so a node that registers stays without jobs, and a resume works, which it does not for a
        name that has never been up. A slurmd that comes up just now is somebody's; then this name is not free."""
        if not intents:
            return
        reasons = {name: reason_for(OUR_BOOT, intent.token) for name, intent in intents.items()}
        failures |= self._slurm.drain_all(reasons)
        drained = [name for name in reasons if name not in failures]
        shown = self._slurm.shown_nodes(drained) if drained else {}
        anothers = [name for name in drained if name not in shown or answers(shown[name])]
        failures |= self._slurm.resume_all(anothers)
        for name in anothers:
            failures.setdefault(name, self._no_name())
        failures |= self._slurm.set_down_all({name: reasons[name] for name in drained if name not in failures})

    def _no_name(self, size: str = "") -> RemoteFailure:
        listed, hint = self._settings.daemon.node_names or "every node of Slurm", "[Daemon] node_names"
        own = next((each.node_names for each in self._settings.sizes if each.id == size and each.node_names), "")
        if own:
            listed, hint = own, f"[Size {size}] node_names"
        return RemoteFailure(RemoteError(ErrorKind.SLOTS, NO_NAME.format(listed), hint=hint))


def only_one(found: Sequence[Found | RemoteFailure]) -> Found:
    """The one result of a list of one. Raises it where it is a failure."""
    (only,) = found
    if isinstance(only, RemoteFailure):
        raise only
    return only


def unknown_name(name: str) -> RemoteFailure:
    """Slurm does not know this name."""
    return UnknownNode("scontrol", f"it does not know the node {name}")


def names_of(settings: Settings, shown: Mapping[str, ShownNode]) -> tuple[str, ...]:
    """The names that are ours, in order: those that sizes have for themselves; for other sizes those of `node_names`,
    else all nodes of `partitions`, else all; never the dummy of Arvados' dispatcher."""
    daemon = settings.daemon
    own = [name for size in settings.sizes for name in names_in(size.node_names)]
    if own and all(size.node_names for size in settings.sizes):
        return tuple(dict.fromkeys(name for name in own if name != DUMMY_NODE))
    if daemon.node_names:
        names: Iterable[str] = hostlist(daemon.node_names)
    elif daemon.partitions:
        names = [name for name, node in shown.items() if not set(daemon.partitions).isdisjoint(node.partitions)]
    else:
        names = shown
    return tuple(dict.fromkeys(name for name in (*own, *names) if name != DUMMY_NODE))


def sizes_of_names(sizes: Iterable[SizeSection]) -> Mapping[str, str]:
    """Whose nodes alone may have a name, for the names that a size has for itself."""
    return {name: size.id for size in sizes for name in names_in(size.node_names)}


def contact_of(node: ShownNode, instance_id: str, before: Contact | None, now: float) -> Contact:
    """What Slurm tells of the node that has a name. Whether the slurmd is this node's, or one that an earlier node had
    under the name, shows in the time of its start: the Fleet holds that against the node's own."""
    if before is not None and before.instance_id != instance_id:
        before = None
    first, last = (before.first, before.last) if before else (None, None)
    if node.slurmd_started is not None and not _set_down_since(node):
        first = first or node.slurmd_started
        if answers(node):
            last = now
    return Contact(instance_id, first, last)


def answers(node: ShownNode) -> bool:
    """Does a slurmd answer under this name? One that Slurm keeps down, as ReturnToService asks it to, answers too."""
    return (
        node.responds
        and node.slurmd_started is not None
        and node.base not in ("UNKNOWN", "FUTURE")
        and not _set_down_since(node)
    )


def _set_down_since(node: ShownNode) -> bool:
    """It is down, and the slurmd that Slurm knows is older than that: the last one's."""
    return (
        node.base == "DOWN"
        and node.slurmd_started is not None
        and (node.reason_at is None or node.slurmd_started <= node.reason_at)
    )


def is_free(node: ShownNode, mark: NameMark | None, rest: float, now: float) -> bool:
    """May a new node have this name? What the cloud lists under it, and what we are doing with it, the Fleet knows."""
    ours = node.reason.startswith(OURS)
    if mark is not None or node.works or answers(node) or not _NOT_FREE.isdisjoint(node.flags):
        return False
    if "DRAIN" in node.flags and not ours:
        return False  # somebody has taken it out of use
    if node.base == "IDLE":
        return not node.responds
    if node.base not in ("UNKNOWN", "DOWN"):
        return False
    return not (ours and node.reason_at is not None and 0 <= now - node.reason_at < rest)


def record_of(
    node: ShownNode, mark: NameMark | None, contact: Contact | None, *, free: bool, size: str | None = None
) -> NodeRecord:
    """A name as a record. `size`: whose nodes alone may have it."""
    return NodeRecord(
        uuid=node.name,
        hostname=node.name,
        domain="",
        slot=None if mark is None else 1,  # it holds something that has to be given back
        instance_id=mark.instance_id or None if mark else None,
        modified_at=(contact.last or contact.first) if contact else None,  # before the first answer: its slurmd's start
        first_ping_at=contact.first if contact else None,
        last_ping_at=(contact.last or contact.first) if contact else None,
        intent=mark.intent if mark else None,
        address=node.address or node.name,
        free=free,
        partitions=node.partitions,
        reserved=not _RESERVED.isdisjoint(node.flags),
        size=size,
    )
