"""What the management server says in JSON, each answer described once: the pages make these values, the commands for
operators read them, and /v1/openapi.json is drawn from them.

Durations are seconds, moments seconds since the epoch, prices $/hour. A client takes what it does not know for nothing:
another build may say more, and may have words that are not in our lists.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from arvnodeman.fleet.messages import Decided, Poll
from arvnodeman.fleet.values.model import Directive, NodeState
from arvnodeman.manage.answers_of_findings import FindingShown
from arvnodeman.manage.answers_of_leader import LeaderShown
from arvnodeman.manage.answers_of_money import CostShown, PayerShown
from arvnodeman.manage.answers_of_spares import SpareShown
from arvnodeman.manage.answers_of_spot import SpotShown
from arvnodeman.manage.json_kinds import Number, Seconds, Whole, one_of

LONGEST_REASON = 180  # characters: what a tag of any cloud holds


def encode(value: object) -> bytes:
    """As JSON, on one line, with the blanks that scripts of all kinds have always found in it."""
    try:
        return msgspec.json.format(msgspec.json.encode(value), indent=0)
    except UnicodeEncodeError:  # half a character in a text of the outside, which UTF-8 has no bytes for
        return json.dumps(msgspec.to_builtins(value), ensure_ascii=False).encode(errors="replace")


def _each_of(words: Iterable[str], of: dict[str, Any]) -> Meta:
    """An object that has all of these, and nothing else."""
    names = list(words)
    return Meta(extra_json_schema={"properties": dict.fromkeys(names, of), "required": names})


State = Annotated[str, one_of(NodeState)]
States = Annotated[
    dict[str, int], Meta(description="nodes by state"), _each_of(NodeState, {"type": "integer", "minimum": 0})
]


class ErrorShown(Struct, frozen=True, gc=False):
    """What is wrong."""

    error: str


class PollShown(Struct, frozen=True, gc=False):
    """How one list fares."""

    list: Annotated[str, one_of(Poll)]
    age_seconds: Seconds | None
    duration_seconds: Seconds | None
    items: Whole
    errors: Whole
    error: Annotated[str, Meta(description="of the last attempt; empty after a good one")]


class BootTroubleShown(Struct, frozen=True, gc=False):
    """What went wrong with the newest boot of a size."""

    size: str
    words: str
    seconds: Annotated[Number, Meta(description="since then")]


class StatusShown(Struct, frozen=True, gc=False):
    """The daemon in one object."""

    version: str
    dry_run: bool
    safe_mode: bool
    stopping: bool
    healthy: bool
    wrong: Annotated[list[str], Meta(description="why it is not healthy")]
    remarks: Annotated[list[str], Meta(description="what is well enough, and whoever runs this should know")]
    blocked: Annotated[str, Meta(description="why nothing is decided at all now; empty when it is")]
    up_seconds: Seconds
    nodes: States
    price: Annotated[Number, Meta(description="$/hour of everything that exists or is booting")]
    max_total_price: Number
    cost: CostShown
    min_nodes: Whole
    max_nodes: Whole
    node_quota: Whole
    slot_quota: Whole
    nodes_wish: Whole
    jobs_waiting: Whole
    jobs_served: Annotated[Whole, Meta(description="of the waiting jobs: a node is there or on its way")]
    boot_troubles: Annotated[
        list[BootTroubleShown],
        Meta(description="sizes whose newest boot failed, if none has come up since"),
    ]
    groups_in_vain: Annotated[
        Whole, Meta(description="groups of jobs for which nothing is booted, because Slurm did not use a node for them")
    ]
    longest_wait_seconds: Seconds | None
    decisions: Annotated[Whole, Meta(description="serial number of the newest decision")]
    words_over_tcp: Annotated[
        bool, Meta(description="a ManagementToken is configured: operator directives are accepted here too")
    ]
    polls: list[PollShown]
    leader: LeaderShown | UnsetType = UNSET
    reload_refused: Annotated[Number, Meta(description="when the newest reload was refused")] | UnsetType = UNSET
    reload_problems: Annotated[list[str], Meta(description="why, a line each, as in the log")] | UnsetType = UNSET
    payers: Annotated[list[PayerShown], Meta(description="who has paid most this month")] | UnsetType = UNSET
    cloud_requests_per_second: Annotated[dict[str, Number], Meta(description="allowed now")] | UnsetType = UNSET
    spares: Annotated[list[SpareShown], Meta(description="where any are configured")] | UnsetType = UNSET
    unknown_cloud_error_codes: (
        Annotated[dict[str, Whole], Meta(description="of the cloud, in no table of ours: how often, by code")]
        | UnsetType
    ) = UNSET
    examined_seconds: Annotated[Number, Meta(description="since the last examination of the site")] | UnsetType = UNSET
    findings: Annotated[list[FindingShown], Meta(description="what it found")] | UnsetType = UNSET


class OperationShown(Struct, frozen=True, gc=False):
    """One operation under way."""

    id: Whole
    kind: Annotated[str, one_of(("boot", "shutdown", "kill", "chore"))]
    subject: str
    stage: str
    seconds: Seconds
    attempts: Whole
    size: str | None
    node: str | None
    trouble: Annotated[str | None, Meta(description="the error after which it waits for another attempt")]
    next_attempt_seconds: Seconds | None


class NodeWordShown(Struct, frozen=True, gc=False):
    """An operator's word on a node."""

    word: str
    reason: str


