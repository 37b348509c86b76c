"""Brain and hands together on a real Slurm that places jobs on names that are off: nodes that do not answer, and names
that Slurm does not list."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from slurm_cloud_stage import Site, placing_site

from arvnodeman.fleet.values.model import CloudNode
from arvnodeman.fleet.values.work import Power


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """Idle nodes stay for a while: here it counts what else becomes of them."""
    with placing_site(tmp_path, monkeypatch.setenv, "max_nodes = 5\nmin_nodes = 1") as site:
        yield site


def shown(site: Site, name: str) -> str:
    """What Slurm says of a node; it may be away for a moment."""
    done = site.slurm.run("scontrol", "show", "node", name)
    return done.stdout + done.stderr


def test_a_node_that_does_not_answer_is_kept_until_slurm_gives_it_up(site: Site) -> None:
    """Its machine is there all the time; its job goes on elsewhere. Row O9."""
    job = site.submit()
    site.until(lambda: site.state(job) == "RUNNING", "it to run")
    (name,) = site.names(job)
    (first,) = [node.id for node in site.machines.nodes.values() if node.name == name]
    site.slurm.kill_node(name)  # it hangs
    site.until(lambda: not site.work(name).responding, "Slurm to miss it")
    before = site.work(name)
    while site.work(name) == before:  # NOT_RESPONDING, and working
        assert first in site.machines.nodes, site.told()
        site.daemon.turn()
        time.sleep(0.1)
    site.until(lambda: first not in site.machines.nodes, "its machine to be destroyed")
    site.machines.up.discard(name)
    site.until(lambda: site.state(job) == "RUNNING", "the job to run again")


@pytest.mark.long
def test_a_machine_whose_name_slurm_does_not_know_stays_and_is_told_of(site: Site) -> None:
    """Row O15."""
    stray = CloudNode("i-99", "s-9", "i-99", size_tag="small", provider_size="small", start_time=time.time() - 900)
    site.machines.nodes["i-99"] = stray
    job = site.submit(sleep=1)
    site.until(lambda: site.state(job) == "COMPLETED", "a job to have run beside it")
    assert "i-99" in site.machines.nodes
    assert site.brain.view.nodes["i-99"].why.words(site.brain.view.t)


@pytest.mark.long
def test_a_name_that_is_taken_out_of_slurm_conf_does_not_cost_its_machine(site: Site) -> None:
    """By a slip, while a job runs there. It is put back, and all goes on. Row O15."""
    job = site.submit(sleep=1)
    site.until(lambda: site.state(job) == "COMPLETED", "it to have run")
    ((identity, name),) = ((node.id, node.name) for node in site.machines.nodes.values())
    assert name == "s-1"
    path = site.slurm.folder / "slurm.conf"
    before = path.read_text()
    line = re.compile(r"(NodeName=)s-\[1-4\](.*Port=\[)(\d+)")
    less = line.sub(lambda has: f"{has[1]}s-[2-4]{has[2]}{int(has[3]) + 1}", before)
    assert less != before
    path.write_text(less.replace("s-[1-4]", "s-[2-4]"))
    site.slurm.say("scontrol", "reconfigure")
    site.until(lambda: "not found" in shown(site, name), "Slurm to list it no more")
    polls = len(site.log)
    end = time.monotonic() + 12
    site.until(lambda: time.monotonic() > end, "some polls")
    assert identity in site.machines.nodes, site.told()
    assert len(site.log) > polls
    path.write_text(before)
    site.slurm.say("scontrol", "reconfigure")
    site.until(lambda: f"NodeName={name} " in shown(site, name), "Slurm to list it again")
    site.until(lambda: site.work(name).power in (Power.ON, Power.OFF), "it to settle")
