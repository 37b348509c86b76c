"""Virtual time: the heap of what happens next, the polls and operators that stand between a site and a Fleet."""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from arvnodeman.fleet.fleet import Fleet
from arvnodeman.fleet.messages import (
    CloudListed,
    Command,
    CreateNode,
    DestroyNode,
    Event,
    Note,
    Poll,
    PollFailed,
    PollNow,
    QueueListed,
    RecordsListed,
    Step,
    StepDone,
    StepFailed,
    Tick,
)
from arvnodeman.fleet.values.model import ErrorKind, Policy, ProviderSize, RemoteError, RemoteFailure
from simulation.names import NamesSite
from simulation.site import SimJob, SimNode, Site

EPOCH = 1_700_000_000.0


@dataclass(slots=True)
class Pace:
    """How fast things are, in seconds, and how often they fail (rates of 0 to 1)."""

    poll: float = 60.0
    boot: float = 120.0
    ping: float = 60.0
    step: float = 1.0
    fails_before: float = 0.0  # a step fails and has done nothing
    fails_after: float = 0.0  # a step fails and has worked
    poll_fails: float = 0.0
    list_lies: float = 0.0  # a cloud list that lacks something
    record_lies: float = 0.0  # a record list that lacks something
    slurm_lies: float = 0.0  # many nodes are called down at once
    never_pings: float = 0.0
    dies: float = 0.0  # chance of each node to vanish at some time
    throttled: float = 0.0


