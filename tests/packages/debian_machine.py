"""A Debian of its own to install things in: a root made by debootstrap once, and over it a layer that is thrown away.

It runs in name spaces, so that what is started in it ends with it, and nothing of this machine is touched. It needs
Linux, root, debootstrap, and once the mirror of Debian that this machine's apt uses.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from arvnodeman.sandbox.real_slurm_conf import search_path
from arvnodeman.sandbox.slurm_root import cache, mirror, only_one

SUITES = ("bookworm", "trixie")
BOUND = 900.0  # seconds that one command may take on a busy machine
INSTALL = "apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "
# Where /shared/src has the sources.
BUILD = "rm -rf /build; cp -r /shared/src /build && cd /build && PIP_CACHE_DIR=/shared/pip dpkg-buildpackage -b -us -uc"
NEEDED = "build-essential ca-certificates debhelper lintian python3-venv"
CERTIFICATES = "/etc/certificates.crt"  # this machine's, which may be a site's own
_START = """
mount --make-rprivate / &&
mount -t overlay overlay -o "lowerdir=$0,upperdir=$1/upper,workdir=$1/work" "$1/root" &&
for place in dev sys; do mount --rbind "/$place" "$1/root/$place" || exit; done &&
mount -t proc proc "$1/root/proc" &&
cp /etc/ssl/certs/ca-certificates.crt "$1/root/etc/certificates.crt" &&
mkdir -p "$1/root/shared" && mount --bind "$2" "$1/root/shared" &&
if [ -n "$3" ]; then ip link set lo up; fi &&
echo $$ > "$1/up" && exec sleep infinity
"""


def missing() -> str:
    """Why there can be none here; '' when there can."""
    if os.geteuid() != 0:
        return "only root can make and enter another Debian"
    for program in ("debootstrap", "unshare", "nsenter", "ip"):
        if shutil.which(program, path=search_path()) is None:
            return f"{program} is not installed (apt-get install debootstrap util-linux iproute2)"
    return ""


def empty(suite: str) -> Path:
    """The smallest Debian there is, made once and kept. Raises CalledProcessError and NotPossible."""
    folder = cache().with_name("debians")
    root = folder / suite
    with only_one(folder):
        if not root.exists():
            new = Path(tempfile.mkdtemp(prefix=f"{suite}-", dir=folder))
            new.chmod(0o755)
            try:
                said = subprocess.run(
                    ["debootstrap", "--variant=minbase", suite, str(new), mirror()],
                    env={**os.environ, "PATH": search_path()},
                    capture_output=True,
                    text=True,
                    check=False,
                )
                assert said.returncode == 0, said.stdout[-2000:] + said.stderr[-2000:]
                new.rename(root)
            finally:
                shutil.rmtree(new, ignore_errors=True)
    return root


class DebianMachine:
    """Use it in a `with`. `shared` of this machine is /shared in it; its own files are in `folder`, and stay until that
    is removed: another one in the same folder goes on with them."""

    def __init__(self, suite: str, folder: Path, shared: Path, *, alone: bool = False) -> None:
        """alone: with a loopback of its own, and no other network."""
        self._lower, self.folder, self._shared, self._alone = empty(suite), folder, shared, alone
        self._process: subprocess.Popen[bytes]
        for place in ("upper", "work", "root"):
            (folder / place).mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> DebianMachine:
        up = self.folder / "up"
        up.unlink(missing_ok=True)
        spaces = ["--mount", "--pid", "--uts", "--fork", "--kill-child", *(["--net"] if self._alone else [])]
        told = [str(self._lower), str(self.folder), str(self._shared), "alone" if self._alone else ""]
        self._process = subprocess.Popen(["unshare", *spaces, "sh", "-c", _START, *told], stdin=subprocess.DEVNULL)
        end = time.monotonic() + 60
        while not up.exists():
            assert self._process.poll() is None, "the name spaces cannot be made"
            assert time.monotonic() < end
            time.sleep(0.05)
        (self._inside,) = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def command(self, argv: Sequence[str], environ: Mapping[str, str] | None = None) -> list[str]:
        """What runs a command in it, as root."""
        path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        given = {"PATH": path, "HOME": "/root", "LC_ALL": "C", "PIP_CERT": CERTIFICATES}
        words = [f"{name}={value}" for name, value in {**given, **(environ or {})}.items()]
        spaces = ["--mount", "--pid", "--uts", *(["--net"] if self._alone else [])]
        enter = ["nsenter", "--target", self._inside, *spaces, "env", "-i", *words]
        return [*enter, "chroot", str(self.folder / "root"), *argv]

    def run(self, script: str, *, check: bool = True, environ: Mapping[str, str] | None = None) -> str:
        """What a shell script says, on either stream. Where it fails and `check` is true: AssertionError."""
        ended = subprocess.run(
            self.command(["sh", "-c", f"cd /root; {script}"], environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=BOUND,
            check=False,
        )
        assert not check or ended.returncode == 0, f"{script}\nended with {ended.returncode}\n{ended.stdout[-6000:]}"
        return ended.stdout

    def start(self, script: str, log: Path, environ: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        """A process that goes on, until this machine ends or it is stopped."""
        with log.open("wb") as said:
            return subprocess.Popen(
                self.command(["sh", "-c", f"cd /root; {script}"], environ),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
            )

    def path(self, inside: str) -> Path:
        """Of one of its files, from outside."""
        return Path(f"/proc/{self._inside}/root{self.folder / 'root'}{inside}")
