"""What the other parts of a site need of its Slurm: of the double (slurm.py) and of a real one (real_slurm_site.py)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from arvnodeman.sandbox.slurm_jobs import Need, SlurmJob
from arvnodeman.sandbox.slurm_nodes import Computer


@dataclass(frozen=True, slots=True, kw_only=True)
class Submit:
    """How a job is submitted. `seconds`: simulated ones that it takes. `tasks`: of an array; the jobs are those of its
    name with _1, _2 ... `requeue`: Slurm may put it back into the queue."""

    seconds: float
    held: bool = False
    tasks: int = 1
    requeue: bool = False


class NodeSide(Protocol):
    """One node, as slurmctld has it."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def reason(self) -> str:
        """Of its drain or of its being down; '' for none."""

    @property
    def drain(self) -> bool:
        """Is it drained or draining?"""

    @property
    def computer(self) -> Computer | None:
        """The machine whose slurmd runs, or ran last, under this name."""

    @property
    def lost(self) -> bool:
        """That machine has ended, and slurmctld may not have noticed yet."""

    @property
    def mark(self) -> str:
        """What the daemon has noted of it: a Comment, or an address that somebody may have; '' for nothing."""

    def short(self) -> str:
        """The state as sinfo %t prints it."""


class SlurmSide(Protocol):
    """A Slurm as the site sees it. Used under the site's lock, and calls back under it.

    `on_start(job, computers)`: a job was allocated. `on_end(job, cause)`: it has left; the cause is completed,
    cancelled, or what took its node; one that is PENDING then Slurm itself has put back into the queue. `joining`:
    simulated seconds after which a slurmd just started has registered.
    """

    on_start: Callable[[SlurmJob, list[Computer]], None]
    on_end: Callable[[SlurmJob, str], None]

    @property
    def joining(self) -> float:
        """See above."""

    @property
    def nodes(self) -> Mapping[str, NodeSide]:
        """Every node of slurm.conf, by name."""

    @property
    def jobs(self) -> Mapping[int, SlurmJob]:
        """Pending and running jobs, by id."""

    def slurmd_started(self, name: str, computer: Computer) -> bool:
        """A slurmd has started under this node name. False when slurm.conf has no such node."""

    def slurmd_stopped(self, name: str, computer_id: str) -> None:
        """The machine of this slurmd has ended."""

    def image_resumes(self, name: str) -> None:
        """What the image does when it joins: it resumes its own node where sinfo says down, drain or drng."""

    def submit(self, name: str, need: Need, feature_text: str, priority: int, how: Submit) -> object:
        """sbatch of a job."""

    def finish_job(self, job: SlurmJob) -> None:
        """The computers of a job have done it."""

    def offer(self, feature: str) -> None:
        """Let the dummy node offer a feature, so that sbatch takes a constraint that no live node has."""

    def slurmctld(self, do: str) -> None:
        """stop, start or restart slurmctld, without the site's lock. Raises ValueError where that cannot be."""

    def refresh(self) -> None:
        """Be up to date now: a node is about to be destroyed. Without the site's lock."""

    def counts(self) -> Mapping[str, int]:
        """How many nodes are in which state."""
