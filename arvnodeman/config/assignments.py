"""Options given beside the file, as `[Section] option = value`: what they are there instead of what the file says."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from arvnodeman.config.option import FREE_CLOUD_SECTIONS, LOGGING, NAMED, SECTIONS, SIZE, declared_in, nearest
from arvnodeman.config.table import find, of_section

FORM = "[Section] option = value"
_FORM = re.compile(r"\s*\[([^]]+)\]\s*([^\s=\[\]]+)\s*=(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Assignment:
    """A value for one option, as the file would have it, but that a percent sign is itself."""

    section: str
    name: str  # as people write it
    text: str = field(repr=False)  # may be secret

    @property
    def key(self) -> str:
        """The name under which the value is kept."""
        return self.name if self.section == LOGGING and find(LOGGING, self.name) is None else self.name.lower()

    @property
    def option(self) -> str:
        """For people: [Section] option."""
        return f"[{self.section}] {self.name}"

    @property
    def declared_in(self) -> str:
        """The section under which its option is declared."""
        return declared_in(self.section)


def assignment(text: str) -> Assignment:
    """Of `[Section] option = value`. Raises ValueError with words, which show nothing behind the `=`: it may be
    secret."""
    found = _FORM.fullmatch(text)
    if found is None:
        raise ValueError(f"{text.partition('=')[0].strip()[:60]!r} is not {FORM}")
    section, name, value = (part.strip() for part in found.groups())
    return Assignment(section, name, value)


def is_size(section: str) -> bool:
    """Is this the header of a [Size NAME]?"""
    return declared_in(section) == SIZE


def merged(
    sections: Mapping[str, Mapping[str, str]], assignments: Sequence[Assignment]
) -> tuple[dict[str, dict[str, str]], list[str]]:
    """The sections of a file with these, of which the last one of an option stands; and what of them means nothing, as
    `[Section] option: what is wrong`."""
    found = {section: dict(texts) for section, texts in sections.items()}
    wrong: dict[str, None] = {}
    for each in assignments:
        if mistake := _mistake(each, assignments, sections):
            wrong[mistake] = None
        else:
            found.setdefault(each.section, {})[each.key] = each.text
    return found, list(wrong)


def _mistake(each: Assignment, assignments: Sequence[Assignment], sections: Collection[str]) -> str:
    declared_in = each.declared_in
    if declared_in not in SECTIONS:
        return f"[{each.section}]: unknown section; the nearest known one is [{nearest(each.section, SECTIONS)}]"
    if declared_in in NAMED.values() and each.section not in sections:
        needed = next(option.key for option in of_section(declared_in) if option.default is None)
        if not any(other.section == each.section and other.key == needed for other in assignments):
            kind = declared_in.partition(" ")[0]
            like = nearest(each.section, (other for other in sections if other.startswith(kind)))
            hint = f"; the nearest is [{like}]" if like else ""
            return f"[{each.section}]: the file has no such {kind.lower()}{hint}; a new one needs {needed}"
    if declared_in in (*FREE_CLOUD_SECTIONS, LOGGING) or find(declared_in, each.name) is not None:
        return ""
    known = nearest(each.name, (option.name for option in of_section(declared_in)))
    return f"{each.option}: unknown option; the nearest known one is {known}"
