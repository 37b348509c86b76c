"""The API under /v1: what there is, why it is so, and an operator's word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from managed_world import Managed, jobs, policy
from world import BIG, HOUR, NEVER

from arvnodeman.fleet.messages import CreateNode, DescribeNode, DestroyNode, DrainNode, PrepareRecord
from arvnodeman.fleet.values.model import Directive, ErrorKind, JobShape, OperatorDirective


@pytest.fixture
def site(tmp_path: Path) -> Managed:
    return Managed(tmp_path)


def names(things: list[dict[str, Any]]) -> list[object]:
    return [thing["name"] for thing in things]


# ---- nodes ---------------------------------------------------------------------------------------------------------


def test_a_node_by_each_of_its_names_with_the_reason_why_it_stays(site: Managed) -> None:
    site.world.node("compute1", slurm="alloc")
    site.begin()
    for name in ("i-compute1", "compute1.zzzzz", "compute1"):
        node = site.ask(f"/v1/nodes/{name}")
        assert (node["id"], node["hostname"], node["state"]) == ("i-compute1", "compute1", "busy")
        assert node["why"] == "it works: Slurm says alloc"
        assert node["goes"] is False
    assert site.get("/v1/nodes/compute2").status_code == 404
    (listed,) = site.ask("/v1/nodes")["nodes"]
    assert listed == {key: value for key, value in node.items() if key != "operations"}
    assert (node["age_seconds"], node["last_ping_seconds"], node["price"]) == (2 * HOUR, 0.0, 0.1)


def test_ages_grow_between_polls(site: Managed) -> None:
    site.world.node("compute1")
    site.begin()
    site.world.now += 7.0
    node = site.ask("/v1/nodes/compute1")
    assert (node["state_seconds"], node["idle_seconds"], node["last_ping_seconds"]) == (7.0, 7.0, 7.0)
    assert node["age_seconds"] == 2 * HOUR + 7.0


def test_an_idle_node_that_is_wanted_says_so(site: Managed) -> None:
    site.world.node("compute1")
    site.begin(*jobs(1))
    site.cycle(times=3)
    node = site.ask("/v1/nodes/compute1")
    assert (node["state"], node["why"]) == ("idle", "a waiting job wants a node of small")


def test_an_idle_node_that_min_nodes_keeps_says_so(tmp_path: Path) -> None:
    site = Managed(tmp_path, policy=policy(min_nodes=1))
    site.world.node("compute1")
    site.begin()
    site.cycle(times=3)
    assert site.ask("/v1/nodes/compute1")["why"] == "min_nodes keeps 1 node(s)"


def test_an_idle_node_whose_window_is_shut_says_until_when(tmp_path: Path) -> None:
    site = Managed(tmp_path, policy=policy(shutdown_windows=(180.0, 60.0)))
    site.world.node("compute1", age=2 * HOUR)
    site.begin()
    site.cycle(times=3)
    node = site.ask("/v1/nodes/compute1")
    assert node["why"].startswith("shutdown window closed, next in ")
    assert 0 < node["until_seconds"] <= HOUR


def test_a_node_that_is_shut_down_shows_the_operation(site: Managed) -> None:
    site.world.node("compute1")
    site.begin()
    site.cycle(times=3)
    node = site.ask("/v1/nodes/compute1")
    assert (node["state"], node["goes"]) == ("shutdown", True)
    (operation,) = node["operations"]
    assert (operation["kind"], operation["stage"], operation["size"]) == ("shutdown", "draining it in Slurm", "small")
    assert site.ask("/v1/operations")["operations"] == [operation]


def test_an_operation_that_waits_says_for_what_and_until_when(site: Managed) -> None:
    site.begin(*jobs(1))
    site.world.fail(site.world.one(PrepareRecord), ErrorKind.THROTTLED, "slow down", retry_after=40.0)
    site.world.poll_cloud()
    (operation,) = site.ask("/v1/operations")["operations"]
    assert (operation["trouble"], operation["next_attempt_seconds"]) == ("slow down", 40.0)


# ---- words ---------------------------------------------------------------------------------------------------------


def test_hold_keeps_a_node_and_is_shown_everywhere(site: Managed) -> None:
    site.world.node("compute1")
    site.begin()
    answer = site.post("/v1/nodes/compute1/hold", {"reason": "looking at it"})
    assert (answer.status_code, answer.get_json()) == (
        200,
        {"node": "compute1.zzzzz", "word": "hold", "reason": "looking at it", "heard": True},
    )
    site.world.obey()
    assert site.world.cloud["i-compute1"].directive == OperatorDirective(Directive.HOLD, "looking at it")
    site.cycle(times=3)
    node = site.ask("/v1/nodes/compute1")
    assert node["word"] == {"word": "hold", "reason": "looking at it"}
    assert node["why"] == "held by an operator (looking at it)"
    assert "Operator hold" in site.ask("/v1/decisions")["decisions"][-1]["words"]
    site.post("/v1/nodes/compute1/run")
    site.cycle(times=3)
    assert site.ask("/v1/nodes/compute1")["state"] == "shutdown"


def test_drain_and_kill(site: Managed) -> None:
    site.world.node("compute1", slurm="alloc")
    site.world.node("compute2", slurm="alloc")
    site.begin()
    site.post("/v1/nodes/compute1/drain", {"reason": "kernel"})
    assert site.world.one(DrainNode).hostname == "compute1"
    site.post("/v1/nodes/compute2/kill")
    assert site.world.one(DestroyNode).node.id == "i-compute2"


def test_a_word_that_is_not_heard_in_time_is_202(site: Managed) -> None:
    site.world.node("compute1")
    site.begin()
    site.hears = False
    assert site.post("/v1/nodes/compute1/hold").status_code == 202


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'"x"',
        b"\xff",
        b'{"reason": 1}',
        b'{"reason": "x", "force": true}',
        b'{"reason": "two\\nlines"}',
        b'{"reason": "' + b"x" * 181 + b'"}',
        b"[" * 16000,
    ],
)
def test_a_malformed_body_changes_nothing(site: Managed, body: bytes) -> None:
    site.world.node("compute1")
    site.begin()
    answer = site.post("/v1/nodes/compute1/kill", body)
    assert answer.status_code == 400
    assert answer.get_json()["error"]
    assert not site.world.open(DestroyNode)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/nodes/compute9/kill",
        "/v1/nodes//kill",
        "/v1/nodes/../kill",
        "/v1/nodes/%2e%2e%2f/kill",
        "/v1/nodes/x%00/kill",
    ],
)
def test_an_unknown_node_or_a_trick_with_the_path_is_404(site: Managed, path: str) -> None:
    site.world.node("compute1")
    site.begin()
    assert site.post(path).status_code == 404


def test_words_are_posted_and_pages_are_read(site: Managed) -> None:
    answer = site.get("/v1/nodes/compute1/kill")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
    assert site.post("/v1/nodes").status_code == 405


# ---- jobs ----------------------------------------------------------------------------------------------------------


def test_a_job_at_a_limit_says_which_and_those_behind_say_so(tmp_path: Path) -> None:
    site = Managed(tmp_path, policy=policy(max_nodes=2))
    waiting = [*jobs(3, name="a"), *jobs(1, BIG, name="b")]
    site.begin(*waiting)
    shown = [site.ask(f"/v1/jobs/{job.id}") for job in waiting]
    assert [job["served"] for job in shown] == [True, True, False, False]
    assert shown[2]["why"] == "1 of small wanted, max_nodes of 2 reached with 2 node(s)"
    assert shown[3]["why"].startswith("behind a job that waits: 1 of small wanted, max_nodes of 2")
    assert [job["place"] for job in shown] == [1, 2, 3, 4]
    assert (shown[3]["sizes"], shown[0]["sizes"]) == (["large"], ["small", "large"])
    assert shown[0]["slurm_reason"] == "Resources"


def test_a_job_whose_size_rests_says_why_and_until_when(site: Managed) -> None:
    site.begin(*jobs(1, JobShape(size="small")))
    site.world.obey(PrepareRecord, DescribeNode)
    site.world.fail(site.world.one(CreateNode), ErrorKind.CAPACITY, "no room in zone a")
    site.world.obey()
    site.world.now += 5.0
    site.world.poll_queue()
    site.mark()
    (job,) = site.ask("/v1/jobs")["jobs"]
    assert (job["served"], job["until_seconds"]) == (False, 55.0)
    assert job["why"] == "small rests for 55 s: the cloud has no capacity for it (no room in zone a)"
    assert site.ask("/v1/sizes/small")["rests"] == job["why"]
    assert "rest" in [decision["kind"] for decision in site.ask("/v1/decisions")["decisions"]]


def test_waiting_times_count_from_when_a_job_was_first_seen(site: Managed) -> None:
    first, second = jobs(2)
    site.begin(first)
    site.cycle(first, second)
    site.world.now += 5.0
    assert site.ask(f"/v1/jobs/{first.id}")["waiting_seconds"] == 65.0
    assert site.ask(f"/v1/jobs/{second.id}")["waiting_seconds"] == 5.0
    assert site.ask("/v1/status")["longest_wait_seconds"] == 65.0


def test_jobs_come_in_pages(site: Managed) -> None:
    site.begin(*jobs(250))
    first = site.ask("/v1/jobs")
    assert (first["total"], first["offset"], len(first["jobs"])) == (250, 0, 100)
    rest = site.ask("/v1/jobs?offset=200&limit=1000")
    assert [job["place"] for job in rest["jobs"]] == list(range(201, 251))
    assert site.ask("/v1/jobs?offset=9999")["jobs"] == []


@pytest.mark.parametrize(
    "query",
    ["offset=-1", "limit=0", "limit=1001", "limit=x", "offset=1e3", "limit=", "offset=²", "page=2", "offset=1&x"],
)
def test_a_page_that_is_none_is_400(site: Managed, query: str) -> None:
    assert site.get(f"/v1/jobs?{query}").status_code == 400


def test_jobs_say_that_nothing_is_decided_while_lists_are_old(site: Managed) -> None:
    site.begin(*jobs(40, BIG))
    site.world.now += 4000.0
    site.world.poll_cloud()
    assert site.ask("/v1/status")["blocked"] == "lists are missing or too old: records, queue"
    waiting = site.ask("/v1/jobs")["jobs"]
    unserved = [job for job in waiting if not job["served"]]
    assert 0 < len(unserved) < 40
    told = "nothing is decided now: lists are missing or too old: records, queue"
    assert {job["why"] for job in unserved} == {told}


def test_a_boot_that_is_only_planned_serves_no_job(site: Managed) -> None:
    """The cloud's list has never been read, so that nothing is booted, whatever the plan says."""
    site.world.sizes()
    site.world.poll_records()
    site.world.poll_queue(*jobs(2))
    told = "nothing is decided now: lists are missing or too old: cloud"
    assert [(job["served"], job["why"]) for job in site.ask("/v1/jobs")["jobs"]] == [(False, told)] * 2
    assert site.ask("/v1/status")["jobs_served"] == 0
    site.world.poll_cloud()
    site.world.poll_queue(*jobs(2))
    assert [job["served"] for job in site.ask("/v1/jobs")["jobs"]] == [True] * 2


