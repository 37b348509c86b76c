"""Poll after poll: what the last one brought, too, is the object that it was; and all else is as a new reader says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from squeue_lines import behind

from arvnodeman.fleet.values.model import JobShape
from arvnodeman.fleet.values.work import NodeWork
from arvnodeman.slurm.fields import LONG_TAIL, TAIL
from arvnodeman.slurm.job_shape import job_shape
from arvnodeman.slurm.sinfo import NodesReader
from arvnodeman.slurm.squeue import QueueReader, QueueReading

REASONS = ("Resources", "Priority", "BadConstraints", "Dependency", "QOSGrpCpuLimit", "None", "JobArrayTaskLimit")
NAMES = ("a-dz642-b", "other", "x|y-dz642-", "-dz642-\nsecond", "a-dz642-\n|||||||||\x1f\nb", "\x1f-dz642-", "")
NUMBERS = ("17", "17_4", "17_[1-3]", "17_[5-9%2]", "18_[2,4-6%1]", "18+1", "19_[1-20%3]", "x")
STRANGE = ("", "   ", "slurm_load_jobs error: Unable to contact slurm controller", "|" * 9, "1|2|3", "\x1f" * 30, "\r")


@dataclass(frozen=True)
class Line:
    """What a job's line is made of."""

    cores: str = "1"
    memory: str = "1000M"
    reason: str = "Resources"
    name: str = "a-dz642-b"
    features: str = "(null)"
    priority: str = "5"
    number: str = "17"
    most: str = "1-00:00:00"
    reservation: str = "(null)"

    def text(self, tail: tuple[str, ...]) -> str:
        first = f"{self.cores}|{self.memory}|0|{self.reason}|{self.name}||{self.features}|{self.priority}|1"
        said = {"number": self.number, "time_limit": self.most, "reservation": self.reservation}
        return first + behind(tail, **said)


lines = st.builds(
    Line,
    st.sampled_from(["1", "2", "2", "1K", "x"]),
    st.sampled_from(["1000M", "1G", "?"]),
    st.sampled_from(REASONS),
    st.sampled_from(NAMES),
    st.sampled_from(["(null)", "instancetype=s1", "a|b", "a&instancetype=s2"]),
    st.sampled_from(["1", "5", "5", "4294967295", "-"]),
    st.sampled_from(NUMBERS),
    st.sampled_from(["1-00:00:00", "UNLIMITED", "30:00", "later"]),
    st.sampled_from(["(null)", "spring"]),
)
polls = st.lists(
    st.tuples(
        st.lists(st.one_of(lines, st.sampled_from(STRANGE)), max_size=25),
        st.sampled_from(["as it was", "in front", "behind", "in between", "alone"]),
        st.booleans(),
        st.sampled_from([None, {}, {"17": 1}, {"17": 0, "18": 2, "19": 5}]),
    ),
    max_size=6,
)


@settings(deadline=None)  # on a loaded machine an example may take long
@given(polls, st.booleans(), st.sampled_from(["", "-dz642-"]))
def test_a_reader_that_knows_the_last_poll_says_what_a_new_one_says(
    found: list[tuple[list[Line | str], str, bool, dict[str, int] | None]], numbered: bool, pattern: str
) -> None:
    reader = QueueReader(pattern, numbered=numbered)
    waiting: list[Line | str] = []
    for new, how, long, at_once in found:
        half = len(waiting) // 2
        waiting = {
            "as it was": waiting,
            "in front": [*new, *waiting],
            "behind": [*waiting[1:], *new],
            "in between": [*waiting[:half], *new, *waiting[half + 1 :]],
            "alone": new,
        }[how]
        tail = LONG_TAIL if long else TAIL
        text = "".join(f"{each.text(tail) if isinstance(each, Line) else each}\n" for each in waiting)
        assert reader.read(text, tail, at_once) == QueueReader(pattern, numbered=numbered).read(text, tail, at_once)
        assert reader.read(text, tail, at_once) is reader.read(text, tail, at_once)


def queue_of(*waiting: Line) -> str:
    return "".join(f"{line.text(LONG_TAIL)}\n" for line in waiting)


