"""A Fleet in a world written by hand, with everything that the management server reads of a daemon, and a client."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from werkzeug.test import Client, TestResponse
from world import EPOCH, World, jobs, policy

from arvnodeman.config import load
from arvnodeman.config.settings import Settings
from arvnodeman.fleet.messages import Command, Event, Note, OperatorSaid, Poll, RetryAsked
from arvnodeman.fleet.values.budgets import BudgetRaise
from arvnodeman.fleet.values.model import Job, Policy
from arvnodeman.fleet.values.waits import JobWaits
from arvnodeman.fleet.view.published import Published
from arvnodeman.history.recorder import Recorder
from arvnodeman.manage.access import LOCAL
from arvnodeman.manage.app import Application
from arvnodeman.manage.site import make_application
from arvnodeman.manage.source import Source
from arvnodeman.supervision.clock import Clock
from arvnodeman.supervision.ending import ExitKind
from arvnodeman.supervision.past import End, Past
from arvnodeman.supervision.vitals import Vitals

make_policy = policy

CONFIG = """\
[Manage]
ManagementToken = {token}
[Arvados]
host = zyxwv.example.com
token = arvados-secret
[Cloud]
provider = dummy
shutdown_windows = 0, 60
[Cloud Credentials]
secret = cloud-secret
[Size small]
cores = 1
"""


def settings(folder: Path, token: str = "") -> Settings:
    """Settings with this ManagementToken."""
    path = folder / "managed.cfg"
    path.write_text(CONFIG.format(token=token))
    return load(str(path))


class PublishedWorld(World):
    """A world whose Fleet's account, notes of decisions and all, is published as the daemon actor does it."""

    published: Published

    def restart(self) -> None:
        """The first account, before any event."""
        super().restart()
        self.published = Published(self.fleet.view)

    def tell(self, event: Event) -> list[Command]:
        """One event, and its account."""
        commands = super().tell(event)
        self.published.view = self.fleet.view
        for command in commands:
            if isinstance(command, Note) and command.kind is not None:
                self.published.decisions.add(self.now, command.kind, command.subject, command.text, command.args)
        return commands


class Managed:
    """The outside view of such a world. Time passes with the world's."""

    def __init__(
        self,
        folder: Path,
        token: str = "",
        *,
        dry_run: bool = False,
        policy: Policy | None = None,
        now: float = EPOCH,
        world: PublishedWorld | None = None,
    ) -> None:
        self.world = world or PublishedWorld(policy or make_policy(), now=now)
        self.vitals = Vitals(Clock(now=lambda: self.world.now, monotonic=lambda: self.world.now - 1_000_000_000.0))
        self.vitals.past = Past(End(ExitKind.WATCHDOG, "a poller"), {"watchdog": 2})
        self.waits = JobWaits()
        self.hears = True
        self.rates: dict[str, float] = {}  # requests to the cloud a second
        self.recorder = Recorder(self.world.published, self.vitals, step=60.0)
        self.source = Source(
            settings=lambda: self._settings,
            vitals=self.vitals,
            published=self.world.published,
            waits=self.waits,
            say=self._say,
            history=self.recorder.chronicle,
            dry_run=dry_run,
            request_rates=lambda: self.rates,
        )
        self._settings = settings(folder, token)
        self.application: Application = make_application(self.source)
        self.client = Client(self.application)
        for poll in Poll:
            self.vitals.polls.began(poll, self.vitals.clock.monotonic(), 300.0)

    def _say(self, said: OperatorSaid | RetryAsked | BudgetRaise) -> bool:
        if self.hears:
            self.world.tell(said)
        return self.hears

    def begin(self, *waiting: Job) -> None:
        """Sizes, lists and a round of the watchdog: all is well."""
        self.world.begin(*waiting)
        self.mark()

    def cycle(self, *waiting: Job, times: int = 1) -> None:
        """Time passes, and all lists come."""
        for _ in range(times):
            self.world.cycle(*waiting)
            self.mark()

    def mark(self) -> None:
        """The account is of this moment."""
        now = self.vitals.clock.monotonic()
        self.world.published.at = now
        self.waits.update(self.world.jobs, self.world.now)
        for poll in Poll:
            self.vitals.polls.succeeded(poll, now, 3, 0.25)
        self.vitals.good_round = now
        self.recorder.observe()

    def get(self, path: str, **headers: str) -> TestResponse:
        """GET from loopback."""
        return self.client.get(path, headers=headers, environ_base={"REMOTE_ADDR": "127.0.0.1"})

    def ask(self, path: str) -> dict[str, Any]:
        """GET through the unix socket; what is shown."""
        answer = self.client.get(path, environ_overrides={LOCAL: True})
        assert answer.status_code == 200, answer.text
        shown: dict[str, Any] = answer.get_json()
        return shown

    def post(self, path: str, body: Mapping[str, object] | bytes | None = None, *, local: bool = True) -> TestResponse:
        """POST through the unix socket, or from loopback."""
        over = {LOCAL: True} if local else {}
        data = body if isinstance(body, bytes) else None
        json = None if isinstance(body, bytes) else body
        return self.client.post(path, data=data, json=json, environ_overrides=over)


__all__ = ["Managed", "PublishedWorld", "jobs", "policy", "settings"]
