"""Where a daemon is found, unless its configuration or somebody's command line says otherwise."""

from __future__ import annotations

CONFIG = "/etc/arvados-node-manager/config.ini"  # as the service unit has it
STATE_DIR = "/var/lib/arvados-node-manager"  # of the service unit: used when neither file nor environment names one
SOCKET_NAME = "manage.sock"  # in the state directory
DRY_RUN_FOLDER = "dry-run"  # in the state directory: a dry run shares nothing with the daemon that it runs beside
