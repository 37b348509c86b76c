"""The launcher: the order of start and stop, seen from the main thread, with actors that are played."""

from __future__ import annotations

import logging
import os
import signal
import socket
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from arvnodeman import launcher
from arvnodeman.config import ConfigError, load
from arvnodeman.config.settings import Settings
from arvnodeman.fleet.messages import Poll
from arvnodeman.supervision.one_writer import OneWriter, cluster_of
from arvnodeman.supervision.signals import Signals
from arvnodeman.supervision.vitals import RefusedReload
from arvnodeman.version import __version__

GOOD = """\
[Arvados]
host = {host}
token = sesame
[Daemon]
stop_timeout = 30
[Logging]
file = {log}
level = INFO
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

SIGNALS = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)


class PlayedResort:
    """The C timer would end the test's own process, and the reaper kill its process group."""

    def __init__(self, folder: Path | None = None) -> None:
        ARMED.clear()

    def open(self) -> None:
        pass

    def arm(self, seconds: float) -> None:
        ARMED.append(seconds)

    def close(self) -> None:
        ARMED.append(0.0)

    def start(self) -> bool:
        return False


ARMED: list[float] = []


class PlayedCrew:
    """What the launcher does to the actors, in its order."""

    def __init__(
        self,
        settings: Settings,
        supervision: Any,
        brain: object,
        published: Any,
        *,
        dry_run: bool = False,
        proven: frozenset[str] = frozenset(),
        raised: Sequence[object] = (),
        saw_generation: Callable[[int], None] = lambda _generation: None,
        poked: Callable[[], None] = lambda: None,
    ) -> None:
        self.saw_generation, self.poked = saw_generation, poked
        self.dry_run = dry_run
        self.proven = proven
        self.waits = self.on_nodes = None
        self.raised = raised
        self.say = None
        self.settings = settings
        self.vitals = supervision.vitals
        self.ending = supervision.ending
        self.published = published
        self.done: list[str] = []
        self.on_start: Callable[[], None] = lambda: None
        self.on_begin_stop: Callable[[], None] = supervision.vitals.stopped.set
        self.spent: object = None
        PLAYED.append(self)

    def ask_spending(self, spent: object) -> None:
        self.spent = spent

    def start(self, good_round: Callable[[], None], half_way: Callable[[str], None]) -> None:
        self.done.append("start")
        self.good_round = good_round
        self.half_way = half_way
        ON_START.pop()(self)

    def tell_lead(self, event: object) -> None:
        """A manager that is alone has nothing to tell."""
        self.done.append("tell_lead")

    def begin_stop(self) -> None:
        self.done.append("begin_stop")
        self.on_begin_stop()

    def stop(self, timeout: float) -> bool:
        self.done.append("stop")
        return True

    def reload(self, settings: Settings) -> None:
        self.done.append(f"reload {settings.daemon.max_nodes}")
        self.settings = settings


PLAYED: list[PlayedCrew] = []
ON_START: list[Callable[[PlayedCrew], None]] = []


def send(*numbers: signal.Signals) -> None:
    for number in numbers:
        os.kill(os.getpid(), number)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "site.cfg"
    path.write_text(GOOD.format(log=tmp_path / "log", host=f"{uuid.uuid4()}.example.com"))  # one daemon a cluster
    return path


@pytest.fixture(autouse=True)
def _process_as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Signals, log handlers and the process group are the test's own again afterwards."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers = []
    monkeypatch.setattr(launcher, "Crew", PlayedCrew)
    monkeypatch.setattr("arvnodeman.supervision.run.LastResort", PlayedResort)
    monkeypatch.setattr("arvnodeman.supervision.run.Reaper", PlayedResort)
    monkeypatch.setattr(os, "setsid", lambda: None)
    monkeypatch.setattr(launcher, "kill_descendants", lambda: None)  # the test run's own, here
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    PLAYED.clear()
    ON_START.clear()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
    root.handlers, root.level = handlers, level


def run(path: Path, on_start: Callable[[PlayedCrew], None]) -> tuple[int, PlayedCrew]:
    ON_START.append(on_start)
    code = launcher.main(str(path), foreground=True)
    return code, PLAYED[0]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT, signal.SIGTERM])
def test_the_first_signal_stops_in_order_and_exits_0(path: Path, tmp_path: Path, number: signal.Signals) -> None:
    code, crew = run(path, lambda _crew: send(number))
    assert (code, crew.done) == (0, ["start", "begin_stop", "stop"])
    assert "root[" in (tmp_path / "log").read_text()
    assert "INFO: Shutting down after signal." in (tmp_path / "log").read_text()


