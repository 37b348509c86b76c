"""A parser whose mistakes are one line that says what to type next."""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from collections.abc import Iterable
from typing import Any, NoReturn

_UNKNOWN = re.compile(r"unrecognized arguments: (\S+)")


def meant(word: str, known: Iterable[object]) -> str:
    """`; did you mean X?`, or nothing where nothing is near."""
    near = difflib.get_close_matches(word, [str(each) for each in known], n=1)
    return f"; did you mean {near[0]}?" if near else ""


class CommandLine(argparse.ArgumentParser):
    """argparse's, but for its errors: no usage of fifteen lines in front of them. The usage of the daemon's own command
    line, which the classic printed, is one line."""

    tells_usage = False

    def error(self, message: str) -> NoReturn:
        """The mistake, and where help is. Raises SystemExit(2)."""
        unknown = _UNKNOWN.match(message)
        hint = meant(unknown[1].partition("=")[0], self._option_string_actions) if unknown else ""
        message += hint
        if self.tells_usage:
            self._print_message(f"{' '.join(self.format_usage().split())}\n", sys.stderr)
        self.exit(2, f"{self.prog}: error: {message}{'' if message.endswith('?') else ';'} try {self.prog} --help\n")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            allowed = ", ".join(map(str, action.choices))
            raise argparse.ArgumentError(
                action, f"{value!r} is not valid; allowed: {allowed}{meant(str(value), action.choices)}"
            )


class Subcommand(CommandLine):
    """For one command among several of a parser: what it does not know is its own mistake."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse's. Raises SystemExit(2) where something is left."""
        found, left = super().parse_known_args(args, namespace)
        if left:
            self.error(f"unrecognized arguments: {' '.join(left)}")
        return found, left
