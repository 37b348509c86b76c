"""`provider = azure`: virtual machines of Azure's Resource Manager, in one resource group.

Ours are the nodes with our value of the tag `arvados-class`. The id of a node is a path that ends in its name, and a
name comes again when a record is used again: the token in its tags tells one node from the next.
"""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

import libcloud.compute.base as lc
from libcloud.compute.drivers.azure_arm import AzureComputeGalleryImage, AzureNetwork
from libcloud.compute.types import NodeState

from arvnodeman.cloud.addresses import NodeAddress
from arvnodeman.cloud.azure_libcloud import AzureNodes
from arvnodeman.cloud.base import TOKEN_TAG, name_for_record
from arvnodeman.cloud.error_tables import AZURE
from arvnodeman.cloud.errors import cloud_failure
from arvnodeman.cloud.libcloud_driver import LibcloudDriver
from arvnodeman.cloud.operator_options import TagRule, credentials, public_key, require
from arvnodeman.cloud.payer_tags import ValueRule
from arvnodeman.cloud.redaction import shown
from arvnodeman.cloud.throttle import Allowance, Allowances, Op
from arvnodeman.cloud.user_data import node_data_script
from arvnodeman.config.cloud_options import options_of_create
from arvnodeman.fleet.values.model import CloudNode, ErrorKind, NodeRecord, NodeSize, RemoteFailure, Secret

if TYPE_CHECKING:
    from arvnodeman.config import Settings

CLASS_TAG = "arvados-class"
PING_TAG = "arv-ping-url"
BOOTED_TAG = "booted_at"
_MOST_FAULTS = 1000  # kept, so that each is asked for once
LONGEST_TAG = 256  # characters of a value
_URN = re.compile(r"[^:\s/]+(:[^:\s/]+){3}")
_NEVER_WAITING = (ErrorKind.REFUSED, ErrorKind.QUOTA, ErrorKind.CAPACITY)  # after which a create has done nothing
_log = logging.getLogger("ComputeNodeDriver")


