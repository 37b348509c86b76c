"""What would alter a plan: one option after the other, planned anew, and the nearest value of each that does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from pictures import ONE, bounds, picture

from arvnodeman.fleet.plan.asking import MOST_PLANS, Asker, NoMorePlans, Variable, number, whole
from arvnodeman.fleet.plan.picture import Picture
from arvnodeman.fleet.plan.plan import Plan
from arvnodeman.fleet.values.counterfactual import Meant, OptionChange, OptionValue

JOBS = 5
WAITING = picture({ONE: list(range(JOBS))}, bounds=bounds(max_nodes=0))


def boots(number_of: int) -> Callable[[Plan], str]:
    """Alters the decision, where so many nodes boot."""
    return lambda made: f"{len(made.boots)} boot" if len(made.boots) >= number_of else ""


def most_nodes(
    steps: range, asked: list[OptionValue] | None = None, option: str = "max_nodes", **more: Any
) -> Variable:
    """max_nodes, of which these values are asked; each is noted."""

    def vary(value: OptionValue) -> Picture:
        if asked is not None:
            asked.append(value)
        return replace(WAITING, bounds=bounds(max_nodes=whole(value)))

    known: dict[str, Any] = {"section": "Daemon", "option": option, "now": 2, "bound": Meant.AT_LEAST}
    return Variable(**{**known, "steps": steps, "vary": vary, **more})


def change(needed: OptionValue, effect: str, size: float, option: str = "max_nodes", unit: str = "") -> OptionChange:
    return OptionChange("Daemon", option, 2, Meant.AT_LEAST, needed, unit, effect, size)


# ---- the nearest value of one option ---------------------------------------------------------------------------------


@pytest.mark.parametrize("needed", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("furthest", [5, 6, 9, 99])
def test_the_nearest_value_that_alters_it_is_named_with_what_it_brings(needed: int, furthest: int) -> None:
    found = Asker(boots(needed)).changes([most_nodes(range(1, furthest + 1))])
    assert found == [change(needed, f"{needed} boot", abs(needed - 2) / 2)]


def test_it_is_looked_for_by_halves() -> None:
    asked: list[OptionValue] = []
    asker = Asker(boots(3))
    assert asker.changes([most_nodes(range(1, 65), asked)])[0].needed == 3
    assert asked == [64, 32, 16, 8, 4, 2, 3]
    assert asker.plans == len(asked)
    assert asker.furthest == {}


@pytest.mark.parametrize("guess", [1, 2, 3, 4, 63, 64, 65, -7])
def test_a_guess_is_asked_first_with_the_one_before_it_and_changes_nothing_but_how_many_are(guess: int) -> None:
    asked: list[OptionValue] = []
    seen: list[int] = []

    def enough(made: Plan) -> int:
        seen.append(len(made.boots))
        return guess

    found = Asker(boots(3)).changes([most_nodes(range(1, 65), asked, enough=enough)])
    assert found[0].needed == 3
    assert seen == [JOBS]  # by the plan of the furthest value, once
    if guess == 3:
        assert asked == [64, 3, 2]
    if guess == 4:
        assert asked == [64, 4, 3, 1, 2]


def test_steps_may_be_wider_than_one_and_go_down() -> None:
    assert Asker(boots(3)).changes([most_nodes(range(2, 20, 2))])[0].needed == 4
    down = Asker(lambda made: "" if made.boots else "none boots").changes([most_nodes(range(5, -1, -1))])
    assert [(each.needed, each.effect) for each in down] == [(0, "none boots")]
    asked: list[OptionValue] = []
    guess = most_nodes(range(10, 61, 10), asked, enough=lambda made: 30, value=lambda step: step // 10)
    assert Asker(boots(3)).changes([guess])[0].needed == 3
    assert asked == [6, 3, 2]


def test_what_alters_nothing_at_its_furthest_is_not_named_and_its_plan_is_kept() -> None:
    asker = Asker(boots(JOBS + 1))
    assert asker.changes([most_nodes(range(1, 9)), most_nodes(range(1, 4), option="other")]) == []
    assert {option: len(made.boots) for option, made in asker.furthest.items()} == {"max_nodes": JOBS, "other": 3}
    assert asker.plans == 2


def test_an_option_without_values_is_not_asked() -> None:
    asker = Asker(boots(1))
    assert asker.changes([most_nodes(range(0)), most_nodes(range(1, 2))]) == [change(1, "1 boot", 0.5)]
    assert asker.plans == 1


# ---- several options -------------------------------------------------------------------------------------------------


def test_the_smallest_change_comes_first_and_each_option_once() -> None:
    def part(size: float) -> Callable[[int], float]:
        return lambda step: size * step

    variables = [
        most_nodes(range(1, 9), part=part(3.0)),
        most_nodes(range(1, 9), option="other", unit="$", part=part(2.0)),
        most_nodes(range(2, 9), part=part(0.5)),  # the same option again, by a smaller change
    ]
    assert Asker(boots(1)).changes(variables) == [
        change(2, "2 boot", 1.0),
        change(1, "1 boot", 2.0, option="other", unit="$"),
    ]


@pytest.mark.parametrize(
    ("now", "needed", "size"), [(2, 3, 0.5), (4, 3, 0.25), (0, 3, 3.0), (-2, 3, 2.5), ("no", 3, 1.0), (2.0, "yes", 1.0)]
)
def test_how_large_a_change_is(now: OptionValue, needed: OptionValue, size: float) -> None:
    variable = most_nodes(range(3, 4), now=now, value=lambda step: needed, vary=lambda value: _of(3))
    assert [each.size for each in Asker(boots(1)).changes([variable])] == [size]


def _of(nodes: int) -> Picture:
    return replace(WAITING, bounds=bounds(max_nodes=nodes))


# ---- how many plans are made -----------------------------------------------------------------------------------------


def test_a_question_has_so_many_plans_and_what_was_found_by_then_is_told() -> None:
    asker = Asker(boots(1), most=4)
    assert [each.option for each in asker.changes([most_nodes(range(1, 3)), most_nodes(range(1, 3), option="o")])] == [
        "max_nodes",
        "o",
    ]
    assert asker.plans == 4
    asker = Asker(boots(1), most=3)
    assert asker.changes([most_nodes(range(1, 3)), most_nodes(range(1, 3), option="o")]) == [change(1, "1 boot", 0.5)]
    assert asker.plans == 3
    with pytest.raises(NoMorePlans):
        asker.plan_of(WAITING)
    assert asker.plans == 3


def test_usually_it_has_a_hundred() -> None:
    asker = Asker(boots(1))
    for _ in range(MOST_PLANS):
        asker.plan_of(WAITING)
    with pytest.raises(NoMorePlans):
        asker.plan_of(WAITING)


def test_another_question_has_the_plans_that_are_left_and_looks_for_another_effect() -> None:
    asker = Asker(boots(JOBS + 1), most=4)
    assert asker.changes([most_nodes(range(1, 9))]) == []
    other = asker.asking(boots(1))
    assert (other.plans, other.furthest) == (1, {})
    assert other.changes([most_nodes(range(1, 3)), most_nodes(range(1, 3), option="o")]) == [change(1, "1 boot", 0.5)]
    assert (other.plans, asker.plans) == (4, 1)


# ---- values ----------------------------------------------------------------------------------------------------------


def test_a_number_is_read_of_what_is_one() -> None:
    assert (number(2), number(2.5)) == (2.0, 2.5)
    assert isinstance(number(2), float)
    assert whole(3) == 3
    with pytest.raises(AssertionError):
        number("2")
    with pytest.raises(AssertionError):
        whole(2.5)
