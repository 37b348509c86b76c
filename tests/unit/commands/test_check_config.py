"""The subcommand check-config."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from arvnodeman.cloud.machine_names import why_refused
from arvnodeman.commands.check_config import check_config

GOOD = """\
[Arvados]
host = zyxwv.example.com
token = sesame
[Cloud]
provider = dummy
shutdown_windows = 1, 1
[Size small]
cores = 2
"""


def check(path: Path, text: str) -> tuple[int, str]:
    path.write_text(text)
    out = io.StringIO()
    return check_config(str(path), out), out.getvalue()


def test_good_file(tmp_path: Path) -> None:
    path = tmp_path / "a.cfg"
    assert check(path, GOOD) == (0, f"{path}: ok, 1 size\n")
    assert check(path, f"{GOOD}[Size big]\ncores = 8\n") == (0, f"{path}: ok, 2 sizes\n")


def test_unknown_name_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.cfg"
    code, text = check(path, f"{GOOD}[Daemon]\nmax_node = 3\n")
    assert (code, text) == (2, f"{path}: [Daemon] max_node: unknown option; the nearest known one is max_nodes\n")


def test_errors_and_warnings_one_a_line(tmp_path: Path) -> None:
    path = tmp_path / "a.cfg"
    code, text = check(path, f"{GOOD}[Daemon]\nmax_node = 3\nmin_nodes = 2\npoll_time = x\n")
    assert code == 2
    assert [line.split(": ")[1] for line in text.splitlines()] == [
        "[Daemon] poll_time",
        "[Daemon] min_nodes",
        "[Daemon] max_node",
    ]


def test_a_mistake_in_the_credentials_is_told_once_and_without_its_value(tmp_path: Path) -> None:
    path = tmp_path / "a.cfg"
    site = "[Cloud Credentials]\nurl = http://127.0.0.1:1\nkey = sesame\ntimeout = presently\n"
    ping = "[Cloud Create]\nping_host = zyxwv.example.com\n"
    code, text = check(path, f"{GOOD.replace('dummy', 'sandbox')}{site}{ping}")
    wrong = "the value (not shown) is not a finite number; allowed: a number, above 0"
    assert (code, text) == (2, f"{path}: [Cloud Credentials] timeout: {wrong}\n")


def test_missing_file_is_one_line(tmp_path: Path) -> None:
    out = io.StringIO()
    assert check_config(str(tmp_path / "none"), out) == 2
    assert out.getvalue() == f"{tmp_path / 'none'}: no such file or directory; `arvados-node-manager init` writes one\n"


def test_value_that_may_have_swallowed_a_comment_is_pointed_out_without_showing_it(tmp_path: Path) -> None:
    path = tmp_path / "a.cfg"
    code, text = check(path, f"{GOOD}[Cloud Credentials]\nsecret = hush # hush\n")
    assert code == 0
    assert text.startswith(f"{path}: note: [Cloud Credentials] secret: ' #' and what follows is part of the value here")
    assert "hush" not in text


def test_a_driver_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    """Region, image and the like: known without asking the cloud."""
    path = tmp_path / "a.cfg"
    path.write_text(GOOD.replace("provider = dummy", "provider = dummy\ndriver_class = nowhere.Class"))
    out = io.StringIO()
    assert check_config(str(path), out) == 2
    assert out.getvalue().startswith(f"{path}: [Cloud] driver_class: cannot import 'nowhere.Class'")
    assert out.getvalue().count("\n") == 1


EC2 = """\
[Daemon]
dispatcher = slurm
max_nodes = 2
node_names = cloud[1-50]
[Cloud]
provider = ec2
shutdown_windows = 0, 1
[Cloud Credentials]
key = AKIAEXAMPLEEXAMPLE01
secret = abc
region = us-east-1
[Cloud List]
tag_cluster = c
[Cloud Create]
image_id = ami-0123456789abcdef0
[Size m5.large]
cores = 2
"""


def all_said(path: Path, text: str) -> tuple[int, list[str]]:
    """As the command does it, with the cloud's driver."""
    path.write_text(text)
    out = io.StringIO()
    code = check_config(str(path), out)
    return code, out.getvalue().replace(f"{path}: ", "").splitlines()


