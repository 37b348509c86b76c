"""Names of nodes that the cloud will refuse."""

from __future__ import annotations

from collections.abc import Iterator

from arvnodeman.cloud.machine_names import why_refused
from arvnodeman.config import Settings
from arvnodeman.doctor.base import Area, Check, findings
from arvnodeman.doctor.names_in_file import names_in_file


def judge(settings: Settings) -> Iterator[str]:
    """A line for each section that has some."""
    provider = settings.cloud.provider
    for section, names in names_in_file(settings).items():
        refused = [name for name in names if why_refused(provider, name)]
        if refused:
            more = f" and {len(refused) - 1} more" if len(refused) > 1 else ""
            wrong = f"{provider} refuses a node of the name {refused[0][:80]!r}{more}"
            yield f"{settings.path}: [{section}] node_names: {wrong}; allowed: {why_refused(provider, refused[0])}"


CHECK = Check(
    name="names-refused-by-cloud",
    area=Area.FILE,
    says="Nodes would have names that the cloud refuses: each boot would fail.",
    mends="Give them names that it accepts, here and in slurm.conf.",
    find=lambda facts: findings(judge(facts.settings())),
)
