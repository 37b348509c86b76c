"""OpenStack as a peer: one project, which speaks in libcloud's recorded answers."""

from __future__ import annotations

import base64
import itertools
import re
import threading
import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from cloud_peer import CLUSTER, PING_SECRET, TIMEOUT, Mistake, PeerNode, Verb
from fake_cloud_server import settings_in
from recorded_answers import RecordedPeer, connection_to, recorded, reply
from werkzeug.wrappers import Request, Response

from arvnodeman.cloud.base import CloudDriver
from arvnodeman.cloud.openstack import OpenStackDriver
from arvnodeman.cloud.openstack_connections import ComputeConnection, ImageConnection, NetworkConnection
from arvnodeman.cloud.openstack_libcloud import OpenStackNodes
from arvnodeman.fleet.values.model import ErrorKind, NodeSize

USER, SECRET = "arvados", "correct-horse-battery-staple"
TOKEN = "gAAAAAB-a-token-that-no-log-may-show"
PROJECT = "9c4693dce56b493b9b83197d900f7fba"
IMAGE = "f24a3c1b-d52a-4116-91da-25b3eee8f55e"
NETWORK = "d32019d3-bc6e-4319-9c1d-6722fc136a22"
_PREFIX = f"/v2/{PROJECT}"
LIFE = "test_a_nodes_life"
STRANGERS = "test_servers_without_our_tags_are_not_ours"
STOPPED = "test_a_server_that_was_stopped_is_shown_so_and_one_that_was_deleted_is_not"
BUILT = "test_a_new_server_is_listed_with_its_tags_while_it_is_built"
LOST = "test_a_create_whose_answer_is_lost_made_a_server_that_is_found"
THROTTLED = "test_a_create_that_is_throttled_is_told_and_made_nothing"


def _fault(status: int, kind: str, message: str) -> tuple[int, dict[str, Any]]:
    return status, {kind: {"code": status, "message": message}}


# As nova 34 sends them; tests/openstack/test_openstack_real.py holds the texts of most.
ERRORS: Mapping[str, tuple[int, dict[str, Any]]] = {
    "too many": _fault(429, "tooManyRequests", "Too many requests"),
    "overLimit": _fault(413, "overLimit", "This request was rate-limited."),
    "instances quota": _fault(
        403, "forbidden", "Quota exceeded for instances: Requested 1, but already used 10 of 10 instances"
    ),
    "cores quota": _fault(403, "forbidden", "Quota exceeded for cores: Requested 8, but already used 20 of 20 cores"),
    "ports quota": _fault(403, "forbidden", "Maximum number of ports exceeded"),
    "no valid host": _fault(500, "computeFault", "No valid host was found. There are not enough hosts available."),
    "image": _fault(400, "badRequest", "Can not find requested image"),
    "image gone": _fault(404, "itemNotFound", f"Image {IMAGE} could not be found."),
    "network": _fault(400, "badRequest", "Network 11111111-1111-1111-1111-111111111111 could not be found."),
    "security group": _fault(400, "badRequest", "Unable to find security_group with name or id 'nobody'"),
    "key": _fault(400, "badRequest", "Invalid key_name provided."),
    "zone": _fault(400, "badRequest", "The requested availability zone is not available"),
    "flavor": _fault(400, "badRequest", "Flavor 99 could not be found."),
    "policy": _fault(403, "forbidden", "Policy doesn't allow os_compute_api:servers:create to be performed."),
    "itemNotFound": _fault(404, "itemNotFound", "Instance 8c1e could not be found."),
    "unavailable": _fault(503, "serviceUnavailable", "The server is currently unavailable. Please try again later."),
    "unexpected": _fault(
        500,
        "computeFault",
        "Unexpected API Error. Please contact the administrator\n<class 'oslo_messaging.exceptions.MessagingTimeout'>",
    ),
    "building": _fault(
        409,
        "conflictingRequest",
        "Cannot 'update metadata' instance 8c1e while it is in vm_state building",
    ),
    "resizing": _fault(
        409, "conflictingRequest", "Cannot 'update metadata' instance 8c1e while it is in task_state resize_prep"
    ),
    "in error": _fault(
        409, "conflictingRequest", "Cannot 'update metadata' instance 8c1e while it is in vm_state error"
    ),
    "locked": _fault(409, "conflictingRequest", "Instance 8c1e is locked"),
    "items": _fault(403, "forbidden", "Maximum number of metadata items exceeds 2"),
    "version": _fault(
        406, "computeFault", "Version 9.99 is not supported by the API. Minimum is 2.1 and maximum is 2.104."
    ),
    "subnet": _fault(400, "badRequest", "Network ID requires a subnet in order to boot instances on."),
    "no network": _fault(
        400,
        "badRequest",
        "Invalid input for field/attribute server. Value: {'name': 'x', 'user_data': 'IyEvYmluL3NoCm1rZGlyIC1wIC92YXIv"
        "dG1wL2Fydi1ub2RlLWRhdGEvbWV0YS1kYXRhCmVjaG8gJ2h0dHBzOi8v', 'imageRef': '155d900f'}. 'networks' is a required "
        "property",
    ),
    "long user data": _fault(
        400,
        "badRequest",
        f"Invalid input for field/attribute user_data. Value: {'IyEvYmluL3NoCmVjaG8K' * 3300}. "
        f"'{'IyEvYmluL3NoCmVjaG8K' * 3300}' is too long",
    ),
    "tag name": _fault(
        400,
        "badRequest",
        "Invalid input for field/attribute metadata. Value: {'a/b': 'x', 'hostname': 'y'}. 'a/b' does not match any of "
        "the regexes: '^[a-zA-Z0-9-_:. ]{1,255}$'",
    ),
    "tag value": _fault(
        400,
        "badRequest",
        f"Invalid input for field/attribute class. Value: {'x' * 256}. '{'x' * 256}' is too long",
    ),
    "scheduler hints": _fault(
        400,
        "badRequest",
        "Invalid input for field/attribute os:scheduler_hints. Value: x. 'x' is not of type 'object'",
    ),
    "huge request": (
        413,
        {
            "message": "Request is too large. Larger than max_request_body_size (%s).<br /><br />\n\n\n",
            "code": "413 Request Entity Too Large",
            "title": "Request Entity Too Large",
        },
    ),
    "token": _fault(401, "error", "The request you have made requires authentication."),
    "unknown instance": _fault(404, "itemNotFound", "Instance 8c1e could not be found."),
    "unknown path": _fault(404, "itemNotFound", "The resource could not be found."),
}


