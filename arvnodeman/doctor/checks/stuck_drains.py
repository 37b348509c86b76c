"""Drains of ours that nobody takes back: their node is gone."""

from __future__ import annotations

from collections.abc import Iterator

from arvnodeman.doctor.base import Area, CannotTell, Check, Finding, NotHere
from arvnodeman.doctor.facts import Facts
from arvnodeman.doctor.remedies import Remedies
from arvnodeman.fleet.values.work import OUR_CLOSING, drain_of
from arvnodeman.slurm.show import ShownNode


def judge(facts: Facts) -> Iterator[Finding]:
    """One for each name. What is younger than a boot may take is left to the daemon."""
    nodes = facts.cloud().nodes
    there = {each for node in nodes for each in (node.id, node.report_id, node.name, node.fqdn, node.token) if each}
    marked = {record.hostname for record in facts.records() if record.intent or record.instance_id in there}
    oldest = facts.now - facts.settings().daemon.boot_fail_after
    for name, node in facts.shown().items():
        if not _is_old_drain_of_ours(node, oldest) or name in marked or name in there:
            continue
        drain = drain_of(node.reason)
        assert drain is not None
        if drain.instance in there or (drain.kind == OUR_CLOSING and _has_daemon(facts)):
            continue  # a running daemon opens the names of a size again when it may
        gone = f"for {drain.instance}, which is gone from the cloud" if drain.instance else "for an unknown node"
        answers = node.responds and node.base not in ("UNKNOWN", "DOWN") and "POWERED_DOWN" not in node.flags
        told = "; a machine that is not ours answers under this name" if answers else ""
        yield Finding(
            f"{name} is drained with our reason {node.reason!r}, {gone}: no job starts there{told}",
            about=name,
            by_itself=not answers,
        )


def _is_old_drain_of_ours(node: ShownNode, oldest: float) -> bool:
    ours = "DRAIN" in node.flags and not node.works and drain_of(node.reason) is not None
    return ours and node.reason_at is not None and node.reason_at < oldest


def _has_daemon(facts: Facts) -> bool:
    """Does one run?"""
    try:
        facts.daemon()
    except NotHere:
        return False
    except CannotTell:
        return True  # it does not let us ask
    return True


def mend(found: Finding, remedies: Remedies) -> str:
    """Resume the name."""
    remedies.resume(found.about)
    return f"{found.about}: resumed in Slurm"


CHECK = Check(
    name="stuck-drains",
    area=Area.SLURM,
    says="A name is drained with our reason, but its node has been gone for longer than a boot may take.",
    mends="`scontrol update NodeName=NAME State=RESUME`; `doctor --fix` does it where no machine answers there.",
    find=judge,
    mend=mend,
)
