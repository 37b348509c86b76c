"""The discovery document of the sandbox's API server: the methods that this project uses, in the server's own shape.

The SDK builds its client from this document, so a method, parameter or type that differs from the real one would hide a
fault; tests compare each with the documents of real servers where those are at hand.
"""

from __future__ import annotations

from typing import Any

Document = dict[str, Any]

SCOPE = "https://api.arvados.org/auth/arvados"
READ_ONLY = "https://api.arvados.org/auth/arvados.readonly"

LIST_PARAMETERS = {
    "filters": "array",
    "where": "object",
    "order": "array",
    "select": "array",
    "distinct": "boolean",
    "limit": "integer",
    "offset": "integer",
    "count": "string",
    "cluster_id": "string",
    "bypass_federation": "boolean",
}
LIST_DEFAULTS = {"distinct": "false", "limit": "100", "offset": "0", "count": "exact"}
CREATE_PARAMETERS = {"select": "array", "ensure_unique_name": "boolean", "cluster_id": "string"}
SLOT_PARAMETER = {"assign_slot": "boolean"}

COMMON_COLUMNS = {"uuid": "string", "etag": "string"}
OWNED = {
    "owner_uuid": "string",
    "created_at": "datetime",
    "modified_by_user_uuid": "string",
    "modified_at": "datetime",
}
SCHEMAS: dict[str, tuple[str, dict[str, str]]] = {
    "Node": (
        "7ekkf",
        OWNED
        | {
            "slot_number": "integer",
            "hostname": "string",
            "domain": "string",
            "ip_address": "string",
            "last_ping_at": "datetime",
            "properties": "Hash",
            "job_uuid": "string",
        },
    ),
    "Job": ("8i9sb", OWNED | {"runtime_constraints": "Hash", "priority": "integer", "state": "string"}),
    "Log": (
        "57u5n",
        OWNED
        | {
            "object_uuid": "string",
            "event_at": "datetime",
            "event_type": "string",
            "summary": "text",
            "properties": "Hash",
        },
    ),
    "Container": (
        "dz642",
        OWNED
        | {
            "state": "string",
            "priority": "integer",
            "locked_by_uuid": "string",
            "runtime_constraints": "Hash",
            "scheduling_parameters": "Hash",
            "runtime_status": "Hash",
            "progress": "float",
            "log": "string",
            "cost": "float",
            "runtime_user_uuid": "text",
        },
    ),
    "User": ("tpzed", OWNED | {"email": "string", "username": "string", "is_admin": "boolean", "is_active": "boolean"}),
    "ApiClientAuthorization": ("gj3su", {"scopes": "Array", "expires_at": "datetime"}),
}


def discovery_document(root_url: str, *, nodes_api: bool = True) -> Document:
    """The document of a server at `root_url` ("http://127.0.0.1:8000/").

    `nodes_api` False: as served by Arvados 3.0 and later, which has neither nodes nor jobs.
    """
    current_user = _method("users", "current", "GET", "users/current", "User", read=False)
    resources = {
        "logs": {"methods": {"create": _create("log", "Log"), "list": _list("logs", "Log")}},
        "containers": {
            "methods": {
                "get": _get("containers", "Container", select=not nodes_api),
                "list": _list("containers", "Container"),
                "update": _update("container", "Container"),
            }
        },
        "users": {"methods": {"current": current_user, "list": _list("users", "User")}},
        "api_client_authorizations": {
            "methods": {
                "current": _method(
                    "api_client_authorizations",
                    "current",
                    "GET",
                    "api_client_authorizations/current",
                    "ApiClientAuthorization",
                    read=False,
                )
            }
        },
    }
    if nodes_api:
        resources = {"nodes": {"methods": _node_methods()}, "jobs": {"methods": _job_methods()}} | resources
    return {
        "kind": "discovery#restDescription",
        "discoveryVersion": "v1",
        "id": "arvados:v1",
        "name": "arvados",
        "version": "v1",
        "revision": "20231117" if nodes_api else "20250402",
        "title": "Arvados API",
        "protocol": "rest",
        "rootUrl": root_url,
        "baseUrl": root_url + "arvados/v1/",
        "basePath": "/arvados/v1/",
        "servicePath": "arvados/v1/",
        "batchPath": "batch",
        "uuidPrefix": "zzzzz",
        "maxRequestSize": 134217728,
        "parameters": {
            name: {"type": "string", "description": name, "location": "query"}
            for name in ("alt", "fields", "key", "oauth_token")
        },
        "auth": {"oauth2": {"scopes": {SCOPE: {"description": "all"}, READ_ONLY: {"description": "read"}}}},
        "schemas": _schemas(
            {method["response"]["$ref"] for r in resources.values() for method in r["methods"].values()}
        ),
        "resources": resources,
    }


