"""`provider = gce`: Google Compute Engine.

Ours are the nodes with the network tags of `[Cloud List] tags`; everything else that we keep on a node is in its
metadata, where values may be long and of any case: labels are lower case and short.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar

from libcloud.compute.types import NodeState

from arvnodeman.cloud.addresses import AddressKind, NodeAddress
from arvnodeman.cloud.base import name_for_record
from arvnodeman.cloud.error_tables import GCE
from arvnodeman.cloud.gce_libcloud import GCENodes, metadata_of
from arvnodeman.cloud.libcloud_driver import LibcloudDriver
from arvnodeman.cloud.operator_options import TagRule, credentials, public_key, require, words
from arvnodeman.cloud.payer_tags import ValueRule
from arvnodeman.cloud.throttle import Allowance, Allowances, Op
from arvnodeman.config import ConfigError
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
from arvnodeman.fleet.values.rungs import zone_of

if TYPE_CHECKING:
    from arvnodeman.config import Settings

PING_KEY = "arv-ping-url"
BOOTED_KEY = "booted_at"
LOCAL_SSD = 375_000  # MB
_API = "https://www.googleapis.com/compute/v1"
_log = logging.getLogger("ComputeNodeDriver")


class GCEDriver(LibcloudDriver):
    """[Cloud Credentials] user_id, key (path of a JSON or PEM file), project, datacenter (the zone)."""

    errors = GCE
    allowances: ClassVar[Allowances] = {Op.CREATE: Allowance(25, 25), Op.DESTROY: Allowance(25, 25)}
    # docs.cloud.google.com/compute/api-quota: 1,500 requests a minute that change something
    gone_states = frozenset({NodeState.TERMINATED, NodeState.STOPPING})
    create_options = options_of_create("gce")
    own_arguments = frozenset(
        {
            "name",
            "size",
            "location",
            "ex_metadata",
            "ex_tags",
            "ex_disks_gce_struct",
            "ex_nic_gce_struct",
            "ex_preemptible",
            "ex_reservation",
        }
    )
    secret_credentials = frozenset({"key"})
    # docs.cloud.google.com/compute/docs/labeling-resources: of ASCII small letters, digits, - and _
    payer_rule = ValueRule(r"[^a-z0-9_-]", 63, lower=True)
    bills_by_tags = False  # a bill is divided by labels; tags of ours are metadata
    tag_rule = TagRule(r"[A-Za-z0-9\-_]{1,128}", "1 to 128 ASCII letters, digits and - _", 262_144)
    largest_startup = 262_144  # docs.cloud.google.com/compute/docs/metadata/setting-custom-metadata: for each value

    def __init__(self, settings: Settings, driver_class: Callable[..., Any] = GCENodes) -> None:
        if driver_class is GCENodes:
            require(settings, ("user_id", "project", "datacenter"), ("image",))
            _check_key(settings)
        create = settings.cloud.create
        self._project = settings.cloud.credentials.get("project", Secret("")).reveal()
        self._zone = settings.cloud.credentials.get("datacenter", Secret("")).reveal()
        self._zones = {rung.zone for size in settings.sizes for rung in size.ladder if rung.zone} | {self._zone}
        self._network_tags = words(settings.cloud.listing.get("tags"))
        self._accounts = _service_accounts(settings, create.get("service_accounts"))
        self._ssh_key = public_key(settings)
        self._image_link: str | None = None  # looked up once
        super().__init__(settings, driver_class)

    def name_of(self, record: NodeRecord) -> str:
        """See LibcloudDriver (row H2)."""
        return name_for_record(record)

    def create_node(self, size: NodeSize, record: NodeRecord, token: str, ping_url: Secret) -> CloudNode:
        """See CloudDriver. Waits for the cloud's operation, which alone tells that there is no capacity."""
        try:
            return super().create_node(size, record, token, ping_url)
        except RemoteFailure as failure:
            if failure.error.kind is ErrorKind.REFUSED:
                self._image_link = None  # it may have been replaced
            raise

    def lookups(self) -> Iterator[tuple[str, Callable[[], str]]]:
        """See CloudDriver."""
        create = self._settings.cloud.create
        network, subnetwork = create.get("network") or "default", create.get("subnetwork")
        yield "image", self._lookup("image", self._image)
        if create.get("network") or not subnetwork:
            yield "network", self._lookup("network", lambda: str(self._driver.ex_get_network(network).name))
        if subnetwork:
            region = self._zone.rpartition("-")[0]
            look = lambda: str(self._driver.ex_get_subnetwork(subnetwork, region).name)  # noqa: E731
            yield "subnetwork", self._lookup("subnetwork", look)

    # ---- for LibcloudDriver ------------------------------------------------------------------------------------------

    def _connected(self, driver_class: Callable[..., Any]) -> Any:
        given = credentials(self._settings)
        if "scopes" in given:
            given["scopes"] = words(given["scopes"])
        return driver_class(**given)

    def _listed(self) -> Iterable[Any]:
        """Nodes with all the network tags that we ask for; the cloud is not asked to filter (row H3)."""
        wanted = set(self._network_tags)
        nodes = self._driver.list_nodes(ex_zone="all") if len(self._zones) > 1 else self._driver.list_nodes()
        return [node for node in nodes if wanted <= _network_tags_of(node)]

    def _is_ours(self, tags: Mapping[str, str]) -> bool:
        return bool(self._network_tags) or super()._is_ours(tags)

    def _tags(self, node: Any) -> Mapping[str, str]:
        return metadata_of(node)

    def _start_time(self, node: Any) -> float | None:
        """Our own entry, else the API's; None where neither can be read (row H3)."""
        written = (metadata_of(node).get(BOOTED_KEY), node.extra.get("creationTimestamp"))
        for text in filter(None, written):
            try:
                moment = datetime.fromisoformat(text)
            except (TypeError, ValueError):
                continue
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        return None

    def _addresses(self, node: Any) -> Iterable[NodeAddress]:
        """libcloud reads none of IPv6. Interfaces in the configured subnetwork, or network, come first."""
        interfaces = node.extra.get("networkInterfaces")
        if not isinstance(interfaces, list):
            yield from super()._addresses(node)
            return
        create = self._settings.cloud.create
        option = "subnetwork" if create.get("subnetwork") else "network"
        wanted = _last_part(create.get(option))
        for interface in interfaces:
            place = 0 if wanted in ("", _last_part(interface.get(option))) else 1
            for private in ("networkIP", "ipv6Address"):
                yield NodeAddress(interface.get(private), AddressKind.PRIVATE, place)
            for configs, public in (("accessConfigs", "natIP"), ("ipv6AccessConfigs", "externalIpv6")):
                yield from (
                    NodeAddress(each.get(public), AddressKind.PUBLIC, place) for each in interface.get(configs) or ()
                )

    def _preemptible(self, node: Any) -> bool:
        scheduling = node.extra.get("scheduling") or {}
        return scheduling.get("preemptible") is True or scheduling.get("provisioningModel") == "SPOT"

    def _libcloud_size(self, size: NodeSize) -> Any:
        made = super()._libcloud_size(size)
        made.extra = {"selfLink": self._link(f"zones/{self._zone_of(size)}/machineTypes/{size.provider_name}")}
        return made

    def _libcloud_node(self, node: CloudNode) -> Any:
        """The node as it is now: requests use its name, which another node may have now; writing its metadata needs
        their newest fingerprint (row H9)."""
        fresh = self._driver.ex_get_node(node.name, zone_of(node.rung) or self._zone or None)
        if str(fresh.id) != node.id:
            raise RemoteFailure(RemoteError(ErrorKind.GONE, f"{node.name} is not {node.id} but {fresh.id}"))
        return fresh

    def _write_tags(self, node: CloudNode, changes: Mapping[str, str | None]) -> None:
        fresh = self._libcloud_node(node)
        values = {**metadata_of(fresh), **changes}
        items = [{"key": key, "value": value} for key, value in values.items() if value is not None]
        self._driver.ex_set_node_metadata(fresh, items)

    def _create_arguments(self, size: NodeSize, record: NodeRecord, token: str, ping_url: Secret) -> dict[str, Any]:
        name = self.name_of(record)
        metadata = {
            **({PING_KEY: ping_url.reveal()} if ping_url else {}),
            BOOTED_KEY: datetime.fromtimestamp(time.time(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            **self._create_tags(size, record, token),
        }
        if self._ssh_key:
            metadata["sshKeys"] = f"root:{self._ssh_key}"
        text = self._startup_text(size, record, ping_url, "")
        if text:
            metadata["startup-script" if text.startswith("#!") else "user-data"] = text
        arguments = {
            "name": name,
            "size": self._libcloud_size(size),
            "image": None,  # it is in the disk's structure
            "ex_disk_type": None,
            "ex_disks_gce_struct": self._disks(size, name),
            "ex_metadata": metadata,
            "ex_tags": self._network_tags or None,
            "ex_service_accounts": self._accounts,
            "ex_preemptible": size.preemptible or None,
            **self._networks(),
        }
        if labels := self._payers.of(token):
            arguments["ex_labels"] = dict(labels)
        if size.rung is not None and size.rung.zone:
            arguments["location"] = self._driver.ex_get_zone(size.rung.zone)
        if size.rung is not None and size.rung.reservation:
            arguments["ex_reservation"] = size.rung.reservation
        if "external_ip" not in self._free_create_options:
            arguments["external_ip"] = None
        return arguments

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _zone_of(self, size: NodeSize) -> str:
        """The zone in which a node of this size is made."""
        return (size.rung.zone if size.rung is not None else "") or self._zone

    def _link(self, path: str) -> str:
        """A full link for a path within the project; links and `projects/…` paths stay what they are."""
        if "://" in path:
            return path
        return f"{_API}/{path}" if path.startswith("projects/") else f"{_API}/projects/{self._project}/{path}"

    def _disks(self, size: NodeSize, name: str) -> list[dict[str, Any]]:
        """The boot disk, which goes when the node goes (row H4), and for scratch one local SSD (row H6)."""
        free = self._free_create_options
        kind = free.get("ex_disk_type") or "pd-standard"
        zone = self._zone_of(size)
        parameters = {"diskName": name, "diskType": self._disk_type(kind, zone), "sourceImage": self._image()}
        if free.get("ex_disk_size"):
            parameters["diskSizeGb"] = free["ex_disk_size"]
        boot = {
            "autoDelete": True,
            "boot": True,
            "type": "PERSISTENT",
            "mode": "READ_WRITE",
            "deviceName": name,
            "initializeParams": parameters,
        }
        if not size.scratch:
            return [boot]
        if size.scratch > LOCAL_SSD:
            text = (
                "Requested %d MB scratch space, but GCE driver currently only supports attaching a single 375 GB disk."
            )
            _log.warning(text, size.scratch)
        ssd = {
            "autoDelete": True,
            "type": "SCRATCH",
            "deviceName": "tmp",
            "initializeParams": {"diskType": self._disk_type("local-ssd", zone)},
        }
        return [boot, ssd]

    def _disk_type(self, kind: str, zone: str) -> str:
        return self._link(kind if "/" in kind else f"zones/{zone}/diskTypes/{kind}")

    def _image(self) -> str:
        """The link of the image: a name is looked for in our own project, then in Google's (row H8)."""
        image = self._settings.cloud.create.get("image", "")
        if "/" in image:
            return self._link(image)
        if self._image_link is None:
            found = self._driver.ex_get_image(image, ex_project_list=[self._project])
            self._image_link = str(found.extra["selfLink"])
        return self._image_link

    def _networks(self) -> dict[str, Any]:
        """A subnetwork alone is enough: its network follows from it."""
        create = self._settings.cloud.create
        network, subnetwork = create.get("network"), create.get("subnetwork")
        above = self._named("global/networks", network or "default")
        if not subnetwork:
            return {"ex_network": above}
        region = self._zone.rpartition("-")[0]
        below = self._named(f"regions/{region}/subnetworks", subnetwork)
        if network:
            return {"ex_network": above, "ex_subnetwork": below}
        return {"ex_network": self._named("global/networks", "default"), "ex_nic_gce_struct": [self._nic(below)]}

    def _named(self, folder: str, name: str) -> Any:
        """What libcloud asks of an object that it is not to look up: a name and a link."""
        link = self._link(name if "/" in name else f"{folder}/{name}")
        return SimpleNamespace(name=link.rpartition("/")[2], extra={"selfLink": link})

    def _nic(self, subnetwork: Any) -> dict[str, Any]:
        nic: dict[str, Any] = {"subnetwork": subnetwork.extra["selfLink"]}
        if self._free_create_options.get("external_ip"):
            nic["accessConfigs"] = [{"name": "External NAT", "type": "ONE_TO_ONE_NAT"}]
        return nic


def _last_part(link: str | None) -> str:
    return (link or "").rstrip("/").rpartition("/")[2]


def _network_tags_of(node: Any) -> set[str]:
    tags = (getattr(node, "extra", None) or {}).get("tags")
    return {str(tag) for tag in tags} if isinstance(tags, list | tuple) else set()


def _service_accounts(settings: Settings, text: str | None) -> list[dict[str, Any]] | None:
    if not text:
        return None
    accounts = json.loads(text)  # the configuration has seen that it is JSON
    if not isinstance(accounts, list) or not all(isinstance(account, dict) for account in accounts):
        wrong = 'not a list of objects; allowed: [{"email": …, "scopes": […]}]'
        raise ConfigError((f"{settings.path}: [Cloud Create] service_accounts: {wrong}",))
    return accounts


def _check_key(settings: Settings) -> None:
    """If the path does not exist, libcloud takes it for the key itself, and says that it cannot be decoded."""
    given = settings.cloud.credentials
    key = given.get("key", Secret("")).reveal()
    kind = given.get("auth_type", Secret("")).reveal()
    service_account = given["user_id"].reveal().endswith(".gserviceaccount.com")
    if kind not in ("", "SA") or (not kind and not service_account):
        return
    if not ("PRIVATE KEY" in key or key.lstrip().startswith("{") or (key and Path(key).expanduser().is_file())):
        wrong = "missing" if not key else "there is no such file"
        raise ConfigError(
            (f"{settings.path}: [Cloud Credentials] key: {wrong}; allowed: path of a key file, JSON or PEM",)
        )
