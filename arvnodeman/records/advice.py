"""Is this Slurm set up so that its nodes can be given to cloud nodes? Said once, and again when it changes."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from arvnodeman.config import Settings
from arvnodeman.config.hostlist import hostlist
from arvnodeman.fleet.values.model import ErrorKind, RemoteError, RemoteFailure, SizeSection
from arvnodeman.records.marks import read_mark
from arvnodeman.records.shapes import false_promises
from arvnodeman.slurm.commands import DUMMY_NODE
from arvnodeman.slurm.keeping import NOBODYS_ADDRESS, NamesInSlurm
from arvnodeman.slurm.show import ShownNode

CONFIG_AGE = 600.0  # seconds until slurm.conf is asked for again: it may be changed under us
_SHOWN = 5  # names in one line
NOT_SHOWN = "they are not in slurm.conf, or declared CLOUD or FUTURE there (declare them State=UNKNOWN)"
_NEVER = ("", "-1", "INFINITE", "NONE")
_FOREVER, _GLOBAL = "INFINITE", "GLOBAL"
Partitions = Mapping[str, Mapping[str, str]]
NAMES = "[Daemon] node_names"
_log = logging.getLogger("arvnodeman.slurm")


class Advice:
    """Looks at what Slurm shows and says what will not work. Used by one thread."""

    def __init__(
        self, settings: Settings, slurm: NamesInSlurm, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings = settings
        self._slurm = slurm
        self._monotonic = monotonic
        self._config: Mapping[str, str] = {}
        self._partitions: Partitions = {}
        self._fresh_until = float("-inf")
        self._said: frozenset[str] = frozenset()
        self._seen: set[str] = set()

    def check(self, shown: Mapping[str, ShownNode], names: Sequence[str]) -> None:
        """Warn of what is new. Raises RemoteFailure, REFUSED, while it would be wrong to touch a node."""
        config = self._configuration()
        refusal = next(self._refusals(config, shown, names, self._partitions), None)
        if refusal is not None:
            self._fresh_until = float("-inf")  # it may be mended before the next poll
            raise RemoteFailure(RemoteError(ErrorKind.REFUSED, f"Slurm: {refusal}", hint=NAMES))
        self._seen |= shown.keys() & set(names)
        # names that were there are missed also where slurm.conf alone says which are ours
        wanted = tuple(dict.fromkeys([*names, *sorted(self._seen)]))
        said = frozenset(self._warnings(config, shown, wanted))
        for line in sorted(said - self._said):
            _log.warning("%s", line)
        self._said = said

    def _refusals(
        self, config: Mapping[str, str], shown: Mapping[str, ShownNode], names: Sequence[str], partitions: Partitions
    ) -> Iterator[str]:
        return refusals(config, shown, names, partitions)

    def _warnings(
        self, config: Mapping[str, str], shown: Mapping[str, ShownNode], names: Sequence[str]
    ) -> Iterator[str]:
        yield from warnings(shown, names, self._settings.sizes)
        yield from false_promises(self._settings, config, self._partitions, shown, names)

    def _wants_partitions(self, config: Mapping[str, str]) -> bool:
        return "SuspendProgram" in config or (self._settings.shares and "SelectType" in config)

    def _configuration(self) -> Mapping[str, str]:
        now = self._monotonic()
        if now >= self._fresh_until:
            self._config = self._slurm.configuration()
            self._partitions = self._slurm.partitions() if self._wants_partitions(self._config) else {}
            self._fresh_until = now + CONFIG_AGE
        return self._config


def refusals(
    config: Mapping[str, str], shown: Mapping[str, ShownNode], names: Sequence[str], partitions: Partitions
) -> Iterator[str]:
    """Why no node of this Slurm may be touched, one line for each reason."""
    known = [name for name in names if name in shown]
    if not known:
        yield (
            f"it shows none of the names that are ours ({_few(names) or 'all nodes but ' + DUMMY_NODE}): {NOT_SHOWN}"
        )
    cloud = [name for name in known if "CLOUD" in shown[name].flags]
    if cloud:
        yield (
            f"{_few(cloud)}: declared State=CLOUD in slurm.conf: Slurm gives jobs to such nodes while they are off, so "
            "that they never wait for us; declare them State=UNKNOWN"
        )
    covered: dict[str, list[str]] = {}
    for name, why in power_saved(config, shown, known, partitions):
        covered.setdefault(why, []).append(name)
    for why, stopped in covered.items():
        yield (
            f"slurm.conf has SuspendProgram={config['SuspendProgram']} and {why}, and so "
            f"Slurm's own power saving stops {_few(stopped)}, which are ours as well: two masters kill nodes; take "
            "them out by SuspendExcNodes or SuspendExcParts, or remove SuspendProgram"
        )


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


def warnings(shown: Mapping[str, ShownNode], names: Sequence[str], sizes: Sequence[SizeSection] = ()) -> Iterator[str]:
    """What does not stop us, and somebody should know."""
    lacking = [name for name in names if name not in shown]
    if lacking:
        yield (f"Slurm does not show {_few(lacking)}, which should be ours: {NOT_SHOWN}; no node gets such a name")
    down = [name for name in names if name in shown and _seems_declared_down(shown[name])]
    if down:
        yield (
            f"{_few(down)}: down without a reason, as nodes declared State=DOWN in slurm.conf are: a plain restart of "
            "slurmctld would kill the jobs on them; declare them State=UNKNOWN"
        )
    yield from _shared_addresses(shown, names)
    unbound = [size.id for size in sizes if not size.partitions]
    sets = {frozenset(shown[name].partitions): name for name in names if name in shown}
    if unbound and len(sets) > 1:
        yield (
            f"{_few(list(sets.values()))} are not in the same partitions of Slurm, and [Size {unbound[0]}] is bound to "
            "none: a job may wait for a node that gets a name of another partition; give each size `partitions`"
        )


def _seems_declared_down(node: ShownNode) -> bool:
    return node.base == "DOWN" and not node.reason and node.slurmd_started is None


def _shared_addresses(shown: Mapping[str, ShownNode], names: Sequence[str]) -> Iterator[str]:
    holders: dict[tuple[str, str], list[str]] = {}
    for name in names:
        node = shown.get(name)
        mark = read_mark(node.comment) if node is not None else None
        if node is not None and mark is not None and mark.instance_id and node.address not in (name, NOBODYS_ADDRESS):
            holders.setdefault((node.address, node.port), []).append(name)
    for (address, _), sharing in holders.items():
        if len(sharing) > 1:
            yield f"Slurm looks for {_few(sharing)} at one address, {address}: only one of them can be there"


def _few(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
