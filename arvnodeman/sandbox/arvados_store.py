"""What the sandbox's API server keeps, and its rules: node records with slots and pings, jobs, containers and log rows.

A faithful double of the nodes API as it was up to Arvados 2.7.4. HTTP is spoken in `arvados_api`; the sandbox's site
may call the same methods directly. Every method may be called from any thread; one lock guards everything.
"""

from __future__ import annotations

import itertools
import secrets
import threading
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Literal

from arvnodeman.sandbox.arvados_query import ApiFailure, ListQuery, Row, normal_stamp, stamp

_BASE36 = "0123456789abcdefghijklmnopqrstuvwxyz"
_HOUR = 3600.0
_PENDING = 300.0  # seconds after which a node that never pinged is a `startup-fail`

COMMON = ("uuid", "owner_uuid", "created_at", "modified_at", "modified_by_user_uuid")
NODE_CLIENT_COLUMNS = frozenset(
    (
        "hostname",
        "domain",
        "ip_address",
        "slot_number",
        "job_uuid",
        "properties",
        "info",
        "first_ping_at",
        "last_ping_at",
    )
)
NODE_COLUMNS = NODE_CLIENT_COLUMNS | frozenset(COMMON)
LOG_CLIENT_COLUMNS = frozenset(("object_uuid", "object_owner_uuid", "event_type", "event_at", "summary", "properties"))
LOG_COLUMNS = LOG_CLIENT_COLUMNS | frozenset(COMMON)
PROGRESS_COLUMNS = frozenset(("progress", "runtime_status", "log", "cost"))  # of a container: its locker's alone
CONTAINER_CLIENT_COLUMNS = PROGRESS_COLUMNS | {"state", "priority", "locked_by_uuid"}
CONTAINER_COLUMNS = CONTAINER_CLIENT_COLUMNS | frozenset((*COMMON, "runtime_constraints", "scheduling_parameters"))
CONTAINER_COLUMNS |= {"runtime_user_uuid"}
USER_COLUMNS = frozenset((*COMMON, "username", "email", "is_admin", "is_active"))

