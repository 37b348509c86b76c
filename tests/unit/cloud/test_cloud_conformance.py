"""What every cloud driver must do, the same tests for each. cloud_peer.py tells how a driver joins."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from brain_at_cloud import brain_at
from cloud_peer import HURRIED, Mistake, Peer, Verb, peer_classes
from world import jobs

from arvnodeman.fleet.values.model import CloudNode, Directive, ErrorKind, OperatorDirective, RemoteError, RemoteFailure
from arvnodeman.fleet.values.rungs import Rung

CLASSES = peer_classes()
OURS = (ErrorKind.SLOTS, ErrorKind.NOT_LEADER, ErrorKind.UNEXPECTED, ErrorKind.UNREADABLE)  # that no cloud says
KINDS = [kind for kind in ErrorKind if kind not in OURS]
MISTAKES = [(provider, name) for provider, peer in CLASSES.items() for name in peer.mistakes]
CLOCKS = 120.0  # seconds by which the clock of a peer may differ from ours


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each test runs for every driver that can show it; conformance.md tells which cannot, and why."""
    name = metafunc.function.__name__.removeprefix("test_")
    if "mistake" in metafunc.fixturenames:
        metafunc.parametrize(("peer", "mistake"), MISTAKES, indirect=["peer"])
    else:
        providers = [provider for provider, made in CLASSES.items() if not made.cannot_show(name)]
        metafunc.parametrize("peer", providers, indirect=True)


@pytest.fixture
def peer(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Peer]:
    """A peer of the driver that the test is run for."""
    with CLASSES[request.param](tmp_path) as peer:
        yield peer


def failure(act: Callable[[], object]) -> RemoteError:
    """The error that it raises: one line."""
    with pytest.raises(RemoteFailure) as caught:
        act()
    assert "\n" not in caught.value.error.text
    return caught.value.error


def create(peer: Peer, number: int = 1, token: str = "token-1", timeout: float | None = None) -> CloudNode:
    """A node of the small size, by a driver made for it."""
    driver = peer.driver() if timeout is None else peer.driver(timeout=timeout)
    return driver.create_node(peer.size, peer.record(number), token, peer.ping_url(number))


# ---- lists -----------------------------------------------------------------------------------------------------------


def test_making_a_driver_asks_the_cloud_nothing(peer: Peer) -> None:
    """Row A9: a cloud that is away when the daemon starts is a failed poll, not a failed start."""
    peer.driver()
    assert peer.requests() == 0


def test_lists_sizes(peer: Peer) -> None:
    """Row H1: a size is matched by id or by name."""
    sizes = {size.id: size for size in peer.driver().list_sizes()}
    assert peer.size.provider_id in sizes
    assert sizes[peer.size.provider_id].ram > 0
    assert all(size.price is None or size.price > 0 for size in sizes.values())


def test_lists_no_nodes_where_there_are_none(peer: Peer) -> None:
    """Row H10: an empty list is an answer."""
    assert peer.driver().list_nodes() == ()


def test_lists_more_nodes_than_one_page(peer: Peer) -> None:
    """A lost page is money that leaks: its nodes are neither counted nor ever destroyed."""
    added = peer.add(peer.page + 1)
    listed = [node.id for node in peer.driver().list_nodes()]
    assert sorted(listed) == sorted(added)


def test_ignores_nodes_without_our_tags(peer: Peer) -> None:
    """Row I5."""
    peer.add(2, ours=False)
    (ours,) = peer.add(1)
    assert [node.id for node in peer.driver().list_nodes()] == [ours]


def test_survives_nodes_without_any_tag(peer: Peer) -> None:
    """Row I7."""
    peer.add(2, tagged=False)
    (ours,) = peer.add(1)
    assert [node.id for node in peer.driver().list_nodes()] == [ours]


def test_leaves_out_terminated_nodes(peer: Peer) -> None:
    first, second = peer.add(2)
    peer.terminate(first)
    assert [node.id for node in peer.driver().list_nodes()] == [second]


def test_shows_stopped_nodes_as_stopped(peer: Peer) -> None:
    """Their disks are paid for, and they will never work."""
    first, second = peer.add(2)
    peer.stop(first)
    assert {node.id: node.stopped for node in peer.driver().list_nodes()} == {first: True, second: False}


# ---- create ----------------------------------------------------------------------------------------------------------


