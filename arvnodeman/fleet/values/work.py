"""What the scheduler says that its nodes do, and why its jobs wait: in words of ours, whichever scheduler it is.

Who talks to the scheduler maps its words to these, in one table. Its own word goes with each as a text for people, by
which nothing is decided.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self

from arvnodeman.fleet.values.capacity import Capacity
from arvnodeman.fleet.values.quick import quick

OUR_SHUTDOWN = "Node Manager shutdown"
OUR_REMOVAL = "Node Manager removal"
OUR_DESTROY = "Node Manager destroy"  # its destroy may be on the way, and may arrive late: never taken back by us
OUR_BOOT = "Node Manager boot"  # of a name, until the scheduler is told where its new node is
OUR_RETURN = "Node Manager return"  # of a name whose jobs were given back to the scheduler
OUR_CLOSING = "Node Manager closed"  # of a name without a machine, on which no job is to be placed for now
OUR_NOTICE = "Node Manager notice"  # by the node itself: the cloud takes it back, in a minute or two
OUR_REBALANCE = "Node Manager rebalance"  # likewise: the cloud may take it back; it takes the drain away itself
OUR_LEASE = "Node Manager lease"  # likewise: nobody has managed it for long, and it ends itself now
_OF_NODES = (OUR_SHUTDOWN, OUR_REMOVAL, OUR_DESTROY, OUR_NOTICE, OUR_REBALANCE, OUR_LEASE)
OURS = (*_OF_NODES, OUR_BOOT, OUR_RETURN, OUR_CLOSING)
"""How the reasons of our drains begin."""


class Power(StrEnum):
    """Of a name that the scheduler has powered up and down by us: how far that is, as it says."""

    ON = "on"  # there is nothing to say of it, as of every node that is not powered by us
    OFF = "off"  # no machine is to be there, and nothing asks for one
    WANTED = "wanted"  # off, and a job is placed on it or it is asked for: it is about to be STARTING
    STARTING = "starting"  # a machine is to come, and has not registered
    LEAVING = "leaving"  # it goes when no job is on it; jobs may begin there yet
    GOING = "going"  # no job is on it, and none begins: its machine is to be destroyed


class Traits:
    """What follows from what a node does."""

    works: bool  # a job is on it, or what a job has left is cleared away
    busy: bool  # it works, or is kept for a job: it is never destroyed
    kept: bool  # no job is on it, and it is kept for one, or for a reservation
    drained: bool  # no job begins there, since somebody said so
    down: bool  # no job can be begun there, for no good reason
    vouched: bool  # with a stale record, too: the scheduler answers for it that it does not work
    hides_jobs: bool  # it is shown also for a node with jobs on it: suspended or, where it failed, running ones
    known: bool  # not TAKEN


class WorkKind(StrEnum):
    """What a node does. A node that the scheduler does not know has none of these: its NodeWork is None."""

    traits: frozenset[str]

    WORKING = "working", ("works", "busy")
    FINISHING = "finishing", ("works", "busy")  # what a job has left there is cleared away
    DRAINING = "draining", ("works", "busy", "drained")  # jobs are on it, and none begins
    FAILING = "failing", ("works", "busy")  # it has failed, and jobs are on it yet
    PLANNED = "planned", ("busy", "kept")  # no job is on it, and it is kept for one
    FREE = "free", ("vouched", "hides_jobs")
    RESERVED = "reserved", ("kept",)
    DRAINED = "drained", ("drained", "down", "vouched", "hides_jobs")  # no job is on it, and none begins
    FAILED = "failed", ("vouched", "hides_jobs")
    UNFIT = "unfit", ("down", "vouched", "hides_jobs")  # it has less than the scheduler is told that it has
    DOWN = "down", ("down", "vouched")
    OFF = "off", ("down", "vouched")  # it is powered off in good order: jobs may be placed on it all the same
    UNHEARD = "unheard", ("down",)  # nothing has been heard from it since the scheduler began
    TAKEN = "taken", ()  # somebody is at work on it, such as who has it rebooted; or it is a word that nobody knows

    def __new__(cls, value: str, traits: tuple[str, ...] = ()) -> Self:
        """A member, and what follows from it."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.traits = frozenset(traits)
        return member


FREE = WorkKind.FREE  # Python 3.11 is slow to find a member of an enumeration, and this is asked of every node


@dataclass(frozen=True)
class WorkState(Traits):
    """What the scheduler says of a node: one value for each of its few words."""

    kind: WorkKind
    said: str  # its word, for people
    resumed: WorkState | None = None  # what it says once a drain is taken back; None: it would say the same

    def __post_init__(self) -> None:
        for name in Traits.__annotations__:
            object.__setattr__(self, name, name in self.kind.traits)
        object.__setattr__(self, "known", self.kind is not WorkKind.TAKEN)

    @property
    def undrained(self) -> WorkState:
        """The same without a drain."""
        return self if self.resumed is None else self.resumed


@dataclass(frozen=True, slots=True)
class OurDrain:
    """A drain of ours, as its reason says: of which kind, and for which instance (None: that cannot be read)."""

    kind: str  # one of OURS
    instance: str | None


def reason_for(kind: str, instance: str) -> str:
    """The reason of a drain of ours: it names the instance, so that another under the same name is not meant."""
    return f"{kind} ({instance})"


def drain_of(reason: str) -> OurDrain | None:
    """Whose drain has this reason; None: somebody else's."""
    for kind in OURS:
        if reason.startswith(kind):
            begin, instance, end = reason[len(kind) :][:2], reason[len(kind) + 2 : -1], reason[-1:]
            return OurDrain(kind, instance if (begin, end) == (" (", ")") else None)
    return None


@quick
@dataclass(frozen=True, slots=True)
class NodeWork:
    """One node, as the scheduler lists it."""

    name: str
    state: WorkState
    responding: bool = True
    weight: int = 0
    features: frozenset[str] = field(default_factory=frozenset)
    reason: str = ""  # of a drain, or why it is down: for people, but for what `drain` reads in it; '' for none
    power: Power = Power.ON
    placed: bool = False  # jobs are placed on it, begun or not
    has: Capacity | None = None  # all that jobs may have of it, whatever is on it; None: not known
    free: Capacity | None = None  # what is left for more jobs; None: not known, or nobody shares it
    pretended: bool = False  # by a dry run: the scheduler does not have it, and leaves it idle for that alone

    @property
    def is_off(self) -> bool:
        """No machine is to be there, and no job can be hit by the destroy of one that is."""
        return self.power is Power.GOING or (self.power is Power.OFF and not self.placed)

    @property
    def drain(self) -> OurDrain | None:
        """The drain of ours that its reason tells of; None: none, or somebody else's."""
        return drain_of(self.reason)


class WaitKind(StrEnum):
    """Why a job waits, as the scheduler says."""

    for_nodes: bool  # more nodes would help it

    NODES = "nodes", True  # for nodes, or its turn to have some
    CONSTRAINTS = "constraints", True  # for nodes that are as it asks; while one that should be is up, more do not help
    RESERVATION = "reservation"  # for the end of a reservation or a maintenance
    RULES = "rules"  # for anything else
    NOT_SAID = "not said"  # the scheduler has not thought of it yet

    def __new__(cls, value: str, for_nodes: bool = False) -> Self:
        """A member with its attribute."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.for_nodes = for_nodes
        return member
