"""Log lines: one form for the router's own and for those of its libraries, no secret in any."""

import asyncio
import logging
import re
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from traceback import extract_tb
from typing import Any, Final, Literal, TextIO

import structlog
from structlog.typing import EventDict

from router.channel import Secret
from router.redaction import MASK, SecretRegistry

LogFormat = Literal["json", "text"]

_SECRET_KEY: Final = re.compile(
    r"(?:^|[_-])(?:password|passwd|pass|secrets?|tokens?|authorization|credentials?|cookies?"
    r"|signature|api_?keys?|private_?key|ws_?channel)(?:$|[_-])",
    re.IGNORECASE,
)
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_USERINFO: Final = re.compile(r"(?<=://)[^/\s@]+(?=@)")
_BEARER: Final = re.compile(r"(?i)\b(bearer|basic)\s+[a-z0-9+/._~=-]{6,}")
_MAX_DEPTH: Final = 8
_COMMON_FIELDS: Final = ("timestamp", "level", "event", "logger")

_log = structlog.get_logger(__name__)


def configure_logging(
    level: str,
    form: LogFormat,
    stream: TextIO | None = None,
    *,
    secret_registry: SecretRegistry | None = None,
) -> None:
    """Send every log line, the standard library's too, to `stream` (stderr), secrets masked.

    `level` is a name of `logging`, in any case, and holds for the router. Libraries are heard
    from warnings on, whatever it is: below, they print statements and requests as they are.
    Lines carry what is bound in structlog's context: `notification`, `delivery` and `channel`
    while a delivery is being sent. An exception is told by type and place, because its words
    may hold anything. What `secret_registry` knows is masked wherever it turns up.
    """
    stream = sys.stderr if stream is None else stream
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        _format_exc_info,
        _SecretMasker(SecretRegistry() if secret_registry is None else secret_registry),
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=stream.isatty(), sort_keys=False)
    )
    remove_meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), _drop_color_message, *shared],
            processors=[remove_meta, _put_common_fields_first, renderer],
        )
    )
    least = logging.getLevelNamesMapping()[level.upper()]
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(least, logging.WARNING))
    logging.getLogger("router").setLevel(least)
    structlog.configure(
        processors=[
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


@contextmanager
def log_unhandled_errors(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Make log lines of what would print itself: faults nobody waits for, and warnings.

    asyncio, threads and the garbage collector would write an exception's words to stderr.
    """

    def report(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        reason = str(context.get("message", "")).partition("(")[0].strip()  # then come arguments
        _log.error("unhandled exception in task", reason=reason, exc_info=context.get("exception"))

    def report_thread(args: threading.ExceptHookArgs) -> None:
        name = args.thread.name if args.thread is not None else ""
        _log.error("unhandled exception in thread", thread=name, exc_info=args.exc_value)

    def report_unraisable(args: "sys.UnraisableHookArgs") -> None:
        _log.error("unraisable exception", exc_info=args.exc_value)

    before = loop.get_exception_handler(), threading.excepthook, sys.unraisablehook
    loop.set_exception_handler(report)
    threading.excepthook, sys.unraisablehook = report_thread, report_unraisable
    logging.captureWarnings(capture=True)
    try:
        yield
    finally:
        logging.captureWarnings(capture=False)
        loop.set_exception_handler(before[0])
        threading.excepthook, sys.unraisablehook = before[1:]


def _put_common_fields_first(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Return the event as a person reads it: when, how urgent and what, and then its own fields."""
    common = {name: event[name] for name in _COMMON_FIELDS if name in event}
    return common | {name: value for name, value in event.items() if name not in common}


def _drop_color_message(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Return the event without uvicorn's second copy of the text, made for terminals."""
    event.pop("color_message", None)
    return event


def _format_exc_info(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Return the event with `exc_info` as the type and the places of the exception."""
    fault = event.pop("exc_info", None)
    if isinstance(fault, tuple):
        fault = fault[1]
    elif fault and not isinstance(fault, BaseException):
        fault = sys.exception()
    if isinstance(fault, BaseException):
        event["exception"] = _format_traceback(fault)
    return event


def _format_traceback(fault: BaseException) -> str:
    """Return the types of an exception and of what led to it, each with its places."""
    lines: list[str] = []
    link: BaseException | None = fault
    seen: set[int] = set()
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        lines.append(f"{'after ' if lines else ''}{type(link).__name__}")
        frames = extract_tb(link.__traceback__)
        lines += [f"  {frame.filename}:{frame.lineno} in {frame.name}" for frame in frames]
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    return "\n".join(lines)


class _SecretMasker:
    """Masks `Secret` objects, values of secret-looking keys, credentials and known secrets."""

    def __init__(self, secret_registry: SecretRegistry) -> None:
        self._secret_registry = secret_registry

    def __call__(self, _logger: object, _method: str, event: EventDict) -> EventDict:
        for key, value in event.items():
            if not key.startswith("_"):
                event[key] = self._mask(key, value, 0)
        return event

    def _mask(self, key: str, value: object, depth: int) -> object:
        if value is None or isinstance(value, bool):
            return value
        if (
            isinstance(value, Secret)
            or depth > _MAX_DEPTH
            or _SECRET_KEY.search(_CAMEL.sub("_", key))
        ):
            return MASK
        match value:
            case int() | float():
                return value
            case Mapping():
                return {str(k): self._mask(str(k), v, depth + 1) for k, v in value.items()}
            case list() | tuple() | set() | frozenset():
                return [self._mask("", item, depth + 1) for item in value]
            case _:
                return self._secret_registry.mask_text(_mask_credentials(str(value)))


def _mask_credentials(text: str) -> str:
    """Return the text without the `user:password@` of URLs and the value of auth schemes."""
    if "://" in text:
        text = _USERINFO.sub(MASK, text)
    return _BEARER.sub(rf"\1 {MASK}", text)


def describe_exception(error: BaseException) -> dict[str, str]:
    """Return an exception as a log line shows it: type and place, not the text and its secrets."""
    frames = extract_tb(error.__traceback__)
    place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return {"error": type(error).__name__, "place": place}
