"""A world of a few nodes, written by hand, around a Fleet: what the tests of its rules are told in.

Nothing happens here by itself: a test lists nodes, records, Slurm's words and jobs, tells the Fleet of them by polls,
and answers the steps that it gives (`done`, `fail`), or lets all be carried out (`obey`). Whole sites that live by
themselves are in arvnodeman/foresight.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self, TypeVar

from arvnodeman.fleet.fleet import Fleet
from arvnodeman.fleet.messages import (
    CancelJob,
    CloudListed,
    Command,
    CreateNode,
    DescribeNode,
    DestroyNode,
    DrainNode,
    Event,
    FindNode,
    ListSizes,
    LookAtNode,
    LookForNode,
    NodeSeen,
    Note,
    OperatorSaid,
    Poll,
    PollFailed,
    PollNow,
    PrepareRecord,
    QueueListed,
    RecordPrepared,
    RecordsListed,
    ReleaseRecord,
    ResumeNode,
    SetNodeDown,
    SetWord,
    Step,
    StepDone,
    StepFailed,
    StepResult,
    SyncFqdn,
    Tick,
)
from arvnodeman.fleet.operations.name_steps import OfferFeatures
from arvnodeman.fleet.outlook.ahead import NOTHING_AHEAD, Outlook, Placing
from arvnodeman.fleet.values.budgets import NOTHING_SPENT, Spending
from arvnodeman.fleet.values.model import (
    CloudNode,
    Directive,
    ErrorKind,
    Job,
    JobShape,
    NodeRecord,
    NodeState,
    OperatorDirective,
    Policy,
    ProviderSize,
    RemoteError,
    Secret,
    SizeSection,
)
from arvnodeman.fleet.values.work import NodeWork
from arvnodeman.fleet.view.view import NodeStatus
from arvnodeman.slurm.words import node_work, state_of

S = TypeVar("S", bound=Step)

DAY = 86400.0
EPOCH = 1_700_000_000.0
MINUTE = 60.0
HOUR = 3600.0
POLL_TAKES = 0.5  # seconds
ALWAYS = (0.0, 60.0)  # shutdown windows: always open
NEVER = (1e9, 1.0)  # not in our lifetime

OFFERS = (
    ProviderSize("small", "small", ram=2000, disk=10, price=0.1),
    ProviderSize("large", "large", ram=8000, disk=40, price=0.4),
)
SECTIONS = (
    SizeSection("small", cores=1, instance_type="small"),
    SizeSection("large", cores=4, instance_type="large"),
)
HELD = OperatorDirective(Directive.HOLD, "to be looked at")  # a node that no rule shuts down
ONE = JobShape()  # a job that every size serves
BIG = JobShape(cores=4)  # one that only the large size serves


def policy(**options: Any) -> Policy:
    """Two sizes, shutdown windows always open, the slurm dispatcher; the rest by default, or as asked for. Jobs never
    begin here, and for a day nothing is made of that."""
    return replace(
        Policy(sections=SECTIONS, shutdown_windows=ALWAYS, max_nodes=8, slurm=True, use_within=DAY), **options
    )


def jobs(count: int, shape: JobShape = ONE, *, priority: int = 0, name: str = "job") -> list[Job]:
    """Waiting jobs of one shape."""
    return [Job(f"zzzzz-dz642-{name}{number:04}", shape, priority, "Resources") for number in range(count)]


@dataclass
class World:
    """Lists for a Fleet, and what it commands. Times are wall clock times; the server clocks are right."""

    policy: Policy = field(default_factory=policy)
    offers: tuple[ProviderSize, ...] = OFFERS
    now: float = EPOCH
    cloud: dict[str, CloudNode] = field(default_factory=dict)  # by id
    records: dict[str, NodeRecord] = field(default_factory=dict)  # by uuid
    slurm: dict[str, NodeWork] | None = field(default_factory=dict)
    jobs: Sequence[Job] = ()
    outlook: Outlook = NOTHING_AHEAD  # of Slurm's reservations and licences
    spending: Spending = NOTHING_SPENT  # of budgets, by all who know
    silent: set[str] = field(default_factory=set)  # uuids of records whose node does not ping
    steps: list[Step] = field(default_factory=list)  # not answered yet
    asked: list[Step] = field(default_factory=list)  # all of them
    notes: list[Note] = field(default_factory=list)
    polls_asked: list[frozenset[Poll]] = field(default_factory=list)
    serial: int = 0
    fleet: Fleet = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """A new daemon, which knows nothing; the answers to the old one are lost."""
        self.fleet = Fleet(self.policy, self.now)
        self.steps.clear()

    # ---- what there is ----------------------------------------------------------------------------------------------

    def node(
        self,
        name: str = "compute1",
        size: str = "small",
        slurm: str | None = "idle",
        *,
        age: float = 2 * HOUR,
        first_ping: float | None = None,
        reason: str = "",
        responding: bool = True,
        record: bool = True,
        **cloud: Any,
    ) -> str:
        """One node, up for `age` seconds, that pings; its id. `slurm` None: Slurm does not know it."""
        identity, fqdn = f"i-{name}", f"{name}.zzzzz"
        begin = self.now - age
        node = CloudNode(identity, fqdn, identity, fqdn, size, size, start_time=begin)
        self.cloud[identity] = replace(node, **cloud)
        if record:
            ping = begin + 100 if first_ping is None else first_ping
            self.records[f"r-{name}"] = NodeRecord(
                f"r-{name}", name, "zzzzz", int(name.strip("abcdefghijklmnopqrstuvwxyz") or 0), identity,
                created_at=begin - 60, modified_at=self.now, first_ping_at=ping, last_ping_at=self.now,
            )  # fmt: skip
        if slurm is not None:
            self.says(name, slurm, reason=reason, responding=responding, size=size)
        return identity

    def says(
        self, name: str, state: str, *, reason: str = "", responding: bool = True, size: str | None = None
    ) -> None:
        """Slurm's word on a node from now on; feature and weight stay, or are right for a size."""
        assert self.slurm is not None
        old = self.slurm.get(name, node_work(name, state))
        if size is not None:
            price = next((offer.price or 0 for offer in self.offers if offer.id == size), 0)
            old = replace(old, features=frozenset({f"instancetype={size}"}), weight=int(price * 1000))
        self.slurm[name] = replace(old, state=state_of(state), reason=reason, responding=responding)

    def change_record(self, name: str, **fields: Any) -> None:
        """Change the record of a node."""
        self.records[f"r-{name}"] = replace(self.records[f"r-{name}"], **fields)

    def change_cloud(self, name: str, **fields: Any) -> None:
        """Change what the cloud says of a node."""
        self.cloud[f"i-{name}"] = replace(self.cloud[f"i-{name}"], **fields)

    # ---- what the Fleet is told -------------------------------------------------------------------------------------

    def tell(self, event: Event) -> list[Command]:
        """One event; what it commands is kept."""
        commands = self.fleet.handle(event, self.now)
        for command in commands:
            match command:
                case Step():
                    self.steps.append(command)
                    self.asked.append(command)
                case Note():
                    self.notes.append(command)
                case PollNow(polls):
                    self.polls_asked.append(polls)
        return commands

    def sizes(self) -> None:
        """The Fleet asks the provider for its sizes, and is told."""
        self.tell(Tick())
        for step in self.open(ListSizes):
            self.done(step, self.offers)

    def poll_cloud(self, *, without: Iterable[str] = (), offset: float | None = None) -> None:
        """A cloud list comes, but for some ids."""
        left_out = set(without)
        listed = [node for node in self.cloud.values() if node.id not in left_out]
        self.tell(CloudListed(listed, self.now - POLL_TAKES, offset))

    def poll_records(self, *, without: Iterable[str] = (), offset: float | None = None) -> None:
        """A list of node records comes, with sinfo, but for some uuids; all nodes have pinged but the silent ones."""
        for uuid, record in self.records.items():
            if record.instance_id in self.cloud and record.first_ping_at is not None and uuid not in self.silent:
                self.records[uuid] = replace(record, last_ping_at=self.now, modified_at=self.now)
        left_out = set(without)
        listed = [record for record in self.records.values() if record.uuid not in left_out]
        self.tell(
            RecordsListed(listed, dict(self.slurm) if self.slurm is not None else None, self.now - POLL_TAKES, offset)
        )

    def poll_queue(self, *waiting: Job) -> None:
        """The queue comes; `waiting` is what it has from now on."""
        if waiting:
            self.jobs = waiting
        there = Placing().of(self.jobs, self.outlook, self.now)
        spending = replace(self.spending, at=self.now)
        self.tell(QueueListed(there, self.now - POLL_TAKES, outlook=self.outlook, spending=spending))

    def poll_fails(self, poll: Poll, *, slurm: bool = False) -> None:
        """A poll has failed."""
        self.tell(PollFailed(poll, RemoteError(ErrorKind.TRANSIENT, "no answer"), slurm))

    def begin(self, *waiting: Job) -> Self:
        """The sizes and the first list of each kind."""
        self.sizes()
        self.cycle(*waiting, every=0)
        return self

    def cycle(self, *waiting: Job, every: float = MINUTE, times: int = 1) -> None:
        """Time passes, and each list comes once."""
        for _ in range(times):
            self.now += every
            self.poll_cloud()
            self.poll_records()
            self.poll_queue(*waiting)

    def wait(self, seconds: float) -> None:
        """Time passes, and no list comes: only what the Fleet asked to be woken for."""
        end = self.now + seconds
        for _ in range(1000):
            at = self.fleet.next_wakeup()
            if at is None or at > end:
                break
            self.now = max(self.now, at)
            self.tell(Tick())
        else:
            raise AssertionError("the Fleet asks to be woken without end")
        self.now = end

    def say(self, name: str, directive: Directive, reason: str = "") -> None:
        """An operator speaks."""
        self.tell(OperatorSaid(name, directive, reason))

    # ---- answers ----------------------------------------------------------------------------------------------------

    def open(self, kind: type[S]) -> list[S]:
        """Steps of one kind that wait for an answer."""
        return [step for step in self.steps if isinstance(step, kind)]

    def one(self, kind: type[S]) -> S:
        """The one step of a kind that waits for an answer."""
        (step,) = self.open(kind)
        return step

    def done(self, step: Step, result: StepResult = None) -> None:
        """A step has been carried out."""
        self.steps.remove(step)
        self.tell(StepDone(step, result))

    def fail(self, step: Step, kind: ErrorKind = ErrorKind.TRANSIENT, text: str = "it broke", **error: Any) -> None:
        """A step has failed."""
        self.steps.remove(step)
        self.tell(StepFailed(step, RemoteError(kind, text, **error)))

    def obey(self, *kinds: type[Step]) -> None:
        """Carry out what is asked for (of these kinds; all when none is named) until nothing is left."""
        for _ in range(1000):
            step = next((step for step in self.steps if isinstance(step, kinds or Step)), None)
            if step is None:
                return
            if self._lacks(step):
                self.fail(step, ErrorKind.GONE, "no such node")
            else:
                self.done(step, self._carry_out(step))
        raise AssertionError("the Fleet asks for steps without end")

    def _lacks(self, step: Step) -> bool:
        match step:
            case DrainNode() | ResumeNode() | SetNodeDown():
                return step.hostname not in (self.slurm or {})
            case SetWord() | SyncFqdn():
                return step.node.id not in self.cloud
            case _:
                return False

    def _carry_out(self, step: Step) -> StepResult:
        match step:
            case ListSizes():
                return self.offers
            case PrepareRecord():
                return self._prepare(step)
            case CreateNode():
                return self._create(step)
            case FindNode():
                return next((node for node in self.cloud.values() if node.token == step.token), None)
            case DestroyNode():
                self.cloud.pop(step.node.id, None)
            case LookForNode():
                return self.cloud.get(step.node.id)
            case LookAtNode():
                seen = (self.slurm or {}).get(step.hostname)
                return NodeSeen(seen, 0 if step.jobs and seen is not None else None)
            case SyncFqdn():
                self.cloud[step.node.id] = replace(self.cloud[step.node.id], fqdn=step.fqdn)
            case SetWord():
                self.cloud[step.node.id] = replace(self.cloud[step.node.id], directive=step.directive)
            case ReleaseRecord():
                self.records[step.uuid] = NodeRecord(step.uuid, created_at=0.0, modified_at=self.now)
            case CancelJob():
                self.jobs = [job for job in self.jobs if job.id != step.job.id]
            case _:
                self._tell_slurm(step)
        return None

    def _tell_slurm(self, step: Step) -> None:
        assert self.slurm is not None
        match step:
            case DescribeNode():
                old = self.slurm.get(step.hostname, node_work(step.hostname, "down"))
                features = frozenset({f"instancetype={step.size}"})
                self.slurm[step.hostname] = replace(old, features=features, weight=step.weight)
            case OfferFeatures():
                for hostname in step.hostnames:
                    self.slurm[hostname] = replace(self.slurm[hostname], features=step.features)
            case DrainNode():
                busy = self.slurm[step.hostname].state.works
                responding = self.slurm[step.hostname].responding
                self.says(step.hostname, "drng" if busy else "drain", reason=step.reason, responding=responding)
            case ResumeNode():
                self.says(step.hostname, "alloc" if self.slurm[step.hostname].state.said == "drng" else "idle")
            case SetNodeDown():
                self.says(step.hostname, "down", reason=step.reason, responding=False)

    def _prepare(self, step: PrepareRecord) -> RecordPrepared:
        self.serial += 1
        slot = next(n for n in range(1, 1000) if all(record.slot != n for record in self.records.values()))
        uuid = step.reuse or f"r-new{self.serial}"
        record = NodeRecord(
            uuid, f"compute{slot}", "zzzzz", slot, created_at=self.now, modified_at=self.now, intent=step.intent
        )
        self.records[uuid] = record
        return RecordPrepared(record, Secret("secret"))

    def _create(self, step: CreateNode) -> CloudNode:
        self.serial += 1
        identity, fqdn = f"i-new{self.serial}", step.record.fqdn
        size, name = step.size, fqdn or ""
        node = CloudNode(
            identity, name, identity, fqdn, size.id, size.provider_id, start_time=self.now, token=step.token
        )
        if size.rung is not None:
            node = replace(node, rung=size.rung.key, tagged_price=size.price, preemptible=size.preemptible)
        self.cloud[identity] = node
        return node

    # ---- what comes of it -------------------------------------------------------------------------------------------

    def created(self) -> list[str]:
        """The sizes of all create requests so far."""
        return [step.size.id for step in self.asked if isinstance(step, CreateNode)]

    def destroyed(self) -> list[str]:
        """The ids of all nodes that a destroy was asked for."""
        return [step.node.id for step in self.asked if isinstance(step, DestroyNode)]

    def prepared(self) -> list[str]:
        """The sizes of all boots begun so far."""
        return [step.intent.size for step in self.asked if isinstance(step, PrepareRecord) if step.logger]

    def drained(self) -> list[str]:
        """The hostnames of all drains so far."""
        return [step.hostname for step in self.asked if isinstance(step, DrainNode)]

    def status(self, name: str = "compute1") -> NodeStatus:
        """A node as the view shows it."""
        return self.fleet.view.nodes[f"i-{name}"]

    def state(self, name: str = "compute1") -> NodeState:
        """Its state."""
        return self.status(name).state

    def why(self, name: str = "compute1") -> str:
        """Why it is there, or goes."""
        return self.fleet.view.nodes[f"i-{name}"].why.words(self.fleet.view.t)

    def reason(self, shape: JobShape = ONE) -> str:
        """Why the next job of a shape waits; '' when it has its nodes."""
        waiting = self.fleet.view.waiting[shape]
        return waiting.cause.words(self.fleet.view.t) if waiting.cause is not None else ""

    def log(self, level: int = 0) -> list[str]:
        """The lines of the log from a level on."""
        return [note.text % note.args for note in self.notes if note.level >= level]
