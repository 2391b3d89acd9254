"""The router's metrics, as Prometheus reads them."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Final, Generic, TypeVar

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client import disable_created_metrics as without_creation_times
from prometheus_client.metrics import MetricWrapperBase

OTHER_LABEL: Final = "other"
"""The label value that all values beyond the cap share."""

_MICROSECOND_BUCKETS_S: Final = (1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 5e-3, 0.02, 0.1)
_FAST_BUCKETS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 1.5, 2.5)
_SLOW_BUCKETS_S: Final = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200)
_SIZE_BUCKETS: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)

M = TypeVar("M", bound=MetricWrapperBase)


class BoundedLabels(Generic[M]):
    """The children of a metric by their label values, found fast, at most so many a label.

    A value beyond `most` distinct ones of its label counts as `other`.
    """

    def __init__(self, metric: M, labels: int, *, most: int = 200) -> None:
        self._metric = metric
        self._children: dict[tuple[str, ...], M] = {}
        self._seen_values: tuple[set[str], ...] = tuple(set() for _ in range(labels))
        self._max_values = most

    def child(self, *values: str) -> M:
        """Return the child for the label values."""
        child = self._children.get(values)
        return self._make_child(values) if child is None else child

    def children(self) -> Iterable[M]:
        """Return every child there is."""
        return self._children.values()

    def _make_child(self, values: tuple[str, ...]) -> M:
        bounded = tuple(map(self._bounded_value, self._seen_values, values))
        child = self._children.get(bounded)
        if child is None:
            child = self._children[bounded] = self._metric.labels(*bounded)
        return child

    def _bounded_value(self, seen: set[str], value: str) -> str:
        if value not in seen:
            if len(seen) >= self._max_values:
                return OTHER_LABEL
            seen.add(value)
        return value


class Metrics:
    """The router's metrics, in a registry of their own; times are seconds.

    Beside them come those that every process in Python has: `process_…` and `python_…`.
    """

    def __init__(self) -> None:
        without_creation_times()  # type: ignore[no-untyped-call]  # or every counter would come with a second name
        self.registry = CollectorRegistry()
        self._process = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self._process)
        self._notifications = BoundedLabels(
            self._counter(
                "router_notifications",
                "Payloads received by the webhook and the API, by result.",
                "feed",
                "kind",
                "result",
            ),
            3,
        )
        self._events = BoundedLabels(
            self._counter(
                "router_events",
                "Events received from the general webhooks of CometChat.",
                "trigger",
                "result",
            ),
            2,
            most=100,
        )
        self._refused = BoundedLabels(
            self._counter(
                "router_webhook_refused", "Webhook requests that were not answered 200.", "reason"
            ),
            1,
        )
        self._accept = self._histogram(
            "router_accept_seconds",
            "Time from a request to its answer, with the payload on disk.",
            _FAST_BUCKETS_S,
        )
        self._decide = self._histogram(
            "router_decide_seconds",
            "Time to evaluate the rules for one notification.",
            _MICROSECOND_BUCKETS_S,
        )
        self._deliveries = BoundedLabels(
            self._gauge("router_deliveries", "Deliveries that have not ended.", "state", "channel"),
            2,
        )
        self._ended = BoundedLabels(
            self._counter(
                "router_deliveries_ended",
                "Deliveries that ended dead, expired or cancelled.",
                "state",
                "reason",
                "channel",
            ),
            3,
        )
        self._attempts = BoundedLabels(
            self._counter("router_attempts", "Attempts to send, by outcome.", "channel", "outcome"),
            2,
        )
        self._guarded = BoundedLabels(
            self._counter(
                "router_deliveries_guarded",
                "Deliveries suppressed by ROUTER_ONLY_RECIPIENTS.",
                "channel",
            ),
            1,
        )
        self._attempt = BoundedLabels(
            self._histogram(
                "router_attempt_seconds",
                "Duration of one attempt to send.",
                _SLOW_BUCKETS_S,
                "channel",
            ),
            1,
        )
        self._lag = self._histogram(
            "router_delivery_lag_seconds",
            "Time from the due time of a delivery to its attempt.",
            _SLOW_BUCKETS_S,
        )
        self._rules = BoundedLabels(
            self._counter("router_rule_matches", "Notifications that a rule matched.", "rule"),
            1,
            most=1000,
        )
        self._mismatches = BoundedLabels(
            self._counter(
                "router_rule_mismatches", "Conditions that met a value of the wrong type.", "field"
            ),
            1,
        )
        self._faults = self._counter(
            "router_classify_faults", "Payloads for which a `classify` entry failed."
        )
        self._reload = self._gauge(
            "router_rules_reload_ok",
            "1 if the rules on disk are in force, 0 if they were rejected.",
        )
        self._files = self._gauge(
            "router_rules_file_ok",
            "1 if an included file is in force as it is on disk, 0 if it was rejected.",
            "file",
        )
        self._held = BoundedLabels(
            self._gauge(
                "router_channel_held", "1 while a cause holds the channel.", "channel", "cause"
            ),
            2,
        )
        self._capped = BoundedLabels(
            self._gauge("router_app_capped", "1 while the app has reached its daily cap.", "app"), 1
        )
        self._batch = self._histogram(
            "router_batch_size", "Notifications written in one commit.", _SIZE_BUCKETS
        )
        self._skew = self._gauge(
            "router_clock_skew_seconds", "Clock of this machine minus clock of CometChat."
        )

        self._gauge("router_tasks", "Asyncio tasks of the process.").set_function(_count_tasks)

    def record_accepted(self, feed: str, kind: str, result: str, seconds: float) -> None:
        """Count a payload and how long its answer took; `result` is `accepted`, `duplicate`, …."""
        self._notifications.child(feed, kind, result).inc()
        self._accept.observe(seconds)

    def record_event(self, trigger: str, result: str) -> None:
        """Count an event of the general webhooks by its trigger."""
        self._events.child(trigger, result).inc()

    def record_refused_request(self, reason: str) -> None:
        """Count a request to the webhook that was not answered 200."""
        self._refused.child(reason).inc()

    def record_classified(self, mismatches: Iterable[str], *, faulty: bool) -> None:
        """Count fields that were of the wrong type for a test, and whether an entry failed."""
        for name in mismatches:
            self._mismatches.child(name).inc()
        self._faults.inc(faulty)

    def record_decided(
        self, matched: Iterable[str], mismatches: Iterable[str], seconds: float
    ) -> None:
        """Count the rules that matched, the fields of the wrong type, and how long it took."""
        for name in mismatches:
            self._mismatches.child(name).inc()
        for rule in matched:
            self._rules.child(rule).inc()
        self._decide.observe(seconds)

    def record_attempt(self, channel: str, outcome: str, seconds: float, lag: float) -> None:
        """Count a try by its outcome's tag; `lag` is how long after its due time it began."""
        self._attempts.child(channel, outcome).inc()
        self._attempt.child(channel).observe(seconds)
        self._lag.observe(lag)

    def record_guarded(self, channel: str) -> None:
        """Count a delivery whose recipient the guard does not permit."""
        self._guarded.child(channel).inc()

    def set_open_deliveries(self, counts: Mapping[str, Mapping[str, int]]) -> None:
        """Show how many deliveries are open, by channel and state; absent channels have none."""
        for gauge in self._deliveries.children():
            gauge.set(0)
        for channel, states in counts.items():
            for state, count in states.items():
                self._deliveries.child(state, channel).set(count)

    def record_ended(self, state: str, reason: str, channel: str, count: int) -> None:
        """Count deliveries that ended undelivered; `reason` is a class of reasons, no text."""
        self._ended.child(state, reason, channel).inc(count)

    def set_hold(self, channel: str, cause: str, *, held: bool) -> None:
        """Show whether a cause holds a channel."""
        self._held.child(channel, cause).set(held)

    def capped(self, app: str, *, is_capped: bool) -> None:
        """Show whether an app has reached its daily cap."""
        self._capped.child(app).set(is_capped)

    def record_reload(self, *, ok: bool, files: Mapping[str, bool]) -> None:
        """Show whether the rules on disk are in force, and whether each included file is."""
        self._reload.set(ok)
        self._files.clear()
        for file, is_in_force in files.items():
            self._files.labels(file).set(is_in_force)

    def record_commit(self, notifications: int) -> None:
        """Count how many notifications one commit wrote."""
        self._batch.observe(notifications)

    def set_clock_skew(self, seconds: float) -> None:
        """Show how far this clock is ahead of CometChat's."""
        self._skew.set(seconds)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, labels, registry=self.registry)

    def _histogram(
        self, name: str, text: str, buckets: tuple[float, ...], *labels: str
    ) -> Histogram:
        return Histogram(name, text, labels, buckets=buckets, registry=self.registry)

    def exposition(self) -> bytes:
        """Return all metrics as Prometheus reads them."""
        return generate_latest(self.registry) + generate_latest(self._process)


def _count_tasks() -> int:
    try:
        return len(asyncio.all_tasks())
    except RuntimeError:  # no loop runs here, so no task does
        return 0
