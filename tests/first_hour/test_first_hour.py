"""The first hour, played: from an empty Debian to a job that ran, for each setup, on a real Slurm, systemd and moto's
EC2, whose instances are computers of their own. `make proofs ARGS=first-hour`; with `--page` what was seen is written
into doc/first-hour.md."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

import pytest
from computer import Answer, Computer, empty, missing
from git_files import copy_sources
from hour_page import write_page
from walks import GROUP, IMAGE, SUBNET, WALKS, Step, Walk

ROOT = Path(__file__).resolve().parents[2]
SOURCES = "/root/arvados-node-manager"
BOUND = 400.0  # seconds until what is repeated has to be so, on a busy machine
COPY = re.compile(r"scp (\S+):(\S+) (\S+)")
AFTERWARDS = (
    "journalctl --no-pager -n 60 -u arvados-node-manager; tail -n 40 /var/log/slurm/slurmctld.log; "
    "scontrol show nodes; squeue --all; cat /etc/hosts"
)


class Hour:
    """A walk that is being walked. Use it in a `with`."""

    def __init__(self, walk: Walk, folder: Path) -> None:
        self._walk, self._folder, base = walk, folder, [empty(walk.suite)]
        self._controller = Computer("controller", base, folder / "controller", "10.77.0.1")
        self._image = Computer("image", base, folder / "image", "10.77.0.9", self._controller)
        self._cloud: subprocess.Popen[str] | None = None
        self._ids: dict[str, str] = {}  # as the walk writes them: as they are

    def __enter__(self) -> Hour:
        copy_sources(self._controller.disk / SOURCES[1:])
        self._controller.boot()
        try:
            self._start_cloud()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        if self._cloud is not None:
            self._cloud.communicate()
        for computer in (self._image, self._controller):
            computer.end()

    def _start_cloud(self) -> None:
        first, image, instances = self._controller.first, self._image.disk, self._folder / "instances"
        program = Path(__file__).with_name("computers_cloud.py")
        told = [str(first), self._walk.suite, str(image), str(instances), str(self._walk.arvados_slots)]
        self._cloud = subprocess.Popen(
            ["nsenter", "--target", str(first), "--net", sys.executable, str(program), *told],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{program.parent}"},
        )
        assert self._cloud.stdout is not None
        there = json.loads(self._cloud.stdout.readline())
        self._ids = {IMAGE: there["image"], SUBNET: there["subnet"], GROUP: there["group"]}

    def take(self, step: Step) -> str:
        """Do it; what it says. Raises AssertionError."""
        end = time.monotonic() + BOUND
        while True:
            answer = self._run(step)
            good = answer.code == step.code or not step.expects
            good = good and re.search(step.expects, answer.text, re.MULTILINE) is not None
            if good and (step.expects or answer.code == step.code):
                return answer.text
            if not step.until or time.monotonic() > end:
                said = f"{step.command}\nended with {answer.code}, and said\n{answer.text}"
                raise AssertionError(f"{said}\n{self._controller.run(AFTERWARDS).text[-12000:]}")
            time.sleep(1)

    def _run(self, step: Step) -> Answer:
        on_image = step.where == "image"
        if on_image and not self._image.is_on:
            self._image.boot()
        elif not on_image and self._image.is_on:
            self._image.run("sync")
            self._image.end()
        computer = self._image if on_image else self._controller
        if copied := COPY.fullmatch(step.command):
            text = self._controller.run(f"base64 {copied[2]}").text
            return computer.run(f"base64 -d > {copied[3]}", text=text)
        command = step.command
        for written, real in self._ids.items():
            command = command.replace(written, real)
        answer = computer.run(command, online=step.online, folder="/root" if on_image else SOURCES)
        text = answer.text
        for written, real in self._ids.items():
            text = text.replace(real, written)
        return Answer(text, answer.code)


@pytest.mark.parametrize("setup", WALKS)
def test_a_newcomer_comes_from_an_empty_debian_to_a_job_that_ran(
    setup: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if why := missing():
        pytest.skip(why)
    walk, seen = WALKS[setup], []
    began = time.monotonic()
    with Hour(walk, tmp_path) as hour:
        for part in walk.steps:
            seen.append(hour.take(part))
            print(f"{time.monotonic() - began:6.1f} s  {part.command}\n{seen[-1] if part.shown else ''}", flush=True)
    if request.config.getoption("--page"):
        write_page(ROOT / "doc" / "first-hour.md", setup, seen)
