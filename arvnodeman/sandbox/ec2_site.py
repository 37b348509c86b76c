"""The site on EC2: moto's EC2 in the place of the sandbox's cloud API, the sandbox's computers behind its instances.

A daemon with `provider = ec2` talks to moto through the thin layer. Each instance that moto makes gets a node of the
site's cloud with its id, and so a computer that boots, pings the URL in the instance's user data, works, and is lost;
when the instance is terminated, that computer dies. What befalls a node by itself befalls the instance too. The faults
of the site's cloud that refuse or lose requests are told in EC2's words.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from arvnodeman.sandbox.cloud import ALIVE, CloudError, NodeRequest, SandboxNode
from arvnodeman.sandbox.ec2_layer import Account, Ec2Error, Ec2Layer
from arvnodeman.sandbox.ec2_moto import LIVE, Instance, Moto
from arvnodeman.sandbox.ec2_throttle import Throttle
from arvnodeman.sandbox.ec2_user_data import read_by
from arvnodeman.sandbox.wiring import Site

REGION = "us-east-1"
KEY, SECRET = "AKIASANDBOXSANDBOX00", "sandbox-secret-key"  # a made-up account's
TYPES = {
    "small": "m5.large",
    "medium": "m5.xlarge",
    "large": "m5.2xlarge",
    "himem": "r5.xlarge",
    "xlarge": "m5.4xlarge",
}
_CODES = {
    "Throttled": ("RequestLimitExceeded", 503),
    "QuotaExceeded": ("InstanceLimitExceeded", 400),
    "InsufficientCapacity": ("InsufficientInstanceCapacity", 500),
    "InvalidParameter": ("InvalidParameterValue", 400),
    "Unavailable": ("Unavailable", 503),
}


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"  # connections are kept

    def log(self, *_arguments: object) -> None:
        """Nothing."""


class Ec2Site:
    """EC2 for a site, on a port of its own. Raises MotoMissing."""

    def __init__(self, site: Site, *, throttled: bool = False) -> None:
        """throttled: it refuses too many requests, as EC2 documents, by real time."""
        self._site = site
        self._moto = Moto(REGION)
        account = Account({KEY: SECRET}, throttle=Throttle() if throttled else None)
        self._layer = Ec2Layer(self._moto, account, self._before, self._after, self._room)
        loopback = bool(site.options.address)  # the computers are slurmds of this machine
        self._subnets = self._moto.loopback_subnets() if loopback else self._moto.subnets()[:2]
        self._granted: dict[int, int] = {}  # thread -> instances that its RunInstances may make
        self._made: dict[str, Instance] = {}  # as they were when they were made, with their volumes
        self._server: BaseWSGIServer | None = None
        self._lost: dict[int, float] = {}  # thread -> real seconds after which its answer is lost
        self._ended_by_computer = site.cloud.on_end
        site.cloud.on_end = self._node_ended
        site.views["ec2"] = self.account

    # ---- serving -----------------------------------------------------------------------------------------------------

    def start(self) -> int:
        """Serve it on a free port of loopback, in threads that end with the process; the port."""
        self._server = make_server("127.0.0.1", 0, self._layer, threaded=True, request_handler=_Quiet)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), name="ec2", daemon=True).start()
        return int(self._server.server_port)

    def stop(self) -> None:
        """Serve no more."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def config(self, port: int) -> dict[str, dict[str, str]]:
        """Sections of the daemon's configuration file, in the place of those for the sandbox's cloud."""
        sections = {
            "Cloud": {"provider": "ec2"},
            "Cloud Credentials": {
                "key": KEY,
                "secret": SECRET,
                "region": REGION,
                "host": "127.0.0.1",
                "port": str(port),
                "secure": "no",
                "timeout": "15",
            },
            "Cloud Create": {
                "image_id": self._moto.images()[0],
                "subnet_id": ", ".join(self._subnets),
                "security_groups": self._moto.security_groups()[0],
            },
        }
        for size in self._site.options.sizes:
            sections[f"Size {size.id}"] = {
                "instance_type": TYPES[size.id],
                "ram": str(size.ram),
                "scratch": str(size.disk * 1000),  # the types have no disk of their own: a volume
                "price": str(size.price),
            }
        return sections

    def account(self) -> dict[str, object]:
        """GET /site/ec2: what EC2 has been asked for, and what is there."""
        states = {each.id: each.state for each in self._moto.instances()}
        return {
            "made": len(self._made),
            "live": sum(state in LIVE for state in states.values()),
            "volumes_left": self._moto.volume_count(),
            "instances": [
                {
                    "id": each.id,
                    "state": states.get(each.id, ""),
                    "type": each.type,
                    "spot": each.spot,
                    "tags": dict(each.tags),
                    "user_data": (read_by(each.user_data, each.launch_index) or "").partition("?")[0],  # no secret
                    "image": each.image,
                    "subnet": each.subnet,
                    "imds": each.imds,
                    "shutdown": each.shutdown,
                    "volumes": [[each.device, each.size, each.type] for each in each.volumes],
                }
                for each in self._made.values()
            ],
        }

    # ---- requests ----------------------------------------------------------------------------------------------------

    def _before(self, params: Mapping[str, str]) -> Ec2Error | None:
        """Before moto is asked: the site's faults, limits and refusals. A destroy ends the computer."""
        self._lost.pop(threading.get_ident(), None)
        try:
            with self._site.clock.lock:
                match params.get("Action"):
                    case "RunInstances" if not self._layer.is_known(params):
                        self._grant(params)
                    case "TerminateInstances":
                        self._destroy(params.get("InstanceId.1", ""))
                    case "DescribeInstances":
                        self._site.cloud.list_page(0)
        except CloudError as error:
            code, status = _CODES[error.code]
            wait = "" if error.retry_after is None else f"{error.retry_after:g}"
            return Ec2Error(code, error.message, status, wait)
        return None

    def _grant(self, params: Mapping[str, str]) -> None:
        """How many instances the site lets a request make. Raises CloudError if it allows none."""
        request, cloud = _request(params), self._site.cloud
        cloud.may_ask(request)
        granted, wanted = 0, min(int(params.get("MaxCount", "1")), max(1, cloud.quota - len(cloud.alive())))
        while granted < wanted:
            try:
                cloud.may_create(request)
            except CloudError:
                if not granted:
                    raise
                break
            granted += 1
        self._granted[threading.get_ident()] = granted

    def _room(self, _params: Mapping[str, str]) -> int | None:
        return self._granted.pop(threading.get_ident(), None)

    def _destroy(self, instance: str) -> None:
        node = self._site.cloud.nodes.get(instance)
        if node is None or node.state == "terminated":
            return  # moto knows better
        try:
            self._site.cloud.destroy(instance)
        except CloudError as error:
            if not error.hang:
                raise
            self._lost[threading.get_ident()] = error.hang

    def _after(self, params: Mapping[str, str]) -> Ec2Error | None:
        """After moto has worked: new instances get their computers. Answers a refusal when the answer is lost."""
        if params.get("Action") == "RunInstances":
            self._follow()
        hang = self._lost.pop(threading.get_ident(), 0.0)
        if not hang:
            return None
        time.sleep(hang)
        return Ec2Error("Unavailable", "the answer was lost", 503)

    def _follow(self) -> None:
        with self._site.clock.lock:
            for instance in self._moto.new(self._made):
                self._made[instance.id] = instance
                request = _request_of(instance)
                if request is None:
                    self._moto.terminate(instance.id)  # it has halted itself
                    continue
                try:
                    self._site.cloud.make(request)
                except CloudError as error:
                    self._lost[threading.get_ident()] = error.hang

    def _node_ended(self, node: SandboxNode, cause: str) -> None:
        """The computer is lost, and the instance with it; a destroyed one is terminated by the request."""
        self._ended_by_computer(node, cause)
        if cause == "destroyed":
            return
        if node.state in ALIVE:  # stopped
            self._moto.stop(node.id)
        else:
            self._moto.terminate(node.id)


def _request(params: Mapping[str, str]) -> NodeRequest:
    """The node that RunInstances asks for, as far as faults look at it."""
    names = [name for name in params if name.startswith("TagSpecification.1.Tag.") and name.endswith(".Key")]
    tags = {params[name]: params.get(name.removesuffix("Key") + "Value", "") for name in names}
    kind = params.get("InstanceType", "")
    return NodeRequest(tags.get("Name", ""), _size_of(kind))


def _request_of(instance: Instance) -> NodeRequest | None:
    """The computer behind an instance; None for one that belongs to no node."""
    read = read_by(instance.user_data, instance.launch_index)
    if read is None:
        return None
    return NodeRequest(
        name=instance.tags.get("Name", instance.id),
        size=_size_of(instance.type),
        tags=instance.tags,
        user_data=read,
        address=instance.address,
        preemptible=instance.spot,
        id=instance.id,
    )


def _size_of(kind: str) -> str:
    """The sandbox's size for a type."""
    return next((size for size, each in TYPES.items() if each == kind), kind)
