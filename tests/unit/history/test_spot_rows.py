"""What spot has brought costs what there is of it: a history four times as long is no more than that much dearer."""

from __future__ import annotations

import sqlite3

from arvnodeman.history import spot
from arvnodeman.history.schema import TABLES

LIFE, RUN = 3600.0, 600.0  # seconds
RUNS = 6  # on each node


def steps(nodes: int) -> int:
    """Hundreds of steps of SQLite's machine, for nodes that had one name one after the other."""
    connection = sqlite3.connect(":memory:")
    for table in TABLES:
        connection.execute(table)
    for number in range(nodes):
        began = LIFE * number
        life = (f"i-{number}", began, began + LIFE, "destroyed", "n", "n", "small", 0.1, 1, 0, "z/spot", 0.2, 0.0)
        connection.execute(f"INSERT INTO life VALUES ({', '.join('?' * len(life))})", life)
        for each in range(RUNS):
            at = began + RUN * each
            run = ("n", at, f"{number}-{each}", at + RUN, 1.0, "u", "a", "q", "p")
            connection.execute(f"INSERT INTO run VALUES ({', '.join('?' * len(run))})", run)
    counted = 0

    def count() -> int:
        nonlocal counted
        counted += 1
        return 0

    connection.set_progress_handler(count, 100)
    (found,) = spot.jobs(connection, 0.0, LIFE * nodes, LIFE * nodes)
    connection.close()
    assert (found.jobs, round(found.hours, 6)) == (nodes * RUNS, float(nodes))
    return counted


def test_a_history_that_is_four_times_as_long_costs_about_four_times_as_much() -> None:
    assert steps(400) < 6 * steps(100)