def test_the_first_line_of_the_log_names_the_versions(path: Path, tmp_path: Path) -> None:
    """Row K5."""
    run(path, lambda _crew: send(signal.SIGTERM))
    first = (tmp_path / "log").read_text().splitlines()[0]
    assert f" {__version__} started, libcloud 3." in first


def test_a_second_signal_of_the_kind_ends_the_wait(path: Path, tmp_path: Path) -> None:
    def started(crew: PlayedCrew) -> None:
        crew.on_begin_stop = lambda: send(signal.SIGINT, signal.SIGTERM)  # another kind does not count
        send(signal.SIGTERM)

    code, crew = run(path, started)
    assert (code, crew.done) == (0, ["start", "begin_stop", "stop"])
    assert "Stopping all actors after a second signal" in (tmp_path / "log").read_text()


def test_the_third_exits_at_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Exited(BaseException):
        """Stands for the end of the process."""

    def leave(code: int) -> None:
        raise Exited(code)

    monkeypatch.setattr(launcher, "Signals", lambda: Signals(leave))
    with pytest.raises(Exited) as ended:
        run(path, lambda _crew: send(signal.SIGTERM, signal.SIGTERM, signal.SIGTERM))
    assert ended.value.args == (128 + signal.SIGTERM,)


def test_operations_get_stop_timeout_and_no_more(path: Path, tmp_path: Path) -> None:
    path.write_text(path.read_text().replace("stop_timeout = 30", "stop_timeout = 0.2"))

    def started(crew: PlayedCrew) -> None:
        crew.on_begin_stop = lambda: None
        send(signal.SIGTERM)

    code, crew = run(path, started)
    assert (code, crew.done[-1]) == (0, "stop")
    assert "Operations were still under way after stop_timeout" in (tmp_path / "log").read_text()


def test_a_reload_puts_the_new_file_into_force(path: Path, tmp_path: Path) -> None:
    def started(_crew: PlayedCrew) -> None:
        path.write_text(path.read_text().replace("[Daemon]", "[Daemon]\nmax_nodes = 9"))
        send(signal.SIGHUP, signal.SIGTERM)

    _, crew = run(path, started)
    assert crew.done == ["start", "reload 9", "begin_stop", "stop"]


def test_a_reload_of_a_bad_file_changes_nothing(path: Path, tmp_path: Path) -> None:
    def started(_crew: PlayedCrew) -> None:
        path.write_text(path.read_text().replace("[Daemon]", "[Daemon]\nmax_nodes = many"))
        send(signal.SIGHUP, signal.SIGTERM)

    _, crew = run(path, started)
    assert crew.done == ["start", "begin_stop", "stop"]
    log = (tmp_path / "log").read_text()
    assert "[Daemon] max_nodes" in log
    assert "The configuration in force is unchanged" in log
    assert crew.vitals.refused_reload.problems == (
        f"{path}: [Daemon] max_nodes: 'many' is not a whole number; allowed: a whole number, at least 0",
    )


def test_a_reload_that_goes_well_ends_that_one_was_refused(path: Path) -> None:
    def started(crew: PlayedCrew) -> None:
        crew.vitals.refused_reload = RefusedReload(1.0, ("a mistake",))
        send(signal.SIGHUP, signal.SIGTERM)

    _, crew = run(path, started)
    assert crew.done[1] == "reload 1"
    assert crew.vitals.refused_reload is None


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("max_total_prize = 20", "[Daemon] max_total_prize: unknown option; the nearest known one is max_total_price"),
        ("max_node = 3", "[Daemon] max_node: unknown option; the nearest known one is max_nodes"),
        ("max_nodes = 3\n[Deamon]\nmin_nodes = 1", "[Deamon]: unknown section; the nearest known one is [Daemon]"),
    ],
)
def test_a_reload_with_a_name_that_is_not_known_changes_nothing(
    path: Path, tmp_path: Path, line: str, complaint: str
) -> None:
    """A slip must not take a cap away, nor put half of a file into force."""

    def started(_crew: PlayedCrew) -> None:
        path.write_text(path.read_text().replace("[Daemon]", f"[Daemon]\n{line}"))
        send(signal.SIGHUP, signal.SIGTERM)

    _, crew = run(path, started)
    assert crew.done == ["start", "begin_stop", "stop"]
    log = (tmp_path / "log").read_text()
    assert [each for each in log.splitlines() if complaint in each and "ERROR" in each]
    assert [complaint in each for each in crew.vitals.refused_reload.problems] == [True]
    assert "The configuration in force is unchanged" in log


def test_last_words_on_demand(path: Path, tmp_path: Path) -> None:
    run(path, lambda _crew: send(signal.SIGUSR1, signal.SIGTERM))
    assert "thread MainThread" in (tmp_path / "log").read_text()


