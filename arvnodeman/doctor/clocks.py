"""Clocks that differ."""

from __future__ import annotations

from collections.abc import Iterator

MOST = 60.0  # seconds by which a clock may be off


def differs(whose: str, offset: float | None) -> Iterator[str]:
    """A line where this clock is too far off ours; `offset`: theirs less ours in seconds, None where nobody knows."""
    if offset is not None and abs(offset) > MOST:
        yield f"the clock of {whose} is {abs(offset):.0f} s {'ahead of' if offset > 0 else 'behind'} this machine's"
