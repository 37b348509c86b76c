"""Requests to a Slurm that places jobs on names that are off (State=CLOUD) and powers these up and down.

What its nodes do comes from `scontrol show nodes`, the one source for records and words: two looks of one moment at
sinfo and scontrol may differ for a second. What each command really does was tried on Slurm 22.05, 24.11 and 26.05.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from arvnodeman.fleet.outlook.ahead import NOTHING_AHEAD
from arvnodeman.fleet.values.model import Job
from arvnodeman.fleet.values.queue import Queue
from arvnodeman.fleet.values.work import NodeWork
from arvnodeman.scheduler.base import WaitingJobs
from arvnodeman.slurm.errors import (
    ControllerAway,
    NotInstalled,
    NotPermitted,
    Refused,
    SlurmFailure,
    UnknownNode,
    first_line,
)
from arvnodeman.slurm.job_comments import says_gone
from arvnodeman.slurm.keeping import NamesInSlurm
from arvnodeman.slurm.nodes import ALL, check_hostname
from arvnodeman.slurm.placed import CONFIGURING, PENDING, PLACED_FORMAT, JobLine, read_placed
from arvnodeman.slurm.power import work_of
from arvnodeman.slurm.show import ShownNode, parse_nodes
from arvnodeman.slurm.squeue import QueueReading

BEGIN_TIME = "BeginTime"
_ASKED = 1000  # jobs, in one command
Words = tuple[str, ...]


class CloudNodesAndJobs(NamesInSlurm):
    """Slurm, for these requests alone."""

    def __init__(self, timeout: float, *, ahead: bool = False) -> None:
        """`ahead`: tell of jobs that cannot start yet, and what is free of nodes that these may share."""
        super().__init__(timeout, job_name_pattern="", numbered=True, ahead=ahead, share=ahead)
        self._ahead = ahead
        self._works: Mapping[str, NodeWork] = {}  # without rooms
        self._placed: Mapping[str, Job] = {}  # by the last queue
        self._queue = Queue()
        self._all_looked_for = False  # for marks of ours
        self._marked: list[str] = []  # jobs with a mark that were placed again before they were released

    # ---- nodes -------------------------------------------------------------------------------------------------------

    def nodes(self) -> Mapping[str, NodeWork]:
        """Every node that Slurm shows, by name."""
        return self.listed()[1]

    def listed(self) -> tuple[Mapping[str, ShownNode], Mapping[str, NodeWork]]:
        """Every node as it is shown, and what each does, of one answer. No node at all is a failure. A node of which
        the last call said the same is the NodeWork that it was; so is the mapping, where all is the same."""
        shown = self.shown()
        if not shown:
            raise ControllerAway("scontrol", "it lists no node")
        before = self._works
        works = {}
        for name, node in shown.items():
            work, old = work_of(node), before.get(name)
            works[name] = old if old is not None and old == work else work
        if works != before:
            self._works = works
        return shown, self._with_rooms()

    def _with_rooms(self) -> Mapping[str, NodeWork]:
        """Each node with what it has and what is free of it, of that same answer, where jobs share nodes."""
        rules = self.sharing.rules
        if rules is None or not self._all_shown:
            return self._works
        for line in self._rooms.read(self._all_shown, rules):
            self.log.warning("%s", line)
        self._all_shown = ""
        return self._rooms.given(self._works)

    def nodes_now(self, hostnames: Iterable[str]) -> dict[str, NodeWork | SlurmFailure | None]:
        """These nodes as slurmctld counts them now. None: it says in so many words that it does not know the node."""
        found = self.shown_now(hostnames)
        return {name: work_of(node) if isinstance(node, ShownNode) else node for name, node in found.items()}

    def shown_now(self, hostnames: Iterable[str]) -> dict[str, ShownNode | SlurmFailure | None]:
        """Likewise, as they are shown."""
        found: dict[str, ShownNode | SlurmFailure | None] = {}
        asked: list[str] = []
        for hostname in dict.fromkeys(hostnames):
            try:
                check_hostname("scontrol", hostname)
                asked.append(hostname)
            except Refused as refusal:
                found[hostname] = refusal
        shown = self.shown_nodes(asked) if asked else {}
        for hostname in asked:
            found[hostname] = shown[hostname] if hostname in shown else self._alone(hostname)
        return found

    def _alone(self, hostname: str) -> ShownNode | SlurmFailure | None:
        try:
            text = self._run("scontrol", ALL, "show", "node", hostname)
        except UnknownNode:
            return None
        except (ControllerAway, NotInstalled, NotPermitted):
            raise
        except SlurmFailure as failure:
            return failure
        shown, _ = parse_nodes(text)
        return shown.get(hostname) or ControllerAway("scontrol", f"what it shows of {hostname} cannot be read")

    # ---- jobs --------------------------------------------------------------------------------------------------------

    def queue(self) -> WaitingJobs:
        """The jobs that are placed and have not begun, with their names, and those that wait."""
        waiting = super().queue()
        states = [CONFIGURING]
        if not self._all_looked_for:  # an earlier run may have left its mark on any
            states += [PENDING, "RUNNING", "SUSPENDED"]
        lines = self.job_lines(f"--states={','.join(states)}")
        late = [number for number, reason in waiting.others.items() if reason == BEGIN_TIME][:_ASKED]
        asked = list(dict.fromkeys([*late, *self._marked]))
        marked = [line for line in (*lines, *(self.lines_of(asked) if self._all_looked_for else ())) if line.marked]
        self._all_looked_for = True
        returned = {line.id: line.placed for line in marked if line.state != CONFIGURING}
        self._marked = [line.id for line in marked if line.id not in returned]
        placed = {line.id: line.job for line in lines if line.state == CONFIGURING}
        for number, job in self._placed.items():
            if placed.get(number) == job:
                placed[number] = job  # the object that it was
        jobs = [*placed.values(), *(job for job in waiting.jobs if job.id not in placed)]
        others = {number: reason for number, reason in waiting.others.items() if number not in placed}
        self._placed, self._queue = placed, self._queue.following(jobs)
        later = tuple(job for job in waiting.later if job.id not in returned and job.id not in placed)
        return WaitingJobs(self._queue, others, returned=tuple(returned.values()), outlook=waiting.outlook, later=later)

    def _with_outlook(self, read: QueueReading) -> WaitingJobs:
        """Slurm knows itself what is ahead, before it places a job. Of one that cannot start yet we have to know which
        names it may have."""
        self._read = self._read.following(read.jobs)
        outlook = self._foresight.fetch(read.refused) if self._ahead else NOTHING_AHEAD
        return WaitingJobs(self._read, read.others, outlook=outlook)

    def job_lines(self, *which: str) -> list[JobLine]:
        """The jobs of these states, or on these nodes."""
        text = self._run("squeue", ALL, "--noheader", *which, f"--Format={PLACED_FORMAT}")
        lines, malformed = read_placed(text)
        self._report("squeue", malformed, self.log, nothing=not lines)
        if malformed and not lines:
            raise ControllerAway("squeue", f"no line of its output can be read, the first is {first_line(text)!r}")
        return lines

    def lines_of(self, numbers: Sequence[str]) -> list[JobLine]:
        """These jobs, whatever their state; one that is gone is not among them."""
        found: list[JobLine] = []
        for first in range(0, len(numbers), _ASKED):
            try:
                found += self.job_lines("--states=all", f"--jobs={','.join(numbers[first : first + _ASKED])}")
            except Refused as refusal:
                if not is_gone(refusal):
                    raise
        return found

    def change_jobs(self, changes: Mapping[Words, Sequence[str]]) -> dict[str, SlurmFailure]:
        """scontrol update of jobs, by the words that they have in common. A job that is gone is success. The failures
        by job; raises what would fail for all."""
        failures: dict[str, SlurmFailure] = {}
        for words, numbers in changes.items():
            for first in range(0, len(numbers), _ASKED):
                some = numbers[first : first + _ASKED]
                try:
                    self._run("scontrol", "update", f"JobId={','.join(some)}", *words)
                except (ControllerAway, NotInstalled, NotPermitted):
                    raise
                except SlurmFailure as refusal:
                    failures |= self._change_each_job(some, words) if len(some) > 1 else _unless_gone(some[0], refusal)
        return failures

    def _change_each_job(self, numbers: Sequence[str], words: Words) -> dict[str, SlurmFailure]:
        """In a list with one that is refused the others are changed; which that was each says alone."""
        failures: dict[str, SlurmFailure] = {}
        for number in numbers:
            try:
                self._run("scontrol", "update", f"JobId={number}", *words)
            except (ControllerAway, NotInstalled, NotPermitted):
                raise
            except SlurmFailure as refusal:
                failures |= _unless_gone(number, refusal)
        return failures


def is_gone(failure: SlurmFailure) -> bool:
    """Is a job that we wanted to change gone, or too far for the change?"""
    return says_gone(failure.said)


def _unless_gone(number: str, failure: SlurmFailure) -> dict[str, SlurmFailure]:
    return {} if is_gone(failure) else {number: failure}
