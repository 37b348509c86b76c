"""The hands as one operator holds them: each step of the brain is one call to cloud, Arvados or Slurm."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, singledispatchmethod
from typing import TYPE_CHECKING

from arvnodeman.actors.together import (
    CLOUD_STEPS,
    RECORD_STEPS,
    do_cloud_steps,
    do_record_steps,
    do_scheduler_steps,
)
from arvnodeman.fleet import messages
from arvnodeman.fleet.messages import NodeSeen, Step, StepResult
from arvnodeman.fleet.operations.job_steps import CommentJobs
from arvnodeman.fleet.operations.lease_steps import RenewLeases
from arvnodeman.fleet.operations.name_steps import CloseNames, GiveBack, OfferFeatures, OpenNames, PowerUp, ReleaseJobs
from arvnodeman.fleet.values.model import ErrorKind, RemoteError, RemoteFailure, Secret
from arvnodeman.records.cloud_names import CloudRecords
from arvnodeman.records.names import SlurmRecords

if TYPE_CHECKING:
    from arvnodeman.arvados.jobs import JobsQueue
    from arvnodeman.cloud.base import CloudDriver
    from arvnodeman.records.keeper import RecordKeeper
    from arvnodeman.scheduler.base import Scheduler
    from arvnodeman.scheduler.placing import PlacingScheduler


@dataclass(frozen=True, slots=True)
class Makers:
    """How the clients are made. Making one may ask the outside and raise RemoteFailure."""

    driver: Callable[[], CloudDriver]
    keeper: Callable[[], RecordKeeper]
    scheduler: Callable[[], Scheduler]
    jobs: Callable[[], JobsQueue] | None  # None: there is no Arvados
    ping_url: Callable[[str, Secret], Secret]  # record uuid, ping secret
    lease_by_tag: bool = False  # nodes read in their metadata that they are managed; else from the scheduler
    placing: Callable[[], PlacingScheduler] | None = None  # None: the scheduler places no jobs on names that are off


class Hands:
    """The clients of one thread, each made when it is first needed and kept (libcloud's and the SDK's are not
    thread-safe)."""

    def __init__(self, makers: Makers) -> None:
        self._makers = makers

    @cached_property
    def _driver(self) -> CloudDriver:
        return self._makers.driver()

    @cached_property
    def _keeper(self) -> RecordKeeper:
        return self._makers.keeper()

    @cached_property
    def _scheduler(self) -> Scheduler:
        return self._makers.scheduler()

    @cached_property
    def _jobs(self) -> JobsQueue:
        assert self._makers.jobs is not None
        return self._makers.jobs()

    @cached_property
    def _placing(self) -> PlacingScheduler:
        assert self._makers.placing is not None
        return self._makers.placing()

    @singledispatchmethod
    def do(self, step: Step) -> StepResult:
        """Carry out one step, without retrying. Raises RemoteFailure, and whatever nobody foresaw."""
        raise TypeError(f"no operator knows the step {type(step).__name__}")

    def do_all(self, steps: Sequence[Step]) -> Sequence[StepResult | RemoteError]:
        """Carry out several steps of one family: a result or an error for each. Raises RemoteFailure when all have
        failed."""
        if isinstance(steps[0], CLOUD_STEPS):
            return do_cloud_steps(steps, self._driver, self._makers.ping_url)
        if not isinstance(steps[0], RECORD_STEPS):
            return do_scheduler_steps(steps, self._scheduler)
        if not isinstance(self._keeper, SlurmRecords | CloudRecords):
            raise TypeError(f"the records are not names in Slurm, as {type(steps[0]).__name__} says")
        return do_record_steps(steps, self._keeper)

    @do.register
    def _(self, _step: messages.ListSizes) -> StepResult:
        return self._driver.list_sizes()

    @do.register
    def _(self, step: messages.PrepareRecord) -> StepResult:
        return self._keeper.prepare(step.intent, step.reuse)

    @do.register
    def _(self, step: messages.ReleaseRecord) -> StepResult:
        self._keeper.release(step.uuid, step.action)
        return None

    @do.register
    def _(self, step: messages.DescribeRecord) -> StepResult:
        self._keeper.describe(step.uuid, step.node)
        return None

    @do.register
    def _(self, step: messages.CreateNode) -> StepResult:
        ping_url = self._makers.ping_url(step.record.uuid, step.ping_secret)
        if step.meant_for:
            self._driver.bill_to(step.token, step.meant_for)
        return self._driver.create_node(step.size, step.record, step.token, ping_url)

    @do.register
    def _(self, step: messages.FindNode) -> StepResult:
        return self._driver.find_node(step.size, step.record, step.token)

    @do.register
    def _(self, step: messages.FinishNode) -> StepResult:
        self._driver.finish_node(step.node, step.record)
        return None

    @do.register
    def _(self, step: messages.SyncFqdn) -> StepResult:
        self._driver.sync_fqdn(step.node, step.fqdn)
        return None

    @do.register
    def _(self, step: messages.SetWord) -> StepResult:
        self._driver.set_directive(step.node, step.directive)
        return None

    @do.register
    def _(self, step: messages.DestroyNode) -> StepResult:
        self._driver.destroy_node(step.node)
        return None

    @do.register
    def _(self, step: messages.LookForNode) -> StepResult:
        return self._driver.fetch_node(step.node)

    @do.register
    def _(self, step: messages.DescribeNode) -> StepResult:
        self._scheduler.describe(step.hostname, step.size, step.weight, gives=step.gives, without=step.without)
        return None

    @do.register
    def _(self, step: OfferFeatures) -> StepResult:
        self._scheduler.offer(step.hostnames, step.features)
        return None

    @do.register
    def _(self, step: GiveBack) -> StepResult:
        return self._placing.give_back(step.hostnames, step.reason, interactive=step.interactive)

    @do.register
    def _(self, step: OpenNames) -> StepResult:
        return self._placing.open_names(step.hostnames)

    @do.register
    def _(self, step: CloseNames) -> StepResult:
        self._placing.close_names(step.hostnames, step.reason, step.resume_after)
        return None

    @do.register
    def _(self, step: ReleaseJobs) -> StepResult:
        return self._placing.release_jobs(step.jobs, step.not_before)

    @do.register
    def _(self, step: PowerUp) -> StepResult:
        self._placing.power_up(step.hostnames)
        return None

    @do.register
    def _(self, step: messages.DrainNode) -> StepResult:
        self._scheduler.drain(step.hostname, step.reason)
        return None

    @do.register
    def _(self, step: messages.ResumeNode) -> StepResult:
        self._scheduler.resume(step.hostname)
        return None

    @do.register
    def _(self, step: messages.SetNodeDown) -> StepResult:
        self._scheduler.set_down(step.hostname, step.reason)
        return None

    @do.register
    def _(self, step: messages.LookAtNode) -> StepResult:
        node = self._scheduler.node(step.hostname)
        return NodeSeen(node, self._scheduler.jobs_on(step.hostname) if step.jobs and node is not None else None)

    @do.register
    def _(self, step: messages.ExplainJob) -> StepResult:
        self._scheduler.note_on_job(step.job.id, step.reason)
        return None

    @do.register
    def _(self, step: RenewLeases) -> StepResult:
        if self._makers.lease_by_tag:
            self._driver.renew_leases(step.ids, step.value)
        else:
            self._scheduler.renew_leases(step.hostnames, step.value)
        return None

    @do.register
    def _(self, step: CommentJobs) -> StepResult:
        return self._scheduler.comment_jobs(step.comments, step.spared)

    @do.register
    def _(self, step: messages.CancelJob) -> StepResult:
        """The reason first: a job that goes without one leaves its user in the dark. Then Arvados, then Slurm: what is
        cancelled in Slurm alone, Arvados' dispatcher queues again (row N6). Without Arvados Slurm keeps the reason."""
        if self._makers.jobs is None:
            self._scheduler.note_on_job(step.job.id, step.reason)
            self._scheduler.cancel(step.job.id)
            return None
        self._jobs.explain(step.job.id, step.reason)
        try:
            self._jobs.cancel(step.job.id)
        except RemoteFailure as failure:
            if not (step.job.in_slurm and failure.error.kind is ErrorKind.GONE):
                raise  # no such container: nobody queues it again
        if step.job.in_slurm:
            self._scheduler.cancel(step.job.id)
        return None
