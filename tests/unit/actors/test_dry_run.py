"""A dry run: nothing that changes anything is asked of the real World, and lists are as they would be."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock, call

import pytest

from arvnodeman.actors.dry_run_world import DryRunWorld
from arvnodeman.actors.overlay import Overlay
from arvnodeman.fleet import messages as m
from arvnodeman.fleet.messages import CloudListed, NodeSeen, Poll, QueueListed, RecordPrepared, RecordsListed, Step
from arvnodeman.fleet.operations.job_steps import CommentJobs
from arvnodeman.fleet.operations.lease_steps import RenewLeases
from arvnodeman.fleet.operations.name_steps import CloseNames, GiveBack, OfferFeatures, OpenNames, PowerUp, ReleaseJobs
from arvnodeman.fleet.values.job_comments import JobComment, Line
from arvnodeman.fleet.values.model import (
    BootIntent,
    CloudNode,
    Directive,
    ErrorKind,
    Job,
    JobShape,
    NodeRecord,
    NodeSize,
    OperatorDirective,
    RemoteError,
    Secret,
)
from arvnodeman.fleet.values.placed import PlacedJob
from arvnodeman.fleet.values.work import NodeWork, Power, WorkKind, WorkState
from arvnodeman.slurm.words import node_work

SIZE = NodeSize("small", "t", "t", "t", cores=1, ram=1, disk=1, scratch=1, price=0.25)
NODE = CloudNode(id="i-1", name="compute1.zzzzz", report_id="i-1", fqdn="compute1.zzzzz", size_tag="small")
RECORD = NodeRecord(
    "zzzzz-7ekkf-000000000000001", "compute1", "zzzzz", 1, "i-1", created_at=1.0, modified_at=5.0, first_ping_at=2.0
)
STALE = NodeRecord("zzzzz-7ekkf-000000000000002", created_at=1.0, modified_at=1.0)
INTENT = BootIntent("small", 0.25, "token", 5.0)
JOB = Job("zzzzz-dz642-000000000000001", JobShape())
IDLE = node_work("compute1", "idle", features=frozenset({"gpu", "instancetype=old"}), weight=1)


class Site:
    """A real World whose lists a test sets, and which notes what it is asked; a dry run stands before it."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.nodes: list[CloudNode] = [NODE]
        self.records: list[NodeRecord] = [RECORD, STALE]
        self.slurm: dict[str, NodeWork] = {"compute1": IDLE}
        self.jobs: list[Job] = [JOB]
        self.overlay = Overlay(lambda: self.now, boot_time=60.0)
        self.real = Mock()
        self.written: list[tuple[str, str]] = []
        self.world = DryRunWorld(
            self.real, self.overlay, lambda _step, subject, words: self.written.append((subject, words))
        )
        self.observe()

    def observe(self) -> None:
        """All lists come, the records last: they tell who stands behind a name."""
        self.shown_nodes = {node.id: node for node in self._list(CloudListed(self.nodes, self.now)).nodes}
        records: RecordsListed = self._list(RecordsListed(self.records, self.slurm, self.now))
        self.shown_records = {record.uuid: record for record in records.records}
        assert records.slurm is not None
        self.shown_slurm = records.slurm
        self.shown_jobs = list(self._list(QueueListed(self.jobs, self.now)).jobs)

    def _list(self, listed: Any) -> Any:
        real = Mock(list=Mock(return_value=listed))
        return DryRunWorld(real, self.overlay, Mock()).list(Poll.CLOUD)

    def do(self, step: Step) -> Any:
        (answer,) = self.world.do((step,))
        return answer

    def boot(self, token: str = "token", reuse: str | None = None) -> tuple[CloudNode, NodeRecord]:
        intent = BootIntent("small", 0.25, token, self.now)
        prepared = self.do(m.PrepareRecord(1, intent, reuse))
        assert isinstance(prepared, RecordPrepared)
        node = self.do(m.CreateNode(1, SIZE, prepared.record, token, prepared.ping_secret))
        assert isinstance(node, CloudNode)
        return node, prepared.record


@pytest.fixture
def site() -> Site:
    return Site()


