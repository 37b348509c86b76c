"""Which user of Arvados each container runs for, by name: to Slurm, all of them are jobs of the dispatcher's account.

The user is the one whose rights it has (`runtime_user_uuid`): whoever asked for it first, where it serves several
requests. Only bills and budgets use it: if a server does not answer, that costs a log line, and no poll.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from arvnodeman.arvados.client import client, is_last
from arvnodeman.config.daemon import ARVADOS_CONTAINER
from arvnodeman.config.settings import Settings
from arvnodeman.fleet.values.model import ErrorKind, RemoteFailure

if TYPE_CHECKING:
    from arvnodeman.arvados.session import Session

AT_ONCE = 500  # uuids in one request
REQUESTS = 10  # in one poll, of containers; those that are left over come with the next
FAILED_FOR = 60.0  # seconds until a server that failed is asked again
REFUSED_FOR = 600.0
COLUMN = "runtime_user_uuid"
_log = logging.getLogger(__name__)


class ContainerUsers:
    """One poller's view. Never raises for what a server does.

    Each container is asked for once, and each user once; both are forgotten when nobody asks about them any more."""

    def __init__(self, settings: Settings, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._monotonic = monotonic
        self._not_before = float("-inf")
        self._complaint = ""
        self._users: dict[str, str] = {}  # of each container the user's uuid; '': the server does not tell
        self._names: dict[str, str] = {}  # of each user, by uuid; the uuid itself where the server tells no other

    def learn(self, users: Mapping[str, str]) -> None:
        """Somebody else has heard of these containers, with the uuids of their users."""
        self._users.update(users)

    def fetch(self, jobs: Collection[str]) -> Mapping[str, str]:
        """Of those of these jobs that are containers the user's name: the uuid while the name is not known. A
        container that the server did not tell of is left out."""
        containers = [name for name in jobs if ARVADOS_CONTAINER in name]
        self._users = {name: self._users[name] for name in containers if name in self._users}
        if self._monotonic() >= self._not_before and self._lacks_any(containers):
            self._ask([name for name in containers if name not in self._users])
        found = {name: user for name in containers if (user := self._users.get(name))}
        self._names = {user: self._names[user] for user in set(found.values()) if user in self._names}
        return {name: self._names.get(user, user) for name, user in found.items()}

    def _lacks_any(self, containers: Sequence[str]) -> bool:
        users = set(self._users.values()) - {""}
        return len(self._users) < len(set(containers)) or not users <= self._names.keys()

    def _ask(self, containers: Sequence[str]) -> None:
        try:
            session = client(self._settings)
            if session.has("containers"):
                for start in range(0, min(len(containers), REQUESTS * AT_ONCE), AT_ONCE):
                    some = containers[start : start + AT_ONCE]
                    found = {item["uuid"]: user_of(item) for item in _rows(session, "containers", some, COLUMN)}
                    self._users |= dict.fromkeys(some, "") | {name: found[name] for name in some if name in found}
                self._ask_names(session)
        except RemoteFailure as failure:
            self._complain(failure)
        else:
            if self._complaint:
                _log.info("the owners of containers are known again")
            self._complaint = ""

    def _ask_names(self, session: Session) -> None:
        new = sorted(set(self._users.values()) - self._names.keys() - {""})
        for start in range(0, len(new), AT_ONCE):
            some = new[start : start + AT_ONCE]
            found = {item["uuid"]: item.get("username") for item in _rows(session, "users", some, "username")}
            names = {uuid: name for uuid, name in found.items() if isinstance(name, str) and name}
            self._names |= {uuid: names.get(uuid, uuid) for uuid in some}

    def _complain(self, failure: RemoteFailure) -> None:
        """Once for each text."""
        error = failure.error
        self._not_before = self._monotonic() + (REFUSED_FOR if error.kind is ErrorKind.REFUSED else FAILED_FOR)
        text = error.text.partition(" (req-")[0]
        if text != self._complaint:
            self._complaint = text
            hint = f" (look at {error.hint})" if error.hint else ""
            _log.warning(
                "The owners of containers are not known; the dispatcher or a user's uuid pays for them: %s%s",
                error.text,
                hint,
            )


def user_of(container: Mapping[str, Any]) -> str:
    """The uuid of the user whom a container runs for; '' where the server does not tell, or tells what is none."""
    user = container.get(COLUMN)
    return user if isinstance(user, str) and user.isprintable() and len(user) <= 40 else ""


def _rows(session: Session, resource: str, uuids: Sequence[str], column: str) -> Iterator[Mapping[str, Any]]:
    """The containers of these that the server lists. It may use smaller pages than asked for. RemoteFailure."""
    filters, offset = [["uuid", "in", list(uuids)]], 0
    while offset < len(uuids):
        page = session.call(
            resource, "list", filters=filters, select=["uuid", column], order=["uuid asc"], count="none",
            limit=len(uuids), offset=offset,
        )  # fmt: skip
        items = page.get("items")
        if not isinstance(items, list) or not items:
            return
        yield from (item for item in items if isinstance(item, dict) and isinstance(item.get("uuid"), str))
        offset += len(items)
        if is_last(page):
            return
