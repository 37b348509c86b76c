"""What the lists tell of room that Slurm does not use: looked at with each queue poll, after the plan."""

from __future__ import annotations

from collections.abc import Iterator

from arvnodeman.fleet.decide.state import State
from arvnodeman.fleet.messages import WARNING, Decided
from arvnodeman.fleet.plan.plan import Plan
from arvnodeman.fleet.plan.vain import SAMPLE, group_name, words_of
from arvnodeman.fleet.values.model import JobShape
from arvnodeman.fleet.values.reasons import span


def judge_rooms(state: State, plan: Plan) -> bool:
    """Has there been room on nodes at work for jobs that wait, for long enough, and Slurm has started none of them
    there? True when such a group was found: then the plan is another."""
    rooms, t = state.rooms, state.t
    put = [share for share in plan.shares.values() if share.in_rooms and state.queue.jobs[share.places[0]].in_slurm]
    rooms.only({share.shape for share in put})
    found = False
    for share in put:
        shape = share.shape
        sample = tuple(state.queue.jobs[place].id for place in share.places[:SAMPLE])
        watch = rooms.note(shape, sample, t, moved=_has_moved(state, shape, sample))
        if rooms.is_vain(watch, t, state.policy.use_within):
            _shut(state, shape)
            found = True
    rooms.forget_old(state.queue.places.keys(), t)
    return found


def _has_moved(state: State, shape: JobShape, sample: tuple[str, ...]) -> bool:
    """Has one of the jobs left that were watched? Nearly always the first of the queue tell."""
    watch = state.rooms.watches.get(shape)
    if watch is None or watch.sample == sample[: len(watch.sample)]:
        return False
    return not frozenset(watch.sample) <= frozenset(_ids(state, shape))


def _ids(state: State, shape: JobShape) -> Iterator[str]:
    return (state.queue.jobs[place].id for place in state.queue.places[shape])


def _shut(state: State, shape: JobShape) -> None:
    said = state.queue.jobs[state.queue.places[shape][0]].reason
    shut = state.rooms.shuts(shape, said, state.t)
    name = group_name(shape)
    text = "There was room on working nodes for %s for jobs of the group %s (%s), but Slurm did not use it: it says %s."
    state.context.decide(
        Decided.IN_VAIN,
        name,
        text + " It does not count for them for %s",
        span(shut.stood),
        name,
        words_of(shape),
        said or "nothing",
        span(shut.wait),
        level=WARNING,
    )
