"""Limits of Slurm's accounting: no node for a job that Slurm would not start for want of them, and none is kept from
one that it would start."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from world import World, jobs, policy

from arvnodeman.fleet.messages import DrainNode, PrepareRecord
from arvnodeman.fleet.outlook.accounting import Accounting, Association, Qos, Use, bounds_of
from arvnodeman.fleet.outlook.ahead import Outlook
from arvnodeman.fleet.values.model import JobOwner, JobShape
from arvnodeman.slurm.accounting import limit_kind

ANNA = JobOwner("anna", "chem", "spent")


def shape(owner: JobOwner = ANNA, **more: Any) -> JobShape:
    return JobShape(owner=owner, **{"partitions": ("compute",), **more})


def rule(name: str, limit: float, used: float) -> dict[str, Use]:
    """One limit, by Slurm's name for it."""
    return {name: Use(limit, used, limit_kind(name))}


def limits(
    qos: dict[str, Use] | Qos | None = None,
    user: dict[str, Use] | None = None,
    account: dict[str, Use] | None = None,
    above: dict[str, Use] | None = None,
    **more: Any,
) -> Accounting:
    """Of the QOS, anna's association, her account, and the account above."""
    of_qos = qos if isinstance(qos, Qos) else Qos(qos or {})
    associations = {
        ("chem", "anna", ""): Association(user or {}),
        ("chem", "", ""): Association(account or {}, "science"),
        ("science", "", ""): Association(above or {}),
    }
    given = {"qos": {"spent": of_qos, "other": Qos()}, "partitions": {"compute": "", "long": ""}, **more}
    given.setdefault("factors", {"spent": 1.0, "other": 1.0})
    return Accounting(associations=associations, numbers={"anna": 7, "bert": 8}, **given)


def booted(made: World) -> int:
    return sum(isinstance(step, PrepareRecord) for step in made.asked)


def served(accounting: Accounting, of: JobShape, count: int = 5) -> tuple[int, str]:
    """How many of so many jobs get nodes, and why the next gets none."""
    made = World(policy(max_nodes=20)).begin()
    made.outlook = Outlook(accounting=accounting.concerning([of]))
    made.cycle(*jobs(count, of), times=2)
    reasons = [waiting.cause for waiting in made.fleet.view.waiting.values() if waiting.cause is not None]
    made.obey()
    made.cycle(times=2)
    return booted(made), reasons[0].words(0.0) if reasons else ""


PER_USER = Qos({}, {7: rule("MaxJobsPU", 2, 0), 8: rule("MaxJobsPU", 2, 2)})


