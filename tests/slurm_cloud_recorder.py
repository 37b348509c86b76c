"""Write down what a real Slurm says of names that it powers up and down, and of the jobs on them: data for tests.

    python tests/slurms.py --slurms 24.11,26.05 --run -- python tests/slurm_cloud_recorder.py
    python tests/slurm_cloud_recorder.py                  on this machine's, from 22.05 on

One file for each version, tests/unit/slurm/recorded/cloud-VERSION.txt, written as slurm_recorder.py writes its own.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from slurm_recorder import BOUND, FOLDER, NotSo, Recorder

from arvnodeman.sandbox.real_slurm import PrivateSlurm
from arvnodeman.sandbox.real_slurm_conf import CloudNames, Shape
from arvnodeman.slurm.placed import PLACED_FORMAT

UP, BOOTED, FREE, CLOSED, LATE = "s-1", "s-2", "s-3", "s-4", "s-5"
POWER = (("SuspendTimeout", "6"), ("SlurmctldParameters", "power_save_interval=1,cloud_reg_addrs"))
HIDDEN = (("PrivateData", "cloud"),)  # which 22.05 needs, or it shows no name that is off
REASON = "Node Manager shutdown (i-1)"


class CloudRecorder(Recorder):
    """Asks as we ask of names declared CLOUD."""

    def node(self, what: str, name: str) -> None:
        """What is said of a name."""
        self.lines.append(f"== {what}")
        self.run("scontrol", "--all", "show", "node", name)

    def state(self, name: str) -> str:
        """Its State."""
        found = re.search(r"State=(\S+)", self.slurm.run("scontrol", "--all", "show", "node", name).stdout)
        return found[1] if found else ""

    def wait(self, true: Callable[[], object], what: str) -> None:
        """Raises NotSo."""
        end = time.monotonic() + 2 * BOUND
        while not true():
            if time.monotonic() > end:
                raise NotSo(f"{what}: {self.slurm.run('sinfo', '-N').stdout}")
            time.sleep(0.05)

    def becomes(self, name: str, flag: str) -> None:
        """Wait until its State has this word."""
        self.wait(lambda: flag in self.state(name).split("+"), f"{name} to be {flag}")

    def submit(self, name: str, *options: str) -> str:
        """A job for this name; its number."""
        argv = ("sbatch", "-p", "cloud", "-w", name, "--mem=10", *options, "--wrap", "sleep 600")
        return self.say(*argv).split()[-1]

    def jobs(self, what: str) -> None:
        """What is said of jobs."""
        self.lines.append(f"== {what}")
        shown = self.slurm.say(
            "squeue", "--all", "--noheader", "--states=CONFIGURING,PENDING", f"--Format={PLACED_FORMAT}"
        )
        self.lines += ["$ squeue", *shown.rstrip("\n").split("\n")]


def record(slurm: PrivateSlurm) -> list[str]:
    """All of it."""
    play = CloudRecorder(slurm)
    play.run("squeue", "--version")
    play.node("off", FREE)
    _boots(play)
    _goes(play)
    _closed(play)
    return play.lines


def _boots(play: CloudRecorder) -> None:
    task = play.submit(UP, "--array=7-7", "--no-requeue")
    play.becomes(UP, "POWERING_UP")
    play.node("being powered up, with a job", UP)
    play.say("scontrol", "update", f"nodename={BOOTED}", "state=power_up")
    play.becomes(BOOTED, "POWERING_UP")
    play.node("being powered up, without a job", BOOTED)
    play.say(
        "scontrol", "update", f"jobid={task}_7", "admincomment=Node Manager: back in the queue [Node Manager: once]"
    )
    play.jobs("a task that is placed, with a mark")
    play.slurm.start_node(UP)
    play.slurm.start_node(BOOTED)
    play.becomes(UP, "CLOUD")
    play.wait(lambda: "POWERING_UP" not in play.state(UP) + play.state(BOOTED), "both to register")
    play.node("up, with a job", UP)
    play.node("up, idle", BOOTED)


def _goes(play: CloudRecorder) -> None:
    play.say("scontrol", "update", f"nodename={UP}", "state=power_down_asap", f"reason={REASON}")
    play.node("to go after its job", UP)
    play.say("scontrol", "update", f"nodename={BOOTED}", "state=power_down_asap", f"reason={REASON}")
    play.node("to go, idle", BOOTED)
    play.becomes(BOOTED, "POWERING_DOWN")
    play.node("powering down", BOOTED)
    play.say("scontrol", "update", f"nodename={BOOTED}", "state=resume")
    play.node("resumed while it powered down", BOOTED)
    job = play.submit(LATE)
    play.becomes(LATE, "POWERING_UP")
    play.say("scancel", job)
    play.wait(lambda: play.state(LATE).startswith("IDLE"), "the job to be gone")
    play.say("scontrol", "update", f"nodename={LATE}", "state=power_down_force", f"reason={REASON}")
    play.node("forced down while it was powered up", LATE)


def _closed(play: CloudRecorder) -> None:
    play.say("scontrol", "update", f"nodename={CLOSED}", "state=power_down_asap", "reason=Node Manager closed (x)")
    play.node("closed while it was off", CLOSED)
    play.becomes(CLOSED, "POWERING_DOWN")
    play.say("scontrol", "update", f"nodename={CLOSED}", "state=drain", "reason=Node Manager closed (x)")
    play.node("drained while it powered down", CLOSED)
    play.becomes(CLOSED, "POWERED_DOWN")
    play.node("closed for good", CLOSED)
    play.say("scontrol", "update", f"nodename={CLOSED}", "state=resume")
    play.node("opened again", CLOSED)
    play.say("scontrol", "update", f"nodename={FREE}", "state=down", "reason=disk broken")
    play.node("set down while it was off", FREE)
    play.say("scontrol", "update", f"nodename={FREE}", "state=resume")
    play.say(
        "scontrol",
        "create",
        "reservation=r",
        f"nodes={FREE}",
        "user=root",
        "starttime=now",
        "duration=1",
        "flags=maint",
    )
    play.becomes(FREE, "MAINTENANCE")
    play.node("off, under maintenance", FREE)
    play.say("scontrol", "delete", "reservation=r")
    waits = play.say("sbatch", "-p", "cloud", "-N2", "--begin=now+1hour", "--wrap", "true").split()[-1]
    play.jobs("jobs that wait beside it")
    play.say("scancel", waits)


def main() -> None:
    """Record the Slurm on PATH."""
    names = CloudNames(names="s-[1-6]", size="small")
    with PrivateSlurm(Shape(nodes=1, cloud=(names,), power=(*POWER, *HIDDEN))) as slurm:
        lines = record(slurm)
    version = re.search(r"[0-9]+\.[0-9]+", lines[1])
    assert version is not None
    (FOLDER / f"cloud-{version.group()}.txt").write_text("\n".join([*lines, ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