class OpenStackPeer(RecordedPeer):
    """A project with servers, of which the API shows a hundred at a time."""

    provider = "openstack"
    page = 100
    real: ClassVar[Mapping[str, str]] = {
        "ignores_nodes_without_our_tags": STRANGERS,
        "survives_nodes_without_any_tag": STRANGERS,
        "leaves_out_terminated_nodes": STOPPED,
        "shows_stopped_nodes_as_stopped": STOPPED,
        "a_new_node_is_listed_with_its_tags_at_once": BUILT,
        "size_and_start_time_come_back": BUILT,
        "the_ping_url_reaches_the_node": BUILT,
        "finds_a_node_after_a_create_that_timed_out": LOST,
        "makes_one_node_out_of_two_attempts": LOST,
        "makes_two_nodes_for_two_boots": LOST,
        "finds_nothing_after_a_create_that_failed": THROTTLED,
        "nothing_is_retried": THROTTLED,
        "an_error_of_a_list_is_no_short_list": "test_a_list_without_the_servers_of_a_cell_that_is_away_is_none",
        "drivers_of_several_threads_do_not_disturb_each_other": "test_drivers_of_several_threads_make_a_server_each",
        "secrets_are_in_no_log_and_no_error": "test_a_byte_more_of_user_data_than_nova_takes_shows_nothing_of_it",
        "lists_sizes": LIFE,
        "lists_no_nodes_where_there_are_none": LIFE,
        "lists_more_nodes_than_one_page": "test_a_project_with_more_servers_than_a_page",
        "destroys_a_node": LIFE,
        "destroy_of_a_vanished_node_says_that_it_is_gone": LIFE,
        "a_404_of_somebody_else_says_nothing_of_a_node": "test_a_wrong_path_to_nova_says_nothing_of_a_server",
        "fqdn_and_our_tags_are_written_and_read_back": LIFE,
        "writing_to_a_vanished_node_says_that_it_is_gone": LIFE,
        "names_the_option_that_is_wrong": "test_a_mistake_names_its_option",
        "a_node_is_made_in_the_zone_that_is_asked_for": "test_a_node_is_made_in_the_zone_that_is_asked_for",
        "a_full_zone_is_passed_over_for_the_next": "test_a_full_zone_is_passed_over_for_the_next",
        "a_node_that_broke_down_goes_and_its_words_tell_why": "test_a_full_zone_is_passed_over_for_the_next",
    }
    remarks: ClassVar[tuple[str, ...]] = (
        *RecordedPeer.remarks,
        "Pages, metadata changes, cells and errors are as a real Nova 34.0.0 and Keystone 30.0.0 have them, on which "
        "tests/openstack holds the driver; but for what Neutron says of security groups and subnets, of which there is "
        "a double of Nova's there.",
        "Also on those: servers in ERROR, quotas, no valid host, zones, tokens that are revoked or at their end, "
        "servers that are deleted twice, a restart of the compute service, and the whole daemon with nodes that die. "
        "An answer that is lost, and 429, are a proxy's in front of Nova.",
        "Releases on which the whole daemon has run so: 2026.2 (Nova 34.0.0) and zed, Debian 12's (Nova 26.2.2).",
        "Addresses of two networks and both families are as that Nova shows them; the ports are a double's, on Nova's "
        "own double of Neutron.",
        "Not on the real service: a request that hangs.",
        "That a node learns its own id from the metadata service or its firmware is shown with a program that stands "
        "for curl.",
    )
    errors: ClassVar[Mapping[ErrorKind, tuple[str, ...]]] = {
        ErrorKind.THROTTLED: ("too many", "overLimit"),
        ErrorKind.QUOTA: ("instances quota", "cores quota", "ports quota"),
        ErrorKind.CAPACITY: ("no valid host",),
        ErrorKind.REFUSED: (
            *("image", "image gone", "network", "policy", "flavor", "locked", "in error", "items", "version"),
            *("no network", "long user data", "tag name", "scheduler hints", "huge request", "unknown path"),
        ),
        ErrorKind.GONE: ("itemNotFound",),
        ErrorKind.TRANSIENT: ("unavailable", "unexpected", "building", "resizing", "token"),
    }
    mistakes: ClassVar[Mapping[str, Mistake]] = {
        "credentials": Mistake("[Cloud Credentials] key", credentials={"secret": "wrong-wrong-wrong"}, verb=Verb.LIST),
        "region": Mistake(
            "[Cloud Credentials] ex_force_service_region",
            credentials={"ex_force_service_region": "regionTwo"},
            verb=Verb.LIST,
        ),
        "image": Mistake("[Cloud Create] image", create={"image": "nothing"}),
        "image by id": Mistake("[Cloud Create] image", error="image"),
        "network": Mistake("[Cloud Create] networks", create={"networks": "nowhere"}),
        "network by id": Mistake("[Cloud Create] networks", error="network"),
        "security group": Mistake("[Cloud Create] ex_security_groups", error="security group"),
        "key pair": Mistake("[Cloud Create] ex_keyname", error="key"),
        "zone": Mistake("[Cloud Create] ex_availability_zone", error="zone"),
        "size": Mistake("[Size NAME] instance_type", error="flavor"),
        "no subnet": Mistake("[Cloud Create] networks", error="subnet"),
        "no network": Mistake("[Cloud Create] networks", error="no network"),
        "user data": Mistake("[Cloud Create] user_data", error="long user data"),
        "user data beyond the request": Mistake("[Cloud Create] user_data", error="huge request"),
        "tag": Mistake("[Cloud Create] tag_NAME", error="tag name"),
        "value of a tag": Mistake("[Cloud Create] tag_NAME", error="tag value"),
        "tags": Mistake("[Cloud Create] tag_NAME", error="items"),
        "scheduler hints": Mistake("[Cloud Create] ex_os_scheduler_hints", error="scheduler hints"),
        "version": Mistake("[Cloud Credentials] ex_force_microversion", error="version"),
        "role": Mistake("[Cloud Credentials] key", error="policy"),
    }
    size = NodeSize("small", "4GB slice", "4", "4GB slice", 2, 4096, 160, 160000, 0.06)
    zones = ("west", "east")
    listing_tells = True
    fault = "No valid host was found. There are not enough hosts available."
    secrets = (PING_SECRET, SECRET, TOKEN)

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.servers: dict[str, dict[str, Any]] = {}
        self.posts: list[dict[str, Any]] = []
        self.links = True
        """Does a page have a link to the next?"""
        self.limit = self.page
        self.newest = (2, 104)
        """The newest version of the API."""
        self.versions: list[str] = []
        """The versions in which lists were asked for."""
        self.away: set[str] = set()
        """Ids of servers whose cell's database is away."""
        self.full: set[str] = set()  # zones
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def driver(
        self,
        *,
        timeout: float = TIMEOUT,
        credentials: Mapping[str, str] | None = None,
        create: Mapping[str, str] | None = None,
    ) -> CloudDriver:
        """See Peer."""
        given = {
            "provider": "openstack",
            "key": USER,
            "secret": SECRET,
            "ex_force_auth_url": "https://keystone.example.com:5000",
            "ex_tenant_name": "arvados",
            "ex_force_service_region": "regionOne",
            "timeout": f"{timeout:g}",
            **(credentials or {}),
        }
        options = {"ping_host": "ping.example.com", "image": IMAGE, "networks": "net1", **(create or {})}
        text = "[Cloud Create]\n" + "".join(f"{name} = {value}\n" for name, value in options.items())
        to_peer = {"conn_class": connection_to(self.port)}
        parts = {
            "connectionCls": ComputeConnection,
            "image_connectionCls": ImageConnection,
            "network_connectionCls": NetworkConnection,
        }
        nodes = type("Nodes", (OpenStackNodes,), {name: type(name, (each,), to_peer) for name, each in parts.items()})
        return OpenStackDriver(settings_in(self.folder, text, **given), nodes)

    # ---- the cloud, behind the driver's back -------------------------------------------------------------------------

    def nodes(self) -> list[PeerNode]:
        """See Peer."""
        return [
            PeerNode(
                each["id"],
                each["name"],
                dict(each["metadata"]),
                base64.b64decode(each.get("user_data", "")).decode(),
                size=each["flavor"]["id"],
                zone=each["OS-EXT-AZ:availability_zone"],
            )
            for each in self.servers.values()
            if each["OS-EXT-STS:task_state"] != "deleting"
        ]

    def add(self, count: int = 1, *, ours: bool = True, tagged: bool = True) -> list[str]:
        """See Peer."""
        metadata = {"arvados_node_manager": CLUSTER if ours else "other", "arvados_node_size": "small"}
        body = {"name": "behind-the-back", "flavorRef": "4", "metadata": metadata if tagged else {}}
        return [self._boot(body)["id"] for _ in range(count)]

    def terminate(self, node_id: str) -> None:
        """See Peer."""
        self.servers[node_id]["OS-EXT-STS:task_state"] = "deleting"

    def vanish(self, node_id: str) -> None:
        """See Peer."""
        del self.servers[node_id]

    def stop(self, node_id: str) -> None:
        """See Peer."""
        self.servers[node_id]["status"] = "SHUTOFF"

    def break_down(self, node_id: str) -> None:
        """See Peer."""
        self.servers[node_id] |= {"status": "ERROR", "fault": {"code": 500, "message": self.fault}}

    def fill(self, zone: str) -> None:
        """See Peer. Nova takes the request all the same."""
        self.full.add(zone)

    # ---- requests ----------------------------------------------------------------------------------------------------

    def verb_of(self, request: Request) -> Verb | None:
        """See Trouble."""
        match (request.method, request.path.removeprefix(_PREFIX).strip("/").split("/")):
            case ("GET", ["servers", "detail"]):
                return None if "name" in request.args else Verb.LIST
            case ("POST", ["servers"]):
                return Verb.CREATE
            case ("DELETE", ["servers", _]):
                return Verb.DESTROY
            case ("POST" | "DELETE", ["servers", _, "metadata", *_]):
                return Verb.TAG
        return None

    def error(self, name: str) -> Response:
        """See RecordedPeer."""
        status, body = ERRORS[name]
        return reply(body, status)

    def answer(self, request: Request, body: Any) -> Response:
        """See RecordedPeer."""
        if request.path == "/v3/auth/tokens":
            return self._token(body)
        if not request.headers.get("X-Auth-Token", "").startswith(TOKEN):
            return self.error("token")
        parts = request.path.removeprefix(_PREFIX).strip("/").split("/")
        with self._lock:
            match (request.method, parts):
                case ("GET", ["flavors", "detail"]):
                    return reply(recorded("openstack_v1_1/_flavors_detail.json"))
                case ("GET", ["v2", "images"]):
                    first, second = recorded("openstack_v1_1/_images_v2.json")["images"]
                    return reply({"images": [first, {**second, "name": "arvados"}], "next": None})
                case ("GET", ["v2", "images", image]) if image == IMAGE:
                    return reply(recorded("openstack_v1_1/_images_v2.json")["images"][0])
                case ("GET", ["v2.0", "networks"]):
                    return reply(recorded("openstack_v1_1/_v2_0__networks.json"))
                case ("GET", ["servers", "detail"]):
                    return self._list(request)
                case ("POST", ["servers"]):
                    self.posts.append(body)
                    made = recorded("openstack_v1_1/_servers_create.json")
                    made["server"]["id"] = self._boot(body["server"])["id"]
                    return reply(made, 202)
                case (_, ["servers", server_id, *rest]) if server_id in self.servers:
                    return self._one(request.method, self.servers[server_id], rest, body)
        return self.error("itemNotFound")

    def _token(self, body: Any) -> Response:
        user = body["auth"]["identity"]["password"]["user"]
        if (user["name"], user["password"]) != (USER, SECRET):
            return reply(recorded("openstack/_v3__auth_unauthorized.json"), 401)
        answer = recorded("openstack/_v3__auth.json")
        answer["token"]["expires_at"] = datetime.fromtimestamp(time.time() + 3600, UTC).isoformat()
        return reply(answer, 201, X_Subject_Token=f"{TOKEN}-{next(self._numbers)}")

    def _list(self, request: Request) -> Response:
        self.versions.append(request.headers.get("OpenStack-API-Version", ""))
        asked = tuple(map(int, re.findall(r"\d+", request.headers.get("OpenStack-API-Version", "2.1"))))
        if asked > self.newest:
            return self.error("version")
        there = [each for known, each in self.servers.items() if known not in self.away]
        servers = [each for each in there if re.search(request.args.get("name", ""), each["name"])]
        marker = request.args.get("marker")
        start = [each["id"] for each in servers].index(marker) + 1 if marker else 0
        limit = min(int(request.args.get("limit", "1000")), self.limit)
        answer: dict[str, Any] = {"servers": servers[start : start + limit]}
        if len(answer["servers"]) == limit and self.links:
            last = answer["servers"][-1]["id"]
            href = f"http://192.168.18.100:8774{_PREFIX}/servers/detail?limit={limit}&marker={last}"
            answer["servers_links"] = [{"rel": "next", "href": href}]
        if asked >= (2, 69) and not {"limit", "marker", "name"} & set(request.args):
            stubs = [{"id": each, "status": "UNKNOWN", "tenant_id": PROJECT, "links": []} for each in self.away]
            answer["servers"] = stubs[: limit - len(answer["servers"])] + answer["servers"]
        return reply(answer)

    def _boot(self, body: Mapping[str, Any]) -> dict[str, Any]:
        made: dict[str, Any] = recorded("openstack_v1_1/_servers_12064.json")["server"]
        made |= {"id": str(uuid.uuid4()), "name": body["name"], "metadata": dict(body["metadata"]), "status": "ACTIVE"}
        made |= {"created": datetime.fromtimestamp(time.time(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}
        made |= {"flavor": {**made["flavor"], "id": str(body["flavorRef"])}, "user_data": body.get("user_data", "")}
        made["OS-EXT-STS:task_state"] = None
        made["OS-EXT-AZ:availability_zone"] = body.get("availability_zone", "nova")
        self.servers[made["id"]] = made
        if body.get("availability_zone") in self.full:
            self.break_down(made["id"])
        return made

    def _one(self, method: str, server: dict[str, Any], rest: list[str], body: Any) -> Response:
        match (method, rest):
            case ("GET", []):
                return reply({"server": server})
            case ("DELETE", []):
                server["OS-EXT-STS:task_state"] = "deleting"
                return Response("", 204)
            case ("GET", ["metadata"]):
                return reply({"metadata": server["metadata"]})
            case ("POST", ["metadata"]):
                server["metadata"] |= body["metadata"]
                return reply({"metadata": server["metadata"]})
            case ("DELETE", ["metadata", key]) if key in server["metadata"]:
                del server["metadata"][key]
                return Response("", 204)
        return self.error("itemNotFound")
