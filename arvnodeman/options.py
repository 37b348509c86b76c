"""Every option of the configuration file, declared once.

The parser (config.py), `check-config`, nodemanager.cfg.example and doc/configuration.md are all made from OPTIONS. To
add an option, add a line here and, for a [Daemon] option, a field to settings.DaemonSettings; then run
`python -m arvnodeman.reference`, which writes the two files again.
"""

from __future__ import annotations

from arvnodeman.option import ARVADOS, CLOUD, CREATE, CREDENTIALS, DAEMON, LISTING, LOGGING, MANAGE, SIZE, Kind, Option

PROVIDERS = ("sandbox", "dummy", "ec2", "gce", "azure", "openstack")
WITHOUT_PREEMPTIBLE = ("azure", "openstack")  # these clouds' drivers have no preemptible nodes
DISPATCHERS = ("", "slurm")
LEVELS = ("CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG", "NOTSET")

FORMATS = ("text", "json")  # of log lines

TEXT, SECRET, WORD, WHOLE, NUMBER, YES_NO = Kind.TEXT, Kind.SECRET, Kind.WORD, Kind.WHOLE, Kind.NUMBER, Kind.YES_NO
EC2, GCE, AZURE, OPENSTACK = ("ec2",), ("gce",), ("azure",), ("openstack",)
REAL = ("sandbox", "ec2", "gce", "azure", "openstack")
S, MIN, MB, GB, USD = "seconds", "minutes", "MB", "GB", "$/hour"

