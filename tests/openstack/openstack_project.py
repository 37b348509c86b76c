"""A project on a real OpenStack, and drivers for it from a configuration as an operator would write it."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from arvnodeman.cloud.base import CloudDriver
from arvnodeman.cloud.registry import make_driver
from arvnodeman.config import load
from arvnodeman.fleet.values.model import (
    CloudNode,
    Directive,
    ErrorKind,
    NodeRecord,
    NodeSize,
    OperatorDirective,
    RemoteError,
    RemoteFailure,
    Secret,
)
from arvnodeman.sandbox.openstack_lab import PASSWORD, USER, OpenStack

REFUSED, TRANSIENT, GONE, QUOTA = ErrorKind.REFUSED, ErrorKind.TRANSIENT, ErrorKind.GONE, ErrorKind.QUOTA
KEY, URL = "[Cloud Credentials] key", "[Cloud Credentials] ex_force_auth_url"
SIZE = NodeSize("small", "m1.tiny", "1", "m1.tiny", 1, 512, 1, 1000, 0.1)
PING_SECRET = "hush-hush-hush-ping"
PING = Secret(f"https://ping.example.com/arvados/v1/nodes/zzzzz-7ekkf-0/ping?ping_secret={PING_SECRET}")
HOLD = OperatorDirective(Directive.HOLD, "look at its disk")
LONGEST = 120.0  # seconds, on a busy machine
_T = TypeVar("_T")
numbers = itertools.count(1)


class Site:
    """A project, and drivers for it from a configuration as an operator would write it."""

    ping = PING

    def __init__(self, there: OpenStack, folder: Path) -> None:
        self.there, self.folder = there, folder
        self.name = f"project-{next(numbers)}"
        self.project = there.project(self.name)

    def config(
        self,
        credentials: dict[str, str] | None = None,
        create: dict[str, str] | None = None,
        cloud: dict[str, str] | None = None,
    ) -> Path:
        """A file with these options on top; an empty one takes an option away."""
        given = {
            "key": USER,
            "secret": PASSWORD,
            "ex_force_auth_url": self.there.keystone,
            "ex_tenant_name": self.name,
            "ex_force_service_region": "RegionOne",
            **(credentials or {}),
        }
        options = {
            "ping_host": "ping.example.com",
            "image": self.there.image,
            "networks": self.there.network,
            **(create or {}),
        }
        sections = {
            "Daemon": {"max_cloud_ops_per_second": "0"},
            "Arvados": {"host": "zzzzz.example.com", "token": "api-token-api-token"},
            "Cloud": {"provider": "openstack", "shutdown_windows": "1, 1", **(cloud or {})},
            "Cloud Credentials": given,
            "Cloud List": {"tag_arvados_node_manager": "zzzzz"},
            "Cloud Create": options,
            "Size small": {"cores": "1", "instance_type": "m1.tiny", "price": "0.1"},
        }
        lines = [
            f"[{name}]\n" + "".join(f"{k} = {v}\n" for k, v in body.items() if v) for name, body in sections.items()
        ]
        path = self.folder / f"{next(numbers)}.cfg"
        path.write_text("".join(lines))
        return path

    def driver(
        self,
        credentials: dict[str, str] | None = None,
        create: dict[str, str] | None = None,
        cloud: dict[str, str] | None = None,
    ) -> CloudDriver:
        """A driver with these options."""
        return make_driver(load(str(self.config(credentials, create, cloud))))

    def create(self, driver: CloudDriver | None = None, size: NodeSize = SIZE) -> CloudNode:
        """A node by this driver."""
        number = next(numbers)
        record = NodeRecord(f"zzzzz-7ekkf-{number:015d}", hostname=f"compute{number}", domain="zzzzz.example.com")
        return (driver or self.driver()).create_node(size, record, f"token-{number}", PING)

    def built(self, driver: CloudDriver | None = None) -> CloudNode:
        """A node that nova has built, as it is listed."""
        driver = driver or self.driver()
        made = self.create(driver)
        return until(
            lambda: next((each for each in driver.list_nodes() if each.id == made.id and not each.building), None)
        )

    def credential(self, rules: list[dict[str, str]] | None = None) -> dict[str, str]:
        """The options for a new application credential."""
        made = self.there.credential(self.project, f"credential-{next(numbers)}", rules)
        return {
            "ex_force_auth_version": "3.x_appcred",
            "key": made["id"],
            "secret": made["secret"],
            "ex_tenant_name": "",
        }


def failure(act: Callable[[], object]) -> RemoteError:
    with pytest.raises(RemoteFailure) as caught:
        act()
    return caught.value.error


def until(look: Callable[[], _T | None]) -> _T:
    """What it finds, once it finds something."""
    end = time.monotonic() + LONGEST
    while not (found := look()):
        assert time.monotonic() < end
        time.sleep(0.2)
    return found
