"""The output of squeue, line by line, as the jobs that wait.

50,000 waiting jobs have a few dozen shapes, so what a job asks for is parsed once for each distinct text, and jobs
share their shapes. A line that cannot be read is handed back, and costs only itself (row F15).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from typing import cast

from arvnodeman.fleet.values.model import Job, JobShape
from arvnodeman.fleet.values.otherwise import Otherwise
from arvnodeman.fleet.values.work import WaitKind
from arvnodeman.slurm.arrays import JOB_NUMBER, limits_of, tasks_of
from arvnodeman.slurm.counted_otherwise import counted_otherwise
from arvnodeman.slurm.fields import BEHIND, BEHIND_NAME, FIRST
from arvnodeman.slurm.job_reasons import ALWAYS_SAID, ARRAY_LIMIT, kind_of_several, wait_kind
from arvnodeman.slurm.job_shape import COUNT, job_shape, time_limit
from arvnodeman.slurm.lines import Lines
from arvnodeman.slurm.sharing import SharingRules

_FEW_SHAPES = 1000
_BROKEN_UP = 16  # lines that one job may take, for the line breaks in its name
_NAMES = 20  # of jobs that ask for the same: the newest
_ARVADOS_UUID = re.compile(r"[0-9a-z]{5}-[0-9a-z]{5}-[0-9a-z]{15}")


@dataclass(frozen=True, slots=True)
class QueueReading:
    """What squeue says. Nobody changes it."""

    jobs: Sequence[Job] = ()  # that more nodes would help, in the order of the queue; those alike share one JobShape
    others: Mapping[str, str] = field(default_factory=dict)  # id -> Slurm's reason, of those that they would not help
    refused: Mapping[JobShape, Sequence[Job]] = field(default_factory=dict)
    """Those of the others that Slurm says so of only while a node is up."""
    malformed: Sequence[str] = ()  # lines that cannot be read
    nothing: bool = False  # none of them can


@dataclass(frozen=True, slots=True)
class _Row:
    """What a job's lines say where that is more or less than one job that waits for nodes."""

    jobs: tuple[Job, ...] = ()  # tasks of an array that wait for nodes
    array: str = ""  # its number
    ids: Sequence[str] = ()  # of jobs that wait for something else
    reason: str = ""
    refused: tuple[Job, ...] = ()
    malformed: tuple[str, ...] = ()


_UNREAD = -1.0  # no time limit
_NOBODYS = _Row()  # of a job that is not looked for


@dataclass(frozen=True, slots=True)
class _Part:
    """A line that has not all of a job's fields."""

    line: str


_Said = Job | _Row | _Part
Asked = tuple[JobShape, str, dict[str, None], tuple[Otherwise, ...]]
"""Its shape, its least time, where its name is noted, in what Slurm may count it otherwise."""
_Asked = dict[tuple[str, ...], Asked]
"""Shape and least time of a job, and names of such jobs, by those of its first fields that tell what it asks for and by
the last of its tail."""


@dataclass(frozen=True, slots=True)
class _Poll:
    """The newest output, and what came of it."""

    tail: tuple[str, ...] = ()
    rules: SharingRules | None = None
    lines: Lines[_Said] = field(default_factory=Lines)
    said: Sequence[_Said] = ()
    kinds: frozenset[type] = frozenset({Job})  # that are in there, at most
    joined: Mapping[str, Job | _Row] = field(default_factory=dict)  # by the lines of one job that has several
    at_once: Mapping[str, int] = field(default_factory=dict)
    reading: QueueReading = QueueReading()


