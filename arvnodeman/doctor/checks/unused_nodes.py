"""Nodes that are paid for, and that Slurm does not use."""

from __future__ import annotations

from collections.abc import Iterator

from arvnodeman.doctor.base import Area, Check, Finding
from arvnodeman.doctor.facts import Facts
from arvnodeman.fleet.values.work import drain_of
from arvnodeman.slurm.show import ShownNode


def judge(facts: Facts) -> Iterator[Finding]:
    """One for each node that has been up for longer than a boot may take."""
    shown = facts.shown()
    born = {node.report_id: node.start_time for node in facts.cloud().nodes if not node.stopped}
    latest = facts.now - facts.settings().daemon.boot_fail_after
    for record in facts.records():
        node = shown.get(record.hostname or "")
        start = born.get(record.instance_id or "")
        if node is None or start is None or start > latest:
            continue
        if why := _why_unused(node):
            yield Finding(
                f"{node.name} ({record.instance_id}) costs money, but Slurm does not use it: {why}", node.name
            )


def _why_unused(node: ShownNode) -> str:
    """'' where Slurm may start jobs there, or we have closed it ourselves."""
    if node.works or drain_of(node.reason) is not None:
        return ""
    said = f" ({node.reason})" if node.reason else ""
    if "DRAIN" in node.flags:
        return f"it is drained{said}"
    if node.base == "DOWN" or "FAIL" in node.flags:
        return f"it is down{said}"
    if not node.responds:
        return "its slurmd does not answer"
    return "it is in no partition" if not node.partitions else ""


CHECK = Check(
    name="unused-nodes",
    area=Area.SLURM,
    says="One of our nodes costs money but Slurm does not use it: down, drained by others, silent, or in no partition.",
    mends="Find out why (`scontrol show node NAME`); resume it, or remove it: `arvados-node-manager drain NAME`.",
    find=judge,
    grave=False,
)
