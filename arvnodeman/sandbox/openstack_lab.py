"""What an administrator does in an OpenStack on loopback: projects, flavors, credentials, and the knobs of tests.

openstack_start.py starts one, openstack_releases.py has the releases and installs them.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import requests

USER, PASSWORD, ADMIN = "node-manager", "node-manager-password", "admin-password-admin"
IMAGE = "155d900f-4e14-4e4c-a73d-069cbf4541e6"  # of nova's double of glance
NETWORK = "3cb9bc59-5699-4588-a4b1-b87f96708bc6"  # and of neutron: `private`, with IPv4 (192.168.1.x) and IPv6
STORAGE = "1b70879f-fd00-411e-8ea9-143e7820e61d"  # another one, with IPv4 alone (10.20.0.x)


class OpenStackFailed(RuntimeError):
    """It did not come up, or refused a request; the text says why."""


class OpenStack:
    """The two services, and what an administrator can do there.

    keystone, nova: their URLs; nova's is without /v2.1. image, network, storage: ids.
    """

    image, network, storage = IMAGE, NETWORK, STORAGE

    def __init__(self, keystone: str, nova: str) -> None:
        self.keystone, self.nova = keystone, nova
        self._token = self._signed_in()

    def project(self, name: str) -> str:
        """A new project with our user in it as a member; its id."""
        project: str = self.ask("POST", "/v3/projects", {"project": {"name": name, "domain_id": "default"}})["project"][
            "id"
        ]
        self.ask("PUT", f"/v3/projects/{project}/users/{self._user()}/roles/{self._role('member')}")
        return project

    def prepare(self, services: Sequence[tuple[str, str, str]]) -> None:
        """Our user, and the catalogue: of each service type, name and URL."""
        given = {"name": USER, "password": PASSWORD, "domain_id": "default"}
        self.ask("POST", "/v3/users", {"user": given})
        for kind, name, url in services:
            service = self.ask("POST", "/v3/services", {"service": {"type": kind, "name": name}})["service"]["id"]
            for interface in ("public", "internal"):
                made = {"service_id": service, "interface": interface, "url": url, "region_id": "RegionOne"}
                self.ask("POST", "/v3/endpoints", {"endpoint": made})

    def credential(self, project: str, name: str, rules: list[dict[str, str]] | None = None) -> dict[str, str]:
        """A new application credential of our user's: `id` and `secret`."""
        token = self._signed_in(USER, PASSWORD, {"id": project})
        given: dict[str, Any] = {"name": name, **({"access_rules": rules} if rules else {})}
        path = f"/v3/users/{self._user()}/application_credentials"
        made: dict[str, str] = self.ask("POST", path, {"application_credential": given}, token)[
            "application_credential"
        ]
        return made

    def withdraw(self, credential: str, project: str) -> None:
        """Delete an application credential."""
        token = self._signed_in(USER, PASSWORD, {"id": project})
        self.ask("DELETE", f"/v3/users/{self._user()}/application_credentials/{credential}", None, token)

    def servers(self, project: str) -> list[dict[str, Any]]:
        """All servers of a project, as an administrator sees them."""
        url = f"{self.nova}/v2.1/servers/detail?all_tenants=1&project_id={project}"
        servers: list[dict[str, Any]] = []
        while url:
            answer = self._sent("GET", url, None, self._token, "compute 2.90")
            servers += answer["servers"]
            url = next((link["href"] for link in answer.get("servers_links", ()) if link["rel"] == "next"), "")
        return servers

    def destroy(self, server: str) -> None:
        """End a server, as an administrator does."""
        self._sent("DELETE", f"{self.nova}/v2.1/servers/{server}", None, self._token)

    def user_data(self, server: str) -> str:
        """What a server is given to read."""
        url = f"{self.nova}/v2.1/servers/{server}"
        there = self._sent("GET", url, None, self._token, "compute 2.3")["server"]
        return base64.b64decode(there["OS-EXT-SRV-ATTR:user_data"] or "").decode()

    def boot(self, project: str, server: Mapping[str, Any]) -> str:
        """A server that our user makes in a project; its id."""
        token = self._signed_in(USER, PASSWORD, {"id": project})
        made: str = self._sent("POST", f"{self.nova}/v2.1/servers", {"server": server}, token)["server"]["id"]
        return made

    def revoke(self, token: str) -> None:
        """A token is worth nothing from now on."""
        self._answer(
            "DELETE", f"{self.keystone}/v3/auth/tokens", None, {"X-Auth-Token": self._token, "X-Subject-Token": token}
        )

    def act(self, server: str, action: str, argument: object = None) -> None:
        """An action on a server: `lock`, `os-stop`, `os-resetState` ..."""
        self._sent("POST", f"{self.nova}/v2.1/servers/{server}/action", {action: argument}, self._token)

    def flavor(self, name: str, cores: int, ram: int = 1024, disk: int = 1, known: str | None = None) -> str:
        """A new flavor, of so many MB and GB; its id, which is `known` if one is given."""
        given = {"name": name, "vcpus": cores, "ram": ram, "disk": disk, "id": known}
        made: str = self._sent("POST", f"{self.nova}/v2.1/flavors", {"flavor": given}, self._token)["flavor"]["id"]
        return made

    def full_zone(self, name: str) -> None:
        """A new availability zone with a host of its own, which has no room."""
        host = f"{name}-1"
        self.knob("host", host=host)
        given = {"name": name, "availability_zone": name}
        made = self._sent("POST", f"{self.nova}/v2.1/os-aggregates", {"aggregate": given}, self._token)["aggregate"]
        path = f"{self.nova}/v2.1/os-aggregates/{made['id']}/action"
        self._sent("POST", path, {"add_host": {"host": host}}, self._token)

    def enable(self, host: str, *, enabled: bool) -> None:
        """May nova put servers on this host?"""
        given = {"host": host, "binary": "nova-compute"}
        what = "enable" if enabled else "disable"
        self._sent("PUT", f"{self.nova}/v2.1/os-services/{what}", given, self._token)

    def knob(self, name: str, **values: Any) -> Any:
        """Turn one of the knobs of openstack_nova.py, which are openstack_front.py's, too."""
        return self._sent("POST", f"{self.nova}/lab/{name}", values, "")

    def ask(self, method: str, path: str, body: object = None, token: str = "") -> Any:
        """Ask keystone."""
        return self.ask_service(method, f"{self.keystone}{path}", body, token)

    def ask_service(self, method: str, url: str, body: object = None, token: str = "") -> Any:
        """Ask any of the services, as an administrator or with this token."""
        return self._sent(method, url, body, token or self._token)

    def put_file(self, url: str, data: bytes) -> None:
        """Give glance what is in an image."""
        headers = {"X-Auth-Token": self._token, "Content-Type": "application/octet-stream"}
        self._answer("PUT", url, None, headers, data)

    def _user(self) -> str:
        found: str = self.ask("GET", f"/v3/users?name={USER}")["users"][0]["id"]
        return found

    def _role(self, name: str) -> str:
        found: str = self.ask("GET", f"/v3/roles?name={name}")["roles"][0]["id"]
        return found

    def _signed_in(self, user: str = "admin", password: str = ADMIN, project: Mapping[str, Any] | None = None) -> str:
        who = {"name": user, "domain": {"id": "default"}, "password": password}
        scope: dict[str, Any] = {"project": project or {"name": "admin", "domain": {"id": "default"}}}
        auth = {"identity": {"methods": ["password"], "password": {"user": who}}, "scope": scope}
        answer = self._answer("POST", f"{self.keystone}/v3/auth/tokens", {"auth": auth}, {})
        return str(answer.headers["X-Subject-Token"])

    def _sent(self, method: str, url: str, body: object, token: str, version: str = "compute 2.1") -> Any:
        answer = self._answer(method, url, body, {"X-Auth-Token": token, "OpenStack-API-Version": version})
        return answer.json() if answer.content else None

    @staticmethod
    def _answer(
        method: str, url: str, body: object, headers: Mapping[str, str], data: bytes | None = None
    ) -> requests.Response:
        with requests.Session() as session:
            session.trust_env = False  # it is on loopback: no proxy
            try:
                answer = session.request(method, url, json=body, data=data, headers=dict(headers), timeout=60)
            except requests.RequestException as error:
                raise OpenStackFailed(f"{method} {url}: {error}") from None
        if not answer.ok:
            raise OpenStackFailed(f"{method} {url}: {answer.status_code} {answer.text[:2000]}")
        return answer
