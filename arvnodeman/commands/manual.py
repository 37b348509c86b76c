"""The man page, made of what each command says at --help: `python -m arvnodeman.commands.manual > FILE.1`.

argparse-manpage makes a page of one parser. Here each command has a parser of its own, which is imported when the
command is chosen; so the page takes their helps from the front door, as people see them.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys

from arvnodeman import cli
from arvnodeman.version import __version__

WIDTH = "78"  # columns of the helps, which fit a terminal of 80 inside the page's margin
HEAD = f""".TH ARVADOS-NODE-MANAGER 1 "" "{cli.PROGRAM} {__version__}" "User Commands"
.SH NAME
{cli.PROGRAM} \\- boot cloud nodes when jobs wait in Slurm, and destroy them when they are idle
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


def manual() -> str:
    """The page, in roff."""
    commands = "".join(f'.SS "{name}"\n{_literal(_help_of(name))}' for name in cli.COMMANDS)
    return f"{HEAD}.SH DESCRIPTION\n{_literal(_help_of())}.SH COMMANDS\n{commands}{TAIL}"


def _help_of(*command: str) -> str:
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
        cli.main([*command, "--help"])
    return said.getvalue()


def _literal(text: str) -> str:
    """As it stands, in roff."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    lines = [f"\\&{line}" if line.startswith(".") else line for line in escaped.splitlines()]
    return "\n".join([".nf", *lines, ".fi", ""])


if __name__ == "__main__":
    os.environ["COLUMNS"] = WIDTH
    sys.stdout.write(manual())
