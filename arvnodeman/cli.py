"""The front door: the command line of `arvados-node-manager`.

What a command needs is imported when it is chosen: the SDK alone takes a third of a second.
"""

from __future__ import annotations

import argparse
import difflib
import gc
import importlib
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from arvnodeman.terminal.command_line import CommandLine

PROGRAM = "arvados-node-manager"
OPERATORS_COMMANDS = ("status", "explain", "hold", "drain", "run", "kill", "retry", "budget", "decisions")
MODULES = dict.fromkeys(OPERATORS_COMMANDS, "arvnodeman.commands.operate") | {
    "init": "arvnodeman.commands.init",
    "wake": "arvnodeman.commands.wake",
    "report": "arvnodeman.commands.report",
    "simulate": "arvnodeman.commands.simulate",
    "check-config": "arvnodeman.commands.check_config",
    "cloud-test": "arvnodeman.commands.cloud_test",
    "doctor": "arvnodeman.commands.doctor",
    "demo": "arvnodeman.sandbox.demo",
    "sandbox": "arvnodeman.sandbox.site",
}
COMMANDS = tuple(MODULES)
SERVICES = ("start", "stop", "restart", "reload", "enable", "disable")  # what people try, of systemctl's


class _Version(argparse.Action):
    """Finds out only when it is asked: Slurm has a say, too."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from arvnodeman.commands.versions import told

        sys.stdout.write(f"{told(PROGRAM)}\n")
        parser.exit()


def make_parser() -> argparse.ArgumentParser:
    """The parser of everything but what follows `demo` and `sandbox`, which have parsers of their own."""
    parser = CommandLine(
        prog=PROGRAM,
        description="Boots cloud compute nodes when jobs wait in an Arvados/Slurm queue, and destroys them when they "
        "idle. Without a command it runs the daemon.",
        epilog=(
            "Commands for a running daemon: status, explain NODE|JOB|SIZE|BUDGET, hold|drain|run|kill NODE, retry, "
            "budget, decisions, wake. Others: init (a site's first files), report --since DATE (what was, and what "
            "it cost), simulate --trace FILE (what it would have cost with another configuration), check-config FILE "
            "(is it good?), cloud-test (test the cloud with one node), doctor (what is wrong, and the remedy), demo "
            "(a whole site on this machine, for a minute), sandbox (the site alone). Each has a --help of its own."
        ),
    )
    parser.tells_usage = True
    parser.add_argument("--version", action=_Version, nargs=0, help="show what is installed, and exit")
    parser.add_argument("--config", metavar="FILE", help="the configuration file")
    parser.add_argument("--foreground", action="store_true", help="do not go into the background")
    parser.add_argument(
        "--dry-run", action="store_true", help="decide, write down what would be done, and touch nothing"
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command. Returns the exit code; argparse raises SystemExit(2) for a wrong command line."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if "_ARGCOMPLETE" in os.environ:
        _complete()
    try:
        if given and given[0] in MODULES:
            rest = given if given[0] in OPERATORS_COMMANDS else given[1:]
            with _without_collections(arguments is None):
                module = importlib.import_module(MODULES[given[0]])
            code: int = module.main(rest)
            return code
        return _run(given, arguments is None)
    except BrokenPipeError:
        return 1
    except SystemExit as ended:
        if not ended.code and not {"-h", "--help"}.isdisjoint(given):
            from arvnodeman.commands.examples import told

            sys.stdout.write(told(PROGRAM, given[0] if given[0] in MODULES else None))
        raise


@contextmanager
def _without_collections(own_process: bool) -> Iterator[None]:
    """For imports, in a process that is this command's alone. What they make is no garbage: to look through it again
    and again would take a fifth of their time. Collections after that leave it alone, too."""
    if not own_process:
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _complete() -> None:
    """The shell asks what may follow. Ends the process."""
    import argcomplete

    from arvnodeman.commands.operate import add_commands
    from arvnodeman.commands.simulate_options import add_options, add_preview_options

    parser = make_parser()
    commands = parser.add_subparsers()
    add_commands(commands)
    check = commands.add_parser("check-config")
    check.add_argument("file")
    check.add_argument("--config")
    add_preview_options(check)
    add_options(commands.add_parser("simulate"))
    for name in ("cloud-test", "doctor", "demo", "init", "report", "sandbox", "wake"):
        commands.add_parser(name)
    argcomplete.autocomplete(parser)


def _no_command(word: str) -> str:
    """What to say of it."""
    if word in SERVICES:
        return f"the daemon is started and stopped by systemd: systemctl {word} {PROGRAM}"
    meant = difflib.get_close_matches(word, COMMANDS, n=1)
    hint = f"did you mean {meant[0]}?" if meant else f"there are {', '.join(COMMANDS)}"
    return f"no command is called {word}; {hint}"


def _run(given: list[str], own_process: bool) -> int:
    parser = make_parser()
    if given and not given[0].startswith("-"):
        parser.error(_no_command(given[0]))
    unknown = parser.parse_known_args(given)[1]
    if command := next((word for word in unknown if word in COMMANDS), None):
        parser.error(f"the command comes first: {PROGRAM} {command} ...")
    options = parser.parse_args(given)
    if not options.config:
        sys.stderr.write(f"{PROGRAM}: No --config file specified; try {PROGRAM} --help\n")
        return 2
    with _without_collections(own_process):
        from arvnodeman import launcher

    return launcher.main(options.config, foreground=options.foreground, dry_run=options.dry_run)
