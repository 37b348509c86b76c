"""What makes a new node watch for the cloud's notices: lines of shell for its user data, around notice.sh."""

from __future__ import annotations

import functools
import shlex
from importlib.resources import files

WITH_NOTICES = ("ec2", "gce", "azure")
"""The clouds that tell a node, in its metadata, that they take it back."""
PLACE = "/run/arv-notice.sh"
_END = "END_OF_ARV_NOTICE"


@functools.cache
def embedded(name: str) -> str:
    """A script of this room without its comments: user data is short."""
    text = files("arvnodeman.cloud").joinpath(name).read_text(encoding="utf-8")
    first, *lines = text.splitlines()
    kept = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    return "\n".join([first, *kept]) + "\n"


def watcher() -> str:
    """notice.sh, as a node has it."""
    return embedded("notice.sh")


def notice_watch(cloud: str, node: str) -> str:
    """Lines that write the watcher and start it, for this name in Slurm; nothing for a cloud that gives no notices."""
    if cloud not in WITH_NOTICES:
        return ""
    command = f"sh {PLACE} {cloud} {shlex.quote(node)}"
    return (
        f"cat > {PLACE} <<'{_END}'\n{watcher()}{_END}\n"
        "if [ -d /run/systemd/system ]; then\n"
        f"  systemd-run -q --unit=arv-notice -p Restart=on-failure -p RestartSec=5 {command}\n"
        "else\n"
        f"  setsid {command} </dev/null >/dev/null 2>&1 &\n"
        "fi"
    )
