"""The service unit: what systemd thinks of it, and the real daemon under a real systemd."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from private_systemd import BOUND, PrivateSystemd, missing

from arvnodeman.config import load
from arvnodeman.sandbox.process import SiteProcess
from arvnodeman.supervision.run import longest_silence

ROOT = Path(__file__).resolve().parents[2]
UNIT = ROOT / "doc/ops/arvados-node-manager.service"
NAME = UNIT.name
PROGRAM = "/opt/arvados-node-manager/bin/arvados-node-manager"


def need(reason: str) -> None:
    """Skip, and say why; a package that is missing in CI is a failure."""
    if "apt-get" in reason and os.environ.get("CI") == "true":
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)


def options() -> dict[str, str]:
    """The unit's settings; of those that stand there twice, the last."""
    return dict(line.split("=", 1) for line in UNIT.read_text().splitlines() if re.match(r"\w+=", line))


# ---- the file --------------------------------------------------------------------------------------------------------


@pytest.fixture
def analyze(tmp_path: Path) -> Path:
    """The unit with a program that is there on any machine."""
    need("" if shutil.which("systemd-analyze") else "there is no systemd-analyze (Debian: apt-get install systemd)")
    path = tmp_path / NAME
    path.write_text(UNIT.read_text().replace(PROGRAM, "/bin/true"))
    return path


def test_systemd_has_nothing_to_say_against_it(analyze: Path) -> None:
    """Its exit code is 0 even for names that it does not know."""
    answer = subprocess.run(
        ["systemd-analyze", "verify", str(analyze)], capture_output=True, text=True, timeout=BOUND, check=False
    )
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")


def test_it_is_shut_in_well(analyze: Path) -> None:
    answer = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", str(analyze)],
        capture_output=True,
        text=True,
        timeout=BOUND,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_its_times_fit_the_daemons_defaults(tmp_path: Path) -> None:
    """The in-process deadlines come first, and a stop is given the time that it may take."""
    path = tmp_path / "site.cfg"
    path.write_text(
        "[Arvados]\nhost = zyxwv.example.com\ntoken = x\n[Cloud]\nprovider = dummy\nshutdown_windows = 54, 5, 1\n"
        "[Size small]\ncores = 2\n"
    )
    daemon = load(str(path)).daemon
    unit = options()
    assert float(unit["WatchdogSec"]) > longest_silence(daemon)
    assert float(unit["TimeoutStartSec"]) > longest_silence(daemon) + 63
    assert float(unit["TimeoutStopSec"]) > daemon.stop_timeout + 15
    assert (unit["Type"], unit["Restart"], unit["KillMode"]) == ("notify", "always", "control-group")
    assert unit["StateDirectory"] == "arvados-node-manager"


def test_waits_before_restarts_grow_and_begin_anew(tmp_path: Path) -> None:
    """The line of ExecStartPre, with a sleep that only tells."""
    line = options()["ExecStartPre"].removeprefix("-/bin/sh -c ").strip("'").replace("$$", "$")
    (tmp_path / "sleep").write_text('#!/bin/sh\necho "$1"\n')
    (tmp_path / "sleep").chmod(0o755)
    folder = tmp_path / "run"
    folder.mkdir()
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "RUNTIME_DIRECTORY": str(folder)}

    def wait() -> str:
        return subprocess.run(
            ["/bin/sh", "-c", line], env=environment, capture_output=True, text=True, timeout=BOUND, check=True
        ).stdout.strip()

    assert [wait() for _ in range(10)] == ["", "", "1", "3", "7", "15", "31", "63", "63", "63"]
    long_ago = time.time() - 3600
    os.utime(folder / "starts", (long_ago, long_ago))
    assert [wait() for _ in range(3)] == ["", "", "1"]
    (folder / "starts").write_text("rubbish\n")
    assert wait() == ""


# ---- the service -----------------------------------------------------------------------------------------------------


