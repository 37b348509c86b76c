"""Writes nodemanager.cfg.example and doc/configuration.md from the table of options.

`python -m arvnodeman.config.reference` writes both; a test compares them with the table.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

from arvnodeman.config.option import (
    BUDGET,
    CREATE,
    CREDENTIALS,
    LISTING,
    OPTIONAL,
    SECTIONS,
    SIZE,
    SPARE,
    Option,
    option_of,
)
from arvnodeman.config.settings import CloudSettings
from arvnodeman.config.table import of_section

EXAMPLE = "nodemanager.cfg.example"
PAGE = "doc/configuration.md"
EXAMPLE_SIZE = "m5.large"
EXAMPLE_NAMES = {SIZE: EXAMPLE_SIZE, SPARE: "day", BUDGET: "physics"}
WIDTH = 100


def _listed(sections: Sequence[str]) -> str:
    return " and ".join(f"[{section}]" for section in sections)


_EXAMPLE_HEAD = """\
Example configuration of Arvados Node Manager. Made from the program's table of options; doc/configuration.md has the
same as a page.

Options that must be set are not commented out; give them your values. Every other option is commented out with its
default: remove the # to change it. Sections that may be absent are commented out too, with an example.
`arvados-node-manager check-config --config FILE` checks a file without starting anything. Times are in seconds and may
be fractions, unless an option says otherwise.
"""

_PAGE_HEAD = f"""\
# Configuration

Every option of the configuration file (`--config FILE`). `make docs` makes this page and `{EXAMPLE}` from the
program's own table of options.

## The file

* `[Section]` lines and `option = value` lines, in UTF-8. Names of options are not case-sensitive; names of sections
  are. An indented line continues the value above it. No section or option may occur twice.
* In the sections of the cloud all names are converted to lower case: `tag_Class = x` is the tag `class`.
* A comment is a line that begins with `#` or `;`, or the rest of a line after a blank and `#` or `;`:
  `jobs_queue = yes  # comment`. In [{CREDENTIALS}], [{LISTING}] and [{CREATE}] ` #` is part of the value, because
  passwords and tags may contain it, unless the option is listed below and is not secret; ` ;` begins a comment there,
  too. `check-config` lists such values.
* Write a percent sign as `%%`. `%(NAME)s` is replaced with the value of option NAME of the same section.
* yes, true, on and 1 mean yes; no, false, off and 0 mean no. Numbers may be fractions unless they must be whole; `nan`
  and `inf` are refused; a number above 1,000,000,000 counts as that, which means never or no limit.
* An unknown section or option is a warning at start, with the nearest known name. At a reload and for `check-config`
  it is an error; a refused reload leaves the old configuration in force.
  Any name is allowed in [{CREDENTIALS}], [{LISTING}] and [{CREATE}]; under [Logging] names are loggers; in a
  [{SIZE}] section they override attributes of the provider's size.
* There is one [{SIZE}] section for each size, with its name: `[Size {EXAMPLE_SIZE}]`.
  The same holds for {_listed(sorted(OPTIONAL))}, which are optional.
* All mistakes are reported at once, one line each, `FILE: [Section] option: what is wrong; allowed: what is allowed`,
  and the program exits with code 2. No line shows the value of a secret.
"""


def example_text() -> str:
    """The text of nodemanager.cfg.example: a file that loads, and names every option with its default."""
    lines = list(_comment(_EXAMPLE_HEAD))
    for section in SECTIONS:
        lines += ["", "", *_comment(SECTIONS[section])]
        lines += [_header(section)]
        for option in of_section(section):
            lines += ["", *_comment(_explained(option)), _line(option)]
    return "\n".join(lines) + "\n"


def page_text() -> str:
    """The text of doc/configuration.md."""
    parts = [_PAGE_HEAD]
    for section, meaning in SECTIONS.items():
        parts.append(f"## [{section}]\n\n{textwrap.fill(meaning, 120)}\n\n" + "\n".join(_table(section)) + "\n")
    return "\n".join(parts)


def _comment(text: str) -> Iterator[str]:
    """The paragraphs of the text as comment lines."""
    for paragraph in text.strip().split("\n\n"):
        yield from textwrap.wrap(paragraph, WIDTH, initial_indent="# ", subsequent_indent="# ")


def _header(section: str) -> str:
    header = f"[{section.replace('NAME', EXAMPLE_NAMES.get(section, ''))}]"
    return f"#{header}" if section in OPTIONAL else header


def _line(option: Option) -> str:
    cloud = option_of(CloudSettings.provider).example
    if option.section in OPTIONAL:
        shown = option.example if option.default is None or option.live else option.default
        return f"#{option.name} = {shown}".rstrip()
    if option.default is None or option.live or cloud in option.required_for:
        return f"{option.name} = {option.example}"
    return f"#{option.name} = {option.default}".rstrip()


def _explained(option: Option) -> str:
    unit = f", in {option.unit}" if option.unit else ""
    return f"{_clouds(option)}{option.meaning}\n\nAllowed: {option.allowed}{unit}."


def _clouds(option: Option) -> str:
    return f"[{', '.join(option.providers)}] " if option.providers else ""


def _default(option: Option) -> str:
    if option.default is None:
        return "**required**"
    if option.required_for:
        return f"**required** ({', '.join(option.required_for)})"
    return f"`{option.default}`" if option.default else "empty"


def _table(section: str) -> Iterator[str]:
    yield "| option | default | meaning | unit | allowed |"
    yield "|---|---|---|---|---|"
    for option in of_section(section):
        cells = (
            f"`{option.name}`",
            _default(option),
            f"{_clouds(option)}{option.meaning}",
            option.unit,
            option.allowed,
        )
        yield f"| {' | '.join(cells)} |".replace("|  |", "| |")


def main() -> None:
    """Write both files into the source tree that this module stands in."""
    root = Path(__file__).parents[2]
    (root / EXAMPLE).write_text(example_text(), encoding="utf-8")
    (root / PAGE).write_text(page_text(), encoding="utf-8")


if __name__ == "__main__":
    main()
