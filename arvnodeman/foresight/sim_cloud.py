"""The cloud of a simulated site: its nodes, what it has room for, what they cost."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from arvnodeman.fleet.messages import CreateNode
from arvnodeman.fleet.values.model import CloudNode, ErrorKind, OperatorDirective, RemoteError, RemoteFailure


@dataclass(slots=True, eq=False)
class SimNode:
    """A cloud node."""

    id: str
    name: str
    size: str
    token: str
    created: float
    record: str
    secret: str
    fqdn: str | None = None
    price: float = 0.0
    address: str | None = None
    directive: OperatorDirective | None = None
    up: bool = False  # it has made contact, and works
    up_since: float = 0.0
    dead: bool = False  # listed, and does nothing for ever
    stopped: bool = False
    gone: bool = False
    hostname: str = ""  # under which its slurmd answers
    rung: str = ""  # of its size, at which it was asked for
    preemptible: bool = False


@dataclass(slots=True)
class SimTally:
    """What must not happen, and what is worth knowing."""

    busy_destroyed: list[str] = field(default_factory=list)
    records_stolen: list[str] = field(default_factory=list)  # record of a live node cleaned
    created: int = 0
    made: Counter[str] = field(default_factory=Counter)  # by size
    destroyed: int = 0
    requeued: int = 0
    resumed_meanwhile: int = 0  # nodes that came up while the request to destroy them was on its way
    most_nodes: int = 0
    cost: float = 0.0


class SimCloud:
    """Nodes by id. The list is made anew only where it has changed, and is the same object else."""

    def __init__(self, tally: SimTally, *, addresses: bool, address: str = "") -> None:
        """`addresses`: nodes have some, and their tags tell their price. `address`: all have this one, in the end."""
        self.nodes: dict[str, SimNode] = {}
        self.quota: int | None = None
        self.no_capacity: set[str] = set()
        self.full: set[str] = set()  # rungs at which nothing can be had, by their keys
        self.refused: set[str] = set()  # sizes that it does not make for us
        self._tally = tally
        self._addresses, self.address = addresses, address
        self._by_token: dict[str, SimNode] = {}
        self._shown: dict[str, CloudNode] = {}
        self._list: tuple[CloudNode, ...] | None = ()

    def listed(self) -> tuple[CloudNode, ...]:
        """The cloud's node list."""
        if self._list is None:
            self._list = tuple(self._shown.values())
        return self._list

    def shown(self, identity: str) -> CloudNode | None:
        """One node, as it is listed."""
        return self._shown.get(identity)

    def find(self, token: str) -> CloudNode | None:
        """The node of a boot."""
        node = self._by_token.get(token)
        return self._shown[node.id] if node is not None else None

    def create(self, step: CreateNode, identity: str, now: float) -> SimNode:
        """Make a node. Raises RemoteFailure."""
        rung = step.size.rung.key if step.size.rung is not None else ""
        if step.size.id in self.no_capacity or rung in self.full:
            raise RemoteFailure(RemoteError(ErrorKind.CAPACITY, "InsufficientCapacity"))
        if step.size.id in self.refused:
            raise RemoteFailure(RemoteError(ErrorKind.REFUSED, "InvalidParameter"))
        if self.quota is not None and len(self.nodes) >= self.quota:
            raise RemoteFailure(RemoteError(ErrorKind.QUOTA, "QuotaExceeded"))
        fqdn = step.record.fqdn
        node = SimNode(
            identity, fqdn or "", step.size.id, step.token, now, step.record.uuid, step.ping_secret.reveal(), fqdn,
            step.size.price, f"10.{identity}" if self._addresses and not self.address else None, rung=rung,
            preemptible=step.size.preemptible,
        )  # fmt: skip
        self.nodes[identity] = self._by_token[node.token] = node
        self.changed(node)
        self._tally.created += 1
        self._tally.made[node.size] += 1
        self._tally.most_nodes = max(self._tally.most_nodes, len(self.nodes))
        return node

    def addressed(self, node: SimNode) -> None:
        """A node has got its address."""
        if not node.gone:
            node.address = self.address
            self.changed(node)

    def changed(self, node: SimNode) -> None:
        """The list shows it differently from now on."""
        self._shown[node.id] = CloudNode(
            id=node.id,
            name=node.name,
            report_id=node.id,
            fqdn=node.fqdn,
            size_tag=node.size,
            provider_size=node.size,
            tagged_price=node.price if self._addresses or node.rung else None,
            start_time=node.created,
            stopped=node.stopped,
            directive=node.directive,
            address=node.address,
            token=node.token,
            rung=node.rung,
            preemptible=node.preemptible and bool(node.rung),
        )
        self._list = None

    def remove(self, identity: str, now: float) -> SimNode:
        """It is gone. Raises RemoteFailure where it is not there."""
        node = self.node(identity)
        del self.nodes[identity], self._by_token[node.token], self._shown[identity]
        node.gone, node.up, self._list = True, False, None
        self._tally.cost += node.price * (now - node.created) / 3600
        return node

    def node(self, identity: str) -> SimNode:
        """Raises RemoteFailure where it is not there."""
        node = self.nodes.get(identity)
        if node is None:
            raise RemoteFailure(RemoteError(ErrorKind.GONE, f"no node {identity}"))
        return node
