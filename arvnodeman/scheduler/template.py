"""The smallest scheduler there can be, to copy for another one than Slurm. It works: it keeps nodes and jobs in memory.

For a scheduler NAME: make a room beside slurm/, and go through the marks (1) to (7). What each method must do is said
in base.py. Then write a stage for the conformance suite (tests/conformance/stage.py), which shows what is missing.

The words for nodes are those of a PBS, on purpose: nothing outside (1) and (2) knows them.
"""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from arvnodeman.fleet.values.job_comments import JobComment, JobsCommented
from arvnodeman.fleet.values.model import ErrorKind, Job, JobShape, RemoteError, SchedulerFailure
from arvnodeman.fleet.values.queue import Queue
from arvnodeman.fleet.values.work import NodeWork, WaitKind, WorkKind, WorkState
from arvnodeman.money.payers import payer_of_shape
from arvnodeman.money.runs import JobCost, JobRun
from arvnodeman.scheduler.base import Scheduler, WaitingJobs

SIZE_FEATURE = "instancetype="
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

# (1) What the scheduler's words for nodes mean. A word that is not here is taken for somebody's work on the node: such
# a node is left alone, and counts as down when that goes on for longer than a boot may take.
_FREE, _BUSY = WorkState(WorkKind.FREE, "free"), WorkState(WorkKind.WORKING, "job-busy")
WORDS = {
    state.said: state
    for state in (
        _FREE,
        _BUSY,
        WorkState(WorkKind.DRAINED, "offline", resumed=_FREE),
        WorkState(WorkKind.DRAINING, "offline,job-busy", resumed=_BUSY),
        WorkState(WorkKind.DOWN, "down"),
        WorkState(WorkKind.UNHEARD, "state-unknown"),
    )
}
# (2) ... and its reasons for jobs that wait. Any other is a rule of the scheduler's, which no node helps.
REASONS = {
    "not enough free nodes": WaitKind.NODES,
    "can never run on these nodes": WaitKind.CONSTRAINTS,
    "": WaitKind.NOT_SAID,
}


@dataclass(slots=True)
class TemplateNode:
    """What the scheduler keeps of a node."""

    name: str
    heard: bool = False  # since the scheduler began
    answers: bool = False
    offline: bool = False
    down: bool = False
    reason: str = ""
    weight: int = 0
    features: frozenset[str] = frozenset()
    jobs: set[str] = field(default_factory=set)

    @property
    def word(self) -> str:
        """The scheduler's word for it."""
        if self.offline:
            return "offline,job-busy" if self.jobs else "offline"
        if self.down:
            return "down"
        if not self.heard:
            return "state-unknown"
        return "job-busy" if self.jobs else "free"


@dataclass(slots=True)
class TemplateJob:
    """What the scheduler keeps of a job."""

    id: str
    shape: JobShape
    held: bool = False
    node: str = ""  # that it runs on
    comment: str = ""
    began: float = 0.0  # seconds since the epoch, on that node


