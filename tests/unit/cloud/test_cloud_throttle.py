"""The buckets that limit requests to the cloud, on a clock that only their own waits move."""

from __future__ import annotations

import itertools
import threading
from functools import partial

import pytest

from arvnodeman.cloud import throttle
from arvnodeman.cloud.throttle import (
    LONGEST,
    MOST,
    UNDOCUMENTED,
    Allowance,
    Limiter,
    Op,
    RequestSize,
    TokenBucket,
    limiter_of_process,
)
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


class Bucket:
    """The cloud's own."""

    def __init__(self, clock: Clock, most: float, rate: float) -> None:
        self.clock, self.most, self.rate, self.tokens, self.at = clock, most, rate, most, clock.now

    def take(self) -> bool:
        self.tokens = min(self.most, self.tokens + (self.clock.now - self.at) * self.rate)
        self.at = self.clock.now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


@pytest.fixture
def clock() -> Clock:
    return Clock()


def bucket(rate: float, clock: Clock) -> TokenBucket:
    return TokenBucket(Allowance(max(1.0, rate), rate), rate, clock, clock.wait)


def growing(allowance: Allowance, clock: Clock) -> TokenBucket:
    return TokenBucket(allowance, MOST, clock, clock.wait)


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


def test_no_limit() -> None:
    free = Limiter.of(0.0, UNDOCUMENTED)
    for _ in range(1000):
        with free.request(Op.CREATE, lambda _error: None):
            pass
    assert free.buckets == {}


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

    limited = TokenBucket(Allowance(1, 1), 1, clock, wait)
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


