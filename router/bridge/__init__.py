"""Apprise on asyncio: what a channel plugin builds on."""

from router.bridge.address import URLTemplateError, check_template
from router.bridge.apprise_url import check_file_arguments, check_url
from router.bridge.channel import AppriseChannel
from router.bridge.exchange import Exchange
from router.bridge.graphemes import split_graphemes, truncate
from router.bridge.outcomes import (
    ResponseCodes,
    ResponseMeaning,
    classify_response,
    make_outcome,
    read_retry_after,
)
from router.bridge.plugin_pool import BuildError, extend_plugin_class, make_plugin, parse_url
from router.bridge.requests_shim import REQUESTS_SHIM as requests  # noqa: N811 - it stands in for that module
from router.bridge.requests_shim import RequestsShim
from router.bridge.service_answers import (
    BodyTest,
    ErrorCode,
    RetryAfter,
    ServiceAnswers,
    find_service_answers,
    group_response_codes,
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
from router.redaction import Redactor, collect_secrets
from router.transport.sandbox import InjectedFault, RecordedExchange, SandboxTransport

__all__ = [
    "AppriseChannel",
    "BodyTest",
    "Build",
    "BuildError",
    "ErrorCode",
    "Exchange",
    "InjectedFault",
    "RecordedExchange",
    "Redactor",
    "Request",
    "RequestsShim",
    "Response",
    "ResponseCodes",
    "ResponseMeaning",
    "RetryAfter",
    "SandboxTransport",
    "ServiceAnswers",
    "TargetError",
    "TargetKind",
    "Transport",
    "TransportError",
    "URLTemplateError",
    "UntrustedServerError",
    "check_file_arguments",
    "check_template",
    "check_url",
    "classify_response",
    "collect_secrets",
    "extend_plugin_class",
    "find_service_answers",
    "find_target_kind",
    "group_response_codes",
    "make_outcome",
    "make_plugin",
    "parse_url",
    "read_retry_after",
    "requests",
    "share_service_answers",
    "split_graphemes",
    "truncate",
]
