"""The client: one for each thread, the document fetched once, every error in our own words, fatal ones let through."""

from __future__ import annotations

import dataclasses
import email.utils
import errno
import http.client
import json
import logging
import threading
import time
from http.client import IncompleteRead
from pathlib import Path
from typing import Any

import httplib2
import pytest
from arvados_site import Site, raw_server, serving, settings_for
from werkzeug.wrappers import Response

from arvnodeman.arvados import transport
from arvnodeman.arvados.client import client
from arvnodeman.arvados.transport import ArvadosHttp, trimmed_document
from arvnodeman.config import Settings
from arvnodeman.fence import fence as fences
from arvnodeman.fence.fence import GENERATION_HEADER, Fence
from arvnodeman.fleet.values.model import BootIntent, ErrorKind, RemoteError, RemoteFailure, Secret
from arvnodeman.records.keeper import make_keeper
from arvnodeman.sandbox.arvados_discovery import discovery_document

INTENT = BootIntent(size="small", price=0.25, token="boot-1", at=1_700_000_000.5)
DISCOVERY = "/discovery/v1/apis/arvados/v1/rest"


def list_error(settings: Settings) -> RemoteError:
    with pytest.raises(RemoteFailure) as caught:
        make_keeper(settings).list_records()
    error = caught.value.error
    assert "\n" not in error.text
    assert "thesecretpart" not in error.text
    assert caught.value.__cause__ is None
    return error


