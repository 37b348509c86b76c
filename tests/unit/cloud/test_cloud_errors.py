"""Each error of a cloud is put into its class once; the texts are those that the clouds really send."""

from __future__ import annotations

import base64
import errno
import socket
from urllib.parse import quote

import pytest
import requests
import urllib3
from libcloud.common.exceptions import BaseHTTPError, RateLimitReachedError, exception_from_message
from libcloud.common.google import (
    GoogleBaseError,
    InvalidRequestError,
    QuotaExceededError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from libcloud.common.types import InvalidCredsError, LibcloudError, MalformedResponseError, ProviderError
from libcloud.compute.types import KeyPairDoesNotExistError

from arvnodeman.cloud.base import directive_text, read_directive
from arvnodeman.cloud.error_tables import AZURE, EC2, GCE, OPENSTACK
from arvnodeman.cloud.errors import COMMON, ErrorTable, classify, fatal_cause, translating
from arvnodeman.cloud.redaction import one_line
from arvnodeman.fleet.values.model import Directive, ErrorKind, OperatorDirective, RemoteError, RemoteFailure


def kind(error: Exception, errors: ErrorTable = COMMON) -> ErrorKind | None:
    known = classify(error, errors)
    return known.kind if known else None


# ---- EC2: `Code: message` in a BaseHTTPError -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "text", "expected"),
    [
        (503, "RequestLimitExceeded: Request limit exceeded.", ErrorKind.THROTTLED),
        (400, "Throttling: Rate exceeded", ErrorKind.THROTTLED),
        (400, "InstanceLimitExceeded: You have requested more instances (3) than your limit", ErrorKind.QUOTA),
        (400, "VcpuLimitExceeded: You have requested more vCPU capacity than your current vCPU limit", ErrorKind.QUOTA),
        (400, "MaxSpotInstanceCountExceeded: Max spot instance count exceeded", ErrorKind.QUOTA),
        (400, "InsufficientFreeAddressesInSubnet: The specified subnet has no free addresses", ErrorKind.QUOTA),
        (400, "InsufficientAddressCapacity: No addresses", ErrorKind.QUOTA),
        (400, "VolumeLimitExceeded: Too many volumes", ErrorKind.QUOTA),
        (
            500,
            "InsufficientInstanceCapacity: We currently do not have sufficient m5.large capacity",
            ErrorKind.CAPACITY,
        ),
        (400, "Unsupported: The requested configuration is currently not supported.", ErrorKind.CAPACITY),
        (400, "InvalidInstanceID.NotFound: The instance ID 'i-0123' does not exist", ErrorKind.GONE),
        (400, "InvalidAMIID.NotFound: The image id '[ami-1]' does not exist", ErrorKind.REFUSED),
        (400, "InvalidParameterValue: Unsupported value for x", ErrorKind.REFUSED),
        (500, "InternalError: An internal error has occurred", ErrorKind.TRANSIENT),
        (400, "SomethingNew: what is this", ErrorKind.REFUSED),
    ],
)
def test_ec2(status: int, text: str, expected: ErrorKind) -> None:
    """Rows C18, A10: an EC2 throttling comes as 503 and speaks of a limit, and is no quota."""
    assert kind(BaseHTTPError(status, text), EC2) is expected


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (BaseHTTPError(400, "InvalidAMIID.NotFound: no"), "[Cloud Create] image_id"),
        (BaseHTTPError(400, "InvalidSubnetID.NotFound: no"), "[Cloud Create] subnet_id"),
        (BaseHTTPError(400, "InvalidSecurityGroupID.NotFound: no"), "[Cloud Create] security_groups"),
        (InvalidCredsError("AuthFailure: AWS was not able to validate"), "[Cloud Credentials] key"),
        (InvalidCredsError("401: Unauthorized"), "[Cloud Credentials] key"),
        (
            BaseHTTPError(403, "AuthFailure.ServiceLinkedRoleCreationNotPermitted: no"),
            "[Size NAME] preemptible",
        ),
    ],
)
def test_what_an_operator_can_mend_names_the_option(error: Exception, hint: str) -> None:
    """Row G10 among them."""
    known = classify(error, EC2)
    assert known is not None
    assert (known.kind, known.hint) == (ErrorKind.REFUSED, hint)


