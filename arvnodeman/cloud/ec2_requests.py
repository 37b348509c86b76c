"""How requests go to EC2: libcloud's connection, corrected where it falls short.

Every request is a POST with its parameters in the body: libcloud sends them in the URL, which urllib3 writes to its
log, ping secret and all, and which has no room for user data of some size. What libcloud cannot say in RunInstances is
added on the way: IMDSv2, tags of the volume, security groups without a subnet.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree

from libcloud.common.types import MalformedResponseError
from libcloud.compute.drivers.ec2 import NAMESPACE
from libcloud.utils.xml import findtext

_FORM = "application/x-www-form-urlencoded; charset=utf-8"
_PAGE = "1000"  # instances in one answer, the most that EC2 gives
_MOST_PAGES = 10_000


class FormRequests:
    """Mixed into the connection class of libcloud's driver.

    `additions`: parameters for the next RunInstances; None takes a parameter away. One thread uses a connection.
    """

    additions: Mapping[str, str | None]
    method: str

    def request(self, action: str, params: Mapping[str, Any] | None = None, **options: Any) -> Any:
        """Send one request, without retrying. Raises what libcloud raises."""
        if params is None or "Action" not in params or getattr(self, "signature_version", "") != "4":
            return super().request(action, params=params, **options)  # type: ignore[misc]  # libcloud's class
        merged = {**params, **(self.additions if params["Action"] == "RunInstances" else {})}
        named = {name: value for name, value in merged.items() if value is not None}
        body = urlencode({**named, "Version": self.version})  # type: ignore[attr-defined]  # libcloud's class has it
        headers = {"Content-Type": _FORM}
        answer = super().request(action, data=body, headers=headers, method="POST", retry_failed=False)  # type: ignore[misc]
        check_language(params["Action"], answer.object)
        return answer


def check_language(action: str, answer: Any) -> None:
    """Is an answer in the XML namespace in which libcloud looks for everything? In any other it finds nothing, and
    reads a full list as an empty one. Raises MalformedResponseError."""
    spoken = str(getattr(answer, "tag", "")).rpartition("}")[0].removeprefix("{")
    if spoken != NAMESPACE:
        text = f"{action} was answered in the language {spoken or 'of nobody'}, and not in that of EC2, {NAMESPACE}"
        raise MalformedResponseError(text)


class PlainErrors:
    """Mixed into the response class: an error is `Code: message` under its HTTP status, whatever else it has. libcloud
    makes exceptions without the code of some, and fails at an element that it does not expect."""

    status: int
    body: str

    def parse_error(self) -> str:
        """The errors in words."""
        try:
            errors = [each for each in ElementTree.fromstring(self.body).iter() if _name(each) == "Error"]  # noqa: S314
        except ElementTree.ParseError:
            errors = []
        texts = [{_name(part): (part.text or "").strip() for part in error} for error in errors]
        told = [f"{text['Code']}: {text.get('Message', '')}" for text in texts if text.get("Code")]
        return "; ".join(told) or f"HTTP {self.status}: {self.body}"


def _name(element: Any) -> str:
    return str(element.tag).rpartition("}")[2]


@functools.cache
def posting(driver_class: Callable[..., Any]) -> Callable[..., Any]:
    """The libcloud driver class, with FormRequests and PlainErrors in its connection."""
    connection: Any = getattr(driver_class, "connectionCls", None)
    if not (isinstance(driver_class, type) and hasattr(connection, "responseCls")):
        return driver_class
    response = type("EC2Response", (PlainErrors, connection.responseCls), {})
    mixed = type(connection.__name__, (FormRequests, connection), {"additions": {}, "responseCls": response})
    return type(driver_class.__name__, (driver_class,), {"connectionCls": mixed})


def describe(driver: Any, action: str, filters: Mapping[str, Iterable[str]], page: str | None = _PAGE) -> Iterator[Any]:
    """The answers of a Describe request, page by page, as XML elements.

    page: items in one answer; None for a request that has no pages. Raises what libcloud raises, also when the pages do
    not end: a short list would be believed.
    """
    params = {"Action": action} if page is None else {"Action": action, "MaxResults": page}
    for number, (name, values) in enumerate(filters.items(), 1):
        params[f"Filter.{number}.Name"] = name
        params |= {f"Filter.{number}.Value.{n}": value for n, value in enumerate(values, 1)}
    seen: set[str] = set()
    for _ in range(_MOST_PAGES):
        answer = driver.connection.request(driver.path, params=params).object
        yield answer
        token = findtext(element=answer, xpath="nextToken", namespace=NAMESPACE)
        if not token:
            return
        if token in seen:
            break
        seen.add(token)
        params["NextToken"] = token
    raise MalformedResponseError(f"the pages of {action} have no end", driver=driver)


def without_name(tags: Mapping[str, str]) -> dict[str, str | None]:
    """Additions for a RunInstances whose instances are to have these tags alone: libcloud puts the tag Name before
    them. The last takes its place, so that the numbers have no gap."""
    key, value = list(tags.items())[-1]
    last = f"TagSpecification.1.Tag.{len(tags) + 1}."
    first = "TagSpecification.1.Tag.1."
    return {first + "Key": key, first + "Value": value, last + "Key": None, last + "Value": None}


def change_tags(driver: Any, resources: Sequence[str], changes: Mapping[str, str | None]) -> None:
    """CreateTags and DeleteTags, each if there is something to do; None takes a tag away. Numbers count from 1, as
    EC2's reference says and libcloud does not."""
    wanted = {name: value for name, value in changes.items() if value is not None}
    for action, tags in (("CreateTags", wanted), ("DeleteTags", dict.fromkeys(changes.keys() - wanted.keys()))):
        if not tags:
            continue
        params: dict[str, str] = {"Action": action}
        params |= {f"ResourceId.{number}": resource for number, resource in enumerate(resources, 1)}
        for number, (name, value) in enumerate(tags.items(), 1):
            params[f"Tag.{number}.Key"] = name
            if value is not None:
                params[f"Tag.{number}.Value"] = value
        driver.connection.request(driver.path, params=params)
