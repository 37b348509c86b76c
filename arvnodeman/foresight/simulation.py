"""A daemon's brain and a simulated site, in virtual time."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, TypeVar

from arvnodeman.fleet.fleet import Fleet
from arvnodeman.fleet.messages import DEBUG, WARNING, Command, Event, Note, Poll, Step
from arvnodeman.fleet.values.model import Policy, ProviderSize
from arvnodeman.foresight.agenda import Agenda
from arvnodeman.foresight.faults import FaultyWorld
from arvnodeman.foresight.placing_site import PlacingSite
from arvnodeman.foresight.sim_site import SimSite
from arvnodeman.foresight.simulated_site import SimulatedSite
from arvnodeman.loop.in_turn import InTurn
from arvnodeman.loop.polling import PollTimes
from arvnodeman.loop.watched import WatchedBrain, Watcher
from arvnodeman.loop.world import World, carry_out

EPOCH = 1_700_000_000.0
Site = TypeVar("Site", bound=SimSite)


@dataclass(slots=True)
class Pace:
    """How fast a daemon is, in seconds."""

    poll: float = 60.0
    max_wait: float = 300.0  # between polls that fail
    step: float = 1.0  # there and back
    polls: Mapping[Poll, float] = field(default_factory=dict)  # of lists that are polled more often, or less
    wake: float = 0.0  # so often it is looked whether jobs came, and if so `woken` are polled at once; 0: never
    woken: frozenset[Poll] = frozenset({Poll.QUEUE})


@dataclass(slots=True, repr=False)
class SiteLife(Generic[Site]):
    """A Fleet on a simulated site. `advance()` lets time pass; everything is decided by `seed`."""

    policy: Policy
    sizes: tuple[ProviderSize, ...]
    seed: int = 0
    pace: Pace = field(default_factory=Pace)
    slots: int = 64
    start: float = EPOCH  # when it begins
    notes_from: int = DEBUG  # lines of the log of lesser levels are not made
    before: Callable[[Any, World], World] | None = None  # what stands before the site
    rng: random.Random = field(init=False)
    agenda: Agenda = field(init=False)
    site: Site = field(init=False)
    faulty: FaultyWorld = field(init=False)
    world: World = field(init=False)
    fleet: Fleet = field(init=False)
    steps: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)  # warnings and errors
    heard: Sequence[Command] = ()  # what the newest event led to
    watch: Watcher | None = None
    events: int = 0
    _daemon: InTurn = field(init=False)
    _wakes: bool = False

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)  # noqa: S311 - a simulation, not a secret
        self.agenda = Agenda(self.start)
        self.site = self._make_site()
        self.faulty = FaultyWorld(self.site, self.rng)
        self.world = self.faulty if self.before is None else self.before(self, self.faulty)
        self._start()

    def _make_site(self) -> Site:
        raise NotImplementedError

    @property
    def now(self) -> float:
        """The site's time."""
        return self.agenda.now

    def wall(self) -> float:
        """The daemon's time."""
        return self.agenda.now + self.site.skew

    # ---- the daemon -------------------------------------------------------------------------------------------------

    def restart(self) -> None:
        """A new daemon: what the last one waited for never comes, and what it has asked for happens."""
        for moment, step in self._daemon.sent():
            self.agenda.at(moment, partial(self._arrives, step))
        self._start()

    def _arrives(self, step: Step) -> None:
        carry_out(self.world, (step,))

    def _start(self) -> None:
        self.site.daemon_started()
        self.fleet = Fleet(self.policy, self.wall(), notes_from=self.notes_from)
        pace = self.pace
        times = {poll: PollTimes(pace.polls.get(poll, pace.poll), pace.max_wait) for poll in Poll}
        self._daemon = InTurn(
            WatchedBrain(self.fleet, self._told),
            self.world,
            times,
            wall=self.wall,
            steady=lambda: self.agenda.now,
            write=self._write,
            takes=self.pace.step / 2,
        )

    def tell(self, event: Event) -> Sequence[Command]:
        """One event more for the Fleet, such as an operator's word. Returns what it commands."""
        self._daemon.tell(event)
        return self.heard

    def _told(self, event: Event, now: float, commands: Sequence[Command]) -> None:
        self.events += 1
        self.heard = commands
        for command in commands:
            if isinstance(command, Step):
                self.steps[type(command).__name__] += 1
        if self.watch is not None:
            self.watch(event, now, commands)

    def _write(self, note: Note) -> None:
        if note.level >= WARNING:
            self.notes.append(note.text % note.args)

    def jobs_came(self) -> None:
        """It is seen at the next look that jobs have come."""
        pace = self.pace
        if pace.wake and not self._wakes:
            self._wakes = True
            since = (self.agenda.now - self.start) % pace.wake
            self.agenda.at(self.agenda.now + pace.wake - since, self._wake)

    def _wake(self) -> None:
        self._wakes = False
        self._daemon.poll_now(self.pace.woken)

    # ---- time -------------------------------------------------------------------------------------------------------

    def advance(self, seconds: float) -> None:
        """Let so much time pass."""
        agenda, daemon = self.agenda, self._daemon
        end = agenda.now + seconds
        while min(agenda.next(), daemon.next()) <= end:
            self.turn()
        agenda.now = end

    def turn(self) -> None:
        """Let the next thing happen, whenever that is."""
        agenda, daemon = self.agenda, self._daemon
        site, ours = agenda.next(), daemon.next()
        if site <= ours:
            agenda.turn()
        else:
            agenda.now = max(agenda.now, ours)
            daemon.turn()

    def until(self, condition: Callable[[], bool], limit: float) -> bool:
        """Let time pass, a quarter of a poll at a time, until something is so."""
        end = self.now + limit
        while not condition():
            if self.now >= end:
                return False
            self.advance(self.pace.poll / 4)
        return True


@dataclass(slots=True, repr=False)
class Simulation(SiteLife[SimulatedSite]):
    """With a queue, from which the daemon knows what waits. `slots`: names that Slurm has."""

    names: bool = False  # Slurm alone: names are the records
    share: bool = False  # several jobs may be on a node, where their shapes say what they take of it

    def _make_site(self) -> SimulatedSite:
        return SimulatedSite(
            self.agenda, self.sizes, self.rng, slots=self.slots, names=self.names, share=self.share
        )  # fmt: skip


@dataclass(slots=True, repr=False)
class PlacingSimulation(SiteLife[PlacingSite]):
    """With a Slurm that places jobs on names which are off. `slots`: names of each size."""

    def _make_site(self) -> PlacingSite:
        return PlacingSite(self.agenda, self.sizes, self.rng, names=self.slots)
