"""Faults of the whole site: services that are away for a while, a slurmctld that is restarted, clocks that differ.

Each fault of the place `site` is looked at once in each simulated minute.
"""

from __future__ import annotations

from collections.abc import Callable

from arvnodeman.sandbox.clock import SiteClock
from arvnodeman.sandbox.faults import Faults, chance
from arvnodeman.sandbox.site_events import SiteEvents

SERVICES = ("cloud", "arvados", "slurm")
_BEAT = 60.0  # simulated seconds
_RESTART = 5.0  # simulated seconds that a restart takes


class ServerClock:
    """The clock of one server: what it stamps, and the Date of its answers. `offset`: real seconds that it is fast."""

    def __init__(self, clock: SiteClock) -> None:
        self._clock = clock
        self.offset = 0.0

    def wall(self) -> float:
        """Seconds since the epoch, as this server has it."""
        return self._clock.wall() + self.offset


class SiteFaults:
    """Used under the site's lock. `restart_slurm` is called when slurmctld starts again."""

    def __init__(
        self,
        clock: SiteClock,
        faults: Faults,
        events: SiteEvents,
        *,
        seed: int = 0,
        restart_slurm: Callable[[], None] = lambda: None,
    ) -> None:
        self._clock = clock
        self._faults = faults
        self._events = events
        self._seed = seed
        self._restart_slurm = restart_slurm
        self._away_until: dict[str, float] = {}
        self._jumps = 0
        self.clocks = {name: ServerClock(clock) for name in ("cloud", "arvados")}
        clock.after(_BEAT, self._beat)

    def is_away(self, service: str) -> bool:
        """Is this service away now?"""
        return self._clock.elapsed() < self._away_until.get(service, 0.0)

    def take_away(self, service: str, seconds: float) -> None:
        """Let a service be away for so many simulated seconds; 0: it is back. Raises KeyError."""
        if service not in SERVICES:
            raise KeyError(f"service {service}")
        self._events.add("service-away", service, f"{seconds:g} s")
        self._away_until[service] = self._clock.elapsed() + seconds

    def end_outages(self) -> None:
        """Every service is back. Clocks stay as they are: to set them right would be one more jump."""
        self._away_until.clear()

    def restart_slurm(self) -> None:
        """slurmctld starts again: it is away for a moment, and its nodes' features and weights are those of
        slurm.conf."""
        self.take_away("slurm", _RESTART)
        self._restart_slurm()

    def _beat(self) -> None:
        self._clock.after(_BEAT, self._beat)
        for service in SERVICES:
            if self._strikes(f"{service}-away"):
                self.take_away(service, self._faults.values["outage"])
        if self._strikes("slurm-restarts"):
            self.restart_slurm()
        for name, clock in self.clocks.items():
            if self._strikes("clock-jumps", name):
                self._jumps += 1
                widest = self._faults.values["clock"]
                clock.offset = chance(self._seed, "clock", name, self._jumps).uniform(-widest, widest)

    def _strikes(self, name: str, scope: str = "") -> bool:
        hit = self._faults.strikes(name, scope)
        if hit:
            self._events.add("fault", scope or "the site", name)
        return hit
