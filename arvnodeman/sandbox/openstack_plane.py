"""A whole OpenStack control plane on loopback: keystone, placement, glance, neutron, and nova with its own services.

MariaDB and RabbitMQ stand behind them. Only the hypervisor is nova's fake, and neutron has no agents. It comes up in a
minute or two, and needs Linux and root. openstack_plane_conf.py has the configuration files,
openstack_plane_services.py the processes, openstack_front.py the knobs of tests.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path
from typing import TypeVar

from arvnodeman.sandbox.openstack_front import COMPUTE, NovaFront
from arvnodeman.sandbox.openstack_lab import ADMIN, OpenStack, OpenStackFailed
from arvnodeman.sandbox.openstack_plane_conf import SERVICE_PASSWORD, PlaneConf, PlanePorts
from arvnodeman.sandbox.openstack_plane_services import PlaneServices, ServiceFailed
from arvnodeman.sandbox.openstack_releases import Release

FLAVORS = (("m1.tiny", 1, 512, 1), ("m1.small", 1, 2048, 20), ("m1.medium", 2, 4096, 40), ("m1.large", 4, 8192, 80))
_APIS = ("placement", "glance", "neutron", "nova")
_LONGEST = 120.0  # seconds until a service that has just come up does what it is asked
_T = TypeVar("_T")


@contextlib.contextmanager
def control_plane(folder: Path, release: Release, page: int) -> Iterator[OpenStack]:
    """Start it, and stop it again. folder: for databases, images and logs; page: servers that nova lists at once.

    Raises OpenStackFailed.
    """
    conf = PlaneConf(folder / "plane", release.folder, _free_ports(), page)
    conf.folder.mkdir()
    services = PlaneServices(conf, release.root)
    front = NovaFront(conf, services, release.nova)
    try:
        front.start()
        try:
            yield _started(conf, services, front)
        except ServiceFailed as error:
            raise OpenStackFailed(f"OpenStack {release.name}: {error}") from None
    finally:
        front.stop()
        services.end_all()


def _started(conf: PlaneConf, services: PlaneServices, front: NovaFront) -> OpenStack:
    conf.write()
    services.start_broker()
    services.start_database()
    with ThreadPoolExecutor(max_workers=4) as several:  # they wait for the database most of the time
        list(several.map(lambda commands: services.manage(*commands), _schemas(conf)))
    services.start_api("keystone")
    for name in ("keystone", "broker"):
        services.answers(name)
    there = OpenStack(conf.ports.url("keystone"), front.url)
    front.admin = lambda method, path, body: there.ask_service(method, f"{front.url}{path}", body)
    _catalogue(there, conf.ports)
    for name in _APIS:
        services.start_api(name)
    for name in ("nova-conductor", "nova-scheduler", COMPUTE):
        services.start_daemon(name, conf.folder / "nova/nova.conf")
    for name in _APIS:
        services.answers(name)
    _things(there, conf.ports)
    _in_time(lambda: _hosts(there, services))
    return there


def _schemas(conf: PlaneConf) -> list[list[Sequence[str]]]:
    """What makes the tables of each service; rows of different services do not wait for each other."""
    url = conf.ports.url("keystone")
    urls = [f"--bootstrap-{which}-url={url}/v3" for which in ("admin", "internal", "public")]
    keystone = ("keystone-manage", "--config-file", str(conf.folder / "keystone.conf"))
    keys = ("--keystone-user", "root", "--keystone-group", "root")
    glance = ("glance-manage", "--config-file", str(conf.folder / "glance/glance-api.conf"))
    neutron = ("neutron-db-manage", "--config-file", str(conf.folder / "neutron/neutron.conf"))
    plugin = ("--config-file", str(conf.folder / "neutron/plugins/ml2/ml2_conf.ini"))
    nova = ("nova-manage", "--config-file", str(conf.folder / "nova/nova.conf"))
    return [
        [
            (*nova, "api_db", "sync"),
            (*nova, "cell_v2", "map_cell0", "--database_connection", conf.database("nova_cell0")),
            (*nova, "cell_v2", "create_cell", "--name", "cell1"),
            (*nova, "db", "sync"),
        ],
        [(*neutron, *plugin, "upgrade", "heads")],
        [
            (*keystone, "fernet_setup", *keys),
            (*keystone, "credential_setup", *keys),
            (*keystone, "db_sync"),
            (*keystone, "bootstrap", "--bootstrap-password", ADMIN, "--bootstrap-region-id", "RegionOne", *urls),
        ],
        [(*glance, "db_sync")],
    ]


def _catalogue(there: OpenStack, ports: PlanePorts) -> None:
    """The services' own users, our user, and where each service is."""
    project = there.ask("POST", "/v3/projects", {"project": {"name": "service", "domain_id": "default"}})["project"]
    roles = {each["name"]: each["id"] for each in there.ask("GET", "/v3/roles")["roles"]}
    for name in _APIS:
        given = {"name": name, "password": SERVICE_PASSWORD, "domain_id": "default"}
        user = there.ask("POST", "/v3/users", {"user": given})["user"]["id"]
        for role in ("admin", "service"):
            there.ask("PUT", f"/v3/projects/{project['id']}/users/{user}/roles/{roles[role]}")
    there.prepare(
        [
            ("compute", "nova", f"{there.nova}/v2.1"),
            ("placement", "placement", ports.url("placement")),
            ("image", "glance", ports.url("glance")),
            ("network", "neutron", ports.url("neutron")),
        ]
    )


