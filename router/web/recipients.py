"""`/v1/recipients`: who can be reached, and where."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from http import HTTPStatus
from itertools import chain
from typing import Annotated

import msgspec
from litestar import Request, Router, delete, get, post, put
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, RawBody
from msgspec import UNSET, Meta, Struct, UnsetType

from router.core.model.delivery import mask
from router.core.model.facts import Contact, Recipient, Scalar
from router.store.errors import AppAmbiguous, RecipientInvalid, RequestFault
from router.store.recipients.repository import Recipients
from router.store.recipients.validation import (
    DEVICE_KIND,
    ProfilePatch,
    RegisteredAddress,
    check_change,
    check_registration,
    is_sound_text,
)
from router.web.addresses import AddressNormalizer
from router.web.import_formats import ImportDefaults, ParsedLine
from router.web.imports import (
    LINE_PARSERS,
    TOO_LONG,
    ImportSummary,
    LineSplitter,
    RecipientImport,
    Shape,
    read_defaults,
)
from router.web.openapi import described
from router.web.problems import HTTPError
from router.web.recipient_schemas import (
    AppChoice,
    DeviceRegistration,
    Logout,
    RecipientChange,
    RecipientEntry,
    change_in,
    device_faults,
    every_fault,
    kind_faults,
    registration_in,
)
from router.web.rules import ReloadableRules
from router.web.validation import read_body, read_query

MAX_REPORTED_FAULTS = 1000
"""How many faults of an import are told; then it stops."""


class DeviceView(Struct, frozen=True, kw_only=True, rename="camel"):
    """A registered device; its token is masked."""

    id: str
    platform: str
    token: str
    provider_id: str
    timezone: str
    locale: str


class RecipientView(Struct, frozen=True, kw_only=True, rename="camel"):
    """A recipient as it is; addresses and tokens are masked, in `registered` too."""

    uid: str
    app_id: str
    contacts: dict[str, str]
    devices: list[DeviceView]
    attributes: dict[str, Scalar]
    timezone: str
    locale: str
    muted: dict[str, float]
    opt_outs: list[str]
    country: str
    registered: dict[str, RegisteredAddress]


class LoggedOut(Struct, frozen=True, kw_only=True):
    """How many devices a logout removed."""

    removed: int


class ImportChoice(AppChoice, frozen=True, kw_only=True, rename="camel"):
    """How to import; `appId` is the app of lines that name none."""

    shape: Annotated[Shape, Meta(description="Whose JSON the lines are.")] = "router"
    dry_run: Annotated[bool, Meta(description="Say what would change, and change nothing.")] = False


class LineFault(Struct, frozen=True, kw_only=True):
    """One thing wrong with a line of an import; the first line is 1."""

    line: int
    path: str
    reason: str


class ImportView(Struct, frozen=True, kw_only=True, rename="camel"):
    """What became of an import; `stoppedAt` is the last line read if faults were too many."""

    lines: int
    changed: int
    unchanged: int
    bad: int
    problems: list[LineFault]
    stopped_at: int | None


@put("/{uid:str}", opt=described(body=RecipientChange, query=(AppChoice,)))
async def change_recipient(
    uid: FromPath[str],
    body: RawBody,
    recipients: NamedDependency[Recipients],
    rulebook: NamedDependency[ReloadableRules],
    request: Request[None, None, State],
) -> RecipientView:
    """Set contacts, attributes and preferences of a recipient; create it if it is new."""
    wanted = read_body(body, RecipientChange)
    asked_change = change_in(wanted)
    app_id = _app(request, wanted.app_id)
    addresses = AddressNormalizer(schemas=rulebook.schemas, ruleset=rulebook.ruleset)
    known_app, country = await _find_country(recipients, uid, app_id, asked_change)
    change, faults = addresses.normalize(asked_change, known_app, country)
    with every_fault(chain(kind_faults(change, rulebook.schemas), faults)):
        check_change(uid, app_id, change)
    return recipient_view(await recipients.put(uid, change, app_id))


@get("/{uid:str}", opt=described(query=(AppChoice,), errors=(HTTPStatus.NOT_FOUND,)))
async def show_recipient(
    uid: FromPath[str], recipients: NamedDependency[Recipients], request: Request[None, None, State]
) -> RecipientView:
    """Show a recipient, with masked addresses."""
    recipient = await recipients.get(uid, _app(request))
    if recipient is None:
        raise _unknown()
    return recipient_view(recipient)


@delete("/{uid:str}", opt=described(query=(AppChoice,), errors=(HTTPStatus.NOT_FOUND,)))
async def erase_recipient(
    uid: FromPath[str], recipients: NamedDependency[Recipients], request: Request[None, None, State]
) -> None:
    """Erase a recipient and every notification for it."""
    if not await recipients.erase(uid, _app(request)):
        raise _unknown()


@put("/{uid:str}/devices", opt=described(body=DeviceRegistration, query=(AppChoice,)))
async def register_device(
    uid: FromPath[str],
    body: RawBody,
    recipients: NamedDependency[Recipients],
    rulebook: NamedDependency[ReloadableRules],
    request: Request[None, None, State],
) -> DeviceView:
    """Register a device on login; a token of another recipient moves to this one."""
    asked = read_body(body, DeviceRegistration)
    device = registration_in(asked)
    app_id = _app(request, asked.app_id)
    with every_fault(device_faults(device, rulebook.schemas)):
        check_registration(uid, app_id, device)
    return _device(await recipients.register(uid, device, app_id))


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
    logout = read_body(body, Logout)
    removed = await recipients.logout(uid, logout.auth_token, _app(request, logout.app_id))
    return LoggedOut(removed=removed)


@post(
    "/{uid:str}",
    status_code=HTTPStatus.OK,
    request_max_body_size=None,
    opt=described(
        path="/v1/recipients/import",
        body=RecipientEntry,
        body_media_type="application/x-ndjson",
        query=(ImportChoice,),
    ),
)
async def import_recipients(
    uid: FromPath[str],
    recipients: NamedDependency[Recipients],
    rulebook: NamedDependency[ReloadableRules],
    request: Request[None, None, State],
) -> ImportView:
    """Import recipients and their devices, one a line; each batch of lines is one transaction.

    What is so already stays as it is, so that an import may be repeated. The body is read as it
    comes, however long it is. After 1000 faults no more of it is read; `stoppedAt` is that line.
    """
    if uid != "import":  # the path as a word of its own would shadow a recipient of that name
        allowed = "DELETE, GET, OPTIONS, PUT"
        raise HTTPError(HTTPStatus.METHOD_NOT_ALLOWED, f"use {allowed}", headers={"Allow": allowed})
    choice = read_query(request.query_params, ImportChoice)
    problems: list[LineFault] = []

    def reject(line: int, fault: RequestFault) -> None:
        problems.append(LineFault(line=line, path=fault.path, reason=fault.reason))

    defaults = await read_defaults(
        recipients,
        choice.app_id,
        AddressNormalizer(schemas=rulebook.schemas, ruleset=rulebook.ruleset),
    )
    summary = ImportSummary()
    taking = RecipientImport(
        recipients, defaults.addresses, reject, summary, dry_run=choice.dry_run
    )
    stopped_at = await _import_body(request, taking, LINE_PARSERS[choice.shape], defaults, problems)
    await taking.flush()
    return ImportView(
        **msgspec.structs.asdict(summary),
        problems=sorted(problems, key=_line_of),
        stopped_at=stopped_at,
    )


def _line_of(problem: LineFault) -> int:
    return problem.line


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
            import_recipients,
        ],
        opt={"scope": "recipients"},
        tags=["recipients"],
    )


async def _import_body(
    request: Request[None, None, State],
    taking: RecipientImport,
    read: Callable[[bytes, ImportDefaults], ParsedLine],
    defaults: ImportDefaults,
    problems: Sequence[LineFault],
) -> int | None:
    """Take the lines of a body; return the line at which there were too many problems."""
    lines = LineSplitter()

    async def take(cut: Iterable[bytes | None]) -> bool:
        for line in cut:
            if line is None or line.strip():
                await taking.take(lines.number, TOO_LONG if line is None else read(line, defaults))
            if len(problems) >= MAX_REPORTED_FAULTS:
                return False
        return True

    async for piece in request.stream():
        if not await take(lines.cut(piece)):
            return lines.number
    await take(lines.end())
    return None


def _app(request: Request[None, None, State], in_body: str | UnsetType = UNSET) -> str | None:
    in_query = read_query(request.query_params, AppChoice).app_id
    if in_body is UNSET:
        return in_query
    if in_query not in {None, in_body}:
        raise RecipientInvalid(
            [RequestFault("$.appId", "differs from `?appId=`; give one of them")]
        )
    return in_body


async def _find_country(
    recipients: Recipients, uid: str, app_id: str | None, change: ProfilePatch
) -> tuple[str, str]:
    """Return the app that is meant, and the country of its recipient, as far as both are known."""
    if not change.contacts:
        return app_id or "", ""
    with suppress(AppAmbiguous):
        app_id = await recipients.only_app() if app_id is None else app_id
        if change.country is UNSET and is_sound_text(uid + app_id):
            return app_id, (await recipients.countries([(app_id, uid)])).get((app_id, uid), "")
    return app_id or "", change.country or ""


def _unknown() -> HTTPError:
    return HTTPError(HTTPStatus.NOT_FOUND, "this recipient is not registered")


def recipient_view(recipient: Recipient) -> RecipientView:
    """Return a recipient as it may be shown."""
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
        country=recipient.country,
        registered={
            contact.kind: RegisteredAddress(raw=mask(contact.raw), country=contact.country)
            for contact in recipient.contacts
            if contact.raw
        },
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
