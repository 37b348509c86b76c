"""GET /metrics: the table of metrics in Prometheus' text format."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from werkzeug.wrappers import Request, Response

from arvnodeman.fleet.nodes.milestones import BOUNDS, Spread
from arvnodeman.manage import metric_table as table
from arvnodeman.manage.metric_readers import Figure, Labels, Reading
from arvnodeman.manage.source import Source

Family = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily


class TableCollector(Collector):
    """Reads all that the table declares, in the thread of whoever scrapes."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def describe(self) -> list[Metric]:
        """prometheus_client's hook: the names, without reading anything."""
        return [_family(metric) for metric in table.METRICS]

    def collect(self) -> Iterator[Metric]:
        """prometheus_client's hook: one scrape."""
        source = self._source
        reading = Reading(source, source.moment(), source.vitals.clock.monotonic())
        for metric in table.METRICS:
            family = _family(metric)
            for labels, figure in metric.read(reading):
                _add(family, labels, figure)
            yield family


def _family(metric: table.Metric) -> Family:
    name = table.PREFIX + metric.name
    match metric.kind:
        case table.MetricKind.GAUGE:
            return GaugeMetricFamily(name, metric.meaning, labels=metric.labels)
        case table.MetricKind.COUNTER:
            return CounterMetricFamily(name, metric.meaning, labels=metric.labels)
        case table.MetricKind.HISTOGRAM:
            return HistogramMetricFamily(name, metric.meaning, labels=metric.labels)


def _add(family: Family, labels: Labels, figure: Figure) -> None:
    if isinstance(figure, Spread):
        assert isinstance(family, HistogramMetricFamily)
        family.add_metric(labels, buckets=_buckets(figure), sum_value=figure.total)
    else:
        assert not isinstance(family, HistogramMetricFamily)
        family.add_metric(labels, float(figure))


def _buckets(spread: Spread) -> list[tuple[str, float]]:
    """Prometheus counts in each bucket all that is below its bound."""
    names = [*(f"{bound:g}" for bound in BOUNDS), "+Inf"]
    return [(name, float(sum(spread.counts[: place + 1]))) for place, name in enumerate(names)]


def make_registry(source: Source) -> CollectorRegistry:
    """A registry of our own, with the process's memory, time and file descriptors beside the table."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(TableCollector(source))
    ProcessCollector(namespace=table.PREFIX.removesuffix("_"), registry=registry)
    return registry


class MetricsPage:
    """One scrape."""

    def __init__(self, source: Source) -> None:
        self._registry = make_registry(source)

    def __call__(self, request: Request) -> Response:
        """In the classic text format, or in OpenMetrics when that is asked for."""
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return Response(encode(self._registry), content_type=content_type)
