"""The output of `scontrol show nodes`, `show config` and `show hostnames` as values.

One pass over the lines, in time that grows with them: 25 ms and 640 kB for 1,000 nodes at slurmctld, less here. A node
that cannot be read is handed back, and costs only itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

from arvnodeman.fleet.values.quick import quick
from arvnodeman.slurm.reasons import counted

# Older releases write a flag as a letter behind the state, newer ones as a word behind a plus sign.
_LETTERS = {"*": "NOT_RESPONDING", "~": "POWERED_DOWN", "#": "POWERING_UP", "%": "POWERING_DOWN", "!": "POWER_DOWN"}
_LETTERS |= {"$": "MAINTENANCE", "@": "REBOOT_REQUESTED", "^": "REBOOT_ISSUED", "-": "PLANNED"}
_REASON = re.compile(r"(.*?)\s*\[[^\[\]@]*@([^\[\]]*)\]")
_FIELD = re.compile(r"(?:^|\s)([A-Za-z]+)=(\S*)")
_FREE_TEXT = ("Reason=", "Comment=", "OS=", "Extra=")
_LAST = ("Reason=", "Comment=", "Extra=")  # behind all that is wanted; what follows may be their second line
_NOTHING = "(null)"  # so older releases show a node without a Comment
# Of lines, which have several fields.
_WANTED = ("NodeName=", "NodeAddr=", "State=", "Partitions=", "SlurmdStartTime=", "CPUTot=", "AvailableF", "RealMem")
WORKING = frozenset({"ALLOCATED", "MIXED"})
_WELL = WORKING | {"IDLE"}
_CLOSED = frozenset({"DRAIN", "FAIL"})
_REBOOTS = frozenset({"REBOOT_REQUESTED", "REBOOT_ISSUED"})


@quick
@dataclass(frozen=True, slots=True)
class ShownNode:
    """A node as slurmctld keeps it. Times are seconds since the epoch, by the clocks of slurmctld and slurmd."""

    name: str
    base: str  # UNKNOWN, DOWN, IDLE, ALLOCATED, MIXED, FUTURE ...
    flags: frozenset[str] = field(default_factory=frozenset)  # DRAIN, NOT_RESPONDING, CLOUD, ...
    address: str = ""
    port: str = ""
    partitions: tuple[str, ...] = ()
    slurmd_started: float | None = None  # of the newest slurmd that registered since slurmctld knows
    reason: str = ""  # that counts: '' for a node that is well, whatever Slurm has kept of earlier times
    reason_at: float | None = None
    comment: str = ""
    said: str = ""  # the reason as it stands there, whether it counts or not
    features: frozenset[str] = field(default_factory=frozenset)
    weight: int = 0
    cpus: str = ""
    memory: str = ""  # MB
    extra: str = ""

    @property
    def responds(self) -> bool:
        """Slurm hears from it."""
        return "NOT_RESPONDING" not in self.flags

    @property
    def works(self) -> bool:
        """Jobs are on it, or are being cleaned up."""
        return self.base in WORKING or "COMPLETING" in self.flags


def parse_nodes(text: str) -> tuple[dict[str, ShownNode], list[str]]:
    """`scontrol show nodes`: the nodes by name, and the first lines of those that cannot be read."""
    nodes: dict[str, ShownNode] = {}
    malformed: list[str] = []
    block: list[str] = []
    for line in [*text.split("\n"), ""]:
        if line.startswith("NodeName=") or not line:
            if block:
                try:
                    node = _node(block)
                    nodes[node.name] = node
                except (ValueError, OverflowError, OSError):
                    malformed.append(block[0])
            block = [line] if line else []
        elif block:
            block.append(line)
        else:
            malformed.append(line)
    return nodes, malformed


def _node(lines: list[str]) -> ShownNode:
    values: dict[str, str] = {}
    texts: dict[str, str] = {}
    last = False
    for line in lines:
        stripped = line.strip()
        if last and (line.startswith("    ") or not stripped.startswith(_FREE_TEXT)):
            continue
        last = last or stripped.startswith(_LAST)
        if stripped.startswith(_FREE_TEXT):  # what follows may hold anything, also what looks like a field
            name, _, rest = stripped.partition("=")
            texts[name] = "" if rest == _NOTHING else rest
        elif any(name in line for name in _WANTED):
            values.update(_FIELD.findall(line))
    name = values.get("NodeName", "")
    if not name or "State" not in values:
        raise ValueError("no name or no state")
    base, flags = _state(values["State"])
    said, at = _reason(texts.get("Reason", ""))
    reason = said
    if not _REBOOTS.isdisjoint(flags):  # whoever asked for it says why, and what he says stands as it is
        pass
    elif not _CLOSED.isdisjoint(flags) or base == "DOWN":
        reason = counted(reason, closed=not _CLOSED.isdisjoint(flags))
    elif base in _WELL:
        reason, at = "", None
    return ShownNode(
        name=name,
        base=base,
        flags=flags,
        address=values.get("NodeAddr", ""),
        port=values.get("Port", ""),
        partitions=tuple(filter(None, values.get("Partitions", "").split(","))),
        slurmd_started=_time(values.get("SlurmdStartTime", "")),
        reason=reason,
        reason_at=at,
        comment=texts.get("Comment", ""),
        said=said,
        features=_features(values.get("AvailableFeatures", "")),
        weight=int(values.get("Weight", "0")),
        cpus=values.get("CPUTot", ""),
        memory=values.get("RealMemory", ""),
        extra=texts.get("Extra", ""),
    )


@lru_cache(maxsize=256)
def _features(text: str) -> frozenset[str]:
    return frozenset(filter(None, text.split(","))) if text != _NOTHING else frozenset()


def _state(text: str) -> tuple[str, frozenset[str]]:
    base, *words = text.split("+")
    flags = {_LETTERS[letter] for letter in base if letter in _LETTERS}
    return "".join(letter for letter in base if letter not in _LETTERS), frozenset(flags.union(words))


def _reason(text: str) -> tuple[str, float | None]:
    """`why [who@when]`, where who and when may be missing."""
    match = _REASON.fullmatch(text)
    if match is None:
        return text, None
    try:
        return match.group(1), _time(match.group(2))
    except ValueError:
        return text, None


def _time(text: str) -> float | None:
    """Seconds since the epoch, or this machine's local time. None for `None`, `Unknown`. Raises ValueError."""
    if text in ("", "None", "Unknown", "N/A"):
        return None
    return float(text) if text.isdigit() else datetime.fromisoformat(text).timestamp()


def parse_config(text: str) -> Mapping[str, str]:
    """`scontrol show config`: the parameters by name; one that is not set is left out."""
    found: dict[str, str] = {}
    for line in text.split("\n"):
        name, equals, value = line.partition("=")
        if equals and value.strip() not in ("", _NOTHING):
            found.setdefault(name.strip(), value.strip())
    return found


def parse_partitions(text: str) -> Mapping[str, Mapping[str, str]]:
    """`scontrol --oneliner show partitions`: the fields of each partition by name; lines of anything else are left out.
    Only the first of two fields of one name counts, as QOS and TRES may have words of their own behind it."""
    found: dict[str, Mapping[str, str]] = {}
    for line in text.split("\n"):
        fields: dict[str, str] = {}
        for name, value in _FIELD.findall(line):
            fields.setdefault(name, value)
        if "PartitionName" in fields:
            found[fields["PartitionName"]] = fields
    return found
