"""Which subnet a boot is tried in first."""

from __future__ import annotations

import pytest

from arvnodeman.cloud import ec2_subnets
from arvnodeman.cloud.ec2_subnets import SHORT, Subnets


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_the_order_is_that_of_the_configuration() -> None:
    assert Subnets(("c", "a", "b")).order("boot", "m5.large") == ("c", "a", "b")
    assert Subnets(()).order("boot", "m5.large") == ()


def test_a_subnet_that_was_short_comes_last_for_a_while_and_for_that_type(clock: Clock) -> None:
    subnets = Subnets(("a", "b", "c"), clock)
    subnets.is_short("a", "m5.large")
    assert subnets.order("boot", "m5.large") == ("b", "c", "a")
    assert subnets.order("boot", "m5.xlarge") == ("a", "b", "c")
    clock.now += SHORT
    assert subnets.order("boot", "m5.large") == ("a", "b", "c")


def test_a_boot_goes_on_where_it_has_not_been_answered(clock: Clock) -> None:
    subnets = Subnets(("a", "b", "c"), clock)
    subnets.asked("boot", "b")
    subnets.is_short("b", "m5.large")
    assert subnets.order("boot", "m5.large") == ("b", "a", "c")
    assert subnets.order("other", "m5.large") == ("a", "c", "b")
    subnets.answered("boot")
    subnets.answered("boot")
    assert subnets.order("boot", "m5.large") == ("a", "c", "b")


def test_what_is_remembered_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ec2_subnets, "_MOST", 2)
    subnets = Subnets(("a", "b"))
    for boot in ("1", "2", "3"):
        subnets.asked(boot, "b")
    assert subnets.order("1", "x") == ("a", "b")
    assert subnets.order("3", "x") == ("b", "a")
