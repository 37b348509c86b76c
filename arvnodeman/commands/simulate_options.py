"""The command line of `simulate`, and what of it other commands have, too. For completion no more is loaded."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from arvnodeman.manage.places import CONFIG
from arvnodeman.terminal.command_line import CommandLine

PROGRAM = "arvados-node-manager simulate"
AS_TRACED = "as traced"  # --save without a date
BY = ("account", "user", "partition")
FIGURES = {
    "boot_seconds": ("boot", 0.0, math.inf, "from create to up, a fifth more or less (default 120)"),
    "boot_fails": ("boot_fails", 0.0, 1.0, "share of nodes that never come up (default 0)"),
    "dies": ("dies", 0.0, math.inf, "deaths of a node in an hour of its life (default 0)"),
    "reclaims": ("reclaims", 0.0, math.inf, "of a preemptible node in an hour of its life, beside that (default 0)"),
    "quota": ("quota", 0.0, math.inf, "most nodes that the cloud lets be at once (default: no quota)"),
    "out_of_stock": ("out_of_stock", 0.0, 1.0, "share of time in which the cloud has none of a size (default 0)"),
    "stock_out": ("stock_out", 1.0, math.inf, "seconds that such a time lasts, on average (default 3600)"),
}
"""Options of the command line: the field of Assumed, the least and the greatest value, and what it is."""


def make_parser() -> argparse.ArgumentParser:
    """Its command line."""
    parser = CommandLine(
        prog=PROGRAM,
        description="Plays the jobs of a trace through the code that really decides, in virtual time: what they would "
        "have cost with a configuration, and how long they would have waited. Nothing is sent anywhere, and no "
        "credentials are needed. doc/what-if.md has more.",
        epilog="Exit codes: 0 done; 1 it could not be played or drawn, or one of several could not; 2 a wrong command "
        "line, configuration or trace; 130 stopped by Ctrl-C, with what there was until then.",
    )
    add_options(parser)
    return parser


def add_options(parser: argparse.ArgumentParser) -> None:
    """All of it."""
    parser.add_argument("--config", metavar="FILE", help=f"the configuration (default {CONFIG})")
    parser.add_argument(
        "--set", dest="changes", metavar="'[Section] option = value'", action="append", default=[], help="change it"
    )
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument("--compare", metavar=("A.cfg", "B.cfg"), nargs=2, help="what B would change, and whom it hurts")
    kinds.add_argument(
        "--sweep",
        metavar="'[Section] option = value, value'",
        action="append",
        default=[],
        help="play each of these values; several: all combinations. Values that have commas stand between bars, |",
    )
    kinds.add_argument("--advise", action="store_true", help="try what pays most on such sites")
    kinds.add_argument(
        "--replay",
        metavar="JOURNAL",
        type=Path,
        help="a journal of the daemon, folder or file: does this build command the same? Exit code 1: it does not",
    )
    kinds.add_argument(
        "--print-sacct-command", action="store_true", help="print the command that exports a trace, and nothing else"
    )
    add_trace_options(parser)
    how = add_run_options(parser)
    how.add_argument("--csv", action="store_true", help="of a sweep, for spreadsheets")
    how.add_argument("--by", choices=BY, default="", help="say who pays for the nodes, too, as report does")
    how.add_argument(
        "--save",
        metavar="DATE",
        nargs="?",
        const=AS_TRACED,
        help="keep what came of it in the history, for report --predictions: as told of the time of the trace, or of "
        "as long a time from DATE on",
    )
    slurm = parser.add_argument_group("a sweep as a job array of Slurm")
    slurm.add_argument(
        "--sbatch",
        metavar="FOLDER",
        type=Path,
        help="submit it; the result comes into this folder, which all nodes see",
    )
    slurm.add_argument("--sbatch-options", metavar="TEXT", help="more ones for sbatch: '--partition=long --time=60'")


def add_run_options(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """How often it is played, and how it is told."""
    how = parser.add_argument_group("how")
    how.add_argument("--seed", metavar="N", help="of all that chance decides (default 0)")
    how.add_argument("--seeds", metavar="N", help="play with so many seeds (default: compare 5, advise 3, else 1)")
    how.add_argument("--processes", metavar="N", help="so many at once (default: one for each core)")
    how.add_argument("--json", action="store_true", help="for programs")
    how.add_argument("--plot", metavar="FILE", type=Path, help="draw it, too: FILE.png or FILE.svg")
    return how


def add_preview_options(parser: argparse.ArgumentParser) -> None:
    """What `check-config` has of it."""
    parser.add_argument("--preview", action="store_true", help="what would it have changed? Needs --trace")
    parser.add_argument("--against", metavar="OLD.cfg", help=f"changed against this file (default {CONFIG})")
    add_trace_options(parser)
    add_run_options(parser)


def add_trace_options(parser: argparse.ArgumentParser) -> None:
    """Those of the trace, and of what is assumed."""
    trace = parser.add_argument_group("the trace")
    trace.add_argument(
        "--trace", metavar="FILE", type=Path, nargs="+", action="extend", default=[], help="the jobs; months as files"
    )
    trace.add_argument("--from", dest="since", metavar="DATE", help="only jobs submitted from then on")
    trace.add_argument("--to", dest="until", metavar="DATE", help="only jobs submitted before")
    trace.add_argument("--zone", metavar="ZONE", default="", help="of times without one; else this machine's")
    trace.add_argument(
        "--exclusive-partitions",
        metavar="NAME",
        nargs="+",
        action="extend",
        default=[],
        help="whose jobs share no node",
    )
    trace.add_argument("--processors", metavar="N", help="of a node, for SWF (default: those of the largest size)")
    cloud = parser.add_argument_group("the cloud, where the history does not tell it")
    history = cloud.add_mutually_exclusive_group()
    history.add_argument(
        "--history",
        metavar="FILE",
        type=Path,
        help="a history file: boots and losses as measured (default: the one in the configured state directory, where "
        "there is one)",
    )
    history.add_argument("--no-history", action="store_true", help="no history: as stated here")
    for name, (_, _, _, words) in FIGURES.items():
        cloud.add_argument(f"--{name.replace('_', '-')}", metavar="N", help=words)
