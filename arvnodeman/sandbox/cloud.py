"""The cloud of the sandbox: sizes, nodes with tags, quota, prices, a bill, and faults.

Its HTTP API, spoken by cloud/sandbox.py (routes.py serves it). JSON bodies; every answer has a Date header;
`Authorization: Bearer KEY` must carry the site's key. Errors are `{"error": {"code": CODE, "message": TEXT}}`.

    GET    /cloud/sizes            {"sizes": [{"id", "name", "ram" (MB), "disk" (GB), "price" ($/hour), "cores",
                                   "bandwidth"}, ...]}
    GET    /cloud/nodes?page=N     {"nodes": [NODE, ...], "next": N+1 or null}; pages of 100 (SiteOptions.page), from
                                   page 0; terminated nodes are listed for a while, as EC2 does
    POST   /cloud/nodes            {"name", "size", "tags", "user_data" (the ping URL), "preemptible", "zone", "token"}
                                   -> NODE; the same token answers the same node
    DELETE /cloud/nodes/ID         {}; also while it is shutting down; NoSuchNode once it is terminated
    PUT    /cloud/nodes/ID/tags    {"tags": {...}} merges into its tags, null takes one away -> NODE

    NODE = {"id", "name", "state", "size", "created" (epoch seconds), "tags", "preemptible", "address" (or null),
            "broken"}; state is pending, running, stopped, preempted, shutting-down or terminated

Codes: QuotaExceeded 400, InvalidParameter 400, Unauthorized 401, NoSuchNode 404, NotFound 404 (any other thing),
Throttled 429 (with Retry-After), InsufficientCapacity 500, Unavailable 503.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from arvnodeman.sandbox.catalogue import Size
from arvnodeman.sandbox.clock import SiteClock
from arvnodeman.sandbox.faults import Faults, chance
from arvnodeman.sandbox.past import DelayedCopy
from arvnodeman.sandbox.site_events import SiteEvents

PAGE = 100
ALIVE = frozenset({"pending", "running", "stopped", "preempted"})
_STATUS = {
    "QuotaExceeded": 400,
    "InvalidParameter": 400,
    "Unauthorized": 401,
    "NoSuchNode": 404,
    "NotFound": 404,
    "Throttled": 429,
    "InsufficientCapacity": 500,
    "Unavailable": 503,
}
_PREEMPTIBLE_PRICE = 0.3  # of the list price
_SHUTTING_DOWN = 5.0  # simulated seconds


class CloudError(Exception):
    """The cloud refuses. `retry_after`: real seconds; `hang`: real seconds to wait before the answer is sent."""

    def __init__(self, code: str, message: str, retry_after: float | None = None, hang: float = 0.0) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = _STATUS[code]
        self.retry_after = retry_after
        self.hang = hang


@dataclass(slots=True, kw_only=True)
class SandboxNode:
    """One node of the cloud. `boot`: simulated seconds from create to its first ping."""

    id: str
    name: str
    size: Size
    created: float  # wall time
    started: float  # simulated time
    boot: float
    address: str
    tags: dict[str, str]
    user_data: str
    preemptible: bool
    token: str
    state: str = "pending"
    broken: bool = False
    ended: float | None = None  # simulated time at which it stopped to cost
    tags_from: float = 0.0  # simulated time from which lists show its tags

    @property
    def price(self) -> float:
        """$/hour."""
        return self.size.price * (_PREEMPTIBLE_PRICE if self.preemptible else 1.0)

    def as_dict(self, *, tags: bool = True) -> dict[str, object]:
        """The NODE of the API."""
        return {
            "id": self.id,
            "name": self.name,
            "state": self.state,
            "size": self.size.id,
            "created": self.created,
            "tags": dict(self.tags) if tags else {},
            "preemptible": self.preemptible,
            "address": self.address if self.state != "pending" else None,
            "broken": self.broken,
        }


@dataclass(frozen=True, slots=True)
class NodeRequest:
    """The body of a create request, checked."""

    name: str
    size: str
    tags: Mapping[str, str] = field(default_factory=dict)
    user_data: str = ""
    address: str = ""  # that it has already
    preemptible: bool = False
    zone: str = ""
    token: str = ""
    id: str = ""  # of the node, where somebody else has named it


def node_request(body: object) -> NodeRequest:
    """Check the body of a create request. Raises CloudError InvalidParameter that names the item."""
    if not isinstance(body, dict):
        raise CloudError("InvalidParameter", "the body must be a JSON object")
    for key in ("name", "size"):
        if not isinstance(body.get(key), str) or not body[key]:
            raise CloudError("InvalidParameter", f"{key} must be a text that is not empty")
    for key in ("user_data", "zone", "token"):
        if not isinstance(body.get(key, ""), str):
            raise CloudError("InvalidParameter", f"{key} must be a text")
    tags = body.get("tags") or {}
    if not isinstance(tags, dict) or not all(isinstance(value, str) for value in tags.values()):
        raise CloudError("InvalidParameter", "tags must be an object of texts")
    if not isinstance(body.get("preemptible", False), bool):
        raise CloudError("InvalidParameter", "preemptible must be true or false")
    return NodeRequest(
        name=body["name"],
        size=body["size"],
        tags=tags,
        user_data=body.get("user_data", ""),
        preemptible=body.get("preemptible", False),
        zone=body.get("zone", ""),
        token=body.get("token", ""),
    )


class Cloud:
    """All nodes, alive and lately terminated. Used under the site's lock.

    `on_create` and `on_end(node, cause)` tell the computer behind the node of its birth and its end; the cause is
    `destroyed` for a DELETE request, else the name of what took it.
    """

    def __init__(
        self,
        clock: SiteClock,
        faults: Faults,
        events: SiteEvents,
        sizes: tuple[Size, ...],
        *,
        seed: int = 0,
        quota: int = 1000,
        jitter: float = 0.2,
        linger: float = 300.0,
        page: int = PAGE,
        wall: Callable[[], float] | None = None,
        address: str = "",
    ) -> None:
        """`wall`: the cloud's own clock, for its stamps; by default the site's. `address`: that of every node, where
        they are to have one in common."""
        self._address = address
        self._clock = clock
        self._wall = wall or clock.wall
        self._page = page
        self._past = DelayedCopy(clock, self._list)
        self._faults = faults
        self._events = events
        self._seed = seed
        self._jitter = jitter
        self._linger = linger
        self.sizes = {size.id: size for size in sizes}
        self.quota = quota
        self.nodes: dict[str, SandboxNode] = {}
        self.most_at_once = 0
        self.created = 0
        self.created_by_size: dict[str, int] = {}
        self._by_token: dict[str, SandboxNode] = {}
        self._bill = 0.0  # $ of the nodes that have ended
        self.on_create: Callable[[SandboxNode], None] = lambda _node: None
        self.on_end: Callable[[SandboxNode, str], None] = lambda _node, _cause: None

    # ---- requests ----------------------------------------------------------------------------------------------------

    def list_sizes(self) -> dict[str, object]:
        """GET /cloud/sizes."""
        keys = ("id", "name", "ram", "disk", "price", "cores", "bandwidth")
        return {"sizes": [{key: getattr(size, key) for key in keys} for size in self.sizes.values()]}

    def list_page(self, page: int) -> dict[str, object]:
        """GET /cloud/nodes?page=N. Raises CloudError."""
        if self._strikes("list-unavailable", "the list"):
            raise CloudError("Unavailable", "the service is not available")
        if page < 0:
            raise CloudError("InvalidParameter", "page must not be negative")
        self._past.keep()
        lags = self._strikes("list-lags", "the list")
        nodes = self._past.ago(self._faults.values["lag"]) if lags else self._list()
        shown = nodes[page * self._page : (page + 1) * self._page]
        if shown and self._strikes("list-repeats", "the list"):
            shown = shown + shown
        if shown and self._strikes("list-loses-page", "the list"):
            shown = []
        return {"nodes": shown, "next": page + 1 if len(nodes) > (page + 1) * self._page else None}

    def _list(self) -> list[dict[str, object]]:
        now = self._clock.elapsed()
        return [node.as_dict(tags=now >= node.tags_from) for node in self.nodes.values()]

    def create(self, request: NodeRequest) -> SandboxNode:
        """POST /cloud/nodes. Raises CloudError; with `hang` set the node exists all the same."""
        self.may_ask(request)
        known = self._by_token.get(request.token) if request.token else None
        if known is not None:
            if (known.name, known.size.id) != (request.name, request.size):
                raise CloudError("InvalidParameter", "this token was used for another request")
            return known
        self.may_create(request)
        return self.make(request)

    def make(self, request: NodeRequest) -> SandboxNode:
        """Make the node of a request that may be created. Raises CloudError with `hang` set: the answer is lost."""
        node = self._new_node(request, self.sizes[request.size])
        if self._strikes("create-lost", node.id):
            raise CloudError("Unavailable", "the answer was lost", hang=self._faults.values["hang"])
        return node

    def may_ask(self, request: NodeRequest) -> None:
        """Is this request answered at all? Raises CloudError Throttled."""
        if self._strikes("create-throttled", request.name):
            wait = self._faults.values["retry_after"]
            raise CloudError("Throttled", "request rate exceeded", retry_after=wait)

    def may_create(self, request: NodeRequest) -> None:
        """May this node be made? Raises CloudError."""
        size = self.sizes.get(request.size)
        if size is None:
            raise CloudError("InvalidParameter", f"there is no size {request.size!r}")
        if self._strikes("create-invalid", request.name, size.id):
            raise CloudError("InvalidParameter", "the request is not valid for this account")
        if len(self.alive()) >= self.quota or self._strikes("create-quota", request.name):
            self._events.add("quota-refused", request.name)
            raise CloudError("QuotaExceeded", "the account may have no more nodes")
        if self._strikes("create-capacity", request.name, size.id):
            raise CloudError("InsufficientCapacity", f"no capacity for size {size.id}")
        if request.zone and self._strikes("zone-full", request.name, request.zone):
            raise CloudError("InsufficientCapacity", f"no capacity in zone {request.zone}")

    def destroy(self, node_id: str) -> None:
        """DELETE /cloud/nodes/ID. Raises CloudError; with `hang` set it has worked all the same."""
        node = self._find(node_id)
        if self._strikes("destroy-fails", node_id):
            raise CloudError("Unavailable", "the service is not available")
        if node.state != "shutting-down":
            self._events.add("node-destroyed", node.id, f"{node.name} ({node.size.id})")
            self._end(node, "shutting-down", "destroyed")
            self._clock.after(_SHUTTING_DOWN, lambda: self._terminated(node))
        if self._strikes("destroy-lost", node_id):
            raise CloudError("Unavailable", "the answer was lost", hang=self._faults.values["hang"])

    def set_tags(self, node_id: str, body: object) -> SandboxNode:
        """PUT /cloud/nodes/ID/tags. Raises CloudError."""
        tags = body.get("tags") if isinstance(body, dict) else None
        if not isinstance(tags, dict) or not all(value is None or isinstance(value, str) for value in tags.values()):
            raise CloudError("InvalidParameter", "tags must be an object of texts and nulls")
        node = self._find(node_id)
        for key, value in tags.items():
            if value is None:
                node.tags.pop(key, None)
            else:
                node.tags[key] = value
        return node

    # ---- what the cloud does by itself -------------------------------------------------------------------------------

    def vanish(self, node: SandboxNode, cause: str) -> None:
        """The node is gone, without anybody having asked for it."""
        if node.state in ALIVE:
            self._events.add("node-vanished", node.id, cause)
            self._end(node, "terminated", cause)
            self._clock.after(self._linger, lambda: self.nodes.pop(node.id, None))

    def stop(self, node: SandboxNode, state: str) -> None:
        """The cloud takes the node's computer; it stays listed as `stopped` or `preempted` until it is destroyed."""
        if node.state in ("pending", "running"):
            self._events.add(f"node-{state}", node.id)
            self._end(node, state, state)

    # ---- figures -----------------------------------------------------------------------------------------------------

    def alive(self) -> list[SandboxNode]:
        """Nodes that count for the quota: all but those shutting down or terminated."""
        return [node for node in self.nodes.values() if node.state in ALIVE]

    def cost(self) -> float:
        """The bill so far in $, for time as it passes on the site's clock."""
        now = self._clock.elapsed()
        return self._bill + sum(_cost(node, now) for node in self.nodes.values() if node.ended is None)

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _new_node(self, request: NodeRequest, size: Size) -> SandboxNode:
        self.created += 1
        nth = self.created_by_size[size.id] = self.created_by_size.get(size.id, 0) + 1
        spread = chance(self._seed, "boot", size.id, nth).uniform(1 - self._jitter, 1 + self._jitter)
        node = SandboxNode(
            id=request.id or f"sb-{self.created:06d}",
            name=request.name,
            size=size,
            created=self._wall(),
            started=self._clock.elapsed(),
            boot=size.boot * spread,
            address=request.address
            or self._address
            or f"10.{self.created >> 16 & 255}.{self.created >> 8 & 255}.{self.created & 255}",
            tags=dict(request.tags),
            user_data=request.user_data,
            preemptible=request.preemptible,
            token=request.token,
        )
        if self._strikes("tags-late", node.name):
            node.tags_from = node.started + self._faults.values["lag"]
        self.nodes[node.id] = node
        if node.token:
            self._by_token[node.token] = node
        self.most_at_once = max(self.most_at_once, len(self.alive()))
        self._events.add("node-created", node.id, f"{node.name} ({size.id})")
        self._clock.after(node.boot / 5, lambda: self._running(node))
        self.on_create(node)
        return node

    def _running(self, node: SandboxNode) -> None:
        if node.state == "pending":
            node.state = "running"

    def _end(self, node: SandboxNode, state: str, cause: str) -> None:
        working = node.state in ("pending", "running")
        node.state = state
        if node.ended is None:
            node.ended = self._clock.elapsed()
            self._bill += _cost(node, node.ended)
        if working:
            self.on_end(node, cause)

    def _terminated(self, node: SandboxNode) -> None:
        node.state = "terminated"
        self._clock.after(self._linger, lambda: self.nodes.pop(node.id, None))

    def _find(self, node_id: str) -> SandboxNode:
        node = self.nodes.get(node_id)
        if node is None or node.state == "terminated":
            raise CloudError("NoSuchNode", f"there is no node {node_id}")
        return node

    def _strikes(self, name: str, subject: str, scope: str = "") -> bool:
        hit = self._faults.strikes(name, scope)
        if hit:
            self._events.add("fault", subject, name)
        return hit


def _cost(node: SandboxNode, now: float) -> float:
    return (now - node.started) / 3600 * node.price
