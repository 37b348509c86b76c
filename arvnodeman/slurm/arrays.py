"""Numbers of jobs, and the tasks of job arrays that share a line of squeue.

Tasks not told apart yet share a line, `17_[2-10%2]`: no more than two of them may run at once, with those
that run already. One that is not like the others (it was requeued, held, given another size) has a line of its own,
`17_5`, with its own reason, where squeue is asked for `--array-unique`.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from arvnodeman.slurm.errors import SlurmFailure
from arvnodeman.slurm.fields import BEHIND

_log = logging.getLogger("arvnodeman.jobqueue")
JOB_NUMBER = re.compile(r"[0-9]{1,10}([_+][0-9]{1,10})?")
"""Of a job, of one task of a job array (`17_3`), or of one part of a heterogeneous job (`17+1`)."""
_ARRAY = re.compile(r"([0-9]{1,10})_\[([0-9,:-]+?)(?:,?\.\.\.)?(?:%([0-9]{1,10}))?\]")
_LIMITED = re.compile(rf"{BEHIND}([0-9]{{1,10}})_\[[0-9,:.-]+%([0-9]{{1,10}})\]")
_TASK = re.compile(rf"{BEHIND}([0-9]{{1,10}})_")
_GROUP = re.compile(rf"(?:[^|{BEHIND}]*\|){{3}}([^|{BEHIND}]*)\|[^{BEHIND}]*{BEHIND}([0-9]{{1,10}})_\[([^\]]*)\]")
_THROTTLE = re.compile(r"\bArrayTaskThrottle=([0-9]{1,10})\b")
_REASONS = re.compile(r",[A-Z]")  # between two of them; in one a blank follows the comma, or a node's name
_TASKS = 100_000  # of one array that are looked at; the others come when these have run


def tasks_of(number: str) -> Sequence[str]:
    """The jobs of one line of squeue, by their numbers: of `17` itself, of `17_[1-9:2,20%2]` the tasks. Raises
    ValueError."""
    if JOB_NUMBER.fullmatch(number):
        return [number]
    match = _ARRAY.fullmatch(number)
    if match is None:
        raise ValueError(f"not the number of a job: {number[:80]!r}")
    job, ranges, _ = match.groups()
    found: list[str] = []
    for item in ranges.split(","):
        span, _, step = item.partition(":")
        first, _, last = span.partition("-")
        tasks = range(int(first), int(last or first) + 1, int(step or 1))
        found += [f"{job}_{task}" for task in tasks[: _TASKS - len(found)]]
    return found


def limits_of(text: str, before: Mapping[str, int] | None = None) -> dict[str, int]:
    """How many tasks of an array may run at once, by the array's number, of those that this output of squeue shows.

    `before`: what was known. The limit is shown with tasks that have not been told apart; of those that have, it is
    remembered while one of them waits."""
    limited = _LIMITED.findall("\n".join(_lines_with("%", text)))
    limits = {array: int(limit) for array, limit in limited if int(limit)}
    if before and not before.keys() <= limits.keys():
        limits = {array: before[array] for array in _TASK.findall(text) if array in before} | limits
    return limits


def grouped(text: str, limits: Mapping[str, int]) -> list[str]:
    """The arrays of which a line of squeue stands for tasks that are not alike: it lists several reasons, or hides the
    limit that is known. `--array-unique`, which has a line for each of these, is not there any more in 24.11."""
    found: list[str] = []
    for line in _lines_with("[", text):
        match = _GROUP.match(line)
        if match is not None and (_REASONS.search(match[1]) or (match[2] in limits and "%" not in match[3])):
            found.append(match[2])
    return found


def _lines_with(mark: str, text: str) -> Iterator[str]:
    """The lines that have this character, which few have: no other is looked at."""
    place = text.find(mark)
    while place >= 0:
        end = text.find("\n", place)
        end = len(text) if end < 0 else end
        yield text[text.rfind("\n", 0, place) + 1 : end]
        place = text.find(mark, end)


def told_apart(text: str, each: str) -> str:
    """Output of squeue, with the lines of `each`, which has every task by itself, in place of those of its arrays."""
    lines: dict[str, list[str]] = {}
    for line in each.split("\n"):
        if (task := _TASK.search(line)) is not None:
            lines.setdefault(task[1], []).append(line)
    found: list[str] = []
    for line in text.split("\n"):
        match = _GROUP.match(line) if "[" in line else None
        found += [line] if match is None else lines.get(match[2], [line])
    return "\n".join(found)


class RunningTasks:
    """How many more tasks of arrays with a limit may run now. Remembers what squeue no longer shows."""

    def __init__(self) -> None:
        self._limits: dict[str, int] = {}
        self._running: Mapping[str, int] = {}
        self._failed = ""
        self._asked: set[str] = set()  # arrays whose limit has been asked for

    @property
    def limits(self) -> Mapping[str, int]:
        """Of the arrays that waited at the last look."""
        return self._limits

    def unknown(self, arrays: Sequence[str]) -> list[str]:
        """Those whose limit no line has shown, and has not been asked for."""
        return [array for array in arrays if array not in self._limits and array not in self._asked]

    def learn(self, array: str, shown: str) -> None:
        """`shown`: what `scontrol show job` says of an array."""
        self._asked.add(array)
        match = _THROTTLE.search(shown)
        if match is not None and int(match[1]):
            self._limits[array] = int(match[1])

    def left(self, text: str, count: Callable[[Sequence[str]], Mapping[str, int]]) -> dict[str, int]:
        """By the array's number, for those that wait in this output of squeue. `count` asks how many run, and is asked
        only when there are any; when that fails, what was counted last stands."""
        self._limits = limits_of(text, self._limits)
        if self._asked:
            self._asked.intersection_update(_TASK.findall(text))
        if not self._limits:
            self._running = {}
            return {}
        try:
            self._running = count(tuple(self._limits))
            self._failed = ""
        except SlurmFailure as failure:
            if str(failure) != self._failed:
                self._failed = str(failure)
                _log.warning("the running tasks of job arrays are not known; the last count is used: %s", failure)
        return {array: max(0, limit - self._running.get(array, 0)) for array, limit in self._limits.items()}
