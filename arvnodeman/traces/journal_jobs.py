"""What our own journal shows of jobs: each list of the queue, and of what nodes do.

A job is submitted when the first list shows it, and is eligible when one first shows it waiting for nodes. It begins
with the first list that shows it no more: on nodes that turn busy about then, those that Slurm had placed it on, else
the first that are nobody's; or else on nodes that were busy all the time, from which the jobs that have run longest
have made way. It ends when the last of its nodes is busy no more, or another job begins there. Without any node it was
cancelled. Moments are as exact as polls are often; hours of nodes are right, and lengths of single jobs may not be.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from arvnodeman.fleet.messages import QueueListed, RecordsListed
from arvnodeman.fleet.values.model import Job
from arvnodeman.fleet.values.work import NodeWork
from arvnodeman.journal.codec import Codec
from arvnodeman.journal.reader import Gap, NoHead, NoJournal, Told, read
from arvnodeman.traces.job import JobEnding, TracedJob, is_at_least
from arvnodeman.traces.trace import Intake, NoTrace

PATIENCE = 600.0  # seconds between the end of a job's wait and nodes that turn busy: some polls
WHAT_IT_IS = (
    "a journal sees jobs at polls only: times are as exact as these, and which job ran on which node is a guess"
)
GAPS = "events that are missing in the journal: {}"


@dataclass(slots=True)
class _Known:
    """A job that has been listed."""

    job: Job
    submit: float
    eligible: float | None = None
    left: float | None = None  # the queue
    spells: list[_Spell] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class _Spell:
    """A time that one node was busy."""

    node: str
    begin: float
    end: float | None = None


class JournalJobs:
    """Reads the files of a journal, in their order."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._waiting: dict[str, _Known] = {}
        self._left: deque[_Known] = deque()  # and have no nodes yet, by when they left
        self._gone: list[_Known] = []
        self._busy: dict[str, _Spell] = {}  # by node
        self._free: deque[_Spell] = deque()  # nobody's, by when they began
        self._taken: list[_Spell] = []  # somebody's
        intake.remark(WHAT_IT_IS)

    def read(self, paths: Sequence[Path]) -> None:
        """All files. Raises NoTrace."""
        for path in paths:
            try:
                for entry in read(path, Codec()):
                    if isinstance(entry, Gap):
                        self._intake.remark(GAPS, entry.events)
                    elif isinstance(entry, Told):
                        self._intake.read()
                        self._told(entry)
            except NoHead:
                continue
            except NoJournal as error:
                raise NoTrace(str(error)) from None
            except OSError as error:
                raise NoTrace(f"{path} cannot be read: {error.strerror or error}") from None
        self._finish()

    def _told(self, told: Told) -> None:
        match told.event:
            case QueueListed() as listed:
                self._queue(listed.jobs, listed.started)
            case RecordsListed() as listed if listed.slurm is not None:
                self._nodes(listed.slurm, listed.started)
            case _:
                return
        self._match(told.now)

    def _queue(self, jobs: Sequence[Job], at: float) -> None:
        listed = {job.id: job for job in jobs}
        for identity, job in listed.items():
            known = self._waiting.get(identity)
            if known is None:
                known = self._waiting[identity] = _Known(job, at)
            known.job = job
            if known.eligible is None and job.waits.for_nodes:
                known.eligible = at
        for identity in [identity for identity in self._waiting if identity not in listed]:
            known = self._waiting.pop(identity)
            known.left = at
            self._left.append(known)

    def _nodes(self, nodes: Mapping[str, NodeWork], at: float) -> None:
        for name, work in nodes.items():
            if not work.state.works:
                self._quiet(name, at)
            elif name not in self._busy:
                spell = self._busy[name] = _Spell(name, at)
                self._free.append(spell)
        for name in [name for name in self._busy if name not in nodes]:
            self._quiet(name, at)

    def _quiet(self, node: str, at: float) -> None:
        spell = self._busy.pop(node, None)
        if spell is not None:
            spell.end = at

    def _match(self, now: float) -> None:
        """Give those that have left the queue their nodes."""
        while self._free and self._free[0].begin < now - 2 * PATIENCE:
            self._free.popleft()
        self._taken = [spell for spell in self._taken if spell.end is None or spell.end > now - 2 * PATIENCE]
        for _ in range(len(self._left)):
            known = self._left.popleft()
            assert known.left is not None
            waits = now <= known.left + PATIENCE
            if self._takes(known) or (not waits and self._follows(known)) or not waits:
                self._gone.append(known)
            else:
                self._left.append(known)

    def _takes(self, known: _Known) -> bool:
        """Have nodes turned busy for it, all that it asks for?"""
        assert known.left is not None
        near = [spell for spell in self._free if abs(spell.begin - known.left) <= PATIENCE]
        found = _suited(known, near)
        for spell in found:
            self._free.remove(spell)
        self._taken += found
        known.spells = found
        return bool(found)

    def _follows(self, known: _Known) -> bool:
        """It begins on nodes that were busy all the time: the jobs there that have run longest have made way."""
        at = known.left
        assert at is not None
        going_on = [spell for spell in self._taken if spell.begin < at and (spell.end is None or spell.end > at)]
        for spell in _suited(known, sorted(going_on, key=lambda spell: spell.begin)):
            rest = _Spell(spell.node, at, spell.end)
            spell.end = at
            if self._busy.get(spell.node) is spell:
                self._busy[spell.node] = rest
            self._taken.append(rest)
            known.spells.append(rest)
        return bool(known.spells)

    def _finish(self) -> None:
        """The journal ends."""
        for known in self._left:
            self._follows(known)
        for known in (*self._gone, *self._left, *self._waiting.values()):
            self._intake.add(_job(known))


def _suited(known: _Known, spells: Sequence[_Spell]) -> list[_Spell]:
    """The first of these that it may have had, as many as it asks for; else none."""
    names, wanted = known.job.names, known.job.shape.nodes
    found = [spell for spell in spells if not names or spell.node in names][:wanted]
    return found if len(found) == wanted else []


def _job(known: _Known) -> TracedJob:
    ends = [spell.end for spell in known.spells]
    begin = end = seconds = None
    if known.left is None:
        ending = JobEnding.PENDING
    elif not known.spells:
        ending, end = JobEnding.CANCELLED, known.left
    elif None in ends:
        ending, begin = JobEnding.RUNNING, known.left
    else:
        ending, begin = JobEnding.UNKNOWN, min(known.left, known.spells[0].begin)
        end = max(begin, *(at for at in ends if at is not None))
        seconds = end - begin
    job = known.job
    partition = job.shape.partitions[0] if job.shape.partitions else ""
    return TracedJob(
        job.id,
        job.shape,
        known.submit,
        ending,
        "",
        partition,
        known.eligible,
        begin,
        end,
        seconds,
        is_at_least(ending, seconds),
        job.time_limit,
    )
