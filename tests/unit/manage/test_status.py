"""status.json keeps its keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from arvnodeman.fleet.model import NodeState
from arvnodeman.manage.status import status
from arvnodeman.supervision.vitals import Vitals
from arvnodeman.version import __version__


@dataclass(frozen=True)
class View:
    """What the brain shows."""

    counters: Mapping[str, int] = field(default_factory=dict)
    states: Mapping[NodeState, int] = field(default_factory=dict)
    idle_times: Mapping[str, float] = field(default_factory=dict)
    wish: int = 0
    quota: int = 8


ALWAYS = {
    "Version",
    "config_max_nodes",
    "list_nodes_errors",
    "create_node_errors",
    "destroy_node_errors",
    "boot_failures",
    "actor_exceptions",
    "idle_times",
}


def test_before_the_brain_has_anything_to_show() -> None:
    vitals = Vitals()
    vitals.count("actor_exceptions")
    shown = status(8, vitals, None)
    assert set(shown) == ALWAYS
    assert shown["Version"] == __version__
    assert (shown["config_max_nodes"], shown["actor_exceptions"], shown["idle_times"]) == (8, 1, {})


def test_every_state_is_there_booting_too() -> None:
    """Row N7: nodes_booting was documented and never there."""
    shown = status(8, Vitals(), View(states={NodeState.BOOTING: 2, NodeState.IDLE: 1}, wish=3, quota=5))
    assert {key: value for key, value in shown.items() if key not in ALWAYS} == {
        "nodes_booting": 2,
        "nodes_unpaired": 0,
        "nodes_busy": 0,
        "nodes_idle": 1,
        "nodes_fail": 0,
        "nodes_reserved": 0,
        "nodes_down": 0,
        "nodes_shutdown": 0,
        "nodes_wish": 3,
        "node_quota": 5,
    }


def test_counters_and_idle_times() -> None:
    counters = {"list_nodes_errors": 1, "create_node_errors": 2, "destroy_node_errors": 3, "boot_failures": 4}
    shown = status(8, Vitals(), View(counters=counters, idle_times={"compute3": 12.5}))
    assert {key: shown[key] for key in counters} == counters
    assert shown["idle_times"] == {"compute3": 12.5}
    assert "cloud_errors" not in shown
    assert status(8, Vitals(), View(counters={"cloud_errors": 7}))["cloud_errors"] == 7
