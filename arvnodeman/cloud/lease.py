"""What makes a new node end itself once nobody manages it: lines of shell for its user data, around lease.sh."""

from __future__ import annotations

import shlex

from arvnodeman.cloud.notice import embedded

PLACE = "/usr/local/sbin/arv-lease"
_UNITS = "/etc/systemd/system/arv-lease"  # not in /run: a machine that is rebooted has its lease on
_END = "END_OF_ARV_LEASE"
_START = f"""\
if [ -d /run/systemd/system ]; then
  printf '[Service]\\nType=oneshot\\nTimeoutStartSec=300\\nExecStart=@COMMAND@\\n' > {_UNITS}.service
  printf '[Timer]\\nOnActiveSec=60\\nOnUnitInactiveSec=60\\nAccuracySec=5\\n[Install]\\nWantedBy=timers.target\\n' \\
    > {_UNITS}.timer
  systemctl daemon-reload
  systemctl enable -q --now arv-lease.timer
else
  setsid sh -c 'while sleep 60; do @COMMAND@; done' </dev/null >/dev/null 2>&1 &
fi"""


def lease_script() -> str:
    """lease.sh without its comments: user data is short."""
    return embedded("lease.sh")


def lease_watch(cloud: str, node: str, minutes: int) -> str:
    """Lines that write the script and have it started every minute, for this name in Slurm; nothing for 0 minutes."""
    if not minutes:
        return ""
    command = f"/bin/sh {PLACE} {cloud} {shlex.quote(node)} {minutes}"
    return f"cat > {PLACE} <<'{_END}'\n{lease_script()}{_END}\n" + _START.replace("@COMMAND@", command)
