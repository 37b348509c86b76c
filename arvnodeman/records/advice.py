"""Is this Slurm set up so that its nodes can be given to cloud nodes? Said once, and again when it changes."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from arvnodeman.config import Settings
from arvnodeman.doctor.facts import Partitions, SlurmSetup
from arvnodeman.doctor.setup import refusals, remarks
from arvnodeman.fleet.values.model import ErrorKind, RemoteError, RemoteFailure
from arvnodeman.records.marks import read_mark
from arvnodeman.slurm.keeping import NamesInSlurm
from arvnodeman.slurm.show import ShownNode

CONFIG_AGE = 600.0  # seconds until slurm.conf is asked for again: it may be changed under us
PLACING_AGE = 60.0  # the same where Slurm places jobs: a wrong line may leave a job on a name that nobody powers up
NAMES = "[Daemon] node_names"
_NOT_BY_SIZE: Mapping[str, Sequence[str]] = MappingProxyType({})
_log = logging.getLogger("arvnodeman.slurm")


class Advice:
    """Looks at what Slurm shows and says what will not work. Used by one thread."""

    def __init__(
        self, settings: Settings, slurm: NamesInSlurm, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings = settings
        self._slurm = slurm
        self._monotonic = monotonic
        self._config: Mapping[str, str] = {}
        self._partitions: Partitions = {}
        self._fresh_until = float("-inf")
        self._said: frozenset[str] = frozenset()
        self._seen: set[str] = set()

    def check(
        self,
        shown: Mapping[str, ShownNode],
        names: Sequence[str],
        by_size: Mapping[str, Sequence[str]] = _NOT_BY_SIZE,
    ) -> None:
        """Warn of what is new. Raises RemoteFailure, REFUSED, while it would be wrong to touch a node."""
        config = self._configuration()
        setup = SlurmSetup(self._settings, config, self._partitions, shown, names, by_size)
        refusal = next(refusals(setup), None)
        if refusal is not None:
            self._fresh_until = float("-inf")  # it may be mended before the next poll
            raise RemoteFailure(RemoteError(ErrorKind.REFUSED, f"Slurm: {refusal}", hint=NAMES))
        self._seen |= shown.keys() & set(names)
        # names that were there are missed also where slurm.conf alone says which are ours
        wanted = tuple(dict.fromkeys([*names, *sorted(self._seen)]))
        said = frozenset(remarks(replace(setup, names=wanted, held=held_of(shown, wanted))))
        for line in sorted(said - self._said):
            _log.warning("%s", line)
        self._said = said

    def _wants_partitions(self, config: Mapping[str, str]) -> bool:
        settings = self._settings
        return settings.places or "SuspendProgram" in config or (settings.shares and "SelectType" in config)

    def _configuration(self) -> Mapping[str, str]:
        now = self._monotonic()
        if now >= self._fresh_until:
            self._config = self._slurm.configuration()
            self._partitions = self._slurm.partitions() if self._wants_partitions(self._config) else {}
            self._fresh_until = now + (PLACING_AGE if self._settings.places else CONFIG_AGE)
        return self._config


def held_of(shown: Mapping[str, ShownNode], names: Sequence[str]) -> frozenset[str]:
    """Those of these names that a cloud node of ours has."""
    marks = ((name, read_mark(shown[name].comment)) for name in names if name in shown)
    return frozenset(name for name, mark in marks if mark is not None and mark.instance_id)