OPTIONS: tuple[Option, ...] = (
    Option(MANAGE, "address", TEXT, "127.0.0.1", "The address to listen on; 0.0.0.0 is all of this machine's."),
    Option(MANAGE, "port", WHOLE, "-1", "The TCP port to listen on. Below 0: none; 0: any free one.", high=65535),
    Option(
        MANAGE,
        "ManagementToken",
        WORD,
        "",
        "What requests must show as `Authorization: Bearer TOKEN`. Empty: /_health/ping is turned off, and what else "
        "needs a token is served to this machine only.",
    ),
    Option(
        DAEMON,
        "dispatcher",
        Kind.CHOICE,
        "",
        "`slurm` drains nodes in Slurm before they are destroyed and keeps their features and weights. Empty: Slurm's "
        "nodes are never touched.",
        choices=DISPATCHERS,
    ),
    Option(DAEMON, "min_nodes", WHOLE, "0", "Keep at least so many nodes, filled with the cheapest size.", low=0),
    Option(
        DAEMON, "max_nodes", WHOLE, "1", "Never more nodes than this, counting all that exist or are booting.", low=0
    ),
    Option(
        DAEMON,
        "max_total_price",
        NUMBER,
        "0",
        "Never boot a node with which all that exist or are booting would cost more than this. 0: no limit.",
        USD,
        low=0,
    ),
    Option(
        DAEMON,
        "max_price_factor",
        NUMBER,
        "1.5",
        "While the cheapest size that fits a job cannot be had, take a dearer one up to so many times its price.",
        low=1,
    ),
    Option(DAEMON, "poll_time", NUMBER, "60", "The time between two polls of one list.", S, above=0),
    Option(DAEMON, "cloudlist_poll_time", NUMBER, "0", "The same for the cloud's nodes. 0: poll_time.", S, low=0),
    Option(DAEMON, "nodelist_poll_time", NUMBER, "0", "The same for node records and Slurm. 0: poll_time.", S, low=0),
    Option(DAEMON, "wishlist_poll_time", NUMBER, "0", "The same for the job queue. 0: poll_time.", S, low=0),
    Option(
        DAEMON,
        "max_poll_time",
        NUMBER,
        "300",
        "The longest wait after a failed poll or request; waits double up to it.",
        S,
        above=0,
    ),
    Option(
        DAEMON,
        "poll_stale_after",
        NUMBER,
        "600",
        "While any list is older than this, nothing is booted, stopped or cancelled.",
        S,
        above=0,
    ),
    Option(
        DAEMON,
        "poll_hopeless_after",
        NUMBER,
        "",
        "When a list has not been read for so long, the daemon ends itself, to be restarted. 0: never. Empty: 10 times "
        "poll_stale_after.",
        S,
        low=0,
    ),
    Option(
        DAEMON,
        "boot_fail_after",
        NUMBER,
        "1800",
        "A node that has not come up so long after its start is taken for broken and may be shut down.",
        S,
        above=0,
    ),
    Option(
        DAEMON,
        "node_stale_after",
        NUMBER,
        "7200",
        "A ping or a node record older than this says nothing any more; a record so old may be used again.",
        S,
        above=0,
    ),
    Option(
        DAEMON,
        "consecutive_idle_count",
        WHOLE,
        "2",
        "Polls in a row that must find a node idle before it may be shut down.",
        "polls",
        low=0,
    ),
    Option(
        DAEMON,
        "node_mem_scaling",
        NUMBER,
        "0.95",
        "The share of a node's advertised RAM that jobs can count on.",
        above=0,
        high=2,
    ),
    Option(DAEMON, "boot_attempts", WHOLE, "10", "Tries of one boot before it is given up.", "tries", low=1),
    Option(
        DAEMON,
        "quota_retry_after",
        NUMBER,
        "60",
        "After the cloud refused a node for quota, wait so long before one more is tried; doubles up to 15 minutes.",
        S,
        above=0,
    ),
    Option(
        DAEMON,
        "size_retry_after",
        NUMBER,
        "60",
        "A size that cannot be had rests so long before one node of it is tried; doubles up to 15 minutes.",
        S,
        above=0,
    ),
    Option(DAEMON, "drain_poll_time", NUMBER, "10", "How often Slurm is asked whether a node has drained.", S, above=0),
    Option(
        DAEMON,
        "max_concurrent_cloud_ops",
        WHOLE,
        "16",
        "Boots and shutdowns whose requests may run at once; one place is kept for shutdowns.",
        low=2,
        high=1000,
    ),
    Option(
        DAEMON,
        "cancel_unsatisfiable",
        YES_NO,
        "yes",
        "Cancel a job that no configured size can ever run, with the reason logged on it.",
    ),
    Option(
        DAEMON,
        "keep_drained",
        YES_NO,
        "no",
        "Leave nodes alone that somebody else drained in Slurm. With `no` they are taken for broken and go.",
    ),
    Option(
        DAEMON,
        "watchdog",
        NUMBER,
        "600",
        "A part of the daemon that does not answer for so long ends the process, to be restarted.",
        S,
        above=0,
    ),
    Option(DAEMON, "watchdog_interval", NUMBER, "20", "How often the watchdog asks.", S, above=0),
    Option(
        DAEMON, "stop_timeout", NUMBER, "60", "When told to stop, wait so long for boots that are under way.", S, low=0
    ),
    Option(
        DAEMON,
        "certs_file",
        TEXT,
        "",
        "A file of CA certificates to check the API server with. Empty: the system's.",
    ),
    Option(
        DAEMON,
        "state_dir",
        Kind.FOLDER,
        "",
        "A directory for what the daemon leaves to its next run and to people: why it ended, and a socket for the "
        "command line. Empty: $STATE_DIRECTORY, as systemd sets it; when that is empty too, none.",
    ),
    Option(LOGGING, "file", TEXT, "/dev/stderr", "The file that log lines are added to."),
    Option(
        LOGGING,
        "format",
        Kind.CHOICE,
        "text",
        "`json`: each line is an object with time, level, logger, pid and message, and with error for a traceback.",
        choices=FORMATS,
    ),
    Option(
        LOGGING, "level", Kind.LEVEL, "WARNING", "The level of all loggers that have none of their own.", choices=LEVELS
    ),
    Option(ARVADOS, "host", Kind.HOST, None, "The API server.", example="zyxwv.example.com"),
    Option(
        ARVADOS,
        "token",
        WORD,
        None,
        "A token that may read and change all nodes and jobs: an administrator's.",
        example="replace-with-an-administrator-token",
    ),
    Option(ARVADOS, "timeout", NUMBER, "15", "The longest wait for one answer.", S, above=0),
    Option(ARVADOS, "insecure", YES_NO, "no", "Do not check the server's certificate."),
    Option(ARVADOS, "jobs_queue", YES_NO, "yes", "Read waiting jobs from Arvados' own jobs queue."),
    Option(
        ARVADOS, "slurm_queue", YES_NO, "yes", "Read waiting jobs from Slurm's queue, and nodes' states from Slurm."
    ),
    Option(CLOUD, "provider", Kind.CHOICE, None, "The cloud.", choices=PROVIDERS, example="ec2"),
    Option(
        CLOUD,
        "shutdown_windows",
        Kind.WINDOWS,
        None,
        "When an idle node may be shut down, counted from its start: so long not, then so long yes, and so on for "
        "ever. `54, 5, 1` is minutes 54 to 59 of each hour, for clouds that bill by the hour. With an odd count the "
        "first number is merged into the last closed one.",
        MIN,
        example="54, 5, 1",
    ),
    Option(CLOUD, "driver_class", Kind.DOTTED, "", "A class that replaces the cloud's libcloud driver. Empty: none."),
    Option(CREDENTIALS, "timeout", NUMBER, "", "The longest wait for one answer. Empty: libcloud's.", S, above=0),
    Option(
        CREDENTIALS,
        "key",
        SECRET,
        "",
        "Access key id (ec2), path of the key file (gce), client id (azure), user "
        "(openstack), or key of the site (sandbox).",
    ),
    Option(CREDENTIALS, "secret", SECRET, "", "Secret key or password.", providers=(*EC2, *AZURE, *OPENSTACK)),
    Option(CREDENTIALS, "region", TEXT, "", "Region. Empty: libcloud's.", providers=(*EC2, *AZURE)),
    Option(CREDENTIALS, "creds", TEXT, "", "Any word.", providers=("dummy",)),
    Option(CREDENTIALS, "user_id", SECRET, "", "Service account, as an address.", providers=GCE),
    Option(CREDENTIALS, "project", TEXT, "", "Project.", providers=GCE),
    Option(CREDENTIALS, "datacenter", TEXT, "", "Zone.", providers=GCE),
    Option(CREDENTIALS, "auth_type", TEXT, "", "SA, IA or GCE. Empty: libcloud finds out.", providers=GCE),
    Option(CREDENTIALS, "scopes", TEXT, "", "Scopes, with commas between. Empty: libcloud's.", providers=GCE),
    Option(CREDENTIALS, "credential_file", TEXT, "", "Where the access token is kept between runs.", providers=GCE),
    Option(CREDENTIALS, "tenant_id", SECRET, "", "Tenant.", providers=AZURE),
    Option(CREDENTIALS, "subscription_id", SECRET, "", "Subscription.", providers=AZURE),
    Option(CREDENTIALS, "ex_force_auth_url", TEXT, "", "Identity service, https://…:5000.", providers=OPENSTACK),
    Option(CREDENTIALS, "ex_force_auth_version", TEXT, "", "Empty: 3.x_password.", providers=OPENSTACK),
    Option(CREDENTIALS, "ex_tenant_name", TEXT, "", "Project.", providers=OPENSTACK),
    Option(CREDENTIALS, "ex_force_service_region", TEXT, "", "Region. Empty: libcloud's.", providers=OPENSTACK),
    Option(LISTING, "tags", TEXT, "", "Tags with commas between: ours carry them all.", providers=GCE),
    Option(LISTING, "ex_resource_group", TEXT, "", "Resource group of the nodes.", providers=AZURE, required_for=AZURE),
    Option(
        CREATE,
        "ping_host",
        Kind.HOST,
        "",
        "The Arvados API server as the nodes reach it; they send their pings there.",
        example="zyxwv.example.com",
        required_for=REAL,
    ),
    Option(CREATE, "ssh_key", TEXT, "", "A file with a public ssh key for the nodes.", providers=(*EC2, *GCE, *AZURE)),
    Option(CREATE, "image_id", TEXT, "", "Id of the image: `ami-…`.", providers=EC2),
    Option(CREATE, "subnet_id", TEXT, "", "Id of the subnet: `subnet-…`.", providers=EC2),
    Option(CREATE, "security_groups", TEXT, "", "Ids of security groups, with commas between.", providers=EC2),
    Option(CREATE, "ex_keyname", TEXT, "", "Name of a key pair of the cloud.", providers=(*EC2, *OPENSTACK)),
    Option(CREATE, "ex_iamprofile", TEXT, "", "ARN of an instance profile.", providers=EC2),
    Option(CREATE, "volume_type", TEXT, "gp3", "Type of the scratch volume.", providers=EC2),
    Option(
        CREATE,
        "image",
        TEXT,
        "",
        "Name of the image (gce), its URN (azure), or its name or id (openstack).",
        providers=(*GCE, *AZURE, *OPENSTACK),
    ),
    Option(CREATE, "network", TEXT, "", "Network. Empty: the project's default.", providers=GCE),
    Option(CREATE, "subnetwork", TEXT, "", "Subnetwork.", providers=GCE),
    Option(
        CREATE,
        "service_accounts",
        Kind.JSON,
        "",
        "Service accounts of the nodes with their scopes, a JSON list.",
        providers=GCE,
    ),
    Option(CREATE, "ex_user_name", TEXT, "", "The account that the ssh key opens.", providers=AZURE),
    Option(CREATE, "ex_storage_account", TEXT, "", "Storage account. Empty: managed disks.", providers=AZURE),
    Option(CREATE, "ex_network", TEXT, "", "Virtual network.", providers=AZURE),
    Option(CREATE, "ex_subnet", TEXT, "", "Subnet of it.", providers=AZURE),
    Option(
        CREATE,
        "tag_arvados-class",
        TEXT,
        "",
        "A tag by which our nodes are known.",
        providers=AZURE,
        required_for=AZURE,
    ),
    Option(CREATE, "networks", TEXT, "", "Networks, with commas between.", providers=OPENSTACK),
    Option(CREATE, "ex_security_groups", TEXT, "", "Security groups, with commas between.", providers=OPENSTACK),
    Option(CREATE, "ex_availability_zone", TEXT, "", "Availability zone.", providers=OPENSTACK),
    Option(SIZE, "cores", WHOLE, None, "Cores that jobs can count on.", low=1, example="2"),
    Option(SIZE, "instance_type", TEXT, "", "The provider's type, by id or name. Empty: NAME."),
    Option(SIZE, "price", NUMBER, "", "Price of a node. Empty: the provider's.", USD, above=0),
    Option(SIZE, "ram", NUMBER, "", "RAM before node_mem_scaling; 0: unknown. Empty: the provider's.", MB, low=0),
    Option(SIZE, "disk", NUMBER, "", "Disk; 0: unknown. Empty: the provider's.", GB, low=0),
    Option(SIZE, "scratch", NUMBER, "", "Scratch space; 0: unknown. Empty: disk × 1000.", MB, low=0),
    Option(SIZE, "bandwidth", NUMBER, "", "Network bandwidth. Empty: the provider's.", low=0),
    Option(SIZE, "preemptible", YES_NO, "no", "Boot spot or preemptible nodes (ec2, gce)."),
)

_BY_NAME = {(option.section, option.key): option for option in OPTIONS}


def find(section: str, name: str) -> Option | None:
    """The option of that name in the section (for sizes: SIZE), whatever its case; None when it is unknown."""
    return _BY_NAME.get((section, name.lower()))


def of_section(section: str) -> tuple[Option, ...]:
    """The options of one section, in the order of the table."""
    return tuple(option for option in OPTIONS if option.section == section)
