"""The clouds, and the options of the three sections whose names they decide."""

from __future__ import annotations

from arvnodeman.config.kinds import HOST, JSON, NAMES, NUMBER, SECRET, TEXT, WHOLE, YES_NO, choice
from arvnodeman.config.option import CREATE, CREDENTIALS, LISTING, Option

# The clouds that `[Cloud] provider` can name, each with its driver, as MODULE:CLASS. To add one, copy
# arvnodeman/cloud/template.py, and add a line here.
DRIVERS = {
    "sandbox": "arvnodeman.cloud.sandbox:SandboxDriver",
    "dummy": "arvnodeman.cloud.dummy:DummyDriver",
    "ec2": "arvnodeman.cloud.ec2:EC2Driver",
    "gce": "arvnodeman.cloud.gce:GCEDriver",
    "azure": "arvnodeman.cloud.azure:AzureDriver",
    "openstack": "arvnodeman.cloud.openstack:OpenStackDriver",
}
PROVIDERS = tuple(DRIVERS)

EC2, GCE, AZURE, OPENSTACK = ("ec2",), ("gce",), ("azure",), ("openstack",)
REAL = ("sandbox", "ec2", "gce", "azure", "openstack")
S = "seconds"

WITH_RESERVATIONS = ("sandbox", *EC2, *GCE)
WITHOUT_PREEMPTIBLE = (*AZURE, *OPENSTACK)  # these clouds' drivers have no preemptible nodes