class TemplateScheduler(Scheduler):
    """A scheduler that a test holds in its hand: what would ask NAME's commands or its API asks two tables."""

    never_ours = frozenset[str]()

    def __init__(self, names: Sequence[str]) -> None:
        self.table = {name: TemplateNode(name) for name in names}
        self.jobs: dict[str, TemplateJob] = {}
        self.leases: dict[str, str] = {}  # what nodes read of it
        self.away = False  # it does not answer
        self.forbids = False  # this account may not change anything
        self.submissions = 0
        self._numbers = itertools.count(1)

    # ---- (3) asking ------------------------------------------------------------------------------------------------

    def queue(self) -> WaitingJobs:
        """See Scheduler."""
        self._ask()
        jobs, others = [], {}
        for job in self.jobs.values():
            if job.node:
                continue
            reason = self._reason(job)
            waits = REASONS.get(reason, WaitKind.RULES)
            if waits in (WaitKind.NODES, WaitKind.CONSTRAINTS):
                jobs.append(Job(job.id, job.shape, 0, reason, waits=waits))
            else:
                others[job.id] = reason
        return WaitingJobs(Queue(jobs), others)

    def submitted(self) -> str:
        """See Scheduler."""
        self._ask()
        return str(self.submissions)

    def nodes(self) -> dict[str, NodeWork]:
        """See Scheduler."""
        self._ask()
        return {name: _shown(node) for name, node in self.table.items()}

    def node(self, hostname: str) -> NodeWork | None:
        """See Scheduler."""
        self._ask()
        _check_name(hostname)
        node = self.table.get(hostname)
        return _shown(node) if node is not None else None

    def jobs_on(self, hostname: str) -> int:
        """See Scheduler."""
        self._ask()
        return len(self._known(hostname).jobs)

    def runs(self) -> list[JobRun]:
        """See Scheduler. A real one tells when jobs ended, too, and what they have of their nodes."""
        self._ask()
        payers = {job.id: payer_of_shape(job.shape) for job in self.jobs.values()}
        return [JobRun(job.id, payers[job.id], (job.node,), job.began) for job in self.jobs.values() if job.node]

    def check_rights(self) -> str | None:
        """See Scheduler."""
        self._ask()
        return "the scheduler does not let this account change nodes" if self.forbids else None

    def remark(self) -> str:
        """(4) Where the version is none of those that were tried, and that matters."""
        return ""

    # ---- (5) changing nodes ----------------------------------------------------------------------------------------

    def drain(self, hostname: str, reason: str) -> None:
        """See Scheduler."""
        node = self._changed(hostname)
        node.offline, node.reason = True, reason

    def resume(self, hostname: str) -> None:
        """See Scheduler."""
        node = self._changed(hostname)
        node.offline = node.down = False
        node.reason = ""
        self.schedule()

    def set_down(self, hostname: str, reason: str) -> None:
        """See Scheduler. Its jobs are queued again."""
        node = self._changed(hostname)
        node.down, node.answers, node.reason = True, False, reason
        for job in node.jobs:
            self.jobs[job].node = ""
        node.jobs.clear()

    def describe(
        self, hostname: str, size: str, weight: int, *, gives: Sequence[str] = (), without: Collection[str] = ()
    ) -> None:
        """See Scheduler."""
        node = self._changed(hostname)
        if not size or not size.isprintable() or "," in size or " " in size:
            raise _refused(f"the size name {size!r} cannot be a feature")
        others = {each for each in node.features if not each.startswith(SIZE_FEATURE) and each not in without}
        node.features, node.weight = frozenset({*others, *gives, f"{SIZE_FEATURE}{size}"}), weight
        self.schedule()

    def offer(self, hostnames: Sequence[str], features: Collection[str]) -> None:
        """See Scheduler."""
        for hostname in hostnames:
            self._changed(hostname).features = frozenset(features)

    # ---- (6) changing jobs -----------------------------------------------------------------------------------------

    def cancel(self, job_id: str) -> None:
        """See Scheduler."""
        self._ask()
        job = self.jobs.pop(job_id, None)
        if job is not None and job.node:
            self.table[job.node].jobs.discard(job_id)

    def note_on_job(self, job_id: str, comment: str) -> None:
        """See Scheduler."""
        self._ask()
        if job_id in self.jobs:
            self.jobs[job_id].comment = comment

    def comment_jobs(self, comments: Sequence[JobComment], spared: Sequence[str]) -> JobsCommented:
        """See Scheduler. A real one has to tell its own lines from somebody else's."""
        self._ask()
        if self.forbids:
            raise _refused("the scheduler does not let this account change jobs")
        texts = {job: each.line.text for each in comments for job in each.jobs}
        changed = [job for job in self.jobs.values() if job.comment != texts.get(job.id, "") and job.id not in spared]
        for job in changed:
            job.comment = texts.get(job.id, "")
        return JobsCommented(len(changed))

    def renew_leases(self, hostnames: Sequence[str], value: str) -> None:
        """See Scheduler."""
        self._ask()
        self.leases |= {name: value for name in hostnames if name in self.table}

    def note_costs(self, costs: Sequence[JobCost]) -> int:
        """See Scheduler. This one forgets jobs when they end."""
        self._ask()
        raise _refused(f"the scheduler keeps nothing of jobs that have ended, such as {len(costs)}")

    # ---- what happens by itself: a real scheduler has this elsewhere -----------------------------------------------

    def node_started(self, name: str) -> None:
        """A machine has come up under this name."""
        node = self.table[name]
        node.heard = node.answers = True
        node.down = False
        self.schedule()

    def node_lost(self, name: str) -> None:
        """... and is gone. Nobody has told the scheduler yet."""
        self.table[name].answers = False

    def submit(self, shape: JobShape, *, held: bool = False) -> str:
        """A job; its id."""
        job = TemplateJob(str(next(self._numbers)), shape, held)
        self.jobs[job.id] = job
        self.submissions += 1
        self.schedule()
        return job.id

    def schedule(self) -> None:
        """Start what can be started: the nodes of least weight first."""
        for job in self.jobs.values():
            free = [node for node in self.table.values() if node.word == "free" and node.answers and _fits(job, node)]
            if not job.node and not job.held and free:
                node = min(free, key=lambda each: each.weight)
                job.node, job.began = node.name, time.time()
                node.jobs.add(job.id)

    def _reason(self, job: TemplateJob) -> str:
        if job.held:
            return "held by its owner"
        if any(_fits(job, node) for node in self.table.values()):
            return "not enough free nodes"
        return "can never run on these nodes"

    # ---- (7) errors, put into kinds --------------------------------------------------------------------------------

    def _ask(self) -> None:
        if self.away:
            raise SchedulerFailure(RemoteError(ErrorKind.TRANSIENT, "the scheduler does not answer"))

    def _known(self, hostname: str) -> TemplateNode:
        _check_name(hostname)
        node = self.table.get(hostname)
        if node is None:
            raise SchedulerFailure(RemoteError(ErrorKind.GONE, f"the scheduler does not know the node {hostname}"))
        return node

    def _changed(self, hostname: str) -> TemplateNode:
        self._ask()
        _check_name(hostname)
        if self.forbids:
            raise _refused("the scheduler does not let this account change nodes")
        return self._known(hostname)


def _shown(node: TemplateNode) -> NodeWork:
    state = WORDS.get(node.word) or WorkState(WorkKind.TAKEN, node.word)
    reason = node.reason if node.offline or node.down else ""
    return NodeWork(node.name, state, node.answers or not node.heard, node.weight, node.features, reason)


def _fits(job: TemplateJob, node: TemplateNode) -> bool:
    return job.shape.size is None or f"{SIZE_FEATURE}{job.shape.size}" in node.features


def _check_name(hostname: str) -> None:
    if not NAME.fullmatch(hostname) or hostname == "ALL":
        raise _refused(f"{hostname!r} is not the name of one node")


def _refused(text: str) -> SchedulerFailure:
    return SchedulerFailure(RemoteError(ErrorKind.REFUSED, text))
