"""A real nova on loopback: api, conductor, scheduler, compute and placement in one process, by nova's own functional
fixtures. Run by the Python that has them: KEYSTONE_URL PASSWORD SERVERS_A_PAGE.

What asks who, is real: keystonemiddleware checks each token with the keystone at the URL. What computes is nova's fake
hypervisor, glance and neutron are nova's own doubles. It writes its port as one line, and serves until its standard
input ends. `/lab/NAME` are the knobs of tests and demo, POST with a JSON body: the methods do_NAME.

Nothing of nova is imported before main(): the order of imports decides whether its threads are threads (from 2025.2
on) or eventlet's.
"""

import copy
import ipaddress
import itertools
import json
import os
import sys
import threading
import time
import traceback
import warnings
from pathlib import Path

IN, OUT, ERR = sys.stdin, sys.stdout, sys.stderr  # the fixtures put others in their places
may_build = threading.Event()
may_build.set()


def set_up(url, password, page):
    """Nova, as its functional tests have it, with real tokens; it is left so."""
    import nova.conf
    import nova.tests.functional
    from fixtures import Fixture as Nothing
    from keystoneauth1 import loading
    from nova.tests import fixtures
    from nova.tests.functional import integrated_helpers

    assert nova.tests.functional
    conf = nova.conf.CONF

    class Nova(integrated_helpers._IntegratedTestBase):
        CAST_AS_CALL = False  # a build takes its time
        STUB_KEYSTONE = False
        NUMBER_OF_CELLS = 1

        def runTest(self):  # noqa: N802 (unittest's name)
            """Nothing."""

        def _setup_services(self):
            self.flags(compute_driver="fake.FakeDriver")
            self.flags(api_paste_config=paste_file(), group="wsgi")
            if hasattr(conf.api, "response_validation"):
                self.flags(response_validation="warn", group="api")  # as it comes; the fixtures make it stricter
            self.flags(max_limit=page, group="api")
            self.flags(token_cache_time=-1, group="keystone_authtoken")  # a token that was revoked is so at once
            super()._setup_services()

        def setUp(self):
            from keystonemiddleware import auth_token

            assert auth_token
            group = "keystone_authtoken"
            conf.register_opts(loading.get_auth_plugin_conf_options("password"), group=group)
            given = {"auth_type": "password", "auth_url": url, "username": "admin", "password": password}
            given |= {"project_name": "admin", "user_domain_id": "default", "project_domain_id": "default"}
            given |= {"www_authenticate_uri": url, "service_type": "compute", "interface": "public"}
            for name, value in given.items():
                conf.set_override(name, value, group=group)
            super().setUp()

    if not hasattr(integrated_helpers._IntegratedTestBase, "CAST_AS_CALL"):  # an older one
        fixtures.CastAsCallFixture = lambda _test: Nothing()
    there = Nova("runTest")
    there.setUp()
    give_ports_their_networks(there.neutron)
    return there


def give_ports_their_networks(neutron):
    """Nova's double of neutron gives every port the same project, network and address, so that nova shows no address of
    a server. Here a port has the project and the network that it is asked for, and an address of each subnet there. A
    second network, with IPv4 alone, is added."""
    network = {**neutron.network_2, "name": "storage", "port_security_enabled": True}
    subnet = {**neutron.subnet_2, "cidr": "10.20.0.0/24", "gateway_ip": "10.20.0.1"}
    subnet["allocation_pools"] = [{"start": "10.20.0.2", "end": "10.20.0.254"}]
    neutron._networks[network["id"]] = network
    neutron._subnets[subnet["id"]] = subnet
    make_port, numbers = neutron.create_port, itertools.cycle(range(10, 250))

    def create_port(body=None):
        asked = (body or {"port": {}})["port"]
        port = neutron._ports[make_port(body)["port"]["id"]]
        port.update({key: asked[key] for key in ("tenant_id", "device_id", "network_id") if key in asked})
        number = next(numbers)
        port["fixed_ips"] = [
            {
                "subnet_id": each["id"],
                "ip_address": str(ipaddress.ip_network(each["cidr"], strict=False)[number]),
            }
            for each in neutron._subnets.values()
            if each["network_id"] == port["network_id"]
        ]
        return {"port": copy.deepcopy(port)}

    def list_subnets(**asked):
        not_of_subnets = ("fields", "retrieve_all")
        asked = {
            key: each if isinstance(each, list) else [each] for key, each in asked.items() if key not in not_of_subnets
        }
        found = [each for each in neutron._subnets.values() if all(each.get(key) in of for key, of in asked.items())]
        return {"subnets": copy.deepcopy(found)}

    neutron.create_port, neutron.list_subnets = create_port, list_subnets


