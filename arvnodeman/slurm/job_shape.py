"""What a waiting job asks for, as squeue prints it in the fields of its line."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Mapping
from types import MappingProxyType

from arvnodeman.config.hostlist import hostlist
from arvnodeman.fleet.values.capacity import Footprint
from arvnodeman.fleet.values.features import SIZE_FEATURE, NoFeatures, named, size_needed
from arvnodeman.fleet.values.gres import Gres
from arvnodeman.fleet.values.model import JobOwner, JobShape
from arvnodeman.fleet.values.places import ANYWHERE, Needs, Place
from arvnodeman.slurm import gres
from arvnodeman.slurm.sharing import AskedCpus, AskedMemory, SharingRules, footprint

COUNT = re.compile(r"([0-9]{1,10}(?:\.[0-9]{1,6})?)([KM]?)(?:-[0-9]+[KM]?)?", re.IGNORECASE)
NOTHING_NEEDED = Needs()
_AMOUNT = re.compile(r"([0-9]{1,15}(?:\.[0-9]{0,15})?|\.[0-9]{1,15})([KMGTP]?)([CN]?)", re.IGNORECASE)
_MB = {"": 1.0, "K": 1 / 1024, "M": 1.0, "G": 1024.0, "T": 1024.0**2, "P": 1024.0**3}
_TIMES = {"": 1, "K": 1024, "M": 1024**2}
_TOGETHER = ("tres_per_job", "tres_per_socket", "tres_per_task")
_SIZE = re.compile(r"(?:^|[&|,(\[])instancetype=([^&|,()\[\]*]+)")
_TIME = re.compile(r"(?:([0-9]{1,6})-)?(?:([0-9]{1,4}):)?([0-9]{1,4}):([0-9]{1,2})")
_NOT_SAID = ("", "NOT_SET", "INVALID", "N/A", "0:00")
_INEXACT = 0.01  # of an amount of memory, as squeue rounds the larger ones


def megabytes(text: str, cores: float = 1) -> float:
    """`500M`, `1.5g`, a bare number of MB, as MB. Older squeues add `c` (for each core) or `n` (for each node).

    Raises ValueError for anything else."""
    match = _AMOUNT.fullmatch(text)
    if match is None:
        raise ValueError(f"not an amount of memory or disk: {text!r}")
    amount, unit, each = match.groups()
    return float(amount) * _MB[unit.upper()] * (cores if each.upper() == "C" else 1)


def count(text: str) -> float:
    """A number of cores or nodes; squeue writes 1024 as `1K`, and a range of nodes as `2-4` (the least is taken)."""
    match = COUNT.fullmatch(text)
    if match is None:
        raise ValueError(f"not a number: {text!r}")
    amount, unit = match.groups()
    return float(amount) * _TIMES[unit.upper()]


def constraint(text: str) -> tuple[str | None, str]:
    """What a job's constraint says: X where it cannot do without `instancetype=X`, and the expression as it is where
    that says more. Of what we cannot read, as later Slurms may have, the first size that it names is taken."""
    try:
        size = size_needed(text)
    except NoFeatures:
        match = _SIZE.search(text)
        return (match.group(1) if match else None), ""
    return size, "" if text in gres.NONE or text == f"{SIZE_FEATURE}{size}" else text


def job_shape(
    cores: str,
    memory: str,
    disk: str,
    features: str,
    nodes: str,
    *,
    tail: Mapping[str, str] = MappingProxyType({}),
    rules: SharingRules | None = None,
) -> JobShape:
    """What a job asks for, from its fields; `tail`: those behind the number of nodes, by our names for them; what is
    not shown is not asked for. `rules`: of jobs that share nodes, where some do. Raises ValueError for one that cannot
    be read."""
    how_many, on = count(cores), max(1, int(count(nodes)))
    size, beside = constraint(features)
    on_all, cpus = on_all_nodes(tail.get("tres_alloc", "")), tail.get("cpus", "")
    together = any(tail.get(name, "") not in gres.NONE for name in _TOGETHER)
    if cpus:
        least_nodes = on_all.get("node", 0.0)
        if 1 <= least_nodes < on and count(cpus) <= least_nodes and not together:
            # of --nodes=2-3 the most is shown, and the job's CPUs do not call for more than the least; where GRES are
            # asked for together, as by --gpus=4, the number is that of the nodes that have so many
            on = int(least_nodes)
        if per_node := number(tail.get("per_node", "")):  # Slurm 22.05 shows one node of `-n 3 --ntasks-per-node=2`
            on = max(on, math.ceil(count(tail.get("tasks") or "1") / per_node))
        how_many = max(how_many, math.ceil(count(cpus) / on))
    wanted = gres.asked(tail.get("tres_per_node", ""))
    if together:
        on_each = math.ceil(count(tail.get("tasks") or "1") / on)
        for more in (
            gres.asked(tail.get("tres_per_job", ""), lambda total: math.ceil(total / on)),
            gres.asked(tail.get("tres_per_socket", "")),  # how many sockets is not shown: one at least
            gres.asked(tail.get("tres_per_task", ""), lambda each: each * on_each),
        ):
            wanted |= {name: max(number, wanted.get(name, 0)) for name, number in more.items()}
    how_many = max(how_many, gres.with_each(tail.get("cpus_per_tres", ""), wanted))  # sbatch --cpus-per-gpu
    if "mem" not in on_all:  # Slurm 20.11 counts no memory of a job with --mem-per-gpu before it runs
        on_all["mem"] = on * gres.with_each(tail.get("memory_per_tres", ""), wanted)
    required, excluded = _names(tail.get("required_nodes", "")), _names(tail.get("excluded_nodes", ""))
    of_names = beside if any(not name.startswith(SIZE_FEATURE) for name in named(beside)) else ""
    needs = Needs(of_names, required, excluded, on if of_names or required or excluded else 1)
    least, partition = megabytes(memory, how_many), tail.get("partition", "")
    partitions = tuple(partition.split(",")) if partition not in gres.NONE else ()
    memory_said = bool(least) or tail.get("memory_per_tres", "") not in gres.NONE
    of_memory = asked_memory(least, on, on_all) if memory_said else None
    return JobShape(
        cores=how_many,
        ram=of_memory.on_node(how_many) if of_memory is not None else 0,
        scratch=megabytes(disk, how_many),
        size=size,
        nodes=on,
        gres=tuple(sorted(wanted.items())),
        partitions=partitions,
        owner=JobOwner(*(_said(tail.get(name, "")) for name in ("user", "account", "qos"))),
        reservation=_said(tail.get("reservation", "")),
        licences=licences_asked(tail.get("licences", "")),
        features=beside,
        place=Place(needs=needs) if needs != NOTHING_NEEDED else ANYWHERE,
        takes=_takes(rules, partitions, cores, on, wanted, of_memory, tail) if rules is not None else None,
    )


def _takes(
    rules: SharingRules,
    partitions: tuple[str, ...],
    cores: str,
    on: int,
    wanted: Mapping[str, int],
    memory: AskedMemory | None,
    tail: Mapping[str, str],
) -> Footprint | None:
    """What a job takes of each of its nodes; None where it shares them with nobody."""
    if not rules.shares(partitions, tail.get("oversubscribe", ""), tail.get("exclusive", "")):
        return None
    asked = AskedCpus(
        least=count(cores),
        cpus=max(count(tail.get("cpus") or "0") / on, gres.with_each(tail.get("cpus_per_tres", ""), wanted)),
        tasks=math.ceil(count(tail.get("tasks") or "1") / on),
        per_core=number(tail.get("per_core", "")),
        threads=number(tail.get("threads", "")),
    )
    return footprint(rules, asked, memory)


def number(text: str) -> int:
    """A number, where something is said; 0 for `*`, `N/A`, nothing."""
    return int(text) if text.isdecimal() else 0


def _names(text: str) -> tuple[str, ...]:
    """The names of nodes in a list of Slurm's."""
    said = _said(text)
    return tuple(hostlist(said)) if said else ()


