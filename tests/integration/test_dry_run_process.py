"""The real daemon with --dry-run at the sandbox: it decides, and no writing request and no changing command leaves."""

from __future__ import annotations

import http.client
import os
import stat
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from daemon_process import BOUND, DaemonProcess, command

from arvnodeman.sandbox.process import SiteProcess

CHANGING = ("scontrol update", "scancel")


class Recorder(ThreadingHTTPServer):
    """Passes requests on to the site and keeps what they were."""

    daemon_threads = True

    def __init__(self, port: int) -> None:
        self.site_port = port
        self.asked: list[str] = []
        super().__init__(("127.0.0.1", 0), _Passing)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Passing(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _pass(self) -> None:
        server = self.server
        assert isinstance(server, Recorder)
        server.asked.append(f"{self.command} {self.path}")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        connection = http.client.HTTPConnection("127.0.0.1", server.site_port, timeout=BOUND)
        connection.request(self.command, self.path, body, dict(self.headers.items()))
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _pass  # noqa: N815 (http.server's names)

    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture
def recorder(site: SiteProcess) -> Iterator[Recorder]:
    recorder = Recorder(site.address.port)
    thread = threading.Thread(target=recorder.serve_forever, daemon=True)
    thread.start()
    yield recorder
    recorder.shutdown()
    recorder.server_close()


@pytest.fixture
def site() -> Iterator[SiteProcess]:
    with SiteProcess(speed=60) as site:
        yield site


def wrap_commands(site: SiteProcess, folder: Path) -> dict[str, str]:
    """An environment in which each Slurm command writes down its arguments, then does what it does."""
    folder.mkdir()
    for real in Path(site.address.bin).iterdir():
        if not os.access(real, os.X_OK) or not real.is_file():
            continue
        wrapper = folder / real.name
        wrapper.write_text(f'#!/bin/sh\necho "{real.name} $*" >> "{folder}/asked"\nexec "{real}" "$@"\n')
        wrapper.chmod(wrapper.stat().st_mode | stat.S_IXUSR)
    environment = site.environment()
    return {**environment, "PATH": f"{folder}{os.pathsep}{environment['PATH']}"}


def test_nothing_is_touched_and_everything_is_told(site: SiteProcess, recorder: Recorder, tmp_path: Path) -> None:
    environment = wrap_commands(site, tmp_path / "bin")
    log = tmp_path / "log"
    config = site.write_config(
        tmp_path / "site.cfg",
        {
            "Logging": {"file": log, "level": "INFO"},
            "Arvados": {"host": recorder.url},
            "Cloud Credentials": {"url": f"{recorder.url}/cloud"},
            "Daemon": {"state_dir": tmp_path / "state", "use_within": 1},  # over before the last line waited for
        },
    )
    site.add_jobs({"cores": 1, "duration": 600}, {"cores": 1, "duration": 600}, {"cores": 1000})
    daemon = DaemonProcess(config, log, environment, command("--dry-run"))
    try:
        daemon.wait_for_line("Dry run: would create a node of size small", 2)
        daemon.wait_for_line("Dry run: would cancel job")
        daemon.wait_for_line("small: wishlist 2, up 2 (booting 0, unpaired 0, idle 2, busy 0), down 0, shutdown 0", 10)
        shown = _run(config, "status", "--dry-run").stdout
        assert "dry run" in shown.splitlines()[0]
        assert "dryrun" in shown
        assert "would create a node of size small" in _run(config, "decisions", "--dry-run").stdout
        assert daemon.stop() == 0
    finally:
        daemon.end()
    assert "Traceback" not in daemon.text()
    assert daemon.text().count("would create a node of size") == 2, "a boot that it made is not asked for again"
    assert {asked.split()[0] for asked in recorder.asked} == {"GET"}, recorder.asked
    asked = (tmp_path / "bin/asked").read_text().splitlines()
    assert {line.split()[0] for line in asked} >= {"squeue", "sinfo"}
    assert not [line for line in asked if line.startswith(CHANGING)]
    verdict = site.verdict()
    assert (verdict["nodes_booted"], verdict["cancelled"], verdict["slots_left"]) == (0, 0, [])


def _run(config: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments, "--config", str(config)), capture_output=True, text=True, timeout=BOUND, check=False
    )
