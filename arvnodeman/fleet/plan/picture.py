"""What a plan is made of: all that is known now, as values. Nothing of it changes while a plan is made.

Nodes are bins: of those that work only the number counts, those alike in all that counts are counted by *pool* (one
size, and names in the same reservations), and those that may go, or come back, are told one by one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from arvnodeman.fleet.outlook.ahead import NOTHING_AHEAD, Names, Outlook
from arvnodeman.fleet.plan.purses import NO_FUNDS, Funds
from arvnodeman.fleet.plan.vain import Memory
from arvnodeman.fleet.sizes.bounds import Bounds
from arvnodeman.fleet.sizes.limits import SizeHealth
from arvnodeman.fleet.sizes.table import SizeTable
from arvnodeman.fleet.values.capacity import Capacity
from arvnodeman.fleet.values.gate import OPEN, Gate
from arvnodeman.fleet.values.leaving import ShutdownKind
from arvnodeman.fleet.values.model import JobShape, Load, Policy
from arvnodeman.fleet.values.places import Zone
from arvnodeman.fleet.values.quick import quick
from arvnodeman.fleet.values.reasons import Reason

IDLE, UNPAIRED, BOOTING, IN_GRACE = range(4)  # kinds of supply, in the order in which they are taken
KINDS = (IDLE, UNPAIRED, BOOTING, IN_GRACE)
NO_SUPPLY = -1
ROOM = -2  # what is left of a node that works, for more jobs
NOTHING = (0, 0, 0, 0)


def pool_of(size: str, zone: Zone) -> str:
    """Nodes of one size whose names are in the same reservations are alike for every job: a pool."""
    return "\n".join((size, *zone))


@lru_cache(maxsize=4096)
def size_of(pool: str) -> str:
    """The size of a pool's nodes."""
    return pool.partition("\n")[0]


@lru_cache(maxsize=4096)
def zone_of(pool: str) -> Zone:
    """The reservations that the names of a pool are in."""
    return tuple(pool.split("\n")[1:])


@quick
@dataclass(frozen=True, slots=True)
class NodeTally:
    """Everything that exists or is coming, counted. Prices are $/hour."""

    supply: Mapping[str, Sequence[int]] = field(default_factory=dict)  # by pool, of each kind of supply
    nodes: int = 0
    price: float = 0.0
    up: int = 0  # booting, unpaired, idle, busy and reserved nodes; shutdowns not counted
    creating: Mapping[str, int] = field(default_factory=dict)  # boots that the cloud has not answered, by size
    pending: Mapping[str, int] = field(default_factory=dict)  # those, and nodes that have not come up, by size
    busy: Mapping[str, int] = field(default_factory=dict)  # nodes that work, by size
    planned: Mapping[str, int] = field(default_factory=dict)  # nodes without a job that Slurm keeps for one, by size
    unused: bool = False  # there is a node on which Slurm could start something
    rooms: Mapping[str, Mapping[Capacity, int]] = field(
        default_factory=dict
    )  # by pool, what is left of nodes that work
    whole: Mapping[tuple[str, int], Mapping[Capacity, int]] = field(default_factory=dict)  # of the supply, by pool and
    # kind: nodes of which the scheduler says what they have


class Leaving(NamedTuple):
    """A node whose shutdown can be taken back."""

    id: str
    begun: int  # the higher, the later
    pool: str
    at_once: bool = False  # taking it back asks nobody: it is idle, and stays in this very round


class Pending(NamedTuple):
    """A boot whose node no list shows yet."""

    id: int
    pool: str
    stoppable: bool = True  # the cloud has not been asked
    at_once: bool = False  # when stopped it is gone, and nothing has to be given back


class IdleBin(NamedTuple):
    """A node that waits for work: a bin that is free whole."""

    id: str
    turn: int  # nodes that came earlier have a lower one
    size: str
    price: float
    held: bool = False  # by an operator
    since: float | None = None


class Chance(NamedTuple):
    """May an idle node go? `reason.goes` says so; its `until`, when that may change by itself."""

    reason: Reason
    polls: int = 0  # node polls in a row that found it idle
    enough: bool = False  # of these


