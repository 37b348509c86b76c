"""The Fleet: what the program decides, it decides here.

`handle(event, now)` takes one event and returns the commands that follow. There is no clock, no thread and no socket in
this room; the same history gives the same commands. See doc/rooms/loop.md for the life of a node in messages.
"""

from __future__ import annotations

from operator import attrgetter

from arvnodeman.fleet.decide.boot_lifecycle import after_boot, let_through
from arvnodeman.fleet.decide.cancels import Cancelling
from arvnodeman.fleet.decide.comments import Commenting, WriteComments
from arvnodeman.fleet.decide.directives import after_directive, operator_said
from arvnodeman.fleet.decide.evidence import retry
from arvnodeman.fleet.decide.funds import raise_budget
from arvnodeman.fleet.decide.intake import CAREFUL_POLLS, take_cloud, take_records
from arvnodeman.fleet.decide.leads import anew, goes_on, note_lead
from arvnodeman.fleet.decide.leases import Leasing, RenewAll
from arvnodeman.fleet.decide.name_acts import after_name_operation
from arvnodeman.fleet.decide.name_upkeep import keep_names
from arvnodeman.fleet.decide.names import note_names
from arvnodeman.fleet.decide.new_policy import take_policy
from arvnodeman.fleet.decide.offers import after_offer, offer_sizes
from arvnodeman.fleet.decide.placing import count_alone, decide_placed, take_placed
from arvnodeman.fleet.decide.planning import decide_boots, stop_by_plan, summarise
from arvnodeman.fleet.decide.quiet import let_rest
from arvnodeman.fleet.decide.records import RecordKeeping, clean_orphans
from arvnodeman.fleet.decide.safe_mode import begin_safe_mode, is_over
from arvnodeman.fleet.decide.state import State
from arvnodeman.fleet.decide.stops import after_shutdown, decide_nothing, departures
from arvnodeman.fleet.decide.unlisted import note_unlisted
from arvnodeman.fleet.decide.upkeep import after_chore, keep_up
from arvnodeman.fleet.messages import (
    DEBUG,
    CancelJob,
    CloudListed,
    Command,
    Event,
    ExplainJob,
    OperatorSaid,
    PolicyChanged,
    Poll,
    PollFailed,
    PollNow,
    QueueListed,
    RecordsListed,
    RetryAsked,
    SafeMode,
    SizesProven,
    StepDone,
    StepFailed,
    StopAsked,
    Tick,
)
from arvnodeman.fleet.operations.boot import Boot
from arvnodeman.fleet.operations.chores import Chore, CleanRecord, FetchSizes, OfferNames, WriteDirective
from arvnodeman.fleet.operations.operation import Operation
from arvnodeman.fleet.operations.returning import NameOperation
from arvnodeman.fleet.operations.shutdown import Shutdown
from arvnodeman.fleet.sizes.ladder import health_of
from arvnodeman.fleet.sizes.table import SizeTable
from arvnodeman.fleet.values.budgets import BudgetRaise
from arvnodeman.fleet.values.leading import LeadHeld, LeadLost
from arvnodeman.fleet.values.model import Policy, ProviderSize
from arvnodeman.fleet.view.asked import Asked
from arvnodeman.fleet.view.snapshot import publish
from arvnodeman.fleet.view.view import View

_ID = attrgetter("id")
SIZES_AGAIN_AFTER = 600.0  # seconds, while a configured size is missing at the provider


