"""Slurm of a simulated site that places jobs on names which are off, and has them powered up and down by us.

What slurmctld does by itself is done in `_turn`, when its moment has come; what it is told, in the other methods. It is
as 24.11 was measured to be; tests/integration/test_slurm_cloud_likeness.py gives both the same.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence

from arvnodeman.fleet.values.model import ErrorKind, JobShape, ProviderSize, RemoteError, SchedulerFailure
from arvnodeman.foresight.agenda import Agenda
from arvnodeman.foresight.sim_cloud import SimNode
from arvnodeman.foresight.sim_placed_jobs import BEGIN_WAIT, PlacedSimJob
from arvnodeman.foresight.sim_placing_turn import placed
from arvnodeman.foresight.sim_power import GOING, NEVER, OFF, STARTING, UP, Habits, PowerName
from arvnodeman.slurm.power import GAVE_UP


class SimCloudSlurm:
    """Names, jobs, and what is where. `began` is told of each job that begins."""

    def __init__(
        self,
        agenda: Agenda,
        rng: random.Random,
        sizes: Sequence[ProviderSize],
        names: int,
        began: Callable[[PlacedSimJob], None],
    ) -> None:
        """`names`: of each size."""
        self.habits = Habits()
        self.names: dict[str, PowerName] = {}
        self.jobs: dict[str, PlacedSimJob] = {}
        self.partitions: Mapping[str, tuple[str, ...]] = {}  # by size: its names'; else all
        self.suits: Callable[[JobShape, str], bool] | None = None  # may a job have a size, beside cores and memory?
        self.watch: Callable[[PowerName], None] | None = None  # is told of names whose jobs or power change
        self.away = False
        self.harmed: list[str] = []  # jobs that a command has ended, though their node lived or was to come
        self._agenda = agenda
        self._rng = rng
        self._began = began
        self._planned = NEVER
        self._place_at = NEVER
        self._placed = 0.0  # when it was placed last
        self._late: list[tuple[str, SimNode, float]] = []  # slurmds that have come while slurmctld was away
        for size in sizes:
            for number in range(1, names + 1):
                cores, weight = int(size.cores or 1), round((size.price or 0.0) * 1000)
                name = PowerName(f"{size.id}-{number}", len(self.names), size.id, cores, size.ram, weight)
                self.names[name.name] = name

    @property
    def _now(self) -> float:
        return self._agenda.now

    def name(self, hostname: str) -> PowerName:
        """Raises SchedulerFailure for one that it does not know, and while it is away."""
        self.asked()
        if hostname not in self.names:
            raise SchedulerFailure(RemoteError(ErrorKind.GONE, f"Invalid node name specified: {hostname}"))
        return self.names[hostname]

    def asked(self) -> None:
        """Somebody asks it for something. Raises SchedulerFailure while it is away."""
        if self.away:
            raise SchedulerFailure(RemoteError(ErrorKind.TRANSIENT, "Unable to contact slurm controller"))

    # ---- what it is told of names ------------------------------------------------------------------------------------

    def update(self, hostname: str, state: str, reason: str = "", resume_after: float | None = None) -> bool:
        """`scontrol update nodename=... state=...`. False: refused. Raises SchedulerFailure."""
        name, now = self.name(hostname), self._now
        told = {
            "power_down": self._power_down,
            "power_down_asap": self._power_down_asap,
            "power_down_force": self._power_down_force,
            "power_up": self._power_up,
            "resume": self._resume,
            "drain": self._drain,
            "down": self._down,
        }
        jobs = list(name.jobs)
        if not told[state](name):
            return False
        self._note_harm(name, f"state={state} {reason}", jobs)
        if reason:
            name.reason, name.reason_at = reason, now
        if state in ("drain", "down"):
            name.resume_at = now + resume_after if resume_after is not None else None
        self._stir(name)
        return True

    def _note_harm(self, name: PowerName, command: str, jobs: Sequence[PlacedSimJob]) -> None:
        """A job that ran on a living node was thrown off, or one that waited for its node is lost."""
        for job in jobs:
            began = job.runs > 0 and job.ended == self._now
            if job.names or (job.over and not job.lost):
                continue
            if (job.lost and job.batch and not began) or (began and name.answers):
                self.harmed.append(f"{job.id} on {name.name} by {command}")

    def _power_down(self, name: PowerName) -> bool:
        if name.power != GOING:
            name.asked_down = True
        return True

    def _power_down_asap(self, name: PowerName) -> bool:
        if name.power != GOING:
            name.asked_down = name.drain = True
        return True

    def _power_down_force(self, name: PowerName) -> bool:
        name.drain = False
        if name.power == GOING:
            return True
        name.asked_down = True
        if name.power == STARTING:
            self._throw_off(name)
            self._goes(name)
        elif name.jobs and name.power == UP and not name.answers:
            name.completing = True  # until the slurmd is given up
        else:
            self._throw_off(name)
        return True

    def _power_up(self, name: PowerName) -> bool:
        if name.power == OFF:
            name.asked_up = True
        return True

    def _resume(self, name: PowerName) -> bool:
        if name.power != GOING and not (name.drain or name.down):
            return False
        if name.power == GOING:
            name.power, name.since, name.asked_down = OFF, self._now, False
        name.drain = name.down = False
        self._place_soon()
        return True

    def _drain(self, name: PowerName) -> bool:
        name.drain = True
        if name.power in (OFF, STARTING):
            self._throw_off(name)
        return True

    def _down(self, name: PowerName) -> bool:
        lived = bool(name.jobs) and name.power == UP and name.answers
        self._throw_off(name)
        name.completing = False
        name.down, name.down_at = not lived, self._now  # a slurmd that is asked to end a job registers again
        if lived:
            self._place_soon()
        return True

    # ---- what it is told of jobs -------------------------------------------------------------------------------------

    def submit(self, job: PlacedSimJob) -> None:
        """sbatch, salloc or srun."""
        self.jobs[job.id] = job
        self._place_soon()

    def cancel(self, job: PlacedSimJob, reason: str) -> None:
        """scancel, whatever the job is at."""
        job.cancelled = reason
        self._release(job)

    def finish(self, job: PlacedSimJob) -> None:
        """A job has ended well."""
        job.done = True
        self._release(job)

    def start_now(self, job: PlacedSimJob, at: float | None = None) -> None:
        """`scontrol update jobid=... starttime=now`, or at another moment."""
        job.begin_at = self._now if at is None else at
        if at is not None:
            self._wake(at)
        self._place_soon()

    def _throw_off(self, name: PowerName) -> None:
        for job in list(name.jobs):
            self._requeue(job)

    def _requeue(self, job: PlacedSimJob) -> None:
        """Its node is lost or taken away. It leaves all its names."""
        self._release(job)
        if job.begun:
            job.begun, job.ended = False, self._now
        if job.batch and job.requeue:
            job.begin_at = self._now + BEGIN_WAIT
            self._wake(job.begin_at)
        else:
            job.lost = "NODE_FAIL"

    def _release(self, job: PlacedSimJob) -> None:
        hostnames, job.names = job.names, ()
        for hostname in hostnames:
            name = self.names[hostname]
            name.jobs.remove(job)
            if not name.jobs:
                name.completing = False
            self._stir(name)
        self._place_soon()

    # ---- slurmds -----------------------------------------------------------------------------------------------------

    def register(self, hostname: str, node: SimNode, booted: float) -> bool:
        """A slurmd has come up, on a machine that booted at this time. Is it heard?"""
        name = self.names[hostname]
        if self.away:
            self._late.append((hostname, node, booted))
            return True
        if name.power == GOING or (name.power == STARTING and booted <= name.powered_up):
            return False
        if name.power == OFF and name.node is node:
            return False  # the one that was powered down
        if name.power == UP and name.node is not node:
            self._throw_off(name)
        if name.power != UP:
            name.power, name.since = UP, self._now
        name.node, name.slurmd_started = node, self._now
        name.down = name.silent = False
        name.silent_at = None
        self._stir(name)
        self._place_soon()
        self._wake(self._next_tick())
        return True

    def lost(self, hostname: str, node: SimNode) -> None:
        """A slurmd answers no more."""
        name = self.names.get(hostname)
        if name is not None and name.node is node:
            name.silent_at = self._now
            self._wake(self._now + self.habits.ping)

    def leave(self) -> None:
        """slurmctld ends."""
        self.away = True

    def come_back(self) -> None:
        """slurmctld is there again: it has forgotten nothing, waits anew for what is powered up, and hears slurmds that
        have come meanwhile."""
        self.away = False
        for name in self.names.values():
            if name.power == STARTING:
                name.since = self._now
            self._stir(name)
        late, self._late = self._late, []
        for hostname, node, booted in late:
            if not node.gone and node.up:
                self.register(hostname, node, booted)
        self._place_soon()

    # ---- what it does by itself --------------------------------------------------------------------------------------

    def _stir(self, name: PowerName) -> None:
        if self.watch is not None:
            self.watch(name)
        if name.stirred is None:
            name.stirred = self._now + self._rng.uniform(*self.habits.look)
        self._wake(name.stirred)

    def _place_soon(self) -> None:
        self._place_at = min(self._place_at, self._now + self.habits.place)
        self._wake(self._place_at)

    def _wake(self, moment: float) -> None:
        if moment < self._planned:
            self._planned = moment
            self._agenda.at(moment, self._turn)

    def _next_tick(self) -> float:
        tick = self.habits.tick
        return (self._now // tick + 1) * tick

    def _turn(self) -> None:
        now = self._now
        if now >= self._planned:
            self._planned = NEVER
        if self.away:
            return
        for name in self.names.values():
            if name.stirred is not None and now >= name.stirred:
                name.stirred = None
                self._follow_power(name)
            self._follow_clock(name)
        if now >= self._place_at or any(job.waits and self._placed < job.begin_at <= now for job in self.jobs.values()):
            self._place_at, self._placed = NEVER, now
            self._place()
        if now % self.habits.tick < 1e-6:
            self._tick()
        self._plan_next()

    def _plan_next(self) -> None:
        moments = [self._place_at]
        for name in self.names.values():
            moments += [name.stirred or NEVER, name.due(self.habits)]
        jobs = self.jobs.values()
        moments += [job.begin_at for job in jobs if job.waits and job.begin_at > self._now]
        if any(map(self._may_begin, jobs)) or any(name.resume_at is not None for name in self.names.values()):
            moments.append(self._next_tick())
        self._wake(min(moments))

    def _follow_power(self, name: PowerName) -> None:
        if name.is_wanted:
            name.power, name.since, name.powered_up = STARTING, self._now, self._now
            name.asked_up = False
            name.silent, name.silent_at, name.node = False, None, None
        elif name.asked_down and not name.jobs and (name.power != STARTING or name.down):
            self._goes(name)
        name.count_wanted(self._now)

    def _goes(self, name: PowerName) -> None:
        """POWERING_DOWN: what was asked is done, and a drain that came with it is over."""
        name.power, name.since = GOING, self._now
        name.asked_down = name.drain = name.silent = name.completing = False
        name.silent_at, name.wanted = None, NEVER
        if self.watch is not None:
            self.watch(name)
        self._wake(self._now + self.habits.suspend_timeout)

    def _follow_clock(self, name: PowerName) -> None:
        if self._now < name.due(self.habits):
            return
        if name.power == STARTING:
            self._throw_off(name)
            name.power, name.since, name.down, name.asked_down = OFF, self._now, True, False
            name.wanted = NEVER
            name.reason, name.reason_at = GAVE_UP, self._now
        elif name.power == GOING:
            name.power, name.since = OFF, self._now
            self._stir(name)
            self._place_soon()
        elif name.down:
            name.down = False  # ReturnToService
            self._place_soon()
        elif not name.silent:
            name.silent = True
        else:
            self._throw_off(name)
            name.down, name.completing = True, False
            name.reason, name.reason_at = "Not responding", self._now
            self._stir(name)

    def _place(self) -> None:
        for job, names in placed(self.jobs.values(), self.names.values(), self._may_use, self._now):
            self._put(job, names)

    def _put(self, job: PlacedSimJob, names: Sequence[PowerName]) -> None:
        job.names, job.placed = tuple(name.name for name in names), self._now
        for name in names:
            name.jobs.append(job)
            name.count_wanted(self._now)
            self._stir(name)
        if self._may_begin(job):
            self._begin((job,))

    def _may_use(self, job: PlacedSimJob, name: PowerName) -> bool:
        bound, asked = self.partitions.get(name.size, ()), job.shape.partitions
        if self.suits is not None and not self.suits(job.shape, name.size):
            return False
        return not (bound and asked and not set(bound) & set(asked))

    def _tick(self) -> None:
        self._begin([job for job in self.jobs.values() if self._may_begin(job)])
        for name in self.names.values():
            if name.resume_at is not None and self._now >= name.resume_at:
                name.resume_at = None
                self._resume(name)

    def _may_begin(self, job: PlacedSimJob) -> bool:
        """All its nodes have come."""
        names = [self.names[name] for name in job.names]
        return job.configures and not any(name.power != UP or name.silent or name.down for name in names)

    def _begin(self, jobs: Iterable[PlacedSimJob]) -> None:
        for job in jobs:
            job.begun, job.runs = True, job.runs + 1
            if self.watch is not None:
                for hostname in job.names:
                    self.watch(self.names[hostname])
            self._began(job)
