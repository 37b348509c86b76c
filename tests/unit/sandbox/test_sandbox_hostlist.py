"""Slurm's hostlist expressions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arvnodeman.sandbox.hostlist import compress, expand


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ("compute1", ["compute1"]),
        ("compute[1-3,7]", ["compute1", "compute2", "compute3", "compute7"]),
        ("a,b[01-03],c9", ["a", "b01", "b02", "b03", "c9"]),
        ("", []),
    ],
)
def test_expressions_are_expanded(expression: str, names: list[str]) -> None:
    assert expand(expression) == names


@pytest.mark.parametrize("expression", ["compute[1", "compute[3-1]", "compute[a]", "compute[1-99999999]", "x[]", "[1]"])
def test_bad_expressions_are_refused(expression: str) -> None:
    with pytest.raises(ValueError, match=r"Invalid|Too many"):
        expand(expression)


def test_names_are_compressed_as_slurm_prints_them() -> None:
    names = [f"compute{n}" for n in range(960)] + ["cloud0", "cloud5"]
    assert compress(names) == "cloud[0,5],compute[0-959]"
    assert compress(["compute3"]) == "compute3"
    assert compress(["node", "c02", "c01"]) == "node,c[01-02]"


@given(st.sets(st.integers(0, 3000), min_size=1))
def test_compressing_and_expanding_gives_the_same_names(numbers: set[int]) -> None:
    names = {f"compute{number}" for number in numbers}
    assert set(expand(compress(names))) == names