class Fleet(Asked):
    """Holds the table of nodes and decides. Not thread safe: it lives inside the daemon actor."""

    def __init__(self, policy: Policy, now: float, *, notes_from: int = DEBUG) -> None:
        """`notes_from`: lines of lesser levels need not be made. Those that tell of a decision are."""
        self._state = State(policy, now)
        self._state.context.least = notes_from
        self._records = RecordKeeping()
        self._cancelling = Cancelling()
        self._commenting = Commenting()
        self._leasing = Leasing()
        self._offers: tuple[ProviderSize, ...] = ()
        self._sizes_at: float | None = self._state.t  # when the sizes are asked for next
        self._view: View = publish(self._state, None)
        self._is_outdated = False  # the view

    @property
    def view(self) -> View:
        """What is to be shown. Made when it is asked for, once after each event that there is something to see of: who
        only decides pays nothing. Nothing is to be decided by it, for between lists it is old: ask the brain."""
        if self._is_outdated or self._view.gate.words != self._state.context.gate.words:
            self._view = publish(self._state, self._view)
            self._is_outdated = False
        return self._view

    def handle(self, event: Event, now: float) -> list[Command]:
        """Take one event in, at wall clock time `now`, and return what is to be done about it."""
        state = self._state
        state.clock.advance(now)
        state.check_gate()
        match event:
            case CloudListed():
                self._cloud_listed(event)
            case RecordsListed():
                self._records_listed(event)
            case QueueListed():
                self._queue_listed(event)
            case PollFailed():
                self._poll_failed(event)
            case StepDone() | StepFailed():
                self._step_ended(event)
            case OperatorSaid() | RetryAsked() | BudgetRaise():
                self._operator_spoke(event)
            case PolicyChanged():
                self._policy_changed(event.policy)
            case SafeMode() | SizesProven():
                self._told_at_start(event)
            case LeadHeld() | LeadLost():
                self._lead_told(event)
            case StopAsked():
                self._stop_asked()
            case Tick():
                pass
        self._go_on()
        return self._state.context.take()

    def next_wakeup(self) -> float | None:
        """The wall clock time at which a Tick is wanted; None: an event will come anyway."""
        state = self._state
        earliest = state.next_due()
        sizes_at = None if state.stopping else self._sizes_at
        lead_at = state.lead.next_change(state.t)
        for at in (state.poll_again_at, state.placements.due, state.safe_until, lead_at, sizes_at):
            if at is not None and (earliest is None or at < earliest):
                earliest = at
        return None if earliest is None else state.clock.now + max(0.0, earliest - state.t)

    @property
    def is_at_rest(self) -> bool:
        """Nothing is under way, as of this moment."""
        state = self._state
        return not (state.boots or state.shutdowns or state.chores or state.name_operations)

    def knows(self, node: str) -> bool:
        """Is there such a node, by cloud id, cloud name or hostname?"""
        return self._state.find(node) is not None

    @property
    def boots_at_the_cloud(self) -> int:
        """Boots that have reached the cloud: an orderly stop waits for them."""
        return sum(boot.asked and not boot.waits_for_a_list for boot in self._state.boots.values())

    # ---- polls ------------------------------------------------------------------------------------------------------

    def _cloud_listed(self, event: CloudListed) -> None:
        take_cloud(self._state, event)
        self._state.check_gate()
        departures(self._state)
        self._publish()

    def _records_listed(self, event: RecordsListed) -> None:
        """A node poll: stops are decided here."""
        state = self._state
        note_names(state, anew=take_records(state, event))
        state.check_gate()
        self._records.observe(state)
        departures(state)
        if state.context.gate.lets_boots:
            state.poll_again_at = None
            stop_by_plan(state)
            let_rest(state)
            if state.policy.places:
                self._settle(*keep_up(state))
                count_alone(state)
                keep_names(state)
                decide_placed(state)
            else:
                self._settle(*keep_up(state), *offer_sizes(state), *clean_orphans(state, self._records))
        else:
            decide_nothing(state)
            let_rest(state)
        self._publish(everything=True)

    def _queue_listed(self, event: QueueListed) -> None:
        """A queue poll: boots and cancellations are decided here."""
        state = self._state
        state.news += 1
        state.freshness.success(Poll.QUEUE, state.t, state.record_now)
        state.check_gate()
        if state.policy.places:  # Slurm itself has found that its jobs can run
            take_placed(state, event)
            decide_placed(state)
            if state.plan is not None and state.context.gate.lets_boots:
                summarise(state, state.plan)
        else:
            plan = decide_boots(state, event)
            if plan is not None and state.context.gate.lets_boots:
                self._settle(*self._cancelling.observe(state, plan))
        self._settle(*self._commenting.observe(state))
        self._publish()

    def _poll_failed(self, event: PollFailed) -> None:
        note_unlisted(self._state, event.error)
        self._state.context.counters[f"{event.poll.value}_poll_errors"] += 1
        if event.poll is Poll.CLOUD:
            self._state.context.counters["list_nodes_errors"] += 1
        if event.slurm:
            self._state.slurm_back = CAREFUL_POLLS
            self._state.vain.be_careful()
            self._state.rooms.watches.clear()

    # ---- operations -------------------------------------------------------------------------------------------------

    def _step_ended(self, event: StepDone | StepFailed) -> None:
        """Pass an answer on to the operation that waits for it; any other is an old one's, and harmless (row E9)."""
        step = event.step
        if isinstance(event, StepFailed):
            note_unlisted(self._state, event.error)
        operation = self._state.operation(step.op)
        if operation is None or operation.step != step:
            text = "An answer to %s that nothing waits for any more"
            self._state.context.debug(text, type(step).__name__, logger=step.logger)
            return
        if isinstance(event, StepDone):
            operation.done(step, event.result)
        else:
            operation.failed(step, event.error)
        self._settle(operation)

    def _go_on(self) -> None:
        """What has become due, and what was waiting for fresh lists or room."""
        state = self._state
        if is_over(state):
            self._publish()
        state.check_gate()
        for operation in state.due_operations():
            operation.wake()
            self._settle(operation)
        let_through(state)
        self._settle(*self._leasing.observe(state))
        if state.placements.due is not None and state.t >= state.placements.due:
            decide_placed(state)
            self._publish()
        if self._sizes_at is not None and state.t >= self._sizes_at and not state.stopping:
            self._sizes_at = None
            fetch = FetchSizes(state.context)
            state.chores[fetch.id] = fetch
            fetch.ask()
            self._settle(fetch)
        if state.poll_again_at is not None and state.t >= state.poll_again_at:
            state.poll_again_at = None
            state.context.out.append(PollNow(frozenset(Poll)))

    def _settle(self, *operations: Operation) -> None:
        """Operations have gone on: keep the books."""
        for operation in operations:
            self._state.went_on(operation)
            if isinstance(operation, Boot):
                after_boot(self._state, operation)
            elif isinstance(operation, Shutdown):
                after_shutdown(self._state, operation)
            elif isinstance(operation, NameOperation):
                after_name_operation(self._state, operation)
            elif isinstance(operation, Chore):
                self._after_chore(operation)

    def _after_chore(self, chore: Chore) -> None:
        state = self._state
        if chore.outcome is None:
            state.schedule(chore)
            return
        if state.chores.pop(chore.id, None) is None:
            return
        if isinstance(chore, FetchSizes):
            assert isinstance(chore.result, tuple)
            self._sizes_listed(chore.result)
        elif isinstance(chore, CleanRecord):
            if chore.outcome == "done":
                state.context.counters["records_cleaned"] += 1
        elif isinstance(chore.last_step, CancelJob | ExplainJob):
            self._cancelling.ended(state, chore, chore.last_step.job)
        elif isinstance(chore, OfferNames):
            after_offer(state, chore)
        elif isinstance(chore, WriteComments):
            self._commenting.ended(state, chore)
        elif isinstance(chore, RenewAll):
            self._leasing.ended(state, chore)
        elif isinstance(chore, WriteDirective):
            after_directive(state, chore)
        else:
            after_chore(state, chore)

    def _sizes_listed(self, offers: tuple[ProviderSize, ...]) -> None:
        self._offers = offers
        first = self._state.table is None
        self._build_table(report=True)
        if first:
            self._state.context.out.append(PollNow(frozenset(Poll)))

    def _build_table(self, *, report: bool) -> None:
        state = self._state
        before = {missing.id for missing in state.table.missing} if state.table is not None else set()
        state.table = SizeTable(state.policy.sections, self._offers, state.policy.node_mem_scaling)
        note_names(state, anew=True)
        state.roster.resize(state.table)
        for node in state.roster.nodes.values():
            state.touch(node)
        for size in state.table.cheapest_first:
            known = state.health.get(size.id)
            state.health[size.id] = health_of(size, known, state.policy.size_retry_after)
            if report and not before:
                state.context.info("Using cloud node sizes: %s", size, logger="arvnodeman.jobqueue")
        for missing in state.table.missing:
            if missing.id not in before:
                nearest = f"; the nearest are {', '.join(missing.nearest)}" if missing.nearest else ""
                state.context.error(
                    "[Size %s] instance_type %s: %s%s", missing.id, missing.instance_type, missing.problem, nearest
                )
        self._sizes_at = state.t + SIZES_AGAIN_AFTER if state.table.missing else None

    def _policy_changed(self, policy: Policy) -> None:
        state = self._state
        take_policy(state, policy)
        if state.table is not None:
            self._build_table(report=True)
            self._sizes_at = state.t  # a new section may name a type that was not looked up yet

    def _operator_spoke(self, event: OperatorSaid | RetryAsked | BudgetRaise) -> None:
        if isinstance(event, OperatorSaid):
            self._settle(*operator_said(self._state, event))
        elif isinstance(event, RetryAsked):
            retry(self._state, event.target, event.reason)
            self._state.context.out.append(PollNow(frozenset({Poll.QUEUE})))
        else:
            raise_budget(self._state, event)
        self._publish()

    def _told_at_start(self, event: SafeMode | SizesProven) -> None:
        """What earlier runs have left. Safe mode lasts a while: what killed them is not decided at once again."""
        state = self._state
        if isinstance(event, SizesProven):
            for size in event.sizes:
                state.health_named(size).proven = True
        else:
            begin_safe_mode(state, event.until)
        self._publish()

    def _lead_told(self, event: LeadHeld | LeadLost) -> None:
        """Renewed, begun or over. A lead that is another knows nothing of what the others have done."""
        if not goes_on(self._state, event):
            self._state = anew(self._state)
            self._records, self._cancelling, self._commenting = RecordKeeping(), Cancelling(), Commenting()
            self._leasing = Leasing()
            if self._offers:
                self._build_table(report=False)
            self._sizes_at = self._state.t if self._state.table is None else self._sizes_at
            self._view = publish(self._state, None)
            self._state.context.out.append(PollNow(frozenset(Poll)))
        note_lead(self._state, event)
        self._publish()

    def _stop_asked(self) -> None:
        """An orderly stop: boots that the cloud has not been asked for end now, the others may finish."""
        self._state.stopping = True
        for boot in list(self._state.boots.values()):
            boot.stop("the daemon stops")
            after_boot(self._state, boot)
        self._publish()

    def _publish(self, *, everything: bool = False) -> None:
        """There is something new to show. `everything`: of all rows that are awake."""
        state = self._state
        state.milestones.observe(state.roster.nodes, state.t)
        if everything:
            state.touched.update(map(_ID, state.roster.awake()))
        self._is_outdated = True
