"""All options of the configuration file, in the order of its sections: what can be looked up by section and name.

Each is declared in one place: [Daemon]'s in daemon.py, those of the cloud's free sections in cloud_options.py, all
others in settings.py. To add one, add a line there, and run `python -m arvnodeman.config.reference`, which writes
nodemanager.cfg.example and doc/configuration.md again.
"""

from __future__ import annotations

from collections.abc import Iterator

from arvnodeman.config.budgets import BudgetSettings
from arvnodeman.config.cloud_options import CLOUD_OPTIONS
from arvnodeman.config.daemon import DaemonSettings
from arvnodeman.config.leader import LeaderSettings
from arvnodeman.config.option import Option, settings_of
from arvnodeman.config.settings import (
    ArvadosSettings,
    CloudSettings,
    LoggingSettings,
    ManageSettings,
    SizeSettings,
)
from arvnodeman.config.spares import SpareSettings


def _declared(*sections: type) -> Iterator[Option]:
    for section in sections:
        yield from (setting.option for setting in settings_of(section) if setting.option is not None)


OPTIONS: tuple[Option, ...] = (
    *_declared(ManageSettings, DaemonSettings, LeaderSettings, LoggingSettings, ArvadosSettings, CloudSettings),
    *CLOUD_OPTIONS,
    *_declared(SizeSettings, SpareSettings, BudgetSettings),
)

_BY_NAME = {(option.section, option.key): option for option in OPTIONS}


def find(section: str, name: str) -> Option | None:
    """The option of that name in the section (of named ones as it is declared: SIZE), whatever its case; None when it
    is unknown."""
    return _BY_NAME.get((section, name.lower()))


def of_section(section: str) -> tuple[Option, ...]:
    """The options of one section, in the order of the table."""
    return tuple(option for option in OPTIONS if option.section == section)