class AzureDriver(LibcloudDriver):
    """[Cloud Credentials] tenant_id, subscription_id, key (application), secret, region."""

    errors = AZURE
    allowances: ClassVar[Allowances] = {Op.CREATE: Allowance(100, 500 / 60), Op.DESTROY: Allowance(100, 500 / 60)}
    # learn.microsoft.com/azure/virtual-machines/compute-throttling-limits: 500 a minute (and 1,500 at once)
    gone_states = frozenset({NodeState.TERMINATED, NodeState.STOPPING})
    broken_states = frozenset({NodeState.ERROR, NodeState.UNKNOWN})  # row I4
    create_options = options_of_create("azure")
    own_arguments = frozenset(
        {"name", "size", "auth", "location", "ex_resource_group", "ex_tags", "ex_customdata", "ex_use_managed_disks"}
        | {"ex_zone"}
    )
    secret_credentials = frozenset({"secret"})
    payer_rule = ValueRule(longest=LONGEST_TAG)
    tag_rule = TagRule(r"[^<>%&\\?/]{1,512}", "1 to 512 characters without < > % & \\ ? /", LONGEST_TAG)
    largest_startup = 65_535  # learn.microsoft.com/rest/api/compute/virtual-machines: osProfile.customData, decoded

    def __init__(self, settings: Settings, driver_class: Callable[..., Any] = AzureNodes) -> None:
        if driver_class is AzureNodes:
            needed = ("tenant_id", "subscription_id", "key", "secret", "region")
            require(settings, needed, ("image", "ex_network"))
        self._group = settings.cloud.listing.get("ex_resource_group", "")
        self._subscription = settings.cloud.credentials.get("subscription_id", Secret("")).reveal()
        self._ssh_key = public_key(settings)
        self._interfaces: Mapping[str, Sequence[tuple[str, str]]] = {}  # id in small letters -> (address, subnet)
        self._faults: dict[tuple[str, str], str] = {}  # (id, token) -> why that node has failed
        super().__init__(settings, driver_class)
        create = settings.cloud.create
        if f"tag_{CLASS_TAG}" in create:
            self._filters = {**self._filters, CLASS_TAG: create[f"tag_{CLASS_TAG}"]}
        image = create.get("image", "")
        if image and not (image.startswith(("/", "http")) or _URN.fullmatch(image)):
            wrong = (
                "not an image; allowed: PUBLISHER:OFFER:SKU:VERSION, a resource id that begins with /, the URL of a VHD"
            )
            raise self._mistake("image", wrong)

    def name_of(self, record: NodeRecord) -> str:
        """See LibcloudDriver."""
        return name_for_record(record)

    def create_node(self, size: NodeSize, record: NodeRecord, token: str, ping_url: Secret) -> CloudNode:
        """See CloudDriver. A network interface is made first: one whose node was refused is deleted again."""
        name = self.name_of(record)
        there = self._existing(name)
        if there is not None:  # putting it again would change it while somebody uses it
            value = self._cloud_node(there, self._tags(there))
            if value is not None and value.token == token and not self._is_gone(there):
                return replace(value, size_tag=size.id)
            raise cloud_failure(ErrorKind.TRANSIENT, f"another node of the name {name} is there")
        try:
            return super().create_node(size, record, token, ping_url)
        except RemoteFailure as failure:
            if failure.error.kind in _NEVER_WAITING:
                self._drop_interface(name)
            raise

    def lookups(self) -> Iterator[tuple[str, Callable[[], str]]]:
        """See CloudDriver."""
        create = self._settings.cloud.create

        def subnet() -> str:
            wanted = create.get("ex_subnet") or "default"
            path = f"{self._path('Microsoft.Network/virtualNetworks')}/{create.get('ex_network')}"
            listed = [str(each.name) for each in self._driver.ex_list_subnets(AzureNetwork(path, "", "", {}))]
            if wanted not in listed:
                raise LookupError(f"the network has no subnet {wanted}; it has {', '.join(listed) or 'none'}")
            return wanted

        yield "ex_subnet", self._lookup("ex_subnet", subnet)

    # ---- for LibcloudDriver ------------------------------------------------------------------------------------------

    def _connected(self, driver_class: Callable[..., Any]) -> Any:
        return driver_class(**credentials(self._settings))

    def _listed(self) -> Iterable[Any]:
        """Without addresses and power states, each of which would cost a request for each node (row I6). Of a family
        that is asked for, the interfaces of the group are listed, all at once."""
        ask = getattr(self._driver, "ex_addresses_in", None)  # a driver_class may be without it
        if ask is not None and self._settings.cloud.address_family != "any":
            self._interfaces = ask(self._group)
        nodes: Iterable[Any] = self._driver.list_nodes(
            ex_resource_group=self._group, ex_fetch_nic=False, ex_fetch_power_state=False
        )
        return nodes

    def _cloud_node(self, node: Any, tags: Mapping[str, str]) -> CloudNode | None:
        """Azure writes parts of an id sometimes in capitals: ours are always in one form."""
        value = super()._cloud_node(node, tags)
        return None if value is None else replace(value, id=self._id_of(value.name))

    def _addresses(self, node: Any) -> Iterable[NodeAddress]:
        """Within a virtual network the DNS knows each node by its name. It has no addresses of IPv6."""
        if self._settings.cloud.address_family == "any":
            return [NodeAddress(node.name)]
        subnet = self._settings.cloud.create.get("ex_subnet") or "default"
        listed = self._interfaces.get(str(node.id).lower(), ())
        return [NodeAddress(address, place=0 if below.lower() == subnet.lower() else 1) for address, below in listed]

    def _fault(self, node: Any) -> str:
        """A request for each node that has failed, as the list does not say why. Repeated until the reason is known."""
        if not self._is_failed(node):
            return ""
        known = (str(node.id), self._tags(node).get(TOKEN_TAG, ""))
        if len(self._faults) > _MOST_FAULTS:
            self._faults.clear()
        if not self._faults.get(known):
            try:
                with self._translating():
                    self._faults[known] = str(self._driver.ex_fault_of(node))
            except (RemoteFailure, AttributeError) as error:  # AttributeError: a driver_class without it
                _log.debug("cannot ask why %s has failed: %s", shown(node.name), shown(error))
                return ""
        return self._faults[known]

    def _report_id(self, node: Any) -> str:
        return str(node.name)

    def _start_time(self, node: Any) -> float | None:
        """None for a node without our tag (row N18)."""
        text = self._tags(node).get(BOOTED_TAG)
        if not text:
            return None
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()

    def _libcloud_node(self, node: CloudNode) -> Any:
        """The node as it is now. Raises RemoteFailure GONE, also when it is being deleted, or another node has the name
        now."""
        fresh = self._existing(node.name)
        token = None if fresh is None else self._tags(fresh).get(TOKEN_TAG)
        if fresh is None or self._is_gone(fresh) or (node.token and token != node.token):
            raise cloud_failure(ErrorKind.GONE, f"{node.name} is gone")
        return fresh

    def _write_tags(self, node: CloudNode, changes: Mapping[str, str | None]) -> None:
        fresh = self._libcloud_node(node)
        tags = {**self._tags(fresh), **changes}
        kept = {name: value for name, value in tags.items() if value is not None}
        self._driver.ex_create_tags(fresh.id, kept, replace=True)

    def _create_arguments(self, size: NodeSize, record: NodeRecord, token: str, ping_url: Secret) -> dict[str, Any]:
        create = self._settings.cloud.create
        name = self.name_of(record)
        script = node_data_script(
            {
                "arv-ping-url": ping_url.reveal(),
                "meta-data/instance-id": name,
                "meta-data/instance-type": size.provider_id,
            }
        )
        account = create.get("ex_storage_account")
        arguments: dict[str, Any] = {
            "name": name,
            "size": self._libcloud_size(size),
            "image": self._image(),
            "auth": self._auth(),
            "ex_resource_group": self._group,
            "ex_network": create.get("ex_network"),
            "ex_subnet": create.get("ex_subnet"),
            "ex_tags": self._all_tags(size, record, token, ping_url),
            "ex_customdata": self._startup_text(size, record, ping_url, script).encode(),
            "ex_use_managed_disks": not account,
        }
        arguments |= {"ex_storage_account": account} if account else {"ex_os_disk_delete": True}
        if size.rung is not None and size.rung.zone:
            arguments["ex_zone"] = size.rung.zone
        if create.get("ex_user_name"):
            arguments["ex_user_name"] = create["ex_user_name"]
        return arguments

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _path(self, kind: str) -> str:
        return f"/subscriptions/{self._subscription}/resourceGroups/{self._group}/providers/{kind}"

    def _id_of(self, name: str) -> str:
        return f"{self._path('Microsoft.Compute/virtualMachines')}/{name}"

    def _existing(self, name: str) -> Any:
        """The node of this name, or None."""
        try:
            with self._translating():
                return self._driver.ex_get_node(self._id_of(name))
        except RemoteFailure as failure:
            if failure.error.kind is ErrorKind.GONE:
                return None
            raise

    def _drop_interface(self, name: str) -> None:
        try:
            with self._translating():
                self._driver.ex_destroy_nic_of(name, self._group)
        except RemoteFailure as failure:
            if failure.error.kind is not ErrorKind.GONE:
                _log.warning("the network interface %s-nic of a refused node is left: %s", name, failure.error.text)
        except AttributeError:  # a driver_class without it
            _log.warning("the network interface %s-nic of a refused node is left", name)

    def _all_tags(self, size: NodeSize, record: NodeRecord, token: str, ping_url: Secret) -> dict[str, str]:
        booted = datetime.fromtimestamp(time.time(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        tags = {**self._create_tags(size, record, token), BOOTED_TAG: booted}
        if not ping_url:
            return tags
        if len(ping_url.reveal()) <= LONGEST_TAG:
            return {**tags, PING_TAG: ping_url.reveal()}
        _log.warning("the ping URL of %s is too long for a tag: it is in the custom data alone", self.name_of(record))
        return tags

    def _auth(self) -> Any:
        """The operator's key, else a password that nobody knows."""
        if self._ssh_key:
            return lc.NodeAuthSSHKey(self._ssh_key)
        return lc.NodeAuthPassword(f"Aa1-{secrets.token_urlsafe(24)}")

    def _image(self) -> Any:
        image = self._settings.cloud.create.get("image", "")
        if image.startswith("/"):  # of our own, or of a gallery
            made = AzureComputeGalleryImage("", "", "", image.rpartition("/")[2], self._driver)
            made.id = image
            return made
        return self._driver.get_image(image)  # asks nothing for a URN that is whole
