"""libcloud's OpenStack driver, corrected where it loses nodes, or writes too much.

* A list is read to its last page by the id of the last item, also where a page as long as the API's longest comes
  without a link to the next. One malformed server costs only itself. A list that lacks the servers of a cell whose
  database is away is none: nova gives it without a word, unless it is asked for a version that tells of them.
* A server is created by one request; libcloud asks for it at once, and fails where that fails.
* The services are found by their type, whatever they are called; libcloud wants them to be called nova and glance.
* Metadata is written item by item: libcloud replaces all of it, and with it what somebody else wrote meanwhile.
"""

from __future__ import annotations

import functools
import http.client
import logging
import re
from collections.abc import Iterator, Mapping
from typing import Any

from libcloud.common.exceptions import BaseHTTPError
from libcloud.common.types import LibcloudError, MalformedResponseError
from libcloud.compute.base import Node
from libcloud.compute.drivers.openstack import OpenStack_2_NodeDriver, OpenStackNodeDriver
from libcloud.compute.types import NodeState
from libcloud.utils.iso8601 import ParseError, parse_date

from arvnodeman.cloud.base import TOKEN_TAG
from arvnodeman.cloud.openstack_connections import (
    VERSION,
    ComputeConnection,
    ImageConnection,
    NetworkConnection,
    error_of_cells,
    is_stub,
)
from arvnodeman.cloud.redaction import named

PAGE = 1000  # osapi_max_limit as it comes
TELLS_OF_CELLS = (2, 69)
"""The first version of the API that shows servers of a cell that is away; those before it leave them out."""
_MOST_PAGES = 10_000
_STRANGE = (AttributeError, LookupError, TypeError, ValueError, StopIteration)
_log = logging.getLogger("ComputeNodeDriver")


