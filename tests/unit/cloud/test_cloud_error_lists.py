"""Codes of the clouds' public lists that their words, or their status, would mislead about."""

from __future__ import annotations

import pytest
from libcloud.common.exceptions import BaseHTTPError
from libcloud.common.google import GoogleBaseError

from arvnodeman.cloud.error_tables import AZURE, EC2, GCE, OPENSTACK, SANDBOX
from arvnodeman.cloud.errors import classify, kind_of_fault
from arvnodeman.fleet.values.model import ErrorKind, RemoteError

CAPACITY, QUOTA, REFUSED = ErrorKind.CAPACITY, ErrorKind.QUOTA, ErrorKind.REFUSED
GONE, TRANSIENT = ErrorKind.GONE, ErrorKind.TRANSIENT


def known(error: Exception, table: object) -> RemoteError:
    found = classify(error, table)  # type: ignore[arg-type]
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("code", "kind", "hint"),
    [
        ("PrivateIpAddressLimitExceeded", REFUSED, "[Cloud Create]"),
        ("InvalidInterface.IpAddressLimitExceeded", REFUSED, "[Cloud Create]"),
        ("VolumeIOPSLimit", REFUSED, "[Cloud Create] volume_type"),
        ("SecurityGroupLimitExceeded", REFUSED, "[Cloud Create] security_groups"),
        ("InvalidZone.NotFound", REFUSED, "[Cloud Create] subnet_id"),
        ("InvalidCapacityReservationIdNotFoundException", REFUSED, "[Cloud Create]"),
        ("InsufficientCapacityOnOutpost", CAPACITY, ""),
        ("ReservationCapacityExceeded", CAPACITY, ""),
        ("VolumeModificationSizeLimitExceeded", QUOTA, ""),
        ("InvalidHostState", TRANSIENT, ""),
    ],
)
def test_ec2s(code: str, kind: ErrorKind, hint: str) -> None:
    error = known(BaseHTTPError(400, f"{code}: you've reached the limit"), EC2)
    assert (error.kind, error.hint, error.unlisted) == (kind, hint, "")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Operation could not be completed as it results in exceeding approved Total Regional Cores quota.", QUOTA),
        ("The maximum number of data disks allowed to be attached to a VM of this size is 4. It exceeds", QUOTA),
        ("Operation 'delete' is not allowed on VM 'c1' since another operation is in progress.", TRANSIENT),
        ("An ongoing operation is changing power state of Virtual Machine c1 to stopped.", TRANSIENT),
        ("Management operations on VM 'c1' are disallowed because VM disks are being converted to managed", TRANSIENT),
        ("Operation 'x' is not allowed on VM 'c1' since the VM is marked for deletion.", GONE),
        (
            "Unable to add the VM. The requested VM size X may not be available in the existing allocation unit.",
            CAPACITY,
        ),
        (
            "Disk with size 3GB, which is smaller than the size 30GB of corresponding disk in Image, is not allowed.",
            REFUSED,
        ),
        ("Operation 'x' is not allowed on VM 'c1' since the VM is generalized.", REFUSED),
    ],
)
def test_azures_word_for_a_quota_and_much_else(text: str, kind: ErrorKind) -> None:
    assert known(BaseHTTPError(409, f"[OperationNotAllowed] {text}"), AZURE).kind is kind


@pytest.mark.parametrize(
    ("code", "text", "kind", "hint"),
    [
        ("OverConstrainedAllocationRequest", "The required VM size is not currently available.", CAPACITY, ""),
        ("StorageAccountTooBusy", "Storage account 'x' is too busy currently.", ErrorKind.THROTTLED, ""),
        (
            "StorageAccountLimitation",
            "Storage account 'x' has exceeded its allocated quota.",
            QUOTA,
            "[Cloud Create] ex_storage_account",
        ),
        ("VMNotFound", "The VM 'compute1' cannot be found.", GONE, ""),
        ("NotFound", "The Image x cannot be found.", REFUSED, ""),
        ("OSProvisioningClientError", "OS provisioning for VM 'c1' failed.", REFUSED, "[Cloud Create] image"),
        ("SubscriptionNotAuthorizedForImage", "no", REFUSED, "[Cloud Create] image"),
        ("NetworkingInternalOperationError", "Unknown network allocation error.", TRANSIENT, ""),
        ("DiskImageNotReady", "Disk image x is in creating state.", TRANSIENT, ""),
        (
            "InvalidParameter",
            "The requested VM size X is not available in the current region.",
            REFUSED,
            "[Size NAME] instance_type",
        ),
    ],
)
def test_azures(code: str, text: str, kind: ErrorKind, hint: str) -> None:
    error = known(BaseHTTPError(409, f"[{code}] {text}"), AZURE)
    assert (error.kind, error.hint, error.unlisted) == (kind, hint, "")


@pytest.mark.parametrize(
    ("code", "text", "kind", "hint"),
    [
        (
            "CONDITION_NOT_MET",
            "Instance 'c1' creation failed: Constraint constraints/compute.vmExternalIpAccess violated for project 1.",
            REFUSED,
            "[Cloud Create] external_ip",
        ),
        (
            "CONDITION_NOT_MET",
            "Constraint constraints/compute.requireShieldedVm violated for project projects/p.",
            REFUSED,
            "[Cloud Credentials] project",
        ),
        ("CONDITION_NOT_MET", "Specified reservation 'r1' does not exist.", REFUSED, "[Cloud Create]"),
        ("CONDITION_NOT_MET", "Specified reservations [r1] do not exist.", REFUSED, "[Cloud Create]"),
        ("CONDITION_NOT_MET", "Cannot insert instance to a reservation with status: CREATING", TRANSIENT, ""),
        (
            "CONDITION_NOT_MET",
            "Zone does not currently have sufficient capacity for the requested resources.",
            CAPACITY,
            "",
        ),
        ("CONDITION_NOT_MET", "something else", TRANSIENT, ""),
        ("GPU_STOCKOUT", "no", CAPACITY, ""),
    ],
)
def test_gces(code: str, text: str, kind: ErrorKind, hint: str) -> None:
    """Those that pass are tried again and again: what never passes has to be told from them."""
    error = known(GoogleBaseError(text, 412, code), GCE)
    assert (error.kind, error.hint, error.unlisted) == (kind, hint, "")


@pytest.mark.parametrize(
    ("table", "text", "kind"),
    [
        (EC2, "InsufficientInstanceCapacity: Insufficient capacity to satisfy instance request", CAPACITY),
        (EC2, "VolumeLimitExceeded: Volume limit exceeded", QUOTA),
        (EC2, "InvalidSnapshot.NotFound: The specified snapshot was not found", REFUSED),
        (EC2, "InternalError: Internal error on launch", None),
        (AZURE, "AllocationFailed: Allocation failed.", CAPACITY),
        (AZURE, "OSProvisioningTimedOut: OS Provisioning for VM 'c1' did not finish in the allotted time.", None),
        (AZURE, "OSProvisioningClientError: OS provisioning for VM 'c1' failed.", REFUSED),
        (OPENSTACK, "No valid host was found. There are not enough hosts available.", CAPACITY),
        (SANDBOX, "", None),
    ],
)
def test_what_a_node_says_of_its_failure(table: object, text: str, kind: ErrorKind | None) -> None:
    assert kind_of_fault(text, table) is kind  # type: ignore[arg-type]
