"""A channel that sends through an Apprise plugin."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from http import HTTPStatus
from typing import ClassVar, Generic, Literal, TypeVar

import msgspec
from apprise import NotifyFormat
from apprise.plugins.base import NotifyBase

from router.bridge.address import (
    check_address,
    check_template,
    fill_template,
    replace_address,
    write_settings,
)
from router.bridge.exchange import Exchange, find_failed_exchange, is_success
from router.bridge.file_arguments import find_url_access
from router.bridge.message_format import PartialSends, fit_texts, notify
from router.bridge.outcomes import (
    ResponseCodes,
    attribute,
    classify_response,
    look_up_code,
    read_enhanced_code,
    redact_outcome,
)
from router.bridge.patching import patch_apprise
from router.bridge.plugin_pool import (
    BuildError,
    PluginPool,
    is_address_secret,
    make_plugin,
    parse_url,
)
from router.bridge.runner import PluginRunner
from router.bridge.send_context import SendAttempt, current_send_context
from router.bridge.service_answers import (
    HTTP_ONLY,
    ServiceAnswers,
    bound_code,
    find_service_answers,
)
from router.bridge.service_targets import Build
from router.bridge.shared_login import SharedLogins
from router.channel import Channel, Request, Response, Secret, Settings, Transport, TransportError
from router.core.errors import AddressError
from router.core.model.local_access import LocalAccess
from router.core.model.message import Message
from router.core.model.outcome import Delivered, Outcome, Rejected, Retry, Suspend, Unknown
from router.redaction import Redactor, collect_secrets

S = TypeVar("S", bound=Settings)

CLOSE_TIMEOUT_S = 5.0
"""Seconds that a channel may take to log out and to close its connections."""


class AppriseChannel(Channel[S], Generic[S]):
    """Sends through an Apprise plugin on the event loop.

    A subclass sets `url` (or has a setting of that name), or overrides `choose_plugin`. It sets
    `response_codes` where the provider's answers differ from HTTP; the rest has a default.
    """

    url: ClassVar[str] = ""
    """Apprise URL with `{to}` and settings in braces; each is percent-encoded into it."""
    body_format: Literal["text", "html", "markdown"] = "text"
    """The format of the body."""
    response_codes: ClassVar[ResponseCodes] = {}
    """Meanings of statuses and error codes, where the provider differs from HTTP."""
    service: ClassVar[ServiceAnswers | None] = None
    """The table that reads the provider's answers; None: the table of the URL's Apprise class."""
    services: ClassVar[Mapping[str, ServiceAnswers]] = {}
    """Tables by the name of the Apprise class; they precede those that plugins share."""
    clock: Callable[[], float] = staticmethod(time.time)
    """Returns the current epoch second, against which dates in answers are measured."""

    def __init__(self, settings: S, transport: Transport) -> None:
        """Open the channel; raises `URLTemplateError` for a URL with `{to}` in a wrong place."""
        super().__init__(settings, transport)
        patch_apprise()
        if template := self.template(settings):
            check_template(template)
        self._redactor = Redactor(collect_secrets(settings))
        self._runner = PluginRunner(transport, seconds=settings.timeout)
        self._partial_sends = PartialSends()
        self._logins = SharedLogins()
        self._plugin_pool = PluginPool(self._runner.release, self._logins)

    @classmethod
    def template(cls, settings: S) -> str:
        """Return the URL with its placeholders; empty where `choose_plugin` needs none."""
        if cls.url:
            return cls.url
        url = getattr(settings, "url", None) or ""
        return url.reveal() if isinstance(url, Secret) else str(url)

    @classmethod
    def needs_contact(cls, settings: S) -> bool:
        """Return whether `{to}` stands in the URL."""
        return "{to}" in cls.template(settings)

    @classmethod
    def find_local_access(cls, settings: S) -> LocalAccess:
        """Return the files and the service of this machine that the URL names."""
        return find_url_access(
            fill_template(cls.template(settings), write_settings(settings) if cls.url else {})
        )

    def choose_plugin(self, message: Message) -> Build | None:  # noqa: ARG002 - for subclasses
        """Return the Apprise class for the message and its keyword arguments; None: by URL."""
        return None

    def write_address(self, address: str) -> str:
        """Return a text that Apprise accepts for an address; the address replaces it afterwards."""
        return address

    def format_message(self, message: Message) -> tuple[str, str]:
        """Return the title and body for Apprise, before they are truncated.

        The body of a message without text is its kind: services refuse an empty text.
        """
        return message.title, message.body or ("" if message.title else message.kind)

    def carries_message(self, request: Request) -> bool:
        """Return whether a request carries the message; a request for a token does not."""
        return not (
            self._service_answers.is_login(request) or self._service_answers.is_lookup(request)
        )

    def error_code(self, exchange: Exchange) -> str:
        """Return the provider's short error code, empty for a success.

        A code makes even a 200 a failure. Reasons show it, so it never holds an address.
        """
        return self._service_answers.error_code(exchange) or read_enhanced_code(exchange)

    def read_handle(self, exchange: Exchange) -> str:  # noqa: ARG002 - for subclasses
        """Return the provider's id of a message that it accepted."""
        return ""

    def classify(self, exchanges: Sequence[Exchange]) -> Outcome | None:  # noqa: ARG002 - for subclasses
        """Return the outcome where no table can express it; None: by table and HTTP."""
        return None

    def simplify_message(self, message: Message, exchange: Exchange) -> Message | None:  # noqa: ARG002 - for subclasses
        """Return a plainer message to send in place of a refused one; None: nothing helps.

        `exchange` is the refusal. Override it where a provider refuses a whole message for its size
        or for an ornament, such as an image that cannot be fetched. It is sent once.
        """
        return None

    def sandbox(self, request: Request) -> Response:
        """Return the service's documented answer to a message that it accepted."""
        service = self._service_answers
        if not service.success:
            return super().sandbox(request)
        return Response(status=service.success_status, body=service.success)

    async def send(self, message: Message) -> Outcome:
        """Try once to send the message; where the provider refuses its form, a plainer one."""
        exchanges: list[Exchange] = []
        try:
            outcome = await self._send_with_login(message, exchanges)
            substitute = self._find_substitute(message, outcome, exchanges)
            if substitute is not None:
                outcome = await self._send_with_login(substitute, [])
                outcome = redact_outcome(self._redactor, outcome, substitute.address)
        except AddressError as error:
            outcome = Rejected(reason=str(error))
        except BuildError as error:
            outcome = Suspend(reason=str(error))
        return redact_outcome(self._redactor, outcome, message.address)

    async def send_request(
        self, request: Request, *, address: str = "", exchanges: list[Exchange] | None = None
    ) -> Outcome:
        """Try once to send a request of the channel's own; its answer is classified as any other.

        The request and its answer are appended to `exchanges`.
        """
        try:
            response = await self.transport.send(request, timeout=self.settings.timeout)
            exchange = Exchange(request, response)
        except TransportError as error:
            exchange = Exchange(request, error=error)
        if exchanges is not None:
            exchanges.append(exchange)
        outcome = self._make_outcome([exchange], done=is_success(exchange))
        return redact_outcome(self._redactor, outcome, address)

    async def aclose(self) -> None:
        """Log out, and close threads and connections, all within `CLOSE_TIMEOUT_S` seconds."""
        # First the pool: it hands plugins to the runner whose connections `wait_closed` awaits.
        self._plugin_pool.drain()
        logouts = (
            self._runner.log_out(plugin, seconds=CLOSE_TIMEOUT_S) for plugin in self._logins.close()
        )
        try:
            await asyncio.gather(*logouts, self._runner.wait_closed(seconds=CLOSE_TIMEOUT_S))
        finally:
            self._runner.close()

    def _find_substitute(
        self, message: Message, outcome: Outcome, exchanges: Sequence[Exchange]
    ) -> Message | None:
        """Return the message to send in place of a refused one, None where nothing helps."""
        if not isinstance(outcome, Rejected) or not exchanges or exchanges[-1].error is not None:
            return None
        address = self._service_answers.find_new_address(exchanges[-1]) if self._is_personal else ""
        if address and address != message.address:
            return msgspec.structs.replace(message, address=address)
        return self.simplify_message(message, exchanges[-1])

    async def _send_with_login(self, message: Message, exchanges: list[Exchange]) -> Outcome:
        """Try once, and again with a new login where the provider refuses the login it gave."""
        address = message.address if self.needs_contact(self.settings) else ""
        if self.needs_contact(self.settings):
            check_address(self.write_address(address))
        attempt = SendAttempt(since=self._logins.now())
        outcome = await self._send_once(message, address, exchanges, attempt)
        if not self._refuses_login(outcome, exchanges) or attempt.plugin is None:
            return outcome
        if not self._logins.invalidate(attempt.plugin, since=attempt.since):
            return outcome
        exchanges.clear()
        return await self._send_once(message, address, exchanges, attempt)

    async def _send_once(
        self, message: Message, address: str, exchanges: list[Exchange], attempt: SendAttempt
    ) -> Outcome:
        build = self.choose_plugin(message)
        kind = build[0] if build else self._plugin_class
        accepted = self._partial_sends.take(message.delivery)

        def send_by(plugin: NotifyBase) -> bool:
            current_send_context().plugin = attempt.plugin = plugin
            title, body = fit_texts(plugin, *self.format_message(message), self.limits)
            return notify(plugin, title, body, NotifyFormat(self.body_format), accepted)

        def work() -> bool:
            if build is None:
                return self._plugin_pool.use(address, self._build_plugin, send_by)
            plugin = self._make_plugin(build, address)
            try:
                return send_by(plugin)
            finally:
                self._runner.release(plugin)

        seconds_left = self.settings.timeout - (self._logins.now() - attempt.since)
        try:
            done = await self._runner.run(
                kind,
                work,
                exchanges,
                address=address,
                logins=self._logins,
                seconds=seconds_left,
                local_files=self.local_files,
            )
        except (AddressError, BuildError):
            raise
        except Exception as error:  # noqa: BLE001 - a plugin may raise anything, and the text may hold secrets
            return self._outcome_of_crash(error, exchanges)
        outcome = self._make_outcome(exchanges, done=done, address=address)
        if not isinstance(outcome, Delivered):
            self._partial_sends.keep(message.delivery, accepted)
        return outcome

    def _refuses_login(self, outcome: Outcome, exchanges: Sequence[Exchange]) -> bool:
        """Return whether the last answer refuses the credential, with nothing accepted before."""
        if not exchanges or isinstance(outcome, Delivered):
            return False
        exchange = find_failed_exchange(self._service_answers.find_deciding(exchanges))
        is_suspended = isinstance(outcome, Suspend) and outcome.scope == "channel"
        is_refused = exchange.status == HTTPStatus.UNAUTHORIZED or (
            is_suspended and exchange.response is not None
        )
        others = (other for other in exchanges if other is not exchange)
        is_accepted = any(map(self._has_accepted_message, others))
        return is_refused and not exchange.is_login and not is_accepted

    def _has_accepted_message(self, exchange: Exchange) -> bool:
        return (
            is_success(exchange)
            and not exchange.is_login
            and self.carries_message(exchange.request)
        )

    def _make_plugin(self, build: Build, address: str) -> NotifyBase:
        written = self.write_address(address)
        plugin = make_plugin(build, written, stores=self._logins.stores)
        replace_address(plugin, written, address)
        self._logins.adopt(plugin)
        return plugin

    @cached_property
    def _service_answers(self) -> ServiceAnswers:
        """The table for the answers of the channel's service."""
        if self.service is not None:
            return self.service
        try:
            return find_service_answers(self._plugin_class, self.services)
        except BuildError:
            return HTTP_ONLY

    @cached_property
    def _response_codes(self) -> ResponseCodes:
        return {**self._service_answers.response_codes, **self.response_codes}

    @cached_property
    def _plugin_class(self) -> type[NotifyBase]:
        """The Apprise class of the URL."""
        return parse_url(self._fill_url("0"))[0]

    def complete_build(self, build: Build) -> Build:
        """Return the build that Apprise parsed from the URL, with missing arguments added."""
        return build

    def _build_plugin(self, address: str) -> NotifyBase:
        return self._make_plugin(
            self.complete_build(parse_url(self._fill_url(self.write_address(address)))), address
        )

    def _fill_url(self, address: str) -> str:
        """Return the URL for an address; a URL of the operator has no other placeholder."""
        values = {"to": address} | (write_settings(self.settings) if self.url else {})
        return fill_template(self.template(self.settings), values)

    def _make_outcome(
        self, exchanges: Sequence[Exchange], *, done: bool, address: str = ""
    ) -> Outcome:
        override = self.classify(exchanges)
        if override is not None:
            return override
        if not exchanges:
            return classify_response(exchanges, response_codes={}, now=self.clock())
        exchanges = self._service_answers.find_deciding(exchanges)
        exchange = exchanges[-1] if done else find_failed_exchange(exchanges)
        code = "" if exchange.response is None else bound_code(self.error_code(exchange))
        meaning = look_up_code(self._response_codes, exchange.status, code)
        has_meaning = is_success(exchange) and (bool(code) or meaning is not None)
        is_unobserved = exchange.response is None and exchange.error is None
        is_accepted = any(map(self._has_accepted_message, exchanges))
        if (done and not has_meaning and (is_accepted or is_unobserved)) or meaning == "delivered":
            return Delivered(status=exchange.status, handle=self.read_handle(exchange))
        outcome = classify_response(
            exchanges, response_codes=self._response_codes, now=self.clock(), code=code
        )
        if isinstance(outcome, Unknown) and (
            exchange.is_login or not self.carries_message(exchange.request)
        ):
            return Retry(reason=outcome.reason)
        if isinstance(outcome, Delivered):
            unconfirmed = "the answer does not confirm the message"
            reason = unconfirmed if is_accepted else "no request carried the message"
            outcome = Rejected(status=exchange.status, reason=reason)
        outcome = attribute(
            outcome,
            is_login=exchange.is_login or self._service_answers.is_login(exchange.request),
            is_message=self.carries_message(exchange.request),
            is_personal=self._is_personal,
            is_address_blamed=isinstance(outcome, Suspend)
            and (self._is_address_secret or self._service_answers.blames_only(exchange, address)),
        )
        wait_s = self._service_answers.wait_time(exchange, self.clock())
        if isinstance(outcome, Retry | Suspend) and wait_s is not None:
            return msgspec.structs.replace(outcome, after=max(wait_s, outcome.after or 0.0))
        return outcome

    @cached_property
    def _is_personal(self) -> bool:
        """Whether the recipient's address is the destination."""
        return self.needs_contact(self.settings)

    @cached_property
    def _is_address_secret(self) -> bool:
        """Whether the recipient's address is a credential, to which a table's codes then refer."""
        return is_address_secret(self._fill_url)

    def _outcome_of_crash(self, error: Exception, exchanges: Sequence[Exchange]) -> Outcome:
        """Return the outcome of a crash in a plugin: the message may be sent already."""
        outcome = self._make_outcome(exchanges, done=False) if exchanges else None
        if outcome is not None and (
            not is_success(exchanges[-1]) or self.error_code(exchanges[-1])
        ):
            return outcome
        reason = f"{type(error).__name__} in the provider's plugin"
        may_be_sent = any(
            not exchange.is_login and self.carries_message(exchange.request)
            for exchange in exchanges
        )
        return Unknown(reason=reason) if may_be_sent else Retry(reason=reason)
