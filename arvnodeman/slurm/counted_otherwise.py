"""Where Slurm may count a waiting job differently from us, by the fields of its line: for people who ask why it waits,
or why a node came for it. No decision uses this."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from arvnodeman.fleet.values.model import JobShape
from arvnodeman.fleet.values.otherwise import Otherwise
from arvnodeman.slurm.job_shape import asked_memory, count, megabytes, number, on_all_nodes
from arvnodeman.slurm.sharing import SharingRules


def counted_otherwise(
    first: Sequence[str], tail: Mapping[str, str], rules: SharingRules | None, shape: JobShape
) -> tuple[Otherwise, ...]:
    """Of a job whose first fields are MinCpus, memory and others; `tail`: those behind the number of nodes, by our
    names. Empty where no job shares a node. Raises ValueError for fields that cannot be read."""
    if rules is None or rules.partitions.isdisjoint(shape.partitions):
        return ()
    return tuple(_found(first[0], megabytes(first[1], shape.cores), tail, rules, shape))


def _found(
    least: str, memory: float, tail: Mapping[str, str], rules: SharingRules, shape: JobShape
) -> Iterator[Otherwise]:
    on_all = on_all_nodes(tail.get("tres_alloc", ""))
    by_cpu = asked_memory(memory, shape.nodes, on_all).by_cpu if memory else False
    tasks, cpus = count(tail.get("tasks") or "1"), count(tail.get("cpus") or "1")
    on_node, one_thread = number(tail.get("per_node", "")), number(tail.get("threads", ""))
    one_each = bool(one_thread or number(tail.get("per_core", "")) or rules.tasks_apart)
    exclusive, oversubscribe = tail.get("exclusive", ""), tail.get("oversubscribe", "")
    if shape.takes is not None and by_cpu is None and rules.memory and rules.cores and not one_thread:
        yield Otherwise.ONE_CPU
    if by_cpu is not False and not rules.memory:
        yield Otherwise.MEMORY_NOT_COUNTED
    if shape.takes is not None and tasks > 1 and not on_node:
        yield Otherwise.TASKS_SPREAD
    if "USER" in (exclusive, oversubscribe):
        yield Otherwise.SAME_USER
    if oversubscribe == "YES":
        yield Otherwise.CPUS_SHARED
    each = max(1.0, cpus / tasks)
    if count(least) > each * max(1, on_node) and (each > 1 or one_each):
        yield Otherwise.LEAST_CPUS
    if shape.takes is None and by_cpu is not False and rules.memory:
        yield Otherwise.ALONE_BY_CPU
    if shape.takes is None and one_each:
        yield Otherwise.ALONE_ONE_THREAD
    if shape.takes is not None and one_thread and by_cpu is not False and rules.memory:
        yield Otherwise.ONE_THREAD_BY_CPU
    if any(name == "gpu" for name, _ in shape.gres):
        yield Otherwise.GPU_TYPES
