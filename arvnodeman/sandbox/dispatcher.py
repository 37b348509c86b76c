"""A double of Arvados' Slurm dispatcher: it submits containers, sees how they end, and submits the lost ones again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from arvnodeman.sandbox.arvados_query import ApiFailure
from arvnodeman.sandbox.arvados_store import ArvadosStore
from arvnodeman.sandbox.clock import SiteClock
from arvnodeman.sandbox.nodes import Machines
from arvnodeman.sandbox.site_events import SiteEvents
from arvnodeman.sandbox.slurm_jobs import FIRST_PRIORITY, JobState, Need, SlurmJob
from arvnodeman.sandbox.slurm_nodes import DEFAULT_PARTITION, Computer
from arvnodeman.sandbox.slurm_side import SlurmSide, Submit
from arvnodeman.sandbox.workload import JobSpec

_RESUBMIT = 10.0  # simulated seconds until a lost job is noticed and submitted again


@dataclass(slots=True)
class Work:
    """What became of one job. Times are simulated seconds."""

    spec: JobSpec
    state: str = "coming"  # coming, pending, running, completed, cancelled
    submitted: float | None = None
    first_start: float | None = None
    ended: float | None = None
    starts: int = 0
    completions: int = 0
    requeues: Counter[str] = field(default_factory=Counter)  # by cause

    def as_dict(self) -> dict[str, Any]:
        """For /site/state."""
        return {
            **self.spec.as_dict(),
            "state": self.state,
            "submitted": self.submitted,
            "first_start": self.first_start,
            "ended": self.ended,
            "starts": self.starts,
            "completions": self.completions,
            "requeues": dict(self.requeues),
        }


class Dispatcher:
    """All jobs of the site. Used under the site's lock.

    As with the real one, a job cancelled in Slurm alone, its container not Cancelled, is submitted again;
    `resubmit_cancelled = False` lets it go.
    """

    def __init__(
        self,
        clock: SiteClock,
        events: SiteEvents,
        store: ArvadosStore,
        slurm: SlurmSide,
        machines: Machines,
        *,
        resubmit_cancelled: bool = True,
    ) -> None:
        self._clock = clock
        self._events = events
        self._store = store
        self._slurm = slurm
        self._machines = machines
        self.resubmit_cancelled = resubmit_cancelled
        self.work: dict[str, Work] = {}
        slurm.on_start = self._started
        slurm.on_end = self._ended

    def add(self, spec: JobSpec) -> None:
        """Let a job arrive in `spec.arrives` simulated seconds. Raises ValueError for a name that was there before."""
        tasks = range(1, spec.tasks + 1)
        specs = [spec] if spec.tasks == 1 else [replace(spec, name=f"{spec.name}_{task}", tasks=1) for task in tasks]
        for each in specs:
            if each.name in self.work:
                raise ValueError(f"there is a job {each.name} already")
        works = [Work(each) for each in specs]
        self.work.update((work.spec.name, work) for work in works)
        self._clock.after(spec.arrives, lambda: self._arrive(spec, works))

    def counts(self) -> dict[str, int]:
        """How many jobs are in which state."""
        return dict(Counter(work.state for work in self.work.values()))

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _arrive(self, spec: JobSpec, works: Sequence[Work]) -> None:
        for work in works:
            work.submitted = self._clock.elapsed()
        if spec.old_queue:
            constraints = {
                "min_nodes": spec.nodes,
                "min_cores_per_node": spec.cores,
                "min_ram_mb_per_node": spec.ram,
                "min_scratch_mb_per_node": spec.scratch,
            }
            self._store.add_job(constraints, priority=spec.priority)
            works[0].state = "pending"
            return
        user = self._store.user_named(spec.user)["uuid"] if spec.user else None
        for work in works:
            self._store.add_container(
                uuid=work.spec.name,
                runtime_user_uuid=user,
                priority=spec.priority,
                runtime_constraints={"vcpus": spec.cores, "ram": spec.ram * 2**20},
            )
        self._submit(spec, works)

    def _submit(self, spec: JobSpec, works: Sequence[Work]) -> None:
        """The whole of an array at once; a task that was lost comes again by itself."""
        feature = f"instancetype={spec.size}" if spec.size else ""
        if feature:
            self._slurm.offer(feature)
        need = Need(
            spec.cores,
            spec.ram,
            spec.scratch,
            frozenset([feature] if feature else []),
            spec.nodes,
            spec.gres,
            spec.gpus,
            spec.partition or DEFAULT_PARTITION,
        )
        turn = FIRST_PRIORITY - 10_000_000 + spec.priority * 10_000 - len(self._slurm.jobs)
        how = Submit(seconds=spec.duration, held=spec.held, requeue=spec.requeue, tasks=spec.tasks)
        self._slurm.submit(spec.name, need, feature, turn, how)
        for work in works:
            work.state = "pending"
            self._container(work, "Locked")
            self._events.add("job-submitted", work.spec.name, feature)

    def _started(self, job: SlurmJob, computers: list[Computer]) -> None:
        work = self.work[job.name]
        work.state = "running"
        work.starts += 1
        if work.first_start is None:
            work.first_start = self._clock.elapsed()
        self._container(work, "Running")
        self._events.add("job-started", job.name, ",".join(job.nodes))
        self._machines.run(job.name, computers, work.spec.duration, lambda: self._slurm.finish_job(job))

    def _ended(self, job: SlurmJob, cause: str) -> None:
        work = self.work[job.name]
        self._machines.job_left(job.name)
        if cause == "completed":
            work.completions += 1
            self._final(work, "completed", "Complete")
        elif job.state is JobState.PENDING:
            self._lost(work, self._why(job, cause), "pending")
        elif self._container_state(work) == "Cancelled" or (cause == "cancelled" and not self.resubmit_cancelled):
            self._final(work, "cancelled", "Cancelled")
        else:
            self._again(work, job, cause)

    def _final(self, work: Work, state: str, container: str) -> None:
        work.state, work.ended = state, self._clock.elapsed()
        self._container(work, container)
        self._events.add(f"job-{state}", work.spec.name)

    def _again(self, work: Work, job: SlurmJob, cause: str) -> None:
        """The job has left Slurm without having run: its container is queued again, as by the real dispatcher."""
        self._lost(work, self._why(job, cause), "coming")
        self._clock.after(_RESUBMIT, lambda: self._submit(work.spec, [work]))

    def _lost(self, work: Work, cause: str, state: str) -> None:
        work.requeues[cause] += 1
        work.state = state
        self._events.add("job-requeued", work.spec.name, cause)
        self._container(work, "Queued")

    def _why(self, job: SlurmJob, cause: str) -> str:
        """What has befallen one of its nodes; else the cause that Slurm shows."""
        return next((self._machines.causes[i] for i in self._ids_of(job) if i in self._machines.causes), cause)

    def _ids_of(self, job: SlurmJob) -> list[str]:
        nodes = (self._slurm.nodes[name] for name in job.nodes)
        return [node.computer.id for node in nodes if node.computer is not None]

    def _container_state(self, work: Work) -> str:
        row = self._store.containers.get(work.spec.name)
        return str(row["state"]) if row else ""

    def _container(self, work: Work, state: str) -> None:
        """Move the container on. A Running one that is lost is put back (the real one makes a new one)."""
        row = self._store.containers.get(work.spec.name)
        if row is None or row["state"] == state:
            return
        try:
            self._store.update_container(work.spec.name, {"state": state})
        except ApiFailure:
            with self._store.lock:
                row = self._store.containers[work.spec.name]
                if row["state"] != "Cancelled":
                    row["state"] = state
