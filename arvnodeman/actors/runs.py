"""Which jobs are on which nodes: asked now and then in the poller of node records, for bills alone."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from arvnodeman.fleet.values.model import SchedulerFailure
from arvnodeman.money.runs import JobsOnNodes, RunsListed
from arvnodeman.supervision.clock import Clock

if TYPE_CHECKING:
    from arvnodeman.actors.container_payers import ContainerPayers
    from arvnodeman.scheduler.base import Scheduler

SHARE = 20  # of the time that passes, the scheduler has one part at most to answer in

_log = logging.getLogger("arvnodeman.payers")


class RunsFetch:
    """For one thread. A failure costs a line in the log, and no poll."""

    def __init__(
        self, on_nodes: JobsOnNodes, every: float, clock: Clock, payers: ContainerPayers | None = None
    ) -> None:
        """`every`: seconds between two questions at least. `payers`: knows who pays for containers."""
        self._payers = payers
        self._on_nodes, self._every, self._clock = on_nodes, every, clock
        self._due = 0.0  # monotonic
        self._trouble = ""

    def fetch(self, scheduler: Scheduler) -> None:
        """Ask, if it is time."""
        began = self._clock.monotonic()
        if began < self._due:
            return
        at = self._clock.now()
        try:
            runs = scheduler.runs()
            self._on_nodes.listed = RunsListed(at, runs if self._payers is None else self._payers.of_runs(runs))
            if self._trouble:
                _log.info("which jobs are on nodes is known again")
            self._trouble = ""
        except SchedulerFailure as failure:
            if failure.error.text != self._trouble:
                self._trouble = failure.error.text
                _log.warning("which jobs are on nodes is not known, costs are divided by what was: %s", self._trouble)
        self._due = began + max(self._every, SHARE * (self._clock.monotonic() - began))
