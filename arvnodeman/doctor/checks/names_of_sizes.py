"""Names that sizes lack, share, or that are not alike."""

from __future__ import annotations

from collections.abc import Iterator

from arvnodeman.config.size_names import few
from arvnodeman.doctor.base import Area, Check, findings
from arvnodeman.doctor.checks.names_lacking import NOT_IN_CONF
from arvnodeman.doctor.facts import SlurmSetup
from arvnodeman.fleet.values.features import SIZE_FEATURE
from arvnodeman.slurm.commands import DUMMY_NODE


def judge(setup: SlurmSetup) -> Iterator[str]:
    """A line for each mistake of a size."""
    owners: dict[str, str] = {}
    shown = setup.shown
    for size in setup.settings.sizes:
        option = f"[Size {size.id}] node_names"
        names = setup.by_size.get(size.id, ())
        known = [name for name in names if name in shown]
        if not names:
            yield f"{option}: none are listed, and no name declared CLOUD has the feature {SIZE_FEATURE}{size.id}"
        elif not known:
            yield f"{option}: it shows none of {few(names)}: {NOT_IN_CONF}"
        if DUMMY_NODE in known:
            yield f"{option}: {DUMMY_NODE} is kept for Arvados' dispatcher and never changed; remove it, or rename it"
        two = [name for name in known if owners.setdefault(name, size.id) != size.id]
        if two:
            yield f"{option}: {few(two)}: of [Size {owners[two[0]]}] as well, by the features in slurm.conf"
        kinds = {(shown[name].cpus, shown[name].memory): name for name in reversed(known)}
        if len(kinds) > 1:
            told = (f"{name} has CPUs={cpus} RealMemory={memory}" for (cpus, memory), name in list(kinds.items())[-2:])
            yield f"{option}: {', '.join(reversed(list(told)))} in slurm.conf: names of one size must be alike"


CHECK = Check(
    name="names-of-sizes",
    area=Area.SETUP,
    says="A size has no names in Slurm, shares names with another size, or its names are not alike.",
    mends="Give each size its own names in slurm.conf, all alike, with the feature instancetype=NAME.",
    find=lambda facts: findings(judge(facts.setup())),
    places=True,
)
