"""The subcommand `check-config`: is this file one that the daemon would start with, and nothing in it a slip? With
`--preview`, what it would have changed for the jobs of a trace, too.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TextIO

from arvnodeman.cloud.registry import check_driver, size_slips
from arvnodeman.commands.simulate_options import add_preview_options
from arvnodeman.commands.slips import mistakes, notes
from arvnodeman.config import ConfigError, Settings, examine
from arvnodeman.manage.places import CONFIG

PROGRAM = "arvados-node-manager check-config"
BAD = 2  # exit code, as for a wrong command line


def main(arguments: Sequence[str]) -> int:
    """Run it. Returns the exit code; argparse raises SystemExit(2) for a wrong command line."""
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Say what is wrong with a configuration file, one line each. With --preview and --trace: what it "
        "would have changed for these jobs.",
    )
    parser.add_argument("file", metavar="FILE", nargs="?", help="the configuration file")
    parser.add_argument("--config", metavar="FILE", help="the same")
    add_preview_options(parser)
    options = parser.parse_args(list(arguments))
    path = options.file or options.config
    if not path:
        parser.error("No configuration file specified")
    if not options.preview:
        if options.trace or options.against:
            parser.error("--trace and --against go with --preview")
        return check_config(path, sys.stdout)
    return check_config(path, sys.stderr if options.json else sys.stdout) or _preview(path, options)


def _preview(path: str, options: argparse.Namespace) -> int:
    """The exit code of the comparison."""
    from arvnodeman.commands.simulate import previewed

    return previewed(options.against or CONFIG, path, options, PROGRAM)


def check_config(path: str, out: TextIO) -> int:
    """Write what is wrong with the file, all at once, one line each, or that it is well; answer the exit code, 2 or 0.

    Names that are not known count as errors here. The cloud's driver is made, and nothing asked over the network.
    """
    found = examine(path)
    wrong, remarks = list(found.problems), []
    if found.settings is not None:
        sizes = size_slips(found.settings)
        wrong += _not_told([*_driver_problems(found.settings)], wrong)
        wrong += [f"{path}: {line}" for line in (*mistakes(found.settings, found.sections), *sizes[0])]
        remarks = [f"{path}: note: {line}" for line in (*notes(found.settings), *sizes[1])]
    wrong += found.warnings
    if not wrong:
        number = len(found.settings.sizes) if found.settings is not None else 0
        remarks.append(f"{path}: ok, {number} size{'' if number == 1 else 's'}")
    out.writelines(f"{line}\n" for line in (*dict.fromkeys(wrong), *remarks))
    return BAD if wrong else 0


def _driver_problems(settings: Settings) -> Iterator[str]:
    try:
        check_driver(settings)
    except ConfigError as error:
        yield from (*error.problems, *error.warnings)


def _not_told(lines: Iterable[str], told: Iterable[str]) -> Iterator[str]:
    """Those that are of another option than all that has been told: one mistake leads to another."""
    options = {_option(line) for line in told}
    return (line for line in lines if _option(line) not in options)


def _option(line: str) -> str:
    """`FILE: [Section] option` of a line."""
    before, bracket, behind = line.partition("]")
    return before + bracket + behind.partition(":")[0]
