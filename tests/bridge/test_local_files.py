"""Files that an Apprise URL names: found while the rules are read, and the only ones in a send."""

import ast
import os
import sys
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping
from inspect import getsource
from pathlib import Path
from types import ModuleType

import msgspec
import pytest
from apprise import AppriseAttachment
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from router import Delivered, LocalAccess, Settings
from router.bridge import AppriseChannel, Response, check_url
from router.bridge.file_arguments import FileArgumentError, find_url_access
from router.bridge.local_files import UNRESTRICTED_MODULES, open_text
from router.bridge.patching import patch_apprise
from router.core.errors import SettingsError
from router.plugins.apprise.channel import Apprise
from router.registry import PluginSchema
from router.testing import ScriptedTransport, make_message

DISCORD = "discord://123456789012345678/" + "a" * 68
SLACK = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/"
TELEGRAM = "tgram://123456789:abcdefghijklmnopqrstuvwxyz012345678/"
WORKFLOWS = "workflow://host.example/WORKFLOWID/signature/"
VAPID = "vapid://a@example.com/b@example.com"
SECRET = "/run/secrets/other-team.json"

TAKEN = Response(status=200, body=b'{"access_token": "t", "ok": true}')


class Free(Settings, frozen=True):
    """Any URL."""

    url: str


class Anything(AppriseChannel[Free]):
    """Any service."""

    name = "any"
    Settings = Free


@pytest.mark.parametrize(
    ("url", "files"),
    [
        (f"{DISCORD}?template={SECRET}", (SECRET,)),
        (f"{SLACK}?template={SECRET}", (SECRET,)),
        (f"{TELEGRAM}{{to}}?template={SECRET}", (SECRET,)),
        (f"{WORKFLOWS}?template={SECRET}", (SECRET,)),
        ("fcm://project/token?mode=oauth2&keyfile=/proc/self/environ", ("/proc/self/environ",)),
        (f"{VAPID}?keyfile=/k.pem&subfile=/s.json", ("/k.pem", "/s.json")),
        ("mailto://u:p@example.com?pgppub=/p.asc&pgpprv=/q.asc", ("/p.asc", "/q.asc")),
        ("mailtos://u:p@example.com/{to}?pgppub=/p.asc", ("/p.asc",)),
        (f"{DISCORD}?template=file://{SECRET}", (SECRET,)),
        (f"{DISCORD}?template=file://{SECRET}%3Fname=x", (SECRET,)),
        (f"{DISCORD}?template=%2Fa%20b", ("/a b",)),
        (f"{DISCORD}?template=/a/$HOME/../b", ("/a/$HOME/../b",)),
        (DISCORD, ()),
        ("json://host.example/?template=/x&keyfile=/y", ()),
        ("nosuch://host.example/?template=/x", ()),
    ],
)
def test_the_files_that_a_url_names_are_found(url: str, files: tuple[str, ...]) -> None:
    assert find_url_access(url) == LocalAccess(setting="url", files=files)


@pytest.mark.parametrize("scheme", ["syslog", "SysLog", " syslog"])
def test_a_service_of_this_machine_is_found(scheme: str) -> None:
    assert find_url_access(f"{scheme}://") == LocalAccess(setting="url", service="syslog://")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (f"{DISCORD}?template=https://elsewhere.example/t.json", "no file is taken from elsewhere"),
        ("fcm://p/t?mode=oauth2&keyfile=http://elsewhere.example/k", "no file is taken from"),
        (f"{VAPID}?keyfile=/k&subfile=https://x.example/s", "no file is taken from elsewhere"),
        (f"{DISCORD}?template=memory://text", "no file is taken from elsewhere"),
        (f"{DISCORD}?template=nosuch://text", "no file is taken from elsewhere"),
        (f"{DISCORD}?template=t.json", "is not an absolute path; write a path that starts with /"),
        (f"{DISCORD}?template=~/t.json", "is not an absolute path"),
        (f"{TELEGRAM}{{to}}?template=/run/{{to}}", "{to} stands in the name of a file"),
        ("mailto://u:p@example.com/{to}?wkd=yes", "not looked up in a Web Key Directory"),
    ],
)
def test_a_file_that_no_channel_can_use_is_refused_with_a_remedy(url: str, words: str) -> None:
    with pytest.raises(FileArgumentError) as caught:
        find_url_access(url)
    assert words in caught.value.message
    with pytest.raises(ValueError, match=r"^url: "):
        check_url(url)


def test_a_channel_tells_the_loader_at_which_setting() -> None:
    schema = PluginSchema(Apprise)
    settings = schema.convert({"url": f"{DISCORD}?template={SECRET}"})
    assert schema.find_local_access(settings) == LocalAccess(setting="url", files=(SECRET,))
    with pytest.raises(SettingsError) as caught:
        PluginSchema(Anything).find_local_access(Free(url=f"{DISCORD}?template=t"))
    (fault,) = caught.value.faults
    assert (fault.path, fault.hint) == (("url",), "write a path that starts with /")


async def send(
    url: str, files: Mapping[str, str], answer: Response = TAKEN
) -> tuple[object, ScriptedTransport]:
    """Send two messages to a URL whose files hold these texts; return what came of the last."""
    transport = ScriptedTransport(answer)
    channel = Anything(Free(url=url), transport)
    channel.local_files = files
    try:
        await channel.send(make_message())
        return await channel.send(make_message()), transport
    finally:
        await channel.aclose()


