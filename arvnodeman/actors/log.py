"""Log lines under the names of roles, as dashboards count them."""

from __future__ import annotations

import logging


def log_as(name: str, level: int, text: str, *args: object, error: BaseException | None = None) -> None:
    """Log a line under the name ROLE.SUBJECT, such as ComputeNodeSetupActor.TOKEN. Any thread.

    The level is that of ROLE: a logger made for every boot would stay in the logging module's table for ever.
    """
    logger = logging.getLogger(name.partition(".")[0])
    if not logger.isEnabledFor(level):
        return
    exc_info = None if error is None else (type(error), error, error.__traceback__)
    logger.handle(logger.makeRecord(name, level, "(actors)", 0, text, args, exc_info))
