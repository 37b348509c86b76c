"""What a driver of a cloud must do, and the terms that all of them share.

A driver translates between the values of the model and one cloud. It decides nothing, never retries and never sleeps: a
request that fails raises RemoteFailure at once, classified by errors.py, and the Fleet decides what follows.
Anything else that it raises is a defect of ours, but for the fatal errors (no memory, no thread), which pass unchanged.

One driver object serves one thread. Making one asks the cloud nothing where that is possible.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from arvnodeman.fleet.values.meant_for import MeantFor
from arvnodeman.fleet.values.model import (
    CloudNode,
    Directive,
    NodeRecord,
    NodeSize,
    OperatorDirective,
    ProviderSize,
    RemoteFailure,
    Secret,
)

if TYPE_CHECKING:
    from arvnodeman.config import Settings

SIZE_TAG = "arvados_node_size"
"""The size section's NAME, on each node of ours."""
DIRECTIVE_TAG = "arvados_node_word"
"""An operator's word, as `hold: reason`."""
TOKEN_TAG = "arvados_node_token"  # noqa: S105 (the name of a tag)
"""The token of the boot that made the node: tells it from another of the same name."""
PRICE_TAG = "arvados_node_price"
"""What the node costs in $/hour, on nodes whose tags are all the record there is."""
RUNG_TAG = "arvados_node_rung"
"""The key of the rung at which the node was asked for, where its size has several."""
LEASE_TAG = "arvados_node_lease"
"""Another text whenever the node's lease is renewed."""
FQDN_TAG = "hostname"
"""The node's FQDN, where the cloud has no better place for it."""

_T = TypeVar("_T")
_REASON_LIMIT = 180  # characters of an operator's reason; 256 is the shortest tag value of the clouds we know


@dataclass(frozen=True, slots=True)
class NodeWish:
    """A node that is wanted: its size, record and boot, and where it pings."""

    size: NodeSize
    record: NodeRecord
    token: str
    ping_url: Secret


class CloudDriver(ABC):
    """The contract. Every method may raise RemoteFailure; none retries."""

    clock_offset: float | None = None
    """The cloud's clock less ours in seconds, by the last answer's Date header; None while it is not known."""

    @abstractmethod
    def list_sizes(self) -> tuple[ProviderSize, ...]:
        """Every size that the cloud offers. An empty list is a failed request, never an answer."""

    @abstractmethod
    def list_nodes(self) -> tuple[CloudNode, ...]:
        """All nodes that carry our tags, from every page of the cloud's list.

        Terminated nodes, and those shutting down, are left out; stopped and preempted ones are in it, as `stopped`. A
        node that cannot be understood is skipped with a warning that names it; nodes of others are not ours to look at
        (row I7).
        """

    def bill_to(self, token: str, jobs: Sequence[MeantFor]) -> None:  # noqa: B027 (a driver need not have such tags)
        """The node of this boot, which is created next, is for these jobs. Used for tags by which the provider's bill
        can be divided, where they are wanted and the cloud has them. Makes no request."""

    @abstractmethod
    def create_node(self, size: NodeSize, record: NodeRecord, token: str, ping_url: Secret) -> CloudNode:
        """Create a node, with its tags and start-up data in the one request (row D12).

        token: names the boot, the same at each attempt: where the cloud has such a thing, two requests with one token
        make one node. When this raises, the node may exist all the same: see find_node (row D7).
        """

    @abstractmethod
    def find_node(self, size: NodeSize, record: NodeRecord, token: str) -> CloudNode | None:
        """The node that a create request made although it failed, looked up by name in a fresh listing. None when there
        is none, or more than one (row D8)."""

    def create_nodes(self, wishes: Sequence[NodeWish]) -> list[CloudNode | RemoteFailure]:
        """create_node for nodes of one size, in as few requests as the cloud has for that: a node or a failure for
        each. As many come together as the driver's nodes_at_once() says."""
        return [_outcome(self.create_node, wish) for wish in wishes]

    def find_nodes(self, wishes: Sequence[NodeWish]) -> list[CloudNode | RemoteFailure | None]:
        """find_node for nodes that were asked for together, by one listing if that is possible."""
        return [_outcome(lambda *wish: self.find_node(*wish[:3]), wish) for wish in wishes]

    @abstractmethod
    def finish_node(self, node: CloudNode, record: NodeRecord) -> None:
        """What is left to do after the create request. Idempotent."""

    @abstractmethod
    def destroy_node(self, node: CloudNode) -> None:
        """Destroy a node. A libcloud driver that answers False is a failure (row E1). When this raises, it may have
        worked: see fetch_node (row E11). Raises GONE for one that the compute service, by its own code, does not know;
        whether that is true a list tells, too."""

    @abstractmethod
    def fetch_node(self, node: CloudNode) -> CloudNode | None:
        """The node as a fresh listing shows it, or None when it is not listed any more."""

    @abstractmethod
    def sync_fqdn(self, node: CloudNode, fqdn: str) -> None:
        """Write the record's FQDN to the node at the cloud. Idempotent."""

    @abstractmethod
    def set_directive(self, node: CloudNode, directive: OperatorDirective | None) -> None:
        """Keep an operator's word in the node's tag; None takes it away. Idempotent."""

    def renew_leases(self, ids: Sequence[str], value: str) -> None:
        """Write this in the tag LEASE_TAG of nodes, by as few requests as there may be. Only where nodes read their
        tags in their metadata (Settings.lease_by_tag). A node that is gone costs the others nothing."""
        raise NotImplementedError

    def lookups(self) -> Iterator[tuple[str, Callable[[], str]]]:
        """What [Cloud Create] names at the cloud and can be looked up there, for cloud-test: each option with a call
        that answers what was found, in words, and raises RemoteFailure. A driver need not have any."""
        return iter(())