def test_a_job_whose_line_stays_is_the_very_job_wherever_it_stands_and_shapes_are_shared_over_polls() -> None:
    reader = QueueReader("")
    waiting = [Line(name=f"job {number}", cores=str(1 + number % 3)) for number in range(200)]
    first = {job.id: job for job in reader.read(queue_of(*waiting), LONG_TAIL).jobs}
    waiting[7] = replace(waiting[7], priority="6")
    second = reader.read(queue_of(Line(name="new"), *waiting[90:], *waiting[:90]), LONG_TAIL).jobs
    assert [job.id for job in second if job is not first.get(job.id)] == ["new", "job 7"]
    assert len({id(job.shape) for job in second}) == len({id(job.shape) for job in first.values()}) == 3


def test_names_of_jobs_that_ask_for_the_same_are_known_the_newest_of_many() -> None:
    reader = QueueReader("", numbered=True)
    lines = [Line(name="a|b", number="1"), Line(name="two\nlines", number="2"), Line(name="a|b", number="3")]
    (shape,) = {job.shape for job in reader.read(queue_of(*lines), LONG_TAIL).jobs}
    assert set(reader.names_of(shape)) == {"a|b", "two lines"}
    assert not list(reader.names_of(JobShape()))
    lines.append(Line(name="other", cores="2", number="4"))
    (other,) = {job.shape for job in reader.read(queue_of(*lines), LONG_TAIL).jobs} - {shape}
    assert list(reader.names_of(other)) == ["other"]
    lines += [Line(name=f"run{number}", number=str(number)) for number in range(5, 105)]
    reader.read(queue_of(*lines), LONG_TAIL)
    assert list(reader.names_of(shape)) == [f"run{number}" for number in range(85, 105)]


def test_tasks_of_an_array_of_which_one_has_started_are_the_very_jobs() -> None:
    reader = QueueReader("", numbered=True)
    first = reader.read(queue_of(Line(number="17_[1-50]")), LONG_TAIL).jobs
    second = reader.read(queue_of(Line(number="17_[2-60]")), LONG_TAIL).jobs
    assert [job.id for job in second] == [f"17_{task}" for task in range(2, 61)]
    assert all(old is new for old, new in zip(first[1:], second, strict=False))
    third = reader.read(queue_of(Line(number="17_[2-60]", priority="9")), LONG_TAIL).jobs
    assert {job.priority for job in third} == {9}


def test_how_many_tasks_may_run_counts_anew_though_no_line_has_changed() -> None:
    reader = QueueReader("", numbered=True)
    text = queue_of(Line(number="17_[1-5%2]"), Line(number="17_9"), Line(number="18"))
    counted = [len(reader.read(text, LONG_TAIL, {"17": left}).jobs) for left in (0, 2, 5, 6, 9)]
    assert counted == [1, 3, 6, 7, 7]
    assert reader.read(text, LONG_TAIL, {"17": 5}).others == {"17_9": "JobArrayTaskLimit"}


def test_jobs_that_slurm_refuses_are_the_same_mapping_where_they_are_the_same() -> None:
    reader = QueueReader("")
    refused = Line(reason="QOSGrpCpuLimit")
    first = reader.read(queue_of(refused, Line(name="b")), LONG_TAIL)
    second = reader.read(queue_of(refused, Line(name="c")), LONG_TAIL)
    assert second.refused is first.refused
    assert [job.id for jobs in first.refused.values() for job in jobs] == [refused.name]
    assert not reader.read(queue_of(Line()), LONG_TAIL).refused


def test_shapes_that_no_job_has_any_more_are_forgotten() -> None:
    reader = QueueReader("")
    for number in range(3000):
        reader.read(queue_of(Line(memory=f"{number}M"), Line()), LONG_TAIL)
    assert len(reader._shapes) <= 1010


# ---- sinfo -----------------------------------------------------------------------------------------------------------

sinfo_lines = st.one_of(
    st.builds(
        "|".join,
        st.tuples(
            st.sampled_from(["a", "n[1-3]", "n[2,4-6]", "n[1-6]", "a,n7", "n[3-1]", "", "rack[1-2]n[1-2]"]),
            st.sampled_from(["idle", "alloc", "mix*", "drain", "down*", "drng@", "?"]),
            st.sampled_from(["1", "7", "x"]),
            st.sampled_from(["(null)", "instancetype=s1,b", "b"]),
            st.sampled_from(["none", "Node Manager shutdown (i-1)", "Not responding", "a|b", "none "]),
        ),
    ),
    st.sampled_from(["", "  ", "more of a reason", "a|b|c", "slurm_load_partitions error: no answer", "|||||"]),
)


