"""Write down what a real Slurm says of nodes in every state that matters, and what it refuses: data for tests.

    python tests/slurms.py --run -- python tests/slurm_recorder.py      on the others
    python tests/slurm_recorder.py                                      on this machine's

One file for each version, tests/unit/slurm/recorded/VERSION.txt. Each part is a headline, `== WHAT IT IS`, and under it
commands, `$ COMMAND`, each with what it printed, and `rc N` where that is not 0.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable
from pathlib import Path

from arvnodeman.sandbox.real_slurm import PrivateSlurm
from arvnodeman.sandbox.real_slurm_conf import Shape
from arvnodeman.slurm.sinfo import SINFO_FORMAT

FOLDER = Path(__file__).resolve().parent / "unit" / "slurm" / "recorded"
BOUND = 30.0  # seconds that anything may take
REASON, REMOVAL = "Node Manager shutdown (i-1)", "Node Manager removal (i-1)"
LIVING = tuple(f"compute{number}" for number in range(1, 7))
NEVER = "compute9"
JOB = "#!/bin/sh\nexec sleep 600\n"


class NotSo(Exception):
    """It did not come about in time."""


class Recorder:
    """Asks one private Slurm, and writes down the answers."""

    def __init__(self, slurm: PrivateSlurm) -> None:
        self.slurm = slurm
        self.lines: list[str] = []

    def run(self, *argv: str) -> str:
        """One command, which may fail; written down with its answer."""
        done = self.slurm.run(*argv)
        shown = (done.stdout + done.stderr).replace(str(self.slurm.folder), "/D").rstrip("\n")
        self.lines += [f"$ {' '.join(argv)}", *shown.split("\n")] if shown else [f"$ {' '.join(argv)}"]
        if done.returncode:
            self.lines.append(f"rc {done.returncode}")
        return done.stdout

    def node(self, what: str, name: str) -> None:
        """What is said of a node, as we ask it."""
        self.lines.append(f"== {what}")
        self.run("sinfo", "--all", "--noheader", f"--format={SINFO_FORMAT}", f"--nodes={name},{name}")
        self.run("scontrol", "--all", "show", "node", name)

    def say(self, *argv: str) -> str:
        """A command that must work, and is not written down."""
        return self.slurm.say(*argv)

    def update(self, name: str, *changes: str) -> None:
        """Change a node."""
        self.say("scontrol", "update", f"NodeName={name}", *changes)

    def word(self, name: str) -> str:
        """The state of a node, newly counted."""
        return self.say("sinfo", "-h", "-p", "compute", "-o", "%t", f"--nodes={name},{name}").strip()

    def until(self, name: str, *words: str) -> str:
        """Wait until Slurm has one of these words for a node."""
        return until(
            lambda: (word := self.word(name)) in words and word, f"{name} to be {words}, not {self.word(name)}"
        )

    def job(self, name: str, partition: str = "shared") -> str:
        """Let a job begin on a node; its number."""
        options = ["--parsable", f"--partition={partition}", f"--nodelist={name}", "--cpus-per-task=2", "--mem=10"]
        number = self.slurm.say("sbatch", *options, "--output=/dev/null", text=JOB).strip()
        until(lambda: self.say("squeue", "-h", "-j", number, "-o", "%t").strip() == "R", f"job {number} to run")
        return number

    def cancel(self, number: str) -> None:
        """End a job."""
        self.say("scancel", number)
        until(lambda: number not in self.say("squeue", "-h", "-o", "%i").split(), f"job {number} to be gone")


def until(true: Callable[[], object], what: str) -> str:
    """Wait until it is so; what it was."""
    end = time.monotonic() + BOUND
    while not (found := true()):
        if time.monotonic() > end:
            raise NotSo(f"not so within {BOUND:g} s: {what}")
        time.sleep(0.1)
    return str(found)


def record(slurm: PrivateSlurm) -> list[str]:
    """All parts, in order."""
    play = Recorder(slurm)
    slurm.stop_controller()
    conf = slurm.folder / "slurm.conf"
    conf.write_text(conf.read_text() + "RebootProgram=/bin/true\nResumeTimeout=600\n")
    slurm.start_controller()
    play.run("squeue", "--version")
    for name in LIVING:
        slurm.start_node(name)
    play.node("never seen", NEVER)
    for name in LIVING:
        play.until(name, "idle")
    play.node("idle", LIVING[0])
    play.until(NEVER, "unk*")
    play.node("never seen, after a while", NEVER)
    _work(play)
    _reservations(play)
    _reboots(play)
    _deaths(play)
    _refusals(play)
    return play.lines


def _work(play: Recorder) -> None:
    one, two = LIVING[:2]
    exclusive = play.job(two, "compute")
    play.node("a job that has the node to itself", two)
    play.cancel(exclusive)
    for state, free in (("DRAIN", ("drain",)), ("FAIL", ("fail",))):
        number = play.job(one)
        if state == "DRAIN":
            play.node("a job on a part", one)
        play.update(one, f"State={state}", f"Reason={REASON}")
        play.node(f"{state} with a job on a part", one)
        if state == "DRAIN":
            play.say("scontrol", "suspend", number)
            play.node("DRAIN with a suspended job", one)
        play.cancel(number)
        play.until(one, *free)
        play.node(f"{state} without a job", one)
        play.update(one, "State=RESUME")
        play.until(one, "idle")
        play.node(f"resumed after {state}", one)


def _reservations(play: Recorder) -> None:
    for flags, word in (("maint,ignore_jobs", "maint"), ("ignore_jobs", "resv")):
        play.say(
            *("scontrol", "create", "reservation", "ReservationName=kept", "StartTime=now", "Duration=60"),
            *("Users=root", f"Flags={flags}", f"Nodes={LIVING[2]}"),
        )
        play.until(LIVING[2], word)
        play.node(f"reserved, {flags}", LIVING[2])
        play.say("scontrol", "delete", "ReservationName=kept")
        play.until(LIVING[2], "idle")


def _reboots(play: Recorder) -> None:
    """scontrol reboot of an idle node and of one with a job."""
    name = LIVING[3]
    number = play.job(name)
    play.say("scontrol", "reboot", "ASAP", "nextstate=RESUME", "reason=new kernel", name)
    play.node("reboot is asked for, with a job", name)
    play.cancel(number)
    seen = until(
        lambda: (word := play.word(name)) not in ("mix@", "drng@", "drain@", "comp@", "drng", "comp") and word, ""
    )
    play.node(f"reboot has begun: {seen}", name)
    until(lambda: "boot" in (play.word(name)), "boot")
    time.sleep(10)
    play.node("reboot has begun, after a while", name)
    play.slurm.kill_slurmd(name)
    time.sleep(8)
    play.node("reboot has begun, slurmd is away", name)
    _boot(play, name)
    play.node("after the reboot", name)
    play.say("scontrol", "reboot", name)
    play.until(name, "boot^")
    time.sleep(8)
    play.node("reboot of an idle node, not ASAP, no reason", name)
    _boot(play, name)


def _boot(play: Recorder, name: str) -> None:
    """Start a slurmd that says that its machine has booted just now, until it is believed."""
    while play.word(name) != "idle":
        play.slurm.kill_slurmd(name)
        time.sleep(8)
        play.slurm._start(f"slurmd.{name}", "slurmd", "-D", "-b", "-N", name)
        with contextlib.suppress(NotSo):
            play.until(name, "idle")


def _deaths(play: Recorder) -> None:
    drained, working, idle, resumed = (LIVING[number] for number in (3, 4, 5, 0))
    play.update(drained, "State=DRAIN", f"Reason={REASON}")
    number = play.job(working)
    for name in (
        drained,
        working,
        idle,
        resumed,
    ):  # the last shows the reason of an earlier drain, where Slurm keeps it
        play.slurm.kill_slurmd(name)
    play.until(drained, "drain*")
    play.node("DRAIN, slurmd dead", drained)
    for name in (idle, working, resumed):
        play.until(name, "down*")
    play.node("slurmd dead", idle)
    play.node("slurmd dead, had a job", working)
    play.node("slurmd dead, had been drained and resumed", resumed)
    until(lambda: "State=DOWN" in play.say("scontrol", "show", "node", drained), "it to be down")
    play.node("DRAIN, slurmd dead for long", drained)
    play.update(drained, "State=DOWN", f"Reason={REMOVAL}")
    play.node("DOWN after DRAIN, slurmd dead", drained)
    play.update(idle, "State=DOWN", f"Reason={REMOVAL}")
    play.node("DOWN, slurmd dead", idle)
    play.update(drained, "State=RESUME")
    play.node("resumed, slurmd dead", drained)
    play.until(drained, "down*")
    play.node("resumed, slurmd dead for long", drained)
    play.node("DOWN, slurmd dead for long", idle)
    play.say("scancel", number)
    for name in (drained, working, idle, resumed):
        play.slurm.start_node(name)
        play.until(name, "idle")
    play.node("slurmd is back after DOWN", idle)


def _refusals(play: Recorder) -> None:
    one = LIVING[0]
    play.lines.append("== refusals")
    play.run("scontrol", "update", f"NodeName={one}", "State=RESUME")
    play.run("scontrol", "update", f"NodeName={NEVER}", "State=RESUME")
    play.run("scontrol", "update", f"NodeName={one}", "State=DRAIN")
    play.run("scontrol", "update", f"NodeName={one}", "State=POWER_DOWN")
    play.run("scontrol", "update", f"NodeName={one}", "State=POWER_UP")
    play.run("scontrol", "update", "NodeName=nope", "Weight=1")
    play.run("scontrol", "update", f"NodeName={one},nope", "State=DRAIN", "Reason=a test")
    play.run("scontrol", "update", f"NodeName={one}", "State=RESUME")
    play.run("scontrol", "--all", "show", "node", "nope")
    play.run("squeue", "--all", "--noheader", "--format=%i", "-w", "nope")
    play.run("scontrol", "update", "JobId=999", "AdminComment=x")
    play.run("scancel", "999")
    play.lines.append("== slurmctld is away")
    play.slurm.stop_controller()
    play.run("sinfo", "--all", "--noheader")
    play.run("squeue", "--all", "--noheader")
    play.run("scontrol", "update", f"NodeName={one}", "Weight=1")
    play.run("scontrol", "--all", "show", "node", one)
    play.slurm.start_controller()


def main() -> None:
    """Record the Slurm on PATH."""
    with PrivateSlurm(Shape(nodes=10)) as slurm:
        lines = record(slurm)
    version = re.search(r"[0-9]+\.[0-9]+", lines[1])
    assert version is not None
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{version.group()}.txt").write_text("\n".join([*lines, ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
