"""Deliver through any other service that Apprise knows.

The services: https://appriseit.com/services/
How their answers are read: `_answers`.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, ClassVar

from msgspec import Meta

from router import Register, Secret, Settings, hookimpl
from router.bridge import (
    AppriseChannel,
    Build,
    check_url,
    extend_plugin_class,
    share_service_answers,
)
from router.plugins._answers import PAID_ANSWERS, SERVICE_ANSWERS
from router.plugins._matrix import SharingMatrix


class AppriseSettings(Settings, frozen=True):
    """Settings of `plugin: apprise`."""

    url: Annotated[
        Secret,
        Meta(
            description="Any Apprise URL, as discord://ID/TOKEN. With {to} in its path, "
            "it reaches the recipient's contact of the kind apprise."
        ),
    ]

    def __post_init__(self) -> None:
        """Refuse what Apprise cannot read."""
        check_url(self.url.reveal())


class Apprise(AppriseChannel[AppriseSettings]):
    """One message to whatever the URL names."""

    name = "apprise"
    Settings = AppriseSettings
    services = PAID_ANSWERS
    placeholders: ClassVar[Mapping[str, str | Callable[[], str]]] = {
        "url": "jsons://notify.example/sandbox"
    }

    def complete(self, build: Build) -> Build:
        """Return the service with the action that hands a message over, where the URL names none.

        Apprise's own choice for alerts (Opsgenie, Jira) is a note on an alert that it opened
        before, and nothing at all where there is none:
        https://appriseit.com/services/opsgenie/
        """
        kind, options = build
        if options["schema"] in ALERTS and not (options.get("action") or options.get("mapping")):
            return kind, options | {"action": "new"}
        return build


ALERTS = frozenset({"jira", "opsgenie"})
"""Services with an action for each type of message; a router's messages have no type."""


@hookimpl
def register_channels(register: Register) -> None:
    """Offer the channel, and what it knows of services to channels that send by Apprise, too."""
    share_service_answers(SERVICE_ANSWERS)
    extend_plugin_class(SharingMatrix)
    register(Apprise)
