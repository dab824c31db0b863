"""Prometheus metrics of the service."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)


class ServiceMetrics:
    """Metrics of one service, in a registry of their own; durations are in seconds."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self.registry = own = CollectorRegistry()
        ProcessCollector(registry=own)
        self.requests = Counter("capbench_requests", "Requests answered", ["path", "status"], registry=own)
        self.seconds = Histogram(
            "capbench_request_seconds",
            "Seconds from the head of a request to its response",
            ["path"],
            buckets=SECONDS,
            registry=own,
        )
        self.images = Counter("capbench_images", "Images that were read or refused", ["outcome"], registry=own)
        self.batches = Histogram(
            "capbench_batch_images", "Images of a batch", buckets=[2**n for n in range(9)], registry=own
        )
        self.reading = Histogram(
            "capbench_reading_seconds", "Seconds in which a run reads a batch", ["run"], buckets=SECONDS, registry=own
        )
        self.queue = Gauge("capbench_queue_images", "Images that wait or are being read", registry=own)

    def exposition(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self.registry)
