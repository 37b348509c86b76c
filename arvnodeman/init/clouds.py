"""What each cloud's sections need at least. doc/clouds has a page on where each of these values comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from arvnodeman.doctor.checks.placeholders import PLACEHOLDER

CREDENTIALS, LIST, CREATE = "Cloud Credentials", "Cloud List", "Cloud Create"
HOME = "/etc/arvados-node-manager"


@dataclass(frozen=True, slots=True)
class CloudNeeds:
    """Options by section, with what they are if nobody says; `{cluster}` is the cluster's name."""

    needs: Mapping[str, Mapping[str, str]]
    secrets: frozenset[str] = frozenset({"secret"})  # of [Cloud Credentials]: never on a command line
    tells_prices: bool = False  # of its types; else each size needs one


def _fill(what: str) -> str:
    return PLACEHOLDER + what


CLOUDS: Mapping[str, CloudNeeds] = {
    "ec2": CloudNeeds(
        {
            CREDENTIALS: {"key": _fill("an-access-key"), "secret": _fill("its-secret"), "region": "us-east-1"},
            LIST: {"tag_cluster": "{cluster}"},
            CREATE: {
                "image_id": _fill("an-image-id"),
                "subnet_id": _fill("a-subnet-id"),
                "security_groups": _fill("a-security-group-id"),
                "imds": "required",
            },
        }
    ),
    "gce": CloudNeeds(
        {
            CREDENTIALS: {
                "user_id": _fill("the-service-accounts-address"),
                "key": f"{HOME}/gce-key.json",
                "project": _fill("a-project"),
                "datacenter": "us-central1-a",
                "credential_file": "/var/lib/arvados-node-manager/gce-token",
            },
            LIST: {"tags": "{cluster}-compute"},
            CREATE: {
                "image": _fill("an-image"),
                "network": _fill("a-network"),
                "ssh_key": f"{HOME}/id_ed25519.pub",
            },
        },
        frozenset(),
        tells_prices=True,
    ),
    "azure": CloudNeeds(
        {
            CREDENTIALS: {
                "tenant_id": _fill("a-tenant-id"),
                "subscription_id": _fill("a-subscription-id"),
                "key": _fill("an-application-id"),
                "secret": _fill("its-secret"),
                "region": "East US",
            },
            LIST: {"ex_resource_group": "{cluster}-compute"},
            CREATE: {
                "image": "Debian:debian-12:12-gen2:latest",
                "ex_network": _fill("a-network"),
                "ex_subnet": _fill("a-subnet"),
                "ex_user_name": "admin",
                "ssh_key": f"{HOME}/id_rsa.pub",
                "tag_arvados-class": "{cluster}-compute",
            },
        }
    ),
    "openstack": CloudNeeds(
        {
            CREDENTIALS: {
                "key": _fill("a-user"),
                "secret": _fill("its-password"),
                "ex_force_auth_url": _fill("keystones-url"),
                "ex_tenant_name": _fill("a-project"),
                "ex_domain_name": "Default",
                "ex_force_service_region": "RegionOne",
            },
            LIST: {"tag_cluster": "{cluster}"},
            CREATE: {
                "image": _fill("an-image"),
                "networks": _fill("a-network"),
                "ex_security_groups": _fill("a-security-group"),
            },
        }
    ),
}