@dataclass(slots=True, repr=False)
class Run:
    """A Fleet on a simulated site. `advance()` lets time pass; everything is decided by `seed`."""

    policy: Policy
    sizes: tuple[ProviderSize, ...]
    seed: int = 0
    pace: Pace = field(default_factory=Pace)
    slots: int = 64
    names: bool = False  # Slurm alone: names are the records
    rng: random.Random = field(init=False)
    site: Site = field(init=False)
    fleet: Fleet = field(init=False)
    now: float = EPOCH
    steps: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    watch: Callable[[Event, float, list[Command]], None] = lambda event, now, commands: None
    skew: float = 0.0  # the daemon's clock less the site's
    events: int = 0
    _heap: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _serial: int = 0
    _epoch: int = 0  # of the daemon: answers to an earlier one are lost
    _tick_at: float | None = None
    _poll_at: dict[Poll, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        kind = NamesSite if self.names else Site
        self.site = kind(self.sizes, self.rng, slots=self.slots)
        self.site.now = self.now
        self.site.on_boot = self._node_booting
        self.site.on_start = self._job_started
        self.start()

    # ---- the daemon -------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """A new daemon: what the last one waited for never comes."""
        self._epoch += 1
        if isinstance(self.site, NamesSite):
            self.site.daemon_started()
        self._tick_at = None
        self._poll_at.clear()
        self.fleet = Fleet(self.policy, self.now + self.skew)
        for offset, poll in enumerate(Poll):
            self._poll_later(poll, 0.1 * offset)
        self._arm()

    def tell(self, event: Event) -> list[Command]:
        """One event for the Fleet, and what follows from it."""
        self.events += 1
        commands = self.fleet.handle(event, self.now + self.skew)
        self.watch(event, self.now + self.skew, commands)
        for command in commands:
            if isinstance(command, Step):
                self._carry_out(command)
            elif isinstance(command, PollNow):
                for poll in command.polls:
                    self._poll_later(poll, 0.0)
            elif isinstance(command, Note) and command.level >= 30:
                self.notes.append(command.text % command.args)
        self._arm()
        return commands

    def _arm(self) -> None:
        wakeup = self.fleet.next_wakeup()
        if wakeup is None:
            return
        at = max(self.now, wakeup - self.skew)
        if self._tick_at is None or at < self._tick_at:
            self._tick_at = at
            self.at(at, self._tick(at, self._epoch))

    def _tick(self, at: float, epoch: int) -> Callable[[], None]:
        def tick() -> None:
            if epoch == self._epoch and self._tick_at == at:
                self._tick_at = None
                self.tell(Tick())

        return tick

    def _carry_out(self, step: Step) -> None:
        self.steps[type(step).__name__] += 1
        epoch = self._epoch

        def act() -> None:
            answer = self._answer(step)

            def report() -> None:
                if epoch == self._epoch:
                    self.tell(answer)

            self.at(self.now + self.pace.step / 2, report)

        self.at(self.now + self.pace.step / 2, act)

    def _answer(self, step: Step) -> StepDone | StepFailed:
        chance = self.rng.random()
        if chance < self.pace.fails_before:
            return StepFailed(step, RemoteError(ErrorKind.TRANSIENT, "the connection broke"))
        if chance < self.pace.fails_before + self.pace.throttled and isinstance(step, CreateNode | DestroyNode):
            return StepFailed(step, RemoteError(ErrorKind.THROTTLED, "too many requests", retry_after=5.0))
        try:
            result = self.site.carry_out(step)
        except RemoteFailure as failure:
            return StepFailed(step, failure.error)
        if self.rng.random() < self.pace.fails_after:
            return StepFailed(step, RemoteError(ErrorKind.TRANSIENT, "no answer in time"))
        return StepDone(step, result)

    def _poll_later(self, poll: Poll, wait: float) -> None:
        at = self.now + wait
        planned = self._poll_at.get(poll)
        if planned is not None and self.now <= planned <= at:
            return
        self._poll_at[poll] = at
        epoch = self._epoch

        def ask() -> None:
            if epoch == self._epoch and self._poll_at.get(poll) == at:
                del self._poll_at[poll]
                self._poll_later(poll, self.pace.poll)
                self.tell(self._poll(poll))

        self.at(at, ask)

    def _poll(self, poll: Poll) -> Event:
        if self.rng.random() < self.pace.poll_fails:
            return PollFailed(poll, RemoteError(ErrorKind.TRANSIENT, "poll failed"), slurm=poll is Poll.RECORDS)
        match poll:
            case Poll.CLOUD:
                nodes = self.site.list_cloud()
                if nodes and self.rng.random() < self.pace.list_lies:
                    nodes = nodes[: self.rng.randrange(len(nodes))]
                return CloudListed(nodes, self.now + self.skew, clock_offset=-self.skew)
            case Poll.RECORDS:
                return self._records()
            case Poll.QUEUE:
                return QueueListed(self.site.list_queue(), self.now + self.skew, self.site.list_refused())

    def _records(self) -> RecordsListed:
        offset: float | None = -self.skew
        if isinstance(self.site, NamesSite):  # the keeper has no other clock than the daemon's
            self.site.skew, offset = self.skew, None
        records, slurm = self.site.list_records(), self.site.list_slurm()
        if records and self.rng.random() < self.pace.record_lies:
            records = records[: self.rng.randrange(len(records))]
        if self.rng.random() < self.pace.slurm_lies:
            slurm = {name: replace(node, state="down", responding=False) for name, node in slurm.items()}
        return RecordsListed(records, slurm, self.now + self.skew, clock_offset=offset)

    # ---- the site's own doing ---------------------------------------------------------------------------------------

    def _node_booting(self, node: SimNode) -> None:
        if self.rng.random() < self.pace.never_pings:
            node.dead = True
        else:
            self.at(self.now + self.pace.boot * (0.8 + 0.4 * self.rng.random()), lambda: self._ping(node))
        if self.rng.random() < self.pace.dies:
            self.at(self.now + self.rng.random() * 7200, lambda: self._die(node))

    def _ping(self, node: SimNode) -> None:
        if node.id in self.site.cloud and not node.dead and self.site.ping(node):
            self.at(self.now + self.pace.ping, lambda: self._ping(node))

    def _die(self, node: SimNode) -> None:
        if node.id in self.site.cloud:
            self.site.vanish(node.id)

    def _job_started(self, job: SimJob) -> None:
        run, nodes = job.runs, job.nodes

        def end() -> None:
            alive = all(self.site.slurm[name].node in self.site.cloud for name in nodes)
            if job.runs == run and job.nodes == nodes and alive:
                self.site.finish(job)

        self.at(self.now + job.duration, end)

    # ---- time -------------------------------------------------------------------------------------------------------

    def at(self, when: float, what: Callable[[], None]) -> None:
        """Something happens later."""
        self._serial += 1
        heapq.heappush(self._heap, (when, self._serial, what))

    def advance(self, seconds: float) -> None:
        """Let so much time pass."""
        end = self.now + seconds
        while self._heap and self._heap[0][0] <= end:
            when, _, what = heapq.heappop(self._heap)
            self.now = self.site.now = max(self.now, when)
            what()
        self.now = self.site.now = end

    def until(self, condition: Callable[[], bool], limit: float) -> bool:
        """Let time pass, a poll at a time, until something is so."""
        end = self.now + limit
        while not condition():
            if self.now >= end:
                return False
            self.advance(self.pace.poll / 4)
        return True
