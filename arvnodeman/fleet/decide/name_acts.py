"""Operations on names that no node has: begun here, and what is known once they have ended."""

from __future__ import annotations

from collections.abc import Sequence

from arvnodeman.fleet.decide.state import State
from arvnodeman.fleet.messages import INFO, Decided, Step
from arvnodeman.fleet.operations.name_shutdown import NameShutdown
from arvnodeman.fleet.operations.returning import NameChore, NameOperation, Return, releasing
from arvnodeman.fleet.values.placed import PlacedJob
from arvnodeman.fleet.values.reasons import Reason

_SHOWN = 8  # of a list of names


def begin_return(state: State, names: Sequence[str], size: str, cause: Reason) -> None:
    """Names of one size go back to the scheduler, with the jobs placed on them."""
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
    """Jobs that were given back may be placed at once."""
    if jobs:
        chore = releasing(state.context, jobs)
        state.name_operations[chore.id] = chore
        after_name_operation(state, chore)


def after_name_operation(state: State, operation: NameOperation) -> None:
    """An operation has gone on: take note of jobs that are back in the queue, and see whether it has ended."""
    if isinstance(operation, Return) and operation.given is not None and not operation.noted:
        operation.noted = True
        _given_back(state, operation)
    if operation.outcome is None:
        state.schedule(operation)
        return
    if state.name_operations.pop(operation.id, None) is None:
        return
    for name in operation.hostnames:
        state.placements.acted[name] = state.t


def _given_back(state: State, operation: Return) -> None:
    given, placements = operation.given, state.placements
    assert given is not None
    for name in given.kept:
        placements.kept[name] = operation.cause
    kept = frozenset(given.kept)
    for job in [job for job, each in placements.given.items() if not kept.isdisjoint(each.names)]:
        del placements.given[job]
    jobs = tuple(dict.fromkeys(job for jobs in given.jobs.values() for job in jobs))
    state.context.counters["jobs_given_back"] += len(jobs)
    begin_release(state, jobs)


def after_name_shutdown(state: State, shutdown: NameShutdown) -> None:
    """Jobs that were placed on its name are released; older lists tell nothing of the name."""
    if shutdown.jobs:
        state.context.counters["jobs_given_back"] += len(shutdown.jobs)
        begin_release(state, shutdown.jobs)
        shutdown.jobs = ()
    if shutdown.outcome is not None and shutdown.hostname is not None:
        state.placements.acted[shutdown.hostname] = state.t


def some(names: Sequence[str]) -> str:
    """The first of some names, for people."""
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