class QueueReader:
    """Reads the output of squeue, poll after poll. What a job's line says it says by itself: one that was in the last
    output, too, gives the very Job that it gave then, and is not parsed. Of older ones nothing is kept."""

    def __init__(self, job_name_pattern: str, *, numbered: bool = False) -> None:
        """Only jobs whose name contains `job_name_pattern` are looked for (row F16). `numbered`: a job's id is its
        number, and not its name."""
        self._pattern = job_name_pattern
        self._numbered = numbered
        self._last = _Poll()
        self._shapes: dict[JobShape, JobShape] = {}  # those of the jobs in there, and some of the polls before
        self._many_shapes = _FEW_SHAPES
        self._asked: _Asked = {}  # what texts say is asked for, while they are few
        self._named: dict[JobShape, list[str]] | None = None  # by that, names of jobs

    def read(
        self,
        text: str,
        tail: Sequence[str] = (),
        at_once: Mapping[str, int] | None = None,
        rules: SharingRules | None = None,
    ) -> QueueReading:
        """`tail`: the fields behind the number of nodes. Tasks of an array beyond `at_once`, which has how many more of
        them may run now (without it, as many as may run at all), wait for something else than nodes. `rules`: of jobs
        that share nodes, where some do. The same reading as last time where the output is the same."""
        last = self._last
        if last.tail != tuple(tail) or last.rules != rules:
            last = _Poll(tuple(tail), rules)
        if last is not self._last or len(self._asked) > _FEW_SHAPES:
            self._asked = {}
        left = dict(limits_of(text) if at_once is None else at_once) if self._numbered else {}
        parser = _Parser(self._pattern, last, self._shapes, self._asked, numbered=self._numbered)
        said = last.lines.read(text, parser.line)
        if said == last.said and left == last.at_once:
            return last.reading
        self._named = None
        joined: dict[str, Job | _Row] = {}
        kinds = frozenset(map(type, said)) if last.kinds - {Job} or parser.others else frozenset({Job})
        if kinds <= {Job} and not left:
            reading = QueueReading(cast("list[Job]", said))
        else:
            rows: Iterable[Job | _Row] = cast("list[Job | _Row]", said)
            if _Part in kinds:
                rows = _joined(said, tail, lambda row: joined.setdefault(row, parser.again(row)))
            reading = _reading(rows, left, last.reading.refused)
        if reading.malformed:
            lines = sum(1 for line in text.split("\n") if line.strip())
            reading = replace(reading, nothing=len(reading.malformed) >= lines)
        self._last = _Poll(last.tail, rules, last.lines, said, kinds, joined, left, reading)
        self._forget_shapes()
        return reading

    def names_of(self, shape: JobShape) -> Iterable[str]:
        """Names of jobs of this shape that came of late: not of all of them, nor of these alone."""
        if self._named is None:
            self._named = {}
            for asked, _, names, _ in self._asked.values():
                self._named.setdefault(asked, []).extend(names)
        return self._named.get(shape, ())

    def _forget_shapes(self) -> None:
        """Those that no job has any more, once they may be as many as the others."""
        if len(self._shapes) > self._many_shapes:
            shapes: dict[int, JobShape] = {}
            for row in (*self._last.said, *self._last.joined.values()):
                if not isinstance(row, _Part):
                    jobs = (row,) if isinstance(row, Job) else (*row.jobs, *row.refused)
                    shapes |= {id(job.shape): job.shape for job in jobs}
            self._shapes = {shape: shape for shape in shapes.values()}
            self._asked = {}
            self._many_shapes = _FEW_SHAPES + 2 * len(self._shapes)


def _note(names: dict[str, None], name: str) -> None:
    """A job has this name."""
    names[name] = None
    if len(names) > _NAMES:
        del names[next(iter(names))]


def _reading(
    rows: Iterable[Job | _Row], at_once: Mapping[str, int], last_refused: Mapping[JobShape, Sequence[Job]]
) -> QueueReading:
    """What these rows say together."""
    jobs: list[Job] = []
    others: dict[str, str] = {}
    refused: dict[JobShape, list[Job]] = {}
    malformed: list[str] = []
    left = dict(at_once)
    for row in rows:
        if isinstance(row, Job):
            if left and (array := row.id.partition("_")[0]) in left:
                if not left[array]:
                    others[row.id] = ARRAY_LIMIT
                    continue
                left[array] -= 1
            jobs.append(row)
            continue
        may_run = len(row.jobs)
        if left and row.array in left:
            may_run = min(may_run, left[row.array])
            left[row.array] -= may_run
        jobs += row.jobs[:may_run]
        others.update((job.id, ARRAY_LIMIT) for job in row.jobs[may_run:])
        others.update(dict.fromkeys(row.ids, row.reason))
        if row.refused:
            refused.setdefault(row.refused[0].shape, []).extend(row.refused)
        malformed += row.malformed
    return QueueReading(jobs, others, last_refused if refused == last_refused else refused, malformed)


def _joined(said: Iterable[_Said], tail: Sequence[str], row_of: Callable[[str], Job | _Row]) -> Iterator[Job | _Row]:
    """The rows, with lines that are parts of one put together."""
    parts: list[str] = []
    for row in said:
        if isinstance(row, _Part):
            parts.append(row.line)
            continue
        if parts:
            yield from map(row_of, _together(parts, tail))
            parts.clear()
        yield row
    yield from map(row_of, _together(parts, tail))


