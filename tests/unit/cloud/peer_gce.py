"""Google Compute Engine as a peer: a project with one zone, which speaks in libcloud's recorded answers."""

from __future__ import annotations

import base64
import functools
import itertools
import json
import re
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

from cloud_peer import PING_SECRET, TIMEOUT, Mistake, PeerNode, Verb
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from fake_cloud_server import settings_in
from libcloud.common.google import GoogleServiceAcctAuthConnection
from recorded_answers import RecordedPeer, connection_to, recorded, reply
from werkzeug.wrappers import Request, Response

from arvnodeman.cloud.base import CloudDriver
from arvnodeman.cloud.gce import GCEDriver
from arvnodeman.cloud.gce_libcloud import GCENodes, LateGCEConnection
from arvnodeman.fleet.values.model import ErrorKind, NodeSize

PROJECT, ZONE = "project_name", "us-central1-a"
USER = "compute@project-name.iam.gserviceaccount.com"
TOKEN = "ya29.a-token-that-no-log-may-show"
TAG = "arvados-compute"
_BASE = f"/compute/v1/projects/{PROJECT}"


def _google(status: int, reason: str, message: str, domain: str = "global") -> tuple[int, Any]:
    error = {"domain": domain, "message": message, "reason": reason}
    return status, {"error": {"errors": [error], "code": status, "message": message}}


_IMAGE = f"'projects/{PROJECT}/global/images/arvados-compute'"
# As the API documents and sends them; libcloud's own files have alreadyExists, notFound, QUOTA_EXCEEDED among them.
ERRORS: Mapping[str, tuple[int, Any]] = {
    "rateLimitExceeded": _google(403, "rateLimitExceeded", "Rate Limit Exceeded", "usageLimits"),
    "userRateLimitExceeded": _google(
        403,
        "userRateLimitExceeded",
        "User Rate Limit Exceeded. Rate of requests for user exceed configured project "
        "quota, you may consider re-evaluating expected per-user traffic to the API",
        "usageLimits",
    ),
    "quotaExceeded": _google(
        403, "quotaExceeded", "Quota 'CPUS' exceeded.  Limit: 24.0 in region us-central1.", "usageLimits"
    ),
    "notFound": _google(404, "notFound", f"The resource 'projects/{PROJECT}/zones/{ZONE}/instances/x' was not found"),
    "image": _google(
        400,
        "invalid",
        "Invalid value for field 'resource.disks[0].initializeParams.sourceImage': "
        f"{_IMAGE}. The referenced image resource cannot be found.",
    ),
    "subnetwork": _google(
        400,
        "invalid",
        f"Invalid value for field 'resource.networkInterfaces[0].subnetwork': 'https://www.googleapis.com/compute/v1/"
        f"projects/{PROJECT}/regions/us-central1/subnetworks/nowhere'. The referenced subnetwork resource cannot be "
        "found.",
    ),
    "zone": _google(400, "invalid", "Invalid value for field 'zone': 'us-centrall1-a'. Unknown zone."),
    "forbidden": _google(
        403, "forbidden", f"Required 'compute.instances.create' permission for 'projects/{PROJECT}/zones/{ZONE}'"
    ),
    "accessNotConfigured": _google(
        403,
        "accessNotConfigured",
        "Compute Engine API has not been used in project 897001307951 before or it is disabled.",
        "usageLimits",
    ),
    "backendError": _google(503, "backendError", "Backend Error"),
    "internalError": _google(500, "internalError", "Internal Error"),
    "bad gateway": (502, "<!DOCTYPE html><title>Error 502 (Server Error)!!1</title>"),
    "empty": (500, ""),
    "conditionNotMet": _google(
        412, "conditionNotMet", "Supplied fingerprint does not match current metadata fingerprint."
    ),
}
# Those that the operation alone tells, after the request has been accepted.
OPERATION_ERRORS: Mapping[str, str] = {
    "QUOTA_EXCEEDED": "Quota 'SSD_TOTAL_GB' exceeded.  Limit: 500.0 in region us-central1.",
    "ZONE_RESOURCE_POOL_EXHAUSTED": f"The zone 'projects/{PROJECT}/zones/{ZONE}' does not have enough resources "
    "available to fulfill the request.  Try a different zone, or try again later.",
    "ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS": "The zone does not have enough resources available to fulfill the "
    "request. '(resource type:compute)'.",
}


