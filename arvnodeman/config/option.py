"""What an option of the configuration file is, and how a dataclass of settings declares its own.

A section of the file is a frozen dataclass. Each of its fields carries its option's declaration, and nothing else does:

    @section(DAEMON)
    class DaemonSettings:
        max_nodes: int = option(WHOLE, "1", "Never more nodes than this ...", low=0)

The type of the field must be what the kind reads, or mypy says so. Reading, `check-config`, reload, the example file
and the page of options all go by these declarations.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MemberDescriptorType
from typing import TYPE_CHECKING, Any, Generic, TypedDict, TypeVar, Unpack, dataclass_transform

if TYPE_CHECKING:
    from arvnodeman.config.settings import Settings

MANAGE, DAEMON, LEADER, LOGGING, ARVADOS, CLOUD = "Manage", "Daemon", "Leader", "Logging", "Arvados", "Cloud"
CREDENTIALS, LISTING, CREATE = "Cloud Credentials", "Cloud List", "Cloud Create"
SIZE, SPARE, BUDGET = "Size NAME", "Spare NAME", "Budget NAME"  # each stands for any number of sections

# The cloud decides what is known in these sections; the names listed here are those that we act on or document.
FREE_CLOUD_SECTIONS = (CREDENTIALS, LISTING, CREATE)

SECTIONS: dict[str, str] = {
    MANAGE: "The management server: status, health and metrics over HTTP.",
    DAEMON: "When nodes are booted and stopped, how many, and how patiently.",
    LEADER: (
        "If managers of one cluster run on several hosts: which of them acts. This section is the same on all of "
        "them, except this_host. See doc/operations.md."
    ),
    LOGGING: (
        "Every other name in this section is a logger, and its value is that logger's level: `pykka = WARNING`. "
        "Names of loggers are case-sensitive."
    ),
    ARVADOS: "The Arvados API server, and which queues are read.",
    CLOUD: "The cloud, and when its nodes may be shut down.",
    CREDENTIALS: "Passed on to the cloud's libcloud driver, whatever their names; all values are kept secret.",
    LISTING: (
        "Which nodes of the cloud account are ours. With ec2 every name is a filter, in which `_` means `:`. "
        "`tag_NAME = VALUE` (ec2, openstack) is both a filter and a tag that new nodes get."
    ),
    CREATE: (
        "How new nodes are made. `tag_NAME = VALUE` (azure) is a tag that new nodes get. Names that are not listed "
        "here are passed to libcloud's create_node unchanged."
    ),
    SIZE: (
        "One section for each node size that may be booted, at least one. NAME is its name in jobs and tags. Other "
        "option names override what the provider says of the size."
    ),
    SPARE: (
        "Idle nodes that are kept ready at certain times; any number of such sections. NAME is what explain calls "
        "them. See doc/money.md."
    ),
    BUDGET: (
        "What nodes may cost for some accounts, users or partitions in an hour, day, week or month; any number of "
        "such sections, and all of them apply. See doc/money.md."
    ),
}
NAMED = {declared.partition(" ")[0]: declared for declared in SECTIONS if declared.endswith(" NAME")}
OPTIONAL = frozenset(NAMED.values()) - {SIZE}  # of these there may be none

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
SectionT = TypeVar("SectionT")


@dataclass(frozen=True, slots=True)
class Kind(Generic[T_co]):
    """What an option's text must be, and what is made of it. The kinds that there are stand in kinds.py."""

    words: str  # for people
    read: Callable[[Option, str], T_co]  # never of an empty text; raises ValueError with words on what is wrong
    empty: object = ""  # what an empty text means where the default is empty, too
    choices: tuple[str, ...] = ()
    secret: bool = False
    has_lines: bool = False  # its text may have several
    has_commas: bool = False  # they are part of one value


class Details(TypedDict, total=False):
    """What more an option may have; see Option."""

    low: float
    above: float
    high: float
    example: str
    live: bool
    no_limit: float
    at_once: bool


