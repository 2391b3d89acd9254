"""The plugin contract: what a channel is, gets, and answers.

A channel names its `Settings` and sends one message at a time through the transport it was
opened with. It never retries and never raises for what a provider answered: it returns an
outcome, and the router decides what follows.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, Generic, Protocol, TypeVar

from msgspec import Meta, Struct, field

from router.core.model.daily_cap import CAP_PATTERN
from router.core.model.local_access import LocalAccess
from router.core.model.message import Message
from router.core.model.notification import Notification
from router.core.model.outcome import Outcome


class Secret:
    """A text that never shows itself: not in `repr`, `str`, errors or logs.

    `reveal()` gives it out, for the one place that must send it.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        """Hide the text."""
        self._text = text

    def reveal(self) -> str:
        """Return the hidden text."""
        return self._text

    def __repr__(self) -> str:
        """Return a mask."""
        return "Secret(…)"

    def __str__(self) -> str:
        """Return a mask."""
        return "…"

    def __eq__(self, other: object) -> bool:
        """Compare the hidden texts."""
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        """Hash the hidden text."""
        return hash(self._text)


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every channel may be told in `rules.yaml`, beside its own settings."""

    rate: Annotated[
        str,
        Meta(
            description="At most so many sends per time, as `10/s`, `100/m` or `1000/h`.",
            pattern=r"^[1-9][0-9]*/[smh]$",
        ),
    ] = ""
    cap: Annotated[
        str,
        Meta(
            description="At most so many sends on one day (UTC), as `5000/day`.",
            pattern=CAP_PATTERN,
        ),
    ] = ""
    concurrency: Annotated[
        int, Meta(description="At most so many sends at the same time.", ge=1, le=1000)
    ] = 32
    timeout: Annotated[
        float, Meta(description="Seconds after which a send is given up.", gt=0, le=300)
    ] = 15.0


class Limits(Struct, frozen=True, kw_only=True):
    """The most a provider takes; characters for texts, bytes for `payload`; None: no limit."""

    title: int | None = None
    body: int | None = None
    payload: int | None = None


class Request(Struct, frozen=True, kw_only=True):
    """One request to a provider. `method` is `SMTP` where mail is handed over."""

    method: str
    url: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    verify: bool = True
    """Whether the server must prove who it is."""
    http2: bool = False
    """Whether it goes over HTTP/2, to a provider that speaks nothing else."""
    guarded: bool = False
    """Whether the URL is a recipient's own, which may lead to public addresses alone."""
    plain: bytes = b""
    """What the body says where it is encrypted: for people to read in a sandbox, never sent."""

    def __repr__(self) -> str:
        """Show the method alone: URL, headers and body may hold secrets."""
        return f"Request({self.method} …)"


class Response(Struct, frozen=True, kw_only=True):
    """What a provider answered; header names are lower case."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    def __repr__(self) -> str:
        """Show the status alone: headers and body may hold secrets."""
        return f"Response({self.status} …)"


class TransportError(Exception):
    """No answer came. `sent` says whether the request may have reached the provider."""

    def __init__(self, reason: str, *, sent: bool) -> None:
        """Keep the reason, free of secrets."""
        super().__init__(reason)
        self.reason = reason
        self.sent = sent

    def without_frames(self) -> "TransportError":
        """Return the error to be kept: less the frames it passed through, and what they hold."""
        return TransportError(self.reason, sent=self.sent)


class UntrustedServerError(TransportError):
    """Nothing was sent: the server proves no identity that the router trusts, or speaks no TLS.

    It is a fault of the server's or of the settings, and stays until somebody acts.
    """

    def __init__(self, reason: str) -> None:
        """Keep the reason, free of secrets."""
        super().__init__(reason, sent=False)

    def without_frames(self) -> "UntrustedServerError":
        """Return the error to be kept."""
        return UntrustedServerError(self.reason)


class TargetError(TransportError):
    """Nothing was sent: a recipient's own URL leads where it may not, and would do so again."""

    def __init__(self, reason: str) -> None:
        """Keep the reason, free of secrets."""
        super().__init__(reason, sent=False)

    def without_frames(self) -> "TargetError":
        """Return the error to be kept."""
        return TargetError(self.reason)


class Transport(Protocol):
    """The way out of the process that a channel is opened with."""

    @property
    def is_live(self) -> bool:
        """Whether requests reach providers; if not, nothing else may reach them either."""

    async def send(self, request: Request, *, timeout: float) -> Response:  # noqa: ASYNC109 - the transport ends it itself, knowing what went out
        """Return the provider's answer, or raise `TransportError` after `timeout` seconds."""


S = TypeVar("S", bound=Settings)