def test_a_new_node_is_listed_with_its_tags_at_once(peer: Peer) -> None:
    """Row D12: they are in the create request; a node whose tags come later can be orphaned in between."""
    made = create(peer)
    (listed,) = peer.driver().list_nodes()
    assert (listed.id, listed.name) == (made.id, made.name)
    assert listed.size_tag == made.size_tag == peer.size.id
    assert listed.token == made.token == "token-1"
    assert listed.fqdn == peer.record().fqdn


def test_size_and_start_time_come_back(peer: Peer) -> None:
    """Rows D9, H3, H7."""
    create(peer)
    (listed,) = peer.driver().list_nodes()
    assert listed.provider_size in (peer.size.provider_id, peer.size.provider_name)
    assert listed.start_time is not None
    assert abs(listed.start_time - time.time()) < CLOCKS
    assert not listed.preemptible
    assert not listed.stopped


def test_the_ping_url_reaches_the_node(peer: Peer) -> None:
    """Rows H2, I2."""
    create(peer)
    (node,) = peer.nodes()
    assert peer.ping_url().reveal() in node.startup


def test_the_node_reports_an_id_that_we_know(peer: Peer) -> None:
    """Row B4: pairing is by this id."""
    made = create(peer)
    (listed,) = peer.driver().list_nodes()
    assert listed.report_id
    assert listed.report_id == made.report_id


def test_a_preemptible_size_makes_a_preemptible_node(peer: Peer) -> None:
    """Row G5."""
    assert peer.spot is not None
    made = peer.driver().create_node(peer.spot, peer.record(), "token-1", peer.ping_url())
    (listed,) = peer.driver().list_nodes()
    assert made.preemptible
    assert listed.preemptible
    assert [node.preemptible for node in peer.nodes()] == [True]


def test_finds_a_node_after_a_create_that_timed_out(peer: Peer) -> None:
    """Rows D7, D8."""
    peer.add(1)
    peer.lose_answer(Verb.CREATE)
    assert failure(lambda: create(peer, timeout=HURRIED)).kind is ErrorKind.TRANSIENT
    peer.wait_until_it_worked()
    found = peer.driver().find_node(peer.size, peer.record(), "token-1")
    assert found is not None
    assert found.id in {node.id for node in peer.nodes()}
    assert found.size_tag == peer.size.id


def test_finds_nothing_after_a_create_that_failed(peer: Peer) -> None:
    """Row D8: 0 hits are no hit."""
    peer.add(1)
    assert peer.driver().find_node(peer.size, peer.record(), "token-1") is None


def test_makes_one_node_out_of_two_attempts(peer: Peer) -> None:
    """Row D7: a second request for a node that exists answers that node, or is refused in a way that lets us look."""
    peer.lose_answer(Verb.CREATE)
    failure(lambda: create(peer, timeout=HURRIED))
    peer.wait_until_it_worked()
    driver = peer.driver()
    made: CloudNode | None = None
    kind = ErrorKind.TRANSIENT
    try:
        made = driver.create_node(peer.size, peer.record(), "token-1", peer.ping_url())
    except RemoteFailure as refused:
        kind = refused.error.kind
    assert kind is ErrorKind.TRANSIENT
    made = made or driver.find_node(peer.size, peer.record(), "token-1")
    assert made is not None
    assert [node.id for node in peer.nodes()] == [made.id]


def test_makes_two_nodes_for_two_boots(peer: Peer) -> None:
    first, second = create(peer, 1, "token-1"), create(peer, 2, "token-2")
    assert first.id != second.id
    assert {node.token for node in peer.driver().list_nodes()} == {"token-1", "token-2"}


def test_the_step_after_the_create_can_be_repeated(peer: Peer) -> None:
    """Row D10."""
    made = create(peer)
    driver = peer.driver()
    driver.finish_node(made, peer.record())
    driver.finish_node(made, peer.record())
    assert [node.id for node in driver.list_nodes()] == [made.id]


# ---- destroy ---------------------------------------------------------------------------------------------------------


def test_destroys_a_node(peer: Peer) -> None:
    made = create(peer)
    (other,) = peer.add(1)
    driver = peer.driver()
    driver.destroy_node(made)
    assert driver.fetch_node(made) is None
    assert [node.id for node in peer.nodes()] == [other]


def test_destroy_of_a_vanished_node_says_that_it_is_gone(peer: Peer) -> None:
    """A cloud that answers success for it is no worse; the list tells in both cases."""
    (added,) = peer.add(1)
    driver = peer.driver()
    (node,) = driver.list_nodes()
    assert node.id == added
    peer.vanish(added)
    assert failure(lambda: driver.destroy_node(node)).kind is ErrorKind.GONE
    assert driver.fetch_node(node) is None


