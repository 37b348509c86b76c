"""Whom containers run for, through the SDK at the sandbox's API server: from 3.0 on, and with nodes and jobs of its
own as up to 2.7."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from arvados_site import TOKEN, Site, serving
from werkzeug.wrappers import Response

from arvnodeman.arvados import container_users as module
from arvnodeman.arvados.container_users import ContainerUsers
from arvnodeman.arvados.containers import Containers

CONTAINERS, USERS = "/arvados/v1/containers", "/arvados/v1/users"


@pytest.fixture(name="server", params=[True, False], ids=["2.7", "3"])
def server_(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Site]:
    with serving(tmp_path, nodes_api=request.param) as site:
        yield site


@pytest.fixture(name="newer")
def newer_(tmp_path: Path) -> Iterator[Site]:
    with serving(tmp_path, nodes_api=False) as site:
        yield site


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [f"{entry.levelname} {entry.getMessage()}" for entry in caplog.records if entry.name == module.__name__]


def asked(site: Site) -> list[str]:
    """What was asked for of containers and users, in order."""
    return [path.rpartition("/")[2] for _, path in site.requests if path in (CONTAINERS, USERS)]


def container(site: Site, user: str | None, state: str = "Running") -> str:
    return str(site.store.add_container(state=state, runtime_user_uuid=user)["uuid"])


def test_each_container_has_its_user_by_name(server: Site) -> None:
    alice, bob = (str(server.store.add_user(name)["uuid"]) for name in ("alice", "bob"))
    one, two, three = container(server, alice), container(server, bob, "Complete"), container(server, alice, "Locked")
    found = ContainerUsers(server.settings).fetch([one, two, three, "17", "a job of somebody's"])
    assert found == {one: "alice", two: "bob", three: "alice"}
    assert asked(server) == ["containers", "users"]


def test_nothing_is_asked_where_there_is_no_container(newer: Site) -> None:
    assert ContainerUsers(newer.settings).fetch(["17", "18_2"]) == {}
    assert newer.requests == []


def test_each_user_is_asked_for_once_and_each_container(newer: Site) -> None:
    alice = str(newer.store.add_user("alice")["uuid"])
    one, two = container(newer, alice), container(newer, alice)
    users = ContainerUsers(newer.settings)
    assert users.fetch([one]) == users.fetch([one]) == {one: "alice"}
    assert asked(newer) == ["containers", "users"]
    assert users.fetch([one, two]) == {one: "alice", two: "alice"}
    assert asked(newer) == ["containers", "users", "containers"]


def test_what_is_asked_about_no_more_is_forgotten(newer: Site) -> None:
    one = container(newer, str(newer.store.add_user("alice")["uuid"]))
    users = ContainerUsers(newer.settings)
    users.fetch([one])
    assert users.fetch([]) == {}
    assert (users._users, users._names) == ({}, {})


def test_containers_that_wait_are_not_asked_for_twice(newer: Site) -> None:
    """The list of those that wait says whom they run for, too."""
    one = container(newer, str(newer.store.add_user("alice")["uuid"]), "Queued")
    users = ContainerUsers(newer.settings)
    assert one in Containers(newer.settings, users=users).fetch([one])
    assert users.fetch([one]) == {one: "alice"}
    assert asked(newer) == ["containers", "users"]


@pytest.mark.parametrize("user", [None, "", 5, "x" * 41, "zzzzz-tpzed-\n"])
def test_a_container_of_which_the_server_tells_no_user(newer: Site, user: Any) -> None:
    one = container(newer, user)
    users = ContainerUsers(newer.settings)
    assert users.fetch([one]) == users.fetch([one]) == {}
    assert asked(newer) == ["containers"]


def test_a_container_that_the_server_does_not_know_is_asked_for_once(newer: Site) -> None:
    users = ContainerUsers(newer.settings)
    gone = "zzzzz-dz642-000000000000001"
    assert users.fetch([gone]) == users.fetch([gone]) == {}
    assert asked(newer) == ["containers"]


@pytest.mark.parametrize("name", [None, "", 7])
def test_a_user_without_a_name_is_known_by_the_uuid(newer: Site, name: Any) -> None:
    user = str(newer.store.add_user(name)["uuid"])
    one = container(newer, user)
    users = ContainerUsers(newer.settings)
    assert users.fetch([one]) == users.fetch([one]) == {one: user}
    assert asked(newer) == ["containers", "users"]


def test_a_user_whom_this_token_may_not_see_is_known_by_the_uuid(newer: Site) -> None:
    one = container(newer, "other-tpzed-000000000000001")
    assert ContainerUsers(newer.settings).fetch([one]) == {one: "other-tpzed-000000000000001"}


def test_a_look_up_that_fails_falls_back_to_the_uuid_and_is_tried_again(
    newer: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    user = str(newer.store.add_user("alice")["uuid"])
    one = container(newer, user)
    now = [0.0]
    users = ContainerUsers(newer.settings, lambda: now[0])
    newer.answer_with(Response("{}", 503), path=USERS)
    assert [users.fetch([one]) for _ in range(3)] == [{one: user}] * 3
    assert asked(newer) == ["containers", "users"]
    newer.fault = None
    now[0] = 61.0
    assert users.fetch([one]) == {one: "alice"}
    assert [line.partition(":")[0] for line in lines(caplog)] == [
        "WARNING The owners of containers are not known; the dispatcher or a user's uuid pays for them",
        "INFO the owners of containers are known again",
    ]


def test_a_token_that_may_not_list_users_is_one_line(newer: Site, caplog: pytest.LogCaptureFixture) -> None:
    newer.store.add_token(TOKEN, may_not=("users",))
    user = str(newer.store.add_user("alice")["uuid"])
    one = container(newer, user)
    now = [0.0]
    users = ContainerUsers(newer.settings, lambda: now[0])
    for now[0] in (0.0, 599.0, 601.0):
        assert users.fetch([one]) == {one: user}
    assert asked(newer) == ["containers", "users", "users"]
    (line,) = lines(caplog)
    assert "HTTP 403 Forbidden" in line
    assert "look at [Arvados] token" in line


def test_a_server_that_is_away_costs_no_poll(newer: Site) -> None:
    newer.answer_with(Response("{}", 503))
    one = container(newer, str(newer.store.add_user("alice")["uuid"]))
    assert ContainerUsers(newer.settings).fetch([one]) == {}


@pytest.mark.parametrize("body", [{"items": None}, {"items": [None, 5, {}, {"uuid": 3}], "limit": 1000}, {}])
def test_a_malformed_answer_is_passed_over(newer: Site, body: Any) -> None:
    newer.answer_with(Response(json.dumps(body), mimetype="application/json"), path=CONTAINERS)
    assert ContainerUsers(newer.settings).fetch(["zzzzz-dz642-000000000000001"]) == {}


def test_many_are_asked_for_some_at_a_time_though_the_server_uses_smaller_pages(
    newer: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 4)
    monkeypatch.setattr(module, "REQUESTS", 2)
    monkeypatch.setattr("arvnodeman.sandbox.arvados_query.MAX_ITEMS", 3)
    names = {str(newer.store.add_user(f"user{n}")["uuid"]): f"user{n}" for n in range(10)}
    of = {container(newer, user): name for user, name in names.items()}
    users = ContainerUsers(newer.settings)
    assert len(users.fetch(list(of))) == 8
    assert users.fetch(list(of)) == of
