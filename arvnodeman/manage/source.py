"""What the pages are made of: the brain's view, the signs of life and the account of decisions.

All is only read, without a lock that an actor holds; the one thing that can be done is to pass on an operator's word.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from arvnodeman.config import Settings
from arvnodeman.doctor.examined import Examined
from arvnodeman.fleet.messages import OperatorSaid, RetryAsked
from arvnodeman.fleet.values.budgets import BudgetRaise
from arvnodeman.fleet.values.waits import JobWaits
from arvnodeman.fleet.view.published import Published
from arvnodeman.fleet.view.view import NodeStatus, View
from arvnodeman.history.chronicle import Chronicle
from arvnodeman.leader.keeper import Leading
from arvnodeman.manage.health import HealthLimits, ailments
from arvnodeman.supervision.vitals import Vitals


def _nobody_listens(_said: OperatorSaid | RetryAsked | BudgetRaise) -> bool:
    return False


def _nobody_keeps(_raised: BudgetRaise) -> bool:
    return False


def _nobody_examines() -> Examined | None:
    return None


@dataclass(frozen=True, slots=True)
class Source:
    """One daemon, as the outside sees it. Any thread."""

    settings: Callable[[], Settings]  # those in force
    vitals: Vitals
    published: Published
    waits: JobWaits = field(default_factory=JobWaits)
    say: Callable[[OperatorSaid | RetryAsked | BudgetRaise], bool] = _nobody_listens  # True: the brain has heard it
    keep_raise: Callable[[BudgetRaise], bool] = _nobody_keeps  # over restarts; raises OSError
    history: Chronicle = field(default_factory=Chronicle)
    dry_run: bool = False
    examined: Callable[[], Examined | None] = _nobody_examines  # the newest examination of the site
    leading: Callable[[], Leading | None] = lambda: None  # None: a dry run leads nothing
    request_rates: Callable[[], Mapping[str, float]] = dict  # requests a second that go to the cloud at most, by kind

    @property
    def restarts(self) -> Mapping[str, int]:
        """Ends of earlier runs by cause."""
        return self.vitals.past.counts

    def moment(self) -> Moment:
        """Everything as it is now."""
        view, at = self.published.view, self.published.at
        passed = max(0.0, self.vitals.clock.monotonic() - at) if at else 0.0
        return Moment(view, view.t + passed, passed)

    def limits(self) -> HealthLimits:
        """From when on something is wrong."""
        daemon = self.settings().daemon
        return HealthLimits(daemon.poll_stale_after, daemon.watchdog, daemon.watchdog_interval)

    def ailments(self) -> list[str]:
        """What is wrong, in words."""
        return ailments(self.vitals, self.limits())


@dataclass(frozen=True, slots=True)
class Moment:
    """One view, and how old it is."""

    view: View
    t: float  # steady seconds now
    age: float  # seconds since the view was made

    def find(self, name: str) -> NodeStatus | None:
        """A node by cloud id, cloud name or hostname."""
        found = self.view.nodes.get(name)
        if found is not None:
            return found
        return next((node for node in self.view.nodes.values() if name in (node.name, node.hostname)), None)
