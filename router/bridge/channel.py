"""A channel whose requests Apprise makes."""

import asyncio
import re
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from http import HTTPStatus
from typing import ClassVar, Generic, Literal, TypeVar

import msgspec
from apprise import NotifyFormat
from apprise.plugins.base import NotifyBase
from msgspec import Struct

from router.bridge.address import (
    check_address,
    check_template,
    fill,
    replace_address,
    write_settings,
)
from router.bridge.exchange import Hop, find_failure, is_success
from router.bridge.file_arguments import find_url_access
from router.bridge.message_format import HalfSent, fit, notify
from router.bridge.outcomes import Answers, attribute, judge, look_up, read_enhanced_code
from router.bridge.patching import install
from router.bridge.plugin_pool import BuildError, Instances, is_secret, make, parse
from router.bridge.runner import Passage
from router.bridge.send_context import current_trip
from router.bridge.service_answers import (
    HTTP_ALONE,
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
from router.redaction import Redactor, reveal

S = TypeVar("S", bound=Settings)

CLOSING_S = 5.0
"""Seconds that a channel may take to log out and to close its connections."""

NOTHING_SENT = "no request carried the message"

REASON = 200
"""Characters of a reason that are kept."""


class AppriseChannel(Channel[S], Generic[S]):
    """Sends through an Apprise plugin on the event loop.

    A subclass gives `url` (or a setting of that name), or overrides `plugin`. What its
    provider's answers mean stands in `answers`; all else has a sound default.
    """

    url: ClassVar[str] = ""
    """Apprise URL with `{to}` and settings in braces; each is percent-encoded into it."""
    body_format: Literal["text", "html", "markdown"] = "text"
    """What the body is written in."""
    answers: ClassVar[Answers] = {}
    """What the provider means by a status or an error code, where HTTP's sense is wrong."""
    service: ClassVar[ServiceAnswers | None] = None
    """How the provider's answers are read, bodies too; None: by the table of the URL's class."""
    services: ClassVar[Mapping[str, ServiceAnswers]] = {}
    """Tables by the name of the Apprise class, which go before those that plugins share."""
    clock: Callable[[], float] = staticmethod(time.time)
    """Gives the epoch second that dates in answers are measured from."""

    def __init__(self, settings: S, transport: Transport) -> None:
        """Open the channel; raises `TemplateError` for a URL with `{to}` in a wrong place."""
        super().__init__(settings, transport)
        install()
        if template := self.template(settings):
            check_template(template)
        self._redactor = Redactor(reveal(settings))
        self._passage = Passage(transport, seconds=settings.timeout)
        self._half_sent = HalfSent()
        self._logins = SharedLogins()
        self._instances = Instances(self._passage.release, self._logins)

    @classmethod
    def template(cls, settings: S) -> str:
        """Return the URL with its places; empty where `plugin` does without."""
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
            fill(cls.template(settings), write_settings(settings) if cls.url else {})
        )

    def plugin(self, message: Message) -> Build | None:  # noqa: ARG002 - for subclasses
        """Return the Apprise class for the message and its keyword arguments; None: by URL."""
        return None

    def write_address(self, address: str) -> str:
        """Return what Apprise reads in the place of an address, which replaces it afterwards."""
        return address

    def write(self, message: Message) -> tuple[str, str]:
        """Return the title and body as Apprise is to send them, before they are cut.

        Of a message without words the body is its kind: services refuse an empty text.
        """
        return message.title, message.body or ("" if message.title else message.kind)

    def carries(self, request: Request) -> bool:
        """Return whether the request hands the message over; one for a token does not."""
        return not (self._service.is_login(request) or self._service.is_lookup(request))

    def error_code(self, hop: Hop) -> str:
        """Return the provider's short code for what went wrong, empty when nothing did.

        A code makes even a 200 a failure. It shows in reasons: never a text with an address.
        """
        return self._service.error_code(hop) or read_enhanced_code(hop)

    def handle(self, hop: Hop) -> str:  # noqa: ARG002 - for subclasses
        """Return what the provider calls the message it took."""
        return ""

    def verdict(self, hops: Sequence[Hop]) -> Outcome | None:  # noqa: ARG002 - for subclasses
        """Return what the hops mean where a table cannot say it; None: by table and HTTP."""
        return None

    def simplify(self, message: Message, hop: Hop) -> Message | None:  # noqa: ARG002 - for subclasses
        """Return a plainer message to send in place of one that was refused; None: nothing helps.

        `hop` is the refusal. Override it where a provider refuses a whole message for its size or
        for an ornament, as an image that cannot be fetched. The plainer message is sent once.
        """
        return None

    def sandbox(self, request: Request) -> Response:
        """Return the service's documented answer to a message it took."""
        service = self._service
        if not service.success:
            return super().sandbox(request)
        return Response(status=service.success_status, body=service.success)

    async def send(self, message: Message) -> Outcome:
        """Try once to send the message, or a plainer one where that is all that is refused."""
        hops: list[Hop] = []
        try:
            outcome = await self._try(message, hops)
            again = self._find_second(message, outcome, hops)
            if again is not None:
                outcome = self._redact(await self._try(again, []), again.address)
        except AddressError as error:
            outcome = Rejected(reason=str(error))
        except BuildError as error:
            outcome = Suspend(reason=str(error))
        return self._redact(outcome, message.address)

    async def request(
        self, request: Request, *, address: str = "", hops: list[Hop] | None = None
    ) -> Outcome:
        """Try once a request of the channel's own making; its answer is read as any other.

        The request and its answer are appended to `hops`.
        """
        try:
            response = await self.transport.send(request, timeout=self.settings.timeout)
            hop = Hop(request, response)
        except TransportError as error:
            hop = Hop(request, error=error)
        if hops is not None:
            hops.append(hop)
        return self._redact(self._conclude([hop], done=is_success(hop)), address)

    async def aclose(self) -> None:
        """Log out, and let go of threads and connections, all within `CLOSING_S` seconds."""
        self._instances.drain()
        partings = (
            self._passage.part(plugin, seconds=CLOSING_S) for plugin in self._logins.close()
        )
        try:
            await asyncio.gather(*partings, self._passage.settle(seconds=CLOSING_S))
        finally:
            self._passage.close()

    def _find_second(
        self, message: Message, outcome: Outcome, hops: Sequence[Hop]
    ) -> Message | None:
        """Return the message to send in place of one that was refused, None where nothing helps."""
        if not isinstance(outcome, Rejected) or not hops or hops[-1].error is not None:
            return None
        address = self._service.find_new_address(hops[-1]) if self._is_personal else ""
        if address and address != message.address:
            return msgspec.structs.replace(message, address=address)
        return self.simplify(message, hops[-1])

    async def _try(self, message: Message, hops: list[Hop]) -> Outcome:
        """Try once; where the provider refuses a login that it gave before, with a new one."""
        address = message.address if self.needs_contact(self.settings) else ""
        if self.needs_contact(self.settings):
            check_address(self.write_address(address))
        attempt = _Attempt(since=self._logins.now())
        outcome = await self._attempt(message, address, hops, attempt)
        if not self._refuses_login(outcome, hops) or attempt.plugin is None:
            return outcome
        if not self._logins.refuse(attempt.plugin, since=attempt.since):
            return outcome
        hops.clear()
        return await self._attempt(message, address, hops, attempt)

    async def _attempt(
        self, message: Message, address: str, hops: list[Hop], attempt: "_Attempt"
    ) -> Outcome:
        build = self.plugin(message)
        kind = build[0] if build else self._kind
        accepted = self._half_sent.take(message.delivery)

        def send_by(plugin: NotifyBase) -> bool:
            current_trip().plugin = attempt.plugin = plugin
            title, body = fit(plugin, *self.write(message), self.limits)
            return notify(plugin, title, body, NotifyFormat(self.body_format), accepted)

        def work() -> bool:
            if build is None:
                return self._instances.use(address, self._build, send_by)
            plugin = self._make(build, address)
            try:
                return send_by(plugin)
            finally:
                self._passage.release(plugin)

        left = self.settings.timeout - (self._logins.now() - attempt.since)
        try:
            done = await self._passage.take(
                kind,
                work,
                hops,
                address=address,
                logins=self._logins,
                seconds=left,
                local_files=self.local_files,
            )
        except (AddressError, BuildError):
            raise
        except Exception as error:  # noqa: BLE001 - a plugin may raise anything, and its words may hold secrets
            return self._explain_crash(error, hops)
        outcome = self._conclude(hops, done=done, address=address)
        if not isinstance(outcome, Delivered):
            self._half_sent.keep(message.delivery, accepted)
        return outcome

    def _refuses_login(self, outcome: Outcome, hops: Sequence[Hop]) -> bool:
        """Return whether the last answer refuses the credential, and nothing was taken before."""
        if not hops or isinstance(outcome, Delivered):
            return False
        hop = find_failure(self._service.find_deciding(hops))
        by_table = isinstance(outcome, Suspend) and outcome.scope == "channel"
        refused = hop.status == HTTPStatus.UNAUTHORIZED or (by_table and hop.response is not None)
        taken = any(self._took_message(past) for past in hops if past is not hop)
        return refused and not hop.login and not taken

    def _took_message(self, hop: Hop) -> bool:
        return is_success(hop) and not hop.login and self.carries(hop.request)

    def _make(self, build: Build, address: str) -> NotifyBase:
        written = self.write_address(address)
        plugin = make(build, written, stores=self._logins.stores)
        replace_address(plugin, written, address)
        self._logins.begin(plugin)
        return plugin

    @cached_property
    def _service(self) -> ServiceAnswers:
        """What the answers of the channel's service mean."""
        if self.service is not None:
            return self.service
        try:
            return find_service_answers(self._kind, self.services)
        except BuildError:
            return HTTP_ALONE

    @cached_property
    def _answers(self) -> Answers:
        return {**self._service.answers, **self.answers}

    @cached_property
    def _kind(self) -> type[NotifyBase]:
        """The Apprise class of the URL."""
        return parse(self._fill("0"))[0]

    def complete(self, build: Build) -> Build:
        """Return what Apprise read out of the URL, completed where it says too little."""
        return build

    def _build(self, address: str) -> NotifyBase:
        return self._make(self.complete(parse(self._fill(self.write_address(address)))), address)

    def _fill(self, address: str) -> str:
        """Return the URL for an address; a URL of the operator's own has no other place."""
        values = {"to": address} | (write_settings(self.settings) if self.url else {})
        return fill(self.template(self.settings), values)

    def _conclude(self, hops: Sequence[Hop], *, done: bool, address: str = "") -> Outcome:
        own = self.verdict(hops)
        if own is not None:
            return own
        if not hops:
            return judge(hops, answers={}, now=self.clock())
        hops = self._service.find_deciding(hops)
        hop = hops[-1] if done else find_failure(hops)
        code = "" if hop.response is None else bound_code(self.error_code(hop))
        known = look_up(self._answers, hop.status, code)
        is_told = is_success(hop) and (bool(code) or known is not None)
        is_unheard = hop.response is None and hop.error is None
        is_taken = any(map(self._took_message, hops))
        if (done and not is_told and (is_taken or is_unheard)) or known == "delivered":
            return Delivered(status=hop.status, handle=self.handle(hop))
        outcome = judge(hops, answers=self._answers, now=self.clock(), code=code)
        if isinstance(outcome, Unknown) and (hop.login or not self.carries(hop.request)):
            return Retry(reason=outcome.reason)
        if isinstance(outcome, Delivered):
            reason = "the answer does not say it was taken" if is_taken else NOTHING_SENT
            outcome = Rejected(status=hop.status, reason=reason)
        outcome = attribute(
            outcome,
            is_login=hop.login or self._service.is_login(hop.request),
            is_message=self.carries(hop.request),
            is_personal=self._is_personal,
            is_address_blamed=isinstance(outcome, Suspend)
            and (self._is_address_secret or self._service.blames_only(hop, address)),
        )
        wait = self._service.wait_time(hop, self.clock())
        if isinstance(outcome, Retry | Suspend) and wait is not None:
            return msgspec.structs.replace(outcome, after=max(wait, outcome.after or 0.0))
        return outcome

    @cached_property
    def _is_personal(self) -> bool:
        """Whether the recipient's address is the destination."""
        return self.needs_contact(self.settings)

    @cached_property
    def _is_address_secret(self) -> bool:
        """Whether the recipient's address is a credential itself, as a webhook of the recipient's.

        What a table says of the channel's credential is then said of this recipient's.
        """
        try:
            return all(is_secret(parse(self._fill(mark)), mark) for mark in _MARKS)
        except BuildError:
            return False

    def _explain_crash(self, error: Exception, hops: Sequence[Hop]) -> Outcome:
        """Return what a plugin's own fault means: the message may be out already."""
        outcome = self._conclude(hops, done=False) if hops else None
        if outcome is not None and (not is_success(hops[-1]) or self.error_code(hops[-1])):
            return outcome
        reason = f"{type(error).__name__} in the provider's plugin"
        is_out = any(not hop.login and self.carries(hop.request) for hop in hops)
        return Unknown(reason=reason) if is_out else Retry(reason=reason)

    def _redact(self, outcome: Outcome, address: str) -> Outcome:
        """Return the outcome with neither a secret nor the address in its words, and not long."""
        told = self._redactor.outcome(outcome, address)
        if isinstance(told, Delivered):
            handle = told.handle if _HANDLE.fullmatch(told.handle) else ""
            return msgspec.structs.replace(told, handle=handle)
        return msgspec.structs.replace(told, reason=told.reason[:REASON])


_MARKS = ("0router0", "router0@example.com")
"""Addresses that no setting holds; Apprise tells some arguments by their being e-mail addresses."""


class _Attempt(Struct):
    """One call of `send`: when it began, by the clock of the logins, and the plugin it uses."""

    since: float
    plugin: NotifyBase | None = None


_HANDLE = re.compile(r"\S{1,200}")
"""What a provider may call a message: with a space in it, it is some other text."""
