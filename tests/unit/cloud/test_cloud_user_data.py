"""Templates of user data, and the script that writes what existing images read."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from arvnodeman.cloud import user_data
from arvnodeman.cloud.user_data import NAMES, BadTemplate, Template, node_data_script, values_for
from arvnodeman.fleet.values.model import NodeRecord, NodeSize, Secret

SIZE = NodeSize("small", "s1", "provider-1", "Small", 2, 2048, 10, 10000, 0.1)
RECORD = NodeRecord("zzzzz-7ekkf-0123456789abcde", hostname="compute7", domain="zzzzz.example.com")
URL = "https://x.example.com/arvados/v1/nodes/zzzzz-7ekkf-0123456789abcde/ping?ping_secret=a&b"
VALUES = values_for(SIZE, RECORD, "compute7.zzzzz", Secret(URL))


def test_every_name_has_a_value_and_every_value_a_name() -> None:
    assert set(VALUES) == set(NAMES)
    assert VALUES == {
        "ping_url": URL,
        "hostname": "compute7",
        "domain": "zzzzz.example.com",
        "fqdn": "compute7.zzzzz.example.com",
        "name": "compute7.zzzzz",
        "size": "small",
        "instance_type": "provider-1",
        "uuid": "zzzzz-7ekkf-0123456789abcde",
        "cluster": "zzzzz",
        "notice_watch": "",
        "lease_watch": "",
    }


def test_a_record_without_a_hostname_leaves_it_empty() -> None:
    values = values_for(SIZE, NodeRecord("zzzzz-7ekkf-0123456789abcde"), "n", Secret(URL))
    assert (values["hostname"], values["fqdn"], values["domain"]) == ("", "", "")


def test_braces_that_are_meant_are_doubled() -> None:
    assert Template("a {hostname} ${{HOME}} {{}} {size}{size}").filled(VALUES) == "a compute7 ${HOME} {} smallsmall"


def test_what_a_value_holds_is_not_looked_at_again() -> None:
    assert Template("{hostname}").filled({**VALUES, "hostname": "{ping_url}"}) == "{ping_url}"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{hostnam}", "there is no {hostnam}; known names: ping_url, hostname, "),
        ("{}", "there is no {}; "),
        ("{0}", "there is no {0}; "),
        ("{ping_url.__class__}", "there is no {ping_url.__class__}; "),
        ("{ping_url[0]}", "there is no {ping_url[0]}; "),
        ("{ping_url!r}", "there is no {ping_url!r}; "),
        ("{ping_url:>9000000}", "there is no {ping_url:>9000000}; "),
        ("{ping_url:{size}}", "there is no {ping_url:{size}}; "),
        ("x } y", "Single '}' encountered in format string; a literal brace is doubled: {{ or }}"),
        ("x { y", "a literal brace is doubled: {{ or }}"),
        ("awk '{ print\n$1 }'", "a literal brace is doubled: {{ or }}"),
        ("{" + "x" * 5000 + "}", "there is no {" + "x" * 40 + "}; "),
    ],
)
def test_a_template_that_cannot_be_used_is_one_clear_line(text: str, says: str) -> None:
    with pytest.raises(BadTemplate) as caught:
        Template(text)
    line = str(caught.value)
    assert says in line
    assert "\n" not in line
    assert len(line) < 400


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "user-data"
    path.write_text("häuser {hostname}\n", encoding="utf-8")
    assert Template.load(str(path)).filled(VALUES) == "häuser compute7\n"


def test_a_file_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadTemplate, match=r"cannot read .*: No such file"):
        Template.load(str(tmp_path / "none"))
    with pytest.raises(BadTemplate, match=r"cannot read .*: Is a directory"):
        Template.load(str(tmp_path))
    (tmp_path / "odd").write_bytes(b"\xff\xfe")
    with pytest.raises(BadTemplate, match="is not text in UTF-8"):
        Template.load(str(tmp_path / "odd"))
    monkeypatch.setattr(user_data, "LARGEST", 10)
    (tmp_path / "large").write_text("x" * 11)
    with pytest.raises(BadTemplate, match="has more than 10 characters"):
        Template.load(str(tmp_path / "large"))


def test_the_script_writes_each_value_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row I2: values are quoted; a shell runs the script."""
    monkeypatch.setattr(user_data, "NODE_DATA", str(tmp_path / "data"))
    nasty = 'it\'s $(touch /nowhere) `id` & "x"'
    script = node_data_script({"arv-ping-url": URL, "meta-data/instance-id": nasty})
    assert script.startswith("#!/bin/sh\n")
    subprocess.run(["/bin/sh", "-e"], input=script, text=True, check=True, timeout=30)
    assert (tmp_path / "data/arv-ping-url").read_text() == URL + "\n"
    assert (tmp_path / "data/meta-data/instance-id").read_text() == nasty + "\n"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("#!/bin/sh\nsize=$(nproc)\necho ${size}\n", "{size} would become a $ and the node's size"),
        ("#!/bin/sh\nname=x; echo a${name}b\n", "{name} would become a $"),
        ("#!/bin/sh\necho {hostname}\r\n", "Windows line ends"),
        ("\ufeff#!/bin/sh\necho {hostname}\n", "byte order mark"),
    ],
)
def test_what_would_break_on_the_node_is_refused_beforehand(tmp_path: Path, content: str, complaint: str) -> None:
    path = tmp_path / "user-data"
    path.write_bytes(content.encode())
    with pytest.raises(BadTemplate) as caught:
        Template.load(str(path))
    assert complaint in str(caught.value)


def test_the_shells_own_variables_are_written_with_double_braces() -> None:
    template = Template("#!/bin/sh\nsize=$(nproc)\necho ${{size}} {size} $ {name}\n")
    assert template.filled({"size": "m1", "name": "n"}) == "#!/bin/sh\nsize=$(nproc)\necho ${size} m1 $ n\n"
