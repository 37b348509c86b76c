"""In what Slurm may count one waiting job otherwise than we do, in words."""

from __future__ import annotations

from arvnodeman.fleet.values.model import Job
from arvnodeman.fleet.values.otherwise import Otherwise
from arvnodeman.fleet.view.view import View

_GPU = "gpu:"


def told_otherwise(job: Job, view: View) -> list[str]:
    """A sentence for each. What depends on how nodes are built is told where there is such a node."""
    kinds = set(job.otherwise)
    if kinds & {Otherwise.ONE_CPU, Otherwise.GPU_TYPES}:
        has = [node.slurm_node.has for node in view.nodes.values() if node.slurm_node is not None]
        there = [each for each in has if each is not None]
        if all(each.threads <= 1 for each in there):
            kinds.discard(Otherwise.ONE_CPU)
        if all(sum(name.startswith(_GPU) for name, _ in each.gres) < 2 for each in there):
            kinds.discard(Otherwise.GPU_TYPES)
    return [kind.words for kind in job.otherwise if kind in kinds]
