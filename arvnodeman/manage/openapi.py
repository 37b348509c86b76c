"""The API described in OpenAPI, served as /v1/openapi.json. Schemathesis holds it against the API in a test."""

from __future__ import annotations

from functools import cache
from typing import Any

from arvnodeman.fleet.messages import Decided, Poll
from arvnodeman.fleet.values.model import NodeState, Word
from arvnodeman.history.samples import SHOWN
from arvnodeman.version import __version__

Json = dict[str, Any]

TEXT: Json = {"type": "string"}
YES_NO: Json = {"type": "boolean"}
WHOLE: Json = {"type": "integer", "minimum": 0}
NUMBER: Json = {"type": "number", "minimum": 0}
SECONDS: Json = {"type": "number", "minimum": 0, "description": "seconds"}
STATES: Json = {
    "type": "object",
    "properties": {state.value: WHOLE for state in NodeState},
    "required": [state.value for state in NodeState],
    "additionalProperties": False,
    "description": "nodes by state",
}


def _or_null(schema: Json) -> Json:
    return {**schema, "type": [schema["type"], "null"]}


def _said(schema: Json, description: str) -> Json:
    return {**schema, "description": description}


def _list(item: Json) -> Json:
    return {"type": "array", "items": item}


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(**properties: Json) -> Json:
    """An object that has all of these and nothing else."""
    return {
        "type": "object",
        "properties": properties,
        "required": sorted(properties),
        "additionalProperties": False,
    }


def _schemas() -> Json:
    return {
        "Error": _object(error=TEXT),
        "Status": _status(),
        "BootTrouble": _boot_trouble(),
        "Poll": _poll(),
        "Node": _node(),
        "Job": _job(),
        "OtherJob": _object(
            id=TEXT,
            slurm_reason=TEXT,
            waits_for_nodes={"type": "boolean", "enum": [False]},
            why=_said(TEXT, "what it waits for instead"),
        ),
        "Size": _size(),
        "Group": _group(),
        "Operation": _operation(),
        "Decision": _object(
            serial=WHOLE,
            time=_said(NUMBER, "seconds since the epoch"),
            kind={"type": "string", "enum": [kind.value for kind in Decided]},
            subject=_said(TEXT, "node, size, job or list"),
            words=TEXT,
        ),
        "History": _history(),
        "Word": _object(
            node=TEXT,
            word={"type": "string", "enum": [word.value for word in Word]},
            reason=TEXT,
            heard=_said(YES_NO, "false: the daemon is busy, and will hear it in its turn"),
        ),
        "Retried": _object(
            name=TEXT,
            groups=_said(_list(TEXT), "that are meant, of those for which a node was up in vain"),
            reason=TEXT,
            heard=_said(YES_NO, "false: the daemon is busy, and will hear it in its turn"),
        ),
        "Reason": {
            "type": "object",
            "properties": {"reason": {"type": "string", "maxLength": 180, "pattern": "^[ -~]*$"}},
            "additionalProperties": False,
        },
    }


def _history() -> Json:
    def line(description: str) -> Json:
        return _said(_list(_or_null(NUMBER)), description)

    return _object(
        step=_said(NUMBER, "seconds from one point to the next"),
        since=_said(NUMBER, "seconds since the epoch"),
        until=_said(NUMBER, "seconds since the epoch: now"),
        times=_said(_list(NUMBER), "where each point begins, in seconds since the epoch"),
        nodes=_object(**{name: line(f"nodes that are {name}") for name in SHOWN}),
        queue=line("waiting jobs"),
        capacity=line("nodes that may exist at most, by max_nodes and the limits learnt"),
        cost_per_hour=line("$/hour of everything that exists or is booting"),
    ) | {"description": "lines with one figure for each point; null where nothing was recorded"}


def _status() -> Json:
    return _object(
        version=TEXT,
        dry_run=YES_NO,
        safe_mode=YES_NO,
        stopping=YES_NO,
        healthy=YES_NO,
        wrong=_said(_list(TEXT), "why it is not healthy"),
        remarks=_said(_list(TEXT), "what is well enough, and whoever runs this should know"),
        blocked=_said(TEXT, "why nothing is decided at all now; empty when it is"),
        up_seconds=SECONDS,
        nodes=STATES,
        price=_said(NUMBER, "$/hour of everything that exists or is booting"),
        max_total_price=NUMBER,
        cost=_object(
            hour=_said(NUMBER, "$ so far this hour, of this machine's calendar"),
            day=_said(NUMBER, "the same of this day"),
            month=_said(NUMBER, "the same of this month"),
            complete=_said(YES_NO, "false: nodes that ended before `since` are not counted, for want of a history"),
            since=_said(NUMBER, "when the account begins, in seconds since the epoch"),
        ),
        min_nodes=WHOLE,
        max_nodes=WHOLE,
        node_quota=WHOLE,
        slot_quota=WHOLE,
        nodes_wish=WHOLE,
        jobs_waiting=WHOLE,
        jobs_served=_said(WHOLE, "of the waiting jobs: a node is there or on its way"),
        boot_troubles=_said(
            _list(_ref("BootTrouble")), "sizes whose newest boot did not go well, while none has come up since"
        ),
        groups_in_vain=_said(WHOLE, "groups of jobs for which nothing is booted, as Slurm did not use a node for them"),
        longest_wait_seconds=_or_null(SECONDS),
        decisions=_said(WHOLE, "serial number of the newest decision"),
        words_over_tcp=_said(YES_NO, "a ManagementToken is configured: operators' words are taken here too"),
        polls=_list(_ref("Poll")),
    )


