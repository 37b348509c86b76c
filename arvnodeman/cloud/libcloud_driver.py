"""What all drivers on libcloud share. A driver for one cloud fills in the five methods at the end of the class, and
overrides what its cloud does differently."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import libcloud.compute.base as lc
from libcloud.common.types import MalformedResponseError
from libcloud.compute.types import NodeState

from arvnodeman.cloud.addresses import AddressKind, NodeAddress, best_address
from arvnodeman.cloud.base import (
    DIRECTIVE_TAG,
    FQDN_TAG,
    PRICE_TAG,
    RUNG_TAG,
    SIZE_TAG,
    TOKEN_TAG,
    CloudDriver,
    NodeWish,
    directive_text,
    read_directive,
    read_price,
    tag_filters,
)
from arvnodeman.cloud.create_options import free_options
from arvnodeman.cloud.errors import classify, cloud_failure, fatal_cause, kind_of_fault, translating
from arvnodeman.cloud.listed_sizes import STRANGE, provider_size
from arvnodeman.cloud.listening import Listener
from arvnodeman.cloud.operator_options import TagRule, check_tags
from arvnodeman.cloud.pacing import Paced
from arvnodeman.cloud.payer_tags import TagsPayers
from arvnodeman.cloud.redaction import one_line, shown
from arvnodeman.cloud.startup import Startup
from arvnodeman.cloud.throttle import Op
from arvnodeman.cloud.user_data import BadTemplate
from arvnodeman.config import ConfigError
from arvnodeman.fleet.values.model import (
    CloudNode,
    ErrorKind,
    NodeRecord,
    NodeSize,
    OperatorDirective,
    ProviderSize,
    RemoteError,
    RemoteFailure,
    Secret,
)

if TYPE_CHECKING:
    from arvnodeman.config import Settings

_T = TypeVar("_T")
_log = logging.getLogger("ComputeNodeDriver")


class LibcloudDriver(Listener, Paced, TagsPayers, CloudDriver):
    """A CloudDriver on a libcloud NodeDriver.

    driver_class: the libcloud class; [Cloud] driver_class puts another in its place. Raises ConfigError when the
    libcloud class does not take the credentials or the options of [Cloud Create].
    """

    gone_states: ClassVar[frozenset[Any]] = frozenset({NodeState.TERMINATED})
    stopped_states: ClassVar[frozenset[Any]] = frozenset({NodeState.STOPPED, NodeState.SUSPENDED, NodeState.PAUSED})
    broken_states: ClassVar[frozenset[Any]] = frozenset()
    create_options: ClassVar[frozenset[str]] = frozenset({"ping_host"})
    """Options of [Cloud Create] that the driver itself understands; `tag_*` too. All others go to create_node."""
    json_options: ClassVar[Mapping[str, type]] = {}
    """Options for create_node that are no text: dict or list, written in JSON."""
    tag_rule: ClassVar[TagRule | None] = None
    own_arguments: ClassVar[frozenset[str]] = frozenset({"name", "size"})
    """Arguments of create_node that the driver alone sets, so that no option may."""
    secret_credentials: ClassVar[frozenset[str]] = frozenset({"key", "secret", "password", "token"})
    secret_options: ClassVar[frozenset[str]] = frozenset()  # of [Cloud Create]
    largest_startup: ClassVar[int | None] = None
    """Bytes of what a new node reads when it starts, the most that the cloud takes; None: no limit is known."""

    def __init__(self, settings: Settings, driver_class: Callable[..., Any]) -> None:
        self._settings = settings
        self._filters = tag_filters(settings.cloud.listing)
        self._secrets = tuple(
            value.reveal() for name, value in settings.cloud.credentials.items() if name in self.secret_credentials
        ) + tuple(value for name, value in settings.cloud.create.items() if name in self.secret_options)
        self._startup = self._loaded_startup()
        try:
            with self._translating():
                self._driver = self._connected(driver_class)
        except (TypeError, ValueError, LookupError) as error:  # what libcloud's constructors raise for wrong arguments
            wrong = one_line(str(error), self._secrets)
            raise ConfigError((f"{settings.path}: [Cloud Credentials]: the driver refuses them: {wrong}",)) from None
        self._keep_pace(settings)
        self._listen()
        taken = (self._driver.create_node, self.create_options, self.own_arguments)
        self._free_create_options = free_options(settings.cloud.create, *taken, self._mistake, self.json_options)
        check_tags(settings, self.tag_rule)

    # ---- the contract ----------------------------------------------------------------------------------------------

    def list_sizes(self) -> tuple[ProviderSize, ...]:
        """See CloudDriver."""
        with self._translating():
            listed = self._driver.list_sizes()
        sizes = tuple(size for size in map(provider_size, listed or ()) if size is not None)
        if not sizes:
            raise cloud_failure(ErrorKind.TRANSIENT, "the cloud lists no sizes")
        return sizes

    def list_nodes(self) -> tuple[CloudNode, ...]:
        """See CloudDriver. A node that two pages show counts once."""
        values = (self._cloud_node(node, tags) for node, tags in self._ours())
        return tuple({value.id: value for value in values if value is not None}.values())

    def create_node(self, size: NodeSize, record: NodeRecord, token: str, ping_url: Secret) -> CloudNode:
        """See CloudDriver. The size is the one asked for, whatever the cloud's answer says of it (row D9)."""
        wish = NodeWish(size, record, token, ping_url)
        return self._made(self._answer_for(lambda: self._create_arguments(size, record, token, ping_url), wish), wish)

    def find_node(self, size: NodeSize, record: NodeRecord, token: str) -> CloudNode | None:
        """See CloudDriver. A node of the same name that another boot made does not count."""
        return self._found_in(self._ours(), NodeWish(size, record, token, Secret("")))

    def _found_in(self, listed: Iterable[tuple[Any, Mapping[str, str]]], wish: NodeWish) -> CloudNode | None:
        name, token = self.name_of(wish.record), wish.token
        named = (each for each in listed if each[0].name == name and each[1].get(TOKEN_TAG, token) == token)
        values = (self._cloud_node(node, tags) for node, tags in named)
        hits = {value.id: value for value in values if value is not None}
        if len(hits) > 1:
            _log.warning("%d nodes are named %s: %s", len(hits), name, ", ".join(hits))
        return replace(next(iter(hits.values())), size_tag=wish.size.id) if len(hits) == 1 else None

    def finish_node(self, node: CloudNode, record: NodeRecord) -> None:
        """Nothing: all is in the create request."""

    def destroy_node(self, node: CloudNode) -> None:
        """See CloudDriver."""
        with self._translating(), self._paced(Op.DESTROY):
            destroyed = self._driver.destroy_node(self._libcloud_node(node))
        if not destroyed:
            raise cloud_failure(ErrorKind.TRANSIENT, f"the cloud did not destroy {node.id}: it answered {destroyed}")

    def fetch_node(self, node: CloudNode) -> CloudNode | None:
        """See CloudDriver."""
        return next((listed for listed in self.list_nodes() if listed.id == node.id), None)

    def sync_fqdn(self, node: CloudNode, fqdn: str) -> None:
        """See CloudDriver. Kept in the tag `hostname`."""
        with self._translating(), self._paced(Op.TAG):
            self._write_tags(node, {FQDN_TAG: fqdn})

    def set_directive(self, node: CloudNode, directive: OperatorDirective | None) -> None:
        """See CloudDriver."""
        with self._translating(), self._paced(Op.TAG):
            self._write_tags(node, {DIRECTIVE_TAG: directive_text(directive) if directive else None})

    # ---- for the drivers -------------------------------------------------------------------------------------------

    def _translating(self, *secrets: str) -> AbstractContextManager[None]:
        longest = self._settings.daemon.max_poll_time
        return translating(self.errors, (*self._secrets, *secrets), longest, self._startup.hidden)

    def _create_tags(self, size: NodeSize, record: NodeRecord, token: str) -> dict[str, str]:
        """The tags of a new node: what our listing looks for, what the operator wants, what we keep there."""
        tags = {**self._wanted_tags(token), **self._filters, SIZE_TAG: size.id, TOKEN_TAG: token}
        tags |= {RUNG_TAG: size.rung.key} if size.rung is not None else {}
        if record.is_name or size.rung is not None:
            tags[PRICE_TAG] = f"{size.price:g}"
        return {**tags, FQDN_TAG: record.fqdn} if record.fqdn else tags

    def _ask_for_node(self, arguments: Mapping[str, Any]) -> Any:
        """Send the create request; the libcloud node."""
        with self._paced(Op.CREATE):
            return self._driver.create_node(**{**self._free_create_options, **arguments})

    def _answer_for(self, arguments: Callable[[], Mapping[str, Any]], *wishes: NodeWish) -> Any:
        """Send the create request for these nodes; what libcloud makes of the answer. Raises RemoteFailure."""
        try:
            with self._translating(*(wish.ping_url.reveal() for wish in wishes)):
                return self._readable_answer(arguments(), *wishes)
        except RemoteFailure as failure:
            if failure.error.kind is ErrorKind.GONE:  # what the request names: image, network, size
                raise RemoteFailure(replace(failure.error, kind=ErrorKind.REFUSED)) from None
            raise

    def _made(self, node: Any, wish: NodeWish) -> CloudNode:
        """The node that was made for a wish, as a value."""
        if self._is_gone(node):  # a token used again answers with the first node, whatever became of it
            text = f"the create request was answered with a node that is gone: {node.id}"
            raise cloud_failure(ErrorKind.TRANSIENT, text)
        value = self._cloud_node(node, self._create_tags(wish.size, wish.record, wish.token))
        if value is None:
            raise self._unreadable(f"it names no node: {shown(node)}", wish)
        return replace(value, size_tag=wish.size.id, preemptible=value.preemptible or wish.size.preemptible)

    def _readable_answer(self, arguments: Mapping[str, Any], *wishes: NodeWish) -> Any:
        """Likewise. Raises RemoteFailure UNREADABLE for a yes that cannot be read."""
        self.said_yes = not self.hears
        try:
            return self._ask_for_node(arguments)
        except Exception as error:
            known = classify(error, self.errors, self._secrets_of(wishes), hidden=self._startup.hidden)
            unread = known is None or isinstance(error, MalformedResponseError)
            if isinstance(error, RemoteFailure) or fatal_cause(error) is not None or not (self.said_yes and unread):
                raise
            if known is None and not self.hears:  # an error of ours, for all that is known
                raise
            why = known.text if known is not None else f"{type(error).__name__}: {error}"
            raise self._unreadable(why, *wishes) from None

    def _unreadable(self, why: str, *wishes: NodeWish) -> RemoteFailure:
        text = f"the cloud's answer to the create request cannot be read, and it may have made a node: {why}"
        return cloud_failure(ErrorKind.UNREADABLE, one_line(text, self._secrets_of(wishes), self._startup.hidden))

    def _secrets_of(self, wishes: Iterable[NodeWish]) -> tuple[str, ...]:
        return (*self._secrets, *(wish.ping_url.reveal() for wish in wishes))

    def _startup_text(self, size: NodeSize, record: NodeRecord, ping_url: Secret, otherwise: str) -> str:
        """What the new node reads when it starts, with its ping secret: the operator's template, else `otherwise`."""
        return self._startup.text(size, record, self.name_of(record), ping_url, otherwise)

    def _libcloud_size(self, size: NodeSize) -> Any:
        """The size as create_node takes it, made from what was listed before: nothing is asked."""
        price = size.price
        return lc.NodeSize(
            size.provider_id, size.provider_name, size.ram, size.disk, size.bandwidth, price, self._driver, extra={}
        )

    def _libcloud_node(self, node: CloudNode) -> Any:
        """The node as libcloud's methods take it: id and name are enough for most clouds, others override this."""
        return lc.Node(node.id, node.name, NodeState.UNKNOWN, [], [], self._driver, extra={})

    def _listed(self) -> Iterable[Any]:
        """Every node of the cloud, all pages."""
        nodes: Iterable[Any] = self._driver.list_nodes()
        return nodes

    def _is_gone(self, node: Any) -> bool:
        """Is it terminated or shutting down? Then it is not listed."""
        return getattr(node, "state", None) in self.gone_states

    def _is_stopped(self, node: Any) -> bool:
        """Is it stopped or preempted, so that it cannot be working?"""
        return node.state in self.stopped_states

    def _is_broken(self, node: Any) -> bool:
        """Does the cloud say that it does not work?"""
        return node.state in self.broken_states

    def _is_failed(self, node: Any) -> bool:
        """Does the cloud say that it has failed, and will not come up any more?"""
        return bool(node.state == NodeState.ERROR)

    def _fault(self, _node: Any) -> str:
        """Why a broken node is broken, in the cloud's words, as they are; nothing where it does not say."""
        return ""

    def _tags(self, node: Any) -> Mapping[str, str]:
        """A node's tags; none for a node that has none or something else in their place (row I7)."""
        tags = (getattr(node, "extra", None) or {}).get("tags")
        return {str(name): str(value) for name, value in tags.items()} if isinstance(tags, Mapping) else {}

    def _is_ours(self, tags: Mapping[str, str]) -> bool:
        """Does a node with these tags match [Cloud List]? Where that names no tag, our size tag tells."""
        if self._filters:
            return all(tags.get(name) == value for name, value in self._filters.items())
        return SIZE_TAG in tags

    def _fqdn(self, _node: Any, tags: Mapping[str, str]) -> str | None:
        return tags.get(FQDN_TAG) or None

    def _report_id(self, node: Any) -> str:
        return str(node.id)

    def _start_time(self, node: Any) -> float | None:
        created = node.created_at
        if created is None:
            return None
        return float((created if created.tzinfo else created.replace(tzinfo=UTC)).timestamp())

    def _provider_size_of(self, node: Any) -> str | None:
        """Id or name of a node's type; libcloud gives an object or a text (row H7)."""
        size = getattr(node, "size", None)
        return str(size) if isinstance(size, str) else getattr(size, "id", None)

    def _preemptible(self, _node: Any) -> bool:
        return False

    def _addresses(self, node: Any) -> Iterable[NodeAddress]:
        """All its addresses, those of its first network interface first."""
        yield from map(NodeAddress, node.private_ips or ())
        yield from (NodeAddress(address, AddressKind.PUBLIC) for address in node.public_ips or ())

    @abstractmethod
    def name_of(self, record: NodeRecord) -> str:
        """The name of the cloud node that is made for a record."""

    @abstractmethod
    def _connected(self, driver_class: Callable[..., Any]) -> Any:
        """Make the libcloud driver, with the credentials. Asks the cloud nothing where that is possible."""

    @abstractmethod
    def _create_arguments(self, size: NodeSize, record: NodeRecord, token: str, ping_url: Secret) -> dict[str, Any]:
        """The arguments of create_node."""

    @abstractmethod
    def _write_tags(self, node: CloudNode, changes: Mapping[str, str | None]) -> None:
        """Set tags of a node; None takes one away. The others stay."""

    def _lookup(self, option: str, ask: Callable[[], str]) -> Callable[[], str]:
        """A look-up of what an option names, its errors translated. LookupError of `ask`: it is not there."""

        def asked() -> str:
            with self._translating():
                try:
                    return ask()
                except LookupError as error:
                    known = RemoteError(ErrorKind.REFUSED, str(error), hint=f"[Cloud Create] {option}")
            raise RemoteFailure(known)

        return asked

    # ---- inside ----------------------------------------------------------------------------------------------------

    def _ours(self) -> Iterator[tuple[Any, Mapping[str, str]]]:
        with self._translating():
            listed = list(self._listed())
        for node in listed:
            if self._is_gone(node):
                continue
            nothing: Mapping[str, str] = {}
            tags = self._of(node, "tags", self._tags, nothing)
            if self._is_ours(tags):
                yield node, tags

    def _cloud_node(self, node: Any, tags: Mapping[str, str]) -> CloudNode | None:
        """The node as a value. A strange field costs only itself; a node without id or name is skipped."""
        if not getattr(node, "id", None) or not getattr(node, "name", None):
            _log.warning("ignored a cloud node without id or name: %s", shown(node))
            return None
        fault = self._of(node, "fault", self._shown_fault, "")
        nowhere: tuple[str | None, str] = (None, "")
        address, no_address = self._of(node, "addresses", self._address, nowhere)
        return CloudNode(
            id=str(node.id),
            name=str(node.name),
            report_id=self._of(node, "id", self._report_id, str(node.id)),
            fqdn=self._of(node, "FQDN", lambda each: self._fqdn(each, tags), None),
            token=tags.get(TOKEN_TAG) or None,
            size_tag=tags.get(SIZE_TAG),
            provider_size=self._of(node, "size", self._provider_size_of, None),
            price=self._of(node, "price", lambda each: each.size.price if hasattr(each.size, "price") else None, None),
            start_time=self._of(node, "start time", self._start_time, None),
            tagged_price=self._of(node, f"tag {PRICE_TAG}", lambda _: read_price(tags.get(PRICE_TAG)), None),
            preemptible=self._of(node, "preemptible", self._preemptible, False),
            broken=self._of(node, "state", self._is_broken, False),
            failed=self._of(node, "state", self._is_failed, False),
            fault=fault,
            fault_kind=kind_of_fault(fault, self.errors),
            stopped=self._of(node, "state", self._is_stopped, False),
            directive=self._of(
                node, f"tag {DIRECTIVE_TAG}", lambda _: read_directive(tags.get(DIRECTIVE_TAG, "")), None
            ),
            address=address,
            no_address=no_address,
            rung=tags.get(RUNG_TAG, ""),
            pending=RUNG_TAG in tags and getattr(node, "state", None) == NodeState.PENDING,
        )

    def _address(self, node: Any) -> tuple[str | None, str]:
        return best_address(self._addresses(node), self._settings.cloud.address_family)

    def _shown_fault(self, node: Any) -> str:
        return one_line(self._fault(node), self._secrets, self._startup.hidden) if self._is_broken(node) else ""

    @staticmethod
    def _of(node: Any, what: str, read: Callable[[Any], _T], otherwise: _T) -> _T:
        try:
            return read(node)
        except STRANGE as error:
            _log.warning("ignored the %s of cloud node %s: %s", what, shown(getattr(node, "id", None)), shown(error))
            return otherwise

    def _loaded_startup(self) -> Startup:
        path = self._settings.cloud.create.get("user_data") if "user_data" in self.create_options else None
        try:
            return Startup(path, self.largest_startup, self._settings.cloud.provider, self._settings.lease_of_nodes)
        except BadTemplate as error:
            raise self._mistake("user_data", str(error)) from None

    def _mistake(self, option: str, wrong: str, section: str = "Cloud Create") -> ConfigError:
        """One line that names the option; a secret of a letter or two must not remove that letter from its name."""
        where = one_line(f"{self._settings.path}: [{section}] {option}")
        return ConfigError((f"{where}: {one_line(wrong, self._secrets)}",))
