"""One daemon of a cluster on a host."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from dataclasses import replace
from pathlib import Path

import pytest

from arvnodeman.config import load
from arvnodeman.supervision.one_writer import AlreadyRunning, OneWriter, cluster_of

TEXT = """\
[Arvados]
host = zyxwv.example.com
token = sesame
[Cloud]
provider = dummy
shutdown_windows = 54, 5, 1
[Size small]
cores = 2
"""


@pytest.fixture
def cluster() -> str:
    return f"{uuid.uuid4()}.example.com:443"


def test_a_second_one_is_told_who_holds_the_cluster(cluster: str) -> None:
    first = OneWriter(cluster, None)
    with pytest.raises(AlreadyRunning) as refused:
        OneWriter(cluster, None)
    first.release()
    told = str(refused.value)
    assert told.startswith(f"another daemon of the cluster {cluster} runs on this host: process {os.getpid()} of ")
    own = Path("/proc/self/cmdline").read_bytes().split(b"\0")[0].decode()  # pytest-xdist may have changed it
    assert own.split()[0] in told
    OneWriter(cluster, None).release()


def test_other_clusters_do_not_mind(cluster: str, tmp_path: Path) -> None:
    first, second = OneWriter(cluster, None), OneWriter(f"other-{cluster}", tmp_path)
    first.release()
    second.release()


def test_two_clusters_do_not_share_a_state_directory(cluster: str, tmp_path: Path) -> None:
    first = OneWriter(cluster, tmp_path)
    with pytest.raises(
        AlreadyRunning, match=f"another daemon uses the state directory {tmp_path}: process {os.getpid()}"
    ):
        OneWriter(f"other-{cluster}", tmp_path)
    OneWriter(f"other-{cluster}", None).release()  # the refused one has let go of its name
    first.release()
    OneWriter(f"other-{cluster}", tmp_path).release()
    assert list(tmp_path.iterdir()) == []


def test_a_state_directory_that_is_away_leaves_the_name(cluster: str, tmp_path: Path) -> None:
    first = OneWriter(cluster, tmp_path / "away")
    with pytest.raises(AlreadyRunning):
        OneWriter(cluster, tmp_path / "away")
    first.release()


def test_it_goes_with_its_process_and_children_do_not_keep_it(cluster: str, tmp_path: Path) -> None:
    program = (
        "import os, subprocess, sys; from pathlib import Path\n"
        "from arvnodeman.supervision.one_writer import OneWriter\n"
        f"OneWriter({cluster!r}, Path({str(tmp_path)!r}))\n"
        "child = subprocess.Popen(['sleep', '600'], stdout=subprocess.DEVNULL)\n"
        "print(child.pid, flush=True); sys.stdin.readline(); os.kill(os.getpid(), 9)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        with pytest.raises(AlreadyRunning, match=f"process {process.pid} "):
            OneWriter(cluster, tmp_path)
        process.communicate("die\n")
    OneWriter(cluster, tmp_path).release()
    os.kill(child, 9)


def test_after_a_fork_the_child_is_the_holder(cluster: str) -> None:
    """As when the daemon goes into the background."""
    program = (
        "import os, sys; from arvnodeman.supervision.one_writer import OneWriter\n"
        f"writer = OneWriter({cluster!r}, None)\n"
        "if os.fork(): os._exit(0)\n"
        "writer.settle(); print(os.getpid(), flush=True); sys.stdin.readline()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        holder = int(process.stdout.readline())
        assert holder != process.pid
        with pytest.raises(AlreadyRunning, match=f"process {holder} "):
            OneWriter(cluster, None)


def test_however_many_ask_the_holder_is_told(cluster: str) -> None:
    first = OneWriter(cluster, None)
    for number in range(200):
        with pytest.raises(AlreadyRunning, match=f"process {os.getpid()} "):
            OneWriter(cluster, None)
        if number % 20 == 0:
            first.hear_callers()
    first.release()


def test_a_holder_that_hears_nobody_still_holds(cluster: str) -> None:
    first = OneWriter(cluster, None)
    for _ in range(100):
        with pytest.raises(AlreadyRunning):
            OneWriter(cluster, None)
    first.release()


def test_a_long_name_is_as_good_as_any() -> None:
    cluster = f"{uuid.uuid4()}.{'x' * 240}.example.com:443"
    first = OneWriter(cluster, None)
    with pytest.raises(AlreadyRunning):
        OneWriter(cluster, None)
    OneWriter(cluster.replace("443", "444"), None).release()
    first.release()


@pytest.mark.parametrize(
    ("host", "cluster"),
    [
        ("zyxwv.example.com", "zyxwv.example.com:443"),
        ("ZYXWV.Example.com.", "zyxwv.example.com:443"),
        ("zyxwv.example.com:443", "zyxwv.example.com:443"),
        ("zyxwv.example.com:8443", "zyxwv.example.com:8443"),
        ("http://127.0.0.1", "127.0.0.1:80"),
        ("http://127.0.0.1:8000/", "127.0.0.1:8000"),
        ("[::1]:8000", "[::1]:8000"),
        ("[::1]", "[::1]:443"),
        ("", "Slurm of this host"),
    ],
)
def test_ways_to_write_one_cluster_are_one(
    tmp_path: Path, host: str, cluster: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SLURM_CONF", raising=False)
    path = tmp_path / "site.cfg"
    path.write_text(TEXT)
    settings = load(str(path))
    assert cluster_of(replace(settings, arvados=replace(settings.arvados, host=host))) == cluster
