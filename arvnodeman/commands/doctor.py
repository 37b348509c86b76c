"""`arvados-node-manager doctor`: what is wrong at this site, where, and what mends it.

It makes all checks of the catalogue by itself, whether a daemon runs or not, and asks the daemon for what only that
knows. `--fix` mends what may be mended without anybody's thought.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TextIO

from arvnodeman.commands.client import ClientError, DaemonClient, Unreachable, ways
from arvnodeman.config import ConfigError, load
from arvnodeman.config import Findings as FileFindings
from arvnodeman.config import examine as examine_file
from arvnodeman.config.settings import Settings
from arvnodeman.doctor.base import Area, CannotTell, Check, Finding, NotHere
from arvnodeman.doctor.catalogue import CHECKS, find, of_area
from arvnodeman.doctor.examined import Examined, examine
from arvnodeman.doctor.facts import DaemonFacts, FactPart, Facts
from arvnodeman.doctor.remedies import Remedies
from arvnodeman.examination.asking import NO_DAEMON, SiteAsker, as_found, slurm_of
from arvnodeman.examination.told import daemon_facts
from arvnodeman.fleet.values.model import RemoteFailure
from arvnodeman.manage.answers import GroupsShown, StatusShown
from arvnodeman.manage.places import CONFIG, STATE_DIR
from arvnodeman.terminal.command_line import CommandLine

PROGRAM = "arvados-node-manager doctor"
NOTHING, SOMETHING, CANNOT_TELL = 0, 1, 2


def main(arguments: Sequence[str]) -> int:
    """The subcommand. 0: nothing is wrong; 1: something is; 2: nothing was found, and some checks could not be made,
    or the command line is wrong."""
    given = make_parser().parse_args(list(arguments))
    logging.basicConfig(stream=sys.stderr, level=logging.ERROR, format="%(levelname)s: %(message)s")
    if given.list:
        _write(sys.stdout, _catalogue())
        return NOTHING
    try:
        named = {find(name).name for name in given.check}
    except LookupError as error:
        sys.stderr.write(f"{PROGRAM}: {error.args[0]}\n")
        return CANNOT_TELL
    doctor = _Doctor(given.config or CONFIG)
    wanted = [check for check in CHECKS if not named or check.name in named]
    examined = examine(wanted, doctor.facts())
    mended = list(doctor.mend(examined.found)) if given.fix else []
    left = [each for each in examined.found if each not in {found for found, _, good in mended if good}]
    code = SOMETHING if left else CANNOT_TELL if examined.untold else NOTHING
    told = [line for _, line, _ in mended]
    if given.json:
        sys.stdout.write(json.dumps(_plain(examined, left, told), indent=2) + "\n")
    else:
        _write(sys.stdout, _words(examined, left, told, fix=given.fix))
    return code


def make_parser() -> argparse.ArgumentParser:
    """Its parser."""
    parser = CommandLine(
        prog=PROGRAM,
        description=(
            "Say what is wrong at this site, where, and what to do: configuration, slurm.conf, rights, clouds, "
            "drains, disks. Works with or without a running daemon. Exit code 0: nothing is wrong; 1: something is; "
            "2: nothing was found, but some checks could not be made."
        ),
    )
    parser.add_argument("--config", metavar="FILE", help=f"the daemon's configuration file (default {CONFIG})")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument(
        "--fix", action="store_true", help="correct what can be corrected safely, and say what was done"
    )
    parser.add_argument("--check", metavar="NAME", action="append", default=[], help="make this check only; repeatable")
    parser.add_argument("--list", action="store_true", help="only list the checks")
    return parser


class _Doctor:
    """One site, by one configuration file."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._settings: Settings | None = None
        try:
            settings = load(path)
        except ConfigError:  # what is wrong with it is a finding
            return
        self._settings = as_found(settings, slurm_of(settings))

    def facts(self) -> Facts:
        """Nothing of it asked for yet. With a bad file there is nothing but that."""
        settings = self._settings
        if settings is None:
            file = examine_file(self._path)
            good = file.settings
            return Facts(now=time.time(), file=FactPart.of(file)) if good is None else _of_file(file, good)
        return SiteAsker(settings, slurm_of(settings)).facts(
            lambda: _ask_daemon(settings), settings.daemon.state_dir or STATE_DIR
        )

    def mend(self, found: Sequence[Finding]) -> Iterator[tuple[Finding, str, bool]]:
        """Mend what may be: the finding, what was done in words, and whether it is mended. All that a check has found
        is looked at again just before, and after."""
        if self._settings is None:
            return
        remedies = Remedies(slurm_of(self._settings))
        for check in CHECKS:
            here = [each for each in found if each.check == check.name and each.by_itself]
            if check.mend is not None and here:
                yield from _mended(check, check.mend, here, remedies, self.facts)


