"""The output of squeue and sinfo, line by line, into the values of the model.

50,000 waiting jobs have a few dozen shapes, so what a job asks for is parsed once for each distinct text, and the jobs
of one poll share their shapes. A line that cannot be read is handed back, and costs only itself (row F15).
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from arvnodeman.fleet.nodes.node import BUSY_STATES, REBOOTING
from arvnodeman.fleet.values import gres
from arvnodeman.fleet.values.features import SIZE_FEATURE, NoFeatures, named, size_needed
from arvnodeman.fleet.values.gres import Gres
from arvnodeman.fleet.values.model import ANYWHERE, Job, JobOwner, JobShape, Needs, Place, SlurmNode
from arvnodeman.hostlist import hostlist
from arvnodeman.slurm.arrays import ARRAY_LIMIT, limits_of, tasks_of
from arvnodeman.slurm.fields import BEHIND, BEHIND_NAME, FIRST, LONG_FORMAT_SINCE
from arvnodeman.slurm.reasons import of_word

SINFO_FORMAT = "%N|%t|%w|%f|%E"
"""%N is the NodeName, by which scontrol goes; %n would be the NodeHostName, which slurm.conf may set to something else.
Nodes whose other columns are alike share a line: with 1,000 nodes that takes a tenth to a quarter of the time."""

WAITS_FOR_NODES = ("Resources", "ReqNodeNotAvail", "Priority", "BadConstraints", "Nodes required for job are")
"""A job waits for nodes when its reason contains one of these (rows F13, F14), as words of their own: a burst buffer
that waits for `BurstBufferResources` is no want of nodes."""
MAINTENANCE = "Reserved for maintenance"
"""... unless it contains this: more nodes would not help."""
_ALWAYS_SAID = ("Dependency", "BeginTime", "JobHeld", ARRAY_LIMIT, "Cleaning", "DependencyNeverSatisfied")
"""How the reasons begin that Slurm gives also while every node is off. Any other of those for which nodes do not help
comes only when a node is up: it tells that a node was booted in vain. (`None`: Slurm has not looked at the job yet.)"""

_AMOUNT = re.compile(r"([0-9]{1,15}(?:\.[0-9]{0,15})?|\.[0-9]{1,15})([KMGTP]?)([CN]?)", re.IGNORECASE)
_WAITS = re.compile(rf"\b(?:{'|'.join(WAITS_FOR_NODES)})\b")
_BROKEN_UP = 16  # lines that one job may take, for the line breaks in its name
_MB = {"": 1.0, "K": 1 / 1024, "M": 1.0, "G": 1024.0, "T": 1024.0**2, "P": 1024.0**3}
_COUNT = re.compile(r"([0-9]{1,10}(?:\.[0-9]{1,6})?)([KM]?)(?:-[0-9]+[KM]?)?", re.IGNORECASE)
_TIMES = {"": 1, "K": 1024, "M": 1024**2}
_TOGETHER = ("tres_per_job", "tres_per_socket", "tres_per_task")
_SIZE = re.compile(r"(?:^|[&|,(\[])instancetype=([^&|,()\[\]*]+)")
_ARVADOS_UUID = re.compile(r"[0-9a-z]{5}-[0-9a-z]{5}-[0-9a-z]{15}")
_TIME = re.compile(r"(?:([0-9]{1,6})-)?(?:([0-9]{1,4}):)?([0-9]{1,4}):([0-9]{1,2})")
_NOT_SAID = ("", "NOT_SET", "INVALID", "N/A", "0:00")
NOTHING_NEEDED = Needs()
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


def constraint(text: str) -> tuple[str | None, str]:
    """What a job's constraint says: X where it cannot do without `instancetype=X`, and the expression as it is where
    that says more. Of what we cannot read, as later Slurms may have, the first size that it names is taken."""
    try:
        size = size_needed(text)
    except NoFeatures:
        match = _SIZE.search(text)
        return (match.group(1) if match else None), ""
    return size, "" if text in gres.NONE or text == f"{SIZE_FEATURE}{size}" else text


def job_shape(cores: str, memory: str, disk: str, features: str, nodes: str, **tail: str) -> JobShape:
    """What a job asks for, from its fields; `tail`: those behind the number of nodes, by our names for them; what is
    not shown is not asked for. Raises ValueError for one that cannot be read."""
    how_many, on = count(cores), max(1, int(count(nodes)))
    size, beside = constraint(features)
    on_all, cpus = _on_all(tail.get("tres_alloc", "")), tail.get("cpus", "")
    together = any(tail.get(name, "") not in gres.NONE for name in _TOGETHER)
    if cpus:
        if count(cpus) <= on_all.get("node", 0) < on and not together:
            # of --nodes=2-3 the most is shown, and the job's CPUs do not call for more than the least; where GRES are
            # asked for together, as by --gpus=4, the number is that of the nodes that have so many
            on = int(on_all["node"])
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
    return JobShape(
        cores=how_many,
        ram=_memory(least, how_many, on, on_all) if least or tail.get("memory_per_tres", "") not in gres.NONE else 0,
        scratch=megabytes(disk, how_many),
        size=size,
        nodes=on,
        gres=tuple(sorted(wanted.items())),
        partitions=tuple(partition.split(",")) if partition not in gres.NONE else (),
        owner=JobOwner(*(_said(tail.get(name, "")) for name in ("user", "account", "qos"))),
        reservation=_said(tail.get("reservation", "")),
        licences=licences_asked(tail.get("licences", "")),
        features=beside,
        place=Place(needs=needs) if needs != NOTHING_NEEDED else ANYWHERE,
    )


def _names(text: str) -> tuple[str, ...]:
    """The names of nodes in a list of Slurm's."""
    said = _said(text)
    return tuple(hostlist(said)) if said else ()