class OpenStackNodes(OpenStack_2_NodeDriver):  # type: ignore[misc]  # libcloud has no types
    """The libcloud class that `provider = openstack` uses. `[Cloud] driver_class` may name one derived from it."""

    _no_such_version = False  # the cloud is older than TELLS_OF_CELLS
    connectionCls = ComputeConnection  # noqa: N815 (libcloud's names)
    image_connectionCls = ImageConnection  # noqa: N815
    network_connectionCls = NetworkConnection  # noqa: N815
    NODE_STATE_MAP: Mapping[str, Any] = {
        **OpenStackNodeDriver.NODE_STATE_MAP,
        "PAUSED": NodeState.PAUSED,
        "SHELVED": NodeState.STOPPED,
        "SHELVED_OFFLOADED": NodeState.STOPPED,
        "SOFT_DELETED": NodeState.TERMINATED,
    }

    def list_nodes(self, ex_all_tenants: bool = False) -> list[Any]:
        """All servers of the project."""
        params = {"all_tenants": "1"} if ex_all_tenants else {}
        return self._servers(params)

    def list_sizes(self, location: Any = None) -> list[Any]:
        """All flavors."""
        made: list[Any] = []
        for item in self._items("/flavors/detail", "flavors", {}):
            try:
                made.append(self._to_size({"swap": "", **item}))
            except _STRANGE:
                _log.warning("ignored a malformed item of the cloud's sizes: %s", named(item))
        return made

    @functools.wraps(OpenStack_2_NodeDriver.create_node)
    def create_node(self, name: str, size: Any, image: Any = None, **options: Any) -> Any:
        """Create a server. One of this name that the same boot made is the answer: the API knows no such thing, and a
        second request makes a second server of the same name (row D7)."""
        metadata = options.get("ex_metadata") or {}
        hints = options.pop("ex_os_scheduler_hints", None)
        token = metadata.get(TOKEN_TAG)
        if token:
            for node in self._servers({"name": f"^{re.escape(name)}$"}):
                if node.extra["metadata"].get(TOKEN_TAG) == token and node.state is not NodeState.TERMINATED:
                    return node
        data: dict[str, Any] = {
            "server": self._create_args_to_params(None, name=name, size=size, image=image, **options)
        }
        if hints:
            data["os:scheduler_hints"] = hints
        answer = self.connection.request("/servers", method="POST", data=data).object
        made = answer.get("server") if isinstance(answer, dict) else None
        if not isinstance(made, dict) or not made.get("id"):
            raise MalformedResponseError("the answer to the create request names no server", driver=self)
        extra = {"metadata": metadata, "flavorId": getattr(size, "id", None)}
        return Node(str(made["id"]), name, NodeState.PENDING, [], [], self, extra=extra)

    def ex_change_metadata(self, node: Any, changes: Mapping[str, str | None]) -> None:
        """Set some items of a server's metadata; None takes one away."""
        path = f"/servers/{node.id}/metadata"
        values = {key: value for key, value in changes.items() if value is not None}
        if values:
            self.connection.request(path, method="POST", data={"metadata": values})
        gone = [key for key in changes if key not in values]
        there = self.ex_get_metadata(node) if gone else {}
        for key in gone:
            if key in there:
                self.connection.request(f"{path}/{key}", method="DELETE")

    def _servers(self, params: Mapping[str, str]) -> list[Any]:
        made: list[Any] = []
        items = list(self._items("/servers/detail", "servers", params, self._version_of_lists))
        stubs = sum(map(is_stub, items))
        if stubs:
            raise LibcloudError(error_of_cells(stubs), driver=self)
        for item in items:
            try:
                made.append(self._to_node(item))
            except _STRANGE:
                _log.warning("ignored a malformed item of the cloud's list: %s", named(item))
        return made

    @property
    def _version_of_lists(self) -> str:
        """The version to ask for when servers are listed; empty where the one in use is enough, or there is none."""
        if self._no_such_version or not self.connection.takes_older_than(TELLS_OF_CELLS):
            return ""
        return ".".join(map(str, TELLS_OF_CELLS))

    def _page(self, path: str, params: Mapping[str, str], version: str) -> Any:
        """One page of a list, in this version of the API where the cloud has it."""
        if version and not self._no_such_version:
            try:
                return self.connection.request(path, params=params, headers={VERSION: f"compute {version}"}).object
            except BaseHTTPError as error:
                if error.code != http.client.NOT_ACCEPTABLE:
                    raise
                self._no_such_version = True
        return self.connection.request(path, params=params).object

    def _items(self, path: str, key: str, params: Mapping[str, str], version: str = "") -> Iterator[Any]:
        """All items of a list, all pages. A version that tells of cells does so only where no page is asked for:
        the pages are then as long as its own limit."""
        marker: str | None = None
        for _ in range(_MOST_PAGES):
            length = {} if version and not self._no_such_version else {"limit": str(PAGE)}
            asked = {**params, **length, **({"marker": marker} if marker else {})}
            page = self._page(path, asked, version)
            items = page.get(key) if isinstance(page, dict) else None
            if not isinstance(items, list):
                raise MalformedResponseError(f"the answer for {path} is not a list", driver=self)
            yield from items
            links = page.get(f"{key}_links") or []
            more = any(isinstance(link, dict) and link.get("rel") == "next" for link in links)
            if not items or not (more or len(items) >= PAGE):
                return
            last = items[-1].get("id") if isinstance(items[-1], dict) else None
            if not last or last == marker:
                break
            marker = str(last)
        raise MalformedResponseError(f"the pages of {path} do not end", driver=self)

    def _to_node(self, api_node: Mapping[str, Any]) -> Any:
        """A server. Fields that a server in ERROR, or an older cloud, does not show are filled in."""
        nothing: dict[str, Any] = {"addresses": {}, "hostId": "", "metadata": {}, "updated": None, "tenantId": ""}
        given = {**nothing, "links": [{"rel": "self", "href": ""}], **api_node}
        try:
            parse_date(given.get("created"))
        except (ParseError, ValueError, TypeError):  # it is a server all the same
            given["created"] = ""
        made = super()._to_node(given if given["created"] else {**given, "created": "1970-01-01T00:00:00Z"})
        if not given["created"]:
            made.created_at = None
        if api_node.get("OS-EXT-STS:task_state") == "deleting":
            made.state = NodeState.TERMINATED
        return made
