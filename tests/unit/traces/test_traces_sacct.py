"""`sacct --parsable2`: columns in any order, rows that their values have broken, runs that make a job, hostile text."""

from __future__ import annotations

import math
import random
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trace_files import COLUMNS, RECORDED, T0, UTC, outcome, row, sacct, sacct_text, written

from arvnodeman.traces.job import JobEnding, TracedJob
from arvnodeman.traces.reading import TraceOptions, read_trace
from arvnodeman.traces.sacct_command import COLUMNS as ASKED_FOR
from arvnodeman.traces.sacct_command import sacct_command
from arvnodeman.traces.trace import NAMED, NoTrace


def one(folder: Path, *rows: str, options: TraceOptions = UTC) -> TracedJob:
    (job,) = sacct(folder, *rows, options=options).jobs
    return job


def refused(folder: Path, text: str | bytes) -> str:
    with pytest.raises(NoTrace) as error:
        read_trace(written(folder / "sacct.txt", text), UTC)
    assert "\n" not in str(error.value)
    return str(error.value).removeprefix(f"{folder / 'sacct.txt'}: ")


def test_a_job_of_the_table_is_whole(tmp_path: Path) -> None:
    job = one(tmp_path, row(Constraints="ssd&instancetype=m4", ReqTRES="cpu=4,gres/gpu=2,mem=1000M,node=2"))
    assert (job.id, job.name, job.partition, job.ending) == ("7", "work", "main", JobEnding.COMPLETED)
    assert (job.submit, job.eligible, job.begin, job.end) == (T0, T0, T0 + 60, T0 + 660)
    assert (job.seconds, job.at_least, job.time_limit, job.requeues, job.lost) == (600, False, 3600, 0, 0)
    shape = job.shape
    assert (shape.cores, shape.nodes, shape.ram, shape.gres) == (2, 2, 500, (("gpu", 1),))
    assert (shape.size, shape.features, shape.partitions) == ("m4", "ssd&instancetype=m4", ("main",))
    assert (shape.owner.user, shape.owner.account, shape.owner.qos) == ("alice", "lab1", "normal")
    assert job.got is not None
    assert (job.got.nodes, job.got.cores, job.got.ram) == (1, 2, 500)


def test_columns_come_in_any_order_and_with_any_delimiter(tmp_path: Path) -> None:
    names = list(COLUMNS)
    random.Random(4).shuffle(names)
    expected = one(tmp_path, row())
    for delimiter in ("|", "\x1f", "\t", ";;", "||"):
        for end in ("", delimiter):  # --parsable ends each line with one
            cells = delimiter.join(COLUMNS[name] for name in names)
            text = f"{delimiter.join(names)}{end}\n{cells}{end}\n"
            assert read_trace(written(tmp_path / "t", text)).jobs == (expected,)


def test_a_windows_editor_may_have_had_the_file(tmp_path: Path) -> None:
    text = "\ufeff" + sacct_text([row()]).replace("\n", "\r\n")
    assert read_trace(written(tmp_path / "t", text)).jobs == (one(tmp_path, row()),)


@pytest.mark.parametrize(
    ("text", "limit"),
    [("60", 3600.0), ("525600", math.inf), ("UNLIMITED", math.inf), ("Partition_Limit", math.inf), ("", None)],
)
def test_no_limit_has_three_words(tmp_path: Path, text: str, limit: float | None) -> None:
    assert one(tmp_path, row(TimelimitRaw=text)).time_limit == limit


@pytest.mark.parametrize(
    ("changed", "exclusive"),
    [
        ({}, None),
        ({"ReqTRES": "cpu=1,node=1", "AllocCPUS": 2}, None),  # both threads of a core
        ({"ReqTRES": "cpu=1,node=1", "AllocCPUS": 16}, True),
    ],
)
def test_whole_nodes_show_in_what_a_job_got(tmp_path: Path, changed: dict[str, Any], exclusive: bool | None) -> None:
    assert one(tmp_path, row(**changed)).exclusive is exclusive
    by_partition = TraceOptions(exclusive_partitions=frozenset({"main"}))
    assert one(tmp_path, row(**changed), options=by_partition).exclusive is True


@pytest.mark.parametrize(
    ("word", "exclusive"), [("NODE", True), ("NO", False), ("USER", False), ("MCS", False), ("TOPO", None), ("", None)]
)
def test_2605_says_who_has_a_node_to_himself(tmp_path: Path, word: str, exclusive: bool | None) -> None:
    header, cells = "|".join([*COLUMNS, "Exclusive"]), f"{row()}|{word}"
    (job,) = read_trace(written(tmp_path / "t", f"{header}\n{cells}\n")).jobs
    assert job.exclusive is exclusive


