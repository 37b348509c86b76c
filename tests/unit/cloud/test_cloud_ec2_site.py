"""EC2 for a sandbox site: computers follow instances, instances follow computers, faults are told in EC2's words."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from fake_cloud_server import settings_in
from peer_ec2 import moto

from arvnodeman.cloud.base import CloudDriver
from arvnodeman.cloud.registry import make_driver
from arvnodeman.fleet.values.model import CloudNode, ErrorKind, NodeRecord, NodeSize, RemoteError, RemoteFailure, Secret
from arvnodeman.sandbox import demo
from arvnodeman.sandbox.clock import VirtualClock
from arvnodeman.sandbox.ec2_site import Ec2Site
from arvnodeman.sandbox.wiring import Site, SiteOptions

SMALL = NodeSize("small", "m5.large", "m5.large", "m5.large", 2, 4000, 0, 50000, 0.05)


@dataclass
class Play:
    """A site on EC2 whose clock stands still, and a driver for it."""

    site: Site
    clock: VirtualClock
    driver: CloudDriver

    def boot(self, token: str = "t") -> CloudNode:
        row = self.site.store.create_node({}, assign_slot=True)
        url = f"http://x/arvados/v1/nodes/{row['uuid']}/ping?ping_secret={row['info']['ping_secret']}"
        record = NodeRecord(row["uuid"], hostname=row["hostname"])
        return self.driver.create_node(SMALL, record, token, Secret(url))


@pytest.fixture
def play(tmp_path: Path) -> Iterator[Play]:
    moto().clear()
    clock = VirtualClock()
    site = Site(SiteOptions(slots=4, jitter=0.0, speed=1.0), clock)
    site.faults.set_values({"hang": 0.05})
    ec2 = Ec2Site(site)
    config = ec2.config(ec2.start())
    create = "[Cloud Create]\nping_host = x\n" + "".join(f"{k} = {v}\n" for k, v in config["Cloud Create"].items())
    settings = settings_in(tmp_path, create, provider="ec2", **config["Cloud Credentials"])
    yield Play(site, clock, make_driver(settings))
    ec2.stop()


def failure(act: Callable[[], object]) -> RemoteError:
    with pytest.raises(RemoteFailure) as caught:
        act()
    return caught.value.error


def test_a_computer_follows_its_instance(play: Play) -> None:
    node = play.boot()
    machine = play.site.machines.machines[node.id]
    play.clock.advance(200)
    assert machine.pinged
    assert play.site.slurm.nodes[machine.hostname].computer is not None
    play.driver.destroy_node(node)
    assert not machine.alive
    assert play.site.cloud.alive() == []


def test_an_instance_follows_its_computer(play: Play) -> None:
    first, second = play.boot("1"), play.boot("2")
    play.site.cloud.vanish(play.site.cloud.nodes[first.id], "spot")
    play.site.cloud.stop(play.site.cloud.nodes[second.id], "stopped")
    assert {node.id: node.stopped for node in play.driver.list_nodes()} == {second.id: True}


def test_two_requests_of_one_boot_make_one_computer(play: Play) -> None:
    row = play.site.store.create_node({}, assign_slot=True)
    record = NodeRecord(row["uuid"], hostname=row["hostname"])
    made = [play.driver.create_node(SMALL, record, "t", Secret("http://x/ping?ping_secret=y")) for _ in range(2)]
    assert made[0].id == made[1].id
    assert list(play.site.machines.machines) == [made[0].id]


@pytest.mark.parametrize(
    ("fault", "kind", "code"),
    [
        ("create-throttled", ErrorKind.THROTTLED, "RequestLimitExceeded"),
        ("create-quota", ErrorKind.QUOTA, "InstanceLimitExceeded"),
        ("create-capacity", ErrorKind.CAPACITY, "InsufficientInstanceCapacity"),
        ("create-invalid", ErrorKind.REFUSED, "InvalidParameterValue"),
    ],
)
def test_faults_of_a_create_in_the_words_of_ec2(play: Play, fault: str, kind: ErrorKind, code: str) -> None:
    play.site.faults.arm(fault)
    told = failure(play.boot)
    assert told.kind is kind
    assert told.text.startswith(f"{code}: ")
    assert play.site.cloud.alive() == []
    assert moto().live() == []


def test_a_throttled_request_says_how_long_to_wait(play: Play) -> None:
    play.site.faults.arm("create-throttled")
    play.site.faults.set_values({"retry_after": 7.0})
    assert failure(play.boot).retry_after == 7.0


def test_answers_that_are_lost(play: Play) -> None:
    play.site.faults.arm("create-lost")
    assert failure(play.boot).kind is ErrorKind.TRANSIENT
    (node,) = play.driver.list_nodes()
    play.site.faults.arm("destroy-fails")
    assert failure(lambda: play.driver.destroy_node(node)).kind is ErrorKind.TRANSIENT
    assert play.driver.fetch_node(node) is not None
    play.site.faults.arm("destroy-lost")
    assert failure(lambda: play.driver.destroy_node(node)).kind is ErrorKind.TRANSIENT
    assert play.driver.fetch_node(node) is None
    assert moto().live() == []


def test_a_list_that_cannot_be_had(play: Play) -> None:
    play.site.faults.arm("list-unavailable")
    assert failure(play.driver.list_nodes).kind is ErrorKind.TRANSIENT
    assert play.driver.list_nodes() == ()


def test_the_account_as_the_site_shows_it(play: Play) -> None:
    node = play.boot()
    play.driver.destroy_node(node)
    shown = play.site.views["ec2"]()
    assert (shown["made"], shown["live"], shown["volumes_left"]) == (1, 0, 0)
    assert "ping_secret" not in str(shown)


def test_without_moto_the_demo_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "moto" else found(name, *rest))
    assert demo.main(["--cloud", "ec2"]) == 1
    told = "demo: moto is not installed: run pip install '.[ec2-demo]' where the program was installed from\n"
    assert capsys.readouterr().err == told
