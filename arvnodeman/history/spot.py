"""Whether spot nodes paid: by pool, which is a size in one zone, and by how long the jobs ran that were on them."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from arvnodeman.fleet.values.rungs import zone_of

LENGTHS = {
    600.0: "up to 10 min",
    3600.0: "10 to 60 min",
    21_600.0: "1 to 6 h",
    86_400.0: "6 to 24 h",
    math.inf: "over 24 h",
}
"""Up to how many seconds jobs of each group run, in words."""
TAKEN_WITH_IT = 150.0  # seconds before a node is gone: a job that ended then was taken with it (EC2 warns 120 before)
IN_THAT_TIME = "began < :until AND (ended IS NULL OR ended > :since)"


@dataclass(frozen=True, slots=True)
class SpotReport:
    """The spot nodes of one pool: a size in one zone. What is lost is the work under way when a node was taken, at the
    price on demand, at most: its job begins again."""

    size: str
    zone: str  # '' where the cloud chose it
    nodes: int = 0
    hours: float = 0.0
    taken: int = 0  # by the cloud, or gone otherwise without us
    cost: float = 0.0
    on_demand_cost: float = 0.0  # of the same hours
    lost_hours: float = 0.0
    lost_cost: float = 0.0

    @property
    def rate(self) -> float:
        """So many taken in 100 hours of a node."""
        return 100 * self.taken / self.hours if self.hours else 0.0

    @property
    def saved(self) -> float:
        """In $; below 0 spot did not pay."""
        return self.on_demand_cost - self.cost - self.lost_cost


@dataclass(slots=True)
class SpotJobs:
    """Jobs of about one length on the spot nodes of one pool: their parts of the nodes, by the larger of their shares
    of cores and memory. A job is as long as the longest of its runs, wherever that was."""

    size: str
    zone: str
    length: str  # in words: see LENGTHS
    jobs: int = 0
    hours: float = 0.0  # of nodes
    cut: int = 0  # runs that were taken with their node
    cost: float = 0.0
    on_demand_cost: float = 0.0
    lost_hours: float = 0.0
    lost_cost: float = 0.0
    ids: set[str] = field(default_factory=set, repr=False, compare=False)

    @property
    def saved(self) -> float:
        """In $; below 0 spot did not pay for such jobs."""
        return self.on_demand_cost - self.cost - self.lost_cost

    def count(self, run: _Run) -> None:
        """Another run of such a job."""
        self.ids.add(run.job)
        self.jobs = len(self.ids)
        self.hours += run.hours
        self.cost += run.hours * run.price
        self.on_demand_cost += run.hours * run.on_demand
        self.cut += run.cut
        self.lost_hours += run.hours * run.cut
        self.lost_cost += run.hours * run.cut * run.on_demand


@dataclass(frozen=True, slots=True)
class SpotPaid:
    """Both of some time."""

    since: float = 0.0
    pools: Sequence[SpotReport] = ()
    jobs: Sequence[SpotJobs] = ()


@dataclass(frozen=True, slots=True)
class _Run:
    size: str
    rung: str
    job: str
    longest: float  # seconds that a run of its job took
    hours: float  # of a node
    price: float  # $/hour
    on_demand: float
    cut: int  # 1: it was taken with its node


def pools(connection: sqlite3.Connection, since: float, until: float, seen: float) -> list[SpotReport]:
    """Each pool of that time; nodes that have not ended lived until `seen`. Raises sqlite3.Error."""
    rows = connection.execute(
        f"""SELECT size, rung, count(DISTINCT id), sum(hours), sum(gone), sum(hours * price), sum(hours * on_demand),
            sum(gone * lost) / 3600, sum(gone * lost * on_demand) / 3600 FROM (
            SELECT size, rung, id, price, on_demand, lost, how = 'gone' AND ended > :since AND ended <= :until AS gone,
            max(0, min(:until, coalesce(ended, :seen)) - max(:since, began)) / 3600 AS hours
            FROM life WHERE rung LIKE '%/spot' AND {IN_THAT_TIME})
            GROUP BY size, rung ORDER BY size, rung""",  # noqa: S608 (words of our own)
        {"since": since, "until": until, "seen": seen},
    )
    return [SpotReport(size, zone_of(rung), *figures) for size, rung, *figures in rows]


def jobs(connection: sqlite3.Connection, since: float, until: float, seen: float) -> list[SpotJobs]:
    """Jobs on the nodes of each pool, the shortest first. Raises sqlite3.Error."""
    found: dict[tuple[str, str, float], SpotJobs] = {}
    for run in _runs(connection, since, until, seen):
        most, words = next((most, words) for most, words in LENGTHS.items() if run.longest <= most)
        key = run.size, run.rung, most
        if key not in found:
            found[key] = SpotJobs(run.size, zone_of(run.rung), words)
        found[key].count(run)
    return [found[key] for key in sorted(found)]


def _runs(connection: sqlite3.Connection, since: float, until: float, seen: float) -> Iterator[_Run]:
    """`reach` keeps this from reading all earlier runs under the name of a node, for each node that had it."""
    rows = connection.execute(
        f"""WITH longest AS (SELECT job, max(coalesce(ended, :seen) - began) AS ran FROM run WHERE {IN_THAT_TIME}
            GROUP BY job), reach AS (SELECT host, max(coalesce(ended, :seen) - began) AS ran FROM run
            WHERE {IN_THAT_TIME} GROUP BY host), spot AS (SELECT * FROM life WHERE rung LIKE '%/spot'
            AND hostname != '' AND {IN_THAT_TIME})
            SELECT spot.size, spot.rung, run.job, longest.ran, run.part * max(0,
            min(:until, coalesce(run.ended, :seen), coalesce(spot.ended, :seen)) - max(:since, run.began, spot.began))
            / 3600, spot.price, spot.on_demand, spot.how = 'gone' AND spot.ended <= :until
            AND coalesce(run.ended, :seen) >= spot.ended - {TAKEN_WITH_IT}
            FROM spot JOIN reach ON reach.host = spot.hostname CROSS JOIN run ON run.host = spot.hostname
            AND run.began >= spot.began - reach.ran AND run.began < coalesce(spot.ended, :seen)
            AND coalesce(run.ended, :seen) > spot.began AND run.began < :until AND coalesce(run.ended, :seen) > :since
            JOIN longest USING (job)""",  # noqa: S608 (words and figures of our own)
        {"since": since, "until": until, "seen": seen},
    )
    return (_Run(*row) for row in rows)


def paid(connection: sqlite3.Connection, since: float, now: float) -> SpotPaid:
    """Both, up to now. Raises sqlite3.Error."""
    found = pools(connection, since, now, now)
    return SpotPaid(since, found, jobs(connection, since, now, now) if found else ())
