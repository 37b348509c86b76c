"""The named points at which a daemon can be killed: before and after every call to the outside.

Nothing in the daemon knows of them. `arm()` wraps the one call in the process that is to become the daemon.
"""

from __future__ import annotations

import functools
import importlib
import itertools
import os
import signal
from collections.abc import Callable
from typing import Any

_HOMES: dict[str, tuple[str, tuple[str, ...]]] = {
    "cloud": (
        "arvnodeman.cloud.sandbox:SandboxDriver",
        (
            "list_sizes",
            "list_nodes",
            "create_node",
            "find_node",
            "finish_node",
            "destroy_node",
            "look_for",
            "sync_fqdn",
            "set_word",
        ),
    ),
    "records": ("arvnodeman.arvados.nodes:ArvadosRecords", ("list_records", "prepare", "release")),
    "jobs": ("arvnodeman.arvados.jobs:JobsQueue", ("waiting", "explain", "cancel")),
    "slurm": (
        "arvnodeman.slurm.commands:Slurm",
        (
            "pending",
            "nodes",
            "node",
            "jobs_on",
            "drain",
            "resume",
            "set_down",
            "describe",
            "cancel",
            "check_rights",
        ),
    ),
}

POINTS: tuple[str, ...] = tuple(
    f"{when} {room}.{call}" for room, (_, calls) in _HOMES.items() for call in calls for when in ("before", "after")
)


def arm(point: str, nth: int) -> None:
    """This process kills itself, and its group, at the nth time that it comes to this point. `after`: the call has
    returned, or raised."""
    when, _, name = point.partition(" ")
    room, _, method = name.partition(".")
    module, _, owner = _HOMES[room][0].partition(":")
    home = getattr(importlib.import_module(module), owner)
    setattr(home, method, _dying(getattr(home, method), when, nth))


def _dying(call: Callable[..., Any], when: str, nth: int) -> Callable[..., Any]:
    count = itertools.count(1)

    @functools.wraps(call)
    def wrapped(*arguments: Any, **options: Any) -> Any:
        its_turn = next(count) == nth
        if its_turn and when == "before":
            _die()
        try:
            return call(*arguments, **options)
        finally:
            if its_turn:
                _die()

    return wrapped


def _die() -> None:
    """The whole process group, as the watchdog does it."""
    os.killpg(os.getpgid(0), signal.SIGKILL)
