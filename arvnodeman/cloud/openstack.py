"""`provider = openstack`: servers of Nova.

Ours are the servers with the metadata that `[Cloud List] tag_NAME = VALUE` names. Names are not unique at this cloud.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar

from libcloud.compute.types import NodeState

from arvnodeman.cloud.addresses import AddressKind, NodeAddress
from arvnodeman.cloud.base import name_for_record
from arvnodeman.cloud.error_tables import OPENSTACK
from arvnodeman.cloud.libcloud_driver import LibcloudDriver
from arvnodeman.cloud.openstack_libcloud import OpenStackNodes
from arvnodeman.cloud.operator_options import TagRule, credentials, require, words
from arvnodeman.cloud.payer_tags import ValueRule
from arvnodeman.cloud.user_data import NODE_DATA, node_data_script
from arvnodeman.config.cloud_options import options_of_create
from arvnodeman.fleet.values.model import (
    CloudNode,
    ErrorKind,
    NodeRecord,
    NodeSize,
    RemoteError,
    RemoteFailure,
    Secret,
)

if TYPE_CHECKING:
    from arvnodeman.config import Settings

_log = logging.getLogger("ComputeNodeDriver")
_ID = re.compile(r"[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}")
# A server's id is not known before it is created: the node asks the metadata service, else reads the firmware.
_OWN_ID = f"""\
{{ curl -sf --max-time 10 http://169.254.169.254/openstack/latest/meta_data.json |
    tr ',' '\\n' | sed -n 's/.*"uuid": *"\\([^"]*\\)".*/\\1/p'
  cat /sys/class/dmi/id/product_uuid
}} 2>/dev/null | head -n 1 | tr 'A-F' 'a-f' > {NODE_DATA}/meta-data/instance-id
"""


class OpenStackDriver(LibcloudDriver):
    """[Cloud Credentials] key (user), secret, ex_force_auth_url, ex_tenant_name (project)."""

    errors = OPENSTACK
    broken_states = frozenset({NodeState.ERROR})
    create_options = options_of_create("openstack")
    own_arguments = frozenset({"name", "size", "ex_metadata", "ex_userdata"})
    secret_credentials = frozenset({"secret", "ex_force_auth_token"})
    secret_options = frozenset({"ex_admin_pass"})
    json_options: ClassVar[Mapping[str, type]] = {
        "ex_os_scheduler_hints": dict,
        "ex_blockdevicemappings": list,
        "ex_files": dict,
    }
    payer_rule = ValueRule(longest=255)
    tag_rule = TagRule(r"[A-Za-z0-9\-_:. ]{1,255}", "1 to 255 ASCII letters, digits and - _ : .", 255)
    largest_startup = 49_149  # nova takes 65,535 characters of base64

    def __init__(self, settings: Settings, driver_class: Callable[..., Any] = OpenStackNodes) -> None:
        if driver_class is OpenStackNodes:
            require(settings, ("key", "ex_force_auth_url"), ("image",))
        self._found: dict[tuple[str, str], str] = {}  # (kind, name) -> id, looked up once
        self._network_names: dict[str, str] = {}  # id -> name, asked for once
        super().__init__(settings, driver_class)
        self._startup.hidden.keep(*map(str, self._free_create_options.get("ex_files", {}).values()))

    def name_of(self, record: NodeRecord) -> str:
        """See LibcloudDriver."""
        return name_for_record(record)

    def create_node(self, size: NodeSize, record: NodeRecord, token: str, ping_url: Secret) -> CloudNode:
        """See CloudDriver."""
        try:
            return super().create_node(size, record, token, ping_url)
        except RemoteFailure as failure:
            if failure.error.kind is ErrorKind.REFUSED:
                self._found.clear()  # an image may have been replaced
            raise

    def lookups(self) -> Iterator[tuple[str, Callable[[], str]]]:
        """See CloudDriver."""
        create = self._settings.cloud.create
        yield "image", self._lookup("image", lambda: str(self._driver.get_image(self._image()).name))
        for network in words(create.get("networks")):
            yield "networks", self._lookup("networks", lambda name=network: self._network(name))  # type: ignore[misc]
        if create.get("ex_keyname"):
            look = lambda: str(self._driver.get_key_pair(create["ex_keyname"]).name)  # noqa: E731
            yield "ex_keyname", self._lookup("ex_keyname", look)

    # ---- for LibcloudDriver ------------------------------------------------------------------------------------------

    def _connected(self, driver_class: Callable[..., Any]) -> Any:
        given = credentials(self._settings)
        if given.get("ex_force_auth_url"):  # as in openrc: libcloud adds the version
            given["ex_force_auth_url"] = re.sub(r"/v3/?$", "", given["ex_force_auth_url"])
        return driver_class(**given)

    def _listen(self) -> None:
        """libcloud makes a new HTTP session when it has learned where the API is: look at its answers, too."""
        super()._listen()
        connection = getattr(self._driver, "connection", None)
        connect = getattr(connection, "connect", None)
        if connection is None or connect is None:
            return

        def connect_and_listen(*args: Any, **options: Any) -> None:
            connect(*args, **options)
            super(OpenStackDriver, self)._listen()

        connection.connect = connect_and_listen

    def _cloud_node(self, node: Any, tags: Mapping[str, str]) -> CloudNode | None:
        """Also whether it is still being built: its metadata cannot be changed until then."""
        value = super()._cloud_node(node, tags)
        building = node.state is NodeState.PENDING and (node.extra or {}).get("vm_state", "building") == "building"
        return value if value is None else replace(value, building=building)

    def _is_gone(self, node: Any) -> bool:
        return super()._is_gone(node) or (node.extra or {}).get("task_state") == "deleting"

    def _fault(self, node: Any) -> str:
        fault = (node.extra or {}).get("fault")
        return str(fault.get("message") or "") if isinstance(fault, Mapping) else ""

    def _addresses(self, node: Any) -> Iterable[NodeAddress]:
        """The networks in the order of the option, each with what is its own before what floats."""
        networks = (node.extra or {}).get("addresses")
        if not isinstance(networks, Mapping):
            yield from super()._addresses(node)
            return
        order = self._names_of_networks() if len(networks) > 1 else ()
        own = {str(address) for address in node.private_ips}
        for label, addresses in networks.items():
            place = order.index(label) if label in order else len(order)
            for each in addresses:
                floats = each.get("OS-EXT-IPS:type") == "floating"
                kind = (
                    AddressKind.FLOATING
                    if floats
                    else AddressKind.PRIVATE
                    if each.get("addr") in own
                    else AddressKind.PUBLIC
                )
                yield NodeAddress(each.get("addr"), kind, place)

    def _names_of_networks(self) -> Sequence[str]:
        """Those of the option, in its order; servers show names alone. An id whose name cannot be asked for stays."""
        given = words(self._settings.cloud.create.get("networks"))
        if not self._network_names and len(given) > 1 and any(_ID.fullmatch(each) for each in given):
            try:
                with self._translating():
                    self._network_names = {str(each.id): str(each.name) for each in self._driver.ex_list_networks()}
            except RemoteFailure as failure:
                _log.debug("cannot ask for the names of networks: %s", failure.error.text)
        return [self._network_names.get(each, each) for each in given]

    def _tags(self, node: Any) -> Mapping[str, str]:
        metadata = (getattr(node, "extra", None) or {}).get("metadata")
        return {str(key): str(value) for key, value in metadata.items()} if isinstance(metadata, Mapping) else {}

    def _provider_size_of(self, node: Any) -> str | None:
        """The flavor's id; newer versions of the API give its name alone."""
        extra = node.extra or {}
        flavor = extra.get("flavor_details")
        name = flavor.get("original_name") if isinstance(flavor, Mapping) else None
        return extra.get("flavorId") or name or super()._provider_size_of(node)

    def _write_tags(self, node: CloudNode, changes: Mapping[str, str | None]) -> None:
        self._driver.ex_change_metadata(self._libcloud_node(node), changes)

    def _create_arguments(self, size: NodeSize, record: NodeRecord, token: str, ping_url: Secret) -> dict[str, Any]:
        create = self._settings.cloud.create
        files = {"arv-ping-url": ping_url.reveal(), "meta-data/instance-type": size.provider_name}
        script = node_data_script(files) + _OWN_ID
        arguments: dict[str, Any] = {
            "name": self.name_of(record),
            "size": self._libcloud_size(size),
            "image": SimpleNamespace(id=self._image()),
            "ex_userdata": self._startup_text(size, record, ping_url, script),
            "ex_metadata": self._create_tags(size, record, token),
        }
        zone = size.rung.zone if size.rung is not None else ""
        networks = [SimpleNamespace(id=self._network(name)) for name in words(create.get("networks"))]
        groups = [SimpleNamespace(name=name) for name in words(create.get("ex_security_groups"))]
        optional = {
            "networks": networks,
            "ex_security_groups": groups,
            "ex_keyname": create.get("ex_keyname"),
            "ex_availability_zone": zone or create.get("ex_availability_zone"),
        }
        return arguments | {name: value for name, value in optional.items() if value}

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _image(self) -> str:
        return self._id_of("image", self._settings.cloud.create.get("image", ""), self._driver.list_images)

    def _network(self, name: str) -> str:
        return self._id_of("networks", name, self._driver.ex_list_networks)

    def _id_of(self, option: str, name: str, listed: Callable[[], Iterable[Any]]) -> str:
        """The id of what an option names: an id as it is, a name looked up once. Raises RemoteFailure REFUSED."""
        if _ID.fullmatch(name):
            return name
        known = self._found.get((option, name))
        if known is not None:
            return known
        ids = [str(each.id) for each in listed() if each.name == name]
        if len(ids) != 1:
            there = "nothing is" if not ids else f"{len(ids)} are"
            text = f"{there} named {name!r}"
            raise RemoteFailure(RemoteError(ErrorKind.REFUSED, text, hint=f"[Cloud Create] {option}"))
        self._found[option, name] = ids[0]
        return ids[0]
