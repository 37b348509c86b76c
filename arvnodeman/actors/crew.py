"""All actors of one daemon: how they are made from the configuration, started, and stopped."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

import pykka

from arvnodeman.actors.base import Ping, Ref, Supervision, tell
from arvnodeman.actors.cost_comments import CostCommentActor, CostWriting
from arvnodeman.actors.daemon import NodeManagerDaemonActor, PollersStarted, WouldDo
from arvnodeman.actors.dry_run_world import DryRunWorld
from arvnodeman.actors.fenced_world import FencedWorld, StepTimeouts
from arvnodeman.actors.hands import Hands
from arvnodeman.actors.log import log_as
from arvnodeman.actors.operators import OperatorActor, OperatorPool
from arvnodeman.actors.overlay import BOOT_TIME, Overlay
from arvnodeman.actors.pollers import (
    ArvadosNodeListMonitorActor,
    CloudNodeListMonitorActor,
    JobQueueMonitorActor,
    PollingActor,
    Retime,
)
from arvnodeman.actors.real_world import RealWorld, make_fetches, make_makers
from arvnodeman.actors.timer import Timer
from arvnodeman.actors.wakes import CheckEvery, WakeActor
from arvnodeman.actors.watchdog import WatchdogActor, WatchdogTimes
from arvnodeman.cloud.registry import nodes_at_once
from arvnodeman.config import Settings
from arvnodeman.config.reload import changes, reloaded
from arvnodeman.fence.fence import of_process
from arvnodeman.fleet.brain import Brain
from arvnodeman.fleet.messages import (
    OperatorSaid,
    PolicyChanged,
    Poll,
    RetryAsked,
    SafeMode,
    SizesProven,
    Step,
    StopAsked,
)
from arvnodeman.fleet.values.budgets import NOTHING_SPENT, Budget, BudgetRaise, Spending
from arvnodeman.fleet.values.leading import LeadHeld, LeadLost
from arvnodeman.fleet.values.waits import JobWaits
from arvnodeman.fleet.view.published import Published
from arvnodeman.leader.keeper import AT_FIRST
from arvnodeman.loop.polling import PollTimes
from arvnodeman.loop.world import World
from arvnodeman.money.runs import JobsOnNodes
from arvnodeman.slurm.poke import PokeFile

AskSpending = Callable[[Sequence[Budget], float], Spending]
POLLERS: tuple[type[PollingActor], ...] = (
    CloudNodeListMonitorActor,
    ArvadosNodeListMonitorActor,
    JobQueueMonitorActor,
)

MOST_COSTS = 20_000  # jobs that have ended and wait for what they cost to be written

logger = logging.getLogger("arvnodeman")


class Crew:
    """The actors of one daemon. Used by the main thread."""

    def __init__(
        self,
        settings: Settings,
        supervision: Supervision,
        brain: Brain,
        published: Published,
        *,
        dry_run: bool = False,
        proven: frozenset[str] = frozenset(),
        raised: Sequence[BudgetRaise] = (),
        saw_generation: Callable[[int], None] = lambda _generation: None,
        poked: Callable[[], None] = lambda: None,
    ) -> None:
        """proven: sizes of which earlier runs have seen nodes come up; raised: budgets that operators have raised;
        saw_generation: is told the newest generation in each list of the cloud; poked: that the poke file was
        touched."""
        self.settings = settings
        self.waits = JobWaits()
        tells_costs = settings.daemon.cost_comment and not dry_run
        self.on_nodes = JobsOnNodes(costs=deque(maxlen=MOST_COSTS) if tells_costs else None)
        boot_time = min(BOOT_TIME, settings.daemon.boot_fail_after / 4)
        self._overlay = Overlay(supervision.vitals.clock.now, boot_time) if dry_run else None
        self._supervision = supervision
        self._vitals = supervision.vitals
        self._makers = make_makers(settings, lambda: self.settings.daemon.max_jobs_per_node > 0)
        self._timer = Timer(self._vitals.clock, supervision.ending)
        operators, creates = settings.daemon.max_concurrent_cloud_ops, nodes_at_once(settings)
        self._operators = OperatorPool(self._start_operator, operators, creates=creates)
        self._brain = brain
        self._proven = proven
        self._raised = raised
        self._saw_generation = saw_generation
        self._poked = poked
        self._spent: AskSpending | None = None
        self._published = published
        self._pollers: dict[Poll, Ref] = {}
        self._others: list[Ref] = []
        self._daemon: Ref
        self._wakes: Ref
        self._watchdog: Ref

    def start(self, good_round: Callable[[], None], half_way: Callable[[str], None]) -> None:
        """Start the timer, the daemon with its operators, the pollers, and the watchdog over them."""
        self._timer.start()
        self._daemon = NodeManagerDaemonActor.start(
            self._supervision,
            brain=self._brain,
            timer=self._timer,
            operators=self._operators,
            published=self._published,
        )
        if self.settings.leader.elects and self._overlay is None:
            self._daemon.tell(LeadLost(AT_FIRST))
        if self._vitals.past.safe_for:
            self._daemon.tell(SafeMode(self._vitals.clock.now() + self._vitals.past.safe_for))
        if self._proven:
            self._daemon.tell(SizesProven(self._proven))
        for each in self._raised:
            self._daemon.tell(each)
        for poller in POLLERS:
            self._pollers[poller.poll] = poller.start(
                self._supervision,
                world=self._make_world(self._daemon),
                daemon=self._daemon,
                timer=self._timer,
                times=self._poll_times(poller.poll),
            )
        self._daemon.tell(PollersStarted(dict(self._pollers)))
        self._wakes = self._start_wakes()
        if self.on_nodes.costs is not None:
            writing = CostWriting(self._makers.scheduler().note_costs, self.on_nodes.costs)
            self._others.append(CostCommentActor.start(self._supervision, writing=writing, timer=self._timer))
        daemon = self.settings.daemon
        self._watchdog = WatchdogActor.start(
            self._supervision,
            watched=[self._daemon, *self._pollers.values(), self._wakes],
            times=WatchdogTimes(daemon.watchdog, daemon.watchdog_interval, daemon.poll_hopeless_after),
            good_round=good_round,
            half_way=half_way,
        )

    def reload(self, settings: Settings) -> None:
        """Put into force what can be, and say what needs a restart. Nodes in flight are untouched."""
        found = changes(self.settings, settings)
        for change in found:
            limit = ": there is NO LIMIT from then on" if change.unlimited else ""
            if change.live:
                logger.warning("%s has changed and is in force%s", change.option, limit)
            else:
                logger.warning("%s has changed: it will be in force after a restart%s", change.option, limit)
        if not found:
            logger.warning("The configuration has not changed")
        in_force = reloaded(self.settings, settings)
        if in_force.policy() != self.settings.policy():
            tell(self._daemon, PolicyChanged(in_force.policy()))
        self.settings = in_force
        for poll, ref in self._pollers.items():
            tell(ref, Retime(self._poll_times(poll)))
        tell(self._wakes, CheckEvery(in_force.daemon.wake_poll))

    def tell_lead(self, event: LeadHeld | LeadLost) -> None:
        """Pass on whether this manager leads. Any thread; never blocks."""
        tell(self._daemon, event)

    def say(self, said: OperatorSaid | RetryAsked | BudgetRaise, timeout: float = 3.0) -> bool:
        """Pass an operator's word on. Any thread; it is heard when this returns True, else in its turn.

        The inbox is first in, first out: a ping that is answered came after the word."""
        if not tell(self._daemon, said):
            return False
        try:
            return self._daemon.ask(Ping(), timeout=timeout) is True
        except (pykka.Timeout, pykka.ActorDeadError):
            return False

    def ask_spending(self, spent: AskSpending) -> None:
        """Whom the poller of the queue asks what budgets have spent; to be said before the start."""
        self._spent = spent

    def _spending(self, now: float) -> Spending:
        budgets = self.settings.budgets
        return self._spent(budgets, now) if budgets and self._spent is not None else NOTHING_SPENT

    def begin_stop(self) -> None:
        """Pollers and watchdog stop; the brain begins nothing new, and `Vitals.stopped` is set when all is done."""
        self._vitals.stopping.set()
        for ref in (self._watchdog, self._wakes, *self._others, *self._pollers.values()):
            ref.stop(block=False)
        tell(self._daemon, StopAsked())

    def stop(self, timeout: float) -> bool:
        """Stop all actors and the timer. False when some still live after `timeout` seconds: they hang."""
        self._vitals.stopping.set()
        self._timer.stop()
        refs = [
            self._watchdog,
            self._wakes,
            *self._others,
            *self._pollers.values(),
            self._daemon,
            *self._operators.refs,
        ]
        for ref in refs:
            ref.stop(block=False)
        deadline = time.monotonic() + timeout
        for ref in refs:
            ref.actor_stopped.wait(max(0.0, deadline - time.monotonic()))
        return self._timer.join(max(0.0, deadline - time.monotonic())) and not any(ref.is_alive() for ref in refs)

    def _start_wakes(self) -> Ref:
        daemon, scheduler = self.settings.daemon, self._makers.scheduler()
        path = daemon.poke_file
        return WakeActor.start(
            self._supervision,
            poke_file=PokeFile(path, ours=self._overlay is None) if path else None,
            submitted=scheduler.submitted if self.settings.arvados.slurm_queue else None,
            interval=daemon.wake_poll,
            pollers={poll: self._pollers[poll] for poll in self.settings.woken_polls},
            timer=self._timer,
            poked=self._poked,
        )

    def _start_operator(self, number: int, daemon: Ref) -> Ref:
        world = self._make_world(daemon)
        return OperatorActor.start(self._supervision, number=number, world=world, daemon=daemon)

    def _make_world(self, daemon: Ref) -> World:
        """For one thread. A dry run does not check rights, either, since that is a command that changes nodes."""
        fetches = make_fetches(
            self.settings,
            self._makers,
            self._vitals.clock,
            waits=self.waits,
            check_rights=self._overlay is None,
            remarks=self._vitals.remarks,
            spending=self._spending,
            on_nodes=self.on_nodes,
        )
        world = RealWorld(fetches, Hands(self._makers))
        if self._overlay is not None:
            return DryRunWorld(world, self._overlay, partial(self._would, daemon))
        return FencedWorld(world, of_process(), StepTimeouts(self.settings), self._saw_generation)

    def _would(self, daemon: Ref, step: Step, subject: str, words: str) -> None:
        """A dry run writes down what it would have done. Called in the operators' threads."""
        log_as(step.logger or "DryRun", logging.WARNING, "Dry run: would %s", words)
        tell(daemon, WouldDo(subject, words))

    def _poll_times(self, poll: Poll) -> PollTimes:
        return PollTimes(self.settings.poll_time_of(poll), self.settings.daemon.max_poll_time)
