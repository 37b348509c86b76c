"""Tasks of an array beyond its %N, on a real Slurm: where each of them runs."""

from __future__ import annotations

import time

import pytest
from slurm_stage import BOUND, need_slurm

from arvnodeman.sandbox.real_slurm import PrivateSlurm
from arvnodeman.sandbox.real_slurm_conf import Shape

RUNS = 5  # seconds, each task


@pytest.mark.long
def test_each_next_task_runs_where_the_one_before_it_has_ended() -> None:
    """Of two nodes one has all tasks, one after the other, and a task waits for less time than it runs."""
    need_slurm()
    with PrivateSlurm(Shape(nodes=1, message_timeout=10)) as slurm:
        for name in ("compute0", "compute1"):
            slurm.start_node(name)
        script = ("--wrap", f"sleep {RUNS}")
        options = ("-p", "compute", "--array=1-3%1", "--parsable", "--output=/dev/null")
        array = slurm.say("sbatch", *options, *script).strip()
        shown = ("squeue", "-h", "--states=all", "--array", f"--jobs={array}", "-o", "%K|%T|%N|%S|%e")
        end = time.monotonic() + BOUND
        rows: list[list[str]] = []
        while [row[1] for row in rows] != ["COMPLETED"] * 3:
            assert time.monotonic() < end, rows
            time.sleep(0.5)
            rows = sorted(line.split("|") for line in slurm.say(*shown).splitlines())
        (node,) = {row[2] for row in rows}
        assert node in ("compute0", "compute1")
        begins, ends = ([time.mktime(time.strptime(row[at], "%Y-%m-%dT%H:%M:%S")) for row in rows] for at in (3, 4))
        waits = [begin - ended for begin, ended in zip(begins[1:], ends, strict=False)]
        assert all(0 <= wait < RUNS for wait in waits), waits
