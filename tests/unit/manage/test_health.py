"""The health check answers for real."""

from __future__ import annotations

import pytest
from werkzeug.test import Client, TestResponse

from arvnodeman.fleet.messages import Poll
from arvnodeman.fleet.values.model import Secret
from arvnodeman.manage.app import Application, Route
from arvnodeman.manage.health import HealthLimits, HealthPage
from arvnodeman.supervision.clock import Clock
from arvnodeman.supervision.vitals import Vitals

LIMITS = HealthLimits(poll_stale_after=600.0, watchdog=600.0, watchdog_interval=20.0)
OK = {"health": "OK"}


class Daemon:
    """The signs of life of a daemon, at a time that the test sets."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.vitals = Vitals(Clock(monotonic=lambda: self.time))
        for poll in Poll:
            self.vitals.polls.began(poll, self.time, 300.0)

    def all_well(self) -> None:
        for poll in Poll:
            self.vitals.polls.succeeded(poll, self.time, 1)
        self.vitals.good_round = self.time

    def ping(self, configured: str = "tok", **headers: str) -> TestResponse:
        page = HealthPage(self.vitals, lambda: LIMITS, Secret(configured))
        return Client(Application([Route("/_health/ping", page)])).get("/_health/ping", headers=headers)

    def wrong(self) -> str:
        """What is wrong; '' for nothing."""
        answer = self.ping(Authorization="Bearer tok")
        if answer.status_code == 200:
            assert answer.json == OK
            return ""
        assert answer.status_code == 503
        assert answer.json is not None
        assert answer.json["health"] == "ERROR"
        return str(answer.json["error"])


@pytest.fixture
def daemon() -> Daemon:
    daemon = Daemon()
    daemon.all_well()
    return daemon


def test_no_token_configured_is_404(daemon: Daemon) -> None:
    """Row K4."""
    answer = daemon.ping("", Authorization="Bearer ")
    assert answer.status_code == 404
    assert answer.json == {"health": "ERROR", "error": "disabled"}


def test_no_token_sent_is_401(daemon: Daemon) -> None:
    """Row K4."""
    assert daemon.ping().status_code == 401


@pytest.mark.parametrize("sent", ["Bearer wrong", "tok", "Bearer", "Basic tok", "bearer tok", "Bearer tök"])
def test_a_wrong_token_is_403(daemon: Daemon, sent: str) -> None:
    """Row K4."""
    assert daemon.ping(Authorization=sent).status_code == 403


def test_all_well_is_200(daemon: Daemon) -> None:
    """Row K4."""
    assert daemon.wrong() == ""


def test_nothing_is_well_before_the_first_polls() -> None:
    wrong = Daemon().wrong()
    for poll in Poll:
        assert f"the {poll.value} list has not been polled yet" in wrong
    assert "the watchdog has not finished a round yet" in wrong


@pytest.mark.parametrize("poll", Poll)
def test_one_stale_poll_is_enough(daemon: Daemon, poll: Poll) -> None:
    daemon.time += 601.0
    for other in set(Poll) - {poll}:
        daemon.vitals.polls.succeeded(other, daemon.time, 1)
    daemon.vitals.good_round = daemon.time
    assert daemon.wrong() == f"the {poll.value} list is 601 seconds old"
    daemon.vitals.polls.failed(poll, daemon.time, "HTTP 503")
    assert daemon.wrong() == f"the {poll.value} list is 601 seconds old (HTTP 503)"


def test_a_watchdog_whose_round_does_not_end_is_seen_before_the_kill(daemon: Daemon) -> None:
    """Row N9: the classic said OK whatever had happened."""
    daemon.time += 321.0
    for poll in Poll:
        daemon.vitals.polls.succeeded(poll, daemon.time, 1)
    assert daemon.wrong() == "the watchdog's last good round was 321 seconds ago"
