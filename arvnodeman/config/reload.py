"""What is different in a configuration that was read anew, and what of it can be put into force without a restart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from arvnodeman.config.ladder import zones_in
from arvnodeman.config.option import Setting, settings_of, with_values
from arvnodeman.config.settings import Settings
from arvnodeman.fleet.values.budgets import Budget
from arvnodeman.fleet.values.model import SizeSection
from arvnodeman.fleet.values.spares import Spare

SectionT = TypeVar("SectionT")


@dataclass(frozen=True, slots=True)
class Change:
    """One option that is different. `live`: in force at once; else it needs a restart."""

    option: str  # "[Section] option"; no values, for they may be secret
    live: bool
    unlimited: bool = False  # what it limited before has no limit now


def changes(old: Settings, new: Settings) -> list[Change]:
    """All differences, in the order of the file's sections."""
    named = (*_named("Spare", old.spares, new.spares), *_named("Budget", old.budgets, new.budgets))
    return [*_options(old, new), *_sizes(old, new), *named]


def reloaded(old: Settings, new: Settings) -> Settings:
    """The settings in force after a reload: those of `new` where that needs no restart, else those of `old`. So the
    next reload tells again what still waits for a restart."""
    return replace(
        old,
        warnings=new.warnings,
        manage=_mixed(old.manage, new.manage),
        daemon=_mixed(old.daemon, new.daemon),
        leader=_mixed(old.leader, new.leader),
        logging=_mixed(old.logging, new.logging),
        arvados=_mixed(old.arvados, new.arvados),
        cloud=_mixed(old.cloud, new.cloud),
        sizes=_with_names(old, new),
        spares=new.spares,
        budgets=new.budgets,
    )


def _with_names(old: Settings, new: Settings) -> tuple[SizeSection, ...]:
    """The new sizes, with the names that they had: who lists the names was told of them when it was made. So it is with
    zones, which the cloud's driver knows."""
    names = {size.id: size.node_names for size in old.sizes}
    known = _in_zones_of(old, new)
    return tuple(replace(size, node_names=names.get(size.id, size.node_names)) for size in known)


def _in_zones_of(old: Settings, new: Settings) -> tuple[SizeSection, ...]:
    """The new sizes; with the rungs that they had, where the zones are others."""
    before, now = (zones_in(each.cloud.provider, each.cloud.create) for each in (old, new))
    if before == now:
        return new.sizes
    ladders = {size.id: size.ladder for size in old.sizes}
    return tuple(replace(size, ladder=ladders.get(size.id, ())) for size in new.sizes)


def _mixed(old: SectionT, new: SectionT) -> SectionT:
    """One section: what is in force at once from `new`, all else from `old`."""
    at_once = [each.attribute for each in settings_of(type(old)) if each.at_once]
    return with_values(old, {name: getattr(new, name) for name in at_once})


def _options(old: Settings, new: Settings) -> Iterator[Change]:
    pairs: tuple[tuple[object, object], ...] = (
        (old.manage, new.manage),
        (old.daemon, new.daemon),
        (old.leader, new.leader),
        (old.logging, new.logging),
        (old.arvados, new.arvados),
        (old.cloud, new.cloud),
    )
    for before, after in pairs:
        for setting in settings_of(type(before)):
            value = getattr(after, setting.attribute)
            if getattr(before, setting.attribute) != value:
                yield _change(setting, value)


def _change(setting: Setting, value: object) -> Change:
    unlimited = setting.option is not None and setting.option.no_limit == value
    return Change(f"[{setting.section}] {setting.name}", setting.at_once, unlimited)


def _sizes(old: Settings, new: Settings) -> Iterator[Change]:
    before = {size.id: size for size in old.sizes}
    after = {size.id: size for size in _in_zones_of(old, new)}
    for name in before | after:
        was, will_be = before.get(name), after.get(name)
        if was is None or will_be is None:
            # who lists the names of sizes knows those of the start
            yield Change(f"[Size {name}]", live=was is not None or not old.places)
        elif was.node_names != will_be.node_names:
            yield Change(f"[Size {name}] node_names", live=False)
            if replace(was, node_names=will_be.node_names) != will_be:
                yield Change(f"[Size {name}]", live=True)
        elif was != will_be:
            yield Change(f"[Size {name}]", live=True)


def _named(kind: str, old: Sequence[Spare | Budget], new: Sequence[Spare | Budget]) -> Iterator[Change]:
    before, after = ({each.name: each for each in some} for some in (old, new))
    for name in before | after:
        if before.get(name) != after.get(name):
            yield Change(f"[{kind} {name}]", live=True)
