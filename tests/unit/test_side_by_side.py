"""Files that wait stand among files that work, none is torn apart, and nothing is lost."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from side_by_side import WAITING, mixed


def order(items: Sequence[str]) -> list[str]:
    return mixed(items, lambda item: item.partition("::")[0])


def test_what_waits_is_spread_and_what_is_short_stands_at_the_end() -> None:
    work = [f"tests/unit/test_{number}.py::test" for number in range(10)]
    wait = [f"{WAITING}test_{number}.py::test" for number in range(4)]
    mixture = order([*work, *wait])
    assert sorted(mixture) == sorted([*work, *wait])
    assert [item for item in mixture if item in work] == work
    assert [item for item in mixture if item in wait] == wait
    assert [mixture.index(item) for item in wait] == [1, 4, 7, 10]


def test_tests_of_a_file_stay_together_and_in_their_order() -> None:
    found = order(["a::2", f"{WAITING}b::1", "a::1", "c::1", f"{WAITING}b::2", "d::1"])
    assert found == ["a::2", "a::1", f"{WAITING}b::1", f"{WAITING}b::2", "c::1", "d::1"]


@pytest.mark.parametrize("items", [[], ["a::1", "b::1"], [f"{WAITING}a::1", f"{WAITING}b::1"]])
def test_of_one_kind_alone_the_order_stays(items: list[str]) -> None:
    assert order(items) == items
