"""Names that are not as they should be, at a site of Slurm alone: a line for each, and everything goes on."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from daemon_process import BOUND, command
from slurm_stage import Stage, stage

from arvnodeman.records.marks import mark_of_node
from arvnodeman.sandbox.process import SiteProcess
from arvnodeman.slurm.keeping import NOBODYS_ADDRESS
from arvnodeman.slurm.show import ShownNode, parse_nodes


@pytest.fixture
def played(tmp_path: Path) -> Iterator[Stage]:
    with SiteProcess(speed=60, slots=6, records="slurm") as site, stage(site, tmp_path) as played:
        yield played


def shown(played: Stage, name: str) -> ShownNode:
    return parse_nodes(played.slurm("scontrol", "show", "node", name))[0][name]


def test_names_that_slurm_does_not_know_are_named_once_and_the_others_are_used(played: Stage) -> None:
    daemon = played.daemon(max_nodes=2, node_names="ghost[1-2],compute[5-6]")
    played.job(duration=60.0)
    verdict = played.until_quiet()
    assert verdict["ran_once"] == 1
    assert daemon.text().count("Slurm does not show ghost1, ghost2, which should be ours: they are not in slurm.c") == 1
    assert {h["text"].split()[0] for h in played.happened("node-created")} <= {"compute5", "compute6"}
    assert daemon.stop() == 0


@pytest.mark.parametrize(
    "names",
    [
        "compute[1-",
        *(pytest.param(names, marks=pytest.mark.long) for names in ("compute[3-1]", "compute[1-999999]")),
        *(pytest.param(names, marks=pytest.mark.long) for names in ("compute1,,compute2", "[1-2")),
    ],
)
def test_a_hostlist_that_is_none_ends_the_start(played: Stage, tmp_path: Path, names: str) -> None:
    config = played.site.write_config(tmp_path / "bad.cfg", node_names=names)
    for arguments in (("check-config", str(config)), ("--config", str(config), "--foreground")):
        ended = subprocess.run(
            command(*arguments),
            capture_output=True,
            text=True,
            timeout=BOUND,
            check=False,
            env=played.site.environment(),
        )
        assert ended.returncode == 2
        said = (ended.stdout + ended.stderr).splitlines()
        (line,) = (each for each in said if f"{config}: note: " not in each)
        assert f"{config}: [Daemon] node_names: " in line
        assert names in line


@pytest.mark.long
def test_an_address_that_two_names_have_is_told_and_the_one_without_a_node_gives_it_back(played: Stage) -> None:
    """As when a cloud gives the address of a node that has just gone to the next one."""
    daemon = played.daemon(max_nodes=2)
    job = played.job(duration=600.0)
    node = played.node_of(job)
    played.until(lambda: shown(played, node["hostname"]).comment, "the name to be marked")
    address = shown(played, node["hostname"]).address
    change = [f"Comment={mark_of_node('sb-gone')}", f"NodeAddr={address}"]
    played.slurm("scontrol", "update", "NodeName=compute6", *change)
    told = f"compute6 at one address, {address}: only one of them can be there"
    daemon.wait_for_line(told)
    played.until(lambda: shown(played, "compute6").comment == "", "the name to be given back")
    assert shown(played, "compute6").address == NOBODYS_ADDRESS
    assert shown(played, node["hostname"]).address == address
    verdict = played.until_quiet()
    assert (verdict["ran_once"], verdict["requeues"]) == (1, {})
    assert daemon.text().count(told) == 1
    assert daemon.stop() == 0