# ---- GCE: kinds of ProviderError with a code and a text or dict ------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (QuotaExceededError("Quota 'CPUS' exceeded", 200, "QUOTA_EXCEEDED"), ErrorKind.QUOTA),
        (GoogleBaseError({"reason": "quotaExceeded", "message": "over"}, 403, "quotaExceeded"), ErrorKind.QUOTA),
        (GoogleBaseError({"message": "Rate Limit Exceeded"}, 403, "rateLimitExceeded"), ErrorKind.THROTTLED),
        (GoogleBaseError({"message": "Rate Limit Exceeded"}, 403, "userRateLimitExceeded"), ErrorKind.THROTTLED),
        (GoogleBaseError("The zone has no room", 200, "ZONE_RESOURCE_POOL_EXHAUSTED"), ErrorKind.CAPACITY),
        (GoogleBaseError("no", 200, "ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS"), ErrorKind.CAPACITY),
        (GoogleBaseError("Requested minimum count of 1 VMs", 200, "VM_MIN_COUNT_NOT_REACHED"), ErrorKind.CAPACITY),
        (
            GoogleBaseError("Operation rate exceeded for resource 'd'", 200, "RESOURCE_OPERATION_RATE_EXCEEDED"),
            ErrorKind.THROTTLED,
        ),
        (
            GoogleBaseError("Quota 'CONCURRENT_OPERATIONS' exceeded", 200, "CONCURRENT_OPERATIONS_QUOTA_EXCEEDED"),
            ErrorKind.THROTTLED,
        ),
        (GoogleBaseError("something new went wrong", 200, "SOMETHING_NEW"), ErrorKind.TRANSIENT),
        (
            ResourceNotFoundError(
                {"reason": "notFound", "message": "The resource 'projects/p/zones/z/instances/x' was not found"},
                404,
                "notFound",
            ),
            ErrorKind.GONE,
        ),
        (ResourceNotFoundError({"reason": "notFound", "message": "not found"}, 404, "notFound"), ErrorKind.REFUSED),
        (ResourceExistsError("already exists", 409, "alreadyExists"), ErrorKind.TRANSIENT),
        (InvalidRequestError({"message": "Invalid value for field"}, 400, "invalid"), ErrorKind.REFUSED),
        (GoogleBaseError("Supplied fingerprint does not match", 412, "conditionNotMet"), ErrorKind.TRANSIENT),
        (GoogleBaseError({"message": "Backend"}, 503, "backendError"), ErrorKind.TRANSIENT),
    ],
)
def test_gce(error: Exception, expected: ErrorKind) -> None:
    """Rows N4, H9: GCE's quota errors are no HTTP errors of libcloud's, and a rate is no quota."""
    assert kind(error, GCE) is expected


# ---- Azure: `[Code] message` -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "text", "expected"),
    [
        (409, "[OperationNotAllowed] Operation results in exceeding quota limits of Core", ErrorKind.QUOTA),
        (400, "[QuotaExceeded] no more", ErrorKind.QUOTA),
        (409, "[SkuNotAvailable] The requested size is currently not available in location", ErrorKind.CAPACITY),
        (409, "[AllocationFailed] Allocation failed.", ErrorKind.CAPACITY),
        (409, "[ZonalAllocationFailed] Allocation failed.", ErrorKind.CAPACITY),
        (409, "[OverconstrainedAllocationRequest] Allocation failed.", ErrorKind.CAPACITY),
        (400, '[DeploymentFailed] {"code": "ZonalAllocationFailed"}', ErrorKind.CAPACITY),
        (403, "[AuthorizationFailed] The client does not have authorization", ErrorKind.REFUSED),
        (404, "[ResourceNotFound] The Resource 'Microsoft.Compute/virtualMachines/x' was not found", ErrorKind.GONE),
        (404, "[ResourceNotFound] The Resource 'Microsoft.Network/virtualNetworks/x' was not found", ErrorKind.REFUSED),
        (409, "[AnotherOperationInProgress] Another operation is in progress", ErrorKind.TRANSIENT),
    ],
)
def test_azure(status: int, text: str, expected: ErrorKind) -> None:
    assert kind(BaseHTTPError(status, text), AZURE) is expected


# ---- OpenStack: `STATUS reason message`, and the text of a fault --------------------------------------------------


@pytest.mark.parametrize(
    ("status", "text", "expected"),
    [
        (500, "No valid host was found. There are not enough hosts available.", ErrorKind.CAPACITY),
        (500, "Exceeded maximum number of retries. Exhausted all hosts available for retrying", ErrorKind.CAPACITY),
        (500, "Exceeded max scheduling attempts 3 for instance 1. Last exception: internal error", ErrorKind.CAPACITY),
        (400, "No more IP addresses available on network 1111.", ErrorKind.QUOTA),
        (409, "No more fixed IPs in network: 1111", ErrorKind.QUOTA),
        (404, "No fixed IP addresses available for network: 1111", ErrorKind.QUOTA),
        (403, "Quota exceeded for cores: Requested 4, but already used 20 of 20 cores", ErrorKind.QUOTA),
    ],
)
def test_openstack(status: int, text: str, expected: ErrorKind) -> None:
    """Want of hosts lets one size rest; the word "exceeded" in it must not lower the quota of all."""
    assert kind(BaseHTTPError(status, f"{status} error {text}"), OPENSTACK) is expected


