"""A thin layer in front of moto's EC2, where moto and the real one differ. For tests and the demo.

What it puts right: `xmlns` ends in a slash, as at EC2, and is absent from errors; signatures are checked; a RunInstances
with the client token of an earlier one answers that one's instance, or refuses when it asks for something else; an
image must be one of the known ones, and a key pair and a type must exist; a quota of instances; pages as small as asked for by
the test.
moto itself does the rest: instances, volumes, tags, filters, subnets, security groups.
"""

from __future__ import annotations

import io
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode

from werkzeug.wrappers import Request, Response

from arvnodeman.sandbox.ec2_signature import BadSignature, check_signature

ACCOUNT = "123456789012"  # moto's
_LARGEST_BODY = 2**20
_SHORT_NAMESPACE = re.compile(r'xmlns="(http://ec2\.amazonaws\.com/doc/[\d-]+)"')
_UNSIGNED = frozenset({"ClientToken"})


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error as EC2 words it."""

    code: str
    message: str
    status: int = 400
    retry_after: str = ""


@dataclass(slots=True)
class Account:
    """What the account has: changed by whoever plays with it."""

    keys: Mapping[str, str]  # secret by access key id
    images: frozenset[str]
    key_pairs: frozenset[str] = frozenset()
    quota: int = 1_000_000  # instances
    page: int = 1000  # the most items in one answer


class Ec2Layer:
    """The WSGI application. Many threads may call it; RunInstances are taken one after the other.

    moto: moto's own application. refuse: looks at each signed request's parameters first; what it answers is sent.
    """

    def __init__(
        self,
        moto: Callable[..., Iterable[bytes]],
        account: Account,
        refuse: Callable[[Mapping[str, str]], Refusal | None] = lambda _params: None,
    ) -> None:
        self._moto = moto
        self._refuse = refuse
        self._lock = threading.Lock()
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
            return error_response(Refusal(bad.code, bad.message, bad.status))(environ, start_response)
        refusal = self._refuse(params)
        if refusal is not None:
            return error_response(refusal)(environ, start_response)
        if params.get("Action") == "RunInstances":
            with self._lock:
                answer = self._run_instances(environ, params)
        else:
            answer = self._ask_moto(environ, params)
        return answer(environ, start_response)

    # ---- RunInstances ------------------------------------------------------------------------------------------------

    def _run_instances(self, environ: dict[str, Any], params: dict[str, str]) -> Response:
        token = params.get("ClientToken", "")
        if token in self._by_token:
            asked, answer = self._by_token[token]
            if asked != params:
                text = "Arguments on this idempotent request are inconsistent with arguments used in previous request(s)."
                return error_response(Refusal("IdempotentParameterMismatch", text))
            return Response(self._with_state_of_now(environ, answer), content_type="text/xml")
        refusal = self._wrong_with(params)
        if refusal is not None:
            return error_response(refusal)
        response = self._ask_moto(environ, params)
        if response.status_code == 200:
            self.created.append(params)
            if token:
                self._by_token[token] = (params, response.get_data(as_text=True))
        return response

    def _wrong_with(self, params: Mapping[str, str]) -> Refusal | None:
        """What EC2 would refuse and moto does not."""
        image, kind, pair = (params.get(name, "") for name in ("ImageId", "InstanceType", "KeyName"))
        if image not in self.account.images:
            return Refusal("InvalidAMIID.NotFound", f"The image id '[{image}]' does not exist")
        if not _is_a_type(kind):
            return Refusal("InvalidParameterValue", f"Invalid value '{kind}' for InstanceType.")
        if pair and pair not in self.account.key_pairs:
            return Refusal("InvalidKeyPair.NotFound", f"The key pair '{pair}' does not exist")
        wanted = int(params.get("MaxCount", "1"))
        if len(live_instances()) + wanted > self.account.quota:
            text = f"You have requested more instances ({wanted}) than your current instance limit allows."
            return Refusal("InstanceLimitExceeded", text)
        return None

    def _with_state_of_now(self, environ: dict[str, Any], answer: str) -> str:
        """An earlier answer, with what has become of its instance."""
        instance = re.search(r"<instanceId>(i-\w+)<", answer)
        states = {each.id: each.state for each in instances()}
        now = states.get(instance.group(1) if instance else "", "terminated")
        return re.sub(r"(<instanceState><code>\d+</code><name>)[\w-]+<", rf"\g<1>{now}<", answer)

    # ---- moto --------------------------------------------------------------------------------------------------------

    def _ask_moto(self, environ: dict[str, Any], params: Mapping[str, str]) -> Response:
        if int(params.get("MaxResults", "0")) > self.account.page:
            params = {**params, "MaxResults": str(self.account.page)}
        body = urlencode(params).encode()
        asked = {**environ, "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        asked = {name: value for name, value in asked.items() if not name.startswith("werkzeug.")}
        response = Response.from_app(self._moto, asked)
        text = response.get_data(as_text=True)
        fixed = r'xmlns="\1/"' if response.status_code == 200 else ""
        response.set_data(_SHORT_NAMESPACE.sub(fixed, text))
        return response


def error_response(refusal: Refusal) -> Response:
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
