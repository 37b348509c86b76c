"""The output of squeue and sinfo, line by line, into the values of the model.

50,000 waiting jobs have a few dozen shapes, so what a job asks for is parsed once for each distinct text, and the jobs
of one poll share their shapes. A line that cannot be read is handed back, and costs only itself (row F15).
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from arvnodeman.fleet import gres
from arvnodeman.fleet.model import Job, JobShape, SlurmNode
from arvnodeman.hostlist import hostlist

SQUEUE_FORMAT = "%c|%m|%d|%r|%j||%f|%Q|%D|%b|%P"
SQUEUE_LONG_FORMAT = (
    "MinCpus:0|,MinMemory:0|,MinTmpDisk:0|,Reason:0|,Name:0||,Feature:0|,PriorityLong:0|,NumNodes:0|,tres-per-node:0|,"
    "Partition:0|,tres-per-job:0|,tres-per-socket:0|,tres-per-task:0|,NumTasks:0|,NumCPUs:0|,tres-alloc:0|,"
    "cpus-per-tres:0|,mem-per-tres:0"
)
"""The same and more, for --Format: what `sbatch --gpus` asks for, as Arvados does, is in tres-per-job, CPUs of a job
with several tasks in NumCPUs, and its memory on all nodes, where MinMemory may be that of each CPU, in tres-alloc; no
letter of --format shows any of these. In this way from Slurm 20.02 on. Of a name that a squeue does not know it prints
only the bar behind it."""
_BEHIND_NAME = "||"
"""Names and features may hold a | each; no expression of features has two together, or one at its end, for Slurm
refuses an empty feature: so the last two together end the name."""
JOB_NUMBER = re.compile(r"[0-9]{1,10}([_+][0-9]{1,10})?")
"""Of a job, of one task of a job array (`17_3`), or of one part of a heterogeneous job (`17+1`)."""
_ARRAY = re.compile(r"([0-9]{1,10})_\[([0-9,:-]+?)(?:,?\.\.\.)?(?:%([0-9]{1,10}))?\]")
_TASKS = 100_000  # of one array that are looked at; the others come when these have run
ARRAY_LIMIT = "JobArrayTaskLimit"  # Slurm's reason where as many tasks of an array run as may run at once
NUMBER, LONG_NUMBER = "|%i", "|,JobArrayID:0"
"""What is added to either format where jobs go by their numbers."""
LONG_FORMAT_SINCE = (20, 2)
FIRST = 8  # fields from the cores to the number of nodes
TAIL, LONG_TAIL = 2, 10  # fields behind them; none can have a | in it
SINFO_FORMAT = "%N|%t|%w|%f|%E"
"""%N is the NodeName, by which scontrol goes; %n would be the NodeHostName, which slurm.conf may set to something else.
Nodes whose other columns are alike share a line: with 1,000 nodes that takes a tenth to a quarter of the time."""

WAITS_FOR_NODES = ("Resources", "ReqNodeNotAvail", "Priority", "BadConstraints", "Nodes required for job are")
"""A job waits for nodes when its reason contains one of these (rows F13, F14), as words of their own: a burst buffer
that waits for `BurstBufferResources` is no want of nodes."""
MAINTENANCE = "Reserved for maintenance"
"""... unless it contains this: more nodes would not help."""
_ALWAYS_SAID = ("Dependency", "BeginTime", "JobHeld", ARRAY_LIMIT, "Cleaning", "None", "DependencyNeverSatisfied")
"""How the reasons begin that Slurm gives also while every node is off. Any other of those for which nodes do not help
comes only when a node is up: it tells that a node was booted in vain."""

_AMOUNT = re.compile(r"([0-9]{1,15}(?:\.[0-9]{0,15})?|\.[0-9]{1,15})([KMGTP]?)([CN]?)", re.IGNORECASE)
_WAITS = re.compile(rf"\b(?:{'|'.join(WAITS_FOR_NODES)})\b")
_BROKEN_UP = 16  # lines that one job may take, for the line breaks in its name
_MB = {"": 1.0, "K": 1 / 1024, "M": 1.0, "G": 1024.0, "T": 1024.0**2, "P": 1024.0**3}
_COUNT = re.compile(r"([0-9]{1,10}(?:\.[0-9]{1,6})?)([KM]?)(?:-[0-9]+[KM]?)?", re.IGNORECASE)
_TIMES = {"": 1, "K": 1024, "M": 1024**2}
_SIZE = re.compile(r"(?:^|[&|,(\[])instancetype=([^&|,()\[\]*]+)")
_ARVADOS_UUID = re.compile(r"[0-9a-z]{5}-[0-9a-z]{5}-[0-9a-z]{15}")
_NO_TAIL = ("N/A", "", "N/A", "N/A", "N/A", "", "", "", "N/A", "N/A")
_INEXACT = 0.01  # of an amount of memory, as squeue rounds the larger ones
_VERSION = re.compile(r"slurm\S*\s+(\d+)\.(\d+)")
_STATE = re.compile(r"([a-z_]+)([^a-z_\s]*)")


def megabytes(text: str, cores: float = 1) -> float:
    """`500M`, `1.5g`, a bare number of MB, as MB. Older squeues add `c` (for each core) or `n` (for each node).

    Raises ValueError for anything else."""
    match = _AMOUNT.fullmatch(text)
    if match is None:
        raise ValueError(f"not an amount of memory or disk: {text!r}")
    number, unit, each = match.groups()
    return float(number) * _MB[unit.upper()] * (cores if each.upper() == "C" else 1)


def count(text: str) -> float:
    """A number of cores or nodes; squeue writes 1024 as `1K`, and a range of nodes as `2-4` (the least is taken)."""
    match = _COUNT.fullmatch(text)
    if match is None:
        raise ValueError(f"not a number: {text!r}")
    number, unit = match.groups()
    return float(number) * _TIMES[unit.upper()]


def size_named(features: str) -> str | None:
    """The size that a feature constraint names: X of `instancetype=X`, alone or in an expression; the first of them."""
    match = _SIZE.search(features)
    return match.group(1) if match else None


def job_shape(cores: str, memory: str, disk: str, features: str, nodes: str, *tail: str) -> JobShape:
    """What a job asks for, from its fields; `tail`: those behind the number of nodes. Raises ValueError for one that
    cannot be read."""
    how_many, on = count(cores), max(1, int(count(nodes)))
    tres, partition, per_job, per_socket, per_task, tasks, cpus, total, cpus_each, memory_each = (
        *tail,
        *_NO_TAIL[len(tail) :],
    )
    on_all = _on_all(total)
    if cpus:
        if count(cpus) <= on_all.get("node", 0) < on:
            # of --nodes=2-3 the most is shown, and the job's CPUs do not call for more than the least
            on = int(on_all["node"])
        how_many = max(how_many, math.ceil(count(cpus) / on))
    wanted = gres.asked(tres)
    if any(text not in gres.NONE for text in (per_job, per_socket, per_task)):
        on_each = math.ceil(count(tasks or "1") / on)
        for more in (
            gres.asked(per_job, lambda total: math.ceil(total / on)),
            gres.asked(per_socket),  # how many sockets is not shown: one at least
            gres.asked(per_task, lambda each: each * on_each),
        ):
            wanted |= {name: max(number, wanted.get(name, 0)) for name, number in more.items()}
    for name, each in gres.asked(cpus_each).items():  # sbatch --cpus-per-gpu
        how_many = max(how_many, each * sum(wanted[of] for of in wanted if of == name or of.startswith(f"{name}:")))
    least = megabytes(memory, how_many)
    return JobShape(
        cores=how_many,
        ram=_memory(least, how_many, on, on_all) if least or memory_each not in gres.NONE else 0,
        scratch=megabytes(disk, how_many),
        size=size_named(features),
        nodes=on,
        gres=tuple(sorted(wanted.items())),
        partitions=tuple(partition.split(",")) if partition not in gres.NONE else (),
    )


def _on_all(total: str) -> dict[str, float]:
    """What a job asks for on all its nodes together, `cpu=4,mem=4000M,node=2`; what cannot be read is left out."""
    found: dict[str, float] = {}
    for name, _, amount in (item.partition("=") for item in total.split(",")):
        if name in ("cpu", "mem", "node"):
            with contextlib.suppress(ValueError):
                found[name] = megabytes(amount) if name == "mem" else count(amount)
    return found


def _memory(least: float, cores: float, nodes: int, on_all: dict[str, float]) -> float:
    """MB on each node. `least`: MinMemory, which is that of each CPU after sbatch --mem-per-cpu, and 0 with
    --mem-per-gpu. (It is 0 with --mem=0, too, and where nothing was said: then the sum is that of whole nodes.)"""
    total, cpus = on_all.get("mem", 0.0), on_all.get("cpu", 0.0)
    if least and cpus > on_all.get("node", 0.0) and abs(total - least * cpus) <= _INEXACT * total:
        return least * cores
    return max(least, total / nodes)


def shows_all(version: str) -> bool | None:
    """Can the squeue that gives this `--version` be asked for SQUEUE_LONG_FORMAT? None: it gives none."""
    match = _VERSION.match(version)
    return (int(match[1]), int(match[2])) >= LONG_FORMAT_SINCE if match else None


def waits_for_nodes(reason: str) -> bool:
    """Would more nodes help a job that waits for this reason?"""
    return MAINTENANCE not in reason and _WAITS.search(reason) is not None


def parse_squeue(
    text: str,
    job_name_pattern: str,
    tail: int = 0,
    others: dict[str, str] | None = None,
    *,
    numbered: bool = False,
    refused: dict[JobShape, list[Job]] | None = None,
) -> tuple[list[Job], list[str]]:
    """The jobs that wait for nodes and whose name contains `job_name_pattern` (row F16), in the order of the queue, and
    the lines that cannot be read. Jobs alike share one JobShape. `tail`: fields behind the number of nodes;
    `numbered`: behind these stands the number of the job, which is then its id, and not the name; the waiting tasks of
    an array share a line, and no more of them wait for nodes than may run at once. `others` is given the jobs of such
    names that more nodes would not help: id and reason; `refused` those of them that Slurm says so of only while a
    node is up."""
    jobs: list[Job] = []
    malformed: list[str] = []
    wait_otherwise = {} if others is None else others
    counted: dict[str, bool] = {}
    shapes: dict[tuple[str, ...], JobShape] = {}
    distinct: dict[JobShape, JobShape] = {}
    for line in _rows(text, FIRST - 1 + tail + numbered - (not tail)):
        shown, _, job_id = line.rpartition("|") if numbered else (line, "", "")
        fields = _parted(shown.replace("\n", " "), tail)
        if len(fields) != FIRST + tail or not fields[6].isdigit():
            unusual = _unusual(fields, tail)
            if unusual is None:
                malformed += filter(str.strip, line.split("\n"))
                continue
            fields = unusual
        reason, name = fields[3], fields[4]
        if job_name_pattern not in name:
            continue
        if reason not in counted:
            counted[reason] = waits_for_nodes(reason)
        key = (*fields[:3], fields[5], *fields[7:])
        shape = shapes.get(key)
        try:
            ids, at_once = tasks_of(job_id) if numbered else ([name], 1)
            if not counted[reason]:
                wait_otherwise.update(dict.fromkeys(ids, reason))
                if refused is None or reason.startswith(_ALWAYS_SAID):
                    continue
            if shape is None:
                shape = job_shape(*key)
                shapes[key] = shape = distinct.setdefault(shape, shape)
            priority = int(fields[6])
            if refused is not None and not counted[reason]:
                refused.setdefault(shape, []).extend([Job(each, shape, priority, reason) for each in ids])
                continue
            jobs += [Job(each, shape, priority, reason) for each in ids[:at_once]]
            wait_otherwise.update(dict.fromkeys(ids[at_once:], ARRAY_LIMIT))
        except ValueError:
            if counted[reason]:
                malformed += filter(str.strip, line.split("\n"))
    return jobs, malformed


def tasks_of(number: str) -> tuple[Sequence[str], int]:
    """The jobs of one line of squeue, by their numbers, and how many of them may run at once: of `17` itself, of
    `17_[1-9:2,20%2]` the tasks of an array. Raises ValueError."""
    if JOB_NUMBER.fullmatch(number):
        return [number], 1
    match = _ARRAY.fullmatch(number)
    if match is None:
        raise ValueError(f"not the number of a job: {number[:80]!r}")
    job, ranges, limit = match.groups()
    found: list[str] = []
    for item in ranges.split(","):
        span, _, step = item.partition(":")
        first, _, last = span.partition("-")
        tasks = range(int(first), int(last or first) + 1, int(step or 1))
        found += [f"{job}_{task}" for task in tasks[: _TASKS - len(found)]]
    return found, int(limit or 0) or len(found)


def _rows(text: str, bars: int) -> Iterator[str]:
    """The lines of squeue, each job's together: Slurm prints a line break in a job's name as it is. `bars`: how many a
    job has at least; a line with fewer that no others make up for stands alone."""
    begun: list[str] = []
    for line in text.split("\n"):
        if line.count("|") >= bars:
            yield from begun
            begun = []
            yield line
        elif line.strip() or begun:
            begun.append(line)
            if sum(each.count("|") for each in begun) >= bars:
                yield "\n".join(begun)
                begun = []
            elif len(begun) == _BROKEN_UP:
                yield begun.pop(0)
    yield from begun


def _parted(line: str, tail: int) -> list[str]:
    """The fields of one job."""
    fields = line.split("|", 4)
    both, *behind = fields[-1].rsplit("|", 2 + tail)
    name, parted, features = both.rpartition(_BEHIND_NAME)
    return [*fields[:4], name, features, *behind] if parted and len(fields) == 5 else line.split("|")


def _unusual(fields: list[str], tail: int) -> list[str] | None:
    """The fields of a line with a `|` in job name or features, or without the number of nodes; else None."""
    behind = fields[len(fields) - tail :]
    fields = fields[: len(fields) - tail]
    if len(fields) >= FIRST and fields[-2].isdigit() and _COUNT.fullmatch(fields[-1]):
        middle, last = fields[4:-2], fields[-2:]
    elif not tail and fields[-1].isdigit():
        middle, last = fields[4:-1], [fields[-1], "1"]
    else:
        return None
    if len(middle) < 2:
        return None
    # A container's name is a uuid, so what follows it is an expression of features; other names may be anything.
    names = 1 if _ARVADOS_UUID.fullmatch(middle[0]) else len(middle) - 1
    features = "|".join(middle[names:])
    if features.startswith("(null)|"):
        return None
    return [*fields[:4], "|".join(middle[:names]), features, *last, *behind]


def parse_sinfo(text: str) -> tuple[dict[str, SlurmNode], list[str]]:
    """The nodes by name, and the lines that cannot be read. Slurm prints a line break in a reason as it is: what
    follows a node and is none belongs to its reason, whatever it says."""
    nodes: dict[str, SlurmNode] = {}
    malformed: list[str] = []
    features: dict[str, frozenset[str]] = {"(null)": frozenset()}
    latest: Iterable[str] = ()
    for line in text.split("\n"):
        if not line.strip():
            continue
        if latest and line.count("|") < SINFO_FORMAT.count("|"):
            for name in latest:
                nodes[name] = replace(nodes[name], reason=f"{nodes[name].reason} {line.strip()}")
            continue
        try:
            names, shown_state, weight, listed, reason = line.split("|", 4)
            state, responding = parse_state(shown_state)
            if listed not in features:
                features[listed] = frozenset(filter(None, listed.split(",")))
            latest = hostlist(names)
            for name in latest:
                nodes[name] = SlurmNode(
                    name, state, responding, int(weight), features[listed], "" if reason == "none" else reason
                )
        except ValueError:
            latest = ()
            malformed.append(line)
    return nodes, malformed


def parse_state(text: str) -> tuple[str, bool]:
    """`idle*` as ("idle", False): the state without flags, and is the node responding (no `*`)? Raises ValueError."""
    match = _STATE.fullmatch(text.strip().lower())
    if match is None:
        raise ValueError(f"not a node state: {text!r}")
    state, flags = match.groups()
    return state, "*" not in flags
