"""The API described in OpenAPI, as /v1/openapi.json serves it: made of the table of pages and the answers' types."""

from __future__ import annotations

from functools import cache
from types import UnionType
from typing import Any, get_args, get_type_hints

import msgspec

from arvnodeman.manage.answers import ErrorShown
from arvnodeman.manage.answers_for_monitoring import CountsShown, HealthShown
from arvnodeman.manage.api import ENDPOINTS, Endpoint, Query
from arvnodeman.version import __version__

Json = dict[str, Any]

REFS = "#/components/schemas/"
TEXTS = {
    200: "what was asked for",
    202: "accepted, and not received yet",
    400: "what is wrong with the request",
    401: "a token is needed",
    403: "not allowed",
    404: "there is no such thing",
    409: "another manager leads: send it there",
    429: "another such question is being answered: ask again in a moment",
    500: "it could not be written",
    503: "the daemon is not well",
}


def answer_of(endpoint: Endpoint) -> tuple[type, ...]:
    """What a page answers, one of these: its method says so."""
    page = getattr(endpoint.page, "func", endpoint.page)
    answer = get_type_hints(page)["return"]
    return get_args(answer) if isinstance(answer, UnionType) else (answer,)


def _name(kind: str) -> str:
    return kind.removesuffix("Shown").removesuffix("Given")


def _ref(kind: type) -> Json:
    return {"$ref": REFS + _name(kind.__name__)}


def _renamed(schema: Any) -> Any:
    """Names as the outside has them, and objects that have nothing but what is named."""
    if isinstance(schema, list):
        return [_renamed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _renamed(value) for key, value in schema.items()}
    for key in ("$ref", "title"):
        if isinstance(found.get(key), str):
            found[key] = _name(found[key])
    if isinstance(found.get("properties"), dict) and found.get("type") == "object":
        found["additionalProperties"] = False
    return found


def _schemas() -> Json:
    kinds = {kind for endpoint in ENDPOINTS for kind in answer_of(endpoint)}
    kinds |= {endpoint.body for endpoint in ENDPOINTS if endpoint.posted} | {CountsShown, ErrorShown, HealthShown}
    _, schemas = msgspec.json.schema_components(
        sorted(kinds, key=lambda kind: kind.__name__), ref_template=REFS + "{name}"
    )
    return {_name(name): _renamed(schema) for name, schema in sorted(schemas.items())}


# ---- paths -----------------------------------------------------------------------------------------------------------


def _content(schema: Json) -> Json:
    return {"content": {"application/json": {"schema": schema}}}


def _answer(code: int, *kinds: type) -> Json:
    schema = _ref(kinds[0]) if len(kinds) == 1 else {"anyOf": [_ref(kind) for kind in kinds]}
    return {"description": TEXTS[code], **_content(schema)}


def _parameter(query: Query) -> Json:
    kind = "integer" if query.whole else "number"
    schema = {"type": kind, "minimum": query.least, "maximum": query.most}
    return {"name": query.name, "in": "query", "schema": schema, "description": query.description}


def _operation(endpoint: Endpoint) -> Json:
    answers = answer_of(endpoint)
    responses = {str(code): _answer(code, *answers) for code in ((200, 202) if endpoint.posted else (200,))}
    responses |= {str(code): _answer(code, ErrorShown) for code in sorted({401, 403, *endpoint.codes})}
    described: Json = {"summary": endpoint.summary}
    parameters = [_parameter(query) for query in endpoint.queries]
    if endpoint.name:
        schema = {"type": "string"}
        parameters.append(
            {"name": "name", "in": "path", "required": True, "schema": schema, "description": endpoint.name}
        )
    if parameters:
        described["parameters"] = parameters
    if endpoint.posted:
        described["requestBody"] = _content(_ref(endpoint.body))
    return {("post" if endpoint.posted else "get"): described | {"responses": responses}}


def _open(summary: str, kind: type, *codes: int) -> Json:
    """A page outside /v1, as monitoring has always asked for it."""
    return {"get": {"summary": summary, "responses": {str(code): _answer(code, kind) for code in codes}}}


@cache
def document() -> Json:
    """The whole description."""
    paths = {endpoint.path: _operation(endpoint) for endpoint in ENDPOINTS}
    paths["/status.json"] = _open("The counts", CountsShown, 200)
    paths["/status.json"]["get"]["security"] = []
    paths["/_health/ping"] = _open("Is the daemon well?", HealthShown, 200, 401, 403, 404, 503)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Arvados Node Manager", "version": __version__},
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {"ManagementToken": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"ManagementToken": []}],
    }
