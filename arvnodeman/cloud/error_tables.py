"""The error codes of the clouds, as they document them. EC2's and Azure's lists and nova's own texts were gone through
whole; of GCE's, which is in several places, what could be had.

Here are the codes that the requests of ours can meet; the others in those lists are of requests that we do not send.
What is not here falls under the rule of errors.py, is counted and logged once, and belongs here then.
"""

from __future__ import annotations

from arvnodeman.cloud.errors import CREDENTIALS, table
from arvnodeman.fleet.values.model import ErrorKind

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

# docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html; the names of throttling also from botocore's
# retries/standard.py
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
        "BootForVolumeTypeUnsupported": "[Cloud Create] volume_type",
        "DefaultVpcDoesNotExist": "[Cloud Create] subnet_id",
        "EncryptedVolumesNotSupported": "[Size NAME] instance_type",
        "IncompleteSignature": CREDENTIALS,
        "InvalidBlockDeviceMapping": "[Cloud Create] volume_type",
        "InvalidFilter": "[Cloud List]",
        "InvalidKey.Format": "[Cloud Create] ssh_key",
        "InvalidKeyPair.Duplicate": "[Cloud Create] ssh_key",
        "InvalidKeyPair.Format": "[Cloud Create] ssh_key",
        "InvalidParameter": "[Cloud Create]",
        "InvalidSecurity.RequestHasExpired": CREDENTIALS,  # or a clock is wrong
        "InvalidSecurityGroupId.Malformed": "[Cloud Create] security_groups",
        "InvalidSnapshot.NotFound": "[Cloud Create] image_id",
        "InvalidTagKey.Malformed": "[Cloud Create] tag_NAME",
        "KeyPairLimitExceeded": "[Cloud Create] ssh_key",  # it never passes, as the next ones
        "FilterLimitExceeded": "[Cloud List]",
        "SecurityGroupsPerInstanceLimitExceeded": "[Cloud Create] security_groups",
        "SecurityGroupsPerInterfaceLimitExceeded": "[Cloud Create] security_groups",
        "TagLimitExceeded": "[Cloud Create] tag_NAME",
        "UnknownParameter": "[Cloud Create]",
        "UnknownVolumeType": "[Cloud Create] volume_type",
        "UnsupportedOperation": "[Size NAME] instance_type",  # an image that the type cannot boot
        "VPCResourceNotSpecified": "[Cloud Create] subnet_id",
        "ValidationError": "[Cloud Create]",
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
    throttled=[
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    ],
    quota=[
        "AddressLimitExceeded",
        "AttachmentLimitExceeded",
        "HostLimitExceeded",
        "InstanceLimitExceeded",
        "InsufficientAddressCapacity",
        "InsufficientFreeAddressesInSubnet",
        "MaxIOPSLimitExceeded",
        "MaxSpotInstanceCountExceeded",
        "NetworkInterfaceLimitExceeded",
        "RequestResourceCountExceeded",
        "ResourceCountExceeded",
        "ResourceLimitExceeded",
        "SpotInstanceRequestLimitExceeded",
        "VcpuLimitExceeded",
        "VolumeLimitExceeded",
    ],
    capacity=[
        "IdempotentInstanceTerminated",  # what this boot was given did not last
        "IncompatibleHostRequirements",
        "InsufficientCapacity",
        "InsufficientCapacityOnHost",
        "InsufficientHostCapacity",
        "InsufficientInstanceCapacity",
        "InsufficientReservedInstanceCapacity",
        "InsufficientReservedInstancesCapacity",
        "InsufficientVolumeCapacity",
        "ReservationCapacityExceeded",
        "SpotMaxPriceTooLow",
        "UnavailableHostRequirements",
        "UnfulfillableCapacity",
        "Unsupported",
        "VolumeTypeNotAvailableInZone",
    ],
    refused=[
        "IdempotentParameterMismatch",
        "InvalidAction",
        "InvalidCharacter",
        "InvalidInstanceID.Malformed",
        "InvalidQueryParameter",
        "InvalidRequest",
        "MalformedQueryString",
        "MissingAction",
        "NoSuchVersion",
        "OperationNotPermitted",
    ],
    gone=["InvalidInstanceID.NotFound"],
    transient=[
        "ConcurrentTagAccess",
        "IncorrectInstanceState",
        "IncorrectState",
        "InternalError",
        "InternalFailure",
        "InvalidInstanceState",
        "InvalidNextToken",  # the list is read anew
        "InvalidPaginationToken",
        "InvalidState",
        "ServiceUnavailable",
        "Unavailable",
    ],
)

