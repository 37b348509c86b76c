"""Every option of the configuration file, declared once.

The parser (config.py), `check-config`, nodemanager.cfg.example and doc/configuration.md are all made from OPTIONS. To
add an option, add a line here (for the sections of the cloud: in cloud_options.py) and, for a [Daemon] option, a field
to settings.DaemonSettings; then run `python -m arvnodeman.config.reference`, which writes the two files again.
"""

from __future__ import annotations

from arvnodeman.config.cloud_options import CLOUD_OPTIONS
from arvnodeman.config.option import ARVADOS, DAEMON, LOGGING, MANAGE, SIZE, Kind, Option

WITHOUT_PREEMPTIBLE = ("azure", "openstack")  # these clouds' drivers have no preemptible nodes
DISPATCHERS = ("", "slurm")
KEEPERS = ("auto", "arvados", "slurm")
LEVELS = ("CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG", "NOTSET")

FORMATS = ("text", "json")  # of log lines

TEXT, WORD, WHOLE, NUMBER, YES_NO = Kind.TEXT, Kind.WORD, Kind.WHOLE, Kind.NUMBER, Kind.YES_NO
S, MB, GB, USD = "seconds", "MB", "GB", "$/hour"

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
        no_limit=0,
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
    Option(
        DAEMON,
        "use_within",
        NUMBER,
        "180",
        "A node that Slurm has not used for so long, and for three node polls, is kept no longer for the jobs that "
        "wait for it; should be two of Slurm's scheduling cycles (`bf_interval`, `sched_interval`) at least.",
        S,
        above=0,
    ),
    Option(
        DAEMON,
        "vain_retry_after",
        NUMBER,
        "300",
        "When Slurm did not use a node for the jobs that it was up for, none is booted for jobs like them so long, "
        "then one as a probe; doubles up to 48 times that.",
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
        "max_cloud_ops_per_second",
        NUMBER,
        "10",
        "Requests to the cloud that create or destroy a node, all together; destroys come first. 0: no limit.",
        "requests/second",
        low=0,
        high=10_000,
        no_limit=0,
    ),
    Option(
        DAEMON,
        "cancel_unsatisfiable",
        YES_NO,
        "",
        "Cancel a job that no configured size can ever run, with the reason logged on it. Empty: yes where there is an "
        "[Arvados] host. Without one the reason goes into the job's AdminComment in any case.",
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
        "node_names",
        Kind.HOSTLIST,
        "",
        "Where Slurm keeps the node records: the names in slurm.conf that new nodes may get, as `cloud[1-20]`. Empty: "
        "all nodes of `partitions`, but compute0.",
    ),
    Option(
        DAEMON,
        "partitions",
        TEXT,
        "",
        "The partitions of Slurm whose nodes are ours where node_names is empty, with commas between. Empty: all.",
    ),
    Option(
        DAEMON,
        "job_name_pattern",
        TEXT,
        "",
        "Only jobs in Slurm whose name contains this count. Empty: `-dz642-`, as Arvados names its jobs, where there "
        "is an [Arvados] host; else every job counts.",
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
    Option(
        DAEMON,
        "watchdog_interval",
        NUMBER,
        "",
        "How often the watchdog asks. Empty: a tenth of watchdog, at least 0.5 and at most 20.",
        S,
        above=0,
    ),
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
    Option(
        DAEMON,
        "history_days",
        WHOLE,
        "90",
        "How long the history file in the state directory goes back: lives of nodes, costs, waits, decisions. 0: none "
        "is written.",
        "days",
        low=0,
        high=3660,
    ),
    Option(
        DAEMON,
        "journal",
        YES_NO,
        "yes",
        "Keep what the daemon was told, at most 64 MB of it and without secrets, in the state directory: with it what "
        "was decided can be looked into, and decided again.",
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
    Option(
        ARVADOS,
        "host",
        Kind.HOST,
        "",
        "The API server. Empty: there is no Arvados, Slurm is alone (dispatcher = slurm).",
        example="zyxwv.example.com",
        live=True,
    ),
    Option(
        ARVADOS,
        "token",
        WORD,
        "",
        "A token that may read and change all nodes and jobs: an administrator's. Required with `host`.",
        example="replace-with-an-administrator-token",
        live=True,
    ),
    Option(ARVADOS, "timeout", NUMBER, "15", "The longest wait for one answer.", S, above=0),
    Option(ARVADOS, "insecure", YES_NO, "no", "Do not check the server's certificate."),
    Option(ARVADOS, "jobs_queue", YES_NO, "yes", "Read waiting jobs from Arvados' own jobs queue."),
    Option(
        ARVADOS, "slurm_queue", YES_NO, "yes", "Read waiting jobs from Slurm's queue, and nodes' states from Slurm."
    ),
    Option(
        ARVADOS,
        "node_records",
        Kind.CHOICE,
        "auto",
        "Who keeps the node records: `arvados`, the API server (up to 2.7), or `slurm`, whose node names are the "
        "records. `auto`: the API server where it still does, else Slurm.",
        choices=KEEPERS,
    ),
    *CLOUD_OPTIONS,
    Option(SIZE, "cores", WHOLE, None, "Cores that jobs can count on.", low=1, example="2"),
    Option(SIZE, "instance_type", TEXT, "", "The provider's type, by id or name. Empty: NAME."),
    Option(SIZE, "price", NUMBER, "", "Price of a node. Empty: the provider's.", USD, above=0),
    Option(SIZE, "ram", NUMBER, "", "RAM before node_mem_scaling; 0: unknown. Empty: the provider's.", MB, low=0),
    Option(SIZE, "disk", NUMBER, "", "Disk; 0: unknown. Empty: the provider's.", GB, low=0),
    Option(SIZE, "scratch", NUMBER, "", "Scratch space; 0: unknown. Empty: disk × 1000.", MB, low=0),
    Option(SIZE, "bandwidth", NUMBER, "", "Network bandwidth. Empty: the provider's.", low=0),
    Option(SIZE, "preemptible", YES_NO, "no", "Boot spot or preemptible nodes (ec2, gce)."),
    Option(
        SIZE,
        "gres",
        Kind.GRES,
        "",
        "What a node has of the things that Slurm counts beside cores, memory and disk: `gpu:1`, or "
        "`gpu:tesla:2, license:4`. A job that asks for such things, by --gres or --gpus, gets a size that has them.",
    ),
    Option(
        SIZE,
        "partitions",
        Kind.NAMES,
        "",
        "The partitions of Slurm whose jobs this size serves: `gpu, debug`. Empty: all.",
    ),
    Option(
        SIZE,
        "features",
        Kind.FEATURES,
        "",
        "Features of Slurm that nodes of this size have beside `instancetype=NAME`: `avx512, ib`. A job that asks for "
        "one by --constraint gets a size, or a name in slurm.conf, that has it. Nodes of other sizes lose it.",
    ),
)

_BY_NAME = {(option.section, option.key): option for option in OPTIONS}


def find(section: str, name: str) -> Option | None:
    """The option of that name in the section (for sizes: SIZE), whatever its case; None when it is unknown."""
    return _BY_NAME.get((section, name.lower()))


def of_section(section: str) -> tuple[Option, ...]:
    """The options of one section, in the order of the table."""
    return tuple(option for option in OPTIONS if option.section == section)
