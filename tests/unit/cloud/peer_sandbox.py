"""The sandbox as a peer: the cloud of a real site with its HTTP API, served in this process."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from cloud_peer import CLUSTER, PING_SECRET, TIMEOUT, Mistake, Peer, PeerNode, Shown, Verb
from fake_cloud_server import settings_in
from peer_trouble import Spoilt, Trouble, serving
from werkzeug.wrappers import Request, Response

from arvnodeman.cloud.base import RUNG_TAG, CloudDriver
from arvnodeman.cloud.registry import make_driver
from arvnodeman.config import Settings
from arvnodeman.fleet.values.model import ErrorKind, NodeSize
from arvnodeman.fleet.values.rungs import zone_of
from arvnodeman.sandbox.clock import VirtualClock
from arvnodeman.sandbox.cloud import PAGE, NodeRequest
from arvnodeman.sandbox.routes import SiteApplication
from arvnodeman.sandbox.wiring import Site, SiteOptions

KEY = "sesame-open-sesame"
_STATUS = {
    "QuotaExceeded": 400,
    "InsufficientCapacity": 500,
    "Throttled": 429,
    "InvalidParameter": 400,
    "NoSuchNode": 404,
    "NotFound": 404,
    "Unauthorized": 401,
    "Unavailable": 503,
}
_VERBS = {"GET": Verb.LIST, "POST": Verb.CREATE, "DELETE": Verb.DESTROY, "PUT": Verb.TAG}


class SandboxPeer(Peer):
    """The site's cloud, whose clock stands still but for what a test lets pass."""

    provider = "sandbox"
    page = PAGE
    peer = "the sandbox site"
    shown = Shown.ITSELF
    errors: ClassVar[Mapping[ErrorKind, tuple[str, ...]]] = {
        ErrorKind.THROTTLED: ("Throttled",),
        ErrorKind.QUOTA: ("QuotaExceeded",),
        ErrorKind.CAPACITY: ("InsufficientCapacity",),
        ErrorKind.REFUSED: ("InvalidParameter", "Unauthorized", "NotFound"),
        ErrorKind.GONE: ("NoSuchNode",),
        ErrorKind.TRANSIENT: ("Unavailable",),
    }
    mistakes: ClassVar[Mapping[str, Mistake]] = {
        "credentials": Mistake("[Cloud Credentials] key", credentials={"key": "wrong-wrong-wrong"}, verb=Verb.LIST),
        "refused": Mistake("[Cloud Create]", error="InvalidParameter"),
    }
    size = NodeSize("small", "small", "small", "Sandbox small", 2, 3800, 50, 50000, 0.05)
    spot: ClassVar[NodeSize | None] = NodeSize(
        "spot", "small", "small", "Sandbox small", 2, 3800, 50, 50000, 0.015, preemptible=True
    )
    zones = ("a", "b")
    cannot: ClassVar[Mapping[str, str]] = {
        "a_node_that_broke_down_goes_and_its_words_tell_why": "its nodes fail in other ways",
    }
    secrets = (PING_SECRET, KEY)

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._clock = VirtualClock(start=time.time())
        self._cloud = Site(SiteOptions(key=KEY, slots=4, linger=1e9), self._clock)
        self._trouble = Trouble(SiteApplication(self._cloud, lambda: None), _verb_of)
        self._stack = ExitStack()
        self.port = 0

    def __enter__(self) -> Self:
        """Serve it."""
        self.port = self._stack.enter_context(serving(self._trouble))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop serving."""
        self._trouble.let_go()
        self._stack.close()

    def driver(
        self,
        *,
        timeout: float = TIMEOUT,
        credentials: Mapping[str, str] | None = None,
        create: Mapping[str, str] | None = None,
    ) -> CloudDriver:
        """See Peer."""
        return make_driver(self.settings(timeout=timeout, credentials=credentials, create=create))

    def settings(
        self, *, timeout: float, credentials: Mapping[str, str] | None, create: Mapping[str, str] | None
    ) -> Settings:
        """The configuration, with these options on top."""
        given = {"url": f"http://127.0.0.1:{self.port}", "key": KEY, "timeout": f"{timeout:g}", **(credentials or {})}
        options = {"ping_host": "ping.example.com", **(create or {})}
        text = "[Cloud Create]\n" + "".join(f"{name} = {value}\n" for name, value in options.items())
        return settings_in(self.folder, text, **given)

    def nodes(self) -> list[PeerNode]:
        """See Peer."""
        return [
            PeerNode(
                node.id,
                node.name,
                dict(node.tags),
                node.user_data,
                node.preemptible,
                node.size.id,
                zone_of(node.tags.get(RUNG_TAG, "")),  # it has no zones, but for where a create may find no room
            )
            for node in self._cloud.cloud.alive()
        ]

    def add(self, count: int = 1, *, ours: bool = True, tagged: bool = True) -> list[str]:
        """See Peer."""
        tags = {"arvados_node_manager": CLUSTER if ours else "other", "arvados_node_size": "small"}
        request = NodeRequest("compute-behind-the-back", "small", tags if tagged else {})
        with self._clock.lock:
            return [self._cloud.cloud.create(request).id for _ in range(count)]

    def terminate(self, node_id: str) -> None:
        """See Peer."""
        with self._clock.lock:
            self._cloud.cloud.vanish(self._cloud.cloud.nodes[node_id], "by a test")

    def vanish(self, node_id: str) -> None:
        """See Peer."""
        with self._clock.lock:
            self._cloud.cloud.nodes.pop(node_id)

    def stop(self, node_id: str) -> None:
        """See Peer."""
        with self._clock.lock:
            self._cloud.cloud.stop(self._cloud.cloud.nodes[node_id], "stopped")

    def fill(self, zone: str) -> None:
        """See Peer."""
        self._cloud.faults.arm(f"zone-full:{zone}", 1000)

    def fail(self, verb: Verb, error: str, times: int = 1) -> None:
        """See Peer."""
        self._trouble.spoil(verb, Spoilt(lambda: _refusal(error)), times)

    def answer_with(self, verb: Verb, status: int, page: str, content_type: str = "text/html") -> None:
        """See Peer."""
        self._trouble.spoil(verb, Spoilt(lambda: Response(page, status, content_type=content_type)))

    def lose_answer(self, verb: Verb) -> None:
        """See Peer."""
        self._trouble.spoil(verb, Spoilt(works=True))

    def wait_until_it_worked(self) -> None:
        """See Peer."""
        self._trouble.wait_until_it_worked()

    def hang(self, verb: Verb) -> None:
        """See Peer."""
        self._trouble.spoil(verb, Spoilt())

    def requests(self) -> int:
        """See Peer."""
        return self._trouble.requests


def _verb_of(request: Request) -> Verb | None:
    return _VERBS.get(request.method) if request.path.startswith("/cloud/nodes") else None


def _refusal(code: str) -> Response:
    body = {"error": {"code": code, "message": f"no, because of {KEY}"}}
    return Response(json.dumps(body), _STATUS[code], content_type="application/json")
