"""The catalogue: whole, told apart, and as doc/doctor.md has it."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from arvnodeman.doctor import checks, reference
from arvnodeman.doctor.base import Area, CannotTell, Check, Finding, NotHere, first_of
from arvnodeman.doctor.catalogue import CHECKS, find, of_area
from arvnodeman.doctor.examined import examine
from arvnodeman.doctor.facts import FactPart, Facts

FOLDER = Path(checks.__file__).parent
PAGE = Path(__file__).resolve().parents[3] / reference.PAGE


def test_every_file_of_checks_is_in_the_catalogue_once_by_its_own_name() -> None:
    files = {path.stem for path in FOLDER.glob("*.py")} - {"__init__"}
    assert {check.name.replace("-", "_") for check in CHECKS} == files
    assert len(CHECKS) == len(files) >= 25
    for stem in files:
        assert importlib.import_module(f"arvnodeman.doctor.checks.{stem}").CHECK is find(stem.replace("_", "-"))


def test_each_says_what_is_wrong_and_what_mends_it_in_a_sentence() -> None:
    for check in CHECKS:
        assert check.says.endswith("."), check.name
        assert check.mends.endswith((".", ")")), check.name
        assert "\n" not in check.says + check.mends


def test_the_page_has_the_catalogue_as_it_is() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert reference.page_text(text) == text, "python -m arvnodeman.doctor.reference writes it anew"


def test_areas_part_the_catalogue() -> None:
    assert sum(len(of_area(area)) for area in Area) == len(CHECKS)


def test_a_misspelt_check_is_told_with_the_nearest() -> None:
    with pytest.raises(LookupError, match="did you mean stuck-drains"):
        find("stuck-drain")


def _check(*found: Finding, why: Exception | None = None, name: str = "x", **more: object) -> Check:
    def judge(_facts: Facts) -> object:
        if why is not None:
            raise why
        return iter(found)

    return Check(name, Area.SLURM, "It is so.", "Mend it.", judge, **more)  # type: ignore[arg-type]


def test_what_could_not_be_fetched_is_told_and_what_is_not_here_is_not() -> None:
    examined = examine(
        [
            _check(Finding("a is wrong", "a"), name="a"),
            _check(why=CannotTell("Slurm is away"), name="b"),
            _check(why=NotHere("no such thing"), name="c"),
        ],
        Facts(now=7.0),
    )
    assert [(each.check, each.text, each.mends) for each in examined.found] == [("a", "a is wrong", "Mend it.")]
    assert (examined.untold, examined.checks, examined.at) == ({"b": "Slurm is away"}, 1, 7.0)


def test_an_examination_that_is_to_stop_leaves_the_other_checks() -> None:
    asked: list[bool] = []

    def stopping() -> bool:
        asked.append(True)
        return len(asked) > 1

    examined = examine([_check(Finding("a")), _check(Finding("b"))], Facts(), stopping)
    assert [each.text for each in examined.found] == ["a"]


def test_nothing_is_mended_by_itself_that_the_check_has_no_remedy_for() -> None:
    (found,) = _check(Finding("a", by_itself=True)).occurs(Facts())
    assert not found.by_itself


def test_a_finding_is_still_there_while_the_same_thing_is_wrong_in_whatever_words() -> None:
    facts = Facts()
    check = _check(Finding("n1 is down for 2 h", about="n1"), Finding("the disk is full"))
    assert check.still_there(Finding("n1 is down for 1 h", about="n1"), facts)
    assert check.still_there(Finding("the disk is full"), facts)
    assert not check.still_there(Finding("n2 is down for 1 h", about="n2"), facts)


def test_a_part_is_fetched_once_and_a_failure_stands() -> None:
    fetched: list[int] = []

    def fetch() -> int:
        fetched.append(1)
        if len(fetched) > 1:
            raise CannotTell("away")
        return 5

    part = FactPart(fetch)
    assert (part(), part(), fetched) == (5, 5, [1])
    failing = FactPart(fetch)
    for _ in range(2):
        with pytest.raises(CannotTell, match="away"):
            failing()
    assert len(fetched) == 2


def test_many_names_are_told_by_the_first() -> None:
    assert first_of(["a", "b"]) == "a, b"
    assert first_of(list("abcdefg")) == "a, b, c, d, e and 2 more"
