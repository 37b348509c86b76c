"""Comments that have become part of a value."""

from __future__ import annotations

from collections.abc import Iterator

from arvnodeman.config import Settings
from arvnodeman.config.option import CREATE, CREDENTIALS, LISTING
from arvnodeman.doctor.base import Area, Check, findings


def judge(settings: Settings) -> Iterator[str]:
    """A line for each. None quotes the value of a secret."""
    cloud = settings.cloud
    hidden = {name: secret.reveal() for name, secret in cloud.credentials.items()}
    for section, texts in ((CREDENTIALS, hidden), (LISTING, cloud.listing), (CREATE, cloud.create)):
        for name, text in texts.items():
            if " #" in text:
                where = f"{settings.path}: [{section}] {name}"
                yield f"{where}: ' #' and what follows is part of the value here; a comment needs a line of its own"


CHECK = Check(
    name="comments-in-values",
    area=Area.FILE,
    says="A comment behind a value of the cloud's sections has become part of it.",
    mends="Put it on a line of its own.",
    find=lambda facts: findings(judge(facts.settings())),
    grave=False,
)
