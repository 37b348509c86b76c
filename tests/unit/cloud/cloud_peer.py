"""The conformance suite of the cloud drivers: what it is, and how a driver joins it.

test_cloud_conformance.py holds the tests; each of them runs once for each driver, against that driver's *peer*: the
cloud, or what stands in for it. To join, write `peer_PROVIDER.py` beside this file with one class `PROVIDERPeer`
(`EC2Peer`, `GCEPeer`: its name is what PEERS says), and nothing else: the tests are the same for all.

A peer is made anew for each test and starts with no node of ours at the cloud. What is slow to start (a server) may be
shared between the tests of one process: a fixed port or file may not, for the suite runs in several processes at once.

The tests speak to a peer in our words. It puts nodes at the cloud, and looks at them, behind the driver's back; it
makes the next requests of one kind (`Verb`) fail, hang, or work without an answer. What a peer cannot do is said in
`cannot`, with the reason: the test is not run, and shows as a dash in doc/clouds/conformance.md, which is made from
these classes by `make docs`.
"""

from __future__ import annotations

import importlib
import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from arvnodeman.cloud.base import CloudDriver
from arvnodeman.fleet.values.model import ErrorKind, NodeRecord, NodeSize, Secret

PEERS: Mapping[str, str] = {
    "sandbox": "peer_sandbox:SandboxPeer",
    "ec2": "peer_ec2:EC2Peer",
    "gce": "peer_gce:GCEPeer",
    "azure": "peer_azure:AzurePeer",
    "openstack": "peer_openstack:OpenStackPeer",
    "template": "peer_template:TemplatePeer",
}
CLUSTER = "zzzzz"
NEEDS_SPOT = "a_preemptible_size_makes_a_preemptible_node"
PING_SECRET = "hush-hush-hush-ping"
TIMEOUT = 20.0  # seconds that a driver waits for one answer, unless a test asks for a hurried one
HURRIED = 0.3  # seconds, for the tests that let a request hang


class Verb(StrEnum):
    """The kinds of request that a peer can spoil."""

    LIST = "list"
    CREATE = "create"
    DESTROY = "destroy"
    TAG = "tag"  # whatever writes the FQDN and our tags


class Shown(StrEnum):
    """What a test has been run against, as the table says it."""

    PEER = "peer"  # a cloud or a server that no one here wrote
    ITSELF = "itself"  # the sandbox, which is a cloud of ours
    RECORDED = "recorded"  # answers that were recorded at the cloud
    LAYER = "layer"  # the peer lacks it: a layer of ours in front of it, or answers that we wrote


@dataclass(frozen=True, slots=True)
class PeerNode:
    """A node as the cloud itself knows it, whatever the driver says. Terminated ones are no nodes."""

    id: str
    name: str
    tags: Mapping[str, str] = field(default_factory=dict)
    startup: str = ""  # user data, metadata or start-up script, decoded: the ping URL is somewhere in it
    preemptible: bool = False
    size: str = ""  # provider's id of its type
    zone: str = ""


@dataclass(frozen=True, slots=True)
class Mistake:
    """A mistake of an operator's, as the driver meets it: what to put into the configuration, what is to be told."""

    hint: str  # the option to look at: "[Section] option"
    credentials: Mapping[str, str] = field(default_factory=dict)
    create: Mapping[str, str] = field(default_factory=dict)
    error: str = ""  # the name of an error of the peer's that stands for it, where the peer accepts what is wrong
    verb: Verb = Verb.CREATE  # the request at which it shows