@functools.cache
def private_key() -> str:
    """A key that Google has never seen."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    form = serialization.PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


class GCEPeer(RecordedPeer):
    """A project. Its operations are done when they are first looked at."""

    provider = "gce"
    page = 500
    remarks: ClassVar[tuple[str, ...]] = (
        *RecordedPeer.remarks,
        "Operations are done when they are first looked at; the real ones take seconds. The errors that an operation "
        "tells, and the zone that cannot be reached, are written after Google's documentation.",
        "A create waits for its operation, `timeout` seconds at most, since nothing else tells of missing capacity.",
    )
    errors: ClassVar[Mapping[ErrorKind, tuple[str, ...]]] = {
        ErrorKind.THROTTLED: ("rateLimitExceeded", "userRateLimitExceeded"),
        ErrorKind.QUOTA: ("quotaExceeded", "QUOTA_EXCEEDED"),
        ErrorKind.CAPACITY: ("ZONE_RESOURCE_POOL_EXHAUSTED", "ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS"),
        ErrorKind.REFUSED: ("image", "forbidden", "accessNotConfigured", "subnetwork"),
        ErrorKind.GONE: ("notFound",),
        ErrorKind.TRANSIENT: ("backendError", "internalError", "bad gateway", "empty", "conditionNotMet"),
    }
    mistakes: ClassVar[Mapping[str, Mistake]] = {
        "credentials": Mistake(
            "[Cloud Credentials] key", credentials={"user_id": "x@other.iam.gserviceaccount.com"}, verb=Verb.LIST
        ),
        "zone": Mistake("[Cloud Credentials] datacenter", error="zone", verb=Verb.LIST),
        "permission": Mistake("[Cloud Credentials] user_id", error="forbidden"),
        "api": Mistake("[Cloud Credentials] project", error="accessNotConfigured", verb=Verb.LIST),
        "image": Mistake("[Cloud Create] image", create={"image": "arvados-compute-x"}),
        "image by link": Mistake("[Cloud Create] image", error="image"),
        "subnetwork": Mistake("[Cloud Create] subnetwork", error="subnetwork"),
    }
    size = NodeSize("small", "n1-standard-1", "11077240422128681563", "n1-standard-1", 1, 3840, 10, 0, 0.05)
    spot = NodeSize(
        "spot", "n1-standard-1", "11077240422128681563", "n1-standard-1", 1, 3840, 10, 0, 0.01, preemptible=True
    )
    zones = (ZONE, "us-central1-b")
    cannot: ClassVar[Mapping[str, str]] = {
        "a_node_that_broke_down_goes_and_its_words_tell_why": "a create waits for its operation, whose "
        "error is the refusal; nothing is listed then",
    }
    secrets = (PING_SECRET, TOKEN)

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.instances: dict[str, dict[str, Any]] = {}  # by name
        self.operations: dict[str, dict[str, Any]] = {}
        self.done = True
        """Is an operation done when it is looked at?"""
        self.inserts: list[dict[str, Any]] = []  # bodies of the requests to create
        self.full: set[str] = set()  # zones
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._auth_class = GoogleServiceAcctAuthConnection.conn_class

    def __enter__(self) -> Self:
        """Serve it, for the access tokens as well."""
        super().__enter__()
        GoogleServiceAcctAuthConnection.conn_class = connection_to(self.port)
        (self.folder / "key.pem").write_text(private_key())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop serving."""
        GoogleServiceAcctAuthConnection.conn_class = self._auth_class
        super().__exit__(kind, error, trace)

    def driver(
        self,
        *,
        timeout: float = TIMEOUT,
        credentials: Mapping[str, str] | None = None,
        create: Mapping[str, str] | None = None,
        listing: str = f"tags = {TAG}, http-server",
    ) -> CloudDriver:
        """See Peer. listing: the lines of [Cloud List]."""
        given = {
            "provider": "gce",
            "user_id": USER,
            "key": str(self.folder / "key.pem"),
            "project": PROJECT,
            "datacenter": ZONE,
            "credential_file": str(self.folder / ("other-token" if credentials else "token")),
            "timeout": f"{timeout:g}",
            **(credentials or {}),
        }
        options = {"ping_host": "ping.example.com", "image": "custom-image", **(create or {})}
        text = "[Cloud Create]\n" + "".join(f"{name} = {value}\n" for name, value in options.items())
        connection = type("Connection", (LateGCEConnection,), {"conn_class": connection_to(self.port)})
        nodes = type("Nodes", (GCENodes,), {"connectionCls": connection})
        return GCEDriver(settings_in(self.folder, f"[Cloud List]\n{listing}\n{text}", **given), nodes)

    # ---- the cloud, behind the driver's back -------------------------------------------------------------------------

    def nodes(self) -> list[PeerNode]:
        """See Peer."""
        return [_peer_node(each) for each in self.instances.values() if each["status"] != "STOPPING"]

    def add(self, count: int = 1, *, ours: bool = True, tagged: bool = True) -> list[str]:
        """See Peer."""
        tags = [TAG, "http-server", "more"] if ours else ["other", "http-server"]
        metadata = {"items": [{"key": "arvados_node_size", "value": "small"}]}
        body = {"tags": {"items": tags}, "metadata": metadata} if tagged else {}
        return [self._insert({"name": f"behind-{next(self._numbers)}", **body})["id"] for _ in range(count)]

    def terminate(self, node_id: str) -> None:
        """See Peer. GCE does not list what is gone: this one is on its way."""
        self._of(node_id)["status"] = "STOPPING"

    def vanish(self, node_id: str) -> None:
        """See Peer."""
        del self.instances[self._of(node_id)["name"]]

    def stop(self, node_id: str) -> None:
        """See Peer."""
        self._of(node_id)["status"] = "TERMINATED"

    def fill(self, zone: str) -> None:
        """See Peer."""
        self.full.add(zone)

    def _of(self, node_id: str) -> dict[str, Any]:
        return next(each for each in self.instances.values() if each["id"] == node_id)

    # ---- requests ----------------------------------------------------------------------------------------------------

    def verb_of(self, request: Request) -> Verb | None:
        """See Trouble."""
        path = request.path.removeprefix(f"{_BASE}/zones/").partition("/")[2]
        if request.path == f"{_BASE}/aggregated/instances":
            return Verb.LIST
        match (request.method, path.split("/")):
            case ("GET", ["instances"]):
                return Verb.LIST
            case ("POST", ["instances"]):
                return Verb.CREATE
            case ("DELETE", ["instances", _]):
                return Verb.DESTROY
            case ("POST", ["instances", _, "setMetadata"]):
                return Verb.TAG
        return None

    def error(self, name: str) -> Response:
        """See RecordedPeer."""
        if name in OPERATION_ERRORS:
            return self._operation([{"code": name, "message": OPERATION_ERRORS[name]}])
        status, body = ERRORS[name]
        return reply(body, status)

    def answer(self, request: Request, body: Any) -> Response:
        """See RecordedPeer."""
        if request.path == "/o/oauth2/token":
            return self._token(request)
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return reply(_google(401, "authError", "Invalid Credentials")[1], 401)
        parts = request.path.removeprefix(_BASE).strip("/").split("/")
        with self._lock:
            match (request.method, parts):
                case ("GET", ["global", "images"]):
                    return reply(recorded("gce/global_images.json"))
                case ("GET", ["global", "networks", "default"]):
                    return reply(recorded("gce/global_networks_default.json"))
                case ("GET", ["zones", zone, "machineTypes"]) if zone == ZONE:
                    return reply(recorded("gce/zones_us-central1-a_machineTypes.json"))
                case ("GET", ["zones", zone, "instances"]) if zone == ZONE:
                    return self._list(request)
                case ("GET", ["aggregated", "instances"]):
                    return self._list_all()
                case ("POST", ["zones", zone, "instances"]):
                    return self._create(body, zone)
                case ("GET", ["zones", _, "operations", name]):
                    return reply(self.operations[name])
                case (_, ["zones", _, "instances", name, *rest]) if name in self.instances:
                    return self._one(request.method, self.instances[name], rest, body)
                case (_, ["zones", _, "instances", _, *_]):
                    return self.error("notFound")
        return reply({}, 404) if "images" in parts else reply(f"no {request.method} {request.path} here", 404)

    def _token(self, request: Request) -> Response:
        claims = request.form["assertion"].split(".")[1]
        if json.loads(base64.urlsafe_b64decode(claims + "=="))["iss"] != USER:
            error = {"error": "invalid_grant", "error_description": "Invalid grant: account not found"}
            return reply(error, 400)
        return reply({"access_token": TOKEN, "token_type": "Bearer", "expires_in": 3600})

    def _list(self, request: Request) -> Response:
        start, limit = int(request.args.get("pageToken", "0")), int(request.args.get("maxResults", "500"))
        shown = list(self.instances.values())[start : start + min(limit, 500)]
        answer = recorded("gce/zones_us-central1-a_instances.json")
        answer["items"] = shown
        if not shown:
            del answer["items"]
        if len(self.instances) > start + len(shown):
            answer["nextPageToken"] = str(start + len(shown))
        return reply(answer)

    def _list_all(self) -> Response:
        """Of all zones: those without instances say so, as they do at Google."""
        answer = recorded("gce/aggregated_instances.json")
        for name, each in answer["items"].items():
            zone = name.removeprefix("zones/")
            there = [instance for instance in self.instances.values() if _zone(instance) == zone]
            if there:
                answer["items"][name] = {"instances": there}
            elif "instances" in each:
                answer["items"][name] = {"warning": {"code": "NO_RESULTS_ON_PAGE", "message": "There are none here."}}
        return reply(answer)

    def _create(self, body: dict[str, Any], zone: str) -> Response:
        if zone in self.full:
            return self.error("ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS")
        self.inserts.append(body)
        if body["name"] in self.instances:
            text = f"The resource 'projects/{PROJECT}/zones/{zone}/instances/{body['name']}' already exists"
            status, error = _google(409, "alreadyExists", text)
            return reply(error, status)
        self._insert(body, zone)
        return self._operation()

    def _insert(self, body: Mapping[str, Any], zone: str = ZONE) -> dict[str, Any]:
        made: dict[str, Any] = recorded("gce/zones_us-central1-a_instances_node-name.json")
        made |= {key: body[key] for key in ("name", "machineType", "disks") if key in body}
        made["id"] = str(4006034190819017667 + next(self._numbers))
        made["selfLink"] = made["selfLink"].replace("node-name", body["name"]).replace(ZONE, zone)
        made["zone"] = made["zone"].replace(ZONE, zone)
        made["tags"] = {"fingerprint": "42WmSpB8rSM=", **body.get("tags", {})}
        made["metadata"] |= {"items": body.get("metadata", {}).get("items", []), "fingerprint": self._fingerprint()}
        made["scheduling"] |= body.get("scheduling", {})
        if body.get("networkInterfaces"):
            made["networkInterfaces"][0]["accessConfigs"] = body["networkInterfaces"][0].get("accessConfigs", [])
        self.instances[made["name"]] = made
        return made

    def _one(self, method: str, instance: dict[str, Any], rest: list[str], body: Any) -> Response:
        match (method, rest):
            case ("GET", []):
                return reply(instance)
            case ("DELETE", []):
                del self.instances[instance["name"]]
                return self._operation()
            case ("POST", ["setMetadata"]) if body["fingerprint"] != instance["metadata"]["fingerprint"]:
                return self.error("conditionNotMet")
            case ("POST", ["setMetadata"]):
                instance["metadata"] |= {"items": body["items"], "fingerprint": self._fingerprint()}
                return self._operation()
        return reply("?", 404)

    def _fingerprint(self) -> str:
        return f"fingerprint-{next(self._numbers)}="

    def _operation(self, errors: list[dict[str, str]] | None = None) -> Response:
        name = f"operation-{next(self._numbers)}"
        pending = recorded("gce/zones_us-central1-a_instances_post.json")
        done = recorded("gce/operations_operation_zones_us-central1-a_instances_post.json")
        for each in (pending, done):
            each["name"] = name
            each["selfLink"] = re.sub(r"operations/.*", f"operations/{name}", each["selfLink"])
        done = done if self.done else pending
        self.operations[name] = {**done, "error": {"errors": errors}} if errors else done
        return reply(pending)


def _peer_node(instance: Mapping[str, Any]) -> PeerNode:
    metadata = {item["key"]: item["value"] for item in instance["metadata"].get("items", [])}
    preemptible = instance["scheduling"].get("preemptible") is True
    size = next(
        each["id"]
        for each in recorded("gce/zones_us-central1-a_machineTypes.json")["items"]
        if each["name"] == instance["machineType"].rpartition("/")[2]
    )
    startup = metadata.get("arv-ping-url", "") + metadata.get("startup-script", "")
    return PeerNode(instance["id"], instance["name"], metadata, startup, preemptible, size, _zone(instance))


def _zone(instance: Mapping[str, Any]) -> str:
    return str(instance["zone"]).rpartition("/")[2]
