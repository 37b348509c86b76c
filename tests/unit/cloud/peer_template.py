"""The template of a driver, tried against the sandbox's cloud, whose libcloud class it uses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from cloud_peer import TIMEOUT
from peer_sandbox import SandboxPeer

from arvnodeman.cloud.base import CloudDriver
from arvnodeman.cloud.template import TemplateDriver

NO_ZONES = "what a zone is differs from cloud to cloud: who writes a driver adds it"


class TemplatePeer(SandboxPeer):
    """The sandbox again, with another driver. Its URL has no `/cloud` at its end unless it is written."""

    provider = "template"
    cannot: ClassVar[Mapping[str, str]] = {
        **SandboxPeer.cannot,
        "a_node_is_made_in_the_zone_that_is_asked_for": NO_ZONES,
        "a_full_zone_is_passed_over_for_the_next": NO_ZONES,
    }

    def driver(
        self,
        *,
        timeout: float = TIMEOUT,
        credentials: Mapping[str, str] | None = None,
        create: Mapping[str, str] | None = None,
    ) -> CloudDriver:
        """See Peer."""
        given = {"url": f"http://127.0.0.1:{self.port}/cloud", **(credentials or {})}
        return TemplateDriver(self.settings(timeout=timeout, credentials=given, create=create))
