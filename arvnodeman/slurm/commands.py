"""Slurm's commands: squeue, sinfo, scontrol and scancel.

Each method runs one command (`describe` two, `describe_all` some) in the calling thread, with a time-out, and neither
retries nor sleeps. Every failure is a SlurmFailure, which is a RemoteFailure: errors.py lists them. What each command
really answers was tried on Slurm 22.05.
"""

from __future__ import annotations

import logging
import re
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace

from arvnodeman.config.daemon import ARVADOS_CONTAINER
from arvnodeman.fleet.outlook.ahead import Placing
from arvnodeman.fleet.values.model import Job, JobShape
from arvnodeman.fleet.values.places import Place
from arvnodeman.fleet.values.queue import Queue
from arvnodeman.money.runs import JobRun
from arvnodeman.scheduler.base import WaitingJobs
from arvnodeman.slurm.accounting import Ledger
from arvnodeman.slurm.arrays import JOB_NUMBER, RunningTasks, grouped, told_apart
from arvnodeman.slurm.arrivals import Arrivals
from arvnodeman.slurm.errors import (
    ControllerAway,
    NotInstalled,
    NotNeeded,
    NotPermitted,
    Refused,
    SlurmFailure,
    UnknownNode,
    first_line,
)
from arvnodeman.slurm.fields import LONG_TAIL, SQUEUE_FORMAT, SQUEUE_LONG_FORMAT, TAIL, sharing_form, shows_all
from arvnodeman.slurm.foresee import Foresight
from arvnodeman.slurm.later_jobs import LaterJobs
from arvnodeman.slurm.listing import JobsListing
from arvnodeman.slurm.nodes import ALL, NO_FIELD, SlurmNodes, check_hostname
from arvnodeman.slurm.on_nodes import RUNS_FORMAT, RUNS_STATES, read_runs
from arvnodeman.slurm.run_times import RunTimes
from arvnodeman.slurm.sinfo import NodesReader
from arvnodeman.slurm.squeue import QueueReader, QueueReading
from arvnodeman.slurm.tried import version_of

DUMMY_NODE = "compute0"
"""Never ours: Arvados' dispatcher keeps it as the node that offers every feature."""

_EACH_ARRAY = "--array-unique"  # a task that is not like the others of its array has a line of its own
_AT_ONCE = 10  # arrays whose limit is asked for in one poll
_MOST_ARRAYS = 1000  # that are asked for by their numbers
_FEATURE = "instancetype="
_FEATURE_VALUE = re.compile(r"[^\s,&|()\[\]*=]+")
_NO_SUCH_NODE = "arvados-node-manager-rights-check"
_JUNK = 3  # so many malformed lines, and no good one, are not a queue
_queue_log = logging.getLogger("arvnodeman.jobqueue")
_log = logging.getLogger("arvnodeman.slurm")


