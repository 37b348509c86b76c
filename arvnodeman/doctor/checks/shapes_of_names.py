"""Sizes whose nodes get the same names, and differ in cores."""

from __future__ import annotations

from collections.abc import Iterator

from arvnodeman.config import Settings
from arvnodeman.config.size_names import few
from arvnodeman.doctor.base import Area, Check, findings


def judge(settings: Settings) -> Iterator[str]:
    """A line at most: the daemon sees what the names have, and what of it is lost, but only once it runs."""
    alike = [size for size in settings.sizes if not size.node_names and size.cores]
    cores = sorted({size.cores for size in alike})
    if settings.shares and len(cores) > 1:
        listed = few([f"[Size {size.id}]" for size in alike])
        yield (
            f"{settings.path}: {listed}: {' or '.join(f'{each:g}' for each in cores)} cores, and the same names; where "
            "Slurm lets jobs share nodes, it counts what the name has in slurm.conf: give each size node_names"
        )


CHECK = Check(
    name="shapes-of-names",
    area=Area.FILE,
    says="Jobs may share nodes, and nodes of sizes with different cores get the same names.",
    mends="Give each [Size] its own node_names.",
    find=lambda facts: findings(judge(facts.settings())),
    grave=False,
)
