"""What came of a scenario, in figures. `Forecast` is what `simulate --json` prints: its fields are its keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from msgspec import Struct


class WaitTimes(Struct, frozen=True, kw_only=True):
    """How long jobs waited, from the moment in which they could have run. Seconds; 0 where there are no jobs."""

    jobs: int  # that began
    mean: float
    median: float
    p90: float
    p99: float
    longest: float


class JobCounts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Jobs of the trace by what became of them. They add up to `all`."""

    all: int
    done: int
    running: int  # at the end
    waiting: int  # at the end
    withdrawn: int  # that their users took back while they waited, as the trace tells
    impossible: int  # that no size fits
    requeues: int  # times that a job lost its node and began again; beside the sum
    to_come: int = 0  # that were to be submitted after the moment at which it was stopped


class Hours(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Hours of nodes by what they did. They add up to what is paid for."""

    booting: float
    idle: float  # and for nobody
    busy: float
    ending: float
    spare: float = 0.0  # stood ready as a spare
    ahead: float = 0.0  # stood ready for a job that could not start yet


class BootedNodes(Struct, frozen=True, kw_only=True):
    """What one size, or one kind of purchase, was used for."""

    boots: int
    hours: float
    cost: float  # $


class HeldBack(Struct, frozen=True, kw_only=True):
    """What kept jobs from having a node, beside the time that a boot takes."""

    reason: str  # kind of reason, as the metrics name it
    jobs: int  # that had it at some time
    hours: float  # of jobs that had it
    example: str  # as `explain` told it of the first of them


class LowestCost(Struct, frozen=True, kw_only=True):
    """$ for the jobs that were done; boots, idle time and waiting left out."""

    alone: float  # each job alone on the cheapest size that fits it, for exactly its run time
    fluid: float  # less is not possible: their cores and memory, where nodes are shared without a rest
    job_hours: float  # asked for


class Impossible(Struct, frozen=True, kw_only=True):
    """Jobs of one shape that no size fits."""

    shape: str
    jobs: int
    first: str  # id of one


class BudgetPlayed(Struct, frozen=True, kw_only=True):
    """How a budget has held. Amounts in $; of the period in which it was exceeded most, or that cost most."""

    name: str
    limit: float
    per: str
    periods: int  # that were played, whole or in part
    reached: int  # of these: its limit was spent and committed
    spent: float  # in all of them
    most: float
    over: float  # above the limit
    committed: float  # at most, from when its limit was reached on: `over` is to be no more


class PayerPlayed(Struct, frozen=True, kw_only=True):
    """What the nodes have cost for one account, user or partition."""

    name: str
    cost: float  # $


class Forecast(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Moments are UTC seconds since the epoch, money is in $."""

    began: float  # of the first submit
    ended: float  # until when it was played
    partial: bool  # stopped before the last job had ended
    seed: int
    jobs: JobCounts
    waits: WaitTimes
    waits_by_partition: dict[str, WaitTimes]
    waits_by_account: dict[str, WaitTimes]  # the 50 with most jobs; the rest as `other`
    traced_waits: WaitTimes  # that the trace itself tells, of the same jobs
    node_hours: Hours
    cost: float
    by_size: dict[str, BootedNodes]
    by_purchase: dict[str, BootedNodes]  # on-demand, preemptible
    boots: int
    failed_boots: int
    most_nodes: int
    held: list[HeldBack]  # the longest first
    lowest: LowestCost
    impossible: list[Impossible]
    remarks: list[str]  # what was assumed
    budgets: list[BudgetPlayed] = []
    payers: list[PayerPlayed] = []  # the 50 dearest, the rest as `other`; where it was asked who pays


class CurvePoint(NamedTuple):
    """How it was at one moment."""

    at: float
    booting: int  # nodes
    idle: int
    busy: int
    waiting: int  # jobs
    price: float  # $ an hour of all nodes


@dataclass(frozen=True, slots=True)
class Played:
    """A forecast with what `Forecast` sums up, by job of the scenario, in its order."""

    forecast: Forecast
    waits: Sequence[float | None]  # seconds; None: it never began
    curve: Sequence[CurvePoint] = ()  # some hundred, evenly spread
