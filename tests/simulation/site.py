"""The simulated site: cloud nodes, node records, Slurm nodes and jobs, changed by steps and by the passing of time.

Only what the Fleet can see or cause is here. All randomness comes from the one generator given, so a history repeats.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from arvnodeman.fleet.messages import (
    CancelJob,
    CreateNode,
    DescribeNode,
    DestroyNode,
    DrainNode,
    FindNode,
    FinishNode,
    ListSizes,
    LookAtNode,
    LookForNode,
    NodeSeen,
    PrepareRecord,
    RecordPrepared,
    ReleaseRecord,
    ResumeNode,
    SetNodeDown,
    SetWord,
    Step,
    StepResult,
    SyncFqdn,
)
from arvnodeman.fleet.operations.name_steps import OfferFeatures
from arvnodeman.fleet.values.gres import Gres, meets
from arvnodeman.fleet.values.model import (
    BootIntent,
    CloudNode,
    ErrorKind,
    Job,
    JobShape,
    NodeRecord,
    OperatorWord,
    ProviderSize,
    RemoteError,
    RemoteFailure,
    Secret,
    SlurmNode,
)

MAINTENANCE = "Reserved for maintenance"
ON_THE_WAY = 1.0  # seconds from Slurm's answer about a node to the request that destroys it, when neither has to wait


@dataclass(slots=True)
class SimNode:
    """A cloud node."""

    id: str
    name: str
    size: str
    token: str
    created: float
    record: str
    secret: str
    fqdn: str | None = None
    word: OperatorWord | None = None
    up: bool = False  # pings
    up_since: float = 0.0
    dead: bool = False  # listed, and does nothing for ever
    stopped: bool = False
    price: float = 0.0


@dataclass(slots=True)
class SimRecord:
    """A node record."""

    uuid: str
    slot: int | None = None
    created: float = 0.0
    modified: float = 0.0
    secret: str = ""
    instance: str | None = None
    first_ping: float | None = None
    last_ping: float | None = None
    intent: BootIntent | None = None

    @property
    def hostname(self) -> str | None:
        """computeN."""
        return f"compute{self.slot}" if self.slot else None


@dataclass(slots=True)
class SimSlurmNode:
    """A name that Slurm knows."""

    name: str
    node: str | None = None  # cloud id of the node whose slurmd answers
    down: bool = True
    drain: bool = False
    reason: str = ""
    features: frozenset[str] = frozenset()
    weight: int = 0
    job: str | None = None

    @property
    def state(self) -> str:
        """As sinfo says it, without flags."""
        if self.job is not None:
            return "drng" if self.drain else "alloc"
        if self.drain:
            return "drain"
        return "down" if self.down else "idle"


@dataclass(slots=True)
class SimJob:
    """A job, from submission to its end."""

    id: str
    shape: JobShape
    duration: float
    priority: int
    submitted: float
    nodes: tuple[str, ...] = ()  # hostnames that it runs on
    runs: int = 0  # times that it was started
    done: bool = False
    cancelled: str = ""
    started: float | None = None


@dataclass(slots=True)
class Tally:
    """What must not happen, and what is worth knowing."""

    busy_destroyed: list[str] = field(default_factory=list)
    records_stolen: list[str] = field(default_factory=list)  # record of a live node cleaned
    created: int = 0
    destroyed: int = 0
    requeued: int = 0
    resumed_meanwhile: int = 0  # nodes that came up while the request to destroy them was on its way
    most_nodes: int = 0
    cost: float = 0.0


class Site:
    """One cluster. `now` is set by the clock that drives it."""

    def __init__(self, sizes: tuple[ProviderSize, ...], rng: random.Random, *, slots: int = 64) -> None:
        self.sizes = sizes
        self.rng = rng
        self.now = 0.0
        self.cloud: dict[str, SimNode] = {}
        self.records: dict[str, SimRecord] = {}
        self.slurm = {f"compute{n}": SimSlurmNode(f"compute{n}") for n in range(1, slots + 1)}
        self.jobs: dict[str, SimJob] = {}
        self.slots = slots
        self.gres: Mapping[str, Gres] = {}  # by size: what its nodes have
        self.partitions: Mapping[str, tuple[str, ...]] = {}  # by size: those that its nodes are in; else in all
        self.never: Mapping[str, str] = {}  # by QOS: jobs that Slurm never starts, and why; '': it says nothing of it
        self.quota: int | None = None
        self.no_capacity: set[str] = set()
        self.tally = Tally()
        self.killed_on_request: set[str] = set()  # cloud ids that an operator's kill may destroy while busy
        self.on_boot: Callable[[SimNode], None] = lambda node: None
        self.on_start: Callable[[SimJob], None] = lambda job: None
        self._serial = 0
        self._looked: dict[str, float] = {}  # when Slurm was last asked about a node, by hostname

    # ---- what the lists say -----------------------------------------------------------------------------------------

    def list_cloud(self) -> tuple[CloudNode, ...]:
        """The cloud's node list."""
        return tuple(self._cloud_node(node) for node in self.cloud.values())

    def _cloud_node(self, node: SimNode) -> CloudNode:
        return CloudNode(
            id=node.id,
            name=node.name,
            report_id=node.id,
            fqdn=node.fqdn,
            size_tag=node.size,
            provider_size=node.size,
            start_time=node.created,
            stopped=node.stopped,
            word=node.word,
            token=node.token,
        )

    def list_records(self) -> tuple[NodeRecord, ...]:
        """The node record list."""
        return tuple(
            NodeRecord(
                uuid=record.uuid,
                hostname=record.hostname,
                domain="sim" if record.slot else None,
                slot=record.slot,
                instance_id=record.instance,
                created_at=record.created,
                modified_at=record.modified,
                first_ping_at=record.first_ping,
                last_ping_at=record.last_ping,
                intent=record.intent,
            )
            for record in self.records.values()
        )

    def list_slurm(self) -> dict[str, SlurmNode]:
        """sinfo."""
        return {name: self._slurm_node(node) for name, node in self.slurm.items()}

    def _slurm_node(self, node: SimSlurmNode) -> SlurmNode:
        answers = node.node in self.cloud and self.cloud[node.node].up if node.node is not None else False
        state = "plnd" if node.state == "idle" and answers and self._is_planned(node) else node.state
        return SlurmNode(node.name, state, answers, node.weight, node.features, node.reason)

    def _is_planned(self, node: SimSlurmNode) -> bool:
        """Slurm keeps it for a job that has to wait for the end of a maintenance."""
        return any(
            MAINTENANCE in self.never.get(job.shape.owner.qos, "") and self._fits(node, job.shape)
            for job in (self._waiting() if self.never else ())
        )

    def _waiting(self) -> list[SimJob]:
        return [job for job in self.jobs.values() if not job.nodes and not job.done and not job.cancelled]

    def can_start(self, job: SimJob) -> bool:
        """By the rules of Slurm of which the Fleet sees nothing."""
        return job.shape.owner.qos not in self.never

    def _refusal(self, job: SimJob) -> str:
        """What Slurm says of a job that it never starts, now that a node is up; '' before that, and of others."""
        reason = self.never.get(job.shape.owner.qos, "")
        up = any(slurm.state in ("idle", "alloc") and slurm.node in self.cloud for slurm in self.slurm.values())
        return reason if reason and up else ""

    def list_queue(self) -> tuple[Job, ...]:
        """squeue: the jobs that wait for nodes."""
        return tuple(
            Job(job.id, job.shape, job.priority, "Resources") for job in self._waiting() if not self._refusal(job)
        )

    def list_refused(self) -> dict[JobShape, list[Job]]:
        """squeue: the jobs that wait for something else."""
        found: dict[JobShape, list[Job]] = {}
        for job in self._waiting() if self.never else ():
            if reason := self._refusal(job):
                found.setdefault(job.shape, []).append(Job(job.id, job.shape, job.priority, reason))
        return found

    # ---- what steps do ----------------------------------------------------------------------------------------------

    def carry_out(self, step: Step) -> StepResult:  # noqa: C901 - one case for each kind of step
        """Do what a step asks for; raises RemoteFailure."""
        match step:
            case ListSizes():
                return self.sizes
            case PrepareRecord():
                return self._prepare(step)
            case DescribeNode():
                slurm = self._slurm(step.hostname)
                slurm.features, slurm.weight = frozenset({f"instancetype={step.size}"}), step.weight
                self.schedule()
            case OfferFeatures():
                for hostname in step.hostnames:
                    self._slurm(hostname).features = step.features
                self.schedule()
            case CreateNode():
                return self._create(step)
            case FindNode():
                return next((self._cloud_node(n) for n in self.cloud.values() if n.token == step.token), None)
            case SyncFqdn():
                self._node(step.node.id).fqdn = step.fqdn
            case SetWord():
                self._node(step.node.id).word = step.word
            case DrainNode():
                self.drain(step.hostname, step.reason)
            case ResumeNode():
                self.resume(step.hostname)
            case LookAtNode():
                slurm_node = self.slurm.get(step.hostname)
                self._looked[step.hostname] = self.now
                jobs = None if slurm_node is None or not step.jobs else int(slurm_node.job is not None)
                return NodeSeen(self._slurm_node(slurm_node) if slurm_node is not None else None, jobs)
            case DestroyNode():
                self._destroy(step.node.id)
            case LookForNode():
                found = self.cloud.get(step.node.id)
                return self._cloud_node(found) if found is not None else None
            case SetNodeDown():
                self.set_down(step.hostname, step.reason)
            case ReleaseRecord():
                self._release(step.uuid)
            case CancelJob():
                self.jobs[step.job.id].cancelled = step.reason
            case FinishNode() | _:
                pass
        return None

    def _slurm(self, hostname: str) -> SimSlurmNode:
        node = self.slurm.get(hostname)
        if node is None:
            raise RemoteFailure(RemoteError(ErrorKind.GONE, f"Invalid node name specified: {hostname}"))
        return node

    def _node(self, identity: str) -> SimNode:
        node = self.cloud.get(identity)
        if node is None:
            raise RemoteFailure(RemoteError(ErrorKind.GONE, f"no node {identity}"))
        return node

    def _name(self, kind: str) -> str:
        self._serial += 1
        return f"{kind}{self._serial:06d}"

    def _prepare(self, step: PrepareRecord) -> RecordPrepared:
        record = self.records.get(step.reuse) if step.reuse is not None else None
        if record is None:
            record = SimRecord(f"zzzzz-7ekkf-{self._name('r'):0>15}", created=self.now)
        else:
            self._check_stolen(record)
            record.instance = record.first_ping = record.last_ping = None
        if record.slot is None:
            used = {other.slot for other in self.records.values()}
            record.slot = next((n for n in range(1, self.slots + 1) if n not in used), None)
            if record.slot is None:
                raise RemoteFailure(RemoteError(ErrorKind.SLOTS, "no free slot: look at MaxComputeVMs"))
        record.modified, record.secret, record.intent = self.now, self._name("s"), step.intent
        self.records[record.uuid] = record
        listed = next(other for other in self.list_records() if other.uuid == record.uuid)
        return RecordPrepared(listed, Secret(record.secret))

    def _release(self, uuid: str) -> None:
        record = self.records[uuid]
        self._check_stolen(record)
        record.slot = record.instance = record.first_ping = record.last_ping = record.intent = None
        record.modified, record.secret = self.now, self._name("s")

    def _check_stolen(self, record: SimRecord) -> None:
        if record.instance in self.cloud and self.cloud[record.instance or ""].up:
            self.tally.records_stolen.append(record.uuid)

    def _create(self, step: CreateNode) -> CloudNode:
        for node in self.cloud.values():
            if node.token == step.token:
                return self._cloud_node(node)
        if step.size.id in self.no_capacity:
            raise RemoteFailure(RemoteError(ErrorKind.CAPACITY, "InsufficientCapacity"))
        if self.quota is not None and len(self.cloud) >= self.quota:
            raise RemoteFailure(RemoteError(ErrorKind.QUOTA, "QuotaExceeded"))
        node = SimNode(
            self._name("i-"),
            step.record.fqdn or "",
            step.size.id,
            step.token,
            self.now,
            step.record.uuid,
            step.ping_secret.reveal(),
            step.record.fqdn,
            price=step.size.price,
        )
        self.cloud[node.id] = node
        self.tally.created += 1
        self.tally.most_nodes = max(self.tally.most_nodes, len(self.cloud))
        self.on_boot(node)
        return self._cloud_node(node)

    def _destroy(self, identity: str) -> None:
        node = self._node(identity)
        record = self.records.get(node.record)
        slurm = self.slurm.get(record.hostname or "") if record is not None else None
        busy = slurm is not None and slurm.node == identity and slurm.job is not None
        if busy and slurm is not None and self._came_since_the_look(node, slurm):
            self.tally.resumed_meanwhile += 1
        elif busy and identity not in self.killed_on_request and not node.stopped:
            self.tally.busy_destroyed.append(identity)
        self.tally.destroyed += 1
        self.vanish(identity)

    def _came_since_the_look(self, node: SimNode, slurm: SimSlurmNode) -> bool:
        """Its image joined and took our drain back between Slurm's answer and this request: nobody could know."""
        looked = self._looked.get(slurm.name, 0.0)
        return node.up and node.up_since > looked >= self.now - ON_THE_WAY

    # ---- what happens by itself -------------------------------------------------------------------------------------

    def vanish(self, identity: str) -> None:
        """The cloud node is gone; its job sits there until Slurm is told, or finds out."""
        node = self.cloud.pop(identity)
        self.tally.cost += node.price * (self.now - node.created) / 3600

    def ping(self, node: SimNode) -> bool:
        """The node pings. False: it was told to halt."""
        record = self.records.get(node.record)
        if record is None or record.secret != node.secret:
            node.up, node.dead = False, True
            return False
        record.last_ping = record.modified = self.now
        if record.first_ping is None:
            record.first_ping, record.instance = self.now, node.id
        if not node.up and record.hostname is not None:
            node.up, node.up_since = True, self.now
            slurm = self.slurm[record.hostname]
            slurm.node = node.id
            self.resume(slurm.name)
        return True

    def drain(self, hostname: str, reason: str) -> None:
        """scontrol update State=DRAIN."""
        slurm = self._slurm(hostname)
        slurm.drain, slurm.reason = True, reason

    def stop(self, identity: str) -> None:
        """The cloud stops a node (spot); it stays listed, and its slurmd answers no more."""
        node = self.cloud[identity]
        node.stopped, node.up, node.dead = True, False, True

    def reboot_slurm(self) -> None:
        """slurmctld is restarted: features and weights are those of slurm.conf again (row F18)."""
        for slurm in self.slurm.values():
            slurm.features, slurm.weight = frozenset(), 0

    def resume(self, hostname: str) -> None:
        """scontrol update State=RESUME."""
        slurm = self._slurm(hostname)
        slurm.drain, slurm.reason = False, ""
        slurm.down = not (slurm.node in self.cloud and self.cloud[slurm.node or ""].up)
        self.schedule()

    def set_down(self, hostname: str, reason: str) -> None:
        """scontrol update State=DOWN: the job goes back to the queue; a live slurmd comes back by itself."""
        slurm = self._slurm(hostname)
        slurm.reason = reason
        if slurm.job is not None:
            self.requeue(self.jobs[slurm.job])
        slurm.down = not (slurm.node in self.cloud and self.cloud[slurm.node or ""].up)

    def requeue(self, job: SimJob) -> None:
        """A job's node is lost."""
        self.tally.requeued += 1
        self._free(job)
        self.schedule()

    def finish(self, job: SimJob) -> None:
        """A job has ended well."""
        job.done = True
        self._free(job)
        self.schedule()

    def _free(self, job: SimJob) -> None:
        for hostname in job.nodes:
            self.slurm[hostname].job = None
        job.nodes = ()

    def submit(self, shape: JobShape, duration: float, priority: int = 0) -> SimJob:
        """sbatch."""
        job = SimJob(self._name("zzzzz-dz642-"), shape, duration, priority, self.now)
        self.jobs[job.id] = job
        self.schedule()
        return job

    def schedule(self) -> None:
        """Slurm starts what it can, by priority."""
        free = [node for node in self.slurm.values() if node.state == "idle" and node.node in self.cloud]
        if not free:
            return
        waiting = [job for job in self._waiting() if self.can_start(job)]
        for job in sorted(waiting, key=lambda job: -job.priority):
            fitting = [node for node in free if self._fits(node, job.shape)][: job.shape.nodes]
            if len(fitting) < job.shape.nodes:
                continue
            job.nodes = tuple(node.name for node in fitting)
            job.runs, job.started = job.runs + 1, self.now
            for node in fitting:
                node.job = job.id
                free.remove(node)
            self.on_start(job)
            if not free:
                return

    def _fits(self, node: SimSlurmNode, shape: JobShape) -> bool:
        cloud = self.cloud[node.node or ""]
        if not cloud.up:
            return False
        bound = self.partitions.get(cloud.size, ())
        if bound and shape.partitions and not set(bound) & set(shape.partitions):
            return False
        if shape.size is not None:
            return f"instancetype={shape.size}" in node.features
        size = next(size for size in self.sizes if size.id == cloud.size)
        return size.cores >= shape.cores and size.ram >= shape.ram and meets(self.gres.get(size.id, ()), shape.gres)
