"""What is done with names in Slurm that nobody has."""

from __future__ import annotations

from dataclasses import dataclass

from arvnodeman.fleet.messages import Step


@dataclass(frozen=True, slots=True)
class OfferFeatures(Step):
    """Slurm dispatcher: give these names, which nobody has, all these features and no others, so that Slurm takes jobs
    that ask for a size while no node is up. Result: None."""

    hostnames: tuple[str, ...]
    features: frozenset[str]
