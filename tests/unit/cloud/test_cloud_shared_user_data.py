"""User data that several nodes share, run by a real shell with a metadata service of the tests' own."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from secrets import token_hex

import pytest

from arvnodeman.cloud.shared_user_data import CannotBeShared, is_sharable, shared_text
from arvnodeman.cloud.user_data import NAMES, Template

SCRIPT = "#!/bin/sh\necho \"$0\" >>runs\nprintf '%s\\n' '{hostname}' '{ping_url}' '{size}' >told\n"
CURL = """#!/bin/sh
# Stands for the metadata service: the token is asked for first.
case "$*" in
    *api/token*) [ -e no-token ] && exit 22; echo TOKEN ;;
    *ami-launch-index*)
        [ -e imds-v2 ] && case "$*" in *'token: TOKEN'*) ;; *) exit 22 ;; esac
        [ -e index ] && cat index || exit 22 ;;
esac
"""


def values(number: int, **others: str) -> dict[str, str]:
    name = f"compute{number}"
    uuid = f"zzzzz-7ekkf-{number:015d}"
    return {
        **dict.fromkeys(NAMES, ""),
        "ping_url": f"https://ping.example.com/arvados/v1/nodes/{uuid}/ping?ping_secret=s{number}&x=\\{number}",
        "hostname": name,
        "fqdn": f"{name}.zzzzz.example.com",
        "domain": "zzzzz.example.com",
        "name": f"{name}.zzzzz.example.com",
        "uuid": uuid,
        "size": "small",
        "instance_type": "m5.large",
        **others,
    }


def nodes(count: int) -> list[Mapping[str, str]]:
    return [values(number) for number in range(count)]


class Machine:
    """A node: runs its user data in a folder of its own. `halted`: what it halted with."""

    def __init__(self, folder: Path, text: str, *, index: str | None, flags: Sequence[str] = ()) -> None:
        self.folder = folder
        tools = folder / "bin"
        tools.mkdir(parents=True)
        halt = '#!/bin/sh\necho "$0 $*" >>halted\n'
        for name, content in (("curl", CURL), ("shutdown", halt), ("sleep", "#!/bin/sh\n")):
            (tools / name).write_text(content)
            (tools / name).chmod(0o755)
        if index is not None:
            (folder / "index").write_text(index)
        for flag in flags:
            (folder / flag).touch()
        (folder / "user-data").write_text(text)
        environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "TMPDIR": str(folder)}
        run = subprocess.run(
            ["sh", "user-data"], cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        self.status, self.said = run.returncode, run.stderr

    @property
    def halted(self) -> bool:
        return (self.folder / "halted").exists()

    @property
    def told(self) -> list[str] | None:
        file = self.folder / "told"
        return file.read_text().splitlines() if file.exists() else None


@pytest.fixture
def text() -> str:
    return shared_text(Template(SCRIPT), nodes(12))


@pytest.mark.parametrize("number", [0, 1, 9, 10, 11])
def test_each_node_runs_the_template_filled_for_its_own_launch_index(tmp_path: Path, text: str, number: int) -> None:
    node = Machine(tmp_path / "node", text, index=str(number))
    own = values(number)
    assert node.told == [own["hostname"], own["ping_url"], "small"]
    assert (node.status, node.halted) == (0, False)


@pytest.mark.parametrize("flags", [[], ["no-token"], ["imds-v2"]])
def test_with_either_kind_of_metadata_service(tmp_path: Path, text: str, flags: list[str]) -> None:
    node = Machine(tmp_path / "node", text, index="3", flags=flags)
    assert node.told is not None
    assert node.told[0] == "compute3"


@pytest.mark.parametrize(
    "index", ["12", "13", "99999", "999999999999999999999", "-1", "0x1", "01", "1 ", "one", "*", "$(id)"]
)
def test_a_node_that_has_no_line_of_its_own_halts(tmp_path: Path, text: str, index: str) -> None:
    """It never takes line 0, nor any other's."""
    node = Machine(tmp_path / "node", text, index=index)
    assert node.told is None
    assert node.halted
    assert "this node halts" in node.said


