"""Why, where Slurm does not use a node: of jobs for which none is booted, and of the node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from arvnodeman.fleet.values.reasons import Reason, span


@dataclass(frozen=True, slots=True)
class TakenBack(Reason):
    """The node itself has told: the cloud takes it back."""

    goes: ClassVar[bool] = True

    def words(self, t: float) -> str:
        """the node reports that the cloud takes it back."""
        return "the node reports that the cloud takes it back"


@dataclass(frozen=True, slots=True)
class MayGoSoon(Reason):
    """The node itself has told: the cloud may take it back."""

    def words(self, t: float) -> str:
        """the node reports that the cloud may take it back soon: no new work for a while."""
        return "the node reports that the cloud may take it back soon: no new work for a while"


@dataclass(frozen=True, slots=True)
class InVain(Reason):
    """A node was up for jobs like it, and Slurm did not use it."""

    said: str = ""  # Slurm's reason then
    node: str = ""
    idle: float = 0.0  # seconds

    def words(self, t: float) -> str:
        """compute1 stood idle for it for 3 min and Slurm did not use it: Slurm said QOSGrpCpuLimit; tried again in …"""
        said = f": Slurm said {self.said}" if self.said else ""
        stood = f"{self.node} stood idle for it for {span(self.idle)}"
        return f"{stood} and Slurm did not use it{said}; tried again{self._in(t)}"


@dataclass(frozen=True, slots=True)
class ProbeFirst(Reason):
    """Slurm has not used nodes for jobs like it lately: few are booted until it does."""

    said: str = ""
    jobs: int = 1

    def words(self, t: float) -> str:
        """nodes for one job like it are there or on their way, to see whether Slurm uses them (it said Licenses)."""
        said = f" (it said {self.said})" if self.said else ""
        many = "one job" if self.jobs == 1 else f"{self.jobs} jobs"
        return f"nodes for {many} like it are there or on their way, to see whether Slurm uses them{said}"


@dataclass(frozen=True, slots=True)
class RoomInVain(Reason):
    """There was room for jobs like it on nodes at work, and Slurm did not use it."""

    said: str = ""  # Slurm's reason then
    stood: float = 0.0  # seconds

    def words(self, t: float) -> str:
        """room on nodes at work was there for it for 3 min and Slurm did not use it: Slurm said QOSMaxCpu…; it …"""
        said = f": Slurm said {self.said}" if self.said else ""
        stood = f"room on nodes at work was there for it for {span(self.stood)} and Slurm did not use it{said}"
        return f"{stood}; such room counts for it again{self._in(t)}"


@dataclass(frozen=True, slots=True)
class RunsDry(Reason):
    """It takes no new jobs, and goes when those on it have ended."""

    goes: ClassVar[bool] = True

    def words(self, t: float) -> str:
        """no job waits, half of it is empty and what runs there would have room on others: it takes no new jobs."""
        return "no job waits, half of it is empty and what runs there would have room on others: it takes no new jobs"


@dataclass(frozen=True, slots=True)
class KeptInVain(Reason):
    """Slurm keeps it for a job that cannot begin for a reason which nodes do not mend."""

    goes: ClassVar[bool] = True
    seconds: float = 0.0

    def words(self, t: float) -> str:
        """Slurm has kept it for 3 min for a job that it does not start, and no other job wants it."""
        return f"Slurm has kept it for {span(self.seconds)} for a job that it does not start, and no other wants it"
