"""What the brain is told (events) and what it asks for (commands).

Events come from pollers, operators and the command line; commands go to the operators' pool, to pollers and to the log.
A `Step` is one request to the outside, which an operator carries out once and answers with `StepDone` or `StepFailed`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, NamedTuple

from arvnodeman.fleet.outlook.ahead import NOTHING_AHEAD, Outlook
from arvnodeman.fleet.values.budgets import NOTHING_SPENT, BudgetRaise, Spending
from arvnodeman.fleet.values.decisions import Decided as Decided
from arvnodeman.fleet.values.job_comments import JobsCommented
from arvnodeman.fleet.values.later_jobs import LaterJob
from arvnodeman.fleet.values.leading import LeadHeld, LeadLost
from arvnodeman.fleet.values.meant_for import MeantFor
from arvnodeman.fleet.values.model import (
    BootIntent,
    CloudNode,
    Directive,
    Job,
    JobShape,
    NodeRecord,
    NodeSize,
    OperatorDirective,
    Policy,
    ProviderSize,
    RemoteError,
    Secret,
)
from arvnodeman.fleet.values.placed import GivenBack, JobsReleased, NamesOpened, PlacedJob
from arvnodeman.fleet.values.work import NodeWork


class Poll(StrEnum):
    """The three lists that are polled."""

    CLOUD = "cloud"
    RECORDS = "records"
    QUEUE = "queue"


class Lane(StrEnum):
    """One operator is kept free for the steps of the lane DESTROY, so that boots never hold up what saves money."""

    ANY = "any"
    DESTROY = "destroy"


# ---- events: what the Fleet is told ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CloudListed:
    """A cloud poll succeeded. `started`: when its request was sent."""

    nodes: Sequence[CloudNode]
    started: float
    clock_offset: float | None = None  # the server's clock less ours, in seconds, from its Date header


@dataclass(frozen=True, slots=True)
class RecordsListed:
    """A node record poll succeeded, joined with what the scheduler says of nodes: None when it is not asked at all."""

    records: Sequence[NodeRecord]
    slurm: Mapping[str, NodeWork] | None
    started: float
    clock_offset: float | None = None


@dataclass(frozen=True, slots=True)
class QueueListed:
    """A queue poll succeeded; the jobs in the order of the queue."""

    jobs: Sequence[Job]
    started: float
    refused: Mapping[JobShape, Sequence[Job]] = field(default_factory=dict)  # for what is told while a node is up
    outlook: Outlook = NOTHING_AHEAD
    returned: Sequence[PlacedJob] = ()  # that were given back, and are not released yet
    run_times: Mapping[JobShape, float] = field(default_factory=dict)  # seconds that jobs of a group are likely to run
    later: Sequence[LaterJob] = ()  # that cannot start yet, and of which it is known when they may
    spending: Spending = NOTHING_SPENT  # of budgets


@dataclass(frozen=True, slots=True)
class PollFailed:
    """A poll ended in an error; the poller tries again by itself. `slurm`: it was Slurm that could not be reached."""

    poll: Poll
    error: RemoteError
    slurm: bool = False


@dataclass(frozen=True, slots=True)
class Tick:
    """The moment that `Fleet.next_wakeup()` named has come."""


@dataclass(frozen=True, slots=True)
class OperatorSaid:
    """An operator spoke a word on a node, named by cloud id, cloud name or hostname."""

    node: str
    directive: Directive
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RetryAsked:
    """An operator wants nodes to be tried again at once: for a group of jobs, a job, or a size, by name or id."""

    target: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PolicyChanged:
    """The configuration was read anew."""

    policy: Policy


@dataclass(frozen=True, slots=True)
class SafeMode:
    """Earlier runs ended early: until this moment (epoch seconds) lists are reported, and no operation begins."""

    until: float


@dataclass(frozen=True, slots=True)
class SizesProven:
    """Earlier runs have seen nodes of these sizes, by NAME, come up, and they are made of the same as then."""

    sizes: frozenset[str]


@dataclass(frozen=True, slots=True)
class StopAsked:
    """An orderly stop has begun: nothing new is started, boots that have reached the cloud are finished."""


# ---- commands: steps for the operators -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Step:
    """One request to the outside, part of operation `op`. `logger` is the name under which it is logged."""

    op: int
    logger: str = field(default="", kw_only=True)
    lane: ClassVar[Lane] = Lane.ANY


@dataclass(frozen=True, slots=True)
class ListSizes(Step):
    """Ask the provider for its sizes. Result: tuple[ProviderSize, ...]."""


@dataclass(frozen=True, slots=True)
class PrepareRecord(Step):
    """Take a node record with a slot and a hostname and write the intent into it: the stale record `reuse`, cleaned, or
    a new one. `is_name`: the records are names in Slurm. Result: RecordPrepared."""

    intent: BootIntent
    reuse: str | None = None
    is_name: bool = False


@dataclass(frozen=True, slots=True)
class DescribeNode(Step):
    """Give a node in Slurm a size's feature and what it `gives`, in place of others' (`without`), and its weight."""

    hostname: str
    size: str
    weight: int
    gives: tuple[str, ...] = field(default=(), repr=False)
    without: frozenset[str] = field(default=frozenset(), repr=False)


@dataclass(frozen=True, slots=True)
class DescribeRecord(Step):
    """Tell the keeper which cloud node has this record, and where that is. Result: None."""

    uuid: str
    node: CloudNode


@dataclass(frozen=True, slots=True)
class CreateNode(Step):
    """Create the cloud node, with its tags, in one request. Result: CloudNode."""

    size: NodeSize
    record: NodeRecord
    token: str
    ping_secret: Secret
    attempt: int = 1
    meant_for: tuple[MeantFor, ...] = field(default=(), compare=False, repr=False)  # for the bill alone


@dataclass(frozen=True, slots=True)
class FindNode(Step):
    """After a create that may have worked: look for its node in a fresh listing. Result: CloudNode or None."""

    size: NodeSize
    record: NodeRecord
    token: str


@dataclass(frozen=True, slots=True)
class FinishNode(Step):
    """The driver's post-create step. Result: None."""

    node: CloudNode
    record: NodeRecord


