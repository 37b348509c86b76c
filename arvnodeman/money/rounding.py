"""Figures that are rounded, and add up all the same."""

from __future__ import annotations

import math
from collections.abc import Sequence


def rounded_together(figures: Sequence[float], decimals: int) -> list[float]:
    """Each of these, rounded so that together they are what their sum is, rounded: those nearest to the next step up
    are rounded up, whatever it takes. None is off by a whole step."""
    scale = 10**decimals
    steps = [math.floor(figure * scale) for figure in figures]
    lacking = round(math.fsum(figures) * scale) - sum(steps)
    by_rest = sorted(range(len(figures)), key=lambda place: steps[place] - figures[place] * scale)
    for place in by_rest[: max(0, lacking)]:
        steps[place] += 1
    return [step / scale for step in steps]
