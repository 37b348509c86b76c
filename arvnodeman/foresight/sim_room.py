"""Where jobs may begin in the Slurm of a simulated site: its names, and which of them have room.

Both kinds of room are kept up to date name by name, so that a job that begins or ends costs what it touches.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left, insort
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol

from arvnodeman.fleet.sizes.fit import fits_in, less
from arvnodeman.fleet.values.capacity import Capacity
from arvnodeman.foresight.sim_cloud import SimNode
from arvnodeman.foresight.sim_jobs import Kind, SimGroup, SimJob


@dataclass(slots=True, eq=False)
class SimName:
    """A name that Slurm knows."""

    name: str
    number: int
    node: SimNode | None = None  # whose slurmd answers, or did last
    down: bool = True
    drain: bool = False
    reason: str = ""
    features: frozenset[str] = frozenset()
    weight: int = 0
    jobs: list[SimJob] = field(default_factory=list)
    has: Capacity | None = None  # all that its node gives to jobs; None: nobody shares it
    free: Capacity | None = None  # what is left of that
    address: str = ""  # where Slurm looks for its node; '': nodes find it
    slurmd_started: float | None = None
    silent: bool = False  # Slurm has not heard of its node since it was resumed
    reason_at: float | None = None
    kind: Kind | None = None  # under which it has room for a job
    level: tuple[int, int] = (0, 0)  # weight and free CPUs under which it has room, where names are shared

    @property
    def state(self) -> str:
        """As sinfo says it, without flags."""
        if self.jobs:
            if self.drain:
                return "drng"
            return "mix" if self.free is not None and self.free.cpus > 0 else "alloc"
        if self.drain:
            return "drain"
        return "down" if self.down else "idle"

    @property
    def order(self) -> tuple[int, int]:
        """Names are taken in this order: those of least weight first."""
        return self.weight, self.number

    def take(self, job: SimJob) -> None:
        """A job begins here."""
        self.jobs.append(job)
        if self.free is not None:
            self.free = less(self.free, job.shape)

    def give_back(self, job: SimJob) -> None:
        """A job has left. What is free is what the others leave: of GRES, no sum tells which types a job had."""
        self.jobs.remove(job)
        free = self.has
        if free is not None:
            for other in self.jobs:
                free = less(free, other.shape)
        self.free = free


Fits = Callable[[SimGroup, Kind], bool]


class SimRoom(Protocol):
    """Which names have room. What asks for it holds that no job that waits could begin before, so only room that is new
    since the last time may let one begin."""

    def __bool__(self) -> bool:
        """Has any name?"""

    def changed(self, name: SimName, kind: Kind | None) -> None:
        """A name is another than before. `kind`: as which it takes jobs; None: it takes none."""

    def taken(self, name: SimName, kind: Kind | None) -> None:
        """The same, and it has less room than before."""

    def new_to(self, groups: Collection[SimGroup]) -> Iterable[SimGroup]:
        """Those of the groups whose jobs the new room may help."""

    def for_one(self, group: SimGroup) -> Iterable[SimGroup]:
        """The same, when a job has just joined this group."""

    def find(self, group: SimGroup, *, anywhere: bool = False) -> list[SimName]:
        """As many names as one job of it has, those that it would get; fewer where there are no more. `anywhere`: what
        holds for other jobs does not for this one, as it begins together with others."""

    def settled(self) -> None:
        """What could begin has begun."""


class WholeNames:
    """A job has its names to itself: free ones by kind. The first is taken."""

    def __init__(self, by_number: Sequence[SimName], fits: Fits) -> None:
        self._by_number = by_number
        self._fits = fits
        self._free: dict[Kind, list[int]] = {}  # numbers of names, in order

    def __bool__(self) -> bool:
        return bool(self._free)

    def changed(self, name: SimName, kind: Kind | None) -> None:
        """Of those with jobs none is free."""
        if name.jobs:
            kind = None
        if kind == name.kind:
            return
        if name.kind is not None:
            numbers = self._free[name.kind]
            del numbers[bisect_left(numbers, name.number)]
            if not numbers:
                del self._free[name.kind]
        if kind is not None:
            insort(self._free.setdefault(kind, []), name.number)
        name.kind = kind

    taken = changed

    def new_to(self, groups: Collection[SimGroup]) -> Iterable[SimGroup]:
        """Kinds are few: any of the groups may ask."""
        return groups

    def for_one(self, group: SimGroup) -> Iterable[SimGroup]:
        """No other job could start before, so none can now."""
        return (group,)

    def find(self, group: SimGroup, *, anywhere: bool = False) -> list[SimName]:
        """The first free names."""
        kinds = [numbers for kind, numbers in self._free.items() if self._fits(group, kind)]
        return [self._by_number[number - 1] for number in islice(heapq.merge(*kinds), group.shape.nodes)]

    def settled(self) -> None:
        """Nothing is kept of what was new."""


class SuitingNames:
    """For groups whose jobs ask for several names: all that have room for one of them, in order. What has changed since
    a group asked last is looked at, and nothing else."""

    def __init__(self, by_number: Sequence[SimName], may_have: Callable[[SimGroup, SimName], bool]) -> None:
        self._by_number = by_number
        self._may_have = may_have
        self._changed: list[SimName] = []  # one after the other
        self._forgotten = 0  # so many stood before these
        self._groups: dict[SimGroup, _Suiting] = {}

    def changed(self, name: SimName) -> None:
        """It may have room now, or none."""
        self._changed.append(name)
        if len(self._changed) > 4 * len(self._by_number):
            self._forgotten += len(self._changed)
            self._changed.clear()

    def first(self, group: SimGroup, number: int) -> list[SimName]:
        """So many, those of least weight and of these the first; fewer, where there are no more."""
        suiting = self._groups.get(group)
        if suiting is None or suiting.seen < self._forgotten:
            self._groups = {each: known for each, known in self._groups.items() if each.waiting}
            suiting = self._groups[group] = _Suiting()
            others: Iterable[SimName] = self._by_number
        else:
            others = set(self._changed[suiting.seen - self._forgotten :])
        for name in others:
            suiting.put(name, self._may_have(group, name))
        suiting.seen = self._forgotten + len(self._changed)
        return [self._by_number[number - 1] for _, number in suiting.names[:number]]


@dataclass(slots=True)
class _Suiting:
    """Of one group."""

    seen: int = 0  # so many changes
    names: list[tuple[int, int]] = field(default_factory=list)  # in order
    stand: dict[int, tuple[int, int]] = field(default_factory=dict)  # by number: as what they are there

    def put(self, name: SimName, suits: bool) -> None:
        """Where it belongs."""
        before, now = self.stand.get(name.number), name.order if suits else None
        if before == now:
            return
        if before is not None:
            del self.stand[name.number], self.names[bisect_left(self.names, before)]
        if now is not None:
            self.stand[name.number] = now
            insort(self.names, now)


class SharedNames:
    """Jobs share names: those with a free CPU by weight, kind and free CPUs. Of the least weight the first is taken."""

    def __init__(self, by_number: Sequence[SimName], fits: Fits) -> None:
        self._by_number = by_number
        self._fits = fits
        self._levels: dict[int, dict[Kind, dict[int, list[int]]]] = {}  # by weight: numbers of names, in order
        self._new: set[SimName] = set()  # with room that no waiting job has been offered
        self._offered: list[SimName] | None = None  # those, in order, while they are offered
        self._suiting = SuitingNames(by_number, self._may_have)

    def __bool__(self) -> bool:
        return bool(self._levels)

    def changed(self, name: SimName, kind: Kind | None) -> None:
        """Whatever has changed, it may be room."""
        self.taken(name, kind)
        if name.kind is not None:
            self._new.add(name)
        else:
            self._new.discard(name)

    def taken(self, name: SimName, kind: Kind | None) -> None:
        """It stands where it belongs now."""
        self._suiting.changed(name)
        free = name.free
        if free is None or free.cpus <= 0:
            kind = None
        level = (name.weight, free.cpus) if free is not None else (0, 0)
        if kind == name.kind and (kind is None or level == name.level):
            return
        if name.kind is not None:
            self._drop(name.kind, *name.level, name.number)
        if kind is not None:
            kinds = self._levels.setdefault(level[0], {})
            insort(kinds.setdefault(kind, {}).setdefault(level[1], []), name.number)
        name.kind, name.level = kind, level

    def _drop(self, kind: Kind, weight: int, cpus: int, number: int) -> None:
        kinds = self._levels[weight]
        levels = kinds[kind]
        numbers = levels[cpus]
        del numbers[bisect_left(numbers, number)]
        if not numbers:
            del levels[cpus]
            if not levels:
                del kinds[kind]
                if not kinds:
                    del self._levels[weight]

    def new_to(self, groups: Collection[SimGroup]) -> Iterable[SimGroup]:
        """Those of which one would fit on a name whose room is new."""
        self._offered = sorted(self._new, key=lambda name: name.order)
        offers = [(name.kind, name.free) for name in self._offered]
        free = [(kind, free, free.cpus, free.ram) for kind, free in offers if kind is not None and free is not None]
        return [group for group in groups if self._would_fit(group, free)] if free else ()

    def _would_fit(self, group: SimGroup, offers: Sequence[tuple[Kind, Capacity, int, float]]) -> bool:
        """Would one of the group on any of these? With each its free CPUs and memory: most groups ask for more."""
        shape = group.shape
        cores, ram = shape.cores, shape.ram
        for kind, free, cpus, left in offers:
            if cores <= cpus and ram <= left and self._fits(group, kind) and fits_in(shape, free):
                return True
        return False

    def for_one(self, group: SimGroup) -> Iterable[SimGroup]:
        """Where another of the group waits already, there is no room for any of it."""
        return (group,) if group.waiting == 1 else ()

    def find(self, group: SimGroup, *, anywhere: bool = False) -> list[SimName]:
        """The names of least weight, and of these the first."""
        if group.shape.nodes > 1:
            return self._suiting.first(group, group.shape.nodes)
        if self._offered is not None and not anywhere:
            return list(islice((name for name in self._offered if self._may_have(group, name)), 1))
        for weight in sorted(self._levels):
            found = min(self._firsts(group, self._levels[weight]), default=None)
            if found is not None:
                return [self._by_number[found - 1]]
        return []

    def _firsts(self, group: SimGroup, kinds: dict[Kind, dict[int, list[int]]]) -> Iterable[int]:
        """The first name of each kind and level on which one of the group fits."""
        shape, names = group.shape, self._by_number
        for kind, levels in kinds.items():
            if not self._fits(group, kind):
                continue
            for cpus, numbers in levels.items():
                if cpus < shape.cores:
                    continue
                for number in numbers:
                    free = names[number - 1].free
                    if free is not None and fits_in(shape, free):
                        yield number
                        break

    def _may_have(self, group: SimGroup, name: SimName) -> bool:
        shape, free = group.shape, name.free
        return (
            name.kind is not None
            and free is not None
            and free.cpus >= shape.cores
            and self._fits(group, name.kind)
            and fits_in(shape, free)
        )

    def settled(self) -> None:
        """What is new is known now."""
        if self._offered is not None:
            self._new.clear()
            self._offered = None
