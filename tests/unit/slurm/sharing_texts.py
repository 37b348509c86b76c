"""What Slurms of three versions printed of partitions, jobs and nodes that are shared: recorded/sharing-VERSION.txt."""

from __future__ import annotations

import re
from pathlib import Path

from arvnodeman.slurm.sharing import SharingRules, rules_of
from arvnodeman.slurm.show import parse_config, parse_partitions

VERSIONS = {"22.05": (22, 5), "24.11": (24, 11), "26.05": (26, 5)}


def recorded(version: str) -> dict[str, str]:
    """Its parts: config, partitions, jobs, nodes."""
    text = (Path(__file__).parent / "recorded" / f"sharing-{version}.txt").read_text()
    parts = re.split(r"^== (\w+)\n", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def rules_there(version: str) -> tuple[SharingRules | None, list[str]]:
    """What these say."""
    parts = recorded(version)
    return rules_of(parse_config(parts["config"]), parse_partitions(parts["partitions"]), VERSIONS[version])
