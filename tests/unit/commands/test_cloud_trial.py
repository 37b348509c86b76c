"""cloud-test's trial against every driver's peer: each step a line, a clear reason when one fails, always clean."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from cloud_peer import HURRIED, Peer, Verb, peer_classes
from peer_ec2 import EC2Peer, moto
from peer_openstack import OpenStackPeer
from peer_sandbox import SandboxPeer

from arvnodeman.cloud.base import CloudDriver
from arvnodeman.commands import cloud_test
from arvnodeman.commands.cloud_trial import Trial
from arvnodeman.commands.trial_daemon import TRIES, Patience
from arvnodeman.config.settings import KEPT_BY_SLURM_CLOUD
from arvnodeman.doctor.checks.orphans import orphans
from arvnodeman.fleet.messages import RecordPrepared
from arvnodeman.fleet.values.model import (
    BootIntent,
    CloudNode,
    ErrorKind,
    NodeRecord,
    RemoteError,
    RemoteFailure,
    Secret,
)
from arvnodeman.fleet.values.model import SizeSection as Section
from arvnodeman.fleet.values.work import NodeWork
from arvnodeman.sandbox.ec2_layer import Ec2Error
from arvnodeman.slurm.errors import NotPermitted, UnknownNode
from arvnodeman.slurm.keeping import NamesInSlurm
from arvnodeman.slurm.words import node_work

CLASSES = peer_classes()


class Clock:
    """Time passes when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class Keeper:
    """A keeper of records whose one node pings, as `pings` says, when it is asked for the third time."""

    clock_offset: float | None = None

    def __init__(self, pings: Callable[[], str | None]) -> None:
        self.record = NodeRecord("zzzzz-7ekkf-000000000000009", hostname="compute9")
        self.pings = pings
        self.lists = 0
        self.released: list[tuple[str, str]] = []

    def prepare(self, intent: BootIntent, reuse: str | None) -> RecordPrepared:
        self.record = replace(self.record, intent=intent)
        return RecordPrepared(self.record, Secret("secret"))

    def list_records(self) -> tuple[NodeRecord, ...]:
        self.lists += 1
        instance = self.pings() if self.lists >= 3 else None
        return (replace(self.record, instance_id=instance, first_ping_at=1.0 if instance else None),)

    def release(self, uuid: str, action: str) -> None:
        self.released.append((uuid, action))


class JoinedSlurm(NamesInSlurm):
    """Slurm, with so many jobs on its nodes; one that is not there it does not know."""

    def __init__(self, jobs: dict[str, int]) -> None:
        super().__init__()
        self.jobs = jobs
        self.done: list[str] = []
        self.reason = ""  # of its drain

    def _does(self, what: str, hostname: str) -> None:
        if hostname not in self.jobs:
            raise UnknownNode("scontrol", "Invalid node name specified")
        self.done.append(f"{what} {hostname}")

    def drain(self, hostname: str, reason: str) -> None:
        assert reason.startswith("Node Manager ")
        self._does("drain", hostname)
        self.reason = reason

    def node(self, hostname: str) -> NodeWork | None:
        if hostname not in self.jobs:
            return None
        word = "idle" if not self.reason else "drain"
        if self.jobs[hostname]:
            word = "alloc" if not self.reason else "drng"
        return node_work(hostname, word, reason=self.reason)

    def jobs_on(self, hostname: str) -> int:
        self._does("look", hostname)
        return self.jobs[hostname]

    def resume(self, hostname: str) -> None:
        self._does("resume", hostname)
        self.reason = ""

    def set_down(self, hostname: str, reason: str) -> None:
        self._does("down", hostname)


class Played:
    """A trial with its lines, on a clock of its own."""

    def __init__(self, peer: Peer, driver: CloudDriver | None = None, **options: object) -> None:
        self.clock = Clock()
        self.lines: list[str] = []
        driver = driver or peer.driver()
        settings = driver._settings  # type: ignore[attr-defined]  # a LibcloudDriver
        section = Section("small", 2, peer.size.provider_id, price=0.1, scratch=0)
        settings = replace(settings, sizes=options.pop("sizes", (section,)))
        patience = Patience(ping=60.0, sleep=self.clock.sleep, clock=self.clock)
        self.trial = Trial(settings, driver, self.lines.append, patience=patience, **options)  # type: ignore[arg-type]

    def run(self, size: str | None = None) -> bool:
        return self.trial.run(size)

    @property
    def steps(self) -> dict[str, str]:
        """Step -> how it went and what was said."""
        return {line[:16].strip(): f"{line[17:23].strip()} {line[35:]}" for line in self.lines}


