"""What Slurm's words for nodes and its reasons for jobs mean."""

from __future__ import annotations

import pytest

from arvnodeman.fleet.values.work import OURS, OurDrain, WaitKind, WorkKind, drain_of, reason_for
from arvnodeman.slurm.job_reasons import wait_kind
from arvnodeman.slurm.words import WORDS, node_work, shown_state, state_of

BUSY = {"alloc", "mix", "comp", "drng", "failg", "plnd"}
DOWN = {"down", "drain", "inval", "unk"}
ANSWERED_FOR = {"idle", "down", "drain", "inval", "fail"}
MAY_HIDE_JOBS = {"idle", "drain", "fail", "inval"}
SOMEBODYS = {"boot", "futr", "npc", "block", "pow_up", "pow_dn"}


def those(trait: str) -> set[str]:
    return {word for word, state in WORDS.items() if getattr(state, trait)}


def test_each_word_says_of_itself_what_follows_from_it() -> None:
    """Rows F2, F3: as each rule of the brain asks."""
    assert those("busy") == BUSY
    assert those("works") == BUSY - {"plnd"}
    assert those("kept") == {"plnd", "resv", "maint"}
    assert those("drained") == {"drain", "drng"}
    assert those("down") == DOWN
    assert those("vouched") == ANSWERED_FOR
    assert those("hides_jobs") == MAY_HIDE_JOBS
    assert set(WORDS) - those("known") == SOMEBODYS
    assert all(state.said == word for word, state in WORDS.items())


def test_a_word_that_nobody_knows_is_somebodys_work_on_the_node() -> None:
    found = state_of("melted")
    assert (found.kind, found.said, found.undrained) == (WorkKind.TAKEN, "melted", found)


def test_what_is_shown_twice_is_one_object() -> None:
    """A node costs what a line of text cost."""
    assert shown_state("idle*")[0] is shown_state("IDLE")[0] is state_of("idle") is node_work("a", "idle").state


@pytest.mark.parametrize(("word", "without"), [("drain", "idle"), ("drng", "alloc"), ("down", "down"), ("mix", "mix")])
def test_what_a_node_is_without_its_drain(word: str, without: str) -> None:
    assert state_of(word).undrained is state_of(without)


@pytest.mark.parametrize("kind", OURS)
def test_a_reason_of_ours_tells_for_whom_it_is(kind: str) -> None:
    assert drain_of(reason_for(kind, "i-1 (x)")) == OurDrain(kind, "i-1 (x)")
    assert drain_of(f"{kind} of somebody's") == OurDrain(kind, None)  # ours, as it begins so; but for no instance
    assert drain_of(kind) == OurDrain(kind, None)
    assert drain_of(f"Not responding : {kind} (i-1)") is None


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("Resources", WaitKind.NODES),
        ("Priority", WaitKind.NODES),
        ("ReqNodeNotAvail, UnavailableNodes:compute3", WaitKind.NODES),
        ("ReqNodeNotAvail, May be reserved for other job", WaitKind.NODES),
        ("BadConstraints", WaitKind.CONSTRAINTS),
        ("ReqNodeNotAvail, Reserved for maintenance", WaitKind.RESERVATION),
        ("Reservation", WaitKind.RESERVATION),
        ("QOSGrpCpuLimit", WaitKind.RULES),
        ("Licenses", WaitKind.RULES),
        ("BurstBufferResources", WaitKind.RULES),
        ("None", WaitKind.NOT_SAID),
        ("", WaitKind.NOT_SAID),
    ],
)
def test_what_a_reason_means(reason: str, kind: WaitKind) -> None:
    """Rows F13, F14."""
    assert wait_kind(reason) is kind
    assert kind.for_nodes is (kind in (WaitKind.NODES, WaitKind.CONSTRAINTS))
