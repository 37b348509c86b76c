"""The part of slurm.conf that the daemon's nodes need. doc/setups.md and doc/slurm-decides.md have the reasons."""

from __future__ import annotations

import re

from arvnodeman.init.answers import Answers, RecordsSetup, SizeAnswer

PARTITION = "cloud"
NOBODYS = "192.0.2.1"  # RFC 5737: where a name is looked for that has no node
OF_THE_NODE = 0.95  # of the advertised memory, as [Daemon] node_mem_scaling
POKE = "/usr/lib/arvados-node-manager/poke"

HEAD = """# Part of slurm.conf for the nodes of Arvados Node Manager, made by `arvados-node-manager init`.
# Put it into slurm.conf; where a line is there already, see that it says the same. Then restart slurmctld.
"""
COMMON = """ReturnToService=2
SlurmdTimeout=300
SchedulerType=sched/backfill
SlurmdParameters=config_overrides
"""
WHOLE = "SelectType=select/linear\n"
SHARED = "SelectType=select/cons_tres\nSelectTypeParameters=CR_CPU_Memory\n"
BY_DNS = "CommunicationParameters=NoAddrCache\n"  # the API server's changes: a name's address is its newest node's
CONFIGLESS = "SlurmctldParameters=enable_configless\n"
DECIDES = f"""SlurmctldParameters=enable_configless,power_save_interval=1
SuspendTime=-1
ResumeProgram={POKE}
SuspendProgram={POKE}
ResumeTimeout=2400
SuspendTimeout=120
ResumeRate=0
SuspendRate=0
SchedulerParameters=default_queue_depth=1000,bf_continue,bf_max_job_test=2000,batch_sched_delay=1
"""


def slurm_conf(answers: Answers) -> str:
    """The whole part."""
    head = HEAD + ("" if answers.setup is RecordsSetup.SLURM_CLOUD else _note_of(answers))
    match answers.setup:
        case RecordsSetup.ARVADOS:
            return head + BY_DNS + WHOLE + COMMON + _default(answers) + _arvados_names(answers)
        case RecordsSetup.ARVADOS_3 | RecordsSetup.SLURM:
            return head + CONFIGLESS + SHARED + COMMON + _default(answers) + _names(answers)
        case RecordsSetup.SLURM_CLOUD:
            return head + DECIDES + SHARED + COMMON.replace("SlurmdParameters=config_overrides\n", "") + _cloud(answers)


def names_of_all(answers: Answers) -> str:
    """The host list of all names, where any size may have any."""
    return f"{_stem(answers)}[1-{answers.max_nodes}]"


def names_of_size(answers: Answers, size: SizeAnswer) -> str:
    """The host list of one size's own names."""
    return f"{re.sub('[^a-z0-9]+', '', size.type.lower())}-[1-{answers.max_nodes}]"


def _stem(answers: Answers) -> str:
    return "compute" if answers.has_arvados else f"{answers.cluster}-"


def _note_of(answers: Answers) -> str:
    largest = max(answers.sizes, key=lambda size: (size.cores, size.ram))
    return f"# CPUs and memory are those of the largest size, {largest.type}: smaller nodes join with what they have.\n"


def _default(answers: Answers) -> str:
    cores, ram = max(size.cores for size in answers.sizes), max(size.ram for size in answers.sizes)
    memory = f" RealMemory={ram * OF_THE_NODE:.0f}" if ram else ""
    return f"NodeName=DEFAULT CPUs={cores}{memory} State=UNKNOWN\n"


def _arvados_names(answers: Answers) -> str:
    """compute0 is never started: the dispatcher keeps it as the node that offers every feature."""
    return (
        f"NodeName=compute[0-{answers.max_nodes}]\n"
        "PartitionName=compute Nodes=ALL Default=YES MaxTime=INFINITE State=UP\n"
    )


def _names(answers: Answers) -> str:
    names, first = names_of_all(answers), f"NodeName=compute0 NodeAddr={NOBODYS}\n" if answers.has_arvados else ""
    nodes = f"compute[0-{answers.max_nodes}]" if answers.has_arvados else names
    return (
        f"{first}NodeName={names} NodeAddr={NOBODYS}\n"
        f"PartitionName={PARTITION} Nodes={nodes} Default=YES MaxTime=INFINITE State=UP OverSubscribe=EXCLUSIVE\n"
    )


def _cloud(answers: Answers) -> str:
    lines, names = [], []
    for number, size in enumerate(sorted(answers.sizes, key=lambda size: (size.price, size.cores)), 1):
        own = names_of_size(answers, size)
        memory = f" RealMemory={size.ram * OF_THE_NODE:.0f}" if size.ram else ""
        weight = round(size.price * 1000) or number
        lines.append(
            f"NodeName={own} CPUs={size.cores}{memory} Weight={weight} Feature=instancetype={size.type} State=CLOUD\n"
        )
        names.append(own)
    least = min((size.ram / size.cores for size in answers.sizes if size.ram), default=0)
    share = f" DefMemPerCPU={least * OF_THE_NODE:.0f}" if least else ""
    partition = f"PartitionName={PARTITION} Nodes={','.join(names)} Default=YES SuspendTime=315360000{share} State=UP\n"
    return "".join(lines) + partition
