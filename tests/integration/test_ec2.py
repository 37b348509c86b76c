"""The real daemon with `provider = ec2` against moto's EC2, with the sandbox for Arvados, Slurm and the computers."""

from __future__ import annotations

import configparser
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from daemon_process import BOUND, DaemonProcess, command

from arvnodeman.sandbox.process import SiteProcess


@pytest.fixture(scope="module")
def site() -> Iterator[SiteProcess]:
    with SiteProcess(speed=60, cloud="ec2") as site:
        yield site


@pytest.fixture
def start(site: SiteProcess, tmp_path: Path) -> Iterator[Callable[..., DaemonProcess]]:
    started: list[DaemonProcess] = []

    def start(**sections: dict[str, object] | None) -> DaemonProcess:
        log = tmp_path / "log"
        names = {name.replace("_", " "): options for name, options in sections.items()}
        config = site.write_config(tmp_path / "site.cfg", {"Logging": {"file": log, "level": "DEBUG"}, **names})
        started.append(DaemonProcess(config, log, site.environment()))
        return started[-1]

    yield start
    for daemon in started:
        daemon.end()
    site.post("settings", {"quota": 1000})


def by_size(account: dict[str, Any]) -> dict[str, Any]:
    """One instance of each size."""
    return {instance["tags"]["arvados_node_size"]: instance for instance in account["instances"]}


def test_jobs_in_instances_up_jobs_run_all_terminated(site: SiteProcess, start: Callable[..., DaemonProcess]) -> None:
    """Rows D12, G2, G4, G5, M10."""
    daemon = start(Size_large={"preemptible": "yes", "scratch": 0})
    site.add_jobs(
        {"cores": 2, "duration": 60},
        {"cores": 4, "ram": 20000, "duration": 60},
        {"cores": 8, "duration": 60},
    )
    site.wait_for(lambda state: state["quiet"] and state["jobs"].get("completed") == 3, timeout=2 * BOUND)
    assert daemon.stop() == 0
    assert site.verdict()["clean"], site.verdict()
    account = site.get("ec2")
    assert (account["made"], account["live"], account["volumes_left"]) == (3, 0, 0)
    instances = by_size(account)
    assert {size: instance["type"] for size, instance in instances.items()} == {
        "small": "m5.large",
        "himem": "r5.xlarge",
        "large": "m5.2xlarge",
    }
    assert {size: instance["spot"] for size, instance in instances.items()} == {
        "small": False,
        "himem": False,
        "large": True,
    }
    assert instances["small"]["volumes"] == [["/dev/xvdt", 51, "gp3"]]
    assert instances["himem"]["volumes"] == [["/dev/xvdt", 101, "gp3"]]
    assert "/dev/xvdt" not in str(instances["large"]["volumes"])
    for instance in instances.values():
        assert instance["user_data"].startswith(f"{site.address.url}/arvados/v1/nodes/zzzzz-7ekkf-")
        assert instance["tags"]["arvados:node:manager"] == "zzzzz"
        assert instance["tags"]["Name"].endswith(".dynamic.compute")
        assert (instance["imds"], instance["shutdown"]) == ("optional", "terminate")
        assert instance["subnet"] == site.address.cloud["Cloud Create"]["subnet_id"].partition(",")[0]
    log = daemon.text()
    assert "Traceback" not in log
    for secret in (site.address.cloud["Cloud Credentials"]["secret"], "ping_secret=", site.address.token):
        assert secret not in log


@pytest.mark.parametrize(
    ("section", "option", "value", "line"),
    [
        ("Cloud_Credentials", "secret", "wrong", "SignatureDoesNotMatch: "),
        pytest.param("Cloud_Credentials", "key", "AKIAWRONG", "AuthFailure: ", marks=pytest.mark.long),
        ("Cloud_Create", "image_id", "ami-0123456789abcdef0", "InvalidAMIID.NotFound: "),
        pytest.param(
            "Cloud_Create",
            "subnet_id",
            "subnet-0123456789abcdef0",
            "InvalidSubnetID.NotFound: ",
            marks=pytest.mark.long,
        ),
        pytest.param("Cloud_Create", "ex_keyname", "nobody", "InvalidKeyPair.NotFound: ", marks=pytest.mark.long),
    ],
)
def test_a_mistake_is_one_line_of_the_log_that_names_the_option(
    site: SiteProcess, start: Callable[..., DaemonProcess], section: str, option: str, value: str, line: str
) -> None:
    daemon = start(**{section: {option: value}}, Daemon={"min_nodes": 1})
    place = "key" if section == "Cloud_Credentials" else option
    words = f"(look at [{section.replace('_', ' ')}] {place})"
    daemon.wait_for(lambda: [each for each in daemon.text().splitlines() if line in each and words in each], line)
    daemon.stop()
    assert "Traceback" not in daemon.text()


def test_a_quota_of_nothing_is_one_line_of_the_log(site: SiteProcess, start: Callable[..., DaemonProcess]) -> None:
    site.post("settings", {"quota": 0})
    daemon = start(Daemon={"min_nodes": 1})
    daemon.wait_for_line("Quota exceeded: InstanceLimitExceeded: ")
    daemon.stop()
    assert site.get("ec2")["live"] == 0


def test_a_region_that_is_misspelt_ends_the_start_with_one_line(site: SiteProcess, tmp_path: Path) -> None:
    config = site.write_config(tmp_path / "site.cfg", {"Cloud Credentials": {"region": "us-esat-1"}})
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(config)
    for option in ("host", "port", "secure"):  # with a host of its own, any region may be the right one
        parser.remove_option("Cloud Credentials", option)
    with config.open("w") as file:
        parser.write(file)
    for arguments in (("--config", str(config), "--foreground"), ("check-config", str(config))):
        ended = subprocess.run(
            command(*arguments), capture_output=True, text=True, timeout=BOUND, check=False, env=site.environment()
        )
        assert ended.returncode == 2
        assert f"{config}: [Cloud Credentials] region: there is no 'us-esat-1'; the nearest is us-" in (
            ended.stderr + ended.stdout
        )
        assert (ended.stderr + ended.stdout).count("\n") == 1


@pytest.mark.long
@pytest.mark.parametrize("records", ["arvados", "slurm"])
def test_the_demo_on_ec2(records: str) -> None:
    arguments = ("demo", "--cloud", "ec2", "--records", records, "--jobs", "4", "--seconds", "45", "--seed", "3")
    ended = subprocess.run(command(*arguments), capture_output=True, text=True, timeout=4 * BOUND, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "Its cloud is moto's EC2, at 127.0.0.1:" in ended.stdout
    assert "no node and no slot is left" in ended.stdout
    assert ended.stdout.splitlines()[-1].endswith(", 0 of them not terminated")