@pytest.mark.parametrize(
    ("command", "exclusive"),
    [
        ("sbatch -n 1 --exclusive x.sh", True),
        ("sbatch --exclusive=user x.sh", False),
        ("sbatch -s x.sh", False),
        ("sbatch --comment=not--exclusive x.sh", None),
    ],
)
def test_whole_nodes_show_in_the_command_line(tmp_path: Path, command: str, exclusive: bool | None) -> None:
    header, cells = "|".join([*COLUMNS, "SubmitLine"]), f"{row()}|{command}"
    (job,) = read_trace(written(tmp_path / "t", f"{header}\n{cells}\n")).jobs
    assert job.exclusive is exclusive


@pytest.mark.parametrize(
    "never",
    [
        {"Start": "None"},
        {"Start": "Unknown"},
        {"Start": T0 + 5, "End": T0 + 5, "AllocNodes": 0, "AllocTRES": ""},  # as 22.05 writes it
    ],
)
def test_a_job_cancelled_while_it_waited_never_began(tmp_path: Path, never: dict[str, Any]) -> None:
    trace = sacct(tmp_path, row(**{"State": "CANCELLED by 1000", "End": T0 + 5, "ElapsedRaw": 0, **never}))
    (job,) = trace.jobs
    assert (job.ending, job.ran, job.begin, job.end, job.seconds) == (JobEnding.CANCELLED, False, None, T0 + 5, None)
    assert (trace.counts.never_began, job.got) == (1, None)


def test_a_job_that_runs_yet_has_run_for_so_long_at_least(tmp_path: Path) -> None:
    yet: dict[str, Any] = {"State": "RUNNING", "End": "Unknown"}
    trace = sacct(tmp_path, row(JobID=1, **yet), row(JobID=2, **yet, ElapsedRaw=""), row(JobID=3, End=T0 + 900))
    assert [(job.seconds, job.at_least, job.end) for job in trace.jobs] == [
        (600, True, None),
        (840, True, None),  # until the last moment that the trace knows
        (840, False, T0 + 900),
    ]
    assert trace.counts.running == 2


@pytest.mark.parametrize("state", ["TIMEOUT", "CANCELLED by 0", "OUT_OF_MEMORY", "NODE_FAIL", "PREEMPTED"])
def test_a_run_that_was_cut_is_no_jobs_length(tmp_path: Path, state: str) -> None:
    assert one(tmp_path, row(State=state)).at_least


def test_runs_of_a_requeued_job_are_one_job(tmp_path: Path) -> None:
    first = row(State="NODE_FAIL", Start=T0 + 10, End=T0 + 110)
    second = row(Submit=T0 + 110, Eligible=T0 + 231, State="REQUEUED", Start=T0 + 240, End=T0 + 250)
    third = row(Submit=T0 + 250, Eligible=T0 + 371, Start=T0 + 400, End=T0 + 700)
    for rows in ([first, second, third], [third, first, second]):
        trace = sacct(tmp_path, *rows)
        (job,) = trace.jobs
        assert (job.submit, job.eligible, job.begin, job.end) == (T0, T0, T0 + 10, T0 + 700)
        assert (job.seconds, job.at_least, job.lost, job.requeues) == (300, False, 110, 2)
        assert (trace.counts.runs, trace.counts.requeued) == (3, 1)


def test_a_job_cancelled_while_it_waits_again_has_run(tmp_path: Path) -> None:
    again: dict[str, Any] = {
        "Submit": T0 + 660,
        "Eligible": T0 + 781,
        "State": "CANCELLED",
        "Start": "None",
        "AllocNodes": 0,
    }
    job = one(tmp_path, row(State="PREEMPTED"), row(**again, End=T0 + 700))
    assert (job.ending, job.ran, job.seconds, job.at_least, job.end) == (JobEnding.CANCELLED, True, 600, True, T0 + 700)


def test_a_job_sent_back_of_which_no_more_is_told_waits(tmp_path: Path) -> None:
    trace = sacct(tmp_path, row(State="REQUEUED"))
    assert [(job.ending, job.requeues, job.end) for job in trace.jobs] == [(JobEnding.PENDING, 1, None)]
    assert trace.counts.waiting == 1


def test_parts_of_a_job_that_was_resized_are_one_run(tmp_path: Path) -> None:
    part = row(State="RESIZING", Start=T0 + 60, End=T0 + 160)
    job = one(tmp_path, part, row(Submit=T0 + 160, Eligible=T0 + 160, Start=T0 + 160, End=T0 + 660))
    assert (job.submit, job.begin, job.seconds, job.requeues, job.lost) == (T0, T0 + 60, 600, 0, 0)


