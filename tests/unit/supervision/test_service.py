"""What the service manager hears."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from arvnodeman.supervision.service import ServiceNotifier


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(10.0)
        yield listening


def test_what_is_said(manager: socket.socket) -> None:
    notifier = ServiceNotifier({"NOTIFY_SOCKET": manager.getsockname()})
    notifier.ready()
    notifier.alive("3 nodes")
    notifier.stopping()
    assert [manager.recv(1000).decode() for _ in range(3)] == ["READY=1", "WATCHDOG=1\nSTATUS=3 nodes", "STOPPING=1"]
    notifier.close()
    notifier.ready()


def test_an_abstract_socket() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("")  # the kernel chooses an abstract name
        listening.settimeout(10.0)
        notifier = ServiceNotifier({"NOTIFY_SOCKET": "@" + listening.getsockname()[1:].decode()})
        notifier.ready()
        assert listening.recv(100) == b"READY=1"
        notifier.close()


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1234"}])
def test_without_a_service_manager_it_is_silent(environment: dict[str, str]) -> None:
    notifier = ServiceNotifier(environment)
    notifier.ready()
    notifier.close()


def test_a_service_manager_that_does_not_listen_holds_up_nothing(tmp_path: Path, manager: socket.socket) -> None:
    notifier = ServiceNotifier({"NOTIFY_SOCKET": manager.getsockname()})
    for _ in range(2000):  # more than a datagram socket takes without a reader
        notifier.alive("x" * 1000)
    notifier.close()
    gone = ServiceNotifier({"NOTIFY_SOCKET": str(tmp_path / "gone")})
    gone.ready()
    gone.close()


def test_a_reload_is_announced_with_its_moment(manager: socket.socket) -> None:
    notifier = ServiceNotifier({"NOTIFY_SOCKET": manager.getsockname()})
    notifier.reloading()
    notifier.say("all is well")
    first, second = (manager.recv(1000).decode() for _ in range(2))
    assert re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=\d+", first)
    assert second == "STATUS=all is well"
    notifier.close()


@pytest.mark.parametrize(
    ("given", "seconds"), [("60000000", 60.0), ("", None), ("0", None), ("-1", None), ("soon", None)]
)
def test_the_service_managers_own_deadline(given: str, seconds: float | None) -> None:
    assert ServiceNotifier({"WATCHDOG_USEC": given}).watchdog == seconds
