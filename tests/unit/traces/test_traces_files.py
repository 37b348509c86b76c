"""Files of traces: packed, cut, broken, of no kind; JSON that comes in pieces; jobcomp's records."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trace_files import RECORDED, T0, UTC, outcome, row, sacct_text, written

from arvnodeman.traces.job import JobEnding
from arvnodeman.traces.json_stream import JsonList, NotJson
from arvnodeman.traces.reading import TraceOptions, read_trace
from arvnodeman.traces.trace import NoTrace

TEXT = sacct_text([row(JobID=number) for number in range(100, 140)]).encode()
JOBCOMP = (
    "JobId={number} UserId=alice(2001) GroupId=alice(2001) Name={name} JobState={state} Partition=main,alt TimeLimit=10"
    " StartTime={start} EndTime={end} NodeList=n1 NodeCnt=1 ProcCnt=2 WorkDir=/home/alice ReservationName="
    " Tres=cpu=2,mem=1G,node=1,billing=2 Account=lab1 QOS=normal WcKey= Cluster=trace SubmitTime={submit}"
    " EligibleTime={submit}{marks} DerivedExitCode=0:0 ExitCode=0:0 \n"
)


def record(**changed: str) -> str:
    """Of jobcomp."""
    values = {"number": "7", "name": "work", "state": "COMPLETED", "submit": "2026-01-01T00:00:00", "marks": ""}
    values |= {"start": "2026-01-01T00:01:00", "end": "2026-01-01T00:11:00"}
    return JOBCOMP.format(**(values | changed))


def zstd() -> Any:
    """Python's own, or its backport."""
    if sys.version_info >= (3, 14):
        from compression import zstd as library
    else:
        from backports import zstd as library
    return library


def packed(kind: str) -> bytes:
    packers = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zst": zstd().compress, "plain": bytes}
    data: bytes = packers[kind](TEXT)
    return data


@pytest.mark.parametrize("kind", ["plain", "gz", "bz2", "xz", "zst"])
def test_a_file_is_known_by_what_it_begins_with_and_not_by_its_name(tmp_path: Path, kind: str) -> None:
    trace = read_trace(written(tmp_path / "trace.json", packed(kind)))
    assert len(trace.jobs) == 40


@pytest.mark.parametrize("kind", ["gz", "bz2", "xz", "zst"])
def test_a_packed_file_that_is_cut_or_broken_is_refused_in_one_line(tmp_path: Path, kind: str) -> None:
    data, path = packed(kind), tmp_path / "t"
    for spoilt in (data[: len(data) // 2], data[:-1], data[:20] + bytes(40) + data[60:]):
        found = outcome(written(path, spoilt))
        assert isinstance(found, str)
        assert found.startswith((f"{path}: it is cut, or broken: ", f"{path} cannot be read: "))
        assert "\n" not in found


def test_without_a_library_for_zstd_there_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = packed("zst")
    for name in ("compression.zstd", "backports.zstd"):
        monkeypatch.setitem(sys.modules, name, None)
    found = outcome(written(tmp_path / "t", data))
    assert isinstance(found, str)
    assert found.endswith("decompress it (zstd -d), or install the extra: pip install 'arvados-node-manager[zstd]'")


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    assert outcome(tmp_path / "no") == f"{tmp_path / 'no'} cannot be read: No such file or directory"
    assert outcome(tmp_path) == f"{tmp_path}: it is a folder without a journal"
    with pytest.raises(NoTrace, match="no trace is named"):
        read_trace([])
    with pytest.raises(NoTrace, match="no time zone 'Mars'"):
        read_trace(written(tmp_path / "t", TEXT), TraceOptions(zone="Mars"))


def test_a_line_without_end_costs_no_memory(tmp_path: Path) -> None:
    found = outcome(written(tmp_path / "t", TEXT + b"7|" + b"x" * (5 << 20)))
    assert found == f"{tmp_path / 't'}: it is cut in the midst of its last line"


# ---- JSON ------------------------------------------------------------------------------------------------------------


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[place : place + size] for place in range(0, len(data), size))


ITEMS = st.none() | st.integers() | st.text(max_size=20) | st.lists(st.text(max_size=5), max_size=5)


@given(st.lists(ITEMS, max_size=10), st.integers(1, 50))
@settings(max_examples=60, deadline=None)
def test_a_list_in_pieces_is_the_list(items: list[object], size: int) -> None:
    beside: dict[str, object] = {"meta": {"jobs": [1]}, "errors": []}
    for plain in ({"jobs": items}, {**beside, "jobs": items}, {"jobs": items, **beside}):
        data = json.dumps(plain, ensure_ascii=False, indent=1).encode("utf-8", "replace")
        listed = JsonList(pieces(data, size), "jobs")
        assert list(listed.items()) == json.loads(data)["jobs"]
        assert listed.beside == {key: plain[key] for key in plain if key != "jobs"}
        twice = JsonList(pieces(data + b"\n" + data, size), "jobs")
        assert len(list(twice.items())) == 2 * len(items)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}x", '{"jobs": [1, 2', '{"jobs": [1 2]}', '{"jobs" 1}', '{"jobs": [1,]}', "{1: 2}", '{"a']
)
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(NotJson, match=r"JSON|cut"):
        list(JsonList(iter([text.encode()]), "jobs").items())


