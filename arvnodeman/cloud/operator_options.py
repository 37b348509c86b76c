"""What the drivers read from an operator's options: credentials as libcloud wants them, files, lists.

Everything raises ConfigError, one line for each mistake, and asks nothing over the network.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from arvnodeman.cloud.create_options import yes_or_no
from arvnodeman.config import ConfigError
from arvnodeman.config.kinds import LARGEST

if TYPE_CHECKING:
    from arvnodeman.config import Settings

TIMEOUT = 60.0  # seconds for one answer: several of libcloud's connections have none of their own


def request_timeout(settings: Settings) -> float:
    """Seconds that an answer of the cloud is waited for."""
    return float(credentials(settings)["timeout"])


def credentials(settings: Settings) -> dict[str, Any]:
    """[Cloud Credentials] as arguments of a libcloud driver. There is always a `timeout`: where another manager may
    lead, no longer than a request may take."""
    given: dict[str, Any] = {name: secret.reveal() for name, secret in settings.cloud.credentials.items()}
    try:
        longest = settings.leader.longest_request or LARGEST
        given["timeout"] = min(float(given.get("timeout", TIMEOUT)), longest)
    except ValueError:
        raise _wrong(settings, "Cloud Credentials", "timeout", "not a number of seconds") from None
    if "port" in given:
        if not given["port"].isdecimal():
            raise _wrong(settings, "Cloud Credentials", "port", "no number")
        given["port"] = int(given["port"])
    if "secure" in given:
        try:
            given["secure"] = yes_or_no(given["secure"])
        except ValueError:
            raise _wrong(settings, "Cloud Credentials", "secure", "neither yes nor no") from None
    return given


def require(settings: Settings, in_credentials: Iterable[str] = (), in_create: Iterable[str] = ()) -> None:
    """Raises ConfigError that names every option of these that is not there."""
    cloud = settings.cloud
    missing = [("Cloud Credentials", name) for name in in_credentials if not cloud.credentials.get(name)]
    missing += [("Cloud Create", name) for name in in_create if not cloud.create.get(name)]
    if missing:
        lines = (f"{settings.path}: [{section}] {name}: missing; required here" for section, name in missing)
        raise ConfigError(tuple(lines))


@dataclass(frozen=True, slots=True)
class TagRule:
    """What a cloud takes for the name of a tag (a pattern for the whole of it, and the same in words), and how long a
    value may be."""

    names: str
    allowed: str
    longest: int


def check_tags(settings: Settings, rule: TagRule | None) -> None:
    """Raises ConfigError that names every `tag_NAME` that the cloud would refuse, with each node."""
    if rule is None:
        return
    lines: list[str] = []
    for section, options in (("Cloud List", settings.cloud.listing), ("Cloud Create", settings.cloud.create)):
        for option, value in options.items():
            if not option.startswith("tag_"):
                continue
            where = f"{settings.path}: [{section}] {option}"
            if not re.fullmatch(rule.names, option.removeprefix("tag_")):
                lines.append(f"{where}: not a tag name here; allowed: {rule.allowed}")
            if len(value) > rule.longest:
                lines.append(f"{where}: {len(value)} characters; allowed: at most {rule.longest}")
    if lines:
        raise ConfigError(tuple(lines))


def words(text: str | None) -> list[str]:
    """A list with commas between."""
    return [word.strip() for word in (text or "").split(",") if word.strip()]


def public_key(settings: Settings) -> str | None:
    """The text of the file that `[Cloud Create] ssh_key` names, on one line."""
    path = settings.cloud.create.get("ssh_key")
    if not path:
        return None
    try:
        text = " ".join(Path(path).expanduser().read_text(encoding="utf-8").split())
    except OSError as error:
        raise _wrong(settings, "Cloud Create", "ssh_key", f"cannot read {path}: {error.strerror}") from None
    except ValueError:
        raise _wrong(settings, "Cloud Create", "ssh_key", f"{path} is not text") from None
    if not text or "PRIVATE KEY" in text:
        raise _wrong(settings, "Cloud Create", "ssh_key", f"{path} is not a public key")
    return text


def _wrong(settings: Settings, section: str, option: str, text: str) -> ConfigError:
    return ConfigError((f"{settings.path}: [{section}] {option}: {text}",))
