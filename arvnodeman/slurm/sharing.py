"""Do jobs share nodes in this Slurm, and what does a job take of a node there: by slurm.conf, as slurmctld has read it.

Which jobs share is said by SelectType, by the partition's OverSubscribe and by each job; what is counted, by
SelectTypeParameters. What is not understood shares with nobody: then a job has its nodes to itself, as ever.
Source: slurm.conf(5) and squeue(1) of 22.05 to 26.05, and what these were seen to do.
"""

from __future__ import annotations

import logging
import math
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from arvnodeman.fleet.values.capacity import Footprint
from arvnodeman.slurm.errors import SlurmFailure
from arvnodeman.slurm.show import parse_config, parse_partitions

EVERY = 600.0  # seconds between two questions about slurm.conf
AGAIN_AFTER = 30.0  # where there was no answer
NUMCPUS_ONLY_SINCE = (24, 11)  # older Slurms give a job as many CPUs as --mincpus asks for

_SHARED = ("select/cons_tres", "select/cons_res")
_MODE = re.compile(r"(NO|YES|FORCE)(?::([0-9]{1,6}))?")
_NOT_FOLLOWED = {"Exclusive": "NO", "ExclusiveUser": "NO", "ExclusiveTopo": "NO", "SelectTypeParameters": "NONE"}
_NOT_FOLLOWED |= {"MaxCPUsPerNode": "UNLIMITED", "MaxCPUsPerSocket": "UNLIMITED"}
"""Of a partition, beside OverSubscribe: what they are where they say nothing."""
_SOCKETS = frozenset({"CR_SOCKET", "CR_SOCKET_MEMORY"})
_NOT_SHARED = "not supported, so each job counts as having its nodes to itself"
_SHARES = frozenset({"OK", "YES"})  # a job's OverSubscribe, where squeue does not show Exclusive by itself
_log = logging.getLogger("arvnodeman.slurm")


@dataclass(frozen=True, slots=True)
class SharingRules:
    """How jobs share nodes."""

    partitions: frozenset[str]  # in which they do
    memory: bool  # it is counted
    cores: bool = False  # CPUs that make cores whole are the job's, and count where it asks for memory for each CPU
    tasks_apart: bool = False  # each task gets cores of its own
    least_taken: bool = False  # a job gets as many CPUs as --mincpus says, and else these have to be free only

    def shares(self, partitions: tuple[str, ...], oversubscribe: str, exclusive: str) -> bool:
        """Does a job share its nodes with others? By the partitions that it may run in, and by its two fields."""
        if not partitions or not self.partitions.issuperset(partitions):
            return False
        return exclusive == "NO" if exclusive else oversubscribe in _SHARES


@dataclass(frozen=True, slots=True)
class AskedCpus:
    """What of a job's request tells what it takes of each of its nodes."""

    least: float  # MinCpus
    cpus: float  # NumCPUs, of one node
    tasks: int = 1  # of one node
    per_core: int = 0  # tasks that may have a core together; 0: any
    threads: int = 0  # of a core that it may use; 0: any


@dataclass(frozen=True, slots=True)
class AskedMemory:
    """How much memory a job asks for, in MB: of each of its CPUs, or of each of its nodes."""

    amount: float
    by_cpu: bool | None  # None: that is not told, and it is the same for the CPUs that it asks for

    def on_node(self, cpus: float) -> float:
        """On a node on which it has so many CPUs."""
        return self.amount * cpus if self.by_cpu else self.amount


def footprint(rules: SharingRules, asked: AskedCpus, memory: AskedMemory | None) -> Footprint:
    """What such a job takes. `memory`: None where it asks for none, and gets all that its node has."""
    cpus, apart = max(1, math.ceil(asked.cpus or asked.least)), 1
    if asked.threads:
        apart = math.ceil(cpus / asked.threads)
    elif per_core := asked.per_core or int(rules.tasks_apart):
        apart = min(math.ceil(asked.tasks / per_core), cpus)
    if rules.least_taken:
        cpus = max(cpus, math.ceil(asked.least))
    if not rules.memory:
        return Footprint(cpus, 0, apart)
    if memory is None:
        return Footprint(cpus, math.inf, apart)
    if memory.by_cpu is False:
        return Footprint(cpus, memory.amount, apart)
    return Footprint(cpus, memory.amount * cpus, apart, ram_by_cpu=rules.cores and not asked.threads)


