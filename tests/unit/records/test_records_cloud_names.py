"""Names declared CLOUD as records: which are wanted, what their nodes have been heard of, and what is noted on them."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import pytest

from arvnodeman.fleet.messages import RecordPrepared
from arvnodeman.fleet.values.model import BootIntent, CloudNode, ErrorKind, RemoteFailure
from arvnodeman.records.cloud_names import CloudRecords, contact_with, is_free, record_of
from arvnodeman.records.marks import NameMark, mark_of_boot, mark_of_node
from arvnodeman.records.names import Contact
from arvnodeman.slurm.errors import ControllerAway, UnknownNode
from arvnodeman.slurm.keeping import NameNote
from arvnodeman.slurm.placing import PlacingSlurm
from arvnodeman.slurm.show import ShownNode

NOW = 10_000.0
INTENT = BootIntent("small", 0.05, "1a2b-3", 9_990.25)


def shown(state: str, name: str = "s-1", **more: object) -> ShownNode:
    base, *flags = state.split("+")
    values: dict[str, Any] = {"address": name, "partitions": ("cloud",), **more}
    return ShownNode(name, base, frozenset({"CLOUD", *flags}), **values)


WANTED = "MIXED+POWERED_DOWN"
STARTING = "IDLE+NOT_RESPONDING+POWERING_UP"


@pytest.mark.parametrize(
    ("state", "free"),
    [
        ("IDLE+POWERED_DOWN", False),  # nobody asks for it
        (WANTED, True),
        ("IDLE+POWERED_DOWN+POWER_UP", True),
        (STARTING, True),
        ("MIXED+NOT_RESPONDING+POWERING_UP", True),
        ("IDLE+DRAIN+NOT_RESPONDING+POWERING_UP", False),
        ("DOWN+NOT_RESPONDING+POWERING_UP", False),
        ("IDLE+POWER_DOWN+NOT_RESPONDING+POWERING_UP", False),
        ("IDLE+POWERING_DOWN", False),
        ("MIXED", False),
        ("IDLE+DRAIN+POWERED_DOWN", False),
        ("DOWN+POWERED_DOWN", False),
    ],
)
def test_which_names_want_a_node(state: str, free: bool) -> None:
    assert is_free(shown(state), None) is free
    assert not is_free(shown(state), NameMark(INTENT))
    assert not is_free(shown(state), NameMark(instance_id="i-2"))


def test_a_name_is_a_record_of_its_size() -> None:
    record = record_of(shown(STARTING), "small", None, None)
    assert (record.uuid, record.hostname, record.size, record.free, record.slot) == ("s-1", "s-1", "small", True, None)
    assert (record.is_name, record.partitions, record.reserved) == (True, ("cloud",), False)
    marked = record_of(shown(STARTING), "small", NameMark(instance_id="i-1"), Contact("i-1", 5.0, 9.0))
    assert (marked.slot, marked.instance_id, marked.free) == (1, "i-1", False)
    assert (marked.first_ping_at, marked.last_ping_at, marked.modified_at) == (5.0, 9.0, 9.0)


@pytest.mark.parametrize(
    ("state", "before", "first", "last"),
    [
        ("IDLE", None, 9_900.0, NOW),
        ("MIXED+POWER_DOWN", None, 9_900.0, NOW),
        ("IDLE+POWERING_DOWN", None, 9_900.0, None),  # of a node that was up: it is not heard from any more
        ("IDLE+POWERING_DOWN", Contact("i-1", 9_900.0, 9_950.0), 9_900.0, 9_950.0),
        ("IDLE+POWERING_DOWN", Contact("i-0", 9_000.0, 9_950.0), 9_900.0, None),
        ("IDLE+POWERED_DOWN", None, 9_900.0, None),
        (STARTING, None, 9_900.0, None),  # the last one's, which the Fleet holds against the start of this one
    ],
)
def test_a_node_is_heard_from_only_while_it_is_up(
    state: str, before: Contact | None, first: float, last: float | None
) -> None:
    assert contact_with(shown(state, slurmd_started=9_900.0), "i-1", before, NOW) == Contact("i-1", first, last)


def test_what_slurm_has_kept_of_the_node_before_it_is_not_of_a_node_that_comes_up() -> None:
    """The name was up an hour ago. While its new node boots Slurm shows the old start, then the new one."""
    booting = contact_with(shown(STARTING, slurmd_started=NOW - 3600.0), "i-1", None, NOW - 60.0)
    up = contact_with(shown("IDLE", slurmd_started=NOW - 5.0), "i-1", booting, NOW)
    assert up == Contact("i-1", NOW - 5.0, NOW)
    again = contact_with(shown("IDLE", slurmd_started=NOW + 90.0), "i-1", up, NOW + 95.0)
    assert again == Contact("i-1", NOW - 5.0, NOW + 95.0), "its slurmd was restarted"


@pytest.fixture
def slurm() -> Mock:
    made = Mock(spec=PlacingSlurm)
    made.note_all.return_value = {}
    return made


@pytest.fixture
def keeper(slurm: Mock) -> CloudRecords:
    settings = Mock()
    settings.slurm_timeout = 20.0
    return CloudRecords(settings, slurm)


def test_a_boot_is_noted_on_a_name_that_is_wanted_and_nothing_is_drained(keeper: CloudRecords, slurm: Mock) -> None:
    slurm.shown_now.return_value = {"s-1": shown(WANTED)}
    prepared = keeper.prepare(INTENT, "s-1")
    assert (prepared.record.intent, prepared.record.hostname, prepared.record.size) == (INTENT, "s-1", "small")
    slurm.note_all.assert_called_once_with([NameNote("s-1", mark_of_boot(INTENT))])
    assert [each[0] for each in slurm.mock_calls] == ["shown_now", "note_all"]
    slurm.shown_now.return_value = {"s-1": shown(STARTING, comment=mark_of_boot(INTENT))}
    assert keeper.prepare(INTENT, "s-1").record.intent == INTENT  # twice


def test_each_of_many_boots_has_an_answer_of_its_own(keeper: CloudRecords, slurm: Mock) -> None:
    away = ControllerAway("scontrol", "it does not answer")
    slurm.shown_now.return_value = {
        "s-1": shown(WANTED),
        "s-2": shown("IDLE+POWERED_DOWN", "s-2"),
        "s-3": shown(STARTING, "s-3", comment=mark_of_node("i-9")),
        "s-4": None,
        "s-5": away,
        "s-6": shown(STARTING, "s-6"),
    }
    slurm.note_all.return_value = {"s-6": away}
    wishes = [(BootIntent("small", 0.1, f"t-{n}", 1.0), f"s-{n}") for n in range(1, 7)]
    found = keeper.prepare_all([*wishes, (INTENT, None), (INTENT, "s-1")])
    assert isinstance(found[0], RecordPrepared)
    kinds = [each.error.kind for each in found[1:] if isinstance(each, RemoteFailure)]
    slots, gone, away_kind = ErrorKind.SLOTS, ErrorKind.GONE, ErrorKind.TRANSIENT
    assert kinds == [slots, slots, gone, away_kind, away_kind, gone, slots]


def test_a_node_is_noted_and_told_where_it_is_until_it_is_up(keeper: CloudRecords, slurm: Mock) -> None:
    slurm.shown_now.return_value = {"s-1": shown(STARTING), "s-2": shown("IDLE", "s-2"), "s-3": None}
    nodes = [CloudNode(f"i-{n}", f"s-{n}", f"i-{n}", address=f"10.0.0.{n}") for n in (1, 2, 3)]
    found = keeper.describe_all([(node.name, node) for node in nodes])
    assert found[:2] == [None, None]
    assert isinstance(found[2], UnknownNode)
    slurm.note_all.assert_called_once_with(
        [
            NameNote("s-1", mark_of_node("i-1"), "10.0.0.1", keeps_hostname=True),
            NameNote("s-2", mark_of_node("i-2"), None, keeps_hostname=True),
        ]
    )
    with pytest.raises(UnknownNode):
        keeper.describe("s-3", nodes[2])


def test_a_name_is_released_by_taking_its_mark_away(keeper: CloudRecords, slurm: Mock) -> None:
    keeper.release("s-1", "Shut down by Node Manager")
    slurm.note_all.assert_called_once_with([NameNote("s-1", "")])
    slurm.note_all.return_value = {"s-1": ControllerAway("scontrol", "it does not answer")}
    with pytest.raises(ControllerAway):
        keeper.release("s-1", "")