class Channel(Generic[S]):
    """A way to reach people; subclass it, name it, and answer `send`."""

    name: ClassVar[str]
    """What `plugin:` says in `rules.yaml`."""
    Settings: type[S]
    """The settings it takes."""
    address_kind: ClassVar[str] = ""
    """The kind of contact it sends to; its name when left empty."""
    limits: ClassVar[Limits | None] = None
    """The most its provider takes."""
    idempotent: ClassVar[bool] = False
    """Whether the provider collapses repeats, so that a doubtful send may be repeated."""
    replaces: ClassVar[bool] = False
    """Whether a later message with the same `collapse` or about the same, as an edit is, replaces
    what is shown. Then edits of what was sent go to `send` too, and what takes it back does as a
    `quiet` message. A channel with neither this nor `update` and `retract` gets neither."""
    platforms: ClassVar[tuple[str, ...]] = ()
    """What the platforms of the devices it reaches begin with, before a `_`; where it says
    nothing, any device may be one of its."""
    placeholders: ClassVar[Mapping[str, str | Callable[[], str]]] = {}
    """What stands in for settings that sandbox mode does not find, by dotted path."""

    local_files: Mapping[str, str] = {}
    """The texts of the files that `find_local_access` names, by path, as read with the rules."""

    def __init__(self, settings: S, transport: Transport) -> None:
        """Open the channel with checked settings and a way out."""
        self.settings = settings
        self.transport = transport

    @classmethod
    def needs_contact(cls, settings: S) -> bool:  # noqa: ARG003 - for subclasses
        """Return whether it sends to a recipient's address; if not, its destination is fixed."""
        return True

    @classmethod
    def find_local_access(cls, settings: S) -> LocalAccess:  # noqa: ARG003 - for subclasses
        """Return the files and services of the router's machine that the settings name.

        Override it where a setting is a path. The files are read with the rules: only regular
        ones, and those named in an included file only where the main file grants them. Their
        texts are in `local_files` once the channel is open, so nothing reads a disk in a send.
        Raises `SettingsError` for a file that the channel cannot use.
        """
        return LocalAccess()

    @classmethod
    def wants(
        cls,
        settings: S,  # noqa: ARG003 - for subclasses
        notification: Notification,  # noqa: ARG003 - for subclasses
        platform: str,  # noqa: ARG003 - for subclasses
        provider_id: str,  # noqa: ARG003 - for subclasses
    ) -> bool:
        """Return whether a recipient's device is to hear of a notification; yes is the default.

        The device is as it was registered: `platform` and, empty where none was named,
        `provider_id`. It is asked while the router decides, so it answers by these arguments
        alone and never raises. For a device that is not to hear of it nothing is planned.
        """
        return True

    @classmethod
    def normalize_address(
        cls,
        address: str,
        *,
        settings: S | None,  # noqa: ARG003 - for subclasses
        country: str = "",  # noqa: ARG003 - for subclasses
        is_fixed: bool = False,  # noqa: ARG003 - for subclasses
    ) -> str:
        """Return an address in the one form that its provider takes; as it is, by default.

        Raises `AddressError` where nothing can be sent to it, or where it may mean several: its
        message says why and what to write, and quotes nothing. It is asked when an address is
        registered, when a feed brings one, when the rules are read (`to:`), and before each send.

        `settings` are None while no channel of the plugin is configured. `country` is the ISO 3166
        code of the country in which the address is read, empty where none is known; an address
        that needs none comes out the same with any. `is_fixed` says that the operator wrote it,
        in the rules or on the command line. What it returns comes out unchanged when it is asked
        again. It answers by these arguments alone.
        """
        return address

    @classmethod
    def find_device_fault(cls, platform: str, address: str) -> str:  # noqa: ARG003 - for subclasses
        """Return why a device can never be reached, empty, the default, for nothing.

        It is asked of the devices of its `platforms` when they are registered, whatever channels
        there are.
        """
        return ""

    def host(self, address: str) -> str:  # noqa: ARG002 - for subclasses
        """Return the host that an address leads to; empty, the default, where all lead to one.

        Override it where recipients' addresses are on hosts of their own, as push endpoints and
        webhooks of theirs are: after failures in a row the router rests a host, and the
        channel's others go on. It is called before each send, so it reads the address and asks
        nobody.
        """
        return ""

    async def send(self, message: Message) -> Outcome:
        """Try once to send the message, and return what came of it."""
        raise NotImplementedError

    async def update(self, handle: str, message: Message) -> Outcome:
        """Try once to make what an earlier send has shown read like the message.

        `handle` is what that send returned with `Delivered`. Override it where the provider can
        do that; then edits of what was sent come here.
        """
        raise NotImplementedError

    async def retract(self, handle: str) -> Outcome:
        """Try once to take back what an earlier send has shown.

        `handle` is what that send returned with `Delivered`. Override it where the provider can
        do that; then deletions of what was sent come here. What is gone already is `Delivered`.
        """
        raise NotImplementedError

    async def check(self) -> Outcome | None:
        """Try the credentials without sending; None where the provider offers no way."""
        return None

    def sandbox(self, request: Request) -> Response:  # noqa: ARG002 - for subclasses
        """Return what the provider would answer; sandbox mode asks this instead of it."""
        return Response(status=200, body=b"{}")

    async def aclose(self) -> None:
        """Close what the channel opened."""


def can_update(kind: type[Channel[Any]]) -> bool:
    """Return whether channels of a class can change what they have shown."""
    return kind.update is not Channel.update


def can_retract(kind: type[Channel[Any]]) -> bool:
    """Return whether channels of a class can take back what they have shown."""
    return kind.retract is not Channel.retract
