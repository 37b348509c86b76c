"""Builds of this program, each in an environment of its own, and the names under which each has what is measured.

A build is a commit. Its source and its environment are kept in a cache folder, so that only the first use takes long.
"""

from __future__ import annotations

import fcntl
import importlib
import os
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "arvados-node-manager" / "builds"

PLACES: dict[str, tuple[str, ...]] = {  # of each name, newest first: the first module that has it, or MODULE:OTHER_NAME
    "Fleet": ("arvnodeman.fleet.fleet",),
    "CloudFetch": ("arvnodeman.actors.fetch",),
    "RecordsFetch": ("arvnodeman.actors.fetch",),
    "QueueFetch": ("arvnodeman.actors.fetch",),
    "Slurm": ("arvnodeman.slurm.commands",),
    "Output": ("arvnodeman.slurm.run",),
    "run": ("arvnodeman.slurm.run",),
    "Simulation": ("arvnodeman.foresight.simulation", "simulation.run:Run"),
    "Tick": ("arvnodeman.fleet.messages",),
    "ListSizes": ("arvnodeman.fleet.messages",),
    "StepDone": ("arvnodeman.fleet.messages",),
    "Footprint": ("arvnodeman.fleet.values.capacity",),
    **dict.fromkeys(
        ("CloudNode", "Job", "JobOwner", "NodeRecord", "JobShape", "Policy", "ProviderSize", "SizeSection"),
        ("arvnodeman.fleet.values.model", "arvnodeman.fleet.model"),
    ),
}


class Names:
    """What is measured, as the build that can be imported has it."""

    def __getattr__(self, name: str) -> Any:
        for place in PLACES[name]:
            module, _, there = place.partition(":")
            try:
                found = getattr(importlib.import_module(module), there or name)
            except (ImportError, AttributeError):
                continue
            setattr(self, name, found)
            return found
        raise ImportError(f"this build has {name} in none of {', '.join(PLACES[name])}")

    @property
    def keeps_rows(self) -> bool:
        """Do its pollers hand over what has not changed as the object that it was?"""
        try:
            importlib.import_module("arvnodeman.fleet.values.queue")
        except ImportError:
            return False
        return True

    @property
    def shares(self) -> bool:
        """Does it know that several jobs may be on a node?"""
        try:
            return bool(self.Footprint)
        except ImportError:
            return False

    def policy(self, **options: object) -> Any:
        """A Policy with those of the options that this build knows."""
        known = {each.name for each in fields(self.Policy)}
        return self.Policy(**{name: value for name, value in options.items() if name in known})

    def answer_slurm(self, answer: Any) -> None:
        """From now on `answer(argv)` gives the output of Slurm's commands."""
        run, output = self.run, self.Output

        def answered(argv: Any, **_: object) -> Any:
            return output(answer(list(argv)), "", 0)

        for name, module in list(sys.modules.items()):
            if name.startswith("arvnodeman.slurm") and getattr(module, "run", None) is run:
                module.run = answered  # type: ignore[attr-defined]


class Build:
    """One build that others can be held against. `commit` '': the source as it stands here, in this environment."""

    def __init__(self, commit: str) -> None:
        self.source, self.python = ROOT, Path(sys.executable)
        self.name = commit or "now"
        if commit:
            self.source, self.python = _made(_git("rev-parse", "--verify", f"{commit}^{{commit}}").strip())

    def run(self, script: Path, *arguments: str, told: str | None = None) -> str:
        """What a script writes that imports this build. `told`: what it reads from the standard input."""
        path = os.pathsep.join([str(self.source), str(self.source / "tests")])
        environment = {**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": "0"}
        command = [str(self.python), str(script), *arguments]
        return subprocess.run(
            command, env=environment, check=True, stdout=subprocess.PIPE, text=True, input=told
        ).stdout  # fmt: skip


def _made(commit: str) -> tuple[Path, Path]:
    """Source and interpreter of a build, from the cache where it is there."""
    folder = CACHE / commit[:12]
    source, python = folder / "source", folder / "venv" / "bin" / "python"
    ready = folder / "ready"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # who comes second waits, and finds it ready
        if not ready.exists():
            _make(commit, source, python)
            ready.touch()
    return source, python


def _make(commit: str, source: Path, python: Path) -> None:
    folder = source.parent
    print(f"building {commit[:12]} in {folder}, once: this takes a minute or two", file=sys.stderr, flush=True)
    source.mkdir(exist_ok=True)
    archive = subprocess.run(["git", "-C", str(ROOT), "archive", commit], check=True, stdout=subprocess.PIPE)
    subprocess.run(["tar", "-x", "-C", str(source)], input=archive.stdout, check=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder / "venv")], check=True)
    subprocess.run([str(python), "-m", "pip", "install", "-qq", "--disable-pip-version-check", str(source)], check=True)


def _git(*arguments: str) -> str:
    return subprocess.run(["git", "-C", str(ROOT), *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout
