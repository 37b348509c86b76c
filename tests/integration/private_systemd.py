"""A `systemd --user` of a test's own: its units, its runtime directory, its cgroup, its end.

It needs root, also where systemd is not PID 1: then a mount namespace makes it believe that it was booted with.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

BOUND = 30.0
PLACES = ("/usr/lib/systemd/systemd", "/lib/systemd/systemd")
# sd_booted(3) looks for /run/systemd/system.
BOOTED = "mount --make-rprivate / && mount -t tmpfs tmpfs /run/systemd && mkdir /run/systemd/system && exec {} --user"


def missing() -> str:
    """Why there can be none here; '' when there can."""
    if not any(map(os.path.exists, PLACES)) or shutil.which("systemctl") is None:
        return "there is no systemd (Debian: apt-get install systemd)"
    if shutil.which("unshare") is None:
        return "there is no unshare (Debian: apt-get install util-linux)"
    if os.geteuid() != 0:
        return "only root can make a private systemd"
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True, timeout=BOUND, check=False).returncode:
        return "root may make no mount namespace on this machine"
    return "" if _hierarchies() else "root may write to no cgroup hierarchy on this machine"


def _hierarchies() -> list[Path]:
    """Where systemd keeps its cgroups: one folder, or two on hybrid machines."""
    roots = [Path("/sys/fs/cgroup/systemd"), Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup")]
    found = [root for root in roots if (root / "cgroup.procs").exists() and os.access(root, os.W_OK)]
    return found[:2]


class PrivateSystemd:
    """Use it in a `with`. Units go into `units`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.units = folder / "units"
        self.config = folder / "config"
        for place in (self.units, self.config):
            place.mkdir(parents=True)
        # On a tmpfs, like /run: systemd removes runtime directories from no other file system.
        self._runtime = Path(tempfile.mkdtemp(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else folder))
        name = f"test-{os.getpid()}-{time.monotonic_ns()}"  # the same in both: systemd keeps them alike
        self._groups = [root / name for root in _hierarchies()]
        self._environment = {
            "PATH": os.environ["PATH"],
            "XDG_RUNTIME_DIR": str(self._runtime),
            "XDG_CONFIG_HOME": str(self.config),
            "HOME": str(folder),
            "SYSTEMD_LOG_TARGET": "console",
            "SYSTEMD_UNIT_PATH": f"{self.units}:/usr/lib/systemd/user",
        }
        self._manager: subprocess.Popen[bytes]

    def __enter__(self) -> PrivateSystemd:
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self) -> None:
        join = ""
        for group in self._groups:
            group.mkdir()
            join += f"echo $$ >{group}/cgroup.procs && "
        place = next(filter(os.path.exists, PLACES))
        with (self.folder / "systemd.log").open("wb") as log:
            self._manager = subprocess.Popen(
                ["unshare", "--mount", "sh", "-c", join + BOOTED.format(place)],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        end = time.monotonic() + BOUND
        while not self.ctl("show", "--value", "--property", "Version", check=False):
            assert self._manager.poll() is None, self.said()
            assert time.monotonic() < end, self.said()
            time.sleep(0.05)

    def __exit__(self, *_: object) -> None:
        self.ctl("exit", check=False)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._manager.wait(BOUND)
        for group in self._groups:
            for procs in group.rglob("cgroup.procs"):
                for pid in procs.read_text().split():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(int(pid), signal.SIGKILL)
        if self._manager.poll() is None:
            self._manager.kill()
            self._manager.wait()
        for group in self._groups:
            for place in sorted([group, *(p for p in group.rglob("*") if p.is_dir())], reverse=True):
                _remove(place)
        shutil.rmtree(self._runtime, ignore_errors=True)

    def ctl(self, *arguments: str, check: bool = True, timeout: float = BOUND) -> str:
        """`systemctl --user ARGUMENTS`; what it says."""
        answer = subprocess.run(
            ["systemctl", "--user", *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert not check or answer.returncode == 0, (arguments, answer.stderr, self.said())
        return answer.stdout.strip()

    def show(self, unit: str, name: str) -> str:
        """One property of a unit."""
        return self.ctl("show", "--value", "--property", name, unit)

    def said(self) -> str:
        """What the manager has logged."""
        return (self.folder / "systemd.log").read_text(errors="replace")


def _remove(group: Path) -> None:
    end = time.monotonic() + BOUND
    while group.exists():
        try:
            group.rmdir()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
