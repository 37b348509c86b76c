"""A real Slurm as the Slurm of a site.

Slurm cannot be asked to call back: a watcher looks at squeue and sinfo a few times a second and tells the site what has
changed. Commands that may block for long, since slurmctld may be away, run in a thread of their own, in the order in
which they were given. Durations are the site's simulated seconds; Slurm's own times are real ones.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import subprocess
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from arvnodeman.sandbox.clock import SiteClock
from arvnodeman.sandbox.hostlist import expand
from arvnodeman.sandbox.real_slurm import PrivateSlurm, SlurmFailed
from arvnodeman.sandbox.sbatch import sbatch_command
from arvnodeman.sandbox.slurm_jobs import THROWN_OFF, JobState, Need, SlurmJob
from arvnodeman.sandbox.slurm_losses import loss_of
from arvnodeman.sandbox.slurm_nodes import DEFAULT_PARTITION, DUMMY, Computer
from arvnodeman.sandbox.slurm_side import Submit
from arvnodeman.slurm.show import parse_nodes

_LOOK = 0.25  # real seconds between two looks at squeue and sinfo
_AWAY = 2.0  # real seconds before an errand that failed is tried again
_HASTE = 10.0  # real seconds that a look before the destruction of a node may take
_JOINING = 0.5  # real seconds that a slurmd takes to register, with room to spare
NO_ANSWER = "slurmd did not answer"  # and slurmctld set the node down by itself
PUT_BACK = "put back by Slurm"  # since it could not begin on its node, or is not known there
GONE = "gone"  # what is shown of a name that slurm.conf has no more
_RUNNING = ("RUNNING", "COMPLETING", "SUSPENDED")
_HELD = ("REQUEUE_HOLD", "SPECIAL_EXIT")
_WAITING = ("PENDING", "CONFIGURING", "REQUEUED", *_HELD)
_TASK = 2**32  # the number of a task of an array is that of the array, and so much more for each
_log = logging.getLogger("sandbox.slurm")


@dataclass(slots=True)
class RealNode:
    """A node as sinfo showed it last."""

    name: str
    shown: str = "unk"
    reason: str = ""
    features: tuple[str, ...] = ()
    computer: Computer | None = None
    lost: bool = False
    mark: str = ""  # its Comment, where it has one

    @property
    def drain(self) -> bool:
        """Drained or draining."""
        return self.shown.startswith(("drain", "drng"))

    def short(self) -> str:
        """With its flags."""
        return self.shown


@dataclass(frozen=True, slots=True)
class _Listing:
    """What squeue and sinfo said. Jobs: (id, state, nodes, name)."""

    number: int
    logged: int  # bytes in slurmctld's log before that
    jobs: list[tuple[int, str, list[str], str]]
    nodes: list[tuple[str, str, str, str]]
    marks: Mapping[str, str]


class RealSlurm:
    """The SlurmSide of a private Slurm. `start()` after the callbacks are in place; `stop()` ends its threads, then
    Slurm. `partition`: whose nodes are the site's, and where jobs go that name none."""

    def __init__(self, clock: SiteClock, slurm: PrivateSlurm, partition: str = DEFAULT_PARTITION) -> None:
        self._clock = clock
        self._slurm = slurm
        self._partition = partition
        self.nodes: dict[str, RealNode] = {}
        self.jobs: dict[int, SlurmJob] = {}  # one that sbatch has not taken yet has a number below 0
        self.on_start: Callable[[SlurmJob, list[Computer]], None] = lambda _job, _computers: None
        self.on_end: Callable[[SlurmJob, str], None] = lambda _job, _cause: None
        self._newest = 0  # the highest id that Slurm has given
        self._unnumbered = 0
        self._seen: set[int] = set()  # jobs that a listing has shown
        self._looking = threading.Lock()
        self._asked = 0  # looks
        self._applied = 0
        self._logged = 0  # bytes in slurmctld's log before the look that was applied last
        self._wanted_features: set[str] = set()
        self._errands: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._watch, name="slurm-watcher", daemon=True),
            threading.Thread(target=self._run_errands, name="slurm-errands", daemon=True),
        ]

    def start(self) -> None:
        """Look once, then go on looking. Raises SlurmFailed."""
        self._keep_up()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End the threads, and Slurm with all its jobs."""
        self._stopped.set()
        self._errands.put(lambda: None)
        self._slurm.stop()

    @property
    def joining(self) -> float:
        """Simulated seconds after which a slurmd just started has registered."""
        return _JOINING * self._clock.speed

    # ---- what the site does to it ------------------------------------------------------------------------------------

    def slurmd_started(self, name: str, computer: Computer) -> bool:
        """Start the slurmd of this node. False when slurm.conf has no such node."""
        node = self.nodes.get(name)
        if node is None or name == DUMMY:
            return False
        if node.computer is not None:
            self._slurm.kill_node(name)
        node.computer, node.lost = computer, False
        try:
            self._slurm.start_node(name)
        except SlurmFailed as error:
            _log.error("%s", error)
        return True

    def slurmd_stopped(self, name: str, computer_id: str) -> None:
        """Kill the slurmd of this node, and its jobs."""
        node = self.nodes.get(name)
        if node is None or node.computer is None or node.computer.id != computer_id or node.lost:
            return
        node.lost = True
        with contextlib.suppress(SlurmFailed):
            self._slurm.kill_node(name)

    def image_resumes(self, name: str) -> None:
        """Soon, and by scontrol, as the image does it. One that has a job by then is in service, and whoever drains it
        means that."""

        def resume() -> None:
            if self._slurm.state(name).rstrip("*") in ("down", "drain"):
                self._slurm.run("scontrol", "update", f"NodeName={name}", "State=RESUME")

        self._errands.put(resume)

    def submit(self, name: str, need: Need, feature_text: str, priority: int, how: Submit) -> None:
        """sbatch as Arvados' dispatcher does it; soon, and again until slurmctld takes it."""
        need = replace(need, partition=self._partition) if need.partition == DEFAULT_PARTITION else need
        names = [name] if how.tasks == 1 else [f"{name}_{task}" for task in range(1, how.tasks + 1)]
        jobs = []
        for each in names:
            self._unnumbered -= 1
            job = SlurmJob(self._unnumbered, each, need, feature_text, priority, self._clock.elapsed(), how.held)
            jobs.append(job)
            self.jobs[job.id] = job
        argv = sbatch_command(jobs[0], name, how)
        script = f"#!/bin/sh\nexec sleep {how.seconds / self._clock.speed:.3f}\n"

        tried_at = 0  # the listings that were requested until then

        def submit() -> None:
            nonlocal tried_at
            with self._clock.lock:
                if all(job.id > 0 or job.id not in self.jobs for job in jobs):
                    return  # an answer that was lost: a listing has shown it meanwhile
                if tried_at and self._applied <= tried_at:
                    raise SlurmFailed("slurmctld may have taken the job: a listing has to tell")
                tried_at = self._asked
            answer = self._slurm.say(*argv, text=script)
            number = int(answer.partition(";")[0])
            with self._clock.lock:
                for task, job in enumerate(jobs, start=1):
                    self._number(job, number if how.tasks == 1 else number + task * _TASK)

        self._errands.put(submit)

    def finish_job(self, job: SlurmJob) -> None:
        """Nothing: Slurm knows by itself when a job ends."""

    def offer(self, feature: str) -> None:
        """compute0 offers it at the next look at the latest, and again whenever it is lost. Names that are off offer
        theirs by themselves."""
        if self._partition == DEFAULT_PARTITION:
            self._wanted_features.add(feature)

    def slurmctld(self, do: str) -> None:
        """Without the site's lock: each takes seconds. A start forgets features and weights. Raises ValueError."""
        try:
            match do:
                case "stop":
                    self._slurm.stop_controller()
                case "start":
                    self._slurm.start_controller()
                case "restart":
                    self._slurm.stop_controller()
                    self._slurm.start_controller()
                case _:
                    raise ValueError(f"do must be stop, start or restart, not {do!r}")
        except SlurmFailed as error:
            raise ValueError(str(error)) from None

    def refresh(self) -> None:
        """Be up to date, if slurmctld answers soon."""
        with contextlib.suppress(SlurmFailed):
            self._keep_up(_HASTE)

    def counts(self) -> Mapping[str, int]:
        """How many nodes are in which state."""
        found: dict[str, int] = {}
        for node in self.nodes.values():
            found[node.shown] = found.get(node.shown, 0) + 1
        return found

    # ---- errands -----------------------------------------------------------------------------------------------------

    def _run_errands(self) -> None:
        while not self._stopped.is_set():
            errand = self._errands.get()
            while not self._stopped.is_set():
                try:
                    errand()
                    break
                except (SlurmFailed, subprocess.TimeoutExpired, OSError, ValueError) as error:
                    _log.info("tried again soon: %s", error)
                    self._stopped.wait(_AWAY)

    def _offer_again(self) -> None:
        """What the dispatcher does every two seconds: does compute0 offer all that it should?"""
        if not self._wanted_features:
            return
        with self._clock.lock:
            wanted, has = set(self._wanted_features), set(self.nodes[DUMMY].features)
        if not wanted <= has:
            features = ",".join(sorted(wanted | has))
            self._slurm.run("scontrol", "update", f"NodeName={DUMMY}", f"Features={features}")

    # ---- watching ----------------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        while not self._stopped.wait(_LOOK):
            try:
                self._offer_again()
                self._keep_up()
            except (SlurmFailed, subprocess.TimeoutExpired, OSError) as error:
                _log.info("%s", error)
            except Exception:  # noqa: BLE001 - logged; the site goes on, whatever one look brings
                _log.exception("a look at Slurm failed")

    def _keep_up(self, timeout: float = 30.0) -> None:
        """One at a time: of two the older answer might come last, and show jobs as put back that have begun."""
        if not self._looking.acquire(timeout=timeout):
            raise SlurmFailed(f"another look did not end within {timeout:g} s")
        try:
            self._apply(self._list(timeout))
        finally:
            self._looking.release()

    def _list(self, timeout: float) -> _Listing:
        with self._clock.lock:
            self._asked += 1
            number = self._asked
        logged = self._slurm.log_size()
        jobs, nodes = "%i|%T %r|%N|%j", "%N|%t|%f|%E"
        shown = [
            ("squeue", "--noheader", "--all", "--array", "--states=all", f"--format={jobs}"),
            ("sinfo", "--noheader", "--Node", f"--partition={self._partition}", f"--format={nodes}"),
            ("scontrol", "show", "nodes"),
        ]
        texts = []
        for argv in shown:
            try:
                done = self._slurm.run(*argv, timeout=timeout)
            except subprocess.TimeoutExpired:
                raise SlurmFailed(f"{argv[0]} did not end within {timeout:g} s") from None
            if done.returncode:
                raise SlurmFailed(f"{argv[0]}: {done.stderr.strip()}")
            texts.append([line.split("|", 3) for line in done.stdout.splitlines()])
        marks = {name: node.comment for name, node in parse_nodes(done.stdout)[0].items()}
        return _Listing(
            number,
            logged,
            [found for line in texts[0] if (found := _job_of(*line)) is not None],
            [(name, state, features, reason) for name, state, features, reason in texts[1]],
            marks,
        )

    def _apply(self, listing: _Listing) -> None:
        with self._clock.lock:
            self._applied = listing.number
            for name, state, features, reason in listing.nodes:
                node = self.nodes.setdefault(name, RealNode(name))
                node.shown, node.reason = state, "" if reason == "none" else reason
                node.mark = listing.marks.get(name, "")
                node.features = () if features == "(null)" else tuple(features.split(","))
            for name in self.nodes.keys() - {name for name, *_ in listing.nodes}:
                self.nodes[name].shown, self.nodes[name].mark = GONE, ""
            shown = set()
            for number, state, hosts, name in sorted(listing.jobs):
                shown.add(number)
                job = self.jobs.get(number) or self._adopt(number, name)
                if job is not None:
                    self._seen.add(number)
                    self._follow(job, state, hosts)
            for job in [job for number, job in self.jobs.items() if number in self._seen - shown]:
                self._end(job, JobState.NODE_FAIL, "forgotten by slurmctld")
            self._logged = listing.logged

    def _adopt(self, number: int, name: str) -> SlurmJob | None:
        """A job that sbatch has submitted without having answered yet."""
        if number % _TASK <= self._newest:
            return None  # it has ended, and we know
        job = next((job for job in self.jobs.values() if job.id < 0 and job.name == name), None)
        if job is not None:
            self._number(job, number)
        return job

    def _number(self, job: SlurmJob, number: int) -> None:
        if job.id < 0:
            self.jobs.pop(job.id, None)
            job.id = number
            self.jobs[number] = job
        self._newest = max(self._newest, number % _TASK)

    def _follow(self, job: SlurmJob, words: str, hosts: list[str]) -> None:
        """`words`: its state, and why it waits."""
        state, _, reason = words.partition(" ")
        job.held = reason.startswith("JobHeld") or state in _HELD
        if job.state is JobState.RUNNING and (state in _WAITING or (state == "RUNNING" and hosts != job.nodes)):
            cause = self._cause(job, job.nodes)  # Slurm itself has put it back, and may have started it anew
            job.state = JobState.PENDING
            self.on_end(job, cause)
            job.nodes, job.started = [], None
        if state in _WAITING:
            return
        begun = job.state is JobState.RUNNING
        if state == "COMPLETING" and not begun:
            return  # one that has ended before a look is shown so for good; one that is put back before it began is not
        if job.state is JobState.PENDING and hosts and state != "CANCELLED":
            job.state, job.nodes, job.started = JobState.RUNNING, hosts, self._clock.elapsed()
            self.on_start(job, self._computers(hosts))
        if state == "COMPLETED":
            self._end(job, JobState.COMPLETED, "completed")
        elif state.startswith("CANCELLED"):
            self._end(job, JobState.CANCELLED, "cancelled")
        elif state not in _RUNNING:
            cause = self._cause(job, hosts)
            self._end(job, JobState.NODE_FAIL, cause if begun or hosts else THROWN_OFF)

    def _cause(self, job: SlurmJob, hosts: list[str]) -> str:
        """Why a job has lost these nodes. slurmctld's own words come first: on a busy machine slurmd may answer late
        though nobody has done anything. Without such a word the node was set down by somebody; so was a name that has
        never had a machine: Slurm does not look for one while it waits for it."""
        if any(self.nodes[name].shown == GONE for name in hosts if name in self.nodes):
            return "name taken out of slurm.conf"
        loss = loss_of(self._slurm.log_since(self._logged), job.id)
        nodes = [self.nodes[name] for name in ([loss.node] if loss is not None else hosts) if name in self.nodes]
        if loss is not None and not loss.by_command:
            if loss.answered:
                return PUT_BACK
            if all(node.computer is not None for node in nodes):
                return NO_ANSWER
        return "node vanished" if nodes and all(node.lost for node in nodes) else "node set down"

    def _computers(self, hosts: list[str]) -> list[Computer]:
        found = [self.nodes[name].computer for name in hosts if name in self.nodes]
        return [computer for computer in found if computer is not None]

    def _end(self, job: SlurmJob, state: JobState, cause: str) -> None:
        job.state = state
        self.jobs.pop(job.id, None)
        self.on_end(job, cause)


def _job_of(number: str, words: str, hosts: str, name: str) -> tuple[int, str, list[str], str] | None:
    """A line of squeue's; None for a part of an array that is not one task."""
    first, _, task = number.partition("_")
    if not first.isdigit() or not (task.isdigit() or not task):
        return None
    return int(first) + int(task or 0) * _TASK, words, expand(hosts), f"{name}_{task}" if task else name
