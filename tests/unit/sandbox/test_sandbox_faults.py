"""Faults by name, rate and seed."""

from __future__ import annotations

import pytest

from arvnodeman.sandbox.faults import FAULTS, Faults, UnknownFault, chance


def looks(faults: Faults, name: str, times: int) -> list[bool]:
    return [faults.strikes(name) for _ in range(times)]


def test_the_same_seed_strikes_at_the_same_looks_whatever_else_is_looked_at() -> None:
    one, other = Faults(7, {"create-lost": 0.3}), Faults(7, {"create-lost": 0.3, "destroy-lost": 0.5})
    first = looks(one, "create-lost", 50)
    second = []
    for _ in range(50):
        other.strikes("destroy-lost")
        second.append(other.strikes("create-lost"))
    assert first == second
    assert 5 < sum(first) < 30
    assert looks(Faults(8, {"create-lost": 0.3}), "create-lost", 50) != first


def test_an_armed_fault_strikes_so_many_times_and_is_counted() -> None:
    faults = Faults(1)
    faults.arm("create-quota", 2)
    assert looks(faults, "create-quota", 4) == [True, True, False, False]
    assert faults.struck["create-quota"] == 2


def test_a_scope_narrows_a_fault() -> None:
    faults = Faults(1, {"create-capacity:small": 1.0})
    assert faults.strikes("create-capacity", "small")
    assert not faults.strikes("create-capacity", "large")
    faults.set_rates({"create-capacity": 1.0})
    assert faults.strikes("create-capacity", "large")


def test_a_rate_of_nothing_never_strikes_and_of_one_always() -> None:
    assert not any(looks(Faults(1, {"create-lost": 0.0}), "create-lost", 20))
    assert all(looks(Faults(1, {"create-lost": 1.0}), "create-lost", 20))


@pytest.mark.parametrize(
    ("rates", "words"),
    [
        ({"no-such": 0.1}, "unknown fault 'no-such'"),
        ({"create-lost": 1.5}, "between 0 and 1"),
        ({"create-lost": "often"}, "between 0 and 1"),
        ({"create-lost": float("nan")}, "between 0 and 1"),
        ({"create-lost": True}, "between 0 and 1"),
    ],
)
def test_a_bad_rate_is_refused_in_words_and_changes_nothing(rates: dict[str, float], words: str) -> None:
    faults = Faults(1)
    with pytest.raises(UnknownFault, match=words):
        faults.set_rates({"create-quota": 1.0, **rates})
    assert not faults.strikes("create-quota")


def test_values_and_arms_are_checked() -> None:
    faults = Faults(1)
    with pytest.raises(UnknownFault, match="unknown value"):
        faults.set_values({"hangs": 1})
    with pytest.raises(UnknownFault, match="between 0 and 3600"):
        faults.set_values({"hang": -1})
    with pytest.raises(UnknownFault, match="whole number"):
        faults.arm("create-lost", -1)
    faults.set_values({"hang": 0.5})
    assert faults.values["hang"] == 0.5


def test_every_fault_says_what_it_is() -> None:
    assert all(name == fault.name and fault.meaning for name, fault in FAULTS.items())


def test_dice_are_for_one_thing_alone() -> None:
    assert chance(1, "a", 1).random() == chance(1, "a", 1).random()
    assert chance(1, "a", 1).random() != chance(1, "a", 2).random()
