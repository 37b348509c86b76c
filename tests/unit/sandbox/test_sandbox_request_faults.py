"""Connections that go wrong, by name: what a client of the site meets on a real socket."""

from __future__ import annotations

import http.client
import subprocess
import time
from collections.abc import Iterator

import pytest

from arvnodeman.sandbox.faults import Where, names_of
from arvnodeman.sandbox.process import SiteProcess
from arvnodeman.sandbox.request_faults import service_of

VALUES = {"hang": 0.4, "slow": 0.4}


@pytest.fixture(scope="module")
def running() -> Iterator[SiteProcess]:
    with SiteProcess(speed=100, slots=4) as process:
        yield process


@pytest.fixture
def site(running: SiteProcess) -> SiteProcess:
    """The running site with no fault yet."""
    running.post("faults", {"end": True, "values": VALUES})
    return running


def ask(
    site: SiteProcess, path: str = "/cloud/sizes", method: str = "GET", body: str | None = None
) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", site.address.port, timeout=10)
    try:
        connection.request(method, path, body, {"Authorization": f"Bearer {site.address.key}"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def created(site: SiteProcess) -> int:
    count: int = site.state()["cloud"]["created"]
    return count


CREATE = ("/cloud/nodes", "POST", '{"name": "n", "size": "small"}')


def test_without_a_fault_all_is_well(site: SiteProcess) -> None:
    assert ask(site)[0] == 200


def test_unavailable_is_a_503_and_nothing_is_done(site: SiteProcess) -> None:
    before = created(site)
    site.post("faults", {"arm": {"http-unavailable": 1}})
    assert ask(site, *CREATE)[0] == 503
    assert created(site) == before


@pytest.mark.parametrize("fault", ["http-closed", "http-hangs"])
def test_a_connection_that_ends_without_an_answer_every_other_time_after_the_deed(
    site: SiteProcess, fault: str
) -> None:
    before = created(site)
    site.post("faults", {"arm": {fault: 2}})
    for _ in range(2):
        with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
            ask(site, *CREATE)
    assert created(site) == before + 1
    assert ask(site)[0] == 200


def test_a_hanging_request_holds_up_no_other(site: SiteProcess) -> None:
    site.post("faults", {"arm": {"http-hangs": 1}, "values": {"hang": 2.0}})
    connection = http.client.HTTPConnection("127.0.0.1", site.address.port, timeout=0.1)
    connection.request("GET", "/cloud/sizes", headers={"Authorization": f"Bearer {site.address.key}"})
    with pytest.raises(TimeoutError):
        connection.getresponse()
    assert ask(site)[0] == 200
    connection.close()


@pytest.mark.parametrize("fault", ["http-cut", "http-stalls"])
def test_half_of_an_answer_is_less_than_was_promised(site: SiteProcess, fault: str) -> None:
    whole = ask(site)[1]
    site.post("faults", {"arm": {fault: 1}})
    with pytest.raises(http.client.IncompleteRead) as caught:
        ask(site)
    assert caught.value.partial == whole[: len(whole) // 2]
    assert caught.value.expected == len(whole) - len(whole) // 2


def test_a_slow_answer_is_whole_and_takes_its_time(site: SiteProcess) -> None:
    whole = ask(site)[1]
    site.post("faults", {"arm": {"http-slow": 1}})
    began = time.monotonic()
    assert ask(site) == (200, whole)
    assert time.monotonic() - began >= VALUES["slow"]


def test_a_scope_names_the_service(site: SiteProcess) -> None:
    site.post("faults", {"arm": {"http-unavailable:arvados": 1}})
    assert ask(site)[0] == 200
    assert ask(site, "/arvados/v1/nodes")[0] == 503


@pytest.mark.parametrize("fault", [name for name in names_of(Where.REQUEST) if name != "http-slow"])
def test_a_slurm_command_that_is_in_trouble_fails_as_without_slurmctld(site: SiteProcess, fault: str) -> None:
    """Never with half of its output and return code 0."""
    site.post("faults", {"arm": {f"{fault}:slurm": 1}})
    done = subprocess.run(
        ["sinfo", "-h"], env=site.environment(), capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "Unable to contact slurm controller" in done.stderr


def test_a_service_that_is_away_answers_nobody_and_comes_back(site: SiteProcess) -> None:
    site.post("services/cloud", {"away": 3600})
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        ask(site)
    assert ask(site, "/discovery/v1/apis/arvados/v1/rest")[0] == 200
    site.post("services/cloud", {"away": 0})
    assert ask(site)[0] == 200


def test_what_runs_the_site_is_never_in_trouble(site: SiteProcess) -> None:
    site.post("faults", {"rates": dict.fromkeys(names_of(Where.REQUEST), 1.0)})
    assert site.get("ready") == {"ready": True}


@pytest.mark.parametrize(
    ("path", "service"),
    [
        ("/cloud/nodes", "cloud"),
        ("/slurm", "slurm"),
        ("/arvados/v1/nodes", "arvados"),
        ("/discovery/v1/apis/arvados/v1/rest", "arvados"),
        ("/site/state", ""),
        ("/", ""),
    ],
)
def test_whose_path_it_is(path: str, service: str) -> None:
    assert service_of(path) == service