CHANGES: list[Step] = [
    m.PrepareRecord(1, INTENT, None),
    m.PrepareRecord(1, INTENT, STALE.uuid),
    m.DescribeRecord(1, RECORD.uuid, NODE),
    m.ReleaseRecord(1, RECORD.uuid, "why"),
    m.CreateNode(1, SIZE, RECORD, "token", Secret("s")),
    m.FinishNode(1, NODE, RECORD),
    m.SyncFqdn(1, NODE, "a.b"),
    m.SetWord(1, NODE, OperatorDirective(Directive.HOLD, "why")),
    m.DestroyNode(1, NODE),
    m.DescribeNode(1, "compute1", "small", 7),
    OfferFeatures(1, ("compute1", "compute2"), frozenset({"instancetype=small"})),
    GiveBack(1, ("compute1", "compute2"), "why"),
    OpenNames(1, ("compute1",)),
    CloseNames(1, ("compute1",), "why", 60.0),
    ReleaseJobs(1, (PlacedJob("7"),)),
    PowerUp(1, ("compute1",)),
    m.DrainNode(1, "compute1", "why"),
    m.ResumeNode(1, "compute1"),
    m.SetNodeDown(1, "compute1", "why"),
    m.CancelJob(1, JOB, "too big"),
    m.ExplainJob(1, JOB, "too big"),
    CommentJobs(1, (JobComment(Line("too dear"), ("7",)),)),
    RenewLeases(1, ("i-1", "i-2"), ("compute1",), "17"),
]
ASKS: list[Step] = [
    m.ListSizes(1),
    m.LookAtNode(1, "compute1"),
    m.FindNode(1, SIZE, RECORD, "token"),
    m.LookForNode(1, NODE),
]


@pytest.mark.parametrize("step", CHANGES, ids=lambda step: type(step).__name__)
def test_a_step_that_changes_something_never_reaches_the_real_world_and_is_written_down(site: Site, step: Step) -> None:
    site.do(step)
    assert site.real.mock_calls == []
    assert len(site.written) == (0 if isinstance(step, m.FinishNode) else 1)


def test_every_step_is_known_to_change_something_or_to_ask() -> None:
    known = {type(step).__name__ for step in (*CHANGES, *ASKS)}
    assert known == {step.__name__ for step in Step.__subclasses__()}


def test_sizes_and_slurm_are_asked(site: Site) -> None:
    site.real.do.return_value = [("sizes",)]
    assert site.do(m.ListSizes(1)) == ("sizes",)
    site.real.do.return_value = [NodeSeen(IDLE)]
    assert site.do(m.LookAtNode(1, "compute1")) == NodeSeen(IDLE)
    site.do(m.DrainNode(1, "compute1", "why"))
    seen = site.do(m.LookAtNode(1, "compute1"))
    assert (seen.node.state.said, seen.node.reason) == ("drain", "why")


def test_of_several_looks_slurm_is_asked_once_and_not_about_pretended_nodes(site: Site) -> None:
    _, record = site.boot()
    site.do(m.DrainNode(1, "compute1", "why"))
    steps = [
        m.LookAtNode(number, name, jobs=True)
        for number, name in enumerate(["compute1", "compute2", record.hostname or ""])
    ]
    gone = RemoteError(ErrorKind.GONE, "unknown")
    site.real.do.return_value = [NodeSeen(IDLE, 0), gone]
    seen: Any = site.world.do(steps)
    assert (seen[0].node.state.said, seen[0].node.reason, seen[0].jobs) == ("drain", "why", 0)
    assert seen[1] == gone
    assert (seen[2].node.name, seen[2].jobs) == (record.hostname, 0)
    assert site.real.mock_calls == [call.do(steps[:2])]


def test_several_changes_are_each_pretended(site: Site) -> None:
    drains = [m.DrainNode(number, f"compute{number}", "why") for number in (1, 2)]
    assert site.world.do(drains) == [None, None]
    assert site.real.mock_calls == []
    assert [subject for subject, _ in site.written] == ["compute1", "compute2"]


def test_a_boot_is_listed_so_that_it_is_not_asked_for_again_and_comes_up_after_a_while(site: Site) -> None:
    node, record = site.boot()
    site.observe()
    assert site.shown_nodes[node.id].size_tag == "small"
    assert site.shown_records[record.uuid].intent == BootIntent("small", 0.25, "token", 1000.0)
    assert site.shown_records[record.uuid].first_ping_at is None
    assert record.hostname is not None
    assert site.shown_slurm[record.hostname].state.said == "down"
    site.now += 60.0
    site.observe()
    up = site.shown_records[record.uuid]
    assert (up.instance_id, up.first_ping_at, up.last_ping_at) == (node.report_id, 1060.0, 1060.0)
    shown = site.shown_slurm[record.hostname]
    assert (shown.state.said, shown.pretended) == ("idle", True), "that no job begins there is no evidence"


