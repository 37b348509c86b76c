"""What an option of the configuration file is, and the sections that options live in.

The options themselves are in table.py.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

MANAGE, DAEMON, LOGGING, ARVADOS, CLOUD = "Manage", "Daemon", "Logging", "Arvados", "Cloud"
CREDENTIALS, LISTING, CREATE = "Cloud Credentials", "Cloud List", "Cloud Create"
SIZE = "Size NAME"  # stands for any number of sections, each with its own NAME

# The cloud decides what is known in these sections; the names listed here are those that we act on or document.
FREE_CLOUD_SECTIONS = (CREDENTIALS, LISTING, CREATE)

SECTIONS: dict[str, str] = {
    MANAGE: "The management server: status, health and metrics over HTTP.",
    DAEMON: "When nodes are booted and stopped, how many, and how patiently.",
    LOGGING: "Every other name in this section is a logger, and its value that logger's level: `pykka = WARNING`. "
    "Names of loggers keep their case.",
    ARVADOS: "The Arvados API server, and which queues are read.",
    CLOUD: "The cloud, and when its nodes may be shut down.",
    CREDENTIALS: "Passed on to the cloud's libcloud driver, whatever the names; all values are kept secret.",
    LISTING: "Which nodes of the cloud account are ours. With ec2 every name is a filter, `_` standing for `:`; "
    "`tag_NAME = VALUE` (ec2, openstack) is both a filter and a tag that new nodes get.",
    CREATE: "What new nodes are made of. `tag_NAME = VALUE` (azure) is a tag that new nodes get. Names not listed "
    "here go to libcloud's create_node unchanged.",
    SIZE: "One section for each node size that may be booted, NAME being what jobs and tags call it; at least one. "
    "Other names override what the provider says of the size.",
}


class Kind(StrEnum):
    """What an option's text must be; the value says it to people."""

    TEXT = "text"
    SECRET = "secret text"  # noqa: S105 - words for people, no password
    WORD = "one word, kept secret"
    WHOLE = "a whole number"
    NUMBER = "a number"
    YES_NO = "yes or no"
    CHOICE = "one of a few words"
    LEVEL = "the name of a log level"
    WINDOWS = "at least two numbers with commas between, none negative, not all 0"
    HOST = "HOST or HOST:PORT; https unless http:// stands before it"
    FOLDER = "an absolute path"
    JSON = "JSON"
    HOSTLIST = "names of Slurm nodes, as cloud[1-20,31]"
    DOTTED = "a dotted path, package.module.Class"
    GRES = "NAME:COUNT or NAME:TYPE:COUNT, several with commas between"
    NAMES = "names with commas between"
    FEATURES = "names of features with commas between, without instancetype="


@dataclass(frozen=True, slots=True)
class Option:
    """One option. `default` is text as in the file; None: required. An empty default is explained in `meaning`."""

    section: str
    name: str  # as people write it; any case is understood
    kind: Kind
    default: str | None
    meaning: str
    unit: str = ""
    low: float | None = None  # the least value allowed
    above: float | None = None  # allowed values are greater than this
    high: float | None = None  # the greatest value allowed
    choices: tuple[str, ...] = ()
    example: str = ""
    providers: tuple[str, ...] = ()  # the clouds that it is for; empty: all
    live: bool = False  # not required, and yet no comment in the example file
    required_for: tuple[str, ...] = ()  # the providers that cannot do without it
    no_limit: float | None = None  # the value that means that there is none

    @property
    def key(self) -> str:
        """The name in lower case, under which values are kept."""
        return self.name.lower()

    @property
    def secret(self) -> bool:
        """Must its value never be shown?"""
        return self.kind in (Kind.SECRET, Kind.WORD) or self.section == CREDENTIALS

    @property
    def allowed(self) -> str:
        """What a value may be, in words."""
        if self.choices:
            *first, last = (choice or "nothing" for choice in self.choices)
            return f"{', '.join(first)} or {last}"
        bounds = (("at least", self.low), ("above", self.above), ("at most", self.high))
        return ", ".join([self.kind.value, *(f"{word} {bound:g}" for word, bound in bounds if bound is not None)])


def nearest(name: str, known: Iterable[str], cutoff: float = 0.0) -> str | None:
    """The known name most like this one, whatever the case; None when none is as like as `cutoff` (0 to 1)."""
    by_lower = {each.lower(): each for each in known}
    found = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=cutoff)
    return by_lower[found[0]] if found else None