def test_the_accounts_of_a_job_cancelled_for_good_and_of_its_numbers_next_one_are_two_jobs(tmp_path: Path) -> None:
    never: dict[str, Any] = {"State": "CANCELLED", "Start": "None", "End": T0 + 5, "AllocNodes": 0}
    trace = sacct(tmp_path, row(**never), row(Submit=T0 + 300, Eligible=T0 + 300, Start=T0 + 310))
    assert [(job.ending, job.requeues) for job in trace.jobs] == [(JobEnding.CANCELLED, 0), (JobEnding.COMPLETED, 0)]


def test_parts_of_a_het_job_that_waited_in_one_month_and_ran_in_the_next_are_the_same(tmp_path: Path) -> None:
    header = "|".join([*COLUMNS, "JobIDRaw"])
    waits: dict[str, Any] = {"State": "PENDING", "Start": "Unknown", "End": "Unknown", "AllocNodes": 0}
    lines = [f"{row(JobID=raw, **waits)}|{raw}" for raw in (9, 10)]  # as they are shown while they wait
    lines += [f"{row(JobID=f'9+{part}')}|{9 + part}" for part in (0, 1)]
    for each in (lines, lines[::-1]):
        trace = read_trace(written(tmp_path / "t", "\n".join([header, *each, ""])), UTC)
        assert sorted((job.id, job.het, job.ending) for job in trace.jobs) == [
            ("9+0", "9", JobEnding.COMPLETED),
            ("9+1", "9", JobEnding.COMPLETED),
        ]


def test_a_number_comes_again_after_a_year(tmp_path: Path) -> None:
    later = T0 + 400 * 86_400
    trace = sacct(tmp_path, row(), row(Submit=later, Eligible=later, Start=later, End=later + 5))
    assert [(job.id, job.submit, job.requeues) for job in trace.jobs] == [("7", T0, 0), ("7", later, 0)]
    assert "jobs that have the number of an earlier one: 1" in trace.remarks


def test_months_that_overlap_count_a_job_once_and_the_later_word_stands(tmp_path: Path) -> None:
    waits: dict[str, Any] = {"State": "PENDING", "Start": "Unknown", "End": "Unknown", "AllocNodes": 0}
    january = written(tmp_path / "1", sacct_text([row(JobID=1), row(JobID="9_[1-3%2]", **waits)]))
    tasks = [row(JobID=f"9_{task}") for task in (1, 2, 3)]
    february = written(tmp_path / "2", sacct_text([row(JobID=1), *tasks]))
    for paths in ([january, february], [february, january]):
        trace = read_trace(paths, UTC)
        assert [(job.id, job.ending) for job in sorted(trace.jobs, key=lambda job: job.id)] == [
            ("1", JobEnding.COMPLETED),
            *((f"9_{task}", JobEnding.COMPLETED) for task in (1, 2, 3)),
        ]
        assert trace.counts.twice == 4
    together = written(tmp_path / "3", january.read_bytes() + february.read_bytes())
    assert len(read_trace(together, UTC).jobs) == 4


def test_clusters_count_by_themselves(tmp_path: Path) -> None:
    header = "|".join([*COLUMNS, "Cluster"])
    text = f"{header}\n{row()}|one\n{row()}|two\n"
    assert len(read_trace(written(tmp_path / "t", text), UTC).jobs) == 2


def test_steps_tell_what_memory_was_used(tmp_path: Path) -> None:
    def rows(job: int, *steps: tuple[str, str]) -> list[str]:
        none = dict.fromkeys(("User", "Partition", "QOS", "ReqCPUS", "TimelimitRaw"), "")
        return [f"{row(JobID=job)}|", *(f"{row(JobID=f'{job}.{name}', **none)}|{used}" for name, used in steps)]

    header = "|".join([*COLUMNS, "MaxRSS"])
    lines = [*rows(1, ("batch", "1024K"), ("extern", "0"), ("0", "1.50G")), *rows(2, ("batch", "2097152")), *rows(3)]
    trace = read_trace(written(tmp_path / "t", "\n".join([header, *lines, ""])), UTC)
    assert [(job.id, job.max_rss) for job in trace.jobs] == [("1", 1536), ("2", 2), ("3", None)]
    assert trace.counts.records == 3


