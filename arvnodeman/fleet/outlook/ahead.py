"""What Slurm will not do, though it does not say so while every node is off: reservations that are in a job's way,
licences that are used up, limits of its accounting.

While no node is up, Slurm's reason for a waiting job is that there is none. What stands in its way beside that shows
only once a node is there. What can be known of that beforehand is judged here, as Slurm 22.05, 24.11 and 26.05 judge.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from arvnodeman.fleet.outlook.accounting import Accounting
from arvnodeman.fleet.values.gres import Gres
from arvnodeman.fleet.values.model import NO_LIMIT, Job, JobOwner, JobShape
from arvnodeman.fleet.values.obstacles import NoSuchName, NotInside, Reserved
from arvnodeman.fleet.values.places import Place, Zone
from arvnodeman.fleet.values.reasons import Reason

UNLIMITED = 365 * 86400.0  # seconds: what Slurm takes a job without a time limit for


@dataclass(frozen=True, slots=True)
class Reservation:
    """One of Slurm's reservations. Times are seconds since the epoch."""

    name: str
    start: float
    end: float
    nodes: frozenset[str] = frozenset()
    whole: bool = True  # it holds all of its nodes; else some of their cores
    maintenance: bool = False
    elsewhere: bool = False  # its own jobs may have nodes outside, too
    overlaps: bool = False  # its own jobs may run in others that overlap with it
    attracts: bool = False  # jobs of those who may use it run in it without asking for it
    floats: bool = False  # it moves on with the time
    kinds: frozenset[str] = frozenset()  # all that it is, in the scheduler's words: compared, and no more
    users: tuple[str, ...] = ()  # those that may use it; each may begin with a -, and may not
    accounts: tuple[str, ...] = ()  # likewise
    groups: bool = False  # groups of the system's may use it: whose they are is not known
    licences: Gres = ()  # that are kept for its jobs
    ends: str = ""  # when, in words

    def holds(self, now: float, seconds: float) -> bool:
        """Does it have its nodes to itself at some time from now on, for so long?"""
        return self.whole and bool(self.nodes) and self.start < now + seconds and now < self.end

    def draws(self, owner: JobOwner) -> bool:
        """May a job of this owner run in it without asking for it?"""
        if not self.attracts:
            return False
        if self.groups:
            return True
        return _admits(self.users, owner.user) and _admits(self.accounts, owner.account)


def _admits(listed: tuple[str, ...], name: str) -> bool:
    """Is a user or an account among those that are listed, which may all be denied ones? Nobody listed: all are."""
    denied = [each[1:] for each in listed if each.startswith("-")]
    if denied:
        return name not in denied
    return not listed or name in listed


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is known of Slurm's reservations, licences and limits."""

    reservations: Mapping[str, Reservation] = field(default_factory=dict)  # by name
    licences: Mapping[str, int] = field(default_factory=dict)  # how many are neither used nor reserved; those known
    never_ours: frozenset[str] = frozenset()  # names of nodes that are booted in no case
    accounting: Accounting | None = None  # limits that concern the jobs that wait

    def place(self, shape: JobShape, time_limit: float | None, now: float) -> Place:
        """Where Slurm would start a job now. `time_limit`: in seconds; None: not known."""
        own = [self.reservations.get(name) for name in shape.reservation.split(",") if name]
        known = [reservation for reservation in own if reservation is not None]
        inside: tuple[str, ...] = ()
        needs = shape.place.needs
        if own and not any(not each.nodes or each.elsewhere for each in known):
            inside = tuple(sorted(shape.reservation.split(",")))
        if any(each.overlaps for each in known):
            return Place(inside=inside, needs=needs) if inside else shape.place
        seconds = _at_least(time_limit)
        outside = tuple(
            name
            for name, other in self.reservations.items()
            if other not in known and other.holds(now, seconds) and not other.draws(shape.owner)
        )
        return Place(outside, inside, needs) if outside or inside else shape.place

    def zones(self) -> dict[str, tuple[str, ...]]:
        """Names of nodes that reservations hold: which, in order."""
        found: dict[str, tuple[str, ...]] = {}
        for name in sorted(self.reservations):
            for node in self.reservations[name].nodes:
                found[node] = (*found.get(node, ()), name)
        return found

    def in_the_way(self, place: Place, t: float, now: float) -> Reason:
        """Why no name is left for a job that may have its nodes at this place alone."""
        others = [self.reservations[name] for name in place.outside if name in self.reservations]
        if place.needs is not None and not place.inside and not others:
            return NoSuchName(needs=place.needs.words)
        if place.inside or not others:
            return NotInside(reservation=", ".join(place.inside))
        first = min(others, key=lambda other: other.end)
        return Reserved(
            until=t + first.end - now,
            reservation=first.name,
            maintenance=first.maintenance,
            begins=t + first.start - now if first.start > now else None,
            ends=first.ends,
        )

    def differs(self, other: Outlook) -> bool:
        """Have reservations come, gone or changed? Some move on with the time, and nodes of a
        reservation that are down, or in use, are replaced by Slurm itself: with each node that goes."""

        def fixed(each: Reservation) -> tuple[Reservation, int]:
            start, end, ends = (0.0, 0.0, "") if each.floats else (each.start, each.end, each.ends)
            return replace(each, start=start, end=end, ends=ends, nodes=frozenset()), len(each.nodes)

        mine, theirs = self.reservations.values(), other.reservations.values()
        return list(map(fixed, mine)) != list(map(fixed, theirs))


