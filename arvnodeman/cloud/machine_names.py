"""Which names for machines the clouds refuse: a node of a Slurm name has that name at the cloud, too.

The rules are the clouds' own: GCE's "Naming resources" (RFC 1035), Azure's "Naming rules and restrictions for Azure
resources" for a virtual machine with Linux. EC2 and OpenStack keep a name as a text of up to 255 characters.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class _Rule:
    pattern: re.Pattern[str]
    words: str


_LONGEST = _Rule(re.compile(r".{1,255}"), "at most 255 characters")
_RULES: Mapping[str, _Rule] = {
    "gce": _Rule(
        re.compile(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?"),
        "lower-case letters, digits and hyphens, a letter first, no hyphen last, at most 63 characters",
    ),
    "azure": _Rule(
        re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,62}[A-Za-z0-9])?"),
        "letters, digits, hyphens and dots, a letter or digit first and last, at most 64 characters",
    ),
    "ec2": _LONGEST,
    "openstack": _LONGEST,
}


def why_refused(provider: str, name: str) -> str:
    """What this cloud takes, in words, where it refuses the name; else ''."""
    rule = _RULES.get(provider)
    return "" if rule is None or rule.pattern.fullmatch(name) else rule.words
