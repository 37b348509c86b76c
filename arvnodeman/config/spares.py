"""[Spare NAME]: nodes that stand ready, and which of two that overlap holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from arvnodeman.config.hours import HOURS
from arvnodeman.config.kinds import NUMBER, TEXT, WHOLE
from arvnodeman.config.option import SPARE, nearest, option, option_of, section
from arvnodeman.fleet.values.local_time import OpenHours
from arvnodeman.fleet.values.model import SizeSection
from arvnodeman.fleet.values.spares import Spare


@section(SPARE)
class SpareSettings:
    """One [Spare NAME]."""

    of_size: str = option(TEXT, None, "The NAME of the size of these nodes.", name="size", example="m5.large")
    nodes: int = option(
        WHOLE,
        "0",
        "How many nodes are ready in addition to all that jobs have: when a job takes one, the next is booted. An "
        "idle one makes way for a job that a limit stops.",
        low=0,
        example="2",
        live=True,
    )
    of_load: float = option(
        NUMBER,
        "0",
        "Or this percentage of the working nodes of the size, rounded up, if that is more.",
        "percent",
        low=0,
        high=1000,
    )
    at_most: int = option(WHOLE, "0", "Never more spares than this. 0: no limit.", low=0, no_limit=0)
    when: OpenHours = option(
        HOURS,
        "",
        "When they are ready, by the clocks of the time zone. Hours that end before they begin continue into the next "
        "day; hours without days apply every day. Empty: always.",
        example="Mon-Fri 08:00-18:00 Europe/Berlin",
        live=True,
    )

    def spare(self, name: str) -> Spare:
        """As the Fleet knows it."""
        return Spare(name, self.of_size, self.nodes, self.of_load, self.at_most, self.when)


def mistakes_of_spare(spare: SpareSettings, sizes: Sequence[SizeSection]) -> Iterator[tuple[str, str]]:
    """Options whose values cannot be what is meant, and why."""
    known = [size.id for size in sizes]
    if spare.of_size not in known:
        like = nearest(spare.of_size, known)
        hint = f"; the nearest is {like}" if like else ""
        yield (
            option_of(SpareSettings.of_size).name,
            f"there is no [Size {spare.of_size}]{hint}; allowed: the NAME of a size",
        )
    if not spare.nodes and not spare.of_load:
        yield option_of(SpareSettings.nodes).name, "0, and of_load is 0, too: it keeps nothing; allowed: 1 at least"


def overlaps(spares: Sequence[Spare]) -> Iterator[str]:
    """Of spares of one size that may be open at one time: what holds then."""
    for number, spare in enumerate(spares):
        for other in spares[number + 1 :]:
            if spare.size == other.size and spare.hours.meets(other.hours):
                yield (
                    f"[Spare {other.name}] overlaps with [Spare {spare.name}], both of size {spare.size}: the larger "
                    "number of the two holds while both are open, not their sum"
                )
