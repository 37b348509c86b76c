"""The configuration: the ini file, each option declared once, and the frozen settings that are made of them."""

from arvnodeman.config.daemon import DaemonSettings
from arvnodeman.config.leader import LeaderSettings
from arvnodeman.config.loading import ConfigError, Findings, examine, load
from arvnodeman.config.settings import (
    ArvadosSettings,
    CloudSettings,
    LoggingSettings,
    ManageSettings,
    Settings,
)

__all__ = [
    "ArvadosSettings",
    "CloudSettings",
    "ConfigError",
    "DaemonSettings",
    "Findings",
    "LeaderSettings",
    "LoggingSettings",
    "ManageSettings",
    "Settings",
    "examine",
    "load",
]
