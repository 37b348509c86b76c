"""The catalogue: every check that there is, in the order in which what they find is told."""

from __future__ import annotations

from difflib import get_close_matches

from arvnodeman.doctor.base import Area, Check
from arvnodeman.doctor.checks import (
    backup_controller,
    boots_in_vain,
    budgets_of_nobody,
    clock_of_arvados,
    clock_of_cloud,
    cloud_options,
    cloud_refuses,
    comments_in_values,
    daemon_not_well,
    disk_full,
    doubtful_types,
    history_unreadable,
    jobs_held_by_licences,
    jobs_held_by_reservations,
    lease_without_effect,
    mistakes_in_file,
    more_nodes_than_names,
    names_not_in_dns,
    names_refused_by_cloud,
    no_driver,
    no_state_dir,
    no_such_type,
    open_secrets,
    orphans,
    overlapping_spares,
    placeholders,
    prices_of_elsewhere,
    quota_below_max,
    reload_refused,
    rights_in_arvados,
    rights_in_slurm,
    shapes_of_names,
    shared_state_dir,
    sizes_never_tried,
    sizes_without_price,
    slurm_not_tried,
    stuck_drains,
    types_not_offered,
    unit_file,
    unknown_cloud_errors,
    unknown_options,
    unmarked_list,
    unused_nodes,
    working_without_jobs,
)
from arvnodeman.doctor.setup import SETUP

CHECKS: tuple[Check, ...] = (
    mistakes_in_file.CHECK,
    no_driver.CHECK,
    placeholders.CHECK,
    names_refused_by_cloud.CHECK,
    no_such_type.CHECK,
    sizes_without_price.CHECK,
    prices_of_elsewhere.CHECK,
    unknown_options.CHECK,
    comments_in_values.CHECK,
    more_nodes_than_names.CHECK,
    unmarked_list.CHECK,
    lease_without_effect.CHECK,
    shapes_of_names.CHECK,
    overlapping_spares.CHECK,
    doubtful_types.CHECK,
    *SETUP,
    rights_in_slurm.CHECK,
    slurm_not_tried.CHECK,
    stuck_drains.CHECK,
    unused_nodes.CHECK,
    working_without_jobs.CHECK,
    backup_controller.CHECK,
    jobs_held_by_reservations.CHECK,
    jobs_held_by_licences.CHECK,
    names_not_in_dns.CHECK,
    budgets_of_nobody.CHECK,
    cloud_refuses.CHECK,
    cloud_options.CHECK,
    types_not_offered.CHECK,
    orphans.CHECK,
    clock_of_cloud.CHECK,
    rights_in_arvados.CHECK,
    clock_of_arvados.CHECK,
    no_state_dir.CHECK,
    shared_state_dir.CHECK,
    disk_full.CHECK,
    history_unreadable.CHECK,
    sizes_never_tried.CHECK,
    unit_file.CHECK,
    open_secrets.CHECK,
    daemon_not_well.CHECK,
    reload_refused.CHECK,
    quota_below_max.CHECK,
    boots_in_vain.CHECK,
    unknown_cloud_errors.CHECK,
)


def of_area(area: Area) -> list[Check]:
    """Those that judge this."""
    return [check for check in CHECKS if check.area is area]


def find(name: str) -> Check:
    """The check of this name. Raises LookupError, with the nearest."""
    known = {check.name: check for check in CHECKS}
    if name not in known:
        near = get_close_matches(name, known, n=1)
        raise LookupError(f"no check is called {name}; {f'did you mean {near[0]}?' if near else '--list has them all'}")
    return known[name]
