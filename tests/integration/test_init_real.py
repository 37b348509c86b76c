"""The part of slurm.conf that `init` writes, taken by a real slurmctld; its names are those of the configuration."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from slurm_stage import need_slurm
from test_setups_real import COMPLAINTS, adapted

from arvnodeman import cli
from arvnodeman.config.hostlist import hostlist
from arvnodeman.sandbox.real_slurm import PrivateSlurm
from arvnodeman.sandbox.real_slurm_conf import Shape


@pytest.fixture(scope="module")
def slurm() -> Iterator[PrivateSlurm]:
    need_slurm()
    with PrivateSlurm(Shape(nodes=1)) as slurm:
        yield slurm


@pytest.mark.parametrize("setup", ["arvados", "arvados-3", "slurm", "slurm-cloud"])
def test_slurmctld_takes_what_init_writes(slurm: PrivateSlurm, tmp_path: Path, setup: str) -> None:
    given = ["--cloud", "ec2", "--setup", setup, "--cluster", "physics", "--max-nodes", "4", "--into", str(tmp_path)]
    assert cli.main(["init", *given, "--size", "m5.large", "--size", "m5.4xlarge"]) == 0
    part = (tmp_path / "slurm.conf.part").read_text()
    program = tmp_path / "poke"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    conf = slurm.folder / "slurm.conf"
    slurm.stop_controller()
    for state in (slurm.folder / "state").iterdir():
        state.unlink()
    (slurm.folder / "log" / "slurmctld.log").unlink()
    written = adapted(part.replace("/usr/lib/arvados-node-manager/poke", str(program)), conf.read_text())
    conf.write_text(f"{written}PrivateData=cloud\n", encoding="ascii")  # shows names that are off before 24.11, too
    slurm.start_controller()
    log = (slurm.folder / "log" / "slurmctld.log").read_text()
    assert not [line for line in log.splitlines() if COMPLAINTS.search(line) and "state" not in line], log
    shown = re.findall(r"^NodeName=(\S+)", slurm.say("scontrol", "--all", "show", "nodes"), re.MULTILINE)
    declared = re.findall(r"^NodeName=(?!DEFAULT)(\S+)", part, re.MULTILINE)
    assert sorted(shown) == sorted(name for names in declared for name in hostlist(names))
    assert "PartitionName=" in slurm.say("scontrol", "show", "partitions")
