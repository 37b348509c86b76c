"""What a private Slurm needs: the packages, ports of its own, and a slurm.conf.

Tried with slurm 22.05.8 and munge 0.5.15. It runs as root or as any other account, which is then SlurmUser.
"""

from __future__ import annotations

import os
import pwd
import random
import shutil
import socket
from dataclasses import dataclass, replace
from pathlib import Path

from arvnodeman.sandbox.hostlist import expand
from arvnodeman.slurm.poke import program_for

PACKAGES = "slurm-wlm slurmctld slurmd slurm-client slurm-wlm-basic-plugins munge"
APT = f"apt-get install --no-install-recommends {PACKAGES}"
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "sinfo", "scontrol", "scancel")
MOST_NODES = 120  # that can have a slurmd

_BLOCK = 128  # ports: one to hold the block, one each for slurmctld and slurmd's default, the others for the nodes
_FIRST, _LAST = 10_240, 32_000  # below the ports that the kernel hands out


class SlurmMissing(Exception):
    """Slurm is not installed; the text is one line that says how to get it."""


def search_path() -> str:
    """PATH with the directories of the system's daemons, which normal accounts do not have on theirs."""
    return os.pathsep.join([os.environ.get("PATH") or os.defpath, "/usr/sbin", "/sbin"])


def missing() -> str:
    """One line that names the programs that are missing and how to get them; empty when none is."""
    absent = [name for name in PROGRAMS if shutil.which(name, path=search_path()) is None]
    return f"not installed: {', '.join(absent)}; on Debian or Ubuntu: sudo {APT}" if absent else ""


@dataclass(frozen=True, slots=True)
class Ports:
    """A block of free ports on 127.0.0.1. `holder` is bound to the first of them: no other Slurm of ours takes the
    block while it is open."""

    holder: socket.socket
    controller: int
    first_node: int

    @classmethod
    def take(cls, nodes: int) -> Ports:
        """Find a block with room for so many nodes. Raises OSError when there is none."""
        starts = list(range(_FIRST, _LAST - _BLOCK, _BLOCK))
        random.SystemRandom().shuffle(starts)
        for start in starts:
            holder = socket.socket()
            try:
                holder.bind(("127.0.0.1", start))
                for port in range(start + 1, start + 3 + nodes):
                    with socket.socket() as probe:
                        probe.bind(("127.0.0.1", port))
            except OSError:
                holder.close()
                continue
            return cls(holder, start + 1, start + 3)
        raise OSError("no block of free ports on 127.0.0.1")


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudNames:
    """Names declared State=CLOUD, on which slurmctld places jobs while they are off."""

    names: str  # a host list
    size: str  # the feature instancetype=SIZE
    cores: int = 2
    memory: int = 4_000  # MB
    tmp: int = 0  # MB
    weight: int = 1


