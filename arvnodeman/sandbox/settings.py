"""Where a site is, and the daemon's configuration file for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from configparser import RawConfigParser
from dataclasses import asdict, dataclass, field
from pathlib import Path

from arvnodeman.sandbox.catalogue import Size
from arvnodeman.sandbox.real_slurm_conf import POKED
from arvnodeman.sandbox.wiring import PLACES, SiteOptions

_REAL_TAKES = 30.0  # real seconds: slurmctld's time-outs, the * after a RESUME, 9 s for each command while it is away


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteAddress:
    """What one must know to use a site. `bin`: the directory of the Slurm commands, to be put first on PATH;
    `slurm_conf`: with a real Slurm, its slurm.conf, and no `bin`; `cloud`: with another cloud than the sandbox's, the
    sections of the daemon's configuration that are about it; `records`: who keeps the node records there."""

    port: int
    pid: int
    bin: str
    speed: float
    slots: int
    cluster: str
    token: str
    key: str
    sizes: tuple[Size, ...]
    slurm_conf: str = ""
    records: str = "arvados"
    cloud: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """http://127.0.0.1:PORT."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def provider(self) -> str:
        """The cloud, as `[Cloud] provider` names it."""
        return str(self.cloud.get("Cloud", {}).get("provider", "sandbox"))

    @classmethod
    def of(
        cls,
        options: SiteOptions,
        port: int,
        pid: int,
        folder: str,
        slurm_conf: str = "",
        cloud: Mapping[str, Mapping[str, str]] | None = None,
    ) -> SiteAddress:
        """The address of a site with these options."""
        return cls(
            port=port,
            pid=pid,
            bin=folder,
            speed=options.speed,
            slots=options.slots,
            cluster=options.cluster,
            token=options.token,
            key=options.key,
            sizes=options.sizes,
            slurm_conf=slurm_conf,
            records=options.records,
            cloud=cloud or {},
        )

    @classmethod
    def from_line(cls, line: str) -> SiteAddress:
        """Read what `line()` wrote. Raises ValueError."""
        given = json.loads(line)
        return cls(**{**given, "sizes": tuple(Size(**size) for size in given["sizes"])})

    def line(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self))


def config_options(site: SiteAddress) -> dict[str, dict[str, object]]:
    """Sections and options that fit a site: times in real seconds, as fast as its speed allows."""
    second = 1 / site.speed  # one simulated second, in real ones
    longest_boot = max(size.boot for size in site.sizes)
    # a real Slurm or nova is not faster than life
    slow = _REAL_TAKES if site.slurm_conf or site.provider == "openstack" else 0.0
    daemon: dict[str, object] = {
        "dispatcher": "slurm",
        "min_nodes": 0,
        "max_nodes": site.slots,
        "poll_time": _at_least(10 * second, 0.25),
        "max_poll_time": _at_least(120 * second, 2.0),
        "poll_stale_after": _at_least(120 * second, 5.0 + slow / 2),
        "boot_fail_after": _at_least(4 * longest_boot * second, 5.0) + slow,
        "node_stale_after": _at_least(1200 * second, 20.0 + slow),
        "consecutive_idle_count": 2,
        "quota_retry_after": _at_least(60 * second, 1.0),
        "size_retry_after": _at_least(60 * second, 1.0),
        "use_within": _at_least(180 * second, 5.0) + slow,
        "vain_retry_after": _at_least(300 * second, 5.0),
        "drain_poll_time": _at_least(5 * second, 0.25),
        "stop_timeout": _at_least(120 * second, 5.0),
        "watchdog": 60,
    }
    sections: dict[str, dict[str, object]] = {
        "Daemon": daemon,
        "Manage": {"address": "127.0.0.1", "port": -1},
        "Logging": {"file": "/dev/stderr", "level": "INFO"},
        "Arvados": {
            "host": site.url,
            "token": site.token,
            "timeout": 15,
            "jobs_queue": "yes",
            "slurm_queue": "yes",
        },
        "Cloud": {"provider": "sandbox", "shutdown_windows": f"{_at_least(second, 0.02) / 60:.6f}, 1000"},
        "Cloud Credentials": {"key": site.key, "url": f"{site.url}/cloud", "timeout": 15},
        "Cloud List": {"tag_arvados_node_manager": site.cluster},
        "Cloud Create": {"ping_host": site.url},
    }
    for size in site.sizes:
        sections[f"Size {size.id}"] = {"cores": size.cores}
        more = {"gres": size.gres, "partitions": size.partitions}
        sections[f"Size {size.id}"] |= {name: text for name, text in more.items() if text}
    if site.records != "arvados":
        del sections["Cloud Create"]  # nobody is pinged
    if site.records == "slurm":
        del sections["Arvados"]
    elif site.records == PLACES:
        sections["Arvados"] = {"node_records": PLACES}
        daemon["poke_file"] = str(Path(site.slurm_conf).with_name(POKED))
    elif site.records != "arvados":
        sections["Arvados"]["node_records"] = "slurm"
    if site.cloud:
        sections["Cloud Credentials"] = {}
    for name, options in site.cloud.items():
        sections.setdefault(name, {}).update(options)
    return sections


def write_config(
    site: SiteAddress,
    path: Path,
    overrides: Mapping[str, Mapping[str, object] | None] | None = None,
    **daemon: object,
) -> None:
    """Write a whole configuration file for the site.

    `overrides` adds to sections or replaces options in them, None takes a section away; `daemon`: options of [Daemon].
    Raises OSError.
    """
    sections = config_options(site)
    sections["Daemon"] |= daemon
    for name, options in (overrides or {}).items():
        if options is None:
            sections.pop(name, None)
        else:
            sections.setdefault(name, {}).update(options)
    parser = RawConfigParser()
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # keep the case of names
    parser.read_dict({name: {key: str(value) for key, value in options.items()} for name, options in sections.items()})
    with path.open("w", encoding="utf-8") as file:
        parser.write(file)


def _at_least(seconds: float, floor: float) -> float:
    return round(max(seconds, floor), 3)
