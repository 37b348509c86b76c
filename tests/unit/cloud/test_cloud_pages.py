"""The commands and options that doc/clouds tells people to use exist."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest
from libcloud.common import openstack as openstack_common
from libcloud.compute.drivers import ec2, openstack

from arvnodeman.config.option import CREATE, CREDENTIALS
from arvnodeman.config.table import find

PAGES = sorted((Path(__file__).resolve().parents[3] / "doc" / "clouds").glob("*.md"))
# Each command with the options it was seen to have: azure-cli 2.91.0, aws-cli 1.46.3 and openstackclient 10.5.0 by
# their --help; gcloud by Google's reference and others' use of it, since it could not be run.
KNOWN = {
    "az account show": {"query"},
    "az ad app credential list": {"id"},
    "az ad app credential reset": {"id", "append"},
    "az ad sp create-for-rbac": {"name", "role", "scopes"},
    "az group create": {"name", "location"},
    "az role definition create": {"role-definition"},
    "az vm image list": {"publisher", "all"},
    "az vm list-usage": {"location"},
    "aws iam create-access-key": {"user-name"},
    "aws iam create-service-linked-role": {"aws-service-name"},
    "aws iam create-user": {"user-name"},
    "aws iam put-user-policy": {"user-name", "policy-name", "policy-document"},
    "aws sts decode-authorization-message": {"encoded-message"},
    "gcloud iam roles create": {"project", "file"},
    "gcloud iam service-accounts create": set(),
    "gcloud iam service-accounts keys create": {"iam-account"},
    "gcloud projects add-iam-policy-binding": {"member", "role"},
    "openstack application credential create": {"role", "access-rules"},
    "openstack quota show": set(),
    "openstack role add": {"project", "user"},
    "openstack server unlock": set(),
    "openstack user create": {"password-prompt"},
}
LIBCLOUD = (ec2, openstack, openstack_common)
COMMAND = re.compile(r"(?:^    |`)((?:az|aws|gcloud|openstack) (?:[^\n`\\]|\\\n)+)", re.MULTILINE)


def commands(text: str) -> list[str]:
    """The commands of a page, each on one line."""
    return [" ".join(found.replace("\\\n", " ").split()) for found in COMMAND.findall(text)]


@pytest.mark.parametrize("name", ["azure", "ec2", "gce", "openstack"])
def test_commands_are_ones_that_todays_tools_have(name: str) -> None:
    """Row M11: a command that is new on a page is to be tried, and written down here."""
    (page,) = [page for page in PAGES if page.stem == name]
    found = commands(page.read_text(encoding="utf-8"))
    assert len(found) >= 4
    for command in found:
        known = [KNOWN[each] for each in KNOWN if f"{command} ".startswith(f"{each} ")]
        assert known, command
        assert set(re.findall(r"--([a-z-]+)", command)) <= known[0], command


@pytest.mark.parametrize("name", ["azure", "ec2", "gce", "openstack"])
def test_options_in_the_pages_tables_are_known(name: str) -> None:
    """Row M11: to us, or to libcloud, which is given the others as they are."""
    (page,) = [page for page in PAGES if page.stem == name]
    text = page.read_text(encoding="utf-8")
    tables = re.findall(r"^\| option of `\[(Cloud \w+)\]`.*\n\|[-|]+\n((?:\|.*\n)+)", text, re.MULTILINE)
    assert CREDENTIALS in dict(tables)
    named = [
        (section, option)
        for section, rows in tables
        for row in rows.splitlines()
        for option in re.findall(r"`(?!tag_NAME`)([a-z_]+)", row.split("|")[1])  # each tag is an option of its own
    ]
    assert len(named) >= 6
    unknown = {option for section, option in named if find(section, option) is None}
    passed_on = set(re.findall(r"\bex_\w+", "".join(inspect.getsource(module) for module in LIBCLOUD)))
    assert unknown - passed_on == set()
    assert {section for section, _ in named} <= {CREDENTIALS, CREATE}
