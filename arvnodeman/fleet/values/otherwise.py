"""Where the scheduler may count a job otherwise than we do, on purpose or since it does not tell us enough."""

from __future__ import annotations

from enum import StrEnum


class Otherwise(StrEnum):
    """What of it concerns a job. doc/sharing.md has a line for each."""

    ONE_CPU = "one-cpu"
    MEMORY_NOT_COUNTED = "memory-not-counted"
    TASKS_SPREAD = "tasks-spread"
    SAME_USER = "same-user"
    CPUS_SHARED = "cpus-shared"
    LEAST_CPUS = "least-cpus"
    ALONE_BY_CPU = "alone-by-cpu"
    ALONE_ONE_THREAD = "alone-one-thread"
    ONE_THREAD_BY_CPU = "one-thread-by-cpu"
    GPU_TYPES = "gpu-types"

    @property
    def words(self) -> str:
        """One sentence for people, without its full stop."""
        return _WORDS[self]


_WORDS = {
    Otherwise.ONE_CPU: "Slurm does not tell whether its memory is for each CPU or for the node: on a node with several"
    " CPUs per core the larger is counted",
    Otherwise.MEMORY_NOT_COUNTED: "memory is not counted here, and Slurm does not check that a node has what the job"
    " asks for each CPU: only nodes that have it are booted",
    Otherwise.TASKS_SPREAD: "Slurm may spread its tasks unevenly over what is free: the same number is counted on each"
    " node",
    Otherwise.SAME_USER: "with --exclusive=user its user may have the rest of its node: the node is counted as full",
    Otherwise.CPUS_SHARED: "with OverSubscribe it may share CPUs with other jobs: CPUs of its own are counted",
    Otherwise.LEAST_CPUS: "of --mincpus Slurm counts only CPUs that its tasks could use: all are counted, so it may"
    " wait though a node seems to have room",
    Otherwise.ALONE_BY_CPU: "with --exclusive it gets all CPUs of its node, and Slurm wants its --mem-per-cpu for each:"
    " a node may be too small; --mem avoids this",
    Otherwise.ALONE_ONE_THREAD: "it has its node to itself with one thread or task per core: only the CPUs that Slurm"
    " shows are counted, so it may wait though a node seems to have room",
    Otherwise.ONE_THREAD_BY_CPU: "with one thread per core Slurm may want its --mem-per-cpu for all CPUs of its cores"
    " before it starts it: it may wait though a node seems to have room",
    Otherwise.GPU_TYPES: "Slurm takes the first type of GPU in gres.conf: the type with the fewest left is assumed",
}
