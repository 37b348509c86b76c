"""Several EC2 nodes by one request: told apart by launch index, few where there is little room, none twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from secrets import token_hex

import pytest
from cloud_peer import PING_SECRET, Verb
from peer_ec2 import ERRORS, EC2Peer, moto

from arvnodeman.cloud import ec2_batching
from arvnodeman.cloud.base import TOKEN_TAG, NodeWish
from arvnodeman.cloud.ec2 import EC2Driver
from arvnodeman.cloud.ec2_batch import BATCH_TAG, MOST, Member, list_tags, member_of, room_in_tags
from arvnodeman.cloud.ec2_batching import nodes_at_once
from arvnodeman.cloud.registry import nodes_at_once as at_once
from arvnodeman.cloud.throttle import Limiter
from arvnodeman.config import ConfigError
from arvnodeman.fleet.values.model import CloudNode, ErrorKind, RemoteFailure, Secret
from arvnodeman.sandbox.ec2_layer import Ec2Error
from arvnodeman.sandbox.ec2_user_data import own_part


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[EC2Peer]:
    with EC2Peer(tmp_path) as peer:
        yield peer


def made(peer: EC2Peer, *, burst: str = "yes", **create: str) -> EC2Driver:
    """A driver with these options of [Cloud Create]."""
    driver = peer.driver(create=create, burst=burst)
    assert isinstance(driver, EC2Driver)
    return driver


def wish(peer: EC2Peer, number: int) -> NodeWish:
    return NodeWish(peer.size, peer.record(number), f"18a3f-{number}", peer.ping_url(number))


def wishes(peer: EC2Peer, count: int, first: int = 1) -> list[NodeWish]:
    return [wish(peer, number) for number in range(first, first + count)]


def actions(peer: EC2Peer) -> list[str]:
    return [params["Action"] for params in peer.seen]


def good(answers: Sequence[CloudNode | RemoteFailure]) -> list[CloudNode]:
    assert all(isinstance(each, CloudNode) for each in answers), answers
    return [each for each in answers if isinstance(each, CloudNode)]


def kinds(answers: Sequence[object]) -> list[ErrorKind | None]:
    return [each.error.kind if isinstance(each, RemoteFailure) else None for each in answers]


# ---- one request -----------------------------------------------------------------------------------------------------


def test_one_request_makes_all_of_them(peer: EC2Peer) -> None:
    nodes = good(made(peer).create_nodes(wishes(peer, 12)))
    assert actions(peer) == ["RunInstances"]
    assert (peer.seen[0]["MinCount"], peer.seen[0]["MaxCount"]) == ("1", "12")
    assert len(peer.seen[0]["ClientToken"]) == 64
    assert [node.token for node in nodes] == [f"18a3f-{number}" for number in range(1, 13)]
    assert [node.name for node in nodes] == [f"compute{number}.zzzzz.example.com" for number in range(1, 13)]
    assert len({node.id for node in nodes}) == 12


def test_each_node_is_the_instance_of_its_launch_index_whatever_the_order_of_the_answer(peer: EC2Peer) -> None:
    nodes = good(made(peer).create_nodes(wishes(peer, 5)))
    index = {each.id: each.launch_index for each in moto().live()}
    assert [index[node.id] for node in nodes] == [0, 1, 2, 3, 4]


def test_a_list_tells_them_apart_before_they_have_tags_of_their_own(peer: EC2Peer) -> None:
    """As the next daemon finds them, where this one was killed right after the request."""
    nodes = good(made(peer).create_nodes(wishes(peer, 15)))
    assert not any("Name" in each.tags or TOKEN_TAG in each.tags for each in moto().live())
    listed = {node.id: node for node in made(peer).list_nodes()}
    assert listed.keys() == {node.id for node in nodes}
    for node in nodes:
        found = listed[node.id]
        assert (found.token, found.name, found.size_tag, found.fqdn) == (node.token, node.name, "small", None)


def test_they_get_names_of_their_own_when_they_are_finished(peer: EC2Peer) -> None:
    driver = made(peer)
    for node, each in zip(good(driver.create_nodes(wishes(peer, 3))), wishes(peer, 3), strict=True):
        driver.finish_node(node, each.record)
        driver.finish_node(node, each.record)
    tags = {each.launch_index: (each.tags["Name"], each.tags[TOKEN_TAG]) for each in moto().live()}
    assert tags == {number - 1: (f"compute{number}.zzzzz.example.com", f"18a3f-{number}") for number in (1, 2, 3)}
    assert {node.fqdn for node in driver.list_nodes()} == {name for name, _ in tags.values()}


@pytest.mark.parametrize("error", ["InvalidInstanceID.NotFound", "RequestLimitExceeded"])
def test_a_name_that_cannot_be_written_yet_is_no_failed_boot(peer: EC2Peer, error: str) -> None:
    driver = made(peer)
    node, _ = good(driver.create_nodes(wishes(peer, 2)))
    peer.refuse = lambda params: ERRORS[error] if params["Action"] == "CreateTags" else None
    driver.finish_node(node, wish(peer, 1).record)
    peer.refuse = lambda _params: None
    listed = {each.id: each for each in driver.list_nodes()}
    assert listed[node.id].fqdn is None  # so it is written once the node is up
    driver.sync_fqdn(node, "compute1.zzzzz.example.com")
    assert {each.id: each.fqdn for each in driver.list_nodes()}[node.id] == "compute1.zzzzz.example.com"


def test_nodes_that_were_made_alone_are_not_tagged_again(peer: EC2Peer) -> None:
    driver = made(peer)
    each = wish(peer, 1)
    node = driver.create_node(each.size, each.record, each.token, each.ping_url)
    driver.finish_node(node, each.record)
    assert actions(peer) == ["RunInstances"]


def test_volumes_carry_what_the_instances_do(peer: EC2Peer) -> None:
    some = [replace(each, size=replace(peer.size, scratch=5000.0)) for each in wishes(peer, 2)]
    good(made(peer, tag_team="blue").create_nodes(some))
    for instance in moto().live():
        (volume,) = instance.volumes
        assert volume.tags == instance.tags
        assert instance.tags["team"] == "blue"
        assert BATCH_TAG in instance.tags


def test_without_a_template_they_read_a_script_for_all_of_them(peer: EC2Peer) -> None:
    good(made(peer).create_nodes(wishes(peer, 3)))
    (text,) = {each.user_data for each in moto().live()}
    assert text.startswith("#!/bin/sh")
    assert "arv-ping-url" in text


def test_more_than_a_hundred_are_several_requests(peer: EC2Peer) -> None:
    nodes = good(made(peer).create_nodes(wishes(peer, MOST + 20)))
    assert len(nodes) == MOST + 20
    assert [int(params["MaxCount"]) for params in peer.seen] == [MOST, 20]
    assert len({params["ClientToken"] for params in peer.seen}) == 2


def test_those_whose_user_data_has_no_room_are_in_the_next_request(peer: EC2Peer, tmp_path: Path) -> None:
    template = tmp_path / "long"
    template.write_text("#!/bin/sh\necho '{ping_url}' '{hostname}'\n#" + 12_000 * "x")
    some = [replace(each, ping_url=Secret(f"https://ping.example.com/{token_hex(40)}")) for each in wishes(peer, 60)]
    nodes = good(made(peer, user_data=str(template)).create_nodes(some))
    assert len(nodes) == 60
    assert len(peer.seen) > 1
    assert max(len(each.user_data) for each in moto().live()) <= EC2Driver.largest_startup


def test_what_watches_for_notices_is_shared_and_watches_for_each_name(peer: EC2Peer, tmp_path: Path) -> None:
    template = tmp_path / "watching"
    template.write_text("#!/bin/sh\n{notice_watch}\n# {hostname} {{notice_watch}}\n")
    driver = made(peer, user_data=str(template))
    good(driver.create_nodes(wishes(peer, 3)))
    assert actions(peer) == ["RunInstances"]
    shared = moto().live()[0].user_data
    moto().clear()
    for number, each in enumerate(wishes(peer, 3)):
        alone = replace(each, token=f"alone-{number}")
        driver.create_nodes([alone])
        (instance,) = moto().live()
        assert own_part(shared, number) == instance.user_data
        moto().clear()


def test_names_without_anything_to_read_share_nothing(peer: EC2Peer) -> None:
    some = [
        NodeWish(
            peer.size,
            replace(peer.record(number), uuid=f"node-{number}", hostname=f"node-{number}"),
            f"t-{number}",
            Secret(""),
        )
        for number in range(3)
    ]
    good(made(peer).create_nodes(some))
    assert {each.user_data for each in moto().live()} == {""}


# ---- one alone, and burst = no ---------------------------------------------------------------------------------------


def requests_without_time(peer: EC2Peer) -> list[dict[str, str]]:
    return [dict(params) for params in peer.seen]


def test_one_alone_is_asked_for_as_without_bursts(peer: EC2Peer) -> None:
    each = wish(peer, 1)
    made(peer).create_nodes([each])
    with_bursts = requests_without_time(peer)
    moto().clear()
    peer.seen.clear()
    peer.layer.forget_tokens()
    made(peer, burst="no").create_node(each.size, each.record, each.token, each.ping_url)
    assert with_bursts == requests_without_time(peer)
    assert not any(BATCH_TAG in str(value) for params in with_bursts for value in params.values())


def test_without_bursts_each_has_a_request_of_its_own(peer: EC2Peer) -> None:
    nodes = good(made(peer, burst="no").create_nodes(wishes(peer, 3)))
    assert actions(peer) == ["RunInstances"] * 3
    assert [params["MaxCount"] for params in peer.seen] == ["1"] * 3
    assert len({node.id for node in nodes}) == 3


SCRIPT, CLOUD_CONFIG = "#!/bin/sh\necho '{ping_url}'\n", "#cloud-config\nhostname: {hostname}\n"


@pytest.mark.parametrize(
    ("burst", "template", "arvados", "most"),
    [
        ("", None, True, 1),  # images expect the bare ping URL
        ("yes", None, True, MOST),
        ("no", None, True, 1),
        ("", SCRIPT, True, MOST),
        ("no", SCRIPT, True, 1),
        ("", CLOUD_CONFIG, True, 1),  # no node could tell its own part
        ("", "#cloud-config\n# {size}\n", True, MOST),
        ("", None, False, MOST),
        ("no", None, False, 1),
    ],
)
def test_when_bursts_are_made(
    peer: EC2Peer, tmp_path: Path, burst: str, template: str | None, arvados: bool, most: int
) -> None:
    path = tmp_path / "template"
    path.write_text(template or "")
    settings = peer.settings(create={"user_data": str(path)} if template else {}, burst=burst)
    if not arvados:
        settings = replace(settings, arvados=replace(settings.arvados, node_records="slurm"))
    assert nodes_at_once(settings) == at_once(settings) == most


def test_bursts_that_no_node_could_read_are_a_mistake_in_the_configuration(peer: EC2Peer, tmp_path: Path) -> None:
    path = tmp_path / "template"
    path.write_text(CLOUD_CONFIG)
    with pytest.raises(ConfigError, match=r"\[Cloud\] burst: yes needs a user_data that begins with #!, or none"):
        made(peer, user_data=str(path))


# ---- little room -----------------------------------------------------------------------------------------------------


def test_where_there_is_room_for_some_the_others_failed_for_want_of_capacity(peer: EC2Peer) -> None:
    peer.account.room = {"m5.large": 4}
    answers = made(peer).create_nodes(wishes(peer, 10))
    assert kinds(answers) == [None] * 4 + [ErrorKind.CAPACITY] * 6
    assert len(moto().live()) == 4
    assert isinstance(answers[9], RemoteFailure)
    assert answers[9].error.text == "the cloud had room for 4 of 10 nodes"


def test_where_there_is_room_for_one_it_is_known(peer: EC2Peer) -> None:
    """libcloud answers with no list then."""
    peer.account.room = {"m5.large": 1}
    assert kinds(made(peer).create_nodes(wishes(peer, 3))) == [None, ErrorKind.CAPACITY, ErrorKind.CAPACITY]


def test_those_that_had_no_room_are_asked_for_by_another_request_later(peer: EC2Peer) -> None:
    peer.account.room = {"m5.large": 4}
    driver = made(peer)
    driver.create_nodes(wishes(peer, 10))
    peer.account.room = {}
    some = [replace(each, token=f"other-{each.token}") for each in wishes(peer, 6, first=5)]
    good(driver.create_nodes(some))
    assert len(moto().live()) == 10
    assert len({params["ClientToken"] for params in peer.seen}) == 2


def test_where_there_is_no_room_nothing_more_is_asked_for(peer: EC2Peer) -> None:
    peer.account.room = {"m5.large": 0}
    assert set(kinds(made(peer).create_nodes(wishes(peer, MOST + 50)))) == {ErrorKind.CAPACITY}
    assert actions(peer) == ["RunInstances"]


@pytest.mark.parametrize("error", ["InstanceLimitExceeded", "UnauthorizedOperation", "RequestLimitExceeded"])
def test_a_refusal_is_that_of_each(peer: EC2Peer, error: str) -> None:
    peer.fail(Verb.CREATE, error)
    answers = made(peer).create_nodes(wishes(peer, 3))
    assert len({id(each) for each in answers}) == 1
    assert len(moto().live()) == 0
    good(made(peer).create_nodes(wishes(peer, 3)))  # answered for certain: another request, whatever is in it
    assert len(moto().live()) == 3


@pytest.mark.parametrize(
    ("limit", "count", "waits"),
    [(None, 3, [1.0, 1.0, 1.0]), (None, 1, [None]), (0.0, 3, [None, None, None])],
    ids=["together", "one alone waits as ever", "without a limit each waits as ever"],
)
def test_those_of_a_throttled_request_come_back_as_soon_as_another_may_go(
    peer: EC2Peer, limit: float | None, count: int, waits: list[float | None]
) -> None:
    """EC2 sends no Retry-After: each would double its wait, up to minutes."""
    driver = made(peer)
    driver._limiter = Limiter.of(limit, EC2Driver.allowances)
    peer.fail(Verb.CREATE, "RequestLimitExceeded")
    answers = driver.create_nodes(wishes(peer, count))
    assert [each.error.retry_after for each in answers if isinstance(each, RemoteFailure)] == waits


# ---- answers that are lost -------------------------------------------------------------------------------------------


def lost(peer: EC2Peer, driver: EC2Driver, some: Sequence[NodeWish]) -> None:
    """The request has worked, and its answer is lost."""
    peer.lose_answer(Verb.CREATE)
    assert set(kinds(driver.create_nodes(some))) == {ErrorKind.TRANSIENT}
    peer.wait_until_it_worked()


def test_a_lost_answer_makes_none_twice(peer: EC2Peer) -> None:
    driver = made(peer)
    lost(peer, made_impatient(peer), wishes(peer, 6))
    assert len(moto().live()) == 6
    nodes = good(driver.create_nodes(wishes(peer, 6)))
    assert len(moto().live()) == 6
    assert {node.id for node in nodes} == {each.id for each in moto().live()}


def test_those_that_ask_again_alone_or_with_others_get_what_was_made_for_them(peer: EC2Peer) -> None:
    lost(peer, made_impatient(peer), wishes(peer, 4))
    driver = made(peer)
    mixed = [wish(peer, 3), wish(peer, 8), wish(peer, 9)]
    index = {each.id: each.launch_index for each in moto().live()}
    third, *_ = good(driver.create_nodes(mixed))
    assert index[third.id] == 2
    assert len(moto().live()) == 6
    first = wish(peer, 1)
    node = driver.create_node(first.size, first.record, first.token, first.ping_url)
    assert index[node.id] == 0
    assert len(moto().live()) == 6


def test_one_that_was_asked_for_alone_is_asked_for_alone_again(peer: EC2Peer) -> None:
    lost(peer, made_impatient(peer), [wish(peer, 1)])
    nodes = good(made(peer).create_nodes(wishes(peer, 3)))
    assert len(moto().live()) == 3
    assert len({node.id for node in nodes}) == 3


def test_a_throttled_repetition_leaves_the_first_request_open(peer: EC2Peer) -> None:
    lost(peer, made_impatient(peer), wishes(peer, 3))
    driver = made(peer)
    peer.fail(Verb.CREATE, "RequestLimitExceeded")
    assert set(kinds(driver.create_nodes(wishes(peer, 3)))) == {ErrorKind.THROTTLED}
    good(driver.create_nodes([wish(peer, 2), wish(peer, 7)]))
    assert len(moto().live()) == 4


def test_a_request_that_never_arrived_is_sent_again_as_it_was(peer: EC2Peer) -> None:
    peer.fail(Verb.CREATE, "Unavailable")
    driver = made(peer)
    assert set(kinds(driver.create_nodes(wishes(peer, 3)))) == {ErrorKind.TRANSIENT}
    good(driver.create_nodes(wishes(peer, 2, first=2)))
    (request,) = peer.seen  # the first never came to the layer
    assert request["MaxCount"] == "3"
    good(driver.create_nodes([wish(peer, 1)]))
    assert len(moto().live()) == 3


def test_nodes_that_were_made_are_found_by_one_listing(peer: EC2Peer) -> None:
    driver = made(peer)
    lost(peer, made_impatient(peer), wishes(peer, 5))
    peer.seen.clear()
    found = driver.find_nodes([replace(each, ping_url=Secret("")) for each in wishes(peer, 6)])
    running, ended = peer.seen  # the second for those that ended as they were launched
    assert {running["Action"], ended["Action"]} == {"DescribeInstances"}
    assert "terminated" in ended.values()
    assert [each.token if isinstance(each, CloudNode) else None for each in found[:5]] == [
        f"18a3f-{number}" for number in range(1, 6)
    ]


def test_after_a_restart_it_is_too_early_to_say_that_there_is_none(
    peer: EC2Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """EC2's lists lag behind, and nobody can send the request of an earlier run again."""
    driver, each = made(peer), wish(peer, 1)
    with pytest.raises(RemoteFailure) as caught:
        driver.find_node(each.size, each.record, each.token)
    assert caught.value.error.kind is ErrorKind.TRANSIENT
    assert 0 < (caught.value.error.retry_after or 0) <= ec2_batching.SETTLES
    monkeypatch.setattr(ec2_batching, "SETTLES", 0.0)
    assert driver.find_node(each.size, each.record, each.token) is None


