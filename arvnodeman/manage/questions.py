"""Questions that take a while, one at a time: each is tens of plans, and the server has few threads."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

from werkzeug.exceptions import TooManyRequests

from arvnodeman.fleet.values.counterfactual import Counterfactual
from arvnodeman.manage.changes import CounterfactualShown, counterfactual


class Questions:
    """What would change a decision."""

    def __init__(self) -> None:
        self._lock = Lock()

    def ask(self, question: Callable[[], Counterfactual]) -> CounterfactualShown:
        """Raises TooManyRequests while another is being answered."""
        if not self._lock.acquire(blocking=False):
            raise TooManyRequests
        try:
            return counterfactual(question())
        finally:
            self._lock.release()
