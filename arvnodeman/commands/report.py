"""`arvados-node-manager report`: what was, what it cost and how long jobs waited, from the history file alone.

It needs no daemon, and disturbs none. Exit codes: 0 done; 1 the history cannot be read, or the picture not made; 2 a
wrong command line, date or configuration file.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from arvnodeman.config import ConfigError, load
from arvnodeman.history import curves, plot, prediction_words, shares, shares_words
from arvnodeman.history import report as reports
from arvnodeman.history.dates import WORDS, NoDate, moment, shown
from arvnodeman.history.plot import CannotPlot
from arvnodeman.history.predictions import scores
from arvnodeman.history.reading import CannotRead, reading
from arvnodeman.history.report_words import FORMATS
from arvnodeman.history.schema import FILE_NAME
from arvnodeman.manage.places import CONFIG, STATE_DIR
from arvnodeman.terminal.command_line import CommandLine

PROGRAM = "arvados-node-manager report"
CANNOT, WRONG = 1, 2


def make_parser() -> argparse.ArgumentParser:
    """Its command line."""
    parser = CommandLine(
        prog=PROGRAM,
        description="Show what nodes cost, what they did, how boots went and how long jobs waited.",
        epilog=f"Dates are in local time: {WORDS}.",
    )
    parser.add_argument("--since", metavar="DATE", required=True, help="from when on")
    parser.add_argument("--until", metavar="DATE", default="now", help="until when (default now)")
    parser.add_argument("--format", choices=FORMATS, default="table", help="for people, spreadsheets or programs")
    parser.add_argument("--plot", metavar="FILE", type=Path, help="draw it, too: FILE.png or FILE.svg")
    parser.add_argument(
        "--predictions",
        action="store_true",
        help="instead: the predictions that simulate --save has saved since then, each beside what really happened",
    )
    parser.add_argument(
        "--by", choices=shares.BY, help="instead: who pays for the nodes, by account, user, job, partition or size"
    )
    parser.add_argument("--config", metavar="FILE", help=f"the daemon's configuration file (default {CONFIG})")
    parser.add_argument("--history", metavar="FILE", type=Path, help="the history file, instead of the daemon's")
    return parser


def main(arguments: Sequence[str], now: float | None = None) -> int:
    """Run it. Returns the exit code; argparse raises SystemExit(2) for a wrong command line."""
    parser = make_parser()
    options = parser.parse_args(list(arguments))
    if options.plot is not None and (options.predictions or options.by):
        parser.error(f"--plot does not go with {'--predictions' if options.predictions else '--by'}")
    if options.predictions and options.by:
        parser.error("--by does not go with --predictions")
    now = time.time() if now is None else now
    try:
        since, until = _time(options, now)
        path = options.history or _path(options.config or CONFIG)
    except (NoDate, ConfigError) as error:
        problems = error.problems if isinstance(error, ConfigError) else [f"{PROGRAM}: {error}"]
        sys.stderr.writelines(f"{problem}\n" for problem in problems)
        return WRONG
    if options.plot is not None and options.plot.suffix.lower() not in plot.KINDS:
        sys.stderr.write(f"{PROGRAM}: --plot: {options.plot} ends neither with .png nor with .svg\n")
        return WRONG
    if options.by:
        return _shares(path, since, until, now, options)
    if options.predictions:
        return _predictions(path, since, until, now, options.format)
    try:
        with reading(path) as connection:
            seen = reports.seen_until(connection, now)
            report = reports.make(connection, since, until, seen)
            drawn = curves.make(connection, since, until, seen) if options.plot is not None else None
        if drawn is not None:
            plot.save(drawn, options.plot)
    except (CannotRead, CannotPlot) as error:
        sys.stderr.write(f"{PROGRAM}: {error}\n")
        return CANNOT
    sys.stdout.write(FORMATS[options.format](report))
    sys.stdout.flush()
    return 0


def _shares(path: Path, since: float, until: float, now: float, options: argparse.Namespace) -> int:
    """Who pays. Returns the exit code."""
    try:
        with reading(path) as connection:
            found = shares.make(connection, options.by, since, until, reports.seen_until(connection, now))
    except CannotRead as error:
        sys.stderr.write(f"{PROGRAM}: {error}\n")
        return CANNOT
    sys.stdout.write(shares_words.FORMATS[options.format](found))
    sys.stdout.flush()
    return 0


def _predictions(path: Path, since: float, until: float, now: float, form: str) -> int:
    """Those made in that time, beside what came. Returns the exit code."""
    try:
        with reading(path) as connection:
            found = scores(connection, since, until, now)
    except CannotRead as error:
        sys.stderr.write(f"{PROGRAM}: {error}\n")
        return CANNOT
    sys.stdout.write(prediction_words.FORMATS[form](found))
    sys.stdout.flush()
    return 0


def _time(options: argparse.Namespace, now: float) -> tuple[float, float]:
    """Raises NoDate."""
    found = []
    for name, text in (("--since", options.since), ("--until", options.until)):
        try:
            found.append(moment(text, now))
        except NoDate as error:
            raise NoDate(f"{name}: {error}") from None
    since, until = found
    if since >= now:
        raise NoDate(f"--since: {shown(since)} is still to come")
    if since >= until:
        raise NoDate(f"--until: {shown(until)} is not after {shown(since)}")
    return since, min(until, now)


def _path(config: str) -> Path:
    """Raises ConfigError."""
    return Path(load(config).daemon.state_dir or STATE_DIR) / FILE_NAME