@pytest.fixture
def peer(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Peer]:
    with CLASSES[request.param](tmp_path) as peer:
        yield peer


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[SandboxPeer]:
    with SandboxPeer(tmp_path) as peer:
        yield peer


@pytest.fixture
def ec2(tmp_path: Path) -> Iterator[EC2Peer]:
    with EC2Peer(tmp_path) as peer:
        yield peer


@pytest.mark.parametrize("peer", list(CLASSES), indirect=True)
def test_a_good_configuration_passes_and_leaves_nothing(peer: Peer) -> None:
    (other,) = peer.add(1)
    played = Played(peer)
    assert played.run(), played.lines
    names = list(played.steps)
    assert names[0] == "credentials"
    assert names[-7:] == ["sizes", "record", "create", "listed", "tags", "destroy", "nothing left"]
    assert all(" ok " in line and " s  " in line and "\n" not in line for line in played.lines)
    assert [node.id for node in peer.nodes()] == [other]


def test_where_slurm_places_jobs_a_node_is_made_for_no_job(sandbox: SandboxPeer) -> None:
    driver: Any = sandbox.driver()
    arvados = replace(driver._settings.arvados, node_records=KEPT_BY_SLURM_CLOUD)
    driver._settings = replace(driver._settings, arvados=arvados)
    assert driver._settings.places
    played = Played(sandbox, driver)
    assert played.run(), played.lines
    assert "nothing left" in played.steps