@pytest.mark.parametrize("page", ["", "<html><head><title>404 Not Found</title></head></html>", "{}", "null", "[]"])
@pytest.mark.parametrize("status", [404, 410])
def test_a_404_of_somebody_else_says_nothing_of_a_node(peer: Peer, status: int, page: str) -> None:
    """A proxy, the identity service, a wrong URL: only the compute service's own code says that a node is gone."""
    made = create(peer)
    peer.answer_with(Verb.DESTROY, status, page)
    assert failure(lambda: peer.driver().destroy_node(made)).kind is not ErrorKind.GONE
    peer.answer_with(Verb.TAG, status, page)
    assert failure(lambda: peer.driver().sync_fqdn(made, "x.example.com")).kind is not ErrorKind.GONE
    assert [node.id for node in peer.driver().list_nodes()] == [made.id]


def test_a_destroy_that_times_out_but_works_is_seen(peer: Peer) -> None:
    """Row E11."""
    made = create(peer)
    peer.lose_answer(Verb.DESTROY)
    assert failure(lambda: peer.driver(timeout=HURRIED).destroy_node(made)).kind is ErrorKind.TRANSIENT
    peer.wait_until_it_worked()
    assert peer.driver().fetch_node(made) is None


def test_a_destroy_that_fails_leaves_the_node_to_be_seen(peer: Peer) -> None:
    """Row E11."""
    made = create(peer)
    peer.fail(Verb.DESTROY, peer.errors[ErrorKind.TRANSIENT][0])
    driver = peer.driver()
    assert failure(lambda: driver.destroy_node(made)).kind is ErrorKind.TRANSIENT
    seen = driver.fetch_node(made)
    assert seen is not None
    assert seen.id == made.id


# ---- what is written to a node ---------------------------------------------------------------------------------------


def test_fqdn_and_our_tags_are_written_and_read_back(peer: Peer) -> None:
    """Rows B5, H9."""
    made = create(peer)
    driver = peer.driver()
    driver.sync_fqdn(made, "compute77.zzzzz.example.com")
    driver.set_directive(made, OperatorDirective(Directive.HOLD, "look at its disk"))
    driver.sync_fqdn(made, "compute78.zzzzz.example.com")
    (seen,) = driver.list_nodes()
    assert seen.fqdn == "compute78.zzzzz.example.com"
    assert seen.directive == OperatorDirective(Directive.HOLD, "look at its disk")
    assert (seen.size_tag, seen.token) == (peer.size.id, "token-1")
    driver.set_directive(seen, None)
    (seen,) = driver.list_nodes()
    assert seen.directive is None
    assert seen.fqdn == "compute78.zzzzz.example.com"


def test_writing_to_a_vanished_node_says_that_it_is_gone(peer: Peer) -> None:
    """Row D11."""
    made = create(peer)
    peer.vanish(made.id)
    assert failure(lambda: peer.driver().sync_fqdn(made, "x.example.com")).kind is ErrorKind.GONE


# ---- trouble ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_recognises_each_class_of_error(peer: Peer, kind: ErrorKind) -> None:
    """Rows A6, A10, C18, N4; the bodies are the cloud's own."""
    made = create(peer) if kind is ErrorKind.GONE else None
    assert peer.errors[kind]
    for name in peer.errors[kind]:
        if made is not None:
            peer.fail(Verb.TAG, name)
            told = failure(lambda: peer.driver().sync_fqdn(made, "x.example.com"))
        else:
            peer.fail(Verb.CREATE, name)
            told = failure(lambda: create(peer))
        assert (name, told.kind) == (name, kind)
    assert len(peer.nodes()) == (1 if made is not None else 0)


@pytest.mark.parametrize("page", ["", "[]", "{}", "<html><body>OK</body></html>", "<a xmlns='b'/>", "7"])
def test_a_yes_to_a_create_that_cannot_be_read_is_told_from_a_no(peer: Peer, page: str) -> None:
    """It may have made a node: what follows must not be a second request."""
    peer.answer_with(Verb.CREATE, 200, page)
    known = failure(lambda: create(peer))
    assert known.kind is ErrorKind.UNREADABLE
    assert "cannot be read" in known.text


def test_an_error_of_a_list_is_no_short_list(peer: Peer) -> None:
    peer.add(1)
    for kind in (ErrorKind.TRANSIENT, ErrorKind.THROTTLED):
        peer.fail(Verb.LIST, peer.errors[kind][0])
        assert failure(peer.driver().list_nodes).kind is kind
    assert len(peer.driver().list_nodes()) == 1


