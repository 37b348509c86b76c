"""What the recorder shows to other threads: the last samples, the costs, and how it fares itself."""

from __future__ import annotations

from dataclasses import dataclass, field

from arvnodeman.history.bills import Bills
from arvnodeman.history.money import Costs, Money
from arvnodeman.history.samples import STEP, Ring, Sample
from arvnodeman.history.series import Series, series
from arvnodeman.history.spot import SpotPaid


@dataclass(slots=True)
class Chronicle:
    """Read by any thread; nothing here touches a file."""

    money: Money = field(default_factory=lambda: Money(0.0))
    bills: Bills = field(default_factory=lambda: Bills(0.0))
    recent: Ring = field(default_factory=Ring)
    step: float = STEP  # seconds between samples
    newest: Sample | None = None  # of this very moment, or nearly
    writing: bool = False  # what is recorded reaches the file
    written: int = 0  # rows
    missed: int = 0  # decisions that were made faster than they could be read
    dropped: int = 0  # rows that were never written
    bytes: int = 0  # of the file
    spot: SpotPaid = field(default_factory=SpotPaid)  # as the file has it, some minutes ago

    def series(self, now: float, hours: float) -> Series:
        """The last hours as lines."""
        samples = self.recent.since(now - hours * 3600 - self.step)
        if self.newest is not None:
            samples.append(self.newest)
        return series(samples, now, hours, self.step)

    def costs(self, now: float) -> Costs:
        """So far this hour, day and month."""
        return self.money.costs(now)
