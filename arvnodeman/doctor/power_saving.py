"""Which names Slurm's own power saving would stop, by slurm.conf: of the whole cluster, and by partition."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from arvnodeman.config.hostlist import hostlist
from arvnodeman.doctor.facts import Partitions, SlurmSetup
from arvnodeman.slurm.show import ShownNode

YEAR = 365 * 86400.0  # seconds: a SuspendTime from here on stops no node
_VERSION = re.compile(r"([0-9]+)\.([0-9]+)")
_NEVER = ("", "-1", "INFINITE", "NONE")
_FOREVER, _GLOBAL = "INFINITE", "GLOBAL"
_log = logging.getLogger("arvnodeman.slurm")


def power_saved(
    config: Mapping[str, str],
    shown: Mapping[str, ShownNode],
    names: Iterable[str],
    partitions: Partitions,
    forever: float = math.inf,
) -> Iterator[tuple[str, str]]:
    """The names that Slurm itself would stop, each with the line of slurm.conf that says so. A SuspendTime of so many
    seconds is as good as none."""
    if "SuspendProgram" not in config:
        return
    excepted: set[str] = set()
    for item in _items(config.get("SuspendExcNodes", "")):
        try:
            excepted.update(hostlist(item))
        except ValueError:
            _log.warning("SuspendExcNodes in slurm.conf cannot be read: %s", item)
    parts = set(config.get("SuspendExcParts", "").split(","))
    for name in names:
        if name not in excepted and parts.isdisjoint(shown[name].partitions):
            own = [partitions[each] for each in shown[name].partitions if each in partitions]
            why = _stops(config, own, forever)
            if why:
                yield name, why


def _stops(config: Mapping[str, str], partitions: Sequence[Mapping[str, str]], forever: float) -> str:
    """What in slurm.conf lets Slurm stop an idle node of these partitions; '' for nothing. Of several partitions with a
    SuspendTime the longest counts, and the cluster's only where none has one."""
    for each in partitions:
        if each.get("PowerDownOnIdle", "NO") == "YES":
            return f"PowerDownOnIdle=YES for the partition {each['PartitionName']}"
    waits = {each["PartitionName"]: each.get("SuspendTime", _GLOBAL) for each in partitions}
    own = {name: wait for name, wait in waits.items() if wait != _GLOBAL}
    if any(wait == _FOREVER or forever <= seconds_of(wait) < math.inf for wait in own.values()):
        return ""
    for name, wait in own.items():
        if wait not in _NEVER:
            return f"SuspendTime={wait} for the partition {name}"
    everywhere = config.get("SuspendTime", "")
    return "" if own or seconds_of(everywhere) >= forever else f"SuspendTime={everywhere}"


def seconds_of(wait: str) -> float:
    """A time of slurm.conf, as scontrol shows it; infinity for none."""
    number = wait.partition(" ")[0]
    return float(number) if number.isdecimal() else math.inf


def _items(text: str) -> list[str]:
    """A list whose items may have brackets with commas in them. `names:2` excepts two of these, nobody knows which: it
    is left out."""
    items, depth = [""], 0
    for letter in text:
        depth += (letter == "[") - (letter == "]")
        if letter == "," and not depth:
            items.append("")
        else:
            items[-1] += letter
    return [item for item in items if item and ":" not in item]


def version_of_conf(config: Mapping[str, str]) -> tuple[int, int]:
    """Of slurmctld, by what it says of its configuration: (24, 11); (0, 0) where it does not say."""
    match = _VERSION.match(config.get("SLURM_VERSION", ""))
    return (int(match[1]), int(match[2])) if match else (0, 0)


def our_names(setup: SlurmSetup) -> list[str]:
    """The names of all sizes that Slurm shows."""
    return [name for some in setup.by_size.values() for name in some if name in setup.shown]


def our_partitions(setup: SlurmSetup) -> list[str]:
    """The partitions that these are in."""
    return sorted({part for name in our_names(setup) for part in setup.shown[name].partitions})
