"""The files of a site, and how they come onto the disk: none is ever overwritten."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from arvnodeman.init.answers import Answers
from arvnodeman.init.config_text import config_text
from arvnodeman.init.slurm_conf import slurm_conf

CONFIG, SLURM_CONF, USER_DATA, DROP_IN = "config.ini", "slurm.conf.part", "user-data.sh", "local.conf"
# As the unit in doc/ops has it, and the one of the Debian package.
UNITS_PROGRAMS = ("/opt/arvados-node-manager/bin/arvados-node-manager", "/usr/bin/arvados-node-manager")
FOR_ITS_GROUP, FOR_ALL = 0o640, 0o644


class CannotWrite(Exception):
    """A file cannot be written, or is there already. The text is one line."""


class FirstFile(NamedTuple):
    """One of them."""

    text: str
    mode: int


def first_files(answers: Answers, folder: Path, program: str) -> Mapping[str, FirstFile]:
    """By name. `folder`: where they will be; `program`: the path of this program. Raises BadAnswer."""
    found = {
        CONFIG: FirstFile(config_text(answers, str(folder / USER_DATA)), FOR_ITS_GROUP),
        SLURM_CONF: FirstFile(slurm_conf(answers), FOR_ALL),
    }
    if (data := _user_data(answers)) is not None:
        found[USER_DATA] = FirstFile(data, FOR_ALL)
    if not {program, os.path.realpath(program)} & set(UNITS_PROGRAMS):  # a link to it is the same program
        found[DROP_IN] = FirstFile(_drop_in(program, folder / CONFIG), FOR_ALL)
    return found


def write_all(folder: Path, files: Mapping[str, FirstFile], group: int | None = None) -> None:
    """Into a folder, which is made. All or none: where one is there already, nothing is written. `group`: the id of the
    one that may read them all. Raises CannotWrite."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if there := [name for name in files if (folder / name).exists() or (folder / name).is_symlink()]:
            raise CannotWrite(
                f"{folder / there[0]} is there already, and is left alone: choose another folder by --into"
            )
        for name, file in files.items():
            descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, file.mode)
            with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
                if group is not None:
                    os.fchown(descriptor, -1, group)
                opened.write(file.text)
    except OSError as error:
        raise CannotWrite(f"cannot write to {folder}: {error.strerror or error}") from None


def _user_data(answers: Answers) -> str | None:
    """None: images for this cloud have their own way to ping, as doc/clouds/images.md has it."""
    if answers.keeps_names:
        text = Path(__file__).with_name("user-data-slurm.sh").read_text(encoding="utf-8")
        return text.replace("slurmctld.example.com:6817", f"{answers.controller}:6817")
    if answers.cloud == "ec2":
        return Path(__file__).with_name("user-data.sh").read_text(encoding="utf-8")
    return None


def _drop_in(program: str, config: Path) -> str:
    return (
        "# For /etc/systemd/system/arvados-node-manager.service.d: the program is elsewhere than the unit says.\n"
        f"[Service]\nExecStart=\nExecStart={shlex.quote(program)} --foreground --config {shlex.quote(str(config))}\n"
    )