# cloud.google.com/compute/docs/reference/rest/v1/errors, .../troubleshooting/troubleshooting-vm-creation and
# .../troubleshooting-resource-availability, .../operations-quota; developers.google.com/../standard-error-responses
GCE = table(
    {
        "NETWORK_NOT_FOUND": "[Cloud Create] network",
        "PERMISSIONS_ERROR": "[Cloud Credentials] user_id",
        "PROJECT_NOT_FOUND": "[Cloud Credentials] project",
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
        "concurrentLimitExceeded",
        "dailyLimitExceeded",
        "rateLimitExceeded",
        "servingLimitExceeded",
        "userRateLimitExceeded",
    ],
    quota=[
        "IP_SPACE_EXHAUSTED",
        "IP_SPACE_EXHAUSTED_WITH_DETAILS",
        "LIMIT_EXCEEDED",
        "QUOTA_EXCEEDED",
        "limitExceeded",
        "quotaExceeded",
    ],
    capacity=[
        "REGION_RESOURCE_POOL_EXHAUSTED",
        "RESOURCE_POOL_EXHAUSTED",
        "STOCKOUT",
        "VM_MIN_COUNT_NOT_REACHED",
        "ZONE_RESOURCE_POOL_EXHAUSTED",
        "ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS",
        "insufficientCapacity",
        "resourcePoolExhausted",
    ],
    refused=[
        "EXTERNAL_RESOURCE_NOT_FOUND",
        "FIELD_SIZE_TOO_LARGE",
        "INVALID_FIELD_VALUE",
        "INVALID_USAGE",
        "MISSING_REQUIRED_FIELD",
        "UNSUPPORTED_OPERATION",
        "badRequest",
        "invalid",
        "notImplemented",
        "parseError",
        "required",
    ],
    gone=["RESOURCE_NOT_FOUND", "notFound"],
    missing=r"/instances/[^/']+' was not found",
    transient=[  # a name that exists may be that of our own request, whose answer was lost
        "CONDITION_NOT_MET",
        "INTERNAL_ERROR",
        "IP_IN_USE_BY_ANOTHER_RESOURCE",
        "OPERATION_CANCELED_BY_USER",
        "RESOURCE_ALREADY_EXISTS",
        "RESOURCE_IN_USE",
        "RESOURCE_IN_USE_BY_ANOTHER_RESOURCE",
        "RESOURCE_NOT_READY",
        "SERVICE_UNAVAILABLE_FOR_LOCATION",
        "TIMEOUT",
        "alreadyExists",
        "backendError",
        "conflict",
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

# learn.microsoft.com/azure/azure-resource-manager/troubleshooting/common-deployment-errors (BadRequest, Conflict and
# DeploymentFailed are left out: they stand around another code), and for AADSTS
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
    },
    throttled=["SubscriptionRequestsThrottled", "TooManyRequests"],
    quota=[
        "OperationNotAllowed",
        "PublicIPCountLimitReached",
        "QuotaExceeded",
        "ResourceQuotaExceeded",
        "StaticPublicIPCountLimitReached",
        "SubnetIsFull",
    ],
    capacity=[
        "AllocationFailed",
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
        "ParentResourceNotFound",
        "PropertyChangeNotAllowed",
        "ReservedResourceName",
        "SubnetsNotInSameVnet",
    ],
    gone=["NotFound", "ResourceNotFound"],
    missing=r"virtualMachines/[^/']+'",
    transient=[
        "AnotherOperationInProgress",
        "InternalServerError",
        "NicReservedForAnotherVm",  # of a create that failed: for three minutes
        "OperationPreempted",
        "ResourceGroupBeingDeleted",
        "RetryableError",
    ],
    phrases=[
        (r"marked for deletion", GONE, ""),  # also an OperationNotAllowed
        (r"/subnets/", None, "[Cloud Create] ex_subnet"),
        (r"/virtual[Nn]etworks/", None, "[Cloud Create] ex_network"),
        (r"imageReference|/images/", None, "[Cloud Create] image"),
        (r"\bvmSize\b", None, "[Size NAME] instance_type"),
    ],
)

# docs.openstack.org/api-ref/compute: the codes are HTTP's, what is wrong is said in words: those of nova 34's
# exception.py, of neutron-lib's exceptions, and of a real nova
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
        (r"No valid host|Insufficient compute resources", CAPACITY, ""),
        (r"Personality file|vCPU (topology )?limits|Forbidden to exceed", REFUSED, ""),  # exceed, and are no quota
        (r"disk is too small|memory is too small|Unable to find a host with", REFUSED, "[Size NAME] instance_type"),
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
