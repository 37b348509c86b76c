"""What a driver gives its new nodes to read when they start: how long it may be, and that no log shows it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from arvnodeman.cloud.base import NodeWish
from arvnodeman.cloud.redaction import Hidden
from arvnodeman.cloud.shared_user_data import CannotBeShared, shared_text
from arvnodeman.cloud.user_data import LEASE_WATCH, NOTICE_WATCH, BadTemplate, Template, values_for, watches
from arvnodeman.fleet.values.model import ErrorKind, NodeRecord, NodeSize, RemoteError, RemoteFailure, Secret

OPTION = "[Cloud Create] user_data"
_NAME = "NAME_OF_THE_NODE"
_WATCH = re.compile(r"(?<!\{)\{(" + f"{NOTICE_WATCH}|{LEASE_WATCH}" + r")\}(?!\})")


class Startup:
    """The operator's template, where there is one. `hidden`: what no log may show a part of. One thread uses it."""

    def __init__(self, path: str | None, largest: int | None = None, cloud: str = "", lease: int = 0) -> None:
        """largest: bytes that the cloud takes; lease: minutes that a node stays without a manager, 0 for ever. Raises
        BadTemplate, also for one that cannot but be larger."""
        self._largest = largest
        self._cloud = cloud
        self._lease = lease
        self._template = Template.load(path) if path else None
        least = self._template.least(watches(cloud, "", lease)) if self._template is not None else ""
        if largest is not None and len(least.encode()) > largest:
            raise BadTemplate(
                f"{path} makes user data of at least {len(least.encode())} bytes; this cloud takes {largest}"
            )
        self.hidden = Hidden(least)

    @property
    def has_template(self) -> bool:
        """Has the operator a template?"""
        return self._template is not None

    def text(self, size: NodeSize, record: NodeRecord, name: str, ping_url: Secret, otherwise: str) -> str:
        """The template filled for a node; where there is none, `otherwise`. It holds the ping secret. Raises
        RemoteFailure for one that is too large for the cloud."""
        values = values_for(size, record, name, ping_url, self._cloud, self._lease)
        text = otherwise if self._template is None else self._template.filled(values)
        self.hidden.put(text, public=[value for key, value in values.items() if key != "ping_url"])
        if self._largest is not None and len(text.encode()) > self._largest:
            wrong = f"user data has {len(text.encode())} bytes; this cloud takes {self._largest}"
            raise RemoteFailure(RemoteError(ErrorKind.REFUSED, wrong, hint=OPTION))
        return text

    def shared(self, wishes: Sequence[NodeWish], names: Sequence[str], otherwise: Template) -> str:
        """The text that these nodes share, by launch index; `otherwise`: the template where the operator has none. It
        holds their ping secrets. Raises CannotBeShared, also where it is too large for the cloud."""
        named = zip(wishes, names, strict=True)
        values = [values_for(wish.size, wish.record, name, wish.ping_url) for wish, name in named]
        text = shared_text(self._watching(self._template or otherwise), values)
        if self._largest is not None and len(text.encode()) > self._largest:
            raise CannotBeShared(f"it has {len(text.encode())} bytes; this cloud takes {self._largest}")
        shown = [value for each in values for key, value in each.items() if key != "ping_url"]
        self.hidden.put(text, public=shown)
        return text

    def _watching(self, template: Template) -> Template:
        """A template in which the units stand whole but for the name, so that nodes can share it."""
        if template.names.isdisjoint((NOTICE_WATCH, LEASE_WATCH)):
            return template
        units = {
            name: unit.replace("{", "{{").replace("}", "}}").replace(_NAME, "{hostname}")
            for name, unit in watches(self._cloud, _NAME, self._lease).items()
        }
        return Template(_WATCH.sub(lambda found: units[found[1]], template.text))
