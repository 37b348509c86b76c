"""A real keystone on loopback, its database sqlite in memory. Run by the Python that has it: FOLDER PASSWORD.

It writes its port as one line, and serves until its standard input ends. There is one user, `admin`; all else is made
over its own API.
"""

import logging
import os
import sys
import threading
from pathlib import Path

from werkzeug.serving import WSGIRequestHandler, make_server

CONFIG = """\
[DEFAULT]
use_stderr = false
log_file = {folder}/keystone.log
[database]
connection = sqlite://
[fernet_tokens]
key_repository = {folder}/tokens
[fernet_receipts]
key_repository = {folder}/tokens
[credential]
key_repository = {folder}/credentials
[cache]
enabled = false
[identity]
password_hash_rounds = 4
"""


class _Quiet(WSGIRequestHandler):
    """Logs nothing."""

    def log(self, *_args: object) -> None:
        """Nothing."""


def made(folder: Path, password: str, url: str):
    """Keystone's WSGI application, with its tables, keys and administrator. url: where it says that it is."""
    config = folder / "keystone.conf"
    config.write_text(CONFIG.format(folder=folder))
    os.environ["OS_KEYSTONE_CONFIG_FILES"] = str(config)
    sys.argv = ["keystone"]  # it reads the command line
    from keystone.common import fernet_utils

    for name, kind in (("tokens", "fernet_tokens"), ("credentials", "credential")):
        (folder / name).mkdir(mode=0o700)
        fernet_utils.FernetUtils(str(folder / name), 3, kind).initialize_key_repository()
    from keystone.cmd import bootstrap
    from keystone.common.sql import upgrades

    application = wsgi_application()
    upgrades.offline_sync_database_to_version()
    bootstrap.backends.load_backends = lambda: None  # the application has loaded them
    admin = bootstrap.Bootstrapper()
    admin.admin_username = admin.project_name = admin.admin_role_name = "admin"
    admin.admin_password, admin.immutable_roles = password, True
    admin.service_name, admin.service_id, admin.region_id = "keystone", None, "RegionOne"
    admin.public_url = admin.internal_url = admin.admin_url = url
    admin.bootstrap()
    return application


def wsgi_application():
    """Keystone's, wherever this release has it."""
    try:
        from keystone.wsgi import api
    except ImportError:  # before 2024
        from keystone.server.wsgi import initialize_public_application

        return initialize_public_application()
    return api.application


def main() -> None:
    """Serve."""
    logging.disable(logging.WARNING)
    folder, password = Path(sys.argv[1]), sys.argv[2]
    server = make_server("127.0.0.1", 0, None, request_handler=_Quiet)
    server.app = made(folder, password, f"http://127.0.0.1:{server.server_port}/v3")
    threading.Thread(target=end_with_input, daemon=True).start()
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()  # here, and one request after the other: the database is this thread's


def end_with_input() -> None:
    """When it ends, so does all."""
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
