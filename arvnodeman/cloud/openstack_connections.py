"""How requests go to an OpenStack's services: libcloud's connections, corrected where they and their errors mislead.

* An error of the identity service is told from one of the compute service: a 404 of the first says nothing of a server.
* A token that is refused although it is new is not a token that ran out: libcloud would fetch another for ever.
* One token serves all the services; libcloud fetches one for each.
* Nova repeats the value that it refuses, user data and all: what it says of the value is kept, the value is not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from libcloud.common.exceptions import BaseHTTPError, RateLimitReachedError
from libcloud.common.openstack_identity import OpenStackServiceCatalog
from libcloud.common.types import MalformedResponseError
from libcloud.compute.drivers.openstack import (
    OpenStack_1_1_Response,
    OpenStack_2_Connection,
    OpenStack_2_ImageConnection,
    OpenStack_2_NetworkConnection,
)

VERSION = "OpenStack-API-Version"
UNKNOWN_ITEM = "itemNotFound"
"""Nova's own word for a server that it does not know."""
_STRANGE = (AttributeError, LookupError, TypeError, ValueError, StopIteration)
_ITEM = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?<=/metadata/)[^/]+")
_MARKUP = re.compile(r"<(style|script|head)\b.*?</\1>|<[^>]*>", re.DOTALL | re.IGNORECASE)
_VALUE = re.compile(r"(Invalid input for field/attribute [^.]*)\. Value: (.*)", re.DOTALL)
_WRONG = re.compile(  # as jsonschema says what is wrong, and of which property, where that is not the value itself
    r"(?:'[^']{1,255}' )?(?:is too (?:long|short)|is not of type '\w+'|is not one of \[.*\]|is not a '[\w-]+'"
    r"|is a required property|does not match (?:any of the regexes: )?'.*')$"
    r"|Additional properties are not allowed \([^()]{1,80}\)$"
)
_LONGEST_WRONG = 600  # characters from the end
_LONGEST_PROPERTY = 40  # characters of its name
_MALFORMED = re.compile(r"code: (\d{3}) body:(.*)", re.DOTALL)


class IdentityError(BaseHTTPError):  # type: ignore[misc]  # libcloud has no types
    """An error of the identity service, or of whatever is in its place."""


def identity_error(status: int, body: object, headers: object = None) -> IdentityError:
    """The error that such an answer stands for: `identity service: STATUS what it says`."""
    text = str(body)
    try:
        words = str(json.loads(text)["error"]["message"])
    except (*_STRANGE, RecursionError):
        words = _MARKUP.sub(" ", text)
    return IdentityError(status, f"identity service: {status} {' '.join(words.split())}".rstrip(), headers)


def without_value(text: str) -> str:
    """What nova says of a value that it refuses, without the value. It is there as Python shows it, which may be our
    whole request; what is wrong with it comes last."""
    found = _VALUE.search(text)
    if found is None:
        return text
    wrong = _WRONG.search(found[2][-_LONGEST_WRONG:])
    said = wrong[0] if wrong else "is refused"
    subject, quoted, rest = said.partition("' ") if said.startswith("'") else ("", "", said)
    if len(subject) > _LONGEST_PROPERTY:  # the value itself
        subject = quoted = ""
    return f"{text[: found.start()]}{found[1]}: {subject}{quoted}{rest}"


class OpenStackAnswer(OpenStack_1_1_Response):  # type: ignore[misc]  # libcloud has no types
    """An answer of one of the services."""

    def parse_error(self) -> str:
        """`STATUS reason message`; whatever there is, where that is not."""
        message = self._message()
        try:
            text = f"{self.status} {self.error} {message}" if message else str(super().parse_error())
        except _STRANGE:
            text = f"{self.status} {self.error} {self.body}"
        return without_value(text)

    def _message(self) -> str:
        """What the layers before a service say: `message` is at the top, with markup for a page."""
        try:
            found = json.loads(self.body)["message"]
        except (*_STRANGE, RecursionError):
            return ""
        return " ".join(_MARKUP.sub(" ", found).split()) if isinstance(found, str) else ""


class ComputeAnswer(OpenStackAnswer):
    """An answer of the compute service."""

    def parse_error(self) -> str:
        """Nova's own code for an unknown thing comes first: any other 404 may be that of a proxy or a wrong URL."""
        text = super().parse_error()
        return f"{UNKNOWN_ITEM}: {text}" if int(self.status) == 404 and self._has_code(UNKNOWN_ITEM) else text

    def _has_code(self, code: str) -> bool:
        try:
            return bool(json.loads(self.body)[code]["code"] == int(self.status))
        except (*_STRANGE, RecursionError):
            return False


