"""How long nobody leads once a leader is gone: `pytest -s` prints it (TAKEOVER_TTL=60 TAKEOVER_ROUNDS=3)."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from pathlib import Path

import pytest
from leader_stage import Contender, LeaderStage
from slurm_pair import SlurmPair

from arvnodeman.leader.claimant import Claimant
from arvnodeman.leader.port import Hold, Leadership, StoreAway
from arvnodeman.leader.slurm import SlurmLeadership
from arvnodeman.sandbox.real_slurm_conf import search_path

TTL = float(os.environ.get("TAKEOVER_TTL", "6"))
ROUNDS = int(os.environ.get("TAKEOVER_ROUNDS", "1"))
LOOK = 0.5  # seconds between two looks of who stands by


def take(leadership: Leadership) -> Hold:
    end = time.monotonic() + 10 * TTL + 120
    while time.monotonic() < end:
        with contextlib.suppress(StoreAway):
            if hold := leadership.take():
                return hold
        time.sleep(LOOK)
    pytest.fail("nobody leads")


def tell(backend: str, how: str, times: list[float]) -> None:
    print(f"\ntakeover: {backend}, ttl {TTL:g} s, {how}: {', '.join(f'{each:.1f}' for each in times)} s")


@pytest.mark.parametrize("kind", ["postgresql", "zookeeper"])
def test_with_a_store(kind: str) -> None:
    times: dict[str, list[float]] = {"killed": [], "given up": []}
    with tempfile.TemporaryDirectory(prefix="store-", ignore_cleanup_errors=True) as folder:
        stage = LeaderStage(kind, Path(folder))
        try:
            for how, found in times.items():
                for _ in range(ROUNDS):
                    found.append(replaced(stage, killed=how == "killed"))
        finally:
            stage.clean()
            stage.end()
    for how, found in times.items():
        tell(kind, how, found)
        assert len(found) == ROUNDS


def replaced(stage: LeaderStage, *, killed: bool) -> float:
    """Seconds from the end of one leader to the first hold of the next, which has stood by all the while."""
    stage.new_cluster()
    first: Contender = stage.contender("a", ttl=TTL)
    second = stage.contender("b", ttl=TTL)
    take(first.leadership)
    assert second.leadership.take() is None
    first.leadership.hold()
    began = time.monotonic()
    if killed:
        first.proxy.cut()
    else:
        first.leadership.give_up()
    take(second.leadership)
    return time.monotonic() - began


def test_with_slurm(monkeypatch: pytest.MonkeyPatch) -> None:
    """With SlurmctldTimeout=5; the site's own comes on top, and is 120 s by default."""
    times: list[float] = []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory(prefix="pair-", ignore_cleanup_errors=True) as name:
            folder = Path(name)
            folder.chmod(0o755)
            pair = SlurmPair(folder, "#!/bin/sh\n")
            monkeypatch.setenv("SLURM_CONF", str(pair.conf("ctla")))
            monkeypatch.setenv("PATH", search_path())
            try:
                first, second = (
                    SlurmLeadership(host, Claimant(host, "", host), ttl=TTL, timeout=7.0) for host in ("ctla", "ctlb")
                )
                take(first)
                assert second.take() is None
                began = time.monotonic()
                pair.kill("ctla")
                take(second)
                times.append(time.monotonic() - began)
            finally:
                pair.end()
    tell("slurm", "host killed", times)
    assert len(times) == ROUNDS
