"""Many changes by one `scontrol`: without a command in its arguments it reads commands, a line each.

A process for each change costs ten times what the change does (Slurm 22.05: 2.7 ms and 0.22 ms). A list of names in
one command would cost less still, but what we write differs from node to node: the reason of a drain names the
instance, a Comment the boot. scontrol says in stderr what it refuses, and not of which line: so behind each change
stands a word that it does not know, of which it complains in the same place. Where the complaints are not as expected,
each change is asked for alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from arvnodeman.slurm.errors import SlurmFailure, failure_of

Change = tuple[str, tuple[str, ...]]
"""A node's name, and what is to be changed: `State=DRAIN`, `Reason=some text`."""

_MARK = "change-{}-was-asked-for"
_MARKED = re.compile(r"^.*?change-(\d+)-was-asked-for.*$", re.MULTILINE)


def fits(change: Change) -> bool:
    """Can it stand in a line? A text with quotation marks cannot."""
    return not any(mark in word for word in change[1] for mark in "\"'\\\n")


def script_of(changes: Sequence[Change]) -> str:
    """The lines for scontrol's stdin. Of a Comment it keeps the quotation marks that hold it together."""
    lines = []
    for number, (hostname, words) in enumerate(changes):
        lines.append(" ".join(["update", f"NodeName={hostname}", *map(_quoted, words)]))
        lines.append(_MARK.format(number))
    return "".join(f"{line}\n" for line in lines)


def _quoted(word: str) -> str:
    key, _, value = word.partition("=")
    return f'{key}="{value}"' if " " in value else word


def failures_of(count: int, stderr: str) -> list[SlurmFailure | None] | None:
    """What came of each of so many changes; None when stderr does not tell."""
    found: list[SlurmFailure | None] = []
    begin = 0
    for mark in _MARKED.finditer(stderr):
        if int(mark.group(1)) != len(found):
            return None
        said = stderr[begin : mark.start()].strip()
        found.append(failure_of("scontrol", 1, "", said) if said else None)
        begin = mark.end()
    return found if len(found) == count and not stderr[begin:].strip() else None
