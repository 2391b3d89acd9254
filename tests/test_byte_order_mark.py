"""A byte order mark before a text that comes in is skipped, wherever it comes in."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import msgspec
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from router.bridge.exchange import Exchange
from router.channel import Request, Response, Secret
from router.cli import main
from router.core.model.byte_order_mark import skip_byte_order_mark
from router.core.model.payload import Json, decode, kept_body, parse
from router.plugins.push.fcm_access_token import ServiceAccount, make_placeholder_account
from router.rulebook.files import _resolve
from router.samples import SAMPLE_NAMES, read_sample
from router.settings import read_environment
from router.web.imports import LineSplitter
from router.web.signature import Signer
from tests.web.harness import APP, LIVE, OPERATOR, RULES, Harness, basic, open_harness, serve

BOM = b"\xef\xbb\xbf"
SECRET = "a-secret-of-thirty-two-characters"
PAYLOAD = json.dumps(read_sample("push_chat_one_on_one")).encode()
RECEIPT = json.dumps(
    {
        "trigger": "message_read_receipt",
        "appId": "app123",
        "data": {"body": {"messageId": "7", "user": {"uid": "ann"}}},
    }
).encode()
CLI_RULES = """
version: 1
channels: {room: {plugin: slack, bot_token: "${env:X}", channel: "#a"}}
rules: [{name: chat, when: {kind: message}, send: [room]}]
"""
CLI_TESTS = """
tests:
  - name: a chat
    events: [{payload: chat.json}]
    expect: [{channel: room, rule: chat}]
