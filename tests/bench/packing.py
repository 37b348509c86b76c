"""What sharing nodes saves: the same jobs on the same sizes, played by an earlier build, one job on a node, and by this
one, in virtual time. `make bench ARGS=packing`.

Exit code 1 when a goal is missed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from builds import Build
from made_up_jobs import MENU, MadeUpJob, Offer, day_of_jobs, fluid_bound

BASE = "3ec0ed2"  # the build that knew one job on a node alone
SCRIPT = Path(__file__).with_name("play_jobs.py")
NODES, COST = 1 / 12, 1 / 8  # of the earlier build's, for a burst of small jobs
OVER_FLUID = 1.15  # times the bound that no way to run the jobs is below
USELESS = 1.02  # times the cost of one job on a node, where sharing saves nothing
Outcome = Mapping[str, Any]


class Goal(NamedTuple):
    """Is a figure as small as it should be?"""

    what: str
    figure: float
    most: float

    @property
    def met(self) -> bool:
        return self.figure <= self.most * (1 + 1e-9)


class Work(NamedTuple):
    """Jobs, and the sizes that there are."""

    jobs: Sequence[MadeUpJob]
    menu: Sequence[Offer]


def burst() -> Work:
    """160 jobs of one core, and a size of 16 cores alone."""
    return Work([MadeUpJob(10.0, 600.0, 1, 2000, 1)] * 160, (Offer("sixteen", 16, 64_000, 0.80),))


def mixed(count: int, seed: int) -> Work:
    """A day of all kinds of jobs, on a dozen sizes."""
    return Work(day_of_jobs(count, seed), MENU)


def fine(count: int, seed: int) -> Work:
    """A size for each job: nothing is left beside any."""
    jobs = [job for job in day_of_jobs(count, seed) if job.nodes == 1]
    shapes = sorted({(job.cores, job.ram) for job in jobs})
    return Work(jobs, [Offer(f"c{cores}m{ram}", cores, ram, 0.04 * cores + 2e-6 * ram) for cores, ram in shapes])


def goals_of_burst(before: Outcome, now: Outcome, _: Work) -> Iterator[Goal]:
    """A node has 16 jobs in place of one."""
    yield Goal("nodes, of the earlier build's", now["nodes"] / before["nodes"], NODES)
    yield Goal("cost, of the earlier build's", now["cost"] / before["cost"], COST)


def goals_of_mixed(before: Outcome, now: Outcome, work: Work) -> Iterator[Goal]:
    """Nodes are well filled, and nobody waits for that."""
    yield Goal("cost, of the fluid bound", now["cost"] / fluid_bound(work.jobs, work.menu), OVER_FLUID)
    yield Goal("cost, of the earlier build's", now["cost"] / before["cost"], 1.0)
    yield Goal("mean wait, of the earlier build's", now["wait"] / before["wait"], 1.0)


def goals_of_fine(before: Outcome, now: Outcome, _: Work) -> Iterator[Goal]:
    """What cannot help does not harm."""
    yield Goal("cost, of the earlier build's", now["cost"] / before["cost"], USELESS)


def main(arguments: Sequence[str] | None = None) -> int:
    """Play and print. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", default=BASE, help="the other build: anything that git knows")
    parser.add_argument("--rows", default="burst,mixed,fine", help="some of: burst, mixed, fine (default: all of them)")
    parser.add_argument("--jobs", type=int, default=5000, help="of the mixed day; of the fine one a quarter of that")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    rows = {
        "burst": (burst(), goals_of_burst),
        "mixed": (mixed(given.jobs, given.seed), goals_of_mixed),
        "fine": (fine(given.jobs // 4, given.seed), goals_of_fine),
    }
    wanted = given.rows.split(",")
    if unknown := [name for name in wanted if name not in rows]:
        parser.error(f"no rows are called {', '.join(unknown)}")
    good = True
    for name in wanted:
        work, goals_of = rows[name]
        print(f"{name}: {len(work.jobs):,} jobs, {len(work.menu)} sizes; {(goals_of.__doc__ or '').rstrip('.')}")
        before, now = played(Build(given.base), work, given, share=False), played(Build(""), work, given, share=True)
        for label, outcome in ((given.base, before), ("now", now)):
            print(f"    {label:<10}{told(outcome)}", flush=True)
        if name == "mixed":
            print(f"    {'fluid':<10}${fluid_bound(work.jobs, work.menu):>9.2f}")
        for goal in goals_of(before, now, work):
            print(f"    {goal.what:<36}{goal.figure:>8.3f}  goal {goal.most:.3f}  {'met' if goal.met else 'MISSED'}")
            good &= goal.met
        good &= all_ran(now)
    return 0 if good else 1


def played(build: Build, work: Work, given: argparse.Namespace, *, share: bool) -> Outcome:
    """What came of it on one build."""
    told = {"offers": work.menu, "jobs": work.jobs, "share": share, "seed": given.seed}
    outcome: Outcome = json.loads(build.run(SCRIPT, told=json.dumps(told)))
    return outcome


def told(outcome: Outcome) -> str:
    """In one line."""
    return (
        f"${outcome['cost']:>9.2f}  {outcome['nodes']:>5,} nodes, {outcome['most']:>4,} at most; wait: mean "
        f"{outcome['wait']:.0f} s, 99 % {outcome['late']:.0f} s; played in {outcome['took']:.0f} s of the processor"
        + ("" if all_ran(outcome) else f"; {outcome['unfinished']} JOBS HAVE NOT RUN, {outcome['left']} NODES LEFT")
    )


def all_ran(outcome: Outcome) -> bool:
    """Have all jobs run, and has no node stayed?"""
    return not outcome["unfinished"] and not outcome["left"]


if __name__ == "__main__":
    sys.exit(main())