@dataclass(frozen=True, slots=True)
class Option:
    """One option. `default` is text as in the file; None: required. An empty default is explained in `meaning`."""

    section: str
    name: str  # as people write it; any case is understood
    kind: Kind[Any]
    default: str | None
    meaning: str
    unit: str = ""
    low: float | None = None  # the least value allowed
    above: float | None = None  # allowed values are greater than this
    high: float | None = None  # the greatest value allowed
    example: str = ""
    providers: tuple[str, ...] = ()  # the clouds that it is for; empty: all
    live: bool = False  # not required, and yet no comment in the example file, or there with its example
    required_for: tuple[str, ...] = ()  # the providers that cannot do without it
    no_limit: float | None = None  # the value that means that there is none
    at_once: bool = False  # a reload puts it into force; else it needs a restart

    @property
    def key(self) -> str:
        """The name in lower case, under which values are kept."""
        return self.name.lower()

    @property
    def secret(self) -> bool:
        """Must its value never be shown?"""
        return self.kind.secret or self.section == CREDENTIALS

    @property
    def allowed(self) -> str:
        """What a value may be, in words."""
        if self.kind.choices:
            *first, last = (choice or "empty" for choice in self.kind.choices)
            return f"{', '.join(first)} or {last}"
        bounds = (("at least", self.low), ("above", self.above), ("at most", self.high))
        return ", ".join([self.kind.words, *(f"{word} {bound:g}" for word, bound in bounds if bound is not None)])


@dataclass(frozen=True, slots=True)
class Setting:
    """One field of a section's dataclass."""

    section: str
    attribute: str
    name: str  # what people call it: its option's name, or its own where it is made of names that are free
    at_once: bool
    option: Option | None = None
    otherwise: Callable[[Settings], object] | None = None  # its value where the file says nothing, or an empty text


_DECLARED = "setting"  # in a field's metadata: what makes its Setting of the names of its section and its own
_settings: dict[type, tuple[Setting, ...]] = {}


def option(
    kind: Kind[T],
    default: str | None,
    meaning: str,
    unit: str = "",
    *,
    name: str = "",
    otherwise: Callable[[Settings], T] | None = None,
    **details: Unpack[Details],
) -> T:
    """Declares a field's option. `name`: where the field is not called like it. `otherwise`: what it is when its text
    is empty, which depends on other settings; these must not depend on others themselves."""

    def make(section: str, field: str) -> Setting:
        made = Option(section, name or field, kind, default, meaning, unit, **details)
        return Setting(section, field, made.name, made.at_once, made, otherwise)

    return _field(make)  # type: ignore[no-any-return]  # the field's own type, as for dataclasses.field()


def optional(kind: Kind[T], meaning: str, unit: str = "", **details: Unpack[Details]) -> T | None:
    """Likewise, for one whose empty text, the default, is not a value: None."""
    return option(kind, "", meaning, unit, **details)


def free(*, at_once: bool = False) -> Any:
    """Declares a field that is made of names that are free."""
    return _field(lambda section, field: Setting(section, field, field, at_once))


def _field(make: Callable[[str, str], Setting]) -> Any:
    return dataclasses.field(metadata={_DECLARED: make})


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(option, optional, free))
def section(name: str) -> Callable[[type[SectionT]], type[SectionT]]:
    """Makes a frozen dataclass of a class whose fields are settings of this section."""

    def decorate(declared: type[SectionT]) -> type[SectionT]:
        made = dataclass(frozen=True, slots=True, kw_only=True)(declared)
        fields = dataclasses.fields(made)  # type: ignore[arg-type]  # it is one now
        _settings[made] = tuple(each.metadata[_DECLARED](name, each.name) for each in fields)
        return made

    return decorate


def declared_in(header: str) -> str:
    """The section under which the options of one with this header are declared: `Size NAME` for `Size m5.large`."""
    return NAMED.get(header.partition(" ")[0], header)


def settings_of(section: type) -> tuple[Setting, ...]:
    """The settings of a section's dataclass, in order."""
    return _settings[section]


def with_values(section: SectionT, values: Mapping[str, object]) -> SectionT:
    """A section's settings with these values, by attribute, in place of its own."""
    made: Any = section  # a dataclass, whichever
    changed: SectionT = dataclasses.replace(made, **values)
    return changed


def option_of(setting: object) -> Option:
    """The option of a setting, given as its attribute of the class: `option_of(DaemonSettings.max_nodes)`."""
    assert isinstance(setting, MemberDescriptorType)  # a slot of the dataclass
    (found,) = (each.option for each in _settings[setting.__objclass__] if each.attribute == setting.__name__)
    assert found is not None, f"{setting.__name__} has no option"
    return found


def nearest(name: str, known: Iterable[str], cutoff: float = 0.0) -> str | None:
    """The known name most like this one, whatever the case; None when none is as like as `cutoff` (0 to 1)."""
    by_lower = {each.lower(): each for each in known}
    found = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=cutoff)
    return by_lower[found[0]] if found else None
