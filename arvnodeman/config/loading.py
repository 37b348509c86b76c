"""The configuration file -> Settings. All mistakes are named at once, one line each.

A line is `FILE: [Section] option: what is wrong; allowed: what is allowed`. Names that are not known are warnings here,
and errors for `check-config`. No line quotes the value of a secret.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

from arvnodeman.config import ini
from arvnodeman.config.assignments import Assignment, is_size, merged
from arvnodeman.config.budgets import BudgetSettings, mistakes_of_budget
from arvnodeman.config.cloud_options import EC2, PING_HOST, WITHOUT_PREEMPTIBLE
from arvnodeman.config.daemon import CHEAPEST, DaemonSettings
from arvnodeman.config.keeper import mistakes_of_names
from arvnodeman.config.kinds import LEVEL, value_of
from arvnodeman.config.ladder import ladder_of, mistakes, mistakes_of_zones, zones_in
from arvnodeman.config.leader import LeaderSettings, mistakes_of_leader
from arvnodeman.config.option import (
    BUDGET,
    CREATE,
    CREDENTIALS,
    DAEMON,
    FREE_CLOUD_SECTIONS,
    LISTING,
    LOGGING,
    OPTIONAL,
    SECTIONS,
    SIZE,
    SPARE,
    Option,
    declared_in,
    nearest,
    option_of,
    settings_of,
)
from arvnodeman.config.settings import (
    KEPT_BY_ARVADOS,
    KEPT_BY_SLURM,
    KEPT_BY_SLURM_CLOUD,
    ArvadosSettings,
    CloudSettings,
    LoggingSettings,
    ManageSettings,
    Settings,
    SizeSettings,
)
from arvnodeman.config.settled import settled
from arvnodeman.config.spares import SpareSettings, mistakes_of_spare
from arvnodeman.config.table import OPTIONS, find, of_section
from arvnodeman.fleet.values.gres import NoGres
from arvnodeman.fleet.values.model import Secret, SizeSection

TYPO_LIKENESS = 0.8  # names in a size section are free, but one this like a known name is taken for a slip
NOT_IN_SLURM = " \t,&|*()[]=\"'\\"  # characters that a Slurm feature cannot hold

SET = "--set"  # stands for the file in mistakes of what was given beside it

SectionT = TypeVar("SectionT")


class ConfigError(Exception):
    """A file that cannot be used. `problems` and `warnings` are lines for people, each naming file and option."""

    def __init__(self, problems: tuple[str, ...], warnings: tuple[str, ...] = ()) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
        self.warnings = warnings

    @property
    def lines(self) -> tuple[str, ...]:
        """All that is to be mended in the file. Who has a bad file in hand wants names that are not known, too."""
        return (*self.problems, *self.warnings)


def load(path: str, assignments: Sequence[Assignment] = (), *, offline: bool = False) -> Settings:
    """Read the file. Raises ConfigError with every mistake in it; asks nothing over the network.

    `assignments`: options that have another value than in the file; their mistakes begin with `--set`, as people give
    them. `offline`: for those who never ask cloud or API server: what these alone need may be missing.
    """
    reading = _Reading(path, ini.read(path), assignments, offline=offline)
    file = reading.file
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

    def __init__(
        self,
        path: str,
        file: ini.IniFile,
        assignments: Sequence[Assignment] = (),
        *,
        fill_in: bool = False,
        offline: bool = False,
    ) -> None:
        """`fill_in`: make settings of a bad file, too."""
        self.path = path
        self._fill_in, self._offline = fill_in, offline
        self._assigned = {(each.section, each.key) for each in assignments}
        sections, mistakes = merged(file.sections, assignments if file.sections else ())
        self.file = replace(file, sections=sections)
        self.problems: list[str] = []
        self.warnings: list[str] = []
        self._zones: tuple[str, ...] = ()
        self._by_price = False
        self._unread: set[Option] = set()  # options whose values could not be read; something stands in for them
        self.provider = self._text(option_of(CloudSettings.provider)) or ""
        for problem in file.problems:
            self._add(self.problems, problem)
        for mistake in mistakes:
            self._add(self.problems, mistake, SET)

    def settings(self) -> Settings | None:
        """The settings, or None when there are problems that nothing can stand in for."""
        self._warn_of_unknown()
        manage = self._section(ManageSettings)
        daemon = self._section(DaemonSettings)
        leader = self._section(LeaderSettings)
        logging = self._section(LoggingSettings)
        arvados = self._section(ArvadosSettings)
        cloud = self._section(CloudSettings)
        for section in FREE_CLOUD_SECTIONS:
            self._check_free(section)
        logging = replace(logging, loggers=self._loggers())
        self._by_price = daemon.rung_order == CHEAPEST
        for option, wrong in mistakes_of_zones(self.provider, self.file.sections.get(CREATE, {})):
            self._problem(CREATE, option, wrong)
        if cloud is not None and cloud.burst and self.provider not in EC2:
            burst = option_of(CloudSettings.burst)
            alone = f"the {self.provider} driver asks for each node alone; allowed: no"
            self._problem(burst.section, burst.name, alone)
        sizes = self._sizes()
        of_sizes = partial(mistakes_of_spare, sizes=sizes)
        spares = tuple(each.spare(name) for name, each in self._each(SPARE, SpareSettings, of_sizes))
        budgets = tuple(each.budget(name) for name, each in self._each(BUDGET, BudgetSettings, mistakes_of_budget))
        self._check_together(daemon, sizes)
        self._check_keeper(daemon, arvados)
        self._check_names(daemon, arvados, sizes)
        if self.problems and not (self._fill_in and self._was_read(CloudSettings.provider)):
            return None
        given = Settings(
            path=self.path,
            warnings=tuple(self.warnings),
            manage=manage,
            daemon=daemon,
            leader=leader,
            logging=logging,
            arvados=replace(arvados, jobs_queue=arvados.jobs_queue and bool(arvados.host)),
            cloud=replace(
                cloud,
                credentials={name: Secret(text) for name, text in self._free(CREDENTIALS).items()},
                listing=self._free(LISTING),
                create=self._free(CREATE),
            ),
            sizes=tuple(sizes),
            spares=spares,
            budgets=budgets,
        )
        whole = settled(given)
        for section, option, wrong in mistakes_of_leader(whole):
            self._problem(section, option, wrong)
        return whole

    def _add(self, lines: list[str], text: str, place: str = "") -> None:
        """One line, whatever characters are in names and values. `place`: where not in the file."""
        lines.append("".join(c if c.isprintable() else ascii(c)[1:-1] for c in f"{place or self.path}: {text}"))

    def _problem(self, section: str, name: str, text: str) -> None:
        place = SET if (section, name.lower()) in self._assigned else ""
        self._add(self.problems, f"[{section}] {name}: {text}", place)

    def _wrong(self, option: Option, text: str) -> None:
        self._problem(option.section, option.name, text)

    def _text(self, option: Option, header: str = "") -> str | None:
        """The option's text in the file; None where the file has none. `header`: of its section, for a size."""
        return self.file.sections.get(header or option.section, {}).get(option.key)

    def _was_read(self, *settings: object) -> bool:
        """Could these options be read? Each is given as an attribute of its class."""
        return self._unread.isdisjoint(map(option_of, settings))

    def _section(self, section: type[SectionT], header: str = "") -> SectionT:
        """The settings of one section, with stand-ins for what cannot be read. `header`: of a size's section."""
        values: dict[str, Any] = {}
        for setting in settings_of(section):
            values[setting.attribute] = {} if setting.option is None else self._value(setting.option, header)
        return section(**values)

    def _value(self, option: Option, header: str = "") -> object:
        """The value of one option; its default, or the example, where it cannot be read."""
        read: list[object] = []
        section = header or option.section
        text = self._text(option, header)
        if (section, option.key) in self.file.spoilt:
            pass  # told already
        elif not text and option.default is None:
            self._problem(section, option.name, f"missing; required: {option.allowed}")
        else:
            read = self._read(section, option, option.default or "" if text is None else text)
        if read:
            return read[0]
        self._unread.add(option)
        return value_of(option, option.example if option.default is None else option.default)

    def _check_free(self, section: str) -> None:
        """Options of the cloud are passed on as text; those that this cloud knows must be good."""
        for option in of_section(section):
            if not option.providers or self.provider in option.providers:  # else the name is as free as any
                self._value(option)

    def _read(self, section: str, option: Option, text: str) -> list[object]:
        """The value; nothing for a bad one, which is told of."""
        try:
            return [value_of(option, text)]
        except NoGres as error:
            for mistake in error.mistakes:
                self._problem(section, option.name, f"{mistake}; allowed: {option.allowed}")
        except ValueError as error:
            self._problem(section, option.name, f"{error}; allowed: {option.allowed}")
        return []

    def _loggers(self) -> dict[str, str]:
        """Every name under [Logging] that is not an option of ours is a logger."""
        levels: dict[str, str] = {}
        for name, text in self.file.sections.get(LOGGING, {}).items():
            if find(LOGGING, name) is None:
                logger = Option(LOGGING, name, LEVEL, None, "")
                levels.update((name, str(level)) for level in self._read(LOGGING, logger, text))
        return levels

    def _named(self, kind: str) -> Iterator[tuple[str, str]]:
        """The headers of all sections of a kind that have names, each with its NAME."""
        seen: set[str] = set()
        word = kind.partition(" ")[0].lower()
        for section in [each for each in self.file.sections if declared_in(each) == kind]:
            name = section.partition(" ")[2].strip()
            if not name:
                self._add(self.problems, f"[{section}]: a {word} needs a name: [{kind}]")
                continue
            if name in seen:
                self._add(self.problems, f"[{section}]: there is another section of this name")
            seen.add(name)
            yield section, name

    def _sizes(self) -> list[SizeSection]:
        self._zones = zones_in(self.provider, self.file.sections.get(CREATE, {}))
        if not any(map(is_size, self.file.sections)):
            self._add(self.problems, f"there is no [{SIZE}] section; at least one is required")
        found = (self._size(section, name) for section, name in self._named(SIZE))
        return [size for size in found if size is not None]

    def _each(
        self, kind: str, declared: type[SectionT], mistakes: Callable[[SectionT], Iterable[tuple[str, str]]]
    ) -> Iterator[tuple[str, SectionT]]:
        """All sections of a kind, by NAME. `mistakes`: of one whose options are good each by itself."""
        for section, name in self._named(kind):
            before = len(self.problems)
            found = self._section(declared, section)
            if len(self.problems) == before:
                for option, wrong in mistakes(found):
                    self._problem(section, option, wrong)
            yield name, found

    def _size(self, section: str, name: str) -> SizeSection | None:
        before = len(self.problems)
        size = self._section(SizeSettings, section)
        spoilt = any(section == each for each, _ in self.file.spoilt)
        if (spoilt or len(self.problems) > before) and not self._fill_in:
            return None
        for option, wrong in mistakes(size, self.provider, self._zones):
            self._problem(section, option, wrong)
        texts = self.file.sections[section]
        extra = {key: text for key, text in texts.items() if find(SIZE, key) is None}
        return size.section(name, extra, ladder_of(size, self._zones, by_price=self._by_price))

    def _free(self, section: str) -> dict[str, str]:
        """What goes to the cloud's driver: the section as it is written, with the defaults of that cloud's options."""
        mine = [option for option in of_section(section) if self.provider in option.providers]
        defaults = {option.key: option.default for option in mine if option.default}
        written = self.file.sections.get(section, {})
        return defaults | {name: text for name, text in written.items() if text or find(section, name) is None}

    def _warn_of_unknown(self) -> None:
        for section, texts in self.file.sections.items():
            kind = declared_in(section)
            if kind not in SECTIONS:
                self._add(
                    self.warnings,
                    f"[{section}]: unknown section; the nearest known one is [{_nearest_section(section)}]",
                )
            elif kind not in (*FREE_CLOUD_SECTIONS, LOGGING):
                for name in texts:
                    if find(kind, name) is None:
                        self._warn_of_option(section, kind, name)

    def _warn_of_option(self, section: str, kind: str, name: str) -> None:
        known = [option.name for option in of_section(kind)]
        if kind == SIZE:
            like = nearest(name, known, TYPO_LIKENESS)
            if like:
                self._add(self.warnings, f"[{section}] {name}: unknown option; the nearest known one is {like}")
            return
        elsewhere = [
            option.section
            for option in OPTIONS
            if option.key == name and option.section not in (*FREE_CLOUD_SECTIONS, *OPTIONAL)
        ]
        place = f"{name} in [{elsewhere[0]}]" if elsewhere else nearest(name, known) or ""
        meant = find(kind, place)
        unset = meant is not None and meant.key not in self.file.sections[section]
        if unset and meant is not None and meant.no_limit is not None and meant.default == f"{meant.no_limit:g}":
            place += ", which the file does not set: there is NO LIMIT"
        self._add(self.warnings, f"[{section}] {name}: unknown option; the nearest known one is {place}")

    def _check_keeper(self, daemon: DaemonSettings, arvados: ArvadosSettings) -> None:
        """Who keeps the node records, and whether there is an Arvados at all."""
        if not self._was_read(ArvadosSettings.host, DaemonSettings.dispatcher):
            return
        slurm, kept_by = daemon.dispatcher == "slurm", arvados.node_records
        host, token = option_of(ArvadosSettings.host), option_of(ArvadosSettings.token)
        records = option_of(ArvadosSettings.node_records)
        if arvados.host and not (arvados.token or self._offline) and self._was_read(ArvadosSettings.token):
            self._wrong(token, "missing; required with host: one word, kept secret")
        if not arvados.host and kept_by == KEPT_BY_ARVADOS:
            self._wrong(records, f"arvados needs [Arvados] host; allowed: {host.allowed}")
        elif not arvados.host and not slurm and kept_by != KEPT_BY_SLURM_CLOUD:
            alone = "or none, where Slurm is alone, with [Daemon] dispatcher = slurm"
            self._wrong(host, f"missing; required: {host.allowed}, {alone}")
        if kept_by in (KEPT_BY_SLURM, KEPT_BY_SLURM_CLOUD) and not slurm:
            self._wrong(records, f"{kept_by} needs [Daemon] dispatcher = slurm; allowed: auto, arvados")

    def _check_names(self, daemon: DaemonSettings, arvados: ArvadosSettings, sizes: list[SizeSection]) -> None:
        if self._was_read(ArvadosSettings.host, ArvadosSettings.node_records):
            for mistake in mistakes_of_names(daemon, arvados, sizes):
                self._problem(*mistake)

    def _check_together(self, daemon: DaemonSettings, sizes: list[SizeSection]) -> None:
        """What no option can be blamed for alone."""
        low, high = daemon.min_nodes, daemon.max_nodes
        if low > high and self._was_read(DaemonSettings.min_nodes, DaemonSettings.max_nodes):
            self._wrong(option_of(DaemonSettings.min_nodes), f"{low} is above max_nodes, {high}; allowed: 0 to {high}")
        self._check_required()
        for size in sizes:
            if size.preemptible and self.provider in WITHOUT_PREEMPTIBLE:
                wrong = f"the {self.provider} driver has no such nodes; allowed: no"
                self._problem(f"Size {size.id}", option_of(SizeSettings.preemptible).name, wrong)
            if daemon.dispatcher == "slurm" and not set(NOT_IN_SLURM).isdisjoint(size.id):
                allowed = f"no blanks and none of {NOT_IN_SLURM.strip()}"
                self._add(self.problems, f"[Size {size.id}]: cannot be a feature of Slurm nodes; allowed: {allowed}")

    def _check_required(self) -> None:
        """What this cloud cannot do without."""
        if self._offline:
            return
        kept_by_slurm = self._text(option_of(ArvadosSettings.node_records)) in (KEPT_BY_SLURM, KEPT_BY_SLURM_CLOUD)
        pinged = bool(self._text(option_of(ArvadosSettings.host))) and not kept_by_slurm
        for option in OPTIONS:
            spoilt = (option.section, option.key) in self.file.spoilt
            needed = pinged or option is not PING_HOST
            if self.provider in option.required_for and needed and not self._text(option) and not spoilt:
                self._wrong(option, f"missing; required with {self.provider}: {option.allowed}")


def _nearest_section(section: str) -> str:
    return nearest(section, SECTIONS) or DAEMON
