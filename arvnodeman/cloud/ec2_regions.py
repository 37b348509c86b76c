"""Regions of AWS and where their EC2 is: by the rule that AWS names them by. libcloud's table is older than some."""

from __future__ import annotations

import re

# docs.aws.amazon.com/general/latest/gr/rande.html; the suffixes are those of botocore's partitions.json
_REGION = re.compile(
    r"[a-z]{2}(-gov|-iso[a-z]?)?-(north|south|east|west|central|northeast|northwest|southeast|southwest)-[1-9]\d?"
    r"|eusc-[a-z]{2}-(north|south|east|west|central)-[1-9]\d?"
)
_SUFFIXES = (
    ("cn-", "amazonaws.com.cn"),
    ("eusc-", "amazonaws.eu"),
    ("us-iso-", "c2s.ic.gov"),
    ("us-isob-", "sc2s.sgov.gov"),
    ("us-isof-", "csp.hci.ic.gov"),
    ("eu-isoe-", "cloud.adc-e.uk"),
)
_IN_HOST = re.compile(r"(?:^|\.)ec2(?:-fips)?\.([a-z]+(?:-[a-z]+)+-\d+)\.")


def is_region(name: str) -> bool:
    """Has it the form of a region's name? Only AWS knows whether there is one of that name."""
    return _REGION.fullmatch(name) is not None


def endpoint_of(region: str) -> str:
    """The host of a region's EC2."""
    suffix = next((suffix for prefix, suffix in _SUFFIXES if region.startswith(prefix)), "amazonaws.com")
    return f"ec2.{region}.{suffix}"


def region_in(host: str) -> str:
    """The region that is in the name of a host of AWS, a VPC endpoint's too; nothing in any other."""
    found = _IN_HOST.search(host)
    return found.group(1) if found else ""
