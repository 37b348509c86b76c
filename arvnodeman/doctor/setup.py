"""The checks of slurm.conf, as the start and each node poll go by them: in this order, each for its way of placing."""

from __future__ import annotations

from collections.abc import Iterator

from arvnodeman.doctor.base import Check
from arvnodeman.doctor.checks import (
    addresses_of_nodes,
    false_promises,
    mixed_partitions,
    names_declared_cloud,
    names_declared_down,
    names_lacking,
    names_not_cloud,
    names_of_sizes,
    no_names_shown,
    power_programs,
    power_rates,
    resume_timeout,
    shared_addresses,
    slurm_resumes_nothing,
    slurm_suspends,
    slurm_too_old,
    two_masters,
    unbound_partitions,
)
from arvnodeman.doctor.facts import FactPart, Facts, SlurmSetup

SETUP: tuple[Check, ...] = (
    no_names_shown.CHECK,
    names_declared_cloud.CHECK,
    two_masters.CHECK,
    slurm_too_old.CHECK,
    addresses_of_nodes.CHECK,
    names_of_sizes.CHECK,
    names_not_cloud.CHECK,
    mixed_partitions.CHECK,
    slurm_suspends.CHECK,
    slurm_resumes_nothing.CHECK,
    power_programs.CHECK,
    resume_timeout.CHECK,
    names_lacking.CHECK,
    names_declared_down.CHECK,
    shared_addresses.CHECK,
    unbound_partitions.CHECK,
    false_promises.CHECK,
    power_rates.CHECK,
)


def refusals(setup: SlurmSetup) -> Iterator[str]:
    """Why no node of this Slurm may be touched, one line for each reason."""
    return _lines(setup, grave=True)


def remarks(setup: SlurmSetup) -> Iterator[str]:
    """What does not stop us, and somebody should know."""
    return _lines(setup, grave=False)


def _lines(setup: SlurmSetup, *, grave: bool) -> Iterator[str]:
    facts = Facts(settings=FactPart.of(setup.settings), setup=FactPart.of(setup))
    for check in SETUP:
        if check.grave is grave and check.is_for(places=setup.settings.places):
            for found in check.occurs(facts):
                yield found.text
