"""What `scontrol show` prints of the double: nodes, partitions, some of the configuration."""

from __future__ import annotations

from arvnodeman.sandbox.hostlist import compress
from arvnodeman.sandbox.slurm import SlurmDouble
from arvnodeman.sandbox.slurm_format import features, node_address, stamp
from arvnodeman.sandbox.slurm_gres import used
from arvnodeman.sandbox.slurm_nodes import DEFAULT_PARTITION, Base, SlurmNode


def show_node(slurm: SlurmDouble, node: SlurmNode, *, oneliner: bool = False, details: bool = False) -> str:
    """The account of a node by `scontrol show node`, an empty line after it."""
    computer = node.computer
    seen = computer is not None or node.base is not Base.UNKNOWN
    cores, ram, tmp = (computer.cores, computer.memory, computer.tmp) if computer else (1, 1, 0)
    threads, gres = (computer.threads, computer.gres) if computer else (1, "")
    sockets = cores // threads
    lines = [
        f"NodeName={node.name} {'Arch=x86_64 ' if computer else ''}CoresPerSocket=1 ",
        f"CPUAlloc={node.cpus_taken} CPUEfctv={cores} CPUTot={cores} CPULoad={'0.10' if computer else 'N/A'}",
        f"AvailableFeatures={features(node.available)}",
        f"ActiveFeatures={features(node.active)}",
        f"Gres={gres or '(null)'}",
        *(["GresDrain=N/A", *_used(slurm, node, gres)] if details else []),
        f"NodeAddr={node_address(node)} NodeHostName={node.host or node.name} Version=22.05.8",
        f"RealMemory={ram} AllocMem={node.memory_taken} FreeMem={ram - node.memory_taken if computer else 'N/A'} "
        f"Sockets={sockets} Boards=1",
        f"State={node.long()} ThreadsPerCore={threads} TmpDisk={tmp} Weight={node.weight} Owner=N/A MCS_label=N/A",
        f"Partitions={','.join(node.partitions)} ",
        f"BootTime={stamp(computer.started if computer else None)} "
        f"SlurmdStartTime={stamp(computer.started if computer else None)}",
        f"LastBusyTime={stamp(node.last_busy, 'Unknown' if not seen else 'None')}",
        f"CfgTRES=cpu={cores},mem={tres_memory(ram)},billing={cores}",
        f"AllocTRES={f'cpu={node.cpus_taken},mem={tres_memory(node.memory_taken)}' if node.jobs else ''}",
    ]
    if node.comment:
        lines.append(f"Comment={node.comment}")
    if node.reason:
        lines.append(f"Reason={node.reason} [root@{stamp(node.reason_at)}]")
    return " ".join(lines) + "\n" if oneliner else "\n   ".join(lines) + "\n\n"


def _used(slurm: SlurmDouble, node: SlurmNode, gres: str) -> list[str]:
    """Without the numbers of the devices. A node without any has 0 of each that any node has."""
    offers = (each.computer.gres for each in slurm.nodes.values() if each.computer is not None)
    names = {item.partition(":")[0]: 0 for offer in offers for item in filter(None, offer.split(","))}
    none = ",".join(f"{name}:0" for name in names)
    text = used(gres, [taken.gres for taken in node.jobs.values()]) if gres else none
    return [f"GresUsed={text}"] if text else []


def tres_memory(megabytes: int) -> str:
    """As Slurm writes it in lists of TRES: whole numbers of the largest unit that fits, but of gigabytes at least."""
    return f"{megabytes}M" if megabytes % 1024 else f"{megabytes // 1024}G"


def show_partitions(slurm: SlurmDouble, *, oneliner: bool) -> str:
    """The account of each partition, an empty line after it."""
    shown = []
    for name in slurm.partitions:
        nodes = [node for node in slurm.nodes.values() if name in node.partitions]
        cores = sum(node.computer.cores if node.computer else 1 for node in nodes)
        memory = sum(node.computer.memory if node.computer else 1 for node in nodes)
        sharing = "NO" if slurm.shared_nodes or name in slurm.sharing else "EXCLUSIVE"
        lines = (
            f"PartitionName={name}",
            "AllowGroups=ALL AllowAccounts=ALL AllowQos=ALL",
            f"AllocNodes=ALL Default={'YES' if name == DEFAULT_PARTITION else 'NO'} QoS=N/A",
            "DefaultTime=NONE DisableRootJobs=NO ExclusiveUser=NO GraceTime=0 Hidden=NO",
            "MaxNodes=UNLIMITED MaxTime=UNLIMITED MinNodes=0 LLN=NO MaxCPUsPerNode=UNLIMITED",
            f"Nodes={compress(node.name for node in nodes)}",
            f"PriorityJobFactor=1 PriorityTier=1 RootOnly=NO ReqResv=NO OverSubscribe={sharing}",
            "OverTimeLimit=NONE PreemptMode=OFF",
            f"State=UP TotalCPUs={cores} TotalNodes={len(nodes)} SelectTypeParameters=NONE",
            "JobDefaults=(null)",
            "DefMemPerNode=UNLIMITED MaxMemPerNode=UNLIMITED",
            f"TRES=cpu={cores},mem={tres_memory(memory)},node={len(nodes)},billing={cores}",
        )
        shown.append(" ".join(lines) + "\n" if oneliner else "\n   ".join(lines) + "\n\n")
    return "".join(shown)


def show_other(slurm: SlurmDouble, kind: str, *, oneliner: bool) -> str:
    """What is shown of anything but nodes; '' for a kind that there is not."""
    match kind:
        case "config":
            return show_config()
        case "partition" | "partitions":
            return show_partitions(slurm, oneliner=oneliner)
        case "reservation" | "reservations":
            return "No reservations in the system\n"
        case "license" | "licenses":
            return "No licenses configured in Slurm.\n"
    return ""


def show_config() -> str:
    """Some of what `scontrol show config` shows."""
    shown = {
        "PrivateData": "none",
        "ReturnToService": "2",
        "SLURM_VERSION": "22.05.8",
        "SelectType": "select/cons_tres",
        "SelectTypeParameters": "CR_CPU_MEMORY",
        "SuspendExcNodes": "(null)",
        "SuspendExcParts": "(null)",
        "SuspendProgram": "(null)",
        "SuspendTime": "INFINITE",
    }
    return "".join(f"{name:<23} = {value}\n" for name, value in shown.items())
