"""What one seed means: the kills, the jobs, the faults and the mischief of a run."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from arvnodeman.sandbox.catalogue import SIZES
from arvnodeman.sandbox.faults import FAULTS, Where, names_of
from arvnodeman.sandbox.wiring import PLACES
from arvnodeman.sandbox.workload import make_workload, of_every_kind
from chaos.points import points_of

KILLS = 25
SPEED = 60.0
PACE = 1.2  # real seconds that a kill takes, with all that comes before it
JOBS_A_KILL = 2.0
DURATION = 1.2  # real seconds that a job runs on average
FAVOURITES = 5
LIFE = (0.2, 2.2)  # real seconds that a daemon lives that dies at no point
POINT_WAIT = 3.5  # real seconds after which one that has not reached its point is killed
STRIDES = (7, 11, 13)
HURRY = 40.0  # real seconds of a run of 25 kills after which the rest come quickly
HASTE = 1.0  # real seconds that a daemon lives at most from then on
REAL_RESTARTS = 0.03  # of a real slurmctld, in each simulated minute: one takes some real seconds
RARE: tuple[str, ...] = ("find_node", "fetch_node", "sync_fqdn", "explain", "cancel", "jobs_on", "resume")
RARE += ("observe_all", "drain_all", "set_down_all")  # that want several nodes at one time
RARE_WAIT = 5.0  # the same for calls that need several polls, or the failure of another, to be made


@dataclass(frozen=True, slots=True)
class Kill:
    """One death. With a point, at the nth time that it is reached; without, after so many real seconds."""

    point: str
    nth: int
    after: float

    @property
    def longest(self) -> float:
        """Real seconds that its daemon lives at most."""
        if not self.point:
            return self.after
        return RARE_WAIT if self.point.partition(".")[2] in RARE else POINT_WAIT


@dataclass(frozen=True, slots=True)
class Plan:
    """All that a seed decides. `window`: real seconds in which the jobs arrive. Clocks: real seconds that a server's is
    fast. `settings`: of the site."""

    seed: int
    kills: tuple[Kill, ...]
    jobs: int
    window: float
    rates: dict[str, float]
    clocks: dict[str, float]
    settings: dict[str, bool]
    max_nodes: int
    records: str = "arvados"  # who keeps the node records


def make_plan(seed: int, kills: int = KILLS, rate: float = 0.2, records: str = "arvados") -> Plan:
    """The plan of a seed. Every second kill is at a point, and the points go on from one seed to the next."""
    dice = random.Random(f"chaos/{seed}")
    at_points = kills // 2 + kills % 2
    first = (seed - 1) * at_points
    found = []
    points = points_of(records)
    stride = next(step for step in STRIDES if math.gcd(step, len(points)) == 1)  # it comes to every one of them
    for number in range(kills):
        point = points[(first + number // 2) * stride % len(points)] if number % 2 == 0 else ""
        found.append(Kill(point, dice.choice((1, 1, 2)), dice.uniform(*LIFE)))
    all_rates = rates(rate) | dict.fromkeys(favourites(seed), rate)
    if records == PLACES:
        all_rates["slurm-restarts"] = REAL_RESTARTS
    clocks = {name: round(dice.uniform(-60, 60), 1) for name in ("cloud", "arvados")}
    settings = {name: dice.random() < 0.5 for name in ("shared_nodes", "self_resume")}
    jobs, window = int(kills * JOBS_A_KILL), kills * PACE
    return Plan(seed, tuple(found), jobs, window, all_rates, clocks, settings, dice.choice((6, 12, 20)), records)


def jobs_of(plan: Plan) -> list[dict[str, object]]:
    """The jobs, for the site. A few want two nodes."""
    specs = make_workload(plan.seed, plan.jobs, SIZES, window=plan.window * SPEED, duration=DURATION * SPEED, named=0.4)
    if plan.records == PLACES:
        return [spec.as_dict() for spec in of_every_kind(specs)]
    return [spec.as_dict() | {"nodes": 2 if number % 8 == 5 else 1} for number, spec in enumerate(specs)]


def favourites(seed: int) -> tuple[str, ...]:
    """The kinds of fault of which this seed has the whole rate of each: they go on from one seed to the next."""
    kinds = list(FAULTS)
    return tuple(kinds[(seed * FAVOURITES + number) * 5 % len(kinds)] for number in range(FAVOURITES))


def rates(rate: float) -> dict[str, float]:
    """Every kind of fault, so that `rate` of all that can go wrong at one place does: of all creates, destroys, lists,
    changes of records and minutes. A poll or a step makes two requests or more: each of them meets half as many. Each
    kind that befalls nodes befalls half of `rate` of them: that is the lot of every other node."""
    found: dict[str, float] = {}
    for place in Where:
        kinds = names_of(place)
        whole = rate / 2 if place is Where.REQUEST else rate
        each = rate / 2 if place is Where.NODE else 1 - (1 - whole) ** (1 / len(kinds))
        found |= dict.fromkeys(kinds, each)
    return found
