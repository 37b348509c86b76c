"""`simulate --advise`: changes that pay on many sites, each tried alone, then the best of them together."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

from arvnodeman.commands.simulate_inputs import Inputs, WrongInput, read_inputs
from arvnodeman.commands.simulate_many import CANNOT, How, play_all
from arvnodeman.commands.watching import INTERRUPTED, LongWork, watched
from arvnodeman.config import ConfigError, Settings, load
from arvnodeman.config.assignments import Assignment, assignment
from arvnodeman.whatif.advice import ConfigAdvice, MoveVerdict, TriedMove, in_order, tried
from arvnodeman.whatif.advice_words import as_text
from arvnodeman.whatif.forecast import Forecast
from arvnodeman.whatif.moves import OptionMove, moves_of
from arvnodeman.whatif.points import Play, PlayedPoint, Point
from arvnodeman.whatif.result_json import json_text
from arvnodeman.whatif.used_memory import SPARE, over_asked
from arvnodeman.whatif.workers import Failure, Workers

TOGETHER = 5  # changes at most
AS_USED = "jobs ask for what they use"


def advise(options: argparse.Namespace, settings: Settings | None, how: How, player: Play, problems: list[str]) -> int:
    """Returns the exit code. Raises WrongInput."""
    inputs = read_inputs(options, [settings] if settings is not None else [], problems)
    assert settings is not None  # else there are problems
    given = [assignment(text) for text in options.changes]
    try:
        as_it_is = inputs.point(settings)
    except ConfigError as error:
        raise WrongInput(error.problems) from None
    with watched("advice") as watch, Workers(inputs.jobs, player, how.processes) as workers:
        trial = _Advising(inputs, settings, given, how, workers, watch)
        advice = trial.advice(as_it_is)
    if advice is None:
        sys.stderr.writelines(f"it could not be played: {line}\n" for line in trial.failed)
        return INTERRUPTED if watch.interrupted else CANNOT
    sys.stdout.write(json_text(advice) if how.json else as_text(advice))
    sys.stdout.flush()
    return INTERRUPTED if watch.interrupted else CANNOT if advice.failed else 0


@dataclass(slots=True, eq=False)
class _Kept:
    """A move that was tried."""

    move: OptionMove
    forecasts: list[Forecast]
    result: TriedMove


def _is_better(before: Sequence[Forecast], after: Sequence[Forecast]) -> bool:
    return tried("", (), before, after).verdict is MoveVerdict.BETTER


class _Advising:
    """Tries moves out."""

    def __init__(
        self,
        inputs: Inputs,
        settings: Settings,
        given: Sequence[Assignment],
        how: How,
        workers: Workers,
        watch: LongWork,
    ) -> None:
        self._inputs, self._settings, self._given = inputs, settings, list(given)
        self._how, self._workers, self._watch = how, workers, watch
        self.failed: list[str] = []

    def advice(self, as_it_is: Point) -> ConfigAdvice | None:
        """None where not even the configuration as it is could be played."""
        moves, points = self._moves()
        used = over_asked(self._inputs.jobs)
        trimmed = [replace(as_it_is, memory=SPARE)] if used else []
        played = self._played([as_it_is, *points, *trimmed])
        before, after, last = played[0], played[1 : len(points) + 1], played[len(points) + 1 :]
        as_used = last[0] if last else None
        if before is None:
            return None
        found = [
            _Kept(move, each, tried(move.words, move.changes, before, each, remark=move.remark))
            for move, each in zip(moves, after, strict=True)
            if each is not None
        ]
        together = None if self._watch.interrupted else self._together(before, found)
        return ConfigAdvice(
            partial=self._watch.interrupted,
            seeds=list(self._how.all_seeds),
            tried=in_order(each.result for each in found),
            together=together,
            failed=self.failed,
            over_asked=used,
            as_used=tried(AS_USED, (), before, as_used) if as_used is not None else None,
            remarks=list(dict.fromkeys((*self._inputs.remarks, *before[0].remarks))),
        )

    def _moves(self) -> tuple[list[OptionMove], list[Point]]:
        """Those that are a configuration that can be, and their points."""
        moves, points = [], []
        for move in moves_of(self._settings):
            point = self._point(move.changes)
            if point is not None:
                moves.append(move)
                points.append(point)
        return moves, points

    def _point(self, changes: Sequence[Assignment]) -> Point | None:
        """With these changes; None where they do not go with the rest."""
        try:
            return self._inputs.point(load(self._settings.path, [*self._given, *changes], offline=True))
        except ConfigError:
            return None

    def _played(self, points: Sequence[Point]) -> list[list[Forecast] | None]:
        """Of each the forecasts of all seeds; None where one of them is missing."""
        seeds = self._how.all_seeds
        found = play_all(self._workers, [replace(point, seed=seed) for point in points for seed in seeds], self._watch)
        played: list[list[Forecast] | None] = []
        for place in range(len(points)):
            each = [found.get(place * len(seeds) + number) for number in range(len(seeds))]
            self.failed += dict.fromkeys(one.text for one in each if isinstance(one, Failure))
            good = [one.forecast for one in each if isinstance(one, PlayedPoint)]
            played.append(good if len(good) == len(seeds) else None)
        return played

    def _together(self, before: Sequence[Forecast], found: Sequence[_Kept]) -> TriedMove | None:
        """The best one, and each further one of another kind that makes it better yet."""
        better = [each for each in found if each.result.verdict is MoveVerdict.BETTER]
        better.sort(key=lambda each: (each.result.cost.change.mean, each.result.mean_wait.change.mean))
        if not better:
            return None
        taken, forecasts = [better[0].move], better[0].forecasts
        for each in better[1:]:
            if self._watch.interrupted or len(taken) == TOGETHER:
                break
            if any(each.move.group == move.group for move in taken):
                continue
            together = [*taken, each.move]
            point = self._point([change for move in together for change in move.changes])
            after = self._played([point])[0] if point is not None else None
            if after is not None and _is_better(before, after) and _is_better(forecasts, after):
                taken, forecasts = together, after
        return tried(
            "; ".join(move.words for move in taken),
            [change for move in taken for change in move.changes],
            before,
            forecasts,
            remark="; ".join(filter(None, (move.remark for move in taken))),
        )
