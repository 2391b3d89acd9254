"""What may be said of a recipient, as JSON, and what it means to the store."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from router.core.errors import suggest
from router.core.model.facts import Scalar
from router.core.rules.ruleset import ChannelSchema
from router.store.errors import RecipientInvalid, RequestFault
from router.store.recipients.push_subscription import (
    StoredSubscription,
    StoredSubscriptionKeys,
    subscription_address,
)
from router.store.recipients.repository import ExportRecord
from router.store.recipients.validation import (
    DEVICE_KIND,
    ProfilePatch,
    RegisteredAddress,
    Registration,
)


class AppChoice(Struct, frozen=True, kw_only=True, rename="camel"):
    """Which app's recipient; to be left out while only one app is known."""

    app_id: Annotated[str, Meta(description="The CometChat app.")] | None = None


class RecipientChange(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"
):
    """What to change of a recipient: what is left out stays, null removes."""

    app_id: Annotated[str, Meta(description="The CometChat app.")] | UnsetType = UNSET
    contacts: (
        Annotated[
            dict[str, str | None],
            Meta(description="Addresses by kind; merged kind by kind."),
        ]
        | UnsetType
    ) = UNSET
    attributes: (
        Annotated[
            dict[str, Scalar | None],
            Meta(description="What rules may ask as `attributes.NAME`; merged by name."),
        ]
        | UnsetType
    ) = UNSET
    timezone: (
        Annotated[str | None, Meta(description="An IANA name, as `Europe/Paris`.")] | UnsetType
    ) = UNSET
    locale: Annotated[str | None, Meta(description="As `fr` or `pt-BR`.")] | UnsetType = UNSET
    country: (
        Annotated[
            str | None,
            Meta(
                description="Where addresses are read that do not stand by themselves, as `US`: "
                "those that come with it, and later."
            ),
        ]
        | UnsetType
    ) = UNSET
    muted: (
        Annotated[
            dict[str, float | None],
            Meta(description="Silent conversations, with the epoch second each is so until."),
        ]
        | UnsetType
    ) = UNSET
    opt_outs: (
        Annotated[list[str], Meta(description="Channels never to be used; replaces the list.")]
        | UnsetType
    ) = UNSET


class SubscriptionBody(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"
):
    """A browser's push subscription, as `PushSubscription.toJSON()` gives it."""

    endpoint: Annotated[str, Meta(description="The https:// address of its push service.")]
    keys: StoredSubscriptionKeys
    expiration_time: float | None = None


class DeviceFields(
    Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    rename="camel",
):
    """A device: exactly one of `token` and `subscription` is given."""

    platform: Annotated[str, Meta(description="The platform, in CometChat's spelling.")]
    token: Annotated[str, Meta(description="The device's push token.")] | UnsetType = UNSET
    subscription: SubscriptionBody | UnsetType = UNSET
    auth_token: Annotated[
        str, Meta(description="The session's CometChat auth token, to log it out by.")
    ] = ""
    provider_id: Annotated[str, Meta(description="CometChat's push provider id.")] = ""
    timezone: Annotated[str, Meta(description="An IANA name.")] = ""
    locale: str = ""


class DeviceRegistration(
    DeviceFields, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"
):
    """A device that logged in: exactly one of `token` and `subscription` is given."""

    app_id: Annotated[str, Meta(description="The CometChat app.")] | UnsetType = UNSET


class DeviceEntry(
    DeviceFields, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"
):
    """A device of a recipient that is imported; what is left out of a known one stays."""

    session: Annotated[
        str, Meta(description="The hash of the auth token, as an export gives it.")
    ] = ""
    seen_at: (
        Annotated[
            float,
            Meta(description="Epoch second it was last heard of; it gives way to a later one."),
        ]
        | None
    ) = None


class RecipientEntry(
    RecipientChange,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    rename="camel",
):
    """One line of an import: a recipient, what changes of it, and its devices."""

    uid: str
    devices: Annotated[
        list[DeviceEntry], Meta(description="Registered beside those that are there.")
    ] = []
    registered: Annotated[
        dict[str, RegisteredAddress],
        Meta(description="How contacts were registered that are kept otherwise, as exported."),
    ] = {}


