"""The smallest driver there can be, to copy for a new cloud. It works: tests run it against the sandbox's cloud.

For a cloud NAME: copy this file to name.py, add a line to DRIVERS (config/cloud_options.py), and go through the
marks (1) to (6). What the methods must do is said in base.py; all else that a cloud may do differently (lists, ids,
start times, states, the place of the FQDN ...) is a method of LibcloudDriver that can be overridden. Then write a peer
for the conformance suite (tests/unit/cloud/cloud_peer.py), which shows what is still missing, and an example
configuration.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from arvnodeman.cloud.base import name_for_record
from arvnodeman.cloud.errors import CREDENTIALS, table
from arvnodeman.cloud.libcloud_driver import LibcloudDriver
from arvnodeman.cloud.operator_options import credentials, require
from arvnodeman.cloud.sandbox import SandboxNodeDriver  # (1) the libcloud class: libcloud.compute.drivers.NAME
from arvnodeman.fleet.values.model import CloudNode, NodeRecord, NodeSize, Secret

if TYPE_CHECKING:
    from arvnodeman.config import Settings


class TemplateDriver(LibcloudDriver):
    """`provider = NAME`."""

    # (2) What the cloud's error codes mean: those that the general rule of errors.py would take for something else, and
    # those for which we know the option to look at. `gone`: the code for a node that does not exist, for nothing else.
    errors = table(
        {"Unauthorized": CREDENTIALS, "InvalidParameter": "[Cloud Create]"},
        capacity=["InsufficientCapacity"],
        gone=["NoSuchNode"],
    )
    # (3) The options of [Cloud Create] that this driver reads; all others go to libcloud's create_node as they are.
    # Declare them for NAME in config/cloud_options.py, and write options_of_create("NAME") here.
    create_options = frozenset({"ping_host", "user_data"})

    def __init__(self, settings: Settings, driver_class: Callable[..., Any] = SandboxNodeDriver) -> None:
        super().__init__(settings, driver_class)

    def name_of(self, record: NodeRecord) -> str:
        """See LibcloudDriver. The same at each attempt of a boot: a node that a lost request made is found by it."""
        return name_for_record(record)

    def _connected(self, driver_class: Callable[..., Any]) -> Any:
        """(4) [Cloud Credentials] as the libcloud class takes them. Nothing is asked of the cloud here."""
        require(self._settings, in_credentials=("key", "url"))
        return driver_class(**credentials(self._settings))

    def _create_arguments(self, size: NodeSize, record: NodeRecord, token: str, ping_url: Secret) -> dict[str, Any]:
        """(5) The create request, with the tags and what the node reads when it starts in it."""
        return {
            "name": self.name_of(record),
            "size": self._libcloud_size(size),
            "ex_tags": self._create_tags(size, record, token),
            "ex_user_data": self._startup_text(size, record, ping_url, otherwise=ping_url.reveal()),
            "ex_preemptible": size.preemptible,
            "ex_zone": size.rung.zone if size.rung is not None else "",  # where the cloud has several
            "ex_token": token,  # where the cloud knows such a thing
        }

    def _write_tags(self, node: CloudNode, changes: Mapping[str, str | None]) -> None:
        """(6) Set tags, or take them away (None), and leave the others."""
        self._driver.ex_set_tags(node.id, changes)

    def _preemptible(self, node: Any) -> bool:
        """Only for clouds that have such nodes; others belong into WITHOUT_PREEMPTIBLE (config/cloud_options.py)."""
        return bool(node.extra.get("preemptible"))
