"""`arvados-node-manager simulate`: what a trace's jobs would have cost, and how long they would have waited.

It needs no daemon, no cloud and no credentials, and sends nothing. Exit codes: 0 done; 1 it could not be played, or the
picture not made, or a configuration of several came to nothing; 2 a wrong command line, configuration or trace; 130
stopped by Ctrl-C: what there was until then has been told, marked as partial.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

from arvnodeman.commands import simulate_advise, simulate_many
from arvnodeman.commands.simulate_inputs import (
    Inputs,
    WrongInput,
    history_in,
    loaded,
    read_inputs,
    whole_number,
)
from arvnodeman.commands.simulate_options import PROGRAM, make_parser
from arvnodeman.commands.simulate_save import from_when, prediction_of
from arvnodeman.commands.watching import INTERRUPTED, watched
from arvnodeman.config import ConfigError, Settings
from arvnodeman.history.predictions import CannotSave, save
from arvnodeman.journal.reader import NoJournal
from arvnodeman.journal.replay import replay, words
from arvnodeman.manage.places import CONFIG
from arvnodeman.traces.sacct_command import sacct_command
from arvnodeman.whatif import pictures
from arvnodeman.whatif.forecast import Forecast
from arvnodeman.whatif.forecast_words import as_text
from arvnodeman.whatif.pictures import CannotDraw
from arvnodeman.whatif.play import play
from arvnodeman.whatif.points import Play, Trials
from arvnodeman.whatif.result_json import json_text
from arvnodeman.whatif.workers import cores, one_line_of

CANNOT, WRONG = 1, 2
SEEDS = {"compare": 5, "advise": 3}  # unless somebody says how many
PLOTS = (".png", ".svg")
_MEMORY = "# With what memory jobs used, for --advise; some six times as many rows:"


def main(arguments: Sequence[str], player: Play = play) -> int:
    """Run it. Returns the exit code; argparse raises SystemExit(2) for a wrong command line. `player`: what plays."""
    options = make_parser().parse_args(list(arguments))
    if options.print_sacct_command:
        sys.stdout.write(f"{sacct_command()}\n{_MEMORY}\n{sacct_command(memory=True)}\n")
        return 0
    if options.replay is not None:
        return _replay(options.replay)
    return _guarded(lambda: _run(options, player), PROGRAM)


def _replay(path: Path) -> int:
    """A journal, told to fresh Fleets of this build: 0 the same commands, 1 others, 2 no journal."""
    try:
        outcome = replay([path])
    except (NoJournal, OSError) as error:
        sys.stderr.write(f"{PROGRAM}: --replay: {error}\n")
        return WRONG
    sys.stdout.writelines(f"{line}\n" for line in words(outcome))
    return 0 if outcome.same else CANNOT


def previewed(before: str, after: str, options: argparse.Namespace, program: str, player: Play = play) -> int:
    """What `after` would change of `before`, with the options of a trace and of a run. Returns the exit code."""

    def run() -> int:
        problems: list[str] = []
        if _is_one_file(before, after):
            problems.append(f"{after}: it is compared with itself; --against names the file as it was before")
        how = _how(options, SEEDS["compare"], problems)
        settings = [loaded(path, [], problems) for path in (before, after)]
        return simulate_many.compare_settings((before, after), settings, options, how, player, problems)

    return _guarded(run, program)


def _is_one_file(before: str, after: str) -> bool:
    try:
        return Path(before).samefile(after)
    except OSError:  # who reads them says so
        return False


def _guarded(run: Callable[[], int], program: str) -> int:
    try:
        return run()
    except WrongInput as error:
        sys.stderr.writelines(f"{program}: {line}\n" for line in dict.fromkeys(error.problems))
        return WRONG
    except CannotDraw as error:
        sys.stderr.write(f"{program}: {error}\n")
        return CANNOT


def _run(options: argparse.Namespace, player: Play) -> int:
    """Raises WrongInput, CannotDraw."""
    problems: list[str] = []
    if options.csv and not options.sweep:
        problems.append("--csv works only with --sweep; --json works with all")
    if options.sbatch is not None and not options.sweep:
        problems.append("--sbatch works only with --sweep")
    if options.by and (options.compare or options.sweep or options.advise):
        problems.append("--by works with one configuration only")
    if options.save is not None and (options.compare or options.sweep or options.advise):
        problems.append("--save works with one configuration only")
    how = replace(_how(options, _seeds(options), problems), csv=options.csv)
    if options.compare:
        return simulate_many.compare(options, how, player, problems)
    settings = loaded(options.config or CONFIG, options.changes, problems)
    if options.sweep:
        return simulate_many.sweep(options, settings, how, player, problems)
    if options.advise:
        return simulate_advise.advise(options, settings, how, player, problems)
    inputs = read_inputs(options, [settings] if settings is not None else [], problems)
    assert settings is not None  # else there are problems
    return _one(inputs, settings, how, player, options)


def _how(options: argparse.Namespace, seeds: int, problems: list[str]) -> simulate_many.How:
    if options.plot is not None and options.plot.suffix.lower() not in PLOTS:
        problems.append(f"--plot: {options.plot} ends neither with .png nor with .svg")
    return simulate_many.How(
        seed=whole_number(options.seed, "--seed", problems, 0, 0),
        seeds=whole_number(options.seeds, "--seeds", problems, 1, seeds),
        processes=whole_number(options.processes, "--processes", problems, 1, cores()),
        json=options.json,
        plot=options.plot,
    )


def _seeds(options: argparse.Namespace) -> int:
    kind = "compare" if options.compare else "advise" if options.advise else ""
    return SEEDS.get(kind, 1)


def _one(inputs: Inputs, settings: Settings, how: simulate_many.How, player: Play, options: argparse.Namespace) -> int:
    """Raises WrongInput, CannotDraw."""
    try:
        point = inputs.point(settings, how.seed)
    except ConfigError as error:
        raise WrongInput(error.problems) from None
    since = from_when(options, inputs.zone)
    with watched(f"{len(inputs.jobs):,} jobs") as watch:
        try:
            found = Trials(inputs.jobs, player, options.by).run(point, watch.tell, watch.stop)
        except Exception as error:  # noqa: BLE001  # a fault is one line, as it is of one point of many
            sys.stderr.write(f"{PROGRAM}: it could not be played: {one_line_of(error)}\n")
            return CANNOT
    forecast = msgspec.structs.replace(found.forecast, remarks=[*inputs.remarks, *found.forecast.remarks])
    _write(forecast, inputs, how)
    if how.plot is not None:
        pictures.draw_forecast(replace(found, forecast=forecast), inputs.jobs, how.plot)
    if watch.interrupted:
        return INTERRUPTED
    if options.save is None:
        return 0
    try:
        path = options.history or history_in(settings)
        save(path, prediction_of(forecast, since, " ".join([settings.path, *options.changes])))
    except CannotSave as error:
        sys.stderr.write(f"{PROGRAM}: --save: {error}\n")
        return CANNOT
    sys.stderr.write(f"saved in {path}; report --predictions will compare it with what happens\n")
    return 0


def _write(forecast: Forecast, inputs: Inputs, how: simulate_many.How) -> None:
    sys.stdout.write(json_text(forecast) if how.json else as_text(forecast, inputs.zone))
    sys.stdout.flush()
