"""The bucket that limits create and destroy requests, on a clock that only its own waits move."""

from __future__ import annotations

import itertools
import threading

import pytest

from arvnodeman.cloud import throttle
from arvnodeman.cloud.throttle import LONGEST, Op, TokenBucket, bucket_of_process
from arvnodeman.fleet.values.model import ErrorKind, RemoteError, RemoteFailure


class Clock:
    """Time passes when somebody waits, or by hand."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.now

    def wait(self, _condition: threading.Condition, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def bucket(rate: float, clock: Clock) -> TokenBucket:
    return TokenBucket(rate, clock, clock.wait)


def refusal(bucket: TokenBucket, op: Op = Op.CREATE) -> RemoteError:
    with pytest.raises(RemoteFailure) as caught:
        bucket.take(op)
    return caught.value.error


def test_a_second_s_worth_goes_at_once_and_the_rest_by_the_rate(clock: Clock) -> None:
    limited = bucket(10, clock)
    for _ in range(10):
        limited.take(Op.CREATE)
    assert clock.waits == []
    for _ in range(5):
        limited.take(Op.CREATE)
    assert clock.now == pytest.approx(1000.5)
    assert limited.waited == pytest.approx(0.5)


def test_a_bucket_never_holds_more_than_a_second_s_worth(clock: Clock) -> None:
    limited = bucket(5, clock)
    clock.now += 3600
    for _ in range(6):
        limited.take(Op.DESTROY)
    assert clock.waits == [pytest.approx(0.2)]


def test_less_than_one_a_second(clock: Clock) -> None:
    limited = bucket(0.5, clock)
    limited.take(Op.CREATE)
    limited.take(Op.CREATE)
    assert clock.now == pytest.approx(1002.0)


def test_no_limit(clock: Clock) -> None:
    limited = bucket(0, clock)
    for _ in range(1000):
        limited.take(Op.CREATE)
    assert limited.waited == 0


def test_who_would_wait_too_long_is_told_when_to_come_back(clock: Clock) -> None:
    """No operator sleeps for long; the Fleet plans it as it plans what the cloud throttles."""
    limited = bucket(0.25, clock)
    limited.take(Op.CREATE)
    first = refusal(limited)
    assert clock.now == pytest.approx(1000 + LONGEST)
    assert first.kind is ErrorKind.THROTTLED
    assert "max_cloud_ops_per_second" in first.text
    assert first.retry_after == pytest.approx(4)
    assert limited.refused == 1
    assert limited.waited == pytest.approx(LONGEST)


def test_those_told_to_come_back_come_one_after_the_other(clock: Clock) -> None:
    limited = bucket(0.1, clock)
    limited.take(Op.CREATE)
    times = []
    for _ in range(3):
        told = refusal(limited)
        assert told.retry_after is not None
        times.append(clock.now + told.retry_after)
    assert [later - earlier for earlier, later in itertools.pairwise(times)] == [pytest.approx(10)] * 2


def test_while_a_destroy_waits_no_create_gets_a_token(clock: Clock) -> None:
    """What saves money goes first."""
    order: list[str] = []
    inside = threading.Event()
    go_on = threading.Event()

    def wait(condition: threading.Condition, seconds: float) -> None:
        if threading.current_thread().name == "destroys":
            inside.set()
            condition.release()
            try:
                assert go_on.wait(10)
            finally:
                condition.acquire()
        clock.wait(condition, seconds)

    limited = TokenBucket(1, clock, wait)
    limited.take(Op.CREATE)

    def destroy() -> None:
        limited.take(Op.DESTROY)
        order.append("destroy")

    thread = threading.Thread(target=destroy, name="destroys")
    thread.start()
    assert inside.wait(10)
    clock.now += 1.5  # there is a token, and a destroy that waits for one
    with pytest.raises(RemoteFailure):
        limited.take(Op.CREATE)
    go_on.set()
    thread.join(10)
    assert order == ["destroy"]


def test_one_bucket_for_all_drivers_of_the_process(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    monkeypatch.setattr(throttle, "_buckets", {})
    shared = bucket_of_process(7)
    assert bucket_of_process(7) is shared
    assert throttle.total_waited() == 0
    throttle._buckets[7] = bucket(0.25, clock)
    throttle._buckets[7].take(Op.CREATE)
    refusal(throttle._buckets[7])
    assert throttle.total_waited() == pytest.approx(LONGEST)
    assert throttle.total_refused() == 1


def test_many_threads_together_take_no_more_than_there_is(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    monkeypatch.setattr(throttle, "LONGEST", 0.0)
    limited = bucket(20, clock)  # the clock stands still: 20 tokens, and none to come
    taken: list[int] = []

    def take() -> None:
        for number in range(30):
            try:
                limited.take(Op.CREATE)
            except RemoteFailure:
                continue
            taken.append(number)

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (len(taken), limited.refused) == (20, 100)
