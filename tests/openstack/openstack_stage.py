"""A real OpenStack for tests: the release that OPENSTACK_RELEASE names, or the newest.

`make proofs ARGS=openstack` installs it and runs the tests; ARGS="openstack --release zed" another one.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from arvnodeman.sandbox.openstack_lab import OpenStack
from arvnodeman.sandbox.openstack_releases import chosen
from arvnodeman.sandbox.openstack_start import openstack
from arvnodeman.sandbox.slurm_root import SHARED

PAGE = 4  # servers that nova lists at once


def need_openstack() -> None:
    """Skip the tests where it is not installed, with the way to get it; in CI that is a failure."""
    release = chosen()
    if not release.there:
        complaint = f"no OpenStack {release.name}: make proofs ARGS=openstack installs it (minutes, half a gigabyte)"
        if os.environ.get("CI") == "true":
            pytest.fail(complaint)
        pytest.skip(complaint)


@contextlib.contextmanager
def stage() -> Iterator[OpenStack]:
    """It, for as long as the block lasts."""
    need_openstack()
    with (
        tempfile.TemporaryDirectory(prefix="openstack-", dir=SHARED) as folder,
        openstack(Path(folder), chosen(), page=PAGE) as there,
    ):
        yield there
