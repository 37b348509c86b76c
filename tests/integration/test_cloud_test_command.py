"""`cloud-test` as operators call it, against the sandbox site and against moto's EC2."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from daemon_process import BOUND, command
from slurm_stage import need_slurm

from arvnodeman.sandbox.process import SiteProcess
from arvnodeman.slurm.keeping import NOBODYS_ADDRESS
from arvnodeman.slurm.show import parse_nodes

OURS = {"arvados_node_manager": "zzzzz", "arvados_node_size": "small"}


@pytest.fixture(scope="module")
def site() -> Iterator[SiteProcess]:
    with SiteProcess(speed=60) as site:
        yield site


def cloud_test(site: SiteProcess, config: Path, *options: str) -> subprocess.CompletedProcess[str]:
    arguments = command("cloud-test", "--config", str(config), *options)
    return subprocess.run(
        arguments, capture_output=True, text=True, timeout=2 * BOUND, check=False, env=site.environment()
    )


def test_a_node_that_pings(site: SiteProcess, tmp_path: Path) -> None:
    ended = cloud_test(site, site.write_config(tmp_path / "site.cfg"), "--size", "large", "--wait-ping")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    lines = ended.stdout.splitlines()
    steps = ["credentials", "sizes", "record", "create", "listed", "tags", "ping", "destroy", "nothing left", "release"]
    assert [line[:16].strip() for line in lines] == [*steps, "all well"]
    assert (ended.stderr, site.state()["cloud"]["nodes"].get("running", 0), site.state()["slots"]) == ("", 0, 0)
    assert "ping_secret" not in ended.stdout


@pytest.mark.parametrize(
    ("records", "slurm"),
    [
        ("slurm", "double"),
        pytest.param("arvados-3", "double", marks=pytest.mark.long),
        pytest.param("slurm", "real", marks=pytest.mark.long),
    ],
)
def test_a_node_whose_record_is_a_name_in_slurm(tmp_path: Path, records: str, slurm: str) -> None:
    """It joins under a name that was free, which is free again afterwards."""
    if slurm == "real":
        need_slurm()
    with SiteProcess(speed=30, slots=4, records=records, slurm=slurm) as site:
        ended = cloud_test(site, site.write_config(tmp_path / "site.cfg"), "--size", "large", "--wait-ping")
        assert ended.returncode == 0, ended.stdout + ended.stderr
        said = {line[:16].strip(): line[35:] for line in ended.stdout.splitlines()}
        assert said["record"] == "compute4, compute4"
        assert said["ping"].startswith("as sb-")
        site.wait_for(lambda _state: site.verdict()["clean"], timeout=BOUND)  # it looks at a real Slurm now and then
        show = ["scontrol", "show", "node", "compute4"]
        shown = subprocess.run(show, env=site.environment(), capture_output=True, text=True, timeout=BOUND, check=True)
        name = parse_nodes(shown.stdout)[0]["compute4"]
        assert (name.address, name.comment, name.base) == (NOBODYS_ADDRESS, "", "DOWN")
        assert name.reason.startswith("Node Manager destroy (sb-")


@pytest.mark.long
def test_kept_nodes_are_orphans(site: SiteProcess, tmp_path: Path) -> None:
    config = site.write_config(tmp_path / "site.cfg")
    assert cloud_test(site, config, "--list-orphans").stdout == (
        "0 of 0 node(s) with our tags are known to no node record\n"
    )
    kept = cloud_test(site, config, "--keep")
    assert kept.returncode == 0, kept.stdout
    (node,) = [node for node in site.state("nodes")["node_list"] if node["state"] in ("pending", "running")]
    found = cloud_test(site, config, "--list-orphans")
    assert found.returncode == 3
    first, last = found.stdout.splitlines()
    assert first.startswith(f"{node['id']}  compute-")
    assert "  size small (small), 0.0 h old" in first
    assert last == "1 of 1 node(s) with our tags are known to no node record"
    listed = cloud_test(site, config, "--list-nodes")
    assert (listed.returncode, listed.stdout.splitlines()) == (3, [first, "1 node(s) have our tags"])
    site.post(f"nodes/{node['id']}", {"do": "vanish"})


def test_an_interrupt_cleans_up(site: SiteProcess, tmp_path: Path) -> None:
    """Whatever the moment: here, while it waits for a ping that never comes."""
    site.post("faults", {"arm": {"node-never-pings": 1}})
    arguments = command("cloud-test", "--config", str(site.write_config(tmp_path / "site.cfg")), "--wait-ping")
    process = subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=site.environment()
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("tags"):
            break
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    rest, complaint = process.communicate(timeout=BOUND)
    assert process.returncode == 1
    assert "nothing left     ok" in rest
    assert complaint == "cloud-test: interrupted\n"
    assert site.state()["slots"] == 0


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        ({"Cloud Credentials": {"key": "wrong"}}, 1, "FAILED"),
        ({"Cloud Credentials": {"url": "nonsense"}}, 2, "[Cloud Credentials] url: not the URL of a site"),
        ({"Size small": {"cores": "many"}}, 2, "[Size small] cores: "),
        ({"Size tiny": {"cores": 1}}, 1, "[Size tiny] instance_type tiny: the provider does not offer it"),
    ],
)
def test_mistakes_are_one_line(
    site: SiteProcess, tmp_path: Path, options: dict[str, dict[str, object]], code: int, words: str
) -> None:
    ended = cloud_test(site, site.write_config(tmp_path / "site.cfg", options))
    assert ended.returncode == code
    assert [line for line in (ended.stdout + ended.stderr).splitlines() if words in line]
    assert "Traceback" not in ended.stderr


@pytest.mark.long
def test_on_ec2(tmp_path: Path) -> None:
    with SiteProcess(speed=60, cloud="ec2") as site:
        ended = cloud_test(site, site.write_config(tmp_path / "site.cfg"), "--wait-ping")
        account = site.get("ec2")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    steps = [line[:16].strip() for line in ended.stdout.splitlines()]
    assert steps[:4] == ["credentials", "image_id", "subnet_id", "security_groups"]
    assert (account["made"], account["live"], account["volumes_left"]) == (1, 0, 0)
