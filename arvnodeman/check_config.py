"""The subcommand `check-config`: is this file one that the daemon would start with, and nothing in it a slip?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TextIO

from arvnodeman.config import ConfigError, load
from arvnodeman.option import CREATE, CREDENTIALS, LISTING
from arvnodeman.settings import Settings

BAD = 2  # exit code, as for a wrong command line


def check_config(path: str, out: TextIO, check_driver: Callable[[Settings], None] = lambda _settings: None) -> int:
    """Write what is wrong with the file, one line each, or that it is well; answer the exit code, 2 or 0.

    Names that are not known count as errors here. check_driver: raises ConfigError when the cloud's driver cannot be
    made. Nothing is asked over the network.
    """
    try:
        settings = load(path)
        check_driver(settings)
    except ConfigError as error:
        lines, code = [*error.problems, *error.warnings], BAD
    else:
        number = len(settings.sizes)
        ok = f"{path}: ok, {number} size{'' if number == 1 else 's'}"
        lines, code = (list(settings.warnings), BAD) if settings.warnings else ([*_notes(settings), ok], 0)
    out.writelines(f"{line}\n" for line in lines)
    return code


def _notes(settings: Settings) -> Iterator[str]:
    """Values that may have swallowed a comment: legal, so no error."""
    cloud = settings.cloud
    hidden = {name: secret.reveal() for name, secret in cloud.credentials.items()}
    for section, texts in ((CREDENTIALS, hidden), (LISTING, cloud.listing), (CREATE, cloud.create)):
        for name, text in texts.items():
            if " #" in text:
                where = f"{settings.path}: note: [{section}] {name}"
                yield f"{where}: ' #' and what follows is part of the value here; a comment needs a line of its own"
