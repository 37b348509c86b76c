"""What is asked of clouds, Arvados and this machine, each with the trouble made there: moto's EC2, the sandbox's site,
files of a temporary directory."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest
from cloud_peer import Verb
from peer_ec2 import EC2Peer
from peer_sandbox import SandboxPeer

from arvnodeman.config import Settings, load
from arvnodeman.doctor.base import CannotTell, NotHere
from arvnodeman.doctor.catalogue import CHECKS, find
from arvnodeman.doctor.examined import Examined, examine
from arvnodeman.doctor.facts import DaemonFacts
from arvnodeman.doctor.unit import SERVICE
from arvnodeman.examination import machine
from arvnodeman.examination.asking import SiteAsker, slurm_of
from arvnodeman.examination.hourly import HourlyExamination
from arvnodeman.fleet.values.leading import LeaderBackend
from arvnodeman.fleet.values.model import SizeSection
from arvnodeman.history.file import HistoryFile
from arvnodeman.history.schema import FILE_NAME
from arvnodeman.manage.server import ManagementServer, bind
from arvnodeman.sandbox.routes import SiteApplication
from arvnodeman.slurm.keeping import NamesInSlurm
from arvnodeman.slurm.show import ShownNode
from arvnodeman.supervision import proven
from arvnodeman.supervision.vitals import Vitals

UNIT = Path(__file__).resolve().parents[3] / "doc/ops" / SERVICE
TOKEN = "sandbox-admin-token"


@pytest.fixture
def ec2(tmp_path: Path) -> Iterator[EC2Peer]:
    with EC2Peer(tmp_path) as peer:
        yield peer


@pytest.fixture
def site(tmp_path: Path) -> Iterator[SandboxPeer]:
    with SandboxPeer(tmp_path) as peer:
        yield peer


def examined(settings: Settings, *checks: str, now: Callable[[], float] = time.time) -> Examined:
    facts = SiteAsker(settings, slurm_of(settings), now).facts()
    return examine([find(check) for check in checks], facts)


def told(settings: Settings, *checks: str, now: Callable[[], float] = time.time) -> list[str]:
    """What these checks find; all of them could be made."""
    found = examined(settings, *checks, now=now)
    assert found.untold == {}
    assert found.checks == len(checks)
    return [each.text for each in found.found]


# ---- EC2, by moto ----------------------------------------------------------------------------------------------------

CLOUD = ("cloud-refuses", "cloud-options", "clock-of-cloud")


def of_ec2(
    peer: EC2Peer,
    *types: str,
    credentials: Mapping[str, str] = MappingProxyType({}),
    create: Mapping[str, str] = MappingProxyType({}),
) -> Settings:
    settings = peer.settings(credentials=credentials, create=create)
    return replace(settings, sizes=tuple(SizeSection(each, 2, each, price=0.1) for each in types or ("m5.large",)))


def test_a_cloud_that_is_well(ec2: EC2Peer) -> None:
    assert told(of_ec2(ec2), *CLOUD, "types-not-offered") == []


@pytest.mark.parametrize("wrong", [{"key": "AKIAWRONGWRONGWRONG0"}, {"secret": "wrong" * 8}])
def test_credentials_that_ec2_refuses(ec2: EC2Peer, wrong: dict[str, str]) -> None:
    found = examined(of_ec2(ec2, credentials=wrong), "cloud-refuses", "clock-of-cloud")
    (refused,) = found.found
    assert refused.text.endswith("(look at [Cloud Credentials] key)")
    assert list(found.untold) == ["clock-of-cloud"]


def test_a_cloud_that_does_not_answer_is_no_finding(ec2: EC2Peer) -> None:
    ec2.fail(Verb.LIST, "Unavailable", 9)
    found = examined(of_ec2(ec2), "cloud-refuses")
    assert (found.found, list(found.untold)) == ((), ["cloud-refuses"])


def test_an_image_and_a_subnet_that_ec2_does_not_have(ec2: EC2Peer) -> None:
    create = {"image_id": "ami-0123456789abcdef0", "subnet_id": "subnet-0123456789abcdef0"}
    image, subnet = told(of_ec2(ec2, create=create), "cloud-options")
    assert image.startswith("[Cloud Create] image_id: ")
    assert subnet.startswith("[Cloud Create] subnet_id: ")


def test_a_type_that_ec2_does_not_offer(ec2: EC2Peer) -> None:
    (line,) = told(of_ec2(ec2, "m5.lrage", "m5.large"), "types-not-offered")
    assert line.startswith("[Size m5.lrage] instance_type m5.lrage: ")
    assert "m5.large" in line.partition("nearest are ")[2]


def test_a_type_that_the_table_lacks_is_known_without_a_request(ec2: EC2Peer) -> None:
    settings, before = of_ec2(ec2, "m5.lrage", "m99.large"), ec2.requests()
    (slip,) = told(settings, "no-such-type")
    assert "[Size m5.lrage] instance_type: 'm5.lrage' is not an EC2 instance type; the nearest are m5.large" in slip
    (newer,) = told(settings, "doubtful-types")
    assert "[Size m99.large] instance_type: 'm99.large' is not in libcloud's table" in newer
    assert ec2.requests() == before


# ---- the sandbox's site: cloud and API server ------------------------------------------------------------------------


def of_site(peer: SandboxPeer, folder: Path, token: str = TOKEN) -> Settings:
    path = folder / "arvados.cfg"
    path.write_text(
        f"[Daemon]\nstate_dir = {folder}\nboot_fail_after = 1\n[Arvados]\nhost = http://127.0.0.1:{peer.port}\n"
        f"token = {token}\nslurm_queue = no\n"
        f"[Cloud]\nprovider = sandbox\nshutdown_windows = 0, 1\n[Cloud Credentials]\nurl = http://127.0.0.1:{peer.port}"
        "\nkey = sesame-open-sesame\n[Cloud Create]\nping_host = ping.example.com\n[Size small]\ncores = 2\n"
    )
    path.chmod(0o640)
    return load(str(path))


def test_a_site_that_is_well(site: SandboxPeer, tmp_path: Path) -> None:
    checks = (
        "cloud-refuses",
        "types-not-offered",
        "orphans",
        "clock-of-cloud",
        "clock-of-arvados",
        "rights-in-arvados",
    )
    assert told(of_site(site, tmp_path), *checks) == []


@pytest.mark.parametrize("whose", ["cloud", "arvados"])
def test_a_clock_that_is_off(site: SandboxPeer, tmp_path: Path, whose: str) -> None:
    server = ManagementServer(SiteApplication(site._cloud, lambda: None), bind("127.0.0.1", 0))
    server.start()  # werkzeug's own sends a Date of its own, too
    site.port = server.port
    site._cloud.site_faults.clocks[whose].offset = 300.0
    try:
        lines = told(of_site(site, tmp_path), "clock-of-cloud", "clock-of-arvados")
    finally:
        server.stop()
    named = {"cloud": "the cloud", "arvados": "the API server"}[whose]
    assert [line.partition(" is ")[0] for line in lines] == [f"the clock of {named}"]


def test_a_token_that_arvados_refuses_and_one_of_a_plain_user(site: SandboxPeer, tmp_path: Path) -> None:
    (refused,) = told(of_site(site, tmp_path, "nobodys-token"), "rights-in-arvados")
    assert refused.endswith("(look at [Arvados] token)")
    assert "nobodys-token" not in refused
    site._cloud.store.add_token("a-users-token", admin=False)
    (plain,) = told(of_site(site, tmp_path, "a-users-token"), "rights-in-arvados")
    assert plain.startswith("[Arvados] token: it belongs to user@example.com, who is not an administrator")


def test_orphans_at_the_cloud_of_a_site_with_arvados(site: SandboxPeer, tmp_path: Path) -> None:
    (stray,) = site.add()
    settings = of_site(site, tmp_path)
    (line,) = told(settings, "orphans", now=lambda: time.time() + 7200)
    assert line.startswith(f"{stray} (compute-behind-the-back) has our tags, but no node record knows it; it is 2.")
    assert told(settings, "orphans", now=lambda: time.time() - 60) == []


def test_without_slurm_nothing_of_slurm_is_judged_and_nothing_is_asked(
    site: SandboxPeer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    slurms = ("no-names-shown", "stuck-drains", "rights-in-slurm", "slurm-not-tried", "jobs-held-by-licences")
    settings = of_site(site, tmp_path)
    found = examined(settings, *slurms)
    assert (found.checks, found.untold) == (0, {})


class ToldSlurm(NamesInSlurm):
    """Shows these nodes, and stops those of one partition by itself."""

    def shown(self) -> dict[str, ShownNode]:
        return {name: ShownNode(name, "IDLE", partitions=("main",)) for name in ("compute1", "login")}

    def configuration(self) -> Mapping[str, str]:
        return {"SuspendProgram": "/bin/stop", "SuspendTime": "INFINITE"}

    def partitions(self) -> Mapping[str, Mapping[str, str]]:
        return {"main": {"PartitionName": "main", "SuspendTime": "300"}}


def test_power_saving_over_the_names_that_arvados_has_given(site: SandboxPeer, tmp_path: Path) -> None:
    """The start does not refuse it there."""
    settings = of_site(site, tmp_path)
    path = Path(settings.path)
    path.write_text(path.read_text().replace("[Daemon]", "[Daemon]\ndispatcher = slurm"))
    asker, check = SiteAsker(load(str(path)), ToldSlurm()), find("two-masters")
    assert examine([check], asker.facts()).checks == 0  # Arvados has given none yet
    with site._clock.lock:
        site._cloud.store.create_node({"hostname": "compute1"}, assign_slot=True)
    (found,) = examine([check], asker.facts()).found
    assert "SuspendTime=300 for the partition main" in found.text
    assert " stops compute1, which are also ours" in found.text


# ---- this machine ----------------------------------------------------------------------------------------------------


def test_a_history_that_is_well_broken_or_set_aside(site: SandboxPeer, tmp_path: Path) -> None:
    settings = of_site(site, tmp_path)
    assert examined(settings, "history-unreadable").checks == 0  # none has begun
    history = HistoryFile(tmp_path / FILE_NAME)
    history.open()
    history.close()
    assert told(settings, "history-unreadable") == []
    (tmp_path / FILE_NAME).write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    (line,) = told(settings, "history-unreadable")
    assert line.startswith(f"history: {tmp_path}/{FILE_NAME} ")
    broken = HistoryFile(tmp_path / FILE_NAME)
    broken.open()  # the daemon sets it aside, and begins a new one
    broken.close()
    (aside,) = told(settings, "history-unreadable")
    assert f"set aside as {tmp_path}/{FILE_NAME}.set-aside" in aside


def test_a_history_of_another_program(site: SandboxPeer, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / FILE_NAME) as other:
        other.execute("CREATE TABLE x (y)")
    other.close()
    assert len(told(of_site(site, tmp_path), "history-unreadable")) == 1


def test_sizes_that_have_come_up_are_known_from_the_file_of_the_daemon(site: SandboxPeer, tmp_path: Path) -> None:
    settings = of_site(site, tmp_path)
    assert len(told(settings, "sizes-never-tried")) == 1
    made_of = proven.ProvenSizes(tmp_path, settings, None)._made_of(settings.sizes)  # type: ignore[arg-type]
    (tmp_path / proven.FILE_NAME).write_text(json.dumps({"format": proven.FORMAT, "sizes": made_of}))
    assert told(settings, "sizes-never-tried") == []


def test_a_disk_is_asked_for_what_is_free(site: SandboxPeer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = of_site(site, tmp_path)
    assert list(machine.disks(settings, str(tmp_path))) == [str(tmp_path)]
    assert told(settings, "disk-full") == []
    monkeypatch.setattr("arvnodeman.doctor.checks.disk_full.LEAST", 1 << 60)
    assert len(told(settings, "disk-full")) == 1


MOUNTS = """\
20 1 8:1 / / rw - ext4 /dev/sda1 rw
30 20 0:40 / {folder} rw,relatime shared:1 - nfs4 filer:/state rw
31 30 8:2 / {folder}/own\\040disk rw - xfs /dev/sdb1 rw
32 20 0:41 / {folder}x rw - cifs //filer/x rw
"""


@pytest.mark.parametrize(
    ("place", "kind"), [(".", "nfs4"), ("deep/er", "nfs4"), ("own disk/a", "xfs"), ("../elsewhere", "ext4")]
)
def test_the_kind_of_a_filesystem_is_that_of_the_nearest_mount(tmp_path: Path, place: str, kind: str) -> None:
    (folder := tmp_path / "state").mkdir()
    (there := folder / place).mkdir(parents=True, exist_ok=True)
    (mounts := tmp_path / "mountinfo").write_text(MOUNTS.format(folder=folder.resolve()))
    assert machine.filesystem(str(there), str(mounts)) == kind


@pytest.mark.parametrize(
    ("kind", "elects", "says"),
    [
        ("ext4", True, None),
        ("fuse.portal", True, None),
        ("nfs4", True, "is on nfs4, a filesystem that other hosts share: another manager"),
        ("fuse.sshfs", False, "is on fuse.sshfs, a filesystem that other hosts share: the daemon waits"),
    ],
)
def test_a_state_directory_that_other_hosts_may_have_is_told(
    site: SandboxPeer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, elects: bool, says: str | None
) -> None:
    settings = of_site(site, tmp_path)
    if elects:
        settings = replace(settings, leader=replace(settings.leader, backend=LeaderBackend.SLURM))
    monkeypatch.setattr(machine, "filesystem", lambda _folder: kind)
    found = told(settings, "shared-state-dir")
    assert [text for text in found if says is None or says not in text] == []
    assert len(found) == (says is not None)


def test_the_unit_is_read_with_its_drop_ins(tmp_path: Path) -> None:
    etc, lib = tmp_path / "etc", tmp_path / "lib"
    with pytest.raises(NotHere):
        machine.unit([str(etc), str(lib)])
    for folder in (etc, lib):
        (folder / f"{SERVICE}.d").mkdir(parents=True)
    (lib / SERVICE).write_text(UNIT.read_text())
    (lib / f"{SERVICE}.d" / "a.conf").write_text("[Service]\nWatchdogSec=1\n")
    (etc / f"{SERVICE}.d" / "a.conf").write_text("[Service]\nWatchdogSec=2\n")
    text = machine.unit([str(etc), str(lib)])
    assert text.startswith(UNIT.read_text())
    assert "WatchdogSec=2" in text
    assert "WatchdogSec=1\n" not in text


def test_what_another_account_may_not_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(CannotTell, match="cannot be read by this account"):
        machine.history(str(tmp_path))


# ---- hourly ----------------------------------------------------------------------------------------------------------


def _ill() -> DaemonFacts:
    return DaemonFacts(max_nodes=9, quota=4, slots=9)


def test_the_daemon_makes_the_cheap_checks_and_says_what_is_new_once(
    site: SandboxPeer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "arvnodeman.doctor")
    settings = of_site(site, tmp_path)
    Path(settings.path).chmod(0o644)
    hourly = HourlyExamination(lambda: settings, _ill, Vitals().clock.now)
    for _ in range(2):
        found = hourly.examine()
    assert hourly.newest is found
    assert {"quota-below-max", "open-secrets"} <= {each.check for each in found.found}
    dear = {check.name for check in CHECKS if not check.cheap}
    assert dear
    assert not dear & {*found.untold, *(each.check for each in found.found)}
    assert len({record.getMessage() for record in caplog.records}) == len(caplog.records) == len(found.found)


def test_its_thread_examines_ends_and_outlives_an_error(
    site: SandboxPeer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = of_site(site, tmp_path)
    hourly = HourlyExamination(lambda: settings, _ill, Vitals().clock.now, first_after=0.0)
    hourly.start()
    end = time.monotonic() + 60
    while hourly.newest is None:
        assert time.monotonic() < end
        time.sleep(0.01)
    hourly.stop(60)
    assert not hourly._thread.is_alive()

    def fails() -> Settings:
        raise RuntimeError("a defect")

    ill = HourlyExamination(fails, _ill, Vitals().clock.now, first_after=0.0)
    ill.start()
    while "The examination of the site failed" not in caplog.text:
        assert time.monotonic() < end
        time.sleep(0.01)
    assert ill._thread.is_alive()
    ill.stop(60)
    assert ill.newest is None
