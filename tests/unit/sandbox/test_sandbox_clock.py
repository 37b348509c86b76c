"""The site's clock."""

from __future__ import annotations

import threading

import pytest

from arvnodeman.sandbox.clock import LiveClock, VirtualClock


def test_events_happen_in_order_of_time_and_equals_in_the_order_asked_for() -> None:
    clock = VirtualClock()
    seen: list[str] = []
    clock.after(2, lambda: seen.append("c"))
    clock.after(1, lambda: seen.append("a"))
    clock.after(1, lambda: seen.append("b"))
    clock.advance(1.5)
    assert seen == ["a", "b"]
    clock.advance(1)
    assert seen == ["a", "b", "c"]


def test_an_event_asked_for_in_an_event_happens_at_its_own_time() -> None:
    clock = VirtualClock()
    seen: list[float] = []
    clock.after(1, lambda: clock.after(1, lambda: seen.append(clock.elapsed())))
    clock.advance(10)
    assert seen == [2.0]


def test_a_cancelled_event_does_not_happen() -> None:
    clock = VirtualClock()
    seen: list[str] = []
    clock.after(1, lambda: seen.append("x")).cancel()
    clock.advance(2)
    assert seen == []


def test_wall_time_passes_slower_by_the_speed() -> None:
    clock = VirtualClock(speed=20)
    start = clock.wall()
    clock.advance(100)
    assert clock.wall() - start == pytest.approx(5)


def test_the_live_clock_lets_events_happen_until_it_is_stopped_and_survives_one_that_fails(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = LiveClock(speed=1000)
    done = threading.Event()
    clock.after(1, lambda: 1 / 0)
    clock.after(2, done.set)
    thread = threading.Thread(target=clock.run)
    thread.start()
    try:
        assert done.wait(10)
        later = threading.Event()
        clock.after(1, later.set)  # while the thread waits for nothing
        assert later.wait(10)
    finally:
        clock.stop()
        thread.join(10)
    assert not thread.is_alive()
    assert "an event of the site failed" in caplog.text
