"""Apprise on asyncio: what a channel plugin builds on."""

from router.bridge.address import TemplateError, check_template
from router.bridge.apprise_url import check_file_arguments, check_url
from router.bridge.channel import AppriseChannel
from router.bridge.exchange import Hop
from router.bridge.graphemes import shorten, split
from router.bridge.outcomes import Answers, Reading, conclude, judge, read_retry_after
from router.bridge.plugin_pool import BuildError, extend_plugin_class, make, parse
from router.bridge.requests_shim import FACADE as requests  # noqa: N811 - it stands in for that module
from router.bridge.requests_shim import Facade
from router.bridge.service_answers import (
    BodyTest,
    ErrorCode,
    RetryAfter,
    ServiceAnswers,
    find_service_answers,
    group_answers,
    share_service_answers,
)
from router.bridge.service_targets import Build, TargetKind, find_target_kind
from router.channel import (
    Request,
    Response,
    TargetError,
    Transport,
    TransportError,
    UntrustedServerError,
)
from router.redaction import Redactor, reveal
from router.transport.sandbox import Exchange, Fault, SandboxTransport

__all__ = [
    "Answers",
    "AppriseChannel",
    "BodyTest",
    "Build",
    "BuildError",
    "ErrorCode",
    "Exchange",
    "Facade",
    "Fault",
    "Hop",
    "Reading",
    "Redactor",
    "Request",
    "Response",
    "RetryAfter",
    "SandboxTransport",
    "ServiceAnswers",
    "TargetError",
    "TargetKind",
    "TemplateError",
    "Transport",
    "TransportError",
    "UntrustedServerError",
    "check_file_arguments",
    "check_template",
    "check_url",
    "conclude",
    "extend_plugin_class",
    "find_service_answers",
    "find_target_kind",
    "group_answers",
    "judge",
    "make",
    "parse",
    "read_retry_after",
    "requests",
    "reveal",
    "share_service_answers",
    "shorten",
    "split",
]
