"""Names that promise what their nodes have not, where jobs share nodes.

Slurm counts CPUs and memory by the line of the name in slurm.conf, whatever node has registered under it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from arvnodeman.config.size_names import few, names_in
from arvnodeman.doctor.base import Area, Check, findings
from arvnodeman.doctor.facts import SlurmSetup
from arvnodeman.fleet.values.model import SizeSection
from arvnodeman.slurm.sharing import rules_of
from arvnodeman.slurm.show import ShownNode

BY_NAME = "where jobs share nodes, Slurm counts CPUs and memory by the line of the name in slurm.conf"


def judge(setup: SlurmSetup) -> Iterator[str]:
    """What is lost, a line for each reason. Nothing where no job shares a node of these names."""
    settings, shown, names = setup.settings, setup.shown, setup.names
    if not settings.shares:
        return
    rules, _ = rules_of(setup.config, setup.partitions, None)
    if rules is None or not any(
        rules.partitions.intersection(shown[name].partitions) for name in names if name in shown
    ):
        return
    own = {name for size in settings.sizes for name in names_in(size.node_names)}
    common = [name for name in names if name not in own and name in shown]
    without = [size for size in settings.sizes if not size.node_names]
    if common and (wrong := _differ(without, (shown[name] for name in common))):
        yield (
            f"{few(common)}: any node of {_listed(without)} may get such a name, and {wrong}: {BY_NAME}, so the "
            "additional CPUs of a larger node are lost, and a smaller one gets more jobs than it has CPUs for; give "
            "each size node_names"
        )
    for size in settings.sizes:
        mine = [name for name in names_in(size.node_names) if name in shown]
        if mine and (wrong := _differ([size], (shown[name] for name in mine))):
            yield f"[Size {size.id}] node_names: {wrong}: {BY_NAME}"


def _differ(sizes: Sequence[SizeSection], nodes: Iterable[ShownNode]) -> str:
    """How many CPUs there are by the names and by the sizes, where these are not the same; '' where they are. Of CPUs
    that are threads a core may have any number."""
    declared = {node.cpus for node in nodes if node.cpus}
    offered = {f"{size.cores:g}" for size in sizes if size.cores}
    if declared == offered or not declared or not offered:
        return ""
    counts = " or ".join(sorted(declared, key=float))
    return f"the names have CPUs={counts}, the nodes cores = {' or '.join(sorted(offered, key=float))}"


def _listed(sizes: Sequence[SizeSection]) -> str:
    return few([f"[Size {size.id}]" for size in sizes])


CHECK = Check(
    name="false-promises",
    area=Area.SETUP,
    says="Jobs share nodes, and names in slurm.conf have other CPUs than the nodes that get them.",
    mends="Give each [Size] its own node_names, declared in slurm.conf with what its nodes have.",
    find=lambda facts: findings(judge(facts.setup())),
    grave=False,
    places=False,
)
