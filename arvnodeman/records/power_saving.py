"""Is this Slurm set up so that it places jobs on names that are off, and leaves it to us which machines there are?"""

from __future__ import annotations

import math
import re
import socket
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from arvnodeman.config import Settings
from arvnodeman.config.size_names import few, names_in
from arvnodeman.fleet.values.features import SIZE_FEATURE
from arvnodeman.fleet.values.model import SizeSection
from arvnodeman.records.advice import NOT_SHOWN, Advice, Partitions, power_saved, seconds_of
from arvnodeman.slurm.commands import DUMMY_NODE
from arvnodeman.slurm.show import ShownNode

YEAR = 365 * 86400.0  # seconds: a SuspendTime from here on stops no node
SINCE, SINCE_FOR_ONE_SIZE = (24, 11), (22, 5)
ADDRESSES_SINCE = (23, 11)  # a node's address is always what it registers with
SHORT_LOOK = 2  # power_save_interval, in seconds, above which starts of nodes may wait for each other
PROGRAMS = ("ResumeProgram", "SuspendProgram")
_INTERVAL = re.compile(r"\bpower_save_interval=([0-9]+)")
_ITS_INTERVAL = 10  # Slurm's own
_REG_ADDRS = "cloud_reg_addrs"
_VERSION = re.compile(r"([0-9]+)\.([0-9]+)")
Shown = Mapping[str, ShownNode]
Conf = Mapping[str, str]


def names_of_sizes(sizes: Sequence[SizeSection], shown: Shown, partitions: Sequence[str]) -> dict[str, list[str]]:
    """The names of each size, in order: those that it lists, else those declared CLOUD with its feature, in these
    partitions (none: in any)."""
    by_feature: dict[str, list[str]] = {}
    for name, node in shown.items():
        if "CLOUD" in node.flags and (not partitions or not set(partitions).isdisjoint(node.partitions)):
            for feature in node.features:
                by_feature.setdefault(feature, []).append(name)
    listed = {name for size in sizes for name in names_in(size.node_names)}
    found: dict[str, list[str]] = {}
    for size in sizes:
        carry = (name for name in by_feature.get(f"{SIZE_FEATURE}{size.id}", ()) if name not in listed)
        found[size.id] = list(names_in(size.node_names)) or list(carry)
    return found


class PowerAdvice(Advice):
    """Looks at what Slurm shows and says what will not work. Used by one thread."""

    _by_size: Mapping[str, Sequence[str]]

    def check_sizes(self, shown: Shown, by_size: Mapping[str, Sequence[str]]) -> None:
        """Warn of what is new. Raises RemoteFailure, REFUSED, while it would be wrong to touch a node."""
        self._by_size = by_size
        self.check(shown, [name for names in by_size.values() for name in names])

    def _refusals(self, config: Conf, shown: Shown, _names: Sequence[str], partitions: Partitions) -> Iterator[str]:
        return power_refusals(self._settings, config, shown, self._by_size, partitions)

    def _warnings(self, config: Conf, shown: Shown, names: Sequence[str]) -> Iterator[str]:
        return power_warnings(config, shown, names)

    def _wants_partitions(self, _config: Conf) -> bool:
        return True


def power_refusals(
    settings: Settings, config: Conf, shown: Shown, by_size: Mapping[str, Sequence[str]], partitions: Partitions
) -> Iterator[str]:
    """Why no node of this Slurm may be touched, one line for each reason."""
    version = _version(config)
    yield from _age(config, version, len(by_size))
    yield from _addresses(config, version)
    yield from _sizes(settings.sizes, shown, by_size)
    names = [name for some in by_size.values() for name in some if name in shown]
    yield from _declared(shown, names)
    own = sorted({part for name in names for part in shown[name].partitions})
    yield from _suspends(config, shown, names, partitions)
    yield from _resumes(config, own, partitions)
    yield from _programs(config)
    yield from _patience(config, own, partitions, settings.daemon.boot_fail_after)


def power_warnings(config: Conf, shown: Shown, names: Sequence[str]) -> Iterator[str]:
    """What does not stop us, and somebody should know."""
    lacking = [name for name in names if name not in shown]
    if lacking:
        yield f"Slurm does not show {few(lacking)}, which should be ours: {NOT_IN_CONF}; no node gets such a name"
    rate = config.get("ResumeRate", "0").partition(" ")[0]
    found = _INTERVAL.search(config.get("SlurmctldParameters", ""))
    interval = int(found[1]) if found else _ITS_INTERVAL
    if rate != "0" and interval > SHORT_LOOK:
        yield (
            f"slurm.conf has ResumeRate={rate} and power_save_interval={interval}: jobs wait while Slurm powers up a "
            "few names at a time; set ResumeRate=0 and SlurmctldParameters=power_save_interval=1"
        )


NOT_IN_CONF = NOT_SHOWN.partition(",")[0]


def leaves_suspending_to_us(config: Conf, shown: Shown, names: Sequence[str], partitions: Partitions) -> bool:
    """Are these names, all declared CLOUD, such as Slurm stops none of by itself?"""
    known = [name for name in names if name in shown]
    cloud = bool(known) and all("CLOUD" in shown[name].flags for name in known)
    return cloud and not list(_suspends(config, shown, known, partitions))


def _version(config: Conf) -> tuple[int, int]:
    match = _VERSION.match(config.get("SLURM_VERSION", ""))
    return (int(match[1]), int(match[2])) if match else (0, 0)


def _age(config: Conf, version: tuple[int, int], sizes: int) -> Iterator[str]:
    said = config.get("SLURM_VERSION", "")
    if version < SINCE_FOR_ONE_SIZE:
        shown = said or "not known"
        yield f"its version is {shown}: node_records = slurm-cloud needs 24.11, or 22.05 with one size alone"
    elif version < SINCE and sizes > 1:
        yield (
            f"its version is {said}, which starts dear nodes before cheap ones: node_records = slurm-cloud with "
            f"{sizes} sizes needs 24.11"
        )


