"""What the services of a whole OpenStack control plane are told: their configuration files, in one folder.

Everything is on loopback. The database is reached by its socket, the cell's by another name of it, so that the cell
alone can be cut off.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

SERVICE_PASSWORD = "service-password"  # noqa: S105 - of the services among themselves, on loopback
DATABASES = ("keystone", "placement", "glance", "neutron", "nova_api", "nova", "nova_cell0")
CELL_USER = "cell"  # of the database: reaches the servers of the cell
HOST = "host1"  # the first that computes

_KEYSTONE = """\
[DEFAULT]
log_file = {log}/keystone.log
[database]
connection = {keystone}
max_pool_size = 3
[fernet_tokens]
key_repository = {folder}/keys/fernet
[fernet_receipts]
key_repository = {folder}/keys/fernet
[credential]
key_repository = {folder}/keys/credential
[cache]
enabled = false
[identity]
password_hash_rounds = 4
"""
_PLACEMENT = """\
[DEFAULT]
log_file = {log}/placement.log
[api]
auth_strategy = keystone
[placement_database]
connection = {placement}
sync_on_startup = true
"""
_GLANCE = """\
[DEFAULT]
log_file = {log}/glance.log
enabled_backends = disk:file
worker_self_reference_url = {glance_url}
node_staging_uri = file://{folder}/images/staging
[database]
connection = {glance}
[paste_deploy]
flavor = keystone
[glance_store]
default_backend = disk
[disk]
filesystem_store_datadir = {folder}/images
[os_glance_staging_store]
filesystem_store_datadir = {folder}/images/staging
[os_glance_tasks_store]
filesystem_store_datadir = {folder}/images/tasks
"""
_NEUTRON = """\
[DEFAULT]
log_file = {log}/neutron.log
core_plugin = ml2
service_plugins =
api_paste_config = {packages}/etc/neutron/api-paste.ini
transport_url = {broker}
dhcp_agent_notification = false
notify_nova_on_port_status_changes = false
notify_nova_on_port_data_changes = false
rpc_workers = 0
state_path = {folder}/state
[database]
connection = {neutron}
[oslo_concurrency]
lock_path = {folder}/locks
"""
_ML2 = """\
[ml2]
type_drivers = local
tenant_network_types = local
mechanism_drivers = sandbox
extension_drivers = port_security
[securitygroup]
enable_security_group = true
"""
_NOVA = """\
[DEFAULT]
log_file = {log}/nova.log
compute_driver = fake.FakeDriver
host = {host}
my_ip = 127.0.0.1
transport_url = {broker}
state_path = {state}
reserved_host_memory_mb = 0
cpu_allocation_ratio = {ratio}
vif_plugging_is_fatal = false
vif_plugging_timeout = 0
[api]
max_limit = {page}
auth_strategy = keystone
[api_database]
connection = {nova_api}
max_pool_size = 3
[database]
connection = {cell}
max_pool_size = 3
max_retries = 1
retry_interval = 1
[cinder]
catalog_info = volumev3::publicURL
[scheduler]
workers = 1
[conductor]
workers = 1
[oslo_concurrency]
lock_path = {folder}/locks
[quota]
instances = 1000
cores = 10000
ram = 100000000
[key_manager]
backend = nova.keymgr.conf_key_mgr.ConfKeyManager
"""
_ACCOUNT = """\
auth_url = {keystone_url}
auth_type = password
project_domain_name = Default
user_domain_name = Default
project_name = service
username = {user}
password = {password}
region_name = RegionOne
"""
_ML2_METADATA = "Metadata-Version: 2.1\nName: sandbox-ml2\nVersion: 1\n"
_ML2_ENTRY_POINT = "[neutron.ml2.mechanism_drivers]\nsandbox = openstack_ml2:PortBinder\n"


@dataclass(frozen=True, slots=True)
class PlanePorts:
    """Free ports on loopback, one for each service."""

    keystone: int
    placement: int
    glance: int
    neutron: int
    nova: int
    broker: int
    broker_peers: int  # of RabbitMQ's own nodes among themselves
    broker_names: int  # of epmd

    def url(self, service: str) -> str:
        """Where one of the APIs is."""
        return f"http://127.0.0.1:{getattr(self, service)}"


@dataclass(frozen=True, slots=True)
class PlaneConf:
    """The files, below `folder`. packages: the virtual environment; page: servers that nova lists at once."""

    folder: Path
    packages: Path
    ports: PlanePorts
    page: int

    @property
    def socket(self) -> Path:
        """Of the database."""
        return self.folder / "database.sock"

    @property
    def cell_socket(self) -> Path:
        """The same, for the cell: without it only the cell's database is away."""
        return self.folder / "cell.sock"

    def database(self, name: str) -> str:
        """The URL of one of the databases."""
        return f"mysql+pymysql://root@localhost/{name}?unix_socket={self.socket}&charset=utf8mb3"

    @property
    def broker(self) -> str:
        """The URL of the broker."""
        return f"rabbit://guest:guest@127.0.0.1:{self.ports.broker}/"

    def write(self) -> None:
        """Write all of them."""
        folder = self.folder
        for place in ("keys/fernet", "keys/credential", "images/staging", "images/tasks", "state", "locks", "log"):
            (folder / place).mkdir(parents=True, mode=0o700)
        for place in ("glance", "nova", "neutron/plugins/ml2", "ml2/sandbox_ml2.dist-info"):
            (folder / place).mkdir(parents=True)
        self._put("keystone.conf", _KEYSTONE)
        self._put("placement.conf", _PLACEMENT, self._middleware("placement", "placement"))
        self._put("glance/glance-api.conf", _GLANCE, self._middleware("glance", "image"))
        self._put("neutron/neutron.conf", _NEUTRON, self._middleware("neutron", "network"))
        self._put("neutron/plugins/ml2/ml2_conf.ini", _ML2)
        self._put("ml2/sandbox_ml2.dist-info/entry_points.txt", _ML2_ENTRY_POINT)
        self._put("ml2/sandbox_ml2.dist-info/METADATA", _ML2_METADATA)
        shutil.copy(Path(__file__).with_name("openstack_ml2.py"), folder / "ml2")
        shutil.copy(self.packages / "etc/glance/glance-api-paste.ini", folder / "glance")
        shutil.copy(self.packages / "etc/nova/api-paste.ini", folder / "nova")
        self.write_nova("nova/nova.conf", HOST)
        self.cell_socket.symlink_to(self.socket)

    def write_nova(self, name: str, host: str, cpu_ratio: float = 1.0) -> Path:
        """nova.conf of a host; where it is. cpu_ratio: servers may have so much of its CPUs."""
        state = self.folder / "state" / host
        state.mkdir()
        (state / "compute_id").write_text(str(uuid4()))  # else nova's fake hypervisor starts once, and never again
        asked = "".join(f"[{section}]\n{self._account('nova')}" for section in ("placement", "neutron", "glance"))
        sends = f"[service_user]\nsend_service_user_token = true\n{self._account('nova')}"
        return self._put(
            name,
            _NOVA,
            asked,
            sends,
            self._middleware("nova", "compute"),
            host=host,
            state=str(state),
            ratio=str(cpu_ratio),
        )

    def _put(self, name: str, template: str, *more: str, **values: str) -> Path:
        given = {
            "folder": self.folder,
            "log": self.folder / "log",
            "packages": self.packages,
            "page": self.page,
            "broker": self.broker,
            "glance_url": self.ports.url("glance"),
            "cell": f"mysql+pymysql://{CELL_USER}@localhost/nova?unix_socket={self.cell_socket}&charset=utf8mb3",
            **{name: self.database(name) for name in DATABASES},
        }
        path = self.folder / name
        path.write_text(template.format(**given, **values) + "".join(more))
        return path

    def _account(self, user: str) -> str:
        return _ACCOUNT.format(keystone_url=self.ports.url("keystone"), user=user, password=SERVICE_PASSWORD)

    def _middleware(self, user: str, service: str) -> str:
        told = f"[keystone_authtoken]\nwww_authenticate_uri = {self.ports.url('keystone')}\nservice_type = {service}\n"
        if service == "compute":
            told += "token_cache_time = -1\n"  # a token that was revoked is so at once
        return f"{told}service_token_roles_required = true\n{self._account(user)}"
