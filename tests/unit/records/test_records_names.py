"""Names in Slurm as records: which are free, what their nodes have been heard of, and what is noted on them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from unittest.mock import Mock, call

import pytest

from arvnodeman.fleet.messages import RecordPrepared
from arvnodeman.fleet.values.model import BootIntent, CloudNode, RemoteFailure, SizeSection
from arvnodeman.records.marks import NameMark, mark_of_boot, mark_of_node, read_mark
from arvnodeman.records.names import Contact, SlurmRecords, answers, contact_of, is_free, record_of
from arvnodeman.slurm.errors import Refused, UnknownNode
from arvnodeman.slurm.keeping import NOBODYS_ADDRESS, NameNote, NamesInSlurm
from arvnodeman.slurm.show import ShownNode

NOW = 10_000.0
REST = 60.0
INTENT = BootIntent("small", 0.05, "1a2b-3", 9_990.25)
OURS = "Node Manager shutdown (i-1)"


def shown(base: str = "UNKNOWN", *flags: str, **more: object) -> ShownNode:
    return ShownNode("cloud1", base, frozenset(flags), "cloud1", "6818", **more)  # type: ignore[arg-type]


# ---- free ------------------------------------------------------------------------------------------------------------

SILENT = "NOT_RESPONDING"


@pytest.mark.parametrize(
    ("node", "free"),
    [
        (shown(), True),  # declared UNKNOWN, never up
        (shown("UNKNOWN", SILENT), True),
        (shown("DOWN", SILENT, reason="Not responding", reason_at=9_999.0), True),  # as slurmctld sets it
        (shown("DOWN", SILENT), True),  # declared DOWN
        (shown("IDLE", SILENT, slurmd_started=5_000.0), True),  # resumed by hand, with no slurmd
        (shown("IDLE", slurmd_started=5_000.0), False),  # somebody's node
        (shown("ALLOCATED", slurmd_started=5_000.0), False),
        (shown("MIXED", SILENT, slurmd_started=5_000.0), False),
        (shown("DOWN", "COMPLETING", SILENT), False),
        (shown("DOWN", "DRAIN", SILENT, reason=OURS, reason_at=NOW - REST), True),
        (shown("DOWN", "DRAIN", SILENT, reason=OURS, reason_at=NOW - REST + 1), False),  # it rests
        (shown("DOWN", "DRAIN", reason=OURS, reason_at=NOW - REST, slurmd_started=9_000.0), True),  # no * yet
        (shown("DOWN", reason=OURS, reason_at=9_000.0, slurmd_started=9_100.0), False),  # back, ReturnToService=0
        (shown("DOWN", "DRAIN", SILENT, reason="disk broken", reason_at=1.0), False),  # an administrator's
        (shown("UNKNOWN", "DRAIN", SILENT, reason="disk broken", reason_at=1.0), False),
        (shown("DOWN", "FAIL", SILENT), False),
        (shown("UNKNOWN", "RESERVED"), True),  # for jobs of the reservation: the Fleet knows which these are
        (shown("UNKNOWN", "MAINTENANCE", SILENT), True),
        (shown("IDLE", "CLOUD", "POWERED_DOWN"), False),
        (shown("IDLE", "PLANNED", slurmd_started=5_000.0), False),
        (shown("FUTURE"), False),
        (shown("ERROR"), False),
    ],
)
def test_which_names_are_free(node: ShownNode, free: bool) -> None:
    assert is_free(node, None, REST, NOW) is free
    assert not is_free(node, NameMark(INTENT), REST, NOW)
    assert not is_free(node, NameMark(instance_id="i-2"), REST, NOW)


def test_a_clock_that_went_back_makes_no_name_rest_for_ever() -> None:
    node = shown("DOWN", "DRAIN", SILENT, reason=OURS, reason_at=NOW + 5_000)
    assert is_free(node, None, REST, NOW)


# ---- contact ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("node", "first", "last"),
    [
        (shown("IDLE", slurmd_started=9_900.0), 9_900.0, NOW),
        (shown("ALLOCATED", slurmd_started=9_900.0), 9_900.0, NOW),
        (shown("IDLE", SILENT, slurmd_started=9_900.0), 9_900.0, None),  # after a RESUME
        (shown("UNKNOWN"), None, None),
        (shown("UNKNOWN", SILENT), None, None),
        (shown("DOWN", "DRAIN", reason=OURS, reason_at=9_950.0, slurmd_started=9_900.0), None, None),  # the last one's
        (shown("DOWN", "DRAIN", reason=OURS, reason_at=9_850.0, slurmd_started=9_900.0), 9_900.0, NOW),
        (shown("DOWN", slurmd_started=9_900.0), None, None),
        (shown("IDLE", "DRAIN", reason=OURS, reason_at=9_950.0, slurmd_started=9_900.0), 9_900.0, NOW),
    ],
)
def test_when_a_node_was_heard_of(node: ShownNode, first: float | None, last: float | None) -> None:
    contact = contact_of(node, "i-1", None, NOW)
    assert (contact.first, contact.last) == (first, last)
    assert answers(node) is (last is not None)


def test_contact_is_remembered_while_the_node_is_silent_and_forgotten_with_its_instance() -> None:
    before = Contact("i-1", 9_000.0, 9_500.0)
    silent = shown("DOWN", SILENT, reason="Not responding", reason_at=9_600.0, slurmd_started=9_000.0)
    assert contact_of(silent, "i-1", before, NOW) == before
    assert contact_of(silent, "i-2", before, NOW) == Contact("i-2", None, None)


def test_a_slurmd_that_starts_anew_leaves_the_first_contact() -> None:
    before = Contact("i-1", 9_000.0, 9_500.0)
    again = shown("IDLE", slurmd_started=9_800.0)
    assert contact_of(again, "i-1", before, NOW) == Contact("i-1", 9_000.0, NOW)


# ---- marks -----------------------------------------------------------------------------------------------------------


def test_marks_are_read_as_written() -> None:
    assert mark_of_boot(INTENT) == "Node Manager booting 1a2b-3 small 0.05 9990.250"
    assert read_mark(mark_of_boot(INTENT)) == NameMark(INTENT)
    cheap = replace(INTENT, price=1e-07)
    assert read_mark(mark_of_boot(cheap)) == NameMark(cheap)
    for rung in ("us-east-1a/reserved/cr-1", "room 2/spot", "/on-demand"):
        at_rung = replace(INTENT, rung=rung)
        assert mark_of_boot(at_rung) == f"Node Manager booting 1a2b-3 small 0.05 9990.250 {rung}"
        assert read_mark(mark_of_boot(at_rung)) == NameMark(at_rung)
        assert read_mark(f'"{mark_of_boot(at_rung)}"') == NameMark(at_rung)
    assert read_mark(mark_of_node("i-0123")) == NameMark(instance_id="i-0123")


@pytest.mark.parametrize(
    "comment",
    [
        "",
        "rack 7",
        "Node Manager",
        "Node Manager booting",
        "Node Manager booting token small 0.05",
        "Node Manager booting token small nan 1700000000",
        "Node Manager booting token small -1 1700000000",
        "Node Manager booting token small 1e999 1700000000",
        "Node Manager booting token small 0.05 1.2.3",
        "Node Manager booting to ken small 0.05 1700000000",
        "Node Manager node",
        "Node Manager node i-1 and more",
    ],
)
def test_what_is_no_mark_of_ours_is_none(comment: str) -> None:
    assert read_mark(comment) is None


def test_a_mark_that_was_written_with_many_others_has_quotation_marks() -> None:
    assert read_mark(f'"{mark_of_boot(INTENT)}"') == NameMark(intent=INTENT)
    assert read_mark(f'"{mark_of_node("i-1")}"') == NameMark(instance_id="i-1")


# ---- records ---------------------------------------------------------------------------------------------------------


def test_a_free_name_holds_nothing() -> None:
    record = record_of(shown(), None, None, free=True)
    assert (record.uuid, record.hostname, record.fqdn) == ("cloud1", "cloud1", "cloud1")
    assert (record.slot, record.intent, record.instance_id, record.free) == (None, None, None, True)
    assert record.is_name


def test_a_name_that_is_given_says_to_whom() -> None:
    booting = record_of(shown(), NameMark(INTENT), None, free=False)
    assert (booting.slot, booting.intent, booting.instance_id) == (1, INTENT, None)
    given = record_of(shown("IDLE"), NameMark(instance_id="i-1"), Contact("i-1", 9_000.0, NOW), free=False)
    assert (given.slot, given.intent, given.instance_id) == (1, None, "i-1")
    assert (given.first_ping_at, given.last_ping_at, given.modified_at) == (9_000.0, NOW, NOW)


def test_a_name_that_has_not_answered_yet_was_heard_of_when_its_slurmd_began() -> None:
    """Slurm says idle* for seconds: its last ping must not look as old as the daemon."""
    given = record_of(shown("IDLE"), NameMark(instance_id="i-1"), Contact("i-1", 9_000.0, None), free=False)
    assert (given.first_ping_at, given.last_ping_at, given.modified_at) == (9_000.0, 9_000.0, 9_000.0)


def test_an_address_that_slurm_does_not_show_is_the_name() -> None:
    assert record_of(replace(shown(), address=""), None, None, free=True).address == "cloud1"


# ---- a name stays without jobs until Slurm knows where its node is ---------------------------------------------------

CLOUD = CloudNode("id", "cloud1", "i-1", address="10.0.0.5")


def keeper(*shows: ShownNode, sizes: tuple[SizeSection, ...] = ()) -> tuple[SlurmRecords, Mock]:
    """`shows`: what Slurm shows of the names, each time that it is asked."""
    slurm = Mock(spec=NamesInSlurm)
    answers_ = iter(shows)
    slurm.shown_nodes.side_effect = lambda names: {name: replace(next(answers_), name=name) for name in names}
    for changed in (slurm.note_all, slurm.drain_all, slurm.resume_all, slurm.set_down_all):
        changed.return_value = {}
    settings = Mock()
    settings.daemon.boot_fail_after, settings.daemon.node_names = 1800.0, "cloud[1-9]"
    settings.sizes = sizes
    return SlurmRecords(settings, slurm), slurm


def said(slurm: Mock) -> list[Any]:
    """What was changed; of nothing is no change."""
    calls = [each for each in slurm.method_calls if each[0] not in ("shown_nodes", "check_changeable")]
    return [each for each in calls if each.args[0]]


REASON = "Node Manager boot (1a2b-3)"


def test_a_name_that_was_never_drained_is_drained_before_it_is_promised() -> None:
    made, slurm = keeper(shown(), shown("UNKNOWN", "DRAIN"))
    made.prepare(INTENT, "cloud1")
    assert said(slurm) == [
        call.drain_all({"cloud1": REASON}),
        call.set_down_all({"cloud1": REASON}),
        call.note_all([NameNote("cloud1", mark_of_boot(INTENT))]),
    ]


def test_a_name_that_is_drained_by_us_is_left_so() -> None:
    made, slurm = keeper(shown("DOWN", "DRAIN", SILENT, reason=OURS, reason_at=0.0))
    made.prepare(INTENT, "cloud1")
    assert said(slurm) == [call.note_all([NameNote("cloud1", mark_of_boot(INTENT))])]


def test_a_slurmd_that_comes_up_under_a_name_while_it_is_taken_is_never_set_down() -> None:
    up = shown("IDLE", "DRAIN", slurmd_started=NOW)
    made, slurm = keeper(shown(), up)
    with pytest.raises(RemoteFailure):
        made.prepare(INTENT, "cloud1")
    assert said(slurm) == [call.drain_all({"cloud1": REASON}), call.resume_all(["cloud1"])]


def test_of_names_prepared_together_each_costs_itself_alone() -> None:
    """One is taken, one unknown to Slurm, one comes up meanwhile, one is refused its note, one is wished for twice."""
    made, slurm = keeper()
    first = {f"cloud{number}": replace(shown(), name=f"cloud{number}") for number in (1, 2, 4, 5)}
    first["cloud2"] = replace(shown("IDLE", slurmd_started=5_000.0), name="cloud2")
    then = {name: replace(shown("UNKNOWN", "DRAIN"), name=name) for name in ("cloud1", "cloud4", "cloud5")}
    then["cloud4"] = replace(shown("IDLE", "DRAIN", slurmd_started=NOW), name="cloud4")
    slurm.shown_nodes.side_effect = [first, then]
    refused = Refused("scontrol", "no")
    slurm.note_all.return_value = {"cloud5": refused}
    intents = [replace(INTENT, token=f"t-{number}") for number in range(1, 8)]
    names = ["cloud1", "cloud2", "cloud3", "cloud4", "cloud5", "cloud1", None]
    found = made.prepare_all(list(zip(intents, names, strict=True)))
    kinds = [each.error.kind.value if isinstance(each, RemoteFailure) else each.record.hostname for each in found]
    assert kinds == ["cloud1", "slots", "gone", "slots", "refused", "slots", "slots"]
    assert slurm.set_down_all.mock_calls == [
        call({name: f"Node Manager boot (t-{name[-1]})" for name in ("cloud1", "cloud5")})
    ]
    assert isinstance(found[0], RecordPrepared)
    assert found[0].record.intent == intents[0]


def test_of_names_given_together_each_has_its_own_answer() -> None:
    made, slurm = keeper()
    slurm.shown_nodes.side_effect = [{"cloud1": shown("DOWN", "DRAIN", reason=REASON), "cloud2": shown("IDLE")}]
    refused = Refused("scontrol", "no")
    slurm.note_all.return_value = {"cloud2": refused}
    other = replace(CLOUD, report_id="i-2", address=None)
    answers_ = made.describe_all([("cloud1", CLOUD), ("cloud2", other), ("cloud3", other)])
    assert (answers_[0], answers_[1]) == (None, refused)
    assert isinstance(answers_[2], UnknownNode)
    notes = [NameNote("cloud1", mark_of_node("i-1"), "10.0.0.5", resume=True), NameNote("cloud2", mark_of_node("i-2"))]
    assert said(slurm) == [call.note_all(notes)]


def test_names_are_given_back_together() -> None:
    made, slurm = keeper()
    unknown = UnknownNode("scontrol", "no")
    slurm.note_all.return_value = {"cloud2": unknown}
    assert made.release_all(["cloud1", "cloud2"], "why") == [None, unknown]
    assert said(slurm) == [call.note_all([NameNote(name, "", NOBODYS_ADDRESS) for name in ("cloud1", "cloud2")])]


@pytest.mark.parametrize(
    ("reason", "address", "resumed"),
    [
        ("Node Manager boot (1a2b-3)", "10.0.0.5", True),
        ("Node Manager shutdown (i-0)", "10.0.0.5", True),  # of the last node that had the name
        ("Node Manager boot (1a2b-3)", None, False),  # where it is shows later
        ("Node Manager shutdown (i-1)", "10.0.0.5", False),  # its own
        ("Node Manager removal (i-1)", "10.0.0.5", False),
        ("disk broken", "10.0.0.5", False),  # an administrator's
    ],
)
def test_a_name_may_have_jobs_once_it_is_told_where_its_node_is(
    reason: str, address: str | None, resumed: bool
) -> None:
    made, slurm = keeper(shown("DOWN", "DRAIN", SILENT, reason=reason, reason_at=1.0))
    made.describe("cloud1", replace(CLOUD, address=address))
    assert said(slurm) == [call.note_all([NameNote("cloud1", mark_of_node("i-1"), address, resumed)])]


def test_a_name_that_is_not_drained_is_not_resumed() -> None:
    made, slurm = keeper(shown("ALLOCATED", reason="Node Manager boot (1a2b-3)", slurmd_started=1.0))
    made.describe("cloud1", CLOUD)
    assert said(slurm) == [call.note_all([NameNote("cloud1", mark_of_node("i-1"), "10.0.0.5")])]


def test_a_name_of_a_size_is_for_its_nodes_alone() -> None:
    sizes = (SizeSection("small", 2, "small", node_names="cloud[2-3]"), SizeSection("big", 8, "big"))
    made, slurm = keeper(*[shown("DOWN", "DRAIN", SILENT, reason=OURS, reason_at=0.0)] * 9, sizes=sizes)
    other, own = replace(INTENT, size="big"), INTENT
    found = made.prepare_all([(other, "cloud2"), (own, "cloud3"), (own, None), (other, "cloud1")])
    assert isinstance(found[1], RecordPrepared)
    assert isinstance(found[3], RecordPrepared)
    assert [found[1].record.size, found[3].record.size] == ["small", None]
    failures = [each.error for each in (found[0], found[2]) if isinstance(each, RemoteFailure)]
    assert [error.hint for error in failures] == ["[Daemon] node_names", "[Size small] node_names"]
    assert "node_names has cloud[2-3], and each is in use" in failures[1].text
    assert said(slurm)
