"""The lead goes with the slurmctld that acts: on a real one with a backup."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from slurm_pair import SlurmPair
from store_process import until

from arvnodeman.leader.claimant import Claimant
from arvnodeman.leader.port import Hold, NotTheLeader, StoreAway
from arvnodeman.leader.slurm import SlurmLeadership
from arvnodeman.sandbox.real_slurm_conf import search_path
from arvnodeman.slurm.poke import program_for

TTL, TIMEOUT = 8.0, 7.0
BOUND = 120.0


@pytest.fixture
def pair(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlurmPair]:
    with tempfile.TemporaryDirectory(prefix="pair-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        made = SlurmPair(folder, program_for(str(folder / "poke")))
        monkeypatch.setenv("SLURM_CONF", str(made.conf("ctla")))
        monkeypatch.setenv("PATH", search_path())
        try:
            yield made
        finally:
            made.end()


def contender(host: str, note: Path | None = None, domain: str = "") -> SlurmLeadership:
    return SlurmLeadership(host, Claimant(f"{host}:1", domain, host), ttl=TTL, timeout=TIMEOUT, note=note)


def takes(leadership: SlurmLeadership, meanwhile: Callable[[], object] = lambda: None, at_least: int = 0) -> Hold:
    found: list[Hold] = []

    def tried() -> bool:
        meanwhile()
        with contextlib.suppress(StoreAway):
            found.extend(filter(None, [leadership.take(at_least)]))
        return bool(found)

    until(tried, "to take the lead", BOUND)
    return found[0]


def test_the_lead_goes_with_the_slurmctld_that_acts_and_comes_back(pair: SlurmPair) -> None:
    """Killed and started again: at no moment do both hosts lead, and the generation grows."""
    first, second = contender("ctla"), contender("ctlb")
    before = takes(first, lambda: refused(second))
    assert first.hold().generation == before.generation
    pair.kill("ctla")
    last = before

    def hold_on() -> None:
        nonlocal last
        with contextlib.suppress(StoreAway, NotTheLeader):
            last = first.hold()

    after = takes(second, hold_on)
    assert after.began >= last.began + TTL
    assert after.generation > before.generation
    with pytest.raises((NotTheLeader, StoreAway)):
        first.hold()
    assert second.hold().generation == after.generation
    pair.start("ctla")

    def second_holds() -> None:
        nonlocal last
        with contextlib.suppress(StoreAway, NotTheLeader):
            last = second.hold()

    again = takes(first, second_holds)
    assert again.began >= last.began + TTL
    assert again.generation > after.generation
    with pytest.raises(NotTheLeader):
        second.hold()


def refused(leadership: SlurmLeadership) -> None:
    assert leadership.take() is None


def test_one_that_hangs_is_away_and_its_leader_needs_a_new_generation(pair: SlurmPair) -> None:
    """Whether the backup took over meanwhile or not: a lead that was not seen for a ttl is over."""
    first = contender("ctla")
    before = takes(first)
    pair.freeze("ctla")
    until(lambda: lost(first), "the lead to end", BOUND)
    pair.thaw("ctla")
    again = takes(first, at_least=before.generation)
    assert again.generation > before.generation
    assert again.began >= before.began + TTL


def lost(leadership: SlurmLeadership) -> bool:
    try:
        leadership.hold()
    except NotTheLeader:
        return True
    except StoreAway:
        return False
    return False


def test_a_restart_on_the_same_host_goes_on_at_once(pair: SlurmPair, tmp_path: Path) -> None:
    note = tmp_path / "leader.json"
    first = contender("ctla", note, "boot:1")
    before = takes(first)
    first.give_up()
    following = contender("ctla", note, "boot:1").take()
    assert following is not None
    assert following.generation > before.generation
    assert contender("ctla", note, "another boot").take() is None


def test_slurmctld_pokes_when_it_begins_to_act(pair: SlurmPair) -> None:
    """SlurmctldPrimaryOnProg is the quick way: the packaged program touches the file that wakes the daemon."""
    poke = pair.folder / "poke"
    poke.touch()
    before = poke.stat().st_mtime_ns
    pair.kill("ctla")
    until(lambda: poke.stat().st_mtime_ns != before, "the backup to take over", BOUND)
    assert poke.read_bytes() == b""
