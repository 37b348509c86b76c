"""The real daemon as a process: what it says when it is started wrongly, and how it waits when the outside is away."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from daemon_process import BOUND, DaemonProcess, command, deaf_port, run

from arvnodeman.sandbox.process import SiteProcess
from arvnodeman.version import __version__

GOOD = """\
[Arvados]
host = zyxwv.example.com
token = sesame
[Cloud]
provider = sandbox
shutdown_windows = 54, 5, 1
[Cloud Credentials]
url = http://127.0.0.1:1
[Cloud Create]
ping_host = zyxwv.example.com
[Size small]
cores = 2
"""


Start = Callable[..., DaemonProcess]


@pytest.fixture(scope="module")
def site() -> Iterator[SiteProcess]:
    with SiteProcess(speed=50) as site:
        yield site


@pytest.fixture
def start(site: SiteProcess, tmp_path: Path) -> Iterator[Start]:
    """Starts a daemon at the site; options as in SiteProcess.write_config."""
    daemons: list[DaemonProcess] = []

    def start(
        overrides: Mapping[str, Mapping[str, object] | None] | None = None,
        environment: Mapping[str, str] | None = None,
        **options: object,
    ) -> DaemonProcess:
        log = tmp_path / f"log{len(daemons)}"
        changes = dict(overrides or {})
        changes["Logging"] = {"file": log, "level": "DEBUG", **(changes.get("Logging") or {})}
        config = site.write_config(tmp_path / f"site{len(daemons)}.cfg", changes, **options)
        daemons.append(DaemonProcess(config, log, {**site.environment(), **(environment or {})}))
        return daemons[-1]

    yield start
    for daemon in daemons:
        daemon.end()


# ---- mistakes --------------------------------------------------------------------------------------------------------


def assert_told(answer: subprocess.CompletedProcess[str], code: int, *parts: str) -> None:
    """One line on stderr with all these parts, and this exit code."""
    assert answer.returncode == code, answer
    lines = answer.stderr.splitlines()
    assert len(lines) == 1, answer.stderr
    assert all(part in lines[0] for part in parts), lines[0]
    assert answer.stdout == ""


def test_version() -> None:
    """Row J5."""
    answer = run("--version")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout.startswith(f"arvados-node-manager {__version__}\nPython ")


def test_no_config() -> None:
    assert_told(run(), 2, "arvados-node-manager: No --config file specified; try arvados-node-manager --help")


MISTAKES: list[tuple[str, str, str, str]] = [
    ("missing option", "token = sesame\n", "", "[Arvados] token: "),
    ("wrong type", "cores = 2", "cores = two", "[Size small] cores: "),
    ("NaN price", "cores = 2", "cores = 2\nprice = nan", "[Size small] price: "),
    ("negative price", "cores = 2", "cores = 2\nprice = -1", "[Size small] price: "),
    ("one window", "54, 5, 1", "54", "[Cloud] shutdown_windows: "),
    ("no size", "[Size small]\ncores = 2\n", "", "[Size NAME]"),
    ("no cores", "cores = 2", "price = 1", "[Size small] cores: "),
    ("unknown provider", "= sandbox", "= nimbus", "[Cloud] provider: "),
    ("unknown dispatcher", "[Cloud]", "[Daemon]\ndispatcher = pbs\n[Cloud]", "[Daemon] dispatcher: "),
]
ALWAYS = ("missing option", "no size")  # of the others tests/unit/commands/test_check_config.py says enough


@pytest.mark.parametrize(
    ("_name", "old", "new", "told"),
    [
        pytest.param(*mistake, id=mistake[0], marks=[] if mistake[0] in ALWAYS else pytest.mark.long)
        for mistake in MISTAKES
    ],
)
def test_a_mistake_in_the_file_is_one_line(tmp_path: Path, _name: str, old: str, new: str, told: str) -> None:
    path = tmp_path / "site.cfg"
    assert old in GOOD
    path.write_text(GOOD.replace(old, new))
    assert_told(run("--config", str(path)), 2, str(path), told)


@pytest.mark.parametrize(
    "content", [pytest.param(b"", id="empty", marks=pytest.mark.long), pytest.param(bytes(range(256)) * 10, id="junk")]
)
def test_a_file_that_is_none_is_told_in_lines(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "site.cfg"
    path.write_bytes(content)
    answer = run("--config", str(path))
    assert answer.returncode == 2
    assert answer.stderr.startswith(f"{path}: ")
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize("name", ["away.cfg", pytest.param(".", marks=pytest.mark.long)])
def test_an_unreadable_file_is_one_line(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    assert_told(run("--config", str(path)), 2, str(path))


def test_several_mistakes_are_several_lines(tmp_path: Path) -> None:
    path = tmp_path / "site.cfg"
    path.write_text(GOOD.replace("54, 5, 1", "54").replace("cores = 2", "cores = two\ncorse = 3"))
    answer = run("--config", str(path))
    assert answer.returncode == 2
    assert [line.split(": ")[1:3] for line in answer.stderr.splitlines()] == [
        ["[Cloud] shutdown_windows", "is a single number"],
        ["[Size small] cores", "'two' is not a whole number; allowed"],
        ["[Size small] corse", "unknown option; the nearest known one is cores"],
    ]


def test_a_port_in_use_is_one_line(tmp_path: Path) -> None:
    """Row N11: also without --foreground, since the port is bound before the fork."""
    path = tmp_path / "site.cfg"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        path.write_text(f"{GOOD}[Manage]\nport = {port}\n[Logging]\nfile = {tmp_path}/log\n")
        answer = run("--config", str(path))
    wrong = f"[Manage] port: cannot listen on 127.0.0.1:{port}: Address already in use"
    assert_told(answer, 1, f"{path}: {wrong}; `ss -ltnp` shows by whom; write another port")


# ---- the outside is away ---------------------------------------------------------------------------------------------


def error_lines(daemon: DaemonProcess, role: str) -> list[str]:
    return [line for line in daemon.text().splitlines() if f" {role}" in line and "got error" in line]


def assert_tries_and_stops(daemon: DaemonProcess, role: str, told: str) -> None:
    """The daemon says this once a try, goes on trying, shows no traceback, and stops when it is told to."""
    daemon.wait_for(lambda: len(error_lines(daemon, role)) >= 3, f"a third try of {role}")
    assert all(told in line and "WARNING" in line for line in error_lines(daemon, role)), error_lines(daemon, role)
    assert "Traceback" not in daemon.text()
    assert daemon.stop() == 0


def test_squeue_not_installed(start: Start, tmp_path: Path) -> None:
    daemon = start(environment={"PATH": str(tmp_path)})
    assert_tries_and_stops(daemon, "JobQueueMonitorActor", "squeue")


def test_the_api_server_does_not_answer(start: Start) -> None:
    with deaf_port() as port:
        daemon = start({"Arvados": {"host": f"http://127.0.0.1:{port}"}})
        assert_tries_and_stops(daemon, "ArvadosNodeListMonitorActor", "efused")


def test_a_wrong_token(start: Start) -> None:
    daemon = start({"Arvados": {"token": "wrong-and-secret"}})
    assert_tries_and_stops(daemon, "ArvadosNodeListMonitorActor", "401")
    assert "wrong-and-secret" not in daemon.text()


def test_the_cloud_does_not_answer(start: Start) -> None:
    """Row A9."""
    with deaf_port() as port:
        daemon = start({"Cloud Credentials": {"url": f"http://127.0.0.1:{port}/cloud"}})
        assert_tries_and_stops(daemon, "CloudNodeListMonitorActor", "efused")


@pytest.mark.long
def test_a_wrong_cloud_key(start: Start) -> None:
    daemon = start({"Cloud Credentials": {"key": "wrong-and-secret"}})
    assert_tries_and_stops(daemon, "CloudNodeListMonitorActor", "")
    assert "wrong-and-secret" not in daemon.text()


# ---- start and stop --------------------------------------------------------------------------------------------------


def ask(port: int, path: str, **headers: str) -> tuple[int, dict[str, object]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=BOUND)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    body = json.loads(answer.read())
    connection.close()
    return answer.status, body


@pytest.mark.parametrize(
    "number",
    [signal.SIGTERM, *(pytest.param(each, marks=pytest.mark.long) for each in (signal.SIGINT, signal.SIGQUIT))],
)
def test_a_signal_stops_in_order_with_exit_0(start: Start, number: signal.Signals) -> None:
    daemon = start()
    daemon.wait_for_line("got response with", 3)
    assert daemon.stop(number) == 0
    assert "Shutting down after signal." in daemon.text()
    assert "Traceback" not in daemon.text()
    assert daemon.end() == ""


def test_a_started_daemon_answers_and_is_well(start: Start) -> None:
    """Row L5: and it leads a group of its own, and says its last words on demand while it goes on."""
    with deaf_port() as port:
        pass
    daemon = start({"Manage": {"port": port, "ManagementToken": "tok"}}, watchdog_interval=0.2)
    daemon.wait_for_line("got response with", 3)
    headers = {"Authorization": "Bearer tok"}
    daemon.wait_for(lambda: ask(port, "/_health/ping", **headers)[0] == 200, "good health")
    status, shown = ask(port, "/status.json")
    assert status == 200
    assert shown["Version"] == __version__
    assert ask(port, "/nonsense")[0] == 404
    assert os.getpgid(daemon.process.pid) == daemon.process.pid
    daemon.process.send_signal(signal.SIGUSR1)
    daemon.wait_for_line("actor NodeManagerDaemonActor")
    daemon.wait_for_line("thread MainThread")
    assert ask(port, "/_health/ping", **headers)[0] == 200
    assert daemon.stop() == 0


def test_a_reload_on_sighup(start: Start, tmp_path: Path) -> None:
    daemon = start()
    daemon.wait_for_line("got response with", 3)
    config = tmp_path / "site0.cfg"
    config.write_text(config.read_text().replace("consecutive_idle_count = 2", "consecutive_idle_count = 5"))
    daemon.process.send_signal(signal.SIGHUP)
    daemon.wait_for_line("[Daemon] consecutive_idle_count has changed and is in force")
    good = config.read_text()
    config.write_text("junk")
    daemon.process.send_signal(signal.SIGHUP)
    daemon.wait_for_line("The configuration in force is unchanged")
    config.write_text(f"{good}[Leader]\nbackend = postgresql\ndatabase = host=db pasword=sesame\n")
    daemon.process.send_signal(signal.SIGHUP)  # a start would refuse it, too
    daemon.wait_for_line("The configuration in force is unchanged", 2)
    assert "[Leader] database cannot be read" in daemon.text()
    assert "sesame" not in daemon.text()
    assert daemon.stop() == 0


def test_without_foreground_it_goes_into_the_background(site: SiteProcess, tmp_path: Path) -> None:
    """Row M2: python-daemon does its work."""
    log = tmp_path / "log"
    with deaf_port() as port:
        pass
    config = site.write_config(
        tmp_path / "site.cfg", {"Logging": {"file": log, "level": "DEBUG"}, "Manage": {"port": port}}
    )
    answer = subprocess.run(
        command("--config", str(config)), env=site.environment(), capture_output=True, timeout=BOUND, check=False
    )
    assert (answer.returncode, answer.stderr) == (0, b"")
    end = time.monotonic() + BOUND
    while "got response with" not in (text := log.read_text() if log.exists() else ""):
        assert time.monotonic() < end, text
        time.sleep(0.02)
    assert ask(port, "/status.json")[0] == 200
    pid = int(text.partition("[")[2].partition("]")[0])
    os.kill(pid, signal.SIGTERM)
    while Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text().split()[2]:
        assert time.monotonic() < end
        time.sleep(0.02)
    assert "Shutting down after signal." in log.read_text()
