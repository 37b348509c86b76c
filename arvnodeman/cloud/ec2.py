"""`provider = ec2`: Amazon EC2, and clouds that speak its API.

A node is named after its record's FQDN, which is kept in the tag Name. Its user data is the bare ping URL, which
existing images fetch, or the operator's template. [Cloud Credentials]: `key`, `secret`, `region` and what else
libcloud's driver takes. [Cloud List]: filters of DescribeInstances, `_` standing for `:`.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import libcloud.compute.base as lc
from libcloud.compute.drivers.ec2 import NAMESPACE, EC2NetworkSubnet, EC2NodeDriver
from libcloud.utils.xml import findall, findtext

from arvnodeman.cloud.addresses import NodeAddress
from arvnodeman.cloud.base import FQDN_TAG, LEASE_TAG, SIZE_TAG, TOKEN_TAG, name_for_record
from arvnodeman.cloud.ec2_addresses import addresses_of
from arvnodeman.cloud.ec2_batch import member_of
from arvnodeman.cloud.ec2_batching import MAX_COUNT, BatchingDriver
from arvnodeman.cloud.ec2_launches import CODES, launches_of_process, reason_of
from arvnodeman.cloud.ec2_prices import priced
from arvnodeman.cloud.ec2_regions import endpoint_of, is_region, region_in
from arvnodeman.cloud.ec2_requests import change_tags, describe, posting, without_name
from arvnodeman.cloud.ec2_setup import LARGEST_VOLUME, Setup, key_pair_of_process
from arvnodeman.cloud.ec2_types import described_sizes
from arvnodeman.cloud.error_tables import EC2
from arvnodeman.cloud.errors import classify, cloud_failure
from arvnodeman.cloud.listed_sizes import STRANGE, provider_size
from arvnodeman.cloud.operator_options import TagRule, credentials, require, words
from arvnodeman.cloud.payer_tags import ValueRule
from arvnodeman.cloud.redaction import shown
from arvnodeman.cloud.throttle import Allowance, Allowances, Op
from arvnodeman.config.cloud_options import options_of_create
from arvnodeman.config.option import nearest
from arvnodeman.fleet.values.model import (
    CloudNode,
    ErrorKind,
    NodeRecord,
    NodeSize,
    ProviderSize,
    RemoteFailure,
    Secret,
)
from arvnodeman.fleet.values.rungs import Rung

if TYPE_CHECKING:
    from arvnodeman.config import Settings

_STATES = ("pending", "running", "stopping", "stopped")  # always asked for: what is in any of them is paid for
UNNAMED = "unnamed"  # in a libcloud node's extra: its name is not in a tag of its own
_AT_ONCE = 500  # instances in one CreateTags
_ELSEWHERE = "InsufficientFreeAddressesInSubnet"  # of the account a quota; of a rung, want of room
_log = logging.getLogger("ComputeNodeDriver")
_ACTION = re.compile(rb"(?:^|&)Action=(\w+)")


class EC2Driver(BatchingDriver):
    """See the module. Raises ConfigError for a region, an ssh key or a template that cannot be used."""

    errors = EC2
    create_options = options_of_create("ec2")
    own_arguments = frozenset(
        {"name", "size", "image", "location", "auth", "ex_userdata", "ex_metadata", "ex_clienttoken", "ex_subnet"}
        | {"ex_security_group_ids", "ex_spot", "ex_blockdevicemappings", "ex_terminate_on_shutdown"}
        | {"ex_mincount", "ex_maxcount"}
    )
    # docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html: letters, digits, blanks and + - = . _ : / @
    payer_rule = ValueRule(r"[^\w +\-=.:/@]|[^\x00-\uffff]", 256)
    tag_rule = TagRule(r"(?!aws:).{1,128}", "1 to 128 characters that do not begin with aws:", 256)
    allowances: ClassVar[Allowances] = {
        Op.CREATE: Allowance(5, 2),
        Op.DESTROY: Allowance(100, 5),
        Op.TAG: Allowance(100, 10),
        Op.NODE: Allowance(1000, 2),
    }
    # docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html: RunInstances, TerminateInstances, CreateTags, and
    # instances of RunInstances
    largest_startup = 16_384  # docs.aws.amazon.com/AWSEC2/latest/UserGuide/user-data.html: before it is encoded
    gone_words: ClassVar[frozenset[str]] = frozenset({"shutting-down", "terminated"})
    stopped_words: ClassVar[frozenset[str]] = frozenset({"stopping", "stopped"})

    def __init__(self, settings: Settings, driver_class: Callable[..., Any] = EC2NodeDriver) -> None:
        super().__init__(settings, posting(driver_class))
        self._setup = Setup.read(settings, self._mistake)
        self._types = frozenset(section.instance_type for section in settings.sizes)
        self._list_filters = self._read_list_filters()
        self._launches = launches_of_process()
        self._filters = {
            name.removeprefix("tag:"): values[0]
            for name, values in self._list_filters.items()
            if name.startswith("tag:")
        }

    def _changes(self, request: Any) -> bool:
        """All of EC2's requests are sent in one way: their name tells."""
        body = request.body or b""
        found = _ACTION.search(body.encode() if isinstance(body, str) else body)
        return found is None or not found[1].startswith(b"Describe")

    # ---- the contract ------------------------------------------------------------------------------------------------

    def name_of(self, record: NodeRecord) -> str:
        """The record's FQDN; a record that was prepared has one."""
        return record.fqdn or name_for_record(record)

    def list_sizes(self) -> tuple[ProviderSize, ...]:
        """See CloudDriver. libcloud's table, and what EC2 says of configured types that are too new for it."""
        known = self._known_regions(type(self._driver))
        sizes = super().list_sizes() if not known or self._driver.region_name in known else ()
        missing = self._types - {size.id for size in sizes}
        if not missing:
            return priced(sizes, self._driver.region_name)
        try:
            with self._translating():
                found = list(described_sizes(self._driver, missing))
        except RemoteFailure as unknown:
            if unknown.error.kind is not ErrorKind.REFUSED or not sizes:
                raise
            _log.warning("Cannot ask EC2 for %s: %s", ", ".join(sorted(missing)), unknown.error.text)
            return priced(sizes, self._driver.region_name)
        sizes = (*sizes, *(size for size in map(provider_size, found) if size is not None))
        if not sizes:
            raise cloud_failure(ErrorKind.TRANSIENT, "the cloud lists no sizes")
        return priced(sizes, self._driver.region_name)

    def sync_fqdn(self, node: CloudNode, fqdn: str) -> None:
        """See CloudDriver. Kept in the tag Name."""
        with self._translating(), self._paced(Op.TAG):
            self._write_tags(node, {"Name": fqdn})

    def lookups(self) -> Iterator[tuple[str, Callable[[], str]]]:
        """See CloudDriver."""
        for option, look in self._setup.lookups(self._driver):
            yield option, self._lookup(option, look)

    def destroy_node(self, node: CloudNode) -> None:
        """See CloudDriver."""
        super().destroy_node(node)
        self._launches.destroyed(node.id)

    def renew_leases(self, ids: Sequence[str], value: str) -> None:
        """See CloudDriver. EC2 refuses a CreateTags that names an instance that it does not know any more: the ids are
        then halved, down to each by itself."""
        for first in range(0, len(ids), _AT_ONCE):
            self._renew(ids[first : first + _AT_ONCE], value)

    def _renew(self, ids: Sequence[str], value: str) -> None:
        try:
            with self._translating(), self._paced(Op.TAG):
                change_tags(self._driver, ids, {LEASE_TAG: value})
        except RemoteFailure as failure:
            if failure.error.kind is not ErrorKind.GONE:
                raise
            if len(ids) > 1:
                middle = len(ids) // 2
                self._renew(ids[:middle], value)
                self._renew(ids[middle:], value)

    # ---- create ------------------------------------------------------------------------------------------------------

    def _create_arguments(self, size: NodeSize, record: NodeRecord, token: str, ping_url: Secret) -> dict[str, Any]:
        user_data = self._startup_text(size, record, ping_url, otherwise=ping_url.reveal())
        arguments = {
            "name": self.name_of(record),
            "size": self._libcloud_size(size),
            "image": lc.NodeImage(self._setup.image, None, self._driver),
            "ex_userdata": user_data,
            "ex_metadata": self._create_tags(size, record, token),
            "ex_clienttoken": f"{record.uuid}/{token}",
            "ex_terminate_on_shutdown": True,  # a node that halts itself must not stay stopped: it would be paid for
            "ex_spot": size.preemptible,
            "ex_keyname": self._key_pair(),
            "ex_iamprofile": self._setup.profile or None,
            "rung": size.rung,
        }
        volume = self._setup.volume(size.scratch, size.disk)
        if volume is not None:
            arguments["ex_blockdevicemappings"] = [volume]
            wanted = self._setup.volume_size(size.scratch, size.disk)
            if wanted > LARGEST_VOLUME:
                _log.warning(
                    "Requested EBS volume size %d is too large, capping size request to %d GB", wanted, LARGEST_VOLUME
                )
        return arguments

    def _ask_for_node(self, arguments: Mapping[str, Any]) -> Any:
        """In one place: at the rung, or in the one subnet that is configured, or where EC2 chooses."""
        rung: Rung | None = arguments["rung"]
        subnet = self._setup.subnet_of(rung)
        try:
            with self._paced(Op.CREATE, nodes=int(arguments.get(MAX_COUNT, 1))):
                return self._run_instance(arguments, subnet)
        except Exception as error:
            known = classify(error, self.errors, self._secrets, hidden=self._startup.hidden)
            if rung is not None and rung.zone and known is not None and _ELSEWHERE in known.text:
                raise RemoteFailure(replace(known, kind=ErrorKind.CAPACITY)) from None
            raise

    def _run_instance(self, arguments: Mapping[str, Any], subnet: str | None) -> Any:
        """One RunInstances; what libcloud makes of its answer. The client token names boot and place: at another place
        it is another request."""
        merged: dict[str, Any] = {**self._free_create_options, **arguments}
        rung: Rung | None = merged.pop("rung")
        request = f"{arguments['ex_clienttoken']}/{subnet if rung is None else rung.key}"
        merged["ex_clienttoken"] = hashlib.sha256(request.encode()).hexdigest()  # 64 characters, the most
        if subnet is not None:
            merged["ex_subnet"] = EC2NetworkSubnet(subnet, subnet, "available")
            merged["ex_security_group_ids"] = list(self._setup.groups)
        is_batch = MAX_COUNT in arguments
        tags = arguments["ex_metadata"] if is_batch else {"Name": arguments["name"], **arguments["ex_metadata"]}
        additions = self._setup.additions(
            subnet=subnet is not None, public=bool(merged.get("ex_assign_public_ip")), tags=tags, rung=rung
        )
        self._driver.connection.additions = additions | (without_name(tags) if is_batch else {})
        self._launches.begun()
        node = self._driver.create_node(**merged)
        if not is_batch and self._is_gone(node):
            raise cloud_failure(ErrorKind.CAPACITY, f"{node.id} was terminated as soon as it was made")
        return node

    def _create_tags(self, size: NodeSize, record: NodeRecord, token: str) -> dict[str, str]:
        tags = super()._create_tags(size, record, token)
        tags.pop(FQDN_TAG, None)  # it is the node's name
        return tags

    def _key_pair(self) -> str | None:
        if not self._setup.public_key:
            return self._setup.key_pair or None
        account = tuple(str(getattr(self._driver, name, "")) for name in ("key", "region_name"))
        return key_pair_of_process(self._driver, account, self._setup.public_key)

    def _write_tags(self, node: CloudNode, changes: Mapping[str, str | None]) -> None:
        change_tags(self._driver, [node.id], changes)

    # ---- lists -------------------------------------------------------------------------------------------------------

    def _listed(self) -> Iterable[Any]:
        yield from self._described(self._list_filters)
        if self._launches.watched:
            yield from self._ended_early()

    def _ended_early(self) -> Iterable[Any]:
        """Those that were terminated as they were launched. A cloud that refuses the question is not asked again."""
        filters = {**self._list_filters, "instance-state-name": ("terminated",), "state-reason-code": CODES}
        try:
            ended = list(self._described(filters))
        except Exception as error:
            known = classify(error, self.errors, self._secrets, hidden=self._startup.hidden)
            if known is None or known.kind is not ErrorKind.REFUSED:
                raise
            _log.debug("Cannot ask for instances that were terminated as they were launched: %s", known.text)
            self._launches.not_told()
            return
        for node in ended:
            if node.extra["fault"] and self._launches.is_news(node.id, self._start_time(node)):
                node.extra["ended_early"] = True
                yield node

    def _described(self, filters: Mapping[str, tuple[str, ...]]) -> Iterable[Any]:
        for answer in describe(self._driver, "DescribeInstances", filters):
            for item in findall(element=answer, xpath="reservationSet/item/instancesSet/item", namespace=NAMESPACE):
                try:
                    node = self._of_batch(self._driver._to_node(item))
                    node.extra["fault"] = reason_of(item)
                    node.extra["addresses"] = list(addresses_of(item, self._setup.all_subnets))
                    yield node
                except STRANGE as error:
                    instance = findtext(element=item, xpath="instanceId", namespace=NAMESPACE)
                    _log.warning("ignored cloud node %s: %s", shown(instance), shown(error))

    @staticmethod
    def _of_batch(node: Any) -> Any:
        """A node that has no tags of its own yet is known by those of its batch, and its launch index."""
        tags = node.extra.get("tags") or {}
        member = member_of(tags, node.extra.get("launch_index"))
        if member is not None:
            node.extra["tags"] = {TOKEN_TAG: member.token, **tags}
            if "Name" not in tags:
                node.name, node.extra[UNNAMED] = member.name, True
        return node

    def _read_list_filters(self) -> dict[str, tuple[str, ...]]:
        """Filter -> values. Terminated nodes are not asked for; those in all other states always, whatever
        the filter of old configuration files says: a stopped one still pays for its volumes, and would leak."""
        filters: dict[str, tuple[str, ...]] = {}
        for option, text in self._settings.cloud.listing.items():
            name = option.replace("_", ":")
            filters[name] = (text,) if name.startswith("tag:") else tuple(words(text))
        filters["instance-state-name"] = tuple(dict.fromkeys([*filters.get("instance-state-name", ()), *_STATES]))
        if not any(name.startswith("tag:") for name in filters):
            filters["tag-key"] = (SIZE_TAG,)
        return filters

    def _is_gone(self, node: Any) -> bool:
        extra = getattr(node, "extra", None) or {}
        return extra.get("status") in self.gone_words and not extra.get("ended_early")

    def _is_failed(self, node: Any) -> bool:
        """Terminated as it was launched: see ec2_launches.py."""
        return bool(node.extra.get("ended_early"))

    def _is_broken(self, node: Any) -> bool:
        return self._is_failed(node)

    def _fault(self, node: Any) -> str:
        return str(node.extra["fault"])

    def _is_stopped(self, node: Any) -> bool:
        return node.extra.get("status") in self.stopped_words

    def _preemptible(self, node: Any) -> bool:
        return bool(node.extra.get("instance_lifecycle") == "spot")

    def _addresses(self, node: Any) -> Iterable[NodeAddress]:
        listed: Iterable[NodeAddress] = node.extra.get("addresses") or super()._addresses(node)
        return listed

    def _provider_size_of(self, node: Any) -> str | None:
        kind = node.extra.get("instance_type")
        return str(kind) if kind else None

    def _fqdn(self, node: Any, _tags: Mapping[str, str]) -> str | None:
        if node.name == node.id or node.extra.get(UNNAMED):  # libcloud's name of a node without the tag Name
            return None
        return str(node.name)

    # ---- the driver --------------------------------------------------------------------------------------------------

    def _connected(self, driver_class: Callable[..., Any]) -> Any:
        require(self._settings, in_credentials=("key", "secret"))
        given = credentials(self._settings)
        for name in ("key", "secret", "token"):
            if not given.get(name, "").isascii():
                raise self._mistake(name, "has a character that is not ASCII", "Cloud Credentials")
        known = self._known_regions(driver_class)
        region = given.get("region") or region_in(given.get("host", ""))
        if not known or not region:
            return driver_class(**{"signature_version": "4", **given})
        if region in known:
            return driver_class(**{"signature_version": "4", **given, "region": region})
        if not given.get("host"):
            if not is_region(region):
                wrong = f"there is no {region!r}; the nearest is {nearest(region, known)}"
                raise self._mistake("region", wrong, "Cloud Credentials")
            given["host"] = endpoint_of(region)
        driver = driver_class(**{"signature_version": "4", **given, "region": next(iter(known))})
        driver.region_name = region  # which requests are signed for; libcloud's table has nothing else that we need
        return driver

    @staticmethod
    def _known_regions(driver_class: Callable[..., Any]) -> Iterable[str]:
        regions: Iterable[str] = getattr(driver_class, "list_regions", tuple)()
        return regions
