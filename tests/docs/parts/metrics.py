"""The metrics."""

from collections.abc import Iterator
from inspect import getsource
from typing import get_args

from prometheus_client.metrics import MetricWrapperBase

from router.core.model.delivery import DeliveryState
from router.core.model.end_reason import EndReason
from router.core.model.feed import Feed
from router.core.model.notification import Kind
from router.core.model.outcome import Outcome
from router.ingest import accept
from router.queue.ports import Cause, ChannelStats
from router.store.state.endings import COUNTED
from router.telemetry.metrics import OTHER_LABEL, Metrics
from router.web.webhook import Reason
from tests.docs.parts.table import code, table

_RESULTS = ("accepted", "duplicate", "invalid", "unavailable")


def read_metrics() -> Iterator[MetricWrapperBase]:
    """Yield every metric of the router, in the order it is made."""
    for collector in Metrics().registry._collector_to_names:
        assert isinstance(collector, MetricWrapperBase)
        yield collector


def exposed_name(metric: MetricWrapperBase) -> str:
    """Return a metric's name as Prometheus reads it."""
    return f"{metric._name}{'_total' if metric._type == 'counter' else ''}"


def write_metrics() -> str:
    """Return the table of every metric."""
    return table(
        ("metric", "type", "labels", "meaning"),
        (
            (
                code(exposed_name(metric)),
                str(metric._type),
                ", ".join(map(code, metric._labelnames)),
                metric._documentation,
            )
            for metric in read_metrics()
        ),
    )


def write_label_values() -> str:
    """Return the table of the labels whose values are the router's own words."""
    counted = [name for name in ChannelStats.__struct_fields__ if name != "oldest_due_at"]
    outcomes = [str(kind.__struct_config__.tag) for kind in get_args(Outcome)]
    values: dict[str, tuple[str, ...] | list[str]] = {
        "feed": get_args(Feed),
        "kind": get_args(Kind),
        "result": _RESULTS,
        "reason": get_args(Reason),
        "outcome": outcomes,
        "cause": get_args(Cause),
        "state": [*counted, *sorted(COUNTED)],
        "`reason` of an end": get_args(EndReason),
    }
    assert all(f'"{result}"' in getsource(accept) for result in _RESULTS)
    assert set(counted) - set(get_args(DeliveryState)) == {"due"}
    rows = [
        (label if "`" in label else code(label), ", ".join(map(code, words)))
        for label, words in values.items()
    ]
    return table(
        ("label", "values"), [*rows, ("any", f"{code(OTHER_LABEL)}, for what is beyond the cap")]
    )
