"""Where Slurm would start a job, given its reservations: as a real Slurm 22.05 did in each of these cases."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from arvnodeman.fleet.outlook.ahead import Outlook, Placing, Reservation
from arvnodeman.fleet.values.model import Job, JobOwner, JobShape
from arvnodeman.fleet.values.places import ANYWHERE, Place
from arvnodeman.slurm.foresee import kinds_of

NOW = 1_800_000_000.0
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
ALL = frozenset({"c1", "c2", "c3"})
SHAPE = JobShape(owner=JobOwner("anna", "chem"))
IN_WAY = Place(outside=("r",))


def reservation(name: str = "r", begins: float = HOUR, lasts: float = HOUR, *flags: str, **said: object) -> Reservation:
    made = Reservation(name, NOW + begins, NOW + begins + lasts, ALL, **kinds_of(flags))
    return replace(made, **said)  # type: ignore[arg-type]


def outlook(*reservations: Reservation) -> Outlook:
    return Outlook({each.name: each for each in reservations})


@pytest.mark.parametrize(
    ("limit", "ahead", "place"),
    [
        # it begins in an hour, for an hour
        (30 * MINUTE, reservation(), ANYWHERE),
        (HOUR, reservation(), ANYWHERE),
        (HOUR + 1, reservation(), IN_WAY),
        (2 * HOUR, reservation(), IN_WAY),
        (math.inf, reservation(), IN_WAY),
        (2 * HOUR, reservation("r", HOUR, HOUR, "MAINT", "IGNORE_JOBS"), IN_WAY),
        (2 * HOUR, reservation("r", HOUR, HOUR, "FLEX"), IN_WAY),
        (2 * HOUR, reservation("r", HOUR, HOUR, "ANY_NODES"), IN_WAY),
        # without a limit a job is taken for one of a year
        (math.inf, reservation(begins=364 * DAY), IN_WAY),
        (math.inf, reservation(begins=366 * DAY), ANYWHERE),
        # it has begun, or is over
        (MINUTE, reservation(begins=-MINUTE), IN_WAY),
        (None, reservation(begins=-MINUTE), IN_WAY),
        (None, reservation(), ANYWHERE),
        (math.inf, reservation(begins=-2 * HOUR), ANYWHERE),
        # of cores, or of no nodes at all, such as one of licences
        (math.inf, reservation(whole=False), ANYWHERE),
        (math.inf, reservation(nodes=frozenset()), ANYWHERE),
        # one that draws in the jobs of those who may use it
        (MINUTE, reservation("r", 0, HOUR, "MAGNETIC", users=("anna",)), ANYWHERE),
        (MINUTE, reservation("r", 0, HOUR, "MAGNETIC", users=("bert",)), IN_WAY),
        (MINUTE, reservation("r", 0, HOUR, "MAGNETIC", users=("-anna",)), IN_WAY),
        (MINUTE, reservation("r", 0, HOUR, "MAGNETIC", accounts=("chem", "bio")), ANYWHERE),
        (MINUTE, reservation("r", 0, HOUR, "MAGNETIC", accounts=("-bio",)), ANYWHERE),
        (MINUTE, reservation("r", 0, HOUR, "MAGNETIC", accounts=("bio",)), IN_WAY),
        (MINUTE, reservation("r", 0, HOUR, "MAGNETIC", groups=True), ANYWHERE),
        (MINUTE, reservation("r", 0, HOUR, users=("anna",)), IN_WAY),
    ],
)
def test_a_reservation_in_the_way_of_a_job_of_none(limit: float | None, ahead: Reservation, place: Place) -> None:
    assert outlook(ahead).place(SHAPE, limit, NOW) == place


@pytest.mark.parametrize(
    ("asks", "reservations", "place"),
    [
        # its own is not in its way, and its nodes are inside, however long it runs
        ("r", [reservation(begins=0)], Place(inside=("r",))),
        ("r", [reservation(begins=0, lasts=MINUTE)], Place(inside=("r",))),
        ("r", [reservation("r", 0, HOUR, "MAINT")], Place(inside=("r",))),
        # wherever
        ("r", [reservation("r", HOUR, HOUR, "FLEX")], ANYWHERE),
        ("r", [reservation("r", 0, HOUR, "ANY_NODES")], ANYWHERE),
        ("r", [reservation(begins=0, nodes=frozenset())], ANYWHERE),
        # others are in its way, unless its own is above them
        ("r", [reservation(begins=0), reservation("other", 0)], Place(("other",), ("r",))),
        ("r", [reservation("r", 0, HOUR, "FLEX"), reservation("other", HOUR, HOUR, "MAINT")], Place(("other",))),
        ("r", [reservation("r", 0, HOUR, "OVERLAP"), reservation("other", 0)], Place(inside=("r",))),
        ("r", [reservation("r", 0, HOUR, "MAINT"), reservation("other", 0)], Place(inside=("r",))),
        # of several any will do
        ("s,r", [reservation(begins=0), reservation("s", 0)], Place(inside=("r", "s"))),
        ("s,r", [reservation("r", 0, HOUR, "FLEX"), reservation("s", 0)], ANYWHERE),
        # one that is not there (any more) has no node inside
        ("gone", [reservation(begins=9 * HOUR)], Place(inside=("gone",))),
    ],
)
def test_a_job_in_a_reservation(asks: str, reservations: list[Reservation], place: Place) -> None:
    assert outlook(*reservations).place(replace(SHAPE, reservation=asks), 2 * HOUR, NOW) == place


def test_which_names_a_place_has() -> None:
    here = outlook(reservation("a", nodes=frozenset({"c1", "c2"})), reservation("b", nodes=frozenset({"c2"})))
    assert here.zones() == {"c1": ("a",), "c2": ("a", "b")}
    assert [ANYWHERE.has(zone) for zone in ((), ("a",), ("a", "b"))] == [True, True, True]
    assert [Place(outside=("b",)).has(zone) for zone in ((), ("a",), ("a", "b"))] == [True, True, False]
    assert [Place(inside=("a",)).has(zone) for zone in ((), ("a",), ("a", "b"))] == [False, True, True]
    assert [Place(("b",), ("a",)).has(zone) for zone in ((), ("a",), ("a", "b"))] == [False, True, False]


def test_what_changes_reservations() -> None:
    before = outlook(reservation("a"), reservation("b"))
    assert not before.differs(outlook(reservation("a"), reservation("b")))
    assert before.differs(outlook(reservation("a")))
    assert before.differs(outlook(reservation("a"), reservation("b", lasts=2 * HOUR)))
    assert before.differs(outlook(reservation("a"), reservation("b", nodes=frozenset({"c1"}))))
    floating = [outlook(reservation("a", begins, HOUR, "TIME_FLOAT", ends=str(begins))) for begins in (HOUR, HOUR + 30)]
    assert not floating[0].differs(floating[1])


def test_jobs_that_differ_by_their_time_alone_share_a_shape_where_that_makes_no_difference() -> None:
    jobs = [Job(str(number), SHAPE, time_limit=number * MINUTE) for number in range(200)]
    found = Placing().of(jobs, outlook(reservation()), NOW)
    assert {id(job.shape) for job in found[:61]} == {id(SHAPE)}
    assert len({id(job.shape) for job in found[61:]}) == 1
    assert found[61].shape == replace(SHAPE, place=IN_WAY)
    assert [job.id for job in found] == [job.id for job in jobs]
    assert Placing().of(jobs, Outlook(), NOW) == jobs