def test_a_secret_that_is_part_of_the_files_name_hides_no_mistake(tmp_path: Path) -> None:
    """The line names the file, and so shows the text of the secret; it was taken for one that must not be shown."""
    code, said = check(tmp_path / "a.cfg", EC2.replace("key = AKIAEXAMPLEEXAMPLE01\n", "").replace("abc", "cfg"))
    assert code == 2
    assert said.startswith(f"{tmp_path / 'a.cfg'}: [Cloud Credentials] key: missing; required here\n")


def test_every_mistake_is_told_at_once_whoever_finds_it(tmp_path: Path) -> None:
    """Form, values, names that are not known, the driver, placeholders, types of nodes: a line each, and no more."""
    text = (
        EC2.replace("max_nodes = 2", "max_nodes = 2\nmax_total_price = $20\nmax_node = 3")
        .replace("cloud[1-50]", "cloud1..50")
        .replace("[Cloud Create]", "[CloudCreate]")
        .replace("us-east-1", "")
        .replace("abc", "replace-with-its-secret")
        .replace("cores = 2", "")
    )
    code, lines = all_said(tmp_path / "a.cfg", f"{text}[Size m5.lagre]\ncores = 2\n[Cloud Create]\nsubnet = x\n")
    assert code == 2
    assert [line.split(": ")[0] for line in lines] == [
        "[Daemon] max_total_price",
        "[Daemon] node_names",
        "[Size m5.large] cores",
        "[Cloud Create] subnet",
        "[Cloud Credentials] secret",
        "[Size m5.lagre] instance_type",
        "[Daemon] max_node",
        "[CloudCreate]",
    ]
    said = "\n".join(lines)
    assert "'$20' is not a finite number: write it without the $" in said
    assert "'cloud1..50' is not a list of node names: write cloud[1-50]" in said
    assert "[Cloud Credentials] secret: is still the placeholder from the example" in said
    assert "'m5.lagre' is not an EC2 instance type; the nearest are m5.large" in said
    assert "[CloudCreate]: unknown section; the nearest known one is [Cloud Create]" in said


@pytest.mark.parametrize(
    "wrong", ["cores = two", "price = $20", "cores = 2\nprice = free\nram = -1", "price = 1\nprice = 2"]
)
def test_a_type_is_looked_at_whatever_else_is_wrong_with_its_size(tmp_path: Path, wrong: str) -> None:
    code, lines = all_said(tmp_path / "a.cfg", EC2.replace("m5.large]\ncores = 2", f"m5.lagre]\n{wrong}"))
    assert code == 2
    assert (
        sum(line.startswith("[Size m5.lagre] instance_type: 'm5.lagre' is not an EC2 instance type") for line in lines)
        == 1
    )
    assert len(lines) > 1


@pytest.mark.parametrize(
    ("misspelt", "nearest"),
    [("Credentials", "Cloud Credentials"), ("CloudCreate", "Cloud Create"), ("CloudList", "Cloud List")],
)
def test_a_misspelt_section_is_named_though_the_driver_lacks_it(tmp_path: Path, misspelt: str, nearest: str) -> None:
    code, lines = all_said(tmp_path / "a.cfg", EC2.replace(f"[{nearest}]", f"[{misspelt}]"))
    assert code == 2
    assert f"[{misspelt}]: unknown section; the nearest known one is [{nearest}]" in lines