class Slurm(SlurmNodes):
    """Slurm, as its commands on PATH reach it. It keeps what its last answers said: one serves one thread.

    timeout: seconds for each command; the commands themselves give up after 9 s when slurmctld is away.
    job_name_pattern: only jobs whose name contains this are seen; '' for all.
    numbered: a job's id is its number in Slurm; else its name, which is the container's uuid.
    list_stands: seconds for which a list of the queue may stand while jobs come and none goes (listing.py).
    share: jobs may share nodes, where Slurm lets them; else each is taken to have its nodes to itself.
    ahead: tell of jobs that cannot start yet, and when they may.
    counts_jobs: does it matter how many jobs are on each node that they share? Any thread; asked at each list of nodes.
    """

    never_ours = frozenset({DUMMY_NODE})

    def __init__(
        self,
        timeout: float = 20.0,
        *,
        job_name_pattern: str = ARVADOS_CONTAINER,
        numbered: bool = False,
        list_stands: float = 0.0,
        share: bool = False,
        ahead: bool = False,
        counts_jobs: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__(timeout, share=share, counts_jobs=counts_jobs)
        self.job_name_pattern = job_name_pattern
        self.numbered = numbered
        self._new: bool | None = None
        self._version: tuple[int, int] | None = None  # of squeue
        self._each_array: tuple[str, ...] = (_EACH_ARRAY,)  # none, if this squeue does not know it
        self._arrays = RunningTasks()
        self._squeue = QueueReader(job_name_pattern, numbered=numbered)
        self._read, self._last = Queue(), WaitingJobs(Queue(), {})
        self._places, self._places_refused = Placing(), Placing()
        self._foresight = Foresight(lambda what: self._run("scontrol", ALL, "show", what), [DUMMY_NODE])
        self._ledger = Ledger(self._run)
        self._arrivals = Arrivals(self._run)
        self._run_times = RunTimes(self._run)
        self._later_jobs = LaterJobs(self._run, job_name_pattern, self._run_times) if ahead else None
        self._listing = JobsListing(self._run, list_stands)

    # ---- asking ----------------------------------------------------------------------------------------------------

    def queue(self) -> WaitingJobs:
        """The jobs that wait, those for nodes in the order of the queue; a malformed line is skipped with a warning.

        Output without one line that can be read is a failure: taken for an empty queue, it would stop nodes."""
        form, tail, rules = [f"--format={SQUEUE_FORMAT}"], TAIL, None
        if self._shows_all():
            rules = self.sharing.fetch()
            fields, tail = (SQUEUE_LONG_FORMAT, LONG_TAIL) if rules is None else sharing_form(self._version)
            form = [*self._each_array, f"--Format={fields}"]
        try:
            text = self._listing.read(*form)
        except Refused as refusal:
            if _EACH_ARRAY in form and _EACH_ARRAY in refusal.said:
                self._each_array = ()
                return self.queue()
            if not self._new or NO_FIELD.search(refusal.said) is None:
                raise
            self._new = False
            _queue_log.warning("squeue refuses a field; from now on it is asked for fewer: %s", refusal.said)
            return self.queue()
        if not self._each_array and self.numbered:
            text = self._tell_apart(text, form)
        at_once = self._arrays.left(text, self._count_running) if self.numbered else None
        read = self._squeue.read(text, tail, at_once, rules)
        self._report("squeue", read.malformed, _queue_log, nothing=read.nothing)
        if len(read.malformed) > _JUNK and read.nothing:
            raise ControllerAway("squeue", f"no line of its output can be read, the first is {first_line(text)!r}")
        waiting = self._with_outlook(read)
        if self._later_jobs is not None:
            self._run_times.learn()
            waiting = replace(waiting, later=self._later_jobs.fetch(text, tail, rules, waiting.outlook))
        return waiting

    def runs(self) -> Sequence[JobRun]:
        """The jobs that are on nodes, and those that have left them of late. A squeue from before 20.02 tells none."""
        if not self._shows_all():
            return ()
        text = self._run("squeue", ALL, "--noheader", f"--states={RUNS_STATES}", f"--Format={RUNS_FORMAT}")
        runs, malformed = read_runs(text, "" if self.numbered else self.job_name_pattern)
        self._report("squeue", malformed, _log, nothing=bool(malformed) and not runs)
        if malformed and not runs:
            raise ControllerAway("squeue", f"no line of its output can be read, the first is {first_line(text)!r}")
        return runs

    def submitted(self) -> str:
        """A text that changes when jobs have been submitted. It costs slurmctld little, however long the queue is."""
        return self._arrivals.check()

    def _with_outlook(self, read: QueueReading) -> WaitingJobs:
        """The queue, each job with the place that it may have its nodes at."""
        last, self._read = self._last, self._read.following(read.jobs)
        shapes = self._read.places.keys()
        outlook, now = self._foresight.fetch([*shapes, *read.refused]), time.time()
        outlook = replace(outlook, accounting=self._ledger.fetch(shapes) or None)
        if outlook == last.outlook:
            outlook = last.outlook
        jobs, refused = self._read, read.refused
        if outlook.reservations:
            jobs = last.jobs.following(self._places.of(jobs, outlook, now))
            refused_there: dict[JobShape, list[Job]] = {}
            for job in self._places_refused.of((job for alike in refused.values() for job in alike), outlook, now):
                refused_there.setdefault(job.shape, []).append(job)
            refused = last.refused if refused_there == last.refused else refused_there
        times = self._run_times.fetch(jobs.places, self._names_of) if self.sharing.rules is not None else {}
        self._last = WaitingJobs(jobs, read.others, refused, outlook, run_times=times)
        return self._last

    def _names_of(self, shape: JobShape) -> Iterable[str]:
        """Names of jobs of a shape, which squeue tells wherever they may have their nodes."""
        return self._squeue.names_of(replace(shape, place=Place(needs=shape.place.needs)))

    def _tell_apart(self, text: str, form: Sequence[str]) -> str:
        """The queue, with each task by itself of arrays whose line stands for tasks that are not alike."""
        arrays = grouped(text, self._arrays.limits)
        if not arrays:
            return text
        which = f"--jobs={','.join(arrays[:_MOST_ARRAYS])}"
        try:
            for array in self._arrays.unknown(arrays)[:_AT_ONCE]:
                self._arrays.learn(array, self._run("scontrol", "show", "job", array))
            return told_apart(text, self._run("squeue", ALL, "--array", "--state=PENDING", "--noheader", which, *form))
        except SlurmFailure as failure:
            _queue_log.warning("the tasks of %d job arrays are treated as alike: %s", len(arrays), failure)
            return text

    def _count_running(self, arrays: Sequence[str]) -> Counter[str]:
        """How many tasks of these arrays run, by the array's number."""
        which = [f"--jobs={','.join(arrays)}"] if len(arrays) <= _MOST_ARRAYS else []
        text = self._run("squeue", ALL, "--noheader", "--state=RUNNING,SUSPENDED", "--format=%F", *which)
        return Counter(text.split())

    def _shows_all(self) -> bool:
        """Is this squeue new enough to show all that a job asks for? Repeated until it has answered."""
        if self._new is None:
            said = self._run("squeue", "--version")
            self._new, self._version = shows_all(said), version_of(said)
        return bool(self._new)

    # ---- changing --------------------------------------------------------------------------------------------------

    def drain(self, hostname: str, reason: str) -> None:
        """State=DRAIN: running jobs finish, none begins. It overwrites the reason of a drain by somebody else: whether
        to drain at all is the caller's to decide. Draining twice is success. Raises UnknownNode."""
        self._update(hostname, "State=DRAIN", f"Reason={_one_line(reason)}")

    def resume(self, hostname: str) -> None:
        """State=RESUME, for a drained or down node; success, too, where there is nothing to resume (row F5). Raises
        UnknownNode."""
        try:
            self._update(hostname, "State=RESUME")
        except NotNeeded as answer:
            _log.debug("%s needs no resume: %s", hostname, answer)

    def set_down(self, hostname: str, reason: str) -> None:
        """State=DOWN: jobs on the node end at once and may be requeued. Doing it twice is success. Raises UnknownNode.

        With ReturnToService=2 a node that still answers is idle again within a second: this comes after the destroy."""
        self._update(hostname, "State=DOWN", f"Reason={_one_line(reason)}")

    def describe(
        self,
        hostname: str,
        size: str,
        weight: int,
        *,
        others: Iterable[str] | None = None,
        gives: Sequence[str] = (),
        without: Collection[str] = (),
    ) -> None:
        """Give a node the feature `instancetype=SIZE`, in place of any other size's, and its weight (rows F11, F17);
        and those that the size `gives`, in place of those that others give, which are `without`.

        others: the features that the node has now, which are kept; None asks Slurm for them first. `Features=` would
        not do: it cannot replace one, and loses the weight with it. Raises UnknownNode.
        """
        if others is None:
            others = self._features_now(hostname)
        self._update(hostname, *_description(size, weight, _of_others(others, without), gives))

    def offer(self, hostnames: Sequence[str], features: Collection[str]) -> None:
        """Give these nodes all these features and no others. Slurm forgets them at a plain restart. Raises UnknownNode;
        in a list that names such a node the others get theirs."""
        for hostname in hostnames:
            _check_changeable(hostname)
        self._run("scontrol", "update", f"NodeName={','.join(hostnames)}", *_features(features))

    def describe_all(
        self,
        hostnames: Sequence[str],
        size: str,
        weight: int,
        *,
        gives: Sequence[str] = (),
        without: Collection[str] = (),
    ) -> dict[str, SlurmFailure]:
        """describe() for many nodes of one size, with two commands where they have the same other features. Returns the
        failures by node; raises what would fail for each of them: Slurm is away, or does not let this account.

        In a list that names a node that Slurm does not know, or refuses, the other nodes get the features and not the
        weight: then each node is asked for alone."""
        failures: dict[str, SlurmFailure] = {}
        for hostname in hostnames:
            try:
                _check_changeable(hostname)
            except Refused as refusal:
                failures[hostname] = refusal
        asked = [hostname for hostname in hostnames if hostname not in failures]
        nodes = self._sinfo(NodesReader(), f"--nodes={','.join(asked)}").nodes if asked else {}
        alike: dict[frozenset[str], list[str]] = {}
        for hostname in asked:
            if hostname in nodes:
                alike.setdefault(_of_others(nodes[hostname].features, without), []).append(hostname)
            else:
                failures[hostname] = UnknownNode("sinfo", f"it does not know the node {hostname}")
        for others, names in alike.items():
            changes = _description(size, weight, others, gives)
            try:
                self._run("scontrol", "update", f"NodeName={','.join(names)}", *changes)
            except (ControllerAway, NotInstalled, NotPermitted):
                raise
            except SlurmFailure as refusal:
                _log.info("a list of %d nodes was refused; each is tried alone: %s", len(names), refusal)
                failures |= self._update_each(names, changes)
        return failures

    def cancel(self, job_id: str) -> None:
        """Cancel the job of this number, or the jobs of this name (see `numbered`). That there is none is success."""
        if self.numbered:
            check_job_number("scancel", job_id)
            self._run("scancel", job_id)
            return
        if not job_id.strip() or not job_id.isprintable():
            raise Refused("scancel", f"{job_id!r} is not the name of a job")
        self._run("scancel", f"--name={job_id}")

    def check_rights(self) -> str | None:
        """One line when this account may not update nodes, else None. Changes nothing: slurmctld looks at the account
        before the node's name, and the node that is named does not exist. Raises SlurmFailure when Slurm is away."""
        try:
            self._update(_NO_SUCH_NODE, "Weight=1")
        except NotPermitted as refusal:
            return f"Slurm does not let this account update nodes: {refusal}"
        except (UnknownNode, Refused):
            return None
        return None

    # ---- for subclasses --------------------------------------------------------------------------------------------

    log = _log

    @staticmethod
    def check_changeable(hostname: str) -> None:
        """Raises Refused for what is not the name of one node, or is never ours."""
        _check_changeable(hostname)

    @staticmethod
    def one_line(text: str) -> str:
        """A text as Slurm can keep it: printable, on one line."""
        return _one_line(text)

    # ---- inside ----------------------------------------------------------------------------------------------------

    def _update_each(self, hostnames: Iterable[str], changes: Iterable[str]) -> dict[str, SlurmFailure]:
        failures: dict[str, SlurmFailure] = {}
        for hostname in hostnames:
            try:
                self._update(hostname, *changes)
            except SlurmFailure as failure:
                failures[hostname] = failure
        return failures

    def _features_now(self, hostname: str) -> Collection[str]:
        """Of one name alone sinfo tells them for next to nothing, though not which CPUs are in use: see nodes_now()."""
        check_hostname("sinfo", hostname)
        node = self._sinfo(NodesReader(), f"--nodes={hostname}").nodes.get(hostname) or self.node(hostname)
        if node is None:
            raise UnknownNode("sinfo", f"it does not know the node {hostname}")
        return node.features

    def _update(self, hostname: str, *changes: str) -> None:
        _check_changeable(hostname)
        self._run("scontrol", "update", f"NodeName={hostname}", *changes)


def _of_others(features: Iterable[str], without: Collection[str] = ()) -> frozenset[str]:
    return frozenset(each for each in features if not each.startswith(_FEATURE) and each not in without)


def _description(size: str, weight: int, others: Iterable[str], gives: Iterable[str]) -> list[str]:
    if not _FEATURE_VALUE.fullmatch(size):
        raise Refused("scontrol", f"the size name {size!r} cannot be a feature of Slurm")
    return [*_features([*others, *gives, f"{_FEATURE}{size}"]), f"Weight={weight:d}"]


def _features(features: Iterable[str]) -> list[str]:
    """Those that are no size's first."""
    text = ",".join(sorted(set(features), key=lambda each: (each.startswith(_FEATURE), each)))
    return [f"AvailableFeatures={text}", f"ActiveFeatures={text}"]


def check_job_number(command: str, job_id: str) -> None:
    """Raises Refused for what is not the number of one job."""
    if not JOB_NUMBER.fullmatch(job_id):
        raise Refused(command, f"{job_id[:80]!r} is not the number of a job")


def _check_changeable(hostname: str) -> None:
    check_hostname("scontrol", hostname)
    if hostname == DUMMY_NODE:
        raise Refused("scontrol", f"{DUMMY_NODE} belongs to Arvados' dispatcher and is never changed")


def _one_line(reason: str) -> str:
    return " ".join("".join(letter if letter.isprintable() else " " for letter in reason).split())
