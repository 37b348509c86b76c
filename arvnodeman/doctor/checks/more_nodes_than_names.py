"""max_nodes is more than there are names."""

from __future__ import annotations

from collections.abc import Iterator

from arvnodeman.config import Settings
from arvnodeman.config.option import DAEMON
from arvnodeman.doctor.base import Area, Check, findings
from arvnodeman.doctor.names_in_file import names_in_file


def judge(settings: Settings) -> Iterator[str]:
    """A line at most."""
    names, most = names_in_file(settings).get(DAEMON, ()), settings.daemon.max_nodes
    if names and most > len(names):
        yield (
            f"{settings.path}: [{DAEMON}] max_nodes: {most} is more than the {len(names)} names of node_names: there "
            "can never be that many nodes"
        )


CHECK = Check(
    name="more-nodes-than-names",
    area=Area.FILE,
    says="max_nodes is larger than the number of names for nodes.",
    mends="Declare more names, or lower [Daemon] max_nodes.",
    find=lambda facts: findings(judge(facts.settings())),
    grave=False,
)
