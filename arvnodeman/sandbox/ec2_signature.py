"""Is a request to the EC2 double signed as EC2 wants it? Checked by botocore's signer, which no one here wrote."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from werkzeug.wrappers import Request

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/,\s]+)/(\d{8})/([\w-]+)/([\w-]+)/aws4_request, ?"
    r"SignedHeaders=([\w;-]+), ?Signature=([0-9a-f]{64})"
)
_OLDEST = 900.0  # seconds: a signature older than this has expired


class BadSignature(Exception):
    """The request fails: `code` is EC2's name for the error, with the HTTP status."""

    def __init__(self, code: str, message: str, status: int) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


def check_signature(request: Request, keys: Mapping[str, str], now: float) -> None:
    """Raises BadSignature. keys: secret by access key id; now: epoch seconds."""
    found = _AUTHORIZATION.fullmatch(request.headers.get("Authorization", ""))
    if found is None:
        raise BadSignature("MissingAuthenticationToken", "Request is missing Authentication Token", 403)
    key, _day, region, service, names, signature = found.groups()
    secret = keys.get(key)
    if secret is None:
        raise BadSignature("AuthFailure", "AWS was not able to validate the provided access credentials", 401)
    made = _made_at(request.headers.get("X-Amz-Date", ""))
    if made is None or abs(now - made) > _OLDEST:
        raise BadSignature("RequestExpired", "Request has expired.", 400)
    body = hashlib.sha256(request.get_data()).hexdigest()
    right = body == request.headers.get("X-Amz-Content-Sha256")
    if not right or _signature(request, (key, secret), (region, service), names.split(";")) != signature:
        text = "The request signature we calculated does not match the signature you provided."
        raise BadSignature("SignatureDoesNotMatch", text, 403)


def _made_at(text: str) -> float | None:
    try:
        return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


def _signature(request: Request, pair: tuple[str, str], scope: tuple[str, str], names: list[str]) -> str:
    """The signature that botocore makes of the same request."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.compat import HTTPHeaders
    from botocore.credentials import Credentials

    class Signer(SigV4Auth):  # type: ignore[misc]  # botocore has no types
        def headers_to_sign(self, signed: Any) -> Any:
            headers = HTTPHeaders()
            for name in names:
                headers[name] = signed.headers.get(name, "")
            return headers

    given = {name: request.headers.get(name, "") for name in (*names, "X-Amz-Content-Sha256")}
    signed = AWSRequest(method=request.method, url=request.url, data=request.get_data(), headers=given)
    signed.context["timestamp"] = request.headers.get("X-Amz-Date", "")
    region, service = scope
    signer = Signer(Credentials(*pair), service, region)
    text = signer.string_to_sign(signed, signer.canonical_request(signed))
    return str(signer.signature(text, signed))
