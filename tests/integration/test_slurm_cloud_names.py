"""Names declared CLOUD as records, on a real Slurm, and what is said of a slurm.conf that would not do."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from slurm_stage import BOUND, need_slurm, slurm_version

from arvnodeman.config import ConfigError, Settings, load
from arvnodeman.doctor.facts import SlurmSetup
from arvnodeman.doctor.setup import remarks
from arvnodeman.fleet.values.model import BootIntent, CloudNode, NodeRecord, RemoteFailure
from arvnodeman.fleet.values.work import Power
from arvnodeman.records.cloud_names import CloudRecords
from arvnodeman.records.keeper import check_keeper
from arvnodeman.records.power_saving import names_of_sizes
from arvnodeman.sandbox.real_slurm import PrivateSlurm
from arvnodeman.sandbox.real_slurm_conf import CloudNames, Shape
from arvnodeman.slurm.keeping import NamesInSlurm

FILE = """\
[Arvados]
node_records = {records}
[Daemon]
dispatcher = slurm
boot_fail_after = 200
[Cloud]
provider = sandbox
shutdown_windows = 0, 1
[Cloud Credentials]
url = http://127.0.0.1:1
[Size small]
cores = 2
[Size big]
cores = 4
"""
NAMES = (CloudNames(names="s-[1-3]", size="small"), CloudNames(names="b-[1-2]", size="big", cores=4, weight=9))


@pytest.fixture(scope="module")
def slurm() -> Iterator[PrivateSlurm]:
    need_slurm()
    if slurm_version() < (24, 11):
        pytest.skip(f"Slurm {slurm_version()} is older than the mode: make proofs ARGS=slurms")
    with PrivateSlurm(Shape(nodes=1, cloud=NAMES, power=(("SuspendTimeout", "5"),), message_timeout=10)) as private:
        yield private


@pytest.fixture(autouse=True)
def _its_commands(slurm: PrivateSlurm, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in slurm.environment().items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def settings(tmp_path: Path) -> Callable[..., Settings]:
    def make(records: str = "slurm-cloud", **replaced: str) -> Settings:
        path = tmp_path / "site.cfg"
        text = FILE.format(records=records)
        for old, new in replaced.items():
            text = text.replace(f"[Size {old}]", f"[Size {old}]\n{new}")
        path.write_text(text)
        return load(str(path))

    return make


def until(true: Callable[[], object], what: str) -> None:
    end = time.monotonic() + BOUND
    while not true():
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.1)


def record(keeper: CloudRecords, name: str) -> NodeRecord:
    return next(each for each in keeper.list_records() if each.uuid == name)


def test_a_name_carries_its_mark_through_all_that_slurm_does(
    slurm: PrivateSlurm, settings: Callable[..., Settings]
) -> None:
    """Power-up, registration, a restart of slurmctld, reconfigure, power-down: the Comment stays."""
    keeper = CloudRecords(settings())
    assert {each.size for each in keeper.list_records() if each.uuid.startswith("b-")} == {"big"}
    assert not any(each.free for each in keeper.list_records())
    job = slurm.say("sbatch", "-p", "cloud", "--wrap", "sleep 600").split()[-1]
    until(lambda: any(each.free for each in keeper.list_records()), "a name to be wanted")
    name = next(each.uuid for each in keeper.list_records() if each.free)
    until(lambda: keeper.list_with_work()[1][name].power is Power.STARTING, "it to be powered up")
    intent = BootIntent("small", 0.05, "1a2b-3", 1_700_000_000.25)
    with pytest.raises(RemoteFailure):
        keeper.prepare(intent, "b-2")  # nobody wants that
    prepared = keeper.prepare(intent, name).record
    assert (prepared.intent, prepared.size) == (intent, "small")
    assert record(keeper, name).intent == intent
    slurm.stop_controller()
    slurm.start_controller()
    slurm.say("scontrol", "reconfigure")
    assert record(keeper, name).intent == intent
    assert keeper.list_with_work()[1][name].power is Power.STARTING
    keeper.describe(name, CloudNode("i-1", name, "i-1", address="127.0.0.1"))
    begin = int(time.time())
    slurm.start_node(name)
    until(lambda: keeper.list_with_work()[1][name].power is Power.ON, "it to register")
    found = record(keeper, name)
    assert (found.instance_id, found.intent, found.free) == ("i-1", None, False)
    assert found.first_ping_at is not None
    assert found.first_ping_at >= begin
    assert found.last_ping_at is not None
    slurm.say("scancel", job)
    slurm.say("scontrol", "update", f"nodename={name}", "state=power_down_force", "reason=a test")
    until(lambda: keeper.list_with_work()[1][name].is_off, "it to go")
    slurm.kill_node(name)
    until(lambda: keeper.list_with_work()[1][name].power is Power.OFF, "it to be off")
    assert record(keeper, name).instance_id == "i-1"
    heard = record(keeper, name).last_ping_at
    assert record(keeper, name).last_ping_at == heard
    keeper.release(name, "Shut down by Node Manager")
    assert record(keeper, name).instance_id is None
    assert record(keeper, name).slot is None


def test_auto_finds_this_slurm(settings: Callable[..., Settings]) -> None:
    assert not settings("auto").places
    assert check_keeper(settings("auto")).places
    assert check_keeper(settings()).places


CHANGES = {
    "SuspendTime=315360000 ": ("SuspendTime=60 ", "slurm.conf has SuspendTime=60 for the partition cloud: "),
    "PartitionName=cloud Nodes=": (
        "PartitionName=cloud Nodes=compute1,",
        "the partition cloud in slurm.conf has names ",
    ),
    "ResumeTimeout=300": ("ResumeTimeout=100", "slurm.conf has ResumeTimeout=100 for the partition cloud: "),
    "ResumeProgram=/bin/true": ("ResumeProgram=/no/such/file", "slurm.conf has ResumeProgram=/no/such/file, which "),
}


@pytest.mark.parametrize(
    "old", [*list(CHANGES)[:1], *(pytest.param(old, marks=pytest.mark.long) for old in list(CHANGES)[1:])]
)
def test_a_reconfigure_under_us_is_refused_until_it_is_mended(
    slurm: PrivateSlurm, settings: Callable[..., Settings], old: str
) -> None:
    new, line = CHANGES[old]
    path = slurm.folder / "slurm.conf"
    before = path.read_text()
    good = CloudRecords(settings())
    assert len(good.list_records()) == 5
    assert old in before
    path.write_text(before.replace(old, new))
    try:
        slurm.say("scontrol", "reconfigure")
        until(lambda: slurm.run("scontrol", "show", "config").returncode == 0, "slurmctld to be back")
        with pytest.raises(ConfigError) as refused:
            check_keeper(settings())
        (problem,) = refused.value.problems
        assert line in problem
        with pytest.raises(RemoteFailure, match=re.escape(line)):
            CloudRecords(settings()).list_records()
    finally:
        path.write_text(before)
        slurm.say("scontrol", "reconfigure")
    until(lambda: slurm.run("scontrol", "show", "config").returncode == 0, "slurmctld to be back")
    until(lambda: check_keeper(settings()).places, "it to be well")


def test_names_that_are_not_right_are_refused(settings: Callable[..., Settings]) -> None:
    wrong = {
        "node_names = s-[1-3],b-1": "[Size small] node_names: s-1 has CPUs=2 RealMemory=4000, b-1 has CPUs=4 ",
        "node_names = compute1": "compute1: not declared State=CLOUD in slurm.conf",
        "node_names = nope-[1-9]": "[Size small] node_names: it shows none of nope-1, ",
    }
    for option, line in wrong.items():
        with pytest.raises(ConfigError) as refused:
            check_keeper(settings(small=option))
        assert any(line in problem for problem in refused.value.problems)


PAGE = (Path(__file__).resolve().parents[2] / "doc" / "slurm-decides.md").read_text(encoding="utf-8")
OF_THE_PAGE = ("Suspend", "Resume", "ReturnToService", "SlurmctldParameters", "SchedulerParameters", "NodeName", "Part")


def test_the_files_of_the_handbook_fit_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's slurm.conf in place of the private one's nodes, on the places of that; its poke is not installed."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
    conf = next(text for kind, text in blocks if not kind and "PartitionName=" in text)
    cfg = tmp_path / "site.cfg"
    cfg.write_text(next(text for kind, text in blocks if kind == "ini"))
    told = re.sub(r"Program=\S+", "Program=/bin/true", conf)
    with PrivateSlurm(Shape(nodes=1, message_timeout=10)) as fresh:
        for name, value in fresh.environment().items():
            monkeypatch.setenv(name, value)
        path = fresh.folder / "slurm.conf"
        kept = [line for line in path.read_text().splitlines() if not line.startswith(OF_THE_PAGE)]
        fresh.stop_controller()
        for state in (fresh.folder / "state").iterdir():
            state.unlink()
        path.write_text("\n".join([*kept, *told.splitlines(), ""]), encoding="ascii")
        fresh.start_controller()
        settings = check_keeper(load(str(cfg)))
        assert settings.places
        keeper = CloudRecords(settings)
        assert {size.id for size in settings.sizes} == {each.size for each in keeper.list_records()}
        slurm = NamesInSlurm()
        names = [each.uuid for each in keeper.list_records()]
        shown = slurm.shown()
        by_size = names_of_sizes(settings.sizes, shown, ())
        setup = SlurmSetup(settings, slurm.configuration(), slurm.partitions(), shown, names, by_size)
        assert list(remarks(setup)) == []
        assert check_keeper(load(_with_auto(cfg))).places


def _with_auto(cfg: Path) -> str:
    cfg.write_text(cfg.read_text().replace("node_records = slurm-cloud", "node_records = auto"))
    return str(cfg)