def test_a_boot_under_way_serves_its_job_though_lists_grow_old(site: Managed) -> None:
    site.begin(*jobs(1))
    site.world.now += 4000.0
    site.world.poll_cloud()
    assert site.ask("/v1/status")["blocked"]
    assert [job["served"] for job in site.ask("/v1/jobs")["jobs"]] == [True]


def test_before_the_sizes_are_known_jobs_say_so(site: Managed) -> None:
    site.world.poll_queue(*jobs(1))
    site.world.poll_cloud()
    site.world.poll_records()
    (job,) = site.ask("/v1/jobs")["jobs"]
    assert job["why"] == "nothing is decided now: the provider's sizes are not known yet"


# ---- sizes, decisions, polls, status ---------------------------------------------------------------------------------


def test_sizes_with_their_nodes_wishes_and_rests(tmp_path: Path) -> None:
    site = Managed(tmp_path, policy=policy(shutdown_windows=NEVER))
    site.world.node("compute1", "large", slurm="alloc")
    site.begin(*jobs(2, JobShape(size="small")))
    small, large = site.ask("/v1/sizes")["sizes"]
    assert (small["id"], small["wanted"], small["nodes"]["booting"], small["price"]) == ("small", 2, 2, 0.1)
    assert (large["nodes"]["busy"], large["rests"], large["missing"]) == (1, None, False)
    assert site.ask("/v1/sizes/large") == large
    assert site.get("/v1/sizes/huge").status_code == 404