def paste_file():
    """Where nova's package has put its api-paste.ini."""
    places = [f"{folder}/nova/api-paste.ini" for folder in (f"{sys.prefix}/etc", "/etc", "/usr/share")]
    places.append("/usr/share/nova-common/api-paste.ini")
    return next(place for place in places if Path(place).exists())


def slow(spawn):
    """A build that waits until it may go on."""

    def spawning(self, *args, **options):
        end = time.monotonic() + 60
        while not may_build.is_set() and time.monotonic() < end:
            time.sleep(0.05)
        return spawn(self, *args, **options)

    return spawning


class Lab:
    """Nova's API, and the knobs."""

    def __init__(self, nova, api):
        self.nova, self.api = nova, api
        self.cells = None
        self.spoilt = []  # how the answers to the next creates are spoilt: (lost or throttled, seconds)

    def __call__(self, environ, start_response):
        """Answer a request."""
        path, method = environ.get("PATH_INFO", ""), environ["REQUEST_METHOD"]
        if path.startswith("/lab/"):
            length = int(environ.get("CONTENT_LENGTH") or 0)
            given = json.loads(environ["wsgi.input"].read(length) or b"{}") if length else {}
            answer = getattr(self, f"do_{path.removeprefix('/lab/')}")(**given)
            return told(start_response, "200 OK", answer)
        if path == "/v2.0/networks":  # neutron's API, as far as the driver asks it
            return told(start_response, "200 OK", self.nova.neutron.list_networks())
        if method == "POST" and path.rstrip("/").endswith("/servers") and self.spoilt:
            return self._spoil(environ, start_response, *self.spoilt.pop(0))
        return self.api(environ, start_response)

    def _spoil(self, environ, start_response, how, seconds):
        """As a proxy in front of nova does: too many requests, or an answer that does not come through."""
        if how == "throttled":
            error = {"overLimit": {"code": 429, "message": "This request was rate-limited."}}
            return told(start_response, "429 Too Many Requests", error, [("Retry-After", f"{seconds:g}")])
        for _part in self.api(environ, lambda *_args: lambda _data: None):
            pass
        time.sleep(seconds)
        return told(start_response, "504 Gateway Timeout", {"error": {"message": "the answer was lost"}})

    def do_cells(self, away):
        """The database of each cell is away, or is back."""
        from nova.tests import fixtures

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
        import nova.conf

        for name, value in quotas.items():
            nova.conf.CONF.set_override(name, value, group="quota")

    def do_restart(self):
        """Nova's compute service ends, and starts again on the same host."""
        self.nova.compute = self.nova.restart_compute_service(self.nova.compute)

    def do_spoil(self, how, seconds):
        """The next create is answered with 429 (throttled), or done and not answered (lost)."""
        self.spoilt.append((how, seconds))

    def do_release(self):
        """The version of nova's package."""
        from importlib.metadata import version

        return version("nova")


def told(start_response, status, body, headers=()):
    """A JSON answer."""
    data = json.dumps(body).encode()
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(data))), *headers])
    return [data]


def serve_by_threads(application):
    """Serve on a free port; the port."""
    from werkzeug.serving import WSGIRequestHandler, make_server

    class _Quiet(WSGIRequestHandler):
        protocol_version = "HTTP/1.1"

        def log(self, *_args):
            """Nothing."""

    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=_Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port


def serve_by_eventlet(application):
    """The same where threads are eventlet's."""
    import eventlet
    import eventlet.wsgi

    socket = eventlet.listen(("127.0.0.1", 0))
    eventlet.spawn(eventlet.wsgi.server, socket, application, log_output=False)
    return socket.getsockname()[1]


def main():
    """Serve."""
    import nova.tests.functional
    from nova.virt import fake

    assert nova.tests.functional
    fake.FakeDriver.spawn = slow(fake.FakeDriver.spawn)
    there = set_up(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    warnings.resetwarnings()  # the fixtures make errors of those that newer libraries give
    warnings.simplefilter("ignore")
    threads = os.environ.get("OS_NOVA_DISABLE_EVENTLET_PATCHING")
    serve = serve_by_threads if threads else serve_by_eventlet
    OUT.write(f"{serve(Lab(there, there.api_fixture.app()))}\n")
    OUT.flush()
    if threads:
        IN.read()
        return
    import select

    while not select.select([IN], [], [], 1.0)[0]:
        """Eventlet's threads go on meanwhile."""


if __name__ == "__main__":
    try:
        main()
    except BaseException:
        traceback.print_exc(file=ERR)
        ERR.flush()
    finally:
        os._exit(0)  # whatever threads are left
