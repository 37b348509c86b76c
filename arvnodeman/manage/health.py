"""GET /_health/ping: is the daemon well? Asked by the cluster's monitoring, with its management token."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from werkzeug.wrappers import Request, Response

from arvnodeman.fleet.messages import Poll
from arvnodeman.fleet.values.model import Secret
from arvnodeman.manage.access import Refusal, check_token
from arvnodeman.manage.answers_for_monitoring import HealthShown
from arvnodeman.manage.app import json_response
from arvnodeman.supervision.vitals import Vitals


@dataclass(frozen=True, slots=True)
class HealthLimits:
    """From when on something is wrong, in seconds."""

    poll_stale_after: float
    watchdog: float
    watchdog_interval: float


def ailments(vitals: Vitals, limits: HealthLimits) -> list[str]:
    """What is wrong, in words; nothing while every poll is fresh and the watchdog's last round was good."""
    now = vitals.clock.monotonic()
    ages = vitals.polls.all()
    wrong: list[str] = []
    for poll in Poll:
        age = ages.get(poll)
        if age is None or age.succeeded is None:
            wrong.append(f"the {poll.value} list has not been polled yet" + _because(age.error if age else ""))
        elif age.since_success(now) > limits.poll_stale_after:
            wrong.append(f"the {poll.value} list is {age.since_success(now):.0f} seconds old" + _because(age.error))
    # A round that has waited for half of the watchdog's time is no good one: the health turns before the kill.
    if vitals.good_round is None:
        wrong.append("the watchdog has not finished a round yet")
    elif now - vitals.good_round > limits.watchdog_interval + limits.watchdog / 2:
        wrong.append(f"the watchdog's last good round was {now - vitals.good_round:.0f} seconds ago")
    return wrong


def _because(error: str) -> str:
    return f" ({error})" if error else ""


class HealthPage:
    """404 without a configured token, 401 without one sent, 403 for a wrong one, then 200 or 503."""

    def __init__(self, vitals: Vitals, limits: Callable[[], HealthLimits], token: Secret) -> None:
        self._vitals = vitals
        self._limits = limits
        self._token = token

    def __call__(self, request: Request) -> Response:
        """Answer one request."""
        if not self._token:
            return _ill(404, "disabled")
        try:
            check_token(request, self._token)
        except Refusal as refusal:
            return _ill(refusal.status, refusal.text)
        wrong = ailments(self._vitals, self._limits())
        return _ill(503, "; ".join(wrong)) if wrong else json_response(HealthShown("OK"))


def _ill(status: int, text: str) -> Response:
    return json_response(HealthShown("ERROR", text), status)
