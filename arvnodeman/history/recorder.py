"""The recorder: a thread of its own that looks at what the daemon publishes, and keeps account of it.

It looks, and is told nothing: the daemon actor pays nothing for it, and does not wait whatever happens here. What is
to be kept goes to the writer, another thread, so that a disk that hangs does not hold up the account either.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

from arvnodeman.fleet.messages import Poll
from arvnodeman.fleet.values.waits import JobWaits
from arvnodeman.fleet.view.published import Published
from arvnodeman.fleet.view.view import View
from arvnodeman.history.bills import Bills
from arvnodeman.history.chronicle import Chronicle
from arvnodeman.history.file import EarlierRuns, life_row
from arvnodeman.history.lives import Life, Lives
from arvnodeman.history.money import Money
from arvnodeman.history.samples import Sample, is_known, sample
from arvnodeman.history.schema import Row
from arvnodeman.history.tallies import Prices, Tallies, Usage, Waits
from arvnodeman.history.writer import Writer
from arvnodeman.money.runs import JobsOnNodes
from arvnodeman.supervision.ending import is_fatal
from arvnodeman.supervision.vitals import Vitals

OBSERVE_EVERY = 1.0  # seconds
LOADING = 60.0  # seconds that the file gets at the start; after that the account goes on without what is in it
SHORT_ABSENCE = 600.0  # seconds: jobs that left the queue in a longer one have waited nobody knows how long
LONGEST_WORDS = 1000  # characters of a decision

logger = logging.getLogger("arvnodeman.history")


class Recorder:
    """One thread, and the writer's. `chronicle` is for all others."""

    def __init__(
        self,
        published: Published,
        vitals: Vitals,
        step: float,
        waits: JobWaits | None = None,
        folder: Path | None = None,
        days: int = 0,
        on_nodes: JobsOnNodes | None = None,
    ) -> None:
        """`step`: seconds between two samples. Without a folder, or with 0 days to keep, there is no file."""
        self.chronicle = Chronicle(Money(vitals.began_at), Bills(vitals.began_at), step=step)
        self._published = published
        self._vitals = vitals
        self._clock = vitals.clock
        self._queue = waits or JobWaits()
        self._on_nodes = on_nodes or JobsOnNodes()
        self._lives = Lives()
        self._usage = Usage()
        self._waits = Waits()
        self._tallies = Tallies()
        self._prices = Prices()
        self._writer = None
        if folder is not None and days > 0:
            self._writer = Writer(folder, days, self._clock, self.chronicle)
        self._seen: View | None = None
        self._seen_queue: object = None
        self._decisions = 0  # serial number of the newest that was read
        self._sampled = 0.0
        self._failing = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="HistoryRecorder", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        if self._writer is not None:
            self._writer.start()
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Look once more, write, and end; waits for at most `timeout` seconds for each of the two."""
        self._stopping.set()
        if self._thread.ident is None:
            return
        self._thread.join(timeout)
        if self._writer is not None:
            self._writer.stop(timeout)

    def _run(self) -> None:
        if self._writer is not None:
            self._begin(self._writer)
        while True:
            last = self._stopping.wait(OBSERVE_EVERY)
            try:
                self.observe(last=last)
                self._failing = False
            except Exception as error:
                if is_fatal(error):
                    raise
                if not self._failing:
                    self._vitals.count("actor_exceptions")
                    logger.exception("in the recorder of the history; it continues")
                self._failing = True
            if last:
                return

    def _begin(self, writer: Writer) -> None:
        """Go on where the last run ended."""
        if not writer.loaded.wait(LOADING):
            logger.warning("The history could not be read within %.0f s: costs are counted since the start", LOADING)
        kept = writer.take_earlier()
        if kept is not None and kept.began is not None:
            self.remember(kept)

    def remember(self, kept: EarlierRuns) -> None:
        """What earlier runs have left, before the first look."""
        now, last = self._clock.now(), kept.last if kept.last is not None else 0.0
        self.chronicle.bills.remember([life for life in kept.lives if life.ended is None], kept.paid, last)
        self._lives.remember(kept.lives, last)
        self._prices.remember(kept.prices)
        self._queue.remember(kept.waiting)
        self._waits.remember(kept.waiting, known=now - last < SHORT_ABSENCE)
        self.chronicle.recent.put_before(kept.samples)
        began = kept.began if kept.began is not None else now
        self.chronicle.money.goes_back_to(began)
        self.chronicle.bills.goes_back_to(began)

    def observe(self, *, last: bool = False) -> None:
        """One look at everything. The last one closes the step that has begun."""
        now, view = self._clock.now(), self._published.view
        self._keep(self._decided())
        if not is_known(view):
            return
        self._usage.pass_to(self._clock.monotonic())
        if view is not self._seen:
            self._seen = view
            self._usage.observe(view)
            self._keep(self._changed(life) for life in self._lives.observe(view, now))
            self._keep(self._prices.observe(view, now))
        if view.poll_ages.get(Poll.QUEUE) is not None and self._queue.since is not self._seen_queue:
            self._seen_queue = self._queue.since
            self._keep(self._waits.observe(self._queue.since, now))
        self.chronicle.money.count(self._lives.open.values(), self._lives.take_spans(), now)
        self._keep(self.chronicle.bills.observe(view, self._on_nodes, now))
        self.chronicle.bills.is_ready = True
        self._sample(sample(view, now), view, last=last)

    def _decided(self) -> Iterator[Row]:
        """The ring of decisions is bounded: what it has lost since the last look is lost."""
        ring = self._published.decisions
        newer = ring.after(self._decisions)
        if newer:
            self.chronicle.missed += newer[0].serial - self._decisions - 1
            self._decisions = newer[-1].serial
        for each in newer:
            life = self._lives.decided(each.kind, each.subject, each.at)
            if life is not None:
                yield self._changed(life)
            yield "decision", (round(each.at, 3), each.kind.value, each.subject, each.words[:LONGEST_WORDS])

    def _changed(self, life: Life) -> Row:
        """A life that has begun, changed or ended."""
        self.chronicle.bills.note(life)
        return life_row(life)

    def _sample(self, one: Sample, view: View, *, last: bool) -> None:
        tick = one.at // self.chronicle.step * self.chronicle.step
        if tick > self._sampled:
            self._sampled = tick
            taken = one._replace(at=tick)
            self.chronicle.recent.add(taken)
            self.chronicle.newest = None
            self._keep([("sample", tuple(taken))])
            self._close_step(tick, view)
        else:
            self.chronicle.newest = one
            if last:
                self._close_step(one.at, view)

    def _close_step(self, at: float, view: View) -> None:
        self._keep(self._usage.take(at))
        self._keep(self._waits.take(at))
        self._keep(self._tallies.take(view.counters, at))
        if self._writer is not None:
            self._writer.write_soon()

    def _keep(self, rows: Iterable[Row]) -> None:
        """For the file; without one the account is made all the same, since the costs follow from it."""
        found = list(rows)
        if self._writer is not None and found:
            self._writer.outbox.put(found)
