"""The template of a driver, tried against the sandbox's cloud, whose libcloud class it uses."""

from __future__ import annotations

from collections.abc import Mapping

from cloud_peer import TIMEOUT
from peer_sandbox import SandboxPeer

from arvnodeman.cloud.base import CloudDriver
from arvnodeman.cloud.template import TemplateDriver


class TemplatePeer(SandboxPeer):
    """The sandbox again, with another driver. Its URL has no `/cloud` at its end unless it is written."""

    provider = "template"

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