def test_nothing_is_retried(peer: Peer) -> None:
    """Retries are the Fleet's: an operator neither sleeps nor tries again."""
    peer.fail(Verb.CREATE, peer.errors[ErrorKind.TRANSIENT][0])
    failure(lambda: create(peer))
    assert peer.nodes() == []


def test_a_request_that_hangs_ends_by_its_timeout(peer: Peer) -> None:
    peer.hang(Verb.LIST)
    told = failure(peer.driver(timeout=HURRIED).list_nodes)
    assert told.kind is ErrorKind.TRANSIENT


def test_drivers_of_several_threads_do_not_disturb_each_other(peer: Peer) -> None:
    problems: list[Exception] = []

    def boot(number: int) -> None:
        try:
            create(peer, number, f"token-{number}")
        except Exception as error:  # noqa: BLE001 (whatever it is, the test shows it)
            problems.append(error)

    threads = [threading.Thread(target=boot, args=(number,)) for number in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert problems == []
    assert len(peer.driver().list_nodes()) == len(peer.nodes()) == 4


def test_secrets_are_in_no_log_and_no_error(peer: Peer, caplog: pytest.LogCaptureFixture) -> None:
    """Not even at DEBUG, where urllib3 logs each URL."""
    caplog.set_level(logging.DEBUG)
    driver = peer.driver()
    told = [repr(create(peer)), repr(driver.list_nodes()), repr(driver)]
    for kind in (ErrorKind.REFUSED, ErrorKind.TRANSIENT):
        for name in peer.errors[kind]:
            peer.fail(Verb.CREATE, name)
            told.append(repr(failure(lambda: create(peer, 2, "token-2"))))
    everything = "\n".join([caplog.text, *told])
    assert [secret for secret in peer.secrets if secret in everything] == []


def test_names_the_option_that_is_wrong(peer: Peer, mistake: str) -> None:
    """One line, and the option to look at; retrying is known to be useless."""
    wrong: Mistake = peer.mistakes[mistake]
    if wrong.error:
        peer.fail(wrong.verb, wrong.error)
    driver = peer.driver(credentials=wrong.credentials, create=wrong.create)
    if wrong.verb is Verb.LIST:
        told = failure(driver.list_nodes)
    else:
        told = failure(lambda: driver.create_node(peer.size, peer.record(), "token-1", peer.ping_url()))
    assert told.hint == wrong.hint
    assert told.kind is not ErrorKind.THROTTLED


# ---- zones, and nodes that fail --------------------------------------------------------------------------------------


def test_a_node_is_made_in_the_zone_that_is_asked_for(peer: Peer) -> None:
    driver = peer.driver(create={"zones": ", ".join(peer.zones)})
    for number, zone in enumerate(reversed(peer.zones), 1):
        size = peer.size.at(Rung(zone, price=0.5))
        driver.create_node(size, peer.record(number), f"token-{number}", peer.ping_url(number))
    assert [node.zone for node in peer.nodes()] == list(reversed(peer.zones))
    listed = sorted((node.token, node.rung, node.tagged_price) for node in driver.list_nodes())
    assert listed == [(f"token-{n}", f"{zone}/on-demand", 0.5) for n, zone in enumerate(reversed(peer.zones), 1)]


def test_a_full_zone_is_passed_over_for_the_next(peer: Peer) -> None:
    """In the same moment, where the cloud says so in its answer; else when a list says it. Never both at one time."""
    full, other = peer.zones
    peer.fill(full)
    brain = brain_at(peer, *peer.zones)
    brain.begin(*jobs(1))
    brain.obey()
    if peer.listing_tells:
        assert brain.asked_at() == [full]
        for _ in range(3):
            brain.cycle(every=1.0)
            brain.obey()
    assert brain.asked_at() == [full, other]
    assert [node.zone for node in peer.nodes()] == [other]


def test_a_node_that_broke_down_goes_and_its_words_tell_why(peer: Peer) -> None:
    """Within two lists; it is a failed boot of the kind that its words say."""
    brain = brain_at(peer)
    brain.begin(*jobs(1))
    brain.obey()
    (made,) = peer.nodes()
    peer.break_down(made.id)
    for _ in range(2):
        brain.cycle(every=1.0)
        brain.obey()
    assert brain.destroyed() == [made.id]
    assert peer.nodes() == []
    brain.poll_queue()
    assert peer.fault.partition(": ")[2] in brain.reason()
    assert "the cloud has no capacity for it" in brain.reason()
    counters = brain.fleet.view.counters
    assert counters["boot_failures"] == counters["boots_failed_capacity"] == 1
