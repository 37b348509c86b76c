"""The unix socket: for the daemon's own account and root, a stale file replaced, another daemon's left alone."""

from __future__ import annotations

import http.client
import json
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from werkzeug.wrappers import Request, Response

from arvnodeman.commands.client import Way
from arvnodeman.config import ManageSettings
from arvnodeman.fleet.values.model import Secret
from arvnodeman.manage import server
from arvnodeman.manage.access import LOCAL
from arvnodeman.manage.app import Application, Route, json_response
from arvnodeman.manage.listeners import open_listeners
from arvnodeman.manage.places import SOCKET_NAME
from arvnodeman.manage.server import AnotherDaemon, CannotListen, ManagementServer, bind_unix


def who(request: Request) -> Response:
    return json_response({"local": request.environ.get(LOCAL) is True, "from": request.remote_addr})


APPLICATION = Application([Route("/who", who)])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / SOCKET_NAME


@pytest.fixture
def served(path: Path) -> Iterator[Path]:
    management = ManagementServer(APPLICATION, bind_unix(path))
    management.start()
    yield path
    management.stop()


def ask(path: Path) -> dict[str, object]:
    connection = Way(path=str(path)).open(10)
    try:
        connection.request("GET", "/who")
        shown: dict[str, object] = json.loads(connection.getresponse().read())
    finally:
        connection.close()
    return shown


def test_requests_through_it_are_local(served: Path) -> None:
    assert ask(served) == {"local": True, "from": "localhost"}


def test_requests_over_tcp_are_not() -> None:
    management = ManagementServer(APPLICATION, server.bind("127.0.0.1", 0))
    management.start()
    connection = http.client.HTTPConnection("127.0.0.1", management.port, timeout=10)
    connection.request("GET", "/who", headers={"X-Forwarded-For": "localhost"})
    assert json.loads(connection.getresponse().read()) == {"local": False, "from": "127.0.0.1"}
    connection.close()
    management.stop()


def test_only_its_own_account_can_open_the_file(served: Path) -> None:
    mode = served.stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600


def test_another_account_is_hung_up_on_whatever_the_mode(served: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "peer", lambda _connection: os.geteuid() + 4242)
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        ask(served)
    monkeypatch.setattr(server, "peer", lambda _connection: 0)
    assert ask(served)["local"] is True


def test_the_kernel_tells_who_is_at_the_other_end() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        assert server.peer(ours) == os.geteuid()


def test_a_stale_file_is_replaced(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    assert path.exists(), "as a kill leaves it"
    bind_unix(path).close()


def test_a_live_one_is_left_alone(served: Path) -> None:
    with pytest.raises(AnotherDaemon, match=rf"^cannot listen on {served}: another daemon does$"):
        bind_unix(served)
    assert ask(served)["local"] is True


def test_a_live_one_that_hangs_is_left_alone(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as hanging:
        hanging.bind(str(path))
        hanging.listen(0)
        waiting = [socket.socket(socket.AF_UNIX) for _ in range(8)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(str(path))
        with pytest.raises(AnotherDaemon):
            bind_unix(path)
        for each in waiting:
            each.close()


def test_a_file_that_is_no_socket_is_left_alone(path: Path) -> None:
    path.write_text("precious")
    with pytest.raises(CannotListen, match="Address already in use"):
        bind_unix(path)
    assert path.read_text() == "precious"


def test_a_path_that_is_too_long_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(CannotListen, match=r"at most 107 bytes$"):
        bind_unix(tmp_path / ("x" * 120))


def test_after_a_stop_the_file_is_gone(path: Path) -> None:
    management = ManagementServer(APPLICATION, bind_unix(path))
    management.start()
    management.stop()
    assert not path.exists()


# ---- listeners -------------------------------------------------------------------------------------------------------


def manage(port: int = -1) -> ManageSettings:
    return ManageSettings(address="127.0.0.1", port=port, management_token=Secret(""))


def test_both_doors(tmp_path: Path) -> None:
    listeners = open_listeners(manage(port=0), tmp_path)
    assert [each.family for each in listeners.sockets] == [socket.AF_INET, socket.AF_UNIX]
    listeners.serve(APPLICATION)
    assert ask(tmp_path / SOCKET_NAME)["local"] is True
    listeners.close(5)
    assert not (tmp_path / SOCKET_NAME).exists()


def test_without_a_port_only_the_socket_and_a_line_that_says_so(tmp_path: Path) -> None:
    """Row K3."""
    listeners = open_listeners(manage(), tmp_path)
    assert [each.family for each in listeners.sockets] == [socket.AF_UNIX]
    assert listeners.complaints == ["Management server disabled. Use [Manage] config section to enable."]
    listeners.close(0)


def test_without_a_port_and_a_state_directory_a_line_says_that_nobody_can_ask() -> None:
    """Row K3."""
    listeners = open_listeners(manage(), None)
    assert listeners.sockets == []
    told = "cannot reach this daemon: there is neither a [Manage] port nor a state directory"
    assert told in listeners.complaints[-1]


def test_a_port_in_use_ends_the_start_but_not_that_of_a_dry_run(tmp_path: Path) -> None:
    """Row N11."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            CannotListen, match=rf"^\[Manage\] port: cannot listen on 127.0.0.1:{port}: Address already"
        ):
            open_listeners(manage(port), tmp_path)
        listeners = open_listeners(manage(port), tmp_path, dry_run=True)
        assert "the dry run continues without it" in listeners.complaints[0]
        listeners.close(0)


def test_a_directory_that_cannot_be_written_costs_the_socket_alone(tmp_path: Path) -> None:
    listeners = open_listeners(manage(), tmp_path / "away")
    assert listeners.sockets == []
    assert "No such file or directory" in listeners.complaints[1]


def test_another_daemon_at_the_socket_ends_the_start(served: Path) -> None:
    with pytest.raises(CannotListen, match=r"^\[Daemon\] state_dir: cannot listen on .*: another daemon does$"):
        open_listeners(manage(), served.parent)
