"""A small double of the metadata services that tell a node of its end: EC2's (with session tokens), GCE's, Azure's.

Its answers are those that the clouds document, and that amazon-ec2-metadata-mock gives for EC2.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from peer_trouble import serving
from werkzeug.wrappers import Request, Response

ACTION = '{"action": "terminate", "time": "2026-11-30T08:22:00Z"}'
REBALANCE = '{"noticeTime": "2026-11-30T08:20:00Z"}'


def event(kind: str, *machines: str, status: str = "Scheduled") -> dict[str, object]:
    """One of Azure's scheduled events."""
    return {
        "EventId": "602d9444-d2cd-49c7-8624-8643e7171297",
        "EventType": kind,
        "ResourceType": "VirtualMachine",
        "Resources": list(machines),
        "EventStatus": status,
        "NotBefore": "Mon, 30 Nov 2026 08:22:00 GMT",
        "Description": "",
        "EventSource": "Platform",
        "DurationInSeconds": -1,
    }


@dataclass
class Metadata:
    """What one node is told. `asked`: method and path of each request."""

    action: str = ""
    rebalance: str = ""
    preempted: str = "FALSE"
    maintenance: str = "NONE"
    lease: str = ""
    events: list[dict[str, object]] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)  # those that are good
    given: int = 0  # tokens so far
    away: bool = False
    asked: list[tuple[str, str]] = field(default_factory=list)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """WSGI."""
        request = Request(environ)
        self.asked.append((request.method, request.path))
        return self._answer(request)(environ, start_response)

    def _answer(self, request: Request) -> Response:
        if self.away:
            return Response("<html>no service here</html>", 503)
        path = request.path
        if path.startswith("/latest/"):
            return self._ec2(request, path.removeprefix("/latest/"))
        if path.startswith("/computeMetadata/v1/instance/") and request.headers.get("Metadata-Flavor") == "Google":
            given = {"id": "4006034190819017668", "preempted": self.preempted, "maintenance-event": self.maintenance}
            return _said(given.get(path.removeprefix("/computeMetadata/v1/instance/"), ""))
        if path.startswith("/metadata/") and request.headers.get("Metadata") == "true":
            if path == "/metadata/scheduledevents":
                return Response(json.dumps({"DocumentIncarnation": 1, "Events": self.events}), 200)
            return _said("compute-7" if path == "/metadata/instance/compute/name" else "")
        return Response("", 403)

    def _ec2(self, request: Request, path: str) -> Response:
        if path == "api/token":
            if request.method != "PUT" or not request.headers.get("X-aws-ec2-metadata-token-ttl-seconds"):
                return Response("", 400)
            self.given += 1
            self.tokens.append(f"token-{self.given}")
            return Response(self.tokens[-1], 200)
        if request.headers.get("X-aws-ec2-metadata-token") not in self.tokens:
            return Response("<html><title>401 - Unauthorized</title></html>", 401)
        told = {
            "meta-data/instance-id": "i-0123456789abcdef0",
            "meta-data/spot/instance-action": self.action,
            "meta-data/events/recommendations/rebalance": self.rebalance,
            "meta-data/tags/instance/arvados_node_lease": self.lease,
        }
        return _said(told.get(path, ""))


def _said(text: str) -> Response:
    return Response(text, 200) if text else Response("<html><title>404 - Not Found</title></html>", 404)


@contextmanager
def metadata_served(metadata: Metadata) -> Iterator[str]:
    """Its address."""
    with serving(metadata) as port:
        yield f"http://127.0.0.1:{port}"
