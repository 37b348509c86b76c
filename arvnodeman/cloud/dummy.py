"""`provider = dummy`: libcloud's own dummy cloud, which exists in the memory of this process alone.

For trying the daemon without any cloud. Its nodes are up at once, have no computer behind them, and never ping.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from libcloud.common.exceptions import BaseHTTPError
from libcloud.compute.drivers.dummy import DummyNodeDriver

from arvnodeman.cloud.base import name_for_record
from arvnodeman.cloud.errors import table
from arvnodeman.cloud.libcloud_driver import LibcloudDriver
from arvnodeman.fleet.values.model import CloudNode, NodeRecord, NodeSize, Secret

if TYPE_CHECKING:
    from arvnodeman.config import Settings


class DummyCloud:
    """One dummy cloud, shared by the drivers of all threads: libcloud's keeps its nodes in the driver object itself.

    It has two nodes from the start, which are not ours. It makes ids from the length of its list, so that they come
    twice, and knows neither names nor tags: those are put on its nodes here.
    """

    def __init__(self, driver_class: Callable[..., Any] = DummyNodeDriver, creds: str = "dummy") -> None:
        self._lock = threading.Lock()
        self._driver = driver_class(creds)
        self._numbers = itertools.count(1)
        self._made: dict[str, Any] = {}  # by token

    def list_sizes(self) -> list[Any]:
        """The sizes."""
        with self._lock:
            return list(self._driver.list_sizes())

    def list_nodes(self) -> list[Any]:
        """The nodes."""
        with self._lock:
            return list(self._driver.list_nodes())

    def create_node(self, name: str, size: Any, ex_tags: Mapping[str, str], ex_token: str) -> Any:
        """Create a node; the same token answers the same node."""
        with self._lock:
            node = self._made.get(ex_token)
            if node is None:
                node = self._driver.create_node(name=name, size=size, image=None)
                node.id = f"dummy-{next(self._numbers)}"
                node.name = name
                node.size = size
                node.extra = {"tags": dict(ex_tags)}
                node.created_at = datetime.fromtimestamp(time.time(), UTC)
                self._made[ex_token] = node
            return node

    def destroy_node(self, node: Any) -> bool:
        """Destroy a node. Raises a 404 for one that is gone."""
        with self._lock:
            found = self._found(node.id)
            self._made = {token: made for token, made in self._made.items() if made is not found}
            return bool(self._driver.destroy_node(found))

    def ex_set_tags(self, node_id: str, changes: Mapping[str, str | None]) -> None:
        """Set tags; None takes one away. Raises a 404 for a node that is gone."""
        with self._lock:
            node = self._found(node_id)
            tags = {**node.extra.get("tags", {}), **changes}
            node.extra = {"tags": {name: value for name, value in tags.items() if value is not None}}

    def _found(self, node_id: str) -> Any:
        for node in self._driver.list_nodes():
            if str(node.id) == node_id:
                return node
        raise BaseHTTPError(404, f"NoSuchNode: there is no node {node_id}")


_clouds: dict[tuple[Callable[..., Any], str], DummyCloud] = {}
_clouds_lock = threading.Lock()


def cloud_of_process(driver_class: Callable[..., Any], creds: str) -> DummyCloud:
    """The one dummy cloud that this process has for these credentials."""
    with _clouds_lock:
        return _clouds.setdefault((driver_class, creds), DummyCloud(driver_class, creds))


class DummyDriver(LibcloudDriver):
    """`provider = dummy`. [Cloud Credentials] creds: any word; each word is a cloud of its own."""

    errors = table(gone=["NoSuchNode"])

    def __init__(
        self,
        settings: Settings,
        driver_class: Callable[..., Any] = DummyNodeDriver,
        *,
        cloud: DummyCloud | None = None,
    ) -> None:
        self._cloud = cloud
        super().__init__(settings, driver_class)

    def name_of(self, record: NodeRecord) -> str:
        """See LibcloudDriver."""
        return name_for_record(record)

    def _connected(self, driver_class: Callable[..., Any]) -> Any:
        creds = self._settings.cloud.credentials.get("creds", Secret("dummy")).reveal()
        return self._cloud or cloud_of_process(driver_class, creds)

    def _listed(self) -> Iterable[Any]:
        nodes: list[Any] = self._driver.list_nodes()
        return nodes

    def _create_arguments(self, size: NodeSize, record: NodeRecord, token: str, _ping_url: Secret) -> dict[str, Any]:
        return {
            "name": self.name_of(record),
            "size": self._libcloud_size(size),
            "ex_tags": self._create_tags(size, record, token),
            "ex_token": token,
        }

    def _write_tags(self, node: CloudNode, changes: Mapping[str, str | None]) -> None:
        self._driver.ex_set_tags(node.id, changes)
