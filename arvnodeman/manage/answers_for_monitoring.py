"""What the management server tells monitoring, under keys that were there before /v1: /status.json, /_health/ping."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType, field

from arvnodeman.manage.answers_of_money import CostShown
from arvnodeman.manage.json_kinds import Number, Whole, one_of


class HealthShown(Struct, frozen=True, gc=False):
    """As Arvados' services say it."""

    health: Annotated[str, one_of(("OK", "ERROR"))]
    error: str | UnsetType = UNSET


class CountsShown(Struct, frozen=True, gc=False, kw_only=True):
    """/status.json, under the keys that an existing installation's monitoring reads, in the order that it had."""

    version: str = field(name="Version")
    config_max_nodes: Whole
    actor_exceptions: Whole
    boot_failures: Whole
    idle_times: Annotated[dict[str, float], Meta(description="seconds, by hostname")]
    nodes_wish: Whole
    node_quota: Whole
    list_nodes_errors: Whole
    create_node_errors: Whole
    destroy_node_errors: Whole
    nodes_booting: Whole
    nodes_unpaired: Whole
    nodes_busy: Whole
    nodes_idle: Whole
    nodes_fail: Whole
    nodes_reserved: Whole
    nodes_down: Whole
    nodes_shutdown: Whole
    cloud_errors: Annotated[Whole, Meta(description="of all three kinds; from the first one on")] | UnsetType = UNSET
    unknown_cloud_error_codes: (
        Annotated[dict[str, int], Meta(description="how often, in no table of ours; from the first one on")] | UnsetType
    ) = UNSET
    restarts: Annotated[dict[str, int], Meta(description="ends of earlier runs by cause")]
    last_end: Annotated[str, Meta(description="how the last run ended")] | UnsetType = UNSET
    remarks: list[str] | UnsetType = UNSET
    reload_refused: Annotated[Number, Meta(description="when; /v1/status says why")] | UnsetType = UNSET
    findings: Annotated[Whole, Meta(description="of the hourly examination; /v1/status has them")] | UnsetType = UNSET
    cost: CostShown
    safe_mode: bool | UnsetType = UNSET
    dry_run: bool | UnsetType = UNSET
