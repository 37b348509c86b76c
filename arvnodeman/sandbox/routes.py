"""The site's HTTP: /cloud and /slurm for the daemon, /site for whoever runs the site; the rest is Arvados.

POST /slurm runs one Slurm command. With a JSON body `{"argv": ["squeue", ...]}` the answer is `{"stdout", "stderr",
"returncode"}`. The command scripts speak a form that a shell can do without help: content type `application/x-argv`,
arguments each ended by a NUL byte; the answer's body is stdout, and headers carry the rest: `X-Returncode`, and one
`X-Stderr` for each line.
"""

from __future__ import annotations

import hmac
import json
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import BadRequest, HTTPException, MethodNotAllowed, NotFound
from werkzeug.http import http_date
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from arvnodeman.sandbox.cloud import CloudError, node_request
from arvnodeman.sandbox.control import Control
from arvnodeman.sandbox.slurm_commands import CommandOutput, run_command
from arvnodeman.sandbox.wiring import Site

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

ARGV_TYPE = "application/x-argv"
_LARGEST_BODY = 16 * 2**20

_URLS = Map(
    [
        Rule("/cloud/sizes", methods=["GET"], endpoint="cloud_sizes"),
        Rule("/cloud/nodes", methods=["GET"], endpoint="cloud_list"),
        Rule("/cloud/nodes", methods=["POST"], endpoint="cloud_create"),
        Rule("/cloud/nodes/<node_id>", methods=["DELETE"], endpoint="cloud_destroy"),
        Rule("/cloud/nodes/<node_id>/tags", methods=["PUT"], endpoint="cloud_tags"),
        Rule("/slurm", methods=["POST"], endpoint="slurm"),
        Rule("/site/<what>", methods=["GET", "POST"], endpoint="site_"),
        Rule("/site/<what>/<name>", methods=["GET", "POST"], endpoint="site_"),
    ]
)


class SiteApplication:
    """The WSGI application of a whole site; many threads may call it."""

    def __init__(self, site: Site, stop: Callable[[], None]) -> None:
        self._site = site
        self._control = Control(site, stop)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request, in the caller's thread."""
        path = environ.get("PATH_INFO", "")
        if not path.startswith(("/cloud", "/slurm", "/site")):
            return self._site.arvados(environ, start_response)
        request = Request(environ)
        request.max_content_length = _LARGEST_BODY
        response = self._answer(request)
        if path.startswith("/cloud"):
            response.headers["Date"] = http_date(self._site.site_faults.clocks["cloud"].wall())
        return response(environ, start_response)

    def _answer(self, request: Request) -> Response:
        try:
            endpoint, arguments = _URLS.bind_to_environ(request.environ).match()
            answer: Response = getattr(self, f"_{endpoint}")(request, **arguments)
        except CloudError as error:
            return _refusal(error)
        except (NotFound, MethodNotAllowed):
            return _refusal(CloudError("NotFound", f"there is no {request.method} {request.path}"))
        except HTTPException as error:
            return _refusal(CloudError("InvalidParameter", error.description or error.name))
        return answer

    # ---- /cloud ----------------------------------------------------------------------------------------------------

    def _cloud_sizes(self, request: Request) -> Response:
        self._authorize(request)
        with self._site.clock.lock:
            return _json(self._site.cloud.list_sizes())

    def _cloud_list(self, request: Request) -> Response:
        self._authorize(request)
        page = request.args.get("page", "0")
        if not page.isdigit():
            raise CloudError("InvalidParameter", "page must be a whole number")
        with self._site.clock.lock:
            return _json(self._site.cloud.list_page(int(page)))

    def _cloud_create(self, request: Request) -> Response:
        self._authorize(request)
        wanted = node_request(_body(request))
        with self._site.clock.lock:
            return _json(self._site.cloud.create(wanted).as_dict())

    def _cloud_destroy(self, request: Request, node_id: str) -> Response:
        self._authorize(request)
        self._site.slurm_side.refresh()  # has its work really ended? (a listing of a real Slurm takes a while)
        with self._site.clock.lock:
            self._site.cloud.destroy(node_id)
        return _json({})

    def _cloud_tags(self, request: Request, node_id: str) -> Response:
        self._authorize(request)
        body = _body(request)
        with self._site.clock.lock:
            return _json(self._site.cloud.set_tags(node_id, body).as_dict())

    def _authorize(self, request: Request) -> None:
        given = request.headers.get("Authorization", "").encode()
        if not hmac.compare_digest(given, f"Bearer {self._site.options.key}".encode()):
            raise CloudError("Unauthorized", "the key is not valid")

    # ---- /slurm ----------------------------------------------------------------------------------------------------

    def _slurm(self, request: Request) -> Response:
        if request.mimetype == ARGV_TYPE:
            argv = request.get_data().decode("utf-8", "replace").split("\0")[:-1]
            return _plain(self._run(argv))
        body = _body(request)
        words = body.get("argv") if isinstance(body, dict) else None
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise CloudError("InvalidParameter", "argv must be a list of texts")
        output = self._run(words)
        return _json({"stdout": output.stdout, "stderr": output.stderr, "returncode": output.returncode})

    def _run(self, argv: list[str]) -> CommandOutput:
        with self._site.clock.lock:
            try:
                slurm = self._site.slurm
            except ValueError as error:
                return CommandOutput("", f"{error}\n", 1)
            return run_command(slurm, argv)

    # ---- /site -----------------------------------------------------------------------------------------------------

    def _site_(self, request: Request, what: str, name: str = "") -> Response:
        try:
            if request.method == "POST":
                return _json(self._control.post(what, name, _body(request)))
            return _json(self._control.get(what, request.args))
        except KeyError as error:
            raise CloudError("NotFound", f"there is no {error.args[0]}") from None
        except ValueError as error:
            raise CloudError("InvalidParameter", str(error)) from None


def _body(request: Request) -> Any:
    try:
        return json.loads(request.get_data() or b"{}")
    except ValueError:
        raise BadRequest("the body is not JSON") from None


def _json(answer: Mapping[str, object], status: int = 200) -> Response:
    return Response(json.dumps(answer), status, content_type="application/json")


def _plain(output: CommandOutput) -> Response:
    response = Response(output.stdout, content_type="text/plain; charset=utf-8")
    response.headers["X-Returncode"] = str(output.returncode)
    for text in output.stderr.splitlines():
        response.headers.add("X-Stderr", text.encode("latin-1", "replace").decode("latin-1"))
    return response


def _refusal(error: CloudError) -> Response:
    if error.hang:
        time.sleep(error.hang)  # the lock is free again: only this request hangs
    response = _json({"error": {"code": error.code, "message": error.message}}, error.status)
    if error.retry_after is not None:
        response.headers["Retry-After"] = f"{error.retry_after:g}"
    return response
