"""Instance types that are newer than libcloud's table of them: asked for at EC2, by name."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import libcloud.compute.base as lc
from libcloud.compute.drivers.ec2 import NAMESPACE
from libcloud.utils.xml import findall, findtext

from arvnodeman.cloud.ec2_requests import describe

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


def _text(item: Any, path: str) -> str:
    return str(findtext(element=item, xpath=path, namespace=NAMESPACE) or "")
