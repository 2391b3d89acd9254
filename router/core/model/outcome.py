"""What one attempt to send came to."""

from typing import Literal

from msgspec import Struct

Scope = Literal["channel", "recipient"]
"""Whom a refusal is about: everybody on the channel, or perhaps one recipient alone."""


class OutcomeFields(Struct, frozen=True, kw_only=True):
    """What every outcome may carry: `status` is the HTTP status (or SMTP code) seen last."""

    status: int | None = None


class Delivered(OutcomeFields, frozen=True, tag="delivered"):
    """The provider took the message; `handle` is what it calls it, for updates and support."""

    handle: str = ""


class Retry(OutcomeFields, frozen=True, tag="retry"):
    """It did not go out and may work later; not before `after` seconds when that is given.

    With `throttled` the provider asks for fewer requests, which a status of 429 says by itself:
    the attempt does not count.
    """

    reason: str
    after: float | None = None
    throttled: bool = False


class Rejected(OutcomeFields, frozen=True, tag="rejected"):
    """It will never go out; with `forget_contact` the address is dead for every message.

    Only a provider can say that: without the `status` of its answer nothing is forgotten.
    `dead_since` is the epoch second at which the provider found it dead, if it says so: an address
    that was registered later is another one. Else it is the time at which the attempt began.
    """

    reason: str
    forget_contact: bool = False
    dead_since: float | None = None


class Unknown(OutcomeFields, frozen=True, tag="unknown"):
    """The request went out and no answer came: it may have arrived."""

    reason: str


class Suspend(OutcomeFields, frozen=True, tag="suspend"):
    """Nothing is wrong with the message: it waits, and no attempt is burnt.

    With `scope="channel"` the channel itself is out of order (credential, account, provider), and
    all of it waits. With `scope="recipient"` the answer does not say whether it refuses the
    channel's credential or this recipient: what goes to the recipient waits, and the channel does
    too once several recipients in a row are refused.
    """

    reason: str
    after: float | None = None
    scope: Scope = "channel"


Outcome = Delivered | Retry | Rejected | Unknown | Suspend