# Container.state: the moves that the server allows.
CONTAINER_MOVES = {
    "Queued": ("Locked", "Cancelled"),
    "Locked": ("Queued", "Running", "Cancelled"),
    "Running": ("Complete", "Cancelled"),
    "Complete": (),
    "Cancelled": (),
}
_TOTALS = ("total_cpu_cores", "total_ram_mb", "total_scratch_mb")


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose token it is. `may_not`: resources that its scopes do not reach."""

    user_uuid: str
    admin: bool = True
    active: bool = True
    may_not: tuple[str, ...] = ()

    @property
    def token_uuid(self) -> str:
        """Of the token itself."""
        return self.user_uuid.replace("-tpzed-", "-gj3su-")


class ArvadosStore:
    """The rows of one API server. `clock` gives seconds since the epoch.

    `max_compute_vms`: slots 1 to this (MaxComputeVMs). `hostname_template`: `compute%d`, or None to leave hostnames
    empty. `jobs_mode`: "1.4" for a working jobs API, "2.0" for the read-only one.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        cluster: str = "zzzzz",
        max_compute_vms: int = 64,
        hostname_template: str | None = "compute%d",
        domain: str = "",
        jobs_mode: Literal["1.4", "2.0"] = "2.0",
    ) -> None:
        self.clock = clock
        self.cluster = cluster
        self.max_compute_vms = max_compute_vms
        self.hostname_template = hostname_template
        self.domain = domain
        self.jobs_mode = jobs_mode
        self.lock = threading.RLock()
        self.nodes: dict[str, Row] = {}
        self.logs: dict[str, Row] = {}
        self.containers: dict[str, Row] = {}
        self.users: dict[str, Row] = {}
        self.jobs: dict[str, Row] = {}
        self._callers: dict[str, Caller] = {}
        self._nanoseconds = itertools.cycle(range(1, 1000, 7))

    # ---- who asks ----

    def add_token(
        self, token: str, *, admin: bool = True, active: bool = True, may_not: tuple[str, ...] = ()
    ) -> Caller:
        """Let this token in, in its whole or its v2 form; again: with other rights from now on."""
        caller = Caller(f"{self.cluster}-tpzed-{_random(15)}", admin, active, may_not)
        with self.lock:
            self._callers[token] = caller
        return caller

    def revoke_token(self, token: str) -> None:
        """From now on this token is answered 401."""
        with self.lock:
            self._callers.pop(token, None)

    def caller(self, token: str) -> Caller | None:
        """Who sends this token, or None."""
        return self._callers.get(token)

    # ---- nodes ----

    def create_node(self, attributes: Mapping[str, Any], *, assign_slot: bool = False, by: str = "") -> Row:
        """nodes.create. ApiFailure 422 when no slot is free."""
        with self.lock:
            row = self._new_row("7ekkf", by)
            row |= dict.fromkeys(sorted(NODE_CLIENT_COLUMNS)) | {"properties": {}, "info": {}}
            self._write_node(row, attributes)
            if assign_slot:
                self._assign_slot(row)
            self.nodes[row["uuid"]] = row
            return deepcopy(row)

    def update_node(
        self,
        uuid: str,
        attributes: Mapping[str, Any],
        *,
        assign_slot: bool = False,
        by: str | None = None,
        forgotten: bool = False,
    ) -> Row:
        """nodes.update: hashes are replaced, not merged, so an `info` without ping_secret makes a new secret.

        `forgotten`, a fault: the answer is right, and nothing is kept of it."""
        with self.lock:
            before = self._node(uuid)
            row = dict(before)
            self._write_node(row, attributes)
            if assign_slot:
                self.nodes[uuid] = row  # the server saves the attributes even when no slot is free
                self._assign_slot(row)
            self._touch(row, by)
            self.nodes[uuid] = before if forgotten else row
            return deepcopy(row)

    def delete_node(self, uuid: str) -> Row:
        """nodes.delete."""
        with self.lock:
            self._node(uuid)
            return self.nodes.pop(uuid)

    def ping(
        self,
        uuid: str,
        secret: str,
        *,
        ip: str | None,
        instance_id: str | None = None,
        totals: Mapping[str, Any] | None = None,
    ) -> Row:
        """nodes.ping: a compute node says that it is up. The answer is the whole record, as an administrator sees it.

        ApiFailure 401 "Incorrect ping_secret" for a wrong secret (the node halts itself on that text), 404 for an
        unknown uuid, 422 when another instance has registered before, or no slot is free.
        """
        with self.lock:
            row = deepcopy(self._node(uuid))
            if not secret or not ip:
                raise ApiFailure(422, "#<RuntimeError: must have :ip and :ping_secret>")
            if not secrets.compare_digest(secret.encode(), str(row["info"].get("ping_secret")).encode()):
                raise ApiFailure(401, "#<ArvadosModel::UnauthorizedError: Incorrect ping_secret>")
            known = row["info"].get("ec2_instance_id")
            if instance_id and known and known != instance_id:
                text = f"{uuid} is already running at {known} so rejecting ping from {instance_id}"
                raise ApiFailure(422, f"#<RuntimeError: {text}>")
            self._take_ping(row, ip, instance_id, totals or {})
            self.nodes[uuid] = row
            return deepcopy(row)

    def _take_ping(self, row: Row, ip: str, instance_id: str | None, totals: Mapping[str, Any]) -> None:
        self._assign_slot(row)
        row["last_ping_at"] = self._now()
        if row["ip_address"] is None:
            row["ip_address"] = ip
            row["first_ping_at"] = row["last_ping_at"]
            for other in self.nodes.values():  # the newest ping wins an address
                if other["ip_address"] == ip and other["uuid"] != row["uuid"]:
                    other["ip_address"] = None
        if instance_id and not row["info"].get("ec2_instance_id"):
            row["info"]["ec2_instance_id"] = instance_id
        for key in _TOTALS:
            row["properties"].pop(key, None)
            if totals.get(key):
                row["properties"][key] = _leading_int(totals[key])
        self._touch(row, None)

    def node_status(self, row: Row) -> str:
        """The computed attribute `status`."""
        now = self.clock()
        if row["last_ping_at"] is None:
            return "startup-fail" if row["created_at"] < stamp(now - _PENDING) else "pending"
        return "missing" if row["last_ping_at"] < stamp(now - _HOUR) else "running"

    def recently_pinged(self, row: Row) -> bool:
        """Only such nodes are shown to callers who are no administrators."""
        return row["last_ping_at"] is not None and row["last_ping_at"] >= stamp(self.clock() - _HOUR)

    def _node(self, uuid: str) -> Row:
        try:
            return self.nodes[uuid]
        except KeyError:
            raise ApiFailure(404, "Path not found") from None

    def _write_node(self, row: Row, attributes: Mapping[str, Any]) -> None:
        new = dict(attributes)
        for name in ("properties", "info"):
            if name in new:
                new[name] = deepcopy(_hash(name, new[name]))
        for name in ("first_ping_at", "last_ping_at"):
            if isinstance(new.get(name), str):
                new[name] = normal_stamp(new[name])
        slot = new.get("slot_number")
        if slot is not None and slot in self._slots(but=row["uuid"]):
            raise ApiFailure(422, "#<ActiveRecord::RecordNotUnique: PG::UniqueViolation: index_nodes_on_slot_number>")
        row |= new
        if not row["info"].get("ping_secret"):
            row["info"] = {**row["info"], "ping_secret": _random(50)}

    def _slots(self, but: str) -> set[int]:
        return {r["slot_number"] for r in self.nodes.values() if r["slot_number"] is not None and r["uuid"] != but}

    def _assign_slot(self, row: Row) -> None:
        if not row["slot_number"]:  # 0 counts as unassigned
            taken = self._slots(but=row["uuid"])
            slot = next((n for n in range(1, self.max_compute_vms + 1) if n not in taken), None)
            if slot is None:
                raise ApiFailure(422, "#<RuntimeError: No available node slots>")
            row["slot_number"] = slot
            if row["hostname"] is None and self.hostname_template:
                row["hostname"] = self._hostname(self.hostname_template, slot)

    @staticmethod
    def _hostname(template: str, slot: int) -> str:
        try:
            return template % slot
        except (TypeError, ValueError):
            raise ApiFailure(422, "#<ArgumentError: malformed format string>") from None

    # ---- logs, containers, jobs ----

    def create_log(self, attributes: Mapping[str, Any], *, by: str = "") -> Row:
        """logs.create; the object that it is about need not exist."""
        with self.lock:
            row = self._new_row("57u5n", by) | dict.fromkeys(sorted(LOG_CLIENT_COLUMNS)) | {"properties": {}}
            row |= attributes
            row["properties"] = deepcopy(_hash("properties", row["properties"]))
            row["event_at"] = normal_stamp(row["event_at"]) if row["event_at"] else row["created_at"]
            self.logs[row["uuid"]] = row
            return deepcopy(row)

    def add_user(self, username: str | None) -> Row:
        """A user of the site."""
        with self.lock:
            row = self._new_row("tpzed", "")
            row |= {"username": username, "email": f"{username}@example.com", "is_admin": False, "is_active": True}
            self.users[row["uuid"]] = row
            return deepcopy(row)

    def user_named(self, username: str) -> Row:
        """The user of this name, who joins the site where it has none."""
        with self.lock:
            known = (row for row in self.users.values() if row["username"] == username)
            return next(known, None) or self.add_user(username)

    def add_container(self, *, uuid: str | None = None, state: str = "Queued", **columns: Any) -> Row:
        """A container that the workload brings. `columns`: priority, runtime_constraints, scheduling_parameters,
        runtime_user_uuid."""
        with self.lock:
            row = self._new_row("dz642", "") | dict.fromkeys(sorted(CONTAINER_COLUMNS - set(COMMON)))
            hashes: Row = {"runtime_constraints": {}, "scheduling_parameters": {}, "runtime_status": {}}
            row |= {"state": state, "priority": 500} | hashes | columns | ({"uuid": uuid} if uuid else {})
            self.containers[row["uuid"]] = row
            return deepcopy(row)

    def update_container(
        self, uuid: str, attributes: Mapping[str, Any], *, by: str | None = None, token: str | None = None
    ) -> Row:
        """containers.update. ApiFailure 422 for a change of state that the server does not allow, and for progress or a
        lock written by another token than the one that has locked it. `token`: its uuid; None: the site's own."""
        with self.lock:
            row = dict(self._of(self.containers, uuid))
            old, new = row["state"], attributes.get("state", row["state"])
            if new != old and new not in CONTAINER_MOVES.get(old, ()):
                raise ApiFailure(422, f"State cannot change from {old} to {new}")
            locker = row["locked_by_uuid"]
            others = sorted(PROGRESS_COLUMNS & attributes.keys()) if locker and token and locker != token else []
            if others:
                raise ApiFailure(422, f"{others[0].capitalize().replace('_', ' ')} cannot be modified in state {old}")
            row |= deepcopy(dict(attributes))
            row["locked_by_uuid"] = (locker or token) if new in ("Locked", "Running") else None
            if row["locked_by_uuid"] != attributes.get("locked_by_uuid", row["locked_by_uuid"]):
                raise ApiFailure(422, "Locked by uuid cannot be changed")
            self._touch(row, by)
            self.containers[uuid] = row
            return deepcopy(row)

    def add_job(self, runtime_constraints: Mapping[str, Any], *, priority: int = 0, state: str = "Queued") -> Row:
        """A job of the jobs API of 1.4."""
        with self.lock:
            row = self._new_row("8i9sb", "")
            row |= {"state": state, "priority": priority, "runtime_constraints": dict(runtime_constraints)}
            self.jobs[row["uuid"]] = row
            return deepcopy(row)

    def cancel_job(self, uuid: str) -> Row:
        """jobs.cancel: works up to 1.4, is refused with 400 from 2.0 on."""
        with self.lock:
            if self.jobs_mode == "2.0":
                raise ApiFailure(400, "Unsupported legacy jobs API")
            row = self._of(self.jobs, uuid)
            row["state"] = "Cancelled"
            self._touch(row, None)
            return deepcopy(row)

    def queued_jobs(self) -> list[Row]:
        """jobs.queue: by priority, then age; always empty from 2.0 on."""
        with self.lock:
            queued = [row for row in self.jobs.values() if row["state"] == "Queued" and self.jobs_mode == "1.4"]
            return deepcopy(sorted(queued, key=lambda row: (-row["priority"], row["created_at"])))

    def list_rows(
        self, rows: Mapping[str, Row], query: ListQuery, visible: Callable[[Row], bool] | None = None
    ) -> tuple[list[Row], int]:
        """One page of `rows`, and how many match in all. The rows are the store's own: do not change them."""
        with self.lock:
            return query.page(rows.values() if visible is None else [row for row in rows.values() if visible(row)])

    def _of(self, rows: dict[str, Row], uuid: str) -> Row:
        try:
            return rows[uuid]
        except KeyError:
            raise ApiFailure(404, "Path not found") from None

    # ---- common to all rows ----

    def _now(self) -> str:
        return stamp(self.clock(), next(self._nanoseconds))

    def _new_row(self, kind: str, by: str) -> Row:
        now = self._now()
        return {
            "uuid": f"{self.cluster}-{kind}-{_random(15)}",
            "owner_uuid": f"{self.cluster}-tpzed-000000000000000",
            "created_at": now,
            "modified_at": now,
            "modified_by_user_uuid": by or f"{self.cluster}-tpzed-000000000000000",
        }

    def _touch(self, row: Row, by: str | None) -> None:
        row["modified_at"] = self._now()
        row["modified_by_user_uuid"] = by or f"{self.cluster}-tpzed-000000000000000"


def _random(length: int) -> str:
    number, digits = secrets.randbits(length * 6), []
    for _ in range(length):
        number, digit = divmod(number, 36)
        digits.append(_BASE36[digit])
    return "".join(digits)


def _hash(name: str, value: object) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ApiFailure(422, f"#<TypeError: parameter {name} must be a Hash>")
    return value


def _leading_int(value: object) -> int:
    """Ruby's to_i: the number at the front, else 0."""
    text = str(value).strip()
    digits = "".join(itertools.takewhile(str.isdigit, text))
    return int(digits) if digits else 0
