"""Slurm's words for names that it powers up and down, as we read them."""

from __future__ import annotations

import pytest

from arvnodeman.fleet.values.work import OUR_CLOSING, OUR_REMOVAL, OUR_RETURN, Power, WorkKind
from arvnodeman.slurm.power import work_of
from arvnodeman.slurm.show import ShownNode, parse_nodes
from arvnodeman.slurm.words import WORDS

OFF, UNHEARD, DRAINED, DOWN, DRAINING = (
    WorkKind.OFF,
    WorkKind.UNHEARD,
    WorkKind.DRAINED,
    WorkKind.DOWN,
    WorkKind.DRAINING,
)


def shown(state: str, reason: str = "") -> ShownNode:
    """A node with this `State=`."""
    said = f"   Reason={reason} [root@1700000000]\n" if reason else ""
    nodes, malformed = parse_nodes(f"NodeName=s-1 CoresPerSocket=1\n   State={state} Weight=7\n{said}\n")
    assert malformed == []
    return nodes["s-1"]


@pytest.mark.parametrize(
    ("state", "kind", "power", "placed"),
    [
        ("IDLE+CLOUD+POWERED_DOWN", OFF, Power.OFF, False),
        ("IDLE+CLOUD+POWERED_DOWN+NOT_RESPONDING", OFF, Power.OFF, False),
        ("IDLE+CLOUD+POWERED_DOWN+RESERVED", OFF, Power.OFF, False),
        ("IDLE+CLOUD+PLANNED+POWERED_DOWN", OFF, Power.OFF, False),
        ("IDLE+CLOUD+DYNAMIC_NORM+POWERED_DOWN", OFF, Power.OFF, False),
        ("IDLE+CLOUD+POWER_UP+POWERED_DOWN", UNHEARD, Power.WANTED, False),
        ("MIXED+CLOUD+POWERED_DOWN", UNHEARD, Power.WANTED, True),
        ("ALLOCATED+CLOUD+POWERED_DOWN+NOT_RESPONDING", UNHEARD, Power.WANTED, True),
        ("ALLOCATED+CLOUD+DRAIN+POWER_DOWN+POWERED_DOWN", UNHEARD, Power.WANTED, True),  # it was faster than we
        ("MIXED+CLOUD+NOT_RESPONDING+POWERING_UP", UNHEARD, Power.STARTING, True),
        ("IDLE+CLOUD+NOT_RESPONDING+POWERING_UP", UNHEARD, Power.STARTING, False),
        ("MIXED+CLOUD+POWER_DOWN+NOT_RESPONDING+POWERING_UP", UNHEARD, Power.STARTING, True),
        ("ALLOCATED+CLOUD+DRAIN+POWER_DOWN+NOT_RESPONDING+POWERING_UP", UNHEARD, Power.STARTING, True),
        ("IDLE+CLOUD+POWER_DOWN+NOT_RESPONDING+POWERING_UP", DRAINED, Power.STARTING, False),
        ("IDLE+CLOUD+DRAIN+NOT_RESPONDING+POWERING_UP", DRAINED, Power.STARTING, False),
        ("DOWN+CLOUD+NOT_RESPONDING+POWERING_UP", DOWN, Power.STARTING, False),
        ("IDLE+CLOUD", WorkKind.FREE, Power.ON, False),
        ("MIXED+CLOUD", WorkKind.WORKING, Power.ON, True),
        ("ALLOCATED+CLOUD", WorkKind.WORKING, Power.ON, True),
        ("IDLE+CLOUD+COMPLETING", WorkKind.FINISHING, Power.ON, True),
        ("ALLOCATED+CLOUD+COMPLETING", WorkKind.WORKING, Power.ON, True),
        ("IDLE+CLOUD+NOT_RESPONDING", WorkKind.FREE, Power.ON, False),
        ("DOWN+CLOUD+NOT_RESPONDING", DOWN, Power.ON, False),
        ("IDLE+CLOUD+DRAIN", DRAINED, Power.ON, False),
        ("MIXED+CLOUD+DRAIN", DRAINING, Power.ON, True),
        ("MIXED+CLOUD+POWER_DOWN", DRAINING, Power.LEAVING, True),
        ("IDLE+CLOUD+POWER_DOWN", DRAINING, Power.LEAVING, False),
        ("MIXED+CLOUD+DRAIN+POWER_DOWN", DRAINING, Power.LEAVING, True),
        ("IDLE+CLOUD+COMPLETING+POWER_DOWN+NOT_RESPONDING", WorkKind.FINISHING, Power.LEAVING, True),
        ("MIXED+CLOUD+COMPLETING+POWER_DOWN", DRAINING, Power.LEAVING, True),
        ("IDLE+CLOUD+DRAIN+POWER_DOWN+POWERED_DOWN", DRAINING, Power.LEAVING, False),  # asked while it was off
        ("IDLE+CLOUD+POWERING_DOWN", DRAINED, Power.GOING, False),
        ("IDLE+CLOUD+DRAIN+POWERING_DOWN", DRAINED, Power.GOING, False),
        ("DOWN+CLOUD+POWERING_DOWN", DRAINED, Power.GOING, False),
        ("MIXED+CLOUD+POWERING_DOWN", DRAINING, Power.LEAVING, True),  # never seen; nothing is destroyed for it
        ("IDLE+CLOUD+DRAIN+POWERED_DOWN", DRAINED, Power.OFF, False),
        ("DOWN+CLOUD+DRAIN+POWERED_DOWN", DRAINED, Power.OFF, False),
        ("DOWN+CLOUD+POWERED_DOWN", DOWN, Power.OFF, False),
        ("IDLE+CLOUD+MAINTENANCE+POWERED_DOWN+RESERVED", WorkKind.RESERVED, Power.OFF, False),
        ("IDLE+CLOUD+MAINTENANCE+RESERVED", WorkKind.RESERVED, Power.ON, False),
        ("MIXED+CLOUD+MAINTENANCE+RESERVED", WorkKind.WORKING, Power.ON, True),
        ("IDLE+CLOUD+RESERVED", WorkKind.RESERVED, Power.ON, False),
        ("IDLE+CLOUD+PLANNED", WorkKind.PLANNED, Power.ON, False),
        ("MIXED+CLOUD+DRAIN+REBOOT_REQUESTED", DRAINING, Power.ON, True),
        ("DOWN+CLOUD+REBOOT_ISSUED", WorkKind.TAKEN, Power.ON, False),
        ("IDLE+CLOUD+REBOOT_ISSUED+POWERED_DOWN", WorkKind.TAKEN, Power.OFF, False),
        ("IDLE+CLOUD+FAIL+POWERED_DOWN", WorkKind.FAILED, Power.OFF, False),
        ("IDLE+CLOUD+FAIL", WorkKind.FAILED, Power.ON, False),
        ("MIXED+CLOUD+FAIL", WorkKind.FAILING, Power.ON, True),
        ("IDLE+CLOUD+INVALID_REG", WorkKind.UNFIT, Power.ON, False),
        ("IDLE+CLOUD+SOMETHING_NEW", WorkKind.TAKEN, Power.ON, False),
        ("IDLE+CLOUD+SOMETHING_NEW+POWERED_DOWN", WorkKind.TAKEN, Power.OFF, False),
        ("MIXED+CLOUD+SOMETHING_NEW+POWERED_DOWN", UNHEARD, Power.WANTED, True),
        ("UNKNOWN", UNHEARD, Power.ON, False),
        ("FUTURE", WorkKind.TAKEN, Power.ON, False),
    ],
)
def test_what_a_state_means(state: str, kind: WorkKind, power: Power, placed: bool) -> None:
    work = work_of(shown(state))
    assert (work.state.kind, work.power, work.placed) == (kind, power, placed)
    assert work.responding is ("NOT_RESPONDING" not in state)
    assert work.weight == 7
    # nothing that may have a job is ever off, and what is off has none
    assert not (work.is_off and placed)


