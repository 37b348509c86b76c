"""The jobs of a demo on a real Slurm, as a trace that `simulate` reads."""

from __future__ import annotations

from pathlib import Path

from arvnodeman.sandbox.demo_trace import FILE_NAME, trace_of
from arvnodeman.traces.job import JobEnding
from arvnodeman.traces.reading import TraceOptions, read_trace
from arvnodeman.traces.trace import Trace

RUN = (
    "JobId={number} UserId=root(0) GroupId=root(0) Name={name} JobState={state} Partition={partition} TimeLimit=525600 "
    "StartTime={start} EndTime={end} NodeList=n1 NodeCnt={nodes} ProcCnt={cpus} WorkDir=/tmp ReservationName= "
    "Tres=cpu=2,mem=3G,node=1,billing=2 Account= QOS= WcKey= Cluster=sandbox SubmitTime=2026-11-30T08:00:00 "
    "EligibleTime=2026-11-30T08:00:00{marks} DerivedExitCode=0:0 ExitCode=0:0 \n"
)
EIGHT = 1_796_025_600.0  # o'clock, on 30 November 2026


def run(name: str, begin: int, end: int, **more: object) -> str:
    """`begin`, `end`: seconds after eight, less than a minute."""
    given = {"number": 7, "state": "COMPLETED", "partition": "compute", "nodes": 1, "cpus": 2, "marks": "", **more}
    return RUN.format(name=name, start=f"2026-11-30T08:00:{begin:02}", end=f"2026-11-30T08:00:{end:02}", **given)


def traced(folder: Path, *runs: str, sizes: dict[str, str | None], placed: bool = False) -> Trace:
    (folder / "log").mkdir()
    (folder / "log" / "jobs").write_text("".join(runs))
    path = folder / FILE_NAME
    path.write_text(trace_of(folder, [{"name": name, "size": size} for name, size in sizes.items()]))
    return read_trace(path, TraceOptions("Europe/Berlin", placed=placed))


def test_times_are_slurms_and_the_size_is_what_the_job_named(tmp_path: Path) -> None:
    text = run("a", 20, 50) + run("b", 30, 59, number=8, partition="cloud")
    first, second = traced(tmp_path, text, sizes={"a": "small", "b": None}).jobs
    assert (first.submit, first.begin, first.end) == (EIGHT, EIGHT + 20, EIGHT + 50)
    assert (first.shape.size, first.shape.cores, first.shape.ram) == ("small", 2, 3072)
    assert first.exclusive is True
    assert (second.id, second.shape.size) == ("8", None)


def test_a_job_that_slurm_put_back_is_one_job(tmp_path: Path) -> None:
    back = run("a", 1, 9, state="PENDING")
    (job,) = traced(
        tmp_path,
        back,
        run("a", 20, 50).replace("SubmitTime=2026-11-30T08:00:00", "SubmitTime=2026-11-30T08:00:09"),
        sizes={"a": None},
    ).jobs
    assert (job.requeues, job.seconds, job.ending) == (1, 30.0, JobEnding.COMPLETED)


def test_tasks_of_an_array_are_jobs_of_their_own(tmp_path: Path) -> None:
    runs = [run("a", 20, 50, number=n, marks=f" ArrayJobId=7 ArrayTaskId={n - 6}") for n in (7, 8)]
    found = traced(tmp_path, *runs, sizes={"a_1": "big", "a_2": "big"})
    assert [(job.id, job.shape.size) for job in found.jobs] == [("7_1", "big"), ("7_2", "big")]


def test_a_job_that_had_no_node_has_not_begun(tmp_path: Path) -> None:
    (job,) = traced(tmp_path, run("a", 50, 50, state="CANCELLED", nodes=0), sizes={"a": None}).jobs
    assert not job.ran


def test_where_slurm_places_jobs_one_begins_when_its_node_has_come(tmp_path: Path) -> None:
    """Of a run that ends while its node boots Slurm tells a start, too: when it was placed."""
    back = run("a", 1, 9, state="NODE_FAIL", partition="cloud")
    ran = run("a", 20, 50, partition="cloud").replace(
        "SubmitTime=2026-11-30T08:00:00", "SubmitTime=2026-11-30T08:00:09"
    )
    (job,) = traced(tmp_path, back, ran, sizes={"a": None}, placed=True).jobs
    assert job.begin == EIGHT + 20


def test_a_job_all_of_whose_nodes_failed_began_with_its_last_run(tmp_path: Path) -> None:
    (job,) = traced(tmp_path, run("a", 1, 9, state="NODE_FAIL"), sizes={"a": None}, placed=True).jobs
    assert (job.begin, job.seconds) == (EIGHT + 1, 8.0)
