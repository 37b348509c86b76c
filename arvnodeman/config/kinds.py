"""The kinds of options: from a text to its value."""

from __future__ import annotations

import json
import math
import re
from configparser import RawConfigParser
from pathlib import PurePosixPath
from typing import TypeVar

from arvnodeman.config.hostlist import hostlist
from arvnodeman.config.option import FREE_CLOUD_SECTIONS, Kind, Option, nearest
from arvnodeman.fleet.values.features import SIZE_FEATURE
from arvnodeman.fleet.values.gres import Gres, offered
from arvnodeman.fleet.values.model import Secret
from arvnodeman.fleet.values.rungs import Purchase

Word = TypeVar("Word", bound=str)

LEVELS = ("CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG", "NOTSET")
SHOWN = 60  # characters of a bad value that an error line shows
LARGEST = 1e9  # what a larger number is taken for: 31 years as seconds; no wait, date or JSON ends at that
SHORTEST_LEASE = 60  # minutes
PORT_LIMIT = 65535
AUTO = "auto"

_LEVEL_ALIASES = {"WARN": "WARNING", "FATAL": "CRITICAL"}  # as the logging module has them
_HOST = re.compile(r"(?:http://)?(?:[\w.-]+|\[[0-9a-fA-F:.]+\])(?::(\d{1,5}))?", re.ASCII)
_NODE_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252})")
_NAME = re.compile(r"[A-Za-z0-9_][\w.@+-]*", re.ASCII)
_CURRENCY = re.compile(r"([$€£¥])?\s*[0-9.]+\s*([$€£¥])?")
_TIME = re.compile(
    r"([0-9]+(?:\.[0-9]+)?)\s*(s|sec|secs|seconds?|m|min|mins|minutes?|h|hours?|d|days?)", re.ASCII | re.IGNORECASE
)
_TIME_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_SECONDS_OF = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86400}
_CALLED = {"aws": "ec2", "amazon": "ec2", "google": "gce", "gcp": "gce", "microsoft": "azure"}  # clouds, by others
_FEATURE = re.compile(r"[^\s,&|*()\[\]\"'\\]+")
_DOTTED_RANGE = re.compile(r"([A-Za-z0-9_-]*[A-Za-z_-])\{?([0-9]+)\.\.([0-9]+)\}?")
_DOTTED = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)+", re.ASCII)


def value_of(option: Option, text: str) -> object:
    """The value that the text means, of the type of the option's kind; None for a number, or for yes and no, left empty
    where the default is empty, too.

    Raises ValueError with words on what is wrong; they never quote the value of a secret. (NoGres, which is one, has
    several.)
    """
    if not text:
        if option.default != "" and option.section not in FREE_CLOUD_SECTIONS:
            raise ValueError("is empty")
        return option.kind.empty
    may_have_lines = option.kind.has_lines or option.section in FREE_CLOUD_SECTIONS
    if "\n" in text and not may_have_lines:
        raise ValueError("has more than one line (an indented line belongs to the option above it)")
    return option.kind.read(option, text)


def _shown(option: Option, text: str) -> str:
    if option.secret:
        return "the value (not shown)"
    return repr(text if len(text) <= SHOWN else text[:SHOWN] + "…")


def _word(_option: Option, text: str) -> Secret:
    if len(text.split()) != 1:
        raise ValueError("has a blank in it")
    if not text.isascii():  # it goes into an HTTP header
        raise ValueError("has a character that is not ASCII")
    return Secret(text)


def _whole(option: Option, text: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,300}", text):
        raise ValueError(f"{_shown(option, text)} is not a whole number")
    return int(_within(option, int(text), text))


def _lease(option: Option, text: str) -> int:
    minutes = _whole(option, text)
    if minutes and minutes < SHORTEST_LEASE:
        raise ValueError(f"{_shown(option, text)} is too small")
    return minutes


def _number(option: Option, text: str) -> float:
    return _within(option, _float(option, text), text)