@pytest.mark.parametrize("name", ["a|b", "new\nline", "||", "a\nb\nc|d", "7|7", "\n"])
def test_a_name_that_breaks_its_row_is_put_together_again(tmp_path: Path, name: str) -> None:
    trace = sacct(tmp_path, row(JobID=6), row(JobName=name), row(JobID=8))
    assert [(job.id, job.name) for job in trace.jobs] == [("6", "work"), ("7", name), ("8", "work")]
    assert not trace.counts.unreadable


def test_a_constraint_with_the_delimiter_is_put_together_again(tmp_path: Path) -> None:
    assert one(tmp_path, row(Constraints="small|big")).shape.features == "small|big"


def test_a_row_that_may_be_read_in_two_ways_is_left_out(tmp_path: Path) -> None:
    rows = [row(JobID=number) for number in range(100, 140)]
    header = "|".join([*COLUMNS, "Comment"]).replace("JobName|ElapsedRaw", "ElapsedRaw|JobName")
    lines = [line.replace("work|600", "600|work|") for line in rows]
    trace = read_trace(written(tmp_path / "t", "\n".join([header, *lines, "7" + lines[0][3:] + "|", ""])), UTC)
    assert (len(trace.jobs), trace.counts.unreadable) == (40, 1)


def test_what_cannot_be_read_is_named_counted_and_left_out(tmp_path: Path) -> None:
    good = [row(JobID=number) for number in range(1000)]
    bad = [row(JobID=number, Submit="yesterday") for number in range(2000, 2030)]
    trace = sacct(tmp_path, *good[:500], *bad, *good[500:])
    assert (len(trace.jobs), trace.counts.unreadable, len(trace.unreadable)) == (1000, 30, NAMED)
    assert str(trace.unreadable[0]) == f"{tmp_path / 'sacct.txt'}: line 502: not a time: 'yesterday'"
    assert "records that cannot be read, and are left out: 30" in trace.remarks
    words = refused(tmp_path, sacct_text([*good[:500], *bad]))
    assert words == "30 of 530 records (6%) cannot be read; line 502: not a time: 'yesterday'"


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"Submit": "Unknown"}, "it has no submit time"),
        ({"End": T0 + 59}, "it ends before it begins"),
        ({"State": "RUNNING", "Start": "Unknown"}, "it runs, but has no start time"),
        ({"State": "oops"}, "not a state: 'oops'"),
        ({"JobID": "x7"}, "not the number of a job: 'x7'"),
        ({"JobID": "7_[1-99999999]"}, "not tasks of an array: '7_[1-99999999]'"),
        ({"JobID": "7_[0-9999999]"}, "more tasks than an array may have: '7_[0-9999999]'"),
        ({"ReqTRES": "cpu=many"}, "not a number: 'many'"),
        ({"ReqTRES": "cpu=1,mem=1X"}, "not an amount of memory or disk: '1X'"),
        ({"TimelimitRaw": "soon"}, "not a number: 'soon'"),
        ({"End": "99999999999"}, "a time out of range: '99999999999'"),
        ({"JobName": "\x1b[1m", "Submit": "\x1b[31m"}, "not a time: '\\x1b[31m'"),
    ],
)
def test_why_a_row_cannot_be_read(tmp_path: Path, changed: dict[str, Any], why: str) -> None:
    good = [row(JobID=number) for number in range(100, 140)]
    trace = sacct(tmp_path, row(**changed), *good)
    assert ([each.why for each in trace.unreadable], len(trace.jobs)) == ([why], 40)


def test_a_clock_that_was_set_is_no_wait_below_nothing(tmp_path: Path) -> None:
    trace = sacct(tmp_path, row(Submit=T0 + 100, Eligible=T0 + 200))
    assert [(job.submit, job.eligible, job.begin) for job in trace.jobs] == [(T0 + 60, T0 + 60, T0 + 60)]
    assert any(remark.startswith("runs that begin or end before they are submitted") for remark in trace.remarks)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "it is empty"),
        (b"\n\n", "it is empty"),
        ("|".join(COLUMNS) + "\n", "it holds no jobs"),
        ("JobID|JobName|Partition|Account|AllocCPUS|State|ExitCode\n", "it has no column Submit, Start, End: export"),
        ("JobID|State|Submit|Start|End\n", "it has no column ReqCPUS or ReqTRES: export it by arvados-node-manager"),
        (row() + "\n", "its header is missing: export it without --noheader, with arvados-node-manager simulate"),
        ("Slurm accounting storage is disabled\n", "sacct found nothing: Slurm accounting storage is disabled"),
        ("JobID           JobName  Partition\n------- ---------\n", "it is sacct's table for people: export it with"),
        ("root:x:0:0:root:/root:/bin/bash\n", "it is not a trace: known are sacct --parsable2, sacct --json,"),
        (b"\x7fELF\x02\x01\x01\x00" * 100, "it is not a trace: known are"),
        ("JobID|State\n".encode("utf-16"), "it is UTF-16 text: write it as UTF-8"),
    ],
)
def test_a_file_that_is_no_trace_of_this_kind(tmp_path: Path, text: str | bytes, words: str) -> None:
    assert refused(tmp_path, text).startswith(words)


