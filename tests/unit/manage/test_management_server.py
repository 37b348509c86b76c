"""The management server over real HTTP: pages, codes, and an address that is taken."""

from __future__ import annotations

import http.client
import json
import logging
import socket
from collections.abc import Callable, Iterator

import pytest
from werkzeug.wrappers import Request, Response

from arvnodeman.manage.app import Application, Route, json_response
from arvnodeman.manage.server import CannotListen, ManagementServer, bind

Ask = Callable[..., tuple[int, object]]


def hello(request: Request) -> Response:
    return json_response({"hello": request.args.get("who", "")})


def broken(request: Request) -> Response:
    raise KeyError("a fault of ours")


ROUTES = [Route("/hello", hello), Route("/broken", broken)]


@pytest.fixture
def port() -> Iterator[int]:
    server = ManagementServer(Application(ROUTES), bind("127.0.0.1", 0))
    server.start()
    yield server.port
    server.stop()


@pytest.fixture
def ask(port: int) -> Ask:
    def ask(path: str, method: str = "GET") -> tuple[int, object]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request(method, path)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer.status, json.loads(body) if body else None

    return ask


def test_a_page(ask: Ask) -> None:
    assert ask("/hello?who=me") == (200, {"hello": "me"})


def test_head_is_answered_without_a_body(ask: Ask) -> None:
    assert ask("/hello", "HEAD") == (200, None)


@pytest.mark.parametrize("path", ["/", "/other", "/hello/", "/../hello", "/hello%00"])
def test_an_unknown_path_is_404(ask: Ask, path: str) -> None:
    assert ask(path)[0] == 404


def test_a_page_cannot_be_posted_to(ask: Ask) -> None:
    assert ask("/hello", "POST")[0] == 405


def test_a_page_that_fails_is_500_and_logged_and_others_go_on(ask: Ask, caplog: pytest.LogCaptureFixture) -> None:
    """Row K7."""
    status, body = ask("/broken")
    assert status == 500
    assert "fault" not in str(body)
    assert ask("/hello")[0] == 200
    assert "while answering /broken" in caplog.text


def test_each_request_is_a_line_under_the_name_that_dashboards_know(ask: Ask, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="status.Handler"):
        ask("/hello?who=secret")
    (line,) = [record.getMessage() for record in caplog.records if record.name == "status.Handler"]
    assert line == '127.0.0.1 - "GET /hello" 200'


def test_no_path_puts_a_line_into_the_log(ask: Ask, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="status.Handler"):
        ask("/no%0Aroot[1]%20CRITICAL:%20made%20up%1B")
    (line,) = [record.getMessage() for record in caplog.records if record.name == "status.Handler"]
    assert line == '127.0.0.1 - "GET /no%0Aroot%5B1%5D%20CRITICAL:%20made%20up%1B" 404'


def test_garbage_is_answered_and_the_server_goes_on(port: int, ask: Ask) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(b"\x00\xff garbage\r\n\r\n")
        assert b" 400 " in connection.recv(1000)
    assert ask("/hello")[0] == 200


def test_a_silent_client_holds_up_nobody(port: int, ask: Ask) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(b"GET /hello HTTP/1.1\r\n")
        assert ask("/hello")[0] == 200


def test_a_port_in_use_is_one_line(port: int) -> None:
    with pytest.raises(CannotListen, match=f"^cannot listen on 127.0.0.1:{port}: Address already in use; "):
        bind("127.0.0.1", port)


@pytest.mark.parametrize(("address", "port"), [("127.0.0.1", 65536), ("no.such.host.invalid", 0), ("192.0.2.1", 0)])
def test_an_address_that_cannot_be_had_is_one_line(address: str, port: int) -> None:
    with pytest.raises(CannotListen, match=f"^cannot listen on {address}:{port}: [^\n]+$"):
        bind(address, port)


def test_after_a_stop_the_port_is_free() -> None:
    server = ManagementServer(Application([]), bind("127.0.0.1", 0))
    server.start()
    server.stop()
    bind("127.0.0.1", server.port).close()
