"""What this machine has of the daemon: its folders, its history, its unit."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from arvnodeman.config import DaemonSettings, Settings
from arvnodeman.doctor.base import CannotTell, NotHere
from arvnodeman.doctor.facts import HistoryFacts
from arvnodeman.doctor.unit import SERVICE, ServiceLimits
from arvnodeman.fleet.view.published import Published
from arvnodeman.fleet.view.view import View
from arvnodeman.history.reading import CannotRead, reading
from arvnodeman.history.schema import FILE_NAME
from arvnodeman.supervision.proven import ProvenSizes
from arvnodeman.supervision.run import longest_silence

UNIT_FOLDERS = ("/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")
MOUNTS = "/proc/self/mountinfo"
_ESCAPED = re.compile(r"\\([0-7]{3})")
NO_STATE = "there is no state directory"


def disks(settings: Settings, state_dir: str) -> Mapping[str, int]:
    """Bytes that are free for this account, by folder."""
    folders = [_state(state_dir)]
    log = Path(settings.logging.file)
    if not str(log).startswith("/dev/"):
        folders.append(log.parent)
    found: dict[str, int] = {}
    for folder in folders:
        try:
            about = os.statvfs(folder)
        except OSError as error:
            raise CannotTell(f"{folder}: {error.strerror}") from None
        found[str(folder)] = about.f_bavail * about.f_frsize
    return found


def filesystem(state_dir: str, mounts: str = MOUNTS) -> str:
    """The kind of filesystem that this folder is on, as the kernel names it: nfs4, fuse.sshfs. `mounts`: a file as
    proc_pid_mountinfo(5) has it."""
    try:
        folder = _state(state_dir).resolve(strict=True)
        lines = Path(mounts).read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError as error:
        raise CannotTell(f"{error.filename}: {error.strerror}") from None
    found = ""
    longest = -1
    for line in lines:
        before, _, after = line.partition(" - ")
        place = Path(_ESCAPED.sub(lambda octal: chr(int(octal[1], 8)), before.split(" ")[4]))
        if folder.is_relative_to(place) and len(place.parts) >= longest:  # a later mount hides an earlier one
            longest, found = len(place.parts), after.split(" ")[0]
    if not found:
        raise CannotTell(f"{mounts} does not say which filesystem {folder} is on")
    return found


def history(state_dir: str) -> HistoryFacts:
    """The history file; NotHere where none has begun."""
    path = _state(state_dir) / FILE_NAME
    aside = path.with_name(f"{path.name}.set-aside")
    set_aside = str(aside) if aside.exists() else ""
    if not path.exists() and not set_aside:
        raise NotHere("no history has begun")
    try:
        if path.exists():
            with reading(path) as connection:
                connection.execute("SELECT count(*) FROM price").fetchone()
    except CannotRead as error:
        return HistoryFacts(str(error), set_aside)
    return HistoryFacts("", set_aside)


def proven(settings: Settings, state_dir: str) -> frozenset[str]:
    """Sizes of which nodes have come up, as they are configured."""
    return ProvenSizes(_state(state_dir), settings, Published(View(0.0, settings.policy()))).known


def unit(folders: Iterable[str] = UNIT_FOLDERS) -> str:
    """The text of the unit that is installed, with its drop-ins behind it."""
    places = [Path(folder) for folder in folders]
    found = next((place / SERVICE for place in places if (place / SERVICE).is_file()), None)
    if found is None:
        raise NotHere("no unit is installed")
    drop_ins = {path.name: path for place in reversed(places) for path in (place / f"{SERVICE}.d").glob("*.conf")}
    files = [found, *(drop_ins[name] for name in sorted(drop_ins))]
    try:
        return "\n".join(path.read_text("utf-8", "replace") for path in files)
    except OSError as error:
        raise CannotTell(f"{error.filename}: {error.strerror}") from None


def patience(daemon: DaemonSettings) -> ServiceLimits:
    """How long the service manager must wait."""
    return ServiceLimits(longest_silence(daemon), daemon.stop_timeout)


def _state(state_dir: str) -> Path:
    folder = Path(state_dir)
    if not state_dir or not folder.is_dir():
        raise NotHere(NO_STATE)
    if not os.access(folder, os.R_OK | os.X_OK):
        raise CannotTell(f"{folder} cannot be read by this account")
    return folder
