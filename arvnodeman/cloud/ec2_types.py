"""Instance types that are newer than libcloud's table of them: asked for at EC2, by name."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from difflib import get_close_matches
from typing import Any

import libcloud.compute.base as lc
from libcloud.compute.constants.ec2_instance_types import INSTANCE_TYPES
from libcloud.compute.drivers.ec2 import NAMESPACE
from libcloud.utils.xml import findall, findtext

from arvnodeman.cloud.ec2_requests import describe
from arvnodeman.fleet.values.model import SizeSection

_FAMILY = re.compile(r"[a-z]{1,4}[0-9]{0,2}[a-z0-9-]*")
_SIZE = re.compile(r"[0-9]{1,3}xlarge|metal(-[0-9]{1,3}xl)?")
_PAGE = "100"  # types in one answer, the most that EC2 gives


def described_sizes(driver: Any, names: Collection[str]) -> Iterator[Any]:
    """libcloud sizes for those of these types that the region has. They have no price: the section must give it.

    Raises what libcloud raises; needs the permission ec2:DescribeInstanceTypes.
    """
    for answer in describe(driver, "DescribeInstanceTypes", {"instance-type": sorted(names)}, _PAGE):
        for item in findall(element=answer, xpath="instanceTypeSet/item", namespace=NAMESPACE):
            name = _text(item, "instanceType")
            if name in names:  # a double of EC2 may not know the filter
                yield lc.NodeSize(
                    name,
                    name,
                    int(_text(item, "memoryInfo/sizeInMiB") or 0),
                    int(_text(item, "instanceStorageInfo/totalSizeInGB") or 0),
                    None,
                    None,
                    driver,
                    extra={"vcpu": _text(item, "vCpuInfo/defaultVCpus")},
                )


def slips(sections: Iterable[SizeSection]) -> tuple[list[str], list[str]]:
    """Sizes whose types are not in libcloud's table: those that EC2 cannot have, and those that may be newer.

    A type is FAMILY.SIZE. New families come, and families get more sizes; a size without this form is a typing
    error."""
    certain: list[str] = []
    doubtful: list[str] = []
    sizes = {name.partition(".")[2] for name in INSTANCE_TYPES}
    for section in sections:
        name = section.instance_type
        if name in INSTANCE_TYPES:
            continue
        nearest = ", ".join(get_close_matches(name, INSTANCE_TYPES, n=3))
        family, _, size = name.partition(".")
        where = f"[Size {section.id}] instance_type: {name!r}"
        near = f"; the nearest are {nearest}" if nearest else ""
        if not size or (_FAMILY.fullmatch(family) and (size in sizes or _SIZE.fullmatch(size))):
            doubtful.append(f"{where} is not in libcloud's table of EC2 instance types, which may be older{near}")
        else:
            certain.append(f"{where} is not an EC2 instance type{near}")
    return certain, doubtful


def _text(item: Any, path: str) -> str:
    return str(findtext(element=item, xpath=path, namespace=NAMESPACE) or "")
