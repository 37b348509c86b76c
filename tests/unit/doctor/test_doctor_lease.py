"""A lease of nodes that nothing comes of is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from arvnodeman.config import load
from arvnodeman.doctor.checks import lease_without_effect

FILE = """\
[Daemon]
dispatcher = {dispatcher}
node_lease = {lease}
[Arvados]
host = zyxwv.example.com
token = secret
[Cloud]
provider = ec2
shutdown_windows = 0, 1
[Cloud Credentials]
key = k
secret = s
[Cloud Create]
image_id = ami-1
ping_host = zyxwv.example.com
imds_tags = {tags}
{user_data}
[Size small]
cores = 1
"""


@pytest.mark.parametrize(
    ("lease", "dispatcher", "tags", "template", "told"),
    [
        (60, "slurm", "no", "#!/bin/sh\n{lease_watch}\n", ""),
        (60, "", "yes", "#!/bin/sh\n{lease_watch}\n", ""),
        (60, "", "no", "#!/bin/sh\n{lease_watch}\n", "dispatcher is not slurm"),
        (60, "slurm", "no", None, "there is no [Cloud Create] user_data"),
        (60, "slurm", "no", "#!/bin/sh\n{notice_watch}\n", "has no {lease_watch}"),
        (0, "", "no", None, ""),
    ],
)
def test_a_lease_without_effect(
    tmp_path: Path, lease: int, dispatcher: str, tags: str, template: str | None, told: str
) -> None:
    user_data = tmp_path / "user-data.sh"
    user_data.write_text(template or "")
    line = f"user_data = {user_data}" if template is not None else ""
    path = tmp_path / "site.cfg"
    path.write_text(FILE.format(lease=lease, dispatcher=dispatcher, tags=tags, user_data=line))
    found = list(lease_without_effect.judge(load(str(path))))
    assert len(found) == bool(told)
    assert told in "".join(found)
