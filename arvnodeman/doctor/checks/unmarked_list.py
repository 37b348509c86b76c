"""Nothing parts our nodes from others in the account."""

from __future__ import annotations

from collections.abc import Iterator

from arvnodeman.config import Settings
from arvnodeman.config.option import LISTING
from arvnodeman.doctor.base import Area, Check, findings

SHARED = ("ec2", "gce", "openstack")  # clouds whose list is that of a whole account or project, where nothing parts it


def judge(settings: Settings) -> Iterator[str]:
    """A line at most."""
    cloud = settings.cloud
    if cloud.provider in SHARED and not any(_parts(name) for name in cloud.listing):
        yield (
            f"{settings.path}: [{LISTING}]: has no {'tags' if cloud.provider == 'gce' else 'tag_NAME = VALUE'}: other "
            "nodes of the account or project may be mistaken for ours"
        )


def _parts(name: str) -> bool:
    """Does an option of [Cloud List] tell our nodes from others?"""
    return name == "tags" or name.startswith("tag")


CHECK = Check(
    name="unmarked-list",
    area=Area.FILE,
    says="[Cloud List] does not separate our nodes from others of the account or project.",
    mends="Give it a tag that only this cluster's nodes have.",
    find=lambda facts: findings(judge(facts.settings())),
    grave=False,
)
