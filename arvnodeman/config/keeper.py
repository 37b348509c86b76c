"""Who keeps the node records, and which names belong to sizes: what does not go together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from arvnodeman.config.daemon import DaemonSettings
from arvnodeman.config.option import ARVADOS, DAEMON, option_of
from arvnodeman.config.settings import (
    KEPT_BY_ARVADOS,
    KEPT_BY_AUTO,
    KEPT_BY_SLURM_CLOUD,
    ArvadosSettings,
    SizeSettings,
)
from arvnodeman.config.size_names import names_of_two
from arvnodeman.fleet.values.model import SizeSection

Mistake = tuple[str, str, str]  # section, option, what is wrong


def mistakes_of_names(
    daemon: DaemonSettings, arvados: ArvadosSettings, sizes: Sequence[SizeSection]
) -> Iterator[Mistake]:
    """Names that belong to sizes, and what does not go with them."""
    names = option_of(SizeSettings.node_names).name
    kept_by = arvados.node_records
    if kept_by == KEPT_BY_ARVADOS or (kept_by == KEPT_BY_AUTO and arvados.host):
        for size in sizes:
            if size.node_names:
                wrong = "goes with [Arvados] node_records = slurm or slurm-cloud; allowed: nothing"
                yield f"Size {size.id}", names, wrong
    for name, wrong in names_of_two(sizes):
        yield f"Size {name}", names, wrong
    if kept_by == KEPT_BY_SLURM_CLOUD:
        yield from _where_slurm_places(daemon, arvados, names)


def _where_slurm_places(daemon: DaemonSettings, arvados: ArvadosSettings, names: str) -> Iterator[Mistake]:
    places = "with node_records = slurm-cloud"
    if arvados.host:
        yield ARVADOS, option_of(ArvadosSettings.host).name, f"{places} Slurm is alone; allowed: nothing"
    if not arvados.slurm_queue:
        yield ARVADOS, option_of(ArvadosSettings.slurm_queue).name, f"{places} Slurm's jobs are read; allowed: yes"
    if daemon.node_names:
        wrong = f"{places} each size has names of its own, [Size NAME] {names}; allowed: nothing"
        yield DAEMON, option_of(DaemonSettings.node_names).name, wrong
    if daemon.job_name_pattern:
        wrong = f"{places} every job that Slurm places on a name counts; allowed: nothing"
        yield DAEMON, option_of(DaemonSettings.job_name_pattern).name, wrong
