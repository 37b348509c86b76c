"""What must hold of a Fleet for whose site Slurm places jobs on names that are off, at every command."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from arvnodeman.fleet.messages import (
    CloudListed,
    Command,
    DestroyNode,
    Event,
    QueueListed,
    RecordsListed,
    SetNodeDown,
)
from arvnodeman.fleet.values.model import Directive
from arvnodeman.fleet.values.reasons_of_placing import Clears, Comes, Unread
from arvnodeman.foresight.placing_site import PlacingSite
from arvnodeman.foresight.sim_power import UP
from simulation.watch import Watch

UNEXPLAINED = 5  # queues in which a placed job has no reason
LISTS = 3  # make a round: of the cloud, of names, of jobs
UNSERVED = 12  # rounds ...
UNSERVED_FOR = 600.0  # ... and seconds in which no machine is made for a placed job, and nothing stands in its way
UNDER_WAY = (Clears, Comes, Unread)  # reasons that promise that it goes on


@dataclass(slots=True, repr=False)
class PlacingWatch(Watch):
    """Beside what holds everywhere."""

    unexplained: Counter[str] = field(default_factory=Counter)  # placed jobs: queues in a row without a reason
    # Placed jobs, and their names, for some of which there is no machine: rounds of lists, and since when
    unserved: dict[tuple[str, tuple[str, ...]], tuple[int, float]] = field(default_factory=dict)
    lists: set[type] = field(default_factory=set)  # that have come since the last round was over

    @property
    def site(self) -> PlacingSite:
        """Whose Slurm tells the truth."""
        site: PlacingSite = self.run.site
        return site

    def _check_site(self, event: Event, commands: Sequence[Command]) -> None:
        tally = self.site.placing
        for name in ("killed", "doubled"):
            if getattr(tally, name):
                self._blame(f"{name}: {getattr(tally, name)}")
        if self.site.slurms.harmed:
            self._blame(f"jobs are ended by commands: {self.site.slurms.harmed}")
        if tally.came_meanwhile:
            self.seen.add("a node came up while it was being destroyed")
        if isinstance(event, CloudListed | RecordsListed | QueueListed):
            self.lists.add(type(event))
        if isinstance(event, QueueListed):
            self._check_explained(event)
            if len(self.lists) == LISTS:
                self.lists.clear()
                self._check_served(event)

    def _check_explained(self, event: QueueListed) -> None:
        """Each placed job has a reason, as has each that was given back."""
        view, names = self.run.fleet.view, self.site.slurms.names
        for job in event.jobs:
            comes = any(names[name].power != UP for name in job.names)
            if comes and not view.blocked and job.id not in view.placed:
                self.unexplained[job.id] += 1
                if self.unexplained[job.id] >= UNEXPLAINED:
                    self._blame(f"job {job.id} on {job.names} is told no reason")
            else:
                del self.unexplained[job.id]

    def _check_served(self, event: QueueListed) -> None:
        """A placed job waits for a while only when nobody makes a machine for one of its names, and its reason tells of
        nothing that forbids it. (Slurm's ResumeTimeout would end it, after half an hour.)"""
        view, names, now = self.run.fleet.view, self.site.slurms.names, self.run.now
        made = {boot.hostname for boot in self.run.fleet._state.boots.values() if boot.outcome is None}
        made |= {node.name for node in self.site.clouds.nodes.values()}
        unserved = {}
        for job in event.jobs:
            lacking = [name for name in job.names if names[name].power != UP and name not in made]
            why = view.placed.get(job.id)
            if not lacking or view.blocked or not (why is None or isinstance(why, UNDER_WAY)):
                continue
            rounds, since = self.unserved.get((job.id, job.names), (0, now))
            unserved[job.id, job.names] = rounds + 1, since
            if rounds >= UNSERVED and now - since >= UNSERVED_FOR:
                self._blame(f"job {job.id} waits on {job.names}, nobody makes {lacking}, and nothing stands in its way")
        self.unserved = unserved

    def _check_destroy(self, step: DestroyNode) -> None:
        """What its name is at when the request comes there, the site tells."""
        if self.words.get(step.node.id) is Directive.KILL:
            return
        self._must_be_fresh(step)
        if self.words.get(step.node.id) is Directive.HOLD:
            self._blame(f"a held node is destroyed: {step.node.id}")

    def _check_down(self, step: SetNodeDown) -> None:
        """DOWN ends the job on a node: never for one that lives."""
        name = self.site.slurms.names[step.hostname]
        if name.power == UP and name.answers and name.node is not None and not name.node.stopped:
            self._blame(f"{step.hostname} is set DOWN while its node lives")

    def account(self, text: str) -> str:
        """What stands, for a failure."""
        view, site = self.run.fleet.view, self.site
        waiting = [job for job in site.jobs.values() if not job.over]
        names = [(name.name, name.word, name.comment, name.reason) for name in site.slurms.names.values()]
        placed = {job: why.words(view.t) for job, why in view.placed.items()}
        return (
            f"{text}\njobs {waiting}\nnames {names}\nplaced {placed}\nclosed {view.closed}\n"
            f"nodes {[(node.name, node.state.value, node.why.words(view.t)) for node in view.nodes.values()]}\n"
            f"cloud {list(site.clouds.nodes.values())}\noperations {view.operations}\nblocked {view.blocked!r}"
            f" backing off {view.backing_off}\n{self.run.notes[-10:]}"
        )