def test_an_instance_beyond_the_list_is_nobodys(peer: EC2Peer, caplog: pytest.LogCaptureFixture) -> None:
    """It has neither a token nor a name of ours: it goes by its id, as any that never pairs."""
    driver = made(peer)
    some = wishes(peer, 2)
    send = driver._driver.create_node
    driver._driver.create_node = lambda **arguments: send(**{**arguments, "ex_mincount": "4", "ex_maxcount": "4"})
    good(driver.create_nodes(some))
    assert "for which no node is wanted" in caplog.text
    listed = sorted(driver.list_nodes(), key=lambda node: node.token or "~")
    assert [node.token for node in listed] == ["18a3f-1", "18a3f-2", None, None]
    assert all(node.name == node.id for node in listed[2:])


def test_a_terminated_one_of_them_is_no_node(peer: EC2Peer) -> None:
    lost(peer, made_impatient(peer), wishes(peer, 3))
    (second,) = [each.id for each in moto().live() if each.launch_index == 1]
    moto().terminate(second)
    assert kinds(made(peer).create_nodes(wishes(peer, 3))) == [None, ErrorKind.CAPACITY, None]


def test_no_ping_secret_of_any_is_shown(peer: EC2Peer) -> None:
    text = peer.ping_url(2).reveal()
    peer.refuse = lambda params: Ec2Error("InvalidParameterValue", f"{text} {params.get('UserData')}")
    (first, *_) = made(peer).create_nodes(wishes(peer, 3))
    assert isinstance(first, RemoteFailure)
    assert PING_SECRET not in first.error.text
    assert "***" in first.error.text