@pytest.mark.parametrize(
    ("accounting", "of", "number", "why"),
    [
        (limits(rule("GrpTRES cpu", 0, 0)), shape(), 0, "QOS spent: GrpTRES cpu=0 reached (0 used)"),
        (
            limits(rule("GrpTRES cpu", 4, 1)),
            shape(),
            3,
            "QOS spent: GrpTRES cpu=4 reached (1 used, jobs before it take the rest)",
        ),
        (
            limits(rule("GrpTRES cpu", 4, 0)),
            shape(cores=2),
            2,
            "QOS spent: GrpTRES cpu=4 reached (0 used, jobs before it take the rest); it needs 2",
        ),
        (limits(rule("GrpTRES cpu", 4, 9)), shape(), 0, "QOS spent: GrpTRES cpu=4 reached (9 used)"),
        (limits(rule("GrpTRES cpu", 5, 0)), shape(), 5, ""),
        (
            limits(rule("GrpTRES node", 2, 1)),
            shape(),
            1,
            "QOS spent: GrpTRES node=2 reached (1 used, jobs before it take the rest)",
        ),
        (
            limits(rule("GrpTRES mem", 3000, 0)),
            shape(ram=1000),
            3,
            "QOS spent: GrpTRES mem=3000 reached (0 used, jobs before it take the rest); it needs 990",
        ),
        (limits(rule("GrpTRES mem", 3000, 0)), shape(), 5, ""),  # how much it gets is not known
        (limits(rule("GrpTRES billing", 0, 0)), shape(), 5, ""),  # not judged
        (
            limits(rule("GrpJobs", 3, 2)),
            shape(),
            1,
            "QOS spent: GrpJobs=3 reached (2 used, jobs before it take the rest)",
        ),
        (limits(rule("GrpTRESMins cpu", 100, 99)), shape(), 5, ""),
        (limits(rule("GrpTRESMins cpu", 100, 100)), shape(), 0, "QOS spent: GrpTRESMins cpu=100 reached (100 used)"),
        (limits(rule("GrpWall", 100, 100.5)), shape(), 0, "QOS spent: GrpWall=100 reached (100.5 used)"),
        (limits(rule("MaxTRESPJ cpu", 2, 0)), shape(cores=2), 5, ""),
        (limits(rule("MaxTRESPJ cpu", 1, 0)), shape(cores=2), 0, "QOS spent: MaxTRESPJ cpu=1 forbids it, it needs 2"),
        (
            limits(PER_USER),
            shape(),
            2,
            "QOS spent for user anna: MaxJobsPU=2 reached (0 used, jobs before it take the rest)",
        ),
        (
            limits(PER_USER),
            shape(JobOwner("bert", "chem", "spent")),
            0,
            "QOS spent for user bert: MaxJobsPU=2 reached (2 used)",
        ),
        (limits(PER_USER), shape(JobOwner("carl", "chem", "spent")), 5, ""),
        (limits(PER_USER), shape(JobOwner("anna", "chem", "other")), 5, ""),
        (limits(PER_USER), shape(JobOwner("anna", "chem", "unheard")), 5, ""),
        (
            limits(Qos({}, {7: rule("MaxTRESPU cpu", 3, 0)})),
            shape(),
            3,
            "QOS spent for user anna: MaxTRESPU cpu=3 reached (0 used, jobs before it take the rest)",
        ),
        (
            limits(Qos({}, {}, {"chem": rule("MaxJobsPA", 1, 0)})),
            shape(),
            1,
            "QOS spent for account chem: MaxJobsPA=1 reached (0 used, jobs before it take the rest)",
        ),
        (
            limits(Qos({}, {}, {"chem": rule("MaxTRESPA node", 1, 0)})),
            shape(),
            1,
            "QOS spent for account chem: MaxTRESPA node=1 reached (0 used, jobs before it take the rest)",
        ),
        # associations
        (
            limits(user=rule("MaxJobs", 3, 1)),
            shape(),
            2,
            "user anna of account chem: MaxJobs=3 reached (1 used, jobs before it take the rest)",
        ),
        (limits(account=rule("MaxJobs", 0, 0)), shape(), 5, ""),  # only what its users have, where they have none
        (
            limits(account=rule("GrpJobs", 1, 0)),
            shape(),
            1,
            "account chem: GrpJobs=1 reached (0 used, jobs before it take the rest)",
        ),
        (
            limits(above=rule("GrpTRES cpu", 2, 0)),
            shape(),
            2,
            "account science: GrpTRES cpu=2 reached (0 used, jobs before it take the rest)",
        ),
        (
            limits(account=rule("GrpTRES cpu", 3, 0), above=rule("GrpTRES cpu", 2, 0)),
            shape(),
            2,
            "account science: GrpTRES cpu=2 reached (0 used, jobs before it take the rest)",
        ),
        (limits(above=rule("GrpJobs", 0, 0)), shape(JobOwner("bert", "chem", "spent")), 5, ""),  # has no association
        (
            limits(user=rule("MaxTRESPJ node", 1, 0)),
            shape(nodes=2),
            0,
            "user anna of account chem: MaxTRESPJ node=1 forbids it, it needs 2",
        ),
        # of two of a kind a QOS goes before an association, whichever is less
        (
            limits(rule("GrpJobs", 4, 0), account=rule("GrpJobs", 1, 0)),
            shape(),
            4,
            "QOS spent: GrpJobs=4 reached (0 used, jobs before it take the rest)",
        ),
        (
            limits(Qos({}, {7: rule("MaxJobsPU", 4, 0)}), user=rule("MaxJobs", 1, 0)),
            shape(),
            4,
            "QOS spent for user anna: MaxJobsPU=4 reached (0 used, jobs before it take the rest)",
        ),
        (
            limits(rule("GrpTRES mem", 9, 0), account=rule("GrpTRES cpu", 2, 0)),
            shape(),
            2,
            "account chem: GrpTRES cpu=2 reached (0 used, jobs before it take the rest)",
        ),
        # the factor of a QOS counts for what associations limit; where it is not known, only Slurm can tell
        (
            limits(account=rule("GrpTRES cpu", 2, 0), factors={"spent": 1.5}),
            shape(),
            3,
            "account chem: GrpTRES cpu=3 reached (0 used, jobs before it take the rest)",
        ),
        (limits(account=rule("GrpTRES cpu", 2, 0), factors={}), shape(), 5, ""),
        (
            limits(account=rule("GrpJobs", 2, 0), factors={}),
            shape(),
            2,
            "account chem: GrpJobs=2 reached (0 used, jobs before it take the rest)",
        ),
        # partitions
        (limits(rule("GrpJobs", 0, 0), partitions={}), shape(), 5, ""),  # its QOS is not known
        (limits(rule("GrpJobs", 0, 0)), shape(partitions=()), 5, ""),
        (
            limits(rule("GrpJobs", 0, 0)),
            shape(partitions=("compute", "long")),
            0,
            "QOS spent: GrpJobs=0 reached (0 used)",
        ),
        (
            limits(rule("GrpJobs", 0, 0), partitions={"compute": "", "long": "other"}),
            shape(partitions=("compute", "long")),
            5,
            "",
        ),
        # GRES
        (
            limits(rule("GrpTRES gres/gpu", 4, 1)),
            shape(gres=(("gpu:tesla", 1),)),
            3,
            "QOS spent: GrpTRES gres/gpu=4 reached (1 used, jobs before it take the rest)",
        ),
        (limits(rule("GrpTRES gres/gpu:tesla", 0, 0)), shape(gres=(("gpu", 1),)), 5, ""),  # any kind will do
        (limits(rule("GrpTRES gres/gpu", 0, 0)), shape(), 5, ""),
    ],
)
def test_so_many_jobs_have_nodes_as_slurm_lets_run(accounting: Accounting, of: JobShape, number: int, why: str) -> None:
    if of.gres:  # no size has any here
        bounds = bounds_of(of, accounting)
        assert ([int(min(5, bound.left // bound.need)) for bound in bounds] or [5]) == [number]
        return
    jobs_served, cause = served(accounting, of)
    assert (jobs_served // of.nodes, cause) == (number, why)


@pytest.mark.parametrize(
    ("spent", "night", "number"),
    [
        (rule("GrpJobs", 1, 0), {}, 1),
        ({}, rule("GrpJobs", 1, 0), 1),
        (rule("GrpJobs", 1, 0), rule("GrpJobs", 3, 0), 3),  # which goes before the other is not shown
        (rule("GrpJobs", 3, 0), rule("GrpJobs", 1, 0), 3),
        (rule("GrpJobs", 3, 0), rule("GrpTRES cpu", 2, 0), 2),
    ],
)
def test_of_the_qos_of_job_and_partition_the_looser_counts(
    spent: dict[str, Use], night: dict[str, Use], number: int
) -> None:
    accounting = limits(qos=None, partitions={"compute": "night"}, factors={"spent": 1.0, "night": 1.0})
    accounting = replace(accounting, qos={"spent": Qos(spent), "night": Qos(night)})
    assert served(accounting, shape())[0] == number
    assert served(replace(accounting, qos={"spent": Qos(spent)}), shape())[0] == 5  # that of the partition is not known


@pytest.mark.parametrize(
    ("cores", "nodes", "gres", "cpus"),
    [(2, 1, (), 2), (2, 2, (), 3), (16, 2, (), 31), (8, 2, (("gpu", 2),), 8), (1, 3, (), 1)],
)
def test_of_several_nodes_the_least_is_counted_that_the_job_can_have_asked_for(
    cores: int, nodes: int, gres: Any, cpus: int
) -> None:
    """What each node has is rounded up: three CPUs on two nodes are two on each."""
    (bound,) = bounds_of(shape(cores=cores, nodes=nodes, gres=gres), limits(rule("GrpTRES cpu", 9, 0)))
    assert bound.need == cpus


def test_limits_go_to_the_first_in_turn_and_others_are_not_behind() -> None:
    made = World(policy(max_nodes=20)).begin()
    small, large, free = shape(), shape(cores=2), shape(JobOwner("anna", "chem", "other"))
    made.outlook = Outlook(accounting=limits(rule("GrpTRES cpu", 5, 0)).concerning([small, large, free]))
    first, then = jobs(2, large, priority=9, name="first"), jobs(3, small, priority=5, name="then")
    made.cycle(*then, *first, *jobs(2, free, name="free"), times=1)
    assert booted(made) == 2 + 1 + 2
    assert sum(waiting.cause is not None for waiting in made.fleet.view.waiting.values()) == 1


def test_a_smaller_job_behind_one_that_does_not_fit_has_its_node() -> None:
    """As Slurm starts it."""
    made = World(policy(max_nodes=20)).begin()
    small, large = shape(), shape(cores=4)
    made.outlook = Outlook(accounting=limits(rule("GrpTRES cpu", 3, 0)).concerning([small, large]))
    made.cycle(*jobs(1, large, priority=9, name="large"), *jobs(5, small, name="small"), times=1)
    assert booted(made) == 3


def test_an_idle_node_is_not_kept_for_a_job_beyond_a_limit() -> None:
    made = World(policy(shutdown_windows=(0.0, 1.0)))
    made.node()
    made.begin()
    made.outlook = Outlook(accounting=limits(rule("GrpJobs", 1, 1)))
    made.cycle(*jobs(1, shape()), times=4)
    assert [step.hostname for step in made.asked if isinstance(step, DrainNode)] == ["compute1"]


def test_when_a_limit_is_raised_the_next_poll_boots() -> None:
    made = World().begin()
    made.outlook = Outlook(accounting=limits(rule("GrpJobs", 1, 1)))
    made.cycle(*jobs(2, shape()), times=3)
    assert booted(made) == 0
    made.outlook = Outlook(accounting=limits(rule("GrpJobs", 2, 1)))
    made.cycle(*jobs(2, shape()))
    assert booted(made) == 1


def test_no_more_is_kept_than_concerns_the_jobs() -> None:
    everything = limits(Qos({}, {7: rule("MaxJobsPU", 2, 0), 8: rule("MaxJobsPU", 2, 2)}), above=rule("GrpJobs", 9, 0))
    found = everything.concerning([shape()])
    assert found.qos == {"spent": Qos({}, {7: rule("MaxJobsPU", 2, 0)})}
    assert bounds_of(shape(), found) == bounds_of(shape(), everything)
    assert not everything.concerning([shape(JobOwner("bert", "chem", "other"))])
