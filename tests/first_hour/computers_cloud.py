"""EC2 and Arvados for a computer: moto's EC2, whose instances are computers of their own beside it, which run their
user data as root as cloud-init would; and the sandbox's Arvados API server, whose DNS is everybody's /etc/hosts.

A process in the network of that computer (`nsenter --net`). It says in one line of JSON what is there, and ends, with
all computers, when its standard input does.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from computer import Computer, empty
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from arvnodeman.sandbox.arvados_api import ArvadosApi
from arvnodeman.sandbox.arvados_store import ArvadosStore
from arvnodeman.sandbox.ec2_layer import Account, Ec2Layer
from arvnodeman.sandbox.ec2_moto import Moto

REGION = "us-east-1"
KEY, SECRET, TOKEN = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "a-token-of-an-administrator"
ADDRESS, EC2_PORT, API_PORT = "10.77.0.2", 8000, 8001
METADATA = "169.254.169.254"
UNUSED = "127.40.4.0"  # what an Arvados API server has in its DNS for slots without a node
LOOK = 0.2


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *_arguments: object) -> None:
        """Nothing."""


class CloudOfComputers:
    """The instances, as computers beside the one with this process. `image`: the disk they begin with."""

    def __init__(self, moto: Moto, beside: int, image: list[Path], folder: Path) -> None:
        self._moto, self._beside, self._image, self._folder = moto, beside, image, folder
        self._on: dict[str, Computer] = {}
        self._known: set[str] = set()
        self._addresses: dict[str, str] = {}  # instance by address

    def look(self) -> None:
        """New instances are switched on; those that are terminated, or have halted, are not there any more."""
        for instance in self._moto.new(self._known):
            self._known.add(instance.id)
            self._addresses[instance.address] = instance.id
            computer = Computer(instance.id, self._image, self._folder / instance.id, instance.address, self._beside)
            self._on[instance.id] = computer
            computer.boot()
            threading.Thread(target=_cloud_init, args=(computer, instance.user_data), daemon=True).start()
        live = {each.id for each in self._moto.live()}
        for name, computer in list(self._on.items()):
            if name not in live:
                computer.end()
                del self._on[name]

    def end(self) -> None:
        """All of them."""
        for computer in self._on.values():
            computer.end()

    def write_hosts(self, names: dict[str, str]) -> None:
        """Let every computer know these names."""
        for first in (self._beside, *(computer.first for computer in self._on.values())):
            hosts = Path(f"/proc/{first}/root/etc/hosts")
            with contextlib.suppress(OSError):
                lines = [line for line in hosts.read_text().splitlines() if not re.search(r"\scompute\d+$", line)]
                text = "\n".join([*lines, *(f"{names[name]} {name}" for name in names), ""])
                if text != hosts.read_text():
                    hosts.write_text(text)

    def metadata(self, environ: dict[str, Any], start_response: Any) -> Any:
        """The metadata service, as far as our user data asks it."""
        request = Request(environ)
        instance = self._addresses.get(request.remote_addr or "", "")
        answers = {"/latest/api/token": "a-session", "/latest/meta-data/instance-id": instance}
        found = answers.get(request.path)
        return (Response(found) if found else Response("", 404))(environ, start_response)


def _cloud_init(computer: Computer, user_data: str) -> None:
    """What the image does once it is up."""
    computer.run(
        "cat > /run/user-data; chmod 700 /run/user-data; /run/user-data > /run/user-data.log 2>&1", text=user_data
    )


class NamesInDns:
    """What the API server writes into its DNS: for each slot the address of its node, else the unused one."""

    def __init__(self, store: ArvadosStore, slots: int, write: Callable[[dict[str, str]], None]) -> None:
        self._store, self._slots, self._write = store, slots, write

    def look(self) -> None:
        """Write it, for whoever has come meanwhile, too."""
        names = {f"compute{slot}": UNUSED for slot in range(self._slots + 1)}
        with self._store.lock:
            for row in self._store.nodes.values():
                if row["ip_address"] and row["hostname"] in names:
                    names[row["hostname"]] = row["ip_address"]
        self._write(names)


def serve(address: str, port: int, application: Any) -> None:
    """In a thread that ends with the process."""
    server = make_server(address, port, application, threaded=True, request_handler=_Quiet)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()


def _set_at_the_end_of_input(over: threading.Event) -> None:
    sys.stdin.read()
    over.set()


def main() -> int:
    """PID SUITE IMAGE FOLDER SLOTS: of the controller; what instances begin with; where they are; slots of Arvados, or
    0 for none."""
    pid, suite, image, folder, slots = int(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]), sys.argv[5]
    for each in (ADDRESS, METADATA):
        subprocess.run(["ip", "address", "add", f"{each}/32", "dev", "switch"], check=True)
    moto = Moto(REGION)
    (subnet,) = moto.subnets_in("10.77.0.0/16", "10.77.1.0/24")
    cloud = CloudOfComputers(moto, pid, [empty(suite), image], folder)
    serve(ADDRESS, EC2_PORT, Ec2Layer(moto, Account({KEY: SECRET})))
    serve(METADATA, 80, cloud.metadata)
    looks = [cloud.look]
    if int(slots):
        store = ArvadosStore(time.time, max_compute_vms=int(slots))
        store.add_token(TOKEN)
        serve(ADDRESS, API_PORT, ArvadosApi(store, time.time))
        looks.append(NamesInDns(store, int(slots), cloud.write_hosts).look)
    there = {"image": moto.images()[0], "subnet": subnet, "group": moto.security_groups()[0]}
    sys.stdout.write(f"{json.dumps(there)}\n")
    sys.stdout.flush()
    over = threading.Event()
    threading.Thread(target=_set_at_the_end_of_input, args=(over,), daemon=True).start()
    while not over.wait(LOOK):
        for look in looks:
            look()
    cloud.end()
    shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
