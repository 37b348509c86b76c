"""Why a job has no node yet: what Slurm's reservations, licences and the limits of its accounting forbid."""

from __future__ import annotations

from dataclasses import dataclass

from arvnodeman.fleet.values.reasons import Reason, span


@dataclass(frozen=True, slots=True)
class Reserved(Reason):
    """Every name that could be booted is in reservations that are in its way."""

    reservation: str = ""  # the one that ends first
    maintenance: bool = False
    begins: float | None = None  # steady time; None: it has begun
    ends: str = ""  # when, by the clock on the wall

    def words(self, t: float) -> str:
        """every name that could be booted is in the reservation 'window' (maintenance), which ends at … (in 2.0 h)."""
        what = f"the reservation {self.reservation!r}{' (maintenance)' if self.maintenance else ''}"
        ahead = ""
        if self.begins is not None:
            ahead = f" begins in {span(self.begins - t)}, before the job's time limit would be over, and"
        end = f" ends at {self.ends}" if self.ends else " ends"
        return f"every name that could be booted is in {what}, which{ahead}{end}{self._in_brackets(t)}"

    def _in_brackets(self, t: float) -> str:
        return "" if self.until is None else f" (in {span(self.until - t)})"


@dataclass(frozen=True, slots=True)
class NotInside(Reason):
    """It is to run in a reservation, of whose nodes none can be booted."""

    reservation: str = ""

    def words(self, t: float) -> str:
        """it asks for the reservation "course", and no name in that is free to be booted."""
        return f"it asks for the reservation {self.reservation!r}, and no name in that is free to be booted"


@dataclass(frozen=True, slots=True)
class NoSuchName(Reason):
    """It asks for names in Slurm, or for features that only some names have, and none of these is free."""

    needs: str = ""

    def words(self, t: float) -> str:
        """it asks for rack1, and no name that has that is free to be booted."""
        return f"it asks for {self.needs}, and no such name is free to be booted"


@dataclass(frozen=True, slots=True)
class NoLicence(Reason):
    """All licences are used, or for jobs before it."""

    licence: str = ""
    free: int = 0

    def words(self, t: float) -> str:
        """no licence of solver is free for it: 2 are, for jobs before it."""
        others = f": {self.free} {'is' if self.free == 1 else 'are'}, for jobs before it" if self.free else ""
        return f"no licence of {self.licence} is free for it{others}"


@dataclass(frozen=True, slots=True)
class LimitReached(Reason):
    """A limit of a QOS or an association is used up, or will be by jobs before it."""

    of: str = ""  # QOS spent
    rule: str = ""  # GrpTRES cpu
    limit: float = 0.0
    used: float = 0.0
    wanted: float = 0.0  # by the job
    shared: bool = True  # else it is one of each job by itself

    def words(self, t: float) -> str:
        """QOS spent: GrpTRES cpu=4 reached (3 used); it needs 2."""
        rule = f"{self.of}: {self.rule}={self.limit:g}"
        if not self.shared:
            return f"{rule} forbids it, it needs {self.wanted:g}"
        others = ", jobs before it take the rest" if 0 < self.wanted <= self.limit - self.used else ""
        needs = f"; it needs {self.wanted:g}" if self.wanted > 1 else ""
        return f"{rule} reached ({self.used:g} used{others}){needs}"
