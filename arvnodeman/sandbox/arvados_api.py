"""The sandbox's API server: a WSGI application over an `ArvadosStore`, to be mounted at /discovery and /arvados/v1.

It answers as a real server up to 2.7.4 does (with `nodes_api=False`, as one from 3.0 on: neither nodes nor jobs):

    GET  /discovery/v1/apis/arvados/v1/rest            the discovery document, no token needed
    GET POST /arvados/v1/nodes                         list, create (assign_slot)
    GET PUT PATCH DELETE /arvados/v1/nodes/UUID        get, update (assign_slot), delete
    POST /arvados/v1/nodes/UUID/ping                   no token: the ping secret is the right to it
    GET  /arvados/v1/jobs/queue, POST /arvados/v1/jobs/UUID/cancel
    GET POST /arvados/v1/logs
    GET  /arvados/v1/containers, GET PUT PATCH /arvados/v1/containers/UUID
    GET  /arvados/v1/users, /arvados/v1/users/current, /arvados/v1/api_client_authorizations/current

Errors are `{"errors": ["text (req-...)"], "error_token": "..."}`. Bodies may be wrapped (`{"node": {...}}`) or bare.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from werkzeug.http import http_date
from werkzeug.wrappers import Request, Response

from arvnodeman.sandbox import arvados_store as rules
from arvnodeman.sandbox.arvados_discovery import discovery_document
from arvnodeman.sandbox.arvados_query import ApiFailure, ListQuery, Row, select_of
from arvnodeman.sandbox.arvados_store import ArvadosStore, Caller

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

DISCOVERY_PATH = "/discovery/v1/apis/arvados/v1/rest"
API_PREFIX = "/arvados/v1/"
_NODE_ANSWER = rules.NODE_COLUMNS | {"status", "crunch_worker_state", "nameservers", "etag", "kind", "href"}
_ADMIN_ONLY = ("info", "first_ping_at", "nameservers")
_PARAMETERS = {"filters", "order", "select", "limit", "offset", "count", "assign_slot"}
_PARAMETERS |= {"ping_secret", "local_ipv4", "instance_id", "total_cpu_cores", "total_ram_mb", "total_scratch_mb"}
_BUSY = ("alloc", "comp", "mix", "drng")
_TRUE = ("true", "1", "yes", "t", "on")

BeforeRequest = Callable[[str, str], Response | None]


class ArvadosApi:
    """The application. Threads may call it side by side.

    `clock` (seconds since the epoch) makes the Date header. `before_request(method, path)` is asked first, in the
    request's thread and without any lock: an answer of its own is sent in place of the real one (an injected fault).
    """

    def __init__(
        self,
        store: ArvadosStore,
        clock: Callable[[], float],
        *,
        before_request: BeforeRequest | None = None,
        nodes_api: bool = True,
    ) -> None:
        self.store = store
        self.clock = clock
        self.before_request = before_request
        self.nodes_api = nodes_api
        # Two faults, asked without any lock: which rows a list shows, and is the change of this node forgotten?
        self.listed_nodes: Callable[[], Mapping[str, Row]] = lambda: store.nodes
        self.forgets: Callable[[str], bool] = lambda _uuid: False

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """WSGI's own entry."""
        return self.respond(Request(environ))(environ, start_response)

    def respond(self, request: Request) -> Response:
        """The answer to one request. Its path is the whole one, wherever this application is mounted."""
        method, path = _method_of(request), request.root_path + request.path
        request_id = request.headers.get("X-Request-Id", "")
        if not 0 < len(request_id) <= 1024:
            request_id = f"req-{secrets.token_hex(10)}"
        response = self.before_request(method, path) if self.before_request else None
        if response is None:
            try:
                response = _json(self._answer(method, path, request))
            except ApiFailure as failure:
                response = self._error(failure, request_id)
            except (TypeError, ValueError, KeyError, AttributeError) as error:  # any exception is a 422 at the real one
                response = self._error(ApiFailure(422, f"#<{type(error).__name__}: {error}>"), request_id)
        response.headers.setdefault("X-Request-Id", request_id)
        response.headers.setdefault("Date", http_date(self.clock()))
        return response

    def _error(self, failure: ApiFailure, request_id: str) -> Response:
        token = f"{int(self.clock())}+{secrets.token_hex(4)}"
        return _json({"errors": [f"{failure.text} ({request_id})"], "error_token": token}, failure.status)

    def _answer(self, method: str, path: str, request: Request) -> Row:
        if path == DISCOVERY_PATH:
            return discovery_document(request.host_url, nodes_api=self.nodes_api)
        if not path.startswith(API_PREFIX):
            raise ApiFailure(404, "Path not found")
        resource, *rest = path.removeprefix(API_PREFIX).strip("/").split("/")
        if resource in ("nodes", "jobs") and not self.nodes_api:
            raise ApiFailure(404, "Path not found")
        call = _Call(self, method, resource, rest, request)
        answer = getattr(call, f"answer_{resource}", None)
        if answer is None:
            raise ApiFailure(404, "Path not found")
        result: Row = answer()
        return result


