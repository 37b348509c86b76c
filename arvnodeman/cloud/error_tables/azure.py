"""Azure's error codes.

learn.microsoft.com/azure/azure-resource-manager/troubleshooting/common-deployment-errors (BadRequest, Conflict and
DeploymentFailed are left out: they stand around another code) and learn.microsoft.com/troubleshoot/azure/
virtual-machines/windows/error-messages were gone through whole; for AADSTS
learn.microsoft.com/entra/identity-platform/reference-error-codes.
"""

from __future__ import annotations

from arvnodeman.cloud.errors import CREDENTIALS, table
from arvnodeman.fleet.values.model import ErrorKind

REFUSED, CAPACITY, TRANSIENT, GONE = ErrorKind.REFUSED, ErrorKind.CAPACITY, ErrorKind.TRANSIENT, ErrorKind.GONE
QUOTA = ErrorKind.QUOTA

AZURE = table(
    {
        "AADSTS50034": CREDENTIALS,
        "AADSTS700016": CREDENTIALS,  # no such application
        "AADSTS7000215": "[Cloud Credentials] secret",
        "AADSTS7000222": "[Cloud Credentials] secret",  # row I10: it has expired
        "AADSTS90002": "[Cloud Credentials] tenant_id",
        "AADSTS900023": "[Cloud Credentials] tenant_id",
        "AuthorizationFailed": CREDENTIALS,
        "ImageNotFound": "[Cloud Create] image",
        "InaccessibleImage": "[Cloud Create] image",
        "InvalidAuthenticationToken": CREDENTIALS,
        "InvalidAuthenticationTokenTenant": "[Cloud Credentials] tenant_id",
        "InvalidSubscriptionId": "[Cloud Credentials] subscription_id",
        "InvalidSubscriptionRegistrationState": "[Cloud Credentials] subscription_id",
        "LinkedAuthorizationFailed": CREDENTIALS,
        "LocationNotAvailableForResourceType": "[Cloud Credentials] region",
        "LocationRequired": "[Cloud Credentials] region",
        "MissingRegistrationForLocation": "[Cloud Credentials] region",
        "MissingSubscriptionRegistration": "[Cloud Credentials] subscription_id",
        "NoRegisteredProviderFound": "[Cloud Credentials] region",
        "PlatformImageNotFound": "[Cloud Create] image",
        "RegionDoesNotAllowProvisioning": "[Cloud Credentials] region",
        "RequestDisallowedByPolicy": "[Cloud Create]",
        "ResourceGroupNotFound": "[Cloud List] ex_resource_group",
        "StorageAccountNotFound": "[Cloud Create] ex_storage_account",
        "SubscriptionNotFound": "[Cloud Credentials] subscription_id",
        "SubscriptionNotRegistered": "[Cloud Credentials] subscription_id",
        # Of virtual machines.
        "ConflictingUserInput": "[Cloud Create]",
        "DiskBlobNotFound": "[Cloud Create] image",
        "ImageBlobNotFound": "[Cloud Create] image",
        "IncorrectDiskBlobType": "[Cloud Create] image",
        "IncorrectImageBlobType": "[Cloud Create] image",
        "InvalidAccountType": "[Cloud Create] ex_storage_account",
        "OSProvisioningClientError": "[Cloud Create] image",  # the guest says that it cannot be made ready
        "StorageAccountLimitation": "[Cloud Create] ex_storage_account",
        "StorageAccountLocationMismatch": "[Cloud Create] ex_storage_account",
        "StorageAccountNotRecognized": "[Cloud Create] ex_storage_account",
        "StorageAccountSubscriptionMismatch": "[Cloud Create] ex_storage_account",
        "StorageAccountTypeNotSupported": "[Cloud Create] ex_storage_account",
        "SubscriptionNotAuthorizedForImage": "[Cloud Create] image",
        "VHDSizeInvalid": "[Cloud Create] image",
        "VMMarketplaceInvalidInput": "[Cloud Create] image",
    },
    throttled=["StorageAccountTooBusy", "SubscriptionRequestsThrottled", "TooManyRequests"],
    quota=[
        "OperationNotAllowed",  # and more: see the phrases
        "PublicIPCountLimitReached",
        "QuotaExceeded",
        "ResourceQuotaExceeded",
        "StaticPublicIPCountLimitReached",
        "SubnetIsFull",
    ],
    capacity=[
        "AllocationFailed",
        "OverConstrainedAllocationRequest",  # as one page has it
        "OverconstrainedAllocationRequest",
        "OverconstrainedZonalAllocationRequest",
        "SkuNotAvailable",
        "ZonalAllocationFailed",
    ],
    refused=[
        "InvalidParameter",
        "InvalidRequestContent",
        "InvalidRequestFormat",
        "InvalidResourceReference",
        "LinkedInvalidPropertyId",
        "NotSupported",
        "ParentResourceNotFound",
        "PropertyChangeNotAllowed",
        "ReservedResourceName",
        "SubnetsNotInSameVnet",
    ],
    gone=["NotFound", "ResourceNotFound", "VMNotFound"],
    missing=r"virtualMachines/[^/']+'|[Tt]he VM '[^']+' cannot be found",
    transient=[
        "AcquireDiskLeaseFailed",
        "AnotherOperationInProgress",
        "AttachDiskWhileBeingDetached",
        "DiagnosticsOperationInternalError",
        "DiskBlobAlreadyInUseByAnotherDisk",
        "DiskImageNotReady",
        "DiskPreparationError",
        "DiskProcessingError",
        "InternalOperationError",
        "InternalServerError",
        "NetworkingInternalOperationError",
        "NicReservedForAnotherVm",  # of a create that failed: for three minutes
        "OSProvisioningInternalError",
        "OSProvisioningTimedOut",  # it may come up yet
        "OperationPreempted",
        "ResourceGroupBeingDeleted",
        "ResourceUpdateBlockedOnPlatformUpdate",
        "RetryableError",
        "StorageAccountOperationInternalError",
        "TargetDiskBlobAlreadyExists",
        "VMAgentStatusCommunicationError",
        "VMStartTimedOut",  # likewise
    ],
    phrases=[
        # OperationNotAllowed is Azure's word for a quota, and for much else.
        (r"marked for deletion", GONE, ""),
        (r"another operation is in progress|ongoing operation|are being converted", TRANSIENT, ""),
        (r"size \S+ (may not be|is not) available in the (existing allocation unit|cluster)", CAPACITY, ""),
        (r"OperationNotAllowed\b(?!.*([Qq]uota|[Ll]imit|[Ee]xceed|[Cc]ores))", REFUSED, "[Cloud Create]"),
        (r"requested VM size \S+ is not available", REFUSED, "[Size NAME] instance_type"),  # in this region at all
        (r"has exceeded its allocated quota", QUOTA, ""),  # a storage account
        (r"/subnets/", None, "[Cloud Create] ex_subnet"),
        (r"/virtual[Nn]etworks/", None, "[Cloud Create] ex_network"),
        (r"imageReference|/images/", None, "[Cloud Create] image"),
        (r"\bvmSize\b", None, "[Size NAME] instance_type"),
    ],
)
