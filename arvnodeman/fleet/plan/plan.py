"""The plan: what follows from a picture of all that is known. Pure: a value in, a value out.

Which jobs a node is there or coming for, what is booted and for whom, which shutdowns are taken back and which boots
end before the cloud is asked, which nodes go and which stay, and why each job waits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from arvnodeman.fleet.plan import account_limits, attempts, licences
from arvnodeman.fleet.plan.ahead import AheadShare
from arvnodeman.fleet.plan.booting import Booting, NewNode
from arvnodeman.fleet.plan.ends import NodeEnding
from arvnodeman.fleet.plan.picture import BOOTING, IdleBin, Keep, Kept, NodeTally, Picture, Stop, size_of, zone_of
from arvnodeman.fleet.plan.spares import SpareShare, boots_for_spares, wishes_of
from arvnodeman.fleet.plan.traits import KnownTraits
from arvnodeman.fleet.plan.wishlist import Group, Supply
from arvnodeman.fleet.sizes.table import SizeTable
from arvnodeman.fleet.values import reasons
from arvnodeman.fleet.values.gate import OPEN, Gate
from arvnodeman.fleet.values.model import JobShape, NodeSize, Policy
from arvnodeman.fleet.values.quick import quick
from arvnodeman.fleet.values.reasons import Reason
from arvnodeman.fleet.values.reasons_of_use import ProbeFirst

TOO_MANY_NODES = "Job's min_nodes constraint is greater than the configured max_nodes ({max_nodes})"
TOO_DEAR = "Job's price ({price:g}) is above system's max_price limit ({cap:g})"


class Share(NamedTuple):
    """What the plan has for the jobs of one shape."""

    shape: JobShape
    places: Sequence[int]  # their turns
    choices: Sequence[NodeSize] = ()  # the sizes that fit them, in the order in which they are tried
    served: int = 0  # so many of the first jobs have all their nodes, there or coming
    partly: int = 0  # nodes that the next one has
    booting: int = 0  # jobs among the served for which boots begin now
    cause: Reason | None = None  # why the next one waits; its `until`, when that may end by itself
    limit: int = 0  # so many of the first jobs may want nodes
    in_rooms: int = 0  # nodes that the served have where other jobs work
    shut_room: Reason | None = None  # why no such room counts for them

    @property
    def waits(self) -> bool:
        """Is there a job that is not served, and may be?"""
        return self.served < min(len(self.places), self.limit)

    @property
    def wants(self) -> bool:
        """Is a node coming for a job of it, or does one wait that may have some?"""
        return bool(self.booting) or (self.waits and not self.never)

    @property
    def never(self) -> str:
        """Why none of them can ever be served, in the words that their users read: they are to be cancelled."""
        return self.cause.text if isinstance(self.cause, reasons.Unsatisfiable) else ""


@quick
@dataclass(frozen=True, slots=True)
class Plan:
    """What follows from one picture. Nodes are named by id, boots by their numbers."""

    shares: Mapping[JobShape, Share] = field(default_factory=dict)
    tally: NodeTally = field(default_factory=NodeTally)  # of the picture
    gate: Gate = OPEN  # likewise
    news: int = 0  # likewise
    in_force: bool = False  # its boots begin
    boots: Sequence[NewNode] = ()
    take_back: Sequence[str] = ()  # nodes whose shutdown is to be taken back, in turn
    end_boots: Sequence[int] = ()  # that nobody needs, and of which the cloud knows nothing
    verdicts: Sequence[Keep | Stop] = ()  # at a node poll: nodes that go, or that something keeps, in turn
    wanted_idle: Sequence[tuple[Sequence[IdleBin], Reason]] = ()  # at a node poll: idle nodes that jobs have
    stopped: Reason | None = None  # the limit that stops a job
    stopped_size: NodeSize | None = None
    wanted: Mapping[str, int] = field(default_factory=dict)  # wished nodes by size
    spares: Sequence[SpareShare] = ()
    ahead: Sequence[AheadShare] = ()  # for jobs that cannot start yet


class Allotment:
    """What one picture has for jobs: all of a plan but which nodes go. It is kept as long as it would come out the
    same: a poll that brings nothing new needs none, and the two plans of a round need one."""

    def __init__(self, picture: Picture, before: Allotment | None = None) -> None:
        """Match supply to demand, then see what is to be booted. `before`: that of an earlier picture."""
        self._known: KnownTraits = before._known.of_picture(picture) if before is not None else KnownTraits(picture)
        groups = {shape: Group(shape, places) for shape, places in picture.demand.items()}
        servable = _servable(groups.values(), picture)
        seekers = attempts.seekers_of(servable, picture, self._known)
        self.wanted: dict[str, int] = {}  # wished nodes by size
        for group in servable:
            size = group.choices[0].id
            self.wanted[size] = self.wanted.get(size, 0) + group.nodes_lacking
        if seekers is not None:
            self.booting, self.supply = attempts.serve(picture, seekers, self._known)
        else:
            self.booting, self.supply = attempts.each_alone(picture, servable)
        for group in groups.values():
            if group.cause is None and group.short_of is not None:
                group.cause = group.short_of
        for shape, memory in picture.vain.items():
            if groups[shape].cause is None:
                groups[shape].cause = memory.probing()
        in_rooms = {each.shape: each.in_rooms for each in seekers or () if each.in_rooms}
        shut = picture.shut_rooms
        self.shares = {shape: _share(group, in_rooms.get(shape, 0), shut.get(shape)) for shape, group in groups.items()}
        self.take_back = _taken_back(picture, self.booting.backs)
        self.end_boots = _unneeded(picture, self.supply, self.booting)
        self._picture = picture
        self._live = _live(picture)

    def is_of(self, picture: Picture) -> bool:
        """Would it come out the same of another picture? Not where time alone may change it."""
        was = self._picture
        return (
            picture.demand is was.demand
            and picture.tally is was.tally
            and picture.policy is was.policy
            and picture.table is was.table
            and picture.outlook is was.outlook
            and not (picture.vain or picture.shut_rooms or was.vain or was.shut_rooms)
            and picture.names is was.names is None
            and picture.asking == was.asking
            and picture.other_size_may_try == was.other_size_may_try
            and picture.bounds == was.bounds
            and picture.leaving == was.leaving
            and picture.pending == was.pending
            and self._live is not None
            and self._live == _live(picture)
            and picture.run_times == was.run_times
            and picture.funds == was.funds
            and picture.placed_on == was.placed_on
            and picture.coming_for == was.coming_for
            and picture.placed_rooms == was.placed_rooms
            and picture.ahead == was.ahead
            and wishes_of(picture) == self.booting.wishes
        )


def _live(picture: Picture) -> tuple[object, ...] | None:
    """What of a picture changes in place, as it is now; None: a size rests, so time counts."""
    health = picture.health.values()
    if any(each.rests for each in health):
        return None
    return picture.table.names_known, [each.proven for each in health]


def plan(picture: Picture, allotment: Allotment | None = None) -> Plan:
    """See what jobs get, then which nodes go. `allotment`: that of this picture, where it is known."""
    for_jobs = allotment if allotment is not None else Allotment(picture)
    booting, shares = for_jobs.booting, for_jobs.shares
    ending = None
    if picture.ends is not None:
        ending = NodeEnding(picture, picture.ends, for_jobs.supply, booting)
        ending_boots = frozenset(for_jobs.end_boots)
        ended = sum(boot.at_once and boot.id in ending_boots for boot in picture.pending)
        kept = [case.price for case in picture.ends.cases if isinstance(case, Kept)]
        in_the_way = booting.would_have_room(kept)
        seeks = partial(_seeks, shares.values())
        ending.walk(frozenset(for_jobs.take_back), ended, booting.room_wanted, seeks, in_the_way=in_the_way)
        ending.stop_spent()
        rooms = any(share.in_rooms for share in shares.values()) or any(share.rooms for share in booting.ahead)
        if not (rooms or any(share.wants for share in shares.values())):
            ending.run_dry()
    return Plan(
        shares=shares,
        tally=picture.tally,
        gate=picture.gate,
        news=picture.news,
        in_force=picture.in_force,
        boots=booting.boots,
        take_back=for_jobs.take_back,
        end_boots=for_jobs.end_boots,
        verdicts=ending.verdicts if ending is not None else (),
        wanted_idle=ending.wanted if ending is not None else (),
        stopped=booting.stopped,
        stopped_size=booting.stopped_size,
        wanted=for_jobs.wanted,
        spares=booting.spares,
        ahead=booting.ahead,
    )


def _share(group: Group, in_rooms: int, shut_room: Reason | None) -> Share:
    return Share(
        group.shape,
        group.places,
        group.choices,
        group.served,
        group.partly,
        group.booting,
        group.cause,
        group.limit,
        in_rooms,
        shut_room,
    )


# ---- which jobs may have nodes ---------------------------------------------------------------------------------------


def unsatisfiable(shape: JobShape, table: SizeTable, policy: Policy) -> str | None:
    """Why a job can never be served, in the words that its user reads; None when it can."""
    choices = table.choices(shape)
    if not choices:
        return table.why_none(shape)
    if shape.nodes > policy.max_nodes > 0:  # with max_nodes = 0 nothing is booted, and nobody's job is to blame
        return TOO_MANY_NODES.format(max_nodes=policy.max_nodes)
    price = choices[0].price * shape.nodes
    if policy.max_total_price > 0 and price > policy.max_total_price + 1e-9:
        return TOO_DEAR.format(price=price, cap=policy.max_total_price)
    return None


def _servable(groups: Iterable[Group], picture: Picture) -> list[Group]:
    """The groups of which any job may have nodes; the others' causes say why not."""
    servable = [group for group in groups if _is_servable(group, picture)]
    if picture.vain:
        servable = [group for group in servable if not _is_held_back(group, picture)]
    if picture.funds.standings:
        servable = [group for group in servable if not _is_spent_out(group, picture)]
    if picture.outlook.licences:
        licences.share(servable, picture.outlook)
        servable = [group for group in servable if group.limit]
    if picture.outlook.accounting:
        account_limits.share(servable, picture.outlook.accounting)
        servable = [group for group in servable if group.limit]
    return servable


