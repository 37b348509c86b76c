"""Backends by the name that `[Leader] backend` gives them. A new one is a file, a line in BACKENDS, and a word in
fleet/values/leading.py.

A backend is a class of the kind in port.py, made of the settings and a LeadCandidate. Making one asks nobody. It
is made and used in one thread, the keeper's; libraries that not every site has are imported in its own file alone.
"""

from __future__ import annotations

import importlib
import os
import secrets
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from arvnodeman.config import ConfigError
from arvnodeman.fence.fence import Fence, open_fence, set_for_process
from arvnodeman.fleet.values.leading import LeaderBackend
from arvnodeman.leader.keeper import LeadKeeper
from arvnodeman.leader.port import NEVER_AGES, LeadCandidate
from arvnodeman.supervision.one_writer import cluster_of

if TYPE_CHECKING:
    from arvnodeman.config import Settings
    from arvnodeman.leader.port import Leadership
    from arvnodeman.supervision.ending import Ending

# Here any manager may lead, wherever it runs; with the others one alone can.
ANYBODY = frozenset({LeaderBackend.POSTGRESQL, LeaderBackend.ZOOKEEPER})

Maker = Callable[["Settings", LeadCandidate], "Leadership"]

BACKENDS: dict[LeaderBackend, str] = {
    LeaderBackend.HOST: "arvnodeman.leader.host:HostLeadership",
    LeaderBackend.SLURM: "arvnodeman.leader.slurm:of_settings",
    LeaderBackend.POSTGRESQL: "arvnodeman.leader.postgresql:of_settings",
    LeaderBackend.ZOOKEEPER: "arvnodeman.leader.zookeeper:of_settings",
}


def candidate_of(settings: Settings) -> LeadCandidate:
    """Who this process is, and what it wants to lead."""
    leader = settings.leader
    tail = secrets.token_hex(2)  # in a container each run has the same process id
    return LeadCandidate(
        leader.name or cluster_of(settings), f"{leader.this_host or socket.gethostname()}:{os.getpid()}.{tail}"
    )


def make_leadership(settings: Settings, candidate: LeadCandidate) -> Leadership:
    """The configured backend, for use in one thread. Raises ConfigError where its library is not installed, or an
    option of it makes no sense."""
    make = _maker(settings)
    try:
        return make(settings, candidate)
    except ConfigError as error:
        raise ConfigError(tuple(f"{settings.path}: {problem}" for problem in error.problems)) from None


def keeper_of(settings: Settings, ending: Ending) -> LeadKeeper:
    """The keeper of this process's lead, not started yet. Sets the fence of the process."""
    leader, candidate = settings.leader, candidate_of(settings)
    fence = Fence(leader.ttl, leader.margin) if leader.elects else open_fence()
    set_for_process(fence)
    return LeadKeeper(
        lambda: make_leadership(settings, candidate),
        fence,
        backend=leader.backend.value,
        name=candidate.name,
        ending=ending,
        elects=leader.elects,
        blind_after=settings.daemon.poll_stale_after if leader.backend in ANYBODY else NEVER_AGES,
    )


def check_leadership(settings: Settings) -> None:
    """Can the backend be had, as it is set up? Asks nobody anything. Raises ConfigError."""
    make_leadership(settings, candidate_of(settings))


def _maker(settings: Settings) -> Maker:
    module, _, name = BACKENDS[settings.leader.backend].partition(":")
    try:
        return cast("Maker", getattr(importlib.import_module(module), name))
    except ImportError as error:
        backend = settings.leader.backend
        wrong = f"{settings.path}: [Leader] backend: {backend} cannot be had: {error}"
        raise ConfigError((" ".join(wrong.split()),)) from None
