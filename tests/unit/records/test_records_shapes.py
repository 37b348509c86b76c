"""Names that promise what their nodes have not, where jobs share nodes."""

from __future__ import annotations

from pathlib import Path

import pytest

from arvnodeman.config import Settings, load
from arvnodeman.doctor.checks.false_promises import BY_NAME, judge
from arvnodeman.doctor.facts import SlurmSetup
from arvnodeman.records.names import names_of, sizes_of_names
from arvnodeman.slurm.show import ShownNode

FILE = """\
[Daemon]
dispatcher = slurm
share = {share}
[Cloud]
provider = sandbox
shutdown_windows = 0, 1
[Cloud Credentials]
url = http://127.0.0.1:1
[Size small]
cores = 2
{small}
[Size big]
cores = 16
{big}
"""
SHARED = {"SelectType": "select/cons_tres", "SelectTypeParameters": "CR_CPU_MEMORY"}
PARTITIONS = {"main": {"PartitionName": "main", "OverSubscribe": "NO"}}
EXCLUSIVE = {"main": {"PartitionName": "main", "OverSubscribe": "EXCLUSIVE"}}


def settings(folder: Path, small: str = "", big: str = "", share: str = "auto") -> Settings:
    path = folder / "site.cfg"
    path.write_text(
        FILE.format(small=small and f"node_names = {small}", big=big and f"node_names = {big}", share=share)
    )
    return load(str(path))


def names(*lines: tuple[str, str]) -> dict[str, ShownNode]:
    return {name: ShownNode(name, "UNKNOWN", partitions=("main",), cpus=cpus, memory="8000") for name, cpus in lines}


SAME = names(("c1", "16"), ("c2", "16"), ("c3", "16"))
BY_SIZE = names(("s1", "2"), ("s2", "2"), ("b1", "16"))


def said(of: Settings, shown: dict[str, ShownNode], partitions: dict[str, dict[str, str]] = PARTITIONS) -> list[str]:
    return list(judge(SlurmSetup(of, SHARED, partitions, shown, names_of(of, shown))))


def test_sizes_of_different_shape_under_the_same_names(tmp_path: Path) -> None:
    (line,) = said(settings(tmp_path), SAME)
    assert line == (
        "c1, c2, c3: any node of [Size small], [Size big] may get such a name, and the names have CPUs=16, the nodes "
        f"cores = 2 or 16: {BY_NAME}, so the additional CPUs of a larger node are lost, and a smaller one gets more "
        "jobs than it has CPUs for; give each size node_names"
    )


@pytest.mark.parametrize("share", ["no", "auto"])
def test_nothing_is_lost_where_no_job_shares_a_node(tmp_path: Path, share: str) -> None:
    assert said(settings(tmp_path, share=share), SAME, PARTITIONS if share == "no" else EXCLUSIVE) == []


def test_names_of_sizes_promise_what_their_nodes_have(tmp_path: Path) -> None:
    assert said(settings(tmp_path, "s[1-2]", "b1"), BY_SIZE) == []
    (line,) = said(settings(tmp_path, "s[1-2]", "b1"), {**BY_SIZE, **names(("s2", "4"))})
    assert line == f"[Size small] node_names: the names have CPUs=2 or 4, the nodes cores = 2: {BY_NAME}"
    assert said(settings(tmp_path, "s[1-2]"), {**BY_SIZE, **names(("b2", "16"))}) == []


def test_whose_the_names_are(tmp_path: Path) -> None:
    """Those of sizes, and for sizes without any all others."""
    assert names_of(settings(tmp_path), SAME) == ("c1", "c2", "c3")
    some = settings(tmp_path, "s[1-2]")
    assert names_of(some, {**SAME, **BY_SIZE}) == ("s1", "s2", "c1", "c2", "c3", "b1")
    assert sizes_of_names(some.sizes) == {"s1": "small", "s2": "small"}
    every = settings(tmp_path, "s[1-2]", "b1")
    assert names_of(every, {**SAME, **BY_SIZE}) == ("s1", "s2", "b1")
