"""The whole daemon on a real nova and keystone, as `demo --cloud openstack` plays it: every job once, nothing left."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from demo_process import Demo
from openstack_stage import need_openstack

from arvnodeman.sandbox.openstack_releases import chosen
from arvnodeman.sandbox.slurm_root import SHARED

JOBS = 6


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where a root of its own shares it."""
    need_openstack()
    with tempfile.TemporaryDirectory(prefix="demo-", dir=SHARED) as name:
        yield Path(name)


@pytest.fixture
def demo(folder: Path) -> Iterator[Demo]:
    release, seconds = chosen().name, "900" if chosen().whole else "300"
    options = ("--cloud", "openstack", "--release", release, "--jobs", str(JOBS), "--seconds", seconds, "--seed", "3")
    demo = Demo(folder, *options)
    yield demo
    demo.process.kill()
    demo.process.communicate()


def test_every_job_runs_once_and_no_server_is_left(demo: Demo) -> None:
    """Nodes that die, a create that is throttled, and one whose answer is lost, are among it."""
    text = demo.end(900)
    assert demo.process.returncode == 0, text
    assert "Its cloud is a real OpenStack" in text
    assert re.search(rf"jobs run: +{JOBS} of {JOBS}\n", text)
    assert re.search(rf"nova {chosen().nova}: +[0-9]+ servers \(.*\), 0 of them not deleted\n", text)
    assert re.search(r"faults: .*node-dies-booting \(1\)", text)
    assert "no node and no slot is left" in text
    assert demo.left() == []


@pytest.mark.long
def test_an_interrupt_leaves_nothing(demo: Demo) -> None:
    demo.read_until("is created")
    demo.process.terminate()
    demo.end(120)
    assert demo.process.returncode == 130
    assert demo.left() == []