# ---- what was gone through in the clouds' public lists ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("errors", "code", "expected"),
    [
        (EC2, "ReservationCapacityExceeded", ErrorKind.CAPACITY),
        (EC2, "InsufficientVolumeCapacity", ErrorKind.CAPACITY),
        (EC2, "InsufficientCapacityOnHost", ErrorKind.CAPACITY),
        (EC2, "VolumeTypeNotAvailableInZone", ErrorKind.CAPACITY),
        (EC2, "IdempotentInstanceTerminated", ErrorKind.CAPACITY),
        (EC2, "NetworkInterfaceLimitExceeded", ErrorKind.QUOTA),
        (EC2, "SpotInstanceRequestLimitExceeded", ErrorKind.QUOTA),
        (EC2, "TagLimitExceeded", ErrorKind.REFUSED),  # no passing of time helps
        (EC2, "SecurityGroupsPerInterfaceLimitExceeded", ErrorKind.REFUSED),
        (EC2, "KeyPairLimitExceeded", ErrorKind.REFUSED),
        (EC2, "BandwidthLimitExceeded", ErrorKind.THROTTLED),
        (EC2, "ThrottlingException", ErrorKind.THROTTLED),
        (EC2, "RequestThrottledException", ErrorKind.THROTTLED),
        (EC2, "ConcurrentTagAccess", ErrorKind.TRANSIENT),
        (EC2, "IncorrectInstanceState", ErrorKind.TRANSIENT),
        (GCE, "REGION_RESOURCE_POOL_EXHAUSTED", ErrorKind.CAPACITY),
        (GCE, "resourcePoolExhausted", ErrorKind.CAPACITY),
        (GCE, "concurrentLimitExceeded", ErrorKind.THROTTLED),
        (GCE, "dailyLimitExceeded", ErrorKind.THROTTLED),
        (GCE, "LIMIT_EXCEEDED", ErrorKind.QUOTA),
        (GCE, "FIELD_SIZE_TOO_LARGE", ErrorKind.REFUSED),
        (GCE, "PERMISSIONS_ERROR", ErrorKind.REFUSED),
        (GCE, "SERVICE_UNAVAILABLE_FOR_LOCATION", ErrorKind.TRANSIENT),
        (AZURE, "ResourceQuotaExceeded", ErrorKind.QUOTA),
        (AZURE, "PublicIPCountLimitReached", ErrorKind.QUOTA),
        (AZURE, "RequestDisallowedByPolicy", ErrorKind.REFUSED),
        (AZURE, "NicReservedForAnotherVm", ErrorKind.TRANSIENT),
        (AZURE, "ResourceGroupBeingDeleted", ErrorKind.TRANSIENT),
    ],
)
def test_codes_that_their_words_or_status_would_mislead_about(
    errors: ErrorTable, code: str, expected: ErrorKind
) -> None:
    made: dict[int, Exception] = {
        id(EC2): BaseHTTPError(400, f"{code}: it exceeds a limit"),
        id(GCE): GoogleBaseError("it exceeds a limit", 403, code),
        id(AZURE): BaseHTTPError(409, f"[{code}] it exceeds a limit"),
    }
    known = classify(made[id(errors)], errors)
    assert known is not None
    assert (known.kind, known.unlisted) == (expected, "")


@pytest.mark.parametrize(
    "text",
    [
        "Personality file content exceeds maximum 10240",
        "Image vCPU topology limits (sockets=1, cores=2, threads=4) exceeds the limits of the flavor",
        "Forbidden to exceed flavor value of number of serial ports passed in image meta.",
    ],
)
def test_what_exceeds_and_is_no_quota(text: str) -> None:
    assert kind(BaseHTTPError(403, f"403 Forbidden {text}"), OPENSTACK) is ErrorKind.REFUSED


