"""What is different in a configuration that was read anew, and what of it can be put into force without a restart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

from arvnodeman.config.settings import Settings
from arvnodeman.config.table import find
from arvnodeman.fleet.values.model import Policy

SECTIONS = {"manage": "Manage", "daemon": "Daemon", "logging": "Logging", "arvados": "Arvados", "cloud": "Cloud"}
POLL_TIMES = {"poll_time", "cloudlist_poll_time", "nodelist_poll_time", "wishlist_poll_time"}
LIVE = (
    {("daemon", each.name) for each in fields(Policy)}
    | {("daemon", name) for name in POLL_TIMES | {"stop_timeout"}}
    | {("logging", "level"), ("logging", "loggers"), ("cloud", "shutdown_windows")}
)


@dataclass(frozen=True, slots=True)
class Change:
    """One option that is different. `live`: in force at once; else it needs a restart."""

    option: str  # "[Section] option"; no values, for they may be secret
    live: bool
    unlimited: bool = False  # what it limited before has no limit now


def changes(old: Settings, new: Settings) -> list[Change]:
    """All differences, in the order of the file's sections."""
    return [*_options(old, new), *_sizes(old, new)]


def reloaded(old: Settings, new: Settings) -> Settings:
    """The settings in force after a reload: those of `new` where that needs no restart, else those of `old`. So the
    next reload tells again what still waits for a restart."""
    sections = {}
    for attribute in SECTIONS:
        before, after = getattr(old, attribute), getattr(new, attribute)
        live = [each.name for each in fields(before) if (attribute, each.name) in LIVE]
        sections[attribute] = replace(before, **{name: getattr(after, name) for name in live})
    return replace(old, warnings=new.warnings, sizes=new.sizes, **sections)


def _options(old: Settings, new: Settings) -> Iterator[Change]:
    for attribute, section in SECTIONS.items():
        before, after = getattr(old, attribute), getattr(new, attribute)
        for each in fields(before):
            if getattr(before, each.name) != getattr(after, each.name):
                option = find(section, each.name)
                unlimited = option is not None and option.no_limit == getattr(after, each.name)
                yield Change(f"[{section}] {each.name}", (attribute, each.name) in LIVE, unlimited)


def _sizes(old: Settings, new: Settings) -> Iterator[Change]:
    before = {size.id: size for size in old.sizes}
    after = {size.id: size for size in new.sizes}
    for name in before | after:
        if before.get(name) != after.get(name):
            yield Change(f"[Size {name}]", live=True)
