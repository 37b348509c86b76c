"""The service unit, as systemd reads it: what this version needs of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

SERVICE = "arvados-node-manager.service"
_UNITS = {"": 1.0, "s": 1.0, "sec": 1.0, "ms": 0.001, "m": 60.0, "min": 60.0, "h": 3600.0, "hr": 3600.0, "d": 86400.0}
_SPAN = re.compile(r"([0-9.]+)\s*([a-z]*)")
# Option, values that will do, what goes wrong otherwise.
_NEEDED = (
    ("Type", ("notify", "notify-reload"), "systemd does not know when it is ready, or that it hangs"),
    ("Restart", ("always",), "a daemon that ends itself because it hangs is not started again"),
    ("KillMode", ("", "control-group"), "what it has started outlives it"),
)


@dataclass(frozen=True, slots=True)
class ServiceLimits:
    """How long the service manager must wait, in seconds, by the configuration."""

    silence: float  # without a sign of life
    stop: float  # for an orderly stop


def options_of(text: str) -> dict[str, str]:
    """[Service] of a unit, its drop-ins behind it: of an option that is there several times the last counts."""
    section, found = "", {}
    for line in text.splitlines():
        if line.startswith("["):
            section = line.strip()
        elif section == "[Service]" and "=" in line and not line.startswith(("#", ";")):
            name, _, value = line.partition("=")
            found[name.strip()] = value.strip()
    return found


def mistakes_of(text: str, patience: ServiceLimits) -> Iterator[str]:
    """A line for each thing that this version needs otherwise."""
    options = options_of(text)
    for name, good, otherwise in _NEEDED:
        if options.get(name, "") not in good:
            yield f"{name}={options.get(name) or '(not set)'}, and {good[-1]} is needed: otherwise {otherwise}"
    if "2" not in options.get("RestartPreventExitStatus", "").split():
        yield "RestartPreventExitStatus= lacks 2: after a mistake in the configuration it is restarted for ever"
    if not options.get("StateDirectory"):
        yield "StateDirectory= is not set: there is no history, and commands find no socket"
    yield from _spans(options, patience)


def _spans(options: Mapping[str, str], patience: ServiceLimits) -> Iterator[str]:
    needs = (
        ("WatchdogSec", patience.silence, "systemd kills it before its own watchdog has said why"),
        ("TimeoutStopSec", patience.stop, "a stop is cut off while boots are being sent to the cloud"),
    )
    for name, least, otherwise in needs:
        given = seconds_of(options[name]) if name in options else None
        if given is not None and given <= least:
            yield f"{name}={options[name]} should be above {least:g} s: otherwise {otherwise}"


def seconds_of(text: str) -> float | None:
    """A time span of systemd, as `1min 30s`; None for none at all, `infinity` and what cannot be read."""
    parts = _SPAN.findall(text)
    if not parts or any(unit not in _UNITS for _, unit in parts) or _SPAN.sub("", text).strip():
        return None
    total = sum(float(number) * _UNITS[unit] for number, unit in parts)
    return total or None