def rules_of(
    config: Mapping[str, str], partitions: Mapping[str, Mapping[str, str]], version: tuple[int, int] | None
) -> tuple[SharingRules | None, list[str]]:
    """The rules, None where no job shares a node; and what is to be said of them, a line each."""
    select = config.get("SelectType", "")
    if select not in _SHARED:
        return None, []
    shared, said = set[str](), []
    for name, fields in sorted(partitions.items()):
        shares, remark = _partition(fields)
        if shares:
            shared.add(name)
        if remark:
            said.append(f"partition {name}: {remark}")
    counted = set(re.split(r"[,|]", config.get("SelectTypeParameters", "").upper()))
    if not counted.isdisjoint(_SOCKETS):
        return None, [f"SelectTypeParameters: whole sockets are {_NOT_SHARED}"]
    if not shared:
        return None, said
    rules = SharingRules(
        partitions=frozenset(shared),
        memory=any(word.endswith("_MEMORY") for word in counted),
        cores=not counted.isdisjoint({"CR_CORE", "CR_CORE_MEMORY"}),
        tasks_apart="CR_ONE_TASK_PER_CORE" in counted,
        least_taken=version is None or version < NUMCPUS_ONLY_SINCE,
    )
    return rules, said


def _partition(fields: Mapping[str, str]) -> tuple[bool, str]:
    """Do jobs in a partition share nodes, and what is to be said of that, if anything."""
    mode = fields.get("OverSubscribe", fields.get("Shared", ""))
    if mode == "EXCLUSIVE" or fields.get("Exclusive") == "NODE":  # as newer Slurms say it
        return False, ""
    match = _MODE.fullmatch(mode)
    if match is None:
        return False, f"OverSubscribe={mode} is {_NOT_SHARED}"
    for name, nothing in _NOT_FOLLOWED.items():
        if fields.get(name, nothing) != nothing:
            return False, f"{name}={fields[name]} is {_NOT_SHARED}"
    if match[1] == "FORCE":
        return True, f"OverSubscribe={mode}: jobs may have CPUs together there, and are planned as if they had not"
    return True, ""


@dataclass
class Sharing:
    """Asks for the rules, now and then. For one thread."""

    ask: Callable[..., str]  # the output of a command, of its words; raises SlurmFailure
    version: Callable[[], tuple[int, int] | None]  # of Slurm; raises SlurmFailure
    wanted: bool  # else nothing is asked, and no job shares
    rules: SharingRules | None = None  # as heard last
    _again_at: float = -math.inf
    _texts: tuple[str, str] = ("", "")
    _trouble: str = field(default="", repr=False)

    def fetch(self) -> SharingRules | None:
        """The rules; None where no job shares a node, or it is not known yet. What was heard last stands while Slurm
        does not answer."""
        now = time.monotonic()
        if not self.wanted or now < self._again_at:
            return self.rules
        try:
            texts = (
                self.ask("scontrol", "show", "config"),
                self.ask("scontrol", "--all", "--oneliner", "show", "partitions"),
            )
            version = self.version()
        except SlurmFailure as failure:
            self._again_at = now + AGAIN_AFTER
            if str(failure) != self._trouble:
                self._trouble = str(failure)
                _log.warning("it is not known whether jobs share nodes; Slurm's last answer is used: %s", failure)
            return self.rules
        self._again_at, self._trouble = now + EVERY, ""
        if texts != self._texts:
            before, self._texts = self.rules, texts
            self.rules, said = rules_of(parse_config(texts[0]), parse_partitions(texts[1]), version)
            if self.rules != before:
                for line in said:
                    _log.warning("%s", line)
                _say(self.rules)
        return self.rules


def _say(rules: SharingRules | None) -> None:
    if rules is None:
        _log.info("no jobs share nodes")
        return
    counts = "memory is counted" if rules.memory else "memory is not counted"
    _log.info("jobs share nodes in the partitions %s; %s", ", ".join(sorted(rules.partitions)), counts)
