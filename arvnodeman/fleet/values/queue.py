"""The waiting jobs in the order of service, grouped by shape: made where the queue is read, from the one before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from operator import attrgetter, is_
from typing import overload

from arvnodeman.fleet.values.model import Job, JobShape

_PRIORITY, _SHAPE = attrgetter("priority"), attrgetter("shape")


class Queue(Sequence[Job]):
    """Jobs by priority, equals in the order of the queue. Nobody changes one: any thread may read it.

    places: where the jobs of each shape stand, in order; jobs that ask for no node are in none."""

    __slots__ = ("jobs", "places")

    def __init__(self, jobs: Sequence[Job] = ()) -> None:
        self.jobs: Sequence[Job] = in_order(jobs)
        self.places: Mapping[JobShape, Sequence[int]] = places_of(self.jobs)

    @classmethod
    def of(cls, jobs: Sequence[Job]) -> Queue:
        """The queue of these jobs; themselves, where they are one."""
        return jobs if isinstance(jobs, cls) else cls(jobs)

    def following(self, jobs: Sequence[Job]) -> Queue:
        """Queue(jobs); this one, where it is the same jobs in the same order, and with these places, where none came,
        went, moved or changed its shape."""
        if isinstance(jobs, Queue):
            return jobs
        ordered = in_order(jobs)
        if len(ordered) != len(self.jobs):
            return self._with(ordered, places_of(ordered))
        if all(map(is_, ordered, self.jobs)):
            return self
        if all(map(is_, map(_SHAPE, ordered), map(_SHAPE, self.jobs))):
            return self._with(ordered, self.places)
        return self._with(ordered, places_of(ordered))

    @classmethod
    def _with(cls, jobs: Sequence[Job], places: Mapping[JobShape, Sequence[int]]) -> Queue:
        queue = cls.__new__(cls)
        queue.jobs, queue.places = jobs, places
        return queue

    @overload
    def __getitem__(self, index: int) -> Job: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Job]: ...
    def __getitem__(self, index: int | slice) -> Job | Sequence[Job]:
        return self.jobs[index]

    def __len__(self) -> int:
        return len(self.jobs)

    def __iter__(self) -> Iterator[Job]:
        return iter(self.jobs)

    def __repr__(self) -> str:
        return f"Queue({self.jobs!r})"


def in_order(jobs: Sequence[Job]) -> list[Job]:
    """The jobs in the order of service. Takes next to no time where they are."""
    return sorted(jobs, key=_PRIORITY, reverse=True)


def places_of(jobs: Sequence[Job]) -> dict[JobShape, list[int]]:
    """Where the jobs of each shape stand."""
    places: dict[JobShape, list[int]] = {}
    by_identity: dict[int, list[int]] = {}  # whoever reads the queue gives equal shapes as one object
    for place, shape in enumerate(map(_SHAPE, jobs)):
        try:
            by_identity[id(shape)].append(place)
        except KeyError:
            wants_nodes = shape.nodes > 0
            by_identity[id(shape)] = found = places.setdefault(shape, []) if wants_nodes else []
            found.append(place)
    return places
