"""A simple player in place of the engine: each job alone on a node, which boots when it comes, up to max_nodes."""

from __future__ import annotations

import heapq
import os
import random
import signal
from collections.abc import Callable
from math import nan
from statistics import fmean, median

from arvnodeman.traces.job import TracedJob
from arvnodeman.whatif.forecast import (
    BootedNodes,
    Forecast,
    HeldBack,
    Hours,
    Impossible,
    JobCounts,
    LowestCost,
    Played,
    WaitTimes,
)
from arvnodeman.whatif.scenario import Scenario

FAULT, DEATH, SLOW = 66, 77, 88  # values of max_nodes with which it fails, dies, and goes on for ever
PRICE = 1.0  # $/hour


def plain_play(
    scenario: Scenario,
    *,
    progress: Callable[[float], object] | None = None,
    stop: Callable[[], bool] | None = None,
) -> Played:
    most = scenario.settings.daemon.max_nodes
    if most == FAULT:
        raise ValueError("there is\na fault")
    if most == DEATH:
        os.kill(os.getpid(), signal.SIGKILL)
    while most == SLOW and not (stop is not None and stop()):
        os.kill(os.getpid(), 0)
    dice = random.Random(scenario.seed)
    until = [0.0] * most
    waits: list[float | None] = []
    hours = 0.0
    for place, job in enumerate(scenario.jobs):
        if stop is not None and stop():
            break
        if progress is not None:
            progress(place / len(scenario.jobs))
        if not most or not job.seconds:
            waits.append(None)
            continue
        boot = scenario.assumed.boot * dice.uniform(0.8, 1.2)
        begins = max(job.submit, heapq.heappop(until)) + boot
        heapq.heappush(until, begins + job.seconds)
        waits.append(begins - job.submit)
        hours += (boot + job.seconds) / 3600
    waits += [None] * (len(scenario.jobs) - len(waits))
    partial = stop is not None and stop()
    return Played(forecast(scenario, [nan if wait is None else wait for wait in waits], hours, partial), waits)


def forecast(scenario: Scenario, waits: list[float], hours: float, partial: bool) -> Forecast:
    known = sorted(wait for wait in waits if wait == wait)
    jobs = scenario.jobs
    nodes = BootedNodes(boots=len(known), hours=hours, cost=hours * PRICE)
    seconds = sum(job.seconds or 0.0 for job in jobs)
    times = wait_times(known)
    return Forecast(
        began=jobs[0].submit,
        ended=jobs[-1].submit + 3600,
        partial=partial,
        seed=scenario.seed,
        jobs=JobCounts(
            all=len(jobs),
            done=len(known),
            running=0,
            waiting=0,
            withdrawn=0,
            impossible=len(jobs) - len(known),
            requeues=0,
        ),
        waits=times,
        waits_by_partition={"a": times, "b": times},
        waits_by_account={},
        traced_waits=wait_times(traced(jobs)),
        node_hours=Hours(booting=hours - seconds / 3600, idle=0.0, busy=seconds / 3600, ending=0.0),
        cost=hours * PRICE,
        by_size={"small": nodes},
        by_purchase={"on-demand": nodes},
        boots=len(known),
        failed_boots=0,
        most_nodes=min(len(known), scenario.settings.daemon.max_nodes),
        held=[HeldBack(reason="at_max_nodes", jobs=1, hours=0.5, example="max_nodes is reached")],
        lowest=LowestCost(alone=seconds / 3600 * PRICE, fluid=seconds / 7200 * PRICE, job_hours=seconds / 3600),
        impossible=[Impossible(shape="1,000 cores", jobs=2, first="17")] if len(known) < len(jobs) else [],
        remarks=[f"boots take {scenario.assumed.boot:g} s"],
    )


def traced(jobs: tuple[TracedJob, ...]) -> list[float]:
    return sorted(job.begin - job.submit for job in jobs if job.begin is not None)


def wait_times(known: list[float]) -> WaitTimes:
    if not known:
        return WaitTimes(jobs=0, mean=0, median=0, p90=0, p99=0, longest=0)
    last = len(known) - 1
    return WaitTimes(
        jobs=len(known),
        mean=fmean(known),
        median=median(known),
        p90=known[int(0.9 * last)],
        p99=known[int(0.99 * last)],
        longest=known[-1],
    )
