"""What is changed at a Slurm that places jobs on names that are off: jobs go back, names are opened and closed.

Every method looks at what is to be changed just before, and is right twice as well as once. What one name or job is
refused costs only that one. What each command really does was tried on Slurm 22.05, 24.11 and 26.05:

* State=POWER_DOWN_FORCE ends jobs on a name at once, and takes a drain away; until it powers down, a second later, jobs
  may be placed there. One with Requeue=0 would be lost by it, one that may be queued
  again waits for two minutes (BeginTime) unless its start time is set anew.
  In that second a round of slurmctld's pings sends the name a message. NodeAddr is the name until its node registers,
  and again when it is off: so it is given one meanwhile, as the DNS may not know the name.
* State=DRAIN of a name that is off throws off a job that was placed there a moment ago; POWER_DOWN_ASAP closes such a
  name as well, and lets the job have its node. Slurm takes that drain away once the name powers down. One that powers
  down is drained by State=DRAIN alone: so that is sent while it does so for certain, and not when SuspendTimeout may
  be over by the time that Slurm carries it out.
* State=RESUME of a name that powers down makes it free at once, before SuspendTimeout is over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from threading import RLock
from time import localtime, monotonic, strftime

from arvnodeman.config.size_names import few
from arvnodeman.fleet.values.placed import GivenBack, JobsReleased, NamesOpened, PlacedJob
from arvnodeman.fleet.values.work import OURS, Power, WorkKind
from arvnodeman.slurm.cloud import CloudNodesAndJobs, Words
from arvnodeman.slurm.errors import ControllerAway, Refused, SlurmFailure, UnknownNode
from arvnodeman.slurm.job_marks import is_once, marked, unmarked
from arvnodeman.slurm.keeping import NOBODYS_ADDRESS
from arvnodeman.slurm.placed import BEGUN, CONFIGURING, LEAVING, PENDING, JobLine, by_name
from arvnodeman.slurm.power import is_given_up, work_of
from arvnodeman.slurm.show import ShownNode

_NOT_UP = frozenset({Power.WANTED, Power.STARTING})
_NO_RESUME_AFTER = "not supported"  # so says 22.05 of that parameter
_NAMES = 500  # in one argument
_SURELY_GOING = 8.0  # seconds after it was told to power down for which a name does so: SuspendTimeout is longer
_IN_TURN = RLock()
"""Held from the look at jobs to what is done about them: in between, nobody else changes whether they may be queued
again. A job that is made one that runs once at most just after it was seen not to be would be lost."""


class PlacingSlurm(CloudNodesAndJobs):
    """Slurm, the scheduler that places."""

    alone = 1  # jobs wait for what is changed

    def __init__(self, timeout: float, told: dict[str, float] | None = None, *, ahead: bool = False) -> None:
        """`told`: when each name was told to power down last, in steady time; of all that change the same Slurm.
        `ahead`: see CloudNodesAndJobs."""
        super().__init__(timeout, ahead=ahead)
        self._told = {} if told is None else told

    # ---- boots that do not come about --------------------------------------------------------------------------------

    def give_back(self, hostnames: Sequence[str], reason: str, *, interactive: bool) -> GivenBack:
        """Jobs placed on these names that have not begun go back to the queue, and the names are powered down. `kept`:
        those of an interactive job, and those where that was refused; `settled`: those that are up or off by now. A
        name of which Slurm did not answer in time is in neither; where that is all, it is a failure."""
        with _IN_TURN:
            return self._give_back(hostnames, self._reason(reason), interactive=interactive)

    def release_jobs(self, jobs: Sequence[PlacedJob], not_before: float | None = None) -> JobsReleased:
        """Jobs that were given back may be placed at once, or from a moment on (seconds since the epoch), and are as
        their users had them. Those that are not in the queue yet are returned. One that is placed again already keeps
        its mark until it has begun: its name may be given back at this moment, and with Requeue=0 it would be lost by
        that."""
        wanted = {job.id: job for job in jobs}
        start = "now" if not_before is None else strftime("%Y-%m-%dT%H:%M:%S", localtime(not_before))
        waiting: list[str] = []
        changes: list[tuple[str, Words]] = []
        with _IN_TURN:
            for line in self.lines_of(list(wanted)):
                if line.id in wanted and line.state in LEAVING:
                    waiting.append(line.id)
                elif line.id in wanted and (line.state == PENDING or line.state in BEGUN):
                    changes.append((line.id, _released(line, start, once=wanted[line.id].requeue_off)))
            failures = self.change_jobs(_alike(changes))
        self._tell(failures, "Slurm does not release job %s: %s")
        return JobsReleased(tuple(wanted[number] for number in (*waiting, *failures)))

    # ---- names -------------------------------------------------------------------------------------------------------

    def open_names(self, hostnames: Sequence[str]) -> NamesOpened:
        """State=RESUME for those that power down, are down or were closed by us. `opened`: also those that are not ours
        to open, since somebody else closed them or Slurm does not know them."""
        nodes = self._shown(hostnames)
        shut = [name for name, node in nodes.items() if _is_ours_to_open(node)]
        self._tell(self.resume_all(shut), "Slurm does not open %s: %s")
        if shut:
            nodes |= self._shown(shut)
        not_yet = {name for name, node in nodes.items() if _is_ours_to_open(node) or _is_about_to_go(node)}
        return NamesOpened(tuple(name for name in hostnames if name not in not_yet))

    def close_names(self, hostnames: Sequence[str], reason: str, resume_after: float) -> None:
        """State=POWER_DOWN_ASAP for those that are off, and State=DRAIN for those that power down: so a name that is
        off is closed at once, and for good by a second call soon after. One that powers down for longer already is
        opened and closed at once, as the drain might come when it is off and has a job."""
        nodes, why = self._shown(hostnames), self._reason(reason)
        going = [name for name, node in nodes.items() if _may_be_drained(node)]
        surely = [name for name in going if self._goes_surely(name)]
        after = f"ResumeAfter={max(1, round(resume_after))}"
        failures = self.change_all([(name, ("State=DRAIN", why, after)) for name in surely])
        if any(_NO_RESUME_AFTER in failure.said for failure in failures.values()):
            failures = self.change_all([(name, ("State=DRAIN", why)) for name in surely])
        others = [name for name in going if name not in surely]
        self.resume_all(others)  # refused for one that is off by now
        off = [name for name, node in nodes.items() if work_of(node).state.kind is WorkKind.OFF]
        self._note_told([*off, *others])
        failures |= self.change_all([(name, ("State=POWER_DOWN_ASAP", why)) for name in (*off, *others)])
        self._tell(failures, "Slurm does not close %s: %s")

    def power_up(self, hostnames: Sequence[str]) -> None:
        """State=POWER_UP, for those that are off in good order. (One that is sent to a name whose node is up stays, and
        after its next power-down it would be powered up again for nobody.)"""
        off = [name for name, node in self._shown(hostnames).items() if work_of(node).state.kind is WorkKind.OFF]
        self._tell(self.change_all([(name, ("State=POWER_UP",)) for name in off]), "Slurm does not power up %s: %s")

    # ---- as every scheduler ------------------------------------------------------------------------------------------

    def drain(self, hostname: str, reason: str) -> None:
        """drain_all() of one."""
        _raise_any(self.drain_all({hostname: reason}))

    def drain_all(self, reasons: Mapping[str, str]) -> dict[str, SlurmFailure]:
        """State=POWER_DOWN_ASAP: no job begins, and when the last has ended Slurm powers the name down. It cannot be
        taken back. One that is powered down, or about to be, is drained. One that is being powered up is refused: its
        jobs would be thrown off. Returns the failures by name."""
        nodes, failures = self._nodes_of(reasons)
        for name, node in nodes.items():
            if work_of(node).power in _NOT_UP:
                failures[name] = Refused("scontrol", f"{name} is being powered up: it is given back, and not drained")
        up = [name for name, node in nodes.items() if work_of(node).power is Power.ON]
        changes = [(name, ("State=POWER_DOWN_ASAP", self._reason(reasons[name]))) for name in up]
        return failures | self.change_all(changes)

    def resume(self, hostname: str) -> None:
        """resume_all() of one."""
        _raise_any(self.resume_all([hostname]))

    def set_down(self, hostname: str, reason: str) -> None:
        """set_down_all() of one."""
        _raise_any(self.set_down_all({hostname: reason}))

    def set_down_all(self, reasons: Mapping[str, str]) -> dict[str, SlurmFailure]:
        """The machines of these names are gone. State=DOWN ends the jobs of those that are up, of which those that may
        be queued again need not wait; then the name is powered down. A job that has not begun, since others of its
        nodes have not come, is made one that may first. One that is off, or powers down, is left as it is. One that is
        being powered up is refused, as give_back() is meant for it. Returns the failures by name."""
        nodes, failures = self._nodes_of(reasons)
        for name, node in nodes.items():
            if work_of(node).power in _NOT_UP:
                failures[name] = Refused("scontrol", f"{name} is being powered up: it is given back, and not set down")
        up = [name for name, node in nodes.items() if work_of(node).power in (Power.ON, Power.LEAVING)]
        with _IN_TURN:
            jobs = self._going_with(up)
            unmarked = self.change_jobs(_alike((job.id, _going_back(job)) for job in jobs))
            self._tell(unmarked, "Slurm does not mark job %s: %s")
            for name, some in by_name(jobs, up).items():
                lost = [unmarked[job.id] for job in some if job.id in unmarked and not job.requeue]
                if lost:
                    failures[name] = lost[0]
            now = [name for name in up if name not in failures]
            failures |= self.change_all([(name, ("State=DOWN", self._reason(reasons[name]))) for name in now])
        if jobs:  # those that are not in the queue yet have a mark
            self.release_jobs([job.placed for job in jobs])
        gone = [name for name in up if name not in failures]
        changes = [(name, ("State=POWER_DOWN", self._reason(reasons[name]))) for name in gone]
        return failures | self.change_all(changes)

    def _give_back(self, hostnames: Sequence[str], why: str, *, interactive: bool) -> GivenBack:
        waiting = [name for name, node in self._shown(hostnames).items() if work_of(node).power in _NOT_UP]
        first = by_name(self._jobs_placed_on(waiting), waiting)
        shut = [name for name, some in first.items() if interactive or all(job.batch for job in some)]
        # From here on no job is placed there that would be lost; those that were faster are seen by a second look.
        self.change_all([(name, ("State=POWER_DOWN_ASAP", why)) for name in shut])
        jobs = by_name(self._jobs_placed_on(shut), shut)
        kept = {name for name, some in jobs.items() if not interactive and not all(job.batch for job in some)}
        spared = {job.id for name in kept for job in jobs[name]}
        back = {job.id: job for some in jobs.values() for job in some if job.batch and job.id not in spared}
        failures = self.change_jobs(_alike((job.id, _going_back(job)) for job in back.values()))
        self._tell(failures, "Slurm does not take back job %s: %s")
        stay = spared | failures.keys()
        given = [name for name, some in jobs.items() if not any(job.id in stay for job in some)]
        # The second takes care that nothing is placed there in the second until it does power down.
        words = (("State=POWER_DOWN_FORCE", f"NodeAddr={NOBODYS_ADDRESS}", why), ("State=POWER_DOWN_ASAP", why))
        self._note_told(given)
        refused = self.change_all([(name, each) for name in given for each in words])
        self._tell(refused, "Slurm does not power down %s: %s")
        away = {name: failure for name, failure in refused.items() if isinstance(failure, ControllerAway)}
        done = {name: tuple(job.placed for job in jobs[name]) for name in given if name not in refused}
        if away and not done:
            _raise_any(away)
        left = tuple(name for name in waiting if name not in done and name not in away)
        return GivenBack(done, kept=left, settled=tuple(name for name in hostnames if name not in waiting))

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _note_told(self, hostnames: Iterable[str]) -> None:
        """Before they are: none of them powers down earlier than that."""
        self._told.update(dict.fromkeys(hostnames, monotonic()))

    def _goes_surely(self, hostname: str) -> bool:
        """Of one that powers down: does it so for a while yet?"""
        told = self._told.get(hostname)
        return told is not None and monotonic() - told < _SURELY_GOING

    def _shown(self, hostnames: Iterable[str]) -> dict[str, ShownNode]:
        """These nodes as slurmctld counts them now, of those that it knows."""
        return {name: node for name, node in self.shown_now(hostnames).items() if isinstance(node, ShownNode)}

    def _nodes_of(self, hostnames: Iterable[str]) -> tuple[dict[str, ShownNode], dict[str, SlurmFailure]]:
        """Likewise, and the failures of the others."""
        nodes: dict[str, ShownNode] = {}
        failures: dict[str, SlurmFailure] = {}
        for name, node in self.shown_now(hostnames).items():
            if isinstance(node, ShownNode):
                nodes[name] = node
            else:
                failures[name] = node or UnknownNode("scontrol", f"it does not know the node {name}")
        return nodes, failures

    def _going_with(self, hostnames: Sequence[str]) -> list[JobLine]:
        """The batch jobs there that go back to the queue with their node: those that may, and those that have not
        begun, since a part of their nodes has not come yet. These lose nothing by it."""
        return [job for job in self._jobs_on(hostnames) if job.batch and (job.requeue or job.state == CONFIGURING)]

    def _jobs_placed_on(self, hostnames: Sequence[str]) -> list[JobLine]:
        """The jobs that have not begun there."""
        return self._jobs_on(hostnames, f"--states={CONFIGURING}")

    def _jobs_on(self, hostnames: Sequence[str], *which: str) -> list[JobLine]:
        found: dict[str, JobLine] = {}
        for first in range(0, len(hostnames), _NAMES):
            names = ",".join(hostnames[first : first + _NAMES])
            found |= {line.id: line for line in self.job_lines(*which, f"--nodelist={names}")}
        return list(found.values())

    def _reason(self, reason: str) -> str:
        return f"Reason={self.one_line(reason)}"

    def _tell(self, failures: Mapping[str, SlurmFailure], text: str) -> None:
        """One line for all that failed in the same way: there may be thousands of names."""
        alike: dict[str, list[str]] = {}
        for name, failure in failures.items():
            alike.setdefault(str(failure), []).append(name)
        for said, names in alike.items():
            self.log.warning(text, few(names), said)


def _going_back(job: JobLine) -> Words:
    """The change after which a job goes back to the queue when its node goes."""
    comment = marked(job.comment, once=not job.requeue)
    words = () if job.requeue else ("Requeue=1",)
    return words if comment == job.comment else (*words, f"AdminComment={comment}")


def _released(job: JobLine, start: str, *, once: bool) -> Words:
    """What lets it be placed from then on, and makes it what it was."""
    words = [f"StartTime={start}"] if job.state == PENDING else []
    if job.requeue and (once or is_once(job.comment)):
        words.append("Requeue=0")
    comment = unmarked(job.comment)
    return tuple(words if comment == job.comment else [*words, f"AdminComment={comment}"])


def _alike(changes: Iterable[tuple[str, Words]]) -> dict[Words, list[str]]:
    """The jobs of each change; one that is none is left out."""
    found: dict[Words, list[str]] = {}
    for number, words in changes:
        if words:
            found.setdefault(words, []).append(number)
    return found


def _is_ours_to_open(node: ShownNode) -> bool:
    """Would State=RESUME make it free, and may we do it?"""
    power, closed = work_of(node).power, "DRAIN" in node.flags
    if power not in (Power.OFF, Power.GOING) or not (closed or node.base == "DOWN"):
        return power is Power.GOING
    return node.said.startswith(OURS) or (not closed and is_given_up(node))


def _is_about_to_go(node: ShownNode) -> bool:
    """Is it asked to power down, and does not yet?"""
    return "POWER_DOWN" in node.flags and not node.works


def _may_be_drained(node: ShownNode) -> bool:
    """Does it power down, and is not drained yet, by us or by anybody else?"""
    return work_of(node).power is Power.GOING and "DRAIN" not in node.flags


def _raise_any(failures: Mapping[str, SlurmFailure]) -> None:
    for failure in failures.values():
        raise failure
