"""libcloud's Azure driver, corrected where it leaks, asks too much, or waits.

* Making one asks the cloud nothing: libcloud's fetches an access token.
* A list is read to its last page; libcloud's ends without a word after five minutes. No node costs a request of its own
  (row I6).
* A node is created so that Azure itself deletes its network interface and its disk together with it. libcloud deletes
  them when the node is gone, for which it waits up to 100 seconds, and leaves them behind if that fails (row I8).
* A node can be made in an availability zone; libcloud knows of none.
* libcloud cannot send custom data: it makes bytes of it, which JSON does not have.
"""

from __future__ import annotations

import copy
import functools
import logging
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from libcloud.common.azure_arm import AzureJsonResponse, AzureResourceManagementConnection
from libcloud.common.base import ConnectionUserAndKey
from libcloud.common.types import MalformedResponseError
from libcloud.compute.drivers.azure_arm import NIC_API_VERSION, VM_API_VERSION, AzureNodeDriver
from libcloud.compute.types import NodeState

from arvnodeman.cloud.redaction import named

_MOST_PAGES = 10_000
_STRANGE = (AttributeError, LookupError, TypeError, ValueError)
_log = logging.getLogger("ComputeNodeDriver")


class AzureAnswer(AzureJsonResponse):  # type: ignore[misc]  # libcloud has no types
    """An answer of the API."""

    def parse_error(self) -> str:
        """`[Code] message`; whatever there is, where that is not."""
        try:
            return str(super().parse_error())
        except _STRANGE:
            return f"HTTP {self.status}: {self.body}"


class LateAzureConnection(AzureResourceManagementConnection):  # type: ignore[misc]  # libcloud has no types
    """A connection that gets its access token when the first request needs it."""

    responseCls = AzureAnswer  # noqa: N815 (libcloud's name)
    access_token = ""
    expires_on = 0
    zone = ""  # in which the next node is made

    def connect(self, **options: Any) -> None:
        """Make the HTTP session; connects to nothing yet."""
        ConnectionUserAndKey.connect(self, **options)

    def get_token_from_credentials(self) -> None:
        """Get an access token. Raises what a request raises."""
        try:
            super().get_token_from_credentials()
            int(self.expires_on)
        except _STRANGE:  # also what libcloud raises while it raises an error about such an answer
            self.expires_on = 0
            text = "the answer to the request for an access token has none"
            raise MalformedResponseError(text, driver=self.driver) from None

    def request(
        self,
        action: str,
        params: Any = None,
        data: Any = None,
        headers: Any = None,
        method: str = "GET",
        raw: bool = False,
    ) -> Any:
        """Send a request. One that creates a node is completed first."""
        if method == "PUT" and isinstance(data, dict) and data.get("type") == "Microsoft.Compute/virtualMachines":
            data = completed(data, self.zone)
        return super().request(action, params, data, headers, method, raw)


def completed(request: Mapping[str, Any], zone: str = "") -> dict[str, Any]:
    """The request for a new node, with what libcloud leaves out."""
    made = copy.deepcopy(dict(request))
    if zone:
        made["zones"] = [zone]
    properties = made["properties"]
    for interface in properties["networkProfile"]["networkInterfaces"]:
        interface["properties"] = {"primary": True, "deleteOption": "Delete"}
    account = properties["osProfile"]
    if isinstance(account.get("customData"), bytes):
        account["customData"] = account["customData"].decode("ascii")
    if str(account.get("linuxConfiguration", {}).get("disablePasswordAuthentication")).lower() == "true":
        account.pop("adminPassword", None)  # a key opens it
    return made