def _node_methods() -> Document:
    ping = {"ping_secret": {"required": True, "type": "string", "description": "", "location": "query"}}
    return {
        "get": _get("nodes", "Node", select=False),
        "list": _list("nodes", "Node"),
        "create": _create("node", "Node", SLOT_PARAMETER),
        "update": _update("node", "Node", SLOT_PARAMETER),
        "delete": _method("nodes", "delete", "DELETE", "nodes/{uuid}", "Node", _uuid_parameter(), read=False),
        "ping": _method("nodes", "ping", "POST", "nodes/{uuid}/ping", "Node", _uuid_parameter() | ping, read=False),
    }


def _job_methods() -> Document:
    queue = _query_parameters(LIST_PARAMETERS)
    return {
        # The real document says that the answer is a Job; it is a list of them.
        "queue": _method("jobs", "queue", "GET", "jobs/queue", "Job", queue, read=False),
        "cancel": _method("jobs", "cancel", "POST", "jobs/{uuid}/cancel", "Job", _uuid_parameter(), read=False),
    }


def _list(resource: str, schema: str) -> Document:
    return _method(resource, "list", "GET", resource, schema + "List", _query_parameters(LIST_PARAMETERS))


def _get(resource: str, schema: str, *, select: bool) -> Document:
    parameters = _uuid_parameter() | (_query_parameters({"select": "array"}) if select else {})
    return _method(resource, "get", "GET", resource + "/{uuid}", schema, parameters) | {"parameterOrder": ["uuid"]}


def _create(name: str, schema: str, more: dict[str, str] | None = None) -> Document:
    parameters = _query_parameters(CREATE_PARAMETERS | (more or {}))
    return _method(name + "s", "create", "POST", name + "s", schema, parameters, read=False) | _request(name, schema)


def _update(name: str, schema: str, more: dict[str, str] | None = None) -> Document:
    parameters = _uuid_parameter() | _query_parameters({"select": "array"} | (more or {}))
    path = name + "s/{uuid}"
    return _method(name + "s", "update", "PUT", path, schema, parameters, read=False) | _request(name, schema)


def _request(name: str, schema: str) -> Document:
    return {"request": {"required": True, "properties": {name: {"$ref": schema}}}}


def _uuid_parameter() -> Document:
    return {"uuid": {"type": "string", "description": "", "required": True, "location": "path"}}


def _query_parameters(types: dict[str, str]) -> Document:
    return {
        name: {"type": kind, "description": "", "required": False, "location": "query"}
        | ({"default": LIST_DEFAULTS[name]} if name in LIST_DEFAULTS else {})
        for name, kind in types.items()
    }


def _method(
    resource: str,
    name: str,
    http_method: str,
    path: str,
    response: str,
    parameters: Document | None = None,
    *,
    read: bool = True,
) -> Document:
    return {
        "id": f"arvados.{resource}.{name}",
        "path": path,
        "httpMethod": http_method,
        "description": f"{name} {resource}",
        "parameters": parameters or {},
        "response": {"$ref": response},
        "scopes": [SCOPE, READ_ONLY] if read else [SCOPE],
    }


def _schemas(names: set[str]) -> Document:
    schemas: Document = {}
    for name in sorted(names | {name.removesuffix("List") for name in names}):
        if name.endswith("List"):
            items = {"type": "array", "items": {"$ref": name.removesuffix("List")}}
            columns: Document = {"kind": {"type": "string"}, "etag": {"type": "string"}, "items": items}
        else:
            prefix, own = SCHEMAS[name]
            columns = {column: {"type": kind} for column, kind in (COMMON_COLUMNS | own).items()}
        schemas[name] = {"id": name, "description": name, "type": "object", "properties": columns}
        if not name.endswith("List"):
            schemas[name]["uuidPrefix"] = prefix
    return schemas
