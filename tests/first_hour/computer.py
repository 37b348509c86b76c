"""A computer of its own, as far as namespaces make one: files, network, name, time since its boot, and systemd as its
first process. It needs Linux, root and debootstrap; what is started in it ends with it.

Computers meet on a switch, which is a bridge in the network of the first of them; so nothing of this machine is
touched. A command that needs the mirrors (`online`) runs in the computer, but on this machine's network.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from arvnodeman.sandbox.real_slurm_conf import search_path
from arvnodeman.sandbox.slurm_root import cache, mirror, only_one

ALSO = "systemd-sysv,dbus,udev,iproute2,procps,sudo,ca-certificates"  # of a Debian as clouds and installers give it
BOUND = 900.0  # seconds that one command may take on a busy machine
CERTIFICATES = "/etc/certificates.crt"  # this machine's, which may be a site's own
UNIFIED = ("/sys/fs/cgroup/unified", "/sys/fs/cgroup")  # where cgroup 2 may be
GROUP = "first-hour"
BOOT = Path(__file__).with_name("boot.sh")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SPACES = ("--mount", "--pid", "--uts", "--ipc", "--cgroup", "--time")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command said, on either stream, and its exit code."""

    text: str
    code: int


def missing() -> str:
    """Why there can be none here; '' when there can."""
    if os.geteuid() != 0:
        return "only root can make computers of namespaces"
    for program in ("debootstrap", "unshare", "nsenter", "ip"):
        if shutil.which(program, path=search_path()) is None:
            return f"{program} is not installed (apt-get install debootstrap util-linux iproute2)"
    if _groups() is None:
        return "there is no cgroup 2 that root may write to, as systemd needs it"
    return ""


def _groups() -> Path | None:
    return next((Path(each) for each in UNIFIED if os.access(f"{each}/cgroup.procs", os.W_OK)), None)


def _remove(group: Path) -> None:
    """A cgroup with those in it, as far as nothing runs there."""
    for each in [*sorted(group.rglob("*/"), reverse=True), group]:
        with contextlib.suppress(OSError):
            each.rmdir()


def _sweep(groups: Path) -> None:
    """What those have left that were killed."""
    for group in groups.glob(f"{GROUP}-*"):
        if not Path(f"/proc/{group.name.removeprefix(f'{GROUP}-').partition('-')[0]}").exists():
            _remove(group)


def empty(suite: str) -> Path:
    """A Debian with systemd and nothing to do, made once and kept. Raises AssertionError and NotPossible."""
    folder = cache().with_name("debians")
    root = folder / f"{suite}-systemd"
    with only_one(folder):
        if not root.exists():
            new = Path(tempfile.mkdtemp(prefix=f"{suite}-", dir=folder))
            new.chmod(0o755)
            try:
                argv = ["debootstrap", "--variant=minbase", f"--include={ALSO}", suite, str(new), mirror()]
                environ = {**os.environ, "PATH": search_path()}
                said = subprocess.run(argv, env=environ, capture_output=True, text=True, check=False)
                assert said.returncode == 0, said.stdout[-2000:] + said.stderr[-2000:]
                shutil.rmtree(new / "var" / "cache" / "apt", ignore_errors=True)
                new.rename(root)
            finally:
                shutil.rmtree(new, ignore_errors=True)
    return root


class Computer:
    """Use it in a `with`. `layers`: its disk to begin with, the last on top; what it writes is in `folder`. `beside`:
    the computer whose switch it is plugged into, with this address; without one it has a switch of its own."""

    def __init__(
        self,
        name: str,
        layers: Sequence[Path],
        folder: Path,
        address: str,
        beside: Computer | int | None = None,
    ) -> None:
        """beside may be the process id of that computer's first process."""
        self.first = 0  # id of its first process
        self.name, self.address, self.folder = name, address, folder
        self._layers = ":".join(map(str, reversed(layers)))
        self._beside = beside.first if isinstance(beside, Computer) else beside
        self._group = _groups() or Path()
        self._process: subprocess.Popen[bytes] | None = None
        for place in ("upper", "work", "root"):
            (folder / place).mkdir(parents=True, exist_ok=True)
        self._group = self._group / f"{GROUP}-{os.getpid()}-{name}-{time.monotonic_ns()}"

    @property
    def disk(self) -> Path:
        """What it has written: a layer for another computer."""
        return self.folder / "upper"

    def __enter__(self) -> Computer:
        self.boot()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def boot(self) -> None:
        """Switch it on, and wait until systemd answers. Raises AssertionError."""
        up = self.folder / "up"
        up.unlink(missing_ok=True)
        _sweep(self._group.parent)
        self._group.mkdir()
        told = [self.name, self._layers, str(self.folder), str(self._group), self.address, str(self._beside or "")]
        fetched = cache().with_name("debians") / "pip"  # so that each computer need not fetch the same again
        fetched.mkdir(parents=True, exist_ok=True)
        with (self.folder / "boot.log").open("wb") as log:
            self._process = subprocess.Popen(
                ["sh", str(BOOT), *told],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "PATH": search_path(), "PIP_CACHE": str(fetched)},
            )
        end = time.monotonic() + BOUND
        while not up.exists():
            assert self._process.poll() is None, (self.folder / "boot.log").read_text()
            assert time.monotonic() < end, (self.folder / "boot.log").read_text()
            time.sleep(0.02)
        (self.first,) = map(
            int, Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        )
        while (state := self.run("systemctl is-system-running").text.strip()) not in ("running", "degraded"):
            assert time.monotonic() < end, f"{state}: {(self.folder / 'console').read_text()}"
            time.sleep(0.1)

    def end(self) -> None:
        """Pull the plug."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        end = time.monotonic() + 30
        while self._group.exists() and time.monotonic() < end:
            _remove(self._group)
            time.sleep(0.05)

    @property
    def is_on(self) -> bool:
        """Has it been neither ended nor halted?"""
        return self._process is not None and self._process.poll() is None

    def run(self, script: str, *, online: bool = False, text: str = "", folder: str = "/root") -> Answer:
        """What a shell script says that root runs in it. `text`: its input."""
        if not self.first:
            return Answer("", 255)
        words = [
            f"PATH={PATH}",
            "HOME=/root",
            "LC_ALL=C.UTF-8",
            f"PIP_CERT={CERTIFICATES}",
            "PIP_CACHE_DIR=/var/cache/pip",
            "COLUMNS=120",
        ]
        spaces = [*SPACES, *([] if online else ["--net"])]
        enter = ["nsenter", "--target", str(self.first), *spaces, "env", "-i", *words]
        ended = subprocess.run(
            [*enter, "chroot", str(self.folder / "root"), "sh", "-c", f"cd {folder}; {script}"],
            input=text,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=BOUND,
            check=False,
        )
        return Answer(ended.stdout, ended.returncode)
