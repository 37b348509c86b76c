"""The daemon's own examination: the cheap checks, once an hour, by a thread that nothing waits for."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from arvnodeman.config import Settings
from arvnodeman.doctor.base import Finding
from arvnodeman.doctor.catalogue import CHECKS
from arvnodeman.doctor.examined import Examined, examine
from arvnodeman.doctor.facts import DaemonFacts
from arvnodeman.examination.asking import SiteAsker, slurm_of

EVERY = 3600.0  # seconds
FIRST_AFTER = 300.0  # seconds after the start, which has enough to do

logger = logging.getLogger("arvnodeman.doctor")


class HourlyExamination:
    """Examines the site. `newest` may be read by any thread."""

    def __init__(
        self,
        settings: Callable[[], Settings],
        daemon: Callable[[], DaemonFacts],
        now: Callable[[], float],
        *,
        changes: Callable[[], bool] = lambda: True,
        first_after: float = FIRST_AFTER,
    ) -> None:
        """`changes`: commands may be given that would change something, were they allowed."""
        self.newest: Examined | None = None  # None: there has been none yet
        self._settings = settings
        self._daemon = daemon
        self._now = now
        self._changes = changes
        self._first_after = first_after
        self._said: frozenset[str] = frozenset()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="HourlyExamination", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """End; waits for at most `timeout` seconds."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def examine(self) -> Examined:
        """One examination; what is new in it goes to the log."""
        settings = self._settings()
        asker = SiteAsker(settings, slurm_of(settings), self._now, changes=self._changes())
        cheap = [check for check in CHECKS if check.cheap]
        examined = examine(cheap, asker.facts(self._daemon), self._stopping.is_set)
        if not self._stopping.is_set():
            self._tell(examined.found)
            self.newest = examined
        return examined

    def _tell(self, found: tuple[Finding, ...]) -> None:
        """Once, and again when it has been away."""
        for each in found:
            if each.text not in self._said:
                logger.log(logging.WARNING if each.grave else logging.INFO, "%s: %s", each.check, each.text)
        self._said = frozenset(each.text for each in found)

    def _run(self) -> None:
        wait = self._first_after
        while not self._stopping.wait(wait):
            try:
                self.examine()
            except Exception:
                logger.warning("The examination of the site failed", exc_info=True)
            wait = EVERY
