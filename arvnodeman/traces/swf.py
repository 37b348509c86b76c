"""The Standard Workload Format 2.2: eighteen numbers a line, -1 for what is not known, comments behind `;`.

It knows processors, and no nodes: a job's processors are spread over nodes of the width that the header gives, MaxProcs
by MaxNodes, or that the reader is told.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from arvnodeman.traces.asked import AskedFor, shape_of
from arvnodeman.traces.job import JobEnding, TracedJob, is_at_least
from arvnodeman.traces.moments import LAST
from arvnodeman.traces.runs import got
from arvnodeman.traces.trace import Intake

FIELDS = 18
NO_START = "no UnixStartTime in the header: times are counted from 1970 on"
NO_WIDTH = "the header has no MaxNodes and MaxProcs: each job counts as asking for one node with all its processors"
NO_WAITS = "jobs without a wait, so it is not known when they started: {}"
NO_LIMIT = "jobs that do not say how much time they asked for: {}"
NO_MEMORY = "jobs that do not say how much memory they asked for, and count as asking for none: {}"
PARTS = "lines that are parts of preempted jobs, and are put together: {}"
NO_PARTS = "lines that are parts of jobs which another line sums up, and are left out: {}"
NO_PROCESSORS = "jobs that say neither how many processors they asked for nor how many they used, and are left out: {}"
_HEADER = re.compile(r";\s*([A-Za-z]+)\s*:\s*(.*)")
_FIRST = re.compile(r"-?[0-9]+")
_ENDINGS = {1: JobEnding.COMPLETED, 3: JobEnding.COMPLETED, 5: JobEnding.CANCELLED}
_ENDINGS |= {0: JobEnding.FAILED, 4: JobEnding.FAILED}
_PARTS = (2, 3, 4)


class _Line(NamedTuple):
    """A job or a part of one."""

    number: int
    submit: float
    wait: float
    run: float
    used: int
    memory_used: float  # KB, each processor
    asked: int
    limit: float
    memory: float  # KB, each processor
    status: int
    user: int
    group: int
    executable: int
    queue: int


class Swf:
    """Reads one file."""

    def __init__(self, intake: Intake, width: int | None = None) -> None:
        """`width`: processors of a node; None: as the header says."""
        self._intake = intake
        self._width = width
        self._given = width is not None
        self._start = 0.0
        self._procs = self._nodes = 0
        self._started = False
        self._queues: dict[int, str] = {}
        self._whole: set[int] = set()  # jobs that have a line of their own
        self._parts: dict[int, list[tuple[int, _Line]]] = defaultdict(list)
        self._preempted = False  # by the header: parts may follow

    def read(self, lines: Iterator[tuple[int, str]]) -> bool:
        """All lines. Is the last one good?"""
        good, headed = True, False
        for number, text in lines:
            if text.startswith(";"):
                self._header(text)
                continue
            if not text.strip():
                continue
            if not headed:
                headed = True
                self._settle()
            try:
                line = _line(text)
                if line.status in _PARTS:
                    self._parts[line.number].append((number, line))
                else:
                    self._job(line)
                good = True
            except ValueError as error:
                good = False
                self._intake.skip(number, str(error))
        self._join()
        return good

    def _header(self, text: str) -> None:
        match = _HEADER.match(text)
        if match is None:
            return
        name, value = match.groups()
        number = _FIRST.match(value)
        if name == "UnixStartTime" and number is not None and 0 <= int(number[0]) <= LAST:
            self._start, self._started = float(number[0]), True
        elif name == "MaxProcs" and number is not None:
            self._procs = int(number[0])
        elif name == "MaxNodes" and number is not None:
            self._nodes = int(number[0])
        elif name == "Queue" and number is not None:
            words = value[number.end() :].split()
            self._queues[int(number[0])] = words[0] if words else number[0]

    def _settle(self) -> None:
        """The header is read."""
        if not self._started:
            self._intake.remark(NO_START)
        if self._width is None and self._nodes > 0 and self._procs >= self._nodes:
            self._width = self._procs // self._nodes
            self._intake.remark(
                f"nodes are taken to have {self._width} processors, as MaxProcs by MaxNodes of the header"
            )
        elif not self._given:
            self._intake.remark(NO_WIDTH)

    def _job(self, line: _Line) -> None:
        """A line that is a whole job. Raises ValueError."""
        self._whole.add(line.number)
        if self._processors(line) is None:
            self._intake.remark(NO_PROCESSORS)
            self._intake.read()
            return
        ending = _ENDINGS.get(line.status)
        if ending is None:
            ending = JobEnding.COMPLETED if line.run >= 0 else JobEnding.UNKNOWN
        never = (
            line.run <= 0 and line.used <= 0 and ending in (JobEnding.CANCELLED, JobEnding.FAILED, JobEnding.UNKNOWN)
        )
        seconds = None if never or line.run < 0 else line.run
        self._add(line, ending, seconds, 0)

    def _join(self) -> None:
        """Jobs in several parts, each of which continues where the last one stopped."""
        for number, parts in self._parts.items():
            if number in self._whole:
                self._intake.remark(NO_PARTS, len(parts))
                for _ in parts:
                    self._intake.read()
                continue
            first, last = parts[0][1], parts[-1][1]
            try:
                if self._processors(first) is None:
                    raise ValueError("it has no number of processors")
                ending = _ENDINGS.get(last.status, JobEnding.UNKNOWN)
                self._add(first, ending, sum(max(0.0, line.run) for _, line in parts), len(parts) - 1)
                self._intake.remark(PARTS, len(parts))
            except ValueError as error:
                self._intake.skip(parts[0][0], str(error))

    def _processors(self, line: _Line) -> int | None:
        return line.asked if line.asked > 0 else line.used if line.used > 0 else None

    def _add(self, line: _Line, ending: JobEnding, seconds: float | None, requeues: int) -> None:
        """Raises ValueError."""
        submit = self._start + line.submit
        if not 0 <= line.submit <= LAST or submit > LAST:
            raise ValueError(f"a submit time out of range: {line.submit:g}")
        left = submit + line.wait if line.wait >= 0 else None  # the queue
        begin = left if seconds is not None else None
        end = left if seconds is None else begin + seconds if begin is not None and not requeues else None
        if seconds is not None and begin is None:
            self._intake.remark(NO_WAITS)
        if line.limit <= 0:
            self._intake.remark(NO_LIMIT)
        processors = self._processors(line)
        assert processors is not None
        nodes = math.ceil(processors / self._width) if self._width else 1
        used = processors if line.used <= 0 else line.used
        per_node = math.ceil(used / nodes)
        queue = self._queues.get(line.queue, str(line.queue) if line.queue >= 0 else "")
        job = TracedJob(
            str(line.number),
            shape_of(self._asked(line, processors, nodes)),
            submit,
            ending,
            f"application {line.executable}" if line.executable >= 0 else "",
            queue,
            submit,
            begin,
            end,
            seconds,
            is_at_least(ending, seconds),
            line.limit if line.limit > 0 else None,
            requeues,
            got=got(None, line.used, None) if seconds is not None and line.used > 0 else None,
            max_rss=line.memory_used * per_node / 1024 if line.memory_used > 0 else None,
        )
        self._intake.read()
        self._intake.add(job)

    def _asked(self, line: _Line, processors: int, nodes: int) -> AskedFor:
        """Partitions are left open: those of another site say nothing here."""
        if line.memory <= 0:
            self._intake.remark(NO_MEMORY)
        on_each = math.ceil(processors / nodes)
        ram = math.ceil(line.memory * on_each / 1024) * nodes if line.memory > 0 else 0
        user = f"user{line.user}" if line.user >= 0 else ""
        return AskedFor(
            on_each * nodes, nodes, float(ram), user=user, account=f"group{line.group}" if line.group >= 0 else ""
        )


def _line(text: str) -> _Line:
    """Raises ValueError."""
    words = text.split()
    if len(words) != FIELDS:
        raise ValueError(f"it has {len(words)} fields, and SWF {FIELDS}")
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        raise ValueError("it has a field that is not a number") from None
    if not all(abs(number) < 1e15 for number in numbers):  # neither infinity nor NaN
        raise ValueError("it has a number that is out of range")
    job, submit, wait, run, used, _, memory_used, asked, limit, memory, status, user, group, what, queue, *_ = numbers
    return _Line(
        int(job),
        submit,
        wait,
        run,
        int(used),
        memory_used,
        int(asked),
        limit,
        memory,
        int(status),
        int(user),
        int(group),
        int(what),
        int(queue),
    )