class _Call:
    """One request to one resource."""

    def __init__(self, api: ArvadosApi, method: str, resource: str, rest: list[str], request: Request) -> None:
        self.api = api
        self.resource = resource
        self.store = api.store
        self.method = method
        self.rest = rest
        self.request = request
        self.body = _body(request)
        self.parameters = dict(request.args.items())
        for name in _PARAMETERS & self.body.keys():  # a body may carry them as well, in JSON as what they are
            value = self.body[name]
            self.parameters[name] = value if isinstance(value, str) else json.dumps(value)

    def answer_nodes(self) -> Row:
        """nodes: list, create, get, update, delete, ping."""
        match self.method, self.rest:
            case "POST", [uuid, "ping"]:
                return self._ping(uuid)
            case "GET", []:
                caller, query = self._caller(), self._query(_NODE_ANSWER)
                visible = None if caller.admin else self.store.recently_pinged
                rows, matching = self.store.list_rows(self.api.listed_nodes() if caller.active else {}, query, visible)
                items = [_node_view(self.store, row, query.select, admin=caller.admin) for row in rows]
                return _envelope("node", items, query, matching)
            case "POST", []:
                caller = self._administrator()
                select = select_of(self.parameters, _NODE_ANSWER)
                attributes = self._attributes("node", rules.NODE_CLIENT_COLUMNS, rules.NODE_COLUMNS)
                row = self.store.create_node(attributes, assign_slot=self._assign_slot(), by=caller.user_uuid)
                return _node_view(self.store, row, select, admin=True)
            case _, [uuid]:
                return self._one_node(uuid)
        raise ApiFailure(404, "Path not found")

    def _one_node(self, uuid: str) -> Row:
        caller = self._caller()
        row = self.store.nodes.get(uuid)
        if row is None or not (caller.admin or (caller.active and self.store.recently_pinged(row))):
            raise ApiFailure(404, "Path not found")
        if self.method == "GET":
            return _node_view(self.store, row, None, admin=caller.admin)
        self._administrator()
        if self.method == "DELETE":
            return _node_view(self.store, self.store.delete_node(uuid), None, admin=True)
        if self.method not in ("PUT", "PATCH"):
            raise ApiFailure(404, "Path not found")
        select = select_of(self.parameters, _NODE_ANSWER)
        attributes = self._attributes("node", rules.NODE_CLIENT_COLUMNS, rules.NODE_COLUMNS)
        row = self.store.update_node(
            uuid,
            attributes,
            assign_slot=self._assign_slot(),
            by=caller.user_uuid,
            forgotten=self.api.forgets(uuid),
        )
        return _node_view(self.store, row, select, admin=True)

    def _ping(self, uuid: str) -> Row:
        fields = self.parameters
        row = self.store.ping(
            uuid,
            fields.get("ping_secret", ""),
            ip=fields.get("local_ipv4") or self.request.remote_addr,
            instance_id=fields.get("instance_id") or None,
            totals=fields,
        )
        return _node_view(self.store, row, None, admin=True)

    def answer_jobs(self) -> Row:
        """jobs: queue and cancel."""
        match self.method, self.rest:
            case "GET", ["queue"]:
                self._caller()
                query = self._query(frozenset((*rules.COMMON, "state", "priority", "runtime_constraints", "kind")))
                jobs = self.store.queued_jobs()
                items = [_view("job", row, query.select) for row in jobs[query.offset : query.offset + query.limit]]
                return _envelope("job", items, query, len(jobs))
            case "POST", [uuid, "cancel"]:
                self._caller()
                return _view("job", self.store.cancel_job(uuid), None)
        raise ApiFailure(404, "Path not found")

    def answer_logs(self) -> Row:
        """logs: list and create."""
        caller = self._caller()
        match self.method, self.rest:
            case "GET", []:
                query = self._query(rules.LOG_COLUMNS | {"kind"})
                rows, matching = self.store.list_rows(self.store.logs, query)
                return _envelope("log", [_view("log", row, query.select) for row in rows], query, matching)
            case "POST", []:
                if not caller.active:
                    raise _forbidden()
                attributes = self._attributes("log", rules.LOG_CLIENT_COLUMNS, rules.LOG_COLUMNS)
                return _view("log", self.store.create_log(attributes, by=caller.user_uuid), None)
        raise ApiFailure(404, "Path not found")

    def answer_containers(self) -> Row:
        """containers: list, get, update."""
        caller = self._caller()
        match self.method, self.rest:
            case "GET", []:
                query = self._query(rules.CONTAINER_COLUMNS | {"kind"})
                rows, matching = self.store.list_rows(self.store.containers if caller.admin else {}, query)
                return _envelope("container", [_view("container", row, query.select) for row in rows], query, matching)
            case "GET", [uuid] if uuid in self.store.containers:
                return _view("container", self.store.containers[uuid], None)
            case (("PUT" | "PATCH"), [uuid]):
                if not caller.admin:
                    raise _forbidden()
                attributes = self._attributes("container", rules.CONTAINER_CLIENT_COLUMNS, rules.CONTAINER_COLUMNS)
                row = self.store.update_container(uuid, attributes, by=caller.user_uuid, token=caller.token_uuid)
                return _view("container", row, None)
        raise ApiFailure(404, "Path not found")

    def answer_users(self) -> Row:
        """users: current, list."""
        caller = self._caller()
        if self.method == "GET" and not self.rest:
            query = self._query(rules.USER_COLUMNS | {"kind"})
            rows, matching = self.store.list_rows(self.store.users if caller.admin else {}, query)
            return _envelope("user", [_view("user", row, query.select) for row in rows], query, matching)
        if self.rest != ["current"]:
            raise ApiFailure(404, "Path not found")
        name = "admin" if caller.admin else "user"
        row = {"uuid": caller.user_uuid, "username": name, "email": f"{name}@example.com"}
        return _view("user", row | {"is_admin": caller.admin, "is_active": caller.active}, None)

    def answer_api_client_authorizations(self) -> Row:
        """api_client_authorizations: current."""
        caller = self._caller()
        if self.rest != ["current"]:
            raise ApiFailure(404, "Path not found")
        return _view("apiClientAuthorization", {"uuid": caller.token_uuid, "scopes": ["all"], "expires_at": None}, None)

    def _caller(self) -> Caller:
        scheme, _, token = self.request.headers.get("Authorization", "").partition(" ")
        caller = self.store.caller(token.strip()) if scheme.lower() in ("bearer", "oauth2") else None
        if caller is None:
            raise ApiFailure(401, "Not logged in")
        if self.resource in caller.may_not:
            raise ApiFailure(403, "Forbidden")
        return caller

    def _administrator(self) -> Caller:
        caller = self._caller()
        if not caller.admin:
            raise _forbidden()
        return caller

    def _query(self, columns: frozenset[str]) -> ListQuery:
        return ListQuery.of(self.parameters, columns)

    def _assign_slot(self) -> bool:
        return self.parameters.get("assign_slot", "").lower() in _TRUE

    def _attributes(self, name: str, writable: frozenset[str], columns: frozenset[str]) -> Row:
        """The attributes in the body: of the wrapped form, else every top-level key that names a column."""
        given = self.body.get(name)
        if given is None:
            return {key: value for key, value in self.body.items() if key in writable}
        if isinstance(given, str):
            given = json.loads(given)
        if not isinstance(given, dict):
            raise ApiFailure(422, f"#<ArgumentError: No {name} hash provided with request>")
        unknown = [key for key in given if key not in columns and key not in ("kind", "etag", "href")]
        if unknown:
            text = f"unknown attribute '{unknown[0]}' for {name.capitalize()}."
            raise ApiFailure(422, f"#<ActiveModel::UnknownAttributeError: {text}>")
        return {key: value for key, value in given.items() if key in writable}


