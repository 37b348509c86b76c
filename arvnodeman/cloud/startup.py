"""What a driver gives its new nodes to read when they start: how long it may be, and that it shows up nowhere."""

from __future__ import annotations

from arvnodeman.cloud.notice import notice_watch
from arvnodeman.cloud.redaction import Hidden
from arvnodeman.cloud.user_data import NOTICE_WATCH, BadTemplate, Template, values_for
from arvnodeman.fleet.values.model import ErrorKind, NodeRecord, NodeSize, RemoteError, RemoteFailure, Secret

OPTION = "[Cloud Create] user_data"


class Startup:
    """The operator's template, where there is one. `hidden`: what no log may show a part of. One thread uses it."""

    def __init__(self, path: str | None, largest: int | None = None, cloud: str = "") -> None:
        """largest: bytes that the cloud takes. Raises BadTemplate, also for one that cannot but be larger."""
        self._largest = largest
        self._cloud = cloud
        self._template = Template.load(path) if path else None
        always = {NOTICE_WATCH: notice_watch(cloud, "")}
        least = self._template.least(always) if self._template is not None else ""
        if largest is not None and len(least.encode()) > largest:
            raise BadTemplate(
                f"{path} makes user data of at least {len(least.encode())} bytes; this cloud takes {largest}"
            )
        self.hidden = Hidden(least)

    def text(self, size: NodeSize, record: NodeRecord, name: str, ping_url: Secret, otherwise: str) -> str:
        """The template filled for a node; where there is none, `otherwise`. It holds the ping secret. Raises
        RemoteFailure for one that is too large for the cloud."""
        values = values_for(size, record, name, ping_url, self._cloud)
        text = otherwise if self._template is None else self._template.filled(values)
        self.hidden.put(text, public=[value for key, value in values.items() if key != "ping_url"])
        if self._largest is not None and len(text.encode()) > self._largest:
            wrong = f"user data has {len(text.encode())} bytes; this cloud takes {self._largest}"
            raise RemoteFailure(RemoteError(ErrorKind.REFUSED, wrong, hint=OPTION))
        return text