def _float(option: Option, text: str) -> float:
    try:
        number = math.nan if "_" in text else float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        hint = "" if option.secret else _without_sign(text) or _without_unit(option, text)
        raise ValueError(f"{_shown(option, text)} is not a finite number{hint}")
    return number


def _without_sign(text: str) -> str:
    """What to write in the place of dollars with their sign; '' for other texts."""
    sign = _CURRENCY.fullmatch(text)
    return f": write it without the {sign[1] or sign[2]}" if sign and (sign[1] or sign[2]) else ""


def _without_unit(option: Option, text: str) -> str:
    """What to write in the place of a time with its unit; '' for other texts, and for options that are not times."""
    found = _TIME.fullmatch(text)
    if found is None or option.unit not in _SECONDS_OF:
        return ""
    value = float(found[1]) * _SECONDS_OF[_TIME_UNITS[found[2][0].lower()]] / _SECONDS_OF[option.unit]
    return f": write {value:g}, it is in {option.unit}"


def _within(option: Option, number: float, text: str) -> float:
    too_small = (option.low is not None and number < option.low) or (
        option.above is not None and number <= option.above
    )
    if too_small:
        raise ValueError(f"{_shown(option, text)} is too small")
    if option.high is not None and number > option.high:
        raise ValueError(f"{_shown(option, text)} is too large")
    return min(number, LARGEST)


def _number_or_auto(option: Option, text: str) -> float | None:
    return None if text.lower() == AUTO else _number(option, text)


def _yes_no(option: Option, text: str) -> bool:
    try:
        return RawConfigParser.BOOLEAN_STATES[text.lower()]
    except KeyError:
        raise ValueError(f"{_shown(option, text)} is neither yes nor no") from None


def _choice(option: Option, text: str) -> str:
    if text in option.kind.choices:
        return text
    called = _CALLED.get(text.lower(), text.lower().partition("_")[0])  # as libcloud's ec2_us_east, azure_arm
    like = called if called in option.kind.choices else nearest(text, option.kind.choices, cutoff=0.6)
    raise ValueError(f"{_shown(option, text)} is unknown" + (f" (like {like!r}?)" if like else ""))


def _level(option: Option, text: str) -> str:
    name = text.upper()
    return _choice(option, _LEVEL_ALIASES.get(name, name))


def _windows(option: Option, text: str) -> tuple[float, ...]:
    windows = tuple(_float(option, item.strip()) for item in text.split(","))
    if len(windows) < 2:
        raise ValueError("is a single number: there must be a closed and an open time")
    if min(windows) < 0:
        raise ValueError(f"{_shown(option, text)} has a negative number")
    if not sum(windows):
        raise ValueError("is nothing but zeros")
    return tuple(min(window, LARGEST) for window in windows)


def _host(option: Option, text: str) -> str:
    found = _HOST.fullmatch(text)
    if not found:
        raise ValueError(f"{_shown(option, text)} is not the name of a host")
    if found[1] and not 0 < int(found[1]) <= PORT_LIMIT:
        raise ValueError(f"{_shown(option, text)} has no port from 1 to {PORT_LIMIT}")
    return text


def _folder(option: Option, text: str) -> str:
    if not PurePosixPath(text).is_absolute():
        raise ValueError(f"{_shown(option, text)} does not begin with /")
    return text


def _json(option: Option, text: str) -> str:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError(f"{_shown(option, text)} is not JSON") from None
    return text


def _dotted(option: Option, text: str) -> str:
    if not _DOTTED.fullmatch(text):
        raise ValueError(f"{_shown(option, text)} is not a dotted path")
    return text


def _hostlist(option: Option, text: str) -> str:
    try:
        names = list(hostlist(text))
    except ValueError:
        names = []
    if not names or not all(map(_NODE_NAME.fullmatch, names)) or ".." in text:
        span = _DOTTED_RANGE.fullmatch(text)
        hint = f": write {span[1]}[{span[2]}-{span[3]}]" if span else ""
        raise ValueError(f"{_shown(option, text)} is not a list of node names{hint}")
    return text


