"""A site in virtual time whose Slurm places jobs on names that are off, as a World for a daemon."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from arvnodeman.fleet.messages import (
    CreateNode,
    DestroyNode,
    FindNode,
    ListSizes,
    LookAtNode,
    LookForNode,
    Poll,
    QueueListed,
    RecordsListed,
    SetWord,
    Step,
    StepResult,
    SyncFqdn,
)
from arvnodeman.fleet.values.later_jobs import LaterJob
from arvnodeman.fleet.values.model import JobShape, ProviderSize
from arvnodeman.foresight.agenda import Agenda
from arvnodeman.foresight.sim_cloud import SimNode
from arvnodeman.foresight.sim_cloud_slurm import SimCloudSlurm
from arvnodeman.foresight.sim_placed_jobs import PlacedSimJob
from arvnodeman.foresight.sim_placing_records import PlacingRecords
from arvnodeman.foresight.sim_placing_steps import PlacingSteps
from arvnodeman.foresight.sim_power import GOING, OFF, STARTING, UP, PowerName
from arvnodeman.foresight.sim_site import SimSite
from arvnodeman.loop.world import Listed

ON_THE_WAY = 1.0  # seconds from Slurm's answer about a name to the request that destroys its node


@dataclass(slots=True)
class PlacingTally:
    """What must not happen, and what is worth knowing."""

    killed: list[str] = field(default_factory=list)  # machines destroyed whose name had a job or might be given one
    doubled: list[str] = field(default_factory=list)  # names with two machines for one time that they were wanted
    came_meanwhile: int = 0  # machines that came up while the request to destroy them was on its way


class PlacingSite(SimSite):
    """One cluster. `names`: of each size, on each of which one machine at a time may be."""

    def __init__(
        self,
        agenda: Agenda,
        sizes: tuple[ProviderSize, ...],
        rng: random.Random,
        *,
        names: int = 8,
        offers: tuple[ProviderSize, ...] | None = None,
    ) -> None:
        """`sizes`: of nodes, by the name of their section. `offers`: what the provider lists, where it has other names
        for them."""
        super().__init__(agenda, rng, addresses=True)
        self.placing = PlacingTally()
        self.slurms = SimCloudSlurm(agenda, rng, sizes, names, self._job_began)
        self.records = PlacingRecords(agenda, self.slurms)
        self._steps = PlacingSteps(self.slurms, self.records)
        self._offers = sizes if offers is None else offers
        self._observed: dict[str, float] = {}  # when Slurm was last asked about a name
        self.later: Callable[[], Sequence[LaterJob]] | None = None  # jobs that cannot start yet, as Slurm tells of them

    def daemon_started(self) -> None:
        """A new daemon remembers nothing."""
        self.records.daemon_started()

    @property
    def jobs(self) -> dict[str, PlacedSimJob]:
        """All of them, by id."""
        return self.slurms.jobs

    # ---- the World ---------------------------------------------------------------------------------------------------

    def list(self, poll: Poll) -> Listed:
        """One list. Raises RemoteFailure."""
        now = self._agenda.now + self.skew
        if poll is Poll.CLOUD:
            return self._list_cloud()
        self.slurms.asked()
        if poll is Poll.RECORDS:
            self.records.skew, self.records.tells_rooms = self.skew, self.later is not None
            records, works = self.records.listed()
            return RecordsListed(records, works, now, clock_offset=None)
        there = [job for job in self.jobs.values() if job.configures or job.waits]
        there.sort(key=lambda job: (not job.names, job.turn))
        listed = tuple(job.listed(self._agenda.now) for job in there)
        returned = tuple(each for job in there if job.waits and (each := job.given_back()) is not None)
        later = [replace(job, at=job.at + self.skew) for job in self.later()] if self.later is not None else ()
        return QueueListed(listed, now, returned=returned, later=later)

    def _do(self, step: Step) -> StepResult:
        match step:
            case ListSizes():
                return self._offers
            case CreateNode():
                self._before_create(step)
                return self._do_at_cloud(step)
            case FindNode() | LookForNode() | SyncFqdn() | SetWord() | DestroyNode():
                return self._do_at_cloud(step)
            case LookAtNode():
                self._observed[step.hostname] = self._agenda.now
        return self._steps.do(step)

    # ---- nodes -------------------------------------------------------------------------------------------------------

    def _before_create(self, step: CreateNode) -> None:
        """One machine for each time that a name is wanted."""
        name = self.slurms.names[step.record.uuid]
        others = [
            node
            for node in self.clouds.nodes.values()
            if node.record == name.name and node.token != step.token and not self._is_old(name, node)
        ]
        if others and name.power in (OFF, STARTING) and not all(node.stopped for node in others):
            self.placing.doubled.append(f"{name.name}: {step.token} beside {[node.token for node in others]}")

    @staticmethod
    def _is_old(name: PowerName, node: SimNode) -> bool:
        """It is of an earlier time under its name, and cannot have a job."""
        return node.created < name.wanted and name.power in (OFF, STARTING)

    def _boot_ends(self, node: SimNode) -> None:
        if node.gone or node.dead:
            return
        node.up, node.up_since, node.hostname = True, self._agenda.now, node.record
        booted = node.created + (self._agenda.now - node.created) / 4
        self.slurms.register(node.record, node, booted)

    def _before_destroy(self, node: SimNode) -> None:
        name = self.slurms.names[node.record]
        if name.power == GOING or self._is_old(name, node) or node.stopped or node.id in self.killed_on_request:
            return
        if name.power == OFF and not name.jobs:
            return
        if name.node is not node and name.power == UP:
            return  # the name is another machine's
        seen = self._observed.get(name.name, 0.0)
        if seen >= self._agenda.now - ON_THE_WAY and name.since > seen:
            self.placing.came_meanwhile += 1
        else:
            jobs = [job.id for job in name.jobs]
            self.placing.killed.append(f"{node.id} of {name.name} ({name.word}) with jobs {jobs}")

    def _silent(self, node: SimNode) -> None:
        self.slurms.lost(node.record, node)

    # ---- jobs --------------------------------------------------------------------------------------------------------

    def submit(
        self,
        shape: JobShape,
        duration: float,
        priority: int = 0,
        *,
        batch: bool = True,
        requeue: bool = True,
        alone: bool = False,
        begins: float = 0.0,
    ) -> PlacedSimJob:
        """sbatch; salloc where it is no batch job. `begins`: it is not placed before that moment."""
        now, number = self._agenda.now, self._serial + 1
        identity = f"{number}" if self._name("job") else ""
        job = PlacedSimJob(identity, shape, duration, priority, now, number, batch, requeue, alone, begin_at=begins)
        self.slurms.submit(job)
        return job

    def submit_array(
        self, shape: JobShape, duration: float, tasks: int, *, requeue: bool = True
    ) -> Sequence[PlacedSimJob]:
        """sbatch --array: its tasks."""
        first = self._serial + 1
        found = []
        for task in range(1, tasks + 1):
            self._name("job")
            job = PlacedSimJob(f"{first}_{task}", shape, duration, 0, self._agenda.now, self._serial, requeue=requeue)
            self.slurms.submit(job)
            found.append(job)
        return found

    def that_begin_later(self) -> Sequence[LaterJob]:
        """The jobs with a begin time, as Slurm's commands tell of them."""
        now = self._agenda.now
        waits = (job for job in self.jobs.values() if job.waits and job.begin_at > now and not job.given_back())
        return [LaterJob(job.id, job.shared_shape, job.begin_at, why="its begin time comes") for job in waits]

    def cancel(self, job: PlacedSimJob, reason: str) -> None:
        """scancel."""
        self.slurms.cancel(job, reason)

    def _job_began(self, job: PlacedSimJob) -> None:
        run, nodes = job.runs, [self.slurms.names[name].node for name in job.names]

        def end() -> None:
            alive = all(node is not None and not node.gone and node.up for node in nodes)
            if job.runs == run and job.begun and alive and not job.over:
                self._finish(job)

        if job.duration < math.inf:
            self._agenda.at(self._agenda.now + job.duration, end)

    def _finish(self, job: PlacedSimJob) -> None:
        """A job ends."""
        self.slurms.finish(job)
