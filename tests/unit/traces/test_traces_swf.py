"""The Standard Workload Format: what is missing, parts of preempted jobs, nodes made of processors, hostile text."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trace_files import T0, UTC, outcome, written

from arvnodeman.traces.job import JobEnding, TracedJob
from arvnodeman.traces.reading import TraceOptions, read_trace
from arvnodeman.traces.trace import Trace, TraceKind

HEADER = f"""\
; Version: 2.2
;  Computer: made up
;UnixStartTime: {T0}
; MaxNodes: 128
; MaxProcs: 2048 (1024)
; Queue: 1 short jobs
; Note: something: else
;
"""
FIELDS: tuple[str, ...] = (
    "number",
    "submit",
    "wait",
    "run",
    "used",
    "cpu",
    "memory_used",
    "asked",
    "limit",
    "memory",
    "status",
    "user",
)
FIELDS += ("group", "executable", "queue", "partition", "before", "think")
VALUES = (7, 100, 60, 600, 4, 500, 1000, 4, 3600, 2048, 1, 3, 2, 9, 1, 1, -1, -1)


def line(**changed: float | str) -> str:
    return " ".join(str(value) for value in (dict(zip(FIELDS, VALUES, strict=True)) | changed).values())


def swf(folder: Path, *lines: str, header: str = HEADER, options: TraceOptions = UTC) -> Trace:
    return read_trace(written(folder / "log.swf", header + "\n".join(lines) + "\n"), options)


def one(folder: Path, *lines: str, header: str = HEADER) -> TracedJob:
    (job,) = swf(folder, *lines, header=header).jobs
    return job


def test_a_job_with_all_fields(tmp_path: Path) -> None:
    trace = swf(tmp_path, line())
    (job,) = trace.jobs
    assert trace.kinds == (TraceKind.SWF,)
    assert (job.id, job.name, job.partition, job.ending) == ("7", "application 9", "short", JobEnding.COMPLETED)
    assert (job.submit, job.eligible, job.begin, job.end) == (T0 + 100, T0 + 100, T0 + 160, T0 + 760)
    assert (job.seconds, job.at_least, job.time_limit, job.exclusive) == (600, False, 3600, None)
    shape = job.shape
    assert (shape.cores, shape.nodes, shape.ram, shape.partitions) == (4, 1, 8, ())
    assert (shape.owner.user, shape.owner.account) == ("user3", "group2")
    assert job.max_rss == pytest.approx(4 * 1000 / 1024)
    assert trace.remarks == ("nodes are taken to have 16 processors, as MaxProcs by MaxNodes of the header",)


@pytest.mark.parametrize(
    ("processors", "nodes", "cores"), [(1, 1, 1), (16, 1, 16), (17, 2, 9), (64, 4, 16), (100, 7, 15)]
)
def test_processors_are_spread_over_nodes_of_the_headers_width(
    tmp_path: Path, processors: int, nodes: int, cores: int
) -> None:
    shape = one(tmp_path, line(asked=processors, memory=1024)).shape
    assert (shape.nodes, shape.cores, shape.ram) == (nodes, cores, cores)


def test_the_width_may_be_told(tmp_path: Path) -> None:
    (job,) = swf(tmp_path, line(asked=64), options=TraceOptions(processors=8)).jobs
    assert (job.shape.nodes, job.shape.cores) == (8, 8)


def test_without_a_header_what_is_assumed_is_said(tmp_path: Path) -> None:
    trace = swf(tmp_path, line(asked=64), header="")
    (job,) = trace.jobs
    assert (job.submit, job.shape.nodes, job.shape.cores) == (100, 1, 64)
    assert trace.remarks == (
        "no UnixStartTime in the header: times are counted from 1970 on",
        "the header has no MaxNodes and MaxProcs: each job counts as asking for one node with all its processors",
    )


def test_each_of_asked_and_used_stands_for_the_other(tmp_path: Path) -> None:
    assert one(tmp_path, line(asked=-1, used=8)).shape.cores == 8
    assert one(tmp_path, line(asked=8, used=-1)).shape.cores == 8
    trace = swf(tmp_path, line(), line(number=8, asked=-1, used=-1))
    assert len(trace.jobs) == 1
    assert (
        "jobs that say neither how many processors they asked for nor how many they used, and are left out: 1"
        in trace.remarks
    )


def test_what_is_missing_is_said_and_not_made_up(tmp_path: Path) -> None:
    trace = swf(
        tmp_path, line(wait=-1, limit=-1, memory=-1, memory_used=-1, user=-1, group=-1, executable=-1, queue=-1)
    )
    (job,) = trace.jobs
    assert (job.begin, job.end, job.seconds, job.ran) == (None, None, 600, True)
    assert (job.time_limit, job.shape.ram, job.max_rss, job.name, job.partition) == (None, 0, None, "", "")
    assert (job.shape.owner.user, job.shape.owner.account) == ("", "")
    assert {
        "jobs without a wait, so it is not known when they started: 1",
        "jobs that do not say how much time they asked for: 1",
        "jobs that do not say how much memory they asked for, and count as asking for none: 1",
    } <= set(trace.remarks)


@pytest.mark.parametrize(
    ("changed", "ending", "ran", "end"),
    [
        ({"status": 0}, JobEnding.FAILED, True, T0 + 760),
        ({"status": 5}, JobEnding.CANCELLED, True, T0 + 760),
        ({"status": 5, "run": -1, "used": -1}, JobEnding.CANCELLED, False, T0 + 160),
        ({"status": 5, "run": 0, "used": 0}, JobEnding.CANCELLED, False, T0 + 160),
        ({"status": -1}, JobEnding.COMPLETED, True, T0 + 760),
        ({"status": -1, "run": -1, "used": -1}, JobEnding.UNKNOWN, False, T0 + 160),
        ({"status": 1, "run": 0}, JobEnding.COMPLETED, True, T0 + 160),
    ],
)
def test_how_jobs_end(tmp_path: Path, changed: dict[str, float], ending: JobEnding, ran: bool, end: float) -> None:
    job = one(tmp_path, line(**changed))
    assert (job.ending, job.ran, job.end) == (ending, ran, end)


def test_parts_of_a_preempted_job_go_on_one_after_the_other(tmp_path: Path) -> None:
    parts = [
        line(status=2, run=100),
        line(status=2, submit=-1, wait=50, run=200),
        line(status=3, submit=-1, wait=9, run=3),
    ]
    trace = swf(tmp_path, *parts, line(number=8, submit=500))
    job = trace.jobs[0]
    assert (job.submit, job.begin, job.seconds, job.requeues, job.ending) == (
        T0 + 100,
        T0 + 160,
        303,
        2,
        JobEnding.COMPLETED,
    )
    assert "lines that are parts of preempted jobs, and are put together: 3" in trace.remarks
    trace = swf(tmp_path, line(run=303), *parts)
    assert [(job.seconds, job.requeues) for job in trace.jobs] == [(303, 0)]
    assert "lines that are parts of jobs which another line sums up, and are left out: 3" in trace.remarks


def test_lines_out_of_order_are_sorted_and_decimals_are_read(tmp_path: Path) -> None:
    lines = [line(number=number, submit=submit) for number, submit in ((0, 50.25), (1, 10), (2, 50.25), (3, 0))]
    trace = swf(tmp_path, *lines, line(number=4, submit=99, wait="-0.0"))
    assert [(job.id, job.submit - T0) for job in trace.jobs] == [
        ("3", 0),
        ("1", 10),
        ("0", 50.25),
        ("2", 50.25),
        ("4", 99),
    ]


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ("7 100 60", "it has 3 fields, and SWF 18"),
        (line() + " 1", "it has 19 fields, and SWF 18"),
        (line(run="long"), "it has a field that is not a number"),
        (line(run="nan"), "it has a number that is out of range"),
        (line(submit="inf"), "it has a number that is out of range"),
        (line(submit=5e9), "a submit time out of range: 5e+09"),
        (line(submit=-1), "a submit time out of range: -1"),
    ],
)
def test_a_line_that_cannot_be_read_is_named_and_left_out(tmp_path: Path, bad: str, why: str) -> None:
    lines = [line(number=number) for number in range(100, 140)]
    trace = swf(tmp_path, *lines[:3], bad, *lines[3:])
    assert [(each.line, each.why) for each in trace.unreadable] == [(12, why)]
    assert len(trace.jobs) == 40


def test_a_log_cut_in_the_midst_of_a_line_is_refused(tmp_path: Path) -> None:
    text = HEADER + "".join(line(number=number) + "\n" for number in range(100, 140))
    for kept in range(2, 40):
        found = outcome(written(tmp_path / "t", text[:-kept]))
        assert found == f"{tmp_path / 't'}: it is cut in the midst of its last line"
    whole = outcome(written(tmp_path / "t", text[:-1]))
    assert not isinstance(whole, str)
    assert whole.remarks[-1] == f"{tmp_path / 't'}: its last line has no end: it may be cut"
    assert outcome(written(tmp_path / "t", HEADER)) == f"{tmp_path / 't'}: it holds no jobs"


@given(
    st.lists(st.lists(st.sampled_from(["-1", "0", "1", "2", "3", "5", "1e14", "-7.5", "x"]), min_size=16, max_size=19))
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=100)
def test_any_numbers_give_jobs_or_one_line(tmp_path: Path, rows: list[list[str]]) -> None:
    found = outcome(written(tmp_path / "t", HEADER + "".join(" ".join(words) + "\n" for words in rows)))
    if not isinstance(found, str):
        submits = [job.submit for job in found.jobs]
        assert submits == sorted(submits)
        assert all(job.seconds is None or job.seconds >= 0 for job in found.jobs)
        assert all(job.shape.cores * job.shape.nodes >= 1 for job in found.jobs)
