"""The API keeps what its description promises, whatever it is sent: schemathesis makes the requests."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from managed_world import Managed, jobs, policy
from schemathesis import GenerationMode

from arvnodeman.fleet.values.model import JobShape
from arvnodeman.manage.openapi import document

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
    assert managed.source.look().view.operations
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
