"""Events as plain values and back, by the type hints of their dataclasses: a new field or event needs no change here.

Plain values are what JSON has. A dataclass is an object of its fields, with its class's name under `@` where the hint
leaves that open. Secrets are written as `***`, whatever they are: a replay needs only whether there is one.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from enum import Enum
from typing import Any

from arvnodeman.fleet.messages import Event, PollNow, Step
from arvnodeman.fleet.values.model import Policy, Secret
from arvnodeman.journal.older import renewed
from arvnodeman.journal.wire import fields_of, name_of

CLASS = "@"
MASK = "***"
PLAIN = (str, int, float, bool, type(None))
_NOTHING: Mapping[str, Any] = types.MappingProxyType({})
_MANY = (tuple, list, Sequence, Collection, Iterable)  # are read as tuples
_SETS = (frozenset, set, AbstractSet)
_UNIONS = (typing.Union, types.UnionType)

Encoder = Callable[[Any], Any]
Decoder = Callable[[Any], Any]


class NotUnderstood(ValueError):
    """A plain value that this build cannot make an event of. The text is one line."""


def messages() -> dict[str, type]:
    """The classes of events and commands, and all that are in them, by name in journals. No two have one name."""
    found: dict[str, type] = {}
    waiting: list[Any] = [*typing.get_args(Event), Step, PollNow, Policy]
    while waiting:
        hint = waiting.pop()
        if isinstance(hint, type) and dataclasses.is_dataclass(hint):
            if name_of(hint) not in found:
                found[name_of(hint)] = hint
                waiting += [each for _, each in hints_of(hint)]
                waiting += hint.__subclasses__()
        else:
            waiting += typing.get_args(hint)
    return found


def hints_of(message: type) -> tuple[tuple[str, Any], ...]:
    """The fields of a dataclass with their hints, in order."""
    hints = typing.get_type_hints(message)
    return tuple((each.name, hints[each.name]) for each in dataclasses.fields(message))


class Codec:
    """Writes and reads. `unknown` counts, in words, what was read and passed over: fields of another build.

    A `bare` one leaves out what has its default, and fields that are not compared, since they follow from the others:
    what it writes stays the same when a build adds one that nobody uses yet, or one of these."""

    def __init__(self, *, bare: bool = False) -> None:
        self.bare = bare
        self.classes = messages()
        self.unknown: Counter[str] = Counter()
        self._fields: dict[type, tuple[tuple[str, str, Encoder], ...]] = {}
        self._defaults: dict[type, dict[str, Any]] = {}
        self._hints: dict[type, dict[str, Any]] = {}
        self._decoders: dict[Any, Decoder] = {}

    # ---- to plain values -------------------------------------------------------------------------------------------

    def plain(self, value: Any) -> Any:
        """A plain value that says by itself what it is of."""
        if isinstance(value, Enum):
            return value.value
        if isinstance(value, PLAIN):
            return value
        if dataclasses.is_dataclass(value):
            return {CLASS: name_of(type(value)), **self.fields(value)}
        if isinstance(value, Secret):
            return _masked(value)
        if isinstance(value, Mapping):
            return [[self.plain(key), self.plain(item)] for key, item in value.items()]
        if isinstance(value, AbstractSet):
            return sorted(map(self.plain, value), key=repr)
        if isinstance(value, Iterable):
            return [self.plain(item) for item in value]
        raise TypeError(f"a {type(value).__name__} cannot be written")

    def fields(self, value: Any) -> dict[str, Any]:
        """The fields of a dataclass."""
        encoders = self.encoders(type(value))
        if not self.bare:
            return {there: encode(getattr(value, name)) for name, there, encode in encoders}
        defaults = self._defaults_of(type(value))
        given = ((name, there, encode, getattr(value, name)) for name, there, encode in encoders)
        return {
            there: encode(each) for name, there, encode, each in given if name not in defaults or each != defaults[name]
        }

    def _defaults_of(self, message: type) -> dict[str, Any]:
        found = self._defaults.get(message)
        if found is None:
            found = {}
            for each in dataclasses.fields(message):
                if each.default is not dataclasses.MISSING:
                    found[each.name] = each.default
                elif each.default_factory is not dataclasses.MISSING:
                    found[each.name] = each.default_factory()
            self._defaults[message] = found
        return found

    def encoders(self, message: type) -> tuple[tuple[str, str, Encoder], ...]:
        """For each field of a dataclass its name in journals, too, and what makes a plain value of it."""
        found = self._fields.get(message)
        if found is None:
            in_journals = {name: there for there, name in fields_of(message).items()}
            left_out = _not_compared(message) if self.bare else frozenset()
            given = [(name, hint) for name, hint in hints_of(message) if name not in left_out]
            found = tuple((name, in_journals.get(name, name), self._encoder(hint)) for name, hint in given)
            self._fields[message] = found
        return found

    def _encoder(self, hint: Any) -> Encoder:
        """The quickest for a hint; whatever it does not cover goes to `plain`."""
        hint = _without_none(hint)
        if hint in PLAIN:
            return _same
        if isinstance(hint, type) and dataclasses.is_dataclass(hint):
            return lambda value: self.fields(value) if type(value) is hint else self.plain(value)
        if (item := _item_hint(hint)) is not None:
            encode = self._encoder(item)
            return lambda value: self.plain(value) if _unordered(value) else [encode(each) for each in value]
        return self.plain

    # ---- from plain values -----------------------------------------------------------------------------------------

    def value(self, plain: Any, hint: Any) -> Any:
        """What a plain value was before, by the hint of the place that it stands in. Raises NotUnderstood."""
        decoder = self._decoders.get(hint)
        if decoder is None:
            decoder = self._decoders[hint] = self._decoder(hint)
        try:
            return decoder(plain)
        except NotUnderstood:
            raise
        except (TypeError, ValueError, AttributeError, KeyError) as error:
            raise NotUnderstood(f"{_short(plain)} is not a {_name(hint)}: {error}") from None

    def _decoder(self, hint: Any) -> Decoder:
        origin, parts = typing.get_origin(hint), typing.get_args(hint)
        if isinstance(hint, type) and origin is None and hint is not object:
            return self._decoder_of_class(hint)
        if origin in _UNIONS:
            return lambda plain: self._of_union(plain, parts)
        if hint in (Any, object) or origin is typing.Literal:
            return _same
        if origin is tuple and parts[-1:] != (...,):
            return lambda plain: tuple(self.value(each, part) for each, part in zip(plain, parts, strict=True))
        if origin in _MANY:
            return lambda plain: tuple(self.value(each, parts[0]) for each in plain)
        if origin in _SETS:
            return lambda plain: frozenset(self.value(each, parts[0]) for each in plain)
        if origin in (Mapping, dict):
            return lambda plain: {self.value(key, parts[0]): self.value(each, parts[1]) for key, each in plain}
        raise TypeError(f"nothing is known of the hint {hint}")

    def _decoder_of_class(self, hint: type) -> Decoder:
        if hint is Secret:
            return Secret
        if hint in PLAIN:
            return _same
        if issubclass(hint, Enum):
            return hint
        if not dataclasses.is_dataclass(hint):
            raise TypeError(f"nothing is known of the class {hint.__name__}")
        return lambda plain: self.made(self._class_of(plain, hint), plain)

    def _class_of(self, plain: Any, hint: type) -> type:
        if not isinstance(plain, dict):
            raise NotUnderstood(f"{_short(plain)} is not a {hint.__name__}")
        name = plain.get(CLASS, name_of(hint))
        found = self.classes.get(name)
        if found is None:
            raise NotUnderstood(f"no class is called {name}")
        if not issubclass(found, hint):
            raise NotUnderstood(f"{name} is not a {hint.__name__}")
        return found

    def made(self, made: type, plain: Mapping[str, Any], others: Mapping[str, Any] = _NOTHING) -> Any:
        """A dataclass of plain fields, and of others that are values already. Raises NotUnderstood."""
        known = self._hints.get(made)
        if known is None:
            known = self._hints[made] = dict(hints_of(made))
        given = dict(others)
        renamed = fields_of(made)
        for there, each in renewed(made.__name__, plain).items():
            name = renamed.get(there, there)
            if name in known:
                given[name] = self.value(each, known[name])
            elif name != CLASS:
                self.unknown[f"{made.__name__} has no {name}"] += 1
        lacking = [
            each.name
            for each in dataclasses.fields(made)
            if each.name not in given
            and each.default is dataclasses.MISSING
            and each.default_factory is dataclasses.MISSING
        ]
        if lacking:
            raise NotUnderstood(f"{made.__name__} without {', '.join(lacking)}")
        return made(**given)

    def _of_union(self, plain: Any, parts: tuple[Any, ...]) -> Any:
        if plain is None and type(None) in parts:
            return None
        others = [part for part in parts if part is not type(None)]
        if len(others) == 1:
            return self.value(plain, others[0])
        if isinstance(plain, dict):
            classes = [part for part in others if isinstance(part, type) and dataclasses.is_dataclass(part)]
            made = self._class_of(plain, object)
            if not issubclass(made, tuple(classes)):
                raise NotUnderstood(f"{made.__name__} is none of {', '.join(map(_name, classes))}")
            return self.made(made, plain)
        if isinstance(plain, list):
            part = next((part for part in others if typing.get_origin(part) is not None), None)
            if part is None:
                raise NotUnderstood(f"{_short(plain)} is none of {', '.join(map(_name, others))}")
            return self.value(plain, part)
        if not any(part in PLAIN for part in others):
            raise NotUnderstood(f"{_short(plain)} is none of {', '.join(map(_name, others))}")
        return plain


def _not_compared(message: type) -> frozenset[str]:
    return frozenset(each.name for each in dataclasses.fields(message) if not each.compare)


def list_of(hint: Any) -> type | None:
    """The dataclass that a field with this hint holds many of, as a sequence or the values of a mapping of texts; None
    for other hints."""
    hint = _without_none(hint)
    parts = typing.get_args(hint)
    item = parts[1] if is_mapping(hint) and parts[0] is str else _item_hint(hint)
    return item if isinstance(item, type) and dataclasses.is_dataclass(item) else None


def is_mapping(hint: Any) -> bool:
    """Mapping[K, V], or None."""
    return typing.get_origin(_without_none(hint)) in (Mapping, dict)


def _item_hint(hint: Any) -> Any:
    """X of Sequence[X], Collection[X], list[X] and tuple[X, ...]; else None."""
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if (origin in _MANY and origin is not tuple) or (origin is tuple and parts[-1:] == (...,)):
        return parts[0]
    return None


def _without_none(hint: Any) -> Any:
    """X of X | None; else the hint itself."""
    if typing.get_origin(hint) in _UNIONS:
        others = [part for part in typing.get_args(hint) if part is not type(None)]
        return others[0] if len(others) == 1 else hint
    return hint


def _same(value: Any) -> Any:
    return value


def _unordered(value: Any) -> bool:
    return value is None or isinstance(value, AbstractSet)


def _masked(secret: Secret) -> str:
    return MASK if secret else ""


def _name(hint: Any) -> str:
    return str(getattr(hint, "__name__", hint))


def _short(plain: Any) -> str:
    return f"{str(plain)[:60]!r}"
