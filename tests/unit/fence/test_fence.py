"""The fence lets a request through only if it is over before the lead may have ended."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import pytest

from arvnodeman.fence import fence as fences
from arvnodeman.fence.fence import ALWAYS, Fence, open_fence
from arvnodeman.fleet.values.model import ErrorKind, RemoteFailure


@dataclass
class Clock:
    """Steady seconds, as the test sets them."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def refusal(fence: Fence, seconds: float = 0.0) -> str:
    with pytest.raises(RemoteFailure) as caught:
        fence.check(seconds)
    assert caught.value.error.kind is ErrorKind.NOT_LEADER
    return caught.value.error.text


def test_nothing_goes_out_before_the_first_hold() -> None:
    fence = Fence(60.0, 6.0, Clock())
    assert refusal(fence) == "not the leader: it does not lead yet"
    assert not fence.standing.acts
    assert not fence.standing.leads
    assert fence.refused == 1


@pytest.mark.parametrize(
    ("age", "seconds", "passes"),
    [
        (0, 53.9, True),
        (0, 54, False),
        (30, 23.9, True),
        (30, 24, False),
        (53.9, 0, True),
        (54, 0, False),
        (999, 0, False),
    ],
)
def test_a_request_passes_that_is_over_before_the_margin(age: float, seconds: float, passes: bool) -> None:
    clock = Clock()
    fence = Fence(60.0, 6.0, clock)
    fence.hold(7, clock.now)
    clock.now += age
    if passes:
        assert fence.check(seconds) == 7
    else:
        assert "not the leader: its lead " in refusal(fence, seconds)


def test_a_hold_counts_from_when_its_request_began() -> None:
    clock = Clock()
    fence = Fence(60.0, 6.0, clock)
    fence.hold(1, clock.now - 50)  # the answer came late
    assert fence.check(3.9) == 1
    refusal(fence, 4.0)


def test_an_older_answer_of_the_same_lead_takes_nothing_back() -> None:
    clock = Clock()
    fence = Fence(60.0, 6.0, clock)
    fence.hold(1, clock.now)
    fence.hold(1, clock.now - 50)
    assert fence.standing.age == 0
    fence.hold(2, clock.now - 50)  # another lead is another matter
    assert fence.standing.age == 50


def test_a_lost_lead_shuts_at_once_and_says_why() -> None:
    clock = Clock()
    fence = Fence(60.0, 6.0, clock)
    fence.hold(3, clock.now)
    fence.lose("node2:77 leads")
    assert refusal(fence) == "not the leader: node2:77 leads"
    assert fence.standing.generation == 3
    fence.hold(5, clock.now)
    assert fence.check() == 5


def test_an_open_fence_never_shuts() -> None:
    fence = open_fence()
    assert fence.check(1e9) == 0
    assert (fence.standing.age, fence.standing.left) == (0.0, ALWAYS)


def test_the_fence_of_a_process_is_open_until_it_is_set() -> None:
    before = fences.of_process()
    try:
        assert before.check(1e9) == 0
        fences.set_for_process(Fence(60.0, 6.0, Clock()))
        refusal(fences.of_process())
    finally:
        fences.set_for_process(before)


def test_many_threads_see_it_as_a_whole() -> None:
    """Never the generation of one lead with the age of another."""
    clock = Clock()
    fence = Fence(60.0, 6.0, clock)
    fence.hold(0, clock.now)
    wrong: list[object] = []
    over = threading.Event()

    def read() -> None:
        while not over.is_set():
            standing = fence.standing
            if standing.leads and standing.age != standing.generation % 2 * 50:
                wrong.append(standing)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for generation in range(1, 2000):
        fence.hold(generation, clock.now - generation % 2 * 50)
        if generation % 3 == 0:
            fence.lose("for a moment")
    over.set()
    for reader in readers:
        reader.join()
    assert not wrong
