"""A double of slurmctld: nodes come and go, jobs start by priority, are finished, and are lost with their nodes.

Made after slurm 22.05.8 with SelectType=select/cons_tres, SelectTypeParameters=CR_CPU_Memory, ReturnToService=2 and
nodes declared State=UNKNOWN. A job has its nodes to itself (OverSubscribe=EXCLUSIVE) but in partitions that share
them. slurm_commands.py gives it the four commands. All timers are simulated seconds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from arvnodeman.sandbox.clock import SiteClock
from arvnodeman.sandbox.hostlist import expand
from arvnodeman.sandbox.slurm_jobs import FIRST_PRIORITY, JobState, Need, SlurmJob, explain, place
from arvnodeman.sandbox.slurm_nodes import (
    DEFAULT_PARTITION,
    DUMMY,
    INVALID_STATE,
    Base,
    Computer,
    SlurmError,
    SlurmNode,
)
from arvnodeman.sandbox.slurm_side import Submit

_MIN_JOB_AGE = 300.0  # simulated seconds for which squeue shows a job that has ended
_PLAIN = Submit(seconds=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class SlurmTimes:
    """Slurm's delays, in simulated seconds."""

    register: float = 1.0  # from a slurmd's start to its node being idle
    respond: float = 1.5  # idle* after a RESUME
    back: float = 0.5  # a node set DOWN whose slurmd lives is idle again
    completing: float = 1.0
    schedule: float = 1.0  # from a change to the next pass of the scheduler
    silent: float = 20.0  # slurmd gone: the flag * appears
    slurmd_timeout: float = 60.0  # slurmd gone: the node is down, its job requeued
    unknown_silent: float = 13.0  # unk becomes unk*, and stays it


