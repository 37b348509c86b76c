"""In what Slurm may count a job otherwise than we do: by the fields that squeue shows of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from arvnodeman.fleet.values.otherwise import Otherwise
from arvnodeman.slurm.counted_otherwise import counted_otherwise
from arvnodeman.slurm.job_shape import job_shape
from arvnodeman.slurm.sharing import SharingRules

RULES = SharingRules(frozenset({"p"}), memory=True, cores=True)
NO_MEMORY = replace(RULES, memory=False)
APART = replace(RULES, tasks_apart=True)
TWO_BY_CPU = {"cpus": "2", "tasks": "1", "tres_alloc": "cpu=2,mem=200M,node=1"}
ONE = {"cpus": "1", "tasks": "1", "tres_alloc": "cpu=1,mem=100M,node=1"}


def found(rules: SharingRules | None, least: str, memory: str, tail: dict[str, str]) -> set[Otherwise]:
    whole = {"partition": "p", "oversubscribe": "OK"} | tail
    first = (least, memory, "0", "(null)", "1")
    return set(counted_otherwise(first, whole, rules, job_shape(*first, tail=whole, rules=rules)))


@pytest.mark.parametrize(
    ("kind", "rules", "least", "memory", "tail"),
    [
        (Otherwise.ONE_CPU, RULES, "1", "100M", ONE),
        (Otherwise.MEMORY_NOT_COUNTED, NO_MEMORY, "2", "100M", TWO_BY_CPU),
        (Otherwise.TASKS_SPREAD, RULES, "1", "0", {"cpus": "4", "tasks": "4"}),
        (Otherwise.SAME_USER, RULES, "1", "0", ONE | {"exclusive": "USER"}),
        (Otherwise.SAME_USER, RULES, "1", "0", ONE | {"oversubscribe": "USER"}),
        (Otherwise.CPUS_SHARED, RULES, "1", "0", ONE | {"oversubscribe": "YES"}),
        (Otherwise.LEAST_CPUS, RULES, "5", "0", {"cpus": "2", "tasks": "1"}),
        (Otherwise.LEAST_CPUS, RULES, "5", "0", {"cpus": "1", "tasks": "1", "threads": "1"}),
        (Otherwise.LEAST_CPUS, APART, "5", "0", {"cpus": "1", "tasks": "1"}),
        (Otherwise.ALONE_BY_CPU, RULES, "2", "100M", TWO_BY_CPU | {"exclusive": "NODE"}),
        (Otherwise.ALONE_ONE_THREAD, RULES, "1", "0", {"cpus": "1", "exclusive": "NODE", "per_core": "1"}),
        (Otherwise.ONE_THREAD_BY_CPU, RULES, "2", "100M", TWO_BY_CPU | {"threads": "1"}),
        (Otherwise.GPU_TYPES, RULES, "1", "0", {"cpus": "1", "tres_per_node": "gres:gpu:1"}),
    ],
)
def test_each_difference_is_told_of_the_jobs_that_it_concerns(
    kind: Otherwise, rules: SharingRules, least: str, memory: str, tail: dict[str, str]
) -> None:
    assert kind in found(rules, least, memory, tail)
    assert found(None, least, memory, tail) == set()
    assert found(replace(rules, partitions=frozenset({"q"})), least, memory, tail) == set()


@pytest.mark.parametrize(
    ("rules", "least", "memory", "tail"),
    [
        (RULES, "2", "100M", TWO_BY_CPU),  # squeue tells that its memory is for each CPU
        (replace(RULES, cores=False), "1", "100M", ONE),
        (RULES, "2", "0", {"cpus": "4", "tasks": "4", "per_node": "2"}),
        (RULES, "5", "0", {"cpus": "1", "tasks": "1"}),  # --mincpus alone
        (RULES, "1", "0", {"cpus": "1", "exclusive": "NODE"}),
        (RULES, "1", "0", {"cpus": "1", "tres_per_node": "gres:gpu:a:1"}),
        (RULES, "1", "0", {"cpus": "1", "threads": "1"}),
    ],
)
def test_nothing_is_told_of_others(rules: SharingRules, least: str, memory: str, tail: dict[str, str]) -> None:
    assert found(rules, least, memory, tail) == set()


def test_each_has_its_words() -> None:
    assert len({kind.words for kind in Otherwise}) == len(Otherwise) == 10
