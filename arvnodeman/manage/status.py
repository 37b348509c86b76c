"""GET /status.json: the counts, under the keys that an existing installation's monitoring reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from werkzeug.wrappers import Request, Response

from arvnodeman.fleet.model import NodeState
from arvnodeman.manage.app import json_response
from arvnodeman.supervision.vitals import Vitals
from arvnodeman.version import __version__

COUNTERS = ("list_nodes_errors", "create_node_errors", "destroy_node_errors", "boot_failures")


class StatusView(Protocol):
    """What the status reads of the brain's view."""

    @property
    def counters(self) -> Mapping[str, int]:
        """Errors and failures counted so far, under the names that the status shows."""
        ...

    @property
    def states(self) -> Mapping[NodeState, int]:
        """How many nodes are in each state."""
        ...

    @property
    def idle_times(self) -> Mapping[str, float]:
        """For how many seconds each idle node has been so, by hostname."""
        ...

    @property
    def wish(self) -> int:
        """How many nodes the queue wants, under quota."""
        ...

    @property
    def quota(self) -> int:
        """The soft limit of nodes."""
        ...


def status(max_nodes: int, vitals: Vitals, view: StatusView | None) -> dict[str, object]:
    """The status as a JSON object. Reads, and takes no lock."""
    counters = view.counters if view else {}
    shown: dict[str, object] = {
        "Version": __version__,
        "config_max_nodes": max_nodes,
        "actor_exceptions": vitals.counted("actor_exceptions"),
        "idle_times": dict(view.idle_times) if view else {},
        **{name: counters.get(name, 0) for name in COUNTERS},
    }
    if counters.get("cloud_errors"):
        shown["cloud_errors"] = counters["cloud_errors"]
    if view:
        shown.update({f"nodes_{state.value}": view.states.get(state, 0) for state in NodeState})
        shown.update(nodes_wish=view.wish, node_quota=view.quota)
    return shown


class StatusPage:
    """Needs no token, as ever."""

    def __init__(self, max_nodes: Callable[[], int], vitals: Vitals, view: Callable[[], StatusView | None]) -> None:
        self._max_nodes = max_nodes
        self._vitals = vitals
        self._view = view

    def __call__(self, request: Request) -> Response:
        """Answer one request."""
        return json_response(status(self._max_nodes(), self._vitals, self._view()))
