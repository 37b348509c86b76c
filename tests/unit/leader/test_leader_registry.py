"""Backends by name, and the one that needs nothing."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from arvnodeman.config import ConfigError, Settings, load
from arvnodeman.fence.fence import Fence
from arvnodeman.fleet.values.leading import LeaderBackend
from arvnodeman.leader import registry
from arvnodeman.leader.port import Holder, LeadCandidate, Leadership
from arvnodeman.leader.registry import BACKENDS, candidate_of, check_leadership, make_leadership

GOOD = """\
[Daemon]
dispatcher = slurm
[Cloud]
provider = dummy
shutdown_windows = 54, 5, 1
[Size small]
cores = 2
"""


def settings_with(folder: Path, leader: str = "") -> Settings:
    path = folder / "site.cfg"
    path.write_text(f"{GOOD}[Leader]\n{leader}")
    return load(str(path))


def mistakes(folder: Path, leader: str, more: str = "") -> list[str]:
    with pytest.raises(ConfigError) as caught:
        settings_with(folder, f"{leader}\n{more}")
    return [line.partition(": ")[2] for line in caught.value.problems]


def test_each_backend_has_a_line() -> None:
    assert set(BACKENDS) == set(LeaderBackend)


def test_the_host_leads_for_as_long_as_the_process_lives(tmp_path: Path) -> None:
    settings = settings_with(tmp_path)
    check_leadership(settings)
    leadership: Leadership = make_leadership(settings, LeadCandidate("cluster", "here:1"))
    hold = leadership.take()
    assert hold is not None
    assert hold == leadership.hold()
    assert hold.generation == 0
    fence = Fence(1.0, 0.5, lambda: 1e9)
    fence.hold(hold.generation, hold.began)
    assert fence.check(1e6) == 0
    assert leadership.who() == Holder("here:1", 0)
    leadership.give_up()


def test_the_host_goes_above_generations_that_it_is_told_of(tmp_path: Path) -> None:
    leadership = make_leadership(settings_with(tmp_path), LeadCandidate("cluster", "here:1"))
    hold = leadership.take(at_least=7)
    assert hold is not None
    assert hold.generation == 8
    assert leadership.hold().generation == 8


def test_a_candidate_is_known_by_host_and_process(tmp_path: Path) -> None:
    candidate = candidate_of(settings_with(tmp_path, "name = physics\n"))
    assert candidate.cluster == "physics"
    assert candidate.name.startswith(f"{socket.gethostname()}:{os.getpid()}.")
    named = candidate_of(settings_with(tmp_path, "this_host = head1\n"))
    assert named.name.startswith(f"head1:{os.getpid()}.")
    assert named.cluster.startswith("Slurm of ")


def test_a_backend_whose_library_is_not_there_is_a_mistake_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_with(tmp_path)
    monkeypatch.setitem(registry.BACKENDS, LeaderBackend.HOST, "no_such_module_at_all:Leadership")
    with pytest.raises(ConfigError) as caught:
        check_leadership(settings)
    (line,) = caught.value.problems
    assert line.endswith("[Leader] backend: host cannot be had: No module named 'no_such_module_at_all'")


def test_times_follow_from_ttl(tmp_path: Path) -> None:
    leader = settings_with(tmp_path, "backend = slurm\nttl = 30\n").leader
    assert (leader.margin, leader.timeout, leader.longest_request) == (3.0, 3.0, 12.0)
    assert settings_with(tmp_path, "backend = slurm\nttl = 30\n").slurm_timeout == 12.0


def test_a_host_that_is_alone_limits_no_request(tmp_path: Path) -> None:
    settings = settings_with(tmp_path)
    assert settings.leader.longest_request is None
    assert settings.slurm_timeout == settings.daemon.slurm_timeout == 20.0


@pytest.mark.parametrize(
    ("leader", "expected"),
    [
        (
            "backend = postgresql\nname = x",
            ["[Leader] database: missing; required with backend = postgresql: secret text"],
        ),
        ("backend = zookeeper\nname = x", ["[Leader] servers: missing; required with backend = zookeeper: text"]),
        (
            "backend = zookeeper\nservers = z:1",
            ["[Leader] name: missing; required with backend = zookeeper where there is no [Arvados] host: text"],
        ),
        (
            "backend = slurm\nmargin = 40\n[Cloud Credentials]\ntimeout = 9",
            ["[Leader] margin: 40 is too large; allowed: at most a quarter of ttl, 15"],
        ),
        (
            "backend = slurm\nttl = 100000",
            ["[Leader] ttl: '100000' is too large; allowed: a number, at least 1, at most 86400"],
        ),
        ("backend = slurm\nmargin = 16", ["[Leader] margin: 16 is too large; allowed: at most a quarter of ttl, 15"]),
        (
            "backend = slurm\ntimeout = 11",
            [
                "[Leader] timeout: 11 is too large; allowed: at most a sixth of ttl, 10, so that one answer may "
                "fail to come"
            ],
        ),
        (
            "backend = slurm\n[Cloud Credentials]\ntimeout = 25",
            [
                "[Cloud Credentials] timeout: 25 is too large with [Leader] ttl = 60: a request must be over before "
                "the lead ends; allowed: at most 24, half of ttl less margin"
            ],
        ),
        (
            "backend = slurm\nttl = 20\n[Arvados]\nhost = a.example.com\ntoken = sesame",
            [
                "[Arvados] timeout: 15 is too large with [Leader] ttl = 20: a request must be over before the lead "
                "ends; allowed: at most 8, half of ttl less margin"
            ],
        ),
        (
            f"backend = slurm\nname = {'n' * 200}\nthis_host = {'h' * 201}",
            ["[Leader] this_host: has 201 characters; allowed: at most 200"],
        ),
        (f"backend = slurm\nname = {'n' * 201}", ["[Leader] name: has 201 characters; allowed: at most 200"]),
        (
            "backend = hots",
            ["[Leader] backend: 'hots' is unknown (like 'host'?); allowed: host, slurm, postgresql or zookeeper"],
        ),
    ],
)
def test_what_does_not_go_together_is_named(tmp_path: Path, leader: str, expected: list[str]) -> None:
    assert mistakes(tmp_path, leader) == expected


def test_a_host_that_is_alone_may_have_any_times(tmp_path: Path) -> None:
    settings_with(tmp_path, "margin = 40\ntimeout = 50\n[Cloud Credentials]\ntimeout = 600\n")


URI = "[Leader] database: its host or port makes no sense; in a URI, write / : @ of a password as %2F %3A %40"
HIDDEN = "[Leader] database: its dbname or user is a URI: errors of the server would repeat its password"
UNREADABLE = "[Leader] servers cannot be read: they are to be HOST:PORT,HOST:PORT"


@pytest.mark.parametrize(
    ("backend", "place", "expected"),
    [
        ("postgresql", "database = host=db port=99999 password=sesame", URI),
        ("postgresql", "database = host=db port=0 password=sesame", URI),
        ("postgresql", "database = postgresql://u:sesame/x@db/d", URI),
        ("postgresql", "database = host=db dbname=postgresql://u:sesame@db/d", HIDDEN),
        ("postgresql", "database = host=db user=u:sesame@db", HIDDEN),
        *(
            ("postgresql", f"database = host=db,db2 password=sesame {words}", f"[Leader] database: {wrong}")
            for words, wrong in (
                ("sslmode=bogus", 'invalid sslmode value: "bogus"'),
                ("target_session_attrs=x", 'invalid target_session_attrs value: "x"'),
                ("port=1,2,3", "could not match 3 port numbers to 2 hosts"),
                ("service=nobody-has-this", 'definition of service "nobody-has-this" not found'),
                ("connect_timeout=soon", "connect_timeout is not a whole number"),
                ("keepalives_idle=1.5", "keepalives_idle is not a whole number"),
            )
        ),
        *(
            ("zookeeper", f"servers = {text}", UNREADABLE)
            for text in (
                *(",", ":", "@", "z:", "z:1,", "z:abc", "z:0", "z:-1", "z:99999", "z:1:1", "z y", "z;y", "http://z"),
                *("[::1", "::1", "z:1//x", "z:1/a b", "u:sesame@z:1"),
            )
        ),
    ],
)
def test_a_store_that_makes_no_sense_is_a_mistake_in_one_line_without_what_is_secret(
    tmp_path: Path, backend: str, place: str, expected: str
) -> None:
    settings = settings_with(tmp_path, f"backend = {backend}\nname = x\n{place}\n")
    with pytest.raises(ConfigError) as caught:
        check_leadership(settings)
    assert caught.value.problems == (f"{settings.path}: {expected}",)


@pytest.mark.parametrize("servers", ["z", "z:1,y:2", "z:1, y:2", "[::1]:2181", "10.0.0.1:2181/a/b.c"])
def test_servers_that_make_sense(tmp_path: Path, servers: str) -> None:
    check_leadership(settings_with(tmp_path, f"backend = zookeeper\nname = x\nservers = {servers}\n"))


def test_the_place_of_the_database_is_secret(tmp_path: Path) -> None:
    settings = settings_with(tmp_path, "backend = postgresql\nname = x\ndatabase = host=db password=sesame\n")
    assert "sesame" not in repr(settings)
    assert settings.leader.database.reveal() == "host=db password=sesame"


@pytest.mark.parametrize("backend", ["postgresql", "zookeeper", "slurm"])
def test_managers_beside_each_other_on_one_host_do_not_take_each_other_for_dead(tmp_path: Path, backend: str) -> None:
    """The lead of a process whose lock a later one has is free at once; managers that are elected have a lock each, by
    their state directory. Taken for one lock, two of them would take the lead from each other at each look."""
    domains = []
    for name in ("a", "b", "a"):
        (tmp_path / name).mkdir(exist_ok=True)
        path = tmp_path / f"{name}.cfg"
        own = GOOD.replace("[Cloud]", f"state_dir = {tmp_path / name}\n[Cloud]")
        path.write_text(f"{own}[Leader]\nbackend = {backend}\nname = x\n{STORES.get(backend, '')}")
        settings = load(str(path))
        domains.append(make_leadership(settings, candidate_of(settings))._claimant.domain)  # type: ignore[attr-defined]
    assert domains[0] == domains[2] != domains[1]


STORES = {"postgresql": "database = host=127.0.0.1\n", "zookeeper": "servers = 127.0.0.1:1\n"}
