"""The processes of a whole OpenStack control plane. Whoever ends this process, by whatever way, ends them all.

MariaDB and RabbitMQ are Debian's, in the root directory of the release. The APIs run under uWSGI, the others by
themselves, all with the Python of the release's virtual environment.
"""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

from arvnodeman.sandbox.openstack_plane_conf import CELL_USER, DATABASES, PlaneConf

_LONGEST = 240.0  # seconds until a service answers, on a busy machine
_WSGI = {
    "keystone": "keystone.wsgi.api:application",
    "placement": "placement.wsgi.api:application",
    "glance": "glance.wsgi.api:application",
    "neutron": "neutron.wsgi.api:application",
    "nova": "nova.wsgi.osapi_compute:application",
}
_THREADS = {"glance": 2, "nova": 6}
# `Connection: close`: a connection that idles would hold a thread, and clients use closed ones again
_UWSGI = [
    "--master",
    "--die-on-term",
    "--need-app",
    "--lazy-apps",
    "--processes",
    "1",
    "--enable-threads",
    "--buffer-size",
    "65535",
    "--post-buffering",
    "65536",
    "--disable-logging",
    "--log-5xx",
    "--thunder-lock",
    "--http-chunked-input",
]
_DATABASE = [
    "--skip-networking",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-buffer-pool-size=64M",
    "--performance-schema=OFF",
    "--max-connections=400",
    "--lc-messages-dir=/usr/share/mysql",
]
# It dies with us, and as the first in its name space of processes all others there die with it
_TIED = ("setpriv", "--pdeathsig", "KILL")
_TOGETHER = (*_TIED, "unshare", "--pid", "--fork", "--kill-child=KILL", "--")


class ServiceFailed(RuntimeError):
    """A service did not start, or a command for one failed; the text says why."""


