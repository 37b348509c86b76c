"""The management server under load, with 5,000 nodes: requests a second, and what they do to the time of a cycle.

`make bench ARGS=manage`. A cycle is one cloud list, one list of records with sinfo and one queue, told to a real
Fleet in this process, as the daemon actor does it; the clients are processes of their own and ask without pause.
"""

from __future__ import annotations

import argparse
import http.client
import multiprocessing
import statistics
import tempfile
import time
from dataclasses import replace
from multiprocessing.synchronize import Event
from pathlib import Path

from managed_world import Managed, jobs, policy

from arvnodeman.fleet.messages import CloudListed, QueueListed, RecordsListed
from arvnodeman.manage.server import ManagementServer, bind

PATHS = ("/status.json", "/_health/ping", "/metrics", "/v1/status", "/v1/nodes", "/v1/nodes/compute77", "/v1/jobs")
CYCLE = 0.5  # seconds from one cycle to the next; 60 in life
TOKEN = {"Authorization": "Bearer tok"}


def ask_without_pause(port: int, path: str, stop: Event, answers: multiprocessing.Queue[tuple[int, float]]) -> None:
    """One client: how many answers it got, and the slowest."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    count, slowest = 0, 0.0
    while not stop.is_set():
        began = time.perf_counter()
        connection.request("GET", path, headers=TOKEN)
        answer = connection.getresponse()
        answer.read()
        if answer.status >= 300 and answer.status != 503:
            raise SystemExit(f"{path}: {answer.status}")
        slowest = max(slowest, time.perf_counter() - began)
        count += 1
    answers.put((count, slowest))


def make_site(folder: Path, nodes: int, waiting: int) -> Managed:
    """So many nodes, half of them busy, and so many jobs that a limit stops."""
    site = Managed(folder, token="tok", policy=policy(max_nodes=nodes, shutdown_windows=(1e9, 1.0)))
    for number in range(1, nodes + 1):
        site.world.node(f"compute{number}", slurm="alloc" if number % 2 else "idle")
    site.begin(*jobs(waiting))
    site.cycle(times=2)
    return site


def cycles(site: Managed, seconds: float) -> list[float]:
    """A cycle every half second, for so long; how long each took the Fleet."""
    world, took = site.world, list[float]()
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        world.now += 60.0
        records = [replace(record, last_ping_at=world.now, modified_at=world.now) for record in world.records.values()]
        assert world.slurm is not None
        events = (
            CloudListed(list(world.cloud.values()), world.now),
            RecordsListed(records, dict(world.slurm), world.now),
            QueueListed(tuple(world.jobs), world.now),
        )
        began = time.perf_counter()
        for event in events:
            world.fleet.handle(event, world.now)
            world.published.view = world.fleet.view
        took.append(time.perf_counter() - began)
        site.mark()
        time.sleep(max(0.0, CYCLE - took[-1]))
    return took


def show(what: str, took: list[float], rest: str = "") -> None:
    milliseconds = sorted(1000 * each for each in took)
    middle, most = statistics.median(milliseconds), milliseconds[-1]
    print(f"{what:<22} {middle:8.1f} ms {most:8.1f} ms   {rest}", flush=True)


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=5000)
    parser.add_argument("--jobs", type=int, default=5000)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=4.0, help="for each path")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        site = make_site(Path(folder), given.nodes, given.jobs)
        server = ManagementServer(site.application, bind("127.0.0.1", 0))
        server.start()
        print(f"{given.nodes} nodes, {given.jobs} jobs, {given.clients} clients that ask without pause\n")
        print(f"{'':<22} {'cycle, median':>11} {'longest':>11}   requests a second, slowest answer")
        show("nobody asks", cycles(site, given.seconds))
        for path in PATHS:
            load(site, server.port, path, given.clients, given.seconds)
        server.stop()
    return 0


def load(site: Managed, port: int, path: str, clients: int, seconds: float) -> None:
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    answers: multiprocessing.Queue[tuple[int, float]] = context.Queue()
    asking = [context.Process(target=ask_without_pause, args=(port, path, stop, answers)) for _ in range(clients)]
    for each in asking:
        each.start()
    time.sleep(1.0)  # they take a while to come
    took = cycles(site, seconds)
    stop.set()
    told = [answers.get(timeout=90) for _ in asking]
    for each in asking:
        each.join()
    rate = sum(count for count, _ in told) / (seconds + 0.5)
    show(path, took, f"{rate:8.0f} /s   {1000 * max(slowest for _, slowest in told):6.0f} ms")


if __name__ == "__main__":
    raise SystemExit(main())
