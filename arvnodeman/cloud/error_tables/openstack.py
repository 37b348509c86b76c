"""OpenStack's errors.

docs.openstack.org/api-ref/compute: the codes are HTTP's, what is wrong is said in words: those of nova 34's
exception.py, of neutron-lib's exceptions, and of a real nova.
"""

from __future__ import annotations

from arvnodeman.cloud.errors import CREDENTIALS, table
from arvnodeman.fleet.values.model import ErrorKind

REFUSED, CAPACITY, TRANSIENT = ErrorKind.REFUSED, ErrorKind.CAPACITY, ErrorKind.TRANSIENT
QUOTA = ErrorKind.QUOTA

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
