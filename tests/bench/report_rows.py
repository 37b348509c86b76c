"""How long a report takes over a history of a million rows, how large the file is, and how fast it is written.

`make bench ARGS=report`, or with other figures: `make bench ARGS="report --nodes 1000 --days 90"`. The rows are as the
recorder makes them: a sample a minute, node time for each size and minute, a life for each node, decisions, waits.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import math
import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from arvnodeman.commands import report
from arvnodeman.history.file import HistoryFile, life_row
from arvnodeman.history.lives import Life
from arvnodeman.history.schema import FILE_NAME, Row

MINUTE, HOUR, DAY = 60, 3600, 86_400
SIZES = {"small": 0.05, "medium": 0.1, "large": 0.2, "xlarge": 0.4, "himem": 0.5}  # $/hour


def rows(days: int, nodes: int, began: int, dice: random.Random) -> Iterator[Row]:
    """A site whose nodes come and go with the day, each for some hours."""
    share = nodes / len(SIZES)
    for at in range(began, began + days * DAY, MINUTE):
        load = 0.6 + 0.4 * math.sin(at / DAY * 2 * math.pi)
        busy, idle = int(nodes * load), int(nodes * (1 - load) / 4)
        yield "sample", (at, 3, 2, idle, busy, 1, int(100 * load), nodes, busy * 0.25)
        for size in SIZES:
            yield "usage", (at, size, 30.0, 20.0, share * (1 - load) * 15, share * load * 60, 5.0)
        for _ in range(max(1, int(dice.expovariate(1 / 2)))):
            waited = dice.expovariate(1 / 300)
            yield "wait", (at, int(math.log(max(1.0, waited)) / math.log(1.02)), 1, waited, waited)
        if dice.random() < 0.3:
            yield "tally", (at, "boots_up", 1)
    for number in range(days * nodes * 4):  # lives of six hours
        start = began + dice.random() * days * DAY
        size = dice.choice(list(SIZES))
        life = Life(f"i-{number:09}", start, f"compute-{number}", f"compute{number % nodes}", size, SIZES[size])
        life.ended, life.how = start + dice.expovariate(1 / (6 * HOUR)), "destroyed"
        yield life_row(life)
        for kind in ("boot", "created", "shutdown", "destroyed"):
            yield (
                "decision",
                (at, kind, f"compute-{number}", f"Cloud node compute-{number} is what this line is about."),
            )


def main() -> None:
    """Make it, and report on it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--nodes", type=int, default=100)
    given = parser.parse_args()
    began = int(time.time() // DAY - given.days) * DAY
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / FILE_NAME
        file = HistoryFile(path)
        count, start = 0, time.perf_counter()
        for batch in _batches(rows(given.days, given.nodes, began, random.Random(1))):
            file.write(batch)
            count += len(batch)
        took = time.perf_counter() - start
        print(f"{count:,} rows in {file.size / 1e6:.1f} MB, written in {took:.1f} s")
        start = time.perf_counter()
        file.prune(began)
        print(f"pruned by number of rows in {time.perf_counter() - start:.2f} s: {file.size / 1e6:.1f} MB")
        file.close()
        start = time.perf_counter()
        file.open()
        kept = file.earlier_runs(time.time() - 31 * DAY)
        print(f"read at a start, with {len(kept.lives):,} lives of a month, in {time.perf_counter() - start:.2f} s")
        file.close()
        for arguments in (["--since", f"{given.days}d"], ["--since", "7d"], ["--since", f"{given.days}d", "--plot"]):
            _report(arguments, path, Path(folder) / "plot.png")


def _report(arguments: Sequence[str], path: Path, picture: Path) -> None:
    start = time.perf_counter()
    drawn = [str(picture)] if "--plot" in arguments else []
    with contextlib.redirect_stdout(io.StringIO()):
        code = report.main([*arguments, *drawn, "--history", str(path)])
    print(f"report {' '.join(arguments)}: {time.perf_counter() - start:.2f} s, exit code {code}")


def _batches(found: Iterator[Row]) -> Iterator[list[Row]]:
    while batch := [row for _, row in zip(range(20_000), found, strict=False)]:
        yield batch


if __name__ == "__main__":
    main()
