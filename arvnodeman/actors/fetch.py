"""What the pollers fetch with: callables that ask the hands and return the event for the brain.

Each belongs to one poller and makes its client in that poller's thread, at its first attempt, so that a cloud or an API
server that is away at the start is a failed poll like any other (rows A9, A21).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING

from arvnodeman.fence.fence import of_process
from arvnodeman.fleet.messages import CloudListed, QueueListed, RecordsListed
from arvnodeman.fleet.outlook.ahead import NOTHING_AHEAD
from arvnodeman.fleet.values.budgets import NOTHING_SPENT, Spending
from arvnodeman.fleet.values.later_jobs import LaterJob
from arvnodeman.fleet.values.model import CloudNode, Job, JobShape, NodeRecord
from arvnodeman.fleet.values.placed import PlacedJob
from arvnodeman.fleet.values.queue import Queue
from arvnodeman.fleet.values.rows import Rows
from arvnodeman.fleet.values.work import NodeWork
from arvnodeman.loop.world import Listed
from arvnodeman.records.cloud_names import CloudRecords
from arvnodeman.records.names import SlurmRecords
from arvnodeman.slurm.keeping import NamesInSlurm
from arvnodeman.supervision.clock import Clock

if TYPE_CHECKING:
    from arvnodeman.actors.container_payers import ContainerPayers
    from arvnodeman.actors.runs import RunsFetch
    from arvnodeman.arvados.containers import Containers
    from arvnodeman.arvados.jobs import JobsQueue
    from arvnodeman.cloud.base import CloudDriver
    from arvnodeman.fleet.values.waits import Container, JobWaits
    from arvnodeman.records.keeper import RecordKeeper
    from arvnodeman.scheduler.base import Scheduler

Fetch = Callable[[], Listed]


class CloudFetch:
    """Lists the cloud's nodes."""

    def __init__(self, make_driver: Callable[[], CloudDriver], clock: Clock) -> None:
        self._make_driver = make_driver
        self._driver: CloudDriver | None = None
        self._nodes: Rows[CloudNode] = Rows(attrgetter("id"))
        self._now = clock.now

    def __call__(self) -> CloudListed:
        """Raises RemoteFailure."""
        if self._driver is None:
            self._driver = self._make_driver()
        started = self._now()
        nodes = self._nodes.renewed(self._driver.list_nodes())
        return CloudListed(nodes, started, self._driver.clock_offset)


class RecordsFetch:
    """Lists the node records, and asks what nodes do where the scheduler is asked at all."""

    def __init__(
        self,
        make_keeper: Callable[[], RecordKeeper],
        scheduler: Scheduler | None,
        clock: Clock,
        *,
        check_rights: bool = False,
        remarks: dict[str, str] | None = None,
        runs: RunsFetch | None = None,
    ) -> None:
        """`check_rights`: say in one line, once, when Slurm does not let this account update nodes. `remarks`: is told
        of a Slurm of a version that was not tried. `runs`: asks, now and then, which jobs are on nodes."""
        self._make_keeper = make_keeper
        self._keeper: RecordKeeper | None = None
        self._records: Rows[NodeRecord] = Rows(attrgetter("uuid"))
        self._scheduler = scheduler
        self._check_rights = check_rights
        self._remarks = remarks
        self._runs = runs
        self._shown: Mapping[str, NodeWork] = {}  # by sinfo at the last poll
        self._nodes: Mapping[str, NodeWork] = {}  # those of them that may be ours
        self._now = clock.now

    def __call__(self) -> RecordsListed:
        """Raises RemoteFailure; SchedulerFailure when it was the scheduler."""
        started = self._now()
        if self._keeper is None:
            self._keeper = self._make_keeper()
            if isinstance(self._keeper, SlurmRecords) and isinstance(self._scheduler, NamesInSlurm):
                self._keeper.ask_with(self._scheduler)
        records: Sequence[NodeRecord]
        listed: Mapping[str, NodeWork] | None = None
        if isinstance(self._keeper, CloudRecords):  # two looks of one moment may differ
            records, listed = self._keeper.list_with_work()
        else:
            records = self._keeper.list_records()
        records = self._records.renewed(records)
        return RecordsListed(records, self._ask_scheduler(listed), started, self._keeper.clock_offset)

    def _ask_scheduler(self, listed: Mapping[str, NodeWork] | None) -> Mapping[str, NodeWork] | None:
        """`listed`: what it has said of the nodes just now."""
        scheduler = self._scheduler
        if scheduler is None:
            return None
        nodes = scheduler.nodes() if listed is None else listed
        checks = self._check_rights and of_process().standing.acts  # it is a command that would change something
        complaint = scheduler.check_rights() if checks else None
        remark = scheduler.remark() if self._remarks is not None else ""
        self._check_rights = self._check_rights and not checks
        if remark and self._remarks is not None:
            logging.getLogger("arvnodeman.slurm").warning("%s", remark)
            self._remarks["slurm"] = remark
        self._remarks = None
        if self._runs is not None:
            self._runs.fetch(scheduler)
        if complaint:
            logging.getLogger("arvnodeman.slurm").error("%s", complaint)
        if nodes is not self._shown:
            ours = dict(nodes)
            for name in scheduler.never_ours:
                ours.pop(name, None)
            self._shown, self._nodes = nodes, ours
        return self._nodes


