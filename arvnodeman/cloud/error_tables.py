"""The error codes of the clouds, as they document them. What is not here falls under the rule of errors.py."""

from __future__ import annotations

from arvnodeman.cloud.errors import CREDENTIALS, table
from arvnodeman.fleet.model import ErrorKind

REFUSED, CAPACITY, TRANSIENT, GONE = ErrorKind.REFUSED, ErrorKind.CAPACITY, ErrorKind.TRANSIENT, ErrorKind.GONE
QUOTA = ErrorKind.QUOTA

SANDBOX = table(
    {"InvalidParameter": "[Cloud Create]", "Unauthorized": CREDENTIALS},
    throttled=["Throttled"],
    quota=["QuotaExceeded"],
    capacity=["InsufficientCapacity"],
    gone=["NoSuchNode"],
    transient=["Unavailable"],
)

# docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
EC2 = table(
    {
        "AccessDenied": CREDENTIALS,
        "AuthFailure": CREDENTIALS,
        "AuthFailure.ServiceLinkedRoleCreationNotPermitted": "[Size NAME] preemptible",  # row G10
        "AuthFailure.UnauthorizedOperation": CREDENTIALS,
        "Blocked": CREDENTIALS,
        "ExpiredToken": CREDENTIALS,
        "InvalidAMIID.Malformed": "[Cloud Create] image_id",
        "InvalidAMIID.NotFound": "[Cloud Create] image_id",
        "InvalidAMIID.Unavailable": "[Cloud Create] image_id",
        "InvalidBlockDeviceMapping": "[Cloud Create] volume_type",
        "InvalidClientTokenId": CREDENTIALS,
        "InvalidGroup.NotFound": "[Cloud Create] security_groups",
        "InvalidGroupId.Malformed": "[Cloud Create] security_groups",
        "InvalidIamInstanceProfileArn.Malformed": "[Cloud Create] ex_iamprofile",
        "InvalidInstanceType": "[Size NAME] instance_type",
        "InvalidKeyPair.NotFound": "[Cloud Create] ex_keyname",
        "InvalidParameterCombination": "[Cloud Create]",
        "InvalidParameterValue": "[Cloud Create]",
        "InvalidSecurityGroupID.NotFound": "[Cloud Create] security_groups",
        "InvalidSubnet": "[Cloud Create] subnet_id",
        "InvalidSubnetID.Malformed": "[Cloud Create] subnet_id",
        "InvalidSubnetID.NotFound": "[Cloud Create] subnet_id",
        "InvalidUserData.Malformed": "[Cloud Create] user_data",
        "MissingAuthenticationToken": CREDENTIALS,
        "MissingInput": "[Cloud Create]",
        "MissingParameter": "[Cloud Create]",
        "OptInRequired": CREDENTIALS,
        "PendingVerification": CREDENTIALS,
        "RequestExpired": CREDENTIALS,
        "SignatureDoesNotMatch": CREDENTIALS,
        "UnauthorizedOperation": CREDENTIALS,
        "VPCIdNotSpecified": "[Cloud Create] subnet_id",  # there is no default VPC
    },
    throttled=["EC2ThrottledException", "RequestLimitExceeded", "Throttling"],
    quota=[
        "InstanceLimitExceeded",
        "InsufficientAddressCapacity",
        "InsufficientFreeAddressesInSubnet",
        "MaxSpotInstanceCountExceeded",
        "VcpuLimitExceeded",
        "VolumeLimitExceeded",
    ],
    capacity=["InsufficientHostCapacity", "InsufficientInstanceCapacity", "SpotMaxPriceTooLow", "Unsupported"],
    refused=["IdempotentParameterMismatch", "InvalidInstanceID.Malformed", "OperationNotPermitted"],
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
    throttled=[
        "CONCURRENT_OPERATIONS_QUOTA_EXCEEDED",  # requests at once, not things
        "RATE_LIMIT_EXCEEDED",
        "RESOURCE_OPERATION_RATE_EXCEEDED",
        "rateLimitExceeded",
        "userRateLimitExceeded",
    ],
    quota=["IP_SPACE_EXHAUSTED", "IP_SPACE_EXHAUSTED_WITH_DETAILS", "QUOTA_EXCEEDED", "quotaExceeded"],
    capacity=[
        "STOCKOUT",
        "VM_MIN_COUNT_NOT_REACHED",
        "ZONE_RESOURCE_POOL_EXHAUSTED",
        "ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS",
    ],
    refused=["UNSUPPORTED_OPERATION", "badRequest", "invalid", "required"],
    gone=["RESOURCE_NOT_FOUND", "notFound"],
    missing=r"/instances/[^/']+' was not found",
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
    phrases=[
        (r"field 'zone'|[Uu]nknown zone|/zones/[\w-]+' was not found", REFUSED, "[Cloud Credentials] datacenter"),
        (r"'projects/[^/']+' was not found", REFUSED, "[Cloud Credentials] project"),
        (r"Could not find image|sourceImage|/images/[^']*' was not found", REFUSED, "[Cloud Create] image"),
        (r"/subnetworks/|\.subnetwork\b", None, "[Cloud Create] subnetwork"),
        (r"/global/networks/|networkInterfaces\[\d\]\.network\b", None, "[Cloud Create] network"),
        (r"[Ss]ervice_?[Aa]ccounts?\b", None, "[Cloud Create] service_accounts"),
        (r"machineTypes?\b", None, "[Size NAME] instance_type"),
    ],
)

