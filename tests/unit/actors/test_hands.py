"""Each step is one call to the right client, and the clients are made once, when first needed."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock, call

import pytest

from arvnodeman.actors.hands import Hands, Makers
from arvnodeman.actors.waiting import family_of
from arvnodeman.cloud.base import NodeWish
from arvnodeman.fleet import messages as m
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
    RemoteFailure,
    Secret,
)
from arvnodeman.fleet.values.placed import PlacedJob
from arvnodeman.records.names import SlurmRecords
from arvnodeman.slurm.errors import UnknownNode
from arvnodeman.slurm.words import node_work

NODE = CloudNode(id="i-1", name="compute1", report_id="i-1")
RECORD = NodeRecord(uuid="zzzzz-7ekkf-000000000000001", hostname="compute1")
SIZE = NodeSize("small", "t", "t", "t", cores=1, ram=1, disk=1, scratch=1, price=1.0)
INTENT = BootIntent("small", 1.0, "token", 5.0)
WORD = OperatorDirective(Directive.HOLD, "why")
SECRET = Secret("hush")
URL = Secret("https://ping/hush")


@pytest.fixture
def site() -> Mock:
    """All clients as one recorder: site.driver, site.keeper, site.slurm, site.jobs, site.placing."""
    site = Mock()
    site.slurm.node.return_value = node_work("compute1", "drain")
    site.slurm.jobs_on.return_value = 2
    site.ping_url.return_value = URL
    return site


@pytest.fixture
def hands(site: Mock) -> Hands:
    return Hands(
        Makers(
            driver=lambda: site.driver,
            keeper=lambda: site.keeper,
            scheduler=lambda: site.slurm,
            jobs=lambda: site.jobs,
            ping_url=site.ping_url,
            placing=lambda: site.placing,
        )
    )


def slurm_job(in_slurm: bool) -> Job:
    return Job("zzzzz-dz642-000000000000001", JobShape(), in_slurm=in_slurm)


STEPS: list[tuple[m.Step, list[Any], str | None]] = [
    (m.ListSizes(1), [call.driver.list_sizes()], "driver.list_sizes"),
    (m.PrepareRecord(1, INTENT, "uuid"), [call.keeper.prepare(INTENT, "uuid")], "keeper.prepare"),
    (m.DescribeRecord(1, "uuid", NODE), [call.keeper.describe("uuid", NODE)], None),
    (m.ReleaseRecord(1, "uuid", "why"), [call.keeper.release("uuid", "why")], None),
    (
        m.CreateNode(1, SIZE, RECORD, "token", SECRET),
        [call.ping_url(RECORD.uuid, SECRET), call.driver.create_node(SIZE, RECORD, "token", URL)],
        "driver.create_node",
    ),
    (m.FindNode(1, SIZE, RECORD, "token"), [call.driver.find_node(SIZE, RECORD, "token")], "driver.find_node"),
    (m.FinishNode(1, NODE, RECORD), [call.driver.finish_node(NODE, RECORD)], None),
    (m.SyncFqdn(1, NODE, "a.b"), [call.driver.sync_fqdn(NODE, "a.b")], None),
    (m.SetWord(1, NODE, WORD), [call.driver.set_directive(NODE, WORD)], None),
    (m.DestroyNode(1, NODE), [call.driver.destroy_node(NODE)], None),
    (m.LookForNode(1, NODE), [call.driver.fetch_node(NODE)], "driver.fetch_node"),
    (
        m.DescribeNode(1, "compute1", "small", 7),
        [call.slurm.describe("compute1", "small", 7, gives=(), without=frozenset())],
        None,
    ),
    (OfferFeatures(1, ("a", "b"), frozenset({"x"})), [call.slurm.offer(("a", "b"), frozenset({"x"}))], None),
    (
        GiveBack(1, ("a", "b"), "why"),
        [call.placing.give_back(("a", "b"), "why", interactive=False)],
        "placing.give_back",
    ),
    (OpenNames(1, ("a", "b")), [call.placing.open_names(("a", "b"))], "placing.open_names"),
    (CloseNames(1, ("a",), "why", 60.0), [call.placing.close_names(("a",), "why", 60.0)], None),
    (ReleaseJobs(1, (PlacedJob("7"),)), [call.placing.release_jobs((PlacedJob("7"),), None)], "placing.release_jobs"),
    (ReleaseJobs(1, (), 9.0), [call.placing.release_jobs((), 9.0)], "placing.release_jobs"),
    (PowerUp(1, ("a",)), [call.placing.power_up(("a",))], None),
    (m.DrainNode(1, "compute1", "why"), [call.slurm.drain("compute1", "why")], None),
    (m.ResumeNode(1, "compute1"), [call.slurm.resume("compute1")], None),
    (m.SetNodeDown(1, "compute1", "why"), [call.slurm.set_down("compute1", "why")], None),
    (
        m.CancelJob(1, slurm_job(True), "too big"),
        [
            call.jobs.explain(slurm_job(True).id, "too big"),
            call.jobs.cancel(slurm_job(True).id),
            call.slurm.cancel(slurm_job(True).id),
        ],
        None,
    ),
    (m.ExplainJob(1, slurm_job(True), "too big"), [call.slurm.note_on_job(slurm_job(True).id, "too big")], None),
    (
        CommentJobs(1, (JobComment(Line("too dear"), ("7",)),), ("8",)),
        [call.slurm.comment_jobs((JobComment(Line("too dear"), ("7",)),), ("8",))],
        "slurm.comment_jobs",
    ),
    (RenewLeases(1, ("i-1",), ("compute1",), "17"), [call.slurm.renew_leases(("compute1",), "17")], None),
    (
        m.CancelJob(1, slurm_job(False), "too big"),
        [call.jobs.explain(slurm_job(False).id, "too big"), call.jobs.cancel(slurm_job(False).id)],
        None,
    ),
]


@pytest.mark.parametrize(("step", "calls", "result_of"), STEPS, ids=lambda value: type(value).__name__)
def test_a_step_is_one_call(hands: Hands, site: Mock, step: m.Step, calls: list[Any], result_of: str | None) -> None:
    result = hands.do(step)
    assert site.mock_calls == calls
    if result_of is None:
        assert result is None
    else:
        room, method = result_of.split(".")
        assert result is getattr(getattr(site, room), method).return_value


def test_every_step_of_the_brain_is_known_to_the_operators() -> None:
    tested = {type(step).__name__ for step, _, _ in STEPS} | {"LookAtNode"}
    assert tested == {step.__name__ for step in m.Step.__subclasses__()}


def test_an_unknown_step_says_so(hands: Hands) -> None:
    with pytest.raises(TypeError, match="no operator knows the step Step"):
        hands.do(m.Step(1))


def test_jobs_on_a_node_are_asked_for_only_when_wanted_and_known(hands: Hands, site: Mock) -> None:
    assert hands.do(m.LookAtNode(1, "compute1", jobs=True)) == m.NodeSeen(node_work("compute1", "drain"), 2)
    assert hands.do(m.LookAtNode(1, "compute1")) == m.NodeSeen(node_work("compute1", "drain"), None)
    site.slurm.node.return_value = None
    assert hands.do(m.LookAtNode(1, "compute1", jobs=True)) == m.NodeSeen(None, None)
    assert site.slurm.jobs_on.mock_calls == [call("compute1")]


def test_nodes_of_one_size_are_described_together_and_each_has_its_answer(hands: Hands, site: Mock) -> None:
    unknown = UnknownNode("sinfo", "it does not know the node b")
    site.slurm.describe_all.return_value = {"b": unknown}
    steps = [m.DescribeNode(number, host, "small", 7) for number, host in enumerate("abc")]
    assert hands.do_all(steps) == [None, unknown.error, None]
    assert site.mock_calls == [call.slurm.describe_all(["a", "b", "c"], "small", 7, gives=(), without=frozenset())]


def test_nodes_are_looked_at_together_and_each_has_its_answer(hands: Hands, site: Mock) -> None:
    unknown = UnknownNode("sinfo", "it does not know the node b")
    drained = node_work("a", "drain")
    site.slurm.observe_all.return_value = {"a": (drained, 2), "b": unknown, "c": (None, None)}
    steps = [m.LookAtNode(number, host, jobs=True) for number, host in enumerate("abca")]
    seen = m.NodeSeen(drained, 2)
    assert hands.do_all(steps) == [seen, unknown.error, m.NodeSeen(None, None), seen]
    assert site.mock_calls == [call.slurm.observe_all({"a": True, "b": True, "c": True})]


REFUSED = UnknownNode("scontrol", "no such node")
CHANGES: list[tuple[list[m.Step], Any]] = [
    ([m.DrainNode(1, "a", "why a"), m.DrainNode(2, "b", "why b")], call.drain_all({"a": "why a", "b": "why b"})),
    ([m.ResumeNode(1, "a"), m.ResumeNode(2, "b")], call.resume_all(["a", "b"])),
    ([m.SetNodeDown(1, "a", "why a"), m.SetNodeDown(2, "b", "why b")], call.set_down_all({"a": "why a", "b": "why b"})),
]


@pytest.mark.parametrize(("steps", "asked"), CHANGES, ids=lambda value: type(value).__name__)
def test_nodes_are_changed_together_and_each_has_its_answer(
    hands: Hands, site: Mock, steps: list[m.Step], asked: Any
) -> None:
    for method in (site.slurm.drain_all, site.slurm.resume_all, site.slurm.set_down_all):
        method.return_value = {"b": REFUSED}
    assert hands.do_all(steps) == [None, REFUSED.error]
    assert site.mock_calls == [getattr(call.slurm, asked[0])(*asked.args)]


def test_names_are_taken_told_and_given_back_together() -> None:
    names = Mock(spec=SlurmRecords)
    unused = Mock(side_effect=AssertionError("not needed"))
    hands = Hands(Makers(driver=unused, keeper=lambda: names, scheduler=unused, jobs=None, ping_url=unused))
    prepared = m.RecordPrepared(RECORD, Secret(""))
    names.prepare_all.return_value = [prepared, REFUSED]
    names.describe_all.return_value = names.release_all.return_value = [None, REFUSED]
    wishes = [m.PrepareRecord(1, INTENT, "a", is_name=True), m.PrepareRecord(2, INTENT, "b", is_name=True)]
    assert hands.do_all(wishes) == [prepared, REFUSED.error]
    assert hands.do_all([m.DescribeRecord(1, "a", NODE), m.DescribeRecord(2, "b", NODE)]) == [None, REFUSED.error]
    gone = [m.ReleaseRecord(1, "a", "why", is_name=True), m.ReleaseRecord(2, "b", "why", is_name=True)]
    assert hands.do_all(gone) == [None, REFUSED.error]
    assert names.mock_calls == [
        call.prepare_all([(INTENT, "a"), (INTENT, "b")]),
        call.describe_all([("a", NODE), ("b", NODE)]),
        call.release_all(["a", "b"], "why"),
    ]


def test_nodes_are_asked_for_together_each_with_its_ping_url(site: Mock, hands: Hands) -> None:
    other = NodeRecord(uuid="zzzzz-7ekkf-000000000000002", hostname="compute2")
    steps = [m.CreateNode(1, SIZE, RECORD, "a", SECRET), m.CreateNode(2, SIZE, other, "b", SECRET)]
    site.driver.create_nodes.return_value = [NODE, REFUSED]
    assert hands.do_all(steps) == [NODE, REFUSED.error]
    asked = [NodeWish(SIZE, RECORD, "a", URL), NodeWish(SIZE, other, "b", URL)]
    assert site.mock_calls == [
        call.ping_url(RECORD.uuid, SECRET),
        call.ping_url(other.uuid, SECRET),
        call.driver.create_nodes(asked),
    ]


def test_nodes_are_looked_for_together(site: Mock, hands: Hands) -> None:
    steps = [m.FindNode(1, SIZE, RECORD, "a"), m.FindNode(2, SIZE, RECORD, "b"), m.FindNode(3, SIZE, RECORD, "c")]
    site.driver.find_nodes.return_value = [NODE, None, REFUSED]
    assert hands.do_all(steps) == [NODE, None, REFUSED.error]


def test_every_family_of_steps_is_known_to_the_operators(hands: Hands) -> None:
    """What may be handed out together can be carried out together: the tests above do."""
    families = {type(step) for step, _, _ in STEPS if family_of(step) is not None}
    records = {m.DescribeRecord}
    assert families == {m.CreateNode, m.FindNode, m.DescribeNode, m.DrainNode, m.ResumeNode, m.SetNodeDown} | records
    with pytest.raises(TypeError, match="no operator carries out several of the step ListSizes"):
        hands.do_all([m.ListSizes(1)])


def test_records_of_the_api_server_are_never_asked_for_together(hands: Hands) -> None:
    with pytest.raises(TypeError, match="the records are not names in Slurm"):
        hands.do_all([m.ReleaseRecord(1, "a", "why")])


def test_no_job_is_cancelled_without_its_reason_logged(hands: Hands, site: Mock) -> None:
    site.jobs.explain.side_effect = RemoteFailure(RemoteError(ErrorKind.TRANSIENT, "503"))
    with pytest.raises(RemoteFailure):
        hands.do(m.CancelJob(1, slurm_job(True), "too big"))
    assert not site.jobs.cancel.called
    assert not site.slurm.cancel.called


def test_what_lives_on_in_arvados_is_not_cancelled_in_slurm(hands: Hands, site: Mock) -> None:
    """Row N6: the dispatcher would queue it again."""
    site.jobs.cancel.side_effect = RemoteFailure(RemoteError(ErrorKind.REFUSED, "403"))
    with pytest.raises(RemoteFailure):
        hands.do(m.CancelJob(1, slurm_job(True), "too big"))
    assert not site.slurm.cancel.called


def test_a_slurm_job_without_a_container_is_cancelled_all_the_same(hands: Hands, site: Mock) -> None:
    site.jobs.cancel.side_effect = RemoteFailure(RemoteError(ErrorKind.GONE, "404"))
    hands.do(m.CancelJob(1, slurm_job(True), "too big"))
    assert site.slurm.cancel.mock_calls == [call(slurm_job(True).id)]
    with pytest.raises(RemoteFailure):
        hands.do(m.CancelJob(1, slurm_job(False), "too big"))


def test_a_client_is_made_once_and_again_after_a_making_that_failed() -> None:
    """Row A9: a cloud that is away when its driver is made is a failed request like any other."""
    driver = Mock()
    make = Mock(side_effect=[RemoteFailure(RemoteError(ErrorKind.TRANSIENT, "no route")), driver])
    unused = Mock(side_effect=AssertionError("not needed"))
    hands = Hands(Makers(driver=make, keeper=unused, scheduler=unused, jobs=unused, ping_url=unused))
    with pytest.raises(RemoteFailure):
        hands.do(m.ListSizes(1))
    hands.do(m.ListSizes(1))
    hands.do(m.DestroyNode(1, NODE))
    assert make.call_count == 2
    assert driver.destroy_node.mock_calls == [call(NODE)]
