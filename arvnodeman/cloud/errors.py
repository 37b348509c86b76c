"""What an error of a cloud means, decided once: a table of codes for each cloud, and one rule for all.

The rule, in this order: the codes of the cloud's table; wrong credentials; throttling (429, or a text that speaks of
the rate of requests); quota (any other HTTP error whose text speaks of a quota or limit, row C18); the HTTP status;
network errors and libcloud's own, which pass (rows A6, A10). Whatever the rule does not know is an error of ours, and
is left alone, as are the fatal errors that end the process.

A node is GONE only by the code that the cloud's compute service has for that: a 404 may as well be a proxy's, the
identity service's, or that of a wrong URL, and a node that lives would be forgotten.
"""

from __future__ import annotations

import errno
import http.client
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from urllib.parse import urlsplit

import requests
import urllib3
from libcloud.common.exceptions import BaseHTTPError, RateLimitReachedError
from libcloud.common.types import InvalidCredsError, LibcloudError
from libcloud.compute.types import KeyPairDoesNotExistError

from arvnodeman.cloud.redaction import Hidden, one_line, without_secrets
from arvnodeman.cloud.retry_after import asked_to_wait
from arvnodeman.config import ConfigError
from arvnodeman.fleet.values.model import ErrorKind, RemoteError, RemoteFailure

CREDENTIALS = "[Cloud Credentials] key"

_QUOTA = re.compile(r"quota|limit|exceed", re.IGNORECASE)
_RATE = re.compile(
    r"\brate.?limit|RateLimitExceeded|\brequest.?limit|\brequest rate|throttl|too many requests", re.IGNORECASE
)
_TIME = re.compile(r"deadline|time.?out|timed out|time limit", re.IGNORECASE)
_LEADING_CODE = re.compile(r"\s*\[?([A-Za-z][\w.-]*)\]?(?=[:\s\]]|$)")
_WORD = re.compile(r"[A-Za-z][\w.-]*\w")
_CALLED = 60  # characters of an error that has no code
_DISTINCT = re.compile(r"[a-z][A-Z]|_")  # no word of plain English: a code, wherever it stands in a text
_MISTAKES = (  # of the configuration: a URL that is none, a key file that cannot be read
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidHeader,
    requests.exceptions.MissingSchema,
    FileNotFoundError,
    PermissionError,
    IsADirectoryError,
)


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words that say what an error is more exactly than its code. `kind` None: they only name the option."""

    pattern: re.Pattern[str]
    kind: ErrorKind | None
    hint: str = ""


@dataclass(frozen=True, slots=True)
class ErrorTable:
    """The codes of one cloud, and for some the option to look at."""

    codes: Mapping[str, ErrorKind] = field(default_factory=dict)
    hints: Mapping[str, str] = field(default_factory=dict)
    phrases: tuple[Phrase, ...] = ()
    missing: re.Pattern[str] | None = None
    """Where the codes for GONE stand for things of every kind: what the text says when the thing is a node."""

    def phrase_in(self, text: str) -> Phrase | None:
        """The first of this table's phrases that a text holds."""
        return next((phrase for phrase in self.phrases if phrase.pattern.search(text)), None)

    def code_in(self, code: object, text: str) -> str | None:
        """The code of this table that an error carries: in its own field, at the start of its text, or within it."""
        leading = _LEADING_CODE.match(text)
        for candidate in (code, leading.group(1) if leading else None):
            if isinstance(candidate, str) and candidate in self.codes:
                return candidate
        return next((word for word in _WORD.findall(text) if word in self.codes and _DISTINCT.search(word)), None)


def table(
    hints: Mapping[str, str] | None = None,
    *,
    throttled: Iterable[str] = (),
    quota: Iterable[str] = (),
    capacity: Iterable[str] = (),
    refused: Iterable[str] = (),
    gone: Iterable[str] = (),
    transient: Iterable[str] = (),
    phrases: Iterable[tuple[str, ErrorKind | None, str]] = (),
    missing: str = "",
) -> ErrorTable:
    """A table from lists of codes. `hints`: code -> "[Section] option"; a code with a hint alone is REFUSED.

    phrases: a pattern for the text; what an error with it is, whatever its code; the option to look at. gone: what the
    compute service says of a node that does not exist; missing: a pattern for the text that has to come with it.
    """
    hints = hints or {}
    codes = dict.fromkeys([*hints, *refused], ErrorKind.REFUSED)
    for kind, listed in (
        (ErrorKind.THROTTLED, throttled),
        (ErrorKind.QUOTA, quota),
        (ErrorKind.CAPACITY, capacity),
        (ErrorKind.GONE, gone),
        (ErrorKind.TRANSIENT, transient),
    ):
        codes.update(dict.fromkeys(listed, kind))
    made = tuple(Phrase(re.compile(pattern), kind, hint) for pattern, kind, hint in phrases)
    pattern = re.compile(missing) if missing else None
    return ErrorTable(MappingProxyType(codes), MappingProxyType(dict(hints)), made, pattern)