def _said(text: str) -> str:
    """'' for what Slurm writes where nothing is said."""
    return "" if text in gres.NONE else text


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
    tail: Sequence[str] = (),
    others: dict[str, str] | None = None,
    *,
    numbered: bool = False,
    at_once: Mapping[str, int] | None = None,
    refused: dict[JobShape, list[Job]] | None = None,
) -> tuple[list[Job], list[str]]:
    """The jobs that wait for nodes and whose name contains `job_name_pattern` (row F16), in the order of the queue, and
    the lines that cannot be read. Jobs alike share one JobShape. `tail`: the fields behind the number of nodes;
    `numbered`: a job's id is its number, and not its name. `others` is given the jobs of such names that more nodes
    would not help: id and reason; so are tasks of an array beyond `at_once`, which has how many more of them may run
    now (without it, as many as may run at all). `refused` is given those of them that Slurm says so of only while a
    node is up."""
    jobs: list[Job] = []
    malformed: list[str] = []
    wait_otherwise = {} if others is None else others
    readings = _Readings(tail)
    left = dict(limits_of(text) if at_once is None else at_once) if numbered else {}
    for line in _rows(text, tail):
        fields, job_id, most, behind = _fields(line, tail)
        if fields is None:
            malformed += filter(str.strip, line.split("\n"))
            continue
        reason, name = fields[3], fields[4]
        if job_name_pattern not in name:
            continue
        try:
            ids = tasks_of(job_id) if numbered else [name]
            if not readings.wait_for_nodes(reason):
                wait_otherwise.update(dict.fromkeys(ids, reason))
                if refused is None or reason.startswith(_ALWAYS_SAID):
                    continue
            shape, least = readings.of((*fields[:3], fields[5], fields[7]), behind)
            limit = readings.time_limit(most, least)
            priority = int(fields[6])
            if refused is not None and not readings.wait_for_nodes(reason):
                refused.setdefault(shape, []).extend(
                    [Job(each, shape, priority, reason, time_limit=limit) for each in ids]
                )
                continue
            may_run = len(ids)
            if left and (array := job_id.partition("_")[0]) in left:
                may_run = min(may_run, left[array])
                left[array] -= may_run
            jobs += [Job(each, shape, priority, reason, time_limit=limit) for each in ids[:may_run]]
            wait_otherwise.update(dict.fromkeys(ids[may_run:], ARRAY_LIMIT))
        except ValueError:
            if readings.wait_for_nodes(reason):
                malformed += filter(str.strip, line.split("\n"))
    return jobs, malformed


class _Readings:
    """What texts mean, each read once: 50,000 jobs have a few dozen shapes, though each may have a limit of its own."""

    def __init__(self, tail: Sequence[str]) -> None:
        self._tail = tuple(name for name in tail if name not in ("number", "time_limit"))
        self._reasons: dict[str, bool] = {}
        self._known: dict[tuple[tuple[str, ...], str], tuple[JobShape, str]] = {}
        self._shapes: dict[JobShape, JobShape] = {}
        self._limits: dict[tuple[str, str], float | None] = {}

    def wait_for_nodes(self, reason: str) -> bool:
        """waits_for_nodes(), once for each reason."""
        known = self._reasons.get(reason)
        if known is None:
            known = self._reasons[reason] = waits_for_nodes(reason)
        return known

    def of(self, first: tuple[str, ...], behind: str) -> tuple[JobShape, str]:
        """Shape and least time of a job, by its first fields and the last of its tail. Raises ValueError."""
        known = self._known.get((first, behind))
        if known is None:
            tail = dict(zip(self._tail, behind.split(BEHIND), strict=True)) if behind else {}
            shape = job_shape(*first, **tail)
            known = self._known[first, behind] = self._shapes.setdefault(shape, shape), tail.get("least_time", "")
        return known

    def time_limit(self, most: str, least: str) -> float | None:
        """time_limit(), once for each text. Raises ValueError."""
        if (most, least) not in self._limits:
            self._limits[most, least] = time_limit(most, least)
        return self._limits[most, least]


