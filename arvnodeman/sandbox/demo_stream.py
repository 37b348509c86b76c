"""What a demo without an end needs: jobs that go on coming, and the daemon's page to look at."""

from __future__ import annotations

import contextlib
import secrets
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from arvnodeman.sandbox.faults import chance
from arvnodeman.sandbox.process import SiteProcess

CALM_SPEED = 10.0  # times faster than life: a job takes half a minute, a boot six seconds
EVERY = 40.0  # real seconds from one wave of jobs to the next
FEWEST, MOST = 3, 16  # jobs of a wave
WINDOW, DURATION = 300.0, 260.0  # simulated seconds in which a wave comes, and that its jobs take on average
PATIENCE = 30.0  # real seconds that the daemon may take until it serves its page
CAP = 1.8  # $/hour: the largest waves run into it
NODES = 14


@dataclass
class JobStream:
    """Waves of jobs, one after the other. The same seed gives the same waves."""

    site: SiteProcess
    seed: int
    _waves: int = field(default=0, init=False)
    _next: float = field(default=0.0, init=False)  # seconds since the epoch

    def flow(self, now: float) -> None:
        """Let the next wave come, if it is its time. Raises SiteFailed."""
        if now < self._next:
            return
        jobs = chance(self.seed, "wave", self._waves).randint(FEWEST, MOST)
        workload = {"seed": 1000 * self.seed + self._waves, "jobs": jobs, "window": WINDOW, "duration": DURATION}
        self.site.post("jobs", {"workload": workload})
        self._waves += 1
        self._next = now + EVERY


@dataclass(frozen=True)
class FrontDoor:
    """Where the demo's daemon serves its page, and the token that it asks for."""

    port: int
    token: str = field(repr=False)

    @classmethod
    def choose(cls) -> FrontDoor:
        """A free port of this machine's loopback, and a token of this demo's own."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            return cls(free.getsockname()[1], secrets.token_hex(4))

    @property
    def options(self) -> Mapping[str, object]:
        """[Manage]."""
        return {"address": "127.0.0.1", "port": self.port, "ManagementToken": self.token}

    def opens(self, never: Callable[[], bool]) -> bool:
        """Wait until somebody listens there; False when that takes too long, or will never be."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and not never():
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1.0):
                return True
            time.sleep(0.05)
        return False

    @property
    def words(self) -> str:
        """A line for people."""
        return f"The daemon's page: http://127.0.0.1:{self.port}/ (the token that it asks for: {self.token})\n"