class Keep(NamedTuple):
    """A node that stays, whatever the queue wants."""

    id: str
    reason: Reason
    up: bool = True
    told: bool = True  # in the log, and looked at again when the reason may end


class Stop(NamedTuple):
    """A node that goes. `reason` None: an operator's word; `drained`: in Slurm, by us, and its shutdown goes on."""

    id: str
    kind: ShutdownKind
    reason: Reason | None = None
    drained: bool = False
    works: bool = False  # its work ends first: it makes no room now


class Kept(NamedTuple):
    """A node that Slurm keeps for a job which it does not start: it goes, where nobody who may have it wants it."""

    id: str
    reason: Reason
    meanwhile: Reason  # why it stays, else
    price: float
    pool: str


class Going(NamedTuple):
    """A node that is going already. `makes_room`: soon."""

    id: str
    makes_room: bool


Case = Keep | Stop | Kept | Going


class AheadWish(NamedTuple):
    """A job that cannot start yet, for which it is time to have nodes ready."""

    job: str
    shape: JobShape
    nodes: int  # beside those that are free for it then anyway
    at: float  # steady time at which it may start
    why: str
    keeps: bool = False  # its nodes stay, and none is booted: it may start any moment, if it has not begun


class PartlyUsed(NamedTuple):
    """A node at work of which something is left."""

    id: str
    pool: str
    price: float  # $/hour
    has: Capacity
    free: Capacity

    @property
    def empty(self) -> float:
        """The part of it that is not used: of CPUs or memory, what is scarcer."""
        return min(self.free.cpus / self.has.cpus, self.free.ram / self.has.ram if self.has.ram else 1.0)


@quick
@dataclass(frozen=True, slots=True)
class Ends:
    """What may go, at a node poll."""

    cases: Sequence[Case] = ()  # in turn
    idle: Mapping[str, Sequence[IdleBin]] = field(default_factory=dict)  # nodes that wait for work, by pool
    chances: Mapping[str, Chance] = field(default_factory=dict)  # of these; asked of few
    busy: int = 0  # nodes that plainly work
    unlisted: int = 0  # nodes that no list shows, and that are coming
    may_unplan: bool = False  # a node that Slurm keeps for a job can be drained
    partly_used: Sequence[PartlyUsed] = ()  # nodes at work that may take no new jobs
    spent: Sequence[Stop] = ()  # nodes at work for spent budgets alone: they take none


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """All that a plan is made of. Times are steady seconds, `now` is `t` in seconds since the epoch."""

    policy: Policy
    t: float
    table: SizeTable
    bounds: Bounds
    health: Mapping[str, SizeHealth]  # by size
    demand: Mapping[JobShape, Sequence[int]] = field(default_factory=dict)  # groups of jobs: their turns
    tally: NodeTally = field(default_factory=NodeTally)
    leaving: Sequence[Leaving] = ()
    pending: Sequence[Pending] = ()
    gate: Gate = OPEN
    news: int = 0  # how often something has come that a plan must know
    other_size_may_try: bool = False  # one above the quota
    now: float = 0.0
    outlook: Outlook = NOTHING_AHEAD
    names: Names | None = None  # that boots could have; None: that does not matter
    vain: Mapping[JobShape, Memory] = field(default_factory=dict)  # groups for which nodes came in vain
    asking: str = ""  # a node at its last look: of those alike it is taken back first
    ends: Ends | None = None  # None: nothing is stopped now
    in_force: bool = False  # the boots of the plan begin
    shut_rooms: Mapping[JobShape, Reason] = field(default_factory=dict)  # groups for which no room counts, and why
    placed_on: Mapping[str, int] = field(default_factory=dict)  # where the scheduler places jobs: nodes that come, and
    # that have a job already, by size
    placed_rooms: Sequence[tuple[str, Capacity]] = ()  # likewise: their pools, and what these jobs leave of each
    ahead: Sequence[AheadWish] = ()  # the next to start first
    run_times: Mapping[JobShape, float] = field(default_factory=dict)  # seconds that jobs of a group are likely to run
    funds: Funds = NO_FUNDS  # what budgets say
    coming_for: Mapping[str, Mapping[Load, int]] = field(default_factory=dict)  # by pool: nodes that have not come up,
    # by the jobs that are to share each
