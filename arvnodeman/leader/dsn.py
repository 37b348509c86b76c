"""How PostgreSQL is reached, from what the configuration says; and its errors without secrets."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping

import psycopg
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from arvnodeman.config import ConfigError
from arvnodeman.config.kinds import PORT_LIMIT

_HIDES_A_PASSWORD = re.compile(r"://|:.*@")
_NOWHERE = "/dev/null/nowhere"
_WHOLE_NUMBERS = (
    *("connect_timeout", "tcp_user_timeout"),
    *("keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count"),
)
_LONGEST = 300  # characters of a server's own words that an error repeats


def connection_options(dsn: str, *, timeout: float, statement_timeout: float) -> dict[str, str]:
    """libpq's options for this connection string: its own, and bounds of time for what it leaves open. Raises
    ConfigError, in whose text is nothing of the string: a password that is not quoted may be anywhere in it.

    timeout, statement_timeout: seconds for the connection, and for one statement at the server.
    """
    try:
        given = {name: str(value) for name, value in conninfo_to_dict(dsn).items() if value is not None}
    except psycopg.Error:
        raise ConfigError(
            (
                "[Leader] database cannot be read: it is to be as libpq has it, "
                "host=... dbname=... user=... or postgresql://user@host/dbname",
            )
        ) from None
    if "@" in given.get("host", "") or not all(map(_is_port, given.get("port", "").split(","))):
        raise ConfigError(
            ("[Leader] database: its host or port makes no sense; in a URI, write / : @ of a password as %2F %3A %40",)
        )
    if any(_HIDES_A_PASSWORD.search(given.get(name, "")) for name in ("dbname", "user")):
        raise ConfigError(
            ("[Leader] database: its dbname or user is a URI: errors of the server would repeat its password",)
        )
    patience = str(max(2, math.ceil(timeout)))
    bounds = {
        "connect_timeout": patience,
        "tcp_user_timeout": str(int(timeout * 1000)),  # a half open connection, with data under way
        "keepalives_idle": patience,  # and with none
        "keepalives_interval": "2",
        "keepalives_count": "2",
        "target_session_attrs": "read-write",  # of several hosts, the one that is no replica
        "application_name": "arvados-node-manager",
    }
    limits = f"-c statement_timeout={max(1, int(statement_timeout * 1000))}"
    options = {**bounds, **given, "options": f"{given.get('options', '')} {limits}".strip()}
    wrong = _refused_by_libpq(options)
    if wrong:
        raise ConfigError((f"[Leader] database: {wrong}",))
    return options


def _refused_by_libpq(options: Mapping[str, str]) -> str:
    """Why libpq refuses these options; '' if it does not. It looks at them before it connects, so each host is another
    one here: a socket where none can be, and nobody is asked anything."""
    for name in _WHOLE_NUMBERS:
        if not re.fullmatch(r"\s*[+-]?[0-9]+\s*", options.get(name, "0")):
            return f"{name} is not a whole number"
    hosts = options.get("hostaddr") or options.get("host", "")
    elsewhere = ",".join(_NOWHERE for _ in hosts.split(","))
    asked = {name: value for name, value in options.items() if name != "hostaddr"} | {"host": elsewhere}
    connection = pq.PGconn.connect_start(make_conninfo(**asked).encode())
    said = connection.error_message.decode(errors="replace")
    connection.finish()
    return "" if _NOWHERE in said else in_one_line(ValueError(said), [options.get("password")])


def _is_port(text: str) -> bool:
    """libpq takes its own where there is none."""
    return not text or (re.fullmatch(r"[0-9]{1,5}", text) is not None and 0 < int(text) <= PORT_LIMIT)


def in_one_line(error: Exception, secrets: Iterable[str | None]) -> str:
    """The first line of what an error says, without these secrets."""
    text = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    for secret in secrets:
        if secret:
            text = text.replace(secret, "(password)")
    return "".join(letter if letter.isprintable() else " " for letter in text)[:_LONGEST]