def _is_servable(group: Group, picture: Picture) -> bool:
    """May any job of a group have nodes? Else its cause says why not."""
    group.choices = picture.table.choices(group.shape)
    text = unsatisfiable(group.shape, picture.table, picture.policy)
    if text is None:
        return True
    if group.shape.size is not None and picture.table.is_missing(group.shape.size):
        group.cause = reasons.Plain(
            text=f"size {group.shape.size} cannot be booted now: the provider does not offer it"
        )
    else:
        group.cause = reasons.Unsatisfiable(text=text)
    return False


def _is_spent_out(group: Group, picture: Picture) -> bool:
    """Is all money of a budget spent that pays for a group? Then nodes that are there are not for it, either."""
    cause = picture.funds.spent_out(group.shape)
    if cause is not None:
        group.cause, group.limit = cause, 0
    return cause is not None


def _is_held_back(group: Group, picture: Picture) -> bool:
    """How many jobs of a group that nodes did not help may want some, those that Slurm plans for it included. True when
    it is none."""
    memory = picture.vain.get(group.shape)
    if memory is None:
        return False
    group.cause = memory.cause(picture.t)
    planned = sum(picture.tally.planned.get(size.id, 0) for size in group.choices) // group.shape.nodes
    group.limit = 0 if group.cause is not None else max(0, memory.at_once - planned)
    return group.limit == 0