class _Parser:
    """Reads lines that were not there before. What texts mean is read once: 50,000 jobs have a few dozen shapes, though
    each may have a limit of its own."""

    def __init__(
        self, pattern: str, last: _Poll, shapes: dict[JobShape, JobShape], asked: _Asked, *, numbered: bool
    ) -> None:
        self._pattern, self._last, self._shapes, self._numbered = pattern, last, shapes, numbered
        self._tail, self._behind = last.tail, len(last.tail) - 3
        self.others = False  # may a line have said anything else than one job that waits for nodes?
        self._names = tuple(name for name in last.tail if name not in ("number", "time_limit"))
        self._waits: dict[str, WaitKind] = {}
        self._known = asked
        self._limits: dict[tuple[str, str], float | None] = {}

    def line(self, line: str) -> _Said:
        """What a line says."""
        first, *behind = line.split(BEHIND, 3)
        if len(behind) == 3 and behind[2].count(BEHIND) == self._behind:
            fields = first.split("|")
            if len(fields) == FIRST + 1 and fields[FIRST - 1].isdigit() and not fields.pop(FIRST - 3):
                row = self._alike(fields, *behind) or self._job(line, fields, *behind)  # nearly all are so
                if type(row) is not Job:
                    self.others = True
                return row
        self.others = True
        return self._row(line) if _is_whole(line, self._tail) else _Part(line)

    def _alike(self, fields: Sequence[str], number: str, most: str, behind: str) -> Job | None:
        """What _job() says, where that is one job that waits for nodes, and all that it asks for has been read before
        in the same words."""
        cores, memory, disk, reason, name, features, priority, nodes = fields
        waits = self._waits.get(reason)
        asked = self._known.get((cores, memory, disk, features, nodes, behind))
        if waits is None or asked is None or not waits.for_nodes or self._pattern not in name:
            return None
        shape, least, names, otherwise = asked
        limit = self._limits.get((most, least), _UNREAD)
        if limit is _UNREAD or (self._numbered and not JOB_NUMBER.fullmatch(number)):
            return None
        try:
            job = Job(
                number if self._numbered else name, shape, int(priority), reason, True, limit, waits, (), otherwise
            )
        except ValueError:
            return None
        if name not in names:
            _note(names, name)
        return job

    def again(self, lines: str) -> Job | _Row:
        """What the lines of one job say, which may have been there before."""
        return self._last.joined.get(lines) or self._row(lines)

    def _row(self, line: str) -> Job | _Row:
        fields, *behind = _fields(line, self._tail)
        if fields is None:
            return _Row(malformed=tuple(filter(str.strip, line.split("\n"))))
        return self._job(line, fields, *behind)

    def _job(self, line: str, fields: Sequence[str], number: str, most: str, behind: str) -> Job | _Row:
        """What the fields of one job say: the first, its number, its time limit, the others as they stand."""
        reason, name = fields[3], fields[4]
        if self._pattern not in name:
            return _NOBODYS
        waits = self._waits.get(reason)
        if waits is None:
            waits = self._waits[reason] = wait_kind(reason)
        ids: Sequence[str] = ()
        try:
            ids = tasks_of(number) if self._numbered else (name,)
            if not waits.for_nodes and reason.startswith(ALWAYS_SAID):
                return _Row(ids=ids, reason=reason)
            shape, least, names, otherwise = self._asked((*fields[:3], fields[5], fields[7]), behind)
            limit = self._time_limit(most, least)
            priority = int(fields[6])
        except ValueError:
            if waits.for_nodes:
                return _Row(malformed=tuple(filter(str.strip, line.split("\n"))))
            return _Row(ids=ids, reason=reason)
        if len(shape.partitions) > 1:
            waits = kind_of_several(reason, waits)
        _note(names, name)
        if waits.for_nodes and len(ids) == 1:
            return Job(ids[0], shape, priority, reason, True, limit, waits, (), otherwise)
        jobs = [Job(each, shape, priority, reason, True, limit, waits, (), otherwise) for each in ids]
        if not waits.for_nodes:
            return _Row(ids=ids, reason=reason, refused=tuple(jobs))
        array = number.partition("_")[0]
        before = {job.id: job for row in self._arrays.get(array, ()) for job in row.jobs}
        return _Row(tuple([old if (old := before.get(job.id)) == job else job for job in jobs]), array)

    @cached_property
    def _arrays(self) -> Mapping[str, Sequence[_Row]]:
        """The last rows of job arrays, by the array's number: each task that starts changes the row of the others."""
        found: dict[str, list[_Row]] = {}
        for row in chain(self._last.said, self._last.joined.values()):
            if isinstance(row, _Row) and row.array:
                found.setdefault(row.array, []).append(row)
        return found

    def _asked(self, first: tuple[str, ...], behind: str) -> Asked:
        """Of a job, by its first fields and the last of its tail. Raises ValueError."""
        known = self._known.get((*first, behind))
        if known is None:
            tail = dict(zip(self._names, behind.split(BEHIND), strict=True)) if behind else {}
            shape = job_shape(*first, tail=tail, rules=self._last.rules)
            otherwise = counted_otherwise(first, tail, self._last.rules, shape)
            known = self._shapes.setdefault(shape, shape), tail.get("least_time", ""), {}, otherwise
            self._known[(*first, behind)] = known
        return known

    def _time_limit(self, most: str, least: str) -> float | None:
        """time_limit(), once for each text. Raises ValueError."""
        try:
            return self._limits[most, least]
        except KeyError:
            limit = self._limits[most, least] = time_limit(most, least)
            return limit


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


def _together(lines: Iterable[str], tail: Sequence[str]) -> Iterator[str]:
    """Lines that are not whole, one after the other: those that say something, each job's together, as Slurm prints a
    line break in a job's name as it is. A line with fewer marks than a job has, that no others make up for, stands
    alone."""
    begun: list[str] = []
    for line in lines:
        if line.strip() or begun:
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
