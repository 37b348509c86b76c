"""In front of the nova of a whole control plane: it passes requests on, and has the knobs that tests and demo turn.

`POST /lab/NAME` with a JSON body turns one: the methods `turn_NAME`, which are those of openstack_nova.py. All else
goes to nova as it comes, and its answers come back as they are.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from arvnodeman.sandbox.openstack_plane_conf import CELL_USER, PlaneConf
from arvnodeman.sandbox.openstack_plane_services import PlaneServices

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

COMPUTE = "nova-compute"
NO_ROOM = 0.0001  # of a host's thousand CPUs
_OF_ONE_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}
_PATIENCE = 120.0  # seconds that nova may take for an answer


class _Quiet(WSGIRequestHandler):
    """Logs nothing."""

    protocol_version = "HTTP/1.1"

    def log(self, *_args: object, **_named: object) -> None:
        """Nothing."""


class NovaFront:
    """It, on a free port of loopback, in threads of its own. admin: asks nova as an administrator."""

    def __init__(self, conf: PlaneConf, services: PlaneServices, release: str) -> None:
        self._conf, self._services, self._release = conf, services, release
        self._spoilt: deque[tuple[str, float]] = deque()  # how the answers to the next creates are spoilt
        self.admin: Callable[[str, str, object], Any] | None = None
        self._server = make_server("127.0.0.1", 0, self, threaded=True, request_handler=_Quiet)
        self._thread = threading.Thread(target=self._server.serve_forever, name="nova's front", daemon=True)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def start(self) -> None:
        """Serve."""
        self._thread.start()

    def stop(self) -> None:
        """Serve no more."""
        self._server.shutdown()
        self._server.server_close()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        request = Request(environ)
        if request.path.startswith("/lab/"):
            given = json.loads(request.get_data() or b"{}")
            turned = getattr(self, f"turn_{request.path.removeprefix('/lab/')}")(**given)
            return Response(json.dumps(turned), content_type="application/json")(environ, start_response)
        creates = request.method == "POST" and request.path.rstrip("/").endswith("/servers")
        answer = self._spoil(request, *self._spoilt.popleft()) if creates and self._spoilt else self._passed_on(request)
        return answer(environ, start_response)

    def _spoil(self, request: Request, how: str, seconds: float) -> Response:
        """Too many requests, or an answer that does not come through."""
        if how == "throttled":
            error = {"overLimit": {"code": 429, "message": "This request was rate-limited."}}
            return Response(json.dumps(error), 429, {"Retry-After": f"{seconds:g}"}, content_type="application/json")
        self._passed_on(request)
        time.sleep(seconds)
        lost = {"error": {"message": "the answer was lost"}}
        return Response(json.dumps(lost), 504, content_type="application/json")

    def _passed_on(self, request: Request) -> Response:
        connection = http.client.HTTPConnection("127.0.0.1", self._conf.ports.nova, timeout=_PATIENCE)
        try:
            headers = {name: value for name, value in request.headers if name.lower() not in _OF_ONE_HOP}
            connection.request(request.method, request.full_path.rstrip("?"), request.get_data() or None, headers)
            answer = connection.getresponse()
            kept = [(name, value) for name, value in answer.getheaders() if name.lower() not in _OF_ONE_HOP]
            return Response(answer.read(), f"{answer.status} {answer.reason}", kept)
        except (OSError, http.client.HTTPException) as error:
            return Response(f"nova does not answer: {error}", 502, content_type="text/plain")
        finally:
            connection.close()

    # ---- the knobs ---------------------------------------------------------------------------------------------------

    def turn_release(self) -> str:
        """The version of nova's package."""
        return self._release

    def turn_spoil(self, how: str, seconds: float) -> None:
        """The next create is answered with 429 (throttled), or done and not answered (lost)."""
        self._spoilt.append((how, seconds))

    def turn_quota(self, **quotas: int) -> None:
        """So much of each for a project that has no other; -1: no limit."""
        assert self.admin is not None
        self.admin("PUT", "/v2.1/os-quota-class-sets/default", {"quota_class_set": quotas})

    def turn_builds(self, go_on: bool) -> None:
        """Builds go on, or wait where they are."""
        self._services.halt(COMPUTE, go_on=go_on)

    def turn_cells(self, away: bool) -> None:
        """The database of the cell is away, or is back."""
        if away:
            self._conf.cell_socket.unlink()
            self._services.sql(f"kill user {CELL_USER}@localhost")
        else:
            self._conf.cell_socket.symlink_to(self._conf.socket)

    def turn_restart(self) -> None:
        """Nova's compute service ends, and starts again on the same host."""
        self._services.end(COMPUTE)
        self._services.start_daemon(COMPUTE, self._conf.folder / "nova/nova.conf")

    def turn_host(self, host: str) -> None:
        """Another host with a compute service. It has next to no CPU for servers."""
        config = self._conf.write_nova(f"nova/{host}.conf", host, NO_ROOM)
        self._services.start_daemon(COMPUTE, config, f"{COMPUTE}-{host}")
        while host not in self._hosts():
            time.sleep(0.5)
            self._services.discover_hosts()

    def _hosts(self) -> set[str]:
        assert self.admin is not None
        found = self.admin("GET", "/v2.1/os-hypervisors", None)["hypervisors"]
        return {each["hypervisor_hostname"] for each in found}
