"""Traces from what the program keeps itself: its journal, held against the site that it is of, and its history."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from journal_doubles import POLICY, journalled, lively_site
from trace_files import outcome, written

from arvnodeman.fleet.messages import QueueListed, RecordsListed
from arvnodeman.fleet.values.model import Job, JobShape
from arvnodeman.fleet.values.work import NodeWork, WorkKind, WorkState
from arvnodeman.history import schema
from arvnodeman.history.file import HistoryFile
from arvnodeman.journal.writer import Journal, files_of
from arvnodeman.traces.job import JobEnding
from arvnodeman.traces.reading import read_trace
from arvnodeman.traces.trace import TraceKind

T0 = 1_699_999_200
POLL = 600.0  # seconds that lists may be apart, with requests that fail


@pytest.fixture(params=[False, True], ids=["arvados", "slurm"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, dict[str, tuple[float, float]]]:
    """A journal of some hours of a site, and when each of its jobs began and how long it ran."""
    run = lively_site(3, names=request.param)
    wall = run.wall() - run.agenda.now
    journalled(tmp_path, run, 8.0)
    right = {job.id: (wall + job.started, job.duration) for job in run.site.jobs.values() if job.started is not None}
    assert len(right) == 30
    (folder,) = {path.parent for path in tmp_path.rglob("*.gz")}
    return folder, right


def test_jobs_of_a_journal_are_those_of_its_site(kept: tuple[Path, dict[str, tuple[float, float]]]) -> None:
    folder, right = kept
    trace = read_trace(folder)
    assert trace.kinds == (TraceKind.JOURNAL,)
    jobs = {job.id: job for job in trace.jobs}
    assert jobs.keys() <= right.keys()
    assert len(jobs) > 20  # one that begins between two lists was never waiting in one
    began = [(job.begin, right[job.id][0]) for job in jobs.values() if job.begin is not None]
    assert len(began) > 25
    assert all(abs(seen - was) <= POLL for seen, was in began)
    hours = sum(job.seconds or 0.0 for job in jobs.values()), sum(seconds for _, seconds in right.values())
    assert hours[0] == pytest.approx(hours[1], rel=0.25)
    assert all(job.shape.cores in (1, 2, 8) for job in jobs.values())
    assert any("which job ran on which node is a guess" in remark for remark in trace.remarks)


def test_one_file_of_a_journal_is_a_trace_as_its_folder_is(kept: tuple[Path, dict[str, tuple[float, float]]]) -> None:
    folder, _ = kept
    files = files_of(folder)
    if len(files) == 1:
        assert read_trace(files[0]).jobs == read_trace(folder).jobs


def spells(*busy: str) -> RecordsListed:
    """What nodes do: these work, and the others of n1 and n2 are idle."""
    kinds = {name: WorkKind.WORKING if name in busy else WorkKind.FREE for name in ("n1", "n2")}
    return RecordsListed((), {name: NodeWork(name, WorkState(kind, kind)) for name, kind in kinds.items()}, 0.0)


def queue(*names: str) -> QueueListed:
    return QueueListed([Job(name, JobShape(cores=2), time_limit=600.0) for name in names], 0.0)


def test_a_job_begins_where_nodes_turn_busy_or_where_one_has_made_way(tmp_path: Path) -> None:
    """Three jobs on two nodes; of a fourth no node is seen, and a fifth waits."""
    journal = Journal(tmp_path, POLICY, float(T0))
    told: list[tuple[int, QueueListed | RecordsListed]] = [
        (0, queue("a", "b", "c", "g")),
        (0, spells()),
        (100, queue("c", "g")),
        (100, spells("n1", "n2")),
        (800, queue("g")),  # c on one of the two that have worked all the time
        (800, spells("n1", "n2")),
        (1600, queue("g")),
        (1600, spells("n2")),
        (1700, spells()),
        (9000, queue("g", "f")),
        (9100, queue("g")),
        (19_000, queue("g")),
    ]
    for at, event in told:
        journal.note(replace(event, started=float(T0 + at)), float(T0 + at), ())
    journal.start()
    journal.stop(60.0)
    (folder,) = {path.parent for path in tmp_path.rglob("*.gz")}
    trace = read_trace(folder)
    found = {job.id: (job.ending, job.begin and job.begin - T0, job.end and job.end - T0) for job in trace.jobs}
    assert found == {
        "a": (JobEnding.UNKNOWN, 100, 800),
        "b": (JobEnding.UNKNOWN, 100, 1700),
        "c": (JobEnding.UNKNOWN, 800, 1600),
        "f": (JobEnding.CANCELLED, None, 9100),
        "g": (JobEnding.PENDING, None, None),
    }
    assert {(job.shape.cores, job.time_limit) for job in trace.jobs} == {(2, 600.0)}


def test_a_history_tells_how_many_jobs_came_and_how_long_they_waited(tmp_path: Path) -> None:
    path = tmp_path / "anything"
    file = HistoryFile(path)
    file.open()
    file.write(
        [
            ("wait", (T0, 3, 2, 120.0, 70.0)),
            ("wait", (T0 + 60, 9, 1, 600.0, 600.0)),
            ("usage", (T0, "small", 0.0, 0.0, 5.0, 900.0, 0.0)),
            ("usage", (T0 + 60, "big", 0.0, 0.0, 5.0, 300.0, 0.0)),
        ]
    )
    file.close()
    trace = read_trace(path)
    assert trace.kinds == (TraceKind.HISTORY,)
    assert [(job.submit, job.begin, job.seconds, job.ending) for job in trace.jobs] == [
        (T0 - 540, T0 + 60, 400, JobEnding.UNKNOWN),
        (T0 - 60, T0, 400, JobEnding.UNKNOWN),
        (T0 - 60, T0, 400, JobEnding.UNKNOWN),
    ]
    assert {job.shape.nodes for job in trace.jobs} == {1}
    assert trace.remarks == (
        "a history shows when jobs left the queue, but not what they asked for: each counts as one node of any size",
        "a history has no run times: all jobs count as running for 400 s, the mean of busy time",
    )


def test_another_programs_database_is_no_history(tmp_path: Path) -> None:
    found = outcome(written(tmp_path / schema.FILE_NAME, b"SQLite format 3\x00" + bytes(4000)))
    assert isinstance(found, str)
    assert found.startswith(f"{tmp_path / schema.FILE_NAME} ")