def test_json_that_is_nested_too_deep_is_refused() -> None:
    with pytest.raises(NotJson, match="nested too deep"):
        list(JsonList(iter([b'{"jobs": [' + b"[" * 200_000]), "jobs").items())


def test_a_json_export_that_is_cut_is_refused_wherever_that_is(tmp_path: Path) -> None:
    data = (RECORDED / "sacct-24.11.json").read_bytes().rstrip()
    for kept in (1, 5, 100, len(data) // 3, len(data) // 2, len(data) - 2, len(data) - 1):
        found = outcome(written(tmp_path / "t", data[:kept]))
        assert isinstance(found, str)
        assert "cut" in found


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"meta": {}}', "it is JSON without a list of jobs"),
        ('{"jobs": []}', "it holds no jobs"),
        (
            '{"jobs": [{"job_id": 5, "submit_time": 5}]}',
            "it is output of squeue, which does not know ended jobs: use sacct",
        ),
        ('{"jobs": [5]}', "1 of 1 records (100%) cannot be read; job 1: a job of another form: TypeError"),
        ('{"jobs": [{}]}', "1 of 1 records (100%) cannot be read; job 1: it has no time or no state"),
    ],
)
def test_json_that_is_no_trace(tmp_path: Path, text: str, words: str) -> None:
    found = outcome(written(tmp_path / "t", text))
    assert isinstance(found, str)
    assert found.startswith(f"{tmp_path / 't'}: {words}")


def spoilt(changed: dict[str, Any]) -> dict[str, Any]:
    """An export of forty jobs, one of them changed."""
    (first, *_) = json.loads((RECORDED / "sacct-24.11.json").read_text())["jobs"]
    return {"jobs": [{**first, "job_id": number} for number in range(1000, 1040)] + [{**first, **changed}]}


@pytest.mark.parametrize(
    "changed",
    [
        {"time": {}},
        {"time": 5},
        {"state": {"current": [5]}},
        {"state": {"current": "soon"}},
        {"job_id": "x"},
        {"array": {"job_id": 5, "task": "0xyz"}},
        {"tres": {"requested": [{"count": 1}]}},
        {"tres": 5},
        {"required": {"CPUs": -1}, "tres": {}},
        {"steps": [{"tres": 5}]},
    ],
)
def test_a_job_of_json_that_cannot_be_read_is_named_and_left_out(tmp_path: Path, changed: dict[str, Any]) -> None:
    trace = read_trace(written(tmp_path / "t", json.dumps(spoilt(changed))))
    assert len(trace.jobs) == 40
    assert [(each.line, each.unit) for each in trace.unreadable] == [(41, "job")]


