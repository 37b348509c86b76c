"""What a new node is given to read when it starts: our own scripts, or the operator's template.

`[Cloud Create] user_data = FILE` names a text file, read when a driver is made. Names in braces are replaced for each
node; a brace that is meant literally is doubled, as in Python's str.format:

    #!/bin/sh
    hostname '{hostname}'
    curl -sf '{ping_url}'"&instance_id=${{ID}}"

NAMES are the names that can stand there, the same for every cloud. Values are put in as they are: in a shell script
write them in single quotes, since the ping URL has an `&` in it. None of them holds a quote, but for notice_watch and
lease_watch, which stand on lines of their own.
"""

from __future__ import annotations

import shlex
import string
from collections.abc import Mapping
from pathlib import Path

from arvnodeman.cloud.lease import lease_watch
from arvnodeman.cloud.notice import notice_watch
from arvnodeman.fleet.values.model import NodeRecord, NodeSize, Secret

NOTICE_WATCH = "notice_watch"
LEASE_WATCH = "lease_watch"
NAMES: Mapping[str, str] = {
    "ping_url": "the URL that the node is to call when it is up, and then every minute or so; it holds a secret",
    "hostname": "the node's hostname, as Slurm knows it",
    "domain": "its domain",
    "fqdn": "the two together",
    "name": "its name at the cloud",
    "size": "NAME of its [Size NAME] section",
    "instance_type": "its type at the cloud",
    "uuid": "its node record",
    "cluster": "the first five letters of that",
    NOTICE_WATCH: "lines of shell that start the watch for the cloud's notices; nothing where the cloud gives none",
    LEASE_WATCH: "lines of shell that let it end itself once nobody manages it; nothing where node_lease is 0",
}
LARGEST = 1_000_000  # characters of a template; each cloud has a limit of its own far below
NODE_DATA = "/var/tmp/arv-node-data"  # noqa: S108 (where existing images look for it)


class BadTemplate(ValueError):
    """A template that cannot be used; the text is one line that says why."""


class Template:
    """An operator's template, checked. `text` is the whole file."""

    def __init__(self, text: str) -> None:
        """Raises BadTemplate."""
        self.text = text
        try:
            parts = list(string.Formatter().parse(text))
            fields = [each for each in parts if each[1] is not None]
        except ValueError as error:
            raise BadTemplate(f"{error}; a literal brace is doubled: {{{{ or }}}}") from None
        for before, name, form, conversion in fields:
            if name not in NAMES or form or conversion:
                written = f"{name}{'!' + conversion if conversion else ''}{':' + form if form else ''}"
                raise BadTemplate(
                    f"there is no {{{' '.join(written.split())[:40]}}}; known names: {', '.join(NAMES)}; "
                    "a literal brace is doubled: {{ or }}"
                )
            if before.endswith("$"):
                raise BadTemplate(
                    f"${{{name}}} would become a $ and the node's {name}: for the shell's own variable write "
                    f"${{{{{name}}}}}, for the node's without the $"
                )

        self.names = frozenset(str(name) for _, name, _, _ in fields)  # of NAMES, those that are in it

    @classmethod
    def load(cls, path: str) -> Template:
        """Read a file. Raises BadTemplate, also for one that cannot be read."""
        try:
            text = Path(path).read_bytes().decode("utf-8")
        except OSError as error:
            raise BadTemplate(f"cannot read {path}: {error.strerror}") from None
        except ValueError:
            raise BadTemplate(f"{path} is not text in UTF-8") from None
        if text.startswith("\ufeff"):
            raise BadTemplate(f"{path} begins with a byte order mark (BOM), so a node cannot tell how to read it")
        if "\r" in text:
            raise BadTemplate(f"{path} has Windows line ends (CRLF): no node finds an interpreter of that name")
        if len(text) > LARGEST:
            raise BadTemplate(f"{path} has more than {LARGEST} characters")
        return cls(text)

    def least(self, values: Mapping[str, str]) -> str:
        """What is in it for every node: the text with nothing in the place of each name but these."""
        return self.text.format_map({**dict.fromkeys(NAMES, ""), **values})

    def filled(self, values: Mapping[str, str]) -> str:
        """The text for one node; values_for() makes the values."""
        return self.text.format_map(values)


def watches(cloud: str, node: str, lease: int) -> dict[str, str]:
    """The units that a node of this name is given, by what stands for each in a template. `lease`: minutes; 0: none."""
    return {NOTICE_WATCH: notice_watch(cloud, node), LEASE_WATCH: lease_watch(cloud, node, lease)}


def values_for(
    size: NodeSize, record: NodeRecord, name: str, ping_url: Secret, cloud: str = "", lease: int = 0
) -> dict[str, str]:
    """What NAMES stand for on this node. The dict holds the ping secret: it goes into the create request alone."""
    fqdn = record.fqdn or ""
    return {
        "ping_url": ping_url.reveal(),
        "hostname": record.hostname or "",
        "domain": fqdn.partition(".")[2],
        "fqdn": fqdn,
        "name": name,
        "size": size.id,
        "instance_type": size.provider_id,
        "uuid": record.uuid,
        "cluster": "" if record.is_name else record.uuid[:5],
        **watches(cloud, record.hostname or "", lease),
    }


def node_data_script(files: Mapping[str, str]) -> str:
    """A shell script that writes small files below NODE_DATA, where existing images look: path -> content. Each value
    is quoted (row I2), an empty one left out. `arv-ping-url`, `meta-data/instance-id` and `meta-data/instance-type` are
    what images read."""
    folder = f"{NODE_DATA}/meta-data"
    lines = [f"echo {shlex.quote(content)} > {NODE_DATA}/{path}" for path, content in files.items() if content]
    return "\n".join(["#!/bin/sh", f"mkdir -p {folder}", *lines]) + "\n"