def test_ready_is_said_after_the_first_round_of_polls_well_or_badly(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(10.0)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))

        def started(crew: PlayedCrew) -> None:
            for poll in Poll:
                crew.vitals.polls.began(poll, 0.0, 300.0)
                crew.vitals.polls.failed(poll, 1.0, "away")
            crew.good_round()
            send(signal.SIGTERM)

        run(path, started)
        heard = [manager.recv(1000).decode().partition("=")[0] for _ in range(3)]
    assert heard == ["WATCHDOG", "READY", "STOPPING"]


def test_half_way_tells_every_stack(path: Path, tmp_path: Path) -> None:
    def started(crew: PlayedCrew) -> None:
        crew.half_way("Actor X has not answered")
        end = time.monotonic() + 10.0
        while "thread MainThread" not in (tmp_path / "log").read_text():
            assert time.monotonic() < end
            time.sleep(0.002)
        send(signal.SIGTERM)

    run(path, started)
    assert "WARNING: Actor X has not answered" in (tmp_path / "log").read_text()


def test_a_start_that_fails_is_logged_and_exits_1(path: Path, tmp_path: Path) -> None:
    """Rows J7, N11: the classic exited 0."""

    def started(_crew: PlayedCrew) -> None:
        raise ZeroDivisionError

    code, _ = run(path, started)
    assert code == 1
    assert "Uncaught exception during setup" in (tmp_path / "log").read_text()


def test_a_state_directory_is_made_or_complained_about(path: Path, tmp_path: Path) -> None:
    good = path.read_text()
    for name, made in (("state", True), ("log/state", False)):
        path.write_text(good.replace("[Daemon]", f"[Daemon]\nstate_dir = {tmp_path / name}"))
        run(path, lambda _crew: send(signal.SIGTERM))
        assert (tmp_path / name).is_dir() is made
    assert f"[Daemon] state_dir: cannot use {tmp_path}/log/state: Not a directory" in (tmp_path / "log").read_text()


def test_mistakes_in_the_file_are_lines_and_exit_2(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path.write_text(path.read_text().replace("cores = 2", "cores = two").replace("sandbox", "nosuch"))
    assert launcher.main(str(path), foreground=True) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) >= 2
    assert all(line.startswith(f"{path}: [") for line in lines)
    assert PLAYED == []


