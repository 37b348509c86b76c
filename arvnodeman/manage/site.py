"""All pages of the management server, under their addresses."""

from __future__ import annotations

from collections.abc import Callable

from arvnodeman.fleet.view import View
from arvnodeman.manage.app import Application
from arvnodeman.manage.health import HealthLimits, HealthPage
from arvnodeman.manage.status import StatusPage
from arvnodeman.settings import Settings
from arvnodeman.supervision.vitals import Vitals


def make_application(settings: Callable[[], Settings], vitals: Vitals, view: Callable[[], View]) -> Application:
    """The application. `settings`: those in force now; `view`: the brain's newest."""

    def limits() -> HealthLimits:
        daemon = settings().daemon
        return HealthLimits(daemon.poll_stale_after, daemon.watchdog, daemon.watchdog_interval)

    return Application(
        {
            "/status.json": StatusPage(vitals, view),
            "/_health/ping": HealthPage(vitals, limits, settings().manage.management_token),
        }
    )
