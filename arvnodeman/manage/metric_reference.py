"""Writes doc/metrics.md from the table of metrics.

`python -m arvnodeman.manage.metric_reference` writes it; a test compares it with the table.
"""

from __future__ import annotations

from pathlib import Path

from arvnodeman.fleet.nodes.milestones import BOUNDS
from arvnodeman.manage.metric_table import METRICS, PREFIX

PAGE = "doc/metrics.md"

_HEAD = f"""\
# Metrics

What `GET /metrics` shows, in Prometheus' text format or in OpenMetrics. `make docs` makes this page from the program's
own table. `doc/ops/` has a dashboard for Grafana and alert rules that use these metrics.

```yaml
scrape_configs:
  - job_name: arvados-node-manager
    authorization: {{credentials_file: /etc/prometheus/management-token}}
    static_configs: [{{targets: ["HOST:PORT"]}}]   # [Manage] address and port
```

Without a `[Manage] ManagementToken` the metrics are served to loopback only, and no credentials are needed. Counters
begin at 0 with each run, except `{PREFIX}restarts_total`. Values are read when somebody scrapes, and do not slow down
the daemon's decisions. Buckets of the histograms, in seconds:
{", ".join(f"{bound:g}" for bound in BOUNDS)}.
"""

_TAIL = f"""
The metrics of the process itself (`{PREFIX}process_resident_memory_bytes`, `…_cpu_seconds_total`, `…_open_fds`
and others) are those of prometheus_client.
"""


def page_text() -> str:
    """The text of doc/metrics.md."""
    rows = ["| metric | kind | labels | meaning |", "|---|---|---|---|"]
    rows += [
        f"| `{metric.full_name}` | {metric.kind.value} | {', '.join(f'`{label}`' for label in metric.labels)} |"
        f" {metric.meaning} |".replace("|  |", "| |")
        for metric in METRICS
    ]
    return _HEAD + "\n" + "\n".join(rows) + "\n" + _TAIL


def main() -> None:
    """Write the page into the source tree that this module stands in."""
    root = Path(__file__).parent.parent.parent
    (root / PAGE).write_text(page_text(), encoding="utf-8")


if __name__ == "__main__":
    main()
