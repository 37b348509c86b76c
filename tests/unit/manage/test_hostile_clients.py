"""Slow or hostile clients take no more than their share."""

from __future__ import annotations

import contextlib
import http.client
import socket
import time
from collections.abc import Iterator

import pytest
from werkzeug.wrappers import Request, Response

from arvnodeman.manage import server
from arvnodeman.manage.app import Application, Route
from arvnodeman.manage.server import ManagementServer, bind

BOUND = 30.0
LARGE = b"x" * 3_000_000


def large(request: Request) -> Response:
    return Response(LARGE)


def small(request: Request) -> Response:
    return Response("well")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Patience is short, so that tests need none."""
    monkeypatch.setattr(server, "PATIENCE", 0.3)


@pytest.fixture
def port() -> Iterator[int]:
    management = ManagementServer(Application([Route("/large", large), Route("/small", small)]), bind("127.0.0.1", 0))
    management.start()
    yield management.port
    management.stop()


def ask(port: int, path: str = "/large", body: bytes | None = None, **headers: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=BOUND)
    try:
        connection.request("GET" if body is None else "POST", path, body, headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def is_hung_up(connection: socket.socket) -> bool:
    """Wait until the other side ends the connection."""
    connection.settimeout(BOUND)
    with contextlib.suppress(ConnectionError):
        while connection.recv(1 << 20):
            pass
    return True


IDLE_CLIENTS = 1000  # more than three times what is kept


def test_idle_connections_without_end_make_room_for_the_newest(port: int) -> None:
    idle = [socket.create_connection(("127.0.0.1", port), timeout=BOUND) for _ in range(IDLE_CLIENTS)]
    try:
        assert ask(port) == 200
        assert is_hung_up(idle[0]), "the oldest makes room"
    finally:
        for each in idle:
            each.close()


def test_half_a_request_is_given_up(impatient: None, port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=BOUND) as connection:
        connection.sendall(b"GET /large HTTP/1.1\r\nX-Slow: ")
        assert is_hung_up(connection)


def test_a_request_that_drips_is_given_up(impatient: None, port: int) -> None:
    """It never falls silent, and never comes to an end."""
    with socket.create_connection(("127.0.0.1", port), timeout=BOUND) as connection:
        end = time.monotonic() + BOUND
        with contextlib.suppress(ConnectionError):
            connection.sendall(b"GET /large HTTP/1.1\r\nX-Slow: ")
            while time.monotonic() < end:
                connection.sendall(b"x")
                connection.settimeout(0.02)
                with contextlib.suppress(TimeoutError):
                    assert connection.recv(1000) == b""
                    break
        assert time.monotonic() < end


def test_answers_that_nobody_reads_hold_up_no_thread(impatient: None, port: int) -> None:
    silent = [socket.create_connection(("127.0.0.1", port), timeout=BOUND) for _ in range(12)]
    try:
        for each in silent:
            each.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n" * 8)
        assert ask(port, "/small") == 200, "one that need not be read in a hurry"
        assert all(is_hung_up(each) for each in silent)
    finally:
        for each in silent:
            each.close()


def test_a_body_of_10_mb_is_refused_unread(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=BOUND) as connection:
        connection.sendall(b"POST /large HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\n" + b"x" * 1000)
        assert b" 413 " in connection.recv(1000)
    assert ask(port) == 200


def test_a_body_in_chunks_has_the_same_limit(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=BOUND) as connection:
        connection.sendall(b"POST /large HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        answer = b""
        with contextlib.suppress(ConnectionError):
            for _ in range(100):
                connection.sendall(b"1000\r\n" + b"x" * 0x1000 + b"\r\n")
            connection.sendall(b"0\r\n\r\n")
            answer = connection.recv(1000)
        assert answer == b"" or b" 413 " in answer


def test_headers_have_a_limit(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=BOUND) as connection:
        answer = b""
        with contextlib.suppress(ConnectionError):
            connection.sendall(b"GET /large HTTP/1.1\r\nX-Long: " + b"x" * 1_000_000)
            answer = connection.recv(1000)
        assert answer == b"" or b" 431 " in answer
    assert ask(port) == 200


def test_a_server_that_fails_ends_alone(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Row K7: the daemon continues without it."""

    def fail(**_options: object) -> None:
        raise ValueError("a fault of ours")

    monkeypatch.setattr("arvnodeman.manage.server.wasyncore.loop", fail)
    management = ManagementServer(Application([]), bind("127.0.0.1", 0))
    management.start()
    management.stop(BOUND)
    assert "The management server ends; the daemon continues without it" in caplog.text
