"""`simulate --sweep ... --sbatch FOLDER`: the runs of a sweep as a job array of Slurm."""

from __future__ import annotations

import argparse
import contextlib
import shlex
import sys
from collections.abc import Sequence

from arvnodeman.commands.simulate_inputs import Inputs, WrongInput
from arvnodeman.commands.simulate_options import PROGRAM
from arvnodeman.whatif.points import Play
from arvnodeman.whatif.sweep import Candidate
from arvnodeman.whatif.sweep_array import RESULTS, CannotSubmit, collect, submit
from arvnodeman.whatif.sweep_plan import NoPlan, PlanFolder, SweepPlan

CANNOT = 1


def sbatch_options(options: argparse.Namespace, problems: list[str]) -> list[str]:
    """More options for sbatch, as words."""
    try:
        return shlex.split(options.sbatch_options or "")
    except ValueError as error:
        problems.append(f"--sbatch-options: {error}")
        return []


def hand_in(
    options: argparse.Namespace, candidates: Sequence[Candidate], inputs: Inputs, seeds: Sequence[int], player: Play
) -> int:
    """Submit what is missing. Returns the exit code. Raises WrongInput."""
    folder = PlanFolder(options.sbatch)
    plot = options.plot.absolute() if options.plot is not None else None
    plan = SweepPlan(tuple(candidates), tuple(seeds), inputs.remarks, player, plot)
    try:
        folder.make(plan, inputs.jobs)
    except NoPlan as error:
        raise WrongInput([f"--sbatch: {error}"]) from None
    except OSError as error:
        raise WrongInput([f"--sbatch: {folder.folder}: {(error.strerror or str(error)).lower()}"]) from None
    if folder.jobs() and not folder.missing(plan):  # all is there, and nobody could collect it
        return collect(folder)
    try:
        array, collector, runs = submit(folder, plan, sbatch_options(options, []))
    except CannotSubmit as error:
        sys.stderr.write(f"{PROGRAM}: --sbatch: {error}\n")
        if not folder.jobs():  # nothing of it was ever submitted
            folder.clear()
            with contextlib.suppress(OSError):
                folder.folder.rmdir()
        return CANNOT
    sys.stdout.write(
        f"job {array}: {runs:,} run{'' if runs == 1 else 's'}\n"
        f"job {collector} collects them into {folder.folder}: {', '.join(RESULTS)}\n"
    )
    sys.stdout.flush()
    return 0
