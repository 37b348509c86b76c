"""What jobs of a shape look for on nodes that are shared, whoever else waits: the same from plan to plan.

It depends on the sizes, and on what the scheduler says that their nodes have. While these are as they were, it is
worked out once for each shape.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from arvnodeman.fleet.plan.picture import NodeTally, Picture, size_of
from arvnodeman.fleet.sizes.fit import capacity_of, fits_in, how_many, less
from arvnodeman.fleet.sizes.table import SizeTable
from arvnodeman.fleet.values.capacity import Capacity
from arvnodeman.fleet.values.model import NO_LIMIT, JobShape, NodeSize

FORGOTTEN = 100  # shapes that are known though nobody waits, beside as many as do
Bulk = tuple[int, bool, bool, float]


class Figures(NamedTuple):
    """What one job asks of a node, by the threads of its cores."""

    cpus: int  # that must be free
    taken: int  # of them
    ram: float  # MB that must be free
    ram_taken: float


def declared_by(tally: NodeTally) -> dict[str, Capacity]:
    """What nodes of each size have, as the scheduler says of those that are there: of several words the least."""
    found: dict[str, Capacity] = {}
    for (pool, _), capacities in tally.whole.items():
        least = min(capacities, key=lambda each: (each.cpus, each.ram))
        before = found.setdefault(size_of(pool), least)
        if (least.cpus, least.ram) < (before.cpus, before.ram):
            found[size_of(pool)] = least
    return found


class ShapeTraits:
    """Of one shape."""

    def __init__(self, shape: JobShape, known: KnownTraits) -> None:
        takes, choices = shape.takes, known.table.choices(shape)
        self.fills = takes is None  # nothing is left beside it
        self.needs_whole = takes is None or takes.ram == math.inf
        self.trusts = True  # it gets a node whole, whatever its figures say: no other job is there, nor comes there
        self.on_each = 1  # jobs that there is room for on one node of the first of its sizes
        if not self.fills:
            held = [(size, known.room(size)) for size in choices]
            holding = tuple(size for size, free in held if free is None or fits_in(shape, free))
            choices = holding or choices
            self.trusts = not holding  # it names its size
            usual = known.room(choices[0])
            if usual is not None and not self.trusts:
                self.on_each = max(1, how_many(shape, usual, known.most))
        self.choices = choices
        self.ids = frozenset(size.id for size in choices)
        self.alone = choices[0].price  # of what a job costs that shares with nobody
        self.least: float = -math.inf if self.trusts else max(1, math.ceil(shape.cores))
        self.ram: float = -math.inf if self.trusts else shape.ram
        self.bulk = self._bulk(shape, known.table)
        self._shape = shape
        self._figures: dict[int, Figures] = {}

    def _bulk(self, shape: JobShape, table: SizeTable) -> Bulk:
        """By this the largest come first: who can have few sizes, who needs nodes whole, who needs several, and by what
        a job takes of a node."""
        cores = max(size.cores for size in table.cheapest_first)
        ram = max(size.ram for size in table.cheapest_first)
        share = max(shape.cores / (cores or 1), shape.ram / (ram or math.inf))
        return len(self.ids), not self.needs_whole, shape.nodes == 1, -share

    def figures(self, threads: int) -> Figures:
        """What one job asks of a node whose cores have so many threads."""
        found = self._figures.get(threads)
        if found is None:
            shape = self._shape
            after = less(Capacity(0, 0.0, shape.gres, threads), shape)
            taken, ram = max(1, -after.cpus), -after.ram
            cpus = max(math.ceil(shape.cores), taken)
            found = self._figures[threads] = Figures(cpus, taken, max(shape.ram, ram), ram)
        return found


class KnownTraits:
    """Of all shapes that were asked about, by one table of sizes."""

    def __init__(self, picture: Picture) -> None:
        self.table = picture.table
        self.most = picture.policy.max_jobs_per_node or NO_LIMIT
        self._names = picture.table.names_known
        self._declared: Mapping[str, Capacity] = declared_by(picture.tally)
        self._rooms: dict[str, Capacity | None] = {}
        self._traits: dict[JobShape, ShapeTraits] = {}

    def of_picture(self, picture: Picture) -> KnownTraits:
        """These, where they hold for it, else those that do."""
        new = KnownTraits(picture)
        same = self.table is new.table and self._names == new._names and self.most == new.most
        if not same or self._declared != new._declared:
            return new
        if len(self._traits) > 2 * len(picture.demand) + FORGOTTEN:
            self._traits = {shape: self._traits[shape] for shape in picture.demand if shape in self._traits}
        return self

    def of(self, shape: JobShape) -> ShapeTraits:
        """What jobs of this shape look for."""
        found = self._traits.get(shape)
        if found is None:
            found = self._traits[shape] = ShapeTraits(shape, self)
        return found

    def room(self, size: NodeSize) -> Capacity | None:
        """What a node of this size has: as the scheduler declares it, else by its own figures. None: not known, so that
        whoever gets one has it whole."""
        if size.id not in self._rooms:
            declared = self._declared.get(size.id)
            self._rooms[size.id] = declared if declared is not None or not size.cores else capacity_of(size)
        return self._rooms[size.id]