def _boot_trouble() -> Json:
    return _object(size=TEXT, words=TEXT, seconds=_said(SECONDS, "since then"))


def _poll() -> Json:
    return _object(
        list={"type": "string", "enum": [poll.value for poll in Poll]},
        age_seconds=_or_null(SECONDS),
        duration_seconds=_or_null(SECONDS),
        items=WHOLE,
        errors=WHOLE,
        error=_said(TEXT, "of the last attempt; empty after a good one"),
    )


def _node() -> Json:
    word = _object(word=TEXT, reason=TEXT)
    node = _object(
        id=TEXT,
        name=TEXT,
        hostname=_or_null(TEXT),
        size=_or_null(TEXT),
        instance_type=_or_null(TEXT),
        preemptible=YES_NO,
        price=NUMBER,
        state={"type": "string", "enum": [state.value for state in NodeState]},
        state_seconds=SECONDS,
        slurm=_said(TEXT, "Slurm's word; empty for none"),
        slurm_reason=TEXT,
        answers_slurm=_or_null(YES_NO),
        record=_or_null(TEXT),
        last_ping_seconds=_or_null(SECONDS),
        age_seconds=SECONDS,
        idle_seconds=_or_null(SECONDS),
        address=_or_null(TEXT),
        word=_or_null(word),
        doubtful=_said(YES_NO, "not heard of for long, and kept all the same"),
        goes=_said(YES_NO, "it is being shut down, or may be"),
        why=_said(TEXT, "why it is kept, or goes"),
        until_seconds=_or_null(SECONDS),
    )
    node["properties"]["operations"] = _said(_list(_ref("Operation")), "on this node; when one node is asked for")
    return node


def _container() -> Json:
    return _object(state=TEXT, priority=_said({"type": "integer"}, "0: nobody wants it any more"))


def _job() -> Json:
    return _object(
        id=TEXT,
        place=_said({"type": "integer", "minimum": 1}, "in the order of service"),
        priority={"type": "integer"},
        nodes=WHOLE,
        cores=NUMBER,
        ram=_said(NUMBER, "MB"),
        scratch=_said(NUMBER, "MB"),
        named_size=_or_null(TEXT),
        gres=_said(TEXT, "GPUs and the like that it asks of each node, as `gpu:1`; empty for none"),
        partitions=_said(_list(TEXT), "of Slurm, any of which will do"),
        group=_said(TEXT, "the name of the jobs that are like it in what they ask for and for whom"),
        sizes=_said(_list(TEXT), "that fit it, in the order in which they are tried"),
        slurm_reason=TEXT,
        in_slurm=YES_NO,
        container=_said(_or_null(_container()), "what Arvados says of it, from 3.0 on"),
        waiting_seconds=_or_null(SECONDS),
        served=_said(YES_NO, "a node is there or on its way"),
        why=_said(TEXT, "what stands in its way"),
        until_seconds=_or_null(SECONDS),
    )


def _group() -> Json:
    return _object(
        name=TEXT,
        words=_said(TEXT, "what its jobs are"),
        jobs=WHOLE,
        slurm_reason=_said(TEXT, "while a node was up"),
        node=_said(TEXT, "that stood idle for it; empty: none did"),
        idle_seconds=SECONDS,
        why=_said(TEXT, "why nothing, or little, is booted for it"),
        until_seconds=_or_null(SECONDS),
    )


def _size() -> Json:
    return _object(
        id=TEXT,
        instance_type=_or_null(TEXT),
        missing=_said(YES_NO, "the cloud does not offer it"),
        cores=_or_null(WHOLE),
        ram=_or_null(_said(NUMBER, "MB that jobs can count on")),
        scratch=_or_null(_said(NUMBER, "MB")),
        price=_or_null(_said(NUMBER, "$/hour")),
        preemptible=_or_null(YES_NO),
        gres=_or_null(_said(TEXT, "GPUs and the like, as `gpu:1`; empty for none")),
        partitions=_or_null(_said(_list(TEXT), "of Slurm, whose jobs alone it serves; empty for all")),
        wanted=WHOLE,
        nodes=STATES,
        trouble=_or_null(_said(TEXT, "what went wrong with its newest boot, while none has come up since")),
        rests=_or_null(_said(TEXT, "why nothing of it is booted now")),
        rest_seconds=_or_null(SECONDS),
    )


