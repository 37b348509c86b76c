"""Containers are paid for by the users of Arvados that they run for: to Slurm they are all the dispatcher's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

from arvnodeman.fleet.values.model import Job, JobShape
from arvnodeman.fleet.values.queue import Queue
from arvnodeman.money.payers import known
from arvnodeman.money.runs import JobRun
from arvnodeman.scheduler.base import WaitingJobs

if TYPE_CHECKING:
    from arvnodeman.arvados.container_users import ContainerUsers


class ContainerPayers:
    """For one poller. Who is behind a job is part of its shape, so that a budget for him brakes his jobs alone."""

    def __init__(self, users: ContainerUsers) -> None:
        self._users = users
        self._queue = Queue()
        self._listed: WaitingJobs | None = None  # what it was made of, and of which users
        self._known: Mapping[str, str] = {}
        self._refused: Mapping[JobShape, Sequence[Job]] = {}
        self._jobs: dict[str, tuple[Job, Job]] = {}  # each as it was listed, and as it was handed on
        self._shapes: dict[tuple[JobShape, str], JobShape] = {}

    def of_waiting(self, waiting: WaitingJobs) -> WaitingJobs:
        """The same, with who is behind each job. What is the same again is the object that it was."""
        refused = list(chain.from_iterable(waiting.refused.values()))
        users = self._users.fetch([job.id for job in chain(waiting.jobs, refused)])
        if not users:
            return waiting
        before, self._listed = self._listed, waiting
        same = before is not None and waiting.jobs is before.jobs and waiting.refused is before.refused
        if not same or users != self._known:
            self._tell(waiting, refused, users)
        self._known = users
        return replace(waiting, jobs=self._queue, refused=self._refused, run_times=self._likely(waiting.run_times))

    def _tell(self, waiting: WaitingJobs, refused: Sequence[Job], users: Mapping[str, str]) -> None:
        shapes: dict[tuple[JobShape, str], JobShape] = {}
        jobs: dict[str, tuple[Job, Job]] = {}
        of_all = [self._told(job, known(users.get(job.id, "")), jobs, shapes) for job in waiting.jobs]
        self._refused = _by_shape([self._told(job, known(users.get(job.id, "")), jobs, shapes) for job in refused])
        self._jobs, self._shapes, self._queue = jobs, shapes, self._queue.following(of_all)

    def _told(
        self, job: Job, user: str, jobs: dict[str, tuple[Job, Job]], shapes: dict[tuple[JobShape, str], JobShape]
    ) -> Job:
        """One of them; it is kept in these for the next time."""
        if not user:
            return job
        key = (job.shape, user)
        if key not in shapes:
            shapes[key] = self._shapes.get(key) or replace(job.shape, owner=replace(job.shape.owner, behind=user))
        before = self._jobs.get(job.id)
        if before is None or before[0] is not job or before[1].shape is not shapes[key]:
            before = (job, replace(job, shape=shapes[key]))
        jobs[job.id] = before
        return before[1]

    def _likely(self, times: Mapping[JobShape, float]) -> Mapping[JobShape, float]:
        """How long jobs of a shape run does not depend on who is behind them."""
        more = {new: times[shape] for (shape, _), new in self._shapes.items() if shape in times}
        return {**times, **more} if more else times

    def of_runs(self, runs: Sequence[JobRun]) -> Sequence[JobRun]:
        """These that are on nodes, or were."""
        users = self._users.fetch({run.job for run in runs})
        return [
            replace(run, payer=run.payer._replace(user=known(users[run.job]))) if run.job in users else run
            for run in runs
        ]


def _by_shape(jobs: Sequence[Job]) -> Mapping[JobShape, Sequence[Job]]:
    found: dict[JobShape, list[Job]] = {}
    for job in jobs:
        found.setdefault(job.shape, []).append(job)
    return found
