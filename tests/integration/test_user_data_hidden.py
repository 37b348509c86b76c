"""What a new node reads when it starts is nowhere in what the whole daemon says: log, decisions, status, metrics.

The cloud is the openstack peer of the unit tests, which repeats in its refusals what it was sent.
"""

from __future__ import annotations

import base64
import json
import random
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from daemon_process import BOUND, DaemonProcess, command

from arvnodeman.sandbox.process import SiteProcess

UNIT = Path(__file__).parents[1] / "unit" / "cloud"
sys.path.append(str(UNIT))

from peer_openstack import IMAGE, SECRET, USER, OpenStackPeer  # noqa: E402 (where it is had to be said)
from recorded_answers import reply  # noqa: E402
from werkzeug.wrappers import Request, Response  # noqa: E402

CLASSES = f"""
import os, sys
sys.path.append({str(UNIT)!r})
from recorded_answers import connection_to
from arvnodeman.cloud.openstack_connections import ComputeConnection, ImageConnection, NetworkConnection
from arvnodeman.cloud.openstack_libcloud import OpenStackNodes
to = {{"conn_class": connection_to(int(os.environ["PEER_PORT"]))}}
Nodes = type("Nodes", (OpenStackNodes,), {{
    "connectionCls": type("Compute", (ComputeConnection,), to),
    "image_connectionCls": type("Image", (ImageConnection,), to),
    "network_connectionCls": type("Network", (NetworkConnection,), to),
}})
"""
LENGTH = 16  # characters in a row that nobody may see


class Repeating(OpenStackPeer):
    """A cloud that repeats the user data in each refusal, each time in another way; the last ones it takes, and calls
    the servers failed in the same words."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.said: list[str] = []
        self.codes: list[str] = []

    def answer(self, request: Request, body: Any) -> Response:
        """See RecordedPeer."""
        if request.method != "POST" or not request.path.endswith("/servers"):
            return super().answer(request, body)
        code = body["server"]["user_data"]
        text = base64.b64decode(code).decode()
        ways = (code, text, repr(body), json.dumps(text), text[40:120], code[100:200], text.replace("\n", " "))
        way = ways[len(self.said) % len(ways)]
        self.said.append(way)
        self.codes.append(code)
        if len(self.said) % 3 == 0:
            made = self._boot(body["server"])
            made |= {"status": "ERROR", "fault": {"code": 500, "message": f"No valid host was found for {way}"}}
            return reply({"server": {"id": made["id"]}}, 202)
        status = (400, 500, 403)[len(self.said) % 3]
        return reply({"badRequest": {"code": status, "message": f"Invalid input: {way}: is refused"}}, status)


def test_nothing_of_user_data_is_in_what_the_daemon_says(tmp_path: Path) -> None:
    hidden = "".join(random.Random(7).choices("abcXYZ0189+/=%&'\"$ \n", k=300))
    (tmp_path / "user-data").write_text(f"#!/bin/sh\n# {hidden}\ncurl '{{ping_url}}'\n")
    (tmp_path / "nodes_here.py").write_text(CLASSES)
    log, state = tmp_path / "log", tmp_path / "state"
    with Repeating(tmp_path) as peer, SiteProcess(speed=60, slots=8, records="arvados") as site:
        create = {"ping_host": site.address.url, "image": IMAGE, "networks": "net1"}
        credentials = {
            "key": USER,
            "secret": SECRET,
            "ex_force_auth_url": "https://keystone.example.com:5000",
            "ex_tenant_name": "arvados",
            "ex_force_service_region": "regionOne",
        }
        over = {
            "Logging": {"file": log, "level": "DEBUG"},
            "Cloud": {"provider": "openstack", "driver_class": "nodes_here.Nodes"},
            "Cloud Credentials": None,
            "Cloud Create": {**create, "user_data": tmp_path / "user-data"},
            **{f"Size {size.id}": None for size in site.address.sizes},
            "Size 4": {"cores": 2, "price": 0.06},
            "Size 5": {"cores": 4, "price": 0.08},
        }
        config = site.write_config(
            tmp_path / "site.cfg", over, state_dir=state, poll_time=1, max_nodes=4, size_retry_after=1, boot_attempts=3
        )
        lines = "".join(f"{name} = {value}\n" for name, value in credentials.items())
        config.write_text(f"{config.read_text()}\n[Cloud Credentials]\n{lines}")
        environment = {**site.environment(), "PEER_PORT": str(peer.port), "PYTHONPATH": f"{tmp_path}"}
        site.add_jobs(*({"cores": 1, "ram": 100, "duration": 60} for _ in range(3)))
        ran: list[str] = []
        daemon = DaemonProcess(config, log, environment)
        try:
            daemon.wait_for(lambda: len(peer.said) >= 8, "some refusals")
            for words in (("status", "--nodes"), ("decisions",), ("explain",)):
                ran.append(operate(config, environment, *words))
            ran += [asked(state, path) for path in ("/status.json", "/metrics", "/v1/decisions")]
            daemon.stop()
        finally:
            ran.append(daemon.end())
        assert "Invalid input" in daemon.text()
        everything = "\n".join([*ran, daemon.text(), *files_in(state)])
    starts = [base64.b64decode(code).decode() for code in peer.codes]
    secrets = [found for start in starts for found in re.findall(r"ping_secret=(\w+)", start)]
    assert secrets
    wanted = {*secrets, *parts_of(hidden, LENGTH)}
    for before in (b"", b"x", b"xy"):
        wanted |= parts_of(base64.b64encode(before + hidden.encode()).decode(), 2 * LENGTH)
    assert [part for part in wanted if part in everything] == []


def operate(config: Path, environment: dict[str, str], *words: str) -> str:
    """What a command shows."""
    arguments = command(*words, "--config", str(config))
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=BOUND, check=False, env=environment)
    return done.stdout + done.stderr


def asked(state: Path, path: str) -> str:
    """What the daemon answers at its socket."""
    (place,) = [each for each in state.rglob("*") if each.is_socket()]
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(BOUND)
        client.connect(str(place))
        client.sendall(f"GET {path} HTTP/1.0\r\nHost: x\r\n\r\n".encode())
        with client.makefile("rb") as answer:
            return answer.read().decode()


def files_in(folder: Path) -> list[str]:
    """What is in the files of the state directory, history included."""
    return [each.read_bytes().decode("latin-1") for each in folder.rglob("*") if each.is_file()]


def parts_of(text: str, length: int) -> set[str]:
    """So much in a row of a text."""
    return {text[at : at + length] for at in range(len(text) - length + 1)}
