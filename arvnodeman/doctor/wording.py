"""Failures in words, for people who ask what is wrong."""

from __future__ import annotations

from arvnodeman.fleet.values.model import RemoteFailure


def in_words(failure: Exception) -> str:
    """What has failed, and the option to look at."""
    hint = failure.error.hint if isinstance(failure, RemoteFailure) else ""
    return f"{failure} (look at {hint})" if hint else str(failure)
