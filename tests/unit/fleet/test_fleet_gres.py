"""GRES as operators and squeue write them."""

from __future__ import annotations

import pytest

from arvnodeman.fleet.values.gres import Gres, NoGres, meets, offered, words
from arvnodeman.slurm.gres import asked


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("gpu", (("gpu", 1),)),
        ("gpu:2", (("gpu", 2),)),
        ("gpu:tesla", (("gpu:tesla", 1),)),
        (" gpu:tesla:2 , license=3", (("gpu:tesla", 2), ("license", 3))),
        ("z:1,a:1", (("a", 1), ("z", 1))),  # sorted
        ("gpu:1g.5gb:7", (("gpu:1g.5gb", 7),)),  # a type that begins with a figure
        ("shard:2K", (("shard", 2048),)),
        ("shard:tesla:1m", (("shard:tesla", 1 << 20),)),
        ("x:1g,y:1T,z:1p", (("x", 1 << 30), ("y", 1 << 40), ("z", 1 << 50))),
        ("GPU:1", (("GPU", 1),)),
        ("cpu:2", (("cpu", 2),)),  # an operator may call a thing so
    ],
)
def test_what_a_size_offers(text: str, found: Gres) -> None:
    assert offered(text) == found


@pytest.mark.parametrize(
    ("text", "mistakes"),
    [
        ("", ("'' is not NAME, NAME:COUNT or NAME:TYPE:COUNT",)),
        ("gres:gpu", ("'gres:gpu' is not NAME, NAME:COUNT or NAME:TYPE:COUNT",)),
        ("GRES", ("'GRES' is not NAME, NAME:COUNT or NAME:TYPE:COUNT",)),
        ("gpu:0", ("'gpu:0' offers nothing",)),
        ("gpu:1,gpu:2", ("'gpu:2' occurs twice",)),
        ("7", ("'7' is not NAME, NAME:COUNT or NAME:TYPE:COUNT",)),
        ("gpu:0, gpu:1 ,,", ("'gpu:0' offers nothing", *["'' is not NAME, NAME:COUNT or NAME:TYPE:COUNT"] * 2)),
        ("!" * 40, ("'" + "!" * 40 + "' is not NAME, NAME:COUNT or NAME:TYPE:COUNT",)),
        ("!" * 41, ("'" + "!" * 40 + "…' is not NAME, NAME:COUNT or NAME:TYPE:COUNT",)),
    ],
)
def test_every_mistake_in_an_offer_is_told(text: str, mistakes: tuple[str, ...]) -> None:
    with pytest.raises(NoGres) as told:
        offered(text)
    assert told.value.mistakes == mistakes
    assert str(told.value) == "; ".join(mistakes)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", {}),
        ("N/A", {}),
        ("(null)", {}),
        ("none", {}),
        ("gpu", {"gpu": 1}),
        ("gpu:2", {"gpu": 2}),
        ("gres:gpu:tesla:2,gres:license:1", {"gpu:tesla": 2, "license": 1}),
        ("gres/gpu:1,GRES/gpu:2", {"gpu": 3}),
        ("gpu:0,license:1", {"license": 1}),
        ("cpu=2,mem=4g,node=1,billing=2,gres/gpu=1", {"gpu": 1}),
        ("energy=1,pages=1,vmem=1,CPU=1", {}),
        ("gres/cpu:2", {"cpu": 2}),  # one that is called so
    ],
)
def test_what_a_job_asks_for(text: str, wanted: dict[str, int]) -> None:
    assert asked(text) == wanted


def test_what_a_job_asks_for_is_made_that_of_each_node() -> None:
    assert asked("gpu:4,gpu:2", lambda count: count * 10) == {"gpu": 60}


@pytest.mark.parametrize(("text", "told"), [("gpu:1,!", "not a GRES: '!'"), ("!" * 81, f"not a GRES: {'!' * 80!r}")])
def test_a_text_that_is_no_gres_is_named(text: str, told: str) -> None:
    with pytest.raises(NoGres) as error:
        asked(text)
    assert error.value.mistakes == (told,)


@pytest.mark.parametrize(
    ("offer", "wanted", "enough"),
    [
        ((), (), True),
        ((), (("gpu", 1),), False),
        ((("gpu", 2),), (("gpu", 2),), True),
        ((("gpu", 2),), (("gpu", 3),), False),
        ((("gpu:k80", 1), ("gpu:tesla", 2)), (("gpu", 3),), True),  # of any types
        ((("gpu:k80", 1), ("gpu:tesla", 2)), (("gpu", 4),), False),
        ((("gpu:tesla", 2),), (("gpu:k80", 1),), False),
        ((("gpux", 2),), (("gpu", 1),), False),
        ((("a", 1), ("b", 1)), (("a", 1), ("b", 2)), False),
    ],
)
def test_what_an_offer_meets(offer: Gres, wanted: Gres, enough: bool) -> None:
    assert meets(offer, wanted) is enough


def test_words_of_gres() -> None:
    assert words((("gpu:tesla", 2), ("license", 1))) == "gpu:tesla:2,license:1"
