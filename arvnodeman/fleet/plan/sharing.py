"""The passes of a plan in which jobs share nodes: what is there or coming is filled first, what remains is booted.

All at once: group by group is put into what there is, and for the others nodes are booted by patterns, as many alike as
can be filled. In turn: each job goes to the first bin that it fits, as the scheduler does it, and boots too. Which of
these is taken: attempts.py.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from statistics import median

from arvnodeman.fleet.plan.ahead import PartlyTaken
from arvnodeman.fleet.plan.booting import Booting, NewNode
from arvnodeman.fleet.plan.packing import Bins, Packing, Seeker
from arvnodeman.fleet.plan.picture import NO_SUPPLY, ROOM, Picture
from arvnodeman.fleet.plan.traits import KnownTraits
from arvnodeman.fleet.values import reasons
from arvnodeman.fleet.values.features import SIZE_FEATURE
from arvnodeman.fleet.values.model import NO_LIMIT, NodeSize
from arvnodeman.fleet.values.places import ANYWHERE, Place
from arvnodeman.fleet.values.reasons import Reason

Load = Mapping[Seeker, int]  # so many jobs of each, on one node
FEW = 100  # bins of nodes that come, among which it is worth while to look for one that need not
ALIKE = 2.0  # jobs run for alike times, where none runs so many times as long as another


class SharedBooting(Booting):
    """One attempt to serve jobs that share nodes."""

    def __init__(self, picture: Picture, seekers: Sequence[Seeker], known: KnownTraits) -> None:
        self.packing = Packing(picture, known)
        for seeker in seekers:
            seeker.restart(self.packing)
        super().__init__(picture, self.packing.supply, [seeker.group for seeker in seekers])
        self._seekers = seekers
        self._opened = 0  # kinds of nodes that come by this plan
        self._backs: Counter[tuple[str, Place]] = Counter()  # those of them whose shutdowns are taken back
        self._chosen: dict[Seeker, tuple[int, NodeSize]] = {}  # with the jobs that it had left then
        self._mates: dict[str, list[Seeker]] = {}  # by size: who shares its nodes, the largest first
        times = [picture.run_times[seeker.shape] for seeker in seekers if seeker.shape in picture.run_times]
        self._usual_time = median(times) if times else 1.0
        self._times_differ = bool(times)

    # ---- in the order of service ------------------------------------------------------------------------------------

    def in_turn(self) -> None:
        """One job after the other, each on the first bin that it fits; else nodes are booted for it, until a limit
        stops one."""
        seekers, packing = self._seekers, self.packing
        left = sum(seeker.left > 0 for seeker in seekers)
        for turn in self._turns():
            if turn < 0 or (seeker := seekers[turn]).closed:
                continue
            if seeker.nodes == 1 and (bins := seeker.find()) is not None:
                packing.put(seeker, bins, 1, 1)
                seeker.group.served += 1
            elif not self._serve_next(seeker):
                seeker.closed = True
                left -= 1
                if not left:
                    break
        self._leave_out()

    def _turns(self) -> Sequence[int]:
        """Whose job stands at each place of the order of service; -1: nobody's."""
        turns = [-1] * (max(seeker.group.places[seeker.end - 1] for seeker in self._seekers) + 1)
        for number, seeker in enumerate(self._seekers):
            for place in seeker.group.places[: seeker.end]:
                turns[place] = number
        return turns

    def _serve_next(self, seeker: Seeker) -> bool:
        """A job for which there is no room on one node, or which wants more nodes. False: it has to wait."""
        parts = seeker.find_parts(seeker.nodes) if seeker.nodes > 1 else []
        there = sum(count for _, count in parts)
        if there < seeker.nodes and self.stopped is not None:
            return False  # a job of several nodes behind a stopped one must not sit on a part of them
        self.packing.put_parts(seeker, parts)
        lacking = seeker.nodes - there
        while lacking and (coming := self._boot_for(seeker, lacking)):
            lacking -= coming
        return not lacking

    def _boot_for(self, seeker: Seeker, lacking: int) -> int:
        """Boot what a job lacks, as far as that may be; 0: it has to wait."""
        group, place = seeker.group, seeker.shape.place
        turn = group.place
        if (dear := self._purses.stops(seeker.shape, turn, group.partly)) is not None:
            group.cause = dear
            return 0
        size, room, cause = self._size_for(seeker)
        if size is None:
            group.cause = cause
            return 0
        wanted = min(lacking, room)
        back = min(self._can_be_taken_back(size, place), wanted)
        if self._lacks_names(size, place, lacking - back):
            group.cause = self._picture.outlook.in_the_way(place, self._picture.t, self._picture.now)
            return 0
        stop = self._forbid(size, lacking - back, group.nodes_lacking)
        if stop is not None:
            group.cause = self.stopped = stop
            self.stopped_size, self._stopped_nodes, self._stopped_lacks = size, seeker.nodes, lacking - back
            return 0
        self.packing.put(seeker, self._open(size, place, wanted, back), 1, wanted)
        self._purses.take(seeker.shape, self._now(size), wanted, turn)
        group.book(wanted)
        return wanted

    def _open(self, size: NodeSize, place: Place, nodes: int, back: int) -> Bins:
        """So many nodes of a size come."""
        self._book(size, place, nodes, back)
        self._backs[size.id, place] += back
        bins = Bins(size.id, NO_SUPPLY, self.packing.capacity(size), nodes, place)
        self.packing.add(bins)
        self._opened += 1
        return bins

    # ---- which size, and who shares a node of it --------------------------------------------------------------------

    def _size_for(self, seeker: Seeker) -> tuple[NodeSize | None, int, Reason | None]:
        """The size that is booted for a job, and how many of it may be; else why none."""
        left, size = self._chosen.get(seeker, (0, None))
        if size is not None and 2 * seeker.left > left and (room := self._room_of(size, seeker.shape.place)[0]) > 0:
            return size, room, None
        size, room, _, cause = self._best(seeker)
        if size is not None:
            self._chosen[seeker] = seeker.left, size
        return size, room, cause

    def _best(self, head: Seeker) -> tuple[NodeSize | None, int, Load, Reason | None]:
        """The size of which a node costs least for what it serves, of those that do not rest and are not too dear, how
        many of it may be booted, and who shares one; else why none. Of those that cost the same it is the smaller."""
        group, place = head.group, head.shape.place
        factor = math.inf if SIZE_FEATURE in head.shape.features else self._picture.policy.max_price_factor
        best: tuple[tuple[float, float, float], NodeSize, int, Load] | None = None
        for size in group.choices:
            if size.price > head.alone * factor and size is not group.choices[0]:
                break
            room, _ = self._room_of(size, place)
            if room <= 0 and self._picture.health[size.id].backing_off is not None:
                continue
            for load in self._loads(size, head):
                rank = (round(self._score(size, load), 9), size.cores, size.ram)
                if best is None or rank < best[0]:
                    best = rank, size, room, load
        if best is None:
            return None, 0, {}, self.choose(group.choices, place, any_price=factor == math.inf)[2]
        _, size, room, load = best
        if room <= 0:
            return None, 0, {}, reasons.Unproven(size=size.id, pending=self._room_of(size, place)[1])
        return size, room, load, None

    def _loads(self, size: NodeSize, head: Seeker) -> Iterator[Load]:
        """What one node of a size could hold, if it is booted for a job: that, and of all others the largest first; or
        only of such as run for alike times; or of its own group alone."""
        mates = [] if head.fills else self._mates_on(size)
        yield self._load(size, head, mates)
        if self._times_differ and mates:
            time = self._time(head)
            yield self._load(size, head, [each for each in mates if time / ALIKE <= self._time(each) <= time * ALIKE])
            yield self._load(size, head, [head])

    def _load(self, size: NodeSize, head: Seeker, mates: Sequence[Seeker]) -> Load:
        bins = Bins(size.id, NO_SUPPLY, self.packing.capacity(size), 1, head.shape.place)
        load: dict[Seeker, int] = {head: 1}
        head.take(bins, 1)
        for mate in mates:
            if bins.cpus <= 0:
                break
            if mate is head:
                left = 0 if head.group.partly else head.left - 1
            else:
                left = mate.left // head.nodes if mate.nodes == 1 else 0
            jobs = mate.fit(bins, left) if left > 0 else 0
            if jobs > 0:
                mate.take(bins, jobs)
                load[mate] = load.get(mate, 0) + jobs
        return load

    def _mates_on(self, size: NodeSize) -> list[Seeker]:
        mates = self._mates.get(size.id)
        if mates is None:
            sharing = (each for each in self._seekers if not each.fills and size.id in each.ids)
            mates = self._mates[size.id] = sorted(sharing, key=lambda each: each.bulk)
        return mates

    def _score(self, size: NodeSize, load: Load) -> float:
        """The price of a node for as long as the longest of its jobs runs, against what each of them would cost alone
        on the cheapest size that it fits."""
        longest = max(map(self._time, load))
        alone = math.fsum(jobs * each.alone * self._time(each) for each, jobs in load.items())
        return self._now(size).price * longest / alone if alone else 1.0

    def _time(self, seeker: Seeker) -> float:
        return self._picture.run_times.get(seeker.shape, self._usual_time)

    # ---- all at once ------------------------------------------------------------------------------------------------

    def must_stop(self) -> bool:
        """Is it plain that a limit is in the way? So many CPUs have to come: what those who share nodes take at least,
        less what there is in all. Shutdowns that can be taken back count within the limits already."""
        sizes = self._picture.table.cheapest_first
        lacking = math.fsum(each.left * each.nodes * each.figures(1).taken for each in self._seekers if not each.trusts)
        held = [self.packing.capacity(size) for size in sizes]
        most = max(free.cpus if free is not None else NO_LIMIT for free in held)
        nodes = math.ceil((lacking - self.packing.cpus) / most) - len(self._picture.leaving)
        return nodes > 0 and self._forbid(sizes[0], nodes, 0) is not None

    def all_at_once(self, ordered: Callable[[Sequence[Seeker]], list[Seeker]], *, as_meant: bool = False) -> bool:
        """What there is goes to them in this order. For the first that waits then the best node is booted, as many of
        it as can be filled alike, and so on. `as_meant`: nodes that come go first to those for whom they were booted.
        False: not all can be served so."""
        seekers, packing = ordered(self._seekers), self.packing
        if as_meant:
            packing.put_as_meant({each.shape: each for each in seekers}, self._picture.coming_for)
        for seeker in seekers:
            packing.put_many(seeker)
        while (head := min(filter(_has_left, seekers), key=_place, default=None)) is not None:
            if not self._times_differ:
                packing.put_many(head)
            if head.left and not self._replicate(head):
                return False
        self._leave_out()
        return True

    def cost(self) -> tuple[float, int]:
        """$/hour of the nodes that come by this plan, without those whose shutdowns are taken back, and how many."""
        nodes = Counter[str]()
        for bins in self._coming():
            nodes[bins.pool] += bins.count
        for (size, _), back in self._backs.items():
            nodes[size] -= back
        by_id = self._picture.table.by_id
        price = math.fsum(self._now(by_id[size]).price * count for size, count in nodes.items())
        return round(price, 9), nodes.total()

    def _replicate(self, head: Seeker) -> bool:
        """Boot alike nodes for a group. False where that is not to be."""
        size, room, load, _ = self._best(head)
        if size is None:
            return False
        group, place = head.group, head.shape.place
        nodes, times = group.lacking, 1
        if not group.partly:
            times = min(each.left // (jobs * (1 if each is head else nodes)) for each, jobs in load.items())
        wanted = times * nodes
        back = min(self._can_be_taken_back(size, place), wanted)
        if room < wanted or self._lacks_names(size, place, wanted - back):
            return False
        if self._forbid(size, wanted - back, 0) is not None or not self._pay(size, load, wanted):
            return False
        bins = self._open(size, place, wanted, back)
        for each, jobs in load.items():
            self.packing.put(each, bins, jobs, wanted)
            each.group.served += jobs * (times if each is head else wanted)
        group.partly = 0
        return True

    def _pay(self, size: NodeSize, load: Load, nodes: int) -> bool:
        """Budgets pay for so many nodes with this load, one after the other, each of its jobs for its part. False: one
        does not, and who has how many follows from the order of service."""
        if not self._picture.funds.standings:
            return True
        whole = math.fsum(jobs * each.alone for each, jobs in load.items())
        for _ in range(nodes):
            if any(self._purses.stops(each.shape) is not None for each in load):
                return False
            for each, jobs in load.items():
                part = jobs * each.alone / whole if whole else 1 / len(load)  # what is reserved may cost nothing
                priced = replace(self._now(size), price=self._now(size).price * part)
                self._purses.take(each.shape, priced, 1)
        return True

    def _leave_out(self) -> None:
        """Nodes whose jobs have room on the others need not come."""
        if self._opened > FEW:
            return
        for bins in reversed(list(self._coming())):
            size = self._picture.table.by_id[bins.pool]
            while bins.count and self._boots_of(bins) and self._move(bins):
                bins.count -= 1
                self._begun[size.id] -= 1
                self._room.take(size, -1)

    def _rooms_left(self) -> Iterable[PartlyTaken]:
        bins = [each for first in (*self.packing.chains, self.packing.coming) for each in first.chain()]
        left = (each for each in bins if each.count and each.cpus > 0 and not (each.whole or each.opaque))
        return (PartlyTaken(each.pool, ROOM, each.free, each.count, each.place) for each in left)

    def _coming(self) -> Iterator[Bins]:
        """The nodes that come by this plan."""
        first = self.packing.coming.following
        return first.chain() if first is not None else iter(())

    def _boots_of(self, bins: Bins) -> int:
        """How many of such nodes are booted."""
        alike = sum(each.count for each in self._coming() if (each.pool, each.place) == (bins.pool, bins.place))
        return alike - self._backs[bins.pool, bins.place or ANYWHERE]

    def _move(self, bins: Bins) -> bool:
        """Put the jobs of one of these nodes on others. False, and nothing is done, where there is no room. Parts
        of jobs of several nodes have different ones as long as none holds more of them than there are jobs."""
        others = [each for each in self._coming() if each.cpus > 0 and each.count and each is not bins]
        trial: dict[Bins, list[tuple[Bins, dict[Seeker, int]]]] = {}  # single ones, and what comes to them
        for seeker, jobs in bins.holds.items():
            left = jobs
            for each in others:
                left -= self._move_to(seeker, left, each, trial.setdefault(each, []))
            if left:
                return False
        for each, moves in trial.items():
            there: Bins | None = each
            for _, load in moves:
                assert there is not None
                there.part(1)
                for seeker, jobs in load.items():
                    self.packing.put(seeker, there, jobs, 1)
                    seeker.in_new -= jobs
                there = there.following
        return True

    def _move_to(self, seeker: Seeker, jobs: int, bins: Bins, trial: list[tuple[Bins, dict[Seeker, int]]]) -> int:
        """How many of so many jobs there is room for on such nodes. One more is begun where that is of use."""
        moved = 0
        for one, load in trial:
            moved += (fitting := self._fit_more(seeker, one, jobs - moved))
            if fitting:
                seeker.take(one, fitting)
                load[seeker] = fitting
                one.hold(seeker, fitting)
        while moved < jobs and len(trial) < bins.count and (fitting := self._fit_more(seeker, bins, jobs - moved)):
            one = bins.some(1)
            seeker.take(one, fitting)
            one.hold(seeker, fitting)
            trial.append((one, {seeker: fitting}))
            moved += fitting
        return moved

    def _fit_more(self, seeker: Seeker, bins: Bins, jobs: int) -> int:
        if self._time(seeker) > ALIKE * max(map(self._time, bins.holds)):
            return 0  # it would keep the node alive
        most = jobs if seeker.nodes == 1 else min(jobs, seeker.group.served - bins.holds.get(seeker, 0))
        return min(most, seeker.fit(bins, most)) if most > 0 else 0

    # ---- what comes of it -------------------------------------------------------------------------------------------

    def finish(self) -> None:
        """Say what is booted for whom, who is stopped, and what is booted beside the jobs."""
        backs = self._backs.copy()
        for bins in self._coming():
            place = bins.place or ANYWHERE
            back = min(bins.count, backs[bins.pool, place])
            backs[bins.pool, place] -= back
            jobs = tuple((seeker.shape, number) for seeker, number in bins.holds.items())
            new = NewNode(self._picture.table.by_id[bins.pool], place, jobs[0][0], jobs)
            self.boots.extend([new] * (bins.count - back))
        for seeker in self._seekers:
            seeker.group.booting = min(seeker.group.served, seeker.in_new)
        self._beside_jobs()


def _has_left(seeker: Seeker) -> bool:
    return seeker.left > 0


def _place(seeker: Seeker) -> int:
    return seeker.group.place
