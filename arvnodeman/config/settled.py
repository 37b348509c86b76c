"""What is so where the file does not say it, since it depends on other settings."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

from arvnodeman.config.option import settings_of, with_values
from arvnodeman.config.settings import Settings

SectionT = TypeVar("SectionT")


def settled(given: Settings) -> Settings:
    """The same settings, with what depends on others filled in."""

    def filled(section: SectionT) -> SectionT:
        found: dict[str, Any] = {}
        for setting in settings_of(type(section)):
            empty = setting.option is not None and getattr(section, setting.attribute) == setting.option.kind.empty
            if empty and setting.otherwise is not None:
                found[setting.attribute] = setting.otherwise(given)
        return with_values(section, found)

    return replace(
        given,
        manage=filled(given.manage),
        daemon=filled(given.daemon),
        leader=filled(given.leader),
        logging=filled(given.logging),
        arvados=filled(given.arvados),
        cloud=filled(given.cloud),
    )
