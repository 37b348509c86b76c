"""A thin layer in front of moto's EC2, where moto and the real one differ. For tests and the demo.

What it adds: `xmlns` ends in a slash, as at EC2, and is absent from errors; signatures are checked; a RunInstances with
the client token of an earlier one answers that one's instances, or is refused when it asks for something else; it makes
as many of MinCount to MaxCount as there is room for, and names them in no order; requests are throttled as EC2
documents it, where that is wanted; a key pair must exist; there is a quota of instances; pages can be small. moto
itself does the rest: instances, volumes, tags, filters, images, types, subnets, security groups.
"""

from __future__ import annotations

import io
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode
from xml.etree import ElementTree

from werkzeug.wrappers import Request, Response

from arvnodeman.sandbox.ec2_moto import Moto
from arvnodeman.sandbox.ec2_signature import BadSignature, check_signature
from arvnodeman.sandbox.ec2_throttle import Throttle

_LARGEST_BODY = 2**20
_STATE = re.compile(
    r"(<instanceId>(i-\w+)</instanceId>(?:(?!<instanceId>).)*?<instanceState>\s*<code>\d+</code>\s*<name>)[\w-]+<",
    re.DOTALL,
)
_NAMESPACE = re.compile(r'xmlns="([^"]+)"')
_SHORT_NAMESPACE = re.compile(r'xmlns="(http://ec2\.amazonaws\.com/doc/[\d-]+)"')


@dataclass(frozen=True, slots=True)
class Ec2Error:
    """An error as EC2 words it."""

    code: str
    message: str
    status: int = 400
    retry_after: str = ""


@dataclass(slots=True)
class Account:
    """What the account has: changed by whoever plays with it."""

    keys: Mapping[str, str]  # secret by access key id
    quota: int = 1_000_000  # instances
    room: Mapping[str, int] = field(default_factory=dict)  # instances of a type that there can be; others: no limit
    throttle: Throttle | None = None
    page: int = 1000  # the most items in one answer


Look = Callable[[Mapping[str, str]], Ec2Error | None]


