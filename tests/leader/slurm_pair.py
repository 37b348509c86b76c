"""A real slurmctld with a backup: two on one machine, each with a host name of its own, and one state directory."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from store_process import StoreProcess, need, until
from tcp_proxy import free_port

from arvnodeman.sandbox.real_slurm_conf import PACKAGES, search_path

HOSTS = ("ctla", "ctlb")  # in the order of slurm.conf
# A primary that acts says so in a file four times in SlurmctldTimeout, in whole seconds: below 4 without a pause, and
# then a backup often finds none and takes nothing over.
_CONF = """
ClusterName=pair
SlurmctldHost=ctla({first})
SlurmctldHost=ctlb({second})
SlurmctldTimeout=5
SlurmUser={user}
SlurmdUser={user}
SlurmctldPort={port}
AuthType=auth/munge
AuthInfo=socket={d}/run/munge.socket
CredType=cred/munge
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
StateSaveLocation={d}/state
SlurmdSpoolDir={d}/spool
SlurmctldPidFile={d}/run/{host}.pid
SlurmctldLogFile={d}/log/{host}.log
SlurmctldPrimaryOnProg={d}/poke.sh
SlurmctldPrimaryOffProg={d}/poke.sh
MailProg=/bin/true
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SwitchType=switch/none
MpiDefault=none
MessageTimeout=5
NodeName=compute0 NodeAddr={first} Port=1 CPUs=1 RealMemory=100 State=DOWN
PartitionName=compute Nodes=ALL Default=YES State=UP
"""
_START = "mount --bind {hosts} /etc/hosts && hostname {host} && exec slurmctld -D"


class SlurmPair:
    """Start both, the primary first. `poke`: the text of what they run when they begin to act, and when they end to."""

    def __init__(self, folder: Path, poke: str) -> None:
        path = search_path()
        need(*((name, shutil.which(name, path=path)) for name in ("slurmctld", "munged", "unshare")), apt=PACKAGES)
        if os.geteuid() != 0 or sys.platform != "linux":
            pytest.skip("only root can give a process a host name of its own")
        self.folder = folder
        self._path = path
        for name in ("run", "log", "state", "spool"):
            (folder / name).mkdir()
        program = folder / "poke.sh"
        program.write_text(poke)
        program.chmod(0o755)
        block = f"127.{secrets.randbelow(200) + 20}.{secrets.randbelow(250) + 1}"
        self.addresses = {host: f"{block}.{number + 1}" for number, host in enumerate(HOSTS)}
        hosts = Path("/etc/hosts").read_text() + "".join(f"{ip} {host}\n" for host, ip in self.addresses.items())
        (folder / "hosts").write_text(hosts)
        port = free_port()
        for host in HOSTS:
            first, second = self.addresses.values()
            user = pwd.getpwuid(os.geteuid()).pw_name
            text = _CONF.format(d=folder, host=host, first=first, second=second, port=port, user=user)
            self.conf(host).write_text(text)
        self._munged = self._start_munge()
        self.controllers: dict[str, StoreProcess] = {}
        for host in HOSTS:
            self.start(host)

    def conf(self, host: str) -> Path:
        """slurm.conf of one of them; they differ in their logs alone."""
        return self.folder / f"{host}.conf"

    def start(self, host: str) -> None:
        """Start one, and wait until it is up."""
        begin = _START.format(hosts=self.folder / "hosts", host=host)
        argv = ["unshare", "--uts", "--mount", "--propagation", "private", "/bin/sh", "-c", begin]
        environ = {"PATH": self._path, "SLURM_CONF": str(self.conf(host))}
        self.controllers[host] = StoreProcess(argv, self.folder / "log" / f"{host}.out", environ)
        until(lambda: f"at {host} is UP" in self.ping(), f"slurmctld of {host} to start")

    def kill(self, host: str) -> None:
        """SIGKILL."""
        self.controllers[host].kill()

    def freeze(self, host: str) -> None:
        """It hangs."""
        self.controllers[host].send(signal.SIGSTOP)

    def thaw(self, host: str) -> None:
        """It goes on."""
        self.controllers[host].send(signal.SIGCONT)

    def ping(self) -> str:
        """What scontrol says."""
        environ = {**os.environ, "PATH": self._path, "SLURM_CONF": str(self.conf(HOSTS[0]))}
        done = subprocess.run(["scontrol", "ping"], env=environ, capture_output=True, text=True, check=False)
        return done.stdout

    def log(self) -> str:
        """Of both."""
        return "".join(path.read_text(errors="replace") for path in (self.folder / "log").glob("*.log"))

    def end(self) -> None:
        """Stop all of it."""
        for each in (*self.controllers.values(), self._munged):
            each.send(signal.SIGCONT)
            each.kill()

    def _start_munge(self) -> StoreProcess:
        key, run = self.folder / "munge.key", self.folder / "run"
        key.write_bytes(secrets.token_bytes(1024))
        key.chmod(0o400)
        files = {"key-file": key, "socket": run / "munge.socket", "pid-file": run / "munged.pid"}
        files |= {"log-file": self.folder / "log" / "munged", "seed-file": run / "munged.seed"}
        argv = ["munged", "--foreground", "--force", *(f"--{name}={path}" for name, path in files.items())]
        started = StoreProcess(argv, self.folder / "log" / "munged.out", {"PATH": self._path})
        until((run / "munge.socket").exists, "munged to start")
        return started
