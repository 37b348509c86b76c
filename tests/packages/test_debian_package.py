"""The Debian package, in Debians of its own: built, examined, installed, put in the place of a build that pip installed
while nodes are alive, and taken away. `make proofs ARGS=packages`; it needs root, debootstrap and the mirrors. With
DEBIAN_PACKAGES=FOLDER the packages in FOLDER/bookworm and FOLDER/trixie are taken, and not built."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from debian_machine import BUILD, INSTALL, NEEDED, SUITES, DebianMachine, missing

ROOT = Path(__file__).resolve().parents[2]
OLD_BUILD = "3ec0ed2"
NAME = "arvados-node-manager"
HOME = f"/usr/lib/{NAME}"
CONFIG = f"/etc/{NAME}/config.ini"
STATE = f"/var/lib/{NAME}"
SITE = "/opt/site"  # a copy of the package's files, which plays cloud, Arvados and Slurm
# With what systemd would set for the unit's StateDirectory=: without it the daemon keeps nothing and has no socket.
UNIT = f"HOME={STATE} STATE_DIRECTORY={STATE}"
AS_SLURM = f"exec setpriv --reuid slurm --regid slurm --init-groups env {UNIT} PATH=/srv/site:$PATH"
WAIT = 300.0


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources of now and of then, and what was built of them."""
    if why := missing():
        pytest.skip(why)
    folder = tmp_path_factory.mktemp("shared")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).exists():
            (folder / "src" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / "src" / name)
    then = subprocess.run(["git", "archive", OLD_BUILD], cwd=ROOT, capture_output=True, check=True).stdout
    (folder / "then").mkdir()
    subprocess.run(["tar", "-x", "-C", str(folder / "then")], input=then, check=True)
    return folder


