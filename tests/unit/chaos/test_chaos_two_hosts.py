"""What is counted of two managers: requests of a lead that had ended, and names with two nodes."""

from __future__ import annotations

import dataclasses
import socket
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from chaos.points import POINTS
from chaos.relays import RequestRelay, SentRequest, Target, out_of_turn, whole_requests
from chaos.two_plan import AT_POINTS, Fault, plan_of
from chaos.two_play import PairOutcome, doubles
from chaos.two_table import PairRow, rows_in, table

from arvnodeman.fence.fence import GENERATION_HEADER
from arvnodeman.sandbox.commands import STARTED


def sent(at: float, generation: int) -> SentRequest:
    return SentRequest(at, "a", generation, "POST /cloud/nodes", 0.0)


def test_a_request_of_an_older_lead_after_one_of_a_newer_is_out_of_turn() -> None:
    good = [sent(1, 1), sent(2, 1), sent(4, 3), sent(5, 3)]
    assert out_of_turn(good) == []
    assert out_of_turn([*good, sent(4.5, 2)]) == [sent(4.5, 2)]
    assert out_of_turn([*good, sent(3, 0)]) == [sent(3, 0)]  # one that says none


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
    assert min(counts[fault] for fault in Fault if fault is not Fault.ON_THE_WIRE) >= 10
    assert plan_of(201).fault is Fault.ON_THE_WIRE
    assert {plan.point for plan in plans if plan.fault is Fault.STOPPED} == set(POINTS)
    assert all(bool(plan.point) == (plan.fault in AT_POINTS) for plan in plans)


def test_a_relay_lists_what_it_passes_on_and_what_it_held_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as cloud:
        relay = RequestRelay(cloud.getsockname()[1], "a")
        try:
            relay.hang()
            with socket.create_connection(("127.0.0.1", relay.port)) as manager:
                head = f"POST /cloud/nodes HTTP/1.1\r\n{GENERATION}\r\nContent-Length: 2\r\n\r\n"
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
    assert request.late > 0.1


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
        relay._note(f"{head}\r\n{GENERATION}\r\n".encode(), body.encode(), time.monotonic())
    finally:
        relay.close()
    assert [(each.target, each.what, each.generation) for each in relay.sent] == ([(target, what, 7)] if target else [])


def test_a_command_that_stood_still_with_its_manager_was_held_up() -> None:
    relay = RequestRelay(1, "a")
    try:
        relay._note(
            f"POST /slurm HTTP/1.0\r\n{STARTED}: {time.time() - 9}\r\n".encode(), b"scancel\x007\0", time.monotonic()
        )
    finally:
        relay.close()
    assert relay.sent[0].late > 8


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