def _addresses(config: Conf, version: tuple[int, int]) -> Iterator[str]:
    """An older Slurm would keep the address that a name is given while it has no node."""
    if SINCE_FOR_ONE_SIZE <= version < ADDRESSES_SINCE and _REG_ADDRS not in config.get("SlurmctldParameters", ""):
        yield (
            f"its version is {config['SLURM_VERSION']}, which takes no address from a node that registers: "
            f"SlurmctldParameters needs {_REG_ADDRS}"
        )


def _sizes(sizes: Sequence[SizeSection], shown: Shown, by_size: Mapping[str, Sequence[str]]) -> Iterator[str]:
    owners: dict[str, str] = {}
    for size in sizes:
        option = f"[Size {size.id}] node_names"
        names = by_size.get(size.id, ())
        known = [name for name in names if name in shown]
        if not names:
            yield f"{option}: none are listed, and no name declared CLOUD has the feature {SIZE_FEATURE}{size.id}"
        elif not known:
            yield f"{option}: it shows none of {few(names)}: {NOT_IN_CONF}"
        if DUMMY_NODE in known:
            yield f"{option}: {DUMMY_NODE} is kept for Arvados' dispatcher and never changed; take it out, or rename it"
        two = [name for name in known if owners.setdefault(name, size.id) != size.id]
        if two:
            yield f"{option}: {few(two)}: of [Size {owners[two[0]]}] as well, by the features in slurm.conf"
        kinds = {(shown[name].cpus, shown[name].memory): name for name in reversed(known)}
        if len(kinds) > 1:
            told = (f"{name} has CPUs={cpus} RealMemory={memory}" for (cpus, memory), name in list(kinds.items())[-2:])
            yield f"{option}: {', '.join(reversed(list(told)))} in slurm.conf: names of one size must be alike"


def _declared(shown: Shown, names: Sequence[str]) -> Iterator[str]:
    other = [name for name in names if "CLOUD" not in shown[name].flags]
    if other:
        yield f"{few(other)}: not declared State=CLOUD in slurm.conf, as node_records = slurm-cloud needs"
    mixed: dict[str, list[str]] = {}
    for name, node in shown.items():
        for part in node.partitions if "CLOUD" not in node.flags else ():
            mixed.setdefault(part, []).append(name)
    cloud = (shown[name] for name in names if "CLOUD" in shown[name].flags)
    for part in dict.fromkeys(part for node in cloud for part in node.partitions):
        if part in mixed:
            yield (
                f"the partition {part} in slurm.conf has names declared CLOUD and others, such as {few(mixed[part])}: "
                "jobs of the others would never wait for a node; give each kind a partition of its own"
            )


def _suspends(config: Conf, shown: Shown, names: Iterable[str], partitions: Partitions) -> Iterator[str]:
    if "CLOUD" in config.get("SuspendExcStates", "").upper().split(","):
        return
    covered: dict[str, list[str]] = {}
    for name, why in power_saved(config, shown, names, partitions, YEAR):
        covered.setdefault(why, []).append(name)
    for why, stopped in covered.items():
        yield (
            f"slurm.conf has {why}: Slurm itself would stop {few(stopped)}, which are ours; set SuspendTime=315360000 "
            "for their partition, and no PowerDownOnIdle"
        )


def _resumes(config: Conf, own: Sequence[str], partitions: Partitions) -> Iterator[str]:
    """Slurm powers nothing up where no SuspendTime is a number, and says so nowhere."""
    waits = [config.get("SuspendTime", ""), *(partitions.get(part, {}).get("SuspendTime", "") for part in own)]
    if all(seconds_of(wait) == math.inf for wait in waits):
        yield (
            f"slurm.conf has SuspendTime={waits[0] or 'INFINITE'}, and no SuspendTime for the partition "
            f"{few(own) or 'of our names'}: Slurm would give jobs to names that are off and start none; set "
            "SuspendTime=315360000 for that partition"
        )


def _programs(config: Conf) -> Iterator[str]:
    """Seen on slurmctld's own machine alone."""
    here = _is_here(config.get("SlurmctldHost[0]", ""))
    for option in PROGRAMS:
        program = config.get(option, "")
        if not program:
            yield f"slurm.conf has no {option}: without ResumeProgram and SuspendProgram Slurm starts no node"
        elif here and (wrong := _wrong_with(program)):
            yield f"slurm.conf has {option}={program}, which {wrong}"


def _is_here(host: str) -> bool:
    name = host.partition("(")[0].partition(".")[0]
    return name in (socket.gethostname().partition(".")[0], "localhost")


def _wrong_with(program: str) -> str:
    try:
        mode = Path(program.split()[0]).stat().st_mode
    except FileNotFoundError:
        return "is not there"
    except OSError:
        return ""  # not for us to see
    return "" if stat.S_ISREG(mode) and mode & 0o111 else "is not executable"


def _patience(config: Conf, own: Sequence[str], partitions: Partitions, boot_fail_after: float) -> Iterator[str]:
    everywhere = config.get("ResumeTimeout", "")
    for part in own:
        given = partitions.get(part, {}).get("ResumeTimeout", "GLOBAL")
        wait = everywhere if given == "GLOBAL" else given
        if seconds_of(wait) < boot_fail_after:
            yield (
                f"slurm.conf has ResumeTimeout={wait.partition(' ')[0]} for the partition {part}: Slurm would give a "
                f"node up before we do; set it above [Daemon] boot_fail_after, {boot_fail_after:g}"
            )