def _fields(line: str, tail: Sequence[str]) -> tuple[list[str] | None, str, str, str]:
    """A line's first fields (None: it cannot be read), the job's number, its time limit, the others as they stand."""
    first, number, most, behind = line, "", "", ""
    if tail:
        if line.count(BEHIND) == len(tail):
            first, number, most, behind = line.split(BEHIND, 3)
        else:  # in the name, or in a line of something else
            parts = line.rsplit(BEHIND, len(tail))
            if len(parts) <= len(tail):
                return None, "", "", ""
            first, number, most, behind = *parts[:3], BEHIND.join(parts[3:])
    fields = _parted(first.replace("\n", " "))
    if len(fields) == FIRST and fields[6].isdigit():
        return fields, number, most, behind
    return _unusual(fields, whole=bool(tail)), number, most, behind


def _parted(first: str) -> list[str]:
    """The first fields of one job."""
    fields = first.split("|", 4)
    both, *behind = fields[-1].rsplit("|", 2)
    name, parted, features = both.rpartition(BEHIND_NAME)
    return [*fields[:4], name, features, *behind] if parted and len(fields) == 5 else first.split("|")


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
            name, _, number = item.rpartition(":") if ":" in item else (item, "", "1")
            if not name or not number.isdecimal():
                raise ValueError(f"not a licence: {item[:80]!r}")
            wanted[name] = wanted.get(name, 0) + int(number)
        choices.append(tuple(sorted(wanted.items())))
    return tuple(choices)


def _rows(text: str, tail: Sequence[str]) -> Iterator[str]:
    """The lines of squeue that say something, each job's together: Slurm prints a line break in a job's name as it is.
    A line with fewer marks than a job has, that no others make up for, stands alone."""
    begun: list[str] = []
    for line in text.split("\n"):
        if _is_whole(line, tail):
            yield from filter(str.strip, begun)
            begun = []
            yield line
        elif line.strip() or begun:
            begun.append(line)
            if _is_whole("".join(begun), tail):
                yield "\n".join(begun)
                begun = []
            elif len(begun) == _BROKEN_UP:
                yield begun.pop(0)
    yield from filter(str.strip, begun)


def _is_whole(line: str, tail: Sequence[str]) -> bool:
    """Does it have as many marks as a job has at least? (Without a tail the number of nodes may lack, too.)"""
    return line.count("|") >= FIRST - 1 - (not tail) and line.count(BEHIND) >= len(tail)


def _unusual(fields: list[str], *, whole: bool) -> list[str] | None:
    """The first fields of a line with a `|` in job name or features, or, unless it is `whole`, without the number of
    nodes; else None."""
    if len(fields) >= FIRST and fields[-2].isdigit() and _COUNT.fullmatch(fields[-1]):
        middle, last = fields[4:-2], fields[-2:]
    elif not whole and fields[-1].isdigit():
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
    return [*fields[:4], "|".join(middle[:names]), features, *last]


def parse_sinfo(text: str) -> tuple[dict[str, SlurmNode], list[str]]:
    """The nodes by name, and the lines that cannot be read. Slurm prints a line break in a reason as it is: what
    follows a node and is none belongs to its reason, whatever it says."""
    nodes: dict[str, SlurmNode] = {}
    malformed: list[str] = []
    features: dict[str, frozenset[str]] = {"(null)": frozenset()}
    latest: Iterable[str] = ()
    reason = ""
    for line in text.split("\n"):
        if not line.strip():
            continue
        if latest and line.count("|") < SINFO_FORMAT.count("|"):
            reason = f"{reason} {line.strip()}"
            for name in latest:
                nodes[name] = replace(nodes[name], reason=of_word(reason, nodes[name].state))
            continue
        try:
            names, shown_state, weight, listed, reason = line.split("|", 4)
            state, responding = parse_state(shown_state)
            if listed not in features:
                features[listed] = frozenset(filter(None, listed.split(",")))
            latest = hostlist(names)
            counts = of_word("" if reason == "none" else reason, state)
            for name in latest:
                nodes[name] = SlurmNode(name, state, responding, int(weight), features[listed], counts)
        except ValueError:
            latest = ()
            malformed.append(line)
    return nodes, malformed


def parse_state(text: str) -> tuple[str, bool]:
    """`idle*` as ("idle", False): the state without flags, and is the node responding (no `*`)? One that does not work
    and for which a reboot is asked for or under way (`drain@`, `boot^`) is in the state "boot". Raises ValueError."""
    match = _STATE.fullmatch(text.strip().lower())
    if match is None:
        raise ValueError(f"not a node state: {text!r}")
    state, flags = match.groups()
    if state not in BUSY_STATES and ("@" in flags or "^" in flags):
        state = REBOOTING
    return state, "*" not in flags
