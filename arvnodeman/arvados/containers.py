"""What Arvados says of the containers behind Slurm's waiting jobs, for people who ask why they wait: state, priority.

Servers from 3.0 on have no queue of jobs; their dispatcher submits containers to Slurm, and tells it their order.
Nothing is decided by this: a server that does not answer, or does not let this token ask, costs a line and no poll.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

from arvnodeman.arvados.client import client, is_last
from arvnodeman.arvados.container_users import COLUMN, ContainerUsers, user_of
from arvnodeman.config.daemon import ARVADOS_CONTAINER
from arvnodeman.config.settings import Settings
from arvnodeman.fleet.values.model import ErrorKind, RemoteFailure
from arvnodeman.fleet.values.waits import Container

if TYPE_CHECKING:
    from arvnodeman.arvados.session import Session

PAGE = 1000
PAGES = 10  # in one poll: those of the highest priority; more would keep the server busy for what few people ask
REFUSED_FOR = 600.0  # seconds until a server that refused is asked again
NAMED = 5  # malformed containers named in one poll
_WAITING = [["state", "in", ["Queued", "Locked"]]]
_SELECT = ["uuid", "state", "priority", COLUMN]
_REQUEST_ID = re.compile(r"\(req-[^)]*\)")
_log = logging.getLogger(__name__)


class Containers:
    """One poller's view of the containers that wait. Never raises for what a server does."""

    def __init__(
        self,
        settings: Settings,
        monotonic: Callable[[], float] = time.monotonic,
        users: ContainerUsers | None = None,
    ) -> None:
        """`users`: is told whom each container runs for, so that it need not ask."""
        self._settings = settings
        self._users = users
        self._monotonic = monotonic
        self._complaint = ""
        self._not_before = float("-inf")

    def fetch(self, names: Collection[str]) -> Mapping[str, Container]:
        """The containers among these waiting jobs, by name; without a request when none is one, or the server keeps a
        queue of its own (up to 2.7)."""
        if self._monotonic() < self._not_before or not any(ARVADOS_CONTAINER in name for name in names):
            return {}
        try:
            session = client(self._settings)
            if session.has("jobs") or not session.has("containers"):
                return {}
            found = self._waiting(session)
        except RemoteFailure as failure:
            self._complain(failure)
            return {}
        if self._complaint:
            _log.info("Arvados lists containers again")
        self._complaint = ""
        return {name: found[name] for name in names if name in found}

    def _waiting(self, session: Session) -> dict[str, Container]:
        found: dict[str, Container] = {}
        strange: list[str] = []
        users: dict[str, str] = {}
        order = ["priority desc", "uuid asc"]
        asked = {"filters": _WAITING, "select": _SELECT, "order": order, "count": "none", "limit": PAGE}
        offset = 0
        for _ in range(PAGES):
            page = session.call("containers", "list", offset=offset, **asked)
            items = page.get("items")
            if not isinstance(items, list):
                strange.append("the answer has no items")
                break
            for item in items:
                try:
                    uuid, container = container_of(item)
                except ValueError as error:
                    strange.append(str(error))
                else:
                    found[uuid], users[uuid] = container, user_of(item)
            offset += len(items)
            if is_last(page):
                break
        self._report(strange)
        if self._users is not None:
            self._users.learn(users)
        return found

    def _report(self, strange: list[str]) -> None:
        for text in strange[:NAMED]:
            _log.warning("Arvados: containers.list: %s", text)
        if len(strange) > NAMED:
            _log.warning("Arvados: containers.list: %d more malformed containers", len(strange) - NAMED)

    def _complain(self, failure: RemoteFailure) -> None:
        """Log each text once. A refusal lasts until somebody changes the token."""
        error = failure.error
        if error.kind is ErrorKind.REFUSED:
            self._not_before = self._monotonic() + REFUSED_FOR
        text = _REQUEST_ID.sub("", error.text)
        if text != self._complaint:
            self._complaint = text
            hint = f" (look at {error.hint})" if error.hint else ""
            _log.warning("What Arvados says of waiting containers is not shown: %s%s", error.text, hint)


def container_of(item: Any) -> tuple[str, Container]:
    """The uuid, and the container. ValueError with a line that names it when it is malformed."""
    uuid = item.get("uuid") if isinstance(item, dict) else None
    if not isinstance(uuid, str) or ARVADOS_CONTAINER not in uuid:
        raise ValueError(f"no container: {item!r:.80}")
    state, priority = item.get("state"), item.get("priority")
    if not isinstance(state, str) or not state or not state.isprintable() or len(state) > 40:
        raise ValueError(f"container {uuid:.40} has the state {state!r:.40}")
    if not isinstance(priority, int) or isinstance(priority, bool):
        raise ValueError(f"container {uuid:.40} has the priority {priority!r:.40}")
    return uuid, Container(state, priority)
