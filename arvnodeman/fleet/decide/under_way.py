"""Boots and shutdowns as the plan counts them: read anew where one has gone on, so that those which stand still, since
they wait for an answer or for a moment, cost nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from arvnodeman.fleet.operations.boot import Boot
from arvnodeman.fleet.operations.shutdown import Shutdown
from arvnodeman.fleet.plan.picture import Leaving, Pending, pool_of
from arvnodeman.fleet.values.places import Zone

ZoneOf = Callable[[str | None], Zone]
_T = TypeVar("_T")


class Ongoing:
    """Changed by the Fleet alone."""

    def __init__(self) -> None:
        self.leaving: dict[int, Leaving] = {}  # shutdowns that can be taken back, by number, in the order they began in
        self.pending: dict[int, Pending] = {}  # boots whose node no list shows yet, likewise
        self._moved: dict[int, None] = {}  # numbers in their order
        self._zoned = False

    def moved(self, number: int) -> None:
        """An operation has begun, gone on or ended, or its node is another than it was."""
        self._moved[number] = None

    def refresh(
        self, boots: Mapping[int, Boot], shutdowns: Mapping[int, Shutdown], zone: ZoneOf, *, zoned: bool
    ) -> None:
        """Read what may count otherwise than before. `zoned`: nodes of one size may be in several pools."""
        if zoned or self._zoned:  # which pool, the lists may have changed
            self._moved.update(dict.fromkeys((*boots, *shutdowns)))
        self._zoned = zoned
        for number in self._moved:
            _put(self.leaving, number, _leaving(shutdowns.get(number), zone))
            _put(self.pending, number, _pending(boots.get(number), zone))
        self._moved.clear()


def _put(table: dict[int, _T], number: int, value: _T | None) -> None:
    if value is None:
        table.pop(number, None)
    else:
        table[number] = value


def _leaving(shutdown: Shutdown | None, zone: ZoneOf) -> Leaving | None:
    if shutdown is None or shutdown.cancelling or not shutdown.cancellable or shutdown.node.size is None:
        return None
    node = shutdown.node
    if shutdown.runs_dry and node.slurm_busy:
        return None  # no whole node
    pool = pool_of(node.size.id, zone(node.hostname)) if node.size is not None else ""
    return Leaving(node.id, shutdown.id, pool, shutdown.ends_at_once)


def _pending(boot: Boot | None, zone: ZoneOf) -> Pending | None:
    if boot is None or boot.row is not None or boot.outcome is not None:
        return None
    return Pending(boot.id, pool_of(boot.size.id, zone(boot.hostname)), boot.stoppable, boot.ends_at_once)