@pytest.mark.parametrize(
    ("state", "reason", "kind", "counts"),
    [
        ("DOWN+CLOUD+POWERED_DOWN", "ResumeTimeout reached", UNHEARD, "ResumeTimeout reached"),
        ("DOWN+CLOUD+POWERED_DOWN", f"{OUR_RETURN} (x) : ResumeTimeout reached", UNHEARD, "ResumeTimeout reached"),
        ("DOWN+CLOUD+POWERED_DOWN", f"{OUR_REMOVAL} (i-1) : Not responding", UNHEARD, "Not responding"),
        ("DOWN+CLOUD+POWERED_DOWN", f"{OUR_REMOVAL} (i-1) : Its disk is full", UNHEARD, "Its disk is full"),
        ("DOWN+CLOUD+POWERED_DOWN", "Not responding", UNHEARD, "Not responding"),
        ("DOWN+CLOUD+POWERED_DOWN", f"{OUR_REMOVAL} (i-1)", DOWN, f"{OUR_REMOVAL} (i-1)"),
        ("DOWN+CLOUD+POWERED_DOWN", "disk broken", DOWN, "disk broken"),
        ("DOWN+CLOUD+POWERED_DOWN", "disk broken : Not responding", DOWN, "disk broken : Not responding"),
        ("IDLE+CLOUD+DRAIN+POWERED_DOWN", f"{OUR_CLOSING} (x)", DRAINED, f"{OUR_CLOSING} (x)"),
        ("IDLE+CLOUD+POWERED_DOWN", f"{OUR_CLOSING} (x)", OFF, ""),  # of the past
        ("IDLE+CLOUD", f"{OUR_CLOSING} (x)", WorkKind.FREE, ""),
        ("IDLE+CLOUD+NOT_RESPONDING+POWERING_UP", f"{OUR_CLOSING} (x)", UNHEARD, ""),
        ("IDLE+CLOUD+POWERING_DOWN", f"{OUR_RETURN} (x) : Not responding", DRAINED, f"{OUR_RETURN} (x)"),
        ("MIXED+CLOUD+POWER_DOWN", f"{OUR_RETURN} (x)", DRAINING, f"{OUR_RETURN} (x)"),
    ],
)
def test_which_reason_counts(state: str, reason: str, kind: WorkKind, counts: str) -> None:
    work = work_of(shown(state, reason))
    assert (work.state.kind, work.reason) == (kind, counts)


def test_a_drain_of_ours_taken_back_leaves_the_name_free() -> None:
    assert work_of(shown("IDLE+CLOUD+DRAIN+POWERED_DOWN")).state.undrained.kind is OFF


@pytest.mark.parametrize("word", sorted({"alloc", "mix", "comp", "drng", "plnd", "idle", "resv", "maint", "drain"}))
def test_a_node_without_power_flags_has_the_word_of_sinfo(word: str) -> None:
    states = {
        "alloc": "ALLOCATED",
        "mix": "MIXED",
        "comp": "IDLE+COMPLETING",
        "drng": "ALLOCATED+DRAIN",
        "plnd": "IDLE+PLANNED",
        "idle": "IDLE",
        "resv": "IDLE+RESERVED",
        "maint": "IDLE+MAINTENANCE+RESERVED",
        "drain": "IDLE+DRAIN",
    }
    assert work_of(shown(states[word])).state is WORDS[word]
