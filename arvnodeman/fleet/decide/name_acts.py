"""Operations on names that no node has: begun here, and what is known once they have ended."""

from __future__ import annotations

from collections.abc import Sequence

from arvnodeman.fleet.decide.funds import funds_of
from arvnodeman.fleet.decide.placed import GivenJob
from arvnodeman.fleet.decide.state import State
from arvnodeman.fleet.messages import INFO, Decided, SetNodeDown, Step
from arvnodeman.fleet.operations.name_shutdown import NameShutdown
from arvnodeman.fleet.operations.name_steps import GiveBack, ReleaseJobs
from arvnodeman.fleet.operations.returning import SOON, NameChore, NameOperation, Return, releasing
from arvnodeman.fleet.plan.purses import Purses
from arvnodeman.fleet.values.placed import PlacedJob
from arvnodeman.fleet.values.reasons import Plain, Reason
from arvnodeman.fleet.values.reasons_of_budgets import OverBudget

_SHOWN = 8  # of a list of names
HELD_AT_MOST = 3600.0  # seconds that a job whose budget has no money may not be placed; then it is seen again
LISTED_AFTER = 2.0  # seconds after which a list shows a name that was powered up, so that its node may be booted
SOON_KNOWN = 120.0  # the same, while it is not known what was spent


def begin_return(state: State, names: Sequence[str], size: str, cause: Reason) -> None:
    """Names of one size go back to the scheduler, with the jobs placed on them. One with a job that is being released
    waits until that is done: a job that runs once at most would be lost if it was made so again at this moment."""
    released = _being_released(state)
    busy = {name for job in state.queue.jobs if job.id in released for name in job.names} if released else set()
    if not busy.isdisjoint(names):
        state.placements.due = state.context.in_round(SOON)
        names = [name for name in names if name not in busy]
        if not names:
            return
    text = "Giving %s of size %s back to Slurm, with the jobs placed there: %s"
    why = cause.words(state.t)
    state.context.decide(Decided.HELD_BACK, size, text, some(names), size, why, level=INFO)
    state.context.counters["names_given_back"] += len(names)
    returning = Return(state.context, names, size, cause)
    state.name_operations[returning.id] = returning
    returning.give()
    after_name_operation(state, returning)


def begin_chore(state: State, names: Sequence[str], *steps: Step) -> None:
    """Small things are done with names, one after the other."""
    chore = NameChore(state.context, names)
    state.name_operations[chore.id] = chore
    chore.begin(*steps)
    after_name_operation(state, chore)


def begin_release(state: State, jobs: Sequence[PlacedJob]) -> None:
    """Jobs that were given back may be placed at once; those that are on names which are going down just now, when
    that is done."""
    forced = _forced_down(state) if jobs else set()
    held = {job.id for job in state.queue.jobs if not forced.isdisjoint(job.names)} if forced else set()
    state.placements.put_off += [job for job in jobs if job.id in held]
    now = [job for job in jobs if job.id not in held]
    for not_before, some_jobs in _by_time(state, now).items():
        chore = releasing(state.context, some_jobs, not_before)
        state.name_operations[chore.id] = chore
        after_name_operation(state, chore)


def _by_time(state: State, jobs: Sequence[PlacedJob]) -> dict[float | None, list[PlacedJob]]:
    """Jobs by when they may be placed, in seconds since the epoch; None: at once. Those whose budget has no money wait
    until its period ends, but not for longer than HELD_AT_MOST: nobody else may be there to let them go."""
    found: dict[float | None, list[PlacedJob]] = {}
    purses = Purses(funds_of(state), state.t)
    for job in jobs:
        given = state.placements.given.get(job.id)
        stop = purses.stops(given.payer) if given is not None and given.payer is not None else None
        until = None
        if stop is not None and given is not None:
            longest = HELD_AT_MOST if isinstance(stop, OverBudget) else SOON_KNOWN
            given.held_until = state.t + longest if stop.until is None else min(stop.until, state.t + longest)
            given.held, until = job, state.clock.now + given.held_until - state.t
        found.setdefault(until, []).append(job)
    return found


