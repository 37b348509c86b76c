"""Releases of OpenStack that can be put up on loopback, and where they are installed: once, outside the program.

From PyPI a release is a virtual environment with pinned packages, from Debian a root directory with Debian's own. Both
are kept in OPENSTACK_DIR, or in arvados-node-manager/openstack in XDG_CACHE_HOME (~/.cache).
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from arvnodeman.sandbox.real_slurm_conf import search_path
from arvnodeman.sandbox.slurm_root import SHARED, NotPossible, mirror, only_one

_FIXTURES = ("wsgi-intercept==1.13.1",)
_DEBIAN = ("python3-nova", "python3-keystone", "python3-placement", "python3-oslotest", "python3-wsgi-intercept")
_SERVERS = ("rabbitmq-server", "mariadb-server")  # Debian's, behind a whole control plane
_INSTALLED = "installed"


@dataclass(frozen=True, slots=True)
class Release:
    """One release. packages: of PyPI, or of the Debian `suite`. threads: nova can do without eventlet. whole: all
    services of a control plane, with a database and a broker in a root directory."""

    name: str
    nova: str
    packages: tuple[str, ...]
    suite: str = ""
    threads: bool = True
    whole: bool = False

    @property
    def root(self) -> Path:
        """The directory of Debian's database and broker, of a whole one."""
        return self.folder / "root"

    @property
    def folder(self) -> Path:
        """Where it is, or would be."""
        pins = " ".join([*self.packages, self.suite, "" if self.suite else sys.version.partition(" ")[0]])
        return cache() / f"{self.name}-{hashlib.sha256(pins.encode()).hexdigest()[:12]}"

    @property
    def there(self) -> bool:
        """Is it installed?"""
        return (self.folder / _INSTALLED).exists()

    def command(self, program: Path, *arguments: str) -> list[str]:
        """What runs a program with the release's Python. Raises NotPossible."""
        options = ["-W", "ignore", "-P", str(program), *arguments]
        if not self.suite:
            return [str(self.folder / "bin" / "python"), *options]
        if not program.is_relative_to(SHARED):
            raise NotPossible(f"OpenStack {self.name} is in a root of its own, which shares {SHARED} alone: set TMPDIR")
        root = shlex.quote(str(self.folder))
        enter = (
            f"for place in proc dev sys tmp; do mount --rbind /$place {root}/$place || exit 125; done; "
            f'exec chroot {root} /usr/bin/python3 "$@"'
        )
        return ["unshare", "--mount", "--propagation", "private", "/bin/sh", "-c", enter, "python3", *options]


RELEASES = {
    release.name: release
    for release in (
        Release(
            "2026.2",
            "34.0.0",
            ("nova==34.0.0", "keystone==30.0.0", "openstack-placement==16.0.0", "oslotest==6.1.1", *_FIXTURES),
        ),
        Release(
            "2026.2-whole",
            "34.0.0",
            (
                *("nova==34.0.0", "keystone==30.0.0", "openstack-placement==16.0.0", "glance==33.0.0"),
                *("neutron==29.0.0", "uwsgi==2.0.31", "pymysql==1.1.2"),
            ),
            whole=True,
        ),
        Release("zed", "26.2.2", _DEBIAN, suite="bookworm", threads=False),
    )
}
NEWEST = "2026.2"
WHOLE_SUITE = "bookworm"  # of the database and the broker behind a whole one


def cache() -> Path:
    """Where releases are kept."""
    given = os.environ.get("OPENSTACK_DIR")
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(given) if given else base / "arvados-node-manager" / "openstack"


def chosen() -> Release:
    """The release that OPENSTACK_RELEASE names, or the newest. Raises NotPossible."""
    return release_named(os.environ.get("OPENSTACK_RELEASE") or NEWEST)


def release_named(name: str) -> Release:
    """The release. Raises NotPossible where there is none of this name."""
    if name not in RELEASES:
        raise NotPossible(f"there is no OpenStack {name!r} here, but {', '.join(RELEASES)}")
    return RELEASES[name]


def install(release: Release, say: Callable[[str], object] = lambda _words: None) -> None:
    """Install it if it is not there yet: this takes minutes, and half a gigabyte. `say` gets a line about it. Raises
    NotPossible."""
    with only_one(cache()):
        if release.there:
            return
        say(f"installing OpenStack {release.name} in {release.folder}, once: this takes some minutes\n")
        shutil.rmtree(release.folder, ignore_errors=True)
        try:
            (_install_root if release.suite else _install_packages)(release)
        except BaseException:
            shutil.rmtree(release.folder, ignore_errors=True)
            raise
        (release.folder / _INSTALLED).touch()


def _install_packages(release: Release) -> None:
    if release.whole:
        _install_debian(release, release.root, WHOLE_SUITE, _SERVERS)
    _run(release, sys.executable, "-m", "venv", str(release.folder))
    pip = (str(release.folder / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check")
    _run(release, *pip, *release.packages)


def _install_root(release: Release) -> None:
    root = release.folder
    _install_debian(release, root, release.suite, release.packages)
    unpack = (
        "cd /root && apt-get -q download nova-common && dpkg -x nova-common_*.deb /"  # its files alone, no services
    )
    _run(release, "chroot", str(root), "sh", "-c", unpack)


def _install_debian(release: Release, root: Path, suite: str, packages: Sequence[str]) -> None:
    """A root directory with these packages of Debian."""
    if os.geteuid() != 0:
        raise NotPossible(f"OpenStack {release.name} has Debian's parts: only root can make and enter a root for them")
    if shutil.which("debootstrap", path=search_path()) is None:
        raise NotPossible("debootstrap is not installed (apt-get install debootstrap)")
    root.mkdir(mode=0o755, parents=True)
    _run(release, "debootstrap", "--variant=minbase", suite, str(root), mirror())
    for place in ("etc/hosts", "etc/resolv.conf", "etc/apt/apt.conf.d"):  # how this machine reaches its mirror
        here = Path("/", place)
        if here.is_dir():
            shutil.copytree(here, root / place, dirs_exist_ok=True)
        elif here.exists():
            shutil.copyfile(here, root / place)
    apt = ("chroot", str(root), "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q")
    _run(release, *apt, "update")
    _run(release, *apt, "install", "-y", "--no-install-recommends", *packages)
    _run(release, *apt, "clean")


def _run(release: Release, *command: str) -> None:
    """Raises NotPossible with the log in which it stands why."""
    path = cache() / f"{release.name}.log"
    environment = {**os.environ, "PATH": search_path()}
    with path.open("a", encoding="utf-8") as log:
        code = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, check=False)
    if code.returncode:
        raise NotPossible(f"OpenStack {release.name} cannot be installed: {_short(command)}, see {path}")


def _short(command: Sequence[str]) -> str:
    return f"{shlex.join(command[:4])} ... failed"


def main(arguments: Sequence[str] | None = None) -> int:
    """Install releases by name, the newest without a name; 0 when they are there."""
    names = list(sys.argv[1:] if arguments is None else arguments) or [NEWEST]
    try:
        for release in [release_named(name) for name in names]:
            install(release, sys.stdout.write)
            sys.stdout.write(f"OpenStack {release.name} (nova {release.nova}) is in {release.folder}\n")
    except NotPossible as why:
        sys.stderr.write(f"{why}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
