"""The subcommand `wake`: has the daemon look at Slurm now. Also where slurm.conf's programs for that come from."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from arvnodeman.config import ConfigError, load
from arvnodeman.manage.places import CONFIG
from arvnodeman.slurm.poke import POKE_FILE, PROGRAM, poke, program_for
from arvnodeman.terminal.command_line import CommandLine

BAD_CONFIGURATION, FAILED = 2, 1
NAME = "arvados-node-manager wake"


def main(arguments: Sequence[str]) -> int:
    """Run it. Returns the exit code: 0 done, 1 it cannot be done, 2 a mistake in the configuration; argparse raises
    SystemExit(2) for a wrong command line."""
    parser = CommandLine(
        prog=NAME,
        description="Have the daemon on this machine poll Slurm now, by touching its [Daemon] poke_file.",
        epilog="ResumeProgram and SuspendProgram of slurm.conf do the same: name there what --install has written, or "
        "the packaged program, whose path --program prints.",
    )
    parser.add_argument("--config", metavar="FILE", help=f"the daemon's configuration file (default {CONFIG})")
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument("--program", action="store_true", help="print the path of the packaged program, and no more")
    instead.add_argument("--install", metavar="PROGRAM", help="write a program that touches the poke_file there")
    options = parser.parse_args(list(arguments))
    try:
        file = load(options.config or CONFIG).daemon.poke_file or POKE_FILE
    except ConfigError as error:
        sys.stderr.writelines(f"{problem}\n" for problem in error.lines)
        return BAD_CONFIGURATION
    try:
        if options.program:
            return _packaged(file)
        if options.install:
            return _install(Path(options.install), file)
        poke(file)
    except OSError as error:
        return _complain(f"{error.filename or file}: {error.strerror or error}{_hint(error, file)}")
    return 0


def _hint(error: OSError, file: str) -> str:
    missing = isinstance(error, FileNotFoundError) and error.filename == file
    return " (no daemon runs here, or it has another [Daemon] poke_file, or RUNTIME_DIRECTORY)" if missing else ""


def _packaged(file: str) -> int:
    """Print the path of the packaged program, if it does what is meant."""
    if file != POKE_FILE:
        return _complain(f"the packaged program touches {POKE_FILE}, and poke_file is {file}: use --install")
    if not os.access(PROGRAM, os.X_OK):
        return _complain(f"{PROGRAM} is not executable: use --install")
    sys.stdout.write(f"{PROGRAM}\n")
    return 0


def _install(program: Path, file: str) -> int:
    """Write a program that all may run, at once whole, and print the lines for slurm.conf. Raises OSError."""
    if not program.is_absolute():
        return _complain(f"{program}: slurm.conf needs an absolute path")
    if not file.isprintable():
        return _complain("the poke_file has a character that cannot be printed")
    descriptor, new = tempfile.mkstemp(prefix=f".{program.name}.", dir=program.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as text:
            text.write(program_for(file))
        Path(new).chmod(0o755)
        Path(new).replace(program)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(new).unlink()
        raise
    sys.stdout.write(f"ResumeProgram={program}\nSuspendProgram={program}\n")
    return 0


def _complain(text: str) -> int:
    sys.stderr.write(f"{NAME}: {text}\n")
    return FAILED