# learn.microsoft.com/azure/azure-resource-manager/troubleshooting/common-deployment-errors, and for AADSTS
# learn.microsoft.com/entra/identity-platform/reference-error-codes
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
        "InvalidAuthenticationToken": CREDENTIALS,
        "InvalidAuthenticationTokenTenant": "[Cloud Credentials] tenant_id",
        "InvalidSubscriptionId": "[Cloud Credentials] subscription_id",
        "LocationNotAvailableForResourceType": "[Cloud Credentials] region",
        "NoRegisteredProviderFound": "[Cloud Credentials] region",
        "PlatformImageNotFound": "[Cloud Create] image",
        "ResourceGroupNotFound": "[Cloud List] ex_resource_group",
        "SubscriptionNotFound": "[Cloud Credentials] subscription_id",
    },
    throttled=["SubscriptionRequestsThrottled", "TooManyRequests"],
    quota=["OperationNotAllowed", "QuotaExceeded", "SubnetIsFull"],
    capacity=[
        "AllocationFailed",
        "OverconstrainedAllocationRequest",
        "OverconstrainedZonalAllocationRequest",
        "SkuNotAvailable",
        "ZonalAllocationFailed",
    ],
    refused=["InvalidParameter", "InvalidRequestContent", "InvalidResourceReference"],
    gone=["NotFound", "ResourceNotFound"],
    missing=r"virtualMachines/[^/']+'",
    transient=["AnotherOperationInProgress", "InternalServerError", "RetryableError"],
    phrases=[
        (r"marked for deletion", GONE, ""),  # also an OperationNotAllowed
        (r"/subnets/", None, "[Cloud Create] ex_subnet"),
        (r"/virtual[Nn]etworks/", None, "[Cloud Create] ex_network"),
        (r"imageReference|/images/", None, "[Cloud Create] image"),
        (r"\bvmSize\b", None, "[Size NAME] instance_type"),
    ],
)

# docs.openstack.org/api-ref/compute: the codes are HTTP's, what is wrong is said in words
OPENSTACK = table(
    {},
    gone=["itemNotFound"],  # of the compute service alone: see openstack_connections.py
    missing=r"Instance \S+ could not be found",
    phrases=[
        (r"^identity service: .*[Aa]pplication [Cc]redential", REFUSED, CREDENTIALS),  # it was taken away
        (r"^identity service: (200|300|404|405|410)\b", REFUSED, "[Cloud Credentials] ex_force_auth_url"),
        (r"ambiguous version", REFUSED, "[Cloud Credentials] ex_force_auth_url"),  # the URL of another service
        (r"WRONG_VERSION_NUMBER|wrong version number", TRANSIENT, "[Cloud Credentials] ex_force_auth_url"),  # no TLS
        (r"No (more|fixed) (IP addresses|fixed IPs)\b", QUOTA, ""),
        (r"Exceeded max(imum number of retries| scheduling attempts)", CAPACITY, ""),  # every host has been tried
        (r"No valid host", CAPACITY, ""),
        (r"Cannot '[^']+' instance .* while it is in (task_state|vm_state building)", TRANSIENT, ""),
        (r"^401 .*\(also with a new token\)$", REFUSED, CREDENTIALS),  # what the credential may do is restricted
        (r"^401 ", TRANSIENT, ""),  # the token has run out before its time; libcloud forgets it, and gets another
        (r"Could not find specified endpoint", REFUSED, "[Cloud Credentials] ex_force_service_region"),
        (r"Found more than 1 matching endpoint", REFUSED, "[Cloud Credentials] ex_force_service_region"),
        (r"must have auth_url set", REFUSED, "[Cloud Credentials] ex_force_auth_url"),
        (r"Must provide tenant_name", REFUSED, "[Cloud Credentials] ex_tenant_name"),
        (r"Unsupported Auth Version", REFUSED, "[Cloud Credentials] ex_force_auth_version"),
        (r"Version \S+ is not supported by the API", REFUSED, "[Cloud Credentials] ex_force_microversion"),
        (r"Policy doesn't allow", REFUSED, CREDENTIALS),
        (r"Maximum number of metadata items", REFUSED, "[Cloud Create] tag_NAME"),
        (r"[Ii]mage \S* ?(could not be found|is not active)|requested image|imageRef", REFUSED, "[Cloud Create] image"),
        (r"field/attribute user_data|[Rr]equest is too large", REFUSED, "[Cloud Create] user_data"),
        (r"field/attribute metadata", REFUSED, "[Cloud Create] tag_NAME"),
        (
            r"scheduler_hints|[Ss]erver ?group|field/attribute (group|(same|different)_host|query)\b",
            None,
            "[Cloud Create] ex_os_scheduler_hints",
        ),
        (r"[Bb]lock.?[Dd]evice", None, "[Cloud Create] ex_blockdevicemappings"),
        (r"[Nn]etwork \S+ could not be found|requires a subnet|networks", None, "[Cloud Create] networks"),
        (r"[Ss]ecurity[_ ]group", None, "[Cloud Create] ex_security_groups"),
        (r"key_name|[Kk]ey ?pair", None, "[Cloud Create] ex_keyname"),
        (r"availability zone", None, "[Cloud Create] ex_availability_zone"),
        (r"[Ff]lavor", None, "[Size NAME] instance_type"),
        (r"field/attribute .* is too long", None, "[Cloud Create] tag_NAME"),  # else it is one of those above
    ],
)
