"""What befalls nodes, lists, records, Slurm and clocks, each fault by its name."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox_play import Play, new_play
from werkzeug.http import parse_date
from werkzeug.test import Client

from arvnodeman.sandbox.arvados_store import ArvadosStore
from arvnodeman.sandbox.cloud import NodeRequest
from arvnodeman.sandbox.past import DelayedCopy
from arvnodeman.sandbox.routes import SiteApplication


def names(page: dict[str, Any]) -> list[str]:
    return [node["name"] for node in page["nodes"]]


def first_of(play: Play) -> dict[str, Any]:
    page: Any = play.site.cloud.list_page(0)
    first: dict[str, Any] = page["nodes"][0]
    return first


def row_of(play: Play) -> dict[str, Any]:
    return next(iter(play.site.store.nodes.values()))


def nodes_client(play: Play) -> Client:
    return Client(SiteApplication(play.site, lambda: None))


def put_node(play: Play, uuid: str, **attributes: object) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {play.site.options.token}"}
    answer = nodes_client(play).put(f"/arvados/v1/nodes/{uuid}", json={"node": attributes}, headers=headers)
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json  # type: ignore[assignment]
    return found


def list_nodes(play: Play) -> list[dict[str, Any]]:
    headers = {"Authorization": f"Bearer {play.site.options.token}"}
    answer = nodes_client(play).get("/arvados/v1/nodes", headers=headers).json
    assert answer is not None
    items: list[dict[str, Any]] = answer["items"]
    return items


# ---- lists of the cloud ----------------------------------------------------------------------------------------------


def three_nodes(**options: object) -> Play:
    play = new_play(**options)
    for number in range(3):
        play.site.cloud.create(NodeRequest(f"n{number}", "small", {"mine": "yes"}))
    return play


def test_a_page_is_as_long_as_the_site_wants() -> None:
    play = three_nodes(page=2)
    assert (names(play.site.cloud.list_page(0)), play.site.cloud.list_page(0)["next"]) == (["n0", "n1"], 1)
    assert (names(play.site.cloud.list_page(1)), play.site.cloud.list_page(1)["next"]) == (["n2"], None)


def test_a_list_that_loses_a_page_goes_on_with_the_next() -> None:
    play = three_nodes(page=2)
    play.site.faults.arm("list-loses-page")
    lost = play.site.cloud.list_page(0)
    assert (lost["nodes"], lost["next"]) == ([], 1)
    assert names(play.site.cloud.list_page(1)) == ["n2"]


def test_a_list_that_repeats_shows_each_node_twice() -> None:
    play = three_nodes()
    play.site.faults.arm("list-repeats")
    assert names(play.site.cloud.list_page(0)) == ["n0", "n1", "n2"] * 2


def test_a_list_that_lags_is_as_it_was() -> None:
    play = three_nodes()
    play.site.faults.set_values({"lag": 60})
    assert len(names(play.site.cloud.list_page(0))) == 3
    play.clock.advance(30)
    play.site.cloud.create(NodeRequest("new", "small"))
    assert "new" in names(play.site.cloud.list_page(0))
    play.clock.advance(40)
    play.site.faults.arm("list-lags")
    assert names(play.site.cloud.list_page(0)) == ["n0", "n1", "n2"]
    play.site.faults.arm("list-lags")
    assert first_of(play)["state"] == "pending"
    assert "new" in names(play.site.cloud.list_page(0))


def test_tags_that_come_late_are_in_the_answer_and_in_no_list_for_a_while() -> None:
    play = new_play()
    play.site.faults.set_values({"lag": 60})
    play.site.faults.arm("tags-late")
    node = play.site.cloud.create(NodeRequest("n", "small", {"mine": "yes"}))
    assert node.as_dict()["tags"] == {"mine": "yes"}
    assert first_of(play)["tags"] == {}
    play.clock.advance(61)
    assert first_of(play)["tags"] == {"mine": "yes"}


def test_what_was_is_kept_for_a_while_only() -> None:
    play = new_play()
    past = DelayedCopy(play.clock, play.clock.elapsed)
    assert past.ago(10) == 0.0
    for _ in range(1000):
        past.keep()
        play.clock.advance(1)
    assert past.ago(10) == 990.0
    assert past.ago(100_000) == 399.0


# ---- node records ----------------------------------------------------------------------------------------------------


def test_a_change_of_a_record_that_is_forgotten_was_answered_well(play: Play) -> None:
    uuid = play.record()["uuid"]
    play.site.faults.arm("records-forget")
    assert put_node(play, uuid, hostname="other")["hostname"] == "other"
    assert play.site.store.nodes[uuid]["hostname"] == "compute1"
    assert put_node(play, uuid, hostname="other")["hostname"] == "other"
    assert play.site.store.nodes[uuid]["hostname"] == "other"


def test_a_slot_that_is_forgotten_is_free(play: Play) -> None:
    store = play.site.store
    row = store.create_node({})
    answer = store.update_node(row["uuid"], {}, assign_slot=True, forgotten=True)
    assert answer["slot_number"] == 1
    assert store.nodes[row["uuid"]]["slot_number"] is None


def test_an_old_list_of_records_is_as_it_was(play: Play) -> None:
    play.site.faults.set_values({"lag": 60})
    play.record()
    list_nodes(play)
    play.clock.advance(61)
    play.record()
    assert len(list_nodes(play)) == 2
    play.site.faults.arm("records-old")
    assert len(list_nodes(play)) == 1
    assert len(list_nodes(play)) == 2


# ---- nodes -----------------------------------------------------------------------------------------------------------


def befall(play: Play, deed: str, node_id: str) -> None:
    play.site.node_faults.deeds[deed](play.site.machines.machines[node_id])


def test_a_node_that_reboots_loses_its_job_and_comes_back(play: Play) -> None:
    node, name = play.up()
    work = play.job(duration=100)
    play.clock.advance(20)
    befall(play, "node-reboots", node.id)
    play.clock.advance(node.boot / 2 + 3)
    assert work.requeues == {"node rebooted": 1}
    play.clock.advance(300)
    assert (work.state, work.completions) == ("completed", 1)
    assert play.sinfo(name) == "idle"


def test_a_node_that_loses_its_ping_works_on(play: Play) -> None:
    node, name = play.up()
    play.clock.advance(100)
    before = row_of(play)["last_ping_at"]
    befall(play, "node-loses-ping", node.id)
    work = play.job(duration=100)
    play.clock.advance(200)
    assert work.state == "completed"
    assert row_of(play)["last_ping_at"] == before
    assert play.sinfo(name) == "idle"


def test_a_node_that_loses_its_slurmd_pings_on(play: Play) -> None:
    node, name = play.up()
    work = play.job(duration=500)
    play.clock.advance(10)
    before = row_of(play)["last_ping_at"]
    befall(play, "node-loses-slurmd", node.id)
    play.clock.advance(100)
    assert play.sinfo(name) == "down*"
    assert work.requeues == {"node vanished": 1}
    assert row_of(play)["last_ping_at"] > before


def test_a_fault_of_a_node_is_had_by_its_name(play: Play) -> None:
    node, name = play.up()
    client = nodes_client(play)
    assert client.post(f"/site/nodes/{node.id}", json={"do": "node-loses-slurmd"}).status_code == 200
    play.clock.advance(100)
    assert play.sinfo(name) == "down*"
    assert client.post(f"/site/nodes/{node.id}", json={"do": "node-sings"}).status_code == 400


def test_the_cloud_takes_a_preemptible_node_in_either_way() -> None:
    states = set()
    play = new_play(slots=16)
    for _ in range(12):
        node, _ = play.boot()
        befall(play, "node-reclaimed", node.id)
        states.add(node.state)
    assert states == {"preempted", "terminated"}


@pytest.mark.parametrize("preemptible", [True, False])
def test_faults_of_nodes_strike_by_rate_once_in_a_life(preemptible: bool) -> None:
    play = new_play()
    play.site.faults.set_rates({"node-reclaimed": 1.0, "node-reboots": 1.0, "node-loses-ping:large": 1.0})
    node, _ = play.boot()
    node.preemptible = preemptible
    play.clock.advance(1000)
    expected = {"node-reboots": 1} | ({"node-reclaimed": 1} if preemptible else {})
    assert dict(play.site.faults.struck) == expected


# ---- the site --------------------------------------------------------------------------------------------------------


def test_a_restart_of_slurm_loses_features_and_weights_but_the_dummys(play: Play) -> None:
    _, name = play.up()
    play.slurm("scontrol", "update", f"NodeName={name}", "Weight=50")
    assert play.sinfo(name, "%w %f") == "50 instancetype=small"
    play.site.site_faults.restart_slurm()
    assert play.sinfo(name, "%w %f") == "1 (null)"
    assert "instancetype=small" in play.sinfo("compute0", "%f")
    assert play.site.site_faults.is_away("slurm")
    play.clock.advance(6)
    assert not play.site.site_faults.is_away("slurm")


@pytest.mark.parametrize("service", ["cloud", "arvados", "slurm"])
def test_a_service_is_away_for_a_while(play: Play, service: str) -> None:
    play.site.faults.set_values({"outage": 30})
    play.site.faults.arm(f"{service}-away")
    play.clock.advance(61)
    assert play.site.site_faults.is_away(service)
    play.clock.advance(30)
    assert not play.site.site_faults.is_away(service)


def test_a_clock_that_jumps_shows_in_dates_and_stamps(play: Play) -> None:
    play.site.faults.arm("clock-jumps:cloud")
    play.clock.advance(61)
    offset = play.site.site_faults.clocks["cloud"].offset
    assert offset != 0.0
    assert play.site.site_faults.clocks["arvados"].offset == 0.0
    node = play.site.cloud.create(NodeRequest("n", "small"))
    assert node.created == pytest.approx(play.clock.wall() + offset)
    date = nodes_client(play).get("/cloud/sizes").headers["Date"]
    told = parse_date(date)
    assert told is not None
    assert abs(told.timestamp() - play.clock.wall() - offset) <= 1.0


def test_the_clock_of_the_api_server_is_that_of_its_stamps(play: Play) -> None:
    client = nodes_client(play)
    assert client.post("/site/services/arvados", json={"clock": 86_400}).status_code == 200
    store: ArvadosStore = play.site.store
    assert store.clock() == play.clock.wall() + 86_400
    assert client.post("/site/services/slurm", json={"clock": 1}).status_code == 400
    assert client.post("/site/services/nobody", json={"away": 1}).status_code == 404


def test_faults_end_all_at_once_and_clocks_stay(play: Play) -> None:
    client = nodes_client(play)
    client.post("/site/services/cloud", json={"away": 1000})
    client.post("/site/services/cloud", json={"clock": 5})
    client.post("/site/faults", json={"rates": {"create-lost": 1.0}, "arm": {"create-quota": 3}})
    answer = client.post("/site/faults", json={"end": True}).json
    assert answer is not None
    assert (answer["rates"], answer["armed"]) == ({}, {})
    assert not play.site.site_faults.is_away("cloud")
    assert play.site.site_faults.clocks["cloud"].offset == 5
