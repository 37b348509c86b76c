"""Drivers by the name that `[Cloud] provider` gives them. A new cloud is a file and a line in DRIVERS."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from arvnodeman.config import ConfigError
from arvnodeman.config.cloud_options import DRIVERS
from arvnodeman.fleet.values.model import RemoteFailure

if TYPE_CHECKING:
    from arvnodeman.cloud.base import CloudDriver
    from arvnodeman.config import Settings


def make_driver(settings: Settings) -> CloudDriver:
    """A driver of the configured cloud, for use in one thread. Asks the cloud nothing where that is possible.

    Raises ConfigError for a `[Cloud] driver_class` that cannot be had, and for credentials and options that the driver
    does not take; RemoteFailure for a cloud that has to be asked and fails.
    """
    module, _, name = DRIVERS[settings.cloud.provider].partition(":")
    driver = cast("Callable[..., CloudDriver]", getattr(importlib.import_module(module), name))
    if settings.cloud.driver_class:
        return driver(settings, _class_at(settings, settings.cloud.driver_class))
    return driver(settings)


def check_driver(settings: Settings) -> None:
    """Can a driver be made of this configuration? Raises ConfigError if it never can; a cloud that has to be asked for
    that and is away is not a mistake (row A9)."""
    with contextlib.suppress(RemoteFailure):
        make_driver(settings)


def nodes_at_once(settings: Settings) -> int:
    """How many nodes of a size the cloud makes by one request, as it is configured."""
    if settings.cloud.provider != "ec2":
        return 1
    from arvnodeman.cloud.ec2_batching import nodes_at_once as at_once

    return at_once(settings)


def size_slips(settings: Settings) -> tuple[list[str], list[str]]:
    """What libcloud's own table of the cloud's types says of the sizes: mistakes, and what somebody should look at.
    Only EC2 has such a table that says all types; other clouds are asked for theirs when the daemon runs."""
    if settings.cloud.provider != "ec2" or settings.cloud.driver_class:
        return [], []
    from arvnodeman.cloud.ec2_types import slips

    return slips(settings.sizes)


def _class_at(settings: Settings, path: str) -> Callable[..., Any]:
    """The class that a dotted path names. Raises ConfigError."""
    module, _, name = path.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        wrong = f"cannot import {path!r}: {error}"
        raise _no_class(settings, wrong) from None
    if not isinstance(found, type):
        raise _no_class(settings, f"{path!r} is not a class")
    return cast("Callable[..., Any]", found)


def _no_class(settings: Settings, wrong: str) -> ConfigError:
    line = f"{settings.path}: [Cloud] driver_class: {wrong}; allowed: MODULE.CLASS, found on PYTHONPATH"
    return ConfigError((" ".join(line.split()),))
