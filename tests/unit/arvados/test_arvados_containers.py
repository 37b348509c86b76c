"""What Arvados says of waiting containers, through the SDK at the sandbox's API server as one from 3.0 on is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from arvados_site import TOKEN, Site, serving
from werkzeug.wrappers import Response

from arvnodeman.arvados import containers as module
from arvnodeman.arvados.containers import Containers, container_of
from arvnodeman.fleet.values.waits import Container

UUID = "zzzzz-dz642-000000000000001"


@pytest.fixture(name="newer")
def newer_(tmp_path: Path) -> Iterator[Site]:
    """An API server without nodes and jobs."""
    with serving(tmp_path, nodes_api=False) as site:
        yield site


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [f"{entry.levelname} {entry.getMessage()}" for entry in caplog.records if entry.name == module.__name__]


def asked(site: Site) -> int:
    return sum(path == "/arvados/v1/containers" for _, path in site.requests)


def test_state_and_priority_of_the_containers_that_wait(newer: Site) -> None:
    add = newer.store.add_container
    queued = add(state="Queued", priority=7)["uuid"]
    locked = add(state="Locked", priority=562_948_341_000)["uuid"]
    unwanted = add(state="Queued", priority=0)["uuid"]
    ended = add(state="Complete")["uuid"]
    other = add(state="Queued")["uuid"]
    found = Containers(newer.settings).fetch([queued, locked, unwanted, ended, "a plain job"])
    assert found == {
        queued: Container("Queued", 7),
        locked: Container("Locked", 562_948_341_000),
        unwanted: Container("Queued", 0),
    }
    assert other not in found
    assert asked(newer) == 1


def test_nothing_is_asked_where_no_container_waits(newer: Site) -> None:
    assert Containers(newer.settings).fetch([]) == {}
    assert Containers(newer.settings).fetch(["a plain job"]) == {}
    assert newer.requests == []


def test_a_server_with_a_queue_of_its_own_is_not_asked(site: Site) -> None:
    uuid = site.store.add_container()["uuid"]
    assert Containers(site.settings).fetch([uuid]) == {}
    assert asked(site) == 0


def test_pages_are_read_the_highest_priority_first_and_not_without_end(
    newer: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGE", 3)
    monkeypatch.setattr(module, "PAGES", 2)
    uuids = [newer.store.add_container(priority=number)["uuid"] for number in range(9)]
    assert set(Containers(newer.settings).fetch(uuids)) == set(uuids[3:])
    assert asked(newer) == 2
    assert set(Containers(newer.settings).fetch(uuids[:2])) == set()


def test_the_server_may_use_smaller_pages(newer: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row A20."""
    monkeypatch.setattr("arvnodeman.sandbox.arvados_query.MAX_ITEMS", 4)
    uuids = [newer.store.add_container()["uuid"] for _ in range(9)]
    assert set(Containers(newer.settings).fetch(uuids)) == set(uuids)


@pytest.mark.parametrize(
    "bad",
    [
        None,
        "text",
        {},
        {"uuid": 5, "state": "Queued", "priority": 1},
        {"uuid": "zzzzz-xvhdp-000000000000001", "state": "Queued", "priority": 1},
        {"uuid": UUID, "priority": 1},
        {"uuid": UUID, "state": "Que\nued", "priority": 1},
        {"uuid": UUID, "state": "Queued", "priority": None},
        {"uuid": UUID, "state": "Queued", "priority": "high"},
        {"uuid": UUID, "state": "Queued", "priority": True},
    ],
)
def test_a_malformed_container_costs_only_itself(newer: Site, caplog: pytest.LogCaptureFixture, bad: Any) -> None:
    good = {"uuid": "zzzzz-dz642-000000000000002", "state": "Locked", "priority": 5}
    body = json.dumps({"items": [bad, good], "limit": 1000})
    newer.answer_with(Response(body, mimetype="application/json"), path="/arvados/v1/containers")
    assert Containers(newer.settings).fetch([UUID, str(good["uuid"])]) == {good["uuid"]: Container("Locked", 5)}
    (line,) = lines(caplog)
    assert line.startswith("WARNING Arvados: containers.list: ")
    assert "\n" not in line
    if isinstance(bad, dict) and bad.get("uuid") == UUID:
        assert UUID in line
    with pytest.raises(ValueError, match=r"."):
        container_of(bad)


def test_many_malformed_containers_make_few_lines(newer: Site, caplog: pytest.LogCaptureFixture) -> None:
    newer.answer_with(Response(json.dumps({"items": [1] * 50, "limit": 1000}), mimetype="application/json"))
    assert Containers(newer.settings).fetch([UUID]) == {}
    assert lines(caplog)[-1] == "WARNING Arvados: containers.list: 45 more malformed containers"
    assert len(lines(caplog)) == 6


def test_a_list_without_items_is_one_line(newer: Site, caplog: pytest.LogCaptureFixture) -> None:
    newer.answer_with(Response('{"items": null}', mimetype="application/json"))
    assert Containers(newer.settings).fetch([UUID]) == {}
    assert lines(caplog) == ["WARNING Arvados: containers.list: the answer has no items"]


def test_a_token_that_may_not_list_containers_is_one_line_and_not_one_for_each_poll(
    newer: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    newer.store.add_token(TOKEN, may_not=("containers",))
    uuid = newer.store.add_container()["uuid"]
    now = [0.0]
    containers = Containers(newer.settings, lambda: now[0])
    for _ in range(3):
        assert containers.fetch([uuid]) == {}
    assert asked(newer) == 1
    now[0] = 601.0
    assert containers.fetch([uuid]) == {}
    assert asked(newer) == 2
    text = "What Arvados says of waiting containers is not shown: Arvados: containers.list: HTTP 403 Forbidden"
    assert [line.replace(" (req-", "|").split("|")[0] for line in lines(caplog)] == [f"WARNING {text}"]
    assert "look at [Arvados] token" in lines(caplog)[0]
    newer.store.add_token(TOKEN)
    now[0] = 1300.0
    assert uuid in containers.fetch([uuid])
    assert lines(caplog)[-1] == "INFO Arvados lists containers again"


def test_a_token_of_no_administrator_sees_none(newer: Site, caplog: pytest.LogCaptureFixture) -> None:
    newer.store.add_token(TOKEN, admin=False)
    uuid = newer.store.add_container()["uuid"]
    assert Containers(newer.settings).fetch([uuid]) == {}
    assert lines(caplog) == []


def test_a_server_that_is_away_for_a_while_is_asked_again_at_the_next_poll(
    newer: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    uuid = newer.store.add_container()["uuid"]
    containers = Containers(newer.settings)
    assert uuid in containers.fetch([uuid])
    newer.answer_with(Response("{}", 503))
    assert containers.fetch([uuid]) == containers.fetch([uuid]) == {}
    newer.fault = None
    assert uuid in containers.fetch([uuid])
    assert [line.partition(":")[0] for line in lines(caplog)] == [
        "WARNING What Arvados says of waiting containers is not shown",
        "INFO Arvados lists containers again",
    ]