def test_decisions_can_be_followed(site: Managed) -> None:
    site.begin(*jobs(2))
    first = site.ask("/v1/decisions")
    assert [(each["kind"], each["subject"]) for each in first["decisions"]] == [("boot", "small")]
    assert first["decisions"][0]["words"] == "Want 2 more small nodes.  Booting a node."
    assert first["last"] == 1
    site.world.obey()
    then = site.ask(f"/v1/decisions?after={first['last']}")
    assert [each["kind"] for each in then["decisions"]] == ["created", "created"]
    assert then["run"] == first["run"]
    assert site.ask("/v1/decisions?after=999")["decisions"] == []


def test_polls(site: Managed) -> None:
    site.begin()
    site.world.now += 3.0
    site.vitals.polls.failed(next(iter(site.vitals.polls.all())), 0.0, "HTTP 503", 1.5)
    cloud, records, _queue = site.ask("/v1/polls")["polls"]
    assert cloud == {
        "list": "cloud", "age_seconds": 3.0, "duration_seconds": 1.5, "items": 3, "errors": 1, "error": "HTTP 503",
    }  # fmt: skip
    assert records["error"] == ""


def test_status_in_one_object(tmp_path: Path) -> None:
    site = Managed(tmp_path, dry_run=True)
    site.world.node("compute1", slurm="alloc")
    site.begin(*jobs(2))
    status = site.ask("/v1/status")
    assert (status["healthy"], status["dry_run"], status["blocked"]) == (True, True, "")
    assert (status["nodes"]["busy"], status["jobs_waiting"], status["jobs_served"]) == (1, 2, 2)
    assert status["price"] == pytest.approx(0.1)


def test_no_secret_is_on_any_page(tmp_path: Path) -> None:
    site = Managed(tmp_path, token="management-secret")
    site.world.node("compute1")
    site.begin(*jobs(2))
    site.world.obey()
    paths = ["/v1/status", "/v1/nodes", "/v1/nodes/compute1", "/v1/jobs", "/v1/sizes", "/v1/operations", "/v1/polls"]
    for path in [*paths, "/v1/decisions", "/v1/openapi.json", "/metrics", "/status.json"]:
        text = site.get(path, Authorization="Bearer management-secret").text
        assert text
        assert "secret" not in text.replace("ping_secret", ""), path
