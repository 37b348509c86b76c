"""`sacct --json`: numbers are bare, or `{"set", "infinite", "number"}`; states are one or several."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from arvnodeman.traces.asked import WHOLE, AskedFor, no_year, nobody_asked, shape_of, whole_nodes
from arvnodeman.traces.job import JobEnding
from arvnodeman.traces.json_stream import JsonList, NotJson
from arvnodeman.traces.numbers import Numbered, tasks_of_mask
from arvnodeman.traces.runs import ELSEWHERE, AccountedRun, got, jobs_of, word_of
from arvnodeman.traces.sacct_text import NO_ONE_ASKED
from arvnodeman.traces.trace import Intake, NoTrace, one_line

LIST = "jobs"
_NEVER = (0, 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFE, 0xFFFFFFFFFFFFFFFF)  # Slurm's NO_VAL and INFINITE
_LATEST = 4_102_444_800  # 2100


class SacctJson:
    """Reads one file."""

    def __init__(self, intake: Intake, exclusive: Collection[str] = ()) -> None:
        """`exclusive`: partitions whose jobs have their nodes to themselves."""
        self._intake, self._exclusive = intake, exclusive

    def read(self, chunks: Iterator[bytes]) -> None:
        """All of it. Raises NoTrace."""
        listed = JsonList(chunks, LIST)
        try:
            for number, plain in enumerate(listed.items(), 1):
                if number == 1 and isinstance(plain, dict) and "time" not in plain and "submit_time" in plain:
                    raise NoTrace(
                        f"{self._intake.path}: it is output of squeue, which does not know ended jobs: use sacct"
                    )
                self._take(number, plain)
        except NotJson as error:
            raise NoTrace(f"{self._intake.path}: {one_line(str(error))}") from None
        if not listed.found:
            raise NoTrace(f"{self._intake.path}: it is JSON without a list of jobs")

    def _take(self, number: int, plain: Any) -> None:
        try:
            if "time" not in plain or "state" not in plain:
                raise ValueError("it has no time or no state")
            if ELSEWHERE in _states(plain):
                self._intake.remark("runs that were another cluster's of the federation, and are left out: {}")
                return
            run = self._run(plain)
            cluster = plain.get("cluster")
            for job in jobs_of(run, self._intake):
                self._intake.add(job, cluster if isinstance(cluster, str) else "", run.numbered.raw)
        except (ValueError, OverflowError) as error:
            self._intake.skip(number, str(error))
        except (KeyError, TypeError, AttributeError) as error:
            self._intake.skip(number, f"a job of another form: {type(error).__name__}: {error}")
        else:
            self._intake.read()

    def _run(self, plain: Mapping[str, Any]) -> AccountedRun:
        times, ending = plain["time"], _ending(plain)
        submit = _moment(times["submission"])
        if submit is None:
            raise ValueError("it has no submit time")
        begun = ending is not JobEnding.PENDING and bool(plain.get("allocation_nodes", 1))
        begin = _moment(times["start"]) if begun else None
        if begin is None and ending is JobEnding.RUNNING:
            raise ValueError("it runs, but has no start time")
        nodes = int(plain.get("allocation_nodes") or 0)
        granted = _tres(plain.get("tres", {}).get("allocated"))
        cpus_got = int(granted["cpu"]) if "cpu" in granted else None
        asked = self._asked(plain, granted if begin is not None else {}, nodes)
        partition = _text(plain, "partition").partition(",")[0]
        exclusive = WHOLE.get(_text(plain, "exclusive"))  # from Slurm 26.05 on
        if exclusive is None:
            exclusive = whole_nodes(_text(plain, "submit_line"), asked.cpus, cpus_got if begin is not None else None)
        return AccountedRun(
            _numbered(plain),
            _text(plain, "name"),
            partition,
            ending,
            submit,
            _moment(times.get("eligible")),
            begin,
            _moment(times["end"]),
            shape_of(asked),
            _limit(times.get("limit")),
            float(times["elapsed"]) if isinstance(times.get("elapsed"), int) else None,
            True if partition in self._exclusive else exclusive,
            got(nodes or None, cpus_got, granted.get("mem")) if begin is not None else None,
            _max_rss(plain.get("steps")),
        )

    def _asked(self, plain: Mapping[str, Any], granted: Mapping[str, float], nodes_got: int) -> AskedFor:
        required, wanted = plain.get("required", {}), _tres(plain.get("tres", {}).get("requested"))
        cpus = int(wanted.get("cpu") or _number(required.get("CPUs")) or granted.get("cpu") or 1)
        nodes = int(wanted.get("node") or 1)
        ram = _memory(required, cpus, nodes)
        if ram is None:
            ram = wanted.get("mem", 0.0)
            of = {"nodes": nodes_got / nodes, "cpus": granted.get("cpu", cpus) / cpus}
            if "mem" in granted and nobody_asked(ram, granted["mem"], **of):
                self._intake.remark(NO_ONE_ASKED)
                ram = 0.0
        gres = ",".join(f"{name}:{count:.0f}" for name, count in wanted.items() if name.startswith("gres/"))
        licences = [(name.partition("/")[2], count) for name, count in wanted.items() if name.startswith("license/")]
        return AskedFor(
            cpus,
            nodes,
            ram,
            gres,
            _text(plain, "constraints"),
            _text(plain, "partition"),
            _text(plain, "user"),
            _text(plain, "account"),
            _text(plain, "qos"),
            _text(plain.get("reservation") or {}, "name"),
            ",".join(f"{name}:{count:.0f}" for name, count in licences),
        )


def _text(plain: Mapping[str, Any], name: str) -> str:
    value = plain.get(name)
    return value if isinstance(value, str) else ""


def _number(value: Any) -> float | None:
    """None: not set. Infinity: infinite."""
    if isinstance(value, dict):
        if value.get("infinite"):
            return math.inf
        value = value.get("number") if value.get("set") else None
    if value is None or value in _NEVER[1:]:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise ValueError(f"not a number: {str(value)[:60]!r}")
    return float(value)


def _moment(value: Any) -> float | None:
    at = _number(value)
    if at is None or not at:
        return None
    if at > _LATEST:
        raise ValueError(f"a time out of range: {at:g}")
    return at


def _limit(value: Any) -> float | None:
    """Where it is not set, it is Partition_Limit, which is no time limit."""
    minutes = _number(value)
    return math.inf if minutes is None else no_year(minutes * 60)


def _states(plain: Mapping[str, Any]) -> list[str]:
    current = plain["state"]["current"]
    return [current] if isinstance(current, str) else list(current)


def _ending(plain: Mapping[str, Any]) -> JobEnding:
    """A run that was sent back to the queue is PENDING and REQUEUED, the part of one before a resize PENDING and
    RESIZING."""
    endings = [word_of(state) for state in _states(plain)]
    sent_back = [ending for ending in endings if ending in (JobEnding.REQUEUED, JobEnding.RESIZED)]
    return (sent_back or endings or [JobEnding.UNKNOWN])[0]


def _numbered(plain: Mapping[str, Any]) -> Numbered:
    number = int(plain["job_id"])
    array, het = plain.get("array") or {}, plain.get("het") or {}
    of_array, of_het = int(array.get("job_id") or 0), int(het.get("job_id") or 0)
    task = _number(array.get("task_id"))
    if of_array and task is not None:
        return Numbered((f"{of_array}_{task:.0f}",), str(of_array))
    if of_array and isinstance(mask := array.get("task"), str) and mask:
        return Numbered(tuple(f"{of_array}_{each}" for each in tasks_of_mask(mask)), str(of_array))
    if of_het:
        return Numbered((f"{of_het}+{_number(het.get('job_offset')) or 0:.0f}",), "", str(of_het), raw=str(number))
    return Numbered((str(number),))


def _tres(listed: Any) -> dict[str, float]:
    """Counts by name: `cpu`, `mem` in MB, `node`, `gres/gpu:tesla`."""
    found: dict[str, float] = {}
    for item in listed or ():
        count, name = item["count"], item.get("name")
        if isinstance(count, int) and count > 0:
            found[f"{item['type']}/{name}" if name else item["type"]] = float(count)
    return found


def _memory(required: Mapping[str, Any], cpus: int, nodes: int) -> float | None:
    """MB on all nodes that it asked for. None: it may be of each node or of each CPU, the sum says which."""
    if "memory_per_cpu" in required or "memory_per_node" in required:
        of_cpu, of_node = _number(required.get("memory_per_cpu")), _number(required.get("memory_per_node"))
        return (of_cpu or 0.0) * cpus + (of_node or 0.0) * nodes
    return 0.0 if "memory" in required and not _number(required["memory"]) else None


def _max_rss(steps: Any) -> float | None:
    """MB, of the largest task of all steps; Slurm calls what steps have used `requested`."""
    found = [
        item["count"] / 1024**2
        for step in steps or ()
        for item in step.get("tres", {}).get("requested", {}).get("max", ())
        if item.get("type") == "mem" and isinstance(item.get("count"), int) and item["count"] > 0
    ]
    return max(found, default=None)
