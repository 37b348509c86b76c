"""Run tests on other Slurms than this machine's: `make slurms`. Needs Linux, root and debootstrap.

Each is installed, from Debian's packages, in a root directory of its own, which is kept in a cache: SLURMS_DIR, or
arvados-node-manager/slurms in XDG_CACHE_HOME (~/.cache). Beside the root stand stand-ins for Slurm's programs, which go
in front of PATH: each runs the one of that root, in a name space of its own in which the root has this machine's /proc,
/dev, /sys, /tmp and /etc/hosts. So Slurm and munge are those of the root; Python, the daemon and the tests are this
machine's.
"""

from __future__ import annotations

import argparse
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
MOVING = "sid"
STALE = 7 * 86400.0  # seconds after which the root of the suite that moves is made anew
CHOSEN = tuple(
    f"tests/integration/test_slurm_{name}.py"
    for name in (
        "conformance",
        "newest",
        "columns",
        "declared",
        "real",
        "together",
        "alone",
        "ahead",
        "features",
        "cloud_hands",
        "cloud_names",
        "cloud_life",
        "cloud_likeness",
    )
)
AT_ONCE = 3  # tests, which wait more than they work
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
            print(f"making a root of Debian {suite} in {root}, once: this takes a minute", flush=True)
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


def main() -> int:
    """Run the tests, or a command, on each of these Slurms; 0 when all went well."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--slurms", default=",".join(SUITES), help="versions of Slurm, with commas (default: all)")
    parser.add_argument("--run", action="store_true", help="the rest is a command to run, and not tests")
    parser.add_argument("rest", nargs="*", help="tests and options of pytest (default: a choice)")
    given = parser.parse_args()
    bad = []
    for version in given.slurms.split(","):
        try:
            if version not in SUITES:
                raise NotPossible(f"there is no Slurm {version} here, but {', '.join(SUITES)}")
            if os.geteuid() != 0:
                raise NotPossible("only root can make and enter another root")
            root = root_of(version)
            folder = stand_ins(root)
            print(f"== Slurm {(shown := version_in(folder))} (Debian {SUITES[version]})", flush=True)
            if shown != version:
                print(f"not {version}: {SUITES[version]} has moved on", flush=True)
        except NotPossible as why:
            print(f"Slurm {version}: {why}", file=sys.stderr)
            bad.append(version)
            continue
        tests = given.rest or list(CHOSEN)
        side_by_side = ("-n", str(AT_ONCE), "--dist", "loadfile")
        argv = given.rest if given.run else [sys.executable, "-m", "pytest", "-q", *side_by_side, *tests]
        path = f"{folder}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        environ = {**os.environ, "PATH": path, "TMPDIR": "/tmp", "SLURM_ROOT": str(root)}
        if subprocess.run(argv, env=environ, check=False).returncode:
            bad.append(version)
    print(f"== not good: {', '.join(bad)}" if bad else "== all good", flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
