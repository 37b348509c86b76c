"""Our discovery document against those of real servers: what differs there would be a fault that no other test sees.

The real documents are not part of this project: ARVADOS_DISCOVERY_DIR names a folder that has them.
"""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from arvnodeman.arvados.transport import RESOURCES, trimmed_document
from arvnodeman.sandbox.arvados_discovery import discovery_document

WITH_NODES = discovery_document("http://127.0.0.1/")
WITHOUT_NODES = discovery_document("http://127.0.0.1/", nodes_api=False)
VERSIONS = {"2.7.4": WITH_NODES, "3.2.1": WITHOUT_NODES}
TOP = ("kind", "id", "name", "version", "revision", "protocol", "basePath", "servicePath", "batchPath")


@cache
def real(version: str) -> dict[str, Any]:
    folder = os.environ.get("ARVADOS_DISCOVERY_DIR")
    if not folder:
        pytest.skip("ARVADOS_DISCOVERY_DIR is not set: no document of a real API server to compare with")
    path = Path(folder) / f"arvados-discovery-{version}.json"
    if not path.exists():
        pytest.skip(f"ARVADOS_DISCOVERY_DIR has no {path.name}")
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


def methods(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found = (resource["methods"].values() for resource in document["resources"].values())
    return {method["id"]: method for some in found for method in some}


def shape(method: dict[str, Any]) -> dict[str, Any]:
    """What a client goes by."""
    parameters = {
        name: (described["type"], described["location"], bool(described.get("required")))
        for name, described in method["parameters"].items()
    }
    names = ("id", "httpMethod", "path", "request", "response", "parameterOrder", "scopes")
    return {name: method.get(name) for name in names} | {"parameters": parameters}


@pytest.mark.parametrize(
    ("version", "method"), [(version, name) for version, document in VERSIONS.items() for name in methods(document)]
)
def test_every_method_is_as_the_real_server_describes_it(version: str, method: str) -> None:
    """Row B9: both ways of taking a record are tested against the API's real signatures."""
    assert shape(methods(VERSIONS[version])[method]) == shape(methods(real(version))[method])


@pytest.mark.parametrize("version", VERSIONS)
def test_the_head_of_the_document_is_the_real_one(version: str) -> None:
    document = real(version)
    assert {name: VERSIONS[version][name] for name in TOP} == {name: document[name] for name in TOP}
    ours = VERSIONS[version]["parameters"]
    assert {n: p["location"] for n, p in ours.items()} == {n: p["location"] for n, p in document["parameters"].items()}


@pytest.mark.parametrize("version", VERSIONS)
def test_columns_have_the_real_types(version: str) -> None:
    for name, schema in VERSIONS[version]["schemas"].items():
        theirs = real(version)["schemas"][name]
        for column, described in schema["properties"].items():
            assert described["type"] == theirs["properties"][column]["type"], f"{name}.{column}"
        assert schema.get("uuidPrefix") == theirs.get("uuidPrefix")


@pytest.mark.parametrize(("version", "there"), [("2.7.4", True), ("3.2.1", False)])
def test_nodes_and_jobs_are_there_up_to_2_7_only(version: str, there: bool) -> None:
    for document in (real(version), VERSIONS[version]):
        assert ("nodes" in document["resources"], "jobs" in document["resources"]) == (there, there)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_real_document_is_cut_to_what_is_used_and_still_whole(version: str) -> None:
    """Every schema that a kept method names is there: the SDK looks it up by its name."""
    cut = json.loads(trimmed_document(json.dumps(real(version)).encode(), "http://127.0.0.1/"))
    kept = set(RESOURCES) & real(version)["resources"].keys()
    assert set(cut["resources"]) == kept
    assert all(cut["resources"][name] == real(version)["resources"][name] for name in kept)
    for method in methods(cut).values():
        named = [method["response"]["$ref"]]
        named += [described["$ref"] for described in method.get("request", {}).get("properties", {}).values()]
        assert set(named) <= cut["schemas"].keys()
