"""The output of squeue, line by line, as the jobs that wait.

50,000 waiting jobs have a few dozen shapes, so what a job asks for is parsed once for each distinct text, and the jobs
of one poll share their shapes. A line that cannot be read is handed back, and costs only itself (row F15).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from arvnodeman.fleet.values.model import Job, JobShape
from arvnodeman.fleet.values.work import WaitKind
from arvnodeman.slurm.arrays import limits_of, tasks_of
from arvnodeman.slurm.fields import BEHIND, BEHIND_NAME, FIRST
from arvnodeman.slurm.job_reasons import ALWAYS_SAID, ARRAY_LIMIT, wait_kind
from arvnodeman.slurm.job_shape import COUNT, job_shape, time_limit

_BROKEN_UP = 16  # lines that one job may take, for the line breaks in its name
_ARVADOS_UUID = re.compile(r"[0-9a-z]{5}-[0-9a-z]{5}-[0-9a-z]{15}")


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
        waits = readings.waits(reason)
        if job_name_pattern not in name:
            continue
        try:
            ids = tasks_of(job_id) if numbered else [name]
            if not waits.for_nodes:
                wait_otherwise.update(dict.fromkeys(ids, reason))
                if refused is None or reason.startswith(ALWAYS_SAID):
                    continue
            shape, least = readings.of((*fields[:3], fields[5], fields[7]), behind)
            limit = readings.time_limit(most, least)
            priority = int(fields[6])
            if refused is not None and not waits.for_nodes:
                refused.setdefault(shape, []).extend(
                    [Job(each, shape, priority, reason, time_limit=limit, waits=waits) for each in ids]
                )
                continue
            may_run = len(ids)
            if left and (array := job_id.partition("_")[0]) in left:
                may_run = min(may_run, left[array])
                left[array] -= may_run
            jobs += [Job(each, shape, priority, reason, time_limit=limit, waits=waits) for each in ids[:may_run]]
            wait_otherwise.update(dict.fromkeys(ids[may_run:], ARRAY_LIMIT))
        except ValueError:
            if waits.for_nodes:
                malformed += filter(str.strip, line.split("\n"))
    return jobs, malformed


class _Readings:
    """What texts mean, each read once: 50,000 jobs have a few dozen shapes, though each may have a limit of its own."""

    def __init__(self, tail: Sequence[str]) -> None:
        self._tail = tuple(name for name in tail if name not in ("number", "time_limit"))
        self._waits: dict[str, WaitKind] = {}
        self._known: dict[tuple[tuple[str, ...], str], tuple[JobShape, str]] = {}
        self._shapes: dict[JobShape, JobShape] = {}
        self._limits: dict[tuple[str, str], float | None] = {}

    def waits(self, reason: str) -> WaitKind:
        """wait_kind(), once for each reason."""
        known = self._waits.get(reason)
        if known is None:
            known = self._waits[reason] = wait_kind(reason)
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
    if len(fields) >= FIRST and fields[-2].isdigit() and COUNT.fullmatch(fields[-1]):
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
