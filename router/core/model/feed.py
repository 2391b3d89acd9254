"""The feeds of CometChat's custom providers: push, e-mail and SMS.

Everything that the router knows of a feed stands here; a feed that is added to `Feed` and `FEEDS`
is accepted, decided, checked and documented.
Source: https://www.cometchat.com/docs/notifications/custom-providers
"""

from typing import Literal

from msgspec import Struct

Feed = Literal["push", "email", "sms"]


class FeedFormat(Struct, frozen=True, kw_only=True):
    """The form of a feed's payloads.

    `trigger` is the word in the envelope. A digest lists `messages`; a payload of any other feed
    tells of one event in `notificationDetails`. `address_key` is the key of `data.to` that
    brings an address for contacts of the feed's own name.
    """

    trigger: str
    is_digest: bool
    address_key: str = ""


FEEDS: dict[Feed, FeedFormat] = {
    "push": FeedFormat(trigger="push-notification-payload-generated", is_digest=False),
    "email": FeedFormat(
        trigger="email-notification-payload-generated", is_digest=True, address_key="email"
    ),
    "sms": FeedFormat(
        trigger="sms-notification-payload-generated", is_digest=True, address_key="phno"
    ),
}

TRIGGERS: dict[str, Feed] = {form.trigger: feed for feed, form in FEEDS.items()}
"""The feed of each trigger."""