async def test_a_template_is_what_the_rules_were_read_with(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    path.write_text('{"content": "from the disk"}')
    text = '{"content": "as read with the rules"}'
    outcome, transport = await send(f"{DISCORD}?template={path}", {str(path): text})
    assert isinstance(outcome, Delivered)
    told = [b"as read with the rules" in request.body for request in transport.carried]
    assert told == [True, True]


@pytest.mark.parametrize(
    "url",
    [
        f"{DISCORD}?template=PATH",
        f"{SLACK}?template=PATH",
        f"{TELEGRAM}12315544?template=PATH",
        f"{WORKFLOWS}?template=PATH",
        "fcm://project/token?mode=oauth2&keyfile=PATH",
        f"{VAPID}?keyfile=PATH&subfile=PATH",
    ],
)
async def test_a_file_that_was_not_read_with_the_rules_reaches_nobody(
    url: str, tmp_path: Path
) -> None:
    path = tmp_path / "secret.json"
    path.write_text('{"content": "another team\'s secret", "text": "another team\'s secret"}')
    outcome, transport = await send(url.replace("PATH", str(path)), {})
    assert not isinstance(outcome, Delivered)
    assert not any(b"secret" in request.body for request in transport.carried)


async def test_a_pipe_holds_up_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    outcome, _ = await send(f"{DISCORD}?template={tmp_path}/pipe", {})
    assert not isinstance(outcome, Delivered)


async def test_a_service_account_is_what_the_rules_were_read_with() -> None:
    key = rsa.generate_private_key(65537, 2048)
    account = {
        "type": "service_account",
        "project_id": "project",
        "private_key_id": "1",
        "private_key": key.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        ).decode(),
        "client_email": "router@project.example",
        "token_uri": "https://oauth2.example/token",
    }
    url = "fcm://project/token0123456789?mode=oauth2&keyfile=/run/secrets/a.json"
    outcome, transport = await send(
        url, {"/run/secrets/a.json": msgspec.json.encode(account).decode()}
    )
    assert isinstance(outcome, Delivered)
    assert "https://oauth2.example/token" in {request.url for request in transport.carried}


async def test_the_file_of_subscriptions_is_read_and_never_written(tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    key = ec.generate_private_key(ec.SECP256R1())
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    keys = {"p256dh": urlsafe_b64encode(point).decode(), "auth": "k9Xzm43nBGo0k9Xzm43nBA"}
    entry = {"endpoint": "https://push.example/b", "keys": keys}
    text = msgspec.json.encode({"b@example.com": entry, "c@example.com": entry}).decode()
    path.write_text(text)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    url = f"{VAPID}?keyfile=/run/k.pem&subfile={path}"
    _, transport = await send(url, {"/run/k.pem": pem, str(path): text}, Response(status=410))
    assert {request.url for request in transport.carried} == {"https://push.example/b"}
    assert path.read_text() == text
    assert [entry.name for entry in os.scandir(tmp_path)] == ["s.json"]


def test_nothing_is_opened_outside_of_a_send(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    for mode in ("r", "rb", "w", "a", "r+", "x"):
        with pytest.raises(PermissionError):
            open_text(tmp_path / "a", mode)
    assert (tmp_path / "a").read_text() == "a"


def test_an_attachment_is_there_in_no_other_place() -> None:
    patch_apprise()
    assert not AppriseAttachment("/etc/passwd").sync()
    assert not AppriseAttachment("/etc/passwd")[0]


def find_modules() -> Iterator[ModuleType]:
    patch_apprise()
    for name, module in sorted(sys.modules.copy().items()):
        if name.startswith("apprise.") and isinstance(module, ModuleType):
            yield module


def test_no_module_of_apprise_opens_a_file_by_itself() -> None:
    left = [
        module.__name__
        for module in find_modules()
        if vars(module).get("open") is not open_text or os in vars(module).values()
        if not module.__name__.startswith(UNRESTRICTED_MODULES)
    ]
    assert left == []


READERS = {
    "apprise.plugins.discord": {"AppriseAttachment", "open"},
    "apprise.plugins.email.base": {"ApprisePGPController", "AppriseWKDController"},
    "apprise.plugins.fcm": {"AppriseAttachment"},
    "apprise.plugins.fcm.oauth": {"open"},
    "apprise.plugins.slack": {"AppriseAttachment", "open"},
    "apprise.plugins.telegram": {"AppriseAttachment", "open"},
    "apprise.plugins.vapid": {"ApprisePEMController"},
    "apprise.plugins.vapid.subscription": {"AppriseAttachment", "NamedTemporaryFile", "open"},
    "apprise.plugins.workflows": {"AppriseAttachment", "open"},
}
"""Plugins whose URLs name files; each is in a test above, with all of its arguments."""

SENDERS = {
    *("apprise_api", "custom_form", "mailgun", "mastodon", "matrix.base", "pushbullet"),
    *("ses", "twitter"),
}
"""Plugins that open what is attached to a message; the router attaches nothing."""


def test_the_plugins_that_read_files_are_known() -> None:
    calls = {"AppriseAttachment", "open", "NamedTemporaryFile", "mkstemp"}
    calls |= {"ApprisePGPController", "ApprisePEMController", "AppriseWKDController"}
    found: dict[str, set[str]] = {}
    for module in find_modules():
        name = module.__name__
        if not name.startswith("apprise.plugins.") or name == "apprise.plugins.base":
            continue
        if name.removeprefix("apprise.plugins.") in SENDERS:
            continue
        names = {_name(node) for node in ast.walk(ast.parse(getsource(module)))} & calls
        if names:
            found[name] = names
    assert found == READERS


def _name(node: ast.AST) -> str:
    """Return the name of a function that is called, of a module of Apprise's where one is named."""
    match node:
        case ast.Call(func=ast.Name(id=name)):
            return name
        case ast.Call(func=ast.Attribute(value=ast.Name(id=owner), attr=name)) if (
            name != "open" or owner in {"os", "io", "gzip"}
        ):
            return name
    return ""
