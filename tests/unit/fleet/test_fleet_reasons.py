"""Causes put into words, and secrets that are not."""

from __future__ import annotations

import pytest

from arvnodeman.fleet.values import reasons
from arvnodeman.fleet.values.model import ErrorKind, RemoteError, RemoteFailure, Secret
from arvnodeman.fleet.values.obstacles import LimitReached, NoLicence, Reserved
from arvnodeman.fleet.values.reasons import InWords, Reason, span
from arvnodeman.fleet.values.reasons_of_placing import Comes

LIMIT = reasons.AtMaxNodes(wanted=2, size="small", nodes=8, max_nodes=8)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "0 s"),
        (0, "0 s"),
        (1, "1 s"),
        (9.5, "9.5 s"),
        (9.96, "10.0 s"),
        (10, "10 s"),
        (10.4, "10 s"),
        (119.4, "119 s"),
        (120, "2 min"),
        (7199, "120 min"),
        (7200, "2.0 h"),
        (7200.5, "2.0 h"),
        (12600, "3.5 h"),
        (360_000, "100.0 h"),
    ],
)
def test_durations_for_people(seconds: float, words: str) -> None:
    assert span(seconds) == words


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (reasons.Plain(text="so it is"), "so it is"),
        (reasons.Held(reason="mine"), "held by an operator (mine)"),
        (reasons.Held(), "held by an operator (no reason given)"),
        (reasons.Working(slurm="alloc"), "it works: Slurm says alloc"),
        (reasons.Working(), "it works"),
        (reasons.WindowShut(until=143.0), "shutdown window closed, next in 43 s"),
        (reasons.BootWait(until=143.0), "it has 43 s left to come up"),
        (reasons.BootWait(), "it has 0 s left to come up"),
        (reasons.IdleWait(polls=1, needed=2), "idle for 1 node poll(s) in a row of 2 needed"),
        (reasons.RecordStale(age=7200), "node state is stale (record 2.0 h old), it may be working and cut off"),
        (reasons.Wanted(size="small"), "a waiting job wants a node of small"),
        (reasons.KeepsMinimum(min_nodes=2), "min_nodes keeps 2 node(s)"),
        (reasons.UnderWay(what="draining"), "draining"),
        (
            Reserved(until=3700.0, reservation="window", maintenance=True, begins=700.0, ends="2026-11-29 18:46"),
            "every name that could be booted is in the reservation 'window' (maintenance), which begins in 10 min,"
            " before the job's time limit would be over, and ends at 2026-11-29 18:46 (in 60 min)",
        ),
        (
            Reserved(until=3700.0, reservation="course", ends="2026-11-29 18:46"),
            "every name that could be booted is in the reservation 'course', which ends at 2026-11-29 18:46"
            " (in 60 min)",
        ),
        (NoLicence(licence="solver"), "no licence of solver is free for it"),
        (NoLicence(licence="solver", free=1), "no licence of solver is free for it: 1 is, for jobs before it"),
        (LimitReached(of="QOS x", rule="GrpJobs", limit=3, used=3, wanted=1), "QOS x: GrpJobs=3 reached (3 used)"),
        (reasons.IdleExceeded(polls=3), "idle for 3 node poll(s) in a row and not wanted"),
        (
            reasons.IdleExceeded(polls=3, makes_room=True),
            "idle for 3 node poll(s) in a row and not wanted, and a job of another size waits for its place",
        ),
        (reasons.NeverPaired(age=1800), "never paired in 30 min"),
        (reasons.IsDown(why="Slurm says drain"), "down: Slurm says drain"),
        (reasons.HasFailed(), "Slurm says fail"),
        (reasons.SizeUnknown(tag="x"), "node's size tag 'x' not recognizable"),
        (LIMIT, "2 of small wanted, max_nodes of 8 reached with 8 node(s)"),
        (
            reasons.AtQuota(until=143.0, wanted=2, size="small", nodes=8, quota=8),
            "2 of small wanted, quota of 8 reached with 8 node(s); tried again in 43 s",
        ),
        (
            reasons.AtQuota(wanted=2, size="small", nodes=8, quota=8, of="slots"),
            "2 of small wanted, slots of 8 reached with 8 node(s)",
        ),
        (
            reasons.AtPriceCap(wanted=1, size="small", price=0.1, total=7.95, cap=8.0),
            "1 of small (price 0.1) wanted, would exceed max_total_price of 8 (now 7.95)",
        ),
        (reasons.BackingOff(until=143.0, size="small", why="quota"), "small rests for 43 s: quota"),
        (reasons.BackingOff(size="small", why="quota"), "small rests for 0 s: quota"),
        (
            reasons.BackingOff(until=143.0, size="small", why="quota", detail="403", too_dear="large"),
            "small rests for 43 s: quota (403); large would fit, but max_price_factor forbids it",
        ),
        (reasons.Unproven(size="small", pending=5), "no node of small has come up yet, 5 on their way"),
        (
            reasons.Unproven(size="s", pending=1, probe=True),
            "1 node(s) of s on their way as a probe after its back-off",
        ),
        (reasons.Behind(limit=reasons.AtQuota(until=143.0, quota=1)),
         "behind a job that waits: quota of 1 reached with 0 node(s); tried again in 43 s"),
        (reasons.Behind(), "behind a job that waits"),
        (reasons.Unsatisfiable(text="too large"), "too large"),
        (Comes(names=("s-1",)), "placed on s-1, whose node is on the way"),
        (
            Comes(names=tuple(f"s-{number}" for number in range(1, 1001))),
            "placed on s-1, s-2, s-3, s-4, s-5, s-6, s-7, s-8 and 992 more, whose nodes are on the way",
        ),
    ],
)  # fmt: skip
def test_causes_in_words(cause: Reason, words: str) -> None:
    assert cause.words(100.0) == words
    assert str(InWords(cause, 100.0)) == words


def test_secrets_are_never_shown() -> None:
    secret = Secret("xyzzy")
    for shown in (repr(secret), str(secret), f"{secret}", f"{(secret,)}"):
        assert "xyzzy" not in shown
    assert (repr(secret), repr(Secret(""))) == ("Secret('***')", "Secret('')")
    assert secret.reveal() == "xyzzy"
    assert (bool(secret), bool(Secret(""))) == (True, False)


def test_secrets_are_equal_to_secrets_of_one_text_alone() -> None:
    secret = Secret("xyzzy")
    assert secret == Secret("xyzzy") != Secret("plugh")
    assert secret != "xyzzy"
    assert len({secret, Secret("xyzzy"), Secret("plugh")}) == 2


def test_a_failure_tells_its_text() -> None:
    error = RemoteError(ErrorKind.GONE, "no such node")
    failure = RemoteFailure(error)
    assert (failure.error, str(failure)) == (error, "no such node")
