"""A real nova on loopback: api, conductor, scheduler, compute and placement in one process, by nova's own functional
fixtures. Run by the Python of the lab: KEYSTONE_URL PASSWORD.

What asks who, is real: keystonemiddleware checks each token with the keystone at the URL. What computes is nova's fake
hypervisor, glance and neutron are nova's own doubles. It writes its port as one line, and serves until its standard
input ends. `/lab/NAME` are the knobs of the tests, POST with a JSON body; they are at the end.
"""

import json
import os
import sys
import threading
import traceback
import warnings

os.environ["OS_NOVA_DISABLE_EVENTLET_PATCHING"] = "true"  # threads, as everywhere

import nova.conf
import nova.tests.functional  # first: it decides that threads are threads
from keystoneauth1 import loading
from nova.tests import fixtures
from nova.tests.functional import integrated_helpers
from nova.virt import fake
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

URL, PASSWORD = sys.argv[1], sys.argv[2]
IN, OUT, ERR = sys.stdin, sys.stdout, sys.stderr  # the fixtures put others in their places
CONF = nova.conf.CONF
may_build = threading.Event()
may_build.set()


class Quiet(WSGIRequestHandler):
    """Logs nothing."""

    protocol_version = "HTTP/1.1"

    def log(self, *_args):
        """Nothing."""


class Nova(integrated_helpers._IntegratedTestBase):
    """Nova, as its functional tests have it."""

    CAST_AS_CALL = False  # a build takes its time
    STUB_KEYSTONE = False
    NUMBER_OF_CELLS = 1

    def runTest(self):  # noqa: N802 (unittest's name)
        """Nothing: it is set up, and left so."""

    def _setup_services(self):
        self.flags(compute_driver="fake.FakeDriver")
        self.flags(api_paste_config=f"{sys.prefix}/etc/nova/api-paste.ini", group="wsgi")
        self.flags(response_validation="warn", group="api")  # as it comes; the fixtures make it stricter
        self.flags(max_limit=4, group="api")
        self.flags(token_cache_time=-1, group="keystone_authtoken")  # a token that was revoked is so at once
        super()._setup_services()

    def setUp(self):
        """Set it up."""
        from keystonemiddleware import auth_token

        assert auth_token
        group = "keystone_authtoken"
        CONF.register_opts(loading.get_auth_plugin_conf_options("password"), group=group)
        given = {"auth_type": "password", "auth_url": URL, "username": "admin", "password": PASSWORD}
        given |= {"project_name": "admin", "user_domain_id": "default", "project_domain_id": "default"}
        given |= {"www_authenticate_uri": URL, "service_type": "compute", "interface": "public"}
        for name, value in given.items():
            CONF.set_override(name, value, group=group)
        super().setUp()


def slow(spawn):
    """A build that waits until it may go on."""

    def spawning(self, *args, **options):
        may_build.wait(60)
        return spawn(self, *args, **options)

    return spawning


class Lab:
    """Nova's API, and the knobs."""

    def __init__(self, nova_, api):
        self.nova, self.api = nova_, api
        self.cells = None

    def __call__(self, environ, start_response):
        """Answer a request."""
        request = Request(environ)
        if not request.path.startswith("/lab/"):
            return self.api(environ, start_response)
        answer = getattr(self, f"do_{request.path.removeprefix('/lab/')}")(**(request.get_json(silent=True) or {}))
        return Response(json.dumps(answer), content_type="application/json")(environ, start_response)

    def do_cells(self, away):
        """The database of each cell is away, or is back."""
        if away:
            self.cells = fixtures.DownCellFixture()
            self.cells.setUp()
        else:
            self.cells.cleanUp()

    def do_builds(self, go_on):
        """Builds go on, or wait where they are."""
        (may_build.set if go_on else may_build.clear)()

    def do_host(self, host):
        """Another host with a compute service. It has next to no memory for servers."""
        self.nova._start_compute(host)
        provider = self.nova._get_provider_uuid_by_name(host)
        there = self.nova.placement.get(f"/resource_providers/{provider}/inventories").body
        memory = there["inventories"]["MEMORY_MB"]
        memory["reserved"] = memory["total"] - 1
        self.nova._update_inventory(provider, there)

    def do_quota(self, **quotas):
        """So much of each for a project; -1: no limit."""
        for name, value in quotas.items():
            CONF.set_override(name, value, group="quota")


def main():
    """Serve."""
    fake.FakeDriver.spawn = slow(fake.FakeDriver.spawn)
    nova_ = Nova("runTest")
    nova_.setUp()
    warnings.resetwarnings()  # the fixtures make errors of those that newer libraries give
    warnings.simplefilter("ignore")
    server = make_server("127.0.0.1", 0, Lab(nova_, nova_.api_fixture.app()), threaded=True, request_handler=Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    OUT.write(f"{server.server_port}\n")
    OUT.flush()
    IN.read()


try:
    main()
except BaseException:
    traceback.print_exc(file=ERR)
    ERR.flush()
finally:
    os._exit(0)  # whatever threads are left
