"""The cloud of the sandbox."""

from __future__ import annotations

import pytest
from sandbox_play import Play, new_play

from arvnodeman.sandbox.cloud import PAGE, CloudError, NodeRequest, node_request


def request(name: str = "n", size: str = "small", **more: object) -> NodeRequest:
    return NodeRequest(name, size, **more)  # type: ignore[arg-type]


def code_of(play: Play, wanted: NodeRequest) -> str:
    with pytest.raises(CloudError) as caught:
        play.site.cloud.create(wanted)
    return caught.value.code


def test_a_node_is_pending_then_running_with_an_address_and_its_tags(play: Play) -> None:
    node = play.site.cloud.create(request(tags={"k": "v"}))
    assert (node.as_dict()["state"], node.as_dict()["address"]) == ("pending", None)
    play.clock.advance(30)
    shown = node.as_dict()
    assert (shown["state"], shown["tags"], shown["address"]) == ("running", {"k": "v"}, "10.0.0.1")
    assert shown["created"] == play.clock.wall() - 30


def test_the_same_token_answers_the_same_node_and_another_request_with_it_is_refused(play: Play) -> None:
    """Rows D7, D8."""
    node = play.site.cloud.create(request(token="t"))
    assert play.site.cloud.create(request(token="t")) is node
    assert code_of(play, request("other", token="t")) == "InvalidParameter"
    assert play.site.cloud.created == 1


def test_the_quota_counts_nodes_that_are_not_ending(play: Play) -> None:
    cloud = play.site.cloud
    cloud.quota = 1
    node = cloud.create(request())
    assert code_of(play, request()) == "QuotaExceeded"
    cloud.destroy(node.id)
    cloud.create(request())
    assert cloud.most_at_once == 1


def test_a_destroyed_node_shuts_down_is_listed_as_terminated_for_a_while_and_is_gone() -> None:
    play = new_play(linger=100.0)
    cloud = play.site.cloud
    node = cloud.create(request())
    cloud.destroy(node.id)
    assert node.state == "shutting-down"
    cloud.destroy(node.id)
    play.clock.advance(10)
    assert [n["state"] for n in cloud.list_page(0)["nodes"]] == ["terminated"]  # type: ignore[attr-defined]
    with pytest.raises(CloudError) as caught:
        cloud.destroy(node.id)
    assert caught.value.status == 404
    play.clock.advance(100)
    assert cloud.list_page(0) == {"nodes": [], "next": None}


def test_lists_come_in_pages(play: Play) -> None:
    for number in range(PAGE + 1):
        play.site.cloud.create(request(f"n{number}"))
    first, second = play.site.cloud.list_page(0), play.site.cloud.list_page(1)
    assert first["next"] == 1
    assert second["next"] is None
    assert len(first["nodes"]) == PAGE  # type: ignore[arg-type]
    assert [node["name"] for node in second["nodes"]] == [f"n{PAGE}"]  # type: ignore[attr-defined]


def test_the_bill_is_price_times_time_from_create_to_the_end(play: Play) -> None:
    node = play.site.cloud.create(request(size="large"))
    play.clock.advance(1800)
    play.site.cloud.destroy(node.id)
    play.clock.advance(7200)
    assert play.site.cloud.cost() == pytest.approx(0.20 / 2)


def test_tags_are_merged_and_null_takes_one_away(play: Play) -> None:
    node = play.site.cloud.create(request(tags={"a": "1", "b": "2"}))
    assert play.site.cloud.set_tags(node.id, {"tags": {"b": None, "c": "3"}}).tags == {"a": "1", "c": "3"}
    bads: list[object] = [{}, {"tags": {"a": 1}}, [], {"tags": "x"}]
    for bad in bads:
        with pytest.raises(CloudError):
            play.site.cloud.set_tags(node.id, bad)


@pytest.mark.parametrize(
    ("fault", "code", "exists"),
    [
        ("create-quota", "QuotaExceeded", False),
        ("create-capacity", "InsufficientCapacity", False),
        ("create-capacity:small", "InsufficientCapacity", False),
        ("create-invalid", "InvalidParameter", False),
        ("create-throttled", "Throttled", False),
        ("create-lost", "Unavailable", True),
    ],
)
def test_a_create_can_fail_in_many_ways(play: Play, fault: str, code: str, exists: bool) -> None:
    play.site.faults.arm(fault)
    assert code_of(play, request(token="t")) == code
    assert bool(play.site.cloud.nodes) is exists
    play.site.cloud.create(request(token="t"))
    assert play.site.cloud.created == 1


def test_a_throttled_answer_says_how_long_and_a_lost_one_hangs(play: Play) -> None:
    play.site.faults.set_values({"retry_after": 7, "hang": 0.5})
    for fault, retry_after, hang in (("create-throttled", 7, 0), ("create-lost", None, 0.5)):
        play.site.faults.arm(fault)
        with pytest.raises(CloudError) as caught:
            play.site.cloud.create(request())
        assert (caught.value.retry_after, caught.value.hang) == (retry_after, hang)


def test_a_destroy_can_fail_or_work_with_its_answer_lost(play: Play) -> None:
    """Row E11."""
    node = play.site.cloud.create(request())
    for fault, state in (("destroy-fails", "pending"), ("destroy-lost", "shutting-down")):
        play.site.faults.arm(fault)
        with pytest.raises(CloudError) as caught:
            play.site.cloud.destroy(node.id)
        assert caught.value.status == 503
        assert node.state == state


def test_a_list_can_be_unavailable(play: Play) -> None:
    play.site.faults.arm("list-unavailable")
    with pytest.raises(CloudError, match="not available"):
        play.site.cloud.list_page(0)
    assert play.site.cloud.list_page(0)["nodes"] == []


def test_a_stopped_node_stays_listed_and_costs_nothing_more(play: Play) -> None:
    node = play.site.cloud.create(request())
    play.site.cloud.stop(node, "preempted")
    cost = play.site.cloud.cost()
    play.clock.advance(3600)
    assert (node.state, play.site.cloud.cost()) == ("preempted", cost)
    play.site.cloud.destroy(node.id)
    assert node.state == "shutting-down"


def test_boot_times_are_spread_by_the_seed() -> None:
    def boots(seed: int) -> list[float]:
        cloud = new_play(seed=seed, jitter=0.2).site.cloud
        return [cloud.create(request()).boot for _ in range(5)]

    assert boots(1) == boots(1)
    assert boots(1) != boots(2)
    assert len(set(boots(1))) == 5
    assert all(40 <= boot <= 60 for boot in boots(1))


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {},
        {"name": "n"},
        {"name": 1, "size": "small"},
        {"name": "n", "size": ""},
        {"name": "n", "size": "small", "tags": {"a": 1}},
        {"name": "n", "size": "small", "preemptible": "yes"},
        {"name": "n", "size": "small", "token": 5},
    ],
)
def test_a_malformed_request_is_refused(body: object) -> None:
    with pytest.raises(CloudError) as caught:
        node_request(body)
    assert caught.value.status == 400


def test_an_unknown_size_is_refused(play: Play) -> None:
    assert code_of(play, request(size="huge")) == "InvalidParameter"