class Peer(ABC):
    """One driver and what it is tried against. Used as a context manager; made anew for each test."""

    provider: ClassVar[str]
    page: ClassVar[int]
    """So many nodes, and one more, are more than one page of the cloud's list."""
    peer: ClassVar[str]
    """What stands for the cloud, for the table: `moto 5.2`, `libcloud's recorded answers`."""
    shown: ClassVar[Shown] = Shown.PEER
    """What most tests are run against."""
    otherwise: ClassVar[Mapping[str, Shown]] = {}
    """Name of a test (without `test_`) -> what that one is run against, where it differs."""
    real: ClassVar[Mapping[str, str]] = {}
    """Name of a test (without `test_`) -> the test that shows the same on the real service, of tests/PROVIDER."""
    remarks: ClassVar[tuple[str, ...]] = ()
    """What the table is to say below itself of this peer, a sentence or two each."""
    cannot: ClassVar[Mapping[str, str]] = {}
    """Name of a test (without `test_`) -> why it cannot be shown."""
    errors: ClassVar[Mapping[ErrorKind, tuple[str, ...]]] = {}
    """Kind -> names of errors that the peer can give for a create (for GONE: a destroy or tag) request, each with the
    body and status that the real cloud sends. Each kind but SLOTS and UNEXPECTED is to be there."""
    mistakes: ClassVar[Mapping[str, Mistake]] = {}
    """credentials, image, network, region, expired, quota: what applies to this cloud."""
    size: ClassVar[NodeSize]
    """A size that the peer offers, as matched from a [Size small] section."""
    spot: ClassVar[NodeSize | None] = None
    """The same from a section [Size spot] with `preemptible = yes`; None for clouds without."""
    zones: ClassVar[tuple[str, str]]
    """Two zones, as an operator names them."""
    listing_tells: ClassVar[bool] = False
    """Is want of capacity no answer to a create, but what a list says of the node?"""
    fault: ClassVar[str] = ""
    """What the cloud says of a node that broke down for want of capacity."""
    secrets: ClassVar[tuple[str, ...]] = (PING_SECRET,)
    """Texts that no log and no error may show: the credentials that driver() uses, and the ping secret."""

    def __init__(self, folder: Path) -> None:
        """folder: for files of this test."""
        self.folder = folder

    def __enter__(self) -> Self:
        """Start what is to be there."""
        return self

    @abstractmethod
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of requests that hang, and stop what was started."""

    @classmethod
    def cannot_show(cls, name: str) -> str:
        """Why this test cannot be run for it, or nothing."""
        if name == NEEDS_SPOT and cls.spot is None:
            return "there are no preemptible nodes: the configuration refuses them"
        return cls.cannot.get(name, "")

    # ---- the driver --------------------------------------------------------------------------------------------------

    @abstractmethod
    def driver(
        self,
        *,
        timeout: float = TIMEOUT,
        credentials: Mapping[str, str] | None = None,
        create: Mapping[str, str] | None = None,
    ) -> CloudDriver:
        """A driver from a configuration as an operator would write it, with these options on top. May be called several
        times in one test, also in other threads unless `cannot` says so."""

    def ping_url(self, number: int = 1) -> Secret:
        """The ping URL of record(number)."""
        uuid = self.record(number).uuid
        return Secret(f"https://ping.example.com/arvados/v1/nodes/{uuid}/ping?ping_secret={PING_SECRET}")

    def record(self, number: int = 1) -> NodeRecord:
        """A node record for a new node."""
        uuid = f"{CLUSTER}-7ekkf-{number:015d}"
        return NodeRecord(uuid, hostname=f"compute{number}", domain=f"{CLUSTER}.example.com")

    # ---- the cloud, behind the driver's back -------------------------------------------------------------------------

    @abstractmethod
    def nodes(self) -> list[PeerNode]:
        """All nodes that exist at the cloud, ours and others', oldest first; no terminated ones."""

    @abstractmethod
    def add(self, count: int = 1, *, ours: bool = True, tagged: bool = True) -> list[str]:
        """Put running nodes there; their ids. Not ours: with tags of somebody else; not tagged: without any."""

    @abstractmethod
    def terminate(self, node_id: str) -> None:
        """The node ends as by somebody else's hand: still listed as terminated where the cloud does so for a while."""

    @abstractmethod
    def vanish(self, node_id: str) -> None:
        """The cloud knows the node no more: every request about it says so."""

    @abstractmethod
    def stop(self, node_id: str) -> None:
        """The node is stopped, as by somebody else's hand, and stays listed."""

    def break_down(self, node_id: str) -> None:
        """The cloud has taken the request, and finds then that it has no room for the node: see `fault`."""
        raise NotImplementedError

    @abstractmethod
    def fill(self, zone: str) -> None:
        """There is no room for another node in this zone."""

    # ---- trouble -----------------------------------------------------------------------------------------------------

    @abstractmethod
    def fail(self, verb: Verb, error: str, times: int = 1) -> None:
        """Answer the next requests of this kind with one of `errors`; they do nothing."""

    @abstractmethod
    def answer_with(self, verb: Verb, status: int, page: str, content_type: str = "text/html") -> None:
        """Answer the next request of this kind so, as something before the cloud may; it does nothing."""

    @abstractmethod
    def lose_answer(self, verb: Verb) -> None:
        """The next request of this kind works, but is not answered until the test is over."""

    @abstractmethod
    def wait_until_it_worked(self) -> None:
        """Return when the request whose answer is lost has worked: the driver may have given up before."""

    @abstractmethod
    def hang(self, verb: Verb) -> None:
        """The next request of this kind does nothing, and is not answered until the test is over."""

    @abstractmethod
    def requests(self) -> int:
        """How many requests have reached the cloud in this test (behind the driver's back not counted)."""


def peer_classes() -> dict[str, type[Peer]]:
    """The peers that are there, by provider."""
    found: dict[str, type[Peer]] = {}
    for provider, place in PEERS.items():
        module, _, name = place.partition(":")
        if importlib.util.find_spec(module):
            found[provider] = getattr(importlib.import_module(module), name)
    return found
