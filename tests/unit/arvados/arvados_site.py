"""API servers over real HTTP for these tests: the sandbox's, and one that answers with whatever bytes a test likes."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from waitress import create_server, wasyncore  # type: ignore[import-untyped]  # waitress has no types
from werkzeug.wrappers import Response

from arvnodeman.arvados import client as client_module
from arvnodeman.config import Settings, load
from arvnodeman.fleet.values.model import Secret
from arvnodeman.sandbox.arvados_api import ArvadosApi
from arvnodeman.sandbox.arvados_store import ArvadosStore

TOKEN = "v2/zzzzz-gj3su-000000000000000/thesecretpartofthetoken"
MINIMAL = """
[Daemon]
max_nodes = 8
[Arvados]
host = zzzzz.example.com
token = {token}
[Cloud]
provider = dummy
shutdown_windows = 54, 5, 1
[Cloud Create]
ping_host = zzzzz.example.com
[Cloud Credentials]
creds = dummycreds
[Size small]
cores = 1
price = 0.1
"""


@dataclass
class Site:
    """A running API server, and the configuration that leads to it."""

    store: ArvadosStore
    api: ArvadosApi
    settings: Settings
    requests: list[tuple[str, str]] = field(default_factory=list)
    fault: Callable[[str, str], Response | None] | None = None

    def before_request(self, method: str, path: str) -> Response | None:
        self.requests.append((method, path))
        return self.fault(method, path) if self.fault else None

    def answer_with(self, response: Response, *, path: str = "/arvados/") -> None:
        """From now on this is the answer to requests below `path`."""
        self.fault = lambda _method, asked: response if asked.startswith(path) else None


def settings_for(folder: Path, host: str, *, timeout: float = 5.0, token: str = TOKEN) -> Settings:
    path = folder / "nodemanager.cfg"
    path.write_text(MINIMAL.format(token=TOKEN))
    settings = load(str(path))
    return replace(settings, arvados=replace(settings.arvados, host=host, timeout=timeout, token=Secret(token)))


@contextlib.contextmanager
def serving(folder: Path, store: ArvadosStore | None = None, *, nodes_api: bool = True) -> Iterator[Site]:
    """The sandbox's API server on a free port; forgotten by this thread's client at the end."""
    logging.getLogger("waitress").setLevel(logging.ERROR)  # that it is slow on a busy machine is not news here
    store = store or ArvadosStore(time.time)
    store.add_token(TOKEN)
    api = ArvadosApi(store, time.time, nodes_api=nodes_api)
    sockets: dict[int, object] = {}
    server = create_server(api, map=sockets, host="127.0.0.1", port=0, threads=4)
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            wasyncore.loop(timeout=10, map=sockets, count=1)

    thread = threading.Thread(target=serve)
    thread.start()
    site = Site(store, api, settings_for(folder, f"http://127.0.0.1:{server.effective_port}"))
    api.before_request = site.before_request
    try:
        yield site
    finally:
        forget_client()
        stop.set()
        server.pull_trigger()
        thread.join(20)
        server.task_dispatcher.shutdown()
        wasyncore.close_all(sockets)


def forget_client() -> None:
    """Ports are used again: what this thread and process know of a server must not outlive it."""
    from arvnodeman.arvados import transport

    transport._documents.clear()
    session = getattr(client_module._own, "session", None)
    if session is not None:
        session.close()
        client_module._own.session = None


@contextlib.contextmanager
def raw_server(answer: bytes | None, *, drip: float = 0.0) -> Iterator[tuple[str, list[bytes]]]:
    """A server that answers every connection's first request with these bytes and closes; None: never answers.

    `drip`: then goes on sending one byte each so many seconds. Gives its URL and the requests that came.
    """
    requests: list[bytes] = []
    stop = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.02)

    def serve() -> None:
        while not stop.is_set():
            with contextlib.suppress(OSError):
                connection, _ = listener.accept()
                with connection:
                    connection.settimeout(5)
                    requests.append(connection.recv(65536))
                    if answer is None:
                        stop.wait(10)
                    else:
                        connection.sendall(answer)
                    while drip and not stop.wait(drip):
                        connection.sendall(b" ")

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", requests
    finally:
        forget_client()
        stop.set()
        thread.join(10)
        listener.close()