def _mended(
    check: Check,
    mend: Callable[[Finding, Remedies], str],
    found: Sequence[Finding],
    remedies: Remedies,
    fetch: Callable[[], Facts],
) -> Iterator[tuple[Finding, str, bool]]:
    before, done = fetch(), list[tuple[Finding, str]]()
    for each in found:
        try:
            if check.still_there(each, before):
                done.append((each, mend(each, remedies)))
            else:
                yield each, f"{each.about}: no longer found", True
        except (RemoteFailure, CannotTell) as failure:
            yield each, f"{each.about}: NOT corrected: {failure}", False
    after = fetch()
    for each, words in done:
        try:
            mended = not check.still_there(each, after)
        except CannotTell as why:
            yield each, f"{words}; it is unknown whether that has corrected it: {why}", False
            continue
        yield each, words if mended else f"{words}; NOT corrected: it is still found", mended


def _of_file(file: FileFindings, settings: Settings) -> Facts:
    """With stand-ins in place of what cannot be read."""
    return Facts(now=time.time(), file=FactPart.of(file), settings=FactPart.of(settings))


def _ask_daemon(settings: Settings) -> DaemonFacts:
    """What the running one knows. Raises NotHere where none answers, CannotTell where it refuses."""
    client = DaemonClient(ways(settings))
    try:
        status = client.get("status").read(StatusShown)
        groups = client.get("groups").read(GroupsShown).groups
    except Unreachable:
        raise NotHere(NO_DAEMON) from None
    except ClientError as error:
        raise CannotTell(str(error)) from None
    return daemon_facts(status, groups)


# ---- words -----------------------------------------------------------------------------------------------------------


def _write(out: TextIO, lines: Iterator[str]) -> None:
    out.writelines(f"{line}\n" for line in lines)
    out.flush()


def _words(examined: Examined, left: Sequence[Finding], told: Sequence[str], *, fix: bool) -> Iterator[str]:
    areas = {check.name: check.area for check in CHECKS}
    for area in Area:
        here = [each for each in left if areas[each.check] is area]
        if here:
            yield f"About {area}:"
        for each in here:
            yield f"  {'WRONG' if each.grave else 'note '}  {each.text}"
            yield f"         remedy: {each.mends}  [{each.check}{', --fix does it' if each.by_itself else ''}]"
    if fix:
        yield from (f"corrected: {line}" for line in told)
        if not told:
            yield "corrected: nothing, because nothing here can be corrected automatically"
    for why in dict.fromkeys(examined.untold.values()):
        names = [name for name, each in examined.untold.items() if each == why]
        yield f"could not check: {', '.join(names)}: {why}"
    grave = sum(each.grave for each in left)
    count = f"{len(left)} finding{'' if len(left) == 1 else 's'}, {grave} of them grave" if left else "no finding"
    untold = f"; {len(examined.untold)} could not be made" if examined.untold else ""
    yield f"{count}: {examined.checks} check{'' if examined.checks == 1 else 's'} made{untold}"


def _plain(examined: Examined, left: Sequence[Finding], told: Sequence[str]) -> dict[str, object]:
    areas = {check.name: check.area for check in CHECKS}
    return {
        "checks": examined.checks,
        "findings": [
            {
                "check": each.check,
                "area": areas[each.check].value,
                "grave": each.grave,
                "text": each.text,
                "about": each.about,
                "mends": each.mends,
                "by_itself": each.by_itself,
            }
            for each in left
        ],
        "mended": list(told),
        "could_not_look": dict(examined.untold),
    }


def _catalogue() -> Iterator[str]:
    for area in Area:
        yield f"About {area}:"
        for check in of_area(area):
            yield f"  {check.name:<26} {check.says}"
