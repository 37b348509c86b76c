"""The error codes of the clouds, as they document them. What is not here falls under the rule of errors.py."""

from __future__ import annotations

from arvnodeman.cloud.errors import CREDENTIALS, table

SANDBOX = table(
    {"InvalidParameter": "[Cloud Create]", "Unauthorized": CREDENTIALS},
    throttled=["Throttled"],
    quota=["QuotaExceeded"],
    capacity=["InsufficientCapacity"],
    gone=["NotFound"],
    transient=["Unavailable"],
)

# docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
EC2 = table(
    {
        "AuthFailure": CREDENTIALS,
        "AuthFailure.ServiceLinkedRoleCreationNotPermitted": "[Size NAME] preemptible",  # row G10
        "InvalidAMIID.Malformed": "[Cloud Create] image_id",
        "InvalidAMIID.NotFound": "[Cloud Create] image_id",
        "InvalidAMIID.Unavailable": "[Cloud Create] image_id",
        "InvalidClientTokenId": CREDENTIALS,
        "InvalidGroup.NotFound": "[Cloud Create] security_groups",
        "InvalidGroupId.Malformed": "[Cloud Create] security_groups",
        "InvalidIamInstanceProfileArn.Malformed": "[Cloud Create] ex_iamprofile",
        "InvalidKeyPair.NotFound": "[Cloud Create] ex_keyname",
        "InvalidSecurityGroupID.NotFound": "[Cloud Create] security_groups",
        "InvalidSubnet": "[Cloud Create] subnet_id",
        "InvalidSubnetID.NotFound": "[Cloud Create] subnet_id",
        "MissingAuthenticationToken": CREDENTIALS,
        "OptInRequired": CREDENTIALS,
        "RequestExpired": CREDENTIALS,
        "SignatureDoesNotMatch": CREDENTIALS,
        "UnauthorizedOperation": CREDENTIALS,
    },
    throttled=["RequestLimitExceeded", "Throttling"],
    quota=[
        "InstanceLimitExceeded",
        "InsufficientAddressCapacity",
        "InsufficientFreeAddressesInSubnet",
        "MaxSpotInstanceCountExceeded",
        "VcpuLimitExceeded",
        "VolumeLimitExceeded",
    ],
    capacity=["InsufficientHostCapacity", "InsufficientInstanceCapacity", "SpotMaxPriceTooLow", "Unsupported"],
    refused=["IdempotentParameterMismatch", "InvalidInstanceID.Malformed", "InvalidParameterValue"],
    gone=["InvalidInstanceID.NotFound"],
    transient=["InternalError", "InternalFailure", "ServiceUnavailable", "Unavailable"],
)

# cloud.google.com/compute/docs/api/errors and .../troubleshooting-vm-creation
GCE = table(
    {
        "accessNotConfigured": "[Cloud Credentials] project",
        "authError": CREDENTIALS,
        "forbidden": "[Cloud Credentials] user_id",
        "insufficientPermissions": "[Cloud Credentials] user_id",
        "invalid_grant": CREDENTIALS,
    },
    throttled=["RATE_LIMIT_EXCEEDED", "rateLimitExceeded", "userRateLimitExceeded"],
    quota=["QUOTA_EXCEEDED", "quotaExceeded"],
    capacity=["ZONE_RESOURCE_POOL_EXHAUSTED", "ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS"],
    refused=["invalid", "required"],
    gone=["RESOURCE_NOT_FOUND", "notFound"],
    transient=[  # a name that exists may be that of our own request, whose answer was lost
        "RESOURCE_ALREADY_EXISTS",
        "RESOURCE_NOT_READY",
        "alreadyExists",
        "backendError",
        "conditionNotMet",  # row H9: the fingerprint of the metadata is old
        "internalError",
        "resourceInUseByAnotherResource",
        "resourceNotReady",
    ],
)

# learn.microsoft.com/azure/azure-resource-manager/troubleshooting/common-deployment-errors
AZURE = table(
    {
        "AuthorizationFailed": CREDENTIALS,
        "ImageNotFound": "[Cloud Create] image",
        "InvalidAuthenticationToken": CREDENTIALS,
        "InvalidAuthenticationTokenTenant": "[Cloud Credentials] tenant_id",
        "PlatformImageNotFound": "[Cloud Create] image",
        "ResourceGroupNotFound": "[Cloud List] ex_resource_group",
        "SubscriptionNotFound": "[Cloud Credentials] subscription_id",
    },
    throttled=["SubscriptionRequestsThrottled", "TooManyRequests"],
    quota=["OperationNotAllowed", "QuotaExceeded"],
    capacity=[
        "AllocationFailed",
        "OverconstrainedAllocationRequest",
        "OverconstrainedZonalAllocationRequest",
        "SkuNotAvailable",
        "ZonalAllocationFailed",
    ],
    refused=["InvalidParameter"],
    gone=["NotFound", "ResourceNotFound"],
    transient=["AnotherOperationInProgress", "InternalServerError", "RetryableError"],
)
