"""What steps do at a simulated Slurm that places jobs: the same commands, in the same order, as are sent to a real one.

Each looks at what it is about to change just before.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from arvnodeman.fleet.messages import (
    DescribeRecord,
    DrainNode,
    LookAtNode,
    NodeSeen,
    PrepareRecord,
    RecordPrepared,
    ReleaseRecord,
    ResumeNode,
    SetNodeDown,
    Step,
    StepResult,
)
from arvnodeman.fleet.operations.name_steps import CloseNames, GiveBack, OpenNames, PowerUp, ReleaseJobs
from arvnodeman.fleet.values.model import ErrorKind, RemoteError, RemoteFailure, Secret
from arvnodeman.fleet.values.placed import GivenBack, JobsReleased, NamesOpened, PlacedJob
from arvnodeman.fleet.values.work import NodeWork, Power, WorkKind
from arvnodeman.foresight.sim_cloud_slurm import SimCloudSlurm
from arvnodeman.foresight.sim_placed_jobs import PlacedSimJob
from arvnodeman.foresight.sim_placing_records import PlacingRecords
from arvnodeman.slurm.job_marks import is_marked, is_once, marked, unmarked
from arvnodeman.slurm.power import work_of

NOT_UP = (Power.WANTED, Power.STARTING)


class PlacingSteps:
    """Carries out what a step asks of Slurm."""

    def __init__(self, slurm: SimCloudSlurm, records: PlacingRecords) -> None:
        self._slurm = slurm
        self._records = records

    def do(self, step: Step) -> StepResult:
        """One step. Raises RemoteFailure."""
        self._slurm.asked()
        match step:
            case PrepareRecord():
                return self._prepare(step)
            case DescribeRecord():
                self._records.describe(step.uuid, step.node)
            case ReleaseRecord():
                self._records.release(step.uuid)
            case GiveBack():
                return self._give_back(step)
            case OpenNames():
                return self._open(step)
            case ReleaseJobs():
                return self._release(step.jobs, step.not_before)
            case LookAtNode():
                name = self._slurm.names.get(step.hostname)
                jobs = len(name.jobs) if name is not None and step.jobs else None
                return NodeSeen(self._work(step.hostname) if name is not None else None, jobs)
            case _:
                self._change(step)
        return None

    def _change(self, step: Step) -> None:
        match step:
            case CloseNames():
                self._close(step)
            case PowerUp():
                for name in self._those(step.hostnames, WorkKind.OFF):
                    self._slurm.update(name, "power_up")
            case DrainNode():
                self._drain(step.hostname, step.reason)
            case SetNodeDown():
                self._set_down(step.hostname, step.reason)
            case ResumeNode():
                if self._is_ours_to_open(self._work(step.hostname)):
                    self._slurm.update(step.hostname, "resume")
            case _:
                pass  # what nobody sees

    def _work(self, hostname: str) -> NodeWork:
        return work_of(self._slurm.name(hostname).shown())

    def _works(self, hostnames: Iterable[str]) -> dict[str, NodeWork]:
        return {name: self._work(name) for name in hostnames if name in self._slurm.names}

    def _those(self, hostnames: Iterable[str], kind: WorkKind) -> list[str]:
        return [
            name for name, work in self._works(hostnames).items() if work.state.kind is kind and work.power is Power.OFF
        ]

    def _prepare(self, step: PrepareRecord) -> RecordPrepared:
        if step.reuse is None:
            raise RemoteFailure(RemoteError(ErrorKind.SLOTS, "no name is free"))
        return RecordPrepared(self._records.prepare(step.reuse, step.intent), Secret(""))

    # ---- jobs --------------------------------------------------------------------------------------------------------

    def _give_back(self, step: GiveBack) -> GivenBack:
        slurm = self._slurm
        down = [name for name, work in self._works(step.hostnames).items() if work.power in NOT_UP]
        jobs = {name: [job for job in slurm.names[name].jobs if job.configures] for name in down}
        kept = {name for name in down if not step.interactive and not all(job.batch for job in jobs[name])}
        spared = {job.id for name in kept for job in jobs[name]}
        kept |= {name for name in down if any(job.id in spared for job in jobs[name])}
        given: dict[str, tuple[PlacedJob, ...]] = {}
        for name in down:
            if name not in kept:
                given[name] = tuple(map(self._let_go_back, jobs[name]))
        for name in given:
            slurm.update(name, "power_down_force", step.reason)
        settled = tuple(name for name in step.hostnames if name not in down)
        return GivenBack(given, tuple(name for name in down if name in kept), settled)

    def _let_go_back(self, job: PlacedSimJob) -> PlacedJob:
        once = job.batch and (is_once(job.comment) or not job.requeue)
        if job.batch:
            job.requeue, job.comment = True, marked(job.comment, once=once)
        return PlacedJob(job.id, job.batch, once)

    def _release(self, jobs: Sequence[PlacedJob], not_before: float | None) -> JobsReleased:
        slurm = self._slurm
        for each in jobs:
            job = slurm.jobs.get(each.id)
            if job is None or job.over:
                continue
            if job.waits:
                slurm.start_now(job, not_before)
            if is_marked(job.comment):
                job.requeue = job.requeue and not is_once(job.comment)
                job.comment = unmarked(job.comment)
        return JobsReleased()

    # ---- names -------------------------------------------------------------------------------------------------------

    @staticmethod
    def _is_ours_to_open(work: NodeWork) -> bool:
        if work.power is Power.GOING and work.state.kind is WorkKind.OFF:
            return True
        if work.power is Power.OFF and work.state.kind is WorkKind.UNHEARD:
            return True
        return work.power in (Power.OFF, Power.GOING) and work.drain is not None and work.state.kind is not WorkKind.OFF

    def _open(self, step: OpenNames) -> NamesOpened:
        works = self._works(step.hostnames)
        for name, work in works.items():
            if self._is_ours_to_open(work):
                self._slurm.update(name, "resume")
        now = self._works(step.hostnames)
        shut = {name for name, work in now.items() if self._is_ours_to_open(work) or work.power is Power.LEAVING}
        return NamesOpened(tuple(name for name in step.hostnames if name not in shut))

    def _close(self, step: CloseNames) -> None:
        for name, work in self._works(step.hostnames).items():
            if work.power is Power.OFF and work.state.kind is WorkKind.OFF:
                self._slurm.update(name, "power_down_asap", step.reason)
            elif work.power is Power.GOING and (work.state.kind is WorkKind.OFF or work.drain is not None):
                self._slurm.update(name, "drain", step.reason, step.resume_after)

    def _drain(self, hostname: str, reason: str) -> None:
        work = self._work(hostname)
        if work.power in NOT_UP:
            raise RemoteFailure(RemoteError(ErrorKind.REFUSED, f"{hostname} is being powered up, and is not drained"))
        if work.power is Power.ON:
            self._slurm.update(hostname, "power_down_asap", reason)

    def _set_down(self, hostname: str, reason: str) -> None:
        work = self._work(hostname)
        if work.power in NOT_UP:
            raise RemoteFailure(RemoteError(ErrorKind.REFUSED, f"{hostname} is being powered up, and is not set down"))
        if work.power not in (Power.ON, Power.LEAVING):
            return
        jobs = list(self._slurm.names[hostname].jobs)
        self._slurm.update(hostname, "down", reason)
        for job in jobs:
            if job.waits:
                self._slurm.start_now(job)
        self._slurm.update(hostname, "power_down", reason)
