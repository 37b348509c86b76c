"""What is counted of two managers: requests of a lead that had ended, and names with two nodes."""

from __future__ import annotations

import dataclasses
import os
import socket
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest
from chaos.manager import stamp_generations
from chaos.points import POINTS
from chaos.relays import RequestRelay, SentRequest, Target, out_of_turn, sent_late, whole_requests
from chaos.two_plan import AT_POINTS, Fault, plan_of
from chaos.two_play import PairOutcome, doubles
from chaos.two_table import PairRow, rows_in, table

from arvnodeman.fence.fence import GENERATION_HEADER, Fence, steady

ROOT = Path(__file__).resolve().parents[3]


def sent(at: float, generation: int, let_through: float | None = None) -> SentRequest:
    return SentRequest(at, "a", generation, "POST /cloud/nodes", at if let_through is None else let_through)


def test_a_request_of_an_older_lead_after_one_of_a_newer_is_out_of_turn() -> None:
    good = [sent(1, 1), sent(2, 1), sent(4, 3), sent(5, 3)]
    assert out_of_turn(good) == sent_late(good) == []
    assert out_of_turn([*good, sent(4.5, 2)]) == [sent(4.5, 2)]
    assert out_of_turn([*good, sent(3, 0)]) == [sent(3, 0)]  # one that says none


def test_one_that_was_let_through_in_time_is_late() -> None:
    late = sent(4.5, 1, let_through=2.5)
    requests = [sent(1, 1), late, sent(4, 3)]
    assert (out_of_turn(requests), sent_late(requests)) == ([], [late])
    wrong = sent(4.6, 1, let_through=4.5)
    assert (out_of_turn([*requests, wrong]), sent_late([*requests, wrong])) == ([wrong], [late])


def test_a_manager_in_a_play_tells_when_the_fence_let_a_request_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Fence, "check", Fence.check)  # to be put back
    stamp_generations()
    fence = Fence(60.0, 6.0)
    fence.hold(7, fence.clock())
    before = steady()
    generation, _, at = str(fence.fit(5.0)[0]).partition("@")
    assert generation == "7"
    assert before <= float(at) <= steady()
    assert fence.check() == 7


def event(kind: str, subject: str, text: str = "") -> dict[str, str]:
    return {"kind": kind, "subject": subject, "text": text}


def test_a_second_node_of_a_name_is_a_double_while_the_first_is_there() -> None:
    made, gone = event("node-created", "1", "c1 (small)"), event("node-destroyed", "1", "c1 (small)")
    again = event("node-created", "2", "c1 (small)")
    assert doubles([made, gone, again]) == []
    assert doubles([made, again, gone]) == ["c1"]
    assert doubles([made, event("node-vanished", "1"), again]) == []


def test_two_hundred_seeds_have_every_fault_and_half_of_them_stand_still_at_every_point() -> None:
    plans = [plan_of(seed) for seed in range(1, 201)]
    counts = Counter(plan.fault for plan in plans)
    assert counts[Fault.STOPPED] == 100
    assert min(counts[fault] for fault in Fault if fault not in (Fault.ON_THE_WIRE, Fault.DESTROY_KEPT)) >= 10
    assert (plan_of(201).fault, plan_of(301).fault) == (Fault.ON_THE_WIRE, Fault.DESTROY_KEPT)
    assert {plan.point for plan in plans if plan.fault is Fault.STOPPED} == set(POINTS)
    assert all(bool(plan.point) == (plan.fault in AT_POINTS) for plan in plans)


def test_a_relay_lists_what_it_passes_on_and_what_it_held_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as cloud:
        relay = RequestRelay(cloud.getsockname()[1], "a")
        try:
            relay.hang()
            with socket.create_connection(("127.0.0.1", relay.port)) as manager:
                head = f"POST /cloud/nodes HTTP/1.1\r\n{GENERATION}@{steady()}\r\nContent-Length: 2\r\n\r\n"
                manager.sendall(head.encode())

                def goes_on() -> None:
                    manager.sendall(b"{}")
                    relay.mend()

                timer = threading.Timer(0.3, goes_on)
                timer.start()
                peer, _ = cloud.accept()
                with peer:
                    received = b""
                    while not received.endswith(b"{}"):
                        received += peer.recv(1000)
                timer.join()
        finally:
            relay.mend()
            relay.close()
    (request,) = relay.sent
    assert (request.manager, request.generation, request.what) == ("a", 7, "POST /cloud/nodes")
    assert request.at - request.let_through > 0.2