def test_a_file_cut_in_the_midst_of_a_line_is_refused_wherever_that_is(tmp_path: Path) -> None:
    text = sacct_text([row(JobID=number) for number in range(100, 140)])
    whole = row(JobID=139)
    for kept in range(1, len(whole) - 3):
        assert refused(tmp_path, text[: len(text) - len(whole) - 1 + kept]) == "it is cut in the midst of its last line"
    trace = read_trace(written(tmp_path / "t", text[:-1]), UTC)
    assert (len(trace.jobs), trace.remarks[-1]) == (40, f"{tmp_path / 't'}: its last line has no end: it may be cut")


def test_what_sacct_complains_of_may_stand_before_the_table(tmp_path: Path) -> None:
    text = "sacct: error: slurm_get_node_energy failed\n\n" + sacct_text([row()])
    assert len(read_trace(written(tmp_path / "t", text), UTC).jobs) == 1


@given(st.binary(max_size=400), st.integers(0, 10_000))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
def test_whatever_a_file_holds_there_are_jobs_or_one_line(tmp_path: Path, noise: bytes, place: int) -> None:
    text = sacct_text([row(JobID=number) for number in range(100, 140)]).encode()
    place %= len(text)
    for spoilt in (noise, text[:place] + noise + text[place:], text[:place] + noise + text[place + len(noise) :]):
        found = outcome(written(tmp_path / "t", spoilt))
        if isinstance(found, str):
            assert found.isprintable()
        else:
            assert found.jobs
            assert all(line.isprintable() for line in (*found.remarks, *map(str, found.unreadable)))


TOOL = """\
#!/bin/sh
[ "$1" = --helpformat ] && echo "End         %s ExitCode" && exit
printf '%%s\\n' "$SLURM_TIME_FORMAT $SLURM_BITSTR_LEN" "$@"
"""


@pytest.mark.parametrize(("memory", "knows"), [(False, "Exclusive"), (False, "NotExclusive"), (True, "Exclusive")])
def test_the_command_line_is_one_for_a_plain_shell(tmp_path: Path, memory: bool, knows: str) -> None:
    """A sacct that prints what it is given, and its environment."""
    tool = tmp_path / "sacct"
    tool.write_text(TOOL % knows)
    tool.chmod(0o755)
    command = sacct_command("2026-01-01", "it's now", memory=memory)
    assert "\n" not in command
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        check=True,
        capture_output=True,
        text=True,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
    )
    environment, *words = done.stdout.removesuffix("\n").split("\n")
    assert environment == "%s 0"
    assert "--delimiter=\x1f" in words
    assert {"--starttime=2026-01-01", "--endtime=it's now"} <= set(words)
    assert ("--allocations" in words, ",MaxRSS," in words[-1]) == (not memory, memory)
    assert words[-1].startswith("--format=JobIDRaw,JobID,Cluster,")
    assert words[-1].endswith(",Exclusive,ElapsedRaw" if knows == "Exclusive" else ",JobName,ElapsedRaw")
    assert shlex.split(command)[2] == "sacct"


def test_the_page_tells_the_command() -> None:
    page = RECORDED.parents[3] / "doc" / "what-if.md"
    assert f"\n{sacct_command()}\n" in page.read_text(encoding="utf-8")


def test_all_that_the_command_asks_for_is_read_without_a_remark(tmp_path: Path) -> None:
    columns = [*ASKED_FOR[:-1], "Exclusive", ASKED_FOR[-1]]
    cells = [(COLUMNS | {"JobIDRaw": "7"}).get(name, "") for name in columns]
    trace = read_trace(written(tmp_path / "t", f"{chr(31).join(columns)}\n{chr(31).join(cells)}\n"), UTC)
    assert (len(trace.jobs), trace.remarks) == (1, ())


def test_names_of_any_signs_are_kept_as_they_are() -> None:
    names = {job.name for job in read_trace(RECORDED / "sacct-24.11-exact.txt", UTC).jobs}
    assert {"größe-λ-日本", "tab\tesc\x1b[1mX\x07", "  two  spaces ", "allocation"} <= names
