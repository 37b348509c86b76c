"""The API keeps what its description promises, whatever it is sent: schemathesis makes the requests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from managed_world import Managed, jobs, policy
from schemathesis import GenerationMode

from arvnodeman.fleet.values.model import JobShape, NodeState
from arvnodeman.history.samples import SHOWN
from arvnodeman.manage.answers import ErrorShown, encode
from arvnodeman.manage.answers_for_monitoring import CountsShown, HealthShown
from arvnodeman.manage.answers_of_history import LinesShown
from arvnodeman.manage.api import ENDPOINTS
from arvnodeman.manage.openapi import answer_of, document

TOKEN = {"Authorization": "Bearer tok"}
NAMES = {"nodes": ("compute1", "i-compute2", "compute3.zzzzz"), "sizes": ("small", "lost"), "jobs": ()}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Managed:
    """Nodes, jobs and operations of many kinds, so that every shape is shown."""
    managed = Managed(tmp_path_factory.mktemp("site"), token="tok", policy=policy(max_nodes=4))
    managed.world.node("compute1", slurm="alloc")
    managed.world.node("compute2", "large")
    managed.world.node("compute3", "large", slurm="down", record=False)
    managed.begin(*jobs(5, JobShape(size="small")), *jobs(2, JobShape(cores=64), name="big"))
    managed.cycle(times=2)
    assert managed.source.moment().view.operations
    return managed


@pytest.fixture(scope="module")
def schema(site: Managed) -> Any:
    schema = schemathesis.openapi.from_wsgi("/v1/openapi.json", site.application, headers=TOKEN)
    schema.config.generation.update(with_security_parameters=False)  # the right token is always sent
    return schema


def can_be_wrong(described: Any) -> bool:
    """Has the request a query or a body? Any text is a name."""
    return "requestBody" in described or any(each["in"] == "query" for each in described.get("parameters", ()))


OPERATIONS = [
    (path, method.upper(), mode)
    for path, methods in document()["paths"].items()
    for method, described in methods.items()
    for mode in GenerationMode
    if mode is GenerationMode.POSITIVE or can_be_wrong(described)
]


@pytest.mark.parametrize(("path", "method", "mode"), OPERATIONS, ids=str)
def test_the_api_keeps_its_description(schema: Any, path: str, method: str, mode: GenerationMode) -> None:
    """Requests as described, and requests that are not: every answer is one that the description has."""
    operation = schema[path][method]

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(max_examples=6, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    def ask(case: Any) -> None:
        case.call_and_validate(headers=TOKEN)

    ask()


@pytest.mark.parametrize("path", [path for path in sorted(document()["paths"]) if "{" not in path])
def test_each_list_is_of_the_described_shape(schema: Any, path: str) -> None:
    schema[path]["GET"].Case().call_and_validate(headers=TOKEN)


def test_each_thing_is_of_the_described_shape(schema: Any, site: Managed) -> None:
    names = {**NAMES, "jobs": [job.id for job in site.world.jobs]}
    for kind, known in names.items():
        operation = schema[f"/v1/{kind}/{{name}}"]["GET"]
        for name in known:
            answer = operation.Case(path_parameters={"name": name}).call_and_validate(headers=TOKEN)
            assert answer.status_code == (404 if name == "lost" else 200), name


def test_a_word_is_of_the_described_shape(schema: Any) -> None:
    operation = schema["/v1/nodes/{name}/hold"]["POST"]
    case = operation.Case(
        path_parameters={"name": "compute1"}, body={"reason": "a look"}, media_type="application/json"
    )
    assert case.call_and_validate(headers=TOKEN).status_code == 200


# ---- the description is as it was ------------------------------------------------------------------------------------

RECORD = Path(__file__).with_name("golden") / "openapi.json"


def plain(schema: Any, schemas: Mapping[str, Any]) -> Any:
    """A schema as what it allows: references followed, null as one more type, without what is for people alone."""
    if isinstance(schema, list):
        return [plain(each, schemas) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return plain(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    found = {key: plain(value, schemas) for key, value in schema.items() if key not in ("title", "default")}
    kinds = found.get("anyOf", [])
    if {"type": "null"} in kinds and len(kinds) == 2:
        (kind,) = [each for each in kinds if each != {"type": "null"}]
        found = kind | {key: value for key, value in found.items() if key != "anyOf"}
        found["type"] = [found["type"], "null"]
    if "properties" in found:
        found["properties"] = {
            name: {key: value for key, value in each.items() if key != "description" or isinstance(value, dict)}
            for name, each in found["properties"].items()
        }
        found["required"] = sorted(found.get("required", []))
    found.pop("description", None)
    return found


def described(document: Mapping[str, Any]) -> dict[str, Any]:
    """Each request, with its parameters and with what is allowed in each answer."""
    schemas = document["components"]["schemas"]
    found = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            parameters = sorted(
                (each["name"], each["in"], str(each["schema"]), each["description"])
                for each in operation.get("parameters", [])
            )
            answers = {
                code: plain(answer["content"]["application/json"]["schema"], schemas)
                for code, answer in operation["responses"].items()
            }
            body = operation.get("requestBody")
            found[f"{method} {path}"] = {
                "summary": operation["summary"],
                "parameters": parameters,
                "answers": answers,
                "body": body and plain(body["content"]["application/json"]["schema"], schemas),
            }
    return found


def test_what_is_described_is_as_on_record() -> None:
    """The record is of the description that was written by hand; now it is drawn from the types of the answers."""
    recorded, now = described(json.loads(RECORD.read_text())), described(document())
    for request, was in recorded.items():
        assert now[request] == was, request
    questions = {f"get /v1/{kind}/{{name}}/counterfactual" for kind in ("jobs", "nodes")}
    budgets = {"get /v1/budgets", "get /v1/budgets/{name}", "post /v1/budgets/{name}/raise"}
    assert now.keys() - recorded.keys() == {"get /status.json", "get /_health/ping"} | questions | budgets


def texts(document: Mapping[str, Any]) -> dict[str, str]:
    """What each field is, for people."""
    return {
        f"{kind}.{name}": each["description"]
        for kind, schema in document["components"]["schemas"].items()
        for name, each in schema["properties"].items()
        if "description" in each and each["description"] != "seconds"
    }


def test_fields_are_told_of_as_on_record() -> None:
    now = texts(document())
    changed = {name for name, text in texts(json.loads(RECORD.read_text())).items() if now[name] != text}
    assert changed == {"Node.doubtful"}  # heard of; now heard from


def test_every_state_is_in_every_answer_that_counts_nodes() -> None:
    states = {state.value for state in NodeState}
    assert {field.removeprefix("nodes_") for field in CountsShown.__struct_fields__ if field != "nodes_wish"} >= states
    assert set(LinesShown.__struct_fields__) == set(SHOWN)
    assert all(answer.__doc__ for endpoint in ENDPOINTS for answer in answer_of(endpoint))


def test_half_a_character_from_outside_spoils_no_answer() -> None:
    assert json.loads(encode(ErrorShown("disk \ud800 gone"))) == {"error": "disk ? gone"}
    assert encode(HealthShown("OK")) == b'{"health": "OK"}'
    assert json.loads(encode({"id": 2**70, "health": [HealthShown("ERROR", "\ud800")]})) == {
        "id": 2**70,
        "health": [{"health": "ERROR", "error": "?"}],
    }
