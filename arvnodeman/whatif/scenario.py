"""What is played: a configuration, the jobs of a trace, and what is assumed of the cloud. Plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from arvnodeman.config import Settings
from arvnodeman.fleet.values.model import ProviderSize
from arvnodeman.traces.job import TracedJob


@dataclass(frozen=True, slots=True)
class Assumed:
    """How the cloud and its nodes are, where the configuration does not say it. Seconds, and chances of 0 to 1."""

    boot: float = 120.0  # from create to up, a fifth more or less, of sizes of which nothing was measured
    boots: Mapping[str, tuple[float, ...]] = field(default_factory=dict)  # by size: as measured, in order
    all_boots: tuple[float, ...] = ()  # of all sizes together, for those of which too few were measured
    boot_fails: float = 0.0  # a node never comes up
    fails: Mapping[str, float] = field(default_factory=dict)  # by size, as measured
    dies: float = 0.0  # deaths of a node in an hour of its life
    reclaims: float = 0.0  # of a preemptible node in an hour of its life
    quota: int | None = None  # most nodes that the cloud lets be at once; None: no quota
    out_of_stock: float = 0.0  # share of time in which the cloud has none of a size
    stock_out: float = 3600.0  # seconds that such a time lasts, on average


@dataclass(frozen=True, slots=True)
class Scenario:
    """A site and its load. The same scenario gives the same forecast, to the byte."""

    settings: Settings
    sizes: tuple[ProviderSize, ...]  # what the provider has of the sizes that the configuration names
    jobs: tuple[TracedJob, ...]  # by submit; `takes` as the site shares
    assumed: Assumed = field(default_factory=Assumed)
    names: int = 0  # node names that there are at most; 0: as many as the configuration needs
    seed: int = 0
    by: str = ""  # who pays is asked, too: account, user or partition