def test_a_pretended_node_takes_the_name_of_no_real_one(site: Site) -> None:
    node, record = site.boot()
    assert record.hostname not in site.slurm
    assert record.slot not in {real.slot for real in site.records}
    assert node.fqdn == record.fqdn, "or its name would be synced"


def test_the_same_token_makes_the_same_node(site: Site) -> None:
    node, record = site.boot()
    assert site.do(m.FindNode(1, SIZE, record, "token")) == node
    assert site.do(m.FindNode(1, SIZE, record, "other")) is None
    assert site.do(m.CreateNode(1, SIZE, record, "token", Secret(""))) == node


def test_a_stale_record_that_is_used_again_is_shown_in_use(site: Site) -> None:
    _, record = site.boot(reuse=STALE.uuid)
    site.observe()
    assert record.uuid == STALE.uuid
    assert len(site.shown_records) == 2
    assert site.shown_records[STALE.uuid].hostname == record.hostname


def test_a_pretended_node_can_go_again(site: Site) -> None:
    node, record = site.boot()
    site.now += 60.0
    assert record.hostname is not None
    site.do(m.DrainNode(1, record.hostname, "why"))
    assert site.do(m.LookAtNode(1, record.hostname, jobs=True)).node.state.said == "drain"
    assert site.real.mock_calls == [], "nobody real knows that name"
    site.do(m.DestroyNode(1, node))
    assert site.do(m.LookForNode(1, node)) is None
    site.do(m.SetNodeDown(1, record.hostname, "why"))
    site.do(m.ReleaseRecord(1, record.uuid, "why"))
    site.observe()
    assert set(site.shown_nodes) == {NODE.id}
    assert set(site.shown_records) == {RECORD.uuid, STALE.uuid}
    assert set(site.shown_slurm) == {"compute1"}


def test_a_real_node_that_would_be_gone_is_left_out(site: Site) -> None:
    site.do(m.DestroyNode(1, NODE))
    assert site.do(m.LookForNode(1, NODE)) is None
    site.do(m.SetNodeDown(1, "compute1", "why"))
    site.do(m.ReleaseRecord(1, RECORD.uuid, "why"))
    site.observe()
    assert site.shown_nodes == {}
    assert site.shown_records[RECORD.uuid].instance_id is None
    assert site.shown_slurm["compute1"].state.said == "down"


def test_a_drained_node_is_shown_draining_while_it_works(site: Site) -> None:
    site.do(m.DrainNode(1, "compute1", "why"))
    site.slurm = {"compute1": node_work("compute1", "alloc")}
    site.observe()
    assert (site.shown_slurm["compute1"].state.said, site.shown_slurm["compute1"].reason) == ("drng", "why")
    site.slurm = {"compute1": node_work("compute1", "idle")}
    site.observe()
    assert site.shown_slurm["compute1"].state.said == "drain"
    site.do(m.ResumeNode(1, "compute1"))
    site.slurm = {"compute1": node_work("compute1", "drain", reason="somebody's")}
    site.observe()
    assert (site.shown_slurm["compute1"].state.said, site.shown_slurm["compute1"].reason) == ("idle", "")


def test_features_names_and_words_are_shown_as_written(site: Site) -> None:
    site.do(m.DescribeNode(1, "compute1", "small", 250))
    site.do(m.SyncFqdn(1, NODE, "new.zzzzz"))
    site.do(m.SetWord(1, NODE, OperatorDirective(Directive.HOLD, "why")))
    site.observe()
    slurm, node = site.shown_slurm["compute1"], site.shown_nodes[NODE.id]
    assert (slurm.features, slurm.weight) == (frozenset({"gpu", "instancetype=small"}), 250)
    assert (node.fqdn, node.directive) == ("new.zzzzz", OperatorDirective(Directive.HOLD, "why"))
    site.do(m.SetWord(1, NODE, None))
    site.observe()
    assert site.shown_nodes[NODE.id].directive is None


def test_reality_wins_when_another_instance_stands_there(site: Site) -> None:
    """The daemon that really runs has destroyed the node and booted another under its name."""
    site.do(m.DestroyNode(1, NODE))
    site.do(m.SetNodeDown(1, "compute1", "why"))
    site.do(m.ReleaseRecord(1, RECORD.uuid, "why"))
    site.nodes = [CloudNode(id="i-2", name="compute1.zzzzz", report_id="i-2")]
    site.records = [NodeRecord(RECORD.uuid, "compute1", "zzzzz", 1, "i-2", first_ping_at=900.0)]
    site.observe()
    assert set(site.shown_nodes) == {"i-2"}
    assert site.shown_records[RECORD.uuid].instance_id == "i-2"
    assert site.shown_slurm["compute1"] == IDLE