def _gres(_option: Option, text: str) -> Gres:
    return offered(text)


def _texts(_option: Option, text: str) -> tuple[str, ...]:
    return tuple(filter(None, (name.strip() for name in text.split(","))))


def _names(option: Option, text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    for name in names:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} in {_shown(option, text)} is not a name")
    return tuple(dict.fromkeys(names))


def _purchases(option: Option, text: str) -> tuple[Purchase, ...]:
    bought = tuple(name.strip() for name in text.split(","))
    allowed = (Purchase.ON_DEMAND, Purchase.SPOT)
    for name in bought:
        if name not in allowed:
            raise ValueError(f"{name!r} in {_shown(option, text)} is not a way to pay for a node")
    return tuple(dict.fromkeys(map(Purchase, bought)))


def _reservations(option: Option, text: str) -> tuple[tuple[str, str], ...]:
    """Of each its name and its zone, '' for none."""
    found = []
    for item in (part.strip() for part in text.split(",")):
        name, _, zone = item.partition("@")
        if not name or not (item + "x").isprintable() or " " in item or (zone and not _NAME.fullmatch(zone)):
            raise ValueError(f"{item!r} in {_shown(option, text)} names no reservation")
        found.append((name, zone))
    return tuple(dict.fromkeys(found))


def _features(option: Option, text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    for name in names:
        if not _FEATURE.fullmatch(name) or not name.isprintable() or name.startswith(SIZE_FEATURE):
            raise ValueError(f"{name!r} in {_shown(option, text)} cannot be a feature that a size offers")
    return tuple(dict.fromkeys(names))


TEXT = Kind("text", lambda _option, text: text)
SECRET = Kind("secret text", lambda _option, text: Secret(text), Secret(""), secret=True)
WORD = Kind("one word, kept secret", _word, Secret(""), secret=True)
WHOLE = Kind("a whole number", _whole, None)
LEASE = Kind(f"0, or a whole number, at least {SHORTEST_LEASE}", _lease, None)
NUMBER = Kind("a number", _number, None)
NUMBER_OR_AUTO: Kind[float | None] = Kind("auto or a number", _number_or_auto, None)  # None: auto
YES_NO = Kind("yes or no", _yes_no, None)
LEVEL = Kind("the name of a log level", _level, choices=LEVELS)
WINDOWS = Kind(
    "at least two numbers separated by commas, none negative, not all 0", _windows, has_lines=True, has_commas=True
)
HOST = Kind("HOST or HOST:PORT; https unless it begins with http://", _host)
FOLDER = Kind("an absolute path", _folder)
JSON = Kind("JSON", _json, has_commas=True)
DOTTED = Kind("a dotted path, package.module.Class", _dotted)
HOSTLIST = Kind("names of Slurm nodes, such as cloud[1-20,31]", _hostlist, has_commas=True)
GRES: Kind[Gres] = Kind("NAME:COUNT or NAME:TYPE:COUNT, several separated by commas", _gres, (), has_commas=True)
TEXTS = Kind("text", _texts, (), has_commas=True)
NAMES = Kind("names separated by commas", _names, (), has_commas=True)
PURCHASES = Kind("on-demand and spot, in the order in which they are tried", _purchases, (), has_commas=True)
RESERVATIONS = Kind("ID or ID@ZONE, several separated by commas", _reservations, (), has_commas=True)
FEATURES = Kind("names of features separated by commas, without instancetype=", _features, (), has_commas=True)


def choice(*words: Word) -> Kind[Word]:
    """One of these words; an empty one is read as nothing."""
    by_text = {str(word): word for word in words}
    return Kind("one of a few words", lambda option, text: by_text[_choice(option, text)], choices=tuple(by_text))