COMMON = table()


@contextmanager
def translating(
    errors: ErrorTable, secrets: Iterable[str] = (), longest_wait: float = 300.0, hidden: Hidden | None = None
) -> Iterator[None]:
    """Raise RemoteFailure in place of each error that the rule knows; all others pass unchanged, unless they show what
    they may not.

    secrets: texts that no error may show; hidden: those of which it may not show a part; longest_wait: seconds to which
    a Retry-After is clamped (row A11).
    """
    secrets = tuple(secrets)
    try:
        yield
    except (RemoteFailure, ConfigError):  # a mistake is told by an option's name, never by a secret's value
        raise
    except Exception as error:
        fatal = fatal_cause(error)
        if fatal is not None:
            raise fatal from None
        known = classify(error, errors, secrets, longest_wait, hidden)
        if known is None and not _shows(error, secrets, hidden):
            raise
        if known is None:
            text = one_line(f"{type(error).__name__}: {error}", secrets, hidden)
            known = RemoteError(ErrorKind.UNEXPECTED, text)
        raise RemoteFailure(known) from None  # its cause may show a secret in a traceback


def fatal_cause(error: BaseException) -> BaseException | None:
    """The fatal error that this one is, or was caused by: no memory, no thread. requests wraps them."""
    for each in _with_causes(error):
        if (
            isinstance(each, MemoryError)
            or (isinstance(each, OSError) and each.errno == errno.ENOMEM)
            or (isinstance(each, RuntimeError) and "can't start new thread" in str(each))
        ):
            return each
    return None


def _shows(error: BaseException, secrets: tuple[str, ...], hidden: Hidden | None) -> bool:
    """Would a traceback of it show a secret?"""
    texts = (text for each in _with_causes(error) for text in (str(each), repr(each)))
    return any(without_secrets(text, secrets, hidden) != text for text in texts)


def _with_causes(error: BaseException) -> Iterator[BaseException]:
    """The error, and what it was raised for, down to the first cause."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        each = waiting.pop()
        if isinstance(each, BaseException) and id(each) not in seen:
            seen.add(id(each))
            yield each
            waiting += [each.__context__, each.__cause__, getattr(each, "reason", None), *each.args]


def classify(
    error: Exception,
    errors: ErrorTable = COMMON,
    secrets: Iterable[str] = (),
    longest_wait: float = 300.0,
    hidden: Hidden | None = None,
) -> RemoteError | None:
    """What the error means, or None when it does not come from outside."""
    text = _text_of(error)
    code = errors.code_in(_code_of(error), text)
    wait = asked_to_wait(error, longest_wait)
    phrase = errors.phrase_in(text)
    if phrase and phrase.kind:
        kind: ErrorKind | None = phrase.kind
    elif code:
        kind = errors.codes[code]
        if kind is ErrorKind.GONE and errors.missing is not None and not errors.missing.search(text):
            kind = ErrorKind.REFUSED  # something else is missing: a project, an image
    else:
        kind = _kind_of(error, text, retry_asked=wait is not None)
    if kind is None:
        return None
    hint = errors.hints.get(code, "") if code else ""
    if not hint and phrase and (phrase.kind or kind in (ErrorKind.REFUSED, ErrorKind.GONE)):
        hint = phrase.hint
    if kind is ErrorKind.REFUSED and not hint and isinstance(error, InvalidCredsError):
        hint = CREDENTIALS
    if isinstance(error, KeyPairDoesNotExistError):  # libcloud has swallowed the code
        hint = "[Cloud Create] ex_keyname"
    passes = kind in (ErrorKind.THROTTLED, ErrorKind.TRANSIENT)
    shown_text = one_line(text, secrets, hidden)
    status = _http_status(error)
    listed = code or phrase or errors is COMMON or status is None
    unlisted = "" if listed or kind is ErrorKind.THROTTLED else _unlisted(_code_of(error), shown_text, status)
    return RemoteError(kind, shown_text, wait if passes else None, hint, unlisted)


def _unlisted(code: object, text: str, status: int | None) -> str:
    """What to call an error that is in no table: its code, else the beginning of its words without numbers and ids.
    '': it is a gateway's, which has no code of the cloud and whose words say nothing of the cloud."""
    leading = _LEADING_CODE.match(text)
    found = code if isinstance(code, str) else leading.group(1) if leading else ""
    if found and _DISTINCT.search(found):
        return found
    if status in _GATEWAYS:
        return ""
    words = [word for word in text.split() if not any(letter.isdigit() for letter in word[1:])]
    return " ".join(words)[:_CALLED]