def test_a_cancelled_job_is_left_out_until_it_has_really_gone(site: Site) -> None:
    site.do(m.CancelJob(1, JOB, "too big"))
    site.observe()
    assert site.shown_jobs == []
    site.jobs = []
    site.observe()
    site.jobs = [JOB]
    site.observe()
    assert site.shown_jobs == [JOB]


def test_without_slurm_a_node_that_is_up_says_so_in_its_record(site: Site) -> None:
    _, record = site.boot()
    site.now += 60.0
    site.real.list.return_value = RecordsListed(site.records, None, site.now)
    listed = site.world.list(Poll.RECORDS)
    assert isinstance(listed, RecordsListed)
    assert listed.slurm is None
    assert {shown.uuid: shown.worker_state for shown in listed.records}[record.uuid] == "idle"


# ---- names on which Slurm places jobs --------------------------------------------------------------------------------

OFF = WorkState(WorkKind.OFF, "idle~")
WAITS = WorkState(WorkKind.UNHEARD, "mix#")


@pytest.fixture
def placing(site: Site) -> Site:
    """Slurm waits for a node of compute1, on which it has placed a job; compute2 is off."""
    site.nodes = []
    site.records = [
        NodeRecord(name, name, "", address=name, size="small", free=True) for name in ("compute1", "compute2")
    ]
    site.slurm = {
        "compute1": NodeWork("compute1", WAITS, power=Power.STARTING, placed=True),
        "compute2": NodeWork("compute2", OFF, power=Power.OFF),
    }
    site.jobs = [Job("7", JobShape(), names=("compute1",))]
    site.observe()
    return site


def test_a_pretended_node_has_the_name_that_slurm_chose_and_does_the_work(placing: Site) -> None:
    node, record = placing.boot(reuse="compute1")
    placing.observe()
    assert (record.hostname, node.name) == ("compute1", "compute1")
    assert not placing.shown_records["compute1"].free
    assert placing.shown_slurm["compute1"].power is Power.STARTING
    placing.now += 60
    placing.observe()
    work = placing.shown_slurm["compute1"]
    assert (work.power, work.state.kind, work.placed) == (Power.ON, WorkKind.WORKING, True)


def test_what_is_given_back_is_off_and_its_job_waits_until_slurm_has_done_so_itself(placing: Site) -> None:
    placing.do(GiveBack(1, ("compute1",), "no capacity"))
    placing.observe()
    assert placing.shown_slurm["compute1"].is_off
    assert placing.shown_jobs[0].names == ()
    placing.do(OpenNames(1, ("compute1",)))
    placing.observe()
    assert placing.shown_slurm["compute1"].state.kind is WorkKind.OFF


def test_closed_names_are_shown_closed_until_they_are_opened(placing: Site) -> None:
    placing.do(CloseNames(1, ("compute2",), "Node Manager closed: no capacity", 60.0))
    placing.observe()
    work = placing.shown_slurm["compute2"]
    assert (work.state.kind, work.drain is not None) == (WorkKind.DRAINED, True)
    placing.do(OpenNames(1, ("compute2",)))
    placing.observe()
    assert placing.shown_slurm["compute2"].state.kind is WorkKind.OFF


def test_a_name_that_is_powered_up_waits_for_its_node(placing: Site) -> None:
    placing.do(PowerUp(1, ("compute2",)))
    placing.observe()
    assert placing.shown_slurm["compute2"].power is Power.STARTING


@pytest.mark.parametrize(("busy", "power"), [(False, Power.GOING), (True, Power.LEAVING)])
def test_a_node_that_is_powered_down_goes_when_it_is_idle(placing: Site, busy: bool, power: Power) -> None:
    word = "mix" if busy else "idle"
    placing.slurm["compute2"] = node_work("compute2", word)
    placing.observe()
    placing.do(m.DrainNode(1, "compute2", "Node Manager shutdown (i-2)"))
    placing.observe()
    assert placing.shown_slurm["compute2"].power is power
    placing.do(OpenNames(1, ("compute2",)))
    placing.observe()
    assert placing.shown_slurm["compute2"].is_off


def test_the_mark_of_a_pretended_boot_is_gone_when_it_is_given_back(placing: Site) -> None:
    placing.do(m.PrepareRecord(1, INTENT, "compute1"))
    placing.do(m.ReleaseRecord(1, "compute1", "why", is_name=True))
    placing.observe()
    assert placing.shown_records["compute1"].free
