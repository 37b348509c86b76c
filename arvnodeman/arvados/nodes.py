"""Node records: the keeper that the nodes resource of an API server is (up to Arvados 2.7.4).

A record is written as the classic wrote it: the same attributes cleaned, size and price in `properties.cloud_node`;
with the token and the time of the boot beside them.
"""

from __future__ import annotations

import contextlib
import logging
import math
import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, ClassVar

from arvnodeman.arvados.client import client, is_last
from arvnodeman.config.settings import Settings
from arvnodeman.fleet.messages import RecordPrepared
from arvnodeman.fleet.values.model import (
    BootIntent,
    CloudNode,
    ErrorKind,
    NodeRecord,
    RemoteError,
    RemoteFailure,
    Secret,
)

PREPARED = "Prepared by Node Manager"
PAGE = 1000  # the most that a server gives at once
COLUMNS = [
    "uuid",
    "hostname",
    "domain",
    "slot_number",
    "created_at",
    "modified_at",
    "first_ping_at",
    "last_ping_at",
    "crunch_worker_state",
    "properties",
    "info",
]
NO_SLOT = (
    "Arvados: the API server has no free node slot: raise MaxComputeVMs there "
    "(servers from 2.6 on have a fixed, small number)"
)
NO_ADMIN = "Arvados: the API server hides what only administrators may see: the token is not an administrator's"

_UUID = re.compile(r"[a-z0-9]{5}-7ekkf-[a-z0-9]{15}")
# Slurm reads brackets and commas in a name as many nodes: a record must not be able to say that.
_HOSTNAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?")
_TEXTS = ("hostname", "domain", "created_at", "modified_at", "first_ping_at", "last_ping_at", "crunch_worker_state")
_INTENT = ("size", "price", "token", "at", "name")
_Source = tuple[Any, ...]
_log = logging.getLogger(__name__)


