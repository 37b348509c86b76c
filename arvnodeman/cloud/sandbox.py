"""The cloud of the sandbox, over HTTP: a libcloud NodeDriver for its API, and our driver on that.

The API is JSON; the docstring of arvnodeman/sandbox/cloud.py is its documentation. [Cloud Credentials]: `url` of the
site (with or without `/cloud` at its end), `key`, `timeout` in seconds.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import libcloud.compute.base as lc
from libcloud.common.base import ConnectionKey, JsonResponse
from libcloud.common.types import InvalidCredsError, MalformedResponseError
from libcloud.compute.types import NodeState

from arvnodeman.cloud.base import name_for_record
from arvnodeman.cloud.error_tables import SANDBOX
from arvnodeman.cloud.libcloud_driver import LibcloudDriver
from arvnodeman.cloud.operator_options import TIMEOUT, credentials
from arvnodeman.cloud.redaction import named
from arvnodeman.config import ConfigError
from arvnodeman.config.cloud_options import options_of_create
from arvnodeman.config.option import CREDENTIALS
from arvnodeman.fleet.values.model import CloudNode, NodeRecord, NodeSize, Secret

if TYPE_CHECKING:
    from arvnodeman.config import Settings

NODE_NAME = "node_name="
"""The user data of a node that pings nobody: the name under which it starts its slurmd."""
_MOST_PAGES = 10_000
_STATES = {
    "pending": NodeState.PENDING,
    "running": NodeState.RUNNING,
    "stopped": NodeState.STOPPED,
    "preempted": NodeState.STOPPED,
    "shutting-down": NodeState.TERMINATED,
    "terminated": NodeState.TERMINATED,
}
_log = logging.getLogger("ComputeNodeDriver")


class SandboxResponse(JsonResponse):  # type: ignore[misc]  # libcloud has no types
    """An answer of the sandbox: JSON, errors as {"error": {"code", "message"}}."""

    def success(self) -> bool:
        """Any 2xx."""
        return 200 <= int(self.status) < 300

    def parse_error(self) -> str:
        """`Code: message`. Raises InvalidCredsError for 401."""
        try:
            error = json.loads(self.body)["error"]
            text = f"{error['code']}: {error['message']}"
        except (ValueError, LookupError, TypeError):
            text = f"HTTP {self.status}: {self.body}"
        if int(self.status) == 401:
            raise InvalidCredsError(text)
        return text


class SandboxConnection(ConnectionKey):  # type: ignore[misc]  # libcloud has no types
    """One kept-alive HTTP connection to the site. Ignores proxies and .netrc of the environment."""

    responseCls = SandboxResponse  # noqa: N815 (libcloud's name)

    def connect(self, *args: Any, **options: Any) -> None:
        """Make the HTTP session; connects to nothing yet."""
        super().connect(*args, **options)
        self.connection.session.trust_env = False

    def add_default_headers(self, headers: dict[str, str]) -> dict[str, str]:
        """The key, and the type of what we send."""
        return {**headers, "Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}

    def encode_data(self, data: object) -> str:
        """A body as JSON."""
        return json.dumps(data)

    def ask(self, method: str, path: str, data: object = None) -> dict[str, Any]:
        """One request. Raises what libcloud raises, MalformedResponseError for an answer that is not a JSON object."""
        body = self.request(path, method=method, data=data, retry_failed=False).object
        if not isinstance(body, dict):
            raise MalformedResponseError("the answer is not a JSON object", driver=self.driver)
        return body


class SandboxNodeDriver(lc.NodeDriver):  # type: ignore[misc]  # libcloud has no types
    """The libcloud driver of the sandbox's cloud. One for each thread, as all of libcloud's."""

    name = "Sandbox"
    website = "https://arvados.org/"
    type = "sandbox"
    connectionCls = SandboxConnection  # noqa: N815 (libcloud's name)

    def __init__(self, key: str, url: str, timeout: float = TIMEOUT) -> None:
        self._url = url
        super().__init__(key, timeout=timeout)

    def _ex_connection_class_kwargs(self) -> dict[str, str]:
        return {"url": self._url}

    def list_sizes(self, location: object = None) -> list[Any]:
        """All sizes."""
        body = self.connection.ask("GET", "/sizes")
        return self._understood(body, "sizes", self._to_size)

    def list_nodes(self) -> list[Any]:
        """All nodes, also the terminated ones, from every page."""
        nodes: list[Any] = []
        page = 0
        for _ in range(_MOST_PAGES):
            body = self.connection.ask("GET", f"/nodes?page={page}")
            nodes += self._understood(body, "nodes", self._to_node)
            following = body.get("next")
            if following is None:
                return nodes
            if not isinstance(following, int) or following <= page:
                break
            page = following
        raise MalformedResponseError(f"page {page} of the nodes is followed by none that makes sense", driver=self)

    def create_node(
        self,
        name: str,
        size: Any,
        ex_tags: Mapping[str, str] | None = None,
        ex_user_data: str = "",
        ex_preemptible: bool = False,
        ex_zone: str = "",
        ex_token: str = "",
    ) -> Any:
        """Create a node; the same token answers the same node."""
        request = {
            "name": name,
            "size": size.id,
            "tags": dict(ex_tags or {}),
            "user_data": ex_user_data,
            "preemptible": ex_preemptible,
            "token": ex_token,
            **({"zone": ex_zone} if ex_zone else {}),
        }
        return self._node_of(self.connection.ask("POST", "/nodes", request))

    def destroy_node(self, node: Any) -> bool:
        """Destroy a node. Raises a 404 for one that is gone."""
        self.connection.ask("DELETE", f"/nodes/{quote(node.id, safe='')}")
        return True

    def ex_set_tags(self, node_id: str, changes: Mapping[str, str | None]) -> None:
        """Set tags; None takes one away."""
        self.connection.ask("PUT", f"/nodes/{quote(node_id, safe='')}/tags", {"tags": dict(changes)})

    def _understood(self, body: Mapping[str, Any], key: str, convert: Callable[[Any], Any]) -> list[Any]:
        items = body.get(key)
        if not isinstance(items, list):
            raise MalformedResponseError(f"the answer has no list {key!r}", driver=self)
        converted: list[Any] = []
        for item in items:
            try:
                converted.append(convert(item))
            except (LookupError, TypeError, ValueError, OverflowError, AttributeError):
                _log.warning("ignored a malformed item of the cloud's %s: %s", key, named(item))
        return converted

    def _node_of(self, body: Mapping[str, Any]) -> Any:
        try:
            return self._to_node(body)
        except (LookupError, TypeError, ValueError, OverflowError, AttributeError):
            raise MalformedResponseError(f"the answer is not a node: {named(body)}", driver=self) from None

    def _to_node(self, item: Mapping[str, Any]) -> Any:
        created = item.get("created")
        address = item.get("address")
        return lc.Node(
            item["id"],
            item["name"],
            _STATES.get(item["state"], NodeState.UNKNOWN),
            [address] if address else [],
            [],
            self,
            size=item.get("size"),
            created_at=None if created is None else datetime.fromtimestamp(created, UTC),
            extra={
                "tags": item.get("tags"),
                "preemptible": item.get("preemptible") is True,
                "broken": item.get("broken") is True,
            },
        )

    def _to_size(self, item: Mapping[str, Any]) -> Any:
        return lc.NodeSize(
            item["id"],
            item["name"],
            item["ram"],
            item["disk"],
            item.get("bandwidth"),
            item.get("price"),
            self,
            extra={"vcpus": item.get("cores")},
        )


class SandboxDriver(LibcloudDriver):
    """`provider = sandbox`. A node is named after its record's uuid; its FQDN is in the tag `hostname`."""

    errors = SANDBOX
    create_options = options_of_create("sandbox")

    def __init__(self, settings: Settings, driver_class: Callable[..., Any] = SandboxNodeDriver) -> None:
        super().__init__(settings, driver_class)

    def name_of(self, record: NodeRecord) -> str:
        """See LibcloudDriver."""
        return name_for_record(record)

    def _connected(self, driver_class: Callable[..., Any]) -> Any:
        url = _api_url(self._settings, self._settings.cloud.credentials.get("url", Secret("")).reveal())
        given = {"key": "", **credentials(self._settings), "url": url}
        if not (given["key"].isascii() and given["key"].isprintable()):
            raise self._mistake("key", "no HTTP header can hold it", CREDENTIALS)
        return driver_class(**given)

    def _create_arguments(self, size: NodeSize, record: NodeRecord, token: str, ping_url: Secret) -> dict[str, Any]:
        return {
            "name": self.name_of(record),
            "size": self._libcloud_size(size),
            "ex_tags": self._create_tags(size, record, token),
            "ex_user_data": ping_url.reveal() or f"{NODE_NAME}{record.hostname}",
            "ex_preemptible": size.preemptible,
            "ex_zone": size.rung.zone if size.rung is not None else "",
            "ex_token": token,
        }

    def _write_tags(self, node: CloudNode, changes: Mapping[str, str | None]) -> None:
        self._driver.ex_set_tags(node.id, changes)

    def _address(self, node: Any) -> tuple[str | None, str]:
        return next(iter(node.public_ips), None), ""  # its nodes are all on this machine: loopback will do

    def _preemptible(self, node: Any) -> bool:
        return bool(node.extra.get("preemptible"))

    def _is_failed(self, node: Any) -> bool:
        return self._is_broken(node)

    def _is_broken(self, node: Any) -> bool:
        return bool(node.extra.get("broken"))


def _api_url(settings: Settings, url: str) -> str:
    """Where the API is. Raises ConfigError for a URL that cannot be one."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        wrong = "missing" if not url else "not the URL of a site"
        raise ConfigError((f"{settings.path}: [Cloud Credentials] url: {wrong}; allowed: http://HOST:PORT",))
    path = parts.path.rstrip("/")
    return f"{parts.scheme}://{parts.netloc}{path if path.endswith('/cloud') else path + '/cloud'}"
