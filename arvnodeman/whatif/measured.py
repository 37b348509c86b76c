"""What a site's own history tells of its cloud: how long nodes of each size took to come up, how many never did, how
often they were lost.

A history has no row for a boot. It has when each node began and ended, and for each step how many seconds nodes of a
size were booting in sum: where one boots at a time that is exact, where several do the first that began is taken to
come up first, and the sum is right.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from arvnodeman.history.lives import GONE
from arvnodeman.history.reading import reading
from arvnodeman.whatif.scenario import Assumed

HOUR = 3600.0
FEWEST = 5  # boots of a size from which its times are taken, and by which nodes are judged
SLACK = 5.0  # seconds between a create and the first look at its node


@dataclass(slots=True)
class _Boots:
    """Of one size."""

    took: list[float] = field(default_factory=list)
    failed: int = 0


def assumed_from_history(path: Path, stated: Assumed | None = None, polls: float = 0.0) -> Assumed:
    """What is stated, with what was measured in place of it where there is enough of it. `polls`: seconds between two
    looks at nodes: one that is up is seen to be half of that later, on average. Raises CannotRead."""
    stated = stated if stated is not None else Assumed()
    with reading(path) as connection:
        boots = _boots(connection)
        dies, reclaims = _losses(connection)
    for each in boots.values():
        each.took = [max(0.0, took - polls / 2) for took in each.took]
    took = sorted(took for each in boots.values() for took in each.took)
    failed = sum(each.failed for each in boots.values())
    enough = {size: each for size, each in boots.items() if len(each.took) >= FEWEST}
    tried = {size: each for size, each in boots.items() if len(each.took) + each.failed >= FEWEST}
    return replace(
        stated,
        boots={**stated.boots, **{size: tuple(sorted(each.took)) for size, each in enough.items()}},
        all_boots=tuple(took) if len(took) >= FEWEST else stated.all_boots,
        boot_fails=failed / (len(took) + failed) if len(took) + failed >= FEWEST else stated.boot_fails,
        fails={
            **stated.fails,
            **{size: each.failed / (len(each.took) + each.failed) for size, each in tried.items()},
        },
        dies=stated.dies if dies is None else dies,
        reclaims=stated.reclaims if reclaims is None else reclaims,
    )


def _boots(connection: sqlite3.Connection) -> dict[str, _Boots]:
    lives: dict[str, list[tuple[float, float | None]]] = defaultdict(list)
    for size, began, ended in connection.execute(
        "SELECT size, began, ended FROM life WHERE size != '' AND follows = 0 ORDER BY began"
    ):
        lives[size].append((began, ended))
    steps: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for size, at, booting in connection.execute("SELECT size, at, booting + unpaired FROM usage ORDER BY at"):
        steps[size].append((at, booting))
    moments = [at for (at,) in connection.execute("SELECT DISTINCT at FROM usage ORDER BY at")]
    before = dict(zip(moments[1:], moments[:-1], strict=True))
    return {size: boots_of(lives[size], steps[size], before) for size in sorted(lives)}


def boots_of(
    lives: Sequence[tuple[float, float | None]], steps: Sequence[tuple[float, float]], before: dict[float, float]
) -> _Boots:
    """`lives`: began and ended, by began. `steps`: of this size, at which moment how many seconds of booting ended.
    `before`: the step before each."""
    found = _Boots()
    open_: list[tuple[float, float | None]] = []
    coming = iter(lives)
    following = next(coming, None)
    for at, booting in steps:
        since = before.get(at, at - 60.0)
        while following is not None and following[0] < at:
            if following[0] >= since - SLACK:
                open_.append(following)
            following = next(coming, None)
        excess = sum(at - max(began, since) for began, _ in open_) - booting
        while open_ and excess > SLACK:
            began, ended = open_[0]
            most = at - max(began, since)
            up = at - min(excess, most)
            open_.pop(0)
            if ended is not None and ended <= up + SLACK:
                found.failed += 1
            else:
                found.took.append(max(0.0, up - began))
            excess -= most
    return found


def _losses(connection: sqlite3.Connection) -> tuple[float | None, float | None]:
    """Nodes that vanished by themselves in an hour of a node's life: such as are there on demand, and how much more
    often preemptible ones."""
    found: list[float | None] = []
    for preemptible in (0, 1):
        hours, gone = connection.execute(
            "SELECT coalesce(sum(ended - began), 0) / 3600.0, coalesce(sum(how = ?), 0) FROM life "
            "WHERE ended IS NOT NULL AND preemptible = ?",
            (GONE, preemptible),
        ).fetchone()
        found.append(gone / hours if hours >= 1.0 else None)
    dies, spot = found
    return dies, None if spot is None else max(0.0, spot - (dies or 0.0))
