"""What scontrol shows of reservations and licences, as real Slurms wrote it, and what is read from it."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arvnodeman.fleet.outlook.ahead import Reservation
from arvnodeman.slurm.foresee import kinds_of, parse_licences, parse_reservations

SHOWN = """ReservationName=win StartTime=1795960364 EndTime=1795974764 Duration=04:00:00
   Nodes=compute[1-3] NodeCnt=3 CoreCnt=12 Features=(null) PartitionName=(null) Flags=MAINT,IGNORE_JOBS,SPEC_NODES
   TRES=cpu=12
   Users=root Groups=(null) Accounts=(null) Licenses=(null) State=INACTIVE BurstBuffer=(null) Watts=n/a
   MaxStartDelay=(null)

ReservationName=course StartTime=1795956764 EndTime=1795958564 Duration=00:30:00
   Nodes=(null) NodeCnt=0 CoreCnt=0 Features=(null) PartitionName=(null) Flags=ANY_NODES
   TRES=license/solver=2
   Users=anna,bert Groups=(null) Accounts=-chem Licenses=solver:2,matlab:1 State=ACTIVE BurstBuffer=(null) Watts=n/a
   MaxStartDelay=(null)

ReservationName=part StartTime=1795956764 EndTime=1795958564 Duration=00:30:00
   Nodes=compute4 NodeCnt=1 CoreCnt=2 Features=(null) PartitionName=(null) Flags=SPEC_NODES
     NodeName=compute4 CoreIDs=0-1
   TRES=cpu=2
   Users=(null) Groups=staff Accounts=(null) Licenses=(null) State=ACTIVE BurstBuffer=(null)
   MaxStartDelay=(null)
"""


def test_reservations_of_a_real_slurm() -> None:
    found, malformed = parse_reservations(SHOWN)
    assert malformed == []
    ends = {name: reservation.ends for name, reservation in found.items()}
    assert ends["win"] == time.strftime("%Y-%m-%d %H:%M", time.localtime(1795974764))
    assert found == {
        "win": Reservation(
            "win",
            1795960364.0,
            1795974764.0,
            frozenset({"compute1", "compute2", "compute3"}),
            **kinds_of({"MAINT", "IGNORE_JOBS", "SPEC_NODES"}),
            users=("root",),
            ends=ends["win"],
        ),
        "course": Reservation(
            "course",
            1795956764.0,
            1795958564.0,
            **kinds_of({"ANY_NODES"}),
            users=("anna", "bert"),
            accounts=("-chem",),
            licences=(("matlab", 1), ("solver", 2)),
            ends=ends["course"],
        ),
        "part": Reservation(
            "part",
            1795956764.0,
            1795958564.0,
            frozenset({"compute4"}),
            whole=False,
            **kinds_of({"SPEC_NODES"}),
            groups=True,
            ends=ends["part"],
        ),
    }


def test_times_as_people_read_them_are_understood_too() -> None:
    text = "ReservationName=a StartTime=2026-11-29T12:52:44 EndTime=2026-11-29T13:22:44 Duration=00:30:00\n   Nodes=c1"
    found, malformed = parse_reservations(text)
    assert malformed == []
    assert found["a"].end - found["a"].start == 1800.0


@pytest.mark.parametrize("text", ["", "\n", "No reservations in the system\n"])
def test_no_reservation_at_all(text: str) -> None:
    assert parse_reservations(text) == ({}, [])


@pytest.mark.parametrize(
    "bad",
    [
        "ReservationName=a StartTime=Unknown EndTime=1 Nodes=c1",
        "ReservationName=a EndTime=1 Nodes=c1",
        "ReservationName=a StartTime=1 EndTime=2 Nodes=c[",
        "ReservationName= StartTime=1 EndTime=2 Nodes=c1",
        "ReservationName=a StartTime=1 EndTime=99999999999999999999 Nodes=c1",
        "ReservationName=a StartTime=1 EndTime=2 Licenses=solver:many",
        "scontrol: what",
    ],
)
def test_one_that_cannot_be_read_costs_only_itself(bad: str) -> None:
    found, malformed = parse_reservations(f"{bad}\n\n{SHOWN}")
    assert sorted(found) == ["course", "part", "win"]
    assert malformed == [bad]


def test_licences_that_are_neither_used_nor_reserved() -> None:
    text = (
        "LicenseName=matlab\n    Total=5 Used=1 Free=4 Reserved=2 Remote=no\n"
        "LicenseName=nastran@flex\n    Total=9 Used=3 Free=6 Reserved=0 Remote=yes\n"
        "    LastConsumed=7 LastDeficit=4 LastUpdate=1795974764\n"
        "LicenseName=over\n    Total=1 Used=3 Free=0 Reserved=0 Remote=no\n"
        "LicenseName=strange\n    Total=x Used=3\nLicenseName=nothing\n"
    )
    assert parse_licences(text) == {"matlab": 2, "nastran@flex": 2, "over": 0}
    assert parse_licences("No licenses configured in Slurm.\n") == {}


@given(st.text(alphabet="ReservationName=Lc15[]-\n ", max_size=200))
@settings(max_examples=200, deadline=None)
def test_no_text_at_all_makes_the_parsers_fail(text: str) -> None:
    parse_reservations(text)
    parse_licences(text)
