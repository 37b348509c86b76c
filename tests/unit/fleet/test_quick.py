"""Frozen dataclasses that are made fast are what they would be else."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Mapping
from dataclasses import FrozenInstanceError, dataclass, field, fields, replace

import pytest

from arvnodeman.fleet.plan.picture import Ends, NodeTally
from arvnodeman.fleet.values.capacity import Capacity
from arvnodeman.fleet.values.model import NodeRecord
from arvnodeman.fleet.values.quick import quick


@dataclass(frozen=True, slots=True)
class Plain:
    """As every dataclass is made."""

    a: int
    b: tuple[int, ...] = ()
    c: Mapping[str, int] = field(default_factory=dict)
    d: float = field(default=1.0, kw_only=True)


@quick
@dataclass(frozen=True, slots=True)
class Fast:
    """The same."""

    a: int
    b: tuple[int, ...] = ()
    c: Mapping[str, int] = field(default_factory=dict)
    d: float = field(default=1.0, kw_only=True)


def test_it_is_made_as_another_is() -> None:
    """Of the same arguments, with the same defaults, and refuses the same."""
    for made in (Fast(1), Fast(1, (2,), {"x": 1}), Fast(a=1, d=2.0), Fast(1, c={"y": 2}, d=0.0)):
        values = {each.name: getattr(made, each.name) for each in fields(made)}
        assert repr(made) == repr(Plain(**values)).replace("Plain", "Fast")
        assert made == Fast(**values)
        assert made != Fast(**{**values, "a": 9})
    assert Fast(1).c is not Fast(1).c
    with pytest.raises(TypeError, match="'a'"):
        Fast()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="'e'"):
        Fast(1, e=2)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="positional"):
        Fast(1, (), {}, 2.0)  # type: ignore[call-arg]


@pytest.mark.parametrize("made", [Fast(1, (2,)), Capacity(3), NodeRecord("uuid", slot=1), Ends(), NodeTally(nodes=2)])
def test_nobody_can_change_it_and_it_can_be_copied_and_sent(made: Fast) -> None:
    """Also where its class has methods, and where a value has several of them."""
    for each in fields(made):
        with pytest.raises(FrozenInstanceError):
            setattr(made, each.name, None)
    for other in (copy.copy(made), copy.deepcopy(made), pickle.loads(pickle.dumps(made)), replace(made)):
        assert other == made
        assert type(other) is type(made)


def test_equal_ones_have_one_hash() -> None:
    """They stand in tables."""
    assert hash(Capacity(3, 5.0)) == hash(Capacity(3, 5.0))
    assert {Capacity(3): 1}[Capacity(3)] == 1
    match Capacity(3, 5.0):
        case Capacity(cpus, ram):
            assert (cpus, ram) == (3, 5.0)