def _things(there: OpenStack, ports: PlanePorts) -> None:
    """Networks that all projects may use, an image, and flavors."""
    neutron = f"{ports.url('neutron')}/v2.0"
    _in_time(lambda: there.ask_service("GET", f"{neutron}/networks"))  # first: a GET of ports would spoil it for good
    there.network = _network(there, neutron, "private", {4: "192.168.1.0/24", 6: "fd37:44e8:ad06::/64"})
    there.storage = _network(there, neutron, "storage", {4: "10.20.0.0/24"})
    there.image = _in_time(lambda: _image(there, f"{ports.url('glance')}/v2/images"))
    for known, (name, cores, ram, disk) in enumerate(FLAVORS, 1):
        there.flavor(name, cores, ram, disk, str(known))


def _network(there: OpenStack, neutron: str, name: str, ranges: dict[int, str]) -> str:
    network: str = there.ask_service("POST", f"{neutron}/networks", {"network": {"name": name, "shared": True}})[
        "network"
    ]["id"]
    for version, cidr in ranges.items():
        subnet = {"network_id": network, "ip_version": version, "cidr": cidr, "enable_dhcp": False}
        there.ask_service("POST", f"{neutron}/subnets", {"subnet": subnet})
    return network


def _image(there: OpenStack, images: str) -> str:
    given = {"name": "compute", "disk_format": "raw", "container_format": "bare", "visibility": "public"}
    image: str = there.ask_service("POST", images, given)["id"]
    there.put_file(f"{images}/{image}/file", b"x" * 1024)
    return image


def _hosts(there: OpenStack, services: PlaneServices) -> object:
    """Fails as long as nova has found none that computes."""
    services.discover_hosts()
    found = there.ask_service("GET", f"{there.nova}/v2.1/os-hypervisors")["hypervisors"]
    if not found:
        raise OpenStackFailed("nova finds no host")
    return found


def _in_time(ask: Callable[[], _T]) -> _T:
    end = time.monotonic() + _LONGEST
    while True:
        try:
            return ask()
        except OpenStackFailed:
            if time.monotonic() > end:
                raise
            time.sleep(0.5)


def _free_ports() -> PlanePorts:
    with contextlib.ExitStack() as stack:
        found = {}
        for each in fields(PlanePorts):
            probe = stack.enter_context(socket.socket())
            probe.bind(("127.0.0.1", 0))
            found[each.name] = probe.getsockname()[1]
        return PlanePorts(**found)
