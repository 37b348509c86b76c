"""Plays jobs on a simulated site with the build that can be imported: packing.py runs it.

Reads from the standard input {"offers", "jobs", "share", "seed"}, and prints what came of it as JSON. A build that
knows sharing has a site whose Slurm shares nodes, an earlier one a site where a job has its nodes to itself; both fill
the lightest node first.
"""

from __future__ import annotations

import heapq
import json
import sys
import time
from functools import partial
from statistics import mean
from typing import Any

from builds import Names

BOOT, POLL = 120.0, 60.0  # seconds
NAMES = 2000  # of nodes, and max_nodes


def played(given: dict[str, Any]) -> dict[str, Any]:
    """What came of it."""
    names = Names()
    offers = tuple(
        names.ProviderSize(name, name, ram=ram, disk=100, price=price, cores=cores)
        for name, cores, ram, price in given["offers"]
    )
    policy = names.policy(
        sections=tuple(names.SizeSection(offer.id, int(offer.cores), offer.id) for offer in offers),
        shutdown_windows=(0.0, 60.0),  # hired by the second: a node may go at any time
        max_nodes=NAMES,
        node_mem_scaling=1.0,
        slurm=True,
    )
    run = made(names, policy, offers, given["seed"], share=given["share"])
    at = run.agenda.at if hasattr(run, "agenda") else run.at
    start = run.now
    for moment, seconds, cores, ram, nodes, user in given["jobs"]:
        asked: dict[str, Any] = {"cores": cores, "ram": ram, "nodes": nodes}
        if given["share"]:
            asked |= {"takes": names.Footprint(cores, ram), "owner": names.JobOwner(f"user{user}")}
        at(start + moment, partial(run.site.submit, names.JobShape(**asked), seconds))
    began = time.process_time()
    end = start + 1000 * 3600
    while run.now < end and not over(run, len(given["jobs"])):
        run.advance(600)
    return outcome(run, start, time.process_time() - began)


def made(names: Names, policy: Any, offers: Any, seed: int, *, share: bool) -> Any:
    """A simulation that is the same for all builds but for what they know."""
    if names.shares:
        run = names.Simulation(policy, offers, seed, slots=NAMES, share=share)
        if not share:
            lightest_first_new(run)
    else:
        run = names.Simulation(policy, offers, seed, slots=NAMES)
        lightest_first_old(run)
    return run


def lightest_first_new(run: Any) -> None:
    """Where jobs have nodes to themselves this build's site takes the first name, whatever its weight."""
    room = run.site.slurms._room

    def find(group: Any) -> list[Any]:
        kinds = [numbers for kind, numbers in room._free.items() if room._fits(group, kind)]
        names = (room._by_number[number - 1] for numbers in kinds for number in numbers)
        return heapq.nsmallest(group.shape.nodes, names, key=lambda name: (name.weight, name.number))

    room.find = find


def lightest_first_old(run: Any) -> None:
    """The same for the earlier build's site, and it looks at no job that has ended."""
    site = run.site
    waiting: dict[str, Any] = {}
    submit = site.submit

    def submitted(*asked: Any) -> Any:
        schedule, site.schedule = site.schedule, lambda: None
        job = submit(*asked)
        site.schedule = schedule
        waiting[job.id] = job
        schedule()
        return job

    def schedule() -> None:
        free = [node for node in site.slurm.values() if node.state == "idle" and node.node in site.cloud]
        free.sort(key=lambda node: node.weight)
        for job in sorted(waiting.values(), key=lambda job: -job.priority) if free else ():
            fitting = [node for node in free if site._fits(node, job.shape)][: job.shape.nodes]
            if len(fitting) < job.shape.nodes:
                continue
            job.nodes = tuple(node.name for node in fitting)
            job.runs, job.started = job.runs + 1, site.now
            for node in fitting:
                node.job = job.id
                free.remove(node)
            del waiting[job.id]
            site.on_start(job)

    site.submit, site.schedule = submitted, schedule
    site.list_queue = lambda: tuple(
        Names().Job(job.id, job.shape, job.priority, "Resources") for job in waiting.values() if not job.cancelled
    )


def over(run: Any, count: int) -> bool:
    """Have all jobs run, and is not a node left?"""
    jobs = run.site.jobs.values()
    return len(jobs) == count and all(job.done or job.cancelled for job in jobs) and not nodes_of(run)


def nodes_of(run: Any) -> Any:
    """Cloud nodes, by id."""
    return run.site.clouds.nodes if hasattr(run.site, "clouds") else run.site.cloud


def outcome(run: Any, start: float, took: float) -> dict[str, Any]:
    """In figures."""
    jobs = list(run.site.jobs.values())
    waits = sorted(job.started - job.submitted for job in jobs if job.started is not None)
    return {
        "cost": run.site.tally.cost,
        "nodes": run.site.tally.created,
        "most": run.site.tally.most_nodes,
        "made": dict(getattr(run.site.tally, "made", {})),
        "wait": mean(waits),
        "late": waits[int(0.99 * len(waits))],
        "unfinished": sum(not job.done for job in jobs),
        "left": len(nodes_of(run)),
        "hours": (run.now - start) / 3600,
        "took": took,
        "events": run.events,
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(played(json.load(sys.stdin))) + "\n")
