"""What Prometheus may know: counts and durations by route and outcome. No label ever holds what a caller sent."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from analyzer.types import Report

MEDIA_TYPE = CONTENT_TYPE_PLAIN_0_0_4
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
UNKNOWN_ROUTE = "unknown"
"""The route of a request that no endpoint answers: its path is the caller's."""


class Metrics:
    """The metrics of one app; other parts of the service add theirs to ``registry``."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._requests = Counter(
            "cuewise_requests", "Requests answered.", ("method", "route", "status"), registry=self.registry
        )
        self._seconds = Histogram(
            "cuewise_request_seconds",
            "From the first byte of a request to the last of its answer.",
            ("method", "route"),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._under_way = Gauge("cuewise_requests_under_way", "Requests being answered.", registry=self.registry)
        self._notes = Counter(
            "cuewise_notes",
            "Notes analysed one by one, by kind and verdict.",
            ("kind", "verdict"),
            registry=self.registry,
        )
        self._findings = Counter("cuewise_findings", "Findings in them, by rule.", ("code",), registry=self.registry)
        self.analysis_seconds = Histogram(
            "cuewise_analysis_seconds", "Analysis of one note alone.", buckets=_SECONDS, registry=self.registry
        )
        self.refused = Counter(
            "cuewise_refused", "Requests refused, by the code of the problem.", ("code",), registry=self.registry
        )

    def began(self) -> None:
        """Count a request that has come."""
        self._under_way.inc()

    def ended(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        self._under_way.dec()
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def analyzed(self, report: Report) -> None:
        """Count a note."""
        self._notes.labels(report.kind.value, report.verdict.value).inc()
        for finding in report.findings:
            self._findings.labels(finding.code).inc()

    def write(self) -> bytes:
        """Return all of them as Prometheus reads it."""
        return generate_latest(self.registry)
