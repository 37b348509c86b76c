"""What the scheduler's placing asks for: names whose nodes are to come, job by job, from the newest lists alone.

Nothing is matched here as it is with jobs that wait: a job keeps the names that it was given, so an idle node elsewhere
is none for it. A name that something is done with, or was since the newest list of names, counts for nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from arvnodeman.fleet.nodes.node import Node
from arvnodeman.fleet.values import reasons
from arvnodeman.fleet.values.budgets import Budget
from arvnodeman.fleet.values.model import NOBODY, Job, JobShape, NodeRecord
from arvnodeman.fleet.values.placed import PlacedJob
from arvnodeman.fleet.values.places import Place
from arvnodeman.fleet.values.reasons import Reason
from arvnodeman.fleet.values.work import NodeWork, Power, WorkKind

if TYPE_CHECKING:
    from arvnodeman.fleet.decide.state import State
    from arvnodeman.fleet.operations.boot import Boot

BOOTING = (Power.WANTED, Power.STARTING)
LIMITS = (reasons.AtMaxNodes, reasons.AtQuota, reasons.AtPriceCap, reasons.Unsatisfiable)
NO_SIZE = reasons.Plain(text="its name belongs to no configured size")
NOWHERE = Place(inside=("\n",))
"""No name of any node is in this: a job that is placed has its names, and takes no node that is there for others."""


@dataclass(slots=True)
class GivenJob:
    """A job that was given back, until it is placed anew or gone."""

    names: tuple[str, ...]
    lacked: Mapping[str, int]  # size -> nodes
    cause: Reason
    seen: float  # when it was last known to wait, in steady time
    back: bool = False  # the scheduler has said that it is in the queue again
    payer: JobShape | None = None  # whose it is, where a budget asks
    held: PlacedJob | None = None  # it may not be placed for a while, since its budget has no money
    held_until: float = 0.0  # in steady time


@dataclass(slots=True)
class Tried:
    """What the scheduler has tried for a job that a limit sends back."""

    nodes: int  # that it needs
    seen: float  # when the queue showed it last, in steady time
    sizes: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Placements:
    """What is remembered of placed jobs and their names. Times are steady."""

    acted: dict[str, float] = field(default_factory=dict)  # names that something was done with, and when that ended
    kept: dict[str, Reason] = field(default_factory=dict)  # names that were not given back, for a user at a terminal
    given: dict[str, GivenJob] = field(default_factory=dict)  # jobs that were, by id
    tried: dict[str, Tried] = field(default_factory=dict)  # jobs that a limit has sent back, until their nodes come
    said_closed: dict[str, Reason] = field(default_factory=dict)  # sizes of which it was told why they are closed
    returned: tuple[PlacedJob, ...] = ()  # jobs of the newest queue that are to be released yet
    put_off: list[PlacedJob] = field(default_factory=list)  # likewise, when something else is done with their names
    whys: dict[str, Reason] = field(default_factory=dict)  # by job: where it stands
    served: frozenset[str] = frozenset()  # jobs for all of whose names a node is there or coming
    powering: set[str] = field(default_factory=set)  # names that were powered up beside jobs, and not listed since
    hurried: set[str] = field(default_factory=set)  # those for jobs that may start soon, until the power-up is done
    alone: Counter[str] = field(default_factory=Counter)  # names that wait for a node and for no job: lists in a row
    nodeless: dict[str, int] = field(default_factory=dict)  # names without their node: the cloud list that lacked it
    warned: set[str] = field(default_factory=set)  # names that work, and whose node no list shows
    queue_started: float = 0.0  # when the newest queue was asked for
    read_for: float = 0.0  # when that queue was, for which the names were to be read again
    due: float | None = None  # a boot has ended without a node: then what is placed is decided anew


@dataclass(frozen=True, slots=True)
class Wish:
    """One job that is placed, or a name that is to come for nobody known."""

    job: str  # its id; '': none that the newest queue shows
    names: tuple[str, ...]  # that it is placed on and that are not up
    lacking: Mapping[str, tuple[str, ...]]  # size -> those of them for which no node is there or coming
    payer: JobShape | None = None  # whose it is, where a budget asks
    clears: bool = False  # something is, or was, done with one of its names, or a boot ends: later it is known better

    @property
    def shapes(self) -> dict[str, JobShape]:
        """What it lacks, as the plan is asked for it: by size."""
        owner, partitions = (self.payer.owner, self.payer.partitions) if self.payer is not None else (NOBODY, ())
        return {
            size: JobShape(size=size, nodes=len(names), place=NOWHERE, owner=owner, partitions=partitions)
            for size, names in self.lacking.items()
        }


@dataclass(frozen=True, slots=True)
class PlacedDemand:
    """All that placing asks for now."""

    wishes: Sequence[Wish]  # in the order of service
    alone: Sequence[str]  # names that wait for a node, and for no job


class PlacedNames:
    """The names as of the newest lists, with what is there and under way for them."""

    def __init__(self, state: State) -> None:
        self._state = state
        self.work: Mapping[str, NodeWork] = state.roster.slurm or {}
        self.rows: dict[str, Node] = {}
        self.in_hand: set[str] = set()
        for node in state.roster.nodes.values():
            record = node.record or node.prepared
            if record is not None and node.destroyed_at is None:
                self.rows.setdefault(record.uuid, node)
        for shutdown in state.shutdowns.values():
            if shutdown.hostname is not None:
                self.in_hand.add(shutdown.hostname)
        for operation in state.name_operations.values():
            self.in_hand |= operation.hostnames
        self.boots: dict[str, Boot] = {
            boot.hostname: boot for boot in state.boots.values() if boot.hostname is not None and boot.outcome is None
        }

    def is_fresh(self, name: str) -> bool:
        """Does the newest list tell of it as it is, with nothing under way that would change that?"""
        acted = self._state.placements.acted.get(name)
        return name not in self.in_hand and (acted is None or acted < self._state.records_started)

    def has_node(self, name: str) -> bool:
        """Is its node there or coming?"""
        return name in self.rows or name in self.boots

    def size_of(self, name: str) -> str | None:
        """The size that it belongs to, '' for none; None: the name is not ours."""
        record = self._state.roster.records.get(name)
        return None if record is None else record.size or ""

    def is_to_come(self, name: str) -> bool:
        """Does the scheduler wait for its node?"""
        work = self.work.get(name)
        return work is not None and work.power in BOOTING and work.state.kind is WorkKind.UNHEARD

    def is_up(self, name: str) -> bool:
        """Has its node registered? One that goes when no job is on it has the job that is placed there first."""
        work = self.work.get(name)
        if work is None:
            return False
        return work.power is Power.ON or (work.power is Power.LEAVING and work.state.works)

    def may_be_booted(self, name: str) -> bool:
        """Has nobody a node for it, as far as marks and lists tell?"""
        record = self._state.roster.records.get(name)
        return record is not None and (bool(record.free) or name in self._state.phantoms)


def read(state: State, names: PlacedNames) -> PlacedDemand:
    """What is asked for, from the newest lists."""
    coming = [name for name in state.roster.records if names.is_to_come(name) and names.is_fresh(name)]
    left = dict.fromkeys(coming)  # in the scheduler's order
    jobs = [job for job in state.queue.jobs if any(name in left for name in job.names)]
    jobs.sort(key=lambda job: not any(names.has_node(name) for name in job.names))
    wishes = [_wish(job, names, left, state.policy.budgets) for job in jobs]
    known = state.placements.queue_started >= state.records_started
    unknown = [name for name in left if names.work[name].placed]
    if unknown and known:  # jobs that the queue does not show
        wishes += [Wish("", (name,), by_size([name], names)) for name in unknown if not names.has_node(name)]
    alone = [name for name in left if not names.work[name].placed and not names.has_node(name)]
    return PlacedDemand(wishes, alone)


def _wish(job: Job, names: PlacedNames, left: dict[str, None], budgets: Iterable[Budget]) -> Wish:
    """What a job lacks, of names that no job before it has; nothing, while something is done with one of them."""
    own = tuple(name for name in job.names if names.is_to_come(name))
    lacking = [name for name in own if name in left and not names.has_node(name)]
    clears = not all(names.is_fresh(name) for name in own)
    clears |= not all(names.is_to_come(name) or names.is_up(name) for name in job.names)
    clears |= any(name in names.boots and names.boots[name].refusal is not None for name in own)
    for name in own:
        left.pop(name, None)
    payer = job.shape if any(budget.covers(job.shape) for budget in budgets) else None
    return Wish(job.id, own, by_size([] if clears else lacking, names), payer, clears)


def by_size(lacking: Sequence[str], names: PlacedNames) -> dict[str, tuple[str, ...]]:
    """Those of the names that may be booted, by size."""
    found: dict[str, tuple[str, ...]] = {}
    for name in lacking:
        size = names.size_of(name)
        if size is not None and names.may_be_booted(name):
            found[size] = (*found.get(size, ()), name)
    return found


def no_size(state: State, size: str) -> Reason | None:
    """Why no name of this size can have a node at all; None: it can."""
    if state.table is None or state.table.named(size) is not None:
        return None
    if not size:
        return NO_SIZE
    return reasons.Plain(text=f"size {size} cannot be booted now: the provider does not offer it")


def is_alike(before: Reason, cause: Reason) -> bool:
    """Why a size is closed: is it as before? A limit is the same whatever stands at it."""
    return type(before) is type(cause) and before.until == cause.until


def has_machine(state: State, record: NodeRecord) -> bool:
    """Does a list show a node that goes by this name, or that its mark names?"""
    return record.hostname in state.roster.carried or state.roster.is_reported(record.instance_id)
