"""`python -m chaos.two_hosts 1-200`: two real managers of one site on one real store, and a fault in each run. Counted
are double creates, leaks, lost jobs, busy nodes killed, and requests of a lead that had ended.

Whether two acted at once is told by cloud, Arvados and Slurm: each request that changes something has the generation of
its lead, and relays before them list all in the order in which they came.
"""

from __future__ import annotations

import argparse
import multiprocessing
import queue
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "leader"))

from chaos.run import seeds_of
from chaos.two_plan import plan_of
from chaos.two_play import play_pair
from chaos.two_stores import STORES, start_store
from chaos.two_table import PairRow, rows_in, table

LOOK = 0.5  # seconds between two looks at processes that play


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m chaos.two_hosts", description=__doc__)
    parser.add_argument("seeds", type=seeds_of, help="as in 1-200 or 3,7,9", nargs="?", default=list(range(1, 201)))
    parser.add_argument("--store", choices=STORES, default="postgresql", help="where the lead is (default postgresql)")
    parser.add_argument("--at-once", type=int, default=2, help="runs; they wait more than they work (default 2)")
    parser.add_argument("--logs", type=Path, default=Path("build/two-hosts"), help="for results, and logs of bad runs")
    parser.add_argument("--table", action="store_true", help="play nothing: the table of all results that are there")
    given = parser.parse_args()
    results = given.logs.resolve() / "results.jsonl"
    if given.table:
        sys.stdout.write(table(sorted(rows_in([results]), key=lambda row: row.store)))
        return 0
    results.parent.mkdir(parents=True, exist_ok=True)
    rows = []
    for row in _played(given.seeds, given.store, results.parent, given.at_once):
        rows.append(row)
        with results.open("a", encoding="utf-8") as file:
            file.write(row.json())
        sys.stdout.write(row.line())
        sys.stdout.flush()
    sys.stdout.write(table(rows))
    return 1 if len(rows) < len(given.seeds) or any(row.wrong for row in rows) else 0


def _played(seeds: list[int], store: str, logs: Path, at_once: int) -> Iterator[PairRow]:
    """As they end. Each process has a store of its own: one of the faults empties it."""
    fresh = multiprocessing.get_context("spawn")
    to_play, played = fresh.Queue(), fresh.Queue()
    for seed in (*seeds, *[None] * at_once):
        to_play.put(seed)
    playing = [fresh.Process(target=_play, args=(to_play, played, store, logs), daemon=True) for _ in range(at_once)]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    for each in playing:
        each.start()
    try:
        for _ in seeds:
            while True:
                try:
                    yield played.get(timeout=LOOK)
                    break
                except queue.Empty:
                    if not any(each.is_alive() for each in playing):
                        return
    finally:
        for each in playing:
            each.terminate()
            each.join()


def _play(to_play: Any, played: Any, store: str, logs: Path) -> None:
    """One process: seed after seed, until there is none left."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="two-hosts-") as temporary:
        server = start_store(store, Path(temporary))
        try:
            while (seed := to_play.get()) is not None:
                folder = logs / f"{store}-seed-{seed}"
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir(parents=True)
                outcome = play_pair(plan_of(seed), folder, server)
                if not outcome.wrong:
                    shutil.rmtree(folder)
                played.put(PairRow.of(outcome, store))
        finally:
            server.end()


if __name__ == "__main__":
    raise SystemExit(main())
