"""libcloud's GCE driver, corrected where it loses nodes, asks too much, or waits.

* Making one asks the cloud nothing: libcloud's fetches an access token, all zones and all regions.
* A list is read to its last page, and a page that lacks a zone is a failure. A node is shown without its boot disk: to
  show the disk libcloud lists all disks of the project, and loses a node whose disk that list lacks.
* A node can be made of capacity that is reserved; libcloud knows of none.
* An empty answer is a failure; libcloud takes it for success, whatever its status says.
* Destroying and writing metadata do not wait for the operation. Creating does, at most `timeout` seconds: only the
  operation tells that there is no capacity.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from libcloud.common.base import ConnectionUserAndKey
from libcloud.common.google import (
    GoogleAuthError,
    GoogleAuthType,
    GoogleBaseError,
    GoogleOAuth2Credential,
    JsonParseError,
    ResourceExistsError,
)
from libcloud.common.types import InvalidCredsError, LibcloudError, MalformedResponseError
from libcloud.compute.drivers.gce import API_VERSION, GCEConnection, GCENodeDriver, GCEResponse, GCEZone
from libcloud.compute.types import NodeState
from libcloud.pricing import get_pricing

from arvnodeman.cloud.base import TOKEN_TAG
from arvnodeman.cloud.redaction import named

PAGE = 500  # what the API gives at most
LEAVING = frozenset({"STOPPING", "DEPROVISIONING", "PENDING_STOP"})  # on its way out, or to TERMINATED
_MOST_PAGES = 10_000
_STRANGE = (AttributeError, LookupError, TypeError, ValueError)
_log = logging.getLogger("ComputeNodeDriver")


class GCEAnswer(GCEResponse):  # type: ignore[misc]  # libcloud has no types
    """An answer of the API. Every one has a JSON body."""

    def parse_body(self) -> Any:
        """The body. Raises Google's errors."""
        if not self.body:
            raise self._strange(f"HTTP {self.status} without a body")
        try:
            return super().parse_body()
        except (*_STRANGE, JsonParseError):
            raise self._strange(f"HTTP {self.status}: {self.body}") from None

    def _strange(self, text: str) -> Exception:
        """Of an answer that cannot be read: a yes is told from a no."""
        made: Exception = MalformedResponseError(text) if self.success() else GoogleBaseError(text, self.status, None)
        return made


class LateGCEConnection(GCEConnection):  # type: ignore[misc]  # libcloud has no types
    """A connection that gets its access token when the first request needs it."""

    responseCls = GCEAnswer  # noqa: N815 (libcloud's name)

    def __init__(
        self,
        user_id: str,
        key: str,
        secure: bool,
        auth_type: str | None = None,
        credential_file: str | None = None,
        project: str | None = None,
        scopes: list[str] | None = None,
        **options: Any,
    ) -> None:
        ConnectionUserAndKey.__init__(self, user_id, key, secure=secure, **options)  # its parents would ask for a token
        self.request_path = f"/compute/{API_VERSION}/projects/{project}"
        self.gce_params = None
        self._make = functools.partial(
            GoogleOAuth2Credential, user_id, key, auth_type, credential_file, scopes, **options
        )
        self._interactive = (auth_type, user_id, credential_file)

    @functools.cached_property
    def oauth2_credential(self) -> Any:
        """The access token. Raises InvalidCredsError, and what a request raises."""
        try:
            self._refuse_to_ask_people()
            credential = self._make()
            if not isinstance(credential.token, dict) or not {"access_token", "expire_time"} <= set(credential.token):
                credential.token = credential.oauth2_conn.get_new_token()  # the file that keeps it was not valid
        except GoogleAuthError as error:
            raise InvalidCredsError(str(error.value)) from None
        except GoogleBaseError as error:
            if error.http_code in (400, 401, 403):
                raise InvalidCredsError(str(error.value)) from None
            raise
        except ValueError as error:  # the metadata server of the machine that we run on
            raise LibcloudError(str(error)) from None
        return credential

    def pre_connect_hook(self, params: Any, headers: Any) -> Any:
        """Add the access token, renewed where it has expired."""
        try:
            return super().pre_connect_hook(params, headers)
        except (KeyError, TypeError):
            self.__dict__.pop("oauth2_credential", None)
            raise LibcloudError("the answer to the request for an access token has none") from None

    def _refuse_to_ask_people(self) -> None:
        """libcloud treats an unknown kind of user as a person, prints a URL, and waits for ever."""
        auth_type, user_id, file = self._interactive
        if (auth_type or GoogleAuthType.guess_type(user_id)) != GoogleAuthType.IA:
            return
        if not (file and Path(file).expanduser().is_file()):
            raise GoogleAuthError("user_id is not a service account, and nobody can sign in here")


