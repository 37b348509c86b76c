"""status.json keeps its keys."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from managed_world import Managed, jobs

from arvnodeman.fleet.values.model import CloudNode, NodeState, Policy
from arvnodeman.fleet.view.node_table import NodeTable
from arvnodeman.fleet.view.view import NodeStatus, View
from arvnodeman.supervision.past import Past
from arvnodeman.supervision.vitals import RefusedReload
from arvnodeman.version import __version__

POLICY = Policy(sections=(), shutdown_windows=(54, 6), max_nodes=8)
EMPTY = View(t=1000.0, policy=POLICY, quota=8)


def node(name: str, hostname: str | None, idle_since: float | None) -> NodeStatus:
    state = NodeState.BUSY if idle_since is None else NodeState.IDLE
    fields = dict.fromkeys(NodeStatus._fields)
    cloud = CloudNode(id=name, name=name, report_id=name)
    return NodeStatus(**{**fields, "cloud": cloud, "hostname": hostname, "idle_since": idle_since, "state": state})  # type: ignore[arg-type]


def status(folder: Path, view: View, *, exceptions: int = 0) -> dict[str, Any]:
    """What the page says of a view, but for what it says of the process."""
    site = Managed(folder)
    site.world.published.view = view
    site.vitals.past = Past()
    for _ in range(exceptions):
        site.vitals.count("actor_exceptions")
    shown: dict[str, Any] = site.get("/status.json").get_json()
    assert shown.pop("cost")["hour"] == 0.0
    assert shown.pop("restarts") == {}
    return shown


def test_all_keys_are_there_from_the_start(tmp_path: Path) -> None:
    """Row N7: nodes_booting was documented and never there."""
    assert status(tmp_path, EMPTY, exceptions=1) == {
        "Version": __version__,
        "config_max_nodes": 8,
        "list_nodes_errors": 0,
        "create_node_errors": 0,
        "destroy_node_errors": 0,
        "boot_failures": 0,
        "actor_exceptions": 1,
        "idle_times": {},
        "nodes_booting": 0,
        "nodes_unpaired": 0,
        "nodes_busy": 0,
        "nodes_idle": 0,
        "nodes_fail": 0,
        "nodes_reserved": 0,
        "nodes_down": 0,
        "nodes_shutdown": 0,
        "nodes_wish": 0,
        "node_quota": 8,
    }


def test_counts(tmp_path: Path) -> None:
    view = View(
        t=1000.0,
        policy=POLICY,
        coming=2,
        nodes=NodeTable({"a": node("a", "compute1", 900.0)}),
        counters={"list_nodes_errors": 1, "create_node_errors": 2, "destroy_node_errors": 3, "boot_failures": 4},
        wish=3,
        quota=5,
    )
    shown = status(tmp_path, view)
    assert (shown["nodes_booting"], shown["nodes_idle"], shown["nodes_busy"]) == (2, 1, 0)
    assert (shown["nodes_wish"], shown["node_quota"], shown["boot_failures"]) == (3, 5, 4)
    assert (shown["list_nodes_errors"], shown["create_node_errors"], shown["destroy_node_errors"]) == (1, 2, 3)


@pytest.mark.parametrize("name", ["list_nodes_errors", "create_node_errors", "destroy_node_errors"])
def test_cloud_errors_appears_with_the_first_error(tmp_path: Path, name: str) -> None:
    assert status(tmp_path, View(t=1.0, policy=POLICY, counters={name: 7}))["cloud_errors"] == 7


def test_errors_of_the_cloud_that_nobody_knows_are_counted_by_code(tmp_path: Path) -> None:
    assert "unknown_cloud_error_codes" not in status(tmp_path, View(t=1.0, policy=POLICY))
    told = status(tmp_path, View(t=1.0, policy=POLICY, unknown_errors={"BrandNew": 4}))
    assert told["unknown_cloud_error_codes"] == {"BrandNew": 4}


def test_idle_times_are_seconds_by_hostname(tmp_path: Path) -> None:
    """Row N15: no key is null, and what is not idle is not there."""
    nodes = {
        "1": node("a", "compute1", 987.5),
        "2": node("b", None, 999.0),
        "3": node("c", "compute3", None),
    }
    view = View(t=1000.0, policy=POLICY, nodes=NodeTable(nodes))
    assert status(tmp_path, view)["idle_times"] == {"compute1": 12.5, "b": 1.0}


def test_the_page_shows_the_newest_view_without_a_token(tmp_path: Path) -> None:
    """Row N8: it never asked for one, and monitoring counts on that."""
    managed = Managed(tmp_path, token="tok")
    managed.begin(*jobs(3))
    answer = managed.client.get("/status.json")
    assert answer.status_code == 200
    assert answer.content_type == "application/json"
    shown = answer.get_json()
    assert (shown["nodes_wish"], shown["nodes_booting"]) == (3, 3)
    assert shown["restarts"] == {"watchdog": 2}
    assert shown["last_end"] == "by its own watchdog: a poller"
    assert "dry_run" not in shown


def test_a_refused_reload_is_told_of_until_one_goes_well(tmp_path: Path) -> None:
    """Who has no token hears when; what is wrong may hold more of the file than is for everybody."""
    site = Managed(tmp_path, token="tok")
    assert "reload_refused" not in site.get("/status.json").get_json()
    assert "reload_refused" not in site.get("/v1/status", Authorization="Bearer tok").get_json()
    site.world.now += 2.0  # pages are made once a second at most
    site.vitals.refused_reload = RefusedReload(1700000000.25, ("a.cfg: a mistake", "a.cfg: another"))
    assert site.get("/status.json").get_json()["reload_refused"] == 1700000000.25
    assert "a.cfg" not in site.get("/status.json").text
    shown = site.get("/v1/status", Authorization="Bearer tok").get_json()
    assert shown["reload_refused"] == 1700000000.25
    assert shown["reload_problems"] == ["a.cfg: a mistake", "a.cfg: another"]
