"""Asking the plan what would change it: the same picture with one option otherwise, planned anew.

An option is asked at the furthest value that it may have; where that alters the decision, the nearest one that does is
looked for by halves. So the value that is named alters it, and the one before it does not: both have been planned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from arvnodeman.fleet.plan.picture import Picture
from arvnodeman.fleet.plan.plan import Plan, plan
from arvnodeman.fleet.values.counterfactual import Meant, OptionChange, OptionValue

MOST_PLANS = 100  # for one question

Effect = Callable[[Plan], str]  # what a plan decides otherwise, in words; '': nothing


@dataclass(frozen=True, slots=True)
class Variable:
    """An option, and the pictures that other values of it make."""

    section: str
    option: str
    now: OptionValue
    bound: Meant
    steps: range  # the values that are asked, the nearest first, in steps of the option
    vary: Callable[[OptionValue], Picture]
    unit: str = ""
    value: Callable[[int], OptionValue] = int  # of a step
    enough: Callable[[Plan], int] | None = None  # a step that is likely to do, by the plan of the furthest one
    part: Callable[[int], float] | None = None  # how large a change a step is, as a part of what is now


class NoMorePlans(Exception):
    """The question has had its plans."""


class Asker:
    """One question: what does it take that a plan decides otherwise?"""

    def __init__(self, effect: Effect, most: int = MOST_PLANS) -> None:
        self.plans = 0
        self.furthest: dict[str, Plan] = {}  # by option, of those that alter nothing: what their furthest values bring
        self._effect = effect
        self._most = most

    def plan_of(self, picture: Picture) -> Plan:
        """A plan that is counted. Raises NoMorePlans."""
        if self.plans >= self._most:
            raise NoMorePlans
        self.plans += 1
        return plan(picture)

    def asking(self, effect: Effect) -> Asker:
        """Another question, about the same: it has the plans that are left."""
        other = Asker(effect, self._most)
        other.plans = self.plans
        return other

    def changes(self, variables: Iterable[Variable]) -> list[OptionChange]:
        """The options each of which alters it alone, the smallest change first."""
        found: list[OptionChange] = []
        try:
            for variable in variables:
                change = self._nearest(variable)
                if change is not None:
                    found.append(change)
        except NoMorePlans:
            pass  # what was found is right, and there may be more
        smallest: dict[tuple[str, str], OptionChange] = {}
        for change in sorted(found, key=lambda change: change.size):
            smallest.setdefault((change.section, change.option), change)
        return list(smallest.values())

    def _nearest(self, variable: Variable) -> OptionChange | None:
        steps = variable.steps
        if not steps:
            return None
        last = len(steps) - 1
        made = self._ask(variable, last)
        effect = self._effect(made)
        if not effect:
            self.furthest[variable.option] = made
            return None
        before = -1  # what is now
        guesses = self._guesses(variable, made)
        while last - before > 1:
            middle = next((each for each in guesses if before < each < last), (before + last) // 2)
            if nearer := self._effect(self._ask(variable, middle)):
                last, effect = middle, nearer
            else:
                before = middle
        step = steps[last]
        needed = variable.value(step)
        return OptionChange(
            variable.section,
            variable.option,
            variable.now,
            variable.bound,
            needed,
            variable.unit,
            effect,
            variable.part(step) if variable.part is not None else _part(variable.now, needed),
        )

    def _guesses(self, variable: Variable, made: Plan) -> list[int]:
        """Where it is likely to be: what does, and the one before, which does not; each is asked once."""
        if variable.enough is None:
            return []
        guess = (variable.enough(made) - variable.steps.start) // variable.steps.step
        return [guess, guess - 1]

    def _ask(self, variable: Variable, at: int) -> Plan:
        return self.plan_of(variable.vary(variable.value(variable.steps[at])))


def number(value: OptionValue) -> float:
    """A value that is one."""
    assert not isinstance(value, str)
    return float(value)


def whole(value: OptionValue) -> int:
    """A value that is a whole number."""
    assert isinstance(value, int)
    return value


def _part(now: OptionValue, needed: OptionValue) -> float:
    """How large a change is, as a part of what is now. A word is another one, whatever it says."""
    if isinstance(now, str) or isinstance(needed, str):
        return 1.0
    return abs(needed - now) / (abs(now) or 1.0)