class NodeShown(Struct, frozen=True, gc=False):
    """One node, and why it is there or goes."""

    id: str
    name: str
    hostname: str | None
    size: str | None
    instance_type: str | None
    preemptible: bool
    price: Number
    state: State
    state_seconds: Seconds
    slurm: Annotated[str, Meta(description="Slurm's word; empty for none")]
    slurm_reason: str
    answers_slurm: bool | None
    record: str | None
    last_ping_seconds: Seconds | None
    age_seconds: Seconds
    idle_seconds: Seconds | None
    address: str | None
    word: NodeWordShown | None
    doubtful: Annotated[bool, Meta(description="silent for long, but kept")]
    goes: Annotated[bool, Meta(description="it is being shut down, or may be")]
    why: Annotated[str, Meta(description="why it is kept, or goes")]
    until_seconds: Seconds | None
    operations: Annotated[list[OperationShown], Meta(description="on this node; when one node is asked for")] | (
        UnsetType
    ) = UNSET


class ContainerShown(Struct, frozen=True, gc=False):
    """What Arvados says of a job."""

    state: str
    priority: Annotated[int, Meta(description="0: nobody wants it any more")]


class JobShown(Struct, frozen=True, gc=False):
    """One waiting job, and what stands in its way."""

    id: str
    place: Annotated[int, Meta(ge=1, description="in the order of service")]
    priority: int
    nodes: Whole
    cores: Number
    ram: Annotated[Number, Meta(description="MB")]
    scratch: Annotated[Number, Meta(description="MB")]
    named_size: str | None
    gres: Annotated[str, Meta(description="GPUs and the like that it asks of each node, as `gpu:1`; empty for none")]
    partitions: Annotated[list[str], Meta(description="of Slurm, any of which will do")]
    group: Annotated[str, Meta(description="the name of its group: jobs alike in what they ask for and for whom")]
    sizes: Annotated[list[str], Meta(description="that fit it, in the order in which they are tried")]
    slurm_reason: str
    in_slurm: bool
    container: Annotated[ContainerShown | None, Meta(description="what Arvados says of it, from 3.0 on")]
    waiting_seconds: Seconds | None
    served: Annotated[bool, Meta(description="a node is there or on its way")]
    why: Annotated[str, Meta(description="what stands in its way")]
    until_seconds: Seconds | None
    slurm_places: Annotated[bool, Meta(description="Slurm itself places it: no sizes are told")] | UnsetType = UNSET
    otherwise: (
        Annotated[list[str], Meta(description="in what Slurm may count it otherwise; of one job alone")] | UnsetType
    ) = UNSET