def _outcome(act: Callable[..., _T], wish: NodeWish) -> _T | RemoteFailure:
    try:
        return act(wish.size, wish.record, wish.token, wish.ping_url)
    except RemoteFailure as failure:
        return failure


def ping_url(settings: Settings, uuid: str, secret: Secret) -> Secret:
    """The URL that a node calls when it is up. `[Cloud Create] ping_host` is HOST or HOST:PORT, reached by https unless
    it says `http://`; without one it is the host of [Arvados]. Empty without a secret: nobody waits for a ping."""
    if not secret:
        return secret
    host = (settings.cloud.create.get("ping_host") or settings.arvados.host).rstrip("/")
    base = host if "://" in host else f"https://{host}"
    return Secret(f"{base}/arvados/v1/nodes/{uuid}/ping?ping_secret={secret.reveal()}")


def name_for_record(record: NodeRecord) -> str:
    """`compute-{last 15 of the uuid}-{cluster}`: begins with a letter, as some clouds want (row H2), and stays the same
    whatever hostname the record gets. A record that is a name in Slurm names the node, too."""
    if record.is_name:
        return record.uuid
    return f"compute-{record.uuid[-15:]}-{record.uuid[:5]}"


def read_price(text: str | None) -> float | None:
    """The price in a tag value; None for one that is missing. Raises ValueError for a value that is not a price."""
    if not text:
        return None
    price = float(text)
    if not 0 <= price < math.inf:
        raise ValueError(f"not a price: {text}")
    return price


def tag_filters(listing: Mapping[str, str]) -> dict[str, str]:
    """The `tag_NAME = VALUE` of a section, as NAME -> VALUE."""
    return {name.removeprefix("tag_"): value for name, value in listing.items() if name.startswith("tag_")}


def directive_text(directive: OperatorDirective) -> str:
    """An operator's word as a tag value, on one line and short enough for every cloud. Letters beyond U+FFFF are left
    out: some clouds keep tags where there is no room for them, and fail."""
    reason = " ".join("".join(letter for letter in directive.reason if letter <= "\uffff").split())[:_REASON_LIMIT]
    return f"{directive.directive.value}: {reason}" if reason else directive.directive.value


def read_directive(text: str) -> OperatorDirective | None:
    """The word in a tag value; None for an empty one. Raises ValueError for one that is not a word."""
    directive, _, reason = text.strip().partition(":")
    return OperatorDirective(Directive(directive.strip().lower()), reason.strip()) if text.strip() else None
