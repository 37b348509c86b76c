"""A real OpenStack for tests: keystone, and nova by its own functional fixtures, in processes of their own.

They are installed once from pinned packages into a virtual environment outside the repository, OPENSTACK_LAB or
`~/.cache/arvados-node-manager/openstack-…`. `make proofs ARGS=openstack` does it, and runs the tests.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import pytest

PACKAGES = (  # one release of OpenStack; the last two are what its fixtures need
    "nova==34.0.0",
    "keystone==30.0.0",
    "openstack-placement==16.0.0",
    "oslotest==6.1.1",
    "wsgi-intercept==1.13.1",
)
HERE = Path(__file__).parent
USER, PASSWORD, ADMIN = "node-manager", "node-manager-password", "admin-password-admin"
IMAGE = "155d900f-4e14-4e4c-a73d-069cbf4541e6"  # of nova's double of glance
NETWORK = "3cb9bc59-5699-4588-a4b1-b87f96708bc6"  # and of neutron
_LONGEST = 300.0  # seconds until it is up, on a busy machine
_UNTIL = "openstack-lab-installed"


def place() -> Path:
    """The virtual environment; there may be none yet."""
    given = os.environ.get("OPENSTACK_LAB")
    if given:
        return Path(given)
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    pins = hashlib.sha256(" ".join([*PACKAGES, sys.version.partition(" ")[0]]).encode()).hexdigest()[:12]
    return Path(cache) / "arvados-node-manager" / f"openstack-{pins}"


def install() -> None:
    """Make it. A minute or two, half a gigabyte."""
    lab = place()
    if (lab / _UNTIL).exists():
        return
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(lab)], check=True)
    pip = [str(lab / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    subprocess.run([*pip, *PACKAGES], check=True)
    (lab / _UNTIL).touch()


def need_openstack() -> None:
    """Skip the tests where it is not installed, with the way to get it; in CI that is a failure."""
    if not (place() / _UNTIL).exists():
        complaint = (
            f"no OpenStack in {place()}: make proofs ARGS=openstack installs it (a minute or two, half a gigabyte)"
        )
        if os.environ.get("CI") == "true":
            pytest.fail(complaint)
        pytest.skip(complaint)


class OpenStack:
    """The two services, and what an administrator can do there.

    keystone, nova: their URLs; nova's is without /v2.1.
    """

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

    def prepare(self) -> None:
        """The catalogue, and our user."""
        given = {"name": USER, "password": PASSWORD, "domain_id": "default"}
        self.ask("POST", "/v3/users", {"user": given})
        service = self.ask("POST", "/v3/services", {"service": {"type": "compute", "name": "nova"}})["service"]["id"]
        for interface in ("public", "internal"):
            made = {"service_id": service, "interface": interface, "url": f"{self.nova}/v2.1", "region_id": "RegionOne"}
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
        servers: list[dict[str, Any]] = self._sent("GET", url, None, self._token, "compute 2.96")["servers"]
        return servers

    def act(self, server: str, action: str, argument: object = None) -> None:
        """An action on a server: `lock`, `os-stop`, `os-resetState` ..."""
        self._sent("POST", f"{self.nova}/v2.1/servers/{server}/action", {action: argument}, self._token)

    def flavor(self, name: str, cores: int) -> str:
        """A new flavor; its id."""
        given = {"name": name, "vcpus": cores, "ram": 1024, "disk": 1}
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
        """Turn one of the knobs of nova_lab.py."""
        return self._sent("POST", f"{self.nova}/lab/{name}", values, "")

    def ask(self, method: str, path: str, body: object = None, token: str = "") -> Any:
        """Ask keystone."""
        return self._sent(method, f"{self.keystone}{path}", body, token or self._token)

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
        request = _request("POST", f"{self.keystone}/v3/auth/tokens", {"auth": auth})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return str(answer.headers["X-Subject-Token"])

    @staticmethod
    def _sent(method: str, url: str, body: object, token: str, version: str = "compute 2.1") -> Any:
        request = _request(method, url, body)
        request.add_header("X-Auth-Token", token)
        request.add_header("OpenStack-API-Version", version)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {url}: {error.code} {error.read()[:2000]!r}") from None
        return json.loads(text) if text else None


def _request(method: str, url: str, body: object) -> urllib.request.Request:
    data = None if body is None else json.dumps(body).encode()
    return urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)


@contextlib.contextmanager
def openstack(folder: Path) -> Iterator[OpenStack]:
    """Start it, and stop it again. folder: for databases and logs."""
    need_openstack()
    with contextlib.ExitStack() as stack:
        keystone = stack.enter_context(_service(folder, "keystone", str(folder), ADMIN))
        nova = stack.enter_context(_service(folder, "nova", keystone, ADMIN))
        there = OpenStack(keystone, nova)
        there.prepare()
        yield there


@contextlib.contextmanager
def _service(folder: Path, name: str, *arguments: str) -> Iterator[str]:
    """One of the two programs, which ends with its standard input; gives its URL."""
    python = str(place() / "bin" / "python")
    errors = folder / f"{name}.stderr"
    temporary = folder / f"{name}.tmp"
    temporary.mkdir()
    command = [python, "-W", "ignore", str(HERE / f"{name}_lab.py"), *arguments]
    environment = {"PATH": os.environ["PATH"], "HOME": str(temporary), "TMPDIR": str(temporary)}
    with errors.open("w") as stderr:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            cwd=folder,
            env=environment,
        )
    try:
        assert process.stdout is not None
        port = _first_line(process.stdout)
        assert port, f"{name} did not come up:\n{errors.read_text()[-4000:]}"
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def _first_line(stream: IO[str]) -> str:
    """The first line; nothing if it does not come in time, or the program has ended."""
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.append(stream.readline().strip()), daemon=True)
    reader.start()
    reader.join(_LONGEST)
    return lines[0] if lines else ""


if __name__ == "__main__":
    install()
    sys.stdout.write(f"{place()}\n")
