"""What doc/clouds/ec2.md and doc/examples promise of EC2: the policy names every action, the user data is a script."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from moto.core.authorization import enable_iam_authentication
from moto.iam.models import iam_backends
from peer_ec2 import EC2Peer

from arvnodeman.cloud.base import CloudDriver
from arvnodeman.cloud.user_data import NAMES, Template, values_for
from arvnodeman.fleet.values.model import Directive, ErrorKind, OperatorDirective, RemoteFailure
from arvnodeman.sandbox.ec2_moto import ACCOUNT

DOC = Path(__file__).resolve().parents[3] / "doc"
PAGE = (DOC / "clouds" / "ec2.md").read_text(encoding="utf-8")
POLICY = json.loads(re.search(r"```json\n(.+?)```", PAGE, re.DOTALL).group(1))  # type: ignore[union-attr]
ACTIONS = ("DescribeInstances", "RunInstances", "CreateTags", "DeleteTags", "TerminateInstances")


@pytest.fixture
def peer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EC2Peer]:
    with EC2Peer(tmp_path) as peer:
        # moto would leave User-Agent out of a signature, which libcloud signs too; the layer checks signatures.
        monkeypatch.setattr("moto.iam.access_control.IAMRequestBase.check_signature", lambda _self: None)
        yield peer


@contextmanager
def under_policy(peer: EC2Peer, without: str = "") -> Iterator[CloudDriver]:
    """A driver with the key of a user who has the page's policy. moto looks at actions alone."""
    backend = iam_backends[ACCOUNT]["aws"]
    backend.reset()
    statements = [
        {"Effect": each["Effect"], "Action": [action for action in _listed(each["Action"]) if action != without]}
        for each in POLICY["Statement"]
    ]
    document = {
        "Version": POLICY["Version"],
        "Statement": [{**each, "Resource": "*"} for each in statements if each["Action"]],
    }
    backend.create_user("us-east-1", "node-manager")
    backend.put_user_policy("node-manager", "node-manager", json.dumps(document))
    key = backend.create_access_key("node-manager")
    peer.account.keys = {key.access_key_id: key.secret_access_key}
    driver = peer.driver(credentials={"key": key.access_key_id, "secret": key.secret_access_key})
    with enable_iam_authentication():
        yield driver


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def life(peer: EC2Peer, driver: CloudDriver) -> None:
    """All that the daemon asks of EC2 for one node."""
    assert driver.list_nodes() == ()
    node = driver.create_node(peer.size, peer.record(), "token-1", peer.ping_url())
    assert driver.find_node(peer.size, peer.record(), "token-1") is not None
    driver.sync_fqdn(node, "other.example.com")
    driver.set_directive(node, OperatorDirective(Directive.HOLD, "why"))
    driver.set_directive(node, None)
    driver.destroy_node(node)
    assert driver.fetch_node(node) is None


def test_the_policy_of_the_page_is_enough(peer: EC2Peer) -> None:
    with under_policy(peer) as driver:
        life(peer, driver)


@pytest.mark.parametrize("action", ACTIONS)
def test_the_policy_of_the_page_has_nothing_that_is_not_needed(peer: EC2Peer, action: str) -> None:
    with under_policy(peer, without=f"ec2:{action}") as driver, pytest.raises(RemoteFailure) as caught:
        life(peer, driver)
    assert caught.value.error.kind is ErrorKind.REFUSED
    assert caught.value.error.hint == "[Cloud Credentials] key"


def test_no_other_action_of_ec2_is_in_the_policy() -> None:
    named = {action for statement in POLICY["Statement"] for action in _listed(statement["Action"])}
    assert named == {"iam:PassRole", *(f"ec2:{action}" for action in ACTIONS)}


# ---- user data -------------------------------------------------------------------------------------------------------

TEMPLATE = DOC.parent / "arvnodeman" / "init" / "user-data.sh"
STUBS = ("curl", "mkfs.ext4", "mount", "hostnamectl", "systemctl", "scontrol", "nproc", "df", "poweroff", "sleep")


def test_the_example_of_user_data_is_a_script_that_pings_takes_its_name_and_joins(
    peer: EC2Peer, tmp_path: Path
) -> None:
    """A shell runs it, with commands that only write down how they were called; the second ping is refused."""
    script = Template.load(str(TEMPLATE)).filled(values_for(peer.size, peer.record(), "name", peer.ping_url()))
    assert len(script.encode()) < 16384
    log = tmp_path / "log"
    for name in STUBS:
        stub = tmp_path / name
        stub.write_text(f'#!/bin/sh\necho {name} "$@" >> {log}\n{_answer(name, tmp_path)}\n')
        stub.chmod(0o755)
    ended = subprocess.run(
        ["/bin/sh"],
        input=script + "wait\n",
        text=True,
        capture_output=True,
        timeout=60,
        check=False,
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
    )
    assert ended.stderr == ""
    calls = log.read_text()
    pings = [line for line in calls.splitlines() if peer.ping_url().reveal() in line]
    assert len(pings) == 2
    assert all("-X POST" in line and "-d instance_id=i-0123" in line for line in pings)
    assert re.search(r"-d total_ram_mb=[1-9]\d*", pings[0])
    assert "hostnamectl set-hostname compute1\nsystemctl restart munge slurmd\n" in calls
    assert "scontrol update NodeName=compute1 State=RESUME\n" in calls
    assert "poweroff" in calls


def _answer(name: str, folder: Path) -> str:
    """What a stub does: the instance id is given, the first ping is well, the second refused; then sleep fails."""
    if name == "curl":
        return (
            'case "$*" in *instance-id) echo i-0123;; *api/token) echo token;; '
            f"*ping_secret*) if mkdir {folder}/pinged 2>/dev/null; then printf 200; else printf 401; fi;; esac"
        )
    if name == "sleep":
        return f"mkdir {folder}/slept 2>/dev/null"
    return "echo 4" if name == "nproc" else "true"


def test_the_page_of_images_tells_every_name_of_a_template() -> None:
    text = (DOC / "clouds" / "images.md").read_text(encoding="utf-8")
    assert {name for name in NAMES if f"`{{{name}}}`" not in text} == set()
