"""What Slurm's commands say when they fail, classified once.

Every class here is a `SchedulerFailure`, so a caller that looks only at `error.kind` misses nothing. Slurm's commands
answer 1 for nearly everything; only the text on stdout or stderr tells. The texts are those of Slurm 22.05 to
26.05.
"""

from __future__ import annotations

import re

from arvnodeman.fleet.values.model import ErrorKind, RemoteError, SchedulerFailure

_TEXT_LIMIT = 300  # characters of Slurm's own words that an error repeats


class SlurmFailure(SchedulerFailure):
    """A Slurm command failed. `command` is its name, `said` Slurm's own line."""

    kind = ErrorKind.TRANSIENT
    hint = ""

    def __init__(self, command: str, said: str) -> None:
        said = said.removeprefix(f"{command}: ").removeprefix("error: ")
        super().__init__(RemoteError(self.kind, f"{command}: {self.explain(said)}", hint=self.hint))
        self.command = command
        self.said = said

    def explain(self, said: str) -> str:
        """The text of the error, given Slurm's line."""
        return said


class NotInstalled(SlurmFailure):
    """The command is not there, or cannot be run by this account."""

    kind = ErrorKind.REFUSED
    hint = "[Daemon] dispatcher"


class ControllerAway(SlurmFailure):
    """slurmctld, or munge on the way to it, does not answer; a command that hangs or is killed counts as this, too."""


class NotLeader(SlurmFailure):
    """Another manager may lead: the command was not run."""

    kind = ErrorKind.NOT_LEADER


class NotPermitted(SlurmFailure):
    """This account may not do that."""

    kind = ErrorKind.REFUSED

    def explain(self, said: str) -> str:
        """Slurm's line is two words; add who may."""
        return f"{said} (this account must be SlurmUser, root or a Slurm operator)"


class UnknownNode(SlurmFailure):
    """Slurm does not know the node."""

    kind = ErrorKind.GONE


class NotNeeded(SlurmFailure):
    """`Invalid node state specified` (in 26.05 `transition`): the node's state does not allow the change, as for RESUME
    of an idle node."""

    kind = ErrorKind.REFUSED


class Refused(SlurmFailure):
    """Slurm understood and said no, for a reason not listed here."""

    kind = ErrorKind.REFUSED


_SAYINGS: tuple[tuple[str, type[SlurmFailure]], ...] = (
    ("invalid user id", NotPermitted),
    ("access/permission denied", NotPermitted),
    ("invalid node name", UnknownNode),
    ("invalid node state specified", NotNeeded),
    ("invalid node state transition", NotNeeded),
    ("unable to contact slurm controller", ControllerAway),
    ("socket timed out", ControllerAway),
    ("connection refused", ControllerAway),
    ("connection timed out", ControllerAway),
    ("communication connection failure", ControllerAway),
    ("communication shutdown failure", ControllerAway),
    ("zero bytes were transmitted", ControllerAway),
    ("message receive failure", ControllerAway),
    ("message send failure", ControllerAway),
    ("standby mode", ControllerAway),
    ("protocol authentication error", ControllerAway),
    ("munge", ControllerAway),
    ("temporarily un", ControllerAway),
    ("rpc limit exceeded", ControllerAway),
)
# A whole line: "command not found" is not a word on a node.
_NOT_FOUND = re.compile(r"^Node (\S+) not found$", re.MULTILINE)


def recognise(command: str, text: str) -> SlurmFailure | None:
    """The error that this output of `command` tells of, or None if none of its lines is known."""
    if (found := _NOT_FOUND.search(text)) is not None:
        return UnknownNode(command, found.group())
    lowered = text.lower()
    for saying, failure in _SAYINGS:
        if saying in lowered:
            return failure(command, _line_with(saying, text))
    return None


def unknown_nodes(text: str) -> frozenset[str]:
    """The nodes of which this output of scontrol says that Slurm does not know them."""
    return frozenset(_NOT_FOUND.findall(text))


def failure_of(command: str, returncode: int, stdout: str, stderr: str) -> SlurmFailure:
    """The error of a command that ended with `returncode`, which is not 0."""
    if returncode < 0:
        return ControllerAway(command, f"killed by signal {-returncode}")
    known = recognise(command, f"{stderr}\n{stdout}")
    return known or Refused(command, first_line(stderr) or first_line(stdout) or f"ended with code {returncode}")


def first_line(text: str) -> str:
    """The first line that says something, cut to a length fit for a log."""
    return next((shown for line in text[:65536].split("\n") if (shown := _printable(line))), "")


def _line_with(saying: str, text: str) -> str:
    return next(_printable(line) for line in text.split("\n") if saying in line.lower())


def _printable(line: str) -> str:
    kept = "".join(letter if letter.isprintable() else " " for letter in line[: 4 * _TEXT_LIMIT])
    return " ".join(kept.split())[:_TEXT_LIMIT]
