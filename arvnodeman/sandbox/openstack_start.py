"""An OpenStack on loopback: a real keystone and nova, by nova's own functional fixtures, or a whole control plane.

openstack_keystone.py and openstack_nova.py are the programs of the former, a process each; openstack_plane.py is the
latter.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from arvnodeman.sandbox.openstack_lab import ADMIN, OpenStack, OpenStackFailed
from arvnodeman.sandbox.openstack_plane import control_plane
from arvnodeman.sandbox.openstack_releases import Release

_LONGEST = 300.0  # seconds until it is up, on a busy machine
_PROGRAMS = Path(__file__).parent


@contextlib.contextmanager
def openstack(folder: Path, release: Release, *, page: int = 1000) -> Iterator[OpenStack]:
    """Start it, and stop it again. folder: for databases and logs; page: how many servers nova lists at once.

    Raises OpenStackFailed, and NotPossible where this machine cannot run the release.
    """
    if release.whole:
        with control_plane(folder, release, page) as there:
            yield there
        return
    with contextlib.ExitStack() as stack:
        keystone = stack.enter_context(_service(folder, release, "keystone", str(folder), ADMIN))
        nova = stack.enter_context(_service(folder, release, "nova", keystone, ADMIN, str(page)))
        there = OpenStack(keystone, nova)
        there.prepare([("compute", "nova", f"{nova}/v2.1"), ("network", "neutron", nova)])
        yield there


@contextlib.contextmanager
def _service(folder: Path, release: Release, name: str, *arguments: str) -> Iterator[str]:
    """One of the two programs, which ends with its standard input; gives its URL."""
    errors, temporary, program = (folder / f"{name}.{end}" for end in ("stderr", "tmp", "program"))
    temporary.mkdir()
    shutil.copyfile(_PROGRAMS / f"openstack_{name}.py", program)  # where a root of its own shares it
    environment = {"PATH": os.environ["PATH"], "HOME": str(temporary), "TMPDIR": str(temporary)}
    if release.threads:
        environment["OS_NOVA_DISABLE_EVENTLET_PATCHING"] = "true"
    with errors.open("w") as stderr:
        process = subprocess.Popen(
            release.command(program, *arguments),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            cwd=folder,
            env=environment,
        )
    try:
        assert process.stdout is not None
        port = _first_line(process.stdout)
        if not port:
            raise OpenStackFailed(f"{name} of OpenStack {release.name} did not come up: {_end_of(errors)}")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            assert stream is not None
            stream.close()


def _end_of(log: Path) -> str:
    lines = log.read_text(errors="replace").split("\n")
    return " ".join(lines[-12:]).strip()


def _first_line(stream: IO[str]) -> str:
    """The first line; nothing if it does not come in time, or the program has ended."""
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.append(stream.readline().strip()), daemon=True)
    reader.start()
    reader.join(_LONGEST)
    return lines[0] if lines else ""
