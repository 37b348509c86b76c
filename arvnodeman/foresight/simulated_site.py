"""A site in virtual time: a cloud, a Slurm, who keeps the node records, and jobs, as a World for a daemon.

Only what a daemon can see or cause is here. Things happen when their moment comes, and cost what they touch; a list in
which nothing has changed is the same object as before. All chance comes from the one generator given, so a history
repeats.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import replace

from arvnodeman.fleet.messages import (
    CancelJob,
    CreateNode,
    DescribeNode,
    DescribeRecord,
    DestroyNode,
    DrainNode,
    FindNode,
    ListSizes,
    LookAtNode,
    LookForNode,
    NodeSeen,
    Poll,
    PrepareRecord,
    QueueListed,
    RecordsListed,
    ReleaseRecord,
    ResumeNode,
    SetNodeDown,
    SetWord,
    Step,
    StepResult,
    SyncFqdn,
)
from arvnodeman.fleet.operations.name_steps import OfferFeatures
from arvnodeman.fleet.values.later_jobs import LaterJob
from arvnodeman.fleet.values.model import JobShape, ProviderSize
from arvnodeman.foresight.agenda import Agenda
from arvnodeman.foresight.sim_cloud import SimNode
from arvnodeman.foresight.sim_jobs import SimJob
from arvnodeman.foresight.sim_names import SimNames
from arvnodeman.foresight.sim_records import SimKeeper, SimRecords
from arvnodeman.foresight.sim_site import SimSite
from arvnodeman.foresight.sim_slurm import SimSlurm
from arvnodeman.loop.world import Listed

ON_THE_WAY = 1.0  # seconds from Slurm's answer about a node to the request that destroys it, when neither has to wait


class SimulatedSite(SimSite):
    """One cluster. `names`: of Slurm alone, whose names are the records. `skew`: the daemon's clock less the site's."""

    def __init__(
        self,
        agenda: Agenda,
        sizes: tuple[ProviderSize, ...],
        rng: random.Random,
        *,
        slots: int = 64,
        names: bool = False,
        share: bool = False,
        offers: tuple[ProviderSize, ...] | None = None,
        address: str = "",
    ) -> None:
        """`sizes`: of nodes, by the name of their section. `share`: several jobs may be on a node. `offers`: what the
        provider lists, where it has other names for them. `address`: of all nodes and names, where it is one."""
        super().__init__(agenda, rng, addresses=names, address=address)
        self.jobs: dict[str, SimJob] = {}
        self.slurms = SimSlurm(sizes, slots, self._job_started, share=share)
        self.slurms.later, self.slurms.now = self._later, lambda: self._agenda.now
        self._offers = sizes if offers is None else offers
        self._names = SimNames(agenda, self.slurms, address) if names else None
        self.keeper: SimKeeper = self._names or SimRecords(agenda, self.clouds, self.tally, slots, self._halt)
        self.later: Callable[[], Sequence[LaterJob]] = tuple  # jobs that cannot start yet, as the scheduler tells
        self._observed: dict[str, float] = {}  # when Slurm was last asked about a node, by hostname

    # ---- the World ---------------------------------------------------------------------------------------------------

    def list(self, poll: Poll) -> Listed:
        """One list."""
        now = self._agenda.now + self.skew
        match poll:
            case Poll.CLOUD:
                return self._list_cloud()
            case Poll.RECORDS:
                offset: float | None = -self.skew
                if self._names is not None:  # the keeper has no other clock than the daemon's
                    self._names.skew, offset = self.skew, None
                return RecordsListed(self.keeper.listed(), self.slurms.listed(), now, clock_offset=offset)
            case Poll.QUEUE:
                jobs, refused = self.slurms.listed_jobs()
                later = self._as_daemon_sees(self.later())
                return QueueListed(jobs, now, refused, run_times=self.slurms.run_times(), later=later)

    def _as_daemon_sees(self, later: Sequence[LaterJob]) -> Sequence[LaterJob]:
        return [replace(job, at=job.at + self.skew) for job in later] if self.skew else later

    def _do(self, step: Step) -> StepResult:
        match step:
            case ListSizes():
                return self._offers
            case PrepareRecord():
                return self.keeper.prepare(step)
            case DescribeRecord():
                self.keeper.describe(step.uuid, step.node)
            case ReleaseRecord():
                self.keeper.release(step.uuid)
            case CancelJob():
                self.cancel(self.jobs[step.job.id], step.reason)
            case CreateNode() | FindNode() | LookForNode() | SyncFqdn() | SetWord() | DestroyNode():
                return self._do_at_cloud(step)
            case _:
                return self._do_in_slurm(step)
        return None

    def _do_in_slurm(self, step: Step) -> NodeSeen | None:
        slurm, now = self.slurms, self._agenda.now
        match step:
            case DescribeNode():
                slurm.describe(step.hostname, frozenset({f"instancetype={step.size}", *step.gives}), step.weight)
                slurm.schedule()
            case OfferFeatures():
                for hostname in step.hostnames:
                    slurm.describe(hostname, step.features)
                slurm.schedule()
            case DrainNode():
                slurm.drain(step.hostname, step.reason, now)
            case ResumeNode():
                slurm.resume(step.hostname)
            case SetNodeDown():
                self.tally.requeued += slurm.set_down(step.hostname, step.reason, now)
            case LookAtNode():
                self._observed[step.hostname] = now
                name = slurm.names.get(step.hostname)
                jobs = None if name is None or not step.jobs else len(name.jobs)
                return NodeSeen(slurm.show(name) if name is not None else None, jobs)
            case _:
                pass  # what nobody sees
        return None

    def _later(self, seconds: float, do: Callable[[], None]) -> None:
        self._agenda.at(self._agenda.now + seconds, do)

    # ---- nodes -------------------------------------------------------------------------------------------------------

    def _boot_ends(self, node: SimNode) -> None:
        """It makes contact for the first time; its slurmd registers."""
        if node.gone or node.dead:
            return
        hostname = self.keeper.contact(node)
        if hostname is None:
            node.dead = True
            return
        node.up, node.up_since, node.hostname = True, self._agenda.now, hostname
        name = self.slurms.names[hostname]
        self.tally.requeued += self.slurms.registered(name, node)
        if self._names is None:
            self.slurms.resume(hostname)
        else:
            name.down = False
            self.slurms.changed(name)
            self.slurms.schedule()

    def _halt(self, node: SimNode) -> None:
        """Its record is somebody else's."""
        if not node.gone:
            node.up, node.dead = False, True
            self._seen_changed(node)

    def _before_destroy(self, node: SimNode) -> None:
        name = self.slurms.names.get(self.keeper.hostname(node))
        if name is not None and name.node is node and name.jobs:
            if self._came_meanwhile(node, name.name):
                self.tally.resumed_meanwhile += 1
            elif node.id not in self.killed_on_request and not node.stopped:
                self.tally.busy_destroyed.append(node.id)

    def _came_meanwhile(self, node: SimNode, hostname: str) -> bool:
        """Its image joined and took our drain back between Slurm's answer and this request: nobody could know."""
        observed = self._observed.get(hostname, 0.0)
        return node.up and node.up_since > observed >= self._agenda.now - ON_THE_WAY

    def _silent(self, node: SimNode) -> None:
        self.keeper.silent(node)
        self._seen_changed(node)

    def _seen_changed(self, node: SimNode) -> None:
        if node.hostname:
            self.slurms.changed(self.slurms.names[node.hostname])

    def resumes_as_slurm_does(self, heard: float) -> None:
        """A name is closed from the intent to boot under it on, until its node's address is told; and a node that
        answers has jobs so many seconds after its resume."""
        self.slurms.rules.heard = heard
        if self._names is not None:
            self._names.sets_aside = True

    def hears_every(self, seconds: float) -> None:
        """How often a node makes contact."""
        if self._names is not None:
            self._names.heard = seconds
        elif isinstance(self.keeper, SimRecords):
            self.keeper.ping = max(seconds, self.keeper.ping)

    def daemon_started(self) -> None:
        """A new daemon remembers nothing."""
        if self._names is not None:
            self._names.daemon_started()

    # ---- jobs --------------------------------------------------------------------------------------------------------

    def submit(
        self, shape: JobShape, duration: float, priority: int = 0, identity: str = "", limit: float = math.inf
    ) -> SimJob:
        """sbatch. `duration`: seconds, infinity where somebody else ends it. `identity`: where it has one already.
        `limit`: seconds that it may run, as its user says."""
        job = self._new_job(shape, duration, priority, identity)
        job.limit = limit
        self.slurms.submit(job)
        return job

    def submit_together(self, parts: Sequence[tuple[JobShape, float, str]]) -> Sequence[SimJob]:
        """The parts of a heterogeneous job, which begin together: shape, duration and identity of each."""
        jobs = [self._new_job(shape, duration, 0, identity) for shape, duration, identity in parts]
        for job in jobs:
            job.company = jobs
        for job in jobs:
            self.slurms.submit(job)
        return jobs

    def _new_job(self, shape: JobShape, duration: float, priority: int, identity: str) -> SimJob:
        name = self._name("zzzzz-dz642-")
        job = self.jobs[identity or name] = SimJob(
            identity or name, shape, duration, priority, self._agenda.now, self._serial
        )
        return job

    def cancel(self, job: SimJob, reason: str) -> None:
        """scancel, for a job that waits."""
        self.slurms.cancel(job, reason)

    def can_start(self, job: SimJob) -> bool:
        """By the rules of Slurm of which the daemon sees nothing."""
        return job.shape.owner.qos not in self.slurms.rules.never

    def _job_started(self, job: SimJob) -> None:
        job.runs, job.started = job.runs + 1, self._agenda.now
        run, nodes = job.runs, [self.slurms.names[name].node for name in job.nodes]

        def end() -> None:
            alive = all(node is not None and not node.gone for node in nodes)
            if job.runs == run and job.nodes and alive:
                self._finish(job)

        if job.duration < math.inf:
            self._agenda.at(self._agenda.now + job.duration, end)

    def _finish(self, job: SimJob) -> None:
        """A job ends."""
        self.slurms.finish(job)