class ArvadosRecords:
    """Records in the nodes resource of an API server."""

    # Boots whose create request may have made a record although it failed, by token; known to all operators.
    _unsure: ClassVar[set[str]] = set()
    _lock: ClassVar = threading.Lock()

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.clock_offset: float | None = None
        self._read: dict[str, tuple[_Source, NodeRecord]] = {}  # by uuid: the last list, as it came and as read

    def list_records(self) -> tuple[NodeRecord, ...]:
        """All records, page by page (row A20). One that is malformed is left out, with a warning that names it. An item
        that has not changed since the last list stays the same object, and is not read again."""
        records = []
        read: dict[str, tuple[_Source, NodeRecord]] = {}
        for item in self._items():
            try:
                source = _source_of(item)
                known = self._read.get(source[0]) if source is not None else None
                record = known[1] if known is not None and known[0] == source else record_of(item)
                records.append(record)
                if source is not None:
                    read[record.uuid] = source, record
            except ValueError as error:
                _log.warning("Arvados: node record %.40s is left out: %s", _name_of(item), error)
        self._read = read
        return tuple(records)

    def prepare(self, intent: BootIntent, reuse: str | None) -> RecordPrepared:
        """One request: create, or the update that cleans, takes a slot and writes the intent (rows B6, B9, B14).

        ErrorKind.SLOTS when the server has no slot left; ErrorKind.GONE when `reuse` does not exist any more.
        """
        properties = {"cloud_node": properties_of(intent)}
        try:
            if reuse is not None:
                body = {"node": cleaned(PREPARED, properties)}
                return _prepared(self._call("update", uuid=reuse, body=body, assign_slot=True))
            found = self._made_before(intent.token)
            if found is None:
                found = self._create(intent.token, {"node": {"properties": properties}})
            return _prepared(found)
        except RemoteFailure as failure:
            if getattr(failure, "status", None) != 422 or "slot" not in failure.error.text:
                raise
        if reuse is not None:
            # The server has saved the intent all the same; left there, it would announce a node that never comes.
            with contextlib.suppress(RemoteFailure):
                self.release(reuse, PREPARED)
        raise RemoteFailure(RemoteError(ErrorKind.SLOTS, NO_SLOT, hint="[Daemon] max_nodes"))

    def describe(self, uuid: str, node: CloudNode) -> None:
        """Nothing: the node's ping tells the server."""

    def release(self, uuid: str, action: str) -> None:
        """Clean a record (row B6). The new ping secret, which the server then makes, shuts out the old node."""
        self._call("update", uuid=uuid, body={"node": cleaned(action, {})}, select=["uuid"])

    def _create(self, token: str, body: dict[str, Any]) -> dict[str, Any]:
        try:
            return self._call("create", body=body, assign_slot=True)
        except RemoteFailure as failure:
            if failure.error.kind is ErrorKind.TRANSIENT:
                with self._lock:
                    self._unsure.add(token)
            raise

    def _made_before(self, token: str) -> dict[str, Any] | None:
        """The record that an earlier attempt at this boot has made, if its answer got lost: else a slot would leak."""
        with self._lock:
            if token not in self._unsure:
                return None
        found = next((item for item in self._items() if _token_of(item) == token), None)
        with self._lock:
            self._unsure.discard(token)
        return found

    def _items(self) -> Iterator[Any]:
        """All items of the list, in the order of their uuids, by which the pages are cut: nothing is left out when
        records come and go meanwhile."""
        last = ""
        while True:
            filters = [["uuid", ">", last]] if last else []
            page = self._call("list", filters=filters, order=["uuid asc"], limit=PAGE, count="none", select=COLUMNS)
            items = page.get("items")
            if not isinstance(items, list):
                raise RemoteFailure(RemoteError(ErrorKind.TRANSIENT, "Arvados: nodes.list: the answer has no items"))
            if items and not any(isinstance(item, dict) and "info" in item for item in items):
                raise RemoteFailure(RemoteError(ErrorKind.REFUSED, NO_ADMIN, hint="[Arvados] token"))
            yield from items
            if is_last(page):
                return
            uuids = [item["uuid"] for item in items if isinstance(item, dict) and isinstance(item.get("uuid"), str)]
            if max(uuids, default="") <= last:
                raise RemoteFailure(RemoteError(ErrorKind.TRANSIENT, "Arvados: nodes.list: the pages do not go on"))
            last = max(uuids)

    def _call(self, method: str, **arguments: Any) -> dict[str, Any]:
        session = client(self._settings)
        try:
            return session.call("nodes", method, **arguments)
        finally:
            self.clock_offset = session.clock_offset


def _prepared(item: dict[str, Any]) -> RecordPrepared:
    try:
        record, secret = record_of(item), _text(_hash(item, "info"), "ping_secret")
    except ValueError as error:
        text = f"Arvados: node record {_name_of(item)} is of no use: {error}"
        raise RemoteFailure(RemoteError(ErrorKind.REFUSED, text)) from None
    if secret is None:
        raise RemoteFailure(RemoteError(ErrorKind.REFUSED, NO_ADMIN, hint="[Arvados] token"))
    return RecordPrepared(record, Secret(secret))


def cleaned(action: str, properties: dict[str, Any]) -> dict[str, Any]:
    """The attributes of a record that belongs to nobody. `info` is replaced as a whole, the ping secret with it."""
    return {
        "hostname": None,
        "ip_address": None,
        "slot_number": None,
        "first_ping_at": None,
        "last_ping_at": None,
        "properties": properties,
        "info": {"ec2_instance_id": None, "last_action": action},
    }


def properties_of(intent: BootIntent) -> dict[str, Any]:
    """The intent of a boot, as it is kept in `properties.cloud_node`."""
    at = datetime.fromtimestamp(intent.at, UTC).isoformat()
    return {"size": intent.size, "price": intent.price, "token": intent.token, "at": at}