def test_where_slurm_places_jobs_no_ping_is_waited_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "site.cfg"
    path.write_text(
        "[Daemon]\ndispatcher = slurm\n[Arvados]\nnode_records = slurm-cloud\n[Cloud]\nprovider = dummy\n"
        "shutdown_windows = 0, 1\n[Size small]\ncores = 1\nprice = 0.1\n"
    )
    assert cloud_test.main(["--config", str(path), "--wait-ping"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("cloud-test: --wait-ping: where Slurm places jobs")


@pytest.fixture
def nova(tmp_path: Path) -> Iterator[OpenStackPeer]:
    with OpenStackPeer(tmp_path) as peer:
        yield peer


class Building(Clock):
    """Time in which a server is built: nova lets nobody write its metadata before that is done."""

    def __init__(self, peer: OpenStackPeer, *, until: float, then: dict[str, object]) -> None:
        super().__init__()
        self.peer, self.until, self.then = peer, until, then

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        for server in self.peer.servers.values():
            server.update(self.then if self.now >= self.until else {})


def built(nova: OpenStackPeer, monkeypatch: pytest.MonkeyPatch, until: float, then: dict[str, object]) -> Played:
    """A trial whose server is in BUILD for so long."""
    inner = nova._boot
    monkeypatch.setattr(nova, "_boot", lambda body: building(inner(body)))
    played = Played(nova)
    played.clock = Building(nova, until=until, then=then)
    played.trial.patience = replace(played.trial.patience, sleep=played.clock.sleep, clock=played.clock, built=600.0)
    return played


def building(server: dict[str, Any]) -> dict[str, Any]:
    server |= {"status": "BUILD", "OS-EXT-STS:vm_state": "building"}
    return server


def test_a_server_is_waited_for_until_it_is_built(nova: OpenStackPeer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Longer than a request that may pass is tried again."""
    played = built(nova, monkeypatch, 90.0, {"status": "ACTIVE", "OS-EXT-STS:vm_state": "active"})
    assert played.run(), played.lines
    assert played.clock.now >= 90
    assert nova.nodes() == []


def test_a_server_that_could_not_be_built_ends_the_trial_in_novas_words(
    nova: OpenStackPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = "No valid host was found. There are not enough hosts available."
    fault = {"code": 500, "message": words, "created": "2026-11-29T12:00:00Z"}
    played = built(nova, monkeypatch, 4.0, {"status": "ERROR", "OS-EXT-STS:vm_state": "error", "fault": fault})
    assert not played.run()
    assert played.steps["listed"] == f"FAILED the cloud calls it failed: {words}"
    assert "tags" not in played.steps
    assert nova.nodes() == []


def test_a_server_that_is_never_built_ends_the_trial_too(nova: OpenStackPeer, monkeypatch: pytest.MonkeyPatch) -> None:
    played = built(nova, monkeypatch, 9e9, {})
    assert not played.run()
    assert played.steps["listed"] == "FAILED the cloud is still making it after 600 s"
    assert nova.nodes() == []


@pytest.mark.parametrize("peer", list(CLASSES), indirect=True)
def test_a_create_that_is_refused_is_told_and_leaves_nothing(peer: Peer) -> None:
    peer.fail(Verb.CREATE, peer.errors[ErrorKind.REFUSED][0])
    played = Played(peer)
    assert not played.run()
    assert "FAILED" in played.lines[-1]
    assert peer.nodes() == []


def test_an_answer_that_is_lost_is_found_and_used(sandbox: SandboxPeer) -> None:
    """Row D7."""
    sandbox.lose_answer(Verb.CREATE)
    played = Played(sandbox, sandbox.driver(timeout=HURRIED))
    assert played.run(), played.lines
    assert sandbox.nodes() == []


def test_a_failed_create_that_made_a_node_after_all_is_cleaned_up(sandbox: SandboxPeer) -> None:
    driver = sandbox.driver()
    made = driver.create_node

    def create(*arguments: object) -> CloudNode:
        made(*arguments)  # type: ignore[arg-type]
        raise RemoteFailure(RemoteError(ErrorKind.UNEXPECTED, "odd"))

    driver.create_node = create  # type: ignore[method-assign,assignment]
    played = Played(sandbox, driver)
    assert not played.run()
    assert "the failed request had made sb-000001" in played.steps["clean-up"]
    assert sandbox.nodes() == []


def test_whatever_happens_the_node_is_destroyed(sandbox: SandboxPeer) -> None:
    """Also when the trial itself is interrupted, or has a fault."""
    driver = sandbox.driver()

    def interrupted(*_arguments: object) -> None:
        raise KeyboardInterrupt

    driver.set_directive = interrupted  # type: ignore[method-assign,assignment]
    with pytest.raises(KeyboardInterrupt):
        Played(sandbox, driver).run()
    assert sandbox.nodes() == []


def test_a_create_that_is_interrupted_is_cleaned_up_by_a_new_brain(sandbox: SandboxPeer) -> None:
    """What the one before had asked for is in the cloud's list."""
    driver = sandbox.driver()
    made = driver.create_node

    def create(*arguments: object) -> CloudNode:
        made(*arguments)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    driver.create_node = create  # type: ignore[method-assign,assignment]
    played = Played(sandbox, driver)
    with pytest.raises(KeyboardInterrupt):
        played.run()
    assert played.steps["clean-up"] == "ok the failed request had made sb-000001"
    assert list(played.steps)[-2:] == ["destroy", "nothing left"]
    assert sandbox.nodes() == []


def test_keep_leaves_it_and_says_so(sandbox: SandboxPeer) -> None:
    played = Played(sandbox, keep=True)
    assert played.run()
    (node,) = sandbox.nodes()
    assert played.lines[-1].startswith(f"kept: {node.id}; ")
    assert node.tags["arvados_node_word"] == "hold: cloud-test"


def test_a_destroy_that_fails_once_is_tried_again(sandbox: SandboxPeer) -> None:
    sandbox.fail(Verb.DESTROY, "Unavailable", 2)
    played = Played(sandbox)
    assert played.run()
    assert sandbox.nodes() == []


def test_a_node_that_cannot_be_destroyed_is_named(sandbox: SandboxPeer) -> None:
    sandbox.fail(Verb.DESTROY, "Unauthorized", 5)
    played = Played(sandbox)
    assert not played.run()
    assert played.lines[-1].startswith("LEFT BEHIND: sb-000001 (compute-")


def test_throttling_is_waited_out(sandbox: SandboxPeer) -> None:
    sandbox.fail(Verb.LIST, "Throttled", 2)
    sandbox.fail(Verb.CREATE, "Throttled", 1)
    played = Played(sandbox)
    assert played.run(), played.lines
    assert played.clock.slept[:2] == [2.0, 2.0]


def test_failures_that_pass_end_it_only_in_a_row(sandbox: SandboxPeer) -> None:
    """However many there are in the half hour that it may wait for a ping."""
    driver = sandbox.driver()
    listed, lists, pings = driver.list_nodes, count(), count()

    def list_nodes() -> tuple[CloudNode, ...]:
        if next(lists) % 2:
            raise RemoteFailure(RemoteError(ErrorKind.TRANSIENT, "away"))
        return listed()

    driver.list_nodes = list_nodes  # type: ignore[method-assign]
    keeper = Keeper(lambda: next((node.id for node in sandbox.nodes() if next(pings) > 3 * TRIES), None))
    played = Played(sandbox, driver, keeper=keeper)
    assert played.run(), played.lines
    assert next(lists) > 3 * TRIES


def test_a_size_that_is_not_offered_names_the_nearest(sandbox: SandboxPeer) -> None:
    played = Played(sandbox, sizes=(Section("mine", 2, "smal", price=1.0),))
    assert not played.run()
    line = "FAILED [Size mine] instance_type smal: the provider does not offer it; the nearest are small"
    assert played.steps["sizes"] == line
    assert sandbox.nodes() == []


def test_a_size_that_is_not_configured(sandbox: SandboxPeer) -> None:
    played = Played(sandbox)
    assert not played.run("large")
    assert played.steps["sizes"] == "FAILED there is no [Size large]; there are: small"


def test_the_size_asked_for_is_taken(sandbox: SandboxPeer) -> None:
    sections = (Section("small", 2, "small", price=0.1), Section("big", 8, "large", price=0.9))
    played = Played(sandbox, sizes=sections, keep=True)
    assert played.run("big")
    assert [node.size for node in sandbox.nodes()] == ["large"]


def test_a_node_that_never_shows_in_the_list(sandbox: SandboxPeer) -> None:
    driver = sandbox.driver()
    driver.list_nodes = lambda: ()  # type: ignore[method-assign]
    played = Played(sandbox, driver)
    assert not played.run()
    assert played.steps["listed"] == "FAILED it is not in the cloud's list after 120 s"
    assert sandbox.nodes() == []


# ---- waiting for the ping --------------------------------------------------------------------------------------------


def test_a_node_that_pings(sandbox: SandboxPeer) -> None:
    keeper = Keeper(lambda: next((node.id for node in sandbox.nodes()), None))
    played = Played(sandbox, keeper=keeper)
    assert played.run(), played.lines
    assert played.steps["ping"] == "ok as sb-000001"
    assert keeper.released == [("zzzzz-7ekkf-000000000000009", "cloud-test")]
    assert sandbox.nodes() == []


def test_a_node_that_pings_as_somebody_else(sandbox: SandboxPeer) -> None:
    """Row B4."""
    played = Played(sandbox, keeper=Keeper(lambda: "i-other"))
    assert not played.run()
    assert played.steps["ping"] == ("FAILED it pings as 'i-other', and the cloud calls it 'sb-000001': no pairing")
    assert sandbox.nodes() == []


def test_a_node_that_never_pings(sandbox: SandboxPeer) -> None:
    keeper = Keeper(lambda: None)
    played = Played(sandbox, keeper=keeper)
    assert not played.run()
    assert played.steps["ping"] == "FAILED it has not pinged after 60 s"
    assert keeper.released
    assert sandbox.nodes() == []


def test_a_node_that_works_is_never_destroyed(sandbox: SandboxPeer) -> None:
    keeper = Keeper(lambda: next((node.id for node in sandbox.nodes()), None))
    slurm = JoinedSlurm({"compute9": 2})
    played = Played(sandbox, keeper=keeper, slurm=slurm)
    assert not played.run()
    assert slurm.done == ["drain compute9", "look compute9", "resume compute9"]
    assert "Slurm runs 2 job(s) on compute9" in played.steps["destroy"]
    assert len(sandbox.nodes()) == 1
    assert keeper.released == []


@pytest.mark.parametrize("known", [True, False])
def test_a_node_that_has_joined_slurm_is_drained_and_set_down(sandbox: SandboxPeer, known: bool) -> None:
    keeper = Keeper(lambda: next((node.id for node in sandbox.nodes()), None))
    slurm = JoinedSlurm({"compute9": 0} if known else {})
    assert Played(sandbox, keeper=keeper, slurm=slurm).run()
    seen = ["drain compute9", "look compute9"]
    assert slurm.done == ([*seen, *seen, "down compute9"] if known else [])
    assert sandbox.nodes() == []


@pytest.mark.parametrize("jobs", [0, 2])
def test_where_it_is_not_ours_to_drain_slurm_is_asked_all_the_same(
    sandbox: SandboxPeer, monkeypatch: pytest.MonkeyPatch, jobs: int
) -> None:
    def refused(hostname: str, reason: str) -> None:
        raise NotPermitted("scontrol", "Access/permission denied")

    slurm = JoinedSlurm({"compute9": jobs})
    monkeypatch.setattr(slurm, "drain", refused)
    keeper = Keeper(lambda: next((node.id for node in sandbox.nodes()), None))
    played = Played(sandbox, keeper=keeper, slurm=slurm)
    assert played.run() is (jobs == 0)
    assert len(sandbox.nodes()) == (1 if jobs else 0)
    assert slurm.done[0] == "look compute9"


# ---- EC2 -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mistake", ["image", "subnet", "security group"])
def test_what_does_not_exist_is_named_before_anything_is_made(ec2: EC2Peer, mistake: str) -> None:
    wrong = ec2.mistakes[mistake]
    played = Played(ec2, ec2.driver(create=wrong.create))
    assert not played.run()
    ((option, value),) = wrong.create.items()
    assert played.lines[-1].endswith(f"there is no {value} in this region and account (look at {wrong.hint})")
    assert list(played.steps)[-1] == option
    assert "RunInstances" not in {params["Action"] for params in ec2.seen}


def test_what_may_not_be_looked_at_is_no_failure(ec2: EC2Peer) -> None:
    """The least policy of doc/clouds/ec2.md has no DescribeImages."""
    refusal = Ec2Error("UnauthorizedOperation", "You are not authorized to perform this operation.", 403)
    ec2.refuse = lambda params: refusal if params["Action"] == "DescribeImages" else None
    played = Played(ec2)
    assert played.run(), played.lines
    assert played.steps["image_id"].startswith("ok not checked, no permission for it (UnauthorizedOperation: ")


@pytest.mark.parametrize("mistake", ["secret", "expired secret"])
def test_wrong_and_expired_credentials(ec2: EC2Peer, mistake: str) -> None:
    wrong = ec2.mistakes[mistake]
    if wrong.error:
        ec2.fail(wrong.verb, wrong.error)
    played = Played(ec2, ec2.driver(credentials=wrong.credentials))
    assert not played.run()
    assert len(played.lines) == 1
    assert played.lines[0].endswith("(look at [Cloud Credentials] key)")


def test_a_quota_of_nothing(ec2: EC2Peer) -> None:
    ec2.account.quota = 0
    played = Played(ec2)
    assert not played.run()
    assert played.steps["create"].startswith("FAILED InstanceLimitExceeded: ")
    assert moto().live() == []


# ---- orphans ---------------------------------------------------------------------------------------------------------


def test_orphans() -> None:
    """A hostname comes again: a record that has another instance does not know a node by it."""
    intent = BootIntent("small", 0.1, "token-5", 0.0)
    records = (
        NodeRecord("r1", hostname="compute1", instance_id="i-1"),
        NodeRecord("r2", hostname="compute2"),
        NodeRecord("r3", hostname="compute3", instance_id="i-new"),
        NodeRecord("r4", node_name="compute-4"),
        NodeRecord("r5", instance_id="i-x", intent=intent),
    )
    domain = "dynamic.compute"
    nodes = (
        CloudNode("i-1", "a", "i-1", fqdn="other.dynamic.compute"),
        CloudNode("i-2", f"compute2.{domain}", "i-2", fqdn=f"compute2.{domain}"),
        CloudNode("i-3", f"compute3.{domain}", "i-3", fqdn=f"compute3.{domain}"),
        CloudNode("i-4", "compute-4", "i-4"),
        CloudNode("i-5", "e", "i-5", token="token-5"),
        CloudNode("i-6", "f", "i-6", token="token-6"),
    )
    assert [node.id for node in orphans(nodes, records)] == ["i-3", "i-6"]
    assert orphans((), records) == []
    assert orphans(nodes[:1], ()) == [nodes[0]]
