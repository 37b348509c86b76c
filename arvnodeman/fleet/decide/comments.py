"""Why no node runs for a job, said on the job in the scheduler: when, and on which.

Each round tells the hands all that is to be said, and they change what differs: so what an earlier run has said, or a
job that has begun since, needs no memory here. There is none while the same is to be said of the same jobs.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from arvnodeman.fleet.decide.state import State
from arvnodeman.fleet.messages import DEBUG
from arvnodeman.fleet.operations.chores import Chore
from arvnodeman.fleet.operations.job_steps import CommentJobs
from arvnodeman.fleet.operations.operation import Operation, OperationContext
from arvnodeman.fleet.values import reasons
from arvnodeman.fleet.values.gate import Bar
from arvnodeman.fleet.values.job_comments import JobComment, JobsCommented, Line, line_of, number_of
from arvnodeman.fleet.values.model import ErrorKind, Job, JobShape
from arvnodeman.fleet.values.reasons import Reason
from arvnodeman.fleet.values.reasons_of_placing import Comes

ROUND = 60.0  # seconds between two rounds, at least
LOOK = 10.0  # seconds between two passes over the jobs that wait, at least: the queue may be polled each second
REFUSED_AGAIN = 3600.0  # seconds after this account was refused
DRIVER = "arvnodeman.jobqueue"
SILENT = (Bar.STOPPING, Bar.SAFE_MODE, Bar.NOT_LEADER)  # while one of them shuts the gate, nothing is said


@dataclass(frozen=True, slots=True)
class _Said:
    """What one round has said."""

    lines: Mapping[str, Line] = field(default_factory=dict)  # by job, or by the number of an array
    counts: Mapping[str, int] = field(
        default_factory=dict
    )  # of an array: tasks that wait; one that has begun has the line


class WriteComments(Chore):
    """One round."""

    def __init__(self, context: OperationContext, said: _Said, step: CommentJobs) -> None:
        super().__init__(context, DRIVER, "comments")
        self.said = said
        self.begin(CommentJobs(self.id, step.comments, step.spared, logger=self.logger))

    @staticmethod
    def number(context: OperationContext) -> int:
        """Of its own kind, so that what an earlier build has written down of nodes can be played again."""
        return context.next_offer_id()

    @property
    def logger(self) -> str:
        """That of the queue."""
        return DRIVER


class Commenting:
    """Since when each job waits without a node, and what was said last."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}
        self._lines: dict[str, float | None] = {}  # until when each text was said to hold
        self._said: _Said | None = None  # None: an earlier run may have said anything
        self._next: float | None = None  # steady time before which there is no round; None: nothing was looked at yet
        self._looked = -math.inf  # steady time of the newest pass over the queue
        self._is_busy = False
        self._told = ""  # the failure that was told of

    def observe(self, state: State) -> list[Operation]:
        """A queue has come, and what follows from it is decided. Begins a round, if it is time for one."""
        wait = state.policy.explain_after
        if not wait and self._said is None:
            return []
        gate = state.context.gate
        if self._is_busy or any(map(gate.is_shut_by, SILENT)) or not state.policy.slurm:
            return []
        t = state.t
        if t < self._looked + LOOK:
            return []
        self._looked = t
        causes, counts = _by_number(_waiting(state))
        self._remember(causes, t)
        if self._next is None:
            self._next = t + wait
        if t < self._next or state.plan is None:
            return []
        since, latest = self._since, t - wait
        due = {number: cause for number, cause in causes.items() if since[number] <= latest} if wait else {}
        said = _Said(self._lines_of(due, state), {number: counts[number] for number in counts if number in due})
        if said == self._said:
            return []
        self._next = t + ROUND
        young = (number for number in causes if number not in due)
        spared = [each for each in young if wait or isinstance(causes[each], reasons.Unsatisfiable)]
        return [self._begin(state, said, spared)]

    def _remember(self, causes: Mapping[str, Reason], t: float) -> None:
        """Since when each waits. Most do since long: these are left as they are."""
        since = self._since
        for number in since.keys() - causes.keys():
            del since[number]
        if len(since) < len(causes):
            for number in causes.keys() - since.keys():
                since[number] = t

    def _lines_of(self, due: Mapping[str, Reason], state: State) -> dict[str, Line]:
        """The line of each. A text that has a time keeps it until that is over, and while a node is tried after a rest,
        which takes moments, what was said stands."""
        before, self._lines = self._lines, {}
        told_before: Mapping[str, Line] = self._said.lines if self._said is not None else {}
        of_cause: dict[int, Line] = {}
        found: dict[str, Line] = {}
        for number, cause in due.items():
            if isinstance(cause, reasons.Unproven) and cause.probe and number in told_before:
                stands = found[number] = told_before[number]
                self._lines.setdefault(stands.text, stands.until)
                continue
            line = of_cause.get(id(cause))
            if line is None:
                line = of_cause[id(cause)] = self._held(line_of(cause), before, state.t)
            found[number] = line
        return found

    def _held(self, line: Line, before: Mapping[str, float | None], t: float) -> Line:
        """The line with the moment that its text has."""
        if line.text not in self._lines:
            until, told = line.until, before.get(line.text)
            ahead = until if until is not None and until > t else None
            self._lines[line.text] = told if told is not None and told > t else ahead
        return Line(line.text, self._lines[line.text])

    def _begin(self, state: State, said: _Said, spared: list[str]) -> Operation:
        jobs: dict[Line, list[str]] = {}
        for number, line in said.lines.items():
            jobs.setdefault(line, []).append(number)
        ahead = state.clock.now - state.t
        comments = tuple(
            JobComment(Line(line.text, None if line.until is None else ahead + line.until), tuple(some))
            for line, some in jobs.items()
        )
        chore = WriteComments(state.context, said, CommentJobs(0, comments, tuple(spared)))
        state.chores[chore.id] = chore
        self._is_busy = True
        return chore

    def ended(self, state: State, chore: WriteComments) -> None:
        """A round is over. One that failed, or had too much to write, is done again at the next queue after its time;
        that this account may not is told once."""
        self._is_busy = False
        if chore.error is None:
            result, self._told = chore.result, ""
            whole = not (isinstance(result, JobsCommented) and result.left)
            off = not (state.policy.explain_after or chore.said.lines)
            self._said = None if off else chore.said if whole else _Said()
            return
        self._said = _Said()
        error = chore.error
        if error.kind is ErrorKind.REFUSED:
            self._next = state.t + REFUSED_AGAIN
        text = "Could not write on jobs why they wait: %s"
        if error.text == self._told:
            state.context.note(DEBUG, text, error.text, logger=DRIVER)
            return
        self._told = error.text
        state.context.error(text, error.text, logger=DRIVER)