POWER_SAVING = {
    "SuspendTime": "-1",
    "SuspendProgram": "/bin/true",
    "ResumeProgram": "/bin/true",
    "SuspendTimeout": "30",
    "ResumeTimeout": "300",
    "SuspendRate": "0",
    "ResumeRate": "0",
    "SlurmctldParameters": "power_save_interval=1",
}
"""Power saving in which Slurm resumes nodes and suspends none by itself, for names declared CLOUD."""
POKED, _POKER = "poke", "poke.sh"  # in the private directory
YEARS = "SuspendTime=315360000"  # of their partition


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What the nodes are like, and how patient slurmctld is (seconds).

    Every node has the same size in slurm.conf, that of the largest; a job has its nodes to itself in the partition
    `compute` and shares them in `shared`. `startable`: how many nodes have a port for a slurmd (all, if they are few).
    Beside them are the names of `cloud`, in the partition of that name, with power saving.
    """

    nodes: int = 64  # compute1 to this, besides compute0
    cores: int = 16
    memory: int = 32_000  # MB
    tmp: int = 400_000  # MB
    threads: int = 1  # CPUs of a core
    slurmd_timeout: int = 20
    message_timeout: int = 5  # a command waits one second less for a slurmctld that is away; Slurm's own default is 10
    features: tuple[str, ...] = ()  # of compute0, to begin with
    gres: str = ""  # as gpu:tesla:2,license:4, of compute0 and the first `gres_nodes` others
    gres_nodes: int = 0
    partitions: tuple[tuple[str, str], ...] = ()  # more of them: name and nodes
    state: str = "UNKNOWN"  # as which the nodes are declared; a plain restart kills the jobs on those declared DOWN
    cloud: tuple[CloudNames, ...] = ()
    power: tuple[tuple[str, str], ...] = ()  # in place of what POWER_SAVING says; '' leaves it out
    pokes: bool = False  # power saving's programs are the packaged one, which touches POKED in the private directory
    cloud_partition: str = f"{YEARS} DefMemPerCPU=100"  # what stands there of the partition `cloud`

    @property
    def startable(self) -> int:
        """Nodes that can have a slurmd, compute0 counted, but for those of `cloud`."""
        return min(self.nodes, MOST_NODES - len(self.cloud_names)) + 1

    @property
    def cloud_names(self) -> list[str]:
        """The names of `cloud` that can have a slurmd: those of a host list that is no longer than MOST_NODES."""
        lists = [expand(each.names) for each in self.cloud]
        return [name for names in lists if len(names) <= MOST_NODES for name in names]


def write_conf(folder: Path, ports: Ports, shape: Shape) -> Path:
    """Write slurm.conf into a private directory; its path. Raises OSError."""
    user = pwd.getpwuid(os.geteuid()).pw_name
    last = ports.first_node + shape.startable - 1
    size = f"CPUs={shape.cores} RealMemory={shape.memory} TmpDisk={shape.tmp} State={shape.state}"
    if shape.threads > 1:
        size += f" Sockets={shape.cores // shape.threads} CoresPerSocket=1 ThreadsPerCore={shape.threads}"
    port = ports.first_node
    nodes = []
    if shape.gres:
        port += shape.gres_nodes + 1
        (folder / "gres.conf").write_text(_gres_conf(shape), encoding="ascii")
        nodes += [
            f"GresTypes={','.join(sorted({item.partition(':')[0] for item in shape.gres.split(',')}))}",
            f"NodeName=compute[0-{shape.gres_nodes}] NodeAddr=127.0.0.1 Port=[{ports.first_node}-{port - 1}] "
            f"{size} Gres={shape.gres}",
        ]
    first = port - ports.first_node
    nodes.append(f"NodeName=compute[{first}-{shape.startable - 1}] NodeAddr=127.0.0.1 Port=[{port}-{last}] {size}")
    if shape.nodes >= shape.startable:
        rest = f"compute[{shape.startable}-{shape.nodes}]"
        nodes.append(f"NodeName={rest} NodeAddr=127.0.0.1 Port={last} {size}")
    if shape.pokes:
        poker = folder / _POKER
        poker.write_text(program_for(str(folder / POKED)), encoding="utf-8")
        poker.chmod(0o755)
        programs = (("ResumeProgram", str(poker)), ("SuspendProgram", str(poker)))
        shape = replace(shape, power=(*programs, *shape.power))
    nodes += _cloud(shape, last + 1)
    text = _CONF.format(
        d=folder, user=user, port=ports.controller, timeout=shape.slurmd_timeout, patience=shape.message_timeout
    )
    path = folder / "slurm.conf"
    more = [
        f"PartitionName={name} Nodes={hosts} MaxTime=INFINITE State=UP OverSubscribe=EXCLUSIVE"
        for name, hosts in shape.partitions
    ]
    others = f"compute[0-{shape.nodes}]" if shape.cloud else "ALL"
    partitions = [each.format(nodes=others) for each in _PARTITIONS]
    path.write_text("\n".join([text.strip(), *nodes, *partitions, *more, ""]), encoding="ascii")
    return path


def _cloud(shape: Shape, port: int) -> list[str]:
    """The names declared CLOUD, the first at this port, their partition, and power saving for it."""
    if not shape.cloud:
        return []
    lines = [f"{name}={value}" for name, value in (POWER_SAVING | dict(shape.power)).items() if value]
    for each in shape.cloud:
        count = len(expand(each.names))
        ports = f"[{port}-{port + count - 1}]" if count <= MOST_NODES else f"{port}"
        lines.append(
            f"NodeName={each.names} NodeAddr=127.0.0.1 Port={ports} CPUs={each.cores} "
            f"RealMemory={each.memory} TmpDisk={each.tmp} Weight={each.weight} "
            f"Feature=instancetype={each.size} State=CLOUD"
        )
        port += count if count <= MOST_NODES else 0
    names = ",".join(each.names for each in shape.cloud)
    lines.append(f"PartitionName=cloud Nodes={names} State=UP {shape.cloud_partition}")
    return lines


def _gres_conf(shape: Shape) -> str:
    """The generic resources that slurmd finds. GPUs must have a device file; any will do."""
    devices = iter(("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"))
    lines = []
    for item in shape.gres.split(","):
        name, *kind, number = item.split(":")
        what = f"NodeName=compute[0-{shape.gres_nodes}] Name={name}" + "".join(f" Type={each}" for each in kind)
        if name == "gpu":
            lines += [f"{what} File={next(devices)}" for _ in range(int(number))]
        else:
            lines.append(f"{what} Count={number}")
    return "\n".join([*lines, ""])


_CONF = """
ClusterName=sandbox
SlurmctldHost=localhost(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
SlurmctldPort={port}
SlurmdPort={port}
AuthType=auth/munge
AuthInfo=socket={d}/run/munge.socket
CredType=cred/munge
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
StateSaveLocation={d}/state
SlurmdSpoolDir={d}/spool/%n
SlurmctldPidFile={d}/run/slurmctld.pid
SlurmdPidFile={d}/run/slurmd.%n.pid
SlurmctldLogFile={d}/log/slurmctld.log
SlurmdLogFile={d}/log/slurmd.%n.log
MailProg=/bin/true
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc={d}/log/jobs
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=1,sched_interval=1
PriorityType=priority/basic
SlurmdParameters=config_overrides
ReturnToService=2
SlurmdTimeout={timeout}
MessageTimeout={patience}
KillWait=1
TreeWidth=65533
"""
_PARTITIONS = (
    "PartitionName=compute Nodes={nodes} Default=YES MaxTime=INFINITE State=UP OverSubscribe=EXCLUSIVE",
    "PartitionName=shared Nodes={nodes} MaxTime=INFINITE State=UP OverSubscribe=NO",
)
