"""The Fleet as others see it: an immutable snapshot of what it knows, read from any thread without locks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

from arvnodeman.fleet.messages import Poll
from arvnodeman.fleet.nodes.milestones import Span, Spread
from arvnodeman.fleet.nodes.node import Basis
from arvnodeman.fleet.values.budgets import BudgetStanding
from arvnodeman.fleet.values.gate import OPEN, Bar, Gate
from arvnodeman.fleet.values.leading import ALONE, Lead
from arvnodeman.fleet.values.meant_for import MeantFor
from arvnodeman.fleet.values.model import CloudNode, Job, JobShape, NodeRecord, NodeSize, NodeState, Policy, RemoteError
from arvnodeman.fleet.values.reasons import Reason
from arvnodeman.fleet.values.reasons_of_placing import Comes
from arvnodeman.fleet.values.work import NodeWork
from arvnodeman.fleet.view.grounds import Grounds
from arvnodeman.fleet.view.node_table import NodeTable
from arvnodeman.fleet.view.spares import SpareStanding


class NodeStatus(NamedTuple):
    """One node as it was when the view was published. Times are steady seconds (`View.t`)."""

    cloud: CloudNode
    record: NodeRecord | None
    node_size: NodeSize | None
    slurm_node: NodeWork | None
    hostname: str | None
    price: float
    state: NodeState
    since: float
    idle_since: float | None
    doing: str  # the stage of its shutdown, '' for none
    first_seen: float
    been_up: bool
    doubtful: bool  # not heard from for long, and kept all the same
    ending: Reason | None  # why its shutdown was begun; an operator's is in his directive
    why: Reason  # why it stays, or what is being done about it: as decided, by the one who decides
    idle_from: int = -1  # node polls that there had been before those which found it idle in a row; -1: it is not idle
    meant_for: tuple[MeantFor, ...] = ()  # the jobs that it was booted for, by this run

    @property
    def id(self) -> str:
        """The cloud's id."""
        return self.cloud.id

    @property
    def name(self) -> str:
        """The cloud's name."""
        return self.cloud.name

    @property
    def size(self) -> str | None:
        """Its configured size."""
        return self.node_size.id if self.node_size is not None else None

    @property
    def slurm(self) -> str:
        """Slurm's word, '' for none."""
        return self.slurm_node.state.said if self.slurm_node is not None else ""

    @property
    def directive(self) -> str:
        """The operator's directive with its reason, '' for none."""
        directive = self.cloud.directive
        return f"{directive.directive.value}: {directive.reason}" if directive is not None else ""


class Trouble(NamedTuple):
    """What went wrong with the newest boot of a size, while none has come up since; steady time."""

    words: str
    at: float


class Waiting(NamedTuple):
    """The jobs of one shape."""

    jobs: int
    served: int  # so many of the first have all their nodes, there or coming
    places: Sequence[int]  # where they stand in `View.jobs`
    cause: Reason | None  # why the next one waits
    choices: Sequence[NodeSize] = ()  # the sizes that fit them, in the order in which they are tried
    shut_room: Reason | None = None  # why no room on nodes at work counts for them


class VainGroup(NamedTuple):
    """A group of jobs for which nodes were up in vain, or which Slurm refused while one was up."""

    shape: JobShape
    words: str  # what it is, for people
    sizes: tuple[str, ...]  # that its jobs may get
    said: str  # Slurm's reason then
    node: str  # that stood idle for it; '': none did
    idle: float  # seconds that it did
    until: float  # steady time at which it is tried again; a probe comes first
    cause: Reason


class OperationStatus(NamedTuple):
    """One operation under way."""

    id: int
    kind: str  # boot, shutdown, chore
    subject: str
    stage: str
    since: float
    attempts: int
    size: str | None = None  # of the node that it boots or destroys
    node: str | None = None  # cloud id of the node, once there is one
    trouble: RemoteError | None = None  # what it waits for, and until when
    until: float | None = None


@dataclass(frozen=True, slots=True)
class View:
    """What the Fleet knew, and why it did what it did, at steady time `t`."""

    t: float
    policy: Policy
    basis: Basis | None = None  # what nodes are judged by
    nodes: NodeTable = field(default_factory=lambda: NodeTable({}))
    operations: Sequence[OperationStatus] = ()
    counters: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    unknown_errors: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))  # of the cloud, by code
    coming: int = 0  # nodes that are booting, and that no list shows yet
    price: float = 0.0  # $/hour of everything that exists or is booting
    quota: int = 0
    wish: int = 0  # nodes that the queue wishes for
    wanted: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))  # the same by size
    slots: int = 0  # the soft limit of node records with a slot
    sizes: Sequence[NodeSize] = ()  # the cheapest first
    proven: frozenset[str] = frozenset()  # sizes of which nodes come up
    phantoms: Sequence[str] = ()  # sizes of nodes that an earlier run's boots may yet bring
    spreads: Mapping[Span, Spread] = field(default_factory=lambda: MappingProxyType({}))
    jobs: Sequence[Job] = ()
    waiting: Mapping[JobShape, Waiting] = field(default_factory=lambda: MappingProxyType({}))
    refused: Mapping[JobShape, Sequence[Job]] = field(default_factory=lambda: MappingProxyType({}))  # by Slurm
    vain: Mapping[str, VainGroup] = field(default_factory=lambda: MappingProxyType({}))  # by the group's name
    backing_off: Mapping[str, Reason] = field(default_factory=lambda: MappingProxyType({}))  # size -> why
    troubles: Mapping[str, Trouble] = field(default_factory=lambda: MappingProxyType({}))  # by size
    placed: Mapping[str, Reason] = field(default_factory=lambda: MappingProxyType({}))  # jobs by id: where they stand
    closed: Mapping[str, Reason] = field(default_factory=lambda: MappingProxyType({}))  # sizes of names shut to jobs
    missing_sizes: Sequence[str] = ()
    budgets: Sequence[BudgetStanding] = ()
    spares: Sequence[SpareStanding] = ()
    ahead: Mapping[str, Reason] = field(default_factory=lambda: MappingProxyType({}))  # jobs that cannot start yet
    cloud_clock: float | None = None  # the cloud's clock less ours, in seconds; None: it was never shown
    poll_ages: Mapping[Poll, float | None] = field(default_factory=lambda: MappingProxyType({}))
    gate: Gate = OPEN  # what may go out now
    lead: Lead = ALONE
    grounds: Grounds | None = None  # what the newest decisions were made of; None: nothing was planned yet

    @property
    def states(self) -> Mapping[str, int]:
        """Nodes by state, those that are coming among them."""
        states = self.nodes.states()
        states[NodeState.BOOTING] += self.coming
        return states

    @property
    def served(self) -> int:
        """Waiting jobs for which a node is there or coming."""
        if self.policy.places:
            return sum(isinstance(cause, Comes) for cause in self.placed.values())
        return sum(group.served for group in self.waiting.values())

    @property
    def blocked(self) -> str:
        """Why nothing is decided at all now; '' when it is."""
        return self.gate.words

    @property
    def safe_mode(self) -> bool:
        """After a series of quick ends, nothing is created or destroyed for a while."""
        return self.gate.is_shut_by(Bar.SAFE_MODE)

    @property
    def stands_by(self) -> bool:
        """Another manager leads, or may."""
        return self.gate.is_shut_by(Bar.NOT_LEADER)

    @property
    def stopping(self) -> bool:
        """An orderly stop has begun."""
        return self.gate.is_shut_by(Bar.STOPPING)
