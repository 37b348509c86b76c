"""The cloud's quota is below max_nodes."""

from __future__ import annotations

from collections.abc import Iterator

from arvnodeman.doctor.base import Area, Check, findings
from arvnodeman.doctor.facts import Facts


def judge(facts: Facts) -> Iterator[str]:
    """A line for each limit that was learnt."""
    daemon = facts.daemon()
    for what, limit in (("the cloud's quota", daemon.quota), ("the slots of node records", daemon.slots)):
        if limit < daemon.max_nodes:
            yield f"{what} allow {limit} nodes, as refusals have shown, but [Daemon] max_nodes is {daemon.max_nodes}"


CHECK = Check(
    name="quota-below-max",
    area=Area.DAEMON,
    says="The cloud, or Arvados, allows fewer nodes than max_nodes: jobs wait longer than necessary.",
    mends="Ask the provider for more (Arvados: MaxComputeVMs), or lower [Daemon] max_nodes.",
    find=lambda facts: findings(judge(facts)),
    grave=False,
)