def _seeks(shares: Iterable[Share], pool: str) -> bool:
    """May a waiting job get a node of this pool? What Slurm plans may be the probe of a group."""
    size, zone = size_of(pool), zone_of(pool)
    return any(
        (share.limit > 0 or isinstance(share.cause, ProbeFirst))
        and not share.never
        and share.shape.place.has(zone)
        and any(size == each.id for each in share.choices)
        for share in shares
    )


# ---- what is taken back, and what need not come ----------------------------------------------------------------------


def _taken_back(picture: Picture, backs: Mapping[str, int]) -> list[str]:
    """The newest shutdowns of each pool; before them that of a node at its last look."""
    if not backs:
        return []
    left = dict(backs)
    found = []
    for node in sorted(picture.leaving, key=lambda node: (node.id != picture.asking, -node.begun)):
        if left.get(node.pool, 0) > 0:
            left[node.pool] -= 1
            found.append(node.id)
    return found


def _unneeded(picture: Picture, supply: Supply, booting: Booting) -> list[int]:
    """Boots that nobody needs any more, of those that the cloud has not been asked for. The youngest first. Those for
    spares are needed as long as no job waits for room."""
    kept = {} if booting.room_wanted else boots_for_spares(supply, booting.wishes)
    surplus = {pool: kinds[BOOTING] - kept.get(pool, 0) for pool, kinds in supply.counts.items() if kinds[BOOTING]}
    superfluous = picture.tally.up - picture.policy.min_nodes
    found: list[int] = []
    for boot in sorted(picture.pending, key=lambda boot: -boot.id):
        if superfluous <= 0:
            break
        if boot.stoppable and surplus.get(boot.pool, 0) > 0:
            surplus[boot.pool] -= 1
            superfluous -= 1
            found.append(boot.id)
    return found
