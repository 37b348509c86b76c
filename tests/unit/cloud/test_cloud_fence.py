"""Just before a request to the cloud leaves: does it change something, and may it?"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from arvnodeman.cloud.ec2 import EC2Driver
from arvnodeman.cloud.listening import Listener
from arvnodeman.fence import fence as fences
from arvnodeman.fence.fence import GENERATION_HEADER, Fence
from arvnodeman.fleet.values.model import ErrorKind, RemoteFailure


@pytest.fixture
def fence() -> Iterator[Fence]:
    """That of the process, shut."""
    before = fences.of_process()
    made = Fence(60.0, 6.0)
    fences.set_for_process(made)
    yield made
    fences.set_for_process(before)


class Driver(Listener):
    """One with an HTTP session as libcloud's connections have it."""

    def __init__(self) -> None:
        self._driver = type("Connected", (), {})()
        self._driver.connection = type("Connection", (), {})()
        self._driver.connection.connection = type("Http", (), {})()
        self.session = self._driver.connection.connection.session = requests.Session()
        self.session.timeout = 20.0  # type: ignore[attr-defined]  # as libcloud has it
        self._listen()

    def sent(self, method: str) -> requests.PreparedRequest:
        """What would go out."""
        return self.session.prepare_request(requests.Request(method, "http://cloud.example.com/nodes"))


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_reading_is_free(fence: Fence, method: str) -> None:
    assert GENERATION_HEADER not in Driver().sent(method).headers
    assert fence.refused == 0


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_a_change_is_not_sent_without_the_lead(fence: Fence, method: str) -> None:
    driver = Driver()
    with pytest.raises(RemoteFailure) as caught:
        driver.sent(method)
    assert caught.value.error.kind is ErrorKind.NOT_LEADER
    fence.hold(7, fence.clock())
    assert driver.sent(method).headers[GENERATION_HEADER] == "7"
    fence.hold(7, fence.clock() - 40)  # that is an older answer
    fence.hold(8, fence.clock() - 40)
    with pytest.raises(RemoteFailure, match="a request may take 20 s"):
        driver.sent(method)


def test_a_manager_that_is_alone_adds_nothing() -> None:
    assert GENERATION_HEADER not in Driver().sent("POST").headers


@pytest.mark.parametrize(
    ("body", "changes"),
    [
        ("Action=DescribeInstances&MaxResults=1000", False),
        (b"Version=2016-11-15&Action=DescribeTags", False),
        ("Action=RunInstances&ClientToken=x", True),
        ("Action=TerminateInstances", True),
        ("Action=CreateTags&Tag.1.Value=Action%3DDescribe", True),
        ("Name=Action=Describe", True),
        ("", True),
        (None, True),
    ],
)
def test_requests_of_ec2_are_told_apart_by_their_action(body: str | bytes | None, changes: bool) -> None:
    request = requests.Request("POST", "http://ec2.example.com/", data=body).prepare()
    assert EC2Driver._changes(EC2Driver.__new__(EC2Driver), request) is changes
