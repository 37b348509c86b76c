"""The metrics: what they say, and that their page, their dashboard and their alerts know the same names."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from managed_world import Managed, jobs, policy
from prometheus_client.parser import text_string_to_metric_families
from world import BIG, MINUTE

from arvnodeman.commands import wording
from arvnodeman.fleet.messages import CreateNode, PrepareRecord, Step
from arvnodeman.fleet.values.model import ErrorKind, JobShape
from arvnodeman.manage.answers import SizeShown, StatusShown
from arvnodeman.manage.metric_readers import CLOUD_STEPS, OTHER_STEPS
from arvnodeman.manage.metric_reference import PAGE, page_text
from arvnodeman.manage.metric_table import METRICS, PREFIX, MetricKind
from arvnodeman.supervision.vitals import RefusedReload

ROOT = Path(__file__).resolve().parents[3]
OPS = ROOT / "doc/ops"
NAME = re.compile(PREFIX + r"\w+")


@pytest.fixture
def site(tmp_path: Path) -> Managed:
    return Managed(tmp_path)


Sample = tuple[str, tuple[tuple[str, str], ...]]


def scrape(site: Managed) -> dict[Sample, float]:
    """All samples, as Prometheus reads them."""
    text = site.get("/metrics").text
    return {
        (sample.name.removeprefix(PREFIX), tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def at(samples: dict[Sample, float], name: str, **labels: str) -> float:
    return samples[name, tuple(sorted(labels.items()))]


# ---- values ----------------------------------------------------------------------------------------------------------


def test_nodes_by_state_and_size_with_those_that_are_coming(tmp_path: Path) -> None:
    site = Managed(tmp_path, policy=policy(max_nodes=3, max_total_price=5.0, shutdown_windows=(1e9, 1.0)))
    site.world.node("compute1", "large", slurm="alloc")
    site.begin(*jobs(3, JobShape(size="small")))
    samples = scrape(site)
    assert at(samples, "nodes", state="busy", size="large") == 1
    assert at(samples, "nodes", state="booting", size="small") == 2
    assert at(samples, "nodes", state="idle", size="small") == 0
    assert at(samples, "price_limit_dollars_per_hour") == 5.0
    assert (at(samples, "max_nodes"), at(samples, "quota_nodes")) == (3, 3)
    assert at(samples, "jobs", standing="served") == 2
    assert at(samples, "jobs", standing="waiting") == 1
    assert at(samples, "operations_under_way", kind="boot") == 2


def test_polls_health_and_restarts(site: Managed) -> None:
    site.begin(*jobs(1))
    site.world.now += 7.0
    samples = scrape(site)
    assert at(samples, "poll_age_seconds", list="cloud") == 7.0
    assert at(samples, "poll_duration_seconds", list="records") == 0.25
    assert at(samples, "poll_items", list="queue") == 3
    assert at(samples, "longest_wait_seconds") == 7.0
    assert (at(samples, "healthy"), at(samples, "blocked"), at(samples, "dry_run")) == (1, 0, 0)
    assert at(samples, "restarts_total", cause="watchdog") == 2
    site.world.now += 4000.0
    assert at(scrape(site), "healthy") == 0


def test_the_times_of_a_nodes_life(site: Managed) -> None:
    site.begin(*jobs(1, JobShape(size="small")))
    site.world.obey()
    site.cycle()
    samples = scrape(site)
    assert at(samples, "node_created_to_listed_seconds_count") == 1
    assert at(samples, "node_created_to_listed_seconds_sum") == MINUTE
    assert at(samples, "node_created_to_listed_seconds_bucket", le="30") == 0
    assert at(samples, "node_created_to_listed_seconds_bucket", le="60") == 1
    assert at(samples, "node_created_to_listed_seconds_bucket", le="+Inf") == 1
    assert at(samples, "node_created_to_paired_seconds_count") == 0


def test_a_size_that_rests_and_how_its_boots_ended(site: Managed) -> None:
    site.begin(*jobs(1, JobShape(size="small")))
    site.world.obey(PrepareRecord, *(kind for kind in OTHER_STEPS if kind is not PrepareRecord))
    site.world.fail(site.world.one(CreateNode), ErrorKind.CAPACITY, "no room")
    site.world.obey()
    site.world.poll_queue()
    site.mark()
    samples = scrape(site)
    assert at(samples, "size_rest_seconds", size="small", why="the cloud has no capacity for it") == 60.0
    assert at(samples, "boots_total", outcome="refused_capacity") == 1


def test_throttling(site: Managed) -> None:
    site.begin(*jobs(1, BIG))
    site.world.fail(site.world.one(PrepareRecord), ErrorKind.THROTTLED, "slow down", retry_after=40.0)
    site.world.poll_cloud()
    samples = scrape(site)
    assert at(samples, "operations_throttled") == 1
    assert (at(samples, "throttled_requests_total"), at(samples, "throttle_wait_seconds_total")) == (1, 40)


def test_what_the_limits_of_our_own_allow(site: Managed) -> None:
    assert not [name for name, _ in scrape(site) if name == "own_limit_requests_per_second"]
    site.rates = {"create": 1.5, "destroy": 5.0}
    site.world.now += 2.0  # the page is made once a second at most
    samples = scrape(site)
    assert at(samples, "own_limit_requests_per_second", kind="create") == 1.5
    assert at(samples, "own_limit_requests_per_second", kind="destroy") == 5.0
    site.begin()
    status = msgspec.convert(site.ask("/v1/status"), StatusShown)
    *_, told = wording.size(msgspec.convert(site.ask("/v1/sizes/small"), SizeShown), status)
    assert told == "  requests to the cloud: at most 1.5 to create, 5 to destroy a second now"


def test_requests_by_kind_and_outcome(site: Managed) -> None:
    site.world.published.steps["CreateNode", "quota"] = 2
    samples = scrape(site)
    assert at(samples, "cloud_operations_total", operation="create_node", outcome="quota") == 2
    assert at(samples, "cloud_operations_total", operation="destroy_node", outcome="ok") == 0


def test_every_step_is_counted_somewhere() -> None:
    assert {kind.__name__ for kind in (*CLOUD_STEPS, *OTHER_STEPS)} == {kind.__name__ for kind in Step.__subclasses__()}
    assert not CLOUD_STEPS.keys() & OTHER_STEPS.keys()


def test_a_refused_reload_is_1_until_one_goes_well(site: Managed) -> None:
    assert at(scrape(site), "reload_refused") == 0
    site.vitals.refused_reload = RefusedReload(1700000000.0, ("a.cfg: a mistake",))
    site.world.now += 2.0  # the page is made once a second at most
    assert at(scrape(site), "reload_refused") == 1
    site.vitals.refused_reload = None
    site.world.now += 2.0
    assert at(scrape(site), "reload_refused") == 0


def test_a_scrape_in_openmetrics(site: Managed) -> None:
    answer = site.get("/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert answer.content_type.startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")


# ---- names -----------------------------------------------------------------------------------------------------------


def test_each_metric_of_the_table_is_on_the_page_with_its_labels(site: Managed) -> None:
    site.begin(*jobs(2))
    families = {family.name: family for family in text_string_to_metric_families(site.get("/metrics").text)}
    for metric in METRICS:
        family = families[PREFIX + metric.name]
        assert family.type == metric.kind.value
        assert family.documentation == metric.meaning
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == set(metric.labels), metric.name


def test_units_are_suffixes() -> None:
    for metric in METRICS:
        assert re.fullmatch(r"[a-z][a-z_]*[a-z]", metric.name)
        if metric.kind is MetricKind.HISTOGRAM or "how long" in metric.meaning.lower():
            assert metric.name.endswith("_seconds"), metric.name
        assert not metric.name.endswith("_total")


def test_the_page_of_metrics_is_made_from_the_table() -> None:
    """Row K8."""
    assert (ROOT / PAGE).read_text() == page_text(), "run python -m arvnodeman.manage.metric_reference"


def known_names() -> set[str]:
    names = {metric.full_name for metric in METRICS}
    for metric in METRICS:
        if metric.kind is MetricKind.HISTOGRAM:
            names |= {f"{metric.full_name}_{suffix}" for suffix in ("bucket", "sum", "count")}
    process = ("resident_memory_bytes", "open_fds", "max_fds", "cpu_seconds_total", "virtual_memory_bytes")
    return names | {f"{PREFIX}process_{name}" for name in process}


def expressions(value: Any) -> Iterator[str]:
    """All PromQL in a dashboard."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in ("expr", "query", "definition") and isinstance(inner, str):
                yield inner
            else:
                yield from expressions(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from expressions(inner)


def test_the_dashboard_queries_metrics_that_there_are() -> None:
    dashboard = json.loads((OPS / "grafana-dashboard.json").read_text())
    queries = list(expressions(dashboard))
    assert len(queries) > 20
    used = {name for query in queries for name in NAME.findall(query)}
    assert used <= known_names(), used - known_names()
    panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    assert all(panel.get("title") and panel.get("description") for panel in panels)


def test_the_alerts_query_metrics_that_there_are() -> None:
    used = set(NAME.findall((OPS / "alerts.yml").read_text()))
    assert used
    assert used <= known_names(), used - known_names()


def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        text = "promtool is not installed: apt-get install prometheus"
        assert not os.environ.get("CI"), text
        pytest.skip(text)
    return found


def test_promtool_accepts_the_alerts_and_their_tests() -> None:
    tool = promtool()
    for arguments in (["check", "rules", "alerts.yml"], ["test", "rules", "alerts-test.yml"]):
        ran = subprocess.run([tool, *arguments], cwd=OPS, capture_output=True, text=True, timeout=60, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert "SUCCESS" in ran.stdout


def test_promtool_can_read_the_dashboards_queries(tmp_path: Path) -> None:
    dashboard = json.loads((OPS / "grafana-dashboard.json").read_text())
    queries = [query for query in expressions(dashboard["panels"]) if not query.startswith("label_values(")]
    rules = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(queries)]
    path = tmp_path / "rules.yml"
    path.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))  # JSON is YAML
    ran = subprocess.run([promtool(), "check", "rules", path], capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_promtool_finds_no_fault_with_the_metrics(site: Managed) -> None:
    site.begin(*jobs(2))
    text = site.get("/metrics").text
    ran = subprocess.run(
        [promtool(), "check", "metrics"], input=text, capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
