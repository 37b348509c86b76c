"""Compute Engine's error codes.

cloud.google.com/compute/docs/reference/rest/v1/errors, of which the first rows alone could be read;
.../troubleshooting/troubleshooting-vm-creation, .../troubleshooting-resource-availability, .../operations-quota;
developers.google.com/../standard-error-responses. The words that come with CONDITION_NOT_MET are those that the
autoscaler of Kubernetes tells apart (cloudprovider/gce/autoscaling_gce_client.go).
"""

from __future__ import annotations

from arvnodeman.cloud.errors import CREDENTIALS, table
from arvnodeman.fleet.values.model import ErrorKind

REFUSED, CAPACITY, TRANSIENT = ErrorKind.REFUSED, ErrorKind.CAPACITY, ErrorKind.TRANSIENT

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
        "GPU_STOCKOUT",
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
        # Of CONDITION_NOT_MET, which else passes: what an organization forbids, and what a reservation lacks.
        (r"[Cc]onstraint constraints/compute\.vmExternalIpAccess", REFUSED, "[Cloud Create] external_ip"),
        (r"[Cc]onstraint constraints/\S+ violated", REFUSED, "[Cloud Credentials] project"),
        (r"does not currently have sufficient capacity", CAPACITY, ""),
        (r"[Rr]eservation .*(in)?sufficient|[Rr]eservation .*(exceed|exhaust|fully (used|consumed))", CAPACITY, ""),
        (r"[Ii]nsert instance to a reservation with status", TRANSIENT, ""),  # it is being made
        (r"[Rr]eservations? .*do(es)? not exist|[Cc]ould not find the given reservation", REFUSED, "[Cloud Create]"),
        (
            r"must use ReservationAffinity|[Rr]eservation \S+ is incorrect|reservation must exist",
            REFUSED,
            "[Cloud Create]",
        ),
        (r"AggregateReservation|aggregate reservations?|Aggregate Reservations?", REFUSED, "[Cloud Create]"),
        (r"field 'zone'|[Uu]nknown zone|/zones/[\w-]+' was not found", REFUSED, "[Cloud Credentials] datacenter"),
        (r"'projects/[^/']+' was not found", REFUSED, "[Cloud Credentials] project"),
        (r"Could not find image|sourceImage|/images/[^']*' was not found", REFUSED, "[Cloud Create] image"),
        (r"/subnetworks/|\.subnetwork\b", None, "[Cloud Create] subnetwork"),
        (r"/global/networks/|networkInterfaces\[\d\]\.network\b", None, "[Cloud Create] network"),
        (r"[Ss]ervice_?[Aa]ccounts?\b", None, "[Cloud Create] service_accounts"),
        (r"machineTypes?\b", None, "[Size NAME] instance_type"),
    ],
)
