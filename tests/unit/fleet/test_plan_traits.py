"""What jobs of a shape look for is kept from plan to plan, for as long as nothing that it depends on is another."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pictures import picture
from test_plan_sharing import ALL, MENU, job, sizes
from world import policy

from arvnodeman.fleet.plan.picture import NodeTally
from arvnodeman.fleet.plan.traits import FORGOTTEN, KnownTraits
from arvnodeman.fleet.values.capacity import Capacity

SHARED = picture(table=ALL)
LESS = NodeTally(whole={("sixteen", 0): {Capacity(15, 60_000): 1}})


def test_it_is_kept_while_all_is_as_it_was() -> None:
    """Whatever else a picture tells."""
    known = KnownTraits(SHARED)
    traits = known.of(job(3))
    later = replace(SHARED, t=9.0, demand={job(3): [0]}, tally=NodeTally(nodes=3))
    assert known.of_picture(later) is known
    assert known.of(job(3)) is traits


@pytest.mark.parametrize(
    "other",
    [{"tally": LESS}, {"table": sizes(**MENU)}, {"policy": policy(max_jobs_per_node=3)}],
    ids=("tally", "table", "policy"),
)
def test_it_is_worked_out_anew_where_something_else_counts(other: dict[str, Any]) -> None:
    """Each alone."""
    changed = replace(SHARED, **other)
    known = KnownTraits(SHARED).of_picture(changed)
    assert known.of_picture(changed) is known
    new = KnownTraits(changed)
    assert (known.most, known.table) == (new.most, new.table)
    for size in known.table.cheapest_first:
        assert known.room(size) == new.room(size)


def test_names_that_are_known_now_change_what_fits() -> None:
    """The table is the same object then."""
    table = sizes(**MENU)
    known = KnownTraits(picture(table=table))
    table.know_names(frozenset({frozenset({"fast"})}))
    assert known.of_picture(picture(table=table)) is not known


def test_shapes_of_which_none_waits_are_forgotten() -> None:
    """Where every job asks for another number of bytes, new ones come without end."""
    known = KnownTraits(SHARED)
    stays = known.of(job(1))
    goes = [known.of(job(1, 1000 + number)) for number in range(FORGOTTEN + 2)]
    assert known.of_picture(replace(SHARED, demand={job(1): [0]})) is known
    assert known.of(job(1)) is stays
    assert known.of(job(1, 1000)) is not goes[0]