def _by_number(waiting: Iterable[tuple[Sequence[Job], Reason]]) -> tuple[dict[str, Reason], Counter[str]]:
    """The reason of each job, or of each array by its number; and how many tasks of each array wait. There may be
    tens of thousands of jobs, and most are no tasks."""
    causes: dict[str, Reason] = {}
    counts: Counter[str] = Counter()
    for jobs, cause in waiting:
        for job in jobs:
            number = job.id
            if "_" in number and not job.names:
                number = number_of(number)
                counts[number] += 1
            if number not in causes:
                causes[number] = cause
    return causes, counts


def _waiting(state: State) -> Iterator[tuple[Sequence[Job], Reason]]:
    """The jobs that wait and for which no node is there or comes, by group, each with the reason that is published."""
    if state.plan is None:
        return
    gate = state.context.gate
    if state.policy.places:
        yield from _placed(state)
        return
    shut = reasons.Plain(text=gate.words) if not gate.lets_boots else None
    jobs = state.queue.jobs
    for share in state.plan.shares.values():
        served = share.served - (share.booting if shut is not None and not state.plan.in_force else 0)
        cause = share.cause if isinstance(share.cause, reasons.Unsatisfiable) else shut or share.cause
        if cause is not None:
            yield [job for job in map(jobs.__getitem__, share.places[served:]) if job.in_slurm], cause


def _placed(state: State) -> Iterator[tuple[Sequence[Job], Reason]]:
    """Where the scheduler places jobs: those that cannot have their nodes, and those that wait for a size of which no
    job is placed now."""
    assert state.table is not None
    placements, closed = state.placements, state.context.closed
    sizes = [size.id for size in state.table.cheapest_first]
    shut = closed[sizes[0]] if sizes and all(size in closed for size in sizes) else None
    for job in state.queue.jobs:
        if job.id in placements.served:
            continue
        cause = placements.whys.get(job.id)
        if cause is None and not job.names:
            cause = closed.get(job.shape.size) if job.shape.size is not None else shut
        if cause is not None and not isinstance(cause, Comes):
            yield (job,), cause
    there = {job.id for job in state.queue.jobs}
    for number, given in placements.given.items():
        if given.held is not None and number not in there:
            yield (Job(number, JobShape()),), given.cause
