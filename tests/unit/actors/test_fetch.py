"""What the pollers fetch with."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock, call

import pytest
from actor_doubles import HandClock

from arvnodeman.actors.fetch import CloudFetch, QueueFetch, RecordsFetch
from arvnodeman.actors.real_world import make_fetches, make_makers
from arvnodeman.config import load
from arvnodeman.fleet.messages import CloudListed, Poll, QueueListed, RecordsListed
from arvnodeman.fleet.values.model import (
    CloudNode,
    ErrorKind,
    Job,
    JobShape,
    NodeRecord,
    RemoteError,
    RemoteFailure,
    SchedulerFailure,
)
from arvnodeman.fleet.values.placed import PlacedJob
from arvnodeman.fleet.values.queue import Queue
from arvnodeman.fleet.values.waits import JobWaits
from arvnodeman.records.cloud_names import CloudRecords
from arvnodeman.records.names import SlurmRecords
from arvnodeman.scheduler.base import WaitingJobs
from arvnodeman.slurm.keeping import NamesInSlurm
from arvnodeman.slurm.placing import PlacingSlurm
from arvnodeman.slurm.words import node_work

AWAY = RemoteFailure(RemoteError(ErrorKind.TRANSIENT, "no answer"))
SILENT = SchedulerFailure(AWAY.error)
SINFO = {"compute1": node_work("compute1", "idle")}
CLOCK = HandClock()
NOW = CLOCK.clock.now()


def keeper_of(*records: NodeRecord) -> Mock:
    """A keeper of these."""
    keeper = Mock(clock_offset=None)
    keeper.list_records.side_effect = lambda: tuple(replace(record) for record in records)
    return keeper


def test_cloud() -> None:
    """Row A9: a driver that could not be made is made at the next try, and then kept."""
    driver = Mock(clock_offset=1.5)
    driver.list_nodes.return_value = (CloudNode("i-1", "one", "i-1"),)
    make = Mock(side_effect=[AWAY, driver])
    fetch = CloudFetch(make, CLOCK.clock)
    with pytest.raises(RemoteFailure):
        fetch()
    assert fetch() == CloudListed(driver.list_nodes.return_value, NOW, 1.5)
    fetch()
    assert make.call_count == 2


def test_records_are_joined_with_sinfo() -> None:
    keeper, slurm = keeper_of(NodeRecord("zzzzz-7ekkf-000000000000001")), Mock()
    slurm.never_ours = frozenset[str]()
    slurm.nodes.return_value = SINFO
    fetch = RecordsFetch(lambda: keeper, slurm, CLOCK.clock)
    assert fetch() == RecordsListed(keeper.list_records(), SINFO, NOW, None)
    assert slurm.mock_calls == [call.nodes()]


def test_the_keeper_of_names_asks_slurm_with_the_object_that_is_asked_for_nodes() -> None:
    """So one look at all nodes does for both."""
    slurm, keeper = Mock(spec=NamesInSlurm, never_ours=frozenset()), Mock(spec=SlurmRecords, clock_offset=None)
    slurm.nodes.return_value, keeper.list_records.return_value = SINFO, ()
    fetch = RecordsFetch(lambda: keeper, slurm, CLOCK.clock)
    for _ in range(2):
        fetch()
    assert keeper.mock_calls == [call.ask_with(slurm), call.list_records(), call.list_records()]


def test_without_slurm_no_slurm_command_is_run() -> None:
    """Row N5."""
    keeper = keeper_of()
    assert RecordsFetch(lambda: keeper, None, CLOCK.clock)().slurm is None
    jobs = Mock()
    jobs.waiting.return_value = (Job("a", JobShape(), in_slurm=False),)
    listed = QueueFetch(None, lambda: jobs, CLOCK.clock)()
    assert replace(listed, jobs=tuple(listed.jobs)) == QueueListed(jobs.waiting.return_value, NOW)


@pytest.mark.parametrize(
    ("slurm_queue", "jobs_queue", "found"),
    [(True, True, ["s", "j"]), (True, False, ["s"]), (False, True, ["j"]), (False, False, [])],
)
def test_each_queue_has_its_switch(tmp_path: Path, slurm_queue: bool, jobs_queue: bool, found: list[str]) -> None:
    """Row J6: from the configuration file to the list; what is off is asked nothing, and no client is made for it."""
    path = tmp_path / "site.cfg"
    switches = f"slurm_queue = {slurm_queue}\njobs_queue = {jobs_queue}"
    path.write_text(
        f"[Arvados]\nhost = a.example\ntoken = t\n{switches}\n"
        "[Cloud]\nprovider = dummy\nshutdown_windows = 54, 5, 1\n[Size small]\ncores = 1\n"
    )
    slurm, jobs = Mock(), Mock()
    slurm.queue.return_value = WaitingJobs(Queue([Job("s", JobShape())]), {})
    jobs.waiting.return_value = (Job("j", JobShape(), in_slurm=False),)
    makers = Mock(scheduler=Mock(return_value=slurm), jobs=Mock(return_value=jobs))
    fetch = make_fetches(load(str(path)), makers, CLOCK.clock)[Poll.QUEUE]
    listed = fetch()
    assert isinstance(listed, QueueListed)
    assert [job.id for job in listed.jobs] == found
    assert (makers.scheduler.called, makers.jobs.called) == (slurm_queue, jobs_queue)
    assert slurm.mock_calls == ([call.queue()] if slurm_queue else [])


def test_missing_rights_are_said_once(caplog: pytest.LogCaptureFixture) -> None:
    keeper, slurm = keeper_of(), Mock()
    slurm.never_ours, slurm.nodes.return_value = frozenset[str](), {}
    slurm.check_rights.return_value = "Slurm does not let this account update nodes"
    fetch = RecordsFetch(lambda: keeper, slurm, CLOCK.clock, check_rights=True)
    with caplog.at_level(logging.ERROR):
        fetch()
        fetch()
    assert [record.getMessage() for record in caplog.records] == ["Slurm does not let this account update nodes"]


def test_rights_that_could_not_be_checked_are_checked_again() -> None:
    keeper, slurm = keeper_of(), Mock()
    slurm.never_ours, slurm.nodes.return_value = frozenset[str](), {}
    slurm.check_rights.side_effect = [SILENT, None]
    fetch = RecordsFetch(lambda: keeper, slurm, CLOCK.clock, check_rights=True)
    with pytest.raises(SchedulerFailure):
        fetch()
    fetch()
    fetch()
    assert slurm.check_rights.call_count == 2


def test_a_slurm_that_was_not_tried_is_a_warning_once_and_a_remark(caplog: pytest.LogCaptureFixture) -> None:
    slurm = Mock()
    slurm.never_ours, slurm.nodes.return_value = frozenset[str](), {}
    slurm.remark.return_value = "Slurm 99.05 is newer than tried"
    remarks: dict[str, str] = {}
    fetch = RecordsFetch(keeper_of, slurm, CLOCK.clock, remarks=remarks)
    fetch()
    fetch()
    assert list(remarks.values()) == ["Slurm 99.05 is newer than tried"]
    assert [record.getMessage() for record in caplog.records] == ["Slurm 99.05 is newer than tried"]
    assert slurm.remark.call_count == 1


def test_it_shows_when_it_was_slurm_that_is_away() -> None:
    slurm = Mock()
    slurm.nodes.side_effect = SILENT
    slurm.queue.side_effect = SILENT
    with pytest.raises(SchedulerFailure):
        RecordsFetch(keeper_of, slurm, CLOCK.clock)()
    with pytest.raises(SchedulerFailure):
        QueueFetch(slurm, None, CLOCK.clock)()
    keeper = keeper_of()
    keeper.list_records.side_effect = AWAY
    with pytest.raises(RemoteFailure) as raised:
        RecordsFetch(lambda: keeper, slurm, CLOCK.clock)()
    assert not isinstance(raised.value, SchedulerFailure)


def test_slurms_jobs_come_before_those_of_arvados() -> None:
    slurm, jobs = Mock(), Mock()
    slurm.queue.return_value = WaitingJobs(Queue([Job("s", JobShape())]), {})
    jobs.waiting.return_value = (Job("j", JobShape(), in_slurm=False),)
    make = Mock(return_value=jobs)
    fetch = QueueFetch(slurm, make, CLOCK.clock)
    assert [job.id for job in fetch().jobs] == ["s", "j"]
    fetch()
    assert make.call_count == 1


def test_jobs_that_wait_for_something_else_keep_their_reason() -> None:
    """They are no jobs to the brain, and whoever asks for one is told why it waits; one that is gone is forgotten."""
    slurm, waits = Mock(), JobWaits()
    slurm.queue.side_effect = [WaitingJobs(Queue(), {"held": "JobHeldUser"}), WaitingJobs(Queue(), {})]
    fetch = QueueFetch(slurm, None, CLOCK.clock, waits)
    assert list(fetch().jobs) == []
    assert dict(waits.others) == {"held": "JobHeldUser"}
    fetch()
    assert dict(waits.others) == {}


def test_what_is_the_same_again_is_handed_on_as_the_object_that_it_was() -> None:
    slurm, jobs = Mock(never_ours={"compute0"}), Mock()
    keeper = keeper_of(NodeRecord("zzzzz-7ekkf-000000000000001"))
    cloud = Mock(clock_offset=None)
    cloud.list_nodes.side_effect = lambda: (CloudNode("i-1", "one", "i-1"),)
    slurm.nodes.return_value = SINFO | {"compute0": node_work("compute0", "idle")}
    slurm.check_rights.return_value = None
    queue = Queue([Job("s", JobShape())])
    slurm.queue.return_value = WaitingJobs(queue, {})
    jobs.waiting.side_effect = [(), (), *[(Job("j", JobShape(), in_slurm=False),) for _ in range(2)]]
    records = RecordsFetch(lambda: keeper, slurm, CLOCK.clock)
    first, second = records(), records()
    assert first.slurm == SINFO
    assert second.slurm is first.slurm
    assert second.records is first.records
    nodes = CloudFetch(lambda: cloud, CLOCK.clock)
    assert nodes().nodes is nodes().nodes
    waits = JobWaits()
    fetch = QueueFetch(slurm, lambda: jobs, CLOCK.clock, waits)
    assert fetch().jobs is queue
    since = waits.since
    assert fetch().jobs is queue
    assert waits.since is since
    both = fetch().jobs
    assert [job.id for job in both] == ["s", "j"]
    assert fetch().jobs is both


def test_names_declared_cloud_and_what_their_nodes_do_come_from_one_answer(caplog: pytest.LogCaptureFixture) -> None:
    keeper, scheduler = Mock(spec=CloudRecords, clock_offset=None), Mock(never_ours=frozenset({"compute0"}))
    works = {**SINFO, "compute0": node_work("compute0", "idle")}
    keeper.list_with_work.return_value = ((NodeRecord("s-1"),), works)
    scheduler.check_rights.return_value = "it may not"
    fetch = RecordsFetch(lambda: keeper, scheduler, CLOCK.clock, check_rights=True)
    assert fetch() == RecordsListed((NodeRecord("s-1"),), SINFO, NOW)
    assert fetch().slurm is fetch().slurm
    assert scheduler.nodes.call_count == keeper.list_records.call_count == 0
    assert caplog.messages == ["it may not"]


def test_jobs_that_were_given_back_are_handed_on() -> None:
    scheduler, back = Mock(), (PlacedJob("17", requeue_off=True),)
    scheduler.queue.return_value = WaitingJobs(Queue(), {}, returned=back)
    assert QueueFetch(scheduler, None, CLOCK.clock)().returned == back


def test_how_long_jobs_are_likely_to_run_is_told() -> None:
    scheduler, shape = Mock(), JobShape()
    scheduler.queue.return_value = WaitingJobs(Queue(), {}, run_times={shape: 60.0})
    assert QueueFetch(scheduler, None, CLOCK.clock)().run_times == {shape: 60.0}


@pytest.mark.parametrize(("records", "places"), [("slurm", False), ("slurm-cloud", True)])
def test_a_slurm_that_places_jobs_has_hands_of_its_own(tmp_path: Path, records: str, places: bool) -> None:
    path = tmp_path / "site.cfg"
    path.write_text(
        f"[Arvados]\nnode_records = {records}\n[Daemon]\ndispatcher = slurm\n[Cloud]\nprovider = sandbox\n"
        "shutdown_windows = 0, 1\n[Cloud Credentials]\nurl = http://127.0.0.1:1\n[Size small]\ncores = 1\n"
    )
    makers = make_makers(load(str(path)))
    assert isinstance(makers.scheduler(), PlacingSlurm) is places
    assert isinstance(makers.keeper(), CloudRecords) is places
    assert (makers.placing is not None) is places
    assert makers.placing is None or isinstance(makers.placing(), PlacingSlurm)
