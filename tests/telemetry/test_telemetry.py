"""Log lines show no secrets, and the metrics are those that the documentation names."""

import ast
import asyncio
import gc
import io
import json
import logging
import threading
import warnings
from pathlib import Path
from urllib.parse import quote

import pytest
import structlog
from prometheus_client.parser import text_string_to_metric_families

import router
from router.channel import Secret
from router.redaction import SecretRegistry
from router.telemetry import (
    LogFormat,
    Metrics,
    configure_logging,
    describe_exception,
    log_unhandled_errors,
)

NAMES = {
    "router_notifications": {"feed", "kind", "result"},
    "router_webhook_refused": {"reason"},
    "router_events": {"trigger", "result"},
    "router_accept_seconds": set(),
    "router_decide_seconds": set(),
    "router_deliveries": {"state", "channel"},
    "router_deliveries_ended": {"state", "reason", "channel"},
    "router_deliveries_guarded": {"channel"},
    "router_attempts": {"channel", "outcome"},
    "router_attempt_seconds": {"channel"},
    "router_delivery_lag_seconds": set(),
    "router_rule_matches": {"rule"},
    "router_rule_mismatches": {"field"},
    "router_classify_faults": set(),
    "router_rules_file_ok": {"file"},
    "router_rules_reload_ok": set(),
    "router_channel_held": {"channel", "cause"},
    "router_app_capped": {"app"},
    "router_batch_size": set(),
    "router_clock_skew_seconds": set(),
    "router_tasks": set(),
}


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


def _lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_carries_what_is_bound_while_a_delivery_is_sent(stream: io.StringIO) -> None:
    configure_logging("info", "json", stream)

    with structlog.contextvars.bound_contextvars(notification="n1", delivery="n1-0", channel="ops"):
        structlog.get_logger("router.worker").info("sent", status=200)
        logging.getLogger("some.package").warning("slow %s", "answer")

    ours, theirs = _lines(stream)
    assert ours["event"] == "sent"
    assert ours["level"] == "info"
    assert ours["status"] == 200
    assert ours["logger"] == "router.worker"
    assert theirs["event"] == "slow answer"
    for line in (ours, theirs):
        assert (line["notification"], line["delivery"], line["channel"]) == ("n1", "n1-0", "ops")
        assert list(line)[:4] == ["timestamp", "level", "event", "logger"]


def test_a_text_line_has_the_fields_in_the_order_of_the_call(stream: io.StringIO) -> None:
    configure_logging("info", "text", stream)
    structlog.get_logger("router.x").info("rules error", place="a:1:1", reason="no", hint="yes")
    assert stream.getvalue().endswith("place=a:1:1 reason=no hint=yes\n")


@pytest.mark.parametrize("form", ["json", "text"])
def test_no_secret_reaches_a_line(stream: io.StringIO, form: LogFormat) -> None:
    configure_logging("debug", form, stream)
    log = structlog.get_logger("router.web")

    log.info(
        "opened",
        settings={"bot_token": "hunter2", "apiKey": "hunter2", "deep": [Secret("hunter2")]},
    )
    log.info(
        "opened %s",
        Secret("hunter2"),
        authToken="hunter2",
        password=2222,
        wsChannel={"s": "hunter2"},
    )
    log.info("failed", url="https://sid:hunter2@example.org/x", header="Bearer hunter2hunter2")
    logging.getLogger("library").error(
        "at smtp://me:hunter2@example.org", extra={"secret": "hunter2"}
    )
    try:
        int("mailto://me:hunter2@example.org")
    except ValueError:
        log.exception("raised")

    text = stream.getvalue()
    assert text.count("…@example.org") == 2
    assert "hunter2" not in text
    assert "2222" not in text
    assert "ValueError" in text


def test_a_fault_is_named_by_type_and_place() -> None:
    with pytest.raises(ValueError, match="hunter2") as raised:
        int("hunter2")
    named = describe_exception(raised.value)

    assert named["error"] == "ValueError"
    assert "test_telemetry.py:" in named["place"]
    assert "hunter2" not in str(named)
    assert describe_exception(KeyError("never raised")) == {"error": "KeyError", "place": ""}


def test_words_that_only_resemble_secrets_are_shown(stream: io.StringIO) -> None:
    configure_logging("info", "json", stream)

    structlog.get_logger("router.x").info(
        "read", key="conversation", author="Ann", bypass=3, passed=True
    )

    (line,) = _lines(stream)
    assert (line["key"], line["author"], line["bypass"], line["passed"]) == (
        "conversation",
        "Ann",
        3,
        True,
    )


def test_lines_below_the_level_are_left_out(stream: io.StringIO) -> None:
    configure_logging("WARNING", "json", stream)

    structlog.get_logger("x").info("chatter")
    logging.getLogger("y").info("chatter")
    structlog.get_logger("x").warning("news")

    assert [line["event"] for line in _lines(stream)] == ["news"]


def test_libraries_are_heard_from_warnings_on_whatever_the_level(stream: io.StringIO) -> None:
    configure_logging("debug", "json", stream)

    logging.getLogger("aiosqlite").debug("executing INSERT with a token")
    logging.getLogger("aiosqlite").warning("news")
    structlog.get_logger("router.x").debug("details")

    assert [line["event"] for line in _lines(stream)] == ["news", "details"]


