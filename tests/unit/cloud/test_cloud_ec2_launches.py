"""EC2 takes a request, and then terminates the instance, since it has no room: a failed node, with its reason."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cloud_peer import Verb
from peer_ec2 import EC2Peer

from arvnodeman.cloud import ec2, ec2_launches
from arvnodeman.cloud.base import CloudDriver
from arvnodeman.cloud.ec2_launches import WATCHED, Launches
from arvnodeman.fleet.values.model import ErrorKind

EMPTY = """<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><reservationSet/>
</DescribeInstancesResponse>"""
ENDED = """<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><reservationSet><item><instancesSet>
<item><instanceId>i-1</instanceId><instanceState><name>terminated</name></instanceState><launchTime>{}</launchTime>
<stateReason><code>{}</code><message>{}</message></stateReason>
<tagSet><item><key>Name</key><value>compute1</value></item><item><key>{}</key><value>{}</value></item></tagSet>
</item></instancesSet></item></reservationSet></DescribeInstancesResponse>"""
NO_ROOM = ("Server.InsufficientInstanceCapacity", "Server.InsufficientInstanceCapacity: There is no capacity")


def are_watched(launches: Launches) -> bool:
    return launches.watched


@pytest.fixture
def launches(monkeypatch: pytest.MonkeyPatch) -> Launches:
    """Those of a process that has asked for a node just now."""
    made = Launches()
    made.begun()
    monkeypatch.setattr(ec2, "launches_of_process", lambda: made)
    return made


@pytest.fixture
def peer(tmp_path: Path, launches: Launches) -> Iterator[EC2Peer]:
    with EC2Peer(tmp_path) as peer:
        yield peer


def shows(peer: EC2Peer, driver: CloudDriver, code: str, message: str, age: float = 60.0) -> None:
    """EC2 lists nothing, and among what is terminated this."""
    ((name, value),) = driver._filters.items()  # type: ignore[attr-defined]
    began = datetime.fromtimestamp(time.time() - age, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    peer.answer_with(Verb.LIST, 200, EMPTY)
    peer.answer_with(Verb.LIST, 200, ENDED.format(began, code, message, name, value))


@pytest.mark.parametrize(
    ("code", "message", "fault", "kind"),
    [
        (*NO_ROOM, "InsufficientInstanceCapacity: There is no capacity", ErrorKind.CAPACITY),
        (
            "Client.VolumeLimitExceeded",
            "Client.VolumeLimitExceeded: Volume limit exceeded",
            "VolumeLimitExceeded: Volume limit exceeded",
            ErrorKind.QUOTA,
        ),
        (
            "Client.InvalidSnapshot.NotFound",
            "The specified snapshot was not found",
            "InvalidSnapshot.NotFound: The specified snapshot was not found",
            ErrorKind.REFUSED,
        ),
        (
            "Server.InternalError",
            "Server.InternalError: Internal error on launch",
            "InternalError: Internal error on launch",
            None,
        ),
    ],
)
def test_it_is_listed_as_failed_with_its_reason(
    peer: EC2Peer, code: str, message: str, fault: str, kind: ErrorKind | None
) -> None:
    driver = peer.driver()
    shows(peer, driver, code, message)
    (node,) = driver.list_nodes()
    assert (node.id, node.failed, node.broken, node.fault, node.fault_kind) == ("i-1", True, True, fault, kind)


@pytest.mark.parametrize(
    ("code", "message", "age"),
    [
        ("Client.UserInitiatedShutdown", "Client.UserInitiatedShutdown: User initiated shutdown", 60.0),
        ("Client.InstanceInitiatedShutdown", "Client.InstanceInitiatedShutdown: Instance initiated shutdown", 60.0),
        ("Server.SpotInstanceTermination", "Server.SpotInstanceTermination: Spot instance termination", 60.0),
        (*NO_ROOM, WATCHED + 60.0),
    ],
)
def test_what_ended_otherwise_or_long_ago_is_gone(peer: EC2Peer, code: str, message: str, age: float) -> None:
    """Also where the cloud does not heed the filter."""
    driver = peer.driver()
    shows(peer, driver, code, message, age)
    assert driver.list_nodes() == ()


def test_once_it_was_destroyed_by_us_it_is_gone(peer: EC2Peer, launches: Launches) -> None:
    driver = peer.driver()
    shows(peer, driver, *NO_ROOM)
    (node,) = driver.list_nodes()
    launches.destroyed(node.id)
    shows(peer, driver, *NO_ROOM)
    assert peer.driver().list_nodes() == ()


def test_a_destroy_says_so(peer: EC2Peer, launches: Launches) -> None:
    driver = peer.driver()
    peer.add()
    (node,) = driver.list_nodes()
    driver.destroy_node(node)
    assert not launches.is_news(node.id, time.time())


def test_a_cloud_that_cannot_be_asked_for_them_is_not_asked_again(peer: EC2Peer, launches: Launches) -> None:
    driver = peer.driver()
    peer.add()
    assert are_watched(launches)
    peer.answer_with(Verb.LIST, 200, EMPTY)
    error = (
        "<Response><Errors><Error><Code>InvalidParameterValue</Code><Message>The filter is invalid</Message></Error>"
    )
    peer.answer_with(Verb.LIST, 400, f"{error}</Errors></Response>")
    assert driver.list_nodes() == ()
    assert not are_watched(launches)
    assert len(driver.list_nodes()) == 1


def test_they_are_asked_for_as_long_as_a_launch_is_young() -> None:
    now = 1000.0
    made = Launches(lambda: now)
    assert not are_watched(made)
    made.begun()
    assert are_watched(made)
    now += WATCHED
    assert not are_watched(made)


def test_the_drivers_of_a_process_share_what_they_know() -> None:
    assert ec2_launches.launches_of_process() is ec2_launches.launches_of_process()