def test_one_limiter_for_all_drivers_of_the_process(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    monkeypatch.setattr(throttle, "_limiters", {})
    shared = limiter_of_process("here", 7, UNDOCUMENTED)
    assert limiter_of_process("here", 7, UNDOCUMENTED) is shared
    assert throttle.rates() == {"create": 7, "destroy": 7}
    assert throttle.total_waited() == 0
    slow = bucket(0.25, clock)
    shared.buckets = {Op.CREATE: slow, Op.DESTROY: slow}
    slow.take(Op.CREATE)
    refusal(slow)
    assert throttle.total_waited() == pytest.approx(LONGEST)
    assert throttle.total_refused() == 1


def test_auto_begins_each_kind_of_request_with_what_the_cloud_documents() -> None:
    limiter = Limiter.of(None, {Op.CREATE: Allowance(5, 2), Op.TAG: Allowance(100, 10)})
    assert {op: each.rate for op, each in limiter.buckets.items()} == {Op.CREATE: 2, Op.TAG: 10}


def test_a_number_is_for_creates_and_destroys_together_and_never_exceeded(clock: Clock) -> None:
    limiter = Limiter.of(3.0, {Op.CREATE: Allowance(5, 2), Op.TAG: Allowance(100, 10)})
    assert set(limiter.buckets) == {Op.CREATE, Op.DESTROY}
    assert limiter.buckets[Op.CREATE] is limiter.buckets[Op.DESTROY]
    limited = bucket(3, clock)
    for _ in range(50):
        limited.take(Op.CREATE)
        limited.answered()
    assert limited.rate == 3


def test_its_rate_grows_while_it_holds_requests_up_and_none_is_refused(clock: Clock) -> None:
    limited = growing(Allowance(5, 2), clock)
    for _ in range(5):
        limited.take(Op.CREATE)
        limited.answered()
    assert limited.rate == 2  # nothing was held up
    for _ in range(2000):
        limited.take(Op.CREATE)
        limited.answered()
    assert clock.now < 1000 + 60
    assert limited.rate == MOST


def test_who_asks_for_little_does_not_make_it_grow(clock: Clock) -> None:
    limited = growing(Allowance(5, 2), clock)
    for _ in range(1000):
        limited.take(Op.CREATE)
        limited.answered()
        clock.now += 1
    assert limited.rate == 2


def test_the_first_refusal_halves_its_rate_and_its_echoes_do_not(clock: Clock) -> None:
    limited = growing(Allowance(5, 8), clock)
    sent = [limited.take(Op.CREATE) for _ in range(5)]
    clock.now += 0.2
    for each in sent:
        limited.throttled(Op.CREATE, each, None)
    assert limited.rate == 4
    clock.now += 1
    limited.throttled(Op.CREATE, limited.take(Op.CREATE), None)
    assert limited.rate == 2


def test_it_is_empty_after_a_refusal(clock: Clock) -> None:
    limited = growing(Allowance(5, 2), clock)
    limited.throttled(Op.CREATE, limited.take(Op.CREATE), None)
    before = clock.now
    limited.take(Op.CREATE)
    assert clock.now - before == pytest.approx(1)


def test_it_is_closed_for_as_long_as_the_cloud_says(clock: Clock) -> None:
    limited = growing(Allowance(5, 2), clock)
    limited.throttled(Op.CREATE, limited.take(Op.CREATE), 30.0)
    told = refusal(limited)
    assert told.retry_after is not None
    assert clock.now + told.retry_after >= 1000 + 30
    assert "throttled create requests" in told.text
    clock.now = 1031.0
    limited.take(Op.CREATE)


def test_what_the_cloud_says_of_creates_holds_no_destroy_up(clock: Clock) -> None:
    limited = bucket(4, clock)
    limited.throttled(Op.CREATE, limited.take(Op.CREATE), 60.0)
    limited.take(Op.DESTROY)
    assert clock.now - 1000 < 1


def test_after_a_refusal_it_comes_back_by_a_tenth_of_its_first_rate_in_a_second(clock: Clock) -> None:
    limited = growing(Allowance(5, 2), clock)
    limited.throttled(Op.CREATE, limited.take(Op.CREATE), None)
    assert limited.rate == 1
    began = clock.now
    while limited.rate < 2:
        limited.take(Op.CREATE)
        limited.answered()
    assert 4 <= clock.now - began <= 7


def test_no_row_of_refusals_stops_it_for_good(clock: Clock) -> None:
    limited = growing(Allowance(5, 8), clock)
    for _ in range(30):
        clock.now += 10
        limited.throttled(Op.CREATE, limited.take(Op.CREATE), None)
    assert limited.rate == 0.5


def _means(means: RemoteError | None, _error: Exception) -> RemoteError | None:
    return means


def test_a_limiter_heeds_what_an_error_says_of_it(clock: Clock) -> None:
    limited = growing(Allowance(5, 2), clock)
    limiter = Limiter({Op.CREATE: limited})
    known = RemoteError(ErrorKind.THROTTLED, "slow down", retry_after=1.0)
    for means, rate in ((None, 2), (known, 1)):
        with pytest.raises(ValueError, match="no"), limiter.request(Op.CREATE, partial(_means, means)):
            raise ValueError("no")
        assert limited.rate == rate


def test_against_a_cloud_that_throttles_as_ec2_documents_most_of_its_rate_is_used(clock: Clock) -> None:
    """Five at once, two a second; ours does not know how many the account has left when it begins."""
    limited = growing(Allowance(5, 2), clock)
    theirs = Bucket(clock, 5, 2)
    done = refused = 0
    while clock.now < 1000 + 300:
        try:
            sent = limited.take(Op.CREATE)
        except RemoteFailure as failure:
            clock.now += failure.error.retry_after or 1.0
            continue
        if theirs.take():
            done += 1
            limited.answered()
        else:
            refused += 1
            limited.throttled(Op.CREATE, sent, None)
    assert done > 0.7 * (5 + 2 * 300)
    assert refused < done / 10


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


# ---- for how many nodes one request asks -----------------------------------------------------------------------------


def test_a_request_asks_for_no_more_nodes_than_the_cloud_documents(clock: Clock) -> None:
    size = RequestSize(Allowance(250, 2), clock)
    for left in (250, 150, 50):  # other operators ask before the cloud has answered
        assert size.of(100) == min(100, left)
    assert size.of(100) == 1  # of single nodes the bucket of requests knows
    clock.now += 20
    assert size.of(100) == 40
    clock.now += 3600
    assert size.of(1000) == 250
    size.give_back(30)
    size.refused(220)  # of them the cloud has made none
    assert size.of(1000) == 110  # half as many as were too many


def test_after_a_refusal_half_as_many_are_asked_for_and_twice_as_many_after_each_that_is_taken(clock: Clock) -> None:
    size = RequestSize(Allowance(1000, 2), clock)
    size.refused(100)
    assert size.of(100) == 50
    size.refused(50)
    assert size.of(100) == 25
    size.taken(25)
    assert size.of(100) == 50
    size.taken(10)  # there were no more: that tells nothing of a larger one
    assert size.of(100) == 50
    size.taken(50)
    assert size.of(100) == 100


def test_of_a_cloud_that_documents_nothing_all_are_asked_for(clock: Clock) -> None:
    assert RequestSize(None, clock).of(100) == 100


def test_a_create_of_several_that_is_refused_makes_the_next_one_smaller() -> None:
    limiter = Limiter.of(None, {Op.CREATE: Allowance(5, 2), Op.NODE: Allowance(1000, 2)})
    known = RemoteError(ErrorKind.THROTTLED, "slow down")
    for nodes, most in ((1, 100), (100, 50)):
        with pytest.raises(ValueError, match="no"), limiter.request(Op.CREATE, partial(_means, known), nodes=nodes):
            raise ValueError("no")
        assert limiter.nodes.of(100) == most


def test_who_has_no_patience_is_told_at_once(clock: Clock) -> None:
    limited = growing(Allowance(1, 1), clock)
    limited.take(Op.TAG, 0.0)
    before = clock.now
    with pytest.raises(RemoteFailure):
        limited.take(Op.TAG, 0.0)
    assert clock.now == before


def test_who_does_not_wait_keeps_no_turn(clock: Clock) -> None:
    """A thousand new nodes whose tags there is no time for do not hold up those that are written afterwards."""
    bucket = TokenBucket(Allowance(1, 10), clock=clock, wait=clock.wait)
    bucket.throttled(Op.TAG, bucket.take(Op.TAG), 60.0)
    for _ in range(1000):
        with pytest.raises(RemoteFailure):
            bucket.take(Op.TAG, patience=0.0)
    with pytest.raises(RemoteFailure) as refusal:
        bucket.take(Op.TAG)
    assert refusal.value.error.retry_after is not None
    assert refusal.value.error.retry_after <= 60.0
