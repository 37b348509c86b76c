"""doc/first-hour.md, of the walks and of what was seen on them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from walks import WALKS, Step, Walk

HEAD = """# The first hour

From an empty Debian to a job that ran, for each setup: [Slurm alone, queue-driven](#slurm-alone-queue-driven),
[Slurm decides](#slurm-decides), [Arvados and Slurm](#arvados-and-slurm). [choosing.md](choosing.md) says which
is yours.

A test types every command of this page and writes down what it says: `make proofs ARGS="first-hour --page"`.
What is real there, and what stands in for something:

* **Real:** Debian with systemd, its Slurm, munge, the daemon under its unit, the node that runs its user data
  and joins Slurm.
* **EC2** is moto's, at 10.77.0.2. Each instance is a computer of its own, made of Linux namespaces. It begins
  with the disk of the image, and the test runs its user data as root, as cloud-init would.
* **The Arvados API server** is the one of `make demo`. What its DNS would say is in /etc/hosts. There is no
  dispatcher: `sbatch` submits a job under a container's name.
* **scp** is played by a copy. The prompt says on which machine a command is typed, always by root. Use `sudo`
  otherwise.
* **cgroups** for Slurm are missing in such computers, hence ProctrackType and cgroup.conf. Leave them out.

`doctor` finds nothing wrong at the end of each walk.
"""
BEGIN, END = "<!-- seen: {} -->", "<!-- seen: end -->"


def write_page(path: Path, setup: str, seen: Sequence[str]) -> None:
    """Put what was seen on this walk in the place of what was seen before."""
    old = parts_of(path.read_text(encoding="utf-8")) if path.exists() else {}
    old[setup] = "\n".join(_lines(WALKS[setup], seen))
    body = "\n\n".join(f"{BEGIN.format(name)}\n{old[name]}\n{END}" for name in WALKS if name in old)
    path.write_text(f"{HEAD}\n{body}\n", encoding="utf-8")


def parts_of(text: str) -> dict[str, str]:
    """What is there of each setup."""
    found = re.findall(r"^<!-- seen: (\S+) -->\n(.*?)\n<!-- seen: end -->$", text, re.MULTILINE | re.DOTALL)
    return dict(found)


def commands_in(text: str) -> list[str]:
    """The commands of a part, in turn: lines after a prompt, and those that go on."""
    found: list[str] = []
    for block in re.findall(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        lines = block.splitlines()
        for line in lines:
            if (started := re.match(r"(?:controller|image)# (.*)", line)) is not None:
                found.append(started[1])
            elif line.startswith("> "):
                found[-1] += f"\n{line[2:]}"
    return found


def _lines(walk: Walk, seen: Sequence[str]) -> Iterator[str]:
    yield f"## {walk.title}"
    answers, block = iter(seen), False
    for part in walk.parts:
        if isinstance(part, Step):
            if not block:
                yield from ("", "```console")
                block = True
            yield from _told(part, next(answers))
            continue
        if block:
            yield "```"
            block = False
        yield from ("", part)
    if block:
        yield "```"


def _told(step: Step, answer: str) -> Iterator[str]:
    first, *more = step.command.split("\n")
    yield f"{step.where}# {first}"
    yield from (f"> {line}" for line in more)
    if step.shown:
        yield from (line.rstrip() for line in answer.splitlines() if line.strip())
