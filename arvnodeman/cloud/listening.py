"""Looking at every HTTP request just before it is sent, and at every answer before libcloud does.

Of a request: does it change something, and does this manager lead for long enough? Of an answer: the cloud's clock, how
long it asks us to wait, and its yes.
"""

from __future__ import annotations

import time
from typing import Any

from arvnodeman.cloud.retry_after import date_seconds, retry_after_seconds
from arvnodeman.fence.fence import GENERATION_HEADER, of_process


class Listener:
    """Mixed into a driver that has libcloud's in `_driver`. One thread uses it."""

    clock_offset: float | None = None
    hears = False
    """Answers are looked at: libcloud's connection is one that we can listen to."""
    said_yes = False
    """The cloud has said yes to the last request that changed something."""
    _driver: Any
    _longest_wait_for_answer = 0.0  # seconds

    def _listen(self) -> None:
        """Look at every answer before libcloud does."""
        session = getattr(getattr(getattr(self._driver, "connection", None), "connection", None), "session", None)
        if session is not None:
            session.auth = self._sending  # without one a .netrc could put its password in the place of our signature
            self._longest_wait_for_answer = float(session.timeout or 0.0)
            session.hooks["response"].append(self._heard)
            self.hears = True

    def _sending(self, request: Any) -> Any:
        """The last moment: nothing is between this and the socket. Raises RemoteFailure, of the kind NOT_LEADER."""
        if self._changes(request):
            generation = of_process().check(self._longest_wait_for_answer)
            if generation:  # not signed, and told to those who ask which manager has sent it
                request.headers[GENERATION_HEADER] = str(generation)
        return request

    def _changes(self, request: Any) -> bool:
        """May this request change something?"""
        return request.method not in ("GET", "HEAD", "OPTIONS")

    def _heard(self, response: Any, **_options: object) -> None:
        now = time.time()
        if response.request.method in ("POST", "PUT"):
            self.said_yes = response.ok
        date = date_seconds(response.headers.get("Date", ""))
        if date is not None:  # a Date is cut to whole seconds, and was written while the answer was on its way
            self.clock_offset = date + 0.5 - (now - response.elapsed.total_seconds() / 2)
        if response.encoding is None:
            response.encoding = "utf-8"  # else requests guesses from the whole body, three times
        asked = response.headers.get("Retry-After")
        if asked is not None:  # libcloud raises ValueError for one that it cannot read
            seconds = retry_after_seconds(asked, now)
            response.headers["Retry-After"] = f"{seconds or 0:.3f}"
