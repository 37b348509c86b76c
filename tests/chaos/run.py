"""`python -m chaos.run SEEDS`: one line for each seed, and a summary. Exit code 1 when a run went wrong."""

from __future__ import annotations

import argparse
import multiprocessing
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from arvnodeman.sandbox.slurm_root import use_root
from arvnodeman.sandbox.wiring import RECORDS
from chaos.plan import KILLS, Plan, make_plan
from chaos.play import Outcome, play
from chaos.points import POINTS, points_of

_SHOWN = 12  # points that are named when they were missed


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m chaos.run", description=__doc__)
    parser.add_argument("seeds", type=seeds_of, help="as in 1-20 or 3,7,9")
    parser.add_argument("--kills", type=int, default=KILLS, help=f"kills a run (default {KILLS})")
    parser.add_argument("--rate", type=float, default=0.2, help="of what can go wrong at one place, does (default 0.2)")
    parser.add_argument(
        "--records",
        choices=RECORDS,
        default="arvados",
        help="who keeps the node records (default arvados)",
    )
    parser.add_argument(
        "--slurm-root", type=Path, help="run the Slurm in this directory (python -m arvnodeman.sandbox.slurm_root)"
    )
    parser.add_argument(
        "--at-once", type=int, default=1, help="seeds (default 1); at a real Slurm they wait more than they work"
    )
    parser.add_argument("--logs", type=_folder, default=_folder("build/chaos"), help="for the logs of failed runs")
    parser.add_argument("--keep", action="store_true", help="keep the logs of good runs, too")
    given = parser.parse_args()
    _end_in_order()
    if given.slurm_root is not None:
        use_root(given.slurm_root)
    outcomes = []
    for outcome in _played(given):
        outcomes.append(outcome)
        if not outcome.wrong and not given.keep:
            shutil.rmtree(given.logs / f"seed-{outcome.seed}")
        sys.stdout.write(line_of(outcome))
        sys.stdout.flush()
    sys.stdout.write(summary(outcomes, points_of(given.records)))
    return 1 if any(outcome.wrong for outcome in outcomes) else 0


def _played(given: argparse.Namespace) -> Iterator[Outcome]:
    """What came of each seed, in their order."""
    plans = [make_plan(seed, given.kills, given.rate, given.records) for seed in given.seeds]
    folders = [given.logs / f"seed-{plan.seed}" for plan in plans]
    if given.at_once == 1:
        yield from map(play, plans, folders)
        return
    # Each in a process of its own: what starts daemons forks, and must have no other threads.
    fresh = multiprocessing.get_context("spawn")
    with fresh.Pool(given.at_once, initializer=_end_in_order, maxtasksperchild=1) as pool:
        yield from pool.imap(_play, zip(plans, folders, strict=True), chunksize=1)


def _play(what: tuple[Plan, Path]) -> Outcome:
    return play(*what)


def _end_in_order() -> None:
    """SIGTERM ends what was started, too: daemons lead groups of their own, and would live on."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))


def _folder(text: str) -> Path:
    return Path(text).resolve()


def seeds_of(text: str) -> list[int]:
    """1-3,7 as [1, 2, 3, 7]."""
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    if not found:
        raise ValueError(text)
    return found


def line_of(outcome: Outcome) -> str:
    """One run, in a line; what went wrong below it."""
    verdict = outcome.verdict
    line = (
        f"seed {outcome.seed:<3} {'WRONG' if outcome.wrong else 'ok':<5} {outcome.seconds:3.0f} s  "
        f"jobs {verdict['jobs']} (run anew {sum(verdict['requeues'].values())}, cancelled {verdict['cancelled']})  "
        f"nodes {verdict['nodes_booted']}  faults {sum(outcome.faults.values())}  "
        f"kills {outcome.kills} (at points {len(outcome.points)})  "
        f"leaks {outcome.leaks}  lost jobs {outcome.lost}  busy killed {outcome.busy_killed}\n"
    )
    slurms = [f"slurmctld: {text}" for text in outcome.slurms]
    more = [*outcome.wrong, *slurms, *outcome.ends, *([f"logs: {outcome.logs}"] if outcome.wrong else [])]
    return line + "".join(f"         {text}\n" for text in more)


def summary(outcomes: list[Outcome], all_points: Sequence[str] = POINTS) -> str:
    """All runs together."""
    points = Counter(point for outcome in outcomes for point in outcome.points)
    missed = [point for point in all_points if point not in points]
    missed_few = 0 < len(missed) <= _SHOWN
    faults = Counter[str]()
    requeues = Counter[str]()
    for outcome in outcomes:
        faults.update(outcome.faults)
        requeues.update(outcome.verdict["requeues"])
    failed = [str(outcome.seed) for outcome in outcomes if outcome.wrong]
    lines = [
        f"episodes: {len(outcomes)}, failed: {len(failed)}{' (seeds ' + ', '.join(failed) + ')' if failed else ''}",
        f"kills: {sum(o.kills for o in outcomes)}, at points: {sum(points.values())}, "
        f"points hit: {len(points)} of {len(all_points)}{' (not: ' + ', '.join(missed) + ')' if missed_few else ''}",
        f"daemons that ended by themselves: {sum(len(o.ends) for o in outcomes)}",
        f"jobs: {sum(o.verdict['jobs'] for o in outcomes)}, run anew after: {_counts(requeues)}",
        f"faults: {sum(faults.values())}: {_counts(faults)}",
        f"leaks: {sum(o.leaks for o in outcomes)}",
        f"lost jobs: {sum(o.lost for o in outcomes)}",
        f"busy nodes killed: {sum(o.busy_killed for o in outcomes)}",
        f"jobs held: {sum(o.held for o in outcomes)}",
    ]
    return "".join(f"{line}\n" for line in lines)


def _counts(counted: Counter[str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in sorted(counted.items())) or "nothing"


if __name__ == "__main__":
    raise SystemExit(main())
