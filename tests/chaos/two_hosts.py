"""`python -m chaos.two_hosts 1-200`: two real managers of one site on one PostgreSQL, and a fault in each run. Counted
are double creates, leaks, lost jobs, busy nodes killed, and requests of a lead that had ended.

Whether two acted at once is told by the cloud: each request that changes something has the generation of its lead, and
relays before the cloud list them in the order in which they came.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "leader"))

from postgresql_stage import PostgresqlStage

from chaos.run import seeds_of
from chaos.two_plan import TTL, Fault, plan_of
from chaos.two_play import PairOutcome, play_pair


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m chaos.two_hosts", description=__doc__)
    parser.add_argument("seeds", type=seeds_of, help="as in 1-200 or 3,7,9", nargs="?", default=list(range(1, 201)))
    parser.add_argument("--logs", type=Path, default=Path("build/two-hosts"), help="for the logs of failed runs")
    given = parser.parse_args()
    outcomes = []
    with tempfile.TemporaryDirectory(prefix="two-hosts-") as temporary:
        folder = Path(temporary)
        folder.chmod(0o755)
        (place := folder / "postgresql").mkdir()
        store = PostgresqlStage(place)
        try:
            for seed in given.seeds:
                logs = given.logs.resolve() / f"seed-{seed}"
                shutil.rmtree(logs, ignore_errors=True)
                logs.mkdir(parents=True)
                outcome = play_pair(plan_of(seed), logs, store)
                outcomes.append(outcome)
                if not outcome.wrong:
                    shutil.rmtree(logs)
                sys.stdout.write(line_of(outcome))
                sys.stdout.flush()
        finally:
            store.end()
    sys.stdout.write(table(outcomes))
    return 1 if any(each.wrong for each in outcomes) else 0


def line_of(outcome: PairOutcome) -> str:
    """One run, in a line; what went wrong below it."""
    plan = outcome.plan
    where = f" ({plan.point}{'' if outcome.reached else ', not reached'})" if plan.point else ""
    took = f"{outcome.takeover:.1f} s" if outcome.takeover else "-"
    how = "WRONG" if outcome.wrong else "ok"
    line = (
        f"seed {plan.seed:<3} {how:<5} {outcome.seconds:4.0f} s  {plan.fault.value}{where}"
        f"  taken over {took}  leads {outcome.leads}  requests {outcome.requests}"
        f"  nodes {outcome.verdict.get('nodes_booted')}  held up {len(outcome.held_up)}"
        f"  out of turn {len(outcome.together)}\n"
    )
    return line + "".join(f"         {text}\n" for text in outcome.wrong)


COLUMNS = ("runs", "wrong", "double creates", "leaks", "lost jobs", "busy killed", "out of turn", "held up", "requests")


def table(outcomes: Iterable[PairOutcome]) -> str:
    """By fault, as a table of Markdown."""
    rows = [f"| fault | {' | '.join(COLUMNS)} | taken over in (median, longest) |", "|---" * (len(COLUMNS) + 2) + "|"]
    every = list(outcomes)
    for fault in (*Fault, None):
        some = [each for each in every if fault in (None, each.plan.fault)]
        if not some:
            continue
        times = [each.takeover for each in some if each.takeover]
        took = f"{statistics.median(times):.1f} s, {max(times):.1f} s, {len(times)} times" if times else "-"
        figures = (
            len(some),
            sum(bool(each.wrong) for each in some),
            sum(len(each.doubles) for each in some),
            sum(_count(each, "nodes_left", "slots_left", "drained_left") for each in some),
            sum(_count(each, "unfinished", "ran_again", "lost") for each in some),
            sum(_count(each, "busy_destroyed") + int(each.verdict.get("disturbed", 0)) for each in some),
            sum(len(each.together) for each in some),
            sum(len(each.held_up) for each in some),
            sum(each.requests for each in some),
        )
        rows.append(f"| {fault.value if fault else 'all'} | {' | '.join(map(str, figures))} | {took} |")
    return "".join(f"{row}\n" for row in (*rows, f"ttl {TTL:g} s"))


def _count(outcome: PairOutcome, *keys: str) -> int:
    return sum(len(outcome.verdict.get(key, ())) for key in keys)


if __name__ == "__main__":
    raise SystemExit(main())
