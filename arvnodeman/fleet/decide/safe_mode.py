"""Safe mode: after a series of quick ends lists are polled and reported for a while, and nothing is begun."""

from __future__ import annotations

from arvnodeman.fleet.decide.state import State
from arvnodeman.fleet.messages import Poll, PollNow


def begin_safe_mode(state: State, until: float) -> None:
    """`until`: seconds since the epoch."""
    state.safe_until = state.t + max(0.0, until - state.clock.now)
    state.context.warning("Safe mode: lists are polled and reported, nothing is created or destroyed")


def is_over(state: State) -> bool:
    """Has it just come to its end? Then the lists are asked for anew."""
    if state.safe_until is None or state.t < state.safe_until:
        return False
    state.safe_until = None
    state.context.warning("Safe mode is over")
    state.context.out.append(PollNow(frozenset(Poll)))
    return True