class PlaneServices:
    """They, and how each is started and ended. root: the directory of Debian's."""

    def __init__(self, conf: PlaneConf, root: Path) -> None:
        self._conf, self._root = conf, root
        self._starter = ThreadPoolExecutor(1, "openstack")  # what is tied to us dies with the thread that started it
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    # ---- where everything else keeps what it knows -------------------------------------------------------------------

    def start_database(self) -> None:
        """MariaDB, and the databases."""
        folder = self._conf.folder
        data, normal = f"--datadir={folder / 'database'}", "--auth-root-authentication-method=normal"
        install = ("mariadb-install-db", "--user=root", "--force", data, "--skip-test-db", normal)
        self.run("database-install", *self._in_root(*install))
        where = (data, f"--socket={self._conf.socket}", f"--pid-file={folder / 'database.pid'}", "--user=root")
        self._start("database", *_TOGETHER, *self._in_root("mariadbd", "--no-defaults", *where, *_DATABASE))
        self._wait("database", lambda: self.sql("select 1") == 0)
        made = [f"create database {name} character set utf8mb3" for name in DATABASES]
        owner = [f"create user {CELL_USER}@localhost", f"grant all on nova.* to {CELL_USER}@localhost"]
        if self.sql("; ".join(made + owner)):
            raise ServiceFailed("the databases could not be made")

    def sql(self, statements: str) -> int:
        """Run them as the database's root; the exit code."""
        client = self._in_root("mariadb", "--no-defaults", "-uroot", f"--socket={self._conf.socket}", "-e", statements)
        return subprocess.run(client, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode

    def start_broker(self) -> None:
        """RabbitMQ, with an epmd of its own."""
        ports, folder = self._conf.ports, self._conf.folder / "broker"
        folder.mkdir()
        values = {
            "HOME": folder,
            "RABBITMQ_NODENAME": "sandbox@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": ports.broker,
            "RABBITMQ_DIST_PORT": ports.broker_peers,
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": ports.broker_names,
            "RABBITMQ_MNESIA_BASE": folder,
            "RABBITMQ_LOG_BASE": folder,
            "RABBITMQ_PID_FILE": folder / "pid",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        }
        server = next(self._root.glob("usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server"))
        told = [f"{name}={value}" for name, value in values.items()]
        inside = self._in_root("env", *told, f"/{server.relative_to(self._root)}")
        self._start("broker", *_TOGETHER, *inside)

    # ---- OpenStack's -------------------------------------------------------------------------------------------------

    def start_api(self, name: str) -> None:
        """One of those with an API; it answers when this returns."""
        port, log = getattr(self._conf.ports, name), self._conf.folder / "log" / f"{name}.uwsgi"
        where = ["--http-socket", f"127.0.0.1:{port}", "--add-header", "Connection: close", "--logger", f"file:{log}"]
        threads = ["--threads", str(_THREADS.get(name, 4)), "--module", _WSGI[name]]
        self._start(name, *_TOGETHER, self._tool("uwsgi"), *_UWSGI, *where, *threads)

    def start_daemon(self, name: str, config: Path, called: str = "") -> None:
        """One of nova's others, which is `called` so here."""
        log = self._conf.folder / "log" / f"{called or name}.log"
        command = (self._tool(name), "--config-file", str(config), "--log-file", str(log))
        tied = _TIED if name == "nova-compute" else _TOGETHER  # that can be halted: it has no process beside itself
        self._start(called or name, *tied, *command)

    def discover_hosts(self) -> None:
        """Nova looks for hosts that compute, and are new. Raises ServiceFailed."""
        config = str(self._conf.folder / "nova/nova.conf")
        self.manage(("nova-manage", "--config-file", config, "cell_v2", "discover_hosts"))

    def end(self, name: str) -> None:
        """End one, at once."""
        process = self._running.pop(name)
        process.kill()
        process.wait()

    def halt(self, name: str, *, go_on: bool) -> None:
        """One stands still, or goes on."""
        self._running[name].send_signal(signal.SIGCONT if go_on else signal.SIGSTOP)

    def end_all(self) -> None:
        """End all, the last that was started first."""
        for name in reversed(list(self._running)):
            self.end(name)
        self._starter.shutdown()

    def answers(self, name: str) -> None:
        """Return when it listens. Raises ServiceFailed."""
        self._wait(name, lambda: _listens(getattr(self._conf.ports, name)))

    def manage(self, *commands: Sequence[str]) -> None:
        """Commands of the release, one after the other. Raises ServiceFailed."""
        for tool, *arguments in commands:
            self.run(tool, self._tool(tool), *arguments)

    def run(self, name: str, *command: str) -> None:
        """Run a command to its end. Raises ServiceFailed with the last that it says."""
        log = self._conf.folder / "log" / f"{name}.run"
        with log.open("ab") as out:
            code = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=self._environment(), check=False
            ).returncode
        if code:
            raise ServiceFailed(f"{shlex.join(command[-3:])} failed: {_end_of(log)}")

    def _start(self, name: str, *command: str) -> None:
        with (self._conf.folder / "log" / f"{name}.out").open("ab") as out:
            self._running[name] = self._starter.submit(self._spawn, command, out).result()

    def _spawn(self, command: Sequence[str], out: IO[bytes]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=self._environment())

    def _wait(self, name: str, is_up: Callable[[], bool]) -> None:
        end = time.monotonic() + _LONGEST
        while not is_up():
            code = self._running[name].poll()
            if code is not None or time.monotonic() > end:
                ended = "does not answer" if code is None else f"has ended with {code}"
                raise ServiceFailed(f"{name} {ended}: {_end_of(self._conf.folder / 'log' / f'{name}.out')}")
            time.sleep(0.2)

    def _tool(self, name: str) -> str:
        return str(self._conf.packages / "bin" / name)

    def _in_root(self, *command: str) -> tuple[str, ...]:
        """What runs a command in the root, which shares /proc, /dev and /tmp with this machine."""
        root = shlex.quote(str(self._root))
        enter = (
            f"for place in proc dev tmp; do mount --rbind /$place {root}/$place || exit 125; done; "
            f'PATH=/usr/sbin:/usr/bin:/sbin:/bin exec chroot {root} "$@"'
        )
        return ("unshare", "--mount", "--propagation", "private", "/bin/sh", "-c", enter, "sh", *command)

    def _environment(self) -> Mapping[str, str]:
        folder = self._conf.folder
        return {
            "PATH": f"{self._conf.packages / 'bin'}:{os.environ['PATH']}",
            "HOME": str(folder / "state"),
            "PYTHONPATH": str(folder / "ml2"),
            "PYTHONWARNINGS": "ignore",
            "OS_KEYSTONE_CONFIG_FILES": str(folder / "keystone.conf"),
            "OS_PLACEMENT_CONFIG_DIR": str(folder),
            "OS_GLANCE_CONFIG_DIR": str(folder / "glance"),
            "OS_NEUTRON_CONFIG_DIR": str(folder / "neutron"),
            "OS_NOVA_CONFIG_DIR": str(folder / "nova"),
        }


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _end_of(log: Path) -> str:
    lines = log.read_text(errors="replace").split("\n") if log.exists() else []
    return " ".join(lines[-8:]).strip()