class _Service:
    """Mixed into the connection class of each service. One thread uses a connection."""

    def get_auth_class(self) -> Any:
        """The compute connection's, which all of a driver share."""
        first = getattr(getattr(self, "driver", None), "connection", None)
        return super().get_auth_class() if first in (None, self) else first.get_auth_class()  # type: ignore[misc]

    def _populate_hosts_and_request_paths(self) -> None:
        """Find the service, with a token that another connection may have fetched. Raises IdentityError."""
        mine: Any = self
        identity = mine.get_auth_class()
        if mine.auth_token != identity.auth_token and identity.is_token_valid() and identity.urls:
            mine.auth_token, mine.auth_token_expires = identity.auth_token, identity.auth_token_expires
            mine.service_catalog = OpenStackServiceCatalog(identity.urls, auth_version=mine._auth_version)
        try:
            super()._populate_hosts_and_request_paths()  # type: ignore[misc]
        except (IdentityError, RateLimitReachedError):
            raise
        except BaseHTTPError as error:
            raise identity_error(error.code, error.message, error.headers) from None
        except MalformedResponseError as error:
            told = _MALFORMED.match(str(error.body))
            status, body = (int(told[1]), told[2]) if told else (200, "its answer is not that of an identity service")
            raise identity_error(status, body) from None

    def add_default_headers(self, headers: dict[str, Any]) -> dict[str, Any]:
        """A version of the API that one request asks for stays."""
        asked = {VERSION: headers[VERSION]} if VERSION in headers else {}
        return {**super().add_default_headers(headers), **asked}  # type: ignore[misc]

    def request(
        self,
        action: str,
        params: Any = None,
        data: Any = "",
        headers: Any = None,
        method: str = "GET",
        raw: bool = False,
    ) -> Any:
        """Send a request. A 401 for one of the same kind as before, with another token, says so."""
        refused: dict[str, str] = self.__dict__.setdefault("_refused", {})  # kind of request -> the token
        kind = f"{method} {_ITEM.sub('*', action)}"
        try:
            answer = super().request(action, params, data, headers, method, raw)  # type: ignore[misc]
        except BaseHTTPError as error:
            if error.code != 401 or isinstance(error, IdentityError):
                raise
            before, refused[kind] = refused.get(kind), str(getattr(self, "auth_token", ""))
            if before in (None, refused[kind]):
                raise
            raise BaseHTTPError(401, f"{error.message} (also with a new token)", error.headers) from None
        refused.pop(kind, None)
        return answer


class ComputeConnection(_Service, OpenStack_2_Connection):  # type: ignore[misc]  # libcloud has no types
    """To the compute service."""

    responseCls = ComputeAnswer  # noqa: N815 (libcloud's name)
    service_name = None

    def takes_older_than(self, version: tuple[int, int]) -> bool:
        """Do requests go out with an older version of the API than this one, unless they ask for one?"""
        forced = str(self._ex_force_microversion or "").split()
        if len(forced) == 2 and forced[0] != "compute":
            return True
        try:
            major, minor = forced[-1].split(".")
            return (int(major), int(minor)) < version
        except IndexError:
            return True
        except ValueError:  # `latest`
            return False


class ImageConnection(_Service, OpenStack_2_ImageConnection):  # type: ignore[misc]  # libcloud has no types
    """To the image service."""

    responseCls = OpenStackAnswer  # noqa: N815 (libcloud's name)
    service_name = None


class NetworkConnection(_Service, OpenStack_2_NetworkConnection):  # type: ignore[misc]  # libcloud has no types
    """To the network service."""

    responseCls = OpenStackAnswer  # noqa: N815 (libcloud's name)
    service_name = None


def error_of_cells(stubs: int) -> str:
    """What a list is worth that has so many servers of which nothing but their id is known."""
    return f"the cloud cannot tell of {stubs} server(s): a part of it is away"


def is_stub(item: object) -> bool:
    """Is this a server of a cell that is away? From version 2.69 on it is shown, with its id and little more."""
    return isinstance(item, Mapping) and item.get("status") == "UNKNOWN" and "name" not in item and "id" in item