def release_paid(state: State) -> None:
    """Jobs that were held for want of money are placed at once where there is some again."""
    held = [given for given in state.placements.given.values() if given.held is not None]
    if not held:
        return
    purses = Purses(funds_of(state), state.t)
    free = [given for given in held if given.payer is None or purses.stops(given.payer) is None]
    jobs = [given.held for given in free if given.held is not None and state.t < given.held_until]
    for given in free:
        given.held, given.held_until = None, 0.0
    if jobs:
        begin_release(state, jobs)


def _release_the_others(state: State) -> None:
    """Those that were held, and may be no more."""
    jobs, state.placements.put_off = state.placements.put_off, []
    begin_release(state, jobs)


def _being_released(state: State) -> set[str]:
    """Jobs by id of which a step is under way that releases them."""
    steps = (operation.step for operation in state.name_operations.values())
    return {job.id for step in steps if isinstance(step, ReleaseJobs) for job in step.jobs}


def _forced_down(state: State) -> set[str]:
    """Names whose jobs a step that is under way, or will be, puts back or ends."""
    forced = {
        name
        for operation in state.name_operations.values()
        if (isinstance(operation, Return) and operation.given is None) or isinstance(operation.step, SetNodeDown)
        for name in operation.hostnames
    }
    for shutdown in state.shutdowns.values():
        if shutdown.hostname is not None and isinstance(shutdown.step, GiveBack | SetNodeDown):
            forced.add(shutdown.hostname)
    return forced


def after_name_operation(state: State, operation: NameOperation) -> None:
    """An operation has gone on: take note of jobs that are back in the queue, and see whether it has ended."""
    if isinstance(operation, Return) and operation.given is not None and not operation.noted:
        operation.noted = True
        _given_back(state, operation)
        _release_the_others(state)
    if operation.outcome is None:
        state.schedule(operation)
        return
    if state.name_operations.pop(operation.id, None) is None:
        return
    for name in operation.hostnames:
        state.placements.acted[name] = state.t
    if not state.placements.hurried.isdisjoint(operation.hostnames):
        state.placements.hurried.difference_update(operation.hostnames)
        state.poll_again(state.t + LISTED_AFTER)
    _release_the_others(state)


def _given_back(state: State, operation: Return) -> None:
    given, placements = operation.given, state.placements
    assert given is not None
    for name in given.kept:
        placements.kept[name] = operation.cause
    left = given.left
    stay = [job for job, each in placements.given.items() if not each.back and not left.isdisjoint(each.names)]
    for job in stay:
        del placements.given[job]
    jobs = tuple(dict.fromkeys(job for jobs in given.jobs.values() for job in jobs))
    _remember(state, jobs, [name for name in operation.names if name not in left], operation.size, operation.cause)
    state.context.counters["jobs_given_back"] += len(jobs)
    begin_release(state, jobs)


def _remember(state: State, jobs: Sequence[PlacedJob], names: Sequence[str], size: str, cause: Reason) -> None:
    """Why these jobs wait again, where that is not known better: a queue that was read meanwhile shows them placed."""
    placements = state.placements
    for job in jobs:
        given = GivenJob(tuple(names), {size: len(names)}, cause, state.t)
        placements.given.setdefault(job.id, given).back = True


def after_name_shutdown(state: State, shutdown: NameShutdown) -> None:
    """Jobs that were placed on its name are released; older lists tell nothing of the name."""
    if shutdown.jobs:
        state.context.counters["jobs_given_back"] += len(shutdown.jobs)
        size = shutdown.node.size.id if shutdown.node.size is not None else ""
        _remember(state, shutdown.jobs, [shutdown.hostname or ""], size, Plain(text=shutdown.reason))
        begin_release(state, shutdown.jobs)
        shutdown.jobs = ()
    if shutdown.outcome is not None and shutdown.hostname is not None:
        state.placements.acted[shutdown.hostname] = state.t
    _release_the_others(state)


def some(names: Sequence[str]) -> str:
    """The first of some names, for people."""
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
