"""A site in virtual time: a cloud, a Slurm, who keeps the node records, and jobs, as a World for a daemon.

Only what a daemon can see or cause is here. Things happen when their moment comes, and cost what they touch; a list in
which nothing has changed is the same object as before. All chance comes from the one generator given, so a history
repeats.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from arvnodeman.fleet.messages import (
    CancelJob,
    CloudListed,
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
from arvnodeman.fleet.values.model import CloudNode, JobShape, ProviderSize
from arvnodeman.foresight.agenda import Agenda
from arvnodeman.foresight.sim_cloud import SimCloud, SimNode, SimTally
from arvnodeman.foresight.sim_jobs import SimJob
from arvnodeman.foresight.sim_names import SimNames
from arvnodeman.foresight.sim_records import SimKeeper, SimRecords
from arvnodeman.foresight.sim_slurm import SimSlurm
from arvnodeman.loop.world import Listed

ON_THE_WAY = 1.0  # seconds from Slurm's answer about a node to the request that destroys it, when neither has to wait


@dataclass(slots=True)
class Nature:
    """How its nodes are: seconds, and chances of 0 to 1."""

    boot: float = 120.0  # from create to first contact, a fifth more or less
    never_pings: float = 0.0
    dies: float = 0.0  # to vanish at some time in its first two hours


class SimulatedSite:
    """One cluster. `names`: of Slurm alone, whose names are the records. `skew`: the daemon's clock less the site's."""

    def __init__(
        self,
        agenda: Agenda,
        sizes: tuple[ProviderSize, ...],
        rng: random.Random,
        *,
        slots: int = 64,
        names: bool = False,
    ) -> None:
        self.nature = Nature()
        self.skew = 0.0
        self.jobs: dict[str, SimJob] = {}
        self.tally = SimTally()
        self.killed_on_request: set[str] = set()  # cloud ids that an operator's kill may destroy while busy
        self.clouds = SimCloud(self.tally, addresses=names)
        self.slurms = SimSlurm(sizes, slots, self._job_started)
        self._agenda = agenda
        self._sizes = sizes
        self._rng = rng
        self._names = SimNames(agenda, self.slurms) if names else None
        self.keeper: SimKeeper = self._names or SimRecords(agenda, self.clouds, self.tally, slots, self._halt)
        self._serial = 0
        self._observed: dict[str, float] = {}  # when Slurm was last asked about a node, by hostname

    # ---- the World ---------------------------------------------------------------------------------------------------

    def list(self, poll: Poll) -> Listed:
        """One list."""
        now = self._agenda.now + self.skew
        match poll:
            case Poll.CLOUD:
                return CloudListed(self.clouds.listed(), now, clock_offset=-self.skew)
            case Poll.RECORDS:
                offset: float | None = -self.skew
                if self._names is not None:  # the keeper has no other clock than the daemon's
                    self._names.skew, offset = self.skew, None
                return RecordsListed(self.keeper.listed(), self.slurms.listed(), now, clock_offset=offset)
            case Poll.QUEUE:
                jobs, refused = self.slurms.listed_jobs()
                return QueueListed(jobs, now, refused)

    def do(self, steps: Sequence[Step]) -> Sequence[StepResult]:
        """What steps ask for. Raises RemoteFailure."""
        return [self._do(step) for step in steps]

    def _do(self, step: Step) -> StepResult:
        match step:
            case ListSizes():
                return self._sizes
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

    def _do_at_cloud(self, step: Step) -> CloudNode | None:
        match step:
            case CreateNode():
                return self._create(step)
            case FindNode():
                return self.clouds.find(step.token)
            case LookForNode():
                return self.clouds.shown(step.node.id)
            case SyncFqdn():
                node = self.clouds.node(step.node.id)
                node.fqdn = step.fqdn
                self.clouds.changed(node)
            case SetWord():
                node = self.clouds.node(step.node.id)
                node.directive = step.directive
                self.clouds.changed(node)
            case DestroyNode():
                self._destroy(step.node.id)
        return None

    def _do_in_slurm(self, step: Step) -> NodeSeen | None:
        slurm, now = self.slurms, self._agenda.now
        match step:
            case DescribeNode():
                slurm.describe(step.hostname, frozenset({f"instancetype={step.size}"}), step.weight)
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
                jobs = None if name is None or not step.jobs else int(name.job is not None)
                return NodeSeen(slurm.show(name) if name is not None else None, jobs)
            case _:
                pass  # what nobody sees
        return None

    # ---- nodes -------------------------------------------------------------------------------------------------------

    def _name(self, kind: str) -> str:
        self._serial += 1
        return f"{kind}{self._serial:06d}"

    def _create(self, step: CreateNode) -> CloudNode:
        found = self.clouds.find(step.token)
        if found is not None:
            return found
        node = self.clouds.create(step, self._name("i-"), self._agenda.now)
        rng, nature = self._rng, self.nature
        if rng.random() < nature.never_pings:
            node.dead = True
        else:
            self._agenda.at(self._agenda.now + nature.boot * (0.8 + 0.4 * rng.random()), lambda: self._boot_ends(node))
        if rng.random() < nature.dies:
            self._agenda.at(self._agenda.now + rng.random() * 7200, lambda: self._die(node))
        shown = self.clouds.shown(node.id)
        assert shown is not None
        return shown

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
        name.node = node
        if name.job is not None:  # an earlier node's
            self.tally.requeued += 1
            self.slurms.requeue(name.job)
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

    def _die(self, node: SimNode) -> None:
        if not node.gone:
            self.vanish(node.id)

    def _destroy(self, identity: str) -> None:
        node = self.clouds.node(identity)
        name = self.slurms.names.get(self.keeper.hostname(node))
        if name is not None and name.node is node and name.job is not None:
            if self._came_meanwhile(node, name.name):
                self.tally.resumed_meanwhile += 1
            elif identity not in self.killed_on_request and not node.stopped:
                self.tally.busy_destroyed.append(identity)
        self.tally.destroyed += 1
        self.vanish(identity)

    def _came_meanwhile(self, node: SimNode, hostname: str) -> bool:
        """Its image joined and took our drain back between Slurm's answer and this request: nobody could know."""
        observed = self._observed.get(hostname, 0.0)
        return node.up and node.up_since > observed >= self._agenda.now - ON_THE_WAY

    def vanish(self, identity: str) -> None:
        """The cloud node is gone; its job sits there until Slurm is told, or finds out."""
        node = self.clouds.remove(identity, self._agenda.now)
        self.keeper.silent(node)
        self._seen_changed(node)

    def stop(self, identity: str) -> None:
        """The cloud stops a node (spot); it stays listed, and its slurmd answers no more."""
        node = self.clouds.node(identity)
        node.stopped, node.up = True, False
        self.clouds.changed(node)
        self.fall_silent(identity)

    def fall_silent(self, identity: str) -> None:
        """It makes contact no more; what Slurm has seen of it last stands."""
        node = self.clouds.node(identity)
        node.dead = True
        self.keeper.silent(node)
        self._seen_changed(node)

    def _seen_changed(self, node: SimNode) -> None:
        if node.hostname:
            self.slurms.changed(self.slurms.names[node.hostname])

    def daemon_started(self) -> None:
        """A new daemon remembers nothing."""
        if self._names is not None:
            self._names.daemon_started()

    # ---- jobs --------------------------------------------------------------------------------------------------------

    def submit(self, shape: JobShape, duration: float, priority: int = 0) -> SimJob:
        """sbatch."""
        identity = self._name("zzzzz-dz642-")
        job = SimJob(identity, shape, duration, priority, self._agenda.now, self._serial)
        self.jobs[job.id] = job
        self.slurms.submit(job)
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
                self.slurms.finish(job)

        self._agenda.at(self._agenda.now + job.duration, end)
