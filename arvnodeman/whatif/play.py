"""Plays a scenario: the very Fleet, on a site in virtual time, with the jobs of a trace."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from arvnodeman.config import Settings
from arvnodeman.fleet.messages import WARNING, Command, Event, Poll, QueueListed, RecordsListed
from arvnodeman.fleet.sizes.table import SizeTable
from arvnodeman.fleet.values.budgets import BudgetStanding
from arvnodeman.fleet.values.reasons_of_spares import StaysAhead, StaysAsSpare
from arvnodeman.foresight.simulation import Pace, SiteLife
from arvnodeman.loop.world import World
from arvnodeman.money.dearest import dearest
from arvnodeman.traces.job import TracedJob
from arvnodeman.whatif.books import Books, NodePhase
from arvnodeman.whatif.curve import Curve
from arvnodeman.whatif.forecast import Forecast, Impossible, JobCounts, PayerPlayed, Played
from arvnodeman.whatif.held import Holding
from arvnodeman.whatif.load import Load, Part
from arvnodeman.whatif.lowest import LowestCosts
from arvnodeman.whatif.paid import BudgetedWorld, PlayedLedger
from arvnodeman.whatif.placed_site import PlacedPlayedSite
from arvnodeman.whatif.scenario import Scenario
from arvnodeman.whatif.site import PlayedSite, Telling
from arvnodeman.whatif.waits import MOST_ACCOUNTS, by_name, wait_times

BEFORE = 2  # polls that the daemon has made when the first job comes
AFTER = 86_400.0  # seconds after the last job in which nodes may go yet
IN_VAIN = 7 * 86_400.0  # seconds in which no job begins or ends although some wait
SPARE_NAMES = 16  # beside max_nodes: a name rests a while
MOST_PAYERS = 50
TURNS = 256  # events between two looks whether somebody wants it to stop


def play(
    scenario: Scenario,
    *,
    progress: Callable[[float], object] | None = None,
    stop: Callable[[], bool] | None = None,
) -> Played:
    """What comes of it. `progress` is told now and then what share of the jobs is over; once `stop` says so, the
    forecast is of what has been until then."""
    playing = Playing(scenario)
    partial_ = playing.run(progress, stop)
    return playing.played(partial_=partial_)


@dataclass(slots=True, repr=False)
class WhatIfLife(SiteLife[PlayedSite | PlacedPlayedSite]):
    """A Fleet on the site of a scenario."""

    make: Callable[[WhatIfLife], PlayedSite | PlacedPlayedSite] | None = field(default=None, kw_only=True)

    def _make_site(self) -> PlayedSite | PlacedPlayedSite:
        assert self.make is not None
        return self.make(self)


class Playing:
    """One scenario while it is played."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        settings = scenario.settings
        policy = settings.policy()
        table = SizeTable(policy.sections, scenario.sizes, policy.node_mem_scaling)
        self._load = Load(scenario.jobs, table, policy, ahead=settings.daemon.ahead)
        self._table = table
        self._budgets: BudgetedWorld | None = None
        self._books = Books(table.cheapest_first)
        self._lowest = LowestCosts(table.cheapest_first)
        self._waits: list[float | None] = [None] * len(scenario.jobs)
        self._runs: dict[str, int] = {}  # jobs that are there, by id: places in the trace
        self._done = self._left = self._requeues = 0
        self._news = self._start()
        self._readies = bool(policy.spares) or settings.daemon.ahead
        self._holding = Holding()
        self._curve = Curve(self._start(), self._load.last)
        self._life = WhatIfLife(
            policy,
            scenario.sizes,
            scenario.seed,
            pace_of(settings),
            slots=scenario.names or policy.max_nodes + max(SPARE_NAMES, policy.max_nodes // 10),
            start=self._start(),
            notes_from=WARNING,
            before=lambda life, _: self._budgeted(life.site),
            make=partial(self._make_site, table),
        )
        self._life.watch = self._saw
        if settings.daemon.ahead:
            self._life.site.later = lambda: self._load.later(self._life.now)
        self._come()

    def _budgeted(self, site: PlayedSite | PlacedPlayedSite) -> World:
        """The site; where there are budgets, behind what tells of them."""
        budgets = self._scenario.settings.budgets
        if budgets or self._scenario.by:
            self._books.ledger = PlayedLedger(self._table.cheapest_first, self._start(), periods=bool(budgets))
        if not budgets or self._books.ledger is None:
            return site
        self._budgets = BudgetedWorld(site, self._books.ledger, budgets, self._standings)
        return self._budgets

    def _standings(self) -> Sequence[BudgetStanding]:
        return self._life.fleet.budgets()

    def _start(self) -> float:
        before = BEFORE * max(map(self._scenario.settings.poll_time_of, Poll))
        return (self._load.first if self._load.first is not None else 0.0) - before

    def _make_site(self, table: SizeTable, life: WhatIfLife) -> PlayedSite | PlacedPlayedSite:
        scenario, sizes = self._scenario, table.cheapest_first
        telling = Telling(scenario, sizes, self._books, began=self._began, ended=self._ended)
        made = PlacedPlayedSite if scenario.settings.places else PlayedSite
        return made(life.agenda, scenario, table, telling, life.slots)

    # ---- time --------------------------------------------------------------------------------------------------------

    def run(self, progress: Callable[[float], object] | None, stop: Callable[[], bool] | None) -> bool:
        """Until all is over. Was it stopped before?"""
        every = len(self._load.arrivals) or 1
        told = 0.0
        while not self._is_over():
            if stop is not None and stop():
                return True
            self._go_on(TURNS)
            share = self._left / every
            if progress is not None and share - told >= 0.005:
                told = share
                progress(share)
        if progress is not None:
            progress(1.0)
        return False

    def _go_on(self, turns: int) -> None:
        """So many events, or until no job is there and none is to come: then each may be the last."""
        life, load, jobs = self._life, self._load, self._life.site.jobs
        for _ in range(turns):
            life.turn()
            if not jobs and not load.is_to_come:
                return

    def _is_over(self) -> bool:
        """No job is to come or there, and no node but those that are always kept; or nothing happens any more."""
        quiet = self._life.now - self._news
        if self._load.is_to_come:
            return False
        if self._life.site.jobs:
            return quiet > IN_VAIN
        policy = self._life.policy
        kept = policy.min_nodes + sum(spare.wanted(0, self._life.now) for spare in policy.spares)
        return len(self._life.site.clouds.nodes) <= kept or quiet > AFTER

    # ---- jobs --------------------------------------------------------------------------------------------------------

    def _come(self) -> None:
        """The next jobs are submitted when their moment has come."""
        moment = self._load.next_arrival
        if moment is not None:
            self._life.agenda.at(moment, self._submit)

    def _submit(self) -> None:
        life = self._life
        parts = list(self._load.come(life.now))
        ids = list(map(self._note, parts))
        life.site.come(parts, ids)
        for part, identity in zip(parts, ids, strict=True):
            if part.leaves is not None:
                life.agenda.at(part.leaves, partial(self._take_back, identity, part.place))
        life.jobs_came()
        self._come()

    def _note(self, part: Part) -> str:
        """By what id it is known while it is there. The brain may ask it of Slurm's jobs: then it is a number."""
        identity = str(part.place + 1) if self._scenario.settings.places else part.id
        if identity in self._runs:
            identity = f"{identity} (job {part.place + 1} of the trace)"
        self._runs[identity] = part.place
        return identity

    def _take_back(self, identity: str, place: int) -> None:
        if self._runs.get(identity) == place:
            self._life.site.take_back(identity)

    def _began(self, identity: str, run: int, wait: float) -> None:
        self._news = self._life.now
        if run > 1:
            self._requeues += 1
        else:
            self._waits[self._runs[identity]] = wait

    def _ended(self, identity: str, seconds: float | None) -> None:
        self._news = self._life.now
        place = self._runs.pop(identity)
        self._left += 1
        if seconds is not None:
            self._done += 1
            self._lowest.add(self._scenario.jobs[place].shape, seconds, self._load.cheapest(place))

    def _saw(self, event: Event, _: float, __: Sequence[Command]) -> None:
        """The Fleet has been told something."""
        if isinstance(event, RecordsListed) and self._readies:
            self._books.stand_ready(self._stands_as, self._life.now)
        if not isinstance(event, QueueListed):
            return
        life, now = self._life, self._life.now
        if event.jobs:
            waiting, t = life.fleet.waiting()
            self._holding.observe(waiting, event.jobs, life.site.number, t, now)
        else:
            self._holding.rest(now)
        if self._curve.is_due(now):
            self._curve.add(now, self._books, len(event.jobs))

    def _stands_as(self, identity: str) -> NodePhase:
        """An idle node."""
        reason = self._life.fleet.why_stays(identity)
        if isinstance(reason, StaysAsSpare):
            return NodePhase.IS_SPARE
        return NodePhase.IS_AHEAD if isinstance(reason, StaysAhead) else NodePhase.IS_IDLE

    # ---- what came of it ---------------------------------------------------------------------------------------------

    def played(self, *, partial_: bool) -> Played:
        """The books are closed."""
        life, load, jobs = self._life, self._load, self._scenario.jobs
        budgets = self._budgets.played(life.now) if self._budgets is not None else []
        payers = self._payers()
        self._books.close(life.now)
        self._holding.rest(life.now)
        running, left = life.site.running(), len(load.arrivals) - load.came
        by_size = self._books.by_size()
        begun = [wait for wait in self._waits if wait is not None]
        forecast = Forecast(
            began=jobs[0].submit if jobs else life.start,
            ended=life.now,
            partial=partial_,
            seed=self._scenario.seed,
            jobs=JobCounts(
                all=len(jobs),
                done=self._done,
                running=running,
                waiting=len(life.site.jobs) - running + (0 if partial_ else left),
                to_come=left if partial_ else 0,
                withdrawn=load.left_out + self._left - self._done,
                impossible=sum(map(len, load.impossible.values())),
                requeues=self._requeues,
            ),
            waits=wait_times(begun),
            waits_by_partition=by_name(zip(map(_partition, jobs), self._waits, strict=True)),
            waits_by_account=by_name(zip(map(_account, jobs), self._waits, strict=True), MOST_ACCOUNTS),
            traced_waits=wait_times(_traced(jobs, self._waits)),
            node_hours=self._books.hours(),
            cost=sum(each.cost for each in by_size.values()),
            by_size=by_size,
            by_purchase=self._books.by_purchase(),
            boots=self._books.boots,
            failed_boots=self._books.failed,
            most_nodes=self._books.most,
            held=self._holding.found(),
            lowest=self._lowest.found(),
            impossible=[
                Impossible(shape=why, jobs=len(places), first=jobs[places[0]].id)
                for why, places in load.impossible.items()
            ],
            remarks=load.remarks(),
            budgets=list(budgets),
            payers=payers,
        )
        return Played(forecast, self._waits, self._curve.moments)

    def _payers(self) -> list[PayerPlayed]:
        ledger, by = self._books.ledger, self._scenario.by
        if ledger is None or not by:
            return []
        found = dearest(ledger.totals(self._life.now), by, MOST_PAYERS)
        return [PayerPlayed(name=name, cost=cost) for name, cost in found]


def _partition(job: TracedJob) -> str:
    return job.partition


def _account(job: TracedJob) -> str:
    return job.shape.owner.account


def _traced(jobs: Sequence[TracedJob], waits: Sequence[float | None]) -> Iterator[float]:
    """The waits that the trace tells of the jobs that have begun here."""
    for job, wait in zip(jobs, waits, strict=True):
        if wait is not None and job.begin is not None:
            yield max(0.0, job.begin - (job.eligible if job.eligible is not None else job.submit))


def pace_of(settings: Settings) -> Pace:
    """As fast as the daemon would be with this configuration."""
    daemon = settings.daemon
    return Pace(
        poll=daemon.poll_time,
        max_wait=daemon.max_poll_time,
        polls={poll: settings.poll_time_of(poll) for poll in Poll},
        wake=daemon.wake_poll if settings.arvados.slurm_queue else 0.0,
        woken=frozenset(settings.woken_polls),
    )
