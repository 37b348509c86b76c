"""The options of [Cloud Create] that no driver knows: they go to libcloud's create_node as they are."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Collection, Mapping
from configparser import ConfigParser
from typing import Any

from arvnodeman.cloud.redaction import one_line
from arvnodeman.config import ConfigError


def free_options(
    options: Mapping[str, str],
    create_node: Callable[..., Any],
    understood: Collection[str],
    own: Collection[str],
    mistake: Callable[[str, str], ConfigError],
    in_json: Mapping[str, type] | None = None,
) -> dict[str, Any]:
    """The arguments for create_node; those that it takes as yes or no are made so, as are those that it takes as a list
    or an object: in_json, with the type.

    understood: what the driver itself acts on, `tag_*` too; own: arguments that it alone sets; mistake: makes the error
    for an option. Raises ConfigError that names every option that cannot be passed on.
    """
    free: dict[str, Any] = {
        name: value for name, value in options.items() if name not in understood and not name.startswith("tag_")
    }
    taken = inspect.signature(create_node).parameters
    takes_all = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in taken.values())
    known = ", ".join([*sorted(understood), "tag_*"])
    wrong: list[str] = []
    for name in sorted(free):
        if name in own or not (takes_all or name in taken):
            wrong += mistake(name, f"this cloud has no such option; allowed: {known}").problems
        elif in_json and name in in_json:
            try:
                free[name] = from_json(free[name], in_json[name])
            except ValueError as error:
                wrong += mistake(name, str(error)).problems
        elif name in taken and isinstance(taken[name].default, bool):
            try:
                free[name] = yes_or_no(free[name])
            except ValueError as error:
                wrong += mistake(name, f"{error}; allowed: yes or no").problems
    if wrong:
        raise ConfigError(tuple(wrong))
    return free


def from_json(text: str, kind: type) -> Any:
    """A list or an object in JSON. Raises ValueError, which does not repeat it: it may hold a secret."""
    allowed = '{"NAME": …}' if kind is dict else "[…]"
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError(f"no JSON; allowed: {allowed}") from None
    if not isinstance(value, kind):
        raise ValueError(f"no {'object' if kind is dict else 'list'} in JSON; allowed: {allowed}")
    return value


def yes_or_no(text: str) -> bool:
    """The meaning of `yes`, `no` and the other words of an ini file. Raises ValueError."""
    word = ConfigParser.BOOLEAN_STATES.get(text.strip().lower())
    if word is None:
        raise ValueError(f"{one_line(text)!r} is neither yes nor no")
    return word
