"""What the Azure of the tests is called, and its errors as Azure documents and sends them."""

from __future__ import annotations

from collections.abc import Mapping

TENANT = "77777777-7777-7777-7777-777777777777"
SUBSCRIPTION = "99999999-9999-9999-9999-999999999999"
APPLICATION, SECRET = "55555555-5555-5555-5555-555555555555", "p4ssw0rd~of.the-application"
GROUP, CLASS = "Compute-Group", "zzzzz-compute"
LAST_YEARS = "p4ssw0rd~of.last-year"
TOKEN = "eyJ0eXAi.a-token-that-no-log-may-show"
URN = "Canonical:UbuntuServer:16.04-LTS:latest"
PROVIDERS = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers"
MACHINES = f"{PROVIDERS}/Microsoft.Compute/virtualMachines"
INTERFACES = f"{PROVIDERS}/Microsoft.Network/networkInterfaces"
RECORDED = "azure_arm/_subscriptions_99999999"
_MISSING = "was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix"

# Code: status and message, as Azure documents and sends them.
ERRORS: Mapping[str, tuple[int, str]] = {
    "TooManyRequests": (
        429,
        "The server rejected the request because too many requests have been received for this subscription.",
    ),
    "OperationNotAllowed": (
        409,
        "Operation could not be completed as it results in exceeding approved standardDSv3Family Cores quota. "
        "Additional details - Deployment Model: Resource Manager, Location: eastus, Current Limit: 10, Current Usage: "
        "10, Additional Required: 2, (Minimum) New Limit Required: 12.",
    ),
    "QuotaExceeded": (
        409,
        "Operation could not be completed as it results in exceeding approved Total Regional Cores quota.",
    ),
    "SubnetIsFull": (
        400,
        "Subnet default with address prefix 10.0.0.0/29 does not have enough capacity for 1 IP addresses.",
    ),
    "SkuNotAvailable": (
        409,
        "The requested size for resource '/x/virtualMachines/y' is currently not available in location 'eastus' zones "
        "'' for subscription '9'. Please try another size or deploy to a different location or zones.",
    ),
    "AllocationFailed": (
        409,
        "Allocation failed. We do not have sufficient capacity for the requested VM size in this region.",
    ),
    "ZonalAllocationFailed": (
        409,
        "Allocation failed. We do not have sufficient capacity for the requested VM size in this zone.",
    ),
    "OverconstrainedAllocationRequest": (
        409,
        "Allocation failed. VM(s) with the following constraints cannot be allocated.",
    ),
    "AuthorizationFailed": (
        403,
        f"The client '{APPLICATION}' with object id '5' does not have authorization to perform action "
        "'Microsoft.Compute/virtualMachines/write' over scope '/subscriptions/9' or the scope is invalid.",
    ),
    "PlatformImageNotFound": (
        404,
        "The platform image 'Canonical:UbuntuServer:16.04-LTS:latest' is not available. Verify that all fields in the "
        "storage profile are correct.",
    ),
    "InvalidResourceReference": (
        400,
        f"Resource {PROVIDERS}/Microsoft.Network/virtualNetworks/vnet/subnets/nowhere referenced by resource "
        f"{INTERFACES}/x-nic was not found. Please make sure that the referenced resource exists.",
    ),
    "InvalidParameter": (400, "The value lots of the parameter vmSize is invalid."),
    "ResourceGroupNotFound": (404, "Resource group 'elsewhere' could not be found."),
    "NoRegisteredProviderFound": (
        400,
        "No registered resource provider found for location 'eastuss' and API version '2021-11-01' for type "
        "'virtualMachines'.",
    ),
    "OperationNotAllowed, marked": (
        409,
        "Operation 'Microsoft.Compute/virtualMachines/write' is not allowed on VM 'x' since the VM is marked for "
        "deletion. You can only retry the Delete operation (or wait for an ongoing one to complete).",
    ),
    "ResourceNotFound": (
        404,
        f"The Resource 'Microsoft.Compute/virtualMachines/x' under resource group 'g' {_MISSING}",
    ),
    "InternalServerError": (500, "An internal error occurred."),
    "RetryableError": (429, "A retryable error occurred."),
    "AnotherOperationInProgress": (429, "Another operation on this or dependent resource is in progress."),
}
TOKEN_ERRORS: Mapping[str, tuple[int, str, str]] = {
    "secret": (
        401,
        "invalid_client",
        "AADSTS7000215: Invalid client secret provided. Ensure the secret being sent in "
        "the request is the client secret value, not the client secret ID.",
    ),
    "expired": (
        401,
        "invalid_client",
        "AADSTS7000222: The provided client secret keys for app "
        f"'{APPLICATION}' are expired. Visit the Azure portal to create new keys for your app.",
    ),
    "tenant": (
        400,
        "invalid_request",
        "AADSTS90002: Tenant '1' not found. Check to make sure you have the correct "
        "tenant ID and are signing into the correct cloud.",
    ),
    "application": (
        400,
        "unauthorized_client",
        "AADSTS700016: Application with identifier 'x' was not found in the directory 'Example'.",
    ),
}
