"""What is counted of two managers: requests of a lead that had ended, and names with two nodes."""

from __future__ import annotations

import socket
import threading
from collections import Counter

from chaos.points import POINTS
from chaos.relays import CloudRelay, SentRequest, out_of_turn
from chaos.two_plan import AT_POINTS, Fault, plan_of
from chaos.two_play import doubles


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
        relay = CloudRelay(cloud.getsockname()[1], "a")
        try:
            relay.hang()
            with socket.create_connection(("127.0.0.1", relay.port)) as manager:
                manager.sendall(b"POST /cloud/nodes HTTP/1.1\r\nX-Node-Manager-Generation: 7\r\n\r\n{}")
                timer = threading.Timer(0.3, relay.mend)
                timer.start()
                peer, _ = cloud.accept()
                with peer:
                    assert peer.recv(4).startswith(b"POST")
                timer.join()
        finally:
            relay.mend()
            relay.close()
    (request,) = relay.sent
    assert (request.manager, request.generation, request.what) == ("a", 7, "POST /cloud/nodes")
    assert request.late > 0.1
