"""Reading the configuration file as text: sections, option names and values, with every mistake of form.

`configparser` reads the file. What it would surprise people with is put right here: it stops at the first duplicate or
stray line, it cannot tell which values may hold a `#`, and its messages quote values, which may be secrets.
"""

from __future__ import annotations

import configparser
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from arvnodeman.config.kinds import SECRET
from arvnodeman.config.option import FREE_CLOUD_SECTIONS, LOGGING
from arvnodeman.config.table import find

SIZE_LIMIT = 1_000_000  # bytes; a file above it is something else, and is not read into memory
PROBLEM_LIMIT = 100  # mistakes of form named; a text that is not an ini file at all would fill a terminal

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_HEADER = re.compile(r"\s*\[[^]]+\]")
_COMMENT = re.compile(r"(?:^|\s)[#;].*")
_CLASSIC_COMMENT = re.compile(r"\s;.*")
_PLACE = "\x00"  # cannot be in the file: it was refused before; marks what stands in for a duplicate
_INTERPOLATION = configparser.BasicInterpolation()


class _Parser(configparser.RawConfigParser):
    """RawConfigParser whose headers end at the first `]`, so that a comment behind may hold brackets."""

    SECTCRE = re.compile(r"\[(?P<header>[^]]+)\]")

    def __init__(self, *, strict: bool) -> None:
        super().__init__(strict=strict, default_section=_PLACE, interpolation=None)


class _CasedParser(_Parser):
    """Keeps the case of names, for loggers."""

    def optionxform(self, optionstr: str) -> str:
        return optionstr


@dataclass(frozen=True, slots=True)
class IniFile:
    """What the file says. Option names are in lower case, but for the names of loggers under [Logging]."""

    sections: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    problems: tuple[str, ...] = ()  # mistakes of form, without the file's name
    spoilt: frozenset[tuple[str, str]] = frozenset()  # section and name of options there, whose values cannot be told


def read(path: str) -> IniFile:
    """Read the file; whatever is wrong with it is in `problems`. Raises nothing for a bad file.

    A comment stands on its own line, or after a value and a blank: ` # ...` or ` ; ...` (row N13). In the three free
    cloud sections ` #` belongs to the value, as it always did there, unless the option is a known one that is no
    secret: a password may hold it, and a tag that changed its value would make existing nodes strangers.
    """
    try:
        with Path(path).open("rb") as file:
            content = file.read(SIZE_LIMIT + 1)
    except OSError as error:
        return IniFile(problems=(_unread(path, error),))
    except ValueError:
        return IniFile(problems=("this is not the name of a file",))
    if len(content) > SIZE_LIMIT:
        return IniFile(problems=(f"larger than {SIZE_LIMIT} bytes: this is not a configuration file",))
    try:
        text = content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        return IniFile(problems=(f"line {_line_of(content, error.start)}: not UTF-8 text",))
    if control := _CONTROL.search(text):
        line = text.count("\n", 0, control.start()) + 1
        return IniFile(problems=(f"line {line}: holds a control character: this is not a text file",))
    return _parse(text)


def _unread(path: str, error: OSError) -> str:
    """Why the file cannot be read, and what to type next."""
    said = (error.strerror or type(error).__name__).lower()
    match error:
        case FileNotFoundError():
            return f"{said}; `arvados-node-manager init` writes one"
        case IsADirectoryError():
            return f"{said}; name the file in it, as {Path(path) / 'config.ini'}"
        case PermissionError():
            return f"{said}; run this with sudo, or as the account of the service"
        case _:
            return said


def _line_of(content: bytes, position: int) -> int:
    return content.count(b"\n", 0, position) + 1


def _parse(text: str) -> IniFile:
    lines = text.split("\n")
    if not any(_HEADER.match(line) for line in lines):
        empty = not text.strip()
        return IniFile(problems=("the file is empty" if empty else "there is no [Section] in it",))
    problems = [*_text_before_first_header(lines), *_duplicates(list(lines))]
    parser = _CasedParser(strict=False)
    try:
        parser.read_string("\n".join(lines))
    except configparser.ParsingError as error:
        stray = "neither [Section] nor option = value"
        problems += [f"line {number}: {stray}" for number, _ in error.errors]
    sections: dict[str, dict[str, str]] = {}
    spoilt: set[tuple[str, str]] = set()
    for name in parser.sections():
        raw = {_key(name, option): _without_comment(name, option, value) for option, value in parser.items(name)}
        raw.pop("", None)
        sections[name] = dict(_interpolated(name, raw, problems))
        spoilt |= {(name, option) for option in raw if option not in sections[name]}
    if len(problems) > PROBLEM_LIMIT:
        problems[PROBLEM_LIMIT:] = [f"and {len(problems) - PROBLEM_LIMIT} more mistakes"]
    return IniFile(sections, tuple(problems), frozenset(spoilt))


def _text_before_first_header(lines: list[str]) -> Iterator[str]:
    """Blank those lines out, so that the rest can be read; name the first."""
    try:
        _Parser(strict=False).read_string("\n".join(lines))
    except configparser.MissingSectionHeaderError as error:
        first = error.lineno - 1
        yield f"line {error.lineno}: stands before the first [Section]"
        while first < len(lines) and not _HEADER.match(lines[first]):
            lines[first] = ""
            first += 1
    except configparser.Error:
        return  # the other mistakes are found later


def _duplicates(lines: list[str]) -> Iterator[str]:
    """Each section or option that is there twice: configparser names one at a time, so put something in its place."""
    for _ in range(PROBLEM_LIMIT + 1):
        try:
            _Parser(strict=True).read_string("\n".join(lines))
        except configparser.DuplicateSectionError as error:
            line, name, shown = error.lineno or 0, error.section, f"[{error.section}]"
            stand_in = f"[{name}{_PLACE}{line}]"
        except configparser.DuplicateOptionError as error:
            line, name = error.lineno or 0, error.option
            shown = f"[{error.section.split(_PLACE)[0]}] {name}"
            stand_in = f"{_PLACE}{line} ="
        except configparser.Error:
            return  # stray lines: raised at the end only, when all duplicates are known
        else:
            return
        yield f"{shown}: there a second time in line {line}"
        old = lines[line - 1]
        lines[line - 1] = old[: len(old) - len(old.lstrip())] + stand_in


def _key(section: str, name: str) -> str:
    is_logger = section == LOGGING and find(section, name) is None
    return name if is_logger else name.lower()


def _without_comment(section: str, name: str, value: str) -> str:
    """The value without comments behind it; each line of a value of several lines may have one."""
    option = find(section, name)
    may_hold_hash = section in FREE_CLOUD_SECTIONS and (option is None or option.kind is SECRET)
    comment = _CLASSIC_COMMENT if may_hold_hash else _COMMENT
    return "\n".join(comment.sub("", line) for line in value.split("\n")).strip()


def _interpolated(section: str, raw: Mapping[str, str], problems: list[str]) -> Iterator[tuple[str, str]]:
    """Resolve `%%` and `%(other_option)s`, as the classic parser did (row N14); leave out what cannot be resolved."""
    parser = configparser.RawConfigParser()
    for name, value in raw.items():
        try:
            yield name, _INTERPOLATION.before_get(parser, section, name, value, dict(raw))
            continue
        except configparser.InterpolationMissingOptionError as error:
            wrong = f"names %({error.reference})s, which this section has not"
        except configparser.InterpolationDepthError:
            wrong = "its %(NAME)s go round in a circle"
        except configparser.InterpolationSyntaxError:
            wrong = "holds a single %"
        problems.append(f"[{section}] {name}: {wrong}; a percent sign is written %%")
