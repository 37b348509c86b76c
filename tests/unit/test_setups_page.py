"""doc/setups.md and doc/slurm-decides.md: their files are complete, and fit each other."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from arvnodeman.cloud.user_data import Template
from arvnodeman.commands.check_config import check_config
from arvnodeman.config import load
from arvnodeman.config.hostlist import hostlist

DOC = Path(__file__).resolve().parents[2] / "doc"
PAGE = (DOC / "setups.md").read_text(encoding="utf-8")
SLURM_DECIDES = (DOC / "slurm-decides.md").read_text(encoding="utf-8")
USER_DATA = DOC.parent / "arvnodeman" / "init"


def blocks(kind: str, page: str = PAGE) -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)
    return [text for each, text in found if each == kind]


def filled_in(text: str) -> str:
    return text.replace("replace-with-", "my-").replace("/etc/arvados-node-manager", str(USER_DATA))


@pytest.mark.parametrize("number", range(3))
def test_every_ini_file_is_one_that_the_program_would_start_with(tmp_path: Path, number: int) -> None:
    files = blocks("ini")
    assert len(files) == 3
    path, said = tmp_path / "site.cfg", io.StringIO()
    path.write_text(filled_in(files[number]))
    assert check_config(str(path), said) == 0, said.getvalue()
    assert said.getvalue().startswith(f"{path}: ok, ")


def test_the_files_of_slurm_alone_fit_each_other(tmp_path: Path) -> None:
    path = tmp_path / "site.cfg"
    path.write_text(next(text for text in blocks("ini") if "[Arvados]" not in text))
    settings = load(str(path))
    assert settings.warnings == ()
    assert (settings.arvados.host, settings.daemon.job_name_pattern) == ("", "")
    assert not settings.arvados.jobs_queue
    assert not settings.daemon.cancel_unsatisfiable
    names = settings.daemon.node_names
    assert len(list(hostlist(names))) >= settings.daemon.max_nodes
    conf = next(text for text in blocks("") if "NodeName=" in text and names in text)
    assert f"NodeName={names}" in conf
    assert "State=UNKNOWN" in conf
    assert "SuspendProgram" not in conf


def test_the_files_of_slurm_decides_fit_each_other(tmp_path: Path) -> None:
    path, said = tmp_path / "site.cfg", io.StringIO()
    (text,), (conf,) = blocks("ini", SLURM_DECIDES), blocks("", SLURM_DECIDES)
    path.write_text(filled_in(text))
    assert check_config(str(path), said) == 0, said.getvalue()
    settings = load(str(path))
    assert settings.warnings == ()
    declared = re.findall(r"^NodeName=(\S+) +CPUs=(\d+) .*Feature=instancetype=(\S+) +State=CLOUD$", conf, re.MULTILINE)
    assert declared == [(size.node_names, str(size.cores), size.id) for size in settings.sizes]
    assert sum(len(list(hostlist(names))) for names, _, _ in declared) >= settings.daemon.max_nodes
    resume_timeout = re.search(r"^ResumeTimeout=(\d+)", conf, re.MULTILINE)
    assert resume_timeout is not None
    assert int(resume_timeout[1]) > settings.daemon.boot_fail_after
    nodes = ",".join(names for names, _, _ in declared)
    assert f"PartitionName={settings.daemon.partitions[0]} Nodes={nodes} SuspendTime=315360000" in conf


@pytest.mark.parametrize(
    ("names", "jobs_queue", "ping_host", "addressed"),
    [
        pytest.param("compute[0-64]", False, "zyxwv.example.com", False, id="Arvados up to 2.7"),
        pytest.param("compute[1-50],gpu[1-10]", True, "", True, id="Arvados 3.x"),
    ],
)
def test_the_files_of_the_setups_with_arvados_fit_each_other(
    tmp_path: Path, names: str, jobs_queue: bool, ping_host: str, addressed: bool
) -> None:
    path = tmp_path / "site.cfg"
    newer = addressed
    text = next(each for each in blocks("ini") if "[Arvados]" in each and ("node_names" in each) is newer)
    path.write_text(filled_in(text))
    said = io.StringIO()
    assert check_config(str(path), said) == 0, said.getvalue()
    settings = load(str(path))
    assert (settings.arvados.host, settings.arvados.jobs_queue) == ("zyxwv.example.com", jobs_queue)
    assert settings.daemon.job_name_pattern == "-dz642-"
    assert settings.daemon.cancel_unsatisfiable
    assert settings.cloud.create.get("ping_host", "") == ping_host
    assert settings.daemon.node_names == (names if newer else "")
    conf = next(each for each in blocks("") if ("SlurmctldParameters" in each) is newer and "ClusterName=zyxwv" in each)
    declared: dict[str, str] = {}
    for line in re.findall(r"^NodeName=(?!DEFAULT)(.*)$", conf, re.MULTILINE):
        hosts, _, more = line.partition(" ")
        assert ("NodeAddr=192.0.2.1" in more) is addressed
        declared |= dict.fromkeys(hostlist(hosts), more)
    ours = set(hostlist(names)) - {"compute0"}
    assert ours < set(declared)
    assert "compute0" in declared
    assert len(ours) >= settings.daemon.max_nodes
    partitions = set(re.findall(r"^PartitionName=(\S+)", conf, re.MULTILINE))
    for size in settings.sizes:
        assert set(size.partitions) <= partitions
        assert not size.gres or any("Gres=gpu:1" in more for more in declared.values())


def test_the_user_data_of_the_pages_files_are_examples() -> None:
    for name in re.findall(r"^user_data = /etc/arvados-node-manager/(\S+)$", PAGE, re.MULTILINE):
        Template.load(str(USER_DATA / name))


def test_links_of_the_page_lead_somewhere() -> None:
    folder = Path(__file__).resolve().parents[2] / "doc"
    for target in re.findall(r"\]\(([^)#]+)\)", PAGE):
        assert (folder / target).exists(), target