@pytest.fixture(scope="session", params=SUITES)
def package(request: pytest.FixtureRequest, shared: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """The suite, and the package that was built in it, with nothing that lintian calls an error."""
    suite: str = request.param
    if made := os.environ.get("DEBIAN_PACKAGES"):
        if not (found := list(Path(made, suite).glob("*.deb"))):
            pytest.skip(f"there is no package in {made}/{suite}")
        (shared / suite).mkdir()
        return suite, Path(shutil.copy(found[0], shared / suite))
    with DebianMachine(suite, tmp_path_factory.mktemp(f"build-{suite}"), shared) as machine:
        machine.run(INSTALL + NEEDED)
        machine.run(BUILD)
        said = machine.run("lintian --allow-root --fail-on error --tag-display-limit 0 /*.deb", check=False)
        assert [line for line in said.splitlines() if line.startswith("E: ")] == []
        warnings = sum(line.startswith("W: ") for line in said.splitlines())
        size = machine.run("stat --format %s /*.deb; dpkg-deb --field /*.deb Installed-Size").split()
        print(f"\n{suite}: lintian: no errors, {warnings} warnings; {size[0]} bytes, {size[1]} kB installed")
        machine.run(f"mkdir -p /shared/{suite} && mv /*.deb /shared/{suite}")
    (built,) = (shared / suite).glob("*.deb")
    return suite, built


@pytest.fixture
def machine(package: tuple[str, Path], shared: Path, tmp_path: Path) -> Iterator[DebianMachine]:
    with DebianMachine(package[0], tmp_path, shared) as machine:
        machine.run("useradd --system --home-dir /nonexistent slurm")
        yield machine


def put_in(machine: DebianMachine, built: Path) -> str:
    """What apt says while it installs the package."""
    return machine.run(f"{INSTALL} /shared/{built.parent.name}/{built.name}")


def until(told: Callable[[], bool], what: str, log: Path) -> None:
    end = time.monotonic() + WAIT
    while not told():
        assert time.monotonic() < end, f"{what}\n{log.read_text(errors='replace')[-6000:]}"
        time.sleep(0.5)


def test_it_is_installed_with_all_that_belongs_to_it_and_begins_nothing(
    machine: DebianMachine, package: tuple[str, Path]
) -> None:
    said = put_in(machine, package[1])
    assert "next: arvados-node-manager init" in said
    assert machine.run(f"{NAME} --version").startswith(f"{NAME} ")
    assert machine.run("id -un slurm").strip() == "slurm"
    unit = machine.run(f"cat /lib/systemd/system/{NAME}.service /usr/lib/systemd/system/{NAME}.service", check=False)
    assert f"ExecStart=/usr/bin/{NAME} --foreground --config {CONFIG}" in unit
    assert "User=slurm" in unit
    assert not machine.run("find /etc/systemd/system -name 'arvados*'"), "nothing runs before it is configured"
    assert "SLURM_CONF" in machine.run(f"cat /etc/default/{NAME}")
    assert "simulate" in machine.run(f"zcat /usr/share/man/man1/{NAME}.1.gz")
    asked = f"COMP_LINE='{NAME} sta' COMP_POINT={len(NAME) + 4} _ARGCOMPLETE=1 _ARGCOMPLETE_STDOUT_FILENAME=/root/out"
    machine.run(f"{asked} {NAME} >/dev/null 2>&1", check=False)
    assert "status" in machine.run("cat /root/out")
    assert NAME in machine.run(f"cat /usr/share/bash-completion/completions/{NAME}")
    made = "--cloud ec2 --setup slurm-cloud --cluster physics --size m5.large --max-nodes 4"
    told = machine.run(f"{NAME} init {made}")
    assert "local.conf" not in told, "the unit of the package has the right program"
    assert f"{HOME}/lib" in machine.run(f"{HOME}/bin/python3 -c 'import arvnodeman; print(arvnodeman.__file__)'")
    extras = "import backports.zstd, kazoo, psycopg; print(psycopg.pq.__impl__)"
    assert machine.run(f"{HOME}/bin/python3 -c '{extras}'") == "binary\n", "it brings what a configuration may ask for"
    gone = machine.run(f"apt-get -qq purge -y {NAME} 2>&1")
    assert "whether nodes are alive is not known" in gone
    assert f"/etc/{NAME} is left" in gone
    left = machine.run(f"ls -d {HOME} {STATE} /etc/default/{NAME} /usr/bin/{NAME} 2>/dev/null", check=False)
    assert left == ""


class Running:
    """A daemon, as the unit would start it."""

    def __init__(self, machine: DebianMachine, program: str, log: Path) -> None:
        self._machine = machine
        self._process = machine.start(f"{AS_SLURM} {program} --foreground --config {CONFIG}", log)
        self.program, self.log = program, log

    def stop(self) -> None:
        """As systemd stops it: SIGTERM, and then it has its time."""
        self._machine.run(f"pkill -TERM -U slurm -f '{CONFIG}'", check=False)
        assert self._process.wait(WAIT) == 0, self.log.read_text()[-3000:]


@contextmanager
def site(machine: DebianMachine, built: Path, log: Path) -> Iterator[None]:
    machine.run(
        f"dpkg-deb -x /shared/{built.parent.name}/{built.name} {SITE} && "
        f"ln -sf /usr/bin/python3 {SITE}{HOME}/bin/python3 && install -d -m 750 -g slurm /etc/{NAME} && "
        f"install -d -o slurm -g slurm -m 750 {STATE} && install -d /srv/site"
    )
    options = f"--dir /srv/site --config {CONFIG} --speed 20 --slots 6 --jobs 3 --window 1 --duration 1000000"
    process = machine.start(f"exec {SITE}{HOME}/bin/python3 -m arvnodeman.sandbox.site {options}", log)
    until(lambda: machine.run(f"test -s {CONFIG} && echo there", check=False) != "", "the site does not come up", log)
    machine.run(f"chgrp slurm {CONFIG}; chmod 640 {CONFIG}")
    yield
    process.terminate()
    process.wait()


def test_it_takes_over_from_a_build_of_pip_with_nodes_alive_and_tells_of_them_when_it_goes(
    machine: DebianMachine, package: tuple[str, Path], tmp_path: Path
) -> None:
    built = package[1]
    machine.run(INSTALL + "procps python3-venv")
    machine.run(f"python3 -m venv /opt/{NAME} && /opt/{NAME}/bin/pip -q --cache-dir /shared/pip install /shared/then")
    machine.run(f"install -D -m 644 /shared/then/doc/ops/{NAME}.service /etc/systemd/system/{NAME}.service")
    with site(machine, built, tmp_path / "site.log"):
        old = Running(machine, f"/opt/{NAME}/bin/{NAME}", tmp_path / "old.log")
        listed = f"{SITE}{HOME}/bin/python3 -m arvnodeman cloud-test --list-nodes --config {CONFIG}"
        nodes: set[str] = set()

        def three() -> bool:
            nodes.clear()
            nodes.update(re.findall(r"^(\S+)  compute", machine.run(listed, check=False), re.MULTILINE))
            return len(nodes) >= 3

        until(three, "the old one boots no three nodes", old.log)
        said = put_in(machine, built)
        assert f"/etc/systemd/system/{NAME}.service hides the unit of this package" in said
        old.stop()
        machine.run(f"rm -r /etc/systemd/system/{NAME}.service /opt/{NAME}")
        new = Running(machine, f"/usr/bin/{NAME}", tmp_path / "new.log")
        answer = f"{NAME} status --nodes"
        until(lambda: "compute" in machine.run(answer, check=False), "the new one does not answer", new.log)
        time.sleep(10)  # several polls of its
        still = set(re.findall(r"^(\S+)  compute", machine.run(listed, check=False), re.MULTILINE))
        assert still == nodes, new.log.read_text()[-3000:]
        assert "Suggesting shutdown" not in new.log.read_text()
        assert "The last run ended in order" in new.log.read_text(), "it has read what the old one left"
        new.stop()
        gone = machine.run(f"apt-get -qq purge -y {NAME} 2>&1")
        assert "WARNING: these nodes are alive" in gone
        assert all(node in gone for node in nodes)
        assert f"/etc/{NAME} is left" in gone
        assert machine.run(f"ls -d {HOME} {STATE} 2>/dev/null", check=False) == ""
