"""Who leads, as the outside sees it: status, metrics, and the refusal of operators' words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from managed_world import Managed
from msgspec import UNSET

from arvnodeman.commands.wording import _leader, status
from arvnodeman.leader.keeper import Leading
from arvnodeman.manage import shapes
from arvnodeman.manage.access import Refusal, check_leads
from arvnodeman.manage.answers_of_leader import LeaderShown, leader

LEADS = Leading(
    backend="postgresql",
    name="a:1",
    leads=True,
    generation=7,
    leader="a:1",
    words="",
    age=12.34,
    left=41.66,
    trouble="",
    refused=0,
    changes=1,
)
STANDS_BY = replace(
    LEADS, name="b:2", leads=False, generation=0, words="a:1 leads, generation 7", age=0.0, left=0.0, changes=0
)
UNSURE = replace(LEADS, left=0.0, words="its lead was renewed 55.0 s ago for the last time, and lasts 60 s")
ALONE = replace(LEADS, backend="host", generation=0, age=0.0, left=1e9)


def shown(leading: Leading) -> LeaderShown:
    found = leader(leading)
    assert isinstance(found, LeaderShown)
    return found


def test_who_is_alone_tells_nothing_of_it() -> None:
    assert leader(ALONE) is UNSET
    assert leader(None) is UNSET
    check_leads(ALONE)
    check_leads(None)  # a dry run


def test_who_leads_says_how_sure_it_is() -> None:
    found = shown(LEADS)
    assert (found.leads, found.acts, found.age_seconds, found.left_seconds) == (True, True, 12.3, 41.7)
    assert _leader(found) == "leader: this one, a:1, generation 7, for another 42 s without being renewed"
    check_leads(LEADS)


def test_who_stands_by_names_the_leader_and_refuses_words() -> None:
    assert _leader(shown(STANDS_BY)) == "leader: a:1 leads; this one, b:2, stands by: a:1 leads, generation 7"
    with pytest.raises(Refusal) as caught:
        check_leads(STANDS_BY)
    assert caught.value.status == 409
    assert caught.value.text == "this manager stands by and takes no directives: a:1 leads, send it there"


def test_who_is_not_sure_refuses_words_too() -> None:
    assert _leader(shown(replace(UNSURE, trouble="no route to host"))) == (
        "leader: this one, a:1, generation 7, not sure: its lead was renewed 55.0 s ago for the last time, and lasts "
        "60 s; postgresql does not say who leads: no route to host"
    )
    with pytest.raises(Refusal, match="is not certain to lead and takes no directives: its lead was renewed"):
        check_leads(UNSURE)


def test_nobody_is_known_to_lead() -> None:
    lost = replace(STANDS_BY, leader="", words="nobody leads yet")
    assert _leader(shown(lost)) == "leader: nobody is known to lead; this one, b:2, stands by: nobody leads yet"
    with pytest.raises(Refusal, match="nobody leads yet"):
        check_leads(lost)


@pytest.mark.parametrize(
    ("leading", "expected"),
    [
        (LEADS, "all is well"),
        (STANDS_BY, "all is well"),
        (replace(STANDS_BY, leader="", trouble="no route to host"), "it is unknown who leads"),
    ],
)
def test_all_is_well_only_where_it_can_be_told_who_leads(tmp_path: Path, leading: Leading, expected: str) -> None:
    managed = Managed(tmp_path)
    managed.begin()
    first = next(status(shapes.status(replace(managed.source, leading=lambda: leading))))
    assert first.endswith(f": {expected}")