class GCENodes(GCENodeDriver):  # type: ignore[misc]  # libcloud has no types
    """The libcloud class that `provider = gce` uses. `[Cloud] driver_class` may name one derived from it."""

    connectionCls = LateGCEConnection  # noqa: N815 (libcloud's name)

    def __init__(self, user_id: str, key: str | None = None, datacenter: str | None = None, **options: Any) -> None:
        super().__init__(user_id, key or "", None, **options)
        if datacenter:
            self.zone = self.ex_get_zone(datacenter)

    def ex_get_zone(self, name: str) -> Any:
        """A zone by its name or URL; the cloud is not asked whether it exists."""
        short = name.rstrip("/").rpartition("/")[2]
        link = f"https://{self.connection.host}{self.base_path}/zones/{short}"
        return GCEZone(short, short, None, None, None, self, {"selfLink": link})

    _reservation = ""  # that the next node is made of

    def list_nodes(self, ex_zone: Any = None, ex_use_disk_cache: bool = True) -> list[Any]:
        """All nodes of the zone, or of all zones where no `datacenter` was given."""
        return self._understood(self._listed("instances", self._set_zone(ex_zone)), self._to_node)

    def list_sizes(self, location: Any = None) -> list[Any]:
        """All machine types of the zone, or of all zones."""
        prices = get_pricing(driver_type="compute", driver_name="gce_instances")
        items = self._listed("machineTypes", self._set_zone(location))
        return self._understood(items, lambda item: self._to_node_size(item, prices))

    @functools.wraps(GCENodeDriver.create_node)
    def create_node(self, name: str, size: Any, image: Any = None, **options: Any) -> Any:
        """Create a node. Where one of this name exists, and the same boot made it, that is the answer (row D7).
        `ex_reservation`: the name of the reservation that it is made of."""
        self._reservation = options.pop("ex_reservation", "")
        try:
            return super().create_node(name, size, image, **options)
        except ResourceExistsError:
            node = self.ex_get_node(name, options.get("location") or self.zone)
            token = (options.get("ex_metadata") or {}).get(TOKEN_TAG)
            if not token or metadata_of(node).get(TOKEN_TAG) != token:
                raise
            return node

    def _create_node_req(self, *args: Any, **options: Any) -> tuple[str, dict[str, Any]]:
        request, data = super()._create_node_req(*args, **options)
        if self._reservation:
            data["reservationAffinity"] = {
                "consumeReservationType": "SPECIFIC_RESERVATION",
                "key": "compute.googleapis.com/reservation-name",
                "values": [self._reservation],
            }
        return request, data

    def destroy_node(self, node: Any, destroy_boot_disk: bool = False, ex_sync: bool = False) -> bool:
        """Destroy a node; its boot disk goes with it (row H4)."""
        return bool(super().destroy_node(node, destroy_boot_disk, ex_sync))

    def ex_set_node_metadata(self, node: Any, metadata: Any) -> bool:
        """Replace a node's metadata, if nobody else did since it was read (row H9)."""
        fingerprint = (node.extra.get("metadata") or {}).get("fingerprint", "absent")
        request = f"/zones/{node.extra['zone'].name}/instances/{node.name}/setMetadata"
        self.connection.request(request, method="POST", data=self._format_metadata(fingerprint, metadata))
        return True

    def _listed(self, kind: str, zone: Any) -> Iterator[Any]:
        """All items of one kind, all pages."""
        path = f"/zones/{zone.name}/{kind}" if zone else f"/aggregated/{kind}"
        expected: type = list if zone else dict
        for page in self._pages(path):
            items: Any = page.get("items") or expected()
            if not issubclass(type(items), expected):
                raise MalformedResponseError(f"the answer for {path} is not a list", driver=self)
            if zone:
                yield from items
                continue
            for name, scope in items.items():
                if _code(scope.get("warning")) == "UNREACHABLE":
                    raise LibcloudError(f"the list of all zones lacks {name}")
                yield from scope.get(kind) or ()

    def _pages(self, path: str) -> Iterator[Mapping[str, Any]]:
        params: dict[str, Any] = {"maxResults": PAGE}
        for _ in range(_MOST_PAGES):
            page = self.connection.request(path, params=params).object
            if not isinstance(page, dict):
                raise MalformedResponseError(f"the answer for {path} is not a list", driver=self)
            if page.get("unreachables") or _code(page.get("warning")) == "UNREACHABLE":
                raise LibcloudError(f"the list {path} lacks what could not be reached")
            yield page
            following = page.get("nextPageToken")
            if not following:
                return
            if following == params.get("pageToken"):
                break
            params = {**params, "pageToken": following}
        raise MalformedResponseError(f"the pages of {path} do not end", driver=self)

    def _understood(self, items: Iterable[Any], convert: Callable[[Any], Any]) -> list[Any]:
        made: list[Any] = []
        for item in items:
            try:
                made.append(convert(item))
            except _STRANGE:
                _log.warning("ignored a malformed item of the cloud's list: %s", named(item))
        return made

    def _to_node(self, node: Mapping[str, Any], use_disk_cache: bool = False) -> Any:
        made = super()._to_node({**node, "disks": []})
        made.extra["disks"] = node.get("disks") or []
        if node.get("status") in LEAVING:
            made.state = NodeState.STOPPING
        elif node.get("status") == "SUSPENDING":
            made.state = NodeState.SUSPENDED
        return made


def _code(warning: object) -> object:
    return warning.get("code") if isinstance(warning, dict) else None


def metadata_of(node: Any) -> dict[str, str]:
    """A node's metadata as name -> value, from `items: [{key, value}]` (row N16) or, as some drivers have it, flat."""
    metadata = (getattr(node, "extra", None) or {}).get("metadata")
    if not isinstance(metadata, Mapping):
        return {}
    items = metadata.get("items")
    if isinstance(items, list):
        pairs = ((item.get("key"), item.get("value")) for item in items if isinstance(item, Mapping))
        return {str(key): str(value) for key, value in pairs if key is not None and value is not None}
    return {str(key): str(value) for key, value in metadata.items() if key not in ("fingerprint", "kind", "items")}
