"""Which fields of a job squeue is asked for, and in what form they come.

The first eight are those that were always asked for, with bars between, two behind the name. The others stand behind
them, each with BEHIND before it.
"""

from __future__ import annotations

from arvnodeman.slurm.tried import version_of

_FIRST = (
    ("%c", "MinCpus"),
    ("%m", "MinMemory"),
    ("%d", "MinTmpDisk"),
    ("%r", "Reason"),
    ("%j", "Name"),
    ("%f", "Feature"),
    ("%Q", "PriorityLong"),
    ("%D", "NumNodes"),
)
_OTHERS = (
    ("number", "%i", "JobArrayID"),  # these first: of what follows, many jobs have the same
    ("time_limit", "%l", "TimeLimit"),
    ("partition", "%P", "Partition"),
    ("user", "%u", "UserName"),
    ("account", "%a", "Account"),
    ("qos", "%q", "QOS"),
    ("reservation", "%v", "Reservation"),
    ("licences", "%W", "Licenses"),
    ("required_nodes", "%n", "ReqNodes"),
    ("excluded_nodes", "%x", "ExcNodes"),
    ("least_time", "", "MinTime"),
    ("tres_per_job", "", "tres-per-job"),
    ("tres_per_socket", "", "tres-per-socket"),
    ("tres_per_task", "", "tres-per-task"),
    ("tasks", "", "NumTasks"),
    ("cpus", "", "NumCPUs"),
    ("tres_alloc", "", "tres-alloc"),
    ("cpus_per_tres", "", "cpus-per-tres"),
    ("memory_per_tres", "", "mem-per-tres"),
    ("tres_per_node", "%b", "tres-per-node"),  # last: squeue 18.08 and older print nothing that stands behind %b
)
"""Our name for each, its letter for --format, its name for --Format."""
_SHARING = (
    ("oversubscribe", "", "OverSubscribe"),
    ("exclusive", "", "exclusive"),
    ("threads", "", "threads"),
    ("per_core", "", "NTPerCore"),
    ("per_node", "", "NTPerNode"),
)
"""More of them, where jobs share nodes."""
_EXCLUSIVE_SINCE = (25, 5)  # 24.11 does not know that field, 26.05 does

BEHIND_NAME = "||"
"""Names and features may hold a | each, but no expression of features begins with one or has two together, for Slurm
refuses an empty feature: so the last two together end the name."""
BEHIND = "\x1f"
"""Before each field behind the first eight, and in none: bars may be in any, as in licences of which one will do."""
FIRST = len(_FIRST)
TAIL = tuple(name for name, letter, _ in _OTHERS if letter)
LONG_TAIL = tuple(name for name, _, _ in _OTHERS)
_MARKS = ["|"] * 4 + [BEHIND_NAME] + ["|"] * 2  # between the first eight
SQUEUE_FORMAT = BEHIND.join(
    [
        "".join(letter + mark for (letter, _), mark in zip(_FIRST, [*_MARKS, ""], strict=True)),
        *(letter for _, letter, _ in _OTHERS if letter),
    ]
)


Others = tuple[tuple[str, str, str], ...]


def _long_format(others: Others = _OTHERS) -> str:
    names = [*(long for _, long in _FIRST), *(long for _, _, long in others)]
    suffixes = [*_MARKS, *[BEHIND] * len(others), ""]
    return ",".join(f"{name}:0{suffix}" for name, suffix in zip(names, suffixes, strict=True))


SQUEUE_LONG_FORMAT = _long_format()
"""The same and more, for --Format: what `sbatch --gpus` asks for, as Arvados does, is in tres-per-job, CPUs of a job
with several tasks in NumCPUs, and its memory on all nodes, where MinMemory may be that of each CPU, in tres-alloc; no
letter of --format shows any of these. In this way from Slurm 20.02 on. Of a name that a squeue does not know it prints
only what stands behind it."""
LONG_FORMAT_SINCE = (20, 2)


def sharing_form(version: tuple[int, int] | None) -> tuple[str, tuple[str, ...]]:
    """The long format for jobs that share nodes, of a squeue of this version (None: not known); our names for the
    fields behind the first eight."""
    known = version is not None and version >= _EXCLUSIVE_SINCE
    more = tuple(each for each in _SHARING if known or each[0] != "exclusive")
    others = (*_OTHERS[:-1], *more, _OTHERS[-1])
    return _long_format(others), tuple(name for name, _, _ in others)


def shows_all(said: str) -> bool | None:
    """Can the squeue that gives this `--version` be asked for SQUEUE_LONG_FORMAT? None: it gives none."""
    version = version_of(said)
    return version >= LONG_FORMAT_SINCE if version is not None else None