def made_impatient(peer: EC2Peer) -> EC2Driver:
    driver = peer.driver(burst="yes", timeout=0.5)
    assert isinstance(driver, EC2Driver)
    return driver


# ---- the list in tags ------------------------------------------------------------------------------------------------


def members(count: int, name: Callable[[int], str] = "compute{}.zyxwv.example.com".format) -> list[Member]:
    return [Member(f"19a3f2b-{7 * number}", name(number)) for number in range(count)]


@pytest.mark.parametrize("count", [1, 2, 3, 50, 100])
@pytest.mark.parametrize("name", ["compute{}.zyxwv.example.com", "node-{}", "{}", "a.{}.example.com"])
def test_each_index_has_its_member(count: int, name: str) -> None:
    listed = members(count, name.format)
    tags = list_tags(listed)
    assert [member_of(tags, index) for index in range(count)] == listed
    assert member_of(tags, count) is None
    assert max(map(len, tags.values())) <= 256


@pytest.mark.parametrize("index", [None, -1, "0", 2.0])
def test_what_is_no_index_has_none(index: object) -> None:
    assert member_of(list_tags(members(3)), index) is None


def test_a_list_of_which_a_part_is_gone_names_no_other(peer: EC2Peer) -> None:
    listed = members(60)
    tags = list_tags(listed)
    second = sorted(int(name.rpartition("_")[2]) for name in tags if name != BATCH_TAG)[1]
    del tags[f"{BATCH_TAG}_{second}"]
    found = [member_of(tags, index) for index in range(60)]
    assert found[:second] == listed[:second]
    assert found[second] is None
    assert all(each in (None, listed[index]) for index, each in enumerate(found))


@pytest.mark.parametrize(
    "tags", [{}, {BATCH_TAG: "x"}, {BATCH_TAG: "stem=a tail=b"}, {BATCH_TAG: "stem= tail=", f"{BATCH_TAG}_x": "a=b"}]
)
def test_tags_that_are_no_list(tags: dict[str, str]) -> None:
    assert member_of(tags, 0) is None


def test_only_as_many_as_have_room_in_the_tags() -> None:
    listed = members(100, lambda number: f"{number:0100d}.{number}.example.com")
    assert 1 < room_in_tags(listed, 10) < 100
    assert room_in_tags(members(100), 10) == 100