@pytest.mark.parametrize(
    ("errors", "error", "called"),
    [
        (EC2, BaseHTTPError(400, "BrandNew.Thing: what is this"), "BrandNew.Thing"),
        (GCE, GoogleBaseError("what is this", 400, "BRAND_NEW"), "BRAND_NEW"),
        (AZURE, BaseHTTPError(409, "[BrandNew] what is this"), "BrandNew"),
        (OPENSTACK, BaseHTTPError(409, "409 Conflict Host 4f2a is odd"), "Conflict Host is odd"),
        (OPENSTACK, BaseHTTPError(409, "409 Conflict Host 77b1c is odd"), "Conflict Host is odd"),
        (EC2, BaseHTTPError(400, "InvalidAMIID.NotFound: no"), ""),
        (OPENSTACK, BaseHTTPError(500, "500 No valid host was found."), ""),
        (OPENSTACK, BaseHTTPError(429, "429 slow down"), ""),
        (OPENSTACK, BaseHTTPError(504, "504 Gateway Time-out The server didn't respond in time."), ""),
        (EC2, BaseHTTPError(502, "<html><h1>502 Bad Gateway</h1></html>"), ""),
        (AZURE, BaseHTTPError(503, "[BrandNew] what is this"), "BrandNew"),  # the cloud's own
        (OPENSTACK, BaseHTTPError(500, "500 Odd is what happened"), "Odd is what happened"),
        (EC2, requests.exceptions.ConnectionError("refused"), ""),
        (COMMON, BaseHTTPError(400, "BrandNew: what is this"), ""),
    ],
)
def test_an_error_in_no_table_is_called_by_its_code_or_its_words(
    errors: ErrorTable, error: Exception, called: str
) -> None:
    """Without ids, so that each is logged once."""
    known = classify(error, errors)
    assert known is not None
    assert known.unlisted.removeprefix("409 ") == called


# ---- the rule for all ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (RateLimitReachedError(), ErrorKind.THROTTLED),
        (BaseHTTPError(429, "Quota exceeded for queries"), ErrorKind.THROTTLED),
        (BaseHTTPError(403, "403 Forbidden Quota exceeded for cores"), ErrorKind.QUOTA),
        (BaseHTTPError(400, "you have reached your LIMIT"), ErrorKind.QUOTA),
        (BaseHTTPError(413, "413 This request was rate-limited."), ErrorKind.THROTTLED),
        (ProviderError("servers limit exceeded", 400), ErrorKind.QUOTA),
        (BaseHTTPError(504, "upstream deadline exceeded"), ErrorKind.TRANSIENT),
        (BaseHTTPError(500, "oops"), ErrorKind.TRANSIENT),
        (BaseHTTPError(502, "<html>"), ErrorKind.TRANSIENT),
        (BaseHTTPError(408, "slow"), ErrorKind.TRANSIENT),
        (BaseHTTPError(404, "no"), ErrorKind.REFUSED),  # a proxy, a wrong URL: GONE has a code
        (BaseHTTPError(400, "no"), ErrorKind.REFUSED),
        (BaseHTTPError(403, "no"), ErrorKind.REFUSED),
        (InvalidCredsError(), ErrorKind.REFUSED),
        (KeyPairDoesNotExistError("k", type("D", (), {"name": "x"})), ErrorKind.REFUSED),
        (LibcloudError("Job did not complete in 200 seconds"), ErrorKind.TRANSIENT),
        (MalformedResponseError("Failed to parse XML", body="<"), ErrorKind.TRANSIENT),
        (Exception("Operation timed out"), ErrorKind.TRANSIENT),
        (requests.exceptions.ConnectionError("refused"), ErrorKind.TRANSIENT),
        (requests.exceptions.ReadTimeout("slow"), ErrorKind.TRANSIENT),
        (requests.exceptions.ChunkedEncodingError("cut"), ErrorKind.TRANSIENT),
        (requests.exceptions.SSLError("certificate verify failed"), ErrorKind.TRANSIENT),
        (requests.exceptions.InvalidURL("odd"), ErrorKind.REFUSED),
        (urllib3.exceptions.ProtocolError("cut"), ErrorKind.TRANSIENT),
        (TimeoutError(), ErrorKind.TRANSIENT),
        (ConnectionResetError(), ErrorKind.TRANSIENT),
        (socket.gaierror(-2, "Name or service not known"), ErrorKind.TRANSIENT),
        (FileNotFoundError(2, "No such file", "/key.pem"), ErrorKind.REFUSED),
    ],
)
def test_the_rule_for_all(error: Exception, expected: ErrorKind) -> None:
    """Rows A6, A10, C18."""
    assert kind(error) is expected


@pytest.mark.parametrize(
    "error",
    [KeyError("x"), AttributeError("x"), TypeError("x"), ValueError("quota"), RuntimeError("x"), NotImplementedError()],
)
def test_an_error_of_ours_is_none_of_the_clouds(error: Exception) -> None:
    """Row A6: exactly Exception counts, a subclass is a bug."""
    assert kind(error) is None
    with pytest.raises(type(error)) as caught, translating(COMMON):
        raise error
    assert caught.value is error


