"""The man page, made of what each command says at --help: `python -m arvnodeman.commands.manual > FILE.1`.

argparse-manpage makes a page of one parser. Here each command has a parser of its own, which is imported when the
command is chosen; so the page takes their helps from the front door, as people see them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

from arvnodeman.commands.examples import EXAMPLES
from arvnodeman.version import __version__

PROGRAM = "arvados-node-manager"
WIDTH = "78"  # columns of the helps, which fit a terminal of 80 inside the page's margin
HEAD = f""".TH ARVADOS-NODE-MANAGER 1 "" "{PROGRAM} {__version__}" "User Commands"
.SH NAME
{PROGRAM} \\- boot cloud nodes when jobs wait in Slurm, and destroy them when they are idle
"""
TAIL = """.SH FILES
.TP
.I /etc/arvados\\-node\\-manager/config.ini
the configuration, which the commands read where \\-\\-config is not given
.TP
.I /etc/default/arvados\\-node\\-manager
the service's environment: proxies, SLURM_CONF
.TP
.I /var/lib/arvados\\-node\\-manager
the state directory: history, journal, the socket of the commands
.SH SEE ALSO
.BR squeue (1),
.BR scontrol (1),
.BR slurm.conf (5)
"""


def manual(help_of: Callable[..., str]) -> str:
    """The page, in roff. `help_of`: what a command says at --help; without one, what the program does."""
    commands = "".join(f'.SS "{name}"\n{_literal(help_of(name))}' for name in EXAMPLES)
    return f"{HEAD}.SH DESCRIPTION\n{_literal(help_of())}.SH COMMANDS\n{commands}{TAIL}"


def _asked(*command: str) -> str:
    """Raises CalledProcessError."""
    argv = [sys.executable, "-m", "arvnodeman", *command, "--help"]
    environ = {**os.environ, "COLUMNS": WIDTH}
    return subprocess.run(argv, env=environ, capture_output=True, text=True, check=True).stdout


def _literal(text: str) -> str:
    """As it stands, in roff."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    lines = [f"\\&{line}" if line.startswith(".") else line for line in escaped.splitlines()]
    return "\n".join([".nf", *lines, ".fi", ""])


if __name__ == "__main__":
    sys.stdout.write(manual(_asked))