def _said(text: str) -> str:
    """'' for what Slurm writes where nothing is said."""
    return "" if text in gres.NONE else text


def on_all_nodes(total: str) -> dict[str, float]:
    """What a job asks for on all its nodes together, `cpu=4,mem=4000M,node=2`; what cannot be read is left out."""
    found: dict[str, float] = {}
    for name, _, amount in (item.partition("=") for item in total.split(",")):
        if name in ("cpu", "mem", "node"):
            with contextlib.suppress(ValueError):
                found[name] = megabytes(amount) if name == "mem" else count(amount)
    return found


def asked_memory(least: float, nodes: int, on_all: dict[str, float]) -> AskedMemory:
    """`least`: MinMemory, which is that of each CPU after sbatch --mem-per-cpu, and 0 with --mem-per-gpu. (It is 0 with
    --mem=0, too, and where nothing was said: then the sum is that of whole nodes.) Of a job of one CPU on each node
    squeue does not tell which it is."""
    total, cpus = on_all.get("mem", 0.0), on_all.get("cpu", 0.0)
    if least and cpus > on_all.get("node", 0.0) and abs(total - least * cpus) <= _INEXACT * total:
        return AskedMemory(least, by_cpu=True)
    may_be = bool(least) and cpus == on_all.get("node", 0.0) > 0
    return AskedMemory(max(least, total / nodes), by_cpu=None if may_be else False)


def time_limit(most: str, least: str = "") -> float | None:
    """How long a job may run once it has begun, in seconds, as squeue writes it: `30:00`, `1-02:00:00`, `UNLIMITED`.
    `least`: sbatch --time-min, with which Slurm may be content. None: not known. Raises ValueError."""
    for text in (least, most):
        if text == "UNLIMITED":
            return math.inf
        if text not in _NOT_SAID:
            match = _TIME.fullmatch(text)
            if match is None:
                raise ValueError(f"not a time limit: {text[:80]!r}")
            days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
            return ((days * 24 + hours) * 60 + minutes) * 60.0 + seconds
    return None


def licences_asked(text: str) -> tuple[Gres, ...]:
    """The licences that a job asks for, as squeue writes them: all of `a:1,b:2`; one of `a:1|b:2` will do, which are
    two choices. A licence may be another server's, `a@db:1`. Raises ValueError."""
    if text in gres.NONE:
        return ()
    choices = []
    for choice in text.split("|"):
        wanted: dict[str, int] = {}
        for item in choice.split(","):
            name, _, many = item.rpartition(":") if ":" in item else (item, "", "1")
            if not name or not many.isdecimal():
                raise ValueError(f"not a licence: {item[:80]!r}")
            wanted[name] = wanted.get(name, 0) + int(many)
        choices.append(tuple(sorted(wanted.items())))
    return tuple(choices)
