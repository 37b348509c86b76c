"""doc/setups.md against a real slurmctld: it takes each slurm.conf as it stands there, and with the ini file beside it
there is nothing to complain of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from slurm_stage import need_slurm

from arvnodeman.config import load
from arvnodeman.config.hostlist import hostlist
from arvnodeman.doctor.facts import SlurmSetup
from arvnodeman.doctor.setup import refusals, remarks
from arvnodeman.records.keeper import check_keeper
from arvnodeman.records.names import names_of
from arvnodeman.sandbox.real_slurm import PrivateSlurm
from arvnodeman.sandbox.real_slurm_conf import Shape
from arvnodeman.slurm.keeping import NamesInSlurm

PAGE = (Path(__file__).resolve().parents[2] / "doc" / "setups.md").read_text(encoding="utf-8")
SETUPS = ("Arvados up to 2.7", "Arvados 3.x", "Slurm alone")
# What names places and accounts of the operator's, and what the private Slurm of a test says in its place.
PLACES = re.compile(
    r"(ClusterName|SlurmctldHost|SlurmUser|SlurmdUser|SlurmctldPort|SlurmdPort|AuthInfo|StateSaveLocation|"
    r"SlurmdSpoolDir|SlurmctldPidFile|SlurmdPidFile|SlurmctldLogFile|SlurmdLogFile|CommunicationParameters|"
    r"MailProg|MessageTimeout|ProctrackType|JobAcctGatherType|MpiDefault)="
)
COMPLAINTS = re.compile(r"error: .*(pars|ignor|obsolete|invalid|unable to resolve|duplicate|unknown|not found)", re.I)


def files(setup: str) -> tuple[str, str]:
    """The slurm.conf and the ini file of a setup."""
    section = next(part for part in re.split(r"^## ", PAGE, flags=re.MULTILINE) if part.startswith(f"{setup}\n"))
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", section, flags=re.MULTILINE | re.DOTALL)
    (conf,) = (text for kind, text in blocks if not kind and "ClusterName=" in text)
    (ini,) = (text for kind, text in blocks if kind == "ini")
    return conf, ini


def adapted(conf: str, private: str) -> str:
    """This slurm.conf at the places of a private Slurm, its nodes at an address of loopback where nobody is."""
    lines = [line for line in private.splitlines() if PLACES.match(line)]
    for line in conf.replace("NodeAddr=192.0.2.1", "NodeAddr=127.0.0.9").splitlines():
        if not PLACES.match(line):
            named = line.startswith("NodeName=") and not line.startswith("NodeName=DEFAULT")
            lines.append(f"{line} NodeAddr=127.0.0.9" if named and "NodeAddr=" not in line else line)
    return "\n".join([*lines, ""])


@pytest.fixture(scope="module")
def slurm() -> Iterator[PrivateSlurm]:
    need_slurm()
    with PrivateSlurm(Shape(nodes=1)) as slurm:
        yield slurm


@pytest.mark.parametrize("setup", SETUPS)
def test_slurmctld_takes_the_slurm_conf_and_the_ini_file_fits_it(
    slurm: PrivateSlurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setup: str
) -> None:
    conf, ini = files(setup)
    path = slurm.folder / "slurm.conf"
    slurm.stop_controller()
    for state in (slurm.folder / "state").iterdir():
        state.unlink()
    (slurm.folder / "log" / "slurmctld.log").unlink()
    path.write_text(adapted(conf, path.read_text()), encoding="ascii")
    slurm.start_controller()
    log = (slurm.folder / "log" / "slurmctld.log").read_text()
    assert not [line for line in log.splitlines() if COMPLAINTS.search(line) and "state" not in line], log

    for name in ("PATH", "SLURM_CONF"):
        monkeypatch.setenv(name, slurm.environment()[name])
    shown = NamesInSlurm().shown()
    declared = [names.split()[0] for names in re.findall(r"^NodeName=(?!DEFAULT)(.*)$", conf, re.MULTILINE)]
    assert set(shown) == {name for names in declared for name in hostlist(names)}
    assert {node.base for node in shown.values()} == {"UNKNOWN"}
    assert all(node.partitions for node in shown.values())

    cfg = tmp_path / "site.cfg"
    cfg.write_text(ini)
    settings = load(str(cfg))
    check_keeper(settings)
    ours = names_of(settings, shown)
    against = SlurmSetup(settings, NamesInSlurm().configuration(), NamesInSlurm().partitions(), shown, ours)
    assert list(refusals(against)) == []
    assert list(remarks(against)) == []
    partitions = set(re.findall(r"^PartitionName=(\S+)", slurm.say("scontrol", "show", "partitions"), re.MULTILINE))
    assert {name for size in settings.sizes for name in size.partitions} <= partitions
