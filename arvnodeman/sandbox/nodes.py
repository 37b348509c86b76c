"""The computers behind the cloud's nodes: they boot, ping, join Slurm, run jobs, and are lost.

Like the sample image that existing installations have (FACTS.md 2.3): a computer pings the URL that it was given; once
the answer has a hostname it takes that name, starts its slurmd and resumes its node where Slurm has it down or drained;
it halts itself when its ping secret is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

from arvnodeman.cloud.sandbox import NODE_NAME
from arvnodeman.sandbox.arvados_query import ApiFailure
from arvnodeman.sandbox.clock import SiteClock, SiteTimer
from arvnodeman.sandbox.cloud import Cloud, SandboxNode
from arvnodeman.sandbox.faults import Faults, chance
from arvnodeman.sandbox.site_events import SiteEvents
from arvnodeman.sandbox.slurm_nodes import Computer
from arvnodeman.sandbox.slurm_side import SlurmSide

REAL_MEMORY = 0.97  # of the advertised RAM is left to Slurm
_HASTY = 10.0  # simulated seconds between pings until a hostname is known
_SLURMD_START = 2.0  # simulated seconds


class PingReceiver(Protocol):
    """Where nodes ping: `ArvadosStore`."""

    def ping(
        self,
        uuid: str,
        secret: str,
        *,
        ip: str | None,
        instance_id: str | None = None,
        totals: Mapping[str, Any] | None = None,
    ) -> Mapping[str, Any]:
        """The node record. Raises ApiFailure."""


@dataclass(slots=True)
class Machine:
    """One computer. `alive` until its node ends or it halts itself."""

    node: SandboxNode
    computer: Computer
    uuid: str  # of its node record, as its ping URL says
    secret: str = field(repr=False)
    alive: bool = True
    halted: bool = False
    pinged: bool = False
    hostname: str = ""
    jobs: set[str] = field(default_factory=set)  # names of the jobs that it runs
    lives: int = 0  # grows when what ran on it was lost, though its node is still there
    mute: bool = False  # it pings no more
    next_ping: SiteTimer | None = None

    @property
    def job(self) -> str:
        """Its jobs, in words."""
        return ", ".join(sorted(self.jobs))


class Machines:
    """All computers. Used under the site's lock."""

    def __init__(
        self,
        clock: SiteClock,
        faults: Faults,
        events: SiteEvents,
        cloud: Cloud,
        slurm: SlurmSide,
        desk: PingReceiver,
        *,
        seed: int = 0,
        ping_interval: float = 60.0,
        self_resume: bool = True,
    ) -> None:
        self._clock = clock
        self._faults = faults
        self._events = events
        self._cloud = cloud
        self._slurm = slurm
        self._desk = desk
        self._seed = seed
        self._ping_interval = ping_interval
        self.self_resume = self_resume
        self.machines: dict[str, Machine] = {}
        self.causes: dict[str, str] = {}  # why a computer ended, by node id
        self.on_up: Callable[[Machine], None] = lambda _machine: None  # its slurmd has started for the first time
        cloud.on_create = self._created
        cloud.on_end = self._ended

    # ---- a life ------------------------------------------------------------------------------------------------------

    def _created(self, node: SandboxNode) -> None:
        size = node.size
        computer = Computer(
            id=node.id,
            cores=size.cores,
            memory=int(size.ram * REAL_MEMORY),
            tmp=size.disk * 1000,
            address=node.address,
            started=self._clock.wall() + node.boot / 2 / self._clock.speed,
            gres=size.gres,
        )
        machine = Machine(node, computer, *ping_target(node.user_data))
        name = node.user_data.partition(NODE_NAME)[2].strip()
        self.machines[node.id] = machine
        if self._strikes("node-dies-booting", machine):
            self._vanish_in(machine, node.boot * self._dice("dies-booting", node.id, 0.2, 0.9), "node-dies-booting")
        elif not self._strikes("node-never-pings", machine):
            self._clock.after(node.boot, lambda: self._join(machine, name) if name else self._ping(machine))

    def _join(self, machine: Machine, name: str) -> None:
        """It knows its name, and does not ping."""
        if machine.alive:
            machine.hostname = name
            self._clock.after(_SLURMD_START, lambda: self._come_up(machine))

    def _ping(self, machine: Machine) -> None:
        if not machine.alive or machine.mute:
            return
        machine.next_ping = None
        try:
            record = self._desk.ping(
                machine.uuid,
                machine.secret,
                ip=machine.computer.address,
                instance_id=machine.node.id,
                totals={
                    "total_cpu_cores": machine.computer.cores,
                    "total_ram_mb": machine.computer.memory,
                    "total_scratch_mb": machine.computer.tmp,
                },
            )
        except ApiFailure as failure:
            self._events.add("ping-refused", machine.node.id, failure.text)
            if "Incorrect ping_secret" in failure.text:
                self._halt(machine, "ping secret refused")
                return
            wait = _HASTY
        else:
            wait = self._pong(machine, record)
        machine.next_ping = self._clock.after(wait, lambda: self._ping(machine))

    def _pong(self, machine: Machine, record: Mapping[str, Any]) -> float:
        """The record has come back; the time to the next ping."""
        if not machine.pinged:
            machine.pinged = True
            self._events.add("first-ping", machine.node.id, str(record.get("hostname") or ""))
        if machine.hostname:
            return self._ping_interval
        hostname = record.get("hostname")
        if not hostname or not record.get("first_ping_at"):
            return _HASTY
        machine.hostname = str(hostname)
        self._clock.after(_SLURMD_START, lambda: self._come_up(machine))
        return self._ping_interval

    def _come_up(self, machine: Machine) -> None:
        self._start_slurmd(machine)
        if machine.alive:
            self.on_up(machine)

    def _start_slurmd(self, machine: Machine) -> None:
        if not machine.alive:
            return
        if not self._slurm.slurmd_started(machine.hostname, machine.computer):
            self._events.add("slurmd-refused", machine.node.id, f"slurm.conf has no node {machine.hostname!r}")
            return
        self._events.add("slurmd-started", machine.node.id, machine.hostname)
        if self.self_resume:
            self._clock.after(self._slurm.joining + 1.0, lambda: self._resume(machine))

    def _resume(self, machine: Machine) -> None:
        if machine.alive:
            self._slurm.image_resumes(machine.hostname)

    def halt(self, node_id: str) -> None:
        """A computer's operating system is shut down; its node is still there, and paid for."""
        if node_id in self.machines:
            self._halt(self.machines[node_id], "halted")

    def _halt(self, machine: Machine, cause: str) -> None:
        self._events.add("node-halted", machine.node.id, cause)
        machine.halted = True
        self._stop(machine, cause)

    def _ended(self, node: SandboxNode, cause: str) -> None:
        machine = self.machines.pop(node.id)
        let_go = cause == "destroyed" and self._is_let_go(machine.hostname)
        if cause == "destroyed" and machine.alive and machine.jobs and not let_go:
            self._events.add("busy-node-destroyed", node.id, f"{machine.hostname} was running {machine.job}")
        self._stop(machine, "" if let_go else cause)

    def _is_let_go(self, hostname: str) -> bool:
        """Has Slurm itself powered the name down? Then a job of several nodes ends elsewhere yet."""
        node = self._slurm.nodes.get(hostname)
        return node is not None and node.short().endswith(("%", "~"))

    def _stop(self, machine: Machine, cause: str) -> None:
        """`cause`: why jobs of its node lose it; '': none runs there any more."""
        if not machine.alive:
            return
        machine.alive = False
        if cause:
            self.causes[machine.node.id] = cause
        if machine.next_ping is not None:
            machine.next_ping.cancel()
        if machine.hostname:
            self._slurm.slurmd_stopped(machine.hostname, machine.computer.id)

    # ---- what may befall it ------------------------------------------------------------------------------------------

    def reboot(self, machine: Machine) -> None:
        """The computer starts again, in half of the time that its node took: its job is lost, slurmd comes back."""
        self.lose_slurmd(machine)
        seconds = machine.node.boot / 2
        machine.computer = replace(machine.computer, started=self._clock.wall() + seconds / 2 / self._clock.speed)
        self._clock.after(seconds, lambda: self._rebooted(machine, machine.lives))

    def _rebooted(self, machine: Machine, life: int) -> None:
        if machine.alive and machine.lives == life and machine.hostname:
            self._start_slurmd(machine)

    def lose_slurmd(self, machine: Machine) -> None:
        """Its slurmd ends, and its job with it."""
        machine.lives += 1
        if machine.alive and machine.hostname:
            self._slurm.slurmd_stopped(machine.hostname, machine.computer.id)

    def lose_ping(self, machine: Machine) -> None:
        """It pings no more, and works on."""
        machine.mute = True

    # ---- jobs --------------------------------------------------------------------------------------------------------

    def run(self, job_name: str, computers: list[Computer], duration: float, done: Callable[[], None]) -> None:
        """Run a job on these computers: `done()` after so many simulated seconds, if all of them live on until then."""
        machines = [self.machines.get(computer.id) for computer in computers]
        present = [machine for machine in machines if machine is not None and machine.alive]
        lives = [machine.lives for machine in present]
        for machine in present:
            machine.jobs.add(job_name)
            if self._strikes("node-dies-working", machine):
                part = self._dice("dies-working", machine.node.id, 0.2, 0.8)
                self._vanish_in(machine, duration * part, "node-dies-working")

        def end() -> None:
            there = len(present) == len(computers) and all(m.alive and job_name in m.jobs for m in present)
            if there and lives == [machine.lives for machine in present]:
                done()

        self._clock.after(duration, end)

    def job_left(self, job_name: str) -> None:
        """Slurm has ended the job: its computers are free of it."""
        for machine in self.machines.values():
            machine.jobs.discard(job_name)

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _vanish_in(self, machine: Machine, seconds: float, cause: str) -> None:
        self._clock.after(seconds, lambda: self._cloud.vanish(machine.node, cause) if machine.alive else None)

    def _strikes(self, name: str, machine: Machine) -> bool:
        hit = self._faults.strikes(name, machine.node.size.id)
        if hit:
            self._events.add("fault", machine.node.id, name)
        return hit

    def _dice(self, what: str, node_id: str, low: float, high: float) -> float:
        return chance(self._seed, what, node_id).uniform(low, high)


def ping_target(url: str) -> tuple[str, str]:
    """Node record uuid and ping secret in a ping URL; empty for a text that is not a URL, so that the ping is
    refused."""
    parts = urlsplit(url.strip())
    pieces = parts.path.strip("/").split("/")
    uuid = pieces[-2] if len(pieces) >= 2 and pieces[-1] == "ping" else ""
    return uuid, parse_qs(parts.query).get("ping_secret", [""])[0]
