"""Where a scheduler is put to the test: a stage has one, and can do to it what the world does.

A scheduler joins with a stage of its own in STAGES or, where it needs more than this machine always has, in a test
module that runs the suite (tests/integration/test_slurm_conformance.py does). What it cannot show is said, and why.
"""

from __future__ import annotations

import os
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self, cast

from werkzeug.serving import WSGIRequestHandler, make_server

from arvnodeman.fleet.values.model import JobShape
from arvnodeman.fleet.values.work import FREE
from arvnodeman.sandbox.clock import VirtualClock
from arvnodeman.sandbox.commands import write_commands
from arvnodeman.sandbox.real_slurm import PrivateSlurm
from arvnodeman.sandbox.real_slurm_conf import Shape
from arvnodeman.sandbox.routes import SiteApplication
from arvnodeman.sandbox.slurm_jobs import Need
from arvnodeman.sandbox.slurm_nodes import Computer
from arvnodeman.sandbox.slurm_side import Submit
from arvnodeman.sandbox.wiring import Site, SiteOptions
from arvnodeman.scheduler.base import Scheduler
from arvnodeman.scheduler.template import TemplateScheduler
from arvnodeman.slurm.keeping import NamesInSlurm

UP, OFF, UNKNOWN = ("compute1", "compute2", "compute3"), "compute4", "compute77"
SIZES = ("a", "b", "never")  # that jobs may name; nothing is ever of the last one
BOUND = 60.0  # seconds that anything may take on a busy machine


class Stage(ABC):
    """Three names have a machine that is up, UP; one has none yet, OFF; one is not known, UNKNOWN. Nothing waits."""

    name: ClassVar[str]
    against: ClassVar[str]  # what it is run against, in words
    shown: ClassVar[str] = "ours"  # yes: nobody here wrote what answers; ours: we did; itself: it is what answers
    cannot: ClassVar[Mapping[str, str]] = {}  # name of a test without test_ -> why it cannot be shown

    @abstractmethod
    def scheduler(self) -> Scheduler:
        """A new object that reaches the same scheduler."""

    @abstractmethod
    def start(self, name: str) -> None:
        """A machine comes up under this name."""

    @abstractmethod
    def lose(self, name: str) -> None:
        """The machine under this name is gone; nobody tells the scheduler."""

    @abstractmethod
    def submit(self, size: str, *, held: bool = False) -> str:
        """A job that names a size and takes a whole node; its id, as the queue shows it."""

    @abstractmethod
    def wait(self) -> None:
        """Let some time pass."""

    @abstractmethod
    def silence(self) -> None:
        """The scheduler does not answer, until `speak`."""

    @abstractmethod
    def speak(self) -> None:
        """It answers again."""

    @abstractmethod
    def forbid(self) -> None:
        """This account may not change anything from now on."""

    def until(self, true: Callable[[], object], what: str) -> None:
        """Wait until it is so."""
        end = time.monotonic() + BOUND
        while not true():
            assert time.monotonic() < end, what
            self.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> None:  # noqa: B027 (most have something to do)
        """Leave nothing behind."""


class TemplateStage(Stage):
    """The template, in memory."""

    name = "template"
    against = "itself, in memory"
    shown = "itself"

    def __init__(self, _folder: Path) -> None:
        self._all = TemplateScheduler([*UP, OFF])
        for name in UP:
            self.start(name)

    def scheduler(self) -> Scheduler:
        """The one there is: it keeps what others ask a server about."""
        return self._all

    def start(self, name: str) -> None:
        """See Stage."""
        self._all.node_started(name)

    def lose(self, name: str) -> None:
        """See Stage."""
        self._all.node_lost(name)

    def submit(self, size: str, *, held: bool = False) -> str:
        """See Stage."""
        return self._all.submit(JobShape(size=size), held=held)

    def wait(self) -> None:
        """Nothing here takes any."""

    def silence(self) -> None:
        """See Stage."""
        self._all.away = True

    def speak(self) -> None:
        """See Stage."""
        self._all.away = False

    def forbid(self) -> None:
        """See Stage."""
        self._all.forbids = True


@contextmanager
def environment(changes: Mapping[str, str]) -> Iterator[None]:
    """Other variables for the commands that this process runs."""
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, text in before.items():
            if text is None:
                del os.environ[name]
            else:
                os.environ[name] = text


