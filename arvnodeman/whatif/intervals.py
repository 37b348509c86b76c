"""How sure a figure is that was played with several seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, stdev

from msgspec import Struct

# Of Student's t, 97.5 %, by degrees of freedom from 1 on: so many standard errors on each side hold 95 %.
_T: tuple[float, ...] = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)
_T += (2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086)
_T += (2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042)
_FAR = 1.96  # of more


class Interval(Struct, frozen=True):
    """A mean over seeds, and between what it lies, 95 times of 100. With one seed nothing is known of that: None."""

    mean: float
    low: float | None = None
    high: float | None = None

    @property
    def is_below(self) -> bool:
        """Surely less than nothing: where there is one seed, as far as that one goes."""
        return self.mean < 0 if self.high is None else self.high < 0

    @property
    def is_above(self) -> bool:
        """Surely more than nothing."""
        return self.mean > 0 if self.low is None else self.low > 0


def interval(values: Sequence[float]) -> Interval:
    """Of values of several seeds, at least one."""
    mean = fmean(values)
    if len(values) < 2:
        return Interval(mean)
    freedom = len(values) - 1
    half = (_T[freedom - 1] if freedom <= len(_T) else _FAR) * stdev(values) / math.sqrt(len(values))
    return Interval(mean, mean - half, mean + half)


def paired(before: Sequence[float], after: Sequence[float]) -> Interval:
    """What changed, seed by seed: what chance does to both alike falls out."""
    return interval([new - old for old, new in zip(before, after, strict=True)])
