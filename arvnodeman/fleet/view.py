"""The Fleet as others see it: an immutable account, published after each poll, read from any thread without locks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

from arvnodeman.fleet.causes import Cause
from arvnodeman.fleet.messages import Poll
from arvnodeman.fleet.model import Job, JobShape, NodeState, Policy


class NodeStatus(NamedTuple):
    """One node. Times are steady seconds of the view (`View.t`)."""

    id: str
    name: str
    hostname: str | None
    size: str | None
    price: float
    state: NodeState
    since: float
    slurm: str  # Slurm's word, '' for none
    idle_since: float | None
    word: str  # the operator's, with its reason
    why: Cause  # why it is there, or why it goes
    first_seen: float


class Waiting(NamedTuple):
    """The jobs of one shape."""

    jobs: int
    served: int  # so many of the first have all their nodes, there or coming
    places: Sequence[int]  # where they stand in `View.jobs`
    cause: Cause | None  # why the next one waits


class OperationStatus(NamedTuple):
    """One operation under way."""

    id: int
    kind: str  # boot, shutdown, chore
    subject: str
    stage: str
    since: float
    attempts: int


@dataclass(frozen=True, slots=True)
class View:
    """What the Fleet knew, and why it did what it did, at steady time `t`."""

    t: float
    policy: Policy
    nodes: Mapping[str, NodeStatus] = field(default_factory=lambda: MappingProxyType({}))
    operations: Sequence[OperationStatus] = ()
    counters: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    states: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))  # nodes by state
    price: float = 0.0  # $/hour of everything that exists or is booting
    quota: int = 0
    wish: int = 0  # nodes that the queue wishes for
    jobs: Sequence[Job] = ()
    waiting: Mapping[JobShape, Waiting] = field(default_factory=lambda: MappingProxyType({}))
    resting: Mapping[str, Cause] = field(default_factory=lambda: MappingProxyType({}))  # size -> why
    missing_sizes: Sequence[str] = ()
    poll_ages: Mapping[Poll, float | None] = field(default_factory=lambda: MappingProxyType({}))
    blocked: str = ""  # why nothing is decided at all now
    stopping: bool = False
