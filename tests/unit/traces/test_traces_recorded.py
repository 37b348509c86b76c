"""What real Slurms of three versions wrote of the same hundred submissions, and what is right."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import pytest
from trace_files import RECORDED, UTC

from arvnodeman.traces.job import JobEnding, TracedJob
from arvnodeman.traces.reading import read_trace
from arvnodeman.traces.trace import TraceKind

# What accounting does not keep, or says otherwise than it was asked: by label, the fields that cannot be right.
NOT_TOLD = {
    "mem0": {"ram"},  # --mem=0: shown as what the node has, 4,000 MB, like memory that was asked for
    "excl-two-nodes": {"ram"},  # 300 MB for three CPUs on two nodes: by node or by CPU is not told
    "parts-two": {"time_limit", "partitions"},  # the partition that it ran in, with its limit
    "time-days": {"time_limit"},  # 24.11: --time-min was granted
}
NOT_TOLD_BY = {
    "exact": {"exclusive-nomem": {"ram"}, "pending-exclusive": {"exclusive"}},
    "psv": {"exclusive-nomem": {"ram"}},
    "jobcomp": {
        **{label: {"ram"} for label in ("no-mem", "exclusive-nomem")},
        **{label: {"features"} for label in ("features-and", "features-or", "features-count", "het", "modified")},
        **{f"name-{kind}": {"name"} for kind in ("unicode", "latin1", "quotes", "empty", "long")},  # as it was given
    },
    "json": {},
}
FILES = [
    (version, name, kind)
    for version in ("22.05", "24.11")
    for name, kind in (
        (f"sacct-{version}-exact.txt", "exact"),
        (f"sacct-{version}.psv", "psv"),
        (f"sacct-{version}.json", "json"),
        (f"jobcomp-{version}.txt", "jobcomp"),
    )
]
LEFT_OUT = {  # of the recommended export: what was not eligible when it was asked
    "exact": {"deadline", "parts-pending", "array-pending", "dep-never", "held-pending", "begin-later"},
    "psv": set(),
}


def number_of(right: dict[str, Any]) -> str:
    for mark, sign in (("array", "_"), ("het", "+")):
        if right[mark]:
            return f"{right[mark][0]}{sign}{right[mark][1]}"
    return str(right["job_id"])


def expected(version: str) -> list[dict[str, Any]]:
    """Of jobs that were not refused; arrays that wait, whose tasks share a row, are for another test."""
    plain = json.loads((RECORDED / f"expected-{version}.json").read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = [each for each in plain["jobs"] if each.get("job_id") is not None]
    return [each for each in found if not each["array"] or each["array"][1] is not None]


def asked(right: dict[str, Any]) -> dict[str, Any]:
    """What it asked for, in the words of a shape."""
    plain = right["asked"]
    nodes = plain["min_nodes"] or 1
    cores = math.ceil(plain["cores"] / nodes)
    of_gpus = (plain["mem_per_gpu_mb"] or 0) * plain["gpus"]
    limit = plain["time_limit_s"] or plain.get("time_limit_from_partition_s")
    return {
        "cores": cores,
        "nodes": nodes,
        "ram": plain["mem_per_node_mb"] or (plain["mem_per_cpu_mb"] or 0) * cores or of_gpus,
        "gpus": plain["gpus"],
        "features": plain["features"] or "",
        "partitions": tuple(plain["partitions"]),
        "time_limit": limit or (300 if right["label"] == "het" else math.inf),  # the first part's, for both
        "exclusive": plain["whole_node"] is True,
        "user": right["user"],
        "account": right["account"],
        "name": right["name"],
        **{key: right[key] for key in ("submit", "eligible", "state")},
        "begin": right["runs"][0]["start"],
        "end": right["runs"][-1]["end"],
        "requeues": len(right["runs"]) - 1,
        "lengths": [run["end"] - run["start"] for run in right["runs"] if run["end"] and run["start"]],
    }


def told(job: TracedJob) -> dict[str, Any]:
    shape = job.shape
    return {
        **{key: getattr(shape, key) for key in ("cores", "nodes", "ram", "features", "partitions")},
        "gpus": sum(count for _, count in shape.gres),
        "exclusive": job.exclusive is True,
        "user": shape.owner.user,
        "account": shape.owner.account,
        **{key: getattr(job, key) for key in ("time_limit", "name", "submit", "eligible", "begin", "end", "requeues")},
        "state": job.ending.name,
        "lengths": [job.lost, job.seconds] if job.lost else [job.seconds] if job.ran else [],
    }


def differences(version: str, name: str, kind: str) -> Iterator[str]:
    jobs = {job.id: job for job in read_trace(RECORDED / name, UTC).jobs}
    for right in expected(version):
        job, label = jobs.get(number_of(right)), right["label"]
        if job is None:
            yield f"{label}: it is missing"
            continue
        wanted, found = asked(right), told(job)
        if job.ending is JobEnding.RUNNING:
            found["lengths"] = []
        passed_over = NOT_TOLD.get(label, set()) | NOT_TOLD_BY[kind].get(label, set())
        for key in sorted(wanted.keys() - passed_over):
            if found[key] != wanted[key]:
                yield f"{label}: {key} is {found[key]!r}, and was {wanted[key]!r}"


@pytest.mark.parametrize(("version", "name", "kind"), FILES)
def test_jobs_are_as_they_were_asked_for_and_ended(version: str, name: str, kind: str) -> None:
    found = [each for each in differences(version, name, kind) if not each.endswith("it is missing")]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(("version", "name", "kind"), [each for each in FILES if each[2] in LEFT_OUT])
def test_no_job_is_lost_that_sacct_has_listed(version: str, name: str, kind: str) -> None:
    missing = {each.partition(":")[0] for each in differences(version, name, kind) if each.endswith("it is missing")}
    assert missing <= LEFT_OUT[kind]


@pytest.mark.parametrize("version", ["22.05", "24.11"])
def test_waiting_tasks_that_share_a_row_are_a_job_each(version: str) -> None:
    array, cancelled = ("55", "54") if version == "22.05" else ("54", "53")
    tasks = [f"{array}_{task}" for task in range(1, 101, 3)]
    for name in (f"sacct-{version}.psv", f"sacct-{version}.json"):
        jobs = [job for job in read_trace(RECORDED / name).jobs if job.array == array]
        assert [job.id for job in jobs] == tasks
        assert {(job.ending, job.shape.cores, job.ran) for job in jobs} == {(JobEnding.PENDING, 2, False)}
    jobs = [job for job in read_trace(RECORDED / f"sacct-{version}.psv").jobs if job.array == cancelled]
    assert [job.id for job in jobs] == [f"{cancelled}_{task}" for task in (10, 11, 12, 20)]
    assert {(job.ending, job.ran) for job in jobs} == {(JobEnding.CANCELLED, False)}


def test_2011_writes_memory_by_node_or_by_cpu_and_cuts_lists_of_tasks() -> None:
    trace = read_trace(RECORDED / "sacct-20.11.psv")
    jobs = {job.name: job for job in trace.jobs}
    assert {
        name: jobs[name].shape.ram for name in ("n10-per-cpu", "mem-per-cpu", "two-nodes", "no-mem", "mem-1536m")
    } == {
        "n10-per-cpu": 5000,
        "mem-per-cpu": 1200,
        "two-nodes": 300,
        "no-mem": 0,
        "mem-1536m": 1536,
    }
    assert len([job for job in trace.jobs if job.name == "array-pending"]) == 10  # 1,4,…,28: its last, 31, may be cut
    assert any("whose list is cut" in remark for remark in trace.remarks)
    assert trace.counts.unreadable == 0


def test_2011_cuts_records_of_jobcomp_and_the_next_one_is_read_all_the_same() -> None:
    trace = read_trace(RECORDED / "jobcomp-20.11.txt", UTC)
    assert [str(each).partition("line ")[2] for each in trace.unreadable] == [
        "73: the record is cut at 1,023 bytes, and the next one follows in its line"
    ]
    assert {job.name for job in trace.jobs} >= {"a|b", "new\nline", "JobState=FAILED Partition=x"}
    assert not [job for job in trace.jobs if "JobId=" in job.name]


# Of 26.05, by name: cores, nodes, MB, whole nodes, seconds, seconds lost, requeues.
RIGHT_2605 = {
    "ok": (1, 1, 300, False, 4, 0, 0),
    "nomem": (1, 1, 0, False, 2, 0, 0),
    "percpu": (2, 1, 400, False, 2, 0, 0),
    "excl": (1, 1, 100, True, 2, 0, 0),
    "pipe": (1, 1, 100, False, 1, 0, 0),  # --constraint small|small
    "heldcancel": (1, 1, 50, False, None, 0, 0),
    "arr": (1, 1, 50, False, 1, 0, 0),  # four tasks
    "fails": (1, 1, 50, False, 0, 0, 0),
    "req": (1, 1, 50, False, 20, 4, 1),
    "resize": (1, 2, 50, False, 15, 0, 0),  # from two nodes to one after seven seconds
    "launchfail": (1, 1, 50, False, 1, 0, 0),
    "excl2": (1, 1, 50, True, 1, 0, 0),  # in a partition of whole nodes
    "run": (1, 1, 50, False, 40, 0, 0),
}


@pytest.mark.parametrize("name", ["sacct-26.05-exact.txt", "sacct-26.05-steps.txt", "sacct-26.05.json"])
def test_2605_is_read_as_older_ones_are(name: str) -> None:
    trace = read_trace(RECORDED / name)
    found = {
        job.name: (
            int(job.shape.cores),
            job.shape.nodes,
            job.shape.ram,
            job.exclusive is True,
            job.seconds,
            job.lost,
            job.requeues,
        )
        for job in trace.jobs
        if job.name not in ("het", "hetpend", "held")
    }
    right = RIGHT_2605 if name.endswith("json") else RIGHT_2605 | {"nomem": (1, 1, 4000, False, 2, 0, 0)}
    assert found == right
    assert [(job.id, job.het) for job in trace.jobs if job.name == "het"] == [("9+0", "9"), ("9+1", "9")]
    assert len([job for job in trace.jobs if job.array == "6"]) == 4
    assert not trace.counts.unreadable


def test_2605_says_which_jobs_have_their_nodes_to_themselves() -> None:
    trace = read_trace(RECORDED / "sacct-26.05-exclusive.txt")
    assert {job.name: job.exclusive for job in trace.jobs} == {
        "node": True,
        "user": False,
        "mcs": False,
        "topo": None,
        "none": False,
        "over": False,
        "part": True,  # its partition says so
    }


def test_2605_tells_what_memory_steps_have_used() -> None:
    trace = read_trace(RECORDED / "sacct-26.05-steps.txt")
    used = {job.name: job.max_rss for job in trace.jobs if job.max_rss is not None}
    assert len(used) >= 9
    assert all(3 < megabytes < 4 for megabytes in used.values())


def test_2605_jobcomp_has_lost_what_was_before_a_resize() -> None:
    trace = read_trace(RECORDED / "jobcomp-26.05.txt", UTC)
    jobs = {job.name: job for job in trace.jobs}
    assert (jobs["resize"].seconds, jobs["resize"].requeues, jobs["resize"].shape.nodes) == (8, 0, 2)
    assert (jobs["req"].seconds, jobs["req"].lost, jobs["req"].requeues) == (20, 4, 1)


@pytest.mark.parametrize("name", sorted(path.name for path in RECORDED.glob("[sj]*")))
def test_every_recorded_file_is_read_and_sorted(name: str) -> None:
    trace = read_trace(RECORDED / name, UTC)
    submits = [job.submit for job in trace.jobs]
    assert submits == sorted(submits)
    assert len({job.id for job in trace.jobs}) == trace.counts.jobs == len(trace.jobs)
    kind = TraceKind.JOBCOMP if name.startswith("jobcomp") else TraceKind.SACCT_TEXT
    assert trace.kinds == (TraceKind.SACCT_JSON if name.endswith(".json") else kind,)


def test_local_time_of_a_plain_export_is_that_of_the_zone() -> None:
    exact = {job.id: job for job in read_trace(RECORDED / "sacct-22.05-exact.txt").jobs}
    plain = read_trace(RECORDED / "sacct-22.05-plain.psv", UTC)
    assert "times without a zone are taken as those of UTC" in plain.remarks
    same = [job for job in plain.jobs if not exact[job.id].requeues]
    assert len(same) > 80
    assert {(job.submit, job.begin, job.end) for job in same} == {
        (exact[job.id].submit, exact[job.id].begin, exact[job.id].end) for job in same
    }
