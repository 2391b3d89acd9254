"""`/v1/recipients`: who can be reached, and where."""

from collections.abc import Collection, Iterator
from http import HTTPStatus
from typing import Annotated

import msgspec
from litestar import Request, Router, delete, get, post, put
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, RawBody
from msgspec import UNSET, Meta, Struct, UnsetType

from router.core.delivery import mask
from router.core.errors import suggest
from router.core.facts import Contact, Recipient, Scalar
from router.store.change import DEVICE_KIND, Change, Registration, check_change
from router.store.errors import Fault, RecipientInvalid
from router.store.recipients import Recipients
from router.web.document import described
from router.web.problems import Refused
from router.web.reading import read_body, read_query
from router.web.rules import Rulebook


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


class Subscription(Struct, frozen=True, kw_only=True, rename="camel"):
    """A browser's push subscription, as `PushSubscription.toJSON()` gives it."""

    endpoint: str
    keys: dict[str, str]
    expiration_time: float | None = None


class DeviceRegistration(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"
):
    """A device that logged in: exactly one of `token` and `subscription` is given."""

    platform: Annotated[str, Meta(description="The platform, in CometChat's spelling.")]
    token: Annotated[str, Meta(description="The device's push token.")] | UnsetType = UNSET
    subscription: Subscription | UnsetType = UNSET
    auth_token: Annotated[
        str, Meta(description="The session's CometChat auth token, to log it out by.")
    ] = ""
    app_id: Annotated[str, Meta(description="The CometChat app.")] | UnsetType = UNSET
    provider_id: Annotated[str, Meta(description="CometChat's push provider id.")] = ""
    timezone: Annotated[str, Meta(description="An IANA name.")] = ""
    locale: str = ""


