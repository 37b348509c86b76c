"""What the daemon shows to other threads."""

from __future__ import annotations

import sys
import threading

from arvnodeman.fleet.values.decisions import Decided, Decisions
from arvnodeman.fleet.values.model import Job, JobShape
from arvnodeman.fleet.values.waits import Container, JobWaits
from arvnodeman.fleet.view.published import Cycles


def filled(number: int, kept: int) -> Decisions:
    decisions = Decisions(kept)
    for each in range(number):
        decisions.add(float(each), Decided.BOOT, f"small{each}", "number %d", (each,))
    return decisions


def serials(decisions: Decisions, after: int) -> list[int]:
    return [each.serial for each in decisions.after(after)]


def test_the_newest_decisions_are_kept() -> None:
    assert serials(Decisions(3), 0) == []
    assert Decisions(3).last == 0
    assert (serials(filled(2, 3), 0), filled(2, 3).last) == ([1, 2], 2)
    decisions = filled(8, 3)
    assert (serials(decisions, 0), decisions.last) == ([6, 7, 8], 8)
    assert serials(decisions, 6) == [7, 8]
    assert serials(decisions, 8) == serials(decisions, 99) == []
    assert serials(decisions, -5) == [6, 7, 8]
    newest = decisions.after(7)[0]
    assert (newest.at, newest.subject, newest.words) == (7.0, "small7", "number 7")


def test_decisions_are_read_while_others_are_added() -> None:
    """Each reader sees serials that grow, and none twice, however often the ring has gone round meanwhile."""
    decisions, done, wrong = Decisions(7), threading.Event(), list[list[int]]()

    def read() -> None:
        while not done.is_set():
            seen = serials(decisions, decisions.last - 7)
            if seen != sorted(set(seen)) or len(seen) > 7:
                wrong.append(seen)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    readers = [threading.Thread(target=read) for _ in range(2)]
    try:
        for each in readers:
            each.start()
        for number in range(20_000):
            decisions.add(0.0, Decided.BOOT, "small", "number %d", (number,))
    finally:
        done.set()
        for each in readers:
            each.join()
        sys.setswitchinterval(interval)
    assert not wrong
    assert serials(decisions, 0) == list(range(19_994, 20_001))


def test_cycles_add_up() -> None:
    assert Cycles().plus(0.5).plus(0.25) == Cycles(2, 0.75, 0.5)


def test_a_job_waits_since_it_was_first_seen() -> None:
    waits = JobWaits()
    one, two = (Job(name, JobShape()) for name in ("1", "2"))
    waits.update([one], 10.0, {"3": "JobHeldUser"}, {"1": Container("Queued", 5)})
    waits.update([one, two], 20.0)
    assert (dict(waits.since), waits.oldest, dict(waits.others), dict(waits.containers)) == (
        {"1": 10.0, "2": 20.0}, 10.0, {}, {},
    )  # fmt: skip
    waits.update([two], 30.0)
    waits.update([one, two], 40.0)
    assert dict(waits.since) == {"1": 40.0, "2": 20.0}


def test_the_same_queue_again_leaves_what_was_seen_of_it() -> None:
    waits, queue = JobWaits(), (Job("1", JobShape()), Job("2", JobShape()))
    waits.update(queue, 10.0)
    since = waits.since
    waits.update(queue, 20.0, {"3": "JobHeldUser"})
    assert (waits.since, waits.oldest, dict(waits.others)) == ({"1": 10.0, "2": 10.0}, 10.0, {"3": "JobHeldUser"})
    assert waits.since is since
    waits.remember({"2": 5.0})
    waits.update(queue, 30.0)
    assert (dict(waits.since), waits.oldest) == ({"1": 10.0, "2": 5.0}, 5.0)


def test_what_an_earlier_run_has_seen_counts_for_the_next_queue_alone() -> None:
    waits = JobWaits()
    waits.remember({"1": 3.0, "2": 4.0})
    waits.update([Job("1", JobShape())], 10.0)
    waits.update([Job("1", JobShape()), Job("2", JobShape())], 20.0)
    assert dict(waits.since) == {"1": 3.0, "2": 20.0}
