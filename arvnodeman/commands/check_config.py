"""The subcommand `check-config`: is this file one that the daemon would start with, and nothing in it a slip? With
`--preview`, what it would have changed for the jobs of a trace, too.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TextIO

from arvnodeman.commands.simulate_options import add_preview_options
from arvnodeman.config import examine
from arvnodeman.doctor.base import Area, CannotTell, Check, Finding
from arvnodeman.doctor.catalogue import of_area
from arvnodeman.doctor.facts import FactPart, Facts
from arvnodeman.manage.places import CONFIG
from arvnodeman.terminal.command_line import CommandLine

PROGRAM = "arvados-node-manager check-config"
BAD = 2  # exit code, as for a wrong command line


def main(arguments: Sequence[str]) -> int:
    """Run it. Returns the exit code; argparse raises SystemExit(2) for a wrong command line."""
    parser = CommandLine(
        prog=PROGRAM,
        description=(
            "Say what is wrong with a configuration file, one line for each mistake. With --preview and --trace: "
            "what it would have changed for these jobs."
        ),
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
    file = examine(path)
    facts = Facts(file=FactPart.of(file))
    if file.settings is not None:
        facts = Facts(file=FactPart.of(file), settings=FactPart.of(file.settings))
    found = [each for check in of_area(Area.FILE) for each in _occurs(check, facts)]
    wrong = [each.text for each in found if each.grave]
    remarks = [f"{path}: note: {each.text.removeprefix(f'{path}: ')}" for each in found if not each.grave]
    if not wrong:
        number = len(file.settings.sizes) if file.settings is not None else 0
        remarks.append(f"{path}: ok, {number} size{'' if number == 1 else 's'}")
    out.writelines(f"{line}\n" for line in (*dict.fromkeys(wrong), *remarks))
    return BAD if wrong else 0


def _occurs(check: Check, facts: Facts) -> list[Finding]:
    """What it finds; nothing where too little of the file can be read for it."""
    try:
        return list(check.occurs(facts))
    except CannotTell:
        return []
