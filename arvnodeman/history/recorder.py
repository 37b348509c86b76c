"""The recorder: a thread of its own that looks at what the daemon publishes, and keeps account of it.

It looks, and is told nothing: the daemon actor pays nothing for it, and does not wait whatever happens here.
"""

from __future__ import annotations

import logging
import threading

from arvnodeman.actors.daemon import Published
from arvnodeman.fleet.view import View
from arvnodeman.history.chronicle import Chronicle
from arvnodeman.history.lives import Lives
from arvnodeman.history.money import Money
from arvnodeman.history.samples import Sample, is_known, sample
from arvnodeman.supervision.vitals import Vitals

LOOK = 1.0  # seconds between two looks

logger = logging.getLogger("arvnodeman.history")


class Recorder:
    """One thread. `chronicle` is for all others."""

    def __init__(self, published: Published, vitals: Vitals, step: float) -> None:
        """`step`: seconds between two samples."""
        self.chronicle = Chronicle(Money(vitals.began_at), step=step)
        self._published = published
        self._clock = vitals.clock
        self._lives = Lives()
        self._seen: View | None = None
        self._decisions = 0  # serial number of the newest that was read
        self._sampled = 0.0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="HistoryRecorder", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Look once more, and end; waits for at most `timeout` seconds."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def _run(self) -> None:
        while True:
            last = self._stopping.wait(LOOK)
            self.look()
            if last:
                return

    def look(self) -> None:
        """One look at everything."""
        now, view = self._clock.now(), self._published.view
        if not is_known(view):
            return
        if view is not self._seen:
            self._seen = view
            self._lives.look(view, now)
        for decision in self._published.decisions.after(self._decisions):
            self._decisions = decision.serial
            self._lives.decided(decision.kind, decision.subject, decision.at)
        self.chronicle.money.count(self._lives.open.values(), self._lives.take_spans(), now)
        self._sample(sample(view, now))

    def _sample(self, one: Sample) -> None:
        tick = one.at // self.chronicle.step * self.chronicle.step
        if tick > self._sampled:
            self._sampled = tick
            self.chronicle.recent.add(one._replace(at=tick))
            self.chronicle.newest = None
        else:
            self.chronicle.newest = one
