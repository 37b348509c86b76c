"""Samples: the whole site in nine figures, once a minute or so, and the last week of them in memory."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from arvnodeman.fleet.messages import Poll
from arvnodeman.fleet.values.reasons_of_spares import StaysAhead, StaysAsSpare
from arvnodeman.fleet.view.view import NodeStatus, View

STEP = 60.0  # seconds between samples
POLLS_TO_A_STEP = 6  # where lists are polled much faster than once a minute, samples come after so many polls
SHORTEST_STEP = 1.0
KEPT = 168 * 60  # samples in memory: a week of minutes
SHOWN = ("booting", "unpaired", "idle", "busy", "other")  # states as samples have them; other is all the rest


class Sample(NamedTuple):
    """One look at the site. Nodes by state, waiting jobs, nodes that may exist at most, and $/hour of all nodes."""

    at: float  # seconds since the epoch, a multiple of the step
    booting: int
    unpaired: int
    idle: int
    busy: int
    other: int
    queue: int | None  # None: not read yet
    capacity: int
    price: float


def step_of(poll_time: float) -> float:
    """Seconds between two samples where lists are polled every `poll_time` seconds: whole, a minute at most."""
    return max(SHORTEST_STEP, float(round(min(STEP, poll_time * POLLS_TO_A_STEP))))


def is_known(view: View) -> bool:
    """Have the cloud's nodes and its sizes been read in this run? Before that a view without nodes means nothing, and
    nodes have no size and no price."""
    return view.poll_ages.get(Poll.CLOUD) is not None and bool(view.sizes or view.missing_sizes)


def used_as(status: NodeStatus) -> str:
    """The column of usage in which a node's time is counted: idle is only what stands ready for nobody."""
    if isinstance(status.why, StaysAsSpare):
        return "spare"
    if isinstance(status.why, StaysAhead):
        return "ahead"
    return shown_as(status.state)


def shown_as(state: str) -> str:
    """The column of a sample in which a node of this state is counted."""
    return state if state in SHOWN else "other"


def sample(view: View, at: float) -> Sample:
    """The view as a sample."""
    counts = dict.fromkeys(SHOWN, 0)
    for state, number in view.states.items():
        counts[shown_as(state)] += number
    queue = len(view.jobs) if view.poll_ages.get(Poll.QUEUE) is not None else None
    return Sample(
        at=at,
        booting=counts["booting"],
        unpaired=counts["unpaired"],
        idle=counts["idle"],
        busy=counts["busy"],
        other=counts["other"],
        queue=queue,
        capacity=min(view.quota, view.slots),
        price=round(view.price, 6),
    )


class Ring:
    """The newest samples, oldest first. Any thread."""

    def __init__(self, kept: int = KEPT) -> None:
        self._samples: deque[Sample] = deque(maxlen=kept)
        self._lock = threading.Lock()

    def add(self, one: Sample) -> None:
        """One more, which is newer than all others."""
        with self._lock:
            self._samples.append(one)

    def put_before(self, older: Iterable[Sample]) -> None:
        """What an earlier run has left, oldest first. As many as there is room for."""
        with self._lock:
            room = (self._samples.maxlen or 0) - len(self._samples)
            first = self._samples[0].at if self._samples else float("inf")
            fitting = [one for one in older if one.at < first]
            self._samples.extendleft(reversed(fitting[max(0, len(fitting) - room) :]))

    def since(self, moment: float) -> list[Sample]:
        """Those from this moment (seconds since the epoch) on."""
        found: list[Sample] = []
        with self._lock:
            for one in reversed(self._samples):
                if one.at < moment:
                    break
                found.append(one)
        found.reverse()
        return found