class SlurmDouble:
    """The controller. Used under the site's lock.

    `partitions`: those besides `compute`, which has all nodes, with their hostlists, or ALL.
    `on_start(job, computers)`: a job was allocated; the computers run it, and tell `finish_job` of its end.
    `on_end(job, cause)`: it left its nodes; the cause is completed, cancelled, or what took the node.
    """

    def __init__(
        self,
        clock: SiteClock,
        names: Iterable[str],
        times: SlurmTimes | None = None,
        partitions: Mapping[str, str] | None = None,
        *,
        told: bool = False,
        sharing: Collection[str] = (),
    ) -> None:
        """`told`: nodes are found where NodeAddr says; else wherever they are, as with a good DNS. `sharing`: the
        partitions whose jobs share nodes."""
        self._told = told
        self._clock = clock
        self.times = times or SlurmTimes()
        self.nodes = {name: SlurmNode(name) for name in names}
        self.partitions = [DEFAULT_PARTITION, *(partitions or {})]
        for partition, hosts in (partitions or {}).items():
            for name in self.nodes if hosts == "ALL" else expand(hosts):
                self.nodes[name].partitions += (partition,)
        self.jobs: dict[int, SlurmJob] = {}  # pending and running ones
        self.ended: deque[SlurmJob] = deque()  # of late, those that were on nodes
        self.sharing = frozenset(sharing)
        self.shared_nodes = False  # jobs share nodes in all partitions
        self.on_start: Callable[[SlurmJob, list[Computer]], None] = lambda _job, _computers: None
        self.on_end: Callable[[SlurmJob, str], None] = lambda _job, _cause: None
        self._next_id = 1
        self._scheduling = False
        self._explained = False
        clock.after(self.times.unknown_silent, self._unknown_silent)

    @property
    def submitted(self) -> int:
        """Jobs so far."""
        return self._next_id - 1

    # ---- slurmd ------------------------------------------------------------------------------------------------------

    def slurmd_started(self, name: str, computer: Computer) -> bool:
        """A slurmd has started under this node name. False when slurm.conf has no such node."""
        node = self.nodes.get(name)
        if node is None:
            return False
        if node.computer != computer:
            self._lose_jobs(node, "node rebooted")
        node.computer, node.lost = computer, False
        self._later(node, self.times.register, self._registered)
        return True

    def slurmd_stopped(self, name: str, computer_id: str) -> None:
        """The slurmd of this computer is gone; slurmctld notices by and by."""
        node = self.nodes.get(name)
        if node is None or node.computer is None or node.computer.id != computer_id:
            return
        node.lost = True
        change = self._later(node, self.times.silent, self._fell_silent)
        self._clock.after(self.times.slurmd_timeout, lambda: self._timed_out(node, change))

    def _registered(self, node: SlurmNode) -> None:
        if node.lost or node.computer is None:
            return
        node.responding = self._is_found(node)
        if node.base is not Base.IDLE:
            if node.base is Base.DOWN and not (node.drain or node.fail):
                node.reason = ""
            node.base = Base.IDLE
        self.changed()

    def _is_found(self, node: SlurmNode) -> bool:
        return not self._told or node.computer is None or node.address == node.computer.address

    def set_address(self, node: SlurmNode, address: str) -> None:
        """NodeAddr=."""
        node.address = address
        if node.computer is not None and not node.lost and node.base is Base.IDLE:
            self._later(node, self.times.respond if self._is_found(node) else self.times.silent, self._registered)

    def _fell_silent(self, node: SlurmNode) -> None:
        node.responding = False
        self.changed()

    def _timed_out(self, node: SlurmNode, change: int) -> None:
        if node.lost and node.changes == change:
            self._set_down(node, "node vanished", "Not responding")

    def _set_down(self, node: SlurmNode, cause: str, reason: str) -> None:
        self._lose_jobs(node, cause)
        node.base, node.responding, node.computer, node.lost = Base.DOWN, False, None, False
        if not node.reason:
            self._give_reason(node, reason)
        self.changed()

    def _unknown_silent(self) -> None:
        for node in self.nodes.values():
            if node.base is Base.UNKNOWN:
                node.responding = False

    @property
    def joining(self) -> float:
        """Simulated seconds after which a slurmd just started has registered."""
        return self.times.register

    def image_resumes(self, name: str) -> None:
        """What the image does when it joins: it resumes its own node where sinfo says down, drain or drng."""
        node = self.nodes[name]
        if node.may_resume() and not node.fail:
            self.resume(node)

    def offer(self, feature: str) -> None:
        """Let the dummy node offer a feature."""
        dummy = self.nodes.get(DUMMY)
        if dummy is not None and feature not in dummy.active:
            dummy.set_features((*dummy.available, feature), (*dummy.active, feature))

    def slurmctld(self, do: str) -> None:
        """Raises ValueError: the double has no such process."""
        raise ValueError(f"this site's Slurm is a double, which cannot {do} slurmctld: see /site/services/slurm")

    def refresh(self) -> None:
        """It is always up to date."""

    # ---- scontrol update ---------------------------------------------------------------------------------------------

    def drain(self, node: SlurmNode, reason: str) -> None:
        """State=DRAIN: no new job; a running one goes on."""
        node.drain = True
        self._give_reason(node, reason)
        self.changed()

    def fail(self, node: SlurmNode, reason: str) -> None:
        """State=FAIL: like a drain, by another name."""
        node.fail = True
        self._give_reason(node, reason)
        self.changed()

    def undrain(self, node: SlurmNode) -> None:
        """State=UNDRAIN: as RESUME, but of a node that is well, too, and not of one that has failed."""
        if not node.fail:
            self._take_back(node)

    def down(self, node: SlurmNode, reason: str) -> None:
        """State=DOWN: its job ends at once. With its slurmd alive the node is back when that registers next."""
        self._lose_jobs(node, "node set down")
        node.completing = False
        node.base = Base.DOWN
        self._give_reason(node, reason)
        if node.computer is None or node.lost:
            node.computer, node.lost = None, False
            self._later(node, self.times.silent, self._fell_silent)
        elif not node.drain:
            self._later(node, self.times.back, self._registered)
        self.changed()

    def resume(self, node: SlurmNode) -> None:
        """State=RESUME: idle*, then idle; down* again without a slurmd. Raises SlurmError for a node that is well; and
        for one that has never been up, which is resumed all the same."""
        if not node.may_resume():
            raise SlurmError(INVALID_STATE)
        self._take_back(node)
        if node.base is Base.UNKNOWN:
            raise SlurmError(INVALID_STATE)

    def _take_back(self, node: SlurmNode) -> None:
        node.drain = node.fail = False
        node.reason = ""
        if node.base is Base.DOWN:
            node.base = Base.IDLE
        node.responding = False
        if node.computer is not None and not node.lost:
            self._later(node, self.times.respond, self._registered)
        elif node.base is not Base.UNKNOWN:
            node.lost = True
            change = node.touch()
            self._clock.after(self.times.slurmd_timeout, lambda: self._timed_out(node, change))
        self.changed()

    def _give_reason(self, node: SlurmNode, reason: str) -> None:
        node.reason, node.reason_at = reason, self._clock.wall()

    # ---- jobs --------------------------------------------------------------------------------------------------------

    def submit(
        self,
        name: str,
        need: Need,
        feature_text: str,
        priority: int | None = None,
        how: Submit = _PLAIN,
    ) -> SlurmJob:
        """sbatch --no-requeue of one job. Raises SlurmError for a feature that no node has, as sbatch does. How long
        the job takes is its computers' business."""
        offered = {feature for node in self.nodes.values() for feature in node.available}
        if not need.features <= offered:
            raise SlurmError("Invalid feature specification")
        if not set(need.partition.split(",")) <= set(self.partitions):
            raise SlurmError("Invalid partition name specified")
        number = self._next_id
        self._next_id += 1
        wanted = FIRST_PRIORITY - number if priority is None else priority
        job = SlurmJob(number, name, need, feature_text, wanted, self._clock.elapsed(), how.held)
        job.shares = self.shares(need)
        self.jobs[number] = job
        self.changed()
        return job

    def cancel(self, job: SlurmJob) -> None:
        """scancel."""
        self._end_job(job, JobState.CANCELLED, "cancelled")

    def finish_job(self, job: SlurmJob) -> None:
        """Its computers have done the job."""
        if job.state is JobState.RUNNING:
            self._end_job(job, JobState.COMPLETED, "completed")

    def pending(self) -> list[SlurmJob]:
        """Pending jobs with their reasons up to date, in no order."""
        if not self._explained:
            explain(self.jobs.values(), self.nodes)
            self._explained = True
        return [job for job in self.jobs.values() if job.state is JobState.PENDING]

    def running(self) -> list[SlurmJob]:
        """Running jobs."""
        return [job for job in self.jobs.values() if job.state is JobState.RUNNING]

    def _lose_jobs(self, node: SlurmNode, cause: str) -> None:
        for number in list(node.jobs):
            job = self.jobs.get(number)
            if job is not None:
                self._end_job(job, JobState.NODE_FAIL, cause)

    def _end_job(self, job: SlurmJob, state: JobState, cause: str) -> None:
        job.state, job.ended_at = state, self._clock.wall()
        if self.jobs.pop(job.id, None) is not None and job.nodes:
            self.ended.append(job)
            self._clock.after(_MIN_JOB_AGE, self.ended.popleft)
        for name in job.nodes:
            node = self.nodes[name]
            if node.jobs.pop(job.id, None) is not None:
                node.completing = not node.lost
                node.last_busy = self._clock.wall()
                self._clock.after(self.times.completing, lambda node=node: self._completed(node))  # type: ignore[misc]
        self.changed()
        self.on_end(job, cause)

    def _completed(self, node: SlurmNode) -> None:
        node.completing = False
        self.changed()

    # ---- the scheduler -----------------------------------------------------------------------------------------------

    def changed(self) -> None:
        """A node or a job is not what it was: reasons are stale, and the scheduler has a look soon."""
        self._explained = False
        if not self._scheduling:
            self._scheduling = True
            self._clock.after(self.times.schedule, self._schedule)

    def _schedule(self) -> None:
        self._scheduling = False
        for job, nodes in place(self.jobs.values(), self.nodes.values()):
            job.state, job.reason, job.started = JobState.RUNNING, "None", self._clock.elapsed()
            job.nodes, job.began_at = [node.name for node in nodes], self._clock.wall()
            self._explained = False
            self.on_start(job, [node.computer for node in nodes if node.computer is not None])

    def shares(self, need: Need) -> bool:
        """May others be on the nodes of such a job?"""
        return not need.exclusive and (self.shared_nodes or self.sharing.issuperset(need.partition.split(",")))

    def counts(self) -> Mapping[str, int]:
        """How many nodes are in which state."""
        found: dict[str, int] = {}
        for node in self.nodes.values():
            found[node.short()] = found.get(node.short(), 0) + 1
        return found

    def _later(self, node: SlurmNode, seconds: float, action: Callable[[SlurmNode], None]) -> int:
        """Do something with a node in a while, unless it changes before that; the number of its change."""
        change = node.touch()
        self._clock.after(seconds, lambda: action(node) if node.changes == change else None)
        return change
