"""A world whose Slurm places jobs on names that are off, around a Fleet: names, machines and jobs, written by hand.

Slurm does here what it was seen to do: what is placed on a name powers it up, what is given back goes down with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from world import EPOCH, OFFERS, World, policy

from arvnodeman.fleet.messages import (
    CreateNode,
    DrainNode,
    LookAtNode,
    NodeSeen,
    PrepareRecord,
    QueueListed,
    RecordPrepared,
    ReleaseRecord,
    ResumeNode,
    SetNodeDown,
    Step,
    StepResult,
)
from arvnodeman.fleet.operations.name_steps import CloseNames, GiveBack, OpenNames, PowerUp, ReleaseJobs
from arvnodeman.fleet.values.model import (
    NOBODY,
    BootIntent,
    CloudNode,
    ErrorKind,
    Job,
    JobOwner,
    JobShape,
    NodeRecord,
    Policy,
    Secret,
)
from arvnodeman.fleet.values.placed import GivenBack, JobsReleased, NamesOpened, PlacedJob
from arvnodeman.fleet.values.work import NodeWork, Power, WorkKind, WorkState

OFF = WorkState(WorkKind.OFF, "idle~")
COMES = WorkState(WorkKind.UNHEARD, "idle#")
IDLE, MIX = WorkState(WorkKind.FREE, "idle"), WorkState(WorkKind.WORKING, "mix")
LEAVES = WorkState(WorkKind.DRAINING, "mix!")
GOES = WorkState(WorkKind.OFF, "idle%")
DRAINED, DOWN = WorkState(WorkKind.DRAINED, "drain~"), WorkState(WorkKind.DOWN, "down~")
TIMED_OUT = WorkState(WorkKind.UNHEARD, "down~")
STATES = {
    Power.OFF: OFF,
    Power.WANTED: COMES,
    Power.STARTING: COMES,
    Power.ON: IDLE,
    Power.LEAVING: LEAVES,
    Power.GOING: GOES,
}


def places(**options: Any) -> Policy:
    """As in the other tests, and Slurm places the jobs."""
    return policy(**{"places": True, **options})


@dataclass
class PlacedWorld(World):
    """`small-1` ... `large-3` are names, all off at first."""

    policy: Policy = field(default_factory=places)
    interactive: set[str] = field(default_factory=set)  # ids of jobs whose user waits at a terminal
    returned: list[PlacedJob] = field(default_factory=list)
    held: set[str] = field(default_factory=set)  # ids of jobs that were given back and not released
    names: int = 3  # of each size

    def __post_init__(self) -> None:
        self.slurm = {}
        for size in (offer.id for offer in OFFERS):
            for number in range(1, self.names + 1):
                name = f"{size}-{number}"
                self.slurm[name] = NodeWork(name, OFF, power=Power.OFF)
                self.records[name] = name_record(name)
        super().__post_init__()

    # ---- what there is ----------------------------------------------------------------------------------------------

    def word(self, name: str, power: Power, state: WorkState | None = None, **fields: Any) -> None:
        """Slurm's word on a name from now on."""
        assert self.slurm is not None
        self.slurm[name] = NodeWork(name, state or STATES[power], power is Power.ON, power=power, **fields)

    def says_responding(self, name: str, responding: bool) -> None:
        """Does it answer?"""
        assert self.slurm is not None
        self.slurm[name] = replace(self.slurm[name], responding=responding)

    def place(self, job: str, *names: str, power: Power = Power.STARTING, owner: JobOwner = NOBODY) -> Job:
        """Slurm places a job on these names."""
        for name in names:
            self.word(name, power, placed=True)
        placed = Job(job, JobShape(nodes=len(names), owner=owner), names=names)
        self.jobs = [*(each for each in self.jobs if each.id != job), placed]
        self.held.discard(job)
        return placed

    def machine(self, name: str, power: Power = Power.ON, state: WorkState | None = None, **cloud: Any) -> str:
        """A machine has the name, and has had it for two hours; its id."""
        identity, size = f"i-{name}", name.split("-")[0]
        begun = self.now - 7200.0
        node = CloudNode(identity, name, identity, name, size, size, start_time=begun)
        self.cloud[identity] = replace(node, **cloud)
        self.records[name] = replace(
            name_record(name),
            slot=1,
            instance_id=identity,
            free=False,
            first_ping_at=begun + 100,
            last_ping_at=self.now,
        )
        self.word(name, power, state)
        return identity

    def registers(self, name: str, state: WorkState = MIX) -> None:
        """The machine of a name has come up."""
        record = self.records[name]
        self.records[name] = replace(record, first_ping_at=self.now, last_ping_at=self.now)
        self.word(name, Power.ON, state, placed=state is MIX)
        self.jobs = [job for job in self.jobs if name not in job.names]

    def poll_records(self, *, without: Iterable[str] = (), offset: float | None = None) -> None:
        """Names that may be booted now say so."""
        assert self.slurm is not None
        for name, record in self.records.items():
            work = self.slurm.get(name)
            free = work is not None and work.power in (Power.WANTED, Power.STARTING) and record.slot is None
            self.records[name] = replace(record, free=free, modified_at=record.modified_at and self.now)
        super().poll_records(without=without, offset=offset)

    def poll_queue(self, *waiting: Job) -> None:
        """The queue comes as it is."""
        if waiting:
            self.jobs = waiting
        self.tell(QueueListed(tuple(self.jobs), self.now, returned=tuple(self.returned), spending=self.spending))

    # ---- answers ----------------------------------------------------------------------------------------------------

    def _carry_out(self, step: Step) -> StepResult:
        assert self.slurm is not None
        match step:
            case GiveBack():
                return self._give_back(step)
            case OpenNames():
                for name in step.hostnames:
                    if self.slurm[name].is_off:
                        self.word(name, Power.OFF)
                return NamesOpened(tuple(name for name in step.hostnames if self.slurm[name].power is Power.OFF))
            case ReleaseJobs():
                self.held -= {job.id for job in step.jobs}
                return JobsReleased()
            case LookAtNode():
                return NodeSeen(self.slurm.get(step.hostname))
            case ReleaseRecord():
                self.records[step.uuid] = name_record(step.uuid)
                return None
        return super()._carry_out(step)

    def _tell_slurm(self, step: Step) -> None:
        assert self.slurm is not None
        match step:
            case CloseNames():
                for name in step.hostnames:
                    if self.slurm[name].is_off:
                        self.word(name, self.slurm[name].power, DRAINED, reason=step.reason)
            case PowerUp():
                for name in step.hostnames:
                    self.word(name, Power.STARTING)
            case DrainNode():
                busy = self.slurm[step.hostname].state.busy
                power = Power.LEAVING if busy else Power.GOING
                self.word(step.hostname, power, placed=busy, reason=step.reason)
            case SetNodeDown():
                self.word(step.hostname, Power.OFF, DOWN, reason=step.reason)
            case ResumeNode():
                raise AssertionError("where Slurm places jobs, names are opened")

    def _give_back(self, step: GiveBack) -> GivenBack:
        kept = tuple(
            name
            for name in step.hostnames
            if not step.interactive and any(name in job.names and job.id in self.interactive for job in self.jobs)
        )
        given = [name for name in step.hostnames if name not in kept]
        jobs = {name: tuple(PlacedJob(job.id) for job in self.jobs if name in job.names) for name in given}
        back = {job.id for some in jobs.values() for job in some}
        self.held |= back
        self.jobs = [replace(job, names=()) if job.id in back else job for job in self.jobs]
        for name in given:
            self.word(name, Power.GOING, reason=step.reason)
        return GivenBack(jobs, kept)

    def _prepare(self, step: PrepareRecord) -> RecordPrepared:
        assert step.reuse is not None
        record = replace(name_record(step.reuse), slot=1, intent=step.intent)
        self.records[step.reuse] = record
        return RecordPrepared(record, Secret("secret"))

    def _create(self, step: CreateNode) -> CloudNode:
        node = super()._create(step)
        name = step.record.uuid
        self.records[name] = replace(self.records[name], instance_id=node.report_id, intent=None)
        return node

    # ---- what comes of it -------------------------------------------------------------------------------------------

    def booted(self) -> list[str]:
        """The names of all create requests so far."""
        return [step.record.uuid for step in self.asked if isinstance(step, CreateNode)]

    def given_back(self) -> list[str]:
        """The names of all give-backs so far."""
        return [name for step in self.asked if isinstance(step, GiveBack) for name in step.hostnames]

    def told(self, kind: type[Any]) -> list[str]:
        """The names in all steps of a kind so far."""
        return [name for step in self.asked if isinstance(step, kind) for name in step.hostnames]

    def obey_up_to(self, kind: type[Step]) -> None:
        """All but these steps are carried out, until nothing else is left."""
        while others := {type(step) for step in self.steps if not isinstance(step, kind)}:
            self.obey(*others)

    def settle(self) -> None:
        """All that is asked for is done, also what is due within a second."""
        for _ in range(5):
            self.obey()
            self.wait(0.4)
        self.obey()

    def refuse(self, kind: ErrorKind = ErrorKind.CAPACITY, text: str = "no capacity") -> None:
        """The cloud refuses all creates that wait for an answer."""
        for step in self.open(CreateNode):
            self.fail(step, kind, text)

    def why_job(self, job: str) -> str:
        """Where a job stands."""
        return self.fleet.view.placed[job].words(self.fleet.view.t)


def name_record(name: str, **fields: Any) -> NodeRecord:
    """A name that nobody has."""
    record = NodeRecord(name, name, "", address=name, size=name.split("-")[0], free=False)
    return replace(record, **fields)


def intent(name: str, token: str, at: float = EPOCH) -> BootIntent:
    """The mark of a boot that an earlier run began."""
    return BootIntent(name.split("-")[0], 0.1, token, at)


def begun(*jobs: Sequence[Any], **options: Any) -> PlacedWorld:
    """A world at its first lists."""
    return PlacedWorld(places(**options)).begin()
