"""A site that lives by itself, and a journal of what its daemon is told."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from arvnodeman.fleet.values.model import JobShape, Policy, ProviderSize, SizeSection
from arvnodeman.foresight.simulation import Simulation
from arvnodeman.journal.writer import FILE_BYTES, MOST_BYTES, Journal

OFFERS = (
    ProviderSize("small", "small", ram=4000, disk=10, price=0.1, cores=2),
    ProviderSize("big", "big", ram=16000, disk=50, price=0.4, cores=8),
)
SECTIONS = tuple(SizeSection(offer.id, int(offer.cores), offer.id) for offer in OFFERS)
POLICY = Policy(sections=SECTIONS, shutdown_windows=(0.0, 60.0), max_nodes=20, slurm=True, asks_scheduler=True)
LONG = 60.0  # seconds that the writer may take


def lively_site(seed: int, *, names: bool = False) -> Simulation:
    """Jobs, and now and then a request that fails."""
    run = Simulation(POLICY, OFFERS, seed, names=names)
    chances = run.faulty.chances
    chances.fails_before = chances.fails_after = chances.poll_fails = 0.03
    for number in range(30):
        run.site.submit(JobShape(cores=run.rng.choice([1, 2, 8])), 20.0 + 10.0 * number)
    return run


def journalled(
    folder: Path, run: Simulation, hours: float = 2.0, *, file_bytes: int = FILE_BYTES, most_bytes: int = MOST_BYTES
) -> None:
    """Let the site live on, with a new daemon whose journal is in this state directory."""
    journal = Journal(folder, run.policy, run.wall(), file_bytes=file_bytes, most_bytes=most_bytes)
    run.watch = journal.note
    run.restart()
    journal.start()
    run.advance(3600.0 * hours)
    journal.stop(LONG)


def wait_for(condition: Callable[[], object], what: str) -> None:
    """Wait until the condition holds; fail when it does not come true in time."""
    deadline = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come"
        time.sleep(0.002)
