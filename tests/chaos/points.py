"""The named points at which a daemon can be killed: before and after every call to the outside.

Nothing in the daemon knows of them. `arm()` wraps the one call in the process that is to become the daemon.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import itertools
import os
import signal
import threading
from collections.abc import Callable
from enum import StrEnum
from typing import Any

from arvnodeman.sandbox.wiring import PLACES
from arvnodeman.slurm.run import _descendants

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
            "fetch_node",
            "sync_fqdn",
            "set_directive",
        ),
    ),
    "records": ("arvnodeman.arvados.nodes:ArvadosRecords", ("list_records", "prepare", "release")),
    "jobs": ("arvnodeman.arvados.jobs:JobsQueue", ("waiting", "explain", "cancel")),
    "slurm": (
        "arvnodeman.slurm.commands:Slurm",
        (
            "queue",
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
    "many": ("arvnodeman.slurm.many:ManyNodes", ("observe_all", "drain_all", "set_down_all")),
}

# Where names in Slurm are the records: other rooms, in the place of records; without Arvados in that of jobs, too.
_NAMED: dict[str, tuple[str, tuple[str, ...]]] = {
    "records": (
        "arvnodeman.records.names:SlurmRecords",
        ("list_records", "prepare_all", "describe_all", "release_all"),
    ),
    "notes": (
        "arvnodeman.slurm.keeping:NamesInSlurm",
        ("shown", "shown_nodes", "note_all", "note_on_job", "configuration"),
    ),
}


# Where Slurm places jobs on names that are off.
_PLACED: dict[str, tuple[str, tuple[str, ...]]] = {
    "cloud": _HOMES["cloud"],
    "records": (
        "arvnodeman.records.cloud_names:CloudRecords",
        ("list_with_work", "prepare_all", "describe_all", "release_all"),
    ),
    "slurm": (
        "arvnodeman.slurm.placing:PlacingSlurm",
        (
            "queue",
            "give_back",
            "release_jobs",
            "open_names",
            "close_names",
            "drain_all",
            "set_down_all",
            "observe_all",
            "note_all",
            "check_rights",
            "configuration",
        ),
    ),
}


def homes(records: str) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Where the calls are, with this keeper of records: by room, the class and its methods."""
    if records == PLACES:
        return _PLACED
    if records == "arvados":
        return _HOMES
    return {room: home for room, home in _HOMES.items() if room != "jobs" or records != "slurm"} | _NAMED


def points_of(records: str) -> tuple[str, ...]:
    """All points, with this keeper of records."""
    rooms = homes(records).items()
    return tuple(
        f"{when} {room}.{call}" for room, (_, calls) in rooms for call in calls for when in ("before", "after")
    )


POINTS = points_of("arvados")
ON_THE_WIRE = "between the fence and the socket"


class Deed(StrEnum):
    """What a process does to itself, and to its group, at its point."""

    KILL = "kill"
    STOP = "stop"  # it stands still, until somebody lets it go on


def arm(point: str, nth: int, records: str = "arvados", deed: Deed = Deed.KILL) -> None:
    """This process kills or stops itself, and its group, at the nth time that it comes to this point. `after`: the call
    has returned, or raised."""
    number = signal.SIGKILL if deed is Deed.KILL else signal.SIGSTOP
    if point == ON_THE_WIRE:
        _arm_the_wire(nth, number)
        return
    when, _, name = point.partition(" ")
    room, _, method = name.partition(".")
    module, _, owner = homes(records)[room][0].partition(":")
    home = getattr(importlib.import_module(module), owner)
    setattr(home, method, _dying(getattr(home, method), when, nth, number))


def _arm_the_wire(nth: int, number: signal.Signals) -> None:
    """The fence has let a request that changes something at the cloud through, and no byte of it has left yet."""
    home = importlib.import_module("requests.adapters").HTTPAdapter
    send, count = home.send, itertools.count(1)

    @functools.wraps(send)
    def wrapped(self: Any, request: Any, *arguments: Any, **options: Any) -> Any:
        if request.method in ("POST", "PUT", "DELETE") and "/cloud/" in request.url and next(count) == nth:
            _die(number)
        return send(self, request, *arguments, **options)

    home.send = wrapped


def _dying(call: Callable[..., Any], when: str, nth: int, number: signal.Signals) -> Callable[..., Any]:
    count = itertools.count(1)

    @functools.wraps(call)
    def wrapped(*arguments: Any, **options: Any) -> Any:
        its_turn = next(count) == nth
        if its_turn and when == "before":
            _die(number)
        try:
            return call(*arguments, **options)
        finally:
            if its_turn:
                _die(number)

    return wrapped


def _die(number: signal.Signals) -> None:
    """The whole process group, as the watchdog does it. To stand still is for this thread to do, at this instruction: a
    signal to the group may be taken by another thread, later on a busy machine, and this one would go past its point
    meanwhile."""
    if number is signal.SIGSTOP:
        for pid in _descendants(os.getpid()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        signal.pthread_kill(threading.get_ident(), number)
    else:
        os.killpg(os.getpgid(0), number)
