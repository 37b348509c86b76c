"""List requests of the sandbox's API server: filters, order, select, limit and offset, meant as at the real one.

Rows keep their times as text of one form (nanoseconds and `Z`), so that times compare as texts do.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

Row = dict[str, Any]

MAX_ITEMS = 1000  # API.MaxItemsPerResponse
DEFAULT_LIMIT = 100
_STAMP = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?(?:Z|([+-])(\d\d):?(\d\d))?")


class ApiFailure(Exception):
    """A request that the API server answers with this status and this line."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


def stamp(moment: float, nanoseconds: int = 0) -> str:
    """An epoch time as the server writes it: `2024-01-31T12:00:00.123456789Z`. `nanoseconds` (0–999) end it."""
    microseconds = round(moment * 1_000_000)
    whole = datetime.fromtimestamp(microseconds // 1_000_000, UTC)
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{microseconds % 1_000_000:06d}{nanoseconds:03d}Z"


def normal_stamp(text: str) -> str:
    """A time in any form that clients send, in the form that rows have. ApiFailure 422 if it is not a time."""
    match = _STAMP.fullmatch(text.strip())
    if match is None:
        raise ApiFailure(422, f"#<ArgumentError: invalid date: {text!r}>")
    day, clock, fraction, sign, hours, minutes = match.groups()
    if sign:
        try:
            offset = timedelta(hours=int(hours), minutes=int(minutes)) * (1 if sign == "+" else -1)
            day, clock = (datetime.fromisoformat(f"{day}T{clock}") - offset).isoformat().split("T")
        except (ValueError, OverflowError):
            raise ApiFailure(422, f"#<ArgumentError: invalid date: {text!r}>") from None
    return f"{day}T{clock}.{(fraction or '').ljust(9, '0')}Z"


@dataclass(frozen=True, slots=True)
class ListQuery:
    """One list request. `columns` are the names that filters and order may use."""

    filters: tuple[tuple[str, str, Any], ...]
    order: tuple[tuple[str, bool], ...]  # column, descending
    select: frozenset[str] | None
    limit: int
    offset: int
    count: bool

    @classmethod
    def of(cls, parameters: Mapping[str, str], columns: frozenset[str]) -> ListQuery:
        """Read the parameters of a request. ApiFailure 422 for what the server refuses."""
        return cls(
            filters=tuple(_filter(item, columns) for item in _json_list(parameters, "filters")),
            order=_order(parameters.get("order", ""), columns),
            select=select_of(parameters, columns),
            limit=min(_whole(parameters, "limit", DEFAULT_LIMIT), MAX_ITEMS),
            offset=_whole(parameters, "offset", 0),
            count=parameters.get("count", "exact") != "none",
        )

    def page(self, rows: Iterable[Row]) -> tuple[list[Row], int]:
        """The rows of this page, and how many match in all."""
        found = [row for row in rows if all(_matches(row, *condition) for condition in self.filters)]
        for column, descending in reversed(self.order):
            found.sort(key=_sort_key(column), reverse=descending)
        return found[self.offset : self.offset + self.limit], len(found)


def _sort_key(column: str) -> Callable[[Row], tuple[bool, str]]:
    """Null is greater than everything, as in PostgreSQL; numbers sort as numbers."""

    def key(row: Row) -> tuple[bool, str]:
        value = row[column]
        return value is None, f"{value:020}" if isinstance(value, int) else str(value)

    return key


def select_of(parameters: Mapping[str, str], columns: frozenset[str]) -> frozenset[str] | None:
    """The attributes that the client wants to see; None for all of them."""
    if not parameters.get("select"):
        return None
    names = _json_list(parameters, "select")
    if not all(isinstance(name, str) and name in columns for name in names):
        raise ApiFailure(422, f"#<ArgumentError: Invalid attribute in select: {names!r}>")
    return frozenset(names) | {"kind"}


def _json_list(parameters: Mapping[str, str], name: str) -> Sequence[Any]:
    text = parameters.get(name, "")
    if not text:
        return ()
    try:
        value = json.loads(text)
    except ValueError:
        raise ApiFailure(422, f"#<TypeError: parameter {name} is not JSON>") from None
    if not isinstance(value, list):
        raise ApiFailure(422, f"#<TypeError: parameter {name} must be a Array>")
    return value


def _whole(parameters: Mapping[str, str], name: str, default: int) -> int:
    text = parameters.get(name, "")
    if not text:
        return default
    if not text.isdecimal():
        raise ApiFailure(422, f"#<ArgumentError: Invalid value for {name} parameter>")
    return int(text)


def _order(text: str, columns: frozenset[str]) -> tuple[tuple[str, bool], ...]:
    terms = text.split(",")
    if text.startswith("["):
        terms = [term for term in _json_list({"order": text}, "order") if isinstance(term, str)]
    asked = []
    for term in terms:
        column, _, direction = term.strip().partition(" ")
        if column in columns and direction.strip().lower() in ("", "asc", "desc"):
            asked.append((column, direction.strip().lower() == "desc"))
    return (*asked, ("modified_at", True), ("uuid", False))


def _filter(item: object, columns: frozenset[str]) -> tuple[str, str, Any]:
    if not isinstance(item, list) or len(item) != 3 or not isinstance(item[0], str) or not isinstance(item[1], str):
        raise ApiFailure(422, f"#<ArgumentError: Invalid filter: {item!r}>")
    name, operator, operand = item[0], item[1].lower(), item[2]
    if name.partition(".")[0] not in columns:
        raise ApiFailure(422, f"#<ArgumentError: Invalid attribute {name!r} in filter>")
    if operator not in _OPERATORS:
        raise ApiFailure(422, f"#<ArgumentError: Invalid operator {operator!r}>")
    if operator in ("in", "not in") and not isinstance(operand, list):
        raise ApiFailure(422, f"#<ArgumentError: Invalid operand type for {operator!r} operator in filters>")
    if name.endswith("_at") and isinstance(operand, str) and operator not in ("like", "ilike"):
        operand = normal_stamp(operand)
    return name, operator, operand


def _matches(row: Row, name: str, operator: str, operand: object) -> bool:
    column, _, key = name.partition(".")
    value = row[column]
    if key:
        value = value.get(key) if isinstance(value, dict) else None
    try:
        return _OPERATORS[operator](value, operand)
    except TypeError:
        raise ApiFailure(422, f"#<ArgumentError: Invalid operand type for {operator!r} operator in filters>") from None


def _like(value: object, operand: object) -> bool:
    pattern = ".*".join(re.escape(part) for part in str(operand).split("%"))
    return isinstance(value, str) and re.fullmatch(pattern, value, re.DOTALL) is not None


# A comparison with null is true only where null is asked for, as in SQL.
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda value, operand: value == operand,
    "!=": lambda value, operand: value is not None if operand is None else value is not None and value != operand,
    ">": lambda value, operand: value is not None and value > operand,
    ">=": lambda value, operand: value is not None and value >= operand,
    "<": lambda value, operand: value is not None and value < operand,
    "<=": lambda value, operand: value is not None and value <= operand,
    "in": lambda value, operand: value in operand,
    "not in": lambda value, operand: value not in operand,
    "like": _like,
    "ilike": lambda value, operand: _like(value.lower() if isinstance(value, str) else value, str(operand).lower()),
    "exists": lambda value, operand: isinstance(value, dict) and operand in value,
}
