"""GET /status.json: the counts, under the keys that an existing installation's monitoring reads."""

from __future__ import annotations

from werkzeug.wrappers import Request, Response

from arvnodeman.fleet.values.model import NodeState
from arvnodeman.fleet.view.view import View
from arvnodeman.manage.app import json_response
from arvnodeman.manage.shapes import cost
from arvnodeman.manage.source import Source
from arvnodeman.supervision.vitals import Vitals
from arvnodeman.version import __version__

CLOUD_ERRORS = ("list_nodes_errors", "create_node_errors", "destroy_node_errors")


def status(vitals: Vitals, view: View, age: float = 0.0) -> dict[str, object]:
    """The status as a JSON object. Reads, and takes no lock. `age`: seconds since the view was made."""
    counters = view.counters
    shown: dict[str, object] = {
        "Version": __version__,
        "config_max_nodes": view.policy.max_nodes,
        "actor_exceptions": vitals.counted("actor_exceptions"),
        "boot_failures": counters.get("boot_failures", 0),
        "idle_times": {
            node.hostname or node.name: round(view.t + age - node.idle_since, 3)
            for node in view.nodes.values()
            if node.idle_since is not None
        },
        "nodes_wish": view.wish,
        "node_quota": view.quota,
        **{name: counters.get(name, 0) for name in CLOUD_ERRORS},
        **{f"nodes_{state.value}": view.states.get(state.value, 0) for state in NodeState},
    }
    cloud_errors = sum(counters.get(name, 0) for name in CLOUD_ERRORS)
    return shown | ({"cloud_errors": cloud_errors} if cloud_errors else {})


class StatusPage:
    """Needs no token, as ever."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def __call__(self, request: Request) -> Response:
        """Answer one request."""
        source = self._source
        now = source.look()
        shown = status(source.vitals, now.view, now.age)
        shown["restarts"] = dict(source.restarts)
        if source.vitals.past.last is not None:
            shown["last_end"] = source.vitals.past.last.words
        if source.vitals.remarks:
            shown["remarks"] = list(source.vitals.remarks.values())
        shown["cost"] = cost(source)
        if now.view.safe_mode:
            shown["safe_mode"] = True
        if source.dry_run:
            shown["dry_run"] = True
        return json_response(shown)