NOTHING_AHEAD = Outlook()


def _at_least(time_limit: float | None) -> float:
    """Seconds that a job may run, as far as is known."""
    return 1.0 if time_limit is None else min(max(time_limit, 1.0), UNLIMITED)


def serves(there: tuple[str, ...], partitions: tuple[str, ...]) -> bool:
    """Can a name in the partitions `there` of Slurm have a node for jobs of these? Empty: not known, and any."""
    return not there or not partitions or not set(there).isdisjoint(partitions)


class Names:
    """The names that boots could have, while reservations are in the way of some, or jobs ask for some."""

    def __init__(self, names: Counter[tuple[Zone, tuple[str, ...]]], *, counted: bool = True) -> None:
        """`names`: how many there are of each zone and partitions; `counted`: each boot takes one of these; else it is
        not known which it will have."""
        self._names = names
        self._counted = counted

    def copy(self) -> Names:
        """The same names, of which a plan may take some."""
        return Names(Counter(self._names), counted=self._counted)

    def left(self, place: Place, partitions: tuple[str, ...] = ()) -> int:
        """How many more nodes for jobs of these partitions could be booted at a place."""
        there = sum(self._names[kind] for kind in self._of(place, partitions))
        return there if self._counted or not there else NO_LIMIT

    def take(self, place: Place, nodes: int, partitions: tuple[str, ...] = ()) -> None:
        """So many boots begin: names that are in no reservation go first."""
        if not self._counted:
            return
        for kind in sorted(self._of(place, partitions), key=lambda kind: len(kind[0])):
            taken = min(nodes, self._names[kind])
            self._names[kind] -= taken
            nodes -= taken

    def _of(self, place: Place, partitions: tuple[str, ...]) -> list[tuple[Zone, tuple[str, ...]]]:
        return [kind for kind in self._names if place.has(kind[0]) and serves(kind[1], partitions)]


class Placing:
    """Puts waiting jobs at the places that they may have their nodes at, poll after poll: a job that has the same place
    as before is the object that it was then."""

    def __init__(self) -> None:
        self._before: dict[int, tuple[Job, Job]] = {}  # by the identity of the first: as it was given, and with a place
        self._shapes: dict[JobShape, JobShape] = {}  # of the second

    def of(self, jobs: Iterable[Job], outlook: Outlook, now: float) -> list[Job]:
        """The jobs, each with its place. Those alike still share one shape."""
        before, self._before = self._before, {}
        if not outlook.reservations:
            self._shapes = {}
            return list(jobs)
        shape_of = self._shapes_at(outlook, now)
        known: dict[tuple[int, float | None], JobShape] = {}
        found = []
        for job in jobs:
            kind = id(job.shape), job.time_limit
            shape = known.get(kind)
            if shape is None:
                shape = known[kind] = shape_of(job)
            if shape is job.shape:
                found.append(job)
                continue
            pair = before.get(id(job))
            if pair is None or pair[0] is not job or pair[1].shape is not shape:
                pair = job, replace(job, shape=shape)
            self._before[id(job)] = pair
            found.append(pair[1])
        return found

    def _shapes_at(self, outlook: Outlook, now: float) -> Callable[[Job], JobShape]:
        """The shape of a job with its place: the same object for those alike, as far as possible that of last time."""
        starts = sorted(reservation.start - now for reservation in outlook.reservations.values())
        known: dict[tuple[int, int], JobShape] = {}
        before, self._shapes = self._shapes, {}

        def shape_of(job: Job) -> JobShape:
            kind = id(job.shape), bisect_left(starts, _at_least(job.time_limit))  # so many may begin while it would run
            shape = known.get(kind)
            if shape is None:
                place = outlook.place(job.shape, job.time_limit, now)
                shape = replace(job.shape, place=place) if place is not job.shape.place else job.shape
                shape = known[kind] = self._shapes.setdefault(shape, before.get(shape, shape))
            return shape

        return shape_of
