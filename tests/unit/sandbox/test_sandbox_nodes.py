"""The computers behind the sandbox's nodes: boot, ping, join, work, loss."""

from __future__ import annotations

import pytest
from sandbox_play import Play, new_play

from arvnodeman.sandbox.cloud import NodeRequest
from arvnodeman.sandbox.nodes import ping_target
from arvnodeman.sandbox.slurm_nodes import SlurmNode


def row_of(play: Play) -> dict[str, object]:
    return next(iter(play.site.store.nodes.values()))


def test_a_nodes_life(play: Play) -> None:
    node, name = play.boot()
    play.clock.advance(49)
    assert row_of(play)["first_ping_at"] is None
    play.clock.advance(1)
    row = row_of(play)
    assert row["first_ping_at"]
    assert row["ip_address"] == node.address
    assert row["info"]["ec2_instance_id"] == node.id  # type: ignore[index]
    assert row["properties"] == {"total_cpu_cores": 2, "total_ram_mb": 3880, "total_scratch_mb": 50_000}
    play.clock.advance(10)
    assert play.sinfo(name) == "idle"
    work = play.job(duration=100)
    play.clock.advance(200)
    assert (work.state, work.starts, work.completions, work.requeues) == ("completed", 1, 1, {})
    kinds = [k for k in play.kinds() if k != "job-submitted"]
    assert kinds == ["node-created", "first-ping", "slurmd-started", "job-started", "job-completed"]


def test_pings_go_on_while_the_node_lives(play: Play) -> None:
    node, _ = play.up()
    before = str(row_of(play)["last_ping_at"])
    play.clock.advance(61)
    after = str(row_of(play)["last_ping_at"])
    assert after > before
    play.site.cloud.destroy(node.id)
    play.clock.advance(300)
    assert row_of(play)["last_ping_at"] == after


def test_a_wrong_ping_secret_halts_the_computer_and_the_node_stays_and_costs(play: Play) -> None:
    """Cleaning a record makes a new secret; a live node with the old one halts itself."""
    node, name = play.up()
    play.site.store.update_node(str(row_of(play)["uuid"]), {"info": {"last_action": "Prepared by Node Manager"}})
    cost = play.site.cloud.cost()
    play.clock.advance(200)
    assert node.state == "running"
    assert play.sinfo(name) == "down*"
    verdict = play.site.verdict()
    assert verdict.halted == (node.id,)
    assert verdict.nodes_left == (node.id,)
    assert verdict.cost > cost
    assert play.kinds().count("ping-refused") == 1


def test_a_job_that_loses_its_node_by_our_doing_was_disturbed(play: Play) -> None:
    play.up()
    play.job("a", duration=500)
    play.clock.advance(10)
    play.site.store.update_node(str(row_of(play)["uuid"]), {"info": {}})
    play.clock.advance(200)
    assert play.site.verdict().requeues == {"ping secret refused": 1}
    assert play.site.verdict().disturbed == 1
    assert not play.site.verdict().clean


def test_a_record_without_a_hostname_is_asked_again_until_it_has_one() -> None:
    play = new_play()
    play.site.store.hostname_template = None
    record = play.record()
    url = f"http://x/arvados/v1/nodes/{record['uuid']}/ping?ping_secret={record['secret']}"
    play.site.cloud.create(NodeRequest("n", "small", {}, url))
    play.clock.advance(80)
    assert "slurmd-started" not in play.kinds()
    play.site.store.update_node(record["uuid"], {"hostname": "compute7"})
    play.clock.advance(20)
    assert play.sinfo("compute7") == "idle"


def test_a_ping_that_another_instance_has_registered_is_refused_and_tried_again(play: Play) -> None:
    node, _ = play.boot()
    play.site.store.nodes[str(row_of(play)["uuid"])]["info"]["ec2_instance_id"] = "other"
    play.clock.advance(100)
    assert play.kinds().count("ping-refused") >= 2
    assert node.id not in play.site.verdict().halted


def test_a_malformed_ping_url_is_refused_by_the_server(play: Play) -> None:
    play.site.cloud.create(NodeRequest("n", "small", {}, "no url"))
    play.clock.advance(100)
    assert "ping-refused" in play.kinds()


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("http://h:1/arvados/v1/nodes/zzzzz-7ekkf-1/ping?ping_secret=s", ("zzzzz-7ekkf-1", "s")),
        ("https://h/arvados/v1/nodes/u/ping?ping_secret=s\n", ("u", "s")),
        ("https://h/arvados/v1/nodes/u/ping", ("u", "")),
        ("", ("", "")),
        ("https://h/ping", ("", "")),
    ],
)
def test_uuid_and_secret_are_read_from_the_ping_url(url: str, target: tuple[str, str]) -> None:
    assert ping_target(url) == target


def test_a_node_can_never_ping(play: Play) -> None:
    play.site.faults.arm("node-never-pings:small")
    node, _ = play.boot()
    play.clock.advance(10_000)
    assert node.state == "running"
    assert row_of(play)["first_ping_at"] is None


def test_a_node_can_die_while_it_boots(play: Play) -> None:
    play.site.faults.arm("node-dies-booting")
    node, _ = play.boot()
    play.clock.advance(60)
    assert node.state == "terminated"
    assert play.kinds() == ["node-created", "fault", "node-vanished"]


def test_a_node_can_die_while_it_works_and_the_job_runs_again_elsewhere(play: Play) -> None:
    node, name = play.up()
    play.up()
    play.site.faults.arm("node-dies-working")
    work = play.job(duration=100)
    play.clock.advance(400)
    assert node.state == "terminated"
    assert (work.starts, work.completions, work.requeues) == (2, 1, {"node-dies-working": 1})
    assert play.sinfo(name) == "down*"
    assert play.site.verdict().requeues == {"node-dies-working": 1}


def test_a_busy_node_that_is_destroyed_is_held_against_whoever_asked(play: Play) -> None:
    node, _ = play.up()
    work = play.job(duration=500)
    play.clock.advance(10)
    play.site.cloud.destroy(node.id)
    assert play.site.verdict().busy_destroyed == (node.id,)
    play.clock.advance(100)
    assert work.requeues == {"destroyed": 1}


def test_an_idle_node_that_is_destroyed_is_not(play: Play) -> None:
    node, _ = play.up()
    play.job(duration=10)
    play.clock.advance(100)
    play.site.cloud.destroy(node.id)
    assert play.site.verdict().busy_destroyed == ()


def test_a_job_given_to_a_computer_that_is_gone_never_ends_by_itself(play: Play) -> None:
    """slurmctld starts jobs on a node that it has not yet missed."""
    node, _ = play.up()
    play.site.cloud.vanish(node, "test")
    work = play.job(duration=10)
    play.clock.advance(30)
    assert (work.starts, work.completions) == (1, 0)
    play.clock.advance(100)
    assert work.requeues == {"test": 1}


@pytest.mark.parametrize(("state", "busy"), [("alloc", 1), ("idle%", 0), ("idle~", 0)])
def test_a_node_whose_name_slurm_has_powered_down_works_no_more(
    play: Play, monkeypatch: pytest.MonkeyPatch, state: str, busy: int
) -> None:
    """A job of several nodes may end elsewhere yet."""
    node, _name = play.up()
    play.job("a", duration=500)
    play.clock.advance(10)
    monkeypatch.setattr(SlurmNode, "short", lambda _self: state)
    play.site.cloud.destroy(node.id)
    play.clock.advance(60)
    assert len(play.site.verdict().busy_destroyed) == busy