def test_a_log_file_that_cannot_be_written_is_a_line_and_exit_2(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path.write_text(path.read_text().replace(str(tmp_path / "log"), str(tmp_path)))
    assert launcher.main(str(path), foreground=True) == 2
    assert capsys.readouterr().err == f"{path}: [Logging] file: cannot write {tmp_path}: Is a directory\n"


def test_a_port_in_use_is_a_line_and_exit_1(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Row N11."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        path.write_text(path.read_text() + f"[Manage]\nport = {port}\n")
        assert launcher.main(str(path), foreground=True) == 1
    assert capsys.readouterr().err == (
        f"{path}: [Manage] port: cannot listen on 127.0.0.1:{port}: Address already in use; "
        "`ss -ltnp` shows by whom; write another port\n"
    )


def test_without_a_port_a_warning_says_that_nobody_can_look(path: Path, tmp_path: Path) -> None:
    run(path, lambda _crew: send(signal.SIGTERM))
    log = (tmp_path / "log").read_text()
    assert "status.Handler[" in log
    assert "Management server disabled. Use [Manage] config section to enable." in log


def test_a_relative_path_is_still_found_from_the_background(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)

    def started(crew: PlayedCrew) -> None:
        assert crew.settings.path == str(path)
        assert load(crew.settings.path).path == str(path)
        send(signal.SIGTERM)

    run(Path("site.cfg"), started)


def test_a_dry_run_shares_nothing_with_the_daemon_that_it_runs_beside(path: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    path.write_text(path.read_text().replace("[Daemon]", f"[Daemon]\nstate_dir = {state}"))
    beside = OneWriter(cluster_of(load(str(path))), state)
    try:
        assert launcher.main(str(path), foreground=True) == launcher.ALREADY_RUNNING
        ON_START.append(lambda _crew: send(signal.SIGTERM))
        assert launcher.main(str(path), foreground=True, dry_run=True) == 0
    finally:
        beside.release()
    assert PLAYED[0].dry_run
    assert [each.name for each in state.iterdir()] == ["dry-run"]
    assert "Dry run: what would be done is logged, and nothing is changed" in (tmp_path / "log").read_text()


def test_leading_a_group_already_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise PermissionError

    monkeypatch.setattr(os, "setsid", refuse)
    launcher._lead_own_group()


def test_a_service_manager_that_is_less_patient_is_a_warning(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for given, warned in (("60000000", True), ("700000000", False)):
        monkeypatch.setenv("WATCHDOG_USEC", given)
        run(path, lambda _crew: send(signal.SIGTERM))
        text = (tmp_path / "log").read_text()
        assert ("WatchdogSec should be above 688 s" in text) is warned
        (tmp_path / "log").unlink()


def test_a_fatal_error_in_the_main_thread_kills(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        """Stands for the end of the process."""

    def kill() -> None:
        raise Killed

    def started(crew: PlayedCrew) -> None:
        monkeypatch.setattr(crew.ending, "_kill", kill)
        raise MemoryError

    with pytest.raises(Killed):
        run(path, started)
    assert "CRITICAL: Unhandled exception is a fatal error, killing Node Manager" in (tmp_path / "log").read_text()


def test_whatever_goes_wrong_in_a_reload_the_daemon_goes_on(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def started(crew: PlayedCrew) -> None:
        monkeypatch.setattr(crew, "reload", lambda _settings: 1 / 0)
        send(signal.SIGHUP, signal.SIGTERM)

    code, crew = run(path, started)
    assert (code, crew.done) == (0, ["start", "begin_stop", "stop"])
    assert "while reading the configuration again; the one in force is unchanged" in (tmp_path / "log").read_text()
    assert crew.vitals.refused_reload.problems == (
        "ZeroDivisionError: an error of the program, with a traceback in its log",
    )


def test_a_second_daemon_of_the_cluster_is_a_line_and_exit_3(
    path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    codes: list[int] = []
    made: list[Signals] = []

    def make() -> Signals:
        made.append(Signals())
        return made[-1]

    monkeypatch.setattr(launcher, "Signals", make)

    def started(_crew: PlayedCrew) -> None:
        codes.append(launcher.main(str(path), foreground=True))
        made[0].install()  # both are in one process here, and the second has taken the signals over
        send(signal.SIGTERM)

    assert run(path, started)[0] == 0
    assert codes == [3]
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{path}: another daemon of the cluster ")
    assert f"runs on this host: process {os.getpid()} of " in line
    assert line.endswith("; stop it first (systemctl stop arvados-node-manager), or look on with --dry-run")


def test_the_c_timer_is_armed_through_the_run_and_put_away(path: Path) -> None:
    def started(crew: PlayedCrew) -> None:
        crew.good_round()
        send(signal.SIGTERM)

    run(path, started)
    assert ARMED[-1] == 0.0
    assert len(ARMED) >= 4  # at the start, after a good round, for the stop, closed


def test_an_end_is_told_to_the_next_run(path: Path, tmp_path: Path) -> None:
    path.write_text(path.read_text().replace("[Daemon]", f"[Daemon]\nstate_dir = {tmp_path / 'state'}"))

    def fail(_crew: PlayedCrew) -> None:
        raise ZeroDivisionError

    assert run(path, fail)[0] == 1
    run(path, lambda _crew: send(signal.SIGINT))
    run(path, lambda _crew: send(signal.SIGTERM))
    text = (tmp_path / "log").read_text()
    assert "The last run ended by an error of its main thread: ZeroDivisionError: , at " in text
    assert "The last run ended in order: SIGINT, at " in text
    assert "Ends of runs so far: 1 clean, 1 failed" in text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT, signal.SIGTERM])
@pytest.mark.parametrize(
    "at", ["load", "check_driver", "check_keeper", "open_state_dir", "OneWriter", "open_listeners"]
)
def test_a_stop_at_any_step_of_a_start_exits_0_and_starts_nothing(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str, number: signal.Signals
) -> None:
    path.write_text(path.read_text().replace("[Daemon]", f"[Daemon]\nstate_dir = {tmp_path / 'state'}"))
    real = getattr(launcher, at)

    def stopped(*args: Any, **kwargs: Any) -> Any:
        send(number)
        return real(*args, **kwargs)

    monkeypatch.setattr(launcher, at, stopped)
    assert launcher.main(str(path), foreground=True) == 0
    assert PLAYED == []
    assert not (tmp_path / "state" / "restarts.json").exists()
    monkeypatch.setattr(launcher, at, real)
    assert run(path, lambda _crew: send(signal.SIGTERM))[0] == 0, "nothing is held any more"


def test_a_stop_that_was_swallowed_in_a_start_is_no_mistake_in_the_file(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A library that catches everything may take it for an error of its own."""

    def swallow(_settings: Settings) -> None:
        try:
            send(signal.SIGTERM)
        except BaseException:  # noqa: BLE001
            raise ConfigError(("the driver cannot be made",)) from None

    monkeypatch.setattr(launcher, "check_driver", swallow)
    assert launcher.main(str(path), foreground=True) == 0
    assert capsys.readouterr().err == ""
