"""The cloud refuses us."""

from __future__ import annotations

from arvnodeman.doctor.base import Area, Check, findings

CHECK = Check(
    name="cloud-refuses",
    area=Area.CLOUD,
    says="The cloud refuses to list nodes: wrong credentials, or no permission.",
    mends="Check [Cloud Credentials], and the minimal permissions on the cloud's page in doc/clouds.",
    find=lambda facts: findings(filter(None, [facts.cloud_refusal()])),
)