TIMEOUT = Option(
    CREDENTIALS,
    "timeout",
    NUMBER,
    "",
    "The longest wait for one answer. Empty: 60; if another manager may lead, at most half of ttl minus margin.",
    S,
    above=0,
)
PING_HOST = Option(
    CREATE,
    "ping_host",
    HOST,
    "",
    "The Arvados API server as the nodes reach it; they send their pings there.",
    example="zyxwv.example.com",
    required_for=REAL,
)
ZONES = Option(
    CREATE,
    "zones",
    NAMES,
    "",
    "Where nodes may be, in the order in which the zones are tried: ids of subnets or availability zones (ec2), zones "
    "of one region (gce), availability zones (azure, openstack). If one has no room for a size, the next is tried at "
    "once; a size goes into back-off when all zones have. Empty: as the other options say.",
    providers=REAL,
)
SUBNETS = Option(
    CREATE,
    "subnet_id",
    TEXT,
    "",
    "Ids of subnets, separated by commas: several are `zones`, tried in this order.",
    providers=EC2,
)
CLOUD_OPTIONS: tuple[Option, ...] = (
    TIMEOUT,
    Option(
        CREDENTIALS,
        "key",
        SECRET,
        "",
        "Access key id (ec2), path of the key file (gce), client id (azure), user "
        "(openstack), or key of the site (sandbox).",
    ),
    Option(CREDENTIALS, "secret", SECRET, "", "Secret key or password.", providers=(*EC2, *AZURE, *OPENSTACK)),
    Option(
        CREDENTIALS, "region", TEXT, "", "Region. azure needs it; empty for ec2: libcloud's.", providers=(*EC2, *AZURE)
    ),
    Option(CREDENTIALS, "token", SECRET, "", "Session token of temporary credentials.", providers=EC2),
    Option(CREDENTIALS, "host", TEXT, "", "Host of the EC2 API, if it is not the region's own.", providers=EC2),
    Option(CREDENTIALS, "port", WHOLE, "", "Its port. Empty: that of https or http.", low=1, high=65535, providers=EC2),
    Option(CREDENTIALS, "secure", YES_NO, "yes", "Use https for it.", providers=EC2),
    Option(CREDENTIALS, "url", TEXT, "", "Address of the site, http://HOST:PORT.", providers=("sandbox",)),
    Option(CREDENTIALS, "creds", TEXT, "", "Any word.", providers=("dummy",)),
    Option(CREDENTIALS, "user_id", SECRET, "", "Service account, as an address.", providers=GCE),
    Option(CREDENTIALS, "project", TEXT, "", "Project.", providers=GCE),
    Option(CREDENTIALS, "datacenter", TEXT, "", "Zone.", providers=GCE),
    Option(CREDENTIALS, "auth_type", TEXT, "", "SA, IA or GCE. Empty: libcloud finds out.", providers=GCE),
    Option(CREDENTIALS, "scopes", TEXT, "", "Scopes, separated by commas. Empty: libcloud's.", providers=GCE),
    Option(CREDENTIALS, "credential_file", TEXT, "", "Where the access token is kept between runs.", providers=GCE),
    Option(CREDENTIALS, "tenant_id", SECRET, "", "Tenant.", providers=AZURE),
    Option(CREDENTIALS, "subscription_id", SECRET, "", "Subscription.", providers=AZURE),
    Option(CREDENTIALS, "ex_force_auth_url", TEXT, "", "Identity service, https://…:5000.", providers=OPENSTACK),
    Option(CREDENTIALS, "ex_force_auth_version", TEXT, "", "Empty: 3.x_password.", providers=OPENSTACK),
    Option(CREDENTIALS, "ex_tenant_name", TEXT, "", "Project.", providers=OPENSTACK),
    Option(CREDENTIALS, "ex_force_service_region", TEXT, "", "Region. Empty: libcloud's.", providers=OPENSTACK),
    Option(LISTING, "tags", TEXT, "", "Tags, separated by commas: our nodes have all of them.", providers=GCE),
    Option(LISTING, "ex_resource_group", TEXT, "", "Resource group of the nodes.", providers=AZURE, required_for=AZURE),
    PING_HOST,
    Option(CREATE, "ssh_key", TEXT, "", "A file with a public ssh key for the nodes.", providers=(*EC2, *GCE, *AZURE)),
    Option(
        CREATE,
        "user_data",
        TEXT,
        "",
        "A file with a template of the user data of new nodes: {ping_url}, {hostname}, {size} and other names in "
        "braces are replaced (doc/clouds/images.md). Empty: what existing images expect.",
        providers=(*EC2, *GCE, *AZURE, *OPENSTACK),
    ),
    Option(CREATE, "image_id", TEXT, "", "Id of the image: `ami-…`.", providers=EC2),
    SUBNETS,
    ZONES,
    Option(CREATE, "security_groups", TEXT, "", "Ids of security groups, separated by commas.", providers=EC2),
    Option(CREATE, "ex_keyname", TEXT, "", "Name of a key pair of the cloud.", providers=(*EC2, *OPENSTACK)),
    Option(CREATE, "ex_iamprofile", TEXT, "", "ARN of an instance profile.", providers=EC2),
    Option(CREATE, "volume_type", TEXT, "gp3", "Type of the scratch volume.", providers=EC2),
    Option(
        CREATE,
        "imds",
        choice("optional", "required"),
        "optional",
        "Whether a node must present a session token (IMDSv2) to read its metadata. Images that fetch their ping URL "
        "without one need `optional`.",
        providers=EC2,
    ),
    Option(
        CREATE,
        "imds_tags",
        choice("no", "yes"),
        "no",
        "Whether a node can read its own tags in its metadata. With `yes` the lease of node_lease is renewed with a "
        "tag instead of through Slurm. Names of tags must then not contain a blank or a slash.",
        providers=EC2,
    ),
    Option(
        CREATE,
        "image",
        TEXT,
        "",
        "Name or link of the image (gce), its URN or resource id (azure), or its name or id (openstack).",
        providers=(*GCE, *AZURE, *OPENSTACK),
    ),
    Option(
        CREATE, "network", TEXT, "", "Network. Empty: that of the subnetwork, or the project's default.", providers=GCE
    ),
    Option(CREATE, "subnetwork", TEXT, "", "Subnetwork.", providers=GCE),
    Option(
        CREATE,
        "service_accounts",
        JSON,
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
    Option(CREATE, "networks", TEXT, "", "Names or ids of networks, separated by commas.", providers=OPENSTACK),
    Option(CREATE, "ex_security_groups", TEXT, "", "Security groups, separated by commas.", providers=OPENSTACK),
    Option(CREATE, "ex_availability_zone", TEXT, "", "Availability zone.", providers=OPENSTACK),
)


def options_of_create(provider: str) -> frozenset[str]:
    """What this cloud's driver understands of [Cloud Create], `tag_NAME` aside; all else goes to libcloud."""
    mine = (option.key for option in CLOUD_OPTIONS if option.section == CREATE and provider in option.providers)
    return frozenset({PING_HOST.key, *mine})
