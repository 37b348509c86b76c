"""Why a job has no node yet: what Slurm's reservations and licences forbid."""

from __future__ import annotations

from dataclasses import dataclass

from arvnodeman.fleet.causes import Cause, span


@dataclass(frozen=True, slots=True)
class Reserved(Cause):
    """Every name that could be booted is in reservations that are in its way."""

    reservation: str = ""  # the one that ends first
    maintenance: bool = False
    begins: float | None = None  # steady time; None: it has begun
    ends: str = ""  # when, by the clock on the wall

    def words(self, t: float) -> str:
        """no node outside the reservation "window" (maintenance) can be booted; it begins in 58 min, …"""
        what = f"the reservation {self.reservation!r}{' (maintenance)' if self.maintenance else ''}"
        ahead = "" if self.begins is None else f" begins in {span(self.begins - t)}, before its time is over, and"
        end = f" ends at {self.ends}" if self.ends else " ends"
        return f"no node that is not in {what} can be booted, which{ahead}{end}{self._in_brackets(t)}"

    def _in_brackets(self, t: float) -> str:
        return "" if self.until is None else f" (in {span(self.until - t)})"


@dataclass(frozen=True, slots=True)
class NotInside(Cause):
    """It is to run in a reservation, of whose nodes none can be booted."""

    reservation: str = ""

    def words(self, t: float) -> str:
        """it asks for the reservation "course", and no name in that is free to be booted."""
        return f"it asks for the reservation {self.reservation!r}, and no name in that is free to be booted"


@dataclass(frozen=True, slots=True)
class NoLicence(Cause):
    """All licences are used, or for jobs before it."""

    licence: str = ""
    free: int = 0

    def words(self, t: float) -> str:
        """no licence of solver is free for it: 2 are, for jobs before it."""
        others = f": {self.free} {'is' if self.free == 1 else 'are'}, for jobs before it" if self.free else ""
        return f"no licence of {self.licence} is free for it{others}"
