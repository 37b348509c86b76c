"""Simulations of more than one configuration or seed: comparisons and sweeps, in several processes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from arvnodeman.commands import simulate_sbatch
from arvnodeman.commands.simulate_inputs import Inputs, WrongInput, loaded, read_inputs
from arvnodeman.commands.watching import INTERRUPTED, LongWork, watched
from arvnodeman.config import ConfigError, Settings, load
from arvnodeman.config.assignments import Assignment, assignment
from arvnodeman.whatif import comparison_words, pictures, sweep_words
from arvnodeman.whatif.comparison import Comparison
from arvnodeman.whatif.comparison import compare as compared
from arvnodeman.whatif.points import Play, PlayedPoint, Point
from arvnodeman.whatif.result_json import json_text
from arvnodeman.whatif.sweep import Candidate, Sweep, same, sweep_of
from arvnodeman.whatif.sweep_axes import Axis, axis, combinations
from arvnodeman.whatif.workers import Failure, Stopped, Workers

CANNOT = 1


@dataclass(frozen=True, slots=True)
class How:
    """How it is played, and told."""

    seed: int = 0  # the first
    seeds: int = 1
    processes: int = 1
    json: bool = False
    csv: bool = False
    plot: Path | None = None

    @property
    def all_seeds(self) -> range:
        """Those that are played."""
        return range(self.seed, self.seed + self.seeds)


def play_all(workers: Workers, points: Sequence[Point], watch: LongWork) -> dict[int, PlayedPoint | Failure]:
    """What came of each, by place; fewer where somebody has stopped it."""
    found: dict[int, PlayedPoint | Failure] = {}
    try:
        for place, each in workers.results(points, watch.tell, watch.stop):
            found[place] = each
    except Stopped:
        pass
    return found


# ---- comparisons -----------------------------------------------------------------------------------------------------


def compare(options: argparse.Namespace, how: How, player: Play, problems: list[str]) -> int:
    """`--compare A B`. Returns the exit code. Raises WrongInput, CannotDraw."""
    before, after = options.compare
    if options.config is not None:
        problems.append("--config: --compare names both configurations")
    settings = [loaded(path, options.changes, problems) for path in (before, after)]
    return compare_settings((before, after), settings, options, how, player, problems)


def compare_settings(
    names: tuple[str, str],
    settings: Sequence[Settings | None],
    options: argparse.Namespace,
    how: How,
    player: Play,
    problems: list[str],
) -> int:
    """Of two configurations, None for such as could not be read. Raises WrongInput, CannotDraw."""
    inputs = read_inputs(options, [each for each in settings if each is not None], problems)
    old, new = (_points(inputs, each, how) for each in settings if each is not None)
    number = len(old)
    with (
        watched(f"{2 * number} runs") as watch,
        Workers(inputs.jobs, player, min(how.processes, 2 * number)) as workers,
    ):
        found = play_all(workers, [point for pair in zip(old, new, strict=True) for point in pair], watch)
    failures = [each for each in found.values() if isinstance(each, Failure)]
    pairs = []
    for place in range(number):
        one, other = found.get(2 * place), found.get(2 * place + 1)
        if isinstance(one, PlayedPoint) and isinstance(other, PlayedPoint):
            pairs.append((one, other))
    sys.stderr.writelines(f"it could not be played: {each.text}\n" for each in failures)
    if not pairs:
        return INTERRUPTED if watch.interrupted else CANNOT
    result = compared(names, inputs.jobs, pairs, partial=len(pairs) < number, remarks=inputs.remarks)
    _tell_comparison(result, how)
    return INTERRUPTED if watch.interrupted else CANNOT if failures else 0


def _tell_comparison(result: Comparison, how: How) -> None:
    sys.stdout.write(json_text(result) if how.json else comparison_words.as_text(result))
    sys.stdout.flush()
    if how.plot is not None:
        pictures.draw_comparison(result, how.plot)


def _points(inputs: Inputs, settings: Settings, how: How) -> list[Point]:
    """Raises WrongInput."""
    try:
        point = inputs.point(settings)
    except ConfigError as error:
        raise WrongInput(error.problems) from None
    return [replace(point, seed=seed) for seed in how.all_seeds]


# ---- sweeps ----------------------------------------------------------------------------------------------------------


def sweep(options: argparse.Namespace, settings: Settings | None, how: How, player: Play, problems: list[str]) -> int:
    """`--sweep`. Returns the exit code. Raises WrongInput, CannotDraw."""
    axes = _axes(options.sweep, problems)
    try:
        combinations(axes)
    except ValueError as error:
        problems.append(f"--sweep: {error}")
    simulate_sbatch.sbatch_options(options, problems)
    if settings is not None:
        problems += _useless(settings.path, options.changes, axes)
    inputs = read_inputs(options, [settings] if settings is not None else [], problems)
    assert settings is not None  # else there are problems
    candidates = candidates_of(inputs, settings, options.changes, axes, how)
    if options.sbatch is not None:
        return simulate_sbatch.hand_in(options, candidates, inputs, how.all_seeds, player)
    points = {
        (place, number): point
        for place, candidate in enumerate(candidates)
        for number, point in enumerate(candidate.points)
    }
    keys = list(points)
    with watched(f"{len(keys)} runs") as watch, Workers(inputs.jobs, player, min(how.processes, len(keys))) as workers:
        found = play_all(workers, list(points.values()), watch)
    outcomes = {keys[place]: each for place, each in found.items()}
    result = sweep_of(candidates, outcomes, how.all_seeds, remarks=inputs.remarks)
    tell_sweep(result, how)
    failed = any(each.problem for each in result.points)
    return INTERRUPTED if watch.interrupted else CANNOT if failed else 0


def candidates_of(
    inputs: Inputs,
    settings: Settings,
    changes: Sequence[str],
    axes: Sequence[Axis],
    how: How,
) -> list[Candidate]:
    """Each combination, and the configuration as it is where none is that."""
    given = [assignment(text) for text in changes]
    found = []
    for values in combinations(axes):
        texts = {each.option: value.text for each, value in zip(axes, values, strict=True)}
        found.append(_candidate(inputs, settings, [*given, *values], texts, how))
    if not any(each.current for each in found):
        found.insert(0, _candidate(inputs, settings, given, {}, how))
    return found


def _candidate(
    inputs: Inputs, settings: Settings, given: Sequence[Assignment], texts: dict[str, str], how: How
) -> Candidate:
    try:
        made = load(settings.path, given, offline=True)
        point = inputs.point(made)
    except ConfigError as error:
        return Candidate(texts, current=False, problem="; ".join(error.problems))
    points = tuple(replace(point, seed=seed) for seed in how.all_seeds)
    return Candidate(texts, current=same(made, settings), points=points)


def _axes(texts: Sequence[str], problems: list[str]) -> list[Axis]:
    found = []
    for text in texts:
        try:
            found.append(axis(text))
        except ValueError as error:
            problems.append(f"--sweep: {error}")
    return found


def _useless(path: str, changes: Sequence[str], axes: Sequence[Axis]) -> Iterator[str]:
    """Axes of which no value can be: what is wrong with the first. One bad value among others is one bad point."""
    given = [assignment(text) for text in changes]
    for each in axes:
        mistakes = [_mistake(path, [*given, value]) for value in each.values]
        if all(mistakes):
            yield mistakes[0].replace("--set: ", "--sweep: ", 1)


def _mistake(path: str, given: Sequence[Assignment]) -> str:
    try:
        load(path, given, offline=True)
    except ConfigError as error:
        return next((line for line in error.problems if line.startswith("--set: ")), error.problems[0])
    return ""


def tell_sweep(result: Sweep, how: How) -> None:
    """Print it, and draw it. Raises CannotDraw."""
    as_words = sweep_words.as_csv if how.csv else sweep_words.as_text
    sys.stdout.write(json_text(result) if how.json else as_words(result))
    sys.stdout.flush()
    if how.plot is not None:
        pictures.draw_sweep(result, how.plot)
