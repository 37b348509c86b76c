"""Workloads: which jobs come when. The same seed gives the same jobs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from arvnodeman.sandbox.catalogue import Size
from arvnodeman.sandbox.faults import chance

_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSpec:
    """One job. RAM and scratch in MB a node; `size`: the size that it names; times in simulated seconds.

    `gres`: of each node; `gpus`: of all its nodes together, as Arvados asks for them; `partition`: '' for the default.
    `tasks`: of more than one, each is a job of its own, and sbatch is told of all as one array. `requeue`: Slurm itself
    may put it back into the queue. `user`: of Arvados, for whom its container runs; '': not told.
    `old_queue`: it waits in Arvados' own jobs queue and never runs here, since nothing of today's Slurm starts it.
    """

    name: str
    cores: int = 1
    ram: int = 0
    scratch: int = 0
    size: str | None = None
    nodes: int = 1
    gres: str = ""
    gpus: int = 0
    partition: str = ""
    duration: float = 120.0
    priority: int = 500
    arrives: float = 0.0
    held: bool = False
    old_queue: bool = False
    tasks: int = 1
    requeue: bool = False
    user: str = ""

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return asdict(self)


def make_workload(
    seed: int,
    jobs: int,
    sizes: Sequence[Size],
    *,
    window: float = 600.0,
    duration: float = 240.0,
    named: float = 0.4,
    cluster: str = "zzzzz",
) -> tuple[JobSpec, ...]:
    """So many jobs of mixed sizes, arriving within `window` simulated seconds, `duration` long on average.

    `named`: the part of them that names a size; the others ask for cores, RAM and scratch. Small jobs are frequent.
    """
    specs = []
    for number in range(jobs):
        dice = chance(seed, "job", number)
        size = dice.choices(sizes, weights=[1 / (rank + 1) for rank in range(len(sizes))])[0]
        by_name = dice.random() < named
        specs.append(
            JobSpec(
                name=job_name(seed, number, cluster),
                cores=dice.randint(max(1, size.cores // 2), size.cores),
                ram=int(size.ram * dice.uniform(0.3, 0.9)),
                scratch=int(size.disk * 1000 * dice.uniform(0.0, 0.6)),
                size=size.id if by_name else None,
                duration=duration * dice.uniform(0.4, 1.6),
                priority=dice.choice((200, 500, 500, 500, 800)),
                arrives=window * dice.random() * (0 if number == 0 else 1),
            )
        )
    return tuple(sorted(specs, key=lambda spec: spec.arrives))


def of_every_kind(specs: Sequence[JobSpec]) -> tuple[JobSpec, ...]:
    """As many jobs, of which some are tasks of an array, some want two nodes, and Slurm may put half of them back."""
    found: list[JobSpec] = []
    waiting = list(specs)
    while waiting:
        number, spec = len(found), waiting.pop(0)
        if number % 5 == 2 and waiting:
            waiting.pop(0)
            found.append(replace(spec, tasks=2, requeue=number % 2 == 0))
        else:
            found.append(replace(spec, nodes=2 if number % 8 == 4 else 1, requeue=number % 2 == 0))
    return tuple(found)


def job_name(seed: int, number: int, cluster: str = "zzzzz") -> str:
    """A container uuid."""
    dice = chance(seed, "name", number)
    return f"{cluster}-dz642-" + "".join(dice.choices(_ALPHABET, k=15))


def job_spec(body: object, number: int, cluster: str = "zzzzz") -> JobSpec:
    """A job from JSON; a name is made up for one that has none. Raises ValueError that names the item."""
    if not isinstance(body, dict):
        raise ValueError("a job must be a JSON object")
    given = {"name": job_name(-1, number, cluster), **body}
    kinds: dict[str, tuple[type, ...]] = {
        "name": (str,),
        "gres": (str,),
        "partition": (str,),
        "user": (str,),
        "size": (str, type(None)),
    }
    kinds |= dict.fromkeys(("cores", "ram", "scratch", "nodes", "gpus", "priority", "tasks"), (int,))
    kinds |= dict.fromkeys(("duration", "arrives"), (int, float))
    kinds |= dict.fromkeys(("held", "old_queue", "requeue"), (bool,))
    for key, value in given.items():
        if key not in kinds:
            raise ValueError(f"unknown item {key!r} in a job, known: {', '.join(sorted(kinds))}")
        if not isinstance(value, kinds[key]) or (isinstance(value, bool) and bool not in kinds[key]):
            raise ValueError(f"{key} of a job must be {kinds[key][0].__name__}, not {value!r}")
        if isinstance(value, int | float) and not 0 <= value <= 1e9:
            raise ValueError(f"{key} of a job must be between 0 and 1e9, not {value!r}")
    return JobSpec(**given)