def _source_of(item: object) -> _Source | None:
    """All that a record is made of, its uuid first: two items of one source make equal records. None where the item is
    strange."""
    if not isinstance(item, dict):
        return None
    uuid, info, properties = item.get("uuid"), item.get("info"), item.get("properties")
    if not (isinstance(uuid, str) and isinstance(info, dict) and isinstance(properties, dict)):
        return None
    cloud_node, slot = properties.get("cloud_node"), item.get("slot_number")
    source = (uuid, *map(item.get, _TEXTS), slot, type(slot), info.get("ec2_instance_id"))
    if not isinstance(cloud_node, dict):
        return source
    return (*source, type(cloud_node.get("price")), *map(cloud_node.get, _INTENT))


def record_of(item: object) -> NodeRecord:
    """A node of the API as a value. ValueError says what is wrong with it."""
    if not isinstance(item, dict):
        raise ValueError("it is not an object")
    uuid, slot, hostname = item.get("uuid"), item.get("slot_number"), _text(item, "hostname")
    if not isinstance(uuid, str) or not _UUID.fullmatch(uuid):
        raise ValueError("its uuid is not that of a node")
    if "info" not in item:
        raise ValueError("it has no info")  # without it no node could be recognised as its own
    if slot is not None and (not isinstance(slot, int) or isinstance(slot, bool)):
        raise ValueError("its slot_number is not a number")
    if hostname is not None and not _HOSTNAME.fullmatch(hostname):
        raise ValueError(f"its hostname {hostname[:80]!r} is none")
    cloud_node = _hash(item, "properties").get("cloud_node")
    name = cloud_node.get("name") if isinstance(cloud_node, dict) else None
    return NodeRecord(
        uuid=uuid,
        hostname=hostname,
        domain=_text(item, "domain"),
        slot=slot or None,  # 0 counts as unassigned at the server
        instance_id=_text(_hash(item, "info"), "ec2_instance_id"),
        created_at=_time(item, "created_at"),
        modified_at=_time(item, "modified_at"),
        first_ping_at=_time(item, "first_ping_at"),
        last_ping_at=_time(item, "last_ping_at"),
        worker_state=_text(item, "crunch_worker_state"),
        node_name=name if isinstance(name, str) and name else None,
        intent=intent_of(cloud_node),
    )


def intent_of(cloud_node: object) -> BootIntent | None:
    """The intent in `properties.cloud_node`; None where there is none, or a part of it is missing (the classic's has no
    token)."""
    match cloud_node:
        case {"size": str(size), "price": int() | float() as price, "token": str(token), "at": str(at)}:
            try:
                intent = BootIntent(size, float(price), token, _epoch(at))
            except (ValueError, OverflowError):
                return None
            good = size and token and not isinstance(price, bool) and math.isfinite(intent.price) and intent.price >= 0
            return intent if good else None
    return None


def _token_of(item: object) -> str | None:
    try:
        intent = record_of(item).intent
    except ValueError:
        return None
    return intent.token if intent else None


def _name_of(item: object) -> str:
    return str(item.get("uuid")) if isinstance(item, dict) else "without uuid"


def _text(item: dict[str, Any], name: str) -> str | None:
    value = item.get(name)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"its {name} is not text")
    return value or None


def _hash(item: dict[str, Any], name: str) -> dict[str, Any]:
    value = item.get(name)
    if value is not None and not isinstance(value, dict):
        raise ValueError(f"its {name} is not a hash")
    return value or {}


def _time(item: dict[str, Any], name: str) -> float | None:
    text = _text(item, name)
    if text is None:
        return None
    try:
        return _epoch(text)
    except ValueError:
        raise ValueError(f"its {name} is not a time: {text[:40]!r}") from None


def _epoch(text: str) -> float:
    """Seconds since the epoch, the fraction kept (row A18); a time without a zone is UTC."""
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