_GATEWAYS = frozenset({http.client.BAD_GATEWAY, http.client.SERVICE_UNAVAILABLE, http.client.GATEWAY_TIMEOUT})

FAULT_KINDS = frozenset({ErrorKind.CAPACITY, ErrorKind.QUOTA, ErrorKind.REFUSED})
"""What a node that failed after its request was taken can tell of others to come."""


def kind_of_fault(text: str, errors: ErrorTable) -> ErrorKind | None:
    """What a cloud's words on a node that it calls failed mean: one of FAULT_KINDS, or None for anything else."""
    known = classify(BaseHTTPError(http.client.INTERNAL_SERVER_ERROR, text), errors) if text else None
    return known.kind if known is not None and known.kind in FAULT_KINDS else None


def _kind_of(error: Exception, text: str, *, retry_asked: bool) -> ErrorKind | None:
    if isinstance(error, RateLimitReachedError):
        return ErrorKind.THROTTLED
    if isinstance(error, InvalidCredsError | KeyPairDoesNotExistError):
        return ErrorKind.REFUSED
    status = _http_status(error)
    if status is not None:
        return _kind_of_status(status, text, retry_asked=retry_asked)
    if isinstance(error, _MISTAKES):
        return ErrorKind.REFUSED
    passing = (LibcloudError, OSError, urllib3.exceptions.HTTPError, http.client.HTTPException)
    if isinstance(error, passing) or type(error) is Exception:  # row A6: libcloud raises that bare; a subclass is a bug
        return ErrorKind.TRANSIENT
    return None


def _kind_of_status(status: int, text: str, *, retry_asked: bool) -> ErrorKind:
    if status == http.client.TOO_MANY_REQUESTS or _RATE.search(text):  # row N4: rateLimitExceeded comes as 403
        return ErrorKind.THROTTLED
    if _QUOTA.search(text) and not _TIME.search(text):
        return ErrorKind.QUOTA
    # An operation that failed later is told under a status of success.
    if status >= 500 or status < 300 or status == http.client.REQUEST_TIMEOUT or retry_asked:
        return ErrorKind.TRANSIENT
    return ErrorKind.REFUSED


def _http_status(error: Exception) -> int | None:
    status = error.code if isinstance(error, BaseHTTPError) else getattr(error, "http_code", None)
    return int(status) if isinstance(status, int | str) and str(status).isdecimal() else None


def _code_of(error: Exception) -> object:
    """The cloud's own code, where an error has it in a field: libcloud loses that of Google's ResourceNotFoundError."""
    value = getattr(error, "value", None)
    return getattr(error, "code", None) or (value.get("reason") if isinstance(value, dict) else None)


def _text_of(error: Exception) -> str:
    if isinstance(error, requests.exceptions.RequestException):
        return _network_text(error)
    value = getattr(error, "value", None)
    if isinstance(value, dict):  # Google's
        value = value.get("message") or value
    if value is None:
        value = getattr(error, "message", None) or str(error) or type(error).__name__
    code = getattr(error, "code", None)
    text = str(value)
    return f"{code}: {text}" if isinstance(code, str) and code not in text else text


def _network_text(error: requests.exceptions.RequestException) -> str:
    """`HOST:PORT: Connection refused`, instead of three errors around each other."""
    host = urlsplit(error.request.url or "").netloc.rpartition("@")[2] if error.request is not None else ""
    if isinstance(error, requests.exceptions.Timeout):
        reason = "no answer in time"
    else:
        wrappers = requests.exceptions.RequestException
        causes = [each for each in _with_causes(error) if isinstance(each, OSError) and not isinstance(each, wrappers)]
        reason = (causes[-1].strerror or str(causes[-1])) if causes else str(error)
    return f"{host}: {reason}" if host else reason


def cloud_failure(kind: ErrorKind, text: str) -> RemoteFailure:
    """A failure that the cloud did not report as an error."""
    return RemoteFailure(RemoteError(kind, text))
