"""The demo in which a real Slurm places jobs on names that are off, on this machine's Slurm or on one in a root."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from demo_process import Demo
from slurm_stage import need_slurm, slurm_version

from arvnodeman.sandbox.slurm_root import PLACES_SINCE, SHARED, SUITES, cache

pytestmark = pytest.mark.long


@pytest.fixture
def folder() -> Iterator[Path]:
    """A directory with a short name, which a root shares."""
    need_slurm()
    with tempfile.TemporaryDirectory(prefix="demo-", dir=SHARED) as name:
        yield Path(name)


def slurm_options() -> list[str]:
    """How the demo finds a Slurm that is new enough. Skips where there is none."""
    root = cache() / SUITES[PLACES_SINCE]
    if slurm_version() >= (24, 11):
        return []
    if os.geteuid() != 0 or not root.exists():
        pytest.skip(f"Slurm {slurm_version()} is older than the mode, and there is no root of a newer one")
    return ["--slurm-root", str(root)]


def test_every_job_is_done_and_every_name_is_off_again(folder: Path) -> None:
    options = slurm_options()
    demo = Demo(folder, "--records", "slurm-cloud", "--slurm", "real", "--jobs", "6", "--seed", "3", *options)
    try:
        text = demo.end(200)
        assert demo.process.returncode == 0, text
        assert "Slurm itself places jobs on names that are off" in text
        assert re.search(r"jobs run: +6 of 6\n", text)
        assert re.search(r"Slurm's word: +6 of 6 jobs COMPLETED once\n", text)
        assert "no node and no slot is left. Every name is off, and free." in text
        assert demo.left() == []
    finally:
        demo.process.kill()
        demo.process.communicate()


def test_an_older_slurm_is_refused_in_one_line(folder: Path) -> None:
    if slurm_version() >= (24, 11):
        pytest.skip("this Slurm is new enough")
    demo = Demo(folder, "--records", "slurm-cloud", "--slurm", "real")
    (line,) = demo.end().splitlines()
    assert demo.process.returncode == 1
    assert line.startswith("demo: the version of Slurm is ")
