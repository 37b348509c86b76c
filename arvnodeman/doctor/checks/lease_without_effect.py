"""A lease of nodes is wanted, and nothing comes of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from arvnodeman.cloud.user_data import LEASE_WATCH
from arvnodeman.config import Settings
from arvnodeman.doctor.base import Area, Check, findings


def judge(settings: Settings) -> Iterator[str]:
    """A line at most."""
    minutes, path = settings.daemon.node_lease, settings.cloud.create.get("user_data")
    where = f"{settings.path}: [Daemon] node_lease: {minutes} has no effect"
    if not minutes:
        return
    if not settings.lease_of_nodes:
        yield f"{where}: it is renewed through Slurm, but dispatcher is not slurm"
    elif not path:
        yield f"{where}: there is no [Cloud Create] user_data that gives new nodes the unit"
    elif (text := _read(path)) is not None and f"{{{LEASE_WATCH}}}" not in text:
        yield f"{where}: {path} has no {{{LEASE_WATCH}}}, so new nodes do not get the unit"


def _read(path: str) -> str | None:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None  # the start says so


CHECK = Check(
    name="lease-without-effect",
    area=Area.FILE,
    says="`node_lease` is set, but nodes do not end themselves, because they do not have the unit.",
    mends=(
        "Put `{lease_watch}` on a line of its own into the template of `user_data` (doc/node-lease.md), or remove "
        "`node_lease`."
    ),
    find=lambda facts: findings(judge(facts.settings())),
    grave=False,
)
