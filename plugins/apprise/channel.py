"""Deliver through any service that Apprise supports.

Services: https://appriseit.com/services/. Meanings of their answers: `_service_answers`.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Annotated, ClassVar

from apprise.manager_plugins import NotificationManager
from msgspec import Meta
from msgspec.structs import replace

from router import (
    AddressError,
    Message,
    Outcome,
    Rejected,
    Secret,
    Settings,
)
from router.bridge import (
    AppriseChannel,
    Build,
    TargetKind,
    check_url,
    find_target_kind,
    parse_url,
)
from router.plugins._addresses.email_address import STAND_IN_ADDRESS, normalize_mailbox
from router.plugins._addresses.phone_number import (
    check_fixed_number,
    format_for_provider,
    looks_like_number,
    normalize_number,
    write_stand_in,
)
from router.plugins._service_answers import PAID_ANSWERS


class AppriseSettings(Settings, frozen=True):
    """Settings of `plugin: apprise`."""

    url: Annotated[
        Secret,
        Meta(
            description="Any Apprise URL, as discord://ID/TOKEN. With {to} in its path, "
            "it reaches the recipient's contact of the kind apprise."
        ),
    ]

    fixed: Annotated[
        bool,
        Meta(
            description="Send to the one person in the url, whoever a message is for. "
            "Asked for where it goes to a mail address or a phone number."
        ),
    ] = False

    def __post_init__(self) -> None:
        """Raise `ValueError` for a URL that Apprise cannot read, or that posts in public."""
        scheme = read_scheme(self)
        check = (
            partial(check_fixed_number, scheme) if find_address_format(scheme) == "phone" else None
        )
        url = self.url.reveal()
        check_url(url, fixed=self.fixed, check_target=check)
        if "{to}" in url and scheme in PUBLIC_SCHEMES and is_public(url):
            raise ValueError(
                "url: posts in public, whoever {to} is; write mode=dm for direct messages, "
                "or leave {to} out"
            )


class Apprise(AppriseChannel[AppriseSettings]):
    """One message to the destination of an Apprise URL."""

    name = "apprise"
    Settings = AppriseSettings
    services = PAID_ANSWERS
    placeholders: ClassVar[Mapping[str, str | Callable[[], str]]] = {
        "url": "jsons://notify.example/sandbox"
    }

    @classmethod
    def normalize_address(
        cls,
        address: str,
        *,
        settings: AppriseSettings | None,
        country: str = "",
        is_fixed: bool = False,
    ) -> str:
        """Return an address in the form of the URL's service, as E.164 for a phone number."""
        match "" if settings is None else find_address_format(read_scheme(settings)):
            case "phone":
                return normalize_number(address, country, is_fixed=is_fixed)
            case "phone or other" if looks_like_number(address):
                return normalize_number(address, country, is_fixed=is_fixed)
            case "mailbox":
                return normalize_mailbox(address)
            case _:
                return address

    async def send(self, message: Message) -> Outcome:
        """Try once to send the message."""
        if not self.needs_contact(self.settings):
            return await super().send(message)
        try:
            address = self.normalize_address(message.address, settings=self.settings, is_fixed=True)
        except AddressError as error:
            return Rejected(reason=f"the address {error}")
        address = format_for_provider(read_scheme(self.settings), address)
        return await super().send(replace(message, address=address))

    def write_address(self, address: str) -> str:
        """Return the text that Apprise reads for an address: for some kinds, a stand-in."""
        match find_address_format(read_scheme(self.settings)):
            case "mailbox" if address and address.isascii():
                return STAND_IN_ADDRESS
            case "phone" | "phone or other":
                return write_stand_in(address)
            case _:
                return address

    def complete_build(self, build: Build) -> Build:
        """Return the build with the action `new` for alerting services whose URL names no action.

        Apprise's default for Opsgenie and Jira adds a note to an alert that it opened before, and
        does nothing where there is none: https://appriseit.com/services/opsgenie/
        """
        kind, options = build
        if options["schema"] in ALERTING_SCHEMES and not (
            options.get("action") or options.get("mapping")
        ):
            return kind, options | {"action": "new"}
        return build


MENTIONING_SCHEMES = frozenset({"dingtalk"})
"""Services that mention a number in a message, in national format, and call nobody."""


def read_scheme(settings: AppriseSettings) -> str:
    """Return the scheme of the URL in lower case."""
    return settings.url.reveal().partition("://")[0].lower()


@lru_cache
def find_address_format(scheme: str) -> TargetKind:
    """Return the kind of a service's addresses, which Apprise publishes with its URL templates."""
    plugins = NotificationManager()
    if scheme not in plugins or scheme in MENTIONING_SCHEMES:
        return "other"
    return find_target_kind(plugins[scheme])


PUBLIC_SCHEMES = frozenset({"tweet", "twitter", "x"})
"""Services that can post in public, and then ignore the person in the URL."""


def is_public(url: str) -> bool:
    """Return whether the URL of such a service names the mode of public posts.

    https://appriseit.com/services/twitter/
    """
    _, options = parse_url(url)
    return str(options.get("mode") or "").lower().startswith("t")


ALERTING_SCHEMES = frozenset({"jira", "opsgenie"})
"""Services with an action for each type of message; the router's messages have no type."""