@given(
    st.lists(
        st.tuples(st.lists(sinfo_lines, max_size=8), st.sampled_from(["as it was", "before", "behind", "alone"])),
        max_size=6,
    )
)
def test_sinfo_says_after_other_polls_what_it_says_alone(found: list[tuple[list[str], str]]) -> None:
    reader = NodesReader()
    shown: list[str] = []
    for new, how in found:
        shown = {"as it was": shown, "before": [*new, *shown], "behind": [*shown[1:], *new], "alone": new}[how]
        text = "".join(f"{line}\n" for line in shown)
        reader.read("".join(f"{line}\n" for line in shown[:-1]))
        read = reader.read(text)
        alone = NodesReader().read(text)
        assert read == alone
        assert list(read.nodes) == list(alone.nodes)
        assert reader.read(text) is read


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["a", "b", "n1", "n2", "n3", "n4"]),
            st.tuples(
                st.sampled_from(["idle", "alloc", "down*"]),
                st.sampled_from(["1|(null)", "7|b"]),
                st.sampled_from(["none", "Not responding", "Node Manager shutdown (i-1) : Not responding"]),
            ),
        ),
        max_size=6,
    )
)
def test_a_node_of_which_sinfo_says_the_same_is_the_very_same(polls: list[dict[str, tuple[str, str, str]]]) -> None:
    reader = NodesReader()
    before: Mapping[str, NodeWork] = {}
    for shown in polls:
        together: dict[tuple[str, str, str], list[str]] = {}
        for name, said in shown.items():
            together.setdefault(said, []).append(name)
        nodes = reader.read("".join(f"{','.join(names)}|{'|'.join(said)}\n" for said, names in together.items())).nodes
        assert nodes.keys() == shown.keys()
        assert all(node is before[name] for name, node in nodes.items() if before.get(name) == node)
        before = nodes


def test_nodes_that_are_as_they_were_are_the_very_same_though_their_line_has_changed() -> None:
    reader = NodesReader()
    behind_names = "50|instancetype=s1|none\n"
    first = reader.read(f"n[1-5]|alloc|{behind_names}n[6-9]|idle|{behind_names}").nodes
    second = reader.read(f"n[1-5,7]|alloc|{behind_names}n[6,8-9]|idle|{behind_names}").nodes
    assert [name for name in second if second[name] is not first[name]] == ["n7"]
    assert len({id(node.features) for node in second.values()}) == 1
    assert second["n7"].features is first["n7"].features


def test_of_what_sinfo_said_before_the_last_poll_nothing_is_kept() -> None:
    reader = NodesReader()
    for number in range(50):
        reader.read(f"n[1-{number + 1}]|idle|{number}|f{number}|none\n")
    assert (len(reader._lines), len(reader._alike), len(reader._features)) == (1, 1, 2)


@settings(deadline=None)
@given(st.lists(lines.filter(lambda line: not set("\n\x1f") & set(line.name)), max_size=12), st.booleans())
def test_lines_say_behind_others_alike_what_each_says_alone(waiting: list[Line], numbered: bool) -> None:
    """What was read in a line before it is not read again."""

    def read(*some: Line) -> QueueReading:
        return QueueReader("-dz642-", numbered=numbered).read(queue_of(*some), LONG_TAIL, {})

    twice = [*waiting, *waiting]
    together, alone = read(*twice), list(map(read, twice))
    jobs = [job for each in alone for job in each.jobs]
    assert together.jobs == jobs
    assert [job.waits for job in together.jobs] == [job.waits for job in jobs]
    assert together.others == {name: reason for each in alone for name, reason in each.others.items()}
    assert list(together.malformed) == [line for each in alone for line in each.malformed]


def test_what_texts_ask_for_is_read_once_over_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, read = QueueReader(""), list[str]()

    def counted(cores: str, *fields: str, **more: Any) -> JobShape:
        read.append(cores)
        return job_shape(cores, *fields, **more)

    monkeypatch.setattr("arvnodeman.slurm.squeue.job_shape", counted)
    for number in range(5):
        reader.read(queue_of(Line(name=f"job {number}"), Line(cores="2")), LONG_TAIL)
    assert read == ["1", "2"]
