"""Azure's Resource Manager as a peer: one resource group, which speaks in libcloud's recorded answers."""

from __future__ import annotations

import base64
import binascii
import itertools
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from azure_answers import (
    APPLICATION,
    CLASS,
    ERRORS,
    GROUP,
    INTERFACES,
    LAST_YEARS,
    MACHINES,
    PROVIDERS,
    RECORDED,
    SECRET,
    SUBSCRIPTION,
    TENANT,
    TOKEN,
    TOKEN_ERRORS,
    URN,
)
from cloud_peer import PING_SECRET, TIMEOUT, Mistake, PeerNode, Verb
from fake_cloud_server import settings_in
from recorded_answers import RecordedPeer, connection_to, recorded, reply
from werkzeug.wrappers import Request, Response

from arvnodeman.cloud.azure import AzureDriver
from arvnodeman.cloud.azure_libcloud import AzureNodes, LateAzureConnection
from arvnodeman.cloud.base import CloudDriver
from arvnodeman.fleet.values.model import ErrorKind, NodeSize


class AzurePeer(RecordedPeer):
    """A resource group. A virtual machine that is deleted takes along what has the delete option."""

    provider = "azure"
    page = 100
    cannot: ClassVar[Mapping[str, str]] = {
        "shows_stopped_nodes_as_stopped": "a power state costs a request for each node, and is not asked for (row I6)",
    }
    remarks: ClassVar[tuple[str, ...]] = (
        *RecordedPeer.remarks,
        "That Azure deletes interface and disk together with their node, and takes the delete option for a node that "
        "lacks it, is written after its documentation, as are its errors.",
        "Blobs of disks in a storage account are not shown at all; Azure has retired such disks.",
    )
    errors: ClassVar[Mapping[ErrorKind, tuple[str, ...]]] = {
        ErrorKind.THROTTLED: ("TooManyRequests",),
        ErrorKind.QUOTA: ("OperationNotAllowed", "QuotaExceeded", "SubnetIsFull"),
        ErrorKind.CAPACITY: (
            "SkuNotAvailable",
            "AllocationFailed",
            "ZonalAllocationFailed",
            "OverconstrainedAllocationRequest",
        ),
        ErrorKind.REFUSED: (
            "AuthorizationFailed",
            "PlatformImageNotFound",
            "InvalidParameter",
            "ResourceGroupNotFound",
        ),
        ErrorKind.GONE: ("ResourceNotFound", "OperationNotAllowed, marked"),
        ErrorKind.TRANSIENT: ("InternalServerError", "html"),
    }
    mistakes: ClassVar[Mapping[str, Mistake]] = {
        "secret": Mistake("[Cloud Credentials] secret", credentials={"secret": "wrong-wrong-wrong"}, verb=Verb.LIST),
        "expired secret": Mistake("[Cloud Credentials] secret", credentials={"secret": LAST_YEARS}, verb=Verb.LIST),
        "tenant": Mistake("[Cloud Credentials] tenant_id", credentials={"tenant_id": "tenant"}, verb=Verb.LIST),
        "application": Mistake("[Cloud Credentials] key", credentials={"key": "application"}, verb=Verb.LIST),
        "permission": Mistake("[Cloud Credentials] key", error="AuthorizationFailed"),
        "region": Mistake("[Cloud Credentials] region", error="NoRegisteredProviderFound"),
        "group": Mistake("[Cloud List] ex_resource_group", error="ResourceGroupNotFound", verb=Verb.LIST),
        "image": Mistake("[Cloud Create] image", error="PlatformImageNotFound"),
        "subnet": Mistake("[Cloud Create] ex_subnet", create={"ex_subnet": "nowhere"}),
        "size": Mistake("[Size NAME] instance_type", error="InvalidParameter"),
    }
    size = NodeSize("small", "Standard_A1", "Standard_A1", "Standard_A1", 1, 1792, 70, 70000, 0.06)
    zones = ("1", "2")
    fault = "ZonalAllocationFailed: Allocation failed. We do not have sufficient capacity for the requested VM size."
    secrets = (PING_SECRET, SECRET, TOKEN)

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.machines: dict[str, dict[str, Any]] = {}  # by name in lower case: Azure does not tell them apart
        self.interfaces: set[str] = set()
        self.disks: set[str] = set()
        self.puts: list[dict[str, Any]] = []
        self.views: dict[str, Any] = {}  # by name in lower case: what Azure tells of a machine's instance
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
            "provider": "azure",
            "tenant_id": TENANT,
            "subscription_id": SUBSCRIPTION,
            "key": APPLICATION,
            "secret": SECRET,
            "region": "East US",
            "timeout": f"{timeout:g}",
            **(credentials or {}),
        }
        options = {"ping_host": "ping.example.com", "image": URN, "ex_network": "vnet", "tag_arvados-class": CLASS}
        options |= create or {}
        text = "[Cloud Create]\n" + "".join(f"{name} = {value}\n" for name, value in options.items())
        connection = type("Connection", (LateAzureConnection,), {"conn_class": connection_to(self.port)})
        nodes = type("Nodes", (AzureNodes,), {"connectionCls": connection})
        listing = f"[Cloud List]\nex_resource_group = {GROUP}\n"
        return AzureDriver(settings_in(self.folder, listing + text, **given), nodes)

    # ---- the cloud, behind the driver's back -------------------------------------------------------------------------

    def nodes(self) -> list[PeerNode]:
        """See Peer."""
        return [_peer_node(each) for each in self.machines.values() if _state(each) != "Deleting"]

    def add(self, count: int = 1, *, ours: bool = True, tagged: bool = True) -> list[str]:
        """See Peer."""
        tags = {"arvados-class": CLASS if ours else "other", "arvados_node_size": "small"}
        names = [f"behind-{next(self._numbers)}" for _ in range(count)]
        for name in names:
            made = recorded(
                f"{RECORDED}_resourceGroups_000000_providers_Microsoft_Compute_virtualMachines_test_node_1.json"
            )
            made |= {"name": name, "id": f"{MACHINES}/{name}", "tags": tags}
            made["properties"]["networkProfile"]["networkInterfaces"][0]["id"] = f"{INTERFACES}/{name}-nic"
            made["properties"]["storageProfile"]["osDisk"]["name"] = name
            self.interfaces.add(f"{name}-nic")
            self.disks.add(name)
            if not tagged:
                del made["tags"]
            self.machines[name] = made
        return [f"{MACHINES}/{name}" for name in names]

    def terminate(self, node_id: str) -> None:
        """See Peer."""
        self._of(node_id)["properties"]["provisioningState"] = "Deleting"

    def vanish(self, node_id: str) -> None:
        """See Peer."""
        del self.machines[node_id.rpartition("/")[2].lower()]

    def stop(self, node_id: str) -> None:
        """See Peer: cannot be shown."""
        raise NotImplementedError

    def break_down(self, node_id: str) -> None:
        """See Peer."""
        code, _, message = self.fault.partition(": ")
        self._of(node_id)["properties"]["provisioningState"] = "Failed"
        status = {"code": f"ProvisioningState/failed/{code}", "level": "Error", "message": message}
        self.views[node_id.rpartition("/")[2].lower()] = {"statuses": [status]}

    def fill(self, zone: str) -> None:
        """See Peer."""
        self.full.add(zone)

    def _of(self, node_id: str) -> dict[str, Any]:
        return self.machines[node_id.rpartition("/")[2].lower()]

    # ---- requests ----------------------------------------------------------------------------------------------------

    def verb_of(self, request: Request) -> Verb | None:
        """See Trouble."""
        path = _path(request)
        if path == MACHINES.lower():
            return Verb.LIST
        if not path.startswith(f"{MACHINES}/".lower()):
            return None
        return {"PUT": Verb.CREATE, "DELETE": Verb.DESTROY, "PATCH": Verb.TAG}.get(request.method)

    def error(self, name: str) -> Response:
        """See RecordedPeer."""
        if name == "html":
            return Response("<html><body>502 Bad Gateway</body></html>", 502, content_type="text/html")
        status, message = ERRORS[name]
        return reply({"error": {"code": name.partition(",")[0], "message": message}}, status)

    def answer(self, request: Request, body: Any) -> Response:
        """See RecordedPeer."""
        path = _path(request)
        if path.endswith("/oauth2/token"):
            return self._token(request)
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            text = "The access token is invalid."
            return reply({"error": {"code": "InvalidAuthenticationToken", "message": text}}, 401)
        name = request.path.rpartition("/")[2]
        with self._lock:
            if path.endswith("/locations/eastus/vmsizes"):
                return reply(recorded(f"{RECORDED}_providers_Microsoft_Compute_locations_eastus_vmSizes.json"))
            if path == MACHINES.lower():
                return self._list(request)
            if path.endswith("/virtualnetworks/vnet/subnets"):
                return reply({"value": [{"id": f"{path}/default", "name": "default", "properties": {}}]})
            if path.startswith(f"{INTERFACES}/".lower()):
                return self._interface(request.method, name, body)
            if path.startswith(f"{MACHINES}/".lower()) and name == "instanceView":
                return reply(self.views.get(path.split("/")[-2], {"statuses": []}))
            if path.startswith(f"{MACHINES}/".lower()):
                return self._machine(request.method, name, body)
        return reply({"error": {"code": "InvalidResourceType", "message": f"no {path} here"}}, 404)

    def _token(self, request: Request) -> Response:
        wrong = {
            "tenant": TENANT not in request.path,
            "application": request.form["client_id"] != APPLICATION,
            "expired": request.form["client_secret"] == LAST_YEARS,
            "secret": request.form["client_secret"] != SECRET,
        }
        for name, is_wrong in wrong.items():
            if is_wrong:
                status, error, description = TOKEN_ERRORS[name]
                return reply({"error": error, "error_description": description, "error_codes": [1]}, status)
        answer = recorded("azure_arm/_77777777_7777_7777_7777_777777777777_oauth2_token.json")
        return reply({**answer, "access_token": TOKEN, "expires_on": str(int(time.time()) + 3600)})

    def _list(self, request: Request) -> Response:
        start = int(request.args.get("$skiptoken", "0").partition("!")[0])
        shown = list(self.machines.values())[start : start + self.page]
        answer = recorded(f"{RECORDED}_providers_Microsoft_Compute_virtualMachines.json")
        following = answer.pop("nextLink")
        answer["value"] = [{**each, "id": each["id"].replace(GROUP, GROUP.upper())} for each in shown]
        if len(self.machines) > start + self.page:
            group = f"resourceGroups/{GROUP.upper()}/providers/Microsoft.Compute"
            following = following.replace("providers/Microsoft.Compute", group).replace("=1!", f"={start + self.page}!")
            answer["nextLink"] = following
        return reply(answer)

    def _interface(self, method: str, name: str, body: Any) -> Response:
        match method:
            case "PUT":
                subnet = body["properties"]["ipConfigurations"][0]["properties"]["subnet"]["id"]
                if not subnet.endswith("/virtualnetworks/vnet/subnets/default"):
                    return self.error("InvalidResourceReference")
                self.interfaces.add(name)
                made = recorded(
                    f"{RECORDED}_resourceGroups_000000_providers_Microsoft_Network_networkInterfaces_test_node_1_nic.json"
                )
                return reply({**made, "name": name, "id": f"{INTERFACES}/{name}"}, 201)
            case "DELETE" if name in self.interfaces:
                self.interfaces.discard(name)
                return Response("", 202)
            case "DELETE":
                return Response("", 204)
        return self.error("ResourceNotFound")

    def _machine(self, method: str, name: str, body: Any) -> Response:
        machine = self.machines.get(name.lower())
        match method:
            case "PUT" if self.full.intersection(body.get("zones", [])):
                return self.error("ZonalAllocationFailed")
            case "PUT":
                return self._put(name, body)
            case "DELETE" if machine is None:
                return Response("", 204)
            case _ if machine is None:
                return self.error("ResourceNotFound")
            case "GET":
                return reply(machine)
            case "PATCH":
                machine["tags"] = body.get("tags", machine.get("tags", {}))
                for key, value in body.get("properties", {}).items():
                    machine["properties"][key] |= value
                return reply(machine)
            case "DELETE":
                self._delete(machine)
                return Response("", 202)
        return reply("?", 405)

    def _put(self, name: str, body: dict[str, Any]) -> Response:
        self.puts.append(body)
        self.interfaces_of(body)
        made = {**body, "tags": dict(body["tags"])}
        made["properties"] = {
            **body["properties"],
            "provisioningState": "Creating",
            "vmId": f"vm-{next(self._numbers)}",
        }
        disk = made["properties"]["storageProfile"]["osDisk"]
        if "managedDisk" in disk:
            disk["managedDisk"]["id"] = f"{PROVIDERS}/Microsoft.Compute/disks/{disk['name']}"
        self.disks.add(disk["name"])
        self.machines[name.lower()] = made
        return reply(made, 201)

    def interfaces_of(self, body: Mapping[str, Any]) -> list[str]:
        """The names of the interfaces that a request wants, all of which exist."""
        wanted = [each["id"].rpartition("/")[2] for each in body["properties"]["networkProfile"]["networkInterfaces"]]
        assert set(wanted) <= self.interfaces
        return wanted

    def _delete(self, machine: dict[str, Any]) -> None:
        """What Azure does in the next minute is done at once, but for the machine itself, which is still listed."""
        properties = machine["properties"]
        properties["provisioningState"] = "Deleting"
        for interface in properties["networkProfile"]["networkInterfaces"]:
            if (interface.get("properties") or {}).get("deleteOption") == "Delete":
                self.interfaces.discard(interface["id"].rpartition("/")[2])
        disk = properties["storageProfile"]["osDisk"]
        if disk.get("deleteOption") == "Delete":
            self.disks.discard(disk["name"])


def _path(request: Request) -> str:
    return request.path.lower()


def _state(machine: Mapping[str, Any]) -> Any:
    return machine["properties"]["provisioningState"]


def _peer_node(machine: Mapping[str, Any]) -> PeerNode:
    properties = machine["properties"]
    data = properties.get("osProfile", {}).get("customData", "")
    try:
        startup = base64.b64decode(data).decode()
    except (binascii.Error, UnicodeDecodeError):
        startup = f"no base64: {data}"
    return PeerNode(
        id=machine["id"],
        name=machine["name"],
        tags=machine.get("tags", {}),
        startup=startup,
        size=properties["hardwareProfile"]["vmSize"],
        zone=(machine.get("zones") or [""])[0],
    )