def test_each_thread_has_one_client_and_the_document_is_fetched_once(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row A21."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    seen: list[Any] = []

    def ask_twice() -> None:
        make_keeper(site.settings).list_records()
        session = client(site.settings)
        make_keeper(site.settings).list_records()
        seen.append(session if client(site.settings) is session else None)
        session.close()

    threads = [threading.Thread(target=ask_twice) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert None not in seen
    assert len(set(seen)) == 4
    assert [path for _, path in site.requests].count(DISCOVERY) == 1
    assert len(site.requests) == 9
    assert not (tmp_path / "cache").exists()


def test_a_reload_with_a_new_token_makes_a_new_client(site: Site) -> None:
    before = client(site.settings)
    assert client(dataclasses.replace(site.settings)) is before
    site.store.add_token("newtoken")
    arvados = dataclasses.replace(site.settings.arvados, token=Secret("newtoken"))
    settings = dataclasses.replace(site.settings, arvados=arvados)
    assert client(settings) is not before
    make_keeper(settings).list_records()


def test_the_connection_is_kept_but_not_for_a_write_after_a_rest(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    connections = []

    class Counted(transport._PlainConnection):
        def connect(self) -> None:
            connections.append(self)
            super().connect()

    monkeypatch.setattr(transport, "_PlainConnection", Counted)
    keeper = make_keeper(site.settings)
    for _ in range(3):
        keeper.list_records()
    keeper.prepare(INTENT, None)
    assert len(connections) == 1
    monkeypatch.setattr(transport, "IDLE_BEFORE_WRITE", 0.0)
    keeper.prepare(INTENT, None)
    assert len(connections) == 2


@pytest.mark.parametrize(
    ("status", "kind", "hint"),
    [
        (401, ErrorKind.REFUSED, "[Arvados] token"),
        (403, ErrorKind.REFUSED, "[Arvados] token"),
        (404, ErrorKind.REFUSED, "[Arvados] host"),
        (301, ErrorKind.REFUSED, "[Arvados] host"),
        (400, ErrorKind.REFUSED, ""),
        (422, ErrorKind.REFUSED, ""),
        (408, ErrorKind.TRANSIENT, ""),
        (409, ErrorKind.TRANSIENT, ""),
        (423, ErrorKind.TRANSIENT, ""),
        (429, ErrorKind.THROTTLED, ""),
        (500, ErrorKind.TRANSIENT, ""),
        (502, ErrorKind.TRANSIENT, ""),
        (503, ErrorKind.TRANSIENT, ""),
        (504, ErrorKind.TRANSIENT, ""),
    ],
)
def test_every_status_is_put_into_one_kind_after_one_request(
    site: Site, status: int, kind: ErrorKind, hint: str
) -> None:
    """The SDK's own retries are off."""
    client(site.settings)
    site.requests.clear()
    site.answer_with(Response('{"errors": ["it is so"]}', status, mimetype="application/json"))
    error = list_error(site.settings)
    assert (error.kind, error.hint) == (kind, hint)
    assert error.text == f"Arvados: nodes.list: HTTP {status} it is so"
    assert len(site.requests) == 1


@pytest.mark.parametrize(
    ("header", "expected"), [("7", 7.0), ("0", None), ("", None), ("soon", None), ("-3", None), ("1.5", None)]
)
def test_the_wait_that_the_server_asks_for_is_told(
    site: Site, caplog: pytest.LogCaptureFixture, header: str, expected: float | None
) -> None:
    """Rows A11 and A12: no wait at all leaves our own alone, and what cannot be read is a warning that shows it."""
    site.answer_with(Response("", 429, headers={"Retry-After": header}))
    assert list_error(site.settings).retry_after == expected
    warnings = [entry.getMessage() for entry in caplog.records if entry.levelno >= logging.WARNING]
    assert [header in warning for warning in warnings] == ([True] if header in ("soon", "-3", "1.5") else [])


def test_a_wait_given_as_a_date_is_understood(site: Site) -> None:
    """Row A13."""
    site.answer_with(Response("", 503, headers={"Retry-After": email.utils.formatdate(time.time() + 90, usegmt=True)}))
    assert list_error(site.settings).retry_after == pytest.approx(90, abs=15)


def test_a_wrong_token_is_one_line_that_names_the_option(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    site.store.revoke_token(site.settings.arvados.token.reveal())
    error = list_error(site.settings)
    assert (error.kind, error.hint) == (ErrorKind.REFUSED, "[Arvados] token")
    assert error.text.startswith("Arvados: nodes.list: HTTP 401 Not logged in (req-")
    assert not [entry for entry in caplog.records if entry.levelno >= logging.WARNING]


def test_a_403_is_not_logged_by_the_sdks_library(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    site.answer_with(Response('{"errors": ["no"]}', 403))
    list_error(site.settings)
    assert not [entry for entry in caplog.records if entry.levelno >= logging.WARNING]


@pytest.mark.parametrize("token", ["", "two\nlines", "tök"])
def test_a_token_that_cannot_be_sent_is_refused_unseen(tmp_path: Path, token: str) -> None:
    with pytest.raises(RemoteFailure) as caught:
        client(settings_for(tmp_path, "http://127.0.0.1:9", token=token))
    assert caught.value.error.hint == "[Arvados] token"
    assert not token or token not in caught.value.error.text


def test_a_server_without_nodes_is_refused_in_one_line(tmp_path: Path) -> None:
    with serving(tmp_path, nodes_api=False) as site:
        error = list_error(site.settings)
        assert error.kind is ErrorKind.REFUSED
        assert error.text == (
            "Arvados: this server has no nodes API: it left Arvados with 3.0, and Slurm can keep the node records only "
            "with [Daemon] dispatcher = slurm"
        )
        site.api.nodes_api = True  # another server answers there now: no restart is needed
        assert make_keeper(site.settings).list_records() == ()


def test_a_server_that_loses_its_nodes_is_asked_for_its_document_again(site: Site) -> None:
    make_keeper(site.settings).list_records()
    site.api.nodes_api = False
    assert list_error(site.settings).hint == "[Arvados] host"
    assert "no nodes API" in list_error(site.settings).text


def test_a_server_whose_methods_lack_a_parameter_is_refused(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("arvnodeman.sandbox.arvados_discovery.SLOT_PARAMETER", {})
    with pytest.raises(RemoteFailure, match="assign_slot") as caught:
        make_keeper(site.settings).prepare(INTENT, None)
    assert caught.value.error.kind is ErrorKind.REFUSED


@pytest.mark.parametrize(
    "body",
    [b"", b"<html><body>Welcome to nginx!</body></html>", b"[]", b"null", b'"text"', b"\xff\xfe", b'{"items": null}'],
)
@pytest.mark.parametrize("path", [DISCOVERY, "/arvados/"])
def test_an_answer_that_is_none_is_a_passing_fault(
    site: Site, caplog: pytest.LogCaptureFixture, path: str, body: bytes
) -> None:
    """A proxy's own page, an empty body: one line without the page, and the next request asks again."""
    site.answer_with(Response(body, mimetype="text/html"), path=path)
    error = list_error(site.settings)
    assert error.kind is ErrorKind.TRANSIENT
    assert "nginx" not in error.text + caplog.text
    site.fault = None
    assert make_keeper(site.settings).list_records() == ()


@pytest.mark.parametrize("body", [b"<html><h1>502 Bad Gateway</h1></html>", b"", b'{"errors": null}', b"[1]", b"\xff"])
def test_an_error_page_of_a_proxy_is_told_without_its_html(site: Site, body: bytes) -> None:
    site.answer_with(Response(body, 502, mimetype="text/html"))
    error = list_error(site.settings)
    assert (error.kind, error.text.lower()) == (ErrorKind.TRANSIENT, "arvados: nodes.list: http 502 bad gateway")


def test_a_long_error_is_cut_to_a_line(site: Site) -> None:
    token = site.settings.arvados.token.reveal()
    site.answer_with(Response(f'{{"errors": ["{token}\\n{"long " * 500}"]}}', 500))
    assert len(list_error(site.settings).text) < 400


def test_a_body_that_cannot_be_unpacked_is_a_passing_fault(site: Site) -> None:
    site.answer_with(Response(b"no gzip", headers={"Content-Encoding": "gzip"}))
    assert list_error(site.settings).kind is ErrorKind.TRANSIENT


@pytest.mark.parametrize(
    "document",
    [b'{"resources": [], "schemas": {}}', b'{"resources": {"nodes": {}}}', b'{"resources": null, "schemas": null}'],
)
def test_json_that_is_no_discovery_document_is_none(document: bytes) -> None:
    with pytest.raises(ValueError, match="no Arvados discovery document"):
        trimmed_document(document, "http://127.0.0.1/")


def test_a_discovery_document_of_nonsense_is_asked_for_again(site: Site) -> None:
    nonsense = b'{"resources": {"nodes": {"methods": {"list": {}}}}, "schemas": {}, "parameters": 7}'
    site.answer_with(Response(nonsense), path=DISCOVERY)
    list_error(site.settings)
    site.fault = None
    assert make_keeper(site.settings).list_records() == ()


def test_nobody_listening_is_a_passing_fault(tmp_path: Path) -> None:
    with raw_server(b"") as (url, _):
        pass
    assert list_error(settings_for(tmp_path, url)).kind is ErrorKind.TRANSIENT


@pytest.mark.parametrize("host", ["http://no-such-host.invalid", "http://" + "a" * 70 + ".example.com", "http://a b"])
def test_a_host_that_is_none_is_one_line(tmp_path: Path, host: str) -> None:
    assert list_error(settings_for(tmp_path, host)).kind in (ErrorKind.TRANSIENT, ErrorKind.REFUSED)


def test_plain_http_where_https_was_meant_is_one_line(site: Site, tmp_path: Path) -> None:
    host = site.settings.arvados.host.removeprefix("http://")
    assert list_error(settings_for(tmp_path, host, timeout=0.2)).kind is ErrorKind.TRANSIENT


def test_a_server_that_hangs_is_left_after_the_timeout(tmp_path: Path) -> None:
    with raw_server(None) as (url, requests):
        error = list_error(settings_for(tmp_path, url, timeout=0.2))
        assert (error.kind, "no answer in time" in error.text) == (ErrorKind.TRANSIENT, True)
        assert len(requests) == 1


def test_an_answer_that_drips_in_comes_to_an_end(tmp_path: Path) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
    with raw_server(head, drip=0.05) as (url, _):
        error = list_error(settings_for(tmp_path, url, timeout=0.1))
        assert (error.kind, "no answer in time" in error.text) == (ErrorKind.TRANSIENT, True)


@pytest.mark.parametrize("drip", [0.0, 0.05])
def test_a_connection_on_which_something_went_wrong_is_not_used_again(tmp_path: Path, drip: float) -> None:
    """What is left of its answer would be taken for the next one's."""
    with raw_server(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", drip=drip) as (url, _):
        http = ArvadosHttp(url, timeout=0.1, insecure=False, certs_file=None)
        with pytest.raises(TimeoutError if drip else IncompleteRead):
            http.request(f"{url}/arvados/v1/nodes", headers={})
        assert not http.connections


def test_an_answer_that_breaks_off_is_a_passing_fault(tmp_path: Path) -> None:
    with raw_server(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{") as (url, _):
        assert list_error(settings_for(tmp_path, url)).kind is ErrorKind.TRANSIENT


def test_what_writes_is_never_sent_twice(site: Site, tmp_path: Path) -> None:
    """httplib2 repeats a request whose connection ends without an answer: that would be a second record and slot."""
    with raw_server(b"") as (url, requests):
        http = ArvadosHttp(url, timeout=5, insecure=False, certs_file=None)
        for method, times in (("POST", 1), ("PUT", 1), ("GET", 2)):
            requests.clear()
            with pytest.raises(ConnectionResetError):
                http.request(f"{url}/arvados/v1/nodes", method, body="{}", headers={})
            assert len(requests) == times


def test_the_token_goes_to_the_configured_host_only(site: Site, tmp_path: Path) -> None:
    """Neither a redirect nor the document's own idea of its address leads elsewhere."""
    with raw_server(b"") as (url, requests):
        site.answer_with(Response("", 302, headers={"Location": url}))
        assert list_error(site.settings).hint == "[Arvados] host"
        document = discovery_document(f"{url}/") | {"servicePath": f"{url}/arvados/v1/"}
        site.answer_with(Response(json.dumps(document)), path=DISCOVERY)
        assert make_keeper(site.settings).list_records() == ()
        assert not requests


@pytest.mark.parametrize(
    "fatal",
    [MemoryError(), OSError(errno.ENOMEM, "Cannot allocate memory"), RuntimeError("can't start new thread")],
    ids=["memory", "enomem", "thread"],
)
def test_fatal_errors_pass_through_unchanged(site: Site, monkeypatch: pytest.MonkeyPatch, fatal: Exception) -> None:
    """Row L1: what the daemon must die of is told apart before any catch-all."""
    make_keeper(site.settings).list_records()

    def fail(*_: object, **__: object) -> None:
        raise fatal

    monkeypatch.setattr("arvnodeman.arvados.transport._PlainConnection.request", fail)
    with pytest.raises(type(fatal)) as caught:
        make_keeper(site.settings).list_records()
    assert not isinstance(caught.value, RemoteFailure)
    assert getattr(caught.value, "errno", None) == getattr(fatal, "errno", None)


def test_an_error_that_nobody_foresaw_passes_through(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    make_keeper(site.settings).list_records()

    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("arvnodeman.arvados.transport._PlainConnection.request", fail)
    with pytest.raises(ZeroDivisionError):
        make_keeper(site.settings).list_records()


@pytest.fixture
def fence(monkeypatch: pytest.MonkeyPatch) -> Fence:
    """That of the process, generation 7."""
    made = Fence(60.0, 6.0)
    made.hold(7, made.clock())
    monkeypatch.setattr(fences, "_of_process", made)
    return made


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str | None]]:
    """What goes out, by method, and the generation that it tells."""
    found: list[tuple[str, str | None]] = []
    send = http.client.HTTPConnection.request

    def noted(
        self: http.client.HTTPConnection, method: str, url: str, body: Any = None, headers: Any = None, **more: Any
    ) -> None:
        found.append((method, headers.get(GENERATION_HEADER)))
        send(self, method, url, body, headers, **more)

    monkeypatch.setattr(http.client.HTTPConnection, "request", noted)
    return found


def test_what_changes_something_tells_under_which_lead_it_was_sent(
    site: Site, fence: Fence, sent: list[tuple[str, str | None]]
) -> None:
    keeper = make_keeper(site.settings)
    keeper.list_records()
    keeper.prepare(INTENT, None)
    assert {told for method, told in sent if method == "GET"} == {None}
    assert {told for method, told in sent if method != "GET"} == {"7"}
    fence.lose("another one leads")
    with pytest.raises(RemoteFailure, match="not the leader"):
        keeper.prepare(INTENT, None)


def test_a_lead_that_ends_while_a_connection_is_made_lets_nothing_through(
    site: Site, fence: Fence, sent: list[tuple[str, str | None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = make_keeper(site.settings)
    keeper.list_records()
    client(site.settings)._http.close()
    connect = httplib2.HTTPConnectionWithTimeout.connect

    def late(self: httplib2.HTTPConnectionWithTimeout) -> None:
        connect(self)
        fence.lose("another one leads")

    monkeypatch.setattr(httplib2.HTTPConnectionWithTimeout, "connect", late)
    with pytest.raises(RemoteFailure, match="not the leader: another one leads") as caught:
        keeper.prepare(INTENT, None)
    assert caught.value.error.kind is ErrorKind.NOT_LEADER
    assert {method for method, _ in sent} == {"GET"}
