"""Traces from what the program keeps itself: its journal, held against the site that it is of, and its history."""

from __future__ import annotations

from pathlib import Path

import pytest
from journal_doubles import journalled, lively_site
from trace_files import outcome, written

from arvnodeman.history import schema
from arvnodeman.history.file import HistoryFile
from arvnodeman.journal.writer import files_of
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
    assert len(began) > len(jobs) // 2
    assert all(abs(seen - was) <= POLL for seen, was in began)
    assert all(job.shape.cores in (1, 2, 8) for job in jobs.values())
    assert any("which job ran on which node is guessed" in remark for remark in trace.remarks)


def test_one_file_of_a_journal_is_a_trace_as_its_folder_is(kept: tuple[Path, dict[str, tuple[float, float]]]) -> None:
    folder, _ = kept
    files = files_of(folder)
    if len(files) == 1:
        assert read_trace(files[0]).jobs == read_trace(folder).jobs


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
        "a history tells when jobs left the queue, and not what they asked for: each is taken for one node of any size",
        "how long each job ran is not in a history: all are taken to have run for 400 s, the mean of busy time",
    )


def test_another_programs_database_is_no_history(tmp_path: Path) -> None:
    found = outcome(written(tmp_path / schema.FILE_NAME, b"SQLite format 3\x00" + bytes(4000)))
    assert isinstance(found, str)
    assert found.startswith(f"{tmp_path / schema.FILE_NAME} ")
