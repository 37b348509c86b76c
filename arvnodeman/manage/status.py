"""GET /status.json: the counts, under the keys that an existing installation's monitoring reads."""

from __future__ import annotations

from msgspec import UNSET
from werkzeug.wrappers import Request

from arvnodeman.manage.answers_for_monitoring import CountsShown
from arvnodeman.manage.shapes import cost
from arvnodeman.manage.source import Source
from arvnodeman.version import __version__

CLOUD_ERRORS = ("list_nodes_errors", "create_node_errors", "destroy_node_errors")


class StatusPage:
    """Needs no token, as ever."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def __call__(self, request: Request) -> CountsShown:
        """Answer one request."""
        source, now = self._source, self._source.moment()
        view, vitals = now.view, source.vitals
        counters, states = view.counters, view.states
        last, examined = vitals.past.last, source.examined()
        return CountsShown(
            version=__version__,
            config_max_nodes=view.policy.max_nodes,
            actor_exceptions=vitals.counted("actor_exceptions"),
            boot_failures=counters.get("boot_failures", 0),
            idle_times={
                node.hostname or node.name: round(now.t - node.idle_since, 3)
                for node in view.nodes.values()
                if node.idle_since is not None
            },
            nodes_wish=view.wish,
            node_quota=view.quota,
            list_nodes_errors=counters.get("list_nodes_errors", 0),
            create_node_errors=counters.get("create_node_errors", 0),
            destroy_node_errors=counters.get("destroy_node_errors", 0),
            nodes_booting=states.get("booting", 0),
            nodes_unpaired=states.get("unpaired", 0),
            nodes_busy=states.get("busy", 0),
            nodes_idle=states.get("idle", 0),
            nodes_fail=states.get("fail", 0),
            nodes_reserved=states.get("reserved", 0),
            nodes_down=states.get("down", 0),
            nodes_shutdown=states.get("shutdown", 0),
            cloud_errors=sum(counters.get(name, 0) for name in CLOUD_ERRORS) or UNSET,
            unknown_cloud_error_codes=dict(view.unknown_errors) or UNSET,
            restarts=dict(source.restarts),
            last_end=last.words if last is not None else UNSET,
            remarks=list(vitals.remarks.values()) or UNSET,
            reload_refused=UNSET if vitals.refused_reload is None else round(vitals.refused_reload.at, 3),
            findings=UNSET if examined is None else len(examined.found),
            cost=cost(source),
            safe_mode=view.safe_mode or UNSET,
            dry_run=source.dry_run or UNSET,
        )
