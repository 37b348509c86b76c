"""EC2 as a peer: moto's server behind the sandbox's thin layer, in this process. Shared by the tests of the process."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import ClassVar, Self
from urllib.parse import parse_qs

from cloud_peer import CLUSTER, PING_SECRET, TIMEOUT, Mistake, Peer, PeerNode, Shown, Verb
from fake_cloud_server import settings_in
from peer_trouble import Spoilt, Trouble, serving
from werkzeug.wrappers import Request, Response

from arvnodeman.cloud import throttle
from arvnodeman.cloud.base import CloudDriver
from arvnodeman.cloud.ec2_batch import batches_of_process
from arvnodeman.cloud.ec2_launches import launches_of_process
from arvnodeman.cloud.registry import make_driver
from arvnodeman.config import Settings
from arvnodeman.fleet.values.model import ErrorKind, NodeSize
from arvnodeman.sandbox.ec2_layer import Account, Ec2Error, Ec2Layer, error_response
from arvnodeman.sandbox.ec2_moto import Moto

KEY, SECRET = "AKIAEXAMPLEEXAMPLE01", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
REGION = "us-east-1"
CREDENTIALS = "[Cloud Credentials] key"
_ACTIONS = {
    "DescribeInstances": Verb.LIST,
    "RunInstances": Verb.CREATE,
    "TerminateInstances": Verb.DESTROY,
    "CreateTags": Verb.TAG,
    "DeleteTags": Verb.TAG,
}
# Code: message and HTTP status, as EC2 documents and sends them.
ERRORS: Mapping[str, Ec2Error] = {
    refusal.code: refusal
    for refusal in (
        Ec2Error("RequestLimitExceeded", "Request limit exceeded.", 503),
        Ec2Error("Throttling", "Rate exceeded", 400),
        Ec2Error("InstanceLimitExceeded", "Your quota allows for 0 more running instance(s)."),
        Ec2Error(
            "VcpuLimitExceeded",
            "You have requested more vCPU capacity than your current vCPU limit of 32 allows for the instance bucket "
            "that the specified instance type belongs to. Please visit http://aws.amazon.com/contact-us/ec2-request to "
            "request an adjustment to this limit.",
        ),
        Ec2Error("MaxSpotInstanceCountExceeded", "Max spot instance count exceeded"),
        Ec2Error(
            "InsufficientFreeAddressesInSubnet",
            "There are not enough free addresses in subnet 'subnet-0a' to satisfy the requested number of instances.",
        ),
        Ec2Error("VolumeLimitExceeded", "You have exceeded the maximum gp3 storage limit of 50 TiB in this region."),
        Ec2Error(
            "InsufficientInstanceCapacity",
            "We currently do not have sufficient m5.large capacity in the Availability Zone you requested "
            "(us-east-1a). Our system will be working on provisioning additional capacity.",
            500,
        ),
        Ec2Error(
            "Unsupported",
            "Your requested instance type (m5.large) is not supported in your requested Availability Zone "
            "(us-east-1e).",
        ),
        Ec2Error(
            "SpotMaxPriceTooLow", "Your Spot request price of 0.01 is lower than the minimum required Spot price."
        ),
        Ec2Error(
            "UnauthorizedOperation",
            "You are not authorized to perform this operation. Encoded authorization failure message: xZ3v",
            403,
        ),
        Ec2Error("InvalidParameterValue", "Invalid IAM Instance Profile name", 400),
        Ec2Error("InvalidInstanceID.NotFound", "The instance ID 'i-0123456789abcdef0' does not exist"),
        Ec2Error("InternalError", "An internal error has occurred", 500),
        Ec2Error("Unavailable", "The service is unavailable. Please try again shortly.", 503),
        Ec2Error(
            "AuthFailure.ServiceLinkedRoleCreationNotPermitted",
            "The provided credentials do not have permission to create the service-linked role for EC2 Spot Instances.",
            403,
        ),
        Ec2Error("OptInRequired", "You are not subscribed to this service.", 401),
        Ec2Error("InvalidClientTokenId", "The security token included in the request is invalid", 403),
        Ec2Error("ExpiredToken", "The provided token has expired.", 400),
        Ec2Error("RequestExpired", "Request has expired.", 400),
    )
}


@functools.cache
def moto() -> Moto:
    """The one of this process: it takes a second to start."""
    return Moto(REGION)


class EC2Peer(Peer):
    """A fresh account: moto begins anew for each test, the layer in front of it too."""

    provider = "ec2"
    page = 20
    peer = "moto 5.2"
    shown = Shown.PEER
    otherwise: ClassVar[Mapping[str, Shown]] = {
        "makes_one_node_out_of_two_attempts": Shown.LAYER,  # moto does not know client tokens
        "finds_a_node_after_a_create_that_timed_out": Shown.LAYER,
        "a_destroy_that_times_out_but_works_is_seen": Shown.LAYER,
        "a_destroy_that_fails_leaves_the_node_to_be_seen": Shown.LAYER,
        "writing_to_a_vanished_node_says_that_it_is_gone": Shown.LAYER,  # moto tags what it does not know
        "recognises_each_class_of_error": Shown.LAYER,
        "an_error_of_a_list_is_no_short_list": Shown.LAYER,
        "nothing_is_retried": Shown.LAYER,
        "a_request_that_hangs_ends_by_its_timeout": Shown.LAYER,
        "names_the_option_that_is_wrong": Shown.LAYER,
        "a_full_zone_is_passed_over_for_the_next": Shown.LAYER,
        "a_node_that_broke_down_goes_and_its_words_tell_why": Shown.LAYER,
    }
    remarks = (
        "Signatures of requests are checked by botocore's own signer, which no one here wrote.",
        "moto itself refuses an image, a type, a subnet and a security group that do not exist. Wrong, expired and "
        "unprivileged credentials, key pairs, quotas, throttling and missing capacity are the layer's.",
        "Pages are moto's own, made small by the layer.",
        "The real EC2's list lags behind its creates by seconds at times; moto's does not.",
    )
    errors: ClassVar[Mapping[ErrorKind, tuple[str, ...]]] = {
        ErrorKind.THROTTLED: ("RequestLimitExceeded", "Throttling"),
        ErrorKind.QUOTA: (
            "InstanceLimitExceeded",
            "VcpuLimitExceeded",
            "MaxSpotInstanceCountExceeded",
            "InsufficientFreeAddressesInSubnet",
            "VolumeLimitExceeded",
        ),
        ErrorKind.CAPACITY: ("InsufficientInstanceCapacity", "Unsupported", "SpotMaxPriceTooLow"),
        ErrorKind.REFUSED: (
            "UnauthorizedOperation",
            "InvalidParameterValue",
            "AuthFailure.ServiceLinkedRoleCreationNotPermitted",
            "OptInRequired",
            "InvalidClientTokenId",
            "RequestExpired",
            "ExpiredToken",
        ),
        ErrorKind.GONE: ("InvalidInstanceID.NotFound",),
        ErrorKind.TRANSIENT: ("Unavailable", "InternalError"),
    }
    mistakes: ClassVar[Mapping[str, Mistake]] = {
        "key": Mistake(CREDENTIALS, credentials={"key": "AKIAWRONGWRONGWRONG0"}, verb=Verb.LIST),
        "secret": Mistake(CREDENTIALS, credentials={"secret": "wrong" * 8}, verb=Verb.LIST),
        "expired secret": Mistake(CREDENTIALS, error="ExpiredToken", verb=Verb.LIST),
        "permission": Mistake(CREDENTIALS, error="UnauthorizedOperation"),
        "image": Mistake("[Cloud Create] image_id", create={"image_id": "ami-0123456789abcdef0"}),
        "subnet": Mistake("[Cloud Create] subnet_id", create={"subnet_id": "subnet-0123456789abcdef0"}),
        "security group": Mistake("[Cloud Create] security_groups", create={"security_groups": "sg-0123456789abcdef0"}),
        "key pair": Mistake("[Cloud Create] ex_keyname", create={"ex_keyname": "nobody"}),
        "spot role": Mistake("[Size NAME] preemptible", error="AuthFailure.ServiceLinkedRoleCreationNotPermitted"),
    }
    size = NodeSize("small", "m5.large", "m5.large", "m5.large", 2, 7782, 0, 0, 0.096)
    spot = NodeSize("spot", "m5.large", "m5.large", "m5.large", 2, 7782, 0, 0, 0.04, preemptible=True)
    zones = ("us-east-1a", "us-east-1b")
    fault = "InsufficientInstanceCapacity: There is no Spot capacity available that matches your request."
    secrets = (PING_SECRET, SECRET)

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.account = Account(keys={KEY: SECRET}, page=self.page)
        self.seen: list[Mapping[str, str]] = []  # parameters of all signed requests
        self.refuse: Callable[[Mapping[str, str]], Ec2Error | None] = lambda _params: None
        self.layer = Ec2Layer(moto(), self.account, self._look)
        self.trouble = Trouble(self.layer, _verb_of)
        self._stack = ExitStack()
        self.port = 0

    def __enter__(self) -> Self:
        """Serve it."""
        moto().clear()
        batches_of_process.cache_clear()  # tokens are used again
        launches_of_process.cache_clear()  # what another test has launched
        throttle._limiters.clear()  # what one account has throttled tells nothing of the next
        self.port = self._stack.enter_context(serving(self.trouble))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop serving."""
        self.trouble.let_go()
        self._stack.close()

    def driver(
        self,
        *,
        timeout: float = TIMEOUT,
        credentials: Mapping[str, str] | None = None,
        create: Mapping[str, str] | None = None,
        text: str = "",
        burst: str = "",
    ) -> CloudDriver:
        """See Peer. text: more of the configuration file; burst: [Cloud] burst."""
        return make_driver(self.settings(timeout, credentials or {}, create or {}, text, burst))

    def settings(
        self,
        timeout: float = TIMEOUT,
        credentials: Mapping[str, str] = MappingProxyType({}),
        create: Mapping[str, str] = MappingProxyType({}),
        text: str = "",
        burst: str = "",
    ) -> Settings:
        """What the driver is made of."""
        given = {
            "provider": "ec2",
            "key": KEY,
            "secret": SECRET,
            "region": REGION,
            "host": "127.0.0.1",
            "port": str(self.port),
            "secure": "no",
            "timeout": f"{timeout:g}",
            "burst": burst,
            **credentials,
        }
        options = {"ping_host": "ping.example.com", "image_id": self.image, **create}
        made = "[Cloud Create]\n" + "".join(f"{name} = {value}\n" for name, value in options.items())
        return settings_in(self.folder, made + text, **given)

    def _look(self, params: Mapping[str, str]) -> Ec2Error | None:
        self.seen.append(params)
        return self.refuse(params)

    @property
    def image(self) -> str:
        """An image that exists."""
        return moto().images()[0]

    def nodes(self) -> list[PeerNode]:
        """See Peer."""
        return [
            PeerNode(each.id, each.tags.get("Name", ""), each.tags, each.user_data, each.spot, each.type, each.zone)
            for each in moto().live()
        ]

    def add(self, count: int = 1, *, ours: bool = True, tagged: bool = True) -> list[str]:
        """See Peer."""
        tags = {"arvados:node:manager": CLUSTER if ours else "other", "arvados_node_size": "small"}
        return moto().add_instances(count, "m5.large", tags if tagged else {})

    def terminate(self, node_id: str) -> None:
        """See Peer."""
        moto().terminate(node_id)

    def vanish(self, node_id: str) -> None:
        """See Peer."""
        moto().forget(node_id)

    def stop(self, node_id: str) -> None:
        """See Peer."""
        moto().stop(node_id)

    def break_down(self, node_id: str) -> None:
        """See Peer."""
        moto().end_at_launch(node_id, "Server.InsufficientInstanceCapacity", f"Server.{self.fault}")

    def fill(self, zone: str) -> None:
        """See Peer."""

        def refuse(params: Mapping[str, str]) -> Ec2Error | None:
            there = (params.get("Action"), params.get("Placement.AvailabilityZone")) == ("RunInstances", zone)
            return ERRORS["InsufficientInstanceCapacity"] if there else None

        self.refuse = refuse

    def fail(self, verb: Verb, error: str, times: int = 1) -> None:
        """See Peer."""
        self.trouble.spoil(verb, Spoilt(lambda: error_response(ERRORS[error])), times)

    def answer_with(self, verb: Verb, status: int, page: str, content_type: str = "text/html") -> None:
        """See Peer."""
        self.trouble.spoil(verb, Spoilt(lambda: Response(page, status, content_type=content_type)))

    def lose_answer(self, verb: Verb) -> None:
        """See Peer."""
        self.trouble.spoil(verb, Spoilt(works=True))

    def wait_until_it_worked(self) -> None:
        """See Peer."""
        self.trouble.wait_until_it_worked()

    def hang(self, verb: Verb) -> None:
        """See Peer."""
        self.trouble.spoil(verb, Spoilt())

    def requests(self) -> int:
        """See Peer."""
        return self.trouble.requests


def _verb_of(request: Request) -> Verb | None:
    action = parse_qs(request.get_data(as_text=True)).get("Action", [""])[0]
    return _ACTIONS.get(action)