class Ec2Layer:
    """The WSGI application. Many threads may call it; RunInstances are taken one after the other.

    before: looks at each signed request's parameters first; what it answers is sent, and moto not asked. after: looks
    at those that moto has done; what it answers is sent instead of moto's answer.
    """

    def __init__(
        self,
        moto: Moto,
        account: Account,
        before: Look = lambda _params: None,
        after: Look = lambda _params: None,
        room: Callable[[Mapping[str, str]], int | None] = lambda _params: None,
    ) -> None:
        """room: how many instances a RunInstances may make at most; None: as many as the account has room for."""
        self._moto = moto
        self._before = before
        self._after = after
        self._room = room
        self._lock = threading.Lock()
        self._moto_lock = threading.Lock()
        self._by_token: dict[str, tuple[dict[str, str], str]] = {}  # what was asked for, and the instance
        self.account = account
        self.created: list[dict[str, str]] = []  # parameters of the RunInstances that made an instance

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request."""
        request = Request(environ)
        request.max_content_length = _LARGEST_BODY
        params = dict(parse_qsl(request.get_data(as_text=True), keep_blank_values=True))
        try:
            check_signature(request, self.account.keys, time.time())
        except BadSignature as bad:
            return error_response(Ec2Error(bad.code, bad.message, bad.status))(environ, start_response)
        refusal = self._throttled(params) or self._before(params) or self._not_there(params)
        if refusal is not None:
            return error_response(refusal)(environ, start_response)
        if params.get("Action") == "RunInstances":
            with self._lock:
                answer = self._run_instances(environ, params)
        else:
            answer = self._ask_moto(environ, params)
        lost = self._after(params) if answer.status_code == 200 else None
        if lost is not None:
            answer = error_response(lost)
        return answer(environ, start_response)

    def is_known(self, params: Mapping[str, str]) -> bool:
        """Has a RunInstances with this client token made an instance?"""
        return params.get("ClientToken", "") in self._by_token

    def forget_tokens(self) -> None:
        """Let all client tokens be new ones."""
        self._by_token.clear()

    def _throttled(self, params: Mapping[str, str]) -> Ec2Error | None:
        throttle = self.account.throttle
        if throttle is None:
            return None
        with self._lock:
            refused = throttle.refuses(params)
        return Ec2Error("RequestLimitExceeded", "Request limit exceeded.", 503) if refused else None

    def _not_there(self, params: Mapping[str, str]) -> Ec2Error | None:
        """moto tags an instance that it does not know."""
        if params.get("Action") not in ("CreateTags", "DeleteTags"):
            return None
        named = [value for name, value in params.items() if name.startswith("ResourceId.") and value.startswith("i-")]
        known = self._moto.ids()
        missing = next((each for each in named if each not in known), None)
        if missing is None:
            return None
        return Ec2Error("InvalidInstanceID.NotFound", f"The instance ID '{missing}' does not exist")

    # ---- RunInstances ------------------------------------------------------------------------------------------------

    def _run_instances(self, environ: dict[str, Any], params: dict[str, str]) -> Response:
        token = params.get("ClientToken", "")
        if token in self._by_token:
            asked, answer = self._by_token[token]
            if asked != params:
                text = (
                    "Arguments on this idempotent request are inconsistent with arguments used in previous request(s)."
                )
                return error_response(Ec2Error("IdempotentParameterMismatch", text))
            return Response(self._with_state_of_now(answer), content_type="text/xml")
        count = self._room_for(params)
        refusal = self._wrong_with(params, count)
        if refusal is not None:
            return error_response(refusal)
        response = self._ask_moto(environ, {**params, "MinCount": str(count), "MaxCount": str(count)})
        if response.status_code == 200:
            response.set_data(_last_first(response.get_data(as_text=True)))
            self.created.append(params)
            if token:
                self._by_token[token] = (params, response.get_data(as_text=True))
        return response

    def _room_for(self, params: Mapping[str, str]) -> int:
        """How many of the instances that are asked for there is room for now."""
        wanted, kind = int(params.get("MaxCount", "1")), params.get("InstanceType", "")
        allowed = self._room(params)
        wanted = wanted if allowed is None else min(wanted, allowed)
        if kind not in self.account.room:
            return wanted
        return max(0, min(wanted, self.account.room[kind] - sum(each.type == kind for each in self._moto.live())))

    def _wrong_with(self, params: Mapping[str, str], room: int) -> Ec2Error | None:
        """What EC2 would refuse and moto does not. If there is room for fewer than MinCount, none is made."""
        if room < int(params.get("MinCount", "1")):
            text = (
                f"We currently do not have sufficient {params.get('InstanceType')} capacity in the zone you requested."
            )
            return Ec2Error("InsufficientInstanceCapacity", text, 500)
        pair = params.get("KeyName", "")
        if pair and pair not in self._moto.key_pairs():
            return Ec2Error("InvalidKeyPair.NotFound", f"The key pair '{pair}' does not exist")
        wanted = int(params.get("MaxCount", "1"))
        if self._moto.live_count() + wanted > self.account.quota:
            text = f"You have requested more instances ({wanted}) than your current instance limit allows."
            return Ec2Error("InstanceLimitExceeded", text)
        return None

    def _with_state_of_now(self, answer: str) -> str:
        """An earlier answer, with what has become of its instances."""
        states = {each.id: each.state for each in self._moto.instances()}
        return _STATE.sub(lambda found: f"{found[1]}{states.get(found[2], 'terminated')}<", answer)

    # ---- moto --------------------------------------------------------------------------------------------------------

    def _ask_moto(self, environ: dict[str, Any], params: Mapping[str, str]) -> Response:
        if int(params.get("MaxResults", "0")) > self.account.page:
            params = {**params, "MaxResults": str(self.account.page)}
        body = urlencode(params).encode()
        asked = {**environ, "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        asked = {name: value for name, value in asked.items() if not name.startswith("werkzeug.")}
        with self._moto_lock:  # its lists must not change while it writes them down
            response = Response.from_app(self._moto.application, asked)
        text = response.get_data(as_text=True)
        fixed = r'xmlns="\1/"' if response.status_code == 200 else ""
        response.set_data(_SHORT_NAMESPACE.sub(fixed, text))
        return response


def _last_first(answer: str) -> str:
    """EC2 promises no order of the instances in an answer: so it is the last that stands first."""
    found = _NAMESPACE.search(answer)
    if found is None or answer.count("<instanceId>") < 2:
        return answer
    ElementTree.register_namespace("", found[1])
    root = ElementTree.fromstring(answer)  # noqa: S314 (moto's own)
    for instances in root.iter(f"{{{found[1]}}}instancesSet"):
        instances[:] = reversed(instances)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=False)


def error_response(refusal: Ec2Error) -> Response:
    """The error as EC2 sends it: without a namespace."""
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Response><Errors><Error><Code>{refusal.code}</Code><Message>{_escaped(refusal.message)}</Message></Error>"
        "</Errors><RequestID>0a1b2c3d-0000-0000-0000-000000000000</RequestID></Response>"
    )
    headers = {"Retry-After": refusal.retry_after} if refusal.retry_after else {}
    return Response(text, refusal.status, headers, content_type="text/xml;charset=UTF-8")


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