class Logout(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Which session ended."""

    auth_token: Annotated[str, Meta(description="The session's CometChat auth token.")]
    app_id: Annotated[str, Meta(description="The CometChat app.")] | UnsetType = UNSET


class DeviceView(Struct, frozen=True, kw_only=True, rename="camel"):
    """A registered device; its token is masked."""

    id: str
    platform: str
    token: str
    provider_id: str
    timezone: str
    locale: str


class RecipientView(Struct, frozen=True, kw_only=True, rename="camel"):
    """A recipient as it is; addresses and tokens are masked."""

    uid: str
    app_id: str
    contacts: dict[str, str]
    devices: list[DeviceView]
    attributes: dict[str, Scalar]
    timezone: str
    locale: str
    muted: dict[str, float]
    opt_outs: list[str]


class LoggedOut(Struct, frozen=True, kw_only=True):
    """How many devices a logout removed."""

    removed: int


@put("/{uid:str}", opt=described(body=RecipientChange, query=(AppChoice,)))
async def change_recipient(
    uid: FromPath[str],
    body: RawBody,
    recipients: NamedDependency[Recipients],
    rulebook: NamedDependency[Rulebook],
    request: Request[None, None, State],
) -> RecipientView:
    """Set contacts, attributes and wishes of a recipient, making it if need be."""
    asked = read_body(body, RecipientChange)
    change = Change(
        contacts=asked.contacts,
        attributes=asked.attributes,
        timezone=asked.timezone,
        locale=asked.locale,
        muted=asked.muted,
        opt_outs=asked.opt_outs,
    )
    app_id = _app(request, asked.app_id)
    _check(uid, app_id, change, rulebook.contact_kinds)
    return _view(await recipients.put(uid, change, app_id))


@get("/{uid:str}", opt=described(query=(AppChoice,), errors=(HTTPStatus.NOT_FOUND,)))
async def show_recipient(
    uid: FromPath[str], recipients: NamedDependency[Recipients], request: Request[None, None, State]
) -> RecipientView:
    """Show what is known of a recipient, addresses masked."""
    recipient = await recipients.get(uid, _app(request))
    if recipient is None:
        raise _unknown()
    return _view(recipient)


@delete("/{uid:str}", opt=described(query=(AppChoice,), errors=(HTTPStatus.NOT_FOUND,)))
async def erase_recipient(
    uid: FromPath[str], recipients: NamedDependency[Recipients], request: Request[None, None, State]
) -> None:
    """Forget a recipient, with every notification it got."""
    if not await recipients.erase(uid, _app(request)):
        raise _unknown()


@put("/{uid:str}/devices", opt=described(body=DeviceRegistration, query=(AppChoice,)))
async def register_device(
    uid: FromPath[str],
    body: RawBody,
    recipients: NamedDependency[Recipients],
    request: Request[None, None, State],
) -> DeviceView:
    """Register a device on login; one known under another user moves."""
    asked = read_body(body, DeviceRegistration)
    registration = Registration(
        platform=asked.platform,
        address=_address(asked),
        auth_token=asked.auth_token,
        provider_id=asked.provider_id,
        timezone=asked.timezone,
        locale=asked.locale,
    )
    return _device(await recipients.register(uid, registration, _app(request, asked.app_id)))


@post(
    "/{uid:str}/logout", status_code=HTTPStatus.OK, opt=described(body=Logout, query=(AppChoice,))
)
async def log_out(
    uid: FromPath[str],
    body: RawBody,
    recipients: NamedDependency[Recipients],
    request: Request[None, None, State],
) -> LoggedOut:
    """Remove the devices of one session, and no others."""
    asked = read_body(body, Logout)
    removed = await recipients.logout(uid, asked.auth_token, _app(request, asked.app_id))
    return LoggedOut(removed=removed)


def recipients_router() -> Router:
    """Return the routes under `/v1/recipients`."""
    return Router(
        "/recipients",
        route_handlers=[
            change_recipient,
            show_recipient,
            erase_recipient,
            register_device,
            log_out,
        ],
        opt={"scope": "recipients"},
        tags=["recipients"],
    )


def _check(uid: str, app_id: str | None, change: Change, kinds: Collection[str]) -> None:
    faults = list(_kind_faults(change, [kind for kind in kinds if kind != DEVICE_KIND]))
    try:
        check_change(uid, app_id, change)
    except RecipientInvalid as invalid:
        faults += invalid.faults
    if faults:
        raise RecipientInvalid(faults)


def _kind_faults(change: Change, known: Collection[str]) -> Iterator[Fault]:
    """Yield the kinds that no plugin sends to; before plugins are loaded nobody can tell."""
    for kind in (change.contacts or {}) if known else ():
        if kind not in known and kind != DEVICE_KIND:
            remedy = suggest(kind, known) or f"known are {', '.join(sorted(known))}"
            yield Fault(f"$.contacts.{kind}", f"unknown kind of contact; {remedy}")


def _app(request: Request[None, None, State], in_body: str | UnsetType = UNSET) -> str | None:
    in_query = read_query(request.query_params, AppChoice).app_id
    if in_body is UNSET:
        return in_query
    if in_query not in {None, in_body}:
        raise RecipientInvalid([Fault("$.appId", "differs from `?appId=`; give one of them")])
    return in_body


def _address(asked: DeviceRegistration) -> str:
    """Return the token, or the subscription as the text that stands for it."""
    if (asked.token is UNSET) is (asked.subscription is UNSET):
        raise RecipientInvalid([Fault("$.token", "give either `token` or `subscription`")])
    if asked.token is not UNSET:
        return asked.token
    return msgspec.json.encode(asked.subscription, order="deterministic").decode()


def _unknown() -> Refused:
    return Refused(HTTPStatus.NOT_FOUND, "nothing is known of this recipient")


def _view(recipient: Recipient) -> RecipientView:
    devices = [c for c in recipient.contacts if c.kind == DEVICE_KIND]
    return RecipientView(
        uid=recipient.uid,
        app_id=recipient.app_id,
        contacts={c.kind: mask(c.address) for c in recipient.contacts if c.kind != DEVICE_KIND},
        devices=[_device(contact) for contact in devices],
        attributes=recipient.attributes,
        timezone=recipient.timezone,
        locale=recipient.locale,
        muted=recipient.muted,
        opt_outs=sorted(recipient.opt_outs),
    )


def _device(contact: Contact) -> DeviceView:
    device = contact.device
    return DeviceView(
        id=contact.id,
        platform=device.platform if device else "",
        token=mask(contact.address),
        provider_id=device.provider_id if device else "",
        timezone=device.timezone if device else "",
        locale=device.locale if device else "",
    )
