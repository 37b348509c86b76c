"""The port to the scheduler: whose queue is read, and whose nodes are booted and destroyed.

Who implements it maps the scheduler's words to the values of fleet/values/work.py, in one table, and hides its commands
or its API. A scheduler decides nothing here, never retries and never sleeps: a request that fails raises
SchedulerFailure at once, and the Fleet decides what follows. What each method must do is held by a conformance
suite that runs over every scheduler there is (tests/conformance, doc/scheduler-conformance.md).

One object serves one thread. Making one asks the scheduler nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from arvnodeman.fleet.outlook.ahead import NOTHING_AHEAD, Outlook
from arvnodeman.fleet.values.job_comments import JobComment, JobsCommented
from arvnodeman.fleet.values.later_jobs import LaterJob
from arvnodeman.fleet.values.model import ErrorKind, Job, JobShape, SchedulerFailure
from arvnodeman.fleet.values.placed import PlacedJob
from arvnodeman.fleet.values.queue import Queue
from arvnodeman.fleet.values.work import NodeWork
from arvnodeman.money.runs import JobCost, JobRun

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class WaitingJobs:
    """What waits in the scheduler's queue. What is as it was at the last poll is, where that is cheap, the object that
    it was then: a promise of cost."""

    jobs: Queue  # that more nodes would help, in the order of the queue
    others: Mapping[str, str]  # id -> the scheduler's reason, of those that they would not
    refused: Mapping[JobShape, Sequence[Job]] = field(default_factory=dict)
    """Those of the others of which the scheduler says so only while a node is up."""
    outlook: Outlook = NOTHING_AHEAD
    returned: Sequence[PlacedJob] = ()  # that were given back, and are not released yet
    later: Sequence[LaterJob] = ()  # that cannot start yet, and of which it is known when they may
    run_times: Mapping[JobShape, float] = field(default_factory=dict)
    """How many seconds jobs like these are likely to run, where the scheduler can tell and jobs share nodes."""


Seen = tuple[NodeWork | None, int | None]
"""A node (None: the scheduler does not know it) and how many jobs are on it (None: not asked)."""


class Scheduler(Protocol):
    """The contract. Every method may raise SchedulerFailure; none retries.

    The methods about many nodes answer for each by itself: what one is refused costs only that one, and is returned.
    That the scheduler does not answer is raised, or the answer for each."""

    never_ours: frozenset[str]
    """Names that nodes() may show, and that are booted in no case."""

    # ---- asking ----------------------------------------------------------------------------------------------------

    def queue(self) -> WaitingJobs:
        """The jobs that wait, in the order of the queue. Never a part of it: what cannot be read as a whole is a
        failure, since an empty queue stops nodes."""

    def submitted(self) -> str:
        """Has something been submitted? A text that is another one once jobs were, and costs the scheduler next to
        nothing, however long its queue is; '' where it has nothing of the kind. It may change for less, too."""

    def nodes(self) -> Mapping[str, NodeWork]:
        """Every node that it shows, by name. None at all is a failure."""

    def node(self, hostname: str) -> NodeWork | None:
        """One node, as it is now and not as some list said. None: the scheduler says in so many words that it does not
        know it; that it shows nothing is not enough, since a node may be destroyed for this answer."""

    def jobs_on(self, hostname: str) -> int:
        """How many jobs are on a node, suspended ones and such as are being cleared away included."""

    def runs(self) -> Sequence[JobRun]:
        """The jobs that are on nodes, and those that have left them of late: who pays for these. None that is on a node
        is left out, and what cannot be read as a whole is a failure. For people's bills alone: nothing is decided by
        it."""

    def check_rights(self) -> str | None:
        """One line when this account may not change nodes, else None. Changes nothing."""

    def remark(self) -> str:
        """A line on a version of the scheduler that was not tried; '' for none."""

    # ---- changing --------------------------------------------------------------------------------------------------

    def drain(self, hostname: str, reason: str) -> None:
        """Jobs on it go on, none begins. The reason is kept, and listed with the node. Twice is the same as once."""

    def resume(self, hostname: str) -> None:
        """Jobs may begin again, on a node that was drained or set down. Success, too, where there is nothing to take
        back."""

    def set_down(self, hostname: str, reason: str) -> None:
        """The node is gone: its jobs end at once, and may be queued again. Twice is the same as once."""

    def describe(
        self, hostname: str, size: str, weight: int, *, gives: Sequence[str] = (), without: Collection[str] = ()
    ) -> None:
        """Give a node the feature `instancetype=SIZE` in place of any other size's, those that the size `gives` in
        place of those in `without`, and its weight: nodes of less weight are filled first. Others that it has stay."""

    def offer(self, hostnames: Sequence[str], features: Collection[str]) -> None:
        """Give these nodes all these features and no others."""

    def cancel(self, job_id: str) -> None:
        """Cancel a job. That there is none is success."""

    def note_on_job(self, job_id: str, comment: str) -> None:
        """Write on a job, for its owner, why it will never run, unless somebody else has written on it. That the job is
        gone is success."""

    def renew_leases(self, hostnames: Sequence[str], value: str) -> None:
        """Note on nodes, where they can read it, that they are managed: a value that differs from the last one. What
        somebody else has noted in that place stays, with a warning. Names that are gone are success."""

    def comment_jobs(self, comments: Sequence[JobComment], spared: Sequence[str]) -> JobsCommented:
        """Write on jobs, each line on its own, why no node runs for them, and take what we wrote off all others but the
        spared ones. What somebody else has written stays. Jobs that are gone are success."""

    def note_costs(self, costs: Sequence[JobCost]) -> int:
        """Write on some jobs that have ended what they have cost, where their owners find it later; on how many it was.
        One that is not known any more is left out. REFUSED where nothing keeps it."""

    # ---- many nodes at a time: each by itself, unless a scheduler can do better -----------------------------------

    def observe_all(self, hostnames: Mapping[str, bool]) -> Mapping[str, Seen | SchedulerFailure]:
        """node() of each name; of those with True jobs_on(), too, asked after that."""

        def observe(name: str) -> Seen:
            node = self.node(name)
            return node, self.jobs_on(name) if node is not None and hostnames[name] else None

        return _each(hostnames, observe)

    def drain_all(self, reasons: Mapping[str, str]) -> Mapping[str, SchedulerFailure]:
        """drain() for each name with its reason. The failures by name."""
        return _failures(_each(reasons, lambda name: self.drain(name, reasons[name])))

    def resume_all(self, hostnames: Iterable[str]) -> Mapping[str, SchedulerFailure]:
        """resume() for each name. The failures by name."""
        return _failures(_each(hostnames, self.resume))

    def set_down_all(self, reasons: Mapping[str, str]) -> Mapping[str, SchedulerFailure]:
        """set_down() for each name with its reason. The failures by name."""
        return _failures(_each(reasons, lambda name: self.set_down(name, reasons[name])))

    def describe_all(
        self,
        hostnames: Sequence[str],
        size: str,
        weight: int,
        *,
        gives: Sequence[str] = (),
        without: Collection[str] = (),
    ) -> Mapping[str, SchedulerFailure]:
        """describe() for many nodes of one size. The failures by name."""

        def describe(name: str) -> None:
            self.describe(name, size, weight, gives=gives, without=without)

        return _failures(_each(hostnames, describe))


def _each(hostnames: Iterable[str], act: Callable[[str], Item]) -> dict[str, Item | SchedulerFailure]:
    """What came of each. Raises the failure of one that does not answer: then none of the others would be answered."""
    found: dict[str, Item | SchedulerFailure] = {}
    for name in hostnames:
        try:
            found[name] = act(name)
        except SchedulerFailure as failure:
            if failure.error.kind is ErrorKind.TRANSIENT:
                raise
            found[name] = failure
    return found


def _failures(found: Mapping[str, object]) -> dict[str, SchedulerFailure]:
    return {name: each for name, each in found.items() if isinstance(each, SchedulerFailure)}
