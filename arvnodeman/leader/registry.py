"""Backends by the name that `[Leader] backend` gives them. A new one is a file, a line in BACKENDS, and a word in
fleet/values/leading.py.

A backend is a class of the kind in port.py, made of the settings and a Candidate. Making one asks nobody anything. It
is made and used in one thread, the keeper's; libraries that not every site has are imported in its own file alone.
"""

from __future__ import annotations

import importlib
import os
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from arvnodeman.config import ConfigError
from arvnodeman.fleet.values.leading import LeaderBackend
from arvnodeman.leader.port import Candidate
from arvnodeman.supervision.one_writer import cluster_of

if TYPE_CHECKING:
    from arvnodeman.config import Settings
    from arvnodeman.leader.port import Leadership

Maker = Callable[["Settings", Candidate], "Leadership"]

BACKENDS: dict[LeaderBackend, str] = {
    LeaderBackend.HOST: "arvnodeman.leader.host:HostLeadership",
    LeaderBackend.SLURM: "arvnodeman.leader.slurm:of_settings",
    LeaderBackend.POSTGRESQL: "arvnodeman.leader.postgresql:of_settings",
    LeaderBackend.ZOOKEEPER: "arvnodeman.leader.zookeeper:of_settings",
}


def candidate_of(settings: Settings) -> Candidate:
    """Who this process is, and what it wants to lead."""
    leader = settings.leader
    return Candidate(leader.name or cluster_of(settings), f"{leader.this_host or socket.gethostname()}:{os.getpid()}")


def make_leadership(settings: Settings, candidate: Candidate) -> Leadership:
    """The configured backend, for use in one thread. Raises ConfigError where its library is not installed, or an
    option of it makes no sense."""
    return _maker(settings)(settings, candidate)


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