def test_steps_of_json_tell_what_memory_was_used(tmp_path: Path) -> None:
    def step(size: int) -> dict[str, Any]:
        return {"tres": {"requested": {"max": [{"type": "cpu", "count": 5}, {"type": "mem", "count": size << 20}]}}}

    trace = read_trace(
        written(tmp_path / "t", json.dumps(spoilt({"job_id": 7, "steps": [step(5), step(300), step(-2)]})))
    )
    assert {job.id: job.max_rss for job in trace.jobs}["7"] == 300


# ---- jobcomp ---------------------------------------------------------------------------------------------------------


def test_a_record_of_jobcomp(tmp_path: Path) -> None:
    (job,) = read_trace(written(tmp_path / "t", record()), UTC).jobs
    assert (job.id, job.submit, job.begin, job.end, job.seconds) == ("7", T0, T0 + 60, T0 + 660, 600)
    assert (job.shape.partitions, job.partition, job.shape.ram, job.time_limit) == (("main", "alt"), "main", 1024, 600)


def test_runs_of_jobcomp_are_one_job(tmp_path: Path) -> None:
    again = record(submit="2026-01-01T00:11:00", start="2026-01-01T00:15:00", end="2026-01-01T00:16:00")
    (job,) = read_trace(written(tmp_path / "t", record(state="PENDING") + again), UTC).jobs
    assert (job.ending, job.submit, job.seconds, job.lost, job.requeues) == (JobEnding.COMPLETED, T0, 60, 600, 1)


@pytest.mark.parametrize(
    ("marks", "identity", "array", "het"),
    [
        (" ArrayJobId=52 ArrayTaskId=3", "52_3", "52", ""),
        (" HetJobId=65 HetJobOffset=1", "65+1", "", "65"),
    ],
)
def test_marks_of_jobcomp(tmp_path: Path, marks: str, identity: str, array: str, het: str) -> None:
    (job,) = read_trace(written(tmp_path / "t", record(marks=marks)), UTC).jobs
    assert (job.id, job.array, job.het) == (identity, array, het)


@pytest.mark.parametrize(
    "name",
    [
        "JobState=FAILED Partition=x",
        "a\nb",
        "JobId=5 UserId=x(1)",
        " ExitCode=0:0",
        "x" * 900,
        "\x1b[1m",
        "Name= WorkDir=",
    ],
)
def test_names_of_jobcomp_say_what_they_like(tmp_path: Path, name: str) -> None:
    trace = read_trace(written(tmp_path / "t", record(name=name) + record(number="8")), UTC)
    assert [(job.id, job.name, job.partition) for job in trace.jobs] == [("7", name, "main"), ("8", "work", "main")]


def test_records_of_jobcomp_that_are_cut_take_no_other_with_them(tmp_path: Path) -> None:
    many = [record(number=str(number)) for number in range(100, 160)]
    long = record(name="n" * 700 + " JobState=x")[:1023]
    trace = read_trace(written(tmp_path / "t", "".join([*many, long, long, record(number="8")])), UTC)
    assert (len(trace.jobs), trace.counts.unreadable) == (61, 2)
    assert "8" in {job.id for job in trace.jobs}


@given(
    st.lists(st.sampled_from([" JobState=A", " Partition=", " WorkDir=", "JobId=1 UserId=", "\n", "(1)", " x", "ö"]))
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
def test_hostile_names_of_jobcomp_lose_no_other_job(tmp_path: Path, parts: list[str]) -> None:
    many = [record(number=str(number)) for number in range(1000, 1400)]
    found = outcome(written(tmp_path / "t", "".join([*many, record(name="".join(parts)), record(number="8")])))
    assert not isinstance(found, str)
    assert len({job.id for job in found.jobs}) >= 401
