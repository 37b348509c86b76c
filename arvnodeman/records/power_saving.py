"""Names declared CLOUD: which belong to which size, and whether slurm.conf leaves it to us to stop their nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from arvnodeman.config.size_names import names_in
from arvnodeman.doctor.checks import slurm_suspends
from arvnodeman.doctor.facts import SlurmSetup
from arvnodeman.fleet.values.features import SIZE_FEATURE
from arvnodeman.fleet.values.model import SizeSection
from arvnodeman.slurm.show import ShownNode


def names_of_sizes(
    sizes: Sequence[SizeSection], shown: Mapping[str, ShownNode], partitions: Sequence[str]
) -> dict[str, list[str]]:
    """The names of each size, in order: those that it lists, else those declared CLOUD with its feature, in these
    partitions (none: in any)."""
    by_feature: dict[str, list[str]] = {}
    for name, node in shown.items():
        if "CLOUD" in node.flags and (not partitions or not set(partitions).isdisjoint(node.partitions)):
            for feature in node.features:
                by_feature.setdefault(feature, []).append(name)
    listed = {name for size in sizes for name in names_in(size.node_names)}
    found: dict[str, list[str]] = {}
    for size in sizes:
        carry = (name for name in by_feature.get(f"{SIZE_FEATURE}{size.id}", ()) if name not in listed)
        found[size.id] = list(names_in(size.node_names)) or list(carry)
    return found


def leaves_suspending_to_us(setup: SlurmSetup) -> bool:
    """Are the names of all sizes declared CLOUD, such as Slurm stops none of by itself?"""
    known = [name for names in setup.by_size.values() for name in names if name in setup.shown]
    cloud = bool(known) and all("CLOUD" in setup.shown[name].flags for name in known)
    return cloud and not list(slurm_suspends.judge(setup))
