"""What comes beside placed jobs: names that are powered up for jobs that cannot start yet, as spares, and to fill up
min_nodes. The scheduler then waits for their nodes, and these are booted as for a job.

A name that waits for a node is for whoever lacks one first: what it was powered up for is not noted on it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from arvnodeman.fleet.decide.boot_lifecycle import begin_boot
from arvnodeman.fleet.decide.meant import meant_for_name
from arvnodeman.fleet.decide.name_acts import begin_chore, begin_return, some
from arvnodeman.fleet.decide.placed import PlacedDemand, PlacedNames, by_size, no_size
from arvnodeman.fleet.decide.placed_room import wanted_beside
from arvnodeman.fleet.decide.state import State
from arvnodeman.fleet.messages import Decided
from arvnodeman.fleet.operations.boot import Boot
from arvnodeman.fleet.operations.name_steps import PowerUp
from arvnodeman.fleet.outlook.ahead import Outlook, serves
from arvnodeman.fleet.plan.booting import NewNode
from arvnodeman.fleet.plan.plan import Plan
from arvnodeman.fleet.values import reasons
from arvnodeman.fleet.values.later_jobs import LaterJob
from arvnodeman.fleet.values.model import JobShape
from arvnodeman.fleet.values.work import WorkKind

ALONE_FOR = 2  # lists in a row in which a name waits for a node and for no job
NOBODYS = reasons.Plain(text="no job is placed there any more")


def take_later(state: State, later: Sequence[LaterJob], outlook: Outlook) -> None:
    """A queue has come, with jobs that cannot start yet: which names these may have counts for nobody else here."""
    state.names.want(job.shape.place.needs for job in later if job.shape.place.needs is not None)
    state.foresee(outlook)
    state.ahead.told(later, state)


def boot_names(
    state: State, plan: Plan, due: Sequence[tuple[str, str]], payers: Mapping[str, JobShape] = MappingProxyType({})
) -> Sequence[Boot]:
    """Boots for these names, each with its size."""
    assert state.table is not None
    for size, count in Counter(size for size, _ in due).items():
        state.context.decide(Decided.BOOT, size, "Want %d more %s nodes.  Booting a node.", count, size)
    standing, begun = plan.tally.nodes, []
    for size, name in due:
        made_of = state.table.named(size)
        assert made_of is not None
        boot = begin_boot(state, made_of, name=name, shape=payers.get(name), jobs=meant_for_name(state, name))
        standing += 1
        if standing > state.quota.value:
            boot.probes, state.quota.other_size_may_try = True, False
        begun.append(boot)
    return begun


def boot_beside(state: State, plan: Plan, asked: PlacedDemand, names: PlacedNames) -> set[str]:
    """What these lack: names that wait for a node anyway, of its size for a spare, such as the job may have for one of
    those, then others of the size that the plan says. What waits for neither a job nor for this is given back."""
    lacking = wanted_beside(state, plan, names)
    sizes = {name: names.size_of(name) or "" for name in asked.alone if names.may_be_booted(name)}
    waiting: list[tuple[str, NewNode]] = []
    for name, size in sizes.items():
        if no_size(state, size) is None and (new := _take_one(state, lacking, name, size)) is not None:
            waiting.append((name, new))
    boots = boot_names(state, plan, [(sizes[name], name) for name, _ in waiting])
    for boot, (_, new) in zip(boots, waiting, strict=True):
        if new.ahead:
            state.ahead.booted(state, new.ahead, boot.id)
    for name in _powering(state, names):
        _take_one(state, lacking, name, names.size_of(name) or "")
    _power_up(state, lacking, names)
    taken = {name for name, _ in waiting}
    rest = [name for name in asked.alone if name not in taken and state.placements.alone[name] >= ALONE_FOR]
    for size, those in by_size(rest, names).items():
        begin_return(state, those, size, NOBODYS)
    return taken


def _take_one(state: State, lacking: list[NewNode], name: str, size: str) -> NewNode | None:
    """A name of this size comes: for a job that may have it, else for a spare of it, else for min_nodes, whose size
    does not matter."""
    of_size = [new for new in lacking if new.size.id == size]
    found = next((new for new in of_size if new.ahead and _may_have(state, new, name)), None)
    found = found or next((new for new in of_size if new.spare), None)
    found = found or next((new for new in lacking if not (new.spare or new.ahead)), None)
    if found is not None:
        lacking.remove(found)
    return found


def _may_have(state: State, new: NewNode, name: str) -> bool:
    """May the job that a node is for have it under this name? By partitions, reservations and what it needs of it."""
    record = state.roster.records.get(name)
    partitions = state.ahead.partitions_of(new.ahead)
    return record is not None and serves(record.partitions, partitions) and new.place.has(state.zone(name))


def _powering(state: State, names: PlacedNames) -> set[str]:
    """Names that have been asked for, of which no list tells yet."""
    asked = state.placements.powering
    asked -= {name for name in asked if names.is_fresh(name)}
    return asked


def _power_up(state: State, lacking: Sequence[NewNode], names: PlacedNames) -> None:
    """Names that are off are asked for, so that the scheduler waits for their nodes."""
    free = [name for name, work in names.work.items() if work.state.kind is WorkKind.OFF and names.is_fresh(name)]
    for new, count in Counter(lacking).items():
        size = new.size.id
        fitting = (name for name in free if names.size_of(name) == size and not names.has_node(name))
        mine = [name for name in fitting if not new.ahead or _may_have(state, new, name)][:count]
        if mine:
            text = "%s wants %d more nodes of %s: powering %s up"
            state.context.decide(Decided.BOOT, size, text, _who(new), len(mine), size, some(mine))
            state.placements.powering.update(mine)
            if new.ahead:
                state.placements.hurried.update(mine)
            begin_chore(state, mine, PowerUp(0, tuple(mine)))
            free = [name for name in free if name not in mine]
        if new.ahead and len(mine) < count:
            state.ahead.lacks_name(new.ahead, size)


def _who(new: NewNode) -> str:
    if new.ahead:
        return f"job {new.ahead}, which cannot start yet,"
    return f"spare {new.spare}" if new.spare else "min_nodes"
