"""Everybody on this machine may read the configuration, and so the secrets in it."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

from arvnodeman.doctor.base import Area, CannotTell, Check, Finding
from arvnodeman.doctor.facts import Facts
from arvnodeman.doctor.remedies import Remedies


def judge(facts: Facts) -> Iterator[Finding]:
    """One at most."""
    path = facts.settings().path
    try:
        mode = Path(path).stat().st_mode
    except OSError as error:
        raise CannotTell(f"{path}: {error.strerror}") from None
    if mode & stat.S_IROTH:
        yield Finding(
            f"{path}: everybody on this machine may read it, and it contains secrets", about=path, by_itself=True
        )


def mend(found: Finding, remedies: Remedies) -> str:
    """Others may do nothing with it any more."""
    remedies.close_to_others(found.about)
    return f"{found.about}: now readable only by its owner and group"


CHECK = Check(
    name="open-secrets",
    area=Area.MACHINE,
    says="Everybody on this machine may read the configuration file and the secrets in it.",
    mends="`chmod o-rwx FILE`, with a group that the daemon's account is in; `doctor --fix` does the first.",
    find=judge,
    grave=False,
    mend=mend,
)