def test_an_exception_is_told_by_types_and_places_alone(stream: io.StringIO) -> None:
    configure_logging("info", "json", stream)

    try:
        try:
            int("hunter2")
        except ValueError as fault:
            raise RuntimeError("hunter3") from fault
    except RuntimeError:
        structlog.get_logger("router.x").exception("raised")
        logging.getLogger("library").exception("raised")

    for line in _lines(stream):
        told = str(line["exception"])
        assert told.startswith("RuntimeError\n  ")
        assert "\nafter ValueError\n  " in told
        assert "test_telemetry.py:" in told
    assert "hunter" not in stream.getvalue()


async def test_what_nobody_waits_for_is_a_line_like_any_other(stream: io.StringIO) -> None:
    configure_logging("info", "json", stream)

    async def fail() -> None:
        raise ValueError("hunter2")

    with log_unhandled_errors(asyncio.get_running_loop()):
        task = asyncio.create_task(fail())
        await asyncio.wait([task])
        del task
        gc.collect()
        asyncio.get_running_loop().call_soon(int, "hunter2")
        thread = threading.Thread(target=int, args=("hunter2",), name="aside")
        thread.start()
        thread.join()
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("take care", stacklevel=1)
        await asyncio.sleep(0)

    lines = _lines(stream)
    assert "hunter2" not in stream.getvalue()
    assert {str(line.get("reason") or line.get("thread") or "") for line in lines} == {
        "Task exception was never retrieved",
        "Exception in callback int",
        "aside",
        "",
    }
    assert "take care" in str(lines)


def test_what_the_veil_knows_is_masked_wherever_it_turns_up(stream: io.StringIO) -> None:
    secret_registry = SecretRegistry()
    configure_logging("info", "json", stream, secret_registry=secret_registry)
    secret_registry.add(["correct horse/battery"])

    words = f"correct horse/battery {quote('correct horse/battery')} of ann"
    structlog.get_logger("router.x").warning(words, deep=[{"x": words}])

    (line,) = _lines(stream)
    assert line["event"] == "… … of ann"
    assert line["deep"] == [{"x": "… … of ann"}]


def test_the_metrics_are_those_documented_and_no_others() -> None:
    metrics = Metrics()
    metrics.record_accepted("push", "message", "accepted", 0.002)
    metrics.record_decided(["calls", "chat"], ["sentAt"], 2e-5)
    metrics.record_classified(["sentAt"], faulty=True)
    metrics.record_attempt("fcm", "delivered", 0.1, 0.02)
    metrics.set_open_deliveries({"fcm": {"due": 3, "waiting": 1}})
    metrics.record_ended("dead", "rejected", "fcm", 2)
    metrics.record_guarded("fcm")
    metrics.set_hold("fcm", "suspended", held=True)
    metrics.capped("app", is_capped=True)
    metrics.record_reload(ok=True, files={"teams/a.yaml": False})
    metrics.record_commit(12)
    metrics.set_clock_skew(-0.25)

    families = {f.name: f for f in text_string_to_metric_families(metrics.exposition().decode())}

    ours = {name for name in families if not name.startswith(("process_", "python_"))}
    assert ours == set(NAMES)
    for name, labels in NAMES.items():
        for sample in families[name].samples:
            assert set(sample.labels) - {"le"} == labels, name
    text = metrics.exposition().decode()
    assert 'router_notifications_total{feed="push",kind="message",result="accepted"} 1.0' in text
    assert 'router_rule_matches_total{rule="chat"} 1.0' in text
    assert 'router_rule_mismatches_total{field="sentAt"} 2.0' in text
    assert "router_classify_faults_total 1.0" in text
    assert 'router_deliveries{channel="fcm",state="due"} 3.0' in text
    assert 'router_channel_held{cause="suspended",channel="fcm"} 1.0' in text
    assert "router_clock_skew_seconds -0.25" in text


def test_a_flood_of_label_values_folds_into_other() -> None:
    metrics = Metrics()
    for number in range(1000):
        metrics.record_accepted("push", f"kind-{number}", "accepted", 0.001)

    text = metrics.exposition().decode()

    assert text.count("router_notifications_total{") == 201
    assert 'router_notifications_total{feed="push",kind="other",result="accepted"} 800.0' in text


def test_a_channel_without_open_deliveries_shows_none() -> None:
    metrics = Metrics()
    metrics.set_open_deliveries({"fcm": {"due": 3}})
    metrics.set_open_deliveries({"mail": {"due": 1}})

    text = metrics.exposition().decode()

    assert 'router_deliveries{channel="fcm",state="due"} 0.0' in text
    assert 'router_deliveries{channel="mail",state="due"} 1.0' in text


async def test_what_the_process_takes_is_among_the_metrics() -> None:
    text = Metrics().exposition().decode()
    families = {f.name: f for f in text_string_to_metric_families(text)}
    (memory,) = families["process_resident_memory_bytes"].samples
    assert memory.value > 1 << 20
    (files,) = families["process_open_fds"].samples
    assert files.value >= 3
    (tasks,) = families["router_tasks"].samples
    assert tasks.value == len(asyncio.all_tasks())
    assert {"python_gc_collections", "python_info"} <= families.keys()


@pytest.mark.parametrize("path", sorted(Path(router.__file__).parent.rglob("*.py")), ids=str)
def test_no_module_takes_a_method_of_a_logger_before_logging_is_configured(path: Path) -> None:
    """What is taken at import keeps the configuration of that time, and shows secrets."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    defaults = [value for f in functions for value in (*f.args.defaults, *f.args.kw_defaults)]
    values = [n.value for n in tree.body if isinstance(n, ast.Assign | ast.AnnAssign)]
    taken = [
        ast.unparse(node)
        for value in (*values, *defaults)
        if value is not None
        for node in ast.walk(value)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value).endswith("_log")
    ]
    assert taken == []
