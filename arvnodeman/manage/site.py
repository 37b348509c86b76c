"""All pages of the management server, under their addresses."""

from __future__ import annotations

from arvnodeman.manage import api, openapi
from arvnodeman.manage.access import AccessControl, Right
from arvnodeman.manage.app import Application, Route
from arvnodeman.manage.cached_page import CachedPage
from arvnodeman.manage.health import HealthPage
from arvnodeman.manage.metrics import MetricsPage
from arvnodeman.manage.page import FrontPage
from arvnodeman.manage.source import Source
from arvnodeman.manage.status import StatusPage


def make_application(source: Source) -> Application:
    """The application, for the TCP server and for the unix socket."""
    token = source.settings().manage.management_token  # another one needs a restart
    routes = [
        Route("/", FrontPage()),
        Route("/status.json", CachedPage(StatusPage(source), source)),
        Route("/_health/ping", HealthPage(source.vitals, source.limits, token)),
        Route("/metrics", CachedPage(MetricsPage(source), source), Right.READ),
        Route("/v1/openapi.json", lambda _request: openapi.document(), Right.READ),
        *api.routes(source),
    ]
    return Application(routes, AccessControl(token))
