"""The configuration file -> Settings. All mistakes are named at once, one line each.

A line is `FILE: [Section] option: what is wrong; allowed: what is allowed`. Names that are not known are warnings here,
and errors for `check-config`. No line quotes the value of a secret.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from arvnodeman.config import ini
from arvnodeman.config.option import (
    ARVADOS,
    CLOUD,
    CREATE,
    CREDENTIALS,
    DAEMON,
    FREE_CLOUD_SECTIONS,
    LISTING,
    LOGGING,
    MANAGE,
    SECTIONS,
    SIZE,
    Kind,
    Option,
    nearest,
)
from arvnodeman.config.settings import (
    ARVADOS_CONTAINER,
    KEPT_BY_ARVADOS,
    KEPT_BY_SLURM,
    ArvadosSettings,
    CloudSettings,
    DaemonSettings,
    LoggingSettings,
    ManageSettings,
    Settings,
)
from arvnodeman.config.table import LEVELS, OPTIONS, WITHOUT_PREEMPTIBLE, find, of_section
from arvnodeman.config.values import Value, value_of
from arvnodeman.fleet.values.gres import NoGres
from arvnodeman.fleet.values.model import Secret, SizeSection

HOPELESS_POLLS = 10  # poll_hopeless_after is so many times poll_stale_after when the file does not say
WATCHDOG_ROUNDS = 10  # watchdog_interval is this part of watchdog when the file does not say, within these bounds
SHORTEST_INTERVAL, LONGEST_INTERVAL = 0.5, 20.0  # seconds
TYPO_LIKENESS = 0.8  # names in a size section are free, but one this like a known name is taken for a slip
NOT_IN_SLURM = " \t,&|*()[]=\"'\\"  # characters that a Slurm feature cannot hold


class ConfigError(Exception):
    """A file that cannot be used. `problems` and `warnings` are lines for people, each naming file and option."""

    def __init__(self, problems: tuple[str, ...], warnings: tuple[str, ...] = ()) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
        self.warnings = warnings


def load(path: str) -> Settings:
    """Read the file. Raises ConfigError with every mistake in it; asks nothing over the network."""
    file = ini.read(path)
    reading = _Reading(path, file)
    settings = reading.settings() if file.sections else None
    if settings is None or reading.problems:
        raise ConfigError(tuple(reading.problems), tuple(reading.warnings))
    return settings


@dataclass(frozen=True, slots=True)
class Findings:
    """A file, good or not, for those who look for more mistakes in it."""

    sections: Mapping[str, Mapping[str, str]]
    problems: tuple[str, ...]
    warnings: tuple[str, ...]
    settings: Settings | None  # with defaults in place of what cannot be read; None where too little can


def examine(path: str) -> Findings:
    """Read the file, whatever is wrong with it; asks nothing over the network."""
    file = ini.read(path)
    reading = _Reading(path, file, fill_in=True)
    settings = reading.settings() if file.sections else None
    return Findings(file.sections, tuple(reading.problems), tuple(reading.warnings), settings)


class _Reading:
    """One reading of one file: collects problems and warnings on the way to Settings."""

    def __init__(self, path: str, file: ini.IniFile, *, fill_in: bool = False) -> None:
        """`fill_in`: make settings of a bad file, too."""
        self.path = path
        self._fill_in = fill_in
        self.file = file
        self.problems: list[str] = []
        self.warnings: list[str] = []
        self.provider = file.sections.get(CLOUD, {}).get("provider", "")
        for problem in file.problems:
            self._add(self.problems, problem)

    def settings(self) -> Settings | None:
        """The settings, or None when there are problems that nothing can stand in for."""
        self._warn_of_unknown()
        values = {section: self._section(section, section) for section in SECTIONS if section != SIZE}
        loggers = self._loggers()
        sizes = self._sizes()
        self._check_together(values[DAEMON], sizes)
        self._check_keeper(values[DAEMON], values[ARVADOS])
        if self.problems and not (self._fill_in and self._filled(values)):
            return None
        manage, daemon, arvados, cloud = (values[name] for name in (MANAGE, DAEMON, ARVADOS, CLOUD))
        return Settings(
            path=self.path,
            warnings=tuple(self.warnings),
            manage=ManageSettings(
                address=manage["address"], port=manage["port"], management_token=manage["managementtoken"]
            ),
            daemon=_daemon(daemon, with_arvados=bool(arvados["host"])),
            logging=LoggingSettings(**values[LOGGING], loggers=loggers),
            arvados=_arvados(arvados, daemon["certs_file"]),
            cloud=CloudSettings(
                **cloud,
                credentials={name: Secret(text) for name, text in self._free(CREDENTIALS).items()},
                listing=self._free(LISTING),
                create=self._free(CREATE),
            ),
            sizes=tuple(sizes),
        )

    def _filled(self, values: dict[str, dict[str, Any]]) -> bool:
        """Put defaults, or examples, in place of what cannot be read. Not for the cloud: nothing stands in for it."""
        for section, found in values.items():
            if section not in FREE_CLOUD_SECTIONS:
                _fill(found, section)
        return "provider" in values[CLOUD]

    def _add(self, lines: list[str], text: str) -> None:
        """One line, whatever characters are in names and values."""
        lines.append("".join(c if c.isprintable() else ascii(c)[1:-1] for c in f"{self.path}: {text}"))

    def _problem(self, section: str, name: str, text: str) -> None:
        self._add(self.problems, f"[{section}] {name}: {text}")

    def _section(self, section: str, declared_in: str) -> dict[str, Any]:
        """The values of the known options of one section, by lower-case name; bad ones are left out."""
        texts = self.file.sections.get(section, {})
        values: dict[str, Any] = {}
        for option in of_section(declared_in):
            if option.providers and self.provider not in option.providers:
                continue  # with this cloud the name is as free as any
            if (section, option.key) in self.file.spoilt:
                continue  # told already
            text = texts.get(option.key, option.default)
            if not text and option.default is None:
                self._problem(section, option.name, f"missing; required: {option.allowed}")
            elif text is not None:
                self._read(section, option, text, values)
        return values

    def _read(self, section: str, option: Option, text: str, values: dict[str, Any]) -> None:
        try:
            values[option.key] = value_of(option, text)
        except NoGres as error:
            for mistake in error.mistakes:
                self._problem(section, option.name, f"{mistake}; allowed: {option.allowed}")
        except ValueError as error:
            self._problem(section, option.name, f"{error}; allowed: {option.allowed}")

    def _loggers(self) -> dict[str, str]:
        """Every name under [Logging] that is no option of ours is a logger."""
        levels: dict[str, Any] = {}
        for name, text in self.file.sections.get(LOGGING, {}).items():
            if find(LOGGING, name) is None:
                logger = Option(LOGGING, name, Kind.LEVEL, None, "", choices=LEVELS)
                self._read(LOGGING, logger, text, levels)
                if logger.key in levels:
                    levels[name] = levels.pop(logger.key)
        return levels

    def _sizes(self) -> list[SizeSection]:
        sizes: list[SizeSection] = []
        seen: set[str] = set()
        for section in filter(_is_size, self.file.sections):
            name = section.partition(" ")[2].strip()
            if not name:
                self._add(self.problems, f"[{section}]: a size needs a name: [Size NAME]")
                continue
            if name in seen:
                self._add(self.problems, f"[{section}]: there is another section of this name")
            seen.add(name)
            size = self._size(section, name)
            if size is not None:
                sizes.append(size)
        if not any(map(_is_size, self.file.sections)):
            self._add(self.problems, "there is no [Size NAME] section; at least one is required")
        return sizes

    def _size(self, section: str, name: str) -> SizeSection | None:
        before = len(self.problems)
        values = self._section(section, SIZE)
        spoilt = any(section == each for each, _ in self.file.spoilt)
        if (spoilt or len(self.problems) > before) and not self._fill_in:
            return None
        if self._fill_in:
            _fill(values, SIZE)
        values["instance_type"] = values["instance_type"] or name
        free = {key: text for key, text in self.file.sections[section].items() if find(SIZE, key) is None}
        return SizeSection(id=name, **values, extra=tuple(free.items()))

    def _free(self, section: str) -> dict[str, str]:
        """What goes to the cloud's driver: the section as it is written, with the defaults of that cloud's options."""
        mine = [option for option in of_section(section) if self.provider in option.providers]
        defaults = {option.key: option.default for option in mine if option.default}
        written = self.file.sections.get(section, {})
        return defaults | {name: text for name, text in written.items() if text or find(section, name) is None}

    def _warn_of_unknown(self) -> None:
        for section, texts in self.file.sections.items():
            declared_in = SIZE if _is_size(section) else section
            if declared_in not in SECTIONS:
                self._add(
                    self.warnings,
                    f"[{section}]: unknown section; the nearest known one is [{_nearest_section(section)}]",
                )
            elif declared_in not in (*FREE_CLOUD_SECTIONS, LOGGING):
                for name in texts:
                    if find(declared_in, name) is None:
                        self._warn_of_option(section, declared_in, name)

    def _warn_of_option(self, section: str, declared_in: str, name: str) -> None:
        known = [option.name for option in of_section(declared_in)]
        if declared_in == SIZE:
            like = nearest(name, known, TYPO_LIKENESS)
            if like:
                self._add(self.warnings, f"[{section}] {name}: unknown option; the nearest known one is {like}")
            return
        elsewhere = [
            option.section for option in OPTIONS if option.key == name and option.section not in FREE_CLOUD_SECTIONS
        ]
        place = f"{name} in [{elsewhere[0]}]" if elsewhere else nearest(name, known) or ""
        meant = find(section, place)
        unset = meant is not None and meant.key not in self.file.sections[section]
        if unset and meant is not None and meant.no_limit is not None and meant.default == f"{meant.no_limit:g}":
            place += ", which the file does not set: there is NO LIMIT"
        self._add(self.warnings, f"[{section}] {name}: unknown option; the nearest known one is {place}")

    def _check_keeper(self, daemon: Mapping[str, Value], arvados: Mapping[str, Value]) -> None:
        """Who keeps the node records, and whether there is an Arvados at all."""
        slurm, kept_by = daemon.get("dispatcher") == "slurm", arvados.get("node_records")
        spoilt = any(
            (section, name) in self.file.spoilt for section, name in ((ARVADOS, "host"), (DAEMON, "dispatcher"))
        )
        if spoilt or "host" not in arvados or "dispatcher" not in daemon:
            return
        host = find(ARVADOS, "host")
        assert host is not None
        if arvados["host"] and not arvados.get("token", "told"):
            self._problem(ARVADOS, "token", "missing; required with host: one word, kept secret")
        if not arvados["host"] and kept_by == KEPT_BY_ARVADOS:
            self._problem(ARVADOS, "node_records", f"arvados needs [Arvados] host; allowed: {host.allowed}")
        elif not arvados["host"] and not slurm:
            alone = "or none, where Slurm is alone, with [Daemon] dispatcher = slurm"
            self._problem(ARVADOS, "host", f"missing; required: {host.allowed}, {alone}")
        if kept_by == KEPT_BY_SLURM and not slurm:
            self._problem(ARVADOS, "node_records", "slurm needs [Daemon] dispatcher = slurm; allowed: auto, arvados")

    def _check_together(self, daemon: Mapping[str, Value], sizes: list[SizeSection]) -> None:
        """What no option can be blamed for alone."""
        low, high = daemon.get("min_nodes"), daemon.get("max_nodes")
        if isinstance(low, int) and isinstance(high, int) and low > high:
            self._problem(DAEMON, "min_nodes", f"{low} is above max_nodes, {high}; allowed: 0 to {high}")
        arvados = self.file.sections.get(ARVADOS, {})
        pinged = bool(arvados.get("host")) and arvados.get("node_records") != KEPT_BY_SLURM
        for option in OPTIONS:
            there = self.file.sections.get(option.section, {}).get(option.key)
            spoilt = (option.section, option.key) in self.file.spoilt
            needed = pinged or option.key != "ping_host"
            if self.provider in option.required_for and needed and not there and not spoilt:
                wrong = f"missing; required with {self.provider}: {option.allowed}"
                self._problem(option.section, option.name, wrong)
        for size in sizes:
            if size.preemptible and self.provider in WITHOUT_PREEMPTIBLE:
                wrong = f"the {self.provider} driver has no such nodes; allowed: no"
                self._problem(f"Size {size.id}", "preemptible", wrong)
            if daemon.get("dispatcher") == "slurm" and not set(NOT_IN_SLURM).isdisjoint(size.id):
                allowed = f"no blanks and none of {NOT_IN_SLURM.strip()}"
                self._add(self.problems, f"[Size {size.id}]: cannot be a feature of Slurm nodes; allowed: {allowed}")


def _arvados(values: Mapping[str, Any], certs_file: str) -> ArvadosSettings:
    resolved = dict(values)
    resolved["jobs_queue"] = resolved["jobs_queue"] and bool(resolved["host"])
    return ArvadosSettings(**resolved, certs_file=certs_file)


def _fill(values: dict[str, Any], section: str) -> None:
    """Put defaults, or examples, in place of what is not there. `section`: where the options are declared."""
    for option in of_section(section):
        if option.key not in values and option.key != "provider":
            values[option.key] = value_of(option, option.example if option.default is None else option.default)


def _is_size(section: str) -> bool:
    return section == "Size" or section.startswith("Size ")


def _nearest_section(section: str) -> str:
    return nearest(section, SECTIONS) or DAEMON


def _daemon(values: Mapping[str, Any], *, with_arvados: bool) -> DaemonSettings:
    resolved = dict(values)
    resolved["partitions"] = tuple(filter(None, (name.strip() for name in resolved["partitions"].split(","))))
    resolved["job_name_pattern"] = resolved["job_name_pattern"] or (ARVADOS_CONTAINER if with_arvados else "")
    if resolved["cancel_unsatisfiable"] is None:
        resolved["cancel_unsatisfiable"] = with_arvados
    if resolved["poll_hopeless_after"] is None:
        resolved["poll_hopeless_after"] = HOPELESS_POLLS * resolved["poll_stale_after"]
    if resolved["watchdog_interval"] is None:
        interval = resolved["watchdog"] / WATCHDOG_ROUNDS
        resolved["watchdog_interval"] = min(max(interval, SHORTEST_INTERVAL), LONGEST_INTERVAL)
    if not resolved["state_dir"]:  # systemd gives several, with colons between, when the unit names several
        resolved["state_dir"] = os.environ.get("STATE_DIRECTORY", "").partition(":")[0]
    return DaemonSettings(**resolved)
