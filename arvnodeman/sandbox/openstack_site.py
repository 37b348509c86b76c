"""The site on OpenStack: a real nova in place of the sandbox's cloud API, the sandbox's computers behind its servers.

A daemon with `provider = openstack` talks to nova and keystone themselves. A thread of the site lists the project's
servers as an administrator: each that has become active gets a node of the site's cloud with its id, and so a computer
that boots, pings the URL in the server's user data, works, and is lost. When the server is being deleted, that computer
dies; when the computer is lost, its server is deleted or stopped.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import logging
import threading
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from arvnodeman.sandbox.cloud import ALIVE, CloudError, NodeRequest
from arvnodeman.sandbox.ec2_user_data import read_by
from arvnodeman.sandbox.openstack_lab import PASSWORD, USER, OpenStackFailed
from arvnodeman.sandbox.openstack_releases import Release
from arvnodeman.sandbox.openstack_start import openstack
from arvnodeman.sandbox.wiring import Site

PROJECT = "zyxwv"
_EVERY = 0.25  # real seconds between two lists, at least
_SHARE = 3  # times as long as a list took: it leaves nova time for the daemon
_SPOILT = {"create-lost": ("lost", "hang"), "create-throttled": ("throttled", "retry_after")}
_log = logging.getLogger("sandbox.openstack")


class OpenStackSite:
    """OpenStack for a site. folder: for databases and logs. Raises OpenStackFailed, NotPossible."""

    def __init__(self, site: Site, release: Release, folder: Path) -> None:
        self._site = site
        self._release = release
        self._stack = contextlib.ExitStack()
        self._cloud = self._stack.enter_context(openstack(folder, release, page=20))
        self._project = self._cloud.project(PROJECT)
        self._cloud.knob("quota", instances=site.options.quota, cores=-1, ram=-1)
        for size in site.options.sizes:
            self._cloud.flavor(_flavor(size.id), size.cores, size.ram, size.disk)
        self._seen: dict[str, str] = {}  # server -> flavor, of all that there were
        self._gone: set[str] = set()  # servers that are deleted, or are to be
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="openstack", daemon=True)
        site.views["openstack"] = self.account

    # ---- serving -----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Let computers follow servers, in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """End it, and OpenStack. Again is harmless."""
        self._over.set()
        if self._thread.ident is not None:
            self._thread.join(10.0)
        self._stack.close()

    def config(self) -> dict[str, dict[str, str]]:
        """Sections of the daemon's configuration file, in the place of those for the sandbox's cloud."""
        sections = {
            "Cloud": {"provider": "openstack"},
            "Cloud Credentials": {
                "key": USER,
                "secret": PASSWORD,
                "ex_force_auth_url": f"{self._cloud.keystone}/v3",
                "ex_tenant_name": PROJECT,
                "ex_force_service_region": "RegionOne",
                "timeout": "30",
            },
            "Cloud Create": {"image": self._cloud.image, "networks": self._cloud.network},
        }
        for size in self._site.options.sizes:
            sections[f"Size {size.id}"] = {"instance_type": _flavor(size.id), "price": str(size.price)}
        return sections

    def account(self) -> dict[str, object]:
        """GET /site/openstack: which servers there were, and what is there now. Raises OpenStackFailed."""
        servers = [each for each in self._cloud.servers(self._project) if not _ends(each)]
        return {
            "release": self._release.name,
            "nova": self._cloud.knob("release"),
            "made": len(self._seen),
            "flavors": dict(sorted(Counter(self._seen.values()).items())),
            "live": len(servers),
            "servers": {each["id"]: each["status"] for each in servers},
        }

    # ---- following ---------------------------------------------------------------------------------------------------

    def _follow(self) -> None:
        took = 0.0
        while not self._over.wait(max(_EVERY, _SHARE * took)):
            began = time.monotonic()
            try:
                self._observe()
            except OpenStackFailed as error:
                if not self._over.is_set():
                    _log.warning("%s", error)
            took = time.monotonic() - began

    def _observe(self) -> None:
        servers = {each["id"]: each for each in self._cloud.servers(self._project)}
        with self._site.clock.lock:
            spoilt = self._spoilt()
            for server in servers.values():
                self._seen[server["id"]] = server["flavor"]["original_name"]
                if server["status"] == "ACTIVE" and not _ends(server):
                    self._boot(server)
            self._end({known for known, server in servers.items() if not _ends(server)})
            lost = [each for each in servers.values() if not _ends(each) and self._is_lost(each)]
        for how, seconds in spoilt:
            self._cloud.knob("spoil", how=how, seconds=seconds)
        for server in lost:
            self._lose(server)

    def _spoilt(self) -> list[tuple[str, float]]:
        """The armed faults of creates, which a proxy in front of nova lets strike."""
        faults = self._site.faults
        found = []
        for name, (how, seconds) in _SPOILT.items():
            while name in faults.armed and faults.strikes(name):
                self._site.events.add("fault", "a create", name)
                found.append((how, faults.values[seconds]))
        return found

    def _boot(self, server: Mapping[str, Any]) -> None:
        """Its computer, where it has none yet."""
        cloud, known = self._site.cloud, server["id"]
        if known in cloud.nodes or known in self._gone:
            return
        request = NodeRequest(
            name=server["name"],
            size=server["flavor"]["original_name"].removeprefix(_flavor("")),
            tags=server["metadata"],
            user_data=_user_data(server),
            address=self._site.options.address or _address(server),
            id=known,
        )
        with contextlib.suppress(CloudError):  # it has been made all the same
            cloud.make(request)

    def _end(self, present: set[str]) -> None:
        """The computers of servers that are deleted, or are being so, end."""
        cloud = self._site.cloud
        for node in [each for each in cloud.alive() if each.id not in present]:
            self._gone.add(node.id)
            with contextlib.suppress(CloudError):
                cloud.destroy(node.id)

    def _is_lost(self, server: Mapping[str, Any]) -> bool:
        """Has the computer behind it ended by itself?"""
        node = self._site.cloud.nodes.get(server["id"])
        if node is None:
            return server["id"] in self._gone
        if node.state == "terminated":
            self._gone.add(node.id)
            return True
        return node.state in ("stopped", "preempted") and server["status"] == "ACTIVE"

    def _lose(self, server: Mapping[str, Any]) -> None:
        node = self._site.cloud.nodes.get(server["id"])
        try:
            if node is not None and node.state in ALIVE:
                self._cloud.act(server["id"], "os-stop")
            else:
                self._cloud.destroy(server["id"])
        except OpenStackFailed as error:  # the daemon may have been faster
            _log.info("%s", error)


def _flavor(size: str) -> str:
    return f"sb.{size}"


def _ends(server: Mapping[str, Any]) -> bool:
    return bool(server["status"] == "DELETED" or server["OS-EXT-STS:task_state"] == "deleting")


def _user_data(server: Mapping[str, Any]) -> str:
    """What the computer makes of it: the ping URL, or all of it."""
    try:
        text = base64.b64decode(server.get("OS-EXT-SRV-ATTR:user_data") or "").decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return read_by(text, 0) or ""


def _address(server: Mapping[str, Any]) -> str:
    addresses = [each["addr"] for network in server["addresses"].values() for each in network]
    return str(addresses[0]) if addresses else ""
