"""Nodes of ours that no node record knows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from arvnodeman.doctor.base import Area, Check, Finding
from arvnodeman.doctor.facts import Facts
from arvnodeman.fleet.values.model import CloudNode, NodeRecord


def judge(facts: Facts) -> Iterator[Finding]:
    """One for each that is older than a boot may take: a younger one may be on its way."""
    nodes, records = facts.cloud().nodes, facts.records()  # the cloud first: a record is there before its node is
    latest = facts.now - facts.settings().daemon.boot_fail_after
    for node in orphans(nodes, records):
        if node.start_time is None or node.start_time < latest:
            age = "of unknown age" if node.start_time is None else f"{(facts.now - node.start_time) / 3600:.1f} h old"
            yield Finding(f"{node.id} ({node.name}) has our tags, but no node record knows it; it is {age}", node.id)


def orphans(nodes: Sequence[CloudNode], records: Sequence[NodeRecord]) -> list[CloudNode]:
    """The nodes that no record knows: by the id that the node reports, or, until it has pinged, by the boot's token,
    its name or its FQDN."""
    instances = {record.instance_id for record in records}
    tokens = {record.intent.token for record in records if record.intent is not None}
    waiting = [record for record in records if record.instance_id is None]
    names = {name for record in waiting for name in (record.fqdn, record.node_name) if name}
    return [
        node
        for node in nodes
        if node.report_id not in instances and node.token not in tokens and names.isdisjoint((node.name, node.fqdn))
    ]


CHECK = Check(
    name="orphans",
    area=Area.CLOUD,
    says="A node with our tags costs money, but no node record knows it.",
    mends="A running daemon destroys it; otherwise destroy it yourself (`cloud-test --config FILE --list-orphans`).",
    find=judge,
)
