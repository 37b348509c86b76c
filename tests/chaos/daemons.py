"""The daemons of one run, one at a time, each leading a process group of its own; they share log and configuration."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from arvnodeman.launcher import main as launch
from arvnodeman.manage.places import SOCKET_NAME
from arvnodeman.sandbox.process import SiteProcess
from arvnodeman.sandbox.wiring import PLACES
from chaos.points import arm

_ROOT = Path(__file__).resolve().parents[2]
_LOOK = 0.02  # real seconds between two looks at a process that is waited for
CHAOS_OPTIONS: Mapping[str, object] = {
    "poll_time": 0.2,
    "max_poll_time": 1,
    "poll_stale_after": 3,
    "boot_fail_after": 5,
    "node_stale_after": 15,
    "quota_retry_after": 1,
    "size_retry_after": 1,
    "drain_poll_time": 0.25,
    "stop_timeout": 10,
    "watchdog": 6,
    "watchdog_interval": 1,
    "max_concurrent_cloud_ops": 6,
}
CHAOS_SECTIONS: Mapping[str, Mapping[str, object]] = {
    "Arvados": {"timeout": 0.6},
    "Cloud Credentials": {"timeout": 0.6},
}
_SPOT: Mapping[str, Mapping[str, object]] = {
    "Size small-spot": {"cores": 2, "instance_type": "small", "preemptible": "yes", "price": 0.015},
    "Size large-spot": {"cores": 8, "instance_type": "large", "preemptible": "yes", "price": 0.06},
}


class Daemons:
    """Starts them and ends them. The process that uses this must have no other threads: it forks.

    `sections` and `options` are added to the configuration that fits the site, the latter to [Daemon].
    """

    def __init__(
        self,
        site: SiteProcess,
        folder: Path,
        sections: Mapping[str, Mapping[str, object]],
        options: Mapping[str, object],
        level: str = "DEBUG",
    ) -> None:
        self.log = folder / "daemon.log"
        self.door = folder / "state" / SOCKET_NAME
        self.environment = site.environment()
        # without names of their own no node can be of them
        spot = {} if site.address.records == PLACES else _SPOT
        overrides = {**sections, **spot, "Logging": {"file": self.log, "level": level}}
        self._config = site.write_config(folder / "site.cfg", overrides, state_dir=folder / "state", **options)
        self._records = site.address.records
        self._pid = 0
        self._status: int | None = None

    def note(self, text: str) -> None:
        """A line of ours in the daemon's log."""
        with self.log.open("a") as log:
            log.write(f"==== {time.strftime('%Y-%m-%d %H:%M:%S')} {text}\n")

    def fork(self, point: str = "", nth: int = 1) -> None:
        """Start one that has all its modules already, so that it lives at once; it dies at the point."""
        self._status = None
        self._pid = os.fork()
        if self._pid == 0:
            self._become_daemon(point, nth)

    def start(self) -> int:
        """Start one as people do; its process id."""
        self._status = None
        command = [sys.executable, "-m", "arvnodeman", "--config", str(self._config), "--foreground"]
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                command,
                cwd=_ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environment,
                start_new_session=True,
            )
        self._pid = process.pid
        process.returncode = 0  # it is waited for here
        return self._pid

    def ended(self) -> int | None:
        """The exit code of the present one, or less the signal that it died of; None while it lives."""
        if self._pid and self._status is None:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
            if pid:
                self._status = os.waitstatus_to_exitcode(status)
        return self._status

    def wait(self, seconds: float) -> int | None:
        """Wait for its end, for so long at most."""
        limit = time.monotonic() + seconds
        while self.ended() is None and time.monotonic() < limit:
            time.sleep(_LOOK)
        return self.ended()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self._pid, number)

    def kill(self) -> None:
        """SIGKILL to what is left of the present one and of its children."""
        if self._pid:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._pid, signal.SIGKILL)
            while self.ended() is None:
                time.sleep(_LOOK)

    def _become_daemon(self, point: str, nth: int) -> NoReturn:
        code = 70
        try:
            os.setsid()
            os.environ.update(self.environment)
            log = os.open(self.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            null = os.open(os.devnull, os.O_RDONLY)
            for here, there in ((null, 0), (log, 1), (log, 2)):
                os.dup2(here, there)
            os.closerange(3, 1024)
            if point:
                arm(point, nth, self._records)
            code = launch(str(self._config), foreground=True)
        except BaseException:  # noqa: BLE001 - whatever it is: this process must not go on as the one that it was
            traceback.print_exc()
        finally:
            os._exit(code)