class SlurmStage(Stage):
    """Slurm, as its commands on PATH reach it."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._environment = environment(variables)
        self._environment.__enter__()

    def scheduler(self) -> Scheduler:
        """See Stage."""
        return NamesInSlurm(job_name_pattern="", numbered=True)

    def all_free(self) -> None:
        """Wait until the machines that are up have registered."""
        slurm = self.scheduler()

        def free() -> bool:
            shown = [slurm.node(name) for name in UP]
            return all(node is not None and node.state.kind is FREE and node.responding for node in shown)

        self.until(free, "nodes that are free")

    def end(self) -> None:
        """See Stage."""
        self._environment.__exit__(None, None, None)


class _Quiet(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


class DoubleStage(SlurmStage):
    """The double of Slurm, behind the sandbox's commands, on a clock that the test advances."""

    name = "double"
    against = "the sandbox's commands and its double of Slurm"
    cannot: ClassVar[Mapping[str, str]] = {"tells_an_account_without_rights": "the double lets everybody"}

    def __init__(self, folder: Path) -> None:
        self._clock = VirtualClock()
        site = Site(SiteOptions(slots=len(UP) + 1), self._clock)
        self._slurm = site.slurm
        self._slurm.on_start = lambda _job, _computers: None
        self._slurm.on_end = lambda _job, _cause: None
        for size in SIZES:
            self._slurm.offer(f"instancetype={size}")
        application = SiteApplication(site, lambda: None)
        self._server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=_Quiet)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        self._folder, self._port = folder / "bin", int(self._server.port)
        write_commands(self._folder, self._port)
        super().__init__({"PATH": f"{self._folder}:{os.environ['PATH']}"})
        for name in UP:
            self.start(name)
        self.all_free()

    def start(self, name: str) -> None:
        """See Stage."""
        computer = Computer(f"c-{name}", 4, 8000, 1000, "127.0.0.1", self._clock.wall())
        self._slurm.slurmd_started(name, computer)

    def lose(self, name: str) -> None:
        """See Stage."""
        self._slurm.slurmd_stopped(name, f"c-{name}")

    def submit(self, size: str, *, held: bool = False) -> str:
        """See Stage."""
        feature = f"instancetype={size}"
        need = Need(1, 10, 0, frozenset([feature]))
        return str(self._slurm.submit("a test", need, feature, how=Submit(seconds=0, held=held)).id)

    def wait(self) -> None:
        """See Stage."""
        with self._clock.lock:
            self._clock.advance(1.0)

    def silence(self) -> None:
        """Nobody listens where the commands ask."""
        write_commands(self._folder, 1)

    def speak(self) -> None:
        """See Stage."""
        write_commands(self._folder, self._port)

    def forbid(self) -> None:
        """See `cannot`."""
        raise NotImplementedError

    def end(self) -> None:
        """See Stage."""
        super().end()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class RealStage(SlurmStage):
    """A real Slurm. It takes seconds to start, so it serves all tests: `clear` between them."""

    name = "slurm"
    against = "a private Slurm: 22.05, and others by `make proofs ARGS=slurms`"
    shown = "yes"
    cannot: ClassVar[Mapping[str, str]] = {
        "tells_an_account_without_rights": "it takes a second account (tests/integration/test_slurm_real.py has one)"
    }

    def __init__(self) -> None:
        features = tuple(f"instancetype={size}" for size in SIZES)
        self._private = PrivateSlurm(Shape(nodes=len(UP) + 1, features=features, message_timeout=3))
        super().__init__(self._private.environment())
        for name in UP:
            self.start(name)
        self.all_free()

    def clear(self) -> None:
        """As at the beginning."""
        self._private.run("scancel", "--quiet", "--state=PENDING")
        self._private.run("scancel", "--quiet", "--state=RUNNING")
        slurm = cast("NamesInSlurm", self.scheduler())
        self.until(lambda: not self._private.say("squeue", "--noheader").strip(), "an empty queue")
        slurm.resume_all(UP)
        slurm.offer(UP, ())
        self.all_free()

    def start(self, name: str) -> None:
        """See Stage."""
        self._private.start_node(name)

    def lose(self, name: str) -> None:
        """See Stage."""
        self._private.kill_node(name)

    def submit(self, size: str, *, held: bool = False) -> str:
        """See Stage."""
        options = ["--parsable", "--partition=compute", "--mem=10", "--no-requeue", "--output=/dev/null"]
        options += [f"--constraint=instancetype={size}", *(["--hold"] if held else [])]
        return self._private.say("sbatch", *options, text="#!/bin/sh\nexec sleep 600\n").strip()

    def wait(self) -> None:
        """See Stage."""
        time.sleep(0.1)

    def silence(self) -> None:
        """See Stage."""
        self._private.stop_controller()

    def speak(self) -> None:
        """See Stage."""
        self._private.start_controller(keep_all=True)

    def forbid(self) -> None:
        """See `cannot`."""
        raise NotImplementedError

    def end(self) -> None:
        """See Stage."""
        super().end()
        self._private.stop()


STAGES = {stage.name: stage for stage in (TemplateStage, DoubleStage)}
