"""The state directory is on a filesystem that another host may have, too."""

from __future__ import annotations

from collections.abc import Iterator

from arvnodeman.doctor.base import Area, Check, findings
from arvnodeman.doctor.facts import Facts

# As /proc/self/mountinfo names them; those in user space as fuse.NAME.
OF_A_NETWORK = frozenset({"nfs", "nfs3", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "afs", "coda", "9p", "virtiofs"})
OF_A_NETWORK |= {"ceph", "glusterfs", "lustre", "beegfs", "gpfs", "orangefs", "pvfs2", "panfs", "wekafs", "quobyte"}
OF_A_NETWORK |= {"ocfs2", "gfs2", "sshfs", "ceph-fuse", "s3fs", "gcsfuse", "rclone", "juicefs", "moosefs", "lizardfs"}


def judge(facts: Facts) -> Iterator[str]:
    """A line at most."""
    kind = facts.filesystem()
    if kind.removeprefix("fuse.") not in OF_A_NETWORK:
        return
    if facts.settings().leader.elects:
        why = (
            "another manager with the same directory there either does not start, or writes into the files of this one"
        )
    else:
        why = "the daemon waits for each of its files as long as that server takes, and locks may not hold there"
    yield f"[Daemon] state_dir: {facts.state_dir()} is on {kind}, a filesystem that other hosts share: {why}"


CHECK = Check(
    name="shared-state-dir",
    area=Area.MACHINE,
    says="The state directory is on a network filesystem, where a manager on another host may have the same one.",
    mends="Give each manager a state directory of its own, on a disk of its host; nothing in it needs to be shared.",
    find=lambda facts: findings(judge(facts)),
    grave=False,
)
