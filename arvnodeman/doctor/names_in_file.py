"""Names that nodes get at the cloud, as far as the configuration file says them."""

from __future__ import annotations

from arvnodeman.config import Settings
from arvnodeman.config.option import DAEMON
from arvnodeman.config.settings import KEPT_BY_ARVADOS
from arvnodeman.config.size_names import names_in


def names_in_file(settings: Settings) -> dict[str, tuple[str, ...]]:
    """By the section that says them."""
    found = {f"Size {size.id}": names_in(size.node_names) for size in settings.sizes if size.node_names}
    if settings.daemon.node_names and settings.arvados.node_records != KEPT_BY_ARVADOS:
        found[DAEMON] = names_in(settings.daemon.node_names)
    return found
