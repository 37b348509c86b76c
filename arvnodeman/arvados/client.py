"""One SDK client for each thread, made when it is first needed and kept (row A21).

The SDK itself (0.3 s and 48 MB to import) is loaded with the first client, so that a process that never asks Arvados
anything does not pay for it.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from arvnodeman.config.settings import Settings

if TYPE_CHECKING:
    from arvnodeman.arvados.session import Session

_own = threading.local()


def client(settings: Settings) -> Session:
    """This thread's client; a new one when [Arvados] or the certificates are others than before.

    RemoteFailure when the server's discovery document cannot be fetched, for which the first client of a process asks.
    """
    from arvnodeman.arvados.session import Session

    session: Session | None = getattr(_own, "session", None)
    options, certs_file = settings.arvados, settings.daemon.certs_file
    if session is not None and (session.options, session.certs_file) == (options, certs_file) and not session.outdated:
        return session
    if session is not None:
        session.close()
        _own.session = None
    _own.session = session = Session(options, certs_file)
    return session


def is_last(page: Mapping[str, Any]) -> bool:
    """Whether a page of a list is the last one: it has fewer items than the limit that the server says it has used,
    which may be lower than the one asked for."""
    items, limit = page.get("items"), page.get("limit")
    return not items or (isinstance(limit, int) and len(items) < limit)
