"""Pictures made of a few values, and what is read off the plans that follow from them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from world import EPOCH, policy

from arvnodeman.fleet.plan.picture import Chance, IdleBin, Keep, NodeTally, Picture, Stop
from arvnodeman.fleet.plan.plan import Plan
from arvnodeman.fleet.sizes.bounds import Bounds
from arvnodeman.fleet.sizes.limits import SizeHealth
from arvnodeman.fleet.sizes.table import SizeTable
from arvnodeman.fleet.values import reasons
from arvnodeman.fleet.values.model import JobShape, NodeSize, ProviderSize, SizeSection

T = EPOCH
OFFERS = (ProviderSize("small", "small", ram=2000, price=0.1), ProviderSize("large", "large", ram=8000, price=0.4))
SECTIONS = (SizeSection("small", 1, "small"), SizeSection("large", 4, "large"))
TABLE = SizeTable(SECTIONS, OFFERS, 1.0)
SMALL, LARGE = TABLE.by_id["small"], TABLE.by_id["large"]
ONE, BIG = JobShape(), JobShape(cores=4)
PAIR = JobShape(cores=4, nodes=2)
IDLE_LONG = Chance(reasons.IdleExceeded(polls=5), 5, enough=True)
WAITS = reasons.IdleWait(polls=1, needed=2)


def bounds(**limits: Any) -> Bounds:
    """No limit but those asked for."""
    free = Bounds(max_nodes=99, quota=99, quota_until=None, slots=99, slots_until=None, price_cap=0.0)
    return replace(free, **limits)


def supply(**pools: tuple[int, int, int, int]) -> NodeTally:
    """Idle, unpaired, booting nodes, nodes in their grace period by size."""
    nodes = sum(map(sum, pools.values()))
    return NodeTally(supply=pools, nodes=nodes, up=nodes, price=0.1 * nodes, unused=True)


def picture(jobs: dict[JobShape, list[int]] | None = None, tally: NodeTally | None = None, **more: Any) -> Picture:
    """Of these groups and nodes; every size has proved itself."""
    known: dict[str, Any] = {
        "policy": policy(),
        "t": T,
        "table": TABLE,
        "bounds": bounds(),
        "health": {size: SizeHealth(proven=True) for size in ("small", "large")},
        "demand": jobs or {},
        "tally": tally or NodeTally(),
    }
    return Picture(**(known | more))


def idle(name: str, size: NodeSize = SMALL, *, turn: int = 0, since: float | None = T, held: bool = False) -> IdleBin:
    return IdleBin(name, turn, size.id, size.price, held, since)


def booted(made: Plan) -> list[tuple[str, JobShape | None]]:
    return [(new.size.id, new.shape) for new in made.boots]


def gone(made: Plan) -> list[str]:
    return [verdict.id for verdict in made.verdicts if isinstance(verdict, Stop)]


def kept(made: Plan) -> dict[str, reasons.Reason]:
    found = {verdict.id: verdict.reason for verdict in made.verdicts if isinstance(verdict, Keep)}
    return found | {node.id: reason for nodes, reason in made.wanted_idle for node in nodes}
