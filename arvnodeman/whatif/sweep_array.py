"""A sweep as a job array of the site's own Slurm, and a job that collects what came of it.

`python -m arvnodeman.whatif.sweep_array FOLDER` is what these jobs run: a task of the array plays its share, the other
one collects. Both find the same folder and the same Python on every node.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from arvnodeman.slurm.errors import SlurmFailure
from arvnodeman.slurm.run import run
from arvnodeman.whatif import pictures, sweep_words
from arvnodeman.whatif.pictures import CannotDraw
from arvnodeman.whatif.points import Trials
from arvnodeman.whatif.result_json import json_text
from arvnodeman.whatif.sweep import Sweep, sweep_of_forecasts
from arvnodeman.whatif.sweep_plan import NoPlan, PlanFolder, SweepPlan
from arvnodeman.whatif.workers import one_line_of

MODULE = "arvnodeman.whatif.sweep_array"
TASKS = 1000  # of one array at most: Slurm's MaxArraySize is 1001 unless somebody has changed it
PATIENCE = 60.0  # seconds that one of Slurm's commands may take
NAME = "simulate"
RESULTS = ("sweep.txt", "sweep.json", "sweep.csv")
_JOB = re.compile(r"([0-9]+)(;.*)?\s*")


class CannotSubmit(Exception):
    """Slurm does not take it. The text is one line for people."""


def submit(folder: PlanFolder, plan: SweepPlan, options: Sequence[str]) -> tuple[str, str, int]:
    """Submit what is missing: the numbers of the array and of the collector, and how many runs these are. `options`:
    more ones for sbatch. Raises CannotSubmit; then no job is left behind."""
    if under_way := _under_way(folder.jobs()):
        raise CannotSubmit(f"{folder.folder}: job {under_way} of it still waits or runs")
    folder.forget_failures()
    missing = folder.missing(plan)
    tasks = max(1, min(TASKS, len(missing)))
    folder.share_out([missing[task::tasks] for task in range(tasks)])
    array = _sbatch(folder, [f"--array=0-{tasks - 1}", *options], "play", "task-%a.log")
    try:
        collector = _sbatch(folder, [f"--dependency=afterany:{array}", *options], "collect", "collect.log")
    except CannotSubmit:
        _slurm("scancel", array)
        raise
    folder.keep_jobs([array, collector])
    return array, collector, len(missing)


def _sbatch(folder: PlanFolder, options: Sequence[str], what: str, log: str) -> str:
    """The number of the job. Raises CannotSubmit."""
    words = [sys.executable, "-m", MODULE, str(folder.folder.absolute()), what]
    script = f"#!/bin/sh\nexec {shlex.join(words)}\n"
    path = folder.work.absolute() / log
    argv = ["sbatch", "--parsable", f"--job-name={NAME}", f"--output={path}", "--requeue", *options]
    said = _slurm(*argv, text=script)
    found = _JOB.fullmatch(said)
    if found is None:
        raise CannotSubmit(f"sbatch said {said.strip()[:100]!r}, and no number of a job")
    return found[1]


def _under_way(jobs: Sequence[str]) -> str:
    """One of these jobs that is not over; '': none."""
    if not jobs:
        return ""
    said = _slurm("squeue", "--noheader", "--me", "--format=%F")
    return next((job for job in jobs if job in said.split()), "")


def _slurm(*argv: str, text: str = "") -> str:
    try:
        done = run(argv, timeout=PATIENCE, text=text)
    except SlurmFailure as failure:
        raise CannotSubmit(str(failure)) from None
    if done.returncode:
        words = " ".join((done.stderr or done.stdout).split())
        raise CannotSubmit(f"{argv[0]}: {words or f'exit code {done.returncode}'}")
    return done.stdout


# ---- what the jobs run -----------------------------------------------------------------------------------------------


def play_share(folder: PlanFolder, task: int) -> int:
    """Play what one task of the array is to play, and is not there yet. Returns the exit code. Raises NoPlan."""
    plan = folder.plan()
    trials = Trials(folder.trace(), plan.play)
    missing, code = set(folder.missing(plan)), 0
    for key in folder.share(task):
        if key not in missing:
            continue
        try:
            folder.keep(key, trials.run(plan.point(key)).forecast)
        except Exception as error:  # noqa: BLE001  # a fault of one run is told, and ends no other
            folder.keep_failure(key, one_line_of(error))
            code = 1
    return code


def collect(folder: PlanFolder) -> int:
    """Write what came of all, and clear away what it took, where nothing is missing. Returns the exit code. Raises
    NoPlan."""
    plan = folder.plan()
    forecasts = folder.forecasts(plan)
    result = sweep_of_forecasts(plan.candidates, forecasts, plan.seeds, remarks=plan.remarks)
    for name, text in zip(RESULTS, _texts(result), strict=True):
        folder.write_result(name, text)
    if plan.plot is not None:
        try:
            pictures.draw_sweep(result, plan.plot)
        except CannotDraw as error:
            sys.stderr.write(f"{error}\n")
    if folder.missing(plan):
        return 1
    folder.clear()
    return 0


def _texts(result: Sweep) -> tuple[str, str, str]:
    return sweep_words.as_text(result), json_text(result), sweep_words.as_csv(result)


def main(arguments: Sequence[str]) -> int:
    """`FOLDER play` or `FOLDER collect`."""
    folder = PlanFolder(Path(arguments[0]))
    try:
        if arguments[1] == "collect":
            return collect(folder)
        return play_share(folder, int(os.environ["SLURM_ARRAY_TASK_ID"]))
    except NoPlan as error:
        sys.stderr.write(f"{error}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
