"""A site in a process of its own, for tests and the demo."""

from __future__ import annotations

import http.client
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from arvnodeman.sandbox.settings import SiteAddress, write_config

_START = 30.0  # real seconds that a site may take to be ready
_START_WITH = {"openstack": 900.0}  # with this cloud, which may have to be installed
_ANSWER = 30.0  # real seconds for one answer


class SiteFailed(RuntimeError):
    """The site did not start, or refused a request; the text says why."""


class SiteProcess:
    """Starts a site, waits until it is ready, and stops it; use it in a `with`, or call `stop()`.

    The site also ends by itself when this process ends, however it ends. Options are those of `sandbox`: `speed=50,
    slots=8, fault=["create-lost=0.1"]`. It may be used from several threads.
    """

    def __init__(self, **options: object) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "arvnodeman", "sandbox", "--until-eof", *_arguments(options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # a Ctrl-C of the terminal is for the demo alone, which stops the site at the end
        )
        try:
            self.address = self._wait_ready(_START_WITH.get(str(options.get("cloud")), _START))
        except BaseException:
            self.stop()
            raise

    # ---- using it --------------------------------------------------------------------------------------------------

    @property
    def pid(self) -> int:
        """Of the site's process."""
        return self._process.pid

    def environment(self) -> dict[str, str]:
        """The environment for a daemon at this site: it finds the site's Slurm, and asks no proxy."""
        path = os.environ.get("PATH", os.defpath)
        if self.address.slurm_conf:
            slurm = {"SLURM_CONF": self.address.slurm_conf}
        else:
            # the double reads no slurm.conf; its path tells this site's Slurm from that of another site on this host
            conf = f"{self.address.bin}/slurm.conf"
            slurm = {"PATH": f"{self.address.bin}{os.pathsep}{path}", "SLURM_CONF": conf}
        return {**os.environ, **slurm, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}

    def write_config(
        self, path: Path, overrides: Mapping[str, Mapping[str, object] | None] | None = None, **daemon: object
    ) -> Path:
        """Write the daemon's configuration file (settings.write_config)."""
        write_config(self.address, path, overrides, **daemon)
        return path

    def get(self, path: str) -> dict[str, Any]:
        """GET /site/PATH. Raises SiteFailed."""
        return self._request("GET", path, None)

    def post(self, path: str, body: Mapping[str, object] | None = None) -> dict[str, Any]:
        """POST /site/PATH. Raises SiteFailed."""
        return self._request("POST", path, dict(body or {}))

    def add_jobs(self, *jobs: Mapping[str, object]) -> list[str]:
        """Let jobs arrive; their names."""
        names: list[str] = self.post("jobs", {"jobs": list(jobs)})["names"]
        return names

    def state(self, *lists: str) -> dict[str, Any]:
        """GET /site/state, with the lists asked for: nodes, slurm, jobs, records."""
        return self.get("state?with=" + ",".join(lists))

    def verdict(self) -> dict[str, Any]:
        """GET /site/verdict."""
        return self.get("verdict")

    def wait_for(
        self, true: Callable[[dict[str, Any]], bool], lists: Sequence[str] = (), timeout: float = 30.0
    ) -> dict[str, Any]:
        """Look at the state until it is so; that state. Raises TimeoutError, with the last state, after `timeout` s."""
        end = time.monotonic() + timeout
        while True:
            state = self.state(*lists)
            if true(state):
                return state
            if time.monotonic() > end:
                raise TimeoutError(f"not so within {timeout:g} s: {json.dumps(state)[:2000]}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End the site's process; again is harmless."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()

    def __enter__(self) -> SiteProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # ---- inside ----------------------------------------------------------------------------------------------------

    def _wait_ready(self, longest: float) -> SiteAddress:
        stdout = self._process.stdout
        assert stdout is not None
        if not select.select([stdout], [], [], longest)[0]:
            raise SiteFailed(f"the site was not ready within {longest:g} s")
        line = stdout.readline().decode()
        if not line:
            raise SiteFailed(f"the site ended with {self._process.wait()} before it was ready")
        return SiteAddress.from_line(line)

    def _request(self, method: str, path: str, body: dict[str, object] | None) -> dict[str, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.address.port, timeout=_ANSWER)
        try:
            data = None if body is None else json.dumps(body)
            connection.request(method, f"/site/{path}", data, {"Content-Type": "application/json"})
            response = connection.getresponse()
            answer: dict[str, Any] = json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise SiteFailed(f"{method} /site/{path}: {error}") from error
        finally:
            connection.close()
        if response.status != 200:
            raise SiteFailed(f"{method} /site/{path}: {answer['error']['message']}")
        return answer


def _arguments(options: Mapping[str, object]) -> list[str]:
    arguments: list[str] = []
    for name, value in options.items():
        if isinstance(value, bool):
            arguments += [f"--{name}"] if value else []
            continue
        values = value if isinstance(value, list | tuple) else [value]
        for one in values:
            arguments += [f"--{name.replace('_', '-')}", str(one)]
    return arguments
