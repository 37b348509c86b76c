"""What simulations are made of, as a command line gives it: configurations, a trace, and what is assumed of the cloud.

Mistakes of all of it are told at once, a line each.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from pathlib import Path
from typing import TypeVar

from arvnodeman.commands.simulate_options import FIGURES
from arvnodeman.config import ConfigError, Settings, load
from arvnodeman.config.assignments import Assignment, assignment
from arvnodeman.fleet.messages import Poll
from arvnodeman.history.dates import NoDate, moment
from arvnodeman.history.reading import CannotRead
from arvnodeman.history.schema import FILE_NAME
from arvnodeman.manage.places import STATE_DIR
from arvnodeman.traces.job import TracedJob
from arvnodeman.traces.moments import NoZone, zone_of
from arvnodeman.traces.reading import TraceOptions, read_trace
from arvnodeman.traces.trace import NoTrace
from arvnodeman.whatif.measured import assumed_from_history
from arvnodeman.whatif.points import Point, without_secrets
from arvnodeman.whatif.scenario import Assumed
from arvnodeman.whatif.sizes import sizes_of

Found = TypeVar("Found")
HISTORY = "boots and losses of nodes, where enough of them was measured: as in {}"


class WrongInput(Exception):
    """What was given cannot be used. `problems` are lines for people."""

    def __init__(self, problems: Iterable[str]) -> None:
        super().__init__()
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Inputs:
    """What all points of one call have in common."""

    jobs: tuple[TracedJob, ...]
    remarks: tuple[str, ...]  # of the trace: what was assumed, what was left out
    assumed: Assumed
    zone: tzinfo | None
    history: Path | None = None

    def point(self, settings: Settings, seed: int = 0) -> Point:
        """A configuration with these jobs. Raises ConfigError where its sizes cannot be known offline."""
        sizes = sizes_of(settings, self.history)
        return Point(without_secrets(settings), sizes, self.assumed, seed)


def read_inputs(options: argparse.Namespace, settings: Sequence[Settings], problems: list[str]) -> Inputs:
    """All of it but the configurations. `problems`: those that are known before. Raises WrongInput."""
    assumed = _assumed(options, problems)
    zone = _told(lambda: zone_of(options.zone), problems, "--zone: ")
    since, until = _dates(options, zone, problems)
    processors = _whole(options.processors, "--processors", problems)
    if not options.trace:
        problems.append("--trace: missing; required: a file with jobs; --print-sacct-command tells how to get one")
    history, said = options.history, list[str]()
    if not problems and history is not None:
        polls = max((each.poll_time_of(Poll.RECORDS) for each in settings[:1]), default=0.0)
        assumed = _told(lambda: assumed_from_history(history, assumed, polls), problems) or assumed
    elif not problems and not options.no_history:
        history, assumed, said = _own_history(settings, assumed)
    if problems:
        raise WrongInput(problems)
    cores = max((size.cores for each in settings for size in each.sizes), default=None)
    places = any(each.places for each in settings)
    how = TraceOptions(options.zone, frozenset(options.exclusive_partitions), processors or cores, places)
    try:
        trace = read_trace(options.trace, how)
    except NoTrace as error:
        raise WrongInput([str(error)]) from None
    jobs = tuple(job for job in trace.jobs if since <= job.submit < until)
    if not jobs:
        raise WrongInput([f"--from, --to: none of the {len(trace.jobs):,} jobs was submitted then"])
    remarks = [*trace.remarks, *said]
    remarks += [f"cannot be read, and left out: {each}" for each in trace.unreadable]
    if left := len(trace.jobs) - len(jobs):
        remarks.append(f"jobs submitted before --from or from --to on, and left out: {left:,}")
    return Inputs(jobs, tuple(remarks), assumed, zone, history)


def history_in(settings: Settings) -> Path:
    """Where the daemon with this configuration keeps its history."""
    return Path(settings.daemon.state_dir or STATE_DIR) / FILE_NAME


def _own_history(settings: Sequence[Settings], assumed: Assumed) -> tuple[Path | None, Assumed, list[str]]:
    """The history of the first of these daemons that has one, what is assumed with it, and what is to be said."""
    for each in settings:
        path = history_in(each)
        try:
            if path.exists():
                return (
                    path,
                    assumed_from_history(path, assumed, each.poll_time_of(Poll.RECORDS)),
                    [HISTORY.format(path)],
                )
        except CannotRead as error:
            return None, assumed, [f"boots and losses of nodes are as stated: {error}"]
        except OSError:  # a folder that is not ours to look into
            continue
    return None, assumed, []


def loaded(path: str, texts: Sequence[str], problems: list[str], option: str = "--set") -> Settings | None:
    """A configuration with `[Section] option = value` set in it; None where there are problems, which are added."""
    assignments: list[Assignment] = []
    before = len(problems)
    for text in texts:
        try:
            assignments.append(assignment(text))
        except ValueError as error:
            problems.append(f"{option}: {error}")
    try:
        settings = load(path, assignments, offline=True)
    except ConfigError as error:
        problems += error.problems
        return None
    return settings if len(problems) == before else None


def _assumed(options: argparse.Namespace, problems: list[str]) -> Assumed:
    found: dict[str, float | int] = {}
    for name, (attribute, least, most, _) in FIGURES.items():
        text = getattr(options, name)
        option = f"--{name.replace('_', '-')}"
        if text is None:
            continue
        if name == "quota":
            number: float | int | None = _whole(text, option, problems, int(least))
        else:
            number = _number(text, option, least, most, problems)
        if number is not None:
            found[attribute] = number
    return replace(Assumed(), **found)  # type: ignore[arg-type]  # names of fields, each with a number


def _number(text: str, option: str, least: float, most: float, problems: list[str]) -> float | None:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not (least <= number <= most) or math.isinf(number):
        bounds = f"at least {least:g}" if math.isinf(most) else f"{least:g} to {most:g}"
        problems.append(f"{option}: {text[:40]!r}; allowed: a number, {bounds}")
        return None
    return number


def _whole(text: str | None, option: str, problems: list[str], least: int = 1) -> int | None:
    if text is None:
        return None
    if not text.isascii() or not text.isdecimal() or not least <= int(text) <= 10**9:
        problems.append(f"{option}: {text[:40]!r}; allowed: a whole number, at least {least}")
        return None
    return int(text)


def whole_number(text: str | None, option: str, problems: list[str], least: int, otherwise: int) -> int:
    """Of a text from the command line; where it is wrong that is added to the problems."""
    number = _whole(text, option, problems, least)
    return otherwise if number is None else number


def _dates(options: argparse.Namespace, zone: tzinfo | None, problems: list[str]) -> tuple[float, float]:
    since = _date(options.since, zone, problems, "--from: ", -math.inf)
    until = _date(options.until, zone, problems, "--to: ", math.inf)
    if since >= until:
        problems.append("--to: it is not after --from")
    return since, until


def _date(text: str | None, zone: tzinfo | None, problems: list[str], before: str, otherwise: float) -> float:
    if text is None:
        return otherwise
    at = _told(lambda: moment(text, time.time(), zone), problems, before)
    return otherwise if at is None else at


def _told(ask: Callable[[], Found], problems: list[str], before: str = "") -> Found | None:
    try:
        return ask()
    except (NoZone, NoDate, CannotRead) as error:
        problems.append(f"{before}{error}")
        return None