def _method_of(request: Request) -> str:
    """Clients send a list with very long filters as a POST that says it is a GET."""
    return request.headers.get("X-HTTP-Method-Override", request.method).upper()


def _body(request: Request) -> Row:
    if request.mimetype == "application/json":
        text = request.get_data()
        try:
            body = json.loads(text) if text.strip() else {}
        except ValueError:
            raise ApiFailure(400, "#<ActionDispatch::Http::Parameters::ParseError: not JSON>") from None
        return body if isinstance(body, dict) else {}
    return dict(request.form.items())


def _forbidden() -> ApiFailure:
    return ApiFailure(403, "#<ArvadosModel::PermissionDeniedError: ArvadosModel::PermissionDeniedError>")


def _json(value: Mapping[str, Any], status: int = 200) -> Response:
    return Response(json.dumps(value, separators=(",", ":")), status, content_type="application/json; charset=utf-8")


def _envelope(kind: str, items: list[Row], query: ListQuery, matching: int) -> Row:
    envelope = {"kind": f"arvados#{kind}List", "etag": "", "self_link": "", "offset": query.offset}
    envelope |= {"limit": query.limit, "items": items}
    return envelope | ({"items_available": matching} if query.count else {})


def _view(kind: str, row: Row, select: frozenset[str] | None) -> Row:
    whole = row | {
        "kind": f"arvados#{kind}",
        "etag": f"{hash(row.get('modified_at')):x}",
        "href": f"/{kind}s/{row['uuid']}",
    }
    return whole if select is None else {key: value for key, value in whole.items() if key in select}


def _node_view(store: ArvadosStore, row: Row, select: frozenset[str] | None, *, admin: bool) -> Row:
    computed = {
        "domain": row["domain"] or store.domain,
        "status": store.node_status(row),
        "crunch_worker_state": _worker_state(row),
        "nameservers": ["192.168.1.1"],
    }
    whole = _view("node", row | computed, select)
    return whole if admin else {key: value for key, value in whole.items() if key not in _ADMIN_ONLY}


def _worker_state(row: Row) -> str:
    state = row["info"].get("slurm_state")
    if row["slot_number"] is None or state not in (*_BUSY, "idle"):
        return "down"
    return "idle" if state == "idle" else "busy"
