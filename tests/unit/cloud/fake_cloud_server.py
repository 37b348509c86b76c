"""A small cloud on loopback with the sandbox's HTTP API, for tests of its driver. Its knobs make it fail in any way."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from arvnodeman.config import Settings, load

KEY = "sesame-open-sesame"
CLUSTER = "zzzzz"


class FakeCloud:
    """The cloud's state, and what it is to do wrong. `answer` replaces the answer to requests that it does not pass."""

    page = 100

    def __init__(self) -> None:
        self.nodes: dict[str, dict[str, Any]] = {}
        self.sizes: list[Any] = [
            {"id": "s1", "name": "Small", "ram": 2048, "disk": 10, "price": 0.1, "cores": 2, "bandwidth": 0},
            {"id": "s2", "name": "Big", "ram": 8192, "disk": 0, "price": 0, "cores": 8, "bandwidth": None},
        ]
        self.by_token: dict[str, str] = {}
        self.requests: list[tuple[str, str, Any]] = []
        self.answer: Callable[[Request], Response | None] = lambda _request: None
        self.work_then: Callable[[], Response | None] = lambda: None
        """After a request that changes something has worked: what to answer instead."""
        self.released = threading.Event()
        self.lock = threading.Lock()

    def add(self, name: str, **fields: Any) -> dict[str, Any]:
        """Put a node there."""
        node = {
            "id": f"n-{len(self.nodes) + 1}",
            "name": name,
            "state": "running",
            "size": "s1",
            "created": 1700000000.25,
            "tags": {"arvados_node_manager": CLUSTER, "arvados_node_size": "small"},
            "preemptible": False,
            "address": "10.0.0.1",
            "broken": False,
            **fields,
        }
        self.nodes[str(node["id"])] = node
        return node

    def hang(self, _request: Request | None = None) -> Response | None:
        """Do not answer until the test is over."""
        self.released.wait(60)
        return None

    def wsgi(self, environ: dict[str, Any], start_response: Any) -> Any:
        """The WSGI application."""
        request = Request(environ)
        body = request.get_json(silent=True)
        with self.lock:
            self.requests.append((request.method, request.full_path.rstrip("?"), body))
        response = self.answer(request)
        if response is None:
            if request.headers.get("Authorization") == f"Bearer {KEY}":
                response = self._route(request, body)
            else:
                response = error(401, "Unauthorized", "wrong key")
        if request.method != "GET" and response.status_code == 200:
            response = self.work_then() or response
        return response(environ, start_response)

    def _route(self, request: Request, body: Any) -> Response:
        parts = request.path.strip("/").split("/")
        match (request.method, parts[1:]):
            case ("GET", ["sizes"]):
                return reply({"sizes": self.sizes})
            case ("GET", ["nodes"]):
                page = int(request.args.get("page", "0"))
                shown = list(self.nodes.values())[page * self.page : (page + 1) * self.page]
                more = len(self.nodes) > (page + 1) * self.page
                return reply({"nodes": shown, "next": page + 1 if more else None})
            case ("POST", ["nodes"]):
                with self.lock:
                    known = self.by_token.get(body["token"])
                    node = self.nodes[known] if known else self.add(body["name"], size=body["size"], tags=body["tags"])
                    self.by_token[body["token"]] = node["id"]
                return reply({**node, "state": "pending", "address": None, "preemptible": body["preemptible"]})
            case ("DELETE", ["nodes", node_id]) if self.nodes.pop(node_id, None):
                return reply({})
            case ("PUT", ["nodes", node_id, "tags"]) if node_id in self.nodes:
                tags = {**self.nodes[node_id]["tags"], **body["tags"]}
                self.nodes[node_id]["tags"] = {key: value for key, value in tags.items() if value is not None}
                return reply(self.nodes[node_id])
        return error(404, "NoSuchNode" if parts[1:2] == ["nodes"] else "NotFound", "no such thing")


def reply(body: Any, status: int = 200, **headers: str) -> Response:
    """A JSON answer."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(json.dumps(body), status, named, content_type="application/json")


def error(status: int, code: str, message: str, **headers: str) -> Response:
    """An error as the API words it."""
    return reply({"error": {"code": code, "message": message}}, status, **headers)


class _Quiet(WSGIRequestHandler):
    def log(self, *_args: Any) -> None:
        """Nothing."""


@contextmanager
def serving(cloud: FakeCloud) -> Iterator[int]:
    """Serve the cloud on a free port of loopback; gives the port."""
    server = make_server("127.0.0.1", 0, cloud.wsgi, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        cloud.released.set()
        server.shutdown()
        server.server_close()
        thread.join(10)


class KeepsAlive(BaseHTTPRequestHandler):
    """A server that leaves connections open, and whose clock may be wrong. It lists no node."""

    protocol_version = "HTTP/1.1"
    connections: ClassVar[set[Any]] = set()
    offset: ClassVar[float] = 0.0

    def do_GET(self) -> None:
        """Answer."""
        self.connections.add(self.client_address)
        body = b'{"nodes": [], "next": null}'
        self.send_response_only(200)
        self.send_header("Date", formatdate(time.time() + self.offset, usegmt=True))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: Any) -> None:
        """Nothing."""


@contextmanager
def keeping_alive(offset: float = 0.0) -> Iterator[tuple[int, set[Any]]]:
    """Serve KeepsAlive; gives the port and the set of connections that were made. offset: of its clock, in seconds."""

    class Handler(KeepsAlive):
        connections: ClassVar[set[Any]] = set()

    Handler.offset = offset
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield server.server_port, Handler.connections
        server.shutdown()
        thread.join(10)


def settings_in(directory: Path, text: str = "", **options: str) -> Settings:
    """Settings as config.load() makes them, for the cloud in `options` (provider, url, key, timeout ...)."""
    cloud = {"provider": "sandbox"}
    cloud |= {name: value for name, value in options.items() if name in ("provider", "driver_class", "burst")}
    credentials = {name: value for name, value in options.items() if name not in cloud}
    sections: dict[str, dict[str, str]] = {
        "Arvados": {"host": "zzzzz.example.com", "token": "api-token-api-token"},
        "Cloud": {**cloud, "shutdown_windows": "1, 1"},
        "Cloud Credentials": credentials,
    }
    lines = [f"[{section}]\n" + "".join(f"{k} = {v}\n" for k, v in body.items()) for section, body in sections.items()]
    if "[Cloud List]" not in text:
        lines.append(f"[Cloud List]\ntag_arvados_node_manager = {CLUSTER}\n")
    if "[Cloud Create]" not in text:
        lines.append("[Cloud Create]\nping_host = ping.example.com\n")
    if "[Daemon]" not in text:
        lines.append("[Daemon]\nmax_cloud_ops_per_second = 0\n")
    path = directory / f"config-{time.monotonic_ns()}.ini"
    path.write_text("".join([*lines, text, "\n[Size small]\ncores = 2\ninstance_type = s1\n"]))
    return load(str(path))