"""

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[Harness]:
    environ = {**LIVE, "ROUTER_WEBHOOK_SECRET": SECRET}
    async with open_harness(tmp_path, environ, rules=RULES) as harness:
        yield harness


@given(json_values)
def test_it_says_nothing_of_the_value_behind_it(value: Json) -> None:
    text = json.dumps(value).encode()
    assert parse(BOM + text) == parse(text)


@given(st.binary(), st.text())
def test_only_the_first_one_goes(content: bytes, text: str) -> None:
    assert skip_byte_order_mark(BOM + content) == content
    assert skip_byte_order_mark("\ufeff" + text) == text
    if not content.startswith(BOM):
        assert skip_byte_order_mark(content) == content


@pytest.mark.parametrize("name", SAMPLE_NAMES)
def test_a_payload_is_kept_as_the_json_it_is(name: str) -> None:
    body = json.dumps(read_sample(name)).encode()
    payload = decode(BOM + body)
    assert payload == decode(body)
    assert kept_body(BOM + body, payload) == kept_body(body, payload)
    assert json.loads(kept_body(BOM + body, payload))


async def test_a_webhook_with_it_is_accepted_and_is_the_same_payload(harness: Harness) -> None:
    async with (
        serve(harness.app) as (host, port),
        httpx.AsyncClient(base_url=f"http://{host}:{port}", headers=basic()) as client,
    ):
        answers = [
            await client.post("/webhook", content=content) for content in (BOM + PAYLOAD, PAYLOAD)
        ]
        heard = await client.post("/webhook/events", content=BOM + RECEIPT)
    assert [answer.json()["message"] for answer in answers] == ["accepted", "duplicate"]
    assert (heard.status_code, heard.json()["message"]) == (200, "accepted")


async def test_a_signature_covers_it(harness: Harness) -> None:
    for signed, status in ((BOM + PAYLOAD, 200), (PAYLOAD, 401)):
        digest = Signer(Secret(SECRET)).sign(signed).hex()
        answer = await harness.client().post(
            "/webhook", content=BOM + PAYLOAD, headers={"X-CometChat-Signature": digest}
        )
        assert answer.status_code == status


async def test_the_api_takes_bodies_with_it(harness: Harness) -> None:
    device = b'{"platform": "fcm_web", "token": "t", "authToken": "s"}'
    for method, path, body, key in (
        ("PUT", "/v1/recipients/bob?appId=a", b'{"timezone": "UTC"}', APP),
        ("PUT", "/v1/recipients/bob/devices?appId=a", device, APP),
        ("POST", "/v1/recipients/bob/logout?appId=a", b'{"authToken": "s"}', APP),
        ("POST", "/v1/rules/explain", PAYLOAD, OPERATOR),
        ("POST", "/v1/channels/mail/pause", b'{"minutes": 5}', OPERATOR),
        ("POST", "/v1/dead-letters/drop", b"{}", OPERATOR),
        ("POST", "/v1/dead-letters/retry", b"{}", OPERATOR),
    ):
        async with harness.client(key) as client:
            plain = await client.request(method, path, content=body)
            marked = await client.request(method, path, content=BOM + body)
        assert marked.status_code == plain.status_code, path
        assert "not JSON" not in marked.text, path


async def test_an_import_over_the_api_takes_lines_with_it(harness: Harness) -> None:
    lines = b'{"uid": "ann"}\n' + BOM + b'{"uid": "bob"}\n'
    tokens = b'{"data": {"pushTokens": [{"uid": "eve", "platform": "fcm_web", "fcmToken": "t"}]}}'
    async with harness.client(APP) as client:
        for body, shape, changed in (
            (lines, "router", 2),
            (tokens, "cometchat", 1),
            (b"", "router", 0),
        ):
            answer = await client.post(
                f"/v1/recipients/import?appId=a&shape={shape}", content=BOM + body
            )
            summary = answer.json()
            assert (summary["changed"], summary["bad"]) == (changed, 0), summary


@given(st.lists(st.integers(1, 4), max_size=6))
def test_it_may_come_in_pieces(sizes: list[int]) -> None:
    lines, content, found = LineSplitter(), BOM + b"one\ntwo", []
    for size in [*sizes, len(content)]:
        piece, content = content[:size], content[size:]
        found += list(lines.cut(piece))
    assert [*found, *lines.end()] == [b"one", b"two"]


def test_files_given_to_the_command_line_may_begin_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("X", "xoxb-1")
    rules = tmp_path / "rules.yaml"
    rules.write_bytes(BOM + CLI_RULES.encode())
    (tmp_path / "rules.test.yaml").write_bytes(BOM + CLI_TESTS.encode())
    payload = tmp_path / "chat.json"
    payload.write_bytes(BOM + PAYLOAD)
    for args, stdin in (
        (["check", str(rules)], None),
        (["test", str(tmp_path / "rules.test.yaml")], None),
        (["explain", str(payload), "--rules", str(rules)], None),
        (["explain", "-", "--rules", str(rules)], BOM + PAYLOAD),
    ):
        done = CliRunner().invoke(main, args, input=stdin)
        assert done.exit_code == 0, (args, done.output)


def test_a_file_of_recipients_may_begin_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROUTER_DATABASE", f"sqlite+aiosqlite:///{tmp_path}/router.db")
    assert CliRunner().invoke(main, ["migrate"]).exit_code == 0
    for name, content in (
        ("people.ndjson", b'{"uid": "ann", "appId": "a"}\n'),
        ("people.csv", b"uid,appId\nbob,a\n"),
        ("quoted.csv", b'"uid","appId"\neve,a\n'),
    ):
        file = tmp_path / name
        file.write_bytes(BOM + content)
        done = CliRunner().invoke(main, ["recipients", "import", str(file)])
        assert done.stdout == "1 lines: 1 changed, 0 unchanged, 0 invalid\n", done.output


def test_a_file_of_a_setting_may_begin_with_it(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_bytes(BOM + b"orange\n")
    given_environ = {"ROUTER_WEBHOOK_USER": "cometchat", "ROUTER_WEBHOOK_PASSWORD_FILE": str(file)}
    password = read_environment(given_environ)[0].webhook_password
    assert password is not None
    assert password.reveal() == "orange"


def test_a_reference_of_the_rules_may_lead_to_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = make_placeholder_account()
    file = tmp_path / "account.json"
    file.write_bytes(BOM + account.encode())
    monkeypatch.setenv("ACCOUNT", "\ufeff" + account)
    for found in (_resolve("file", str(file), ""), _resolve("env", "ACCOUNT", "")):
        assert isinstance(found, str)
        assert msgspec.json.decode(found, type=ServiceAccount).project_id == "sandbox"


def test_an_answer_of_a_provider_may_begin_with_it() -> None:
    request = Request(method="GET", url="https://example.com", headers={}, body=b"")
    for body, expected in ((b'{"ok": true}', True), (b"\xff", None), (b"[" * 100_000, None)):
        response = Response(status=200, headers={}, body=BOM + body)
        assert Exchange(request, response).json_value("ok") is expected
