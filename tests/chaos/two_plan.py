"""What one seed of two managers means: one fault, which strikes the leader or the store once, and the jobs."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum

from arvnodeman.sandbox.catalogue import SIZES
from arvnodeman.sandbox.workload import make_workload
from chaos.points import ON_THE_WIRE, POINTS

TTL, MARGIN, TIMEOUT = 4.0, 0.5, 0.6  # seconds, of [Leader]
SPEED = 60.0
JOBS = 7
WINDOW = 4.0  # real seconds in which they arrive
DURATION = 1.5  # real seconds that a job runs on average


class Fault(StrEnum):
    """What happens to whom, for a little more than the lead lasts."""

    STOPPED = "leader stands still at a point"
    KILLED = "leader is killed at a point"
    KILLED_ANYWHERE = "leader is killed at any instant"
    NO_STORE = "leader cannot reach the store"
    NO_CLOUD = "leader cannot reach the cloud"
    CLOUD_HANGS = "the leader's requests to the cloud are held up, and arrive late"
    STORE_HANGS = "the store hangs for both"
    STORE_LATE = "the store answers late to both"
    STORE_EMPTY = "the store is killed and starts empty"
    ON_THE_WIRE = "leader stands still between the fence and the socket"
    DESTROY_KEPT = "leader is killed, and a gateway passes its destroy on when the other leads"
    CLOCKS = "clocks differ by 30 s and jump; leader stands still at a point"


ORDER: tuple[Fault, ...] = (Fault.NO_STORE, Fault.NO_CLOUD, Fault.STORE_HANGS, Fault.STORE_LATE, Fault.STORE_EMPTY)
ORDER += (Fault.CLOCKS, Fault.KILLED, Fault.KILLED_ANYWHERE, Fault.CLOUD_HANGS)
AT_POINTS = (Fault.ON_THE_WIRE, Fault.STOPPED, Fault.CLOCKS, Fault.KILLED)


@dataclass(frozen=True, slots=True)
class PairPlan:
    """All that a seed decides. `after`: real seconds from when the jobs begin to come; clocks: of each manager, its
    offset, a jump, and after how long."""

    seed: int
    fault: Fault
    point: str
    nth: int
    after: float
    lasts: float
    clocks: tuple[tuple[float, float, float], tuple[float, float, float]]
    max_nodes: int


def plan_of(seed: int) -> PairPlan:
    """Of every two seeds one stands still at a point, and the points go on from one such seed to the next. Those above
    200 show what no fence can hold: what this process has let through, and sends when it is woken; those above 300 what
    it has sent, and something on the way keeps."""
    dice = random.Random(f"two managers/{seed}")
    half = seed // 2
    fault = Fault.STOPPED if seed % 2 else ORDER[half % len(ORDER)]
    if seed > 200:
        fault = Fault.ON_THE_WIRE if seed <= 300 else Fault.DESTROY_KEPT
    number = half if fault is Fault.STOPPED else half // len(ORDER) * 5 + len(fault)
    point = POINTS[number * 11 % len(POINTS)] if fault in AT_POINTS else ""
    if fault is Fault.ON_THE_WIRE:
        point = ON_THE_WIRE
    still = (0.0, 0.0, 0.0)
    clocks = ((30.0, -45.0, dice.uniform(2, 6)), (-5.0, 40.0, dice.uniform(2, 6)))
    return PairPlan(
        seed=seed,
        fault=fault,
        point=point,
        nth=dice.choice((1, 1, 2)),
        after=dice.uniform(0.2, WINDOW / 2),
        lasts=TTL + dice.choice((1.0, 1.0, 3.0)),
        clocks=clocks if fault is Fault.CLOCKS else (still, still),
        max_nodes=dice.choice((3, 6, 12)),
    )


def jobs_of_pair(plan: PairPlan) -> list[dict[str, object]]:
    """The jobs, for the site."""
    return _jobs(plan.seed, WINDOW)


def more_jobs_of_pair(plan: PairPlan) -> list[dict[str, object]]:
    """Jobs for whoever leads next, which wait when it begins."""
    return _jobs(plan.seed + 10_000, 0.5)


def _jobs(seed: int, window: float) -> list[dict[str, object]]:
    specs = make_workload(seed, JOBS, SIZES, window=window * SPEED, duration=DURATION * SPEED, named=0.4)
    return [spec.as_dict() for spec in specs]