@dataclass(frozen=True, slots=True)
class SyncFqdn(Step):
    """Write the record's FQDN to the cloud node. Result: None."""

    node: CloudNode
    fqdn: str


@dataclass(frozen=True, slots=True)
class SetWord(Step):
    """Keep an operator's word (None: no word any more) in the cloud node's tag. Result: None."""

    node: CloudNode
    directive: OperatorDirective | None


@dataclass(frozen=True, slots=True)
class DrainNode(Step):
    """No more jobs begin on it; this reason is kept. Result: None."""

    hostname: str
    reason: str


@dataclass(frozen=True, slots=True)
class ResumeNode(Step):
    """Take a drain, or that it was set down, back. Result: None."""

    hostname: str


@dataclass(frozen=True, slots=True)
class LookAtNode(Step):
    """Ask Slurm, now, for one node's state; with `jobs`, also how many jobs are on it. Result: NodeSeen."""

    hostname: str
    jobs: bool = False
    lane: ClassVar[Lane] = Lane.DESTROY


@dataclass(frozen=True, slots=True)
class DestroyNode(Step):
    """Destroy the cloud node; one that is gone already counts as success. Result: None."""

    node: CloudNode
    lane: ClassVar[Lane] = Lane.DESTROY


@dataclass(frozen=True, slots=True)
class LookForNode(Step):
    """After a destroy that failed: is the node still listed? Result: CloudNode or None."""

    node: CloudNode
    lane: ClassVar[Lane] = Lane.DESTROY


@dataclass(frozen=True, slots=True)
class SetNodeDown(Step):
    """It is gone: jobs on it end; this reason is kept. Result: None."""

    hostname: str
    reason: str
    lane: ClassVar[Lane] = Lane.DESTROY


@dataclass(frozen=True, slots=True)
class ReleaseRecord(Step):
    """Clean a node record. `action` is written as its last action; `is_name`: it is a name in Slurm. Result: None."""

    uuid: str
    action: str
    is_name: bool = False
    lane: ClassVar[Lane] = Lane.DESTROY


@dataclass(frozen=True, slots=True)
class CancelJob(Step):
    """Log the reason on the job in Arvados, then cancel it. Result: None."""

    job: Job
    reason: str


@dataclass(frozen=True, slots=True)
class ExplainJob(Step):
    """Write on the job in Slurm why it will never run, where nobody cancels it. Result: None."""

    job: Job
    reason: str


@dataclass(frozen=True, slots=True)
class RecordPrepared:
    """Result of PrepareRecord."""

    record: NodeRecord
    ping_secret: Secret


@dataclass(frozen=True, slots=True)
class NodeSeen:
    """Result of LookAtNode. `node` None: Slurm answers and does not know the node; `jobs` None: not asked."""

    node: NodeWork | None
    jobs: int | None = None


_OfSlurm = NodeSeen | GivenBack | NamesOpened | JobsReleased | JobsCommented
StepResult = None | CloudNode | RecordPrepared | tuple[ProviderSize, ...] | _OfSlurm


@dataclass(frozen=True, slots=True)
class StepDone:
    """An operator has carried out a step."""

    step: Step
    result: StepResult = None


@dataclass(frozen=True, slots=True)
class StepFailed:
    """A step ended in an error. What the request did is unknown unless the error says so."""

    step: Step
    error: RemoteError


Event = (
    CloudListed
    | RecordsListed
    | QueueListed
    | PollFailed
    | Tick
    | OperatorSaid
    | RetryAsked
    | BudgetRaise
    | PolicyChanged
    | SafeMode
    | SizesProven
    | LeadHeld
    | LeadLost
    | StopAsked
    | StepDone
    | StepFailed
)


# ---- commands: the others --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PollNow:
    """Bring these polls forward."""

    polls: frozenset[Poll]


DEBUG, INFO, WARNING, ERROR = 10, 20, 30, 40  # levels of a Note: those of the logging module


class Note(NamedTuple):
    """One line for the log, put into words by the logging module only when its level is on.

    `logger` '' is the daemon actor's own; else a role with its subject, as ComputeNodeSetupActor.TOKEN. A line that
    tells of a decision says of which kind, and goes into the list of decisions whatever its level."""

    level: int  # of the logging module
    text: str  # with % placeholders
    args: tuple[object, ...] = ()
    logger: str = ""
    kind: Decided | None = None
    subject: str = ""  # of a decision: the node, size, job or list


Command = Step | PollNow | Note
