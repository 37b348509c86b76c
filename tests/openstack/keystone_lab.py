"""A real keystone on loopback, its database a file of sqlite. Run by the Python of the lab: FOLDER PASSWORD.

It writes its port as one line, and serves until its standard input ends. There is one user, `admin`; all else is made
over its own API.
"""

import logging
import os
import sys
import threading
from pathlib import Path

from werkzeug.serving import WSGIRequestHandler, make_server

FOLDER, PASSWORD = Path(sys.argv[1]), sys.argv[2]
CONFIG = f"""\
[DEFAULT]
use_stderr = false
log_file = {FOLDER}/keystone.log
[database]
connection = sqlite:///{FOLDER}/keystone.db
[fernet_tokens]
key_repository = {FOLDER}/tokens
[fernet_receipts]
key_repository = {FOLDER}/tokens
[credential]
key_repository = {FOLDER}/credentials
[cache]
enabled = false
[identity]
password_hash_rounds = 4
"""


class Quiet(WSGIRequestHandler):
    """Logs nothing."""

    protocol_version = "HTTP/1.1"

    def log(self, *_args: object) -> None:
        """Nothing."""


def made(url: str):
    """Keystone's WSGI application, with its tables, keys and administrator. url: where it says that it is."""
    config = FOLDER / "keystone.conf"
    config.write_text(CONFIG)
    os.environ["OS_KEYSTONE_CONFIG_FILES"] = str(config)
    sys.argv = ["keystone"]  # it reads the command line
    from keystone.common import fernet_utils

    for name, kind in (("tokens", "fernet_tokens"), ("credentials", "credential")):
        (FOLDER / name).mkdir(mode=0o700)
        fernet_utils.FernetUtils(str(FOLDER / name), 3, kind).initialize_key_repository()
    from keystone.cmd import bootstrap
    from keystone.common.sql import upgrades
    from keystone.wsgi import api

    upgrades.offline_sync_database_to_version()
    bootstrap.backends.load_backends = lambda: None  # the application has loaded them
    admin = bootstrap.Bootstrapper()
    admin.admin_username = admin.project_name = admin.admin_role_name = "admin"
    admin.admin_password, admin.immutable_roles = PASSWORD, True
    admin.service_name, admin.service_id, admin.region_id = "keystone", None, "RegionOne"
    admin.public_url = admin.internal_url = admin.admin_url = url
    admin.bootstrap()
    return api.application


def main() -> None:
    """Serve."""
    logging.disable(logging.WARNING)
    server = make_server("127.0.0.1", 0, None, threaded=True, request_handler=Quiet)
    server.app = made(f"http://127.0.0.1:{server.server_port}/v3")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    sys.stdin.read()
    os._exit(0)


main()
