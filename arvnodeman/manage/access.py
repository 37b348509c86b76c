"""Who may ask for what. Looked at before any page is made.

The unix socket lets in the daemon's own account and root, and nobody else, and gives every right. Over TCP, what only
reads needs the ManagementToken when one is configured, and without one is served to loopback only; what changes
something always needs one.
"""

from __future__ import annotations

import hmac
import ipaddress
from enum import Enum

from werkzeug.wrappers import Request

from arvnodeman.fleet.values.model import Secret
from arvnodeman.leader.keeper import Leading

LOCAL = "arvnodeman.local"  # in the environment of requests that came through the unix socket; no header can set it
FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Via")


class Right(Enum):
    """What a page needs."""

    OPEN = "open"  # anybody may
    READ = "read"
    CHANGE = "change"


class Refusal(Exception):
    """Not allowed. The text is for whoever asked."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


class AccessControl:
    """Checks each request. Any thread."""

    def __init__(self, token: Secret) -> None:
        """`token`: the ManagementToken; an empty one when none is configured."""
        self._token = token

    def check(self, request: Request, right: Right) -> None:
        """Raises Refusal when the request may not have what it asks for."""
        if right is Right.OPEN or request.environ.get(LOCAL) is True:
            return
        token = self._token
        if token:
            check_token(request, token)
        elif right is Right.CHANGE:
            raise Refusal(403, "changes need a [Manage] ManagementToken, or the command line on the daemon's machine")
        elif not is_loopback(request):
            raise Refusal(403, "without a [Manage] ManagementToken this is served to the daemon's own machine only")


def check_token(request: Request, token: Secret) -> None:
    """Raises Refusal when the request does not show the token. Takes as long for a wrong one as for a right one."""
    sent = request.headers.get("Authorization")
    if not sent:
        raise Refusal(401, "authorization required")
    if not hmac.compare_digest(sent.encode(), f"Bearer {token.reveal()}".encode()):
        raise Refusal(403, "authorization error")


def is_loopback(request: Request) -> bool:
    """Does the request come from this machine, and not by way of a proxy or of a name that a web page made up?

    A page in a browser on this machine can ask under a name of its own that resolves to loopback: the Host header then
    tells that name."""
    if any(name in request.headers for name in FORWARDED):
        return False
    return _is_loopback_address(request.remote_addr or "") and _is_loopback_name(request.host)


def _is_loopback_address(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return bool((mapped or found).is_loopback)


def _is_loopback_name(host: str) -> bool:
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return name == "localhost" or _is_loopback_address(name)


def check_leads(leading: Leading | None) -> None:
    """Raises Refusal where operators' words are for another manager."""
    if leading is None or leading.left > 0:
        return
    if leading.leader and not leading.leads:
        raise Refusal(409, f"this manager stands by and takes no directives: {leading.leader} leads, send it there")
    raise Refusal(409, f"this manager is not certain to lead and takes no directives: {leading.words}")
