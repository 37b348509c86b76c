"""What was between two moments, made of the history file: costs, hours, boots, waits. Durations are hours or seconds
as the names say, costs are $."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from arvnodeman.history import spot
from arvnodeman.history.samples import SHOWN
from arvnodeman.history.schema import READY
from arvnodeman.history.spot import SpotJobs, SpotReport

STILL_WRITTEN = 600.0  # seconds since the newest sample, up to which the daemon is taken to run
USED = (*SHOWN, *READY)  # what time is counted by
REFUSED = "boots_refused_"


@dataclass(frozen=True, slots=True)
class SizeReport:
    """The nodes of one size."""

    size: str  # '' for nodes that no section describes
    nodes: int = 0  # that lived in that time
    begun: int = 0  # of them: that began in it
    hours: float = 0.0  # node hours
    busy_hours: float = 0.0
    idle_hours: float = 0.0
    starting_hours: float = 0.0  # booting, or not paired yet
    other_hours: float = 0.0  # down, drained, reserved, being shut down
    unseen_hours: float = 0.0  # no daemon looked
    cost: float = 0.0
    idle_cost: float = 0.0  # its part for the idle hours
    spare_hours: float = 0.0  # idle as a spare: not among the idle hours
    spare_cost: float = 0.0
    ahead_hours: float = 0.0  # idle for a job that could not start yet: likewise
    ahead_cost: float = 0.0


@dataclass(frozen=True, slots=True)
class WaitReport:
    """Jobs that left the queue. What is here is to the length of a queue poll."""

    jobs: int = 0
    mean: float = 0.0
    most: float = 0.0  # 95 of 100 waited no longer, to 2 %
    longest: float = 0.0


@dataclass(frozen=True, slots=True)
class Report:
    """All of it."""

    since: float  # seconds since the epoch
    until: float
    begins: float | None  # the history; None: nothing is recorded at all
    recorded_hours: float  # of that time
    sizes: Sequence[SizeReport] = ()
    boots: Mapping[str, int] = field(default_factory=dict)  # by outcome
    ends: Mapping[str, int] = field(default_factory=dict)  # of nodes, by how they ended
    events: Mapping[str, int] = field(default_factory=dict)  # the brain's other counters
    causes: Sequence[tuple[str, int]] = ()  # the commonest words about boots that failed
    waits: WaitReport = field(default_factory=WaitReport)
    spot: Sequence[SpotReport] = ()  # by pool, of sizes with zones or purchases
    spot_jobs: Sequence[SpotJobs] = ()  # by pool, and by how long they ran

    @property
    def total(self) -> SizeReport:
        """All sizes together."""
        names = [name for name in SizeReport.__slots__ if name != "size"]
        return SizeReport("total", **{name: sum(getattr(size, name) for size in self.sizes) for name in names})


def seen_until(connection: sqlite3.Connection, now: float) -> float:
    """Up to when nodes are known to live that have not ended: now while a daemon runs, else the last look. Raises
    sqlite3.Error."""
    last = connection.execute("SELECT max(at) FROM sample").fetchone()[0]
    return now if last is None or now - last <= STILL_WRITTEN else float(last)


def make(connection: sqlite3.Connection, since: float, until: float, seen: float) -> Report:
    """The report of that time; nodes that have not ended lived until `seen`. Raises sqlite3.Error."""
    first = connection.execute("SELECT min(at) FROM sample").fetchone()[0]
    lived = _lived(connection, since, until, seen)
    spent = _spent(connection, since, until)
    counts = dict(
        connection.execute("SELECT name, sum(count) FROM tally WHERE at > ? AND at <= ? GROUP BY name", (since, until))
    )
    return Report(
        since=since,
        until=until,
        begins=first,
        recorded_hours=_recorded(connection, since, until),
        sizes=sorted(
            (_size(name, lived.get(name), spent.get(name)) for name in lived.keys() | spent.keys()),
            key=lambda each: (-each.cost, each.size),
        ),
        boots=_boots(counts),
        ends=_ends(connection, since, until),
        events={name: count for name, count in sorted(counts.items()) if not name.startswith("boot")},
        causes=_causes(connection, since, until),
        waits=_waits(connection, since, until),
        spot=spot.pools(connection, since, until, seen),
        spot_jobs=spot.jobs(connection, since, until, seen),
    )


_Lived = tuple[int, int, float, float]  # nodes, begun, hours, $


def _lived(connection: sqlite3.Connection, since: float, until: float, seen: float) -> dict[str, _Lived]:
    """By size. A life that has not ended goes on until the newest look."""
    rows = connection.execute(
        """SELECT size, count(DISTINCT id), sum(NOT follows AND began >= :since),
            sum(hours), sum(hours * price) FROM (
            SELECT size, id, follows, began, price,
            max(0, min(:until, coalesce(ended, :seen)) - max(:since, began)) / 3600 AS hours
            FROM life WHERE began < :until AND (ended IS NULL OR ended > :since)) GROUP BY size""",
        {"since": since, "until": until, "seen": seen},
    )
    return {size: (nodes, begun, hours, cost) for size, nodes, begun, hours, cost in rows}


def _spent(connection: sqlite3.Connection, since: float, until: float) -> dict[str, dict[str, float]]:
    """Hours by size and state."""
    sums = ", ".join(f"sum({state}) / 3600" for state in USED)
    query = f"SELECT size, {sums} FROM usage WHERE at > ? AND at <= ? GROUP BY size"  # noqa: S608 (our own names)
    return {size: dict(zip(USED, hours, strict=True)) for size, *hours in connection.execute(query, (since, until))}


def _size(name: str, lived: _Lived | None, spent: Mapping[str, float] | None) -> SizeReport:
    nodes, begun, hours, cost = lived or (0, 0, 0.0, 0.0)
    by_state = spent or dict.fromkeys(USED, 0.0)
    seen = sum(by_state.values())
    # Lives end with the request to destroy a node, looks at it with the list that lacks it.
    other = by_state["other"] - max(0.0, min(by_state["other"], seen - hours))
    return SizeReport(
        size=name,
        nodes=nodes,
        begun=begun,
        hours=hours,
        busy_hours=by_state["busy"],
        idle_hours=by_state["idle"],
        starting_hours=by_state["booting"] + by_state["unpaired"],
        other_hours=other,
        unseen_hours=max(0.0, hours - seen),
        cost=cost,
        idle_cost=_part(cost, by_state["idle"], hours),
        spare_hours=by_state["spare"],
        spare_cost=_part(cost, by_state["spare"], hours),
        ahead_hours=by_state["ahead"],
        ahead_cost=_part(cost, by_state["ahead"], hours),
    )


def _part(cost: float, hours: float, of: float) -> float:
    """What so many of all the hours cost."""
    return cost * min(1.0, hours / of) if of else 0.0


def _recorded(connection: sqlite3.Connection, since: float, until: float) -> float:
    """Hours with samples: the steps between them, longer gaps left out."""
    query = """SELECT sum(step) FROM (SELECT at - lag(at) OVER (ORDER BY at) AS step FROM sample
        WHERE at >= ? AND at <= ?) WHERE step <= 120"""
    return (connection.execute(query, (since, until)).fetchone()[0] or 0.0) / 3600


def _boots(counts: Mapping[str, int]) -> dict[str, int]:
    """By outcome, in the words of the metric `boots`."""
    boots = {
        "up": counts.get("boots_up", 0),
        "failed": counts.get("boot_failures", 0),
        "stopped": counts.get("boots_stopped", 0),
    }
    refused = {name.removeprefix("boots_"): count for name, count in counts.items() if name.startswith(REFUSED)}
    return boots | dict(sorted(refused.items()))


def _ends(connection: sqlite3.Connection, since: float, until: float) -> dict[str, int]:
    query = "SELECT how, count(*) FROM life WHERE ended > ? AND ended <= ? AND how != 'repriced' GROUP BY how"
    return dict(connection.execute(query, (since, until)))


def _causes(connection: sqlite3.Connection, since: float, until: float) -> list[tuple[str, int]]:
    """What was said of boots that failed, the commonest first; a node's name is left out of it."""
    query = """SELECT replace(words, subject, '...') AS said, count(*) FROM decision
        WHERE at > ? AND at <= ? AND kind = 'boot failed' GROUP BY said ORDER BY 2 DESC, 1 LIMIT 10"""
    return list(connection.execute(query, (since, until)))


def _waits(connection: sqlite3.Connection, since: float, until: float) -> WaitReport:
    query = """SELECT sum(jobs), sum(total), max(longest) FROM wait WHERE at > ? AND at <= ? GROUP BY bucket
        ORDER BY bucket"""
    buckets = list(connection.execute(query, (since, until)))
    jobs = sum(count for count, _, _ in buckets)
    if not jobs:
        return WaitReport()
    most, reached = 0.0, 0
    for count, _, longest in buckets:
        most, reached = longest, reached + count
        if reached >= 0.95 * jobs:
            break
    return WaitReport(jobs, sum(total for _, total, _ in buckets) / jobs, most, max(longest for *_, longest in buckets))