class Logout(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Which session ended."""

    auth_token: Annotated[str, Meta(description="The session's CometChat auth token.")]
    app_id: Annotated[str, Meta(description="The CometChat app.")] | UnsetType = UNSET


def change_in(wanted: RecipientChange) -> ProfilePatch:
    """Return the change that is asked for."""
    return ProfilePatch(
        contacts=wanted.contacts,
        attributes=wanted.attributes,
        timezone=wanted.timezone,
        locale=wanted.locale,
        muted=wanted.muted,
        opt_outs=wanted.opt_outs,
        country=wanted.country,
        registered=wanted.registered if isinstance(wanted, RecipientEntry) else {},
    )


def registration_in(device: DeviceFields) -> Registration:
    """Return the registration that is asked for; raises `RecipientInvalid`."""
    entry = device if isinstance(device, DeviceEntry) else None
    return Registration(
        platform=device.platform,
        address=_address(device),
        auth_token=device.auth_token,
        provider_id=device.provider_id,
        timezone=device.timezone,
        locale=device.locale,
        session=entry.session if entry else "",
        seen_at=entry.seen_at if entry else None,
    )


def entry_of(listing: ExportRecord, *, with_devices: bool) -> RecipientEntry:
    """Return the line of an import that says what is known of a recipient."""
    change = listing.change
    devices = listing.devices if with_devices else ()
    return RecipientEntry(
        uid=listing.uid,
        app_id=listing.app_id,
        contacts=change.contacts,
        attributes=change.attributes,
        timezone=change.timezone,
        locale=change.locale,
        muted=change.muted,
        opt_outs=change.opt_outs,
        country=change.country,
        registered=dict(change.registered),
        devices=[_device_entry(device) for device in devices],
    )


def _device_entry(device: Registration) -> DeviceEntry:
    return DeviceEntry(
        platform=device.platform,
        token=device.address,
        provider_id=device.provider_id,
        timezone=device.timezone,
        locale=device.locale,
        session=device.session,
        seen_at=device.seen_at,
    )


@contextmanager
def every_fault(known: Iterable[RequestFault]) -> Iterator[None]:
    """Raise `RecipientInvalid` with faults that are known and those that are found within."""
    faults = list(known)
    try:
        yield
    except RecipientInvalid as invalid:
        faults += invalid.faults
    if faults:
        raise RecipientInvalid(faults)


def kind_faults(change: ProfilePatch, schemas: Collection[ChannelSchema]) -> Iterator[RequestFault]:
    """Yield the kinds that no plugin sends to; before plugins are loaded nobody can tell."""
    kinds = {schema.address_kind for schema in schemas} - {DEVICE_KIND}
    for kind in (change.contacts or {}) if kinds else ():
        if kind not in kinds and kind != DEVICE_KIND:
            remedy = suggest(kind, kinds) or f"known are {', '.join(sorted(kinds))}"
            yield RequestFault(f"$.contacts.{kind}", f"unknown kind of contact; {remedy}")


def device_faults(
    device: Registration, schemas: Collection[ChannelSchema]
) -> Iterator[RequestFault]:
    """Yield why no plugin can ever reach a device; before plugins are loaded nobody can tell."""
    platform, address = device.platform, device.address
    senders = [schema for schema in schemas if schema.address_kind == DEVICE_KIND]
    if not (senders and platform and address.strip()):
        return
    family = platform.lower().partition("_")[0]
    reaching = [sender for sender in senders if not sender.platforms or family in sender.platforms]
    if not reaching:
        platforms = sorted({name for channel in senders for name in channel.platforms})
        yield RequestFault(
            "$.platform", f"no plugin sends to this platform; begin with {_either(platforms)}"
        )
        return
    reasons = [channel.find_device_fault(platform, address) for channel in reaching]
    if all(reasons):
        yield RequestFault("$.token", reasons[0])


def _either(words: Sequence[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last


def _address(device: DeviceFields) -> str:
    """Return the token, or the subscription as the text that stands for it."""
    token, address_forms = device.token, device.subscription
    if address_forms is UNSET and token is not UNSET:
        return token
    if address_forms is UNSET or token is not UNSET:
        raise RecipientInvalid([RequestFault("$.token", "give either `token` or `subscription`")])
    return subscription_address(
        StoredSubscription(endpoint=address_forms.endpoint, keys=address_forms.keys)
    )
