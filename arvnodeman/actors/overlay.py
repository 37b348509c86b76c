"""The pretended world of a dry run: what the real lists would say if our commands had been carried out.

Reality wins in the end: what is pretended of a node record, or of a name in Slurm, holds only until another instance
stands behind it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from arvnodeman.fleet.values.model import BootIntent, CloudNode, Job, NodeRecord, NodeSize, OperatorDirective
from arvnodeman.fleet.values.work import NodeWork, Power, WorkKind, WorkState
from arvnodeman.slurm.words import node_work, state_of

BOOT_TIME = 60.0  # seconds from the pretended creation of a node to its first ping
HOSTNAME = "dryrun"  # names of pretended nodes, so that no real node is meant
SLOT = 100_000
_OFF, _CLOSED = WorkState(WorkKind.OFF, "idle~"), WorkState(WorkKind.DRAINED, "drain~")
_LEAVES = WorkState(WorkKind.DRAINING, "mix!")
_DOWN, _COMES = WorkState(WorkKind.DOWN, "down~"), WorkState(WorkKind.UNHEARD, "idle#")


@dataclass(frozen=True, slots=True)
class _Made:
    """A pretended node."""

    cloud: CloudNode
    hostname: str
    record: str  # uuid
    at: float


@dataclass(frozen=True, slots=True)
class _Said:
    """What we said of a name in Slurm, while this instance stood behind it."""

    instance: str | None
    drained: bool = False
    down: bool = False
    resumed: bool = False
    reason: str = ""
    feature: str | None = None
    weight: int | None = None
    offered: frozenset[str] | None = None
    given_back: bool = False  # with the jobs placed there
    powered_up: bool = False


class Overlay:
    """Told by the operators what was done, asked by the pollers what is there. Any thread; one lock, held for a pass
    over one list at most."""

    def __init__(self, now: Callable[[], float], boot_time: float = BOOT_TIME) -> None:
        self._now = now
        self._boot_time = boot_time
        self._lock = threading.Lock()
        self._count = 0
        self._made: dict[str, _Made] = {}  # cloud id
        self._made_for: dict[str, _Made] = {}  # hostname, uuid of the record, token
        self._destroyed: set[str] = set()  # cloud ids of real nodes
        self._fqdns: dict[str, str] = {}  # cloud id
        self._words: dict[str, OperatorDirective | None] = {}  # cloud id
        self._records: dict[str, tuple[NodeRecord, str | None]] = {}  # uuid -> ours, and the instance of the real one
        self._said: dict[str, _Said] = {}  # hostname
        self._cancelled: set[str] = set()  # job ids
        self._told: dict[str, CloudNode] = {}  # record uuid -> the node that the keeper would know to have it
        self._real: dict[str, NodeRecord] = {}  # uuid
        self._hosts: dict[str, NodeRecord] = {}  # hostname

    # ---- lists, as they would be ------------------------------------------------------------------------------------

    def nodes(self, listed: Sequence[CloudNode]) -> tuple[CloudNode, ...]:
        """The cloud's list."""
        with self._lock:
            real = {node.id for node in listed}
            self._destroyed &= real
            kept = [self._changed(node) for node in listed if node.id not in self._destroyed]
            return (*kept, *(self._changed(made.cloud) for made in self._made.values()))

    def _changed(self, node: CloudNode) -> CloudNode:
        if node.id in self._fqdns:
            node = replace(node, fqdn=self._fqdns[node.id])
        if node.id in self._words:
            node = replace(node, directive=self._words[node.id])
        return node

    def records(self, listed: Sequence[NodeRecord]) -> tuple[NodeRecord, ...]:
        """The list of node records."""
        with self._lock:
            self._real = {record.uuid: record for record in listed}
            self._hosts = {record.hostname: record for record in listed if record.hostname}
            for uuid, (_, instance) in list(self._records.items()):
                real = self._real.get(uuid)
                if real is not None and real.instance_id != instance:
                    del self._records[uuid]  # somebody else has taken it
            kept = [self._as_told(record) for record in listed if record.uuid not in self._records]
            return (*kept, *(self._pinged(record) for record, _ in self._records.values()))

    def _as_told(self, record: NodeRecord) -> NodeRecord:
        node = self._told.get(record.uuid)
        if node is None:
            return record
        return replace(record, instance_id=node.report_id, address=node.address or record.address)

    def _pinged(self, record: NodeRecord) -> NodeRecord:
        """A pretended node pings once it has had the time to boot."""
        now = self._now()
        made = self._made_for.get(record.uuid)
        if made is None or not self._is_up(made):
            return record
        return replace(
            record,
            instance_id=made.cloud.report_id,
            first_ping_at=made.at + self._boot_time,
            last_ping_at=now,
            modified_at=now,
            worker_state="idle",
        )

    def _is_up(self, made: _Made) -> bool:
        return self._now() - made.at >= self._boot_time

    def slurm(self, listed: Mapping[str, NodeWork] | None) -> dict[str, NodeWork] | None:
        """sinfo's answer; None where Slurm is not asked."""
        if listed is None:
            return None
        with self._lock:
            names = {*self._said, *(made.hostname for made in self._made.values())}
            return {**listed, **{name: node for name in names if (node := self._node(name, listed.get(name)))}}

    def slurm_node(self, hostname: str, real: NodeWork | None) -> NodeWork | None:
        """One name in Slurm."""
        with self._lock:
            return self._node(hostname, real)

    def _node(self, hostname: str, real: NodeWork | None) -> NodeWork | None:
        made = self._made_for.get(hostname)
        said = self._said.get(hostname)
        if real is not None and self._is_placed_on(hostname):
            return self._name(real, made, said)
        if made is not None:
            up = self._is_up(made)
            real = replace(node_work(hostname, "idle" if up else "down", responding=up), pretended=True)
        elif said is not None and said.instance != self._instance(hostname):
            del self._said[hostname]  # another node stands there now
            return real
        if real is None or said is None:
            return real
        return _as_said(real, said)

    def _is_placed_on(self, hostname: str) -> bool:
        """Is it a name on which Slurm places jobs by itself?"""
        record = self._hosts.get(hostname)
        return record is not None and record.size is not None

    def _name(self, real: NodeWork, made: _Made | None, said: _Said | None) -> NodeWork:
        """A name on which Slurm places jobs, as it would be: Slurm waits for a node that is only pretended."""
        if made is not None:
            if said is not None and said.drained:
                return replace(real, state=_OFF, power=Power.GOING, placed=False, reason=said.reason)
            if not self._is_up(made):
                return real
            word = "mix" if real.placed else "idle"
            return replace(real, state=state_of(word), responding=True, power=Power.ON)
        return real if said is None else _name_as_said(real, said)

    def _instance(self, hostname: str) -> str | None:
        record = self._hosts.get(hostname)
        return record.instance_id if record is not None else None

    def jobs(self, listed: Sequence[Job]) -> Sequence[Job]:
        """The queue."""
        with self._lock:
            given = {name for name, said in self._said.items() if said.given_back}
            if not self._cancelled and not given:
                return listed
            self._cancelled &= {job.id for job in listed}
            kept = (job for job in listed if job.id not in self._cancelled)
            return tuple(job if given.isdisjoint(job.names) else replace(job, names=()) for job in kept)

    # ---- what was done, or would have been --------------------------------------------------------------------------

    def is_made(self, hostname: str) -> bool:
        """Is this the name of a pretended node? Nobody real is to be asked about it."""
        return hostname.startswith(HOSTNAME)

    def prepare(self, intent: BootIntent, reuse: str | None) -> NodeRecord:
        """A record with a slot."""
        with self._lock:
            self._count += 1
            real = self._real.get(reuse) if reuse is not None else None
            now = self._now()
            if real is not None and real.size is not None:  # Slurm has chosen the name
                named = replace(real, slot=SLOT + self._count, intent=intent, free=False)
                self._records[real.uuid] = (named, real.instance_id)
                return named
            record = NodeRecord(
                uuid=reuse or f"dryrn-7ekkf-{self._count:015}",
                hostname=f"{HOSTNAME}{self._count}",
                slot=SLOT + self._count,
                created_at=real.created_at if real is not None else now,
                modified_at=now,
                intent=intent,
            )
            self._records[record.uuid] = (record, real.instance_id if real is not None else None)
            return record

    def tell(self, uuid: str, node: CloudNode) -> None:
        """The keeper is told which node has a record."""
        with self._lock:
            self._told[uuid] = node

    def release(self, uuid: str) -> None:
        """A record is cleaned."""
        with self._lock:
            real = self._real.get(uuid)
            self._told.pop(uuid, None)
            if real is None or (real.size is not None and real.instance_id is None):
                self._records.pop(uuid, None)
            elif real.is_name:
                self._records[uuid] = (replace(real, instance_id=None, intent=None, slot=None), real.instance_id)
            else:
                cleaned = NodeRecord(uuid, created_at=real.created_at, modified_at=self._now())
                self._records[uuid] = (cleaned, real.instance_id)

    def create(self, size: NodeSize, record: NodeRecord, token: str) -> CloudNode:
        """A node is created; again under the same token, it is the same."""
        with self._lock:
            found = self._find(token)
            if found is not None:
                return found
            self._count += 1
            identity, now = f"dry-run-{self._count}", self._now()
            hostname = record.hostname or identity
            node = CloudNode(
                id=identity,
                name=hostname,
                report_id=identity,
                fqdn=record.fqdn,
                size_tag=size.id,
                provider_size=size.provider_id,
                price=size.price,
                start_time=now,
                preemptible=size.preemptible,
                token=token,
            )
            made = self._made[identity] = _Made(node, hostname, record.uuid, now)
            self._made_for |= dict.fromkeys((hostname, record.uuid, token), made)
            return node

    def find(self, token: str) -> CloudNode | None:
        """The pretended node of a boot."""
        with self._lock:
            return self._find(token)

    def _find(self, token: str) -> CloudNode | None:
        made = self._made_for.get(token)
        return made.cloud if made is not None else None

    def destroy(self, node: CloudNode) -> None:
        """A node is destroyed."""
        with self._lock:
            made = self._made.pop(node.id, None)
            if made is None:
                self._destroyed.add(node.id)
            else:
                self._said.pop(made.hostname, None)
                for name in (made.hostname, made.record, made.cloud.token or ""):
                    self._made_for.pop(name, None)
            self._fqdns.pop(node.id, None)
            self._words.pop(node.id, None)

    def is_there(self, node: CloudNode) -> bool:
        """Is it listed still?"""
        with self._lock:
            return node.id not in self._destroyed and (node.id in self._made or not node.id.startswith("dry-run-"))

    def sync_fqdn(self, node: CloudNode, fqdn: str) -> None:
        """The FQDN at the cloud is written."""
        with self._lock:
            self._fqdns[node.id] = fqdn

    def set_directive(self, node: CloudNode, directive: OperatorDirective | None) -> None:
        """An operator's word is kept."""
        with self._lock:
            self._words[node.id] = directive

    def describe(self, hostname: str, size: str, weight: int) -> None:
        """Feature and weight in Slurm."""
        self._say(hostname, feature=f"instancetype={size}", weight=weight)

    def offer(self, hostnames: Sequence[str], features: frozenset[str]) -> None:
        """Features of free names in Slurm."""
        for hostname in hostnames:
            self._say(hostname, offered=features)

    def drain(self, hostname: str, reason: str) -> None:
        """Drained in Slurm."""
        self._say(hostname, drained=True, down=False, resumed=False, reason=reason)

    def resume(self, hostname: str) -> None:
        """Resumed in Slurm."""
        self._say(hostname, drained=False, down=False, resumed=True, reason="")

    def set_down(self, hostname: str, reason: str) -> None:
        """Set DOWN in Slurm."""
        self._say(hostname, drained=False, down=True, resumed=False, reason=reason)

    def give_back(self, hostnames: Sequence[str]) -> None:
        """The jobs placed on these names are back in the queue."""
        for hostname in hostnames:
            self._say(hostname, given_back=True, powered_up=False)

    def open_names(self, hostnames: Sequence[str]) -> None:
        """Jobs can be placed there again."""
        for hostname in hostnames:
            self._say(hostname, drained=False, down=False, resumed=True, reason="")

    def close_names(self, hostnames: Sequence[str], reason: str) -> None:
        """No job is placed there any more."""
        for hostname in hostnames:
            self.drain(hostname, reason)

    def power_up(self, hostnames: Sequence[str]) -> None:
        """Slurm waits for nodes of these names."""
        for hostname in hostnames:
            self._say(hostname, powered_up=True)

    def _say(self, hostname: str, **words: object) -> None:
        with self._lock:
            instance = self._instance(hostname)
            old = self._said.get(hostname)
            if old is None or old.instance != instance:
                old = _Said(instance)
            self._said[hostname] = replace(old, **words)  # type: ignore[arg-type]  # fields of _Said, by name

    def cancel(self, job: Job) -> None:
        """A job is cancelled."""
        with self._lock:
            self._cancelled.add(job.id)


