"""A real ZooKeeper of the tests' own: one server, of Debian's library."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

from kazoo.client import KazooClient
from kazoo.handlers.threading import KazooTimeoutError
from store_process import StoreProcess, need, until
from tcp_proxy import free_port

APT = "libzookeeper-java default-jre-headless"
JARS = Path("/usr/share/java")
NEEDED = (
    "zookeeper zookeeper-jute slf4j-api slf4j-nop netty-all netty-buffer netty-common netty-handler netty-transport"
)
NEEDED += " metrics-core snappy-java commons-io commons-cli"
TICK = 200  # milliseconds


class ZookeeperStage:
    """Start one; `end()` stops it."""

    def __init__(self, folder: Path) -> None:
        java = shutil.which("java")
        need(("java", java), ("zookeeper.jar", (JARS / "zookeeper.jar").exists()), apt=APT)
        assert java is not None
        self.folder, self.port, self._java = folder, free_port(), java
        self._data, self._log = folder / "data", folder / "zookeeper.log"
        self._config = folder / "zoo.cfg"
        self.limit(60.0)
        self.start()

    def limit(self, longest: float) -> None:
        """Sessions may be no longer, in seconds, from the next start."""
        self._config.write_text(
            f"tickTime={TICK}\ndataDir={self._data}\nclientPort={self.port}\nclientPortAddress=127.0.0.1\n"
            f"admin.enableServer=false\nminSessionTimeout={2 * TICK}\nmaxSessionTimeout={int(longest * 1000)}\n"
            "4lw.commands.whitelist=ruok\n"
        )

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._data.mkdir(exist_ok=True)
        path = os.pathsep.join(str(JARS / f"{name}.jar") for name in NEEDED.split())
        options = ["-Xmx64m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", path]
        argv = [self._java, *options, "org.apache.zookeeper.server.ZooKeeperServerMain", str(self._config)]
        self.server = StoreProcess(argv, self._log)
        until(self._answers, "ZooKeeper to start")

    def start_empty(self) -> None:
        """Start it with nothing of what it knew."""
        shutil.rmtree(self._data)
        self.start()

    def kill(self) -> None:
        """SIGKILL."""
        self.server.kill()

    def end(self) -> None:
        """At once: there is nothing to keep."""
        self.server.kill()

    def _answers(self) -> bool:
        assert self.server.process.poll() is None, self._log.read_text(errors="replace")[-2000:]
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as asking:
                asking.settimeout(1)
                asking.sendall(b"ruok")
                if asking.recv(10) != b"imok":
                    return False
        except OSError:
            return False
        first = KazooClient(f"127.0.0.1:{self.port}")  # the first session takes a second or two
        try:
            first.start(10)
        except KazooTimeoutError:
            return False
        finally:
            first.stop()
            first.close()
        return True