GENERATION = f"{GENERATION_HEADER}: 7"


def test_a_relay_takes_requests_whole_however_they_come() -> None:
    first, second = b"PUT /a HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}", b"GET /b HTTP/1.1\r\n\r\n"
    both = [(b"PUT /a HTTP/1.1\r\nContent-Length: 2\r\n", b"{}"), (b"GET /b HTTP/1.1\r\n", b"")]
    assert whole_requests(first + second + first[:-1]) == (both, first[:-1])


@pytest.mark.parametrize(
    ("head", "body", "target", "what"),
    [
        ("PUT /arvados/v1/nodes/x?a=1 HTTP/1.1", "{}", Target.ARVADOS, "PUT /arvados/v1/nodes/x"),
        ("GET /arvados/v1/nodes HTTP/1.1", "", None, ""),
        ("POST /arvados/v1/nodes HTTP/1.1\r\nX-HTTP-Method-Override: GET", "a=1", None, ""),
        ("DELETE /cloud/nodes/i-1 HTTP/1.1", "", Target.CLOUD, "DELETE /cloud/nodes/i-1"),
        ("POST /slurm HTTP/1.0", "scontrol\0update\0NodeName=n1\0", Target.SLURM, "scontrol update NodeName=n1"),
        ("POST /slurm HTTP/1.0", "squeue\0--all\0", None, ""),
    ],
)
def test_a_relay_lists_what_changes_something_wherever(head: str, body: str, target: Target | None, what: str) -> None:
    relay = RequestRelay(1, "a")
    try:
        relay._note(f"{head}\r\n{GENERATION}\r\n".encode(), body.encode())
    finally:
        relay.close()
    assert [(each.target, each.what, each.generation) for each in relay.sent] == ([(target, what, 7)] if target else [])


def test_the_table_is_by_store_and_fault_with_the_last_run_of_each_seed(tmp_path: Path) -> None:
    outcome = PairOutcome(plan_of(1))
    outcome.requests[Target.SLURM], outcome.verdict, outcome.takeover = 3, {"nodes_left": ["x"]}, 4.25
    bad = dataclasses.replace(PairRow.of(outcome, "postgresql"), wrong=("made twice: c1",))
    good = PairRow.of(PairOutcome(plan_of(1), takeover=4.5), "postgresql")
    other = PairRow.of(PairOutcome(plan_of(2)), "zookeeper")
    (file := tmp_path / "results.jsonl").write_text(bad.json() + other.json())
    assert list(rows_in([file])) == [bad, other]
    first, *_ = table([bad, other]).splitlines()[2:]
    assert first == f"| {Fault.STOPPED} | 1 | 1 | 0 | 1 | 0 | 0 | 0 | 0 | 0, 0, 3 | 4.2 s, 4.2 s; 1 |"
    assert bad.line().endswith("\n         made twice: c1\n")
    file.write_text(bad.json() + other.json() + good.json())
    assert table(rows_in([file])).splitlines()[2].startswith(f"| {Fault.STOPPED} | 1 | 0 |")


def test_the_clock_of_a_manager_in_a_play_is_one_for_all_of_it() -> None:
    """What takes time.time for its own when it is read must be read after it was replaced."""
    text = (
        "import sys, time; from chaos import manager, points;"
        "manager.set_clock(1000.0, 0.0, 0.0); shown = time.time;"
        "from arvnodeman.launcher import main; from arvnodeman.supervision.clock import Clock;"
        "sys.exit(Clock().now is not shown)"
    )
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "tests")))}
    assert subprocess.run([sys.executable, "-c", text], env=environ, check=False).returncode == 0
