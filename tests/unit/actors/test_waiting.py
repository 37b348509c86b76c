"""Which of the steps that wait is next, and what is handed out together."""

from __future__ import annotations

from collections.abc import Callable

from arvnodeman.actors.waiting import FRESH, LOOKS_EACH, MOST_ALIKE, MOST_CHANGES, WaitingSteps, family_of
from arvnodeman.fleet import messages as m
from arvnodeman.fleet.values.model import BootIntent, CloudNode, NodeRecord, NodeSize, Secret
from arvnodeman.fleet.values.rungs import Purchase, Rung

NODE = CloudNode(id="i-1", name="n", report_id="i-1")
INTENT = BootIntent("small", 0.05, "token", 1.0)
SMALL = NodeSize("small", "t", "t", "t", cores=1, ram=1, disk=1, scratch=1, price=1.0)
LARGE = NodeSize("large", "u", "u", "u", cores=2, ram=1, disk=1, scratch=1, price=2.0)
OPERATORS = 3


def look(op: int, *, last: bool = True) -> m.Step:
    return m.LookAtNode(op, f"compute{op}", jobs=last)


def drain(op: int) -> m.Step:
    return m.DrainNode(op, f"compute{op}", f"why {op}")


def destroy(op: int) -> m.Step:
    return m.DestroyNode(op, NODE)


def taken(waiting: WaitingSteps, *running: m.Step, only_destroys: bool = False) -> list[int]:
    return [step.op for step in waiting.take(running, only_destroys=only_destroys)]


def create(op: int, size: NodeSize) -> m.Step:
    return m.CreateNode(op, size, NodeRecord(f"record-{op}"), f"token-{op}", Secret(""))


def find(op: int) -> m.Step:
    return m.FindNode(op, SMALL, NodeRecord(f"record-{op}"), f"token-{op}")


def queue(*steps: m.Step, now: Callable[[], float] = lambda: 0.0, creates: int = 1) -> WaitingSteps:
    waiting = WaitingSteps(OPERATORS, now, creates)
    waiting.add(steps)
    return waiting


def test_destroys_go_before_looks_and_looks_before_drains() -> None:
    waiting = queue(drain(1), drain(2), look(3), destroy(4), look(5), m.LookForNode(6, NODE))
    assert [taken(waiting) for _ in range(5)] == [[4], [6], [3, 5], [1, 2], []]
    assert len(waiting) == 0


def test_nodes_of_one_size_are_asked_for_together_as_many_as_the_cloud_makes_at_once() -> None:
    steps = [create(1, SMALL), create(2, LARGE), create(3, SMALL), drain(4), create(5, SMALL), create(6, LARGE)]
    waiting = queue(*steps, creates=2)
    assert [taken(waiting) for _ in range(5)] == [[1, 3], [2, 6], [4], [5], []]


def test_nodes_at_another_place_are_another_request() -> None:
    spot = SMALL.at(Rung("us-east-1a", Purchase.SPOT))
    waiting = queue(create(1, SMALL), create(2, spot), create(3, SMALL), create(4, spot), creates=100)
    assert [taken(waiting) for _ in range(2)] == [[1, 3], [2, 4]]


def test_where_the_cloud_makes_one_at_a_time_each_is_asked_for_alone() -> None:
    waiting = queue(create(1, SMALL), create(2, SMALL), find(3), find(4))
    assert [taken(waiting) for _ in range(4)] == [[1], [2], [3], [4]]


def test_nodes_that_were_asked_for_together_are_looked_for_together() -> None:
    assert taken(queue(find(1), drain(2), find(3), creates=100)) == [1, 3]


def test_no_more_last_looks_at_once_than_can_soon_be_destroyed() -> None:
    """So the first nodes go while the last are drained, and what Slurm has said of each is new when it goes."""
    waiting = queue(*(look(op) for op in range(20)))
    most = LOOKS_EACH * OPERATORS
    assert taken(waiting) == list(range(most))
    assert taken(waiting, look(0)) == []
    assert taken(waiting, destroy(0)) == list(range(most, 20))


def rounds(seconds: float, count: int) -> list[int]:
    """How many are looked at each time, where each destroy that follows waits a little longer, the last so long."""
    now = 0.0
    waiting = queue(*(look(op) for op in range(5000)), now=lambda: now)
    found = []
    for _ in range(count):
        looks = taken(waiting)
        found.append(len(looks))
        waiting.add(destroy(op) for op in looks)
        for _ in looks:
            now += seconds / len(looks)
            assert len(taken(waiting)) == 1
    return found


def test_as_many_are_looked_at_as_are_soon_destroyed() -> None:
    begin = LOOKS_EACH * OPERATORS
    assert rounds(FRESH * 0.4, 4) == [begin, 2 * begin, 4 * begin, 8 * begin]
    assert rounds(FRESH * 0.7, 3) == [begin] * 3
    assert rounds(FRESH * 1.5, 4) == [begin, begin // 2, OPERATORS, OPERATORS]
    assert max(rounds(FRESH * 0.4, 12)) == MOST_ALIKE


def test_no_last_look_while_there_is_more_to_destroy_than_operators() -> None:
    waiting = queue(look(0), *(destroy(op) for op in range(1, OPERATORS + 2)))
    assert [taken(waiting, only_destroys=True) for _ in range(OPERATORS + 2)] == [[1], [2], [3], [4], [0]]
    waiting = queue(look(0), drain(9))
    assert taken(waiting, look(7)) == [9]  # another look is under way: what else there is


def test_one_look_for_all_nodes_that_work_still() -> None:
    waiting = queue(*(look(op, last=False) for op in range(1000)))
    assert taken(waiting) == list(range(1000))


def test_drains_are_handed_out_together_whatever_their_reasons() -> None:
    count = MOST_CHANGES + 5
    waiting = queue(*(drain(op) for op in range(count)), m.ResumeNode(count, "compute1"))
    assert [len(taken(waiting)) for _ in range(4)] == [MOST_CHANGES, 5, 1, 0]


def test_the_operator_that_is_kept_for_destroys_takes_no_drain() -> None:
    waiting = queue(drain(1), m.SetNodeDown(2, "compute2", "why"))
    assert [taken(waiting, only_destroys=True) for _ in range(2)] == [[2], []]
    assert taken(waiting) == [1]


def test_what_is_left_keeps_its_order() -> None:
    waiting = queue(drain(1), m.ResumeNode(2, "a"), drain(3), m.ResumeNode(4, "b"), m.ListSizes(5), drain(6))
    assert [taken(waiting) for _ in range(3)] == [[1, 3, 6], [2, 4], [5]]


def test_only_names_in_slurm_are_prepared_and_given_back_together() -> None:
    """Records at the API server are asked for one by one, and so by several operators at once."""
    assert family_of(m.PrepareRecord(1, INTENT, "uuid")) is None
    assert family_of(m.ReleaseRecord(1, "uuid", "why")) is None
    names = [m.PrepareRecord(1, INTENT, "a", is_name=True), m.PrepareRecord(2, INTENT, "b", is_name=True)]
    assert taken(queue(*names)) == [1, 2]
    gone = [m.ReleaseRecord(1, "a", "x", is_name=True), m.ReleaseRecord(2, "b", "y", is_name=True)]
    assert taken(queue(*gone)) == [1]  # what is noted with them differs
