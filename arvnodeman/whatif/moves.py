"""Changes of a configuration that pay on many sites, for advice to try: each as options with their new values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from arvnodeman.cloud.known_sizes import known_sizes
from arvnodeman.config import Settings
from arvnodeman.config.assignments import Assignment
from arvnodeman.fleet.values.model import ProviderSize, SizeSection

SPARES = (1, 2, 4)
IDLE_POLLS = (1, 2, 5, 10, 20, 40)
SMALLER = ("large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge", "24xlarge")
FAMILIES = {"sizes of more memory": "r", "sizes of less memory": "c", "sizes of usual memory": "m"}
"""Of EC2: the first letter of families with 8, 2 and 4 GB for each core."""
_TYPE = re.compile(r"([cmr])([0-9][a-z]*)\.([0-9]*x?large)")


@dataclass(frozen=True, slots=True)
class OptionMove:
    """One change. Of those of one group one at most makes sense. `remark`: what to think of, where there is such."""

    group: str
    words: str
    changes: tuple[Assignment, ...]
    remark: str = ""


def moves_of(settings: Settings) -> list[OptionMove]:
    """All that may pay for this configuration."""
    found = [*_idle_time(settings), *_packing(settings), *_numbers(settings), *_ready(settings)]
    return [*found, *_windows(settings), *_sizes(settings)]


def _daemon(name: str, value: object) -> Assignment:
    return Assignment("Daemon", name, str(value))


def _idle_time(settings: Settings) -> Iterator[OptionMove]:
    daemon = settings.daemon
    for polls in IDLE_POLLS:
        if polls != daemon.consecutive_idle_count:
            idle = "1 poll" if polls == 1 else f"{polls} polls"
            words = f"nodes idle {idle} before they go, not {daemon.consecutive_idle_count}"
            yield OptionMove("idle time", words, (_daemon("consecutive_idle_count", polls),))
    half = daemon.poll_time / 2
    if half >= 10:
        yield OptionMove(
            "polls", f"polls every {half:g} s, not {daemon.poll_time:g}", (_daemon("poll_time", f"{half:g}"),)
        )


def _packing(settings: Settings) -> Iterator[OptionMove]:
    daemon = settings.daemon
    if settings.places:
        return
    if not settings.shares:
        yield OptionMove(
            "packing", "jobs share nodes", (_daemon("share", "yes"),), "Slurm has to let them: doc/sharing.md"
        )
        return
    yield OptionMove("packing", "each job has its nodes to itself", (_daemon("share", "no"),))
    if daemon.max_jobs_per_node:
        yield OptionMove("packing", "any number of jobs on a node", (_daemon("max_jobs_per_node", 0),))
    if daemon.dispatcher == "slurm":
        turned = "no" if daemon.drain_to_consolidate else "yes"
        words = "half-empty nodes are drained" if turned == "yes" else "half-empty nodes take jobs"
        yield OptionMove("consolidation", words, (_daemon("drain_to_consolidate", turned),))


def _numbers(settings: Settings) -> Iterator[OptionMove]:
    daemon = settings.daemon
    for number in (0, 1, 2):
        if number != daemon.min_nodes and number <= daemon.max_nodes:
            words = f"{number or 'no'} node{'' if number == 1 else 's'} always there, not {daemon.min_nodes}"
            yield OptionMove("spare nodes", words, (_daemon("min_nodes", number),))
    twice = 2 * daemon.max_nodes
    yield OptionMove("most nodes", f"{twice} nodes at most, not {daemon.max_nodes}", (_daemon("max_nodes", twice),))


def _ready(settings: Settings) -> Iterator[OptionMove]:
    """Nodes that stand ready before a job wants them."""
    if not settings.spares:
        size = settings.sizes[0].id
        for number in SPARES:
            words = f"{number} spare{'' if number == 1 else 's'} of {size}, day and night"
            changes = tuple(
                Assignment("Spare ready", name, text) for name, text in (("size", size), ("nodes", str(number)))
            )
            yield OptionMove("spares", words, changes, "less with hours: doc/money.md")
    daemon = settings.daemon
    if daemon.dispatcher == "slurm" and not daemon.ahead:
        remark = "this assumes that each job's start time is known"
        yield OptionMove("ahead", "nodes boot for jobs before these may start", (_daemon("ahead", "yes"),), remark)


def _windows(settings: Settings) -> Iterator[OptionMove]:
    windows = settings.cloud.shutdown_windows
    if windows[0] > 0:
        bills = "only where the cloud does not bill by the hour"
        yield OptionMove(
            "windows", "nodes may go at any time", (Assignment("Cloud", "shutdown_windows", "0, 60"),), bills
        )


def _sizes(settings: Settings) -> Iterator[OptionMove]:
    """Sizes that the cloud's own tables know: smaller ones, and families of more or less memory."""
    wanted = {other for section in settings.sizes for _, other in _relatives(section)}
    known = known_sizes(settings, wanted | {section.instance_type for section in settings.sizes})
    have = {section.instance_type for section in settings.sizes}
    by_kind: dict[str, list[Assignment]] = {}
    for section in settings.sizes:
        for kind, other in _relatives(section):
            if other not in have and other in known:
                have.add(other)
                by_kind.setdefault(kind, []).extend(_added(section, known[other], known))
    for kind, changes in by_kind.items():
        if not changes:  # of no type the price is known
            continue
        names = dict.fromkeys(each.section.removeprefix("Size ") for each in changes)
        yield OptionMove(
            kind, f"{kind}: with {', '.join(names)}, too", tuple(changes), "their prices are those of libcloud"
        )


def _relatives(section: SizeSection) -> Iterator[tuple[str, str]]:
    """Types like that of a size: of which kind, and its name."""
    found = _TYPE.fullmatch(section.instance_type)
    if found is None or section.gres:
        return
    letter, generation, size = found.groups()
    if size in SMALLER:
        for smaller in SMALLER[: SMALLER.index(size)][-2:]:
            yield "finer sizes", f"{letter}{generation}.{smaller}"
    for kind, other in FAMILIES.items():
        if other != letter:
            yield kind, f"{other}{generation}.{size}"


def _family(name: str) -> str:
    return name.partition(".")[0]


def _added(section: SizeSection, other: ProviderSize, known: Mapping[str, ProviderSize]) -> Sequence[Assignment]:
    """A section for another type that is like this one. Nothing where its price is not known."""
    mine = known.get(section.instance_type)
    if mine is None or not mine.cores:
        return ()
    listed = other.price
    if not listed and mine.price and _family(other.id) == _family(mine.id):
        listed = mine.price * other.cores / mine.cores  # as EC2 has it in each family
    if not listed:
        return ()
    price = section.price * listed / mine.price if section.price is not None and mine.price else listed
    cores = round(section.cores * other.cores / mine.cores)
    values = {"cores": max(1, cores), "price": f"{price:.5g}", "ram": f"{other.ram:g}"}
    if section.preemptible:
        values["preemptible"] = "yes"
    if section.partitions:
        values["partitions"] = ", ".join(section.partitions)
    if section.features:
        values["features"] = ", ".join(section.features)
    name = f"{other.id}-spot" if section.preemptible else other.id
    if name != other.id:
        values["instance_type"] = other.id
    return [Assignment(f"Size {name}", option, str(value)) for option, value in values.items()]
