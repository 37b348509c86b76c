"""The names that classes and fields have in journals, where the program calls them otherwise by now.

A journal outlives the build that wrote it, and so do the checksums in it: they are made of these names. A class or a
field that is renamed gets a line here, and nothing else changes for those who read or compare.
"""

from __future__ import annotations

from collections.abc import Mapping

CLASSES: Mapping[str, str] = {"OperatorWord": "OperatorDirective"}  # name in journals: name of the class
FIELDS: Mapping[str, Mapping[str, str]] = {  # name of the class: name in journals: name of the field
    "Policy": {"sinfo": "asks_scheduler"},
    "CloudNode": {"word": "directive"},
    "OperatorDirective": {"word": "directive"},
    "OperatorSaid": {"word": "directive"},
    "SetWord": {"word": "directive"},
}

_IN_JOURNALS = {name: there for there, name in CLASSES.items()}


def name_of(message: type) -> str:
    """A class's name in journals."""
    return _IN_JOURNALS.get(message.__name__, message.__name__)


def fields_of(message: type) -> Mapping[str, str]:
    """The fields of a class that have other names in journals: name in journals, name here."""
    return FIELDS.get(message.__name__, {})