def test_a_status_that_asks_to_wait_may_be_tried_again() -> None:
    """Row A10: any numeric Retry-After."""
    known = classify(BaseHTTPError(409, "busy", {"Retry-After": "7"}))
    assert known == RemoteError(ErrorKind.TRANSIENT, "busy", 7)
    assert kind(BaseHTTPError(409, "busy", {"Retry-After": "soon"})) is ErrorKind.REFUSED


@pytest.mark.parametrize(("asked", "wait"), [("120", 120), ("0", None), ("0.2", 1), ("1000", 300)])
def test_the_wait_of_a_throttled_request(asked: str, wait: float | None) -> None:
    """Rows A11, A12."""
    error = exception_from_message(429, "slow", {"retry-after": asked})
    known = classify(error, longest_wait=300)
    assert known == RemoteError(ErrorKind.THROTTLED, "429 Rate limit exceeded", wait)


def test_a_longest_wait_below_the_shortest() -> None:
    """Row A12: at least 1 second."""
    known = classify(exception_from_message(429, "slow", {"retry-after": "60"}), longest_wait=0.1)
    assert known is not None
    assert known.retry_after == 1


def test_a_rate_limit_without_headers() -> None:
    """Row A12: libcloud's RateLimitReachedError has none."""
    known = classify(RateLimitReachedError(headers=None))
    assert known is not None
    assert known.retry_after is None


# ---- fatal errors ----------------------------------------------------------------------------------------------------


def wrapped(fatal: BaseException) -> requests.exceptions.ConnectionError:
    """As requests and urllib3 wrap what happens while they connect."""
    inner = urllib3.exceptions.NewConnectionError(None, "failed")  # type: ignore[arg-type]
    inner.__cause__ = fatal
    return requests.exceptions.ConnectionError(urllib3.exceptions.MaxRetryError(None, "/", inner))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "fatal", [MemoryError(), OSError(errno.ENOMEM, "Cannot allocate memory"), RuntimeError("can't start new thread")]
)
def test_fatal_errors_pass_unchanged_also_from_within(fatal: Exception) -> None:
    for error in (fatal, wrapped(fatal)):
        assert fatal_cause(error) is fatal
        with pytest.raises(type(fatal)) as caught, translating(COMMON):
            raise error
        assert caught.value is fatal


def test_other_errors_of_the_system_are_not_fatal() -> None:
    assert fatal_cause(wrapped(ConnectionRefusedError(111, "Connection refused"))) is None
    assert fatal_cause(RuntimeError("something")) is None


def test_a_failure_that_is_classified_already_passes() -> None:
    failure = RemoteFailure(RemoteError(ErrorKind.SLOTS, "x"))
    with pytest.raises(RemoteFailure) as caught, translating(COMMON):
        raise failure
    assert caught.value is failure


# ---- texts -----------------------------------------------------------------------------------------------------------


def test_a_text_is_one_short_line_without_query_strings() -> None:
    text = one_line("Max retries for url: /?Action=RunInstances&UserData=c2VjcmV0\n (Caused by\t\x00x) " + "y" * 9999)
    assert text.startswith("Max retries for url: /?… (Caused by x) yyy")
    assert len(text) == 400
    assert "c2VjcmV0" not in text


@pytest.mark.parametrize("secret", ["p@ss word/+=", "plain-secret", "new\nline"])
def test_a_secret_is_starred_in_each_form(secret: str) -> None:
    for form in (secret, quote(secret, safe=""), base64.b64encode(secret.encode()).decode(), repr(secret)[1:-1]):
        text = one_line(f"before {form} after", [secret, ""])
        assert text == "before *** after"


def test_a_ping_secret_is_starred_wherever_it_came_from() -> None:
    assert one_line("GET https://h/ping?ping_secret=abc") == "GET https://h/ping?…"
    assert one_line("'ping_secret=abc&x' ping_secret%3Dabc") == "'ping_secret=***&x' ping_secret%3D***"


def test_an_operators_word_has_no_letter_that_some_databases_cannot_keep() -> None:
    """Nova's may be utf8mb3: a letter beyond U+FFFF is a 500 there, for ever."""
    text = directive_text(OperatorDirective(Directive.HOLD, "Gerät \U0001f525 brennt – weg \U0001f600"))
    assert text == "hold: Gerät brennt – weg"
    assert read_directive(text) == OperatorDirective(Directive.HOLD, "Gerät brennt – weg")
