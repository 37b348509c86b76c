"""What fits where: whole cores, memory of each kind, GRES with types, jobs that share with nobody."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest

from arvnodeman.fleet.sizes.fit import capacity_of, cpus_taken, fits_in, how_many, less
from arvnodeman.fleet.values.capacity import Capacity, Footprint
from arvnodeman.fleet.values.gres import Gres
from arvnodeman.fleet.values.model import JobShape, NodeSize

NODE = Capacity(8, 4000.0, threads=2)
MOST = 100


def job(cpus: int, ram: float = 100, *, cores: int = 0, gres: Gres = (), **takes: int | bool) -> JobShape:
    """A job of one node that shares it."""
    asks = 0 if ram == math.inf else ram
    return JobShape(cores or cpus, asks, gres=gres, takes=Footprint(cpus, ram, **takes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("shape", "threads", "fit", "taken"),
    [
        (job(1), 1, 8, 1),
        (job(3), 1, 2, 3),
        (job(1), 2, 4, 2),  # a core is one job's
        (job(3), 2, 2, 4),
        (job(8), 2, 1, 8),
        (job(9), 2, 0, 10),
        (job(2, apart=2), 2, 2, 4),  # one thread of each core
        (job(4, apart=2), 2, 2, 4),  # each of two tasks has a core
        (job(6, apart=2), 2, 1, 8),
        (job(5, apart=5), 2, 0, 10),
        (job(5, apart=5), 1, 1, 5),
        (job(1, cores=3), 1, 6, 1),  # MinCpus are to be free, and not taken
        (job(1, cores=3), 2, 3, 2),
    ],
)
def test_jobs_get_whole_cores(shape: JobShape, threads: int, fit: int, taken: int) -> None:
    free = replace(NODE, threads=threads)
    assert how_many(shape, free, MOST) == fit
    assert cpus_taken(shape, free) == taken


@pytest.mark.parametrize(
    ("shape", "fit"),
    [
        (job(1, 1000), 4),
        (job(1, 1500), 2),
        (job(1, 4000), 1),
        (job(1, 4001), 0),
        (job(1, 0), 4),  # memory that is not counted
        (job(1, math.inf), 1),  # without --mem a job gets all that its node has
        (job(3, 1500, ram_by_cpu=True), 2),  # 500 for each CPU, of which it gets 4
        (job(3, 1501, ram_by_cpu=True), 1),
        (job(1, 2001, ram_by_cpu=True), 0),
    ],
)
def test_memory(shape: JobShape, fit: int) -> None:
    assert how_many(shape, NODE, MOST) == fit


def test_what_a_job_takes_is_to_be_there_also_where_it_asks_for_less() -> None:
    """--mincpus and --mem-per-cpu, on a Slurm that gives a job as many CPUs."""
    shape = replace(job(3, 300), ram=100)
    assert fits_in(shape, replace(NODE, ram=300))
    assert not fits_in(shape, replace(NODE, ram=299))


def test_what_is_left() -> None:
    left = less(NODE, job(3, 300, ram_by_cpu=True))
    assert left == Capacity(4, 3600.0, threads=2, jobs=1, whole=False)
    assert less(left, job(1, 100)) == Capacity(2, 3500.0, threads=2, jobs=2, whole=False)
    assert less(NODE, job(1, math.inf)) == Capacity(6, 0.0, threads=2, jobs=1, whole=False)
    assert less(NODE, JobShape()) == Capacity(0, 0.0, threads=2, jobs=1, whole=False)


def test_a_job_that_shares_with_nobody_begins_on_a_whole_node_alone() -> None:
    for shape in (JobShape(), job(1, math.inf)):
        assert fits_in(shape, NODE)
        assert not fits_in(shape, less(NODE, job(1, 0)))
    assert not fits_in(JobShape(cores=9), NODE)
    assert not fits_in(job(1, 1), less(NODE, JobShape()))


@pytest.mark.parametrize(
    ("offer", "wanted", "fit"),
    [
        ((("gpu", 4),), (("gpu", 1),), 4),
        ((("gpu:a", 1), ("gpu:b", 2)), (("gpu", 1),), 3),
        ((("gpu:a", 1), ("gpu:b", 2)), (("gpu:b", 1),), 2),
        ((("gpu:a", 1), ("gpu:b", 2)), (("gpu", 2),), 1),
        ((("gpu:a", 1),), (("gpu:b", 1),), 0),
        ((), (("gpu", 1),), 0),
        ((("gpu", 1), ("lic", 4)), (("gpu", 1), ("lic", 2)), 1),
    ],
)
def test_gres_are_counted_by_type(offer: Gres, wanted: Gres, fit: int) -> None:
    assert how_many(job(1, gres=wanted), replace(NODE, gres=offer), MOST) == fit


def test_scratch_is_to_be_there_and_nobody_counts_who_uses_it() -> None:
    shape = replace(job(1, 0), scratch=500)
    assert how_many(shape, replace(NODE, scratch=500), MOST) == 4
    assert not fits_in(shape, replace(NODE, scratch=499))


def test_a_size_is_a_capacity_and_what_it_does_not_say_meets_any_demand() -> None:
    """Row C22."""
    size = NodeSize("s", "t", "t", "t", cores=4, ram=1000, disk=0, scratch=50, price=1, gres=(("gpu", 1),))
    assert capacity_of(size) == Capacity(4, 1000, (("gpu", 1),), scratch=50)
    unknown = capacity_of(replace(size, cores=0, ram=0, scratch=0))
    assert fits_in(JobShape(cores=99, ram=1e9, scratch=1e9), unknown)
    assert how_many(job(1, math.inf), unknown, MOST) == 1


def test_many_at_once_are_as_many_as_one_after_the_other() -> None:
    dice = random.Random(1)
    for _ in range(2000):
        cpus = dice.randint(1, 6)
        ram = cpus * dice.choice((0, 25, 100, 250))
        gres = dice.choice(((), (), (("gpu", 1),), (("gpu:a", 1),), (("gpu", 2), ("lic", 1))))
        apart, by_cpu = dice.randint(1, cpus), dice.random() < 0.3
        shape = job(cpus, ram, cores=dice.choice((0, 7)), gres=gres, apart=apart, ram_by_cpu=by_cpu)
        offer = dice.choice(((), (("gpu", 4),), (("gpu:a", 2), ("gpu:b", 3), ("lic", 3))))
        free = Capacity(dice.randint(0, 40), dice.choice((0, 500, 2000, math.inf)), offer, dice.choice((1, 2, 4)))
        most, jobs, left = dice.randint(0, 12), 0, free
        while jobs < most and fits_in(shape, left):
            left, jobs = less(left, shape), jobs + 1
        assert how_many(shape, free, most) == jobs
        assert not jobs or less(free, shape, jobs) == left


def test_no_more_are_counted_than_asked_for() -> None:
    assert how_many(job(1), NODE, 2) == 2