class QueueFetch:
    """Lists the waiting jobs: Slurm's, then those of Arvados' own queue."""

    def __init__(
        self,
        scheduler: Scheduler | None,
        make_jobs: Callable[[], JobsQueue] | None,
        clock: Clock,
        waits: JobWaits | None = None,
        containers: Containers | None = None,
        spending: Callable[[float], Spending] | None = None,
        payers: ContainerPayers | None = None,
    ) -> None:
        """`waits` is told of each queue that was read, with what Arvados says of the `containers` in it.
        `spending`: what budgets have spent by a moment. `payers`: knows who pays for containers."""
        self._payers = payers
        self._spending = spending
        self._containers = containers
        self._waits = waits
        self._scheduler = scheduler
        self._make_jobs = make_jobs
        self._jobs: JobsQueue | None = None
        self._jobs_rows: Rows[Job] = Rows(attrgetter("id"))
        self._queue = Queue()
        self._names: Sequence[str] = ()  # of the jobs that are in Slurm, where containers are asked for
        self._listed: Sequence[Job] = ()  # the jobs whose names these are
        self._now = clock.now

    def __call__(self) -> QueueListed:
        """Raises RemoteFailure; SchedulerFailure when it was the scheduler."""
        started = self._now()
        jobs: Sequence[Job] = ()
        others: Mapping[str, str] = {}
        containers: Mapping[str, Container] = {}
        refused: Mapping[JobShape, Sequence[Job]] = {}
        returned: Sequence[PlacedJob] = ()
        run_times: Mapping[JobShape, float] = {}
        later: Sequence[LaterJob] = ()
        outlook = NOTHING_AHEAD
        if self._scheduler is not None:
            queue = self._scheduler.queue()
            containers = self._containers_in(queue.jobs)
            if self._payers is not None:  # after the containers that wait are listed: so it need not ask for them
                queue = self._payers.of_waiting(queue)
            jobs = queue.jobs
            others, refused, outlook = queue.others, queue.refused, queue.outlook
            returned, run_times, later = queue.returned, queue.run_times, queue.later
        if self._make_jobs is not None:
            if self._jobs is None:
                self._jobs = self._make_jobs()
            if waiting := self._jobs_rows.renewed(self._jobs.waiting()):
                jobs = [*jobs, *waiting]
        self._queue = self._queue.following(jobs)
        if self._waits is not None:
            self._waits.update(self._queue, started, others, containers)
        spending = self._spending(self._now()) if self._spending is not None else NOTHING_SPENT
        return QueueListed(self._queue, started, refused, outlook, returned, run_times, later, spending)

    def _containers_in(self, jobs: Sequence[Job]) -> Mapping[str, Container]:
        if self._waits is None or self._containers is None:
            return {}
        if jobs is not self._listed:
            self._names, self._listed = [job.id for job in jobs], jobs
        return self._containers.fetch(self._names)