class OtherJobShown(Struct, frozen=True, gc=False):
    """A waiting job that more nodes would not help."""

    id: str
    slurm_reason: str
    waits_for_nodes: Annotated[bool, Meta(extra_json_schema={"enum": [False]})]
    why: Annotated[str, Meta(description="what it waits for instead")]


class GroupShown(Struct, frozen=True, gc=False):
    """A group of jobs for which a node was up in vain, or which Slurm refused while one was up."""

    name: str
    words: Annotated[str, Meta(description="what its jobs are")]
    jobs: Whole
    slurm_reason: Annotated[str, Meta(description="while a node was up")]
    node: Annotated[str, Meta(description="that stood idle for it; empty: none did")]
    idle_seconds: Seconds
    why: Annotated[str, Meta(description="why nothing, or little, is booted for it")]
    until_seconds: Seconds | None


class SizeShown(Struct, frozen=True, gc=False):
    """One configured size."""

    id: str
    instance_type: str | None
    missing: Annotated[bool, Meta(description="the cloud does not offer it")]
    cores: Whole | None
    ram: Annotated[Number | None, Meta(description="MB that jobs can count on")]
    scratch: Annotated[Number | None, Meta(description="MB")]
    price: Annotated[Number | None, Meta(description="$/hour")]
    preemptible: bool | None
    gres: Annotated[str | None, Meta(description="GPUs and the like, as `gpu:1`; empty for none")]
    partitions: Annotated[list[str] | None, Meta(description="of Slurm, whose jobs alone it serves; empty for all")]
    wanted: Whole
    nodes: States
    trouble: Annotated[
        str | None, Meta(description="what went wrong with its newest boot, while none has come up since")
    ]
    rests: Annotated[str | None, Meta(description="why nothing of it is booted now")]
    rest_seconds: Seconds | None
    closed: Annotated[str, Meta(description="why Slurm may place no job on names of it")] | UnsetType = UNSET
    spot: list[SpotShown] | UnsetType = UNSET


class DecisionShown(Struct, frozen=True, gc=False):
    """One decision."""

    serial: Whole
    time: Annotated[Number, Meta(description="seconds since the epoch")]
    kind: Annotated[str, one_of(Decided)]
    subject: Annotated[str, Meta(description="node, size, job or list")]
    words: str


# ---- whole answers ---------------------------------------------------------------------------------------------------


class NodesShown(Struct, frozen=True, gc=False):
    """All nodes."""

    nodes: list[NodeShown]


class JobsShown(Struct, frozen=True, gc=False):
    """A page of the waiting jobs, in the order of service."""

    jobs: list[JobShown]
    offset: Whole
    total: Whole


class SizesShown(Struct, frozen=True, gc=False):
    """All sizes."""

    sizes: list[SizeShown]


class GroupsShown(Struct, frozen=True, gc=False):
    """All such groups."""

    groups: list[GroupShown]


class OperationsShown(Struct, frozen=True, gc=False):
    """All operations."""

    operations: list[OperationShown]


class PollsShown(Struct, frozen=True, gc=False):
    """The three lists."""

    polls: list[PollShown]


class DecisionsShown(Struct, frozen=True, gc=False):
    """Decisions, oldest first."""

    run: Annotated[str, Meta(description="serials count from 1 in each")]
    last: Whole
    decisions: list[DecisionShown]


class WordShown(Struct, frozen=True, gc=False):
    """An operator's word that was taken."""

    node: str
    word: Annotated[str, one_of(Directive)]
    reason: str
    heard: Annotated[bool, Meta(description="false: the daemon is busy, and will receive it later")]


class RetriedShown(Struct, frozen=True, gc=False):
    """What is tried again."""

    name: str
    groups: Annotated[list[str], Meta(description="that are meant, of those for which a node was up in vain")]
    reason: str
    heard: Annotated[bool, Meta(description="false: the daemon is busy, and will receive it later")]


class ReasonGiven(Struct, frozen=True, forbid_unknown_fields=True):
    """What may come with a word."""

    reason: Annotated[str, Meta(max_length=LONGEST_REASON, extra_json_schema={"pattern": "^[ -~]*$"})] = ""
