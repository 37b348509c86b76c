"""Providers by name, classes by dotted path, and the dummy cloud."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from fake_cloud_server import settings_in
from libcloud.compute.drivers.dummy import DummyNodeDriver

from arvnodeman.cloud import registry
from arvnodeman.cloud.dummy import DummyCloud, DummyDriver
from arvnodeman.cloud.registry import make_driver
from arvnodeman.cloud.sandbox import SandboxDriver, SandboxNodeDriver
from arvnodeman.config import ConfigError, Settings
from arvnodeman.fleet.values.model import (
    Directive,
    ErrorKind,
    NodeRecord,
    NodeSize,
    OperatorDirective,
    RemoteError,
    RemoteFailure,
    Secret,
)

SIZE = NodeSize("small", "1", "1", "Small", 1, 128, 4, 4000, 4.0)
RECORD = NodeRecord("zzzzz-7ekkf-0123456789abcde", hostname="compute7")
PING = Secret("https://x/ping")
SITE = {"url": "http://127.0.0.1:1", "key": "sesame-sesame"}


class OtherDriver(SandboxNodeDriver):
    """A class that `driver_class` can name."""


class Choosy:
    """A libcloud class that does not take our arguments."""

    def __init__(self) -> None:
        raise AssertionError


NOT_A_CLASS = 17


def test_driver_class_replaces_the_libcloud_class(tmp_path: Path) -> None:
    driver = make_driver(settings_in(tmp_path, driver_class=f"{__name__}.OtherDriver", **SITE))
    assert isinstance(driver, SandboxDriver)
    assert isinstance(driver._driver, OtherDriver)


@pytest.mark.parametrize("name", ["nowhere.Class", "os.path.Nothing", "libcloud..x", f"{__name__}.NOT_A_CLASS"])
def test_a_driver_class_that_cannot_be_had_is_one_line(tmp_path: Path, name: str) -> None:
    settings = settings_in(tmp_path, **SITE)
    settings = replace(settings, cloud=replace(settings.cloud, driver_class=name))
    with pytest.raises(ConfigError) as caught:
        make_driver(settings)
    (line,) = caught.value.problems
    assert "[Cloud] driver_class: " in line
    assert name in line
    assert "\n" not in line


def test_a_class_that_does_not_take_the_credentials_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\[Cloud Credentials\]: the driver refuses them: ") as caught:
        make_driver(settings_in(tmp_path, driver_class=f"{__name__}.Choosy", **SITE))
    assert SITE["key"] not in str(caught.value)


def test_a_cloud_that_is_away_is_no_mistake_of_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row A9."""

    def away(_settings: Settings) -> None:
        raise RemoteFailure(RemoteError(ErrorKind.TRANSIENT, "away"))

    monkeypatch.setattr(registry, "make_driver", away)
    registry.check_driver(settings_in(tmp_path, **SITE))


# ---- the dummy -------------------------------------------------------------------------------------------------------


@pytest.fixture
def dummy_settings(tmp_path: Path) -> Settings:
    return settings_in(tmp_path, provider="dummy", creds="word")


def test_the_life_of_a_dummy_node(dummy_settings: Settings) -> None:
    cloud = DummyCloud()
    driver = DummyDriver(dummy_settings, cloud=cloud)
    assert [size.name for size in driver.list_sizes()] == ["Small", "Medium", "Big", "XXL Big"]
    assert driver.list_nodes() == ()  # libcloud's two are not ours
    node = driver.create_node(SIZE, RECORD, "token-1", PING)
    assert driver.create_node(SIZE, RECORD, "token-1", PING) == node
    assert (node.name, node.size_tag, node.fqdn) == (
        "compute-0123456789abcde-zzzzz",
        "small",
        "compute7.dynamic.compute",
    )
    assert node.start_time is not None
    assert driver.list_nodes() == (node,)
    assert driver.find_node(SIZE, RECORD, "token-1") == node
    driver.set_directive(node, OperatorDirective(Directive.HOLD, "mine"))
    driver.sync_fqdn(node, "other.example.com")
    seen = driver.fetch_node(node)
    assert seen is not None
    assert (seen.directive, seen.fqdn) == (OperatorDirective(Directive.HOLD, "mine"), "other.example.com")
    driver.destroy_node(node)
    with pytest.raises(RemoteFailure) as caught:
        driver.destroy_node(node)
    assert caught.value.error.kind is ErrorKind.GONE
    assert driver.fetch_node(node) is None


def test_dummy_ids_never_come_twice(dummy_settings: Settings) -> None:
    """libcloud's own are the length of its list."""
    driver = DummyDriver(dummy_settings, cloud=DummyCloud())
    first, second = (driver.create_node(SIZE, RECORD, token, PING) for token in ("a", "b"))
    driver.destroy_node(first)
    third = driver.create_node(SIZE, RECORD, "c", PING)
    assert len({first.id, second.id, third.id}) == 3
    assert {node.id for node in driver.list_nodes()} == {second.id, third.id}


def test_the_dummy_cloud_is_one_for_the_process(dummy_settings: Settings) -> None:
    drivers = [make_driver(dummy_settings) for _ in range(4)]
    before = len(drivers[0].list_nodes())

    def boot(number: int) -> None:
        for n in range(20):
            drivers[number].create_node(SIZE, RECORD, f"one-{number}-{n}", PING)

    threads = [threading.Thread(target=boot, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    nodes = drivers[0].list_nodes()
    assert len(nodes) == before + 80
    assert len({node.id for node in nodes}) == len(nodes)
    for node in nodes:
        drivers[1].destroy_node(node)
    assert drivers[2].list_nodes() == ()


def test_a_node_that_another_hand_destroyed_is_gone(dummy_settings: Settings) -> None:
    cloud = DummyCloud(DummyNodeDriver, "x")
    first, second = DummyDriver(dummy_settings, cloud=cloud), DummyDriver(dummy_settings, cloud=cloud)
    node = first.create_node(SIZE, RECORD, "t", PING)
    second.destroy_node(node)
    assert first.find_node(SIZE, RECORD, "t") is None
