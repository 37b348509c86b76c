"""A real Slurm that shows an account only some of its nodes: what is not shown must not count as unknown."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from slurm_stage import need_slurm

from arvnodeman.sandbox.real_slurm import PrivateSlurm
from arvnodeman.sandbox.real_slurm_conf import Shape, search_path
from arvnodeman.slurm.commands import Slurm

NOBODY = 65534


@pytest.fixture(scope="module")
def slurm() -> Iterator[PrivateSlurm]:
    """compute3 is in a hidden partition only, compute4 in none."""
    need_slurm()
    if os.geteuid() != 0:
        pytest.skip("needs root, to ask Slurm as another account")
    with PrivateSlurm(Shape(nodes=4)) as slurm:
        conf = slurm.folder / "slurm.conf"
        text = conf.read_text()
        shown, hidden = "PartitionName=compute Nodes=ALL", "PartitionName=shared Nodes=ALL"
        assert shown in text
        assert hidden in text
        text = text.replace(shown, "PartitionName=compute Nodes=compute[0-2]")
        conf.write_text(text.replace(hidden, "PartitionName=shared Hidden=YES Nodes=compute3"))
        slurm.say("scontrol", "reconfigure")
        yield slurm


@pytest.fixture
def as_nobody(slurm: PrivateSlurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slurm's commands run under an account that is neither root nor SlurmUser, as the daemon's may."""
    for name in ("sinfo", "squeue", "scontrol"):
        real = shutil.which(name, path=search_path())
        script = tmp_path / name
        script.write_text(f'#!/bin/sh\nexec setpriv --reuid={NOBODY} --regid={NOBODY} --clear-groups {real} "$@"\n')
        script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{search_path()}")
    monkeypatch.setenv("SLURM_CONF", str(slurm.folder / "slurm.conf"))


@pytest.mark.usefixtures("as_nobody")
def test_nodes_of_a_hidden_partition_are_seen(slurm: PrivateSlurm) -> None:
    assert slurm.run("sinfo", "--noheader", "--format=%n").stdout.split() != []
    assert sorted(Slurm().nodes()) == ["compute0", "compute1", "compute2", "compute3"]
    node = Slurm().node("compute3")
    assert node is not None
    assert node.state.said == "unk"


@pytest.mark.usefixtures("as_nobody")
def test_a_node_in_no_partition_is_not_unknown() -> None:
    """sinfo does not list it, whoever asks; scontrol does."""
    node = Slurm().node("compute4")
    assert node is not None
    assert node.state.said == "drain"
    assert Slurm().node("compute77") is None


@pytest.mark.usefixtures("as_nobody")
def test_jobs_of_a_hidden_partition_are_seen(slurm: PrivateSlurm) -> None:
    slurm.say("sbatch", "--partition=shared", "--job-name=hidden", "--wrap", "true")
    assert "hidden" in [job.id for job in Slurm(job_name_pattern="").queue().jobs]
