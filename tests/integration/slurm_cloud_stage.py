"""Brain and hands together on a real Slurm that places jobs on names that are off, with a cloud in the test's memory
whose machines are slurmds: for tests."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from slurm_stage import BOUND, need_slurm, slurm_version

from arvnodeman.actors.hands import Hands
from arvnodeman.actors.real_world import RealWorld, make_fetches, make_makers
from arvnodeman.cloud.base import CloudDriver
from arvnodeman.config import load
from arvnodeman.fleet.fleet import Fleet
from arvnodeman.fleet.messages import Note, Poll
from arvnodeman.fleet.values.model import (
    CloudNode,
    ErrorKind,
    NodeRecord,
    NodeSize,
    OperatorDirective,
    ProviderSize,
    RemoteError,
    RemoteFailure,
    Secret,
)
from arvnodeman.fleet.values.work import NodeWork, WorkKind
from arvnodeman.loop.in_turn import InTurn
from arvnodeman.loop.polling import PollTimes
from arvnodeman.records.keeper import check_keeper
from arvnodeman.sandbox.real_slurm import PrivateSlurm
from arvnodeman.sandbox.real_slurm_conf import CloudNames, Shape
from arvnodeman.slurm.placing import PlacingSlurm
from arvnodeman.supervision.clock import Clock

FILE = """\
[Daemon]
dispatcher = slurm
{options}
boot_fail_after = 10
consecutive_idle_count = 1
drain_poll_time = 0.5
[Cloud]
provider = dummy
shutdown_windows = 0, 1
[Size small]
cores = 2
price = 0.1
[Size big]
cores = 4
price = 0.5
"""
OPTIONS = "max_nodes = 5\nsize_retry_after = 600"
NAMES = (CloudNames(names="s-[1-4]", size="small"), CloudNames(names="b-[1-2]", size="big", cores=4, weight=9))


class Machines(CloudDriver):
    """A cloud: a machine is a slurmd, which comes up once Slurm waits for it."""

    def __init__(self, slurm: PrivateSlurm) -> None:
        self.slurm = slurm
        self.nodes: dict[str, CloudNode] = {}
        self.up: set[str] = set()  # names
        self.refused: set[str] = set()  # sizes and names
        self.asked: list[tuple[str, str]] = []  # size and name
        self.sleeps = False  # no machine comes up
        self._numbers = itertools.count(1)

    def list_sizes(self) -> tuple[ProviderSize, ...]:
        return tuple(
            ProviderSize(name, name, 4000.0, 10.0, 0, price, 4) for name, price in (("small", 0.1), ("big", 0.5))
        )

    def list_nodes(self) -> tuple[CloudNode, ...]:
        return tuple(self.nodes.values())

    def create_node(self, size: NodeSize, record: NodeRecord, token: str, ping_url: Secret) -> CloudNode:
        self.asked.append((size.id, record.uuid))
        if not self.refused.isdisjoint((size.id, record.uuid)):
            raise RemoteFailure(RemoteError(ErrorKind.CAPACITY, "there is no room"))
        assert not any(node.name == record.uuid for node in self.nodes.values()), "two machines of one name"
        number = f"i-{next(self._numbers)}"
        node = CloudNode(
            number,
            record.uuid,
            number,
            size_tag=size.id,
            provider_size=size.provider_id,
            start_time=time.time(),
            address="127.0.0.1",
            token=token,
        )
        self.nodes[number] = node
        return node

    def find_node(self, size: NodeSize, record: NodeRecord, token: str) -> CloudNode | None:
        return next((node for node in self.nodes.values() if node.token == token), None)

    def finish_node(self, node: CloudNode, record: NodeRecord) -> None:
        pass

    def destroy_node(self, node: CloudNode) -> None:
        if self.nodes.pop(node.id, None) is not None and node.name in self.up:
            self.die(node.name)

    def fetch_node(self, node: CloudNode) -> CloudNode | None:
        return self.nodes.get(node.id)

    def sync_fqdn(self, node: CloudNode, fqdn: str) -> None:
        pass

    def set_directive(self, node: CloudNode, directive: OperatorDirective | None) -> None:
        pass

    def vanish(self, name: str) -> None:
        """A machine ends, and no list shows it."""
        self.nodes = {number: node for number, node in self.nodes.items() if node.name != name}
        if name in self.up:
            self.die(name)

    def boot(self) -> None:
        """Those for whose names Slurm waits come up."""
        for node in [*self.nodes.values()]:
            if (
                node.name not in self.up
                and not self.sleeps
                and "POWERING_UP" in self.slurm.run("scontrol", "show", "node", node.name).stdout
            ):
                self.slurm.start_node(node.name)
                self.up.add(node.name)

    def die(self, name: str) -> None:
        """A machine ends by itself, or is destroyed."""
        self.slurm.kill_node(name)
        self.up.discard(name)


class Site:
    """A Slurm, a cloud, and one daemon's brain and hands in this thread."""

    def __init__(self, slurm: PrivateSlurm, path: Path) -> None:
        self.slurm = slurm
        self.machines = Machines(slurm)
        self.path = path
        self.words = PlacingSlurm(20.0)
        self.log: list[str] = []
        self.starts()

    def starts(self) -> None:
        """A daemon that remembers nothing."""
        settings = check_keeper(load(str(self.path)))
        assert settings.places
        clock = Clock()
        makers = replace(make_makers(settings), driver=lambda: self.machines)
        world = RealWorld(make_fetches(settings, makers, clock), Hands(makers))
        brain = Fleet(settings.policy(), clock.now())
        times = {poll: PollTimes(1.5, 3.0) for poll in Poll}
        self.daemon = InTurn(brain, world, times, wall=clock.now, steady=time.monotonic, write=self._write)
        self.brain = brain

    def _write(self, note: Note) -> None:
        self.log.append(note.text % note.args)

    def until(self, true: Callable[[], object], what: str) -> None:
        end = time.monotonic() + 2 * BOUND
        while not true():
            if self.daemon.next() <= time.monotonic():
                self.daemon.turn()
            else:
                time.sleep(0.05)
            self.machines.boot()
            assert time.monotonic() < end, f"never: {what}\n{self.told()}"

    def slurm_comes_to(self, true: Callable[[], object], what: str) -> None:
        """Wait for a state of Slurm that the daemon would end: it has no turn meanwhile."""
        end = time.monotonic() + BOUND
        while not true():
            time.sleep(0.1)
            assert time.monotonic() < end, f"never: {what}\n{self.told()}"

    def told(self) -> str:
        jobs = self.slurm.run("squeue", "--all", "--states=all").stdout
        return "\n".join([self.slurm.run("sinfo", "-N").stdout, jobs, str(self.machines.nodes), *self.log[-60:]])

    def submit(self, *options: str, sleep: int = 600) -> str:
        said = self.slurm.say("sbatch", "-p", "cloud", "--mem=10", *options, "--wrap", f"sleep {sleep}")
        return said.split()[-1]

    def state(self, job: str) -> str:
        return self.slurm.say("squeue", "-h", "--states=all", f"--jobs={job}", "--Format=State:0").strip()

    def names(self, job: str) -> list[str]:
        return [name for line in self.words.lines_of([job]) for name in line.names]

    def work(self, name: str) -> NodeWork:
        return self.words.listed()[1][name]

    def is_over(self) -> bool:
        """No machine, no mark, and every name off and free."""
        shown, works = self.words.listed()
        ours = [name for name in works if name.startswith(("s-", "b-"))]
        off = all(works[name].state.kind is WorkKind.OFF for name in ours)
        return off and not self.machines.nodes and not any(shown[name].comment for name in ours)


@contextlib.contextmanager
def placing_site(
    folder: Path, set_variable: Callable[[str, str], None], options: str = OPTIONS, patience: str = "300"
) -> Iterator[Site]:
    """One for a test. `options`: more of [Daemon]; `patience`: seconds that Slurm waits for a node."""
    need_slurm()
    if slurm_version() < (24, 11):
        pytest.skip(f"Slurm {slurm_version()} is older than the mode: make proofs ARGS=slurms")
    path = folder / "site.cfg"
    path.write_text(FILE.format(options=options))
    power = (("SuspendTimeout", "8"), ("ResumeTimeout", patience))
    with PrivateSlurm(Shape(nodes=1, cloud=NAMES, power=power, message_timeout=10)) as slurm:
        for name, value in slurm.environment().items():
            set_variable(name, value)
        yield Site(slurm, path)
