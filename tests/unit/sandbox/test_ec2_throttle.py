"""The buckets by which the peer throttles as EC2 documents."""

from __future__ import annotations

from arvnodeman.sandbox.ec2_throttle import Throttle


class StillClock:
    """Moved by hand."""

    def __init__(self) -> None:
        self.now = 5000.0

    def __call__(self) -> float:
        return self.now


def taken(throttle: Throttle, times: int, **params: str) -> int:
    return sum(not throttle.refuses(params) for _ in range(times))


def test_five_requests_at_once_and_two_a_second_after_that() -> None:
    clock = StillClock()
    throttle = Throttle(clock)
    assert taken(throttle, 9, Action="RunInstances") == 5
    clock.now += 3
    assert taken(throttle, 9, Action="RunInstances") == 5
    clock.now += 1
    assert taken(throttle, 9, Action="RunInstances") == 2
    assert throttle.refused == {"RunInstances": 15}


def test_a_thousand_instances_at_once_and_a_request_that_finds_too_few_is_refused_whole() -> None:
    clock = StillClock()
    throttle = Throttle(clock)
    assert taken(throttle, 1, Action="RunInstances", MaxCount="900") == 1
    assert taken(throttle, 1, Action="RunInstances", MaxCount="101") == 0
    assert taken(throttle, 1, Action="RunInstances", MaxCount="100") == 1
    clock.now += 10
    assert taken(throttle, 1, Action="RunInstances", MaxCount="21") == 0
    assert taken(throttle, 1, Action="RunInstances", MaxCount="20") == 1


def test_each_action_has_a_bucket_of_its_own() -> None:
    throttle = Throttle(StillClock())
    assert taken(throttle, 9, Action="RunInstances") == 5
    assert taken(throttle, 200, Action="CreateTags") == 100
    assert taken(throttle, 200, Action="TerminateInstances", **{"InstanceId.1": "i-1"}) == 100
