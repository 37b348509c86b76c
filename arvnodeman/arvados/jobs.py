"""Arvados' own queue of jobs; and what is said of work that no size can serve: why, and that it ends."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from typing import Any

from arvnodeman.arvados.client import client, is_last
from arvnodeman.config.daemon import ARVADOS_CONTAINER
from arvnodeman.config.settings import Settings
from arvnodeman.fleet.values.model import ErrorKind, Job, JobShape, RemoteError, RemoteFailure

PAGE = 1000
MAX_JOBS = 100_000  # a queue that does not end is an error of the server
_ENDED = ("Complete", "Cancelled")
_log = logging.getLogger(__name__)


class JobsQueue:
    """The jobs API of servers up to 1.4 (empty from 2.0 on, absent from 3.0 on), logs and containers.

    RemoteFailure from every method; any thread, each with a connection of its own.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def waiting(self) -> tuple[Job, ...]:
        """The queued jobs in the server's order; a malformed one is left out, with a warning that names it."""
        jobs: dict[str, Job] = {}
        for item in self._items():
            try:
                job = job_of(item)
            except (ValueError, TypeError, AttributeError) as error:
                name = item.get("uuid") if isinstance(item, dict) else None
                _log.warning("Arvados: job %.40s is left out: %s", name, error)
            else:
                jobs.setdefault(job.id, job)  # the pages shift while jobs start
        return tuple(jobs.values())

    def explain(self, uuid: str, reason: str) -> None:
        """Log the reason on a job or container, where its owner sees it; once, however often a cancellation has to be
        tried.

        Servers from 3.0 on sweep away rows of type stderr, and show those of type dispatch."""
        session = client(self._settings)
        event_type = "stderr" if session.has("nodes") else "dispatch"
        filters = [["object_uuid", "=", uuid], ["event_type", "=", event_type]]
        told = session.call("logs", "list", filters=filters, order=["created_at desc"], limit=PAGE).get("items") or []
        if any((row.get("properties") or {}).get("text") == reason for row in told):
            return
        row = {"object_uuid": uuid, "event_type": event_type, "properties": {"text": reason}}
        session.call("logs", "create", body={"log": row})

    def cancel(self, uuid: str) -> None:
        """Cancel a job, or a container: a bare scancel only makes the dispatcher queue that again (row N6).

        One that has ended by itself meanwhile is fine."""
        session = client(self._settings)
        if ARVADOS_CONTAINER not in uuid:
            session.call("jobs", "cancel", uuid=uuid)
            return
        if not session.has("containers"):
            return
        try:
            session.call("containers", "update", uuid=uuid, body={"container": {"state": "Cancelled"}})
        except RemoteFailure as failure:
            if getattr(failure, "status", None) != 422:
                raise
            if session.call("containers", "get", uuid=uuid).get("state") not in _ENDED:
                raise failure from None

    def _items(self) -> Iterator[Any]:
        session = client(self._settings)
        if not session.has("jobs"):
            return
        offset = 0
        while offset < MAX_JOBS:
            page = session.call("jobs", "queue", limit=PAGE, offset=offset)
            items = page.get("items")
            if not isinstance(items, list):
                raise RemoteFailure(RemoteError(ErrorKind.TRANSIENT, "Arvados: jobs.queue: the answer has no items"))
            yield from items
            offset += len(items)
            if is_last(page):
                return


def job_of(item: dict[str, Any]) -> Job:
    """A job of the API as a value. ValueError, TypeError or AttributeError when it is malformed."""
    uuid, wanted = item.get("uuid"), item.get("runtime_constraints")
    if not isinstance(uuid, str) or not uuid:
        raise ValueError("it has no uuid")
    constraints = wanted or {}
    shape = JobShape(
        cores=_number(constraints, "min_cores_per_node") or 1,
        ram=_number(constraints, "min_ram_mb_per_node"),
        scratch=_number(constraints, "min_scratch_mb_per_node"),
        nodes=int(_number(constraints, "min_nodes")) or 1,
    )
    return Job(id=uuid, shape=shape, priority=int(_number(item, "priority")), in_slurm=False)


def _number(values: dict[str, Any], name: str) -> float:
    """A number, which may come as text; 0 where there is none."""
    number = float(values.get(name) or 0)
    if not math.isfinite(number) or (number < 0 and name != "priority"):
        raise ValueError(f"its {name} is {number}")
    return number