def _name_as_said(real: NodeWork, said: _Said) -> NodeWork:
    """A name without a node, on which Slurm places jobs, as it would be after what we said of it."""
    waits = real.power in (Power.WANTED, Power.STARTING)
    if waits and not said.given_back:
        return real
    if not (waits or real.power in (Power.OFF, Power.GOING)):
        return _up_as_said(real, said)
    if said.powered_up:
        return replace(real, state=_COMES, power=Power.STARTING)
    if said.drained:
        return replace(real, state=_CLOSED, power=Power.OFF, placed=False, reason=said.reason)
    if waits or said.resumed:
        return replace(real, state=_OFF, power=Power.OFF, placed=False, reason="")
    return real


def _up_as_said(real: NodeWork, said: _Said) -> NodeWork:
    """The same of one with a node."""
    if said.down:
        return replace(real, state=_DOWN, power=Power.OFF, placed=False, reason=said.reason)
    if said.drained and real.state.busy:
        return replace(real, state=_LEAVES, power=Power.LEAVING, reason=said.reason)
    if said.drained:
        return replace(real, state=_OFF, power=Power.GOING, placed=False, reason=said.reason)
    return replace(real, state=_OFF, power=Power.OFF, placed=False, reason="") if said.resumed else real


def _as_said(real: NodeWork, said: _Said) -> NodeWork:
    """A name in Slurm, as it would be after what we said of it."""
    shown, reason, responding = real.state, real.reason, real.responding
    if said.down:
        shown, reason, responding = state_of("down"), said.reason, False
    elif said.drained:
        shown, reason = state_of("drng" if shown.busy else "drain"), said.reason
    elif said.resumed:
        shown, reason = state_of("idle") if shown.kind is WorkKind.DOWN else shown.undrained, ""
    features, weight = real.features if said.offered is None else said.offered, real.weight
    if said.feature is not None and said.weight is not None:
        others = {feature for feature in features if not feature.startswith("instancetype=")}
        features, weight = frozenset({*others, said.feature}), said.weight
    return replace(real, state=shown, reason=reason, responding=responding, features=features, weight=weight)
