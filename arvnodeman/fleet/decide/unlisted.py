"""Errors of the cloud that are in no table of ours."""

from __future__ import annotations

from arvnodeman.fleet.decide.state import State
from arvnodeman.fleet.values.model import RemoteError

MOST_UNLISTED = 200  # that are logged and counted by what they are called


def note_unlisted(state: State, error: RemoteError) -> None:
    """One of them is counted, and logged once, so that it can be put there; any other is passed over."""
    if not error.unlisted:
        return
    context = state.context
    context.counters["unknown_cloud_errors"] += 1
    known = context.unknown_errors
    if error.unlisted in known:
        known[error.unlisted] += 1
    elif len(known) < MOST_UNLISTED:
        known[error.unlisted] = 1
        text = "The cloud's error %r is in none of our tables, and counts as %s: %s"
        context.warning(text, error.unlisted, error.kind.value, error.text)
