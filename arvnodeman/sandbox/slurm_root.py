"""A Slurm other than this machine's, in a root directory of its own. Needs Linux and root; to make one, debootstrap.

Slurm and munge are installed there from Debian's packages, once. The roots are kept in a cache: SLURMS_DIR, or
arvados-node-manager/slurms in XDG_CACHE_HOME (~/.cache). Beside each root stand stand-ins for Slurm's programs, which
go in front of PATH: each runs the one of that root, in a name space of its own in which the root has this machine's
/proc, /dev, /sys, /tmp and /etc/hosts. So Slurm and munge are those of the root; Python and the daemon are this
machine's. What they are to share has to be below /tmp.
"""

from __future__ import annotations

import fcntl
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from arvnodeman.sandbox.real_slurm_conf import PACKAGES, PROGRAMS, search_path

SUITES = {"20.11": "bullseye", "24.11": "trixie", "26.05": "sid"}
"""Slurm's version, and the Debian that has it."""
PLACES_SINCE = "24.11"
"""The first version that places jobs on names that are off, in the order of their weights."""
MAKES_ONE = "python -m arvnodeman.sandbox.slurm_root makes one"
SHARED = "/tmp"  # noqa: S108 - the directory in which the root and this machine meet
MOVING = "sid"
STALE = 7 * 86400.0  # seconds after which the root of a suite that still changes is made again
MORE = ("sacct", "srun", "salloc", "sacctmgr", "slurmdbd", "sdiag", "sprio")
_STAND_IN = """#!/bin/sh
# {name} of the Slurm in {root}
exec unshare --mount --propagation private /bin/sh -c '
for place in proc dev sys tmp etc/hosts; do mount --rbind "/$place" {root}/$place || exit 125; done
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH
exec chroot {root} /bin/sh -c "cd \\"\\$0\\" 2>/dev/null; exec \\"\\$@\\"" "$PWD" {name} "$@"' {name} "$@"
"""


class NotPossible(Exception):
    """This machine cannot; the text says why, in one line."""


def cache() -> Path:
    """Where the roots are kept."""
    given = os.environ.get("SLURMS_DIR")
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(given) if given else base / "arvados-node-manager" / "slurms"


def mirror() -> str:
    """The mirror of Debian that this machine's apt has its packages from. Raises NotPossible."""
    form = "--format=$(REPO_URI) $(ORIGIN) $(SUITE) $(CODENAME)"
    done = subprocess.run(["apt-get", "indextargets", form], capture_output=True, text=True, check=False)
    for line in done.stdout.splitlines():
        uri, origin, *names = line.split()
        if origin == "Debian" and not any("-" in name for name in names):
            return uri
    raise NotPossible("apt's sources name no mirror of Debian (apt-get update, perhaps)")


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Nobody else makes anything in this folder meanwhile."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def root_of(version: str) -> Path:
    """The root with this Slurm; made where it is not there yet. Raises NotPossible."""
    suite = SUITES[version]
    root = cache() / suite
    with only_one(cache()):
        if suite == MOVING and root.exists() and time.time() - root.stat().st_mtime > STALE:
            shutil.rmtree(root)
        if not root.exists():
            if shutil.which("debootstrap", path=search_path()) is None:
                raise NotPossible("debootstrap is not installed (apt-get install debootstrap)")
            sys.stdout.write(f"making a root of Debian {suite} in {root}, once: this takes a minute\n")
            sys.stdout.flush()
            _make(suite, root)
    return root


def _make(suite: str, root: Path) -> None:
    new = Path(tempfile.mkdtemp(prefix=f"{suite}-", dir=root.parent))
    new.chmod(0o755)
    packages = ",".join(PACKAGES.split())
    argv = ["debootstrap", "--variant=minbase", f"--include={packages}", suite, str(new), mirror()]
    try:
        with (root.parent / f"{suite}.log").open("w") as log:
            code = subprocess.run(
                argv, stdout=log, stderr=log, check=False, env={**os.environ, "PATH": search_path()}
            ).returncode
        if code:
            raise NotPossible(f"debootstrap ended with {code}, see {log.name}")
        (new / "etc" / "hosts").touch()  # the place of this machine's, which names it, as slurmctld needs
        shutil.rmtree(new / "var" / "cache" / "apt", ignore_errors=True)
        os.utime(new)
        new.rename(root)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise


def stand_ins(root: Path) -> Path:
    """The directory of the programs that run those of this root."""
    folder = root.parent / f"{root.name}-bin"
    with only_one(root.parent):
        folder.mkdir(exist_ok=True)
        for name in (*PROGRAMS, *MORE):
            if any((root / place / name).exists() for place in ("usr/bin", "usr/sbin")):
                new = folder / f".{name}"
                new.write_text(_STAND_IN.format(name=name, root=shlex.quote(str(root))), encoding="utf-8")
                new.chmod(0o755)
                new.replace(folder / name)
    return folder


def version_in(folder: Path) -> str:
    """What the slurmctld there says that it is: '24.11'. Raises NotPossible."""
    done = subprocess.run([folder / "slurmctld", "-V"], capture_output=True, text=True, check=False)
    found = re.search(r"\b([0-9]+\.[0-9]+)\.", done.stdout)
    if found is None:
        raise NotPossible(f"slurmctld does not start there: {done.stderr.strip() or done.stdout.strip()}")
    return found.group(1)


def version_here() -> tuple[int, ...]:
    """What the slurmctld on this PATH says that it is; () when it says nothing."""
    path = shutil.which("slurmctld", path=search_path())
    try:
        found = version_in(Path(path).parent) if path else ""
    except NotPossible:
        return ()
    return tuple(int(part) for part in found.split(".")) if found else ()


def too_old() -> str:
    """One line that says that the Slurm here does not place jobs on names that are off, and what helps; '' when it
    does."""
    found = version_here()
    if found >= tuple(int(part) for part in PLACES_SINCE.split(".")):
        return ""
    shown = "{}.{:02}".format(*found) if found else "not known"
    return (
        f"the version of Slurm is {shown}: to place jobs on names that are off it must be {PLACES_SINCE} or newer; "
        f"{MAKES_ONE} in a directory of its own, which demo --slurm-root DIR then uses"
    )


def use_root(root: Path) -> Path:
    """From now on this process and its children run the Slurm in this root; the directory of its stand-ins. Raises
    NotPossible, and OSError where those cannot be written."""
    root = root.absolute()
    if os.geteuid() != 0:
        raise NotPossible("only root can enter another root")
    if not any((root / place / "slurmctld").exists() for place in ("usr/sbin", "usr/bin")):
        raise NotPossible(f"there is no slurmctld in {root}: {MAKES_ONE}")
    folder = stand_ins(root)
    version_in(folder)
    os.environ["PATH"] = f"{folder}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    if not Path(tempfile.gettempdir()).is_relative_to(SHARED):
        os.environ["TMPDIR"] = tempfile.tempdir = SHARED
    return folder


def main() -> int:
    """Make the root that `demo --slurm-root` needs, where it is not there yet; 0 when it is there."""
    try:
        if os.geteuid() != 0:
            raise NotPossible("only root can make and enter another root")
        root = root_of(PLACES_SINCE)
        shown = version_in(stand_ins(root))
    except NotPossible as why:
        sys.stderr.write(f"Slurm {PLACES_SINCE}: {why}\n")
        return 1
    sys.stdout.write(
        f"Slurm {shown} is in {root}. To see it place jobs on names that are off:\n"
        f"make demo ARGS='--records slurm-cloud --slurm real --slurm-root {root}'\n"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