@pytest.mark.parametrize(("index", "flags"), [(None, []), ("", []), ("0", ["imds-v2", "no-token"])])
def test_a_node_that_cannot_learn_its_launch_index_halts(
    tmp_path: Path, text: str, index: str | None, flags: list[str]
) -> None:
    node = Machine(tmp_path / "node", text, index=index, flags=flags)
    assert (node.told, node.halted) == (None, True)


def test_the_filled_template_which_holds_a_secret_is_not_left_behind(tmp_path: Path, text: str) -> None:
    node = Machine(tmp_path / "node", text, index="2")
    (path,) = (node.folder / "runs").read_text().split()
    assert not Path(path).exists()
    assert Path(path).parent == node.folder


def test_its_exit_code_is_the_template_s(tmp_path: Path) -> None:
    text = shared_text(Template("#!/bin/sh\nexit 1{hostname}\n"), [values(0, hostname="0"), values(1, hostname="7")])
    assert Machine(tmp_path / "node", text, index="1").status == 17


@pytest.mark.parametrize("hostname", ["", "c", "compute1", "@0@"])
def test_values_of_which_one_is_empty_or_the_beginning_of_another(tmp_path: Path, hostname: str) -> None:
    both = [values(0, hostname=hostname), values(0, hostname="compute12")]
    text = shared_text(Template(SCRIPT), both)
    for index, each in enumerate(both):
        node = Machine(tmp_path / str(index), text, index=str(index))
        assert node.told is not None
        assert node.told[0] == each["hostname"]


def test_a_script_for_another_interpreter_with_signs_of_the_shell_s_own(tmp_path: Path) -> None:
    program = "#!/usr/bin/env python3\nprint('{hostname}', '@0@', '$HOME `id` \\\\n', file=open('told', 'w'))\n"
    text = shared_text(Template(program), nodes(3))
    assert Machine(tmp_path / "node", text, index="2").told == ["compute2 @0@ $HOME `id` \\n"]


def test_what_is_the_same_for_all_needs_no_list() -> None:
    template = Template("#cloud-config\n# {size} in {domain}\n")
    assert is_sharable(Template("#cloud-config\n# {size}\n"))
    assert shared_text(template, nodes(3)) == template.filled(values(0))


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("#cloud-config\nhostname: {hostname}\n", "does not begin with #!"),
        ("#!/bin/sh\necho '{hostname}'\nEND_OF_TEXT\n", "has a line END_OF_TEXT"),
    ],
)
def test_what_cannot_be_shared(text: str, wrong: str) -> None:
    with pytest.raises(CannotBeShared, match=wrong):
        shared_text(Template(text), nodes(2))


def test_a_value_that_would_break_the_list() -> None:
    with pytest.raises(CannotBeShared, match=r"a value has a \|"):
        shared_text(Template(SCRIPT), [values(0, hostname="a|b"), values(1)])


def test_only_a_script_is_sharable_where_nodes_differ() -> None:
    assert is_sharable(Template(SCRIPT))
    assert not is_sharable(Template("#cloud-config\nhostname: {hostname}\n"))


def test_a_hundred_nodes_have_room() -> None:
    """Ping secrets are of 50 characters."""
    ping = "https://ping.example.com/arvados/v1/nodes/{}/ping?ping_secret={}"
    many = [values(n, ping_url=ping.format(values(n)["uuid"], token_hex(25))) for n in range(100)]
    assert len(shared_text(Template(SCRIPT), many)) < 16_384


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
def test_shellcheck_finds_nothing(tmp_path: Path, text: str) -> None:
    path = tmp_path / "user-data"
    path.write_text(text)
    run = subprocess.run(["shellcheck", "-s", "sh", str(path)], capture_output=True, text=True, check=False)
    assert run.stdout == ""