def test_what_is_worth_a_look_is_a_note_and_no_mistake(tmp_path: Path) -> None:
    path = tmp_path / "a.cfg"
    assert all_said(path, EC2) == (0, ["ok, 1 size"])
    odd = (
        EC2.replace("max_nodes = 2", "max_nodes = 500").replace("tag_cluster = c", "").replace("m5.large", "m99.large")
    )
    code, lines = all_said(path, odd)
    assert code == 0
    assert [line.removeprefix("note: ").split(":")[0] for line in lines] == [
        "[Daemon] max_nodes",
        "[Cloud List]",
        "[Size m99.large] instance_type",
        "ok, 1 size",
    ]
    assert "500 is more than the 50 names" in lines[0]
    assert "may be older; the nearest are" in lines[2]


@pytest.mark.parametrize(
    ("provider", "name", "good"),
    [
        ("gce", "cloud-1", True),
        ("gce", "a" * 63, True),
        ("gce", "a" * 64, False),
        ("gce", "Cloud1", False),
        ("gce", "cloud_1", False),
        ("gce", "1cloud", False),
        ("gce", "cloud-", False),
        ("gce", "cloud.1", False),
        ("azure", "Cloud-1.x", True),
        ("azure", "a" * 64, True),
        ("azure", "a" * 65, False),
        ("azure", "cloud_1", False),
        ("azure", "cloud-", False),
        ("ec2", "Cloud_1-", True),
        ("openstack", "Cloud_1-", True),
        ("openstack", "a" * 256, False),
        ("sandbox", "Cloud_1-", True),
        ("dummy", "a" * 256, True),
    ],
)
def test_which_names_of_nodes_a_cloud_refuses(provider: str, name: str, good: bool) -> None:
    assert (why_refused(provider, name) == "") is good


def test_names_of_nodes_that_the_cloud_refuses_are_a_mistake(tmp_path: Path) -> None:
    text = GOOD.replace("host = zyxwv.example.com\ntoken = sesame", "")
    names = "[Daemon]\ndispatcher = slurm\nmax_nodes = 2\nnode_names = cloud_[1-3]\n"
    path = tmp_path / "a.cfg"
    assert check(path, text + names) == (0, f"{path}: ok, 1 size\n")  # this cloud takes any
    code, said = check(path, (text + names).replace("dummy", "gce"))
    assert code == 2
    assert f"{path}: [Daemon] node_names: gce refuses a node of the name 'cloud_1' and 2 more; allowed: " in said
    kept = GOOD.replace("sesame", "sesame\nnode_records = arvados").replace("dummy", "gce")
    _code, said = check(path, kept + names + "[Cloud Create]\nping_host = a.example.com\n")
    assert "[Daemon] node_names" not in said  # where Arvados keeps the records, nodes are called otherwise


ALONE = """\
[Arvados]
[Daemon]
dispatcher = slurm
[Cloud]
provider = dummy
shutdown_windows = 1, 1
[Size small]
cores = 2
[Size big]
cores = 16
"""


@pytest.mark.parametrize(
    ("text", "noted"),
    [
        (ALONE, True),
        (ALONE.replace("= 16", "= 2"), False),  # one shape
        (ALONE.replace("= 16", "= 16\nnode_names = b-[1-9]"), False),  # each has names of its own
        (ALONE.replace("[Cloud]", "share = no\n[Cloud]"), False),
        (f"{GOOD}[Size big]\ncores = 16\n", False),  # containers have nodes to themselves
        (f"{GOOD}[Size big]\ncores = 16\n[Daemon]\nshare = yes\n", True),
    ],
)
def test_a_note_on_sizes_of_different_shape_under_the_same_names(tmp_path: Path, text: str, noted: bool) -> None:
    path = tmp_path / "a.cfg"
    code, said = check(path, text)
    assert code == 0
    (*lines, ok) = said.splitlines()
    assert ok == f"{path}: ok, 2 sizes"
    expected = (
        f"{path}: note: [Size small], [Size big]: 2 or 16 cores, and the same names; where Slurm lets jobs share "
        "nodes, it counts what the name has in slurm.conf: give each size node_names"
    )
    assert lines == ([expected] if noted else [])