def _operation() -> Json:
    return _object(
        id=WHOLE,
        kind={"type": "string", "enum": ["boot", "shutdown", "kill", "chore"]},
        subject=TEXT,
        stage=TEXT,
        seconds=SECONDS,
        attempts=WHOLE,
        size=_or_null(TEXT),
        node=_or_null(TEXT),
        trouble=_or_null(_said(TEXT, "the error after which it waits for another attempt")),
        next_attempt_seconds=_or_null(SECONDS),
    )


# ---- paths -----------------------------------------------------------------------------------------------------------


def _answer(description: str, schema: Json) -> Json:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _answers(schema: Json, *codes: int) -> Json:
    texts = {400: "what is wrong with the request", 404: "there is no such thing"}
    texts |= {401: "a token is needed", 403: "not allowed"}
    return {
        "200": _answer("what was asked for", schema),
        **{str(code): _answer(texts[code], _ref("Error")) for code in sorted({401, 403, *codes})},
    }


def _get(summary: str, schema: Json, *codes: int, parameters: tuple[Json, ...] = ()) -> Json:
    get: Json = {"summary": summary, "responses": _answers(schema, *codes)}
    return {"get": get | ({"parameters": list(parameters)} if parameters else {})}


def _in_path(description: str) -> Json:
    return {"name": "name", "in": "path", "required": True, "schema": TEXT, "description": description}


def _in_query(name: str, description: str, least: int, most: int) -> Json:
    schema = {"type": "integer", "minimum": least, "maximum": most}
    return {"name": name, "in": "query", "schema": schema, "description": description}


def _paths() -> Json:
    node = _in_path("cloud id, cloud name or hostname")
    page = (
        _in_query("offset", "jobs to leave out", 0, 10**9),
        _in_query("limit", "jobs to show, 100 by default", 1, 1000),
    )
    after = (_in_query("after", "only those with a higher serial number", 0, 10**15),)
    jobs = _object(jobs=_list(_ref("Job")), offset=WHOLE, total=WHOLE)
    one_job = {"anyOf": [_ref("Job"), _ref("OtherJob")]}
    decisions = _object(run=_said(TEXT, "serials count anew in each"), last=WHOLE, decisions=_list(_ref("Decision")))
    hours = {
        "name": "hours",
        "in": "query",
        "schema": {"type": "number", "minimum": 0.1, "maximum": 168},
        "description": "how far back, 6 by default",
    }
    paths = {
        "/v1/status": _get("The daemon in one object", _ref("Status")),
        "/v1/nodes": _get("All nodes", _object(nodes=_list(_ref("Node")))),
        "/v1/nodes/{name}": _get("One node and the operations on it", _ref("Node"), 404, parameters=(node,)),
        "/v1/jobs": _get("Waiting jobs in the order of service", jobs, 400, parameters=page),
        "/v1/jobs/{name}": _get("One waiting job", one_job, 404, parameters=(_in_path("as Slurm names it"),)),
        "/v1/sizes": _get("All sizes", _object(sizes=_list(_ref("Size")))),
        "/v1/sizes/{name}": _get("One size", _ref("Size"), 404, parameters=(_in_path("NAME of [Size NAME]"),)),
        "/v1/groups": _get("Groups of jobs for which a node was up in vain", _object(groups=_list(_ref("Group")))),
        "/v1/retry/{name}": _retry(),
        "/v1/operations": _get("What is under way", _object(operations=_list(_ref("Operation")))),
        "/v1/polls": _get("The three lists", _object(polls=_list(_ref("Poll")))),
        "/v1/decisions": _get("The newest decisions, oldest first", decisions, 400, parameters=after),
        "/v1/history": _get("The last hours as lines", _ref("History"), 400, parameters=(hours,)),
    }
    return paths | {f"/v1/nodes/{{name}}/{word.value}": _say(word, node) for word in Word}


def _retry() -> Json:
    answers = _answers(_ref("Retried"), 400, 404)
    answers["202"] = _answer("taken, and not heard yet", _ref("Retried"))
    body = {"content": {"application/json": {"schema": _ref("Reason")}}}
    parameters = [_in_path("a group, a job, or NAME of [Size NAME]")]
    summary = "Nodes are tried again for a group of jobs"
    return {"post": {"summary": summary, "parameters": parameters, "requestBody": body, "responses": answers}}


def _say(word: Word, node: Json) -> Json:
    answers = _answers(_ref("Word"), 400, 404)
    answers["202"] = _answer("taken, and not heard yet", _ref("Word"))
    body = {"content": {"application/json": {"schema": _ref("Reason")}}}
    summary = f"An operator says {word.value}"
    return {"post": {"summary": summary, "parameters": [node], "requestBody": body, "responses": answers}}


@cache
def document() -> Json:
    """The whole description."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Arvados Node Manager", "version": __version__},
        "paths": _paths(),
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {"ManagementToken": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"ManagementToken": []}],
    }
