"""A site on a real Slurm and the daemon on it, for tests."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import shutil
import subprocess
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from daemon_process import DaemonProcess

from arvnodeman.sandbox.process import SiteProcess
from arvnodeman.sandbox.real_slurm import ended_jobs
from arvnodeman.sandbox.real_slurm_conf import missing, search_path
from arvnodeman.slurm.tried import version_of

SPEED = 30.0  # simulated seconds in a real one: 60 are 2
BOUND = 90.0  # real seconds that anything may take on a busy machine
Job = dict[str, Any]


def need_slurm() -> None:
    """Skip the tests where Slurm is not installed, with the way to get it; in CI that is a failure."""
    if complaint := missing():
        if os.environ.get("CI") == "true":
            pytest.fail(complaint)
        pytest.skip(complaint)


@functools.cache
def slurm_version() -> tuple[int, int]:
    """Of the Slurm on PATH: (22, 5)."""
    slurmctld = shutil.which("slurmctld", path=search_path())
    assert slurmctld is not None
    said = subprocess.run([slurmctld, "-V"], capture_output=True, text=True, timeout=BOUND, check=True).stdout
    version = version_of(said)
    assert version is not None, said
    return version


class Stage:
    """The site, and daemons on it that end with the test."""

    def __init__(self, site: SiteProcess, folder: Path) -> None:
        self.site = site
        self.folder = folder
        self.daemons: list[DaemonProcess] = []
        self._seen = self.event_number()

    # ---- the daemon ------------------------------------------------------------------------------------------------

    def daemon(
        self,
        environment: Mapping[str, str] | None = None,
        sections: Mapping[str, Mapping[str, object] | None] | None = None,
        **options: object,
    ) -> DaemonProcess:
        """Start a daemon with these options of [Daemon]. `sections`: what others have; None takes one away."""
        number = len(self.daemons)
        log = self.folder / f"log{number}"
        config = self.site.write_config(
            self.folder / f"site{number}.cfg",
            {"Logging": {"file": log, "level": "INFO"}, **(sections or {})},
            **options,
        )
        daemon = DaemonProcess(config, log, environment or self.site.environment())
        self.daemons.append(daemon)
        return daemon

    def crash(self, daemon: DaemonProcess) -> None:
        """SIGKILL."""
        daemon.process.kill()
        daemon.process.wait()

    def logs(self) -> str:
        """What all daemons of this test have logged."""
        return "".join(daemon.text() for daemon in self.daemons)

    def end(self) -> None:
        """End the daemons."""
        for daemon in self.daemons:
            daemon.end()

    # ---- Slurm -----------------------------------------------------------------------------------------------------

    def slurm(self, *argv: str) -> str:
        """Run one of Slurm's commands, which must work."""
        done = subprocess.run(
            argv, env=self.site.environment(), capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, f"{' '.join(argv)}: {done.stderr.strip() or done.stdout.strip()}\n{self.ctld()}"
        return done.stdout.strip()

    def ctld(self) -> str:
        """The end of slurmctld's log, where it is a real one."""
        log = Path(self.site.address.slurm_conf).parent / "log" / "slurmctld.log"
        with contextlib.suppress(OSError):
            return "\n".join(log.read_text(errors="replace").splitlines()[-100:])
        return ""

    def sinfo(self, hostname: str, form: str = "%t") -> str:
        """What sinfo says of one node."""
        return self.slurm("sinfo", "--noheader", "--partition=compute", f"--nodes={hostname}", f"--format={form}")

    def completed(self) -> Counter[str]:
        """How often Slurm has COMPLETED each job, by name."""
        jobs = ended_jobs(Path(self.site.address.slurm_conf).parent)
        return Counter(job["Name"] for job in jobs if job["JobState"] == "COMPLETED")

    # ---- the site --------------------------------------------------------------------------------------------------

    def job(self, **spec: object) -> str:
        """Let a job arrive now; its name."""
        return self.site.add_jobs(spec)[0]

    def job_state(self, name: str) -> Job:
        """What became of a job."""
        return next(job for job in self.site.state("jobs")["job_list"] if job["name"] == name)

    def nodes(self) -> list[Job]:
        """The nodes that the cloud has and that are not being destroyed."""
        return [node for node in self.site.state("nodes")["node_list"] if node["state"] in ("pending", "running")]

    def node_of(self, job: str) -> Job:
        """The node that runs this job, once it does."""
        found: list[Job] = []

        def look() -> bool:
            found[:] = [node for node in self.nodes() if node["job"] == job]
            return bool(found)

        self.until(look, f"{job} to run")
        return found[0]

    def until(self, true: Callable[[], object], what: str, bound: float = BOUND) -> None:
        """Wait until it is so; the daemons must live meanwhile."""
        end = time.monotonic() + bound
        while not true():
            if time.monotonic() > end:
                pytest.fail(f"{what}: not so within {bound:g} s\n{self.account()}")
            time.sleep(0.1)

    def until_job(self, name: str, state: str) -> None:
        """Wait until a job has come so far."""
        self.until(lambda: self.job_state(name)["state"] == state, f"{name} to be {state}")

    def until_quiet(self) -> dict[str, Any]:
        """Wait until nothing runs, waits or is left; the verdict, which must be clean."""
        self.until(lambda: self.site.state()["quiet"], "the site to be quiet")
        verdict = self.site.verdict()
        assert verdict["clean"], f"{json.dumps(verdict)}\n{self.account()}"
        assert "Traceback" not in self.logs()
        return verdict

    def event_number(self) -> int:
        """The number of the newest event."""
        events = self.site.get("events?after=0")["events"]
        return int(events[-1]["seq"]) if events else 0

    def happened(self, kind: str = "") -> list[Job]:
        """What has happened since this test began."""
        found: list[Job] = self.site.get(f"events?after={self._seen}&kind={kind}")["events"]
        return found

    def subjects(self, kind: str) -> list[str]:
        """To whom this has happened since this test began."""
        return [event["subject"] for event in self.happened(kind)]

    def account(self) -> str:
        """All that one needs to find out why a test failed."""
        lines = [f"{h['at']:.1f} {h['kind']} {h['subject']} {h['text']}" for h in self.happened()]
        with contextlib.suppress(subprocess.SubprocessError, AssertionError):
            lines += [self.slurm("sinfo", "-h", "-o", "%n %t %w %f %E"), self.slurm("squeue", "-h")]
        jobs = [str(job) for job in ended_jobs(Path(self.site.address.slurm_conf).parent)]
        return "\n".join([*lines, *jobs, self.ctld(), self.logs()])

    def arvados(self, path: str) -> dict[str, Any]:
        """GET from the API server."""
        request = urllib.request.Request(
            f"{self.site.address.url}/arvados/v1/{path}",
            headers={"Authorization": f"Bearer {self.site.address.token}"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            found: dict[str, Any] = json.loads(answer.read())
        return found

    def say(self, node: Job, word: str) -> None:
        """An operator's word, in the node's tag."""
        request = urllib.request.Request(
            f"{self.site.address.url}/cloud/nodes/{node['id']}/tags",
            method="PUT",
            data=json.dumps({"tags": {"arvados_node_word": word}}).encode(),
            headers={"Authorization": f"Bearer {self.site.address.key}", "Content-Type": "application/json"},
        )
        urllib.request.urlopen(request, timeout=30).close()


@contextlib.contextmanager
def stage(site: SiteProcess, folder: Path) -> Iterator[Stage]:
    """A stage whose daemons end with it."""
    made = Stage(site, folder)
    try:
        yield made
    finally:
        made.end()