class Service:
    """The unit as it is shipped, for this checkout and with short times, under a manager of our own."""

    def __init__(self, manager: PrivateSystemd, site: SiteProcess, folder: Path) -> None:
        self.manager, self.site = manager, site
        self.log = folder / "log"
        self.config = site.write_config(
            folder / "site.cfg", {"Logging": {"level": "INFO"}}, watchdog=4.0, watchdog_interval=0.2
        )
        self._write(site)
        manager.ctl("daemon-reload")

    def _write(self, site: SiteProcess) -> None:
        text = UNIT.read_text()
        command = f"{sys.executable} -m arvnodeman --foreground --config {self.config}"
        text = re.sub(r"(?m)^ExecStart=.*$", f"ExecStart={command}", text)
        text = re.sub(r"(?m)^User=.*\n", "", text)  # a user manager has one account
        (self.manager.units / NAME).write_text(text)
        place = self.manager.units / f"{NAME}.d"
        place.mkdir(exist_ok=True)
        # The checkout and the site may lie in /tmp or in somebody's home; in a container a user manager cannot hide
        # the kernel's logs and tunables. All the rest of the sandbox is as it is shipped.
        (place / "test.conf").write_text(
            f"[Service]\nWorkingDirectory={ROOT}\nEnvironment=PATH={site.environment()['PATH']} NO_PROXY=127.0.0.1\n"
            f"StandardOutput=append:{self.log}\nStandardError=append:{self.log}\nPrivateTmp=no\nProtectHome=no\n"
            "ProtectKernelLogs=no\nProtectKernelTunables=no\n"
            "WatchdogSec=6\nTimeoutStartSec=60\nTimeoutAbortSec=3\nTimeoutStopSec=20\nRestartSec=0.1\n"
        )

    def show(self, name: str) -> str:
        return self.manager.show(NAME, name)

    def text(self) -> str:
        return self.log.read_text() if self.log.exists() else ""

    def wait_for(self, name: str, value: str) -> None:
        end = time.monotonic() + BOUND
        while self.show(name) != value:
            assert time.monotonic() < end, (name, self.show(name), self.text(), self.manager.said())
            time.sleep(0.05)

    def wait_for_line(self, line: str) -> None:
        end = time.monotonic() + BOUND
        while line not in self.text():
            assert time.monotonic() < end, (line, self.text(), self.manager.said())
            time.sleep(0.02)

    def hit(self, number: signal.Signals) -> None:
        """The main process gets a signal."""
        os.kill(int(self.show("MainPID")), number)


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateSystemd]:
    need(missing())
    with PrivateSystemd(tmp_path_factory.mktemp("systemd")) as manager:
        yield manager


@pytest.fixture(scope="module")
def site() -> Iterator[SiteProcess]:
    """One test has jobs there, and leaves no node."""
    with SiteProcess(speed=50) as site:
        yield site


@pytest.fixture
def service(manager: PrivateSystemd, site: SiteProcess, tmp_path: Path) -> Iterator[Service]:
    service = Service(manager, site, tmp_path)
    manager.ctl("start", NAME)
    yield service
    manager.ctl("stop", NAME, check=False)
    manager.ctl("reset-failed", NAME, check=False)


def test_start_is_over_when_it_is_ready(service: Service) -> None:
    assert (service.show("ActiveState"), service.show("SubState")) == ("active", "running")
    assert service.text().count("got response with") >= 3
    service.wait_for("StatusText", "no nodes; 0 wanted, 0 jobs waiting")
    state = Path(service.manager.config / "arvados-node-manager")
    assert (state / "restarts.json").exists()


def test_a_kill_from_outside_is_followed_by_a_restart(service: Service) -> None:
    service.hit(signal.SIGKILL)
    service.wait_for("NRestarts", "1")
    service.wait_for("ActiveState", "active")
    service.wait_for_line("The last run ended killed from outside: by SIGKILL")


def test_a_process_that_stands_still_is_killed_by_the_service_managers_watchdog(service: Service) -> None:
    service.hit(signal.SIGSTOP)
    service.wait_for("NRestarts", "1")
    service.wait_for("ActiveState", "active")
    service.wait_for_line("The last run ended by the C timer or the service manager")
    assert "SIGABRT, as the service manager's watchdog sends it" in service.text()


def test_a_reload_goes_through_systemctl(service: Service) -> None:
    text = service.config.read_text()
    service.config.write_text(text.replace("consecutive_idle_count = 2", "consecutive_idle_count = 4"))
    service.manager.ctl("reload", NAME)
    service.wait_for_line("[Daemon] consecutive_idle_count has changed and is in force")
    service.wait_for("ActiveState", "active")
    service.config.write_text("junk")
    service.manager.ctl("reload", NAME)
    service.wait_for_line("The configuration in force is unchanged")
    service.wait_for("ActiveState", "active")
    assert service.show("NRestarts") == "0"


def test_a_stop_lets_a_boot_finish(service: Service) -> None:
    service.site.add_jobs({"cores": 1, "duration": 20})
    service.wait_for_line("Sending create_node request")
    service.manager.ctl("stop", NAME)
    assert (service.show("ActiveState"), service.show("Result")) == ("inactive", "success")
    assert "Shutting down after signal." in service.text()
    assert "post-create work done." in service.text()
    assert service.site.state()["cloud"]["created"] == 1
    service.manager.ctl("start", NAME)
    service.wait_for_line("The last run ended in order: SIGTERM")
    service.site.wait_for(lambda state: state["quiet"] and state["jobs"].get("completed") == 1, timeout=2 * BOUND)
    assert service.site.verdict()["nodes_booted"] == 1


def test_a_mistake_in_the_file_is_not_tried_again(service: Service) -> None:
    service.manager.ctl("stop", NAME)
    service.config.write_text("junk")
    service.manager.ctl("start", NAME, check=False)
    service.wait_for("ActiveState", "failed")
    assert service.show("ExecMainStatus") == "2"
    assert service.show("NRestarts") == "0"
