"""A real Slurm of one's own: munged, slurmctld and any number of slurmds on 127.0.0.1, in a private directory.

For the tests, the demo and measurements. `with PrivateSlurm() as slurm:` starts munged and slurmctld; `start_node()`
gives a name its slurmd, `kill_node()` takes it away as the end of its machine would. All that was started ends with it,
jobs and slurmstepds too, also when the process that uses it is killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from arvnodeman.sandbox.real_slurm_conf import Ports, Shape, SlurmMissing, missing, search_path, write_conf

_START = 30.0  # seconds that munged and slurmctld may take, each
_STOP = 120.0  # seconds that slurmctld may take to save its state and end: it waits for nodes that do not answer
_ANSWER = 60.0  # seconds that the ward may take for one request
_LOOK = 0.02
_LONGEST_SOCKET = 100  # characters of the path of a Unix socket


class SlurmFailed(RuntimeError):
    """The private Slurm did not start, or one of its parts failed; the text says why."""


class PrivateSlurm:
    """A Slurm that runs; may be used from several threads. Raises SlurmMissing when it is not installed, SlurmFailed
    when it does not start."""

    def __init__(self, shape: Shape | None = None) -> None:
        if complaint := missing():
            raise SlurmMissing(complaint)
        self.shape = shape or Shape()
        self._lock = threading.Lock()
        self._path = search_path()
        # mkdtemp's is for one account alone, and another's commands need the socket and slurm.conf
        self.folder = Path(tempfile.mkdtemp(prefix="slurm-"))
        self.folder.chmod(0o755)
        self._ports: Ports | None = None
        self._ward: subprocess.Popen[bytes] | None = None
        try:
            self._begin()
        except BaseException:
            self.stop()
            raise

    # ---- using it ----------------------------------------------------------------------------------------------------

    def environment(self) -> dict[str, str]:
        """The environment in which Slurm's commands reach this Slurm."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM_", "SBATCH_"))}
        return {**kept, "PATH": self._path, "SLURM_CONF": str(self.folder / "slurm.conf")}

    def run(self, *argv: str, text: str = "", timeout: float = 30.0) -> subprocess.CompletedProcess[str]:
        """Run one of Slurm's commands, with `text` as its standard input. Raises subprocess.TimeoutExpired.

        Its environment is bare, for jobs inherit it. (`sbatch --export=NONE` would start a login shell for each.)"""
        kept = ("PATH", "HOME", "SLURM_CONF")
        return subprocess.run(
            argv,
            env={name: value for name, value in self.environment().items() if name in kept},
            input=text,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            errors="replace",
            cwd=self.folder,
        )

    def say(self, *argv: str, text: str = "") -> str:
        """Run a command that must work; what it printed. Raises SlurmFailed."""
        done = self.run(*argv, text=text)
        if done.returncode:
            raise SlurmFailed(f"{argv[0]}: {(done.stderr or done.stdout).strip()}")
        return done.stdout

    def state(self, name: str) -> str:
        """The state of a node as sinfo shows it, with its flags."""
        return self.say("sinfo", "--noheader", f"--nodes={name}", "--format=%t", "--partition=compute").strip()

    def start_controller(self, *, keep_all: bool = False) -> None:
        """Start slurmctld and wait until it answers. `keep_all`: -R, else features and weights are slurm.conf's.
        Raises SlurmFailed."""
        self._start("slurmctld", "slurmctld", "-D", *(["-R"] if keep_all else []))
        self._wait(lambda: self.run("sinfo", "--noheader").returncode == 0, "slurmctld")

    def stop_controller(self) -> None:
        """Stop slurmctld; it saves its state. One that hangs is killed, as systemd does. Raises SlurmFailed."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self._ask(do="stop", name="slurmctld", signal=number, wait=_STOP)["ended"]:
                return
        raise SlurmFailed("slurmctld did not end")

    def start_node(self, name: str) -> None:
        """Start the slurmd of a node. Raises SlurmFailed, also when it runs already.

        One of a name declared CLOUD says that its machine has just booted (-b), or slurmctld would wait on for that."""
        (self.folder / "spool" / name).mkdir(exist_ok=True)
        booted = ["-b"] if name in self.shape.cloud_names else []
        self._start(f"slurmd.{name}", "slurmd", "-D", *booted, "-N", name)

    def kill_node(self, name: str) -> None:
        """The machine of a node ends: its slurmd is killed, and all that its jobs are."""
        self._ask(do="kill", name=f"slurmd.{name}", holding=str(self.folder / "log" / f"slurmd.{name}.log"))

    def kill_slurmd(self, name: str) -> None:
        """Kill a slurmd alone: the jobs on its node go on."""
        self._ask(do="stop", name=f"slurmd.{name}", signal=signal.SIGKILL, wait=_STOP)

    def ended_jobs(self) -> list[dict[str, str]]:
        """Slurm's own account of the jobs that have ended."""
        return ended_jobs(self.folder)

    def log_size(self) -> int:
        """Bytes in slurmctld's log now."""
        try:
            return self._log.stat().st_size
        except FileNotFoundError:
            return 0

    def log_since(self, begin: int) -> str:
        """What slurmctld has logged after so many bytes."""
        try:
            with self._log.open("rb") as log:
                log.seek(begin)
                return log.read().decode(errors="replace")
        except FileNotFoundError:
            return ""

    def stop(self) -> None:
        """End all that was started, and remove the directory; again is harmless."""
        if self._ward is not None:
            assert self._ward.stdin is not None
            with contextlib.suppress(OSError):
                self._ward.stdin.close()
            self._ward.wait()
            if self._ward.stdout is not None:
                self._ward.stdout.close()
        if self._ports is not None:
            self._ports.holder.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> PrivateSlurm:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # ---- inside ------------------------------------------------------------------------------------------------------

    @property
    def _log(self) -> Path:
        return self.folder / "log" / "slurmctld.log"

    def _begin(self) -> None:
        for name in ("run", "log", "state", "spool"):
            (self.folder / name).mkdir()
        socket = self.folder / "run" / "munge.socket"
        if len(str(socket)) > _LONGEST_SOCKET:
            raise SlurmFailed(f"the path of the temporary directory is too long: {self.folder}")
        key = self.folder / "munge.key"
        key.write_bytes(secrets.token_bytes(1024))
        key.chmod(0o400)
        self._ports = Ports.take(self.shape.startable + len(self.shape.cloud_names))
        write_conf(self.folder, self._ports, self.shape)
        self._ward = subprocess.Popen(
            [sys.executable, "-m", "arvnodeman.sandbox.real_slurm_ward", str(self.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            env=_with_this_package(),
            cwd=self.folder,
        )
        run = self.folder / "run"
        files = {
            "key-file": key,
            "socket": socket,
            "pid-file": run / "munged.pid",
            "log-file": self.folder / "log" / "munged.log",
            "seed-file": run / "munged.seed",
        }
        # --force: a directory above ours may be closed to other accounts, or be everybody's as /tmp
        options = [f"--{name}={path}" for name, path in files.items()]
        self._start("munged", "munged", "--foreground", "--force", *options)
        self._wait(socket.exists, "munged")
        self.start_controller()
        if self.shape.features:
            self.say("scontrol", "update", "NodeName=compute0", f"Features={','.join(self.shape.features)}")

    def _start(self, name: str, program: str, *arguments: str) -> None:
        path = shutil.which(program, path=self._path)
        if path is None:
            raise SlurmFailed(f"{program} is not installed any more")
        log = str(self.folder / "log" / f"{name}.out")
        self._ask(do="start", name=name, argv=[path, *arguments], env=self._daemon_environment(), log=log)

    def _daemon_environment(self) -> dict[str, str]:
        return {**self.environment(), "LC_ALL": "C.UTF-8", "TZ": "UTC"}  # its files tell times without a zone

    def _ask(self, **request: object) -> Mapping[str, Any]:
        ward = self._ward
        assert ward is not None
        assert ward.stdin is not None
        assert ward.stdout is not None
        with self._lock:
            try:
                ward.stdin.write(json.dumps(request).encode() + b"\n")
                ward.stdin.flush()
                ready = select.select([ward.stdout], [], [], _ANSWER)[0]
                line = ward.stdout.readline() if ready else b""
            except (OSError, ValueError) as error:
                raise SlurmFailed(f"Slurm's daemons have lost their ward: {error}") from None
        if not line:
            raise SlurmFailed("Slurm's daemons have lost their ward")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise SlurmFailed(f"{request['do']} {request['name']}: {answer['error']}")
        return answer

    def _wait(self, true: Any, who: str) -> None:
        end = time.monotonic() + _START
        while not true():
            if time.monotonic() > end:
                raise SlurmFailed(f"{who} did not start within {_START:g} s: {self._last_words(who)}")
            time.sleep(_LOOK)

    def _last_words(self, who: str) -> str:
        for path in (self.folder / "log" / f"{who}.log", self.folder / "log" / f"{who}.out"):
            with contextlib.suppress(OSError):
                if lines := path.read_text(errors="replace").split("\n")[-4:]:
                    return " / ".join(filter(None, lines))
        return "it wrote no log"


def ended_jobs(folder: Path) -> list[dict[str, str]]:
    """The account of ended jobs that the Slurm in this directory keeps: Name, JobState, NodeList and more of each,
    oldest first."""
    try:
        lines = (folder / "log" / "jobs").read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return []
    return [dict(word.split("=", 1) for word in line.split() if "=" in word) for line in lines]


def _with_this_package() -> dict[str, str]:
    """The environment in which a Python in another directory finds this very package."""
    here = str(Path(__file__).resolve().parents[2])
    paths = [here, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