class AzureNodes(AzureNodeDriver):  # type: ignore[misc]  # libcloud has no types
    """The libcloud class that `provider = azure` uses. `[Cloud] driver_class` may name one derived from it."""

    connectionCls = LateAzureConnection  # noqa: N815 (libcloud's name)

    def list_nodes(
        self, ex_resource_group: str | None = None, ex_fetch_nic: bool = False, ex_fetch_power_state: bool = False
    ) -> list[Any]:
        """All nodes of the resource group, or of the subscription."""
        group = f"/resourceGroups/{ex_resource_group}" if ex_resource_group else ""
        action = f"/subscriptions/{self.subscription_id}{group}/providers/Microsoft.Compute/virtualMachines"
        made: list[Any] = []
        for item in self._items(action, VM_API_VERSION):
            try:
                made.append(self._to_node(item, ex_fetch_nic, ex_fetch_power_state))
            except _STRANGE:
                _log.warning("ignored a malformed item of the cloud's list: %s", named(item))
        return made

    @functools.wraps(AzureNodeDriver.create_node)
    def create_node(self, name: str, size: Any, image: Any, auth: Any, **options: Any) -> Any:
        """Create a node. `ex_zone`: the availability zone; the region chooses, where there is none."""
        self.connection.zone = options.pop("ex_zone", "")
        return super().create_node(name, size, image, auth, **options)

    def destroy_node(
        self,
        node: Any,
        ex_destroy_nic: bool = True,
        ex_destroy_vhd: bool = True,
        ex_poll_qty: int = 0,
        ex_poll_wait: int = 0,
        ex_destroy_os_disk: bool = True,
    ) -> bool:
        """Destroy a node, its network interface and its managed disk. Azure does it; this does not wait. Pass the node
        as it was just read. The blob of a disk in a storage account stays, until a node of the same name takes its
        place."""
        changes = missing_delete_options(node.extra["properties"])
        if changes:  # another program created it, or an earlier version of this one
            self.connection.request(
                node.id, params={"api-version": VM_API_VERSION}, data={"properties": changes}, method="PATCH"
            )
        return bool(super().destroy_node(node, ex_destroy_nic=False, ex_destroy_vhd=False, ex_destroy_os_disk=False))

    def ex_destroy_nic_of(self, name: str, ex_resource_group: str) -> None:
        """Delete the network interface that create_node made for a node of this name."""
        path = f"/subscriptions/{self.subscription_id}/resourceGroups/{ex_resource_group}/providers/Microsoft.Network"
        action = f"{path}/networkInterfaces/{name}-nic"
        self.connection.request(action, params={"api-version": NIC_API_VERSION}, method="DELETE")

    def ex_addresses_in(self, ex_resource_group: str) -> dict[str, list[tuple[str, str]]]:
        """The private addresses of all machines of a resource group, each with the name of its subnet, by the
        machine's id in small letters: that of its primary interface first."""
        path = f"/subscriptions/{self.subscription_id}/resourceGroups/{ex_resource_group}/providers/Microsoft.Network"
        found: dict[str, list[tuple[str, str]]] = {}
        for item in self._items(f"{path}/networkInterfaces", NIC_API_VERSION):
            try:
                machine = (item["properties"].get("virtualMachine") or {}).get("id")
                shown = list(map(_address_in, item["properties"].get("ipConfigurations") or ()))
                primary = bool(item["properties"].get("primary"))
            except _STRANGE:
                _log.warning("ignored a malformed item of the cloud's interfaces: %s", named(item))
                continue
            if machine:
                known = found.get(machine.lower(), [])
                found[machine.lower()] = shown + known if primary else known + shown
        return found

    def ex_fault_of(self, node: Any) -> str:
        """Why a node has failed, as `Code: message`; empty where Azure does not say."""
        shown = self.connection.request(f"{node.id}/instanceView", params={"api-version": VM_API_VERSION}).object
        statuses = shown.get("statuses") if isinstance(shown, dict) else None
        for status in statuses if isinstance(statuses, list) else ():
            code = str(status.get("code") or "") if isinstance(status, dict) else ""
            if code.startswith(("ProvisioningState/failed", "ProvisioningState/canceled")):
                told = (code.partition("/")[2].partition("/")[2], str(status.get("message") or ""))
                return ": ".join(filter(None, told))
        return ""

    def _items(self, action: str, version: str) -> Iterator[Any]:
        """All items of a list, all pages."""
        params = {"api-version": version}
        seen = set()
        for _ in range(_MOST_PAGES):
            page = self.connection.request(action, params=params).object
            if not isinstance(page, dict) or not isinstance(page.get("value"), list):
                raise MalformedResponseError(f"the answer for {action} is not a list", driver=self)
            yield from page["value"]
            following = page.get("nextLink")
            if not following:
                return
            if following in seen:
                break
            seen.add(following)
            link = urlsplit(following)
            action, params = link.path, {name: values[0] for name, values in parse_qs(link.query).items()}
        raise MalformedResponseError(f"the pages of {action} do not end", driver=self)

    def _to_node(self, data: Mapping[str, Any], fetch_nic: bool = False, fetch_power_state: bool = False) -> Any:
        """A node; one that is just being created is not asked for its addresses and power (row I6)."""
        made = super()._to_node(data, fetch_nic, fetch_power_state)
        made.size = (data["properties"].get("hardwareProfile") or {}).get("vmSize")
        state = str(data["properties"].get("provisioningState")).lower()
        if state == "running":  # of older versions of the API
            made.state = NodeState.RUNNING
        elif state == "canceled":  # libcloud knows "failed" alone
            made.state = NodeState.ERROR
        return made


def _address_in(configuration: Mapping[str, Any]) -> tuple[str, str]:
    """The private address, '' where it has none yet, and the name of the subnet."""
    properties = configuration["properties"]
    subnet = str((properties.get("subnet") or {}).get("id") or "")
    return str(properties.get("privateIPAddress") or ""), subnet.rpartition("/")[2]


def missing_delete_options(properties: Mapping[str, Any]) -> dict[str, Any]:
    """What to change of a node so that its interface and its managed disk go when it goes; nothing for one made by
    us."""
    changes: dict[str, Any] = {}
    interfaces = properties.get("networkProfile", {}).get("networkInterfaces") or []
    if any((each.get("properties") or {}).get("deleteOption") != "Delete" for each in interfaces):
        changed = [
            {**each, "properties": {**(each.get("properties") or {}), "deleteOption": "Delete"}} for each in interfaces
        ]
        changes["networkProfile"] = {"networkInterfaces": changed}
    disk = properties.get("storageProfile", {}).get("osDisk") or {}
    if disk.get("managedDisk") and disk.get("deleteOption") != "Delete":
        changes["storageProfile"] = {"osDisk": {**disk, "deleteOption": "Delete"}}
    return changes
