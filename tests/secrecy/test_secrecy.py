"""No secret shows: each is a canary, everything goes wrong, and all there is to read is read."""

import json
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.client import wait_for
from tests.fakes.webpush import Browser
from tests.secrecy.echoing_providers import echoing
from tests.secrecy.harness import APP, ROUNDS, UID, Harness, make_payload

pytestmark = pytest.mark.slow

ADDRESS = "address"
"""Names of canaries begin so that stand in the tables of addresses, and nowhere else."""
HOMES = {"contacts", "deliveries", "once"}
OUTCOMES = ("302", "400", "500", "401", "422", "535", "timed out", "closed", "raised R")
"""What attempts end with, the words of each kind of answer among them."""
LISTS = ("notifications", "deliveries", "dead-letters")


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[Harness]:
    with echoing("q7accesstokenq7accesstok") as rewrite:
        harness = Harness(tmp_path, rewrite)
        harness.canaries.adopt("q7accesstokenq7accesstok", "access token")
        try:
            harness.process.start()
            yield harness
        finally:
            harness.process.kill()


def test_no_secret_shows_wherever_it_is_and_whatever_goes_wrong(harness: Harness) -> None:
    register(harness)
    knock_on_every_door(harness)
    deliver(harness)
    harness.process.restart("text")
    break_the_rules(harness)
    hold_the_database(harness)
    read_every_page(harness)
    printed = call_every_verb(harness)
    tables = list(harness.texts())
    files = harness.files()
    harness.process.abort()

    log = harness.process.log.read_bytes()
    assert_that_things_went_wrong(harness, log.decode())
    find = harness.canaries.find
    found = {
        "the log": find(log),
        "an answer": find(b"\n".join(harness.seen)),
        "the command line": find(printed.encode()),
        "the database's files": find(files, but=ADDRESS),
    }
    for table, text in tables:
        shown = find(text.encode(), but=ADDRESS if table in HOMES else "")
        found[table] = found.get(table, set()) | shown
    assert {place: names for place, names in found.items() if names} == {}


def register(harness: Harness) -> None:
    """Give a recipient an address of every kind, and devices."""
    make, path = harness.canaries, f"/v1/recipients/{UID}"
    contacts = {
        "email": f"{make['address by mail']}@people.test",
        "sms": "+12125550123",
        "slack": make["address at slack"],
        "apprise": "12315544",
        "webhook": f"https://people.test/@{make['address']}",
    }
    secret = f"https://ann:{make['address with a password']}@people.test/"
    refused = {"appId": APP, "contacts": {"webhook": secret}}
    assert harness.call("PUT", path, refused)[0] == 400
    body = {"appId": APP, "contacts": contacts}
    assert harness.call("PUT", path, body)[0] == 200
    browser = Browser(make["address of a browser, endpoint"], host="push.test")
    for name, key in browser.keys.items():
        make.adopt(key, f"address of a browser, {name}")
    devices = (
        {"platform": "fcm_android", "token": make["address of a device"]},
        {"platform": "web", "subscription": browser.subscription},
    )
    for device in devices:
        body = {"appId": APP, "authToken": make["auth token"], **device}
        assert harness.call("PUT", f"{path}/devices", body)[0] == 200
    for broken in ({"platform": 1, "token": make["refused token"]}, {"authToken": make["lone"]}):
        assert harness.call("PUT", f"{path}/devices", {"appId": APP, **broken})[0] == 400
    assert harness.call("POST", f"{path}/logout", {"authToken": make["other auth token"]})[0] == 200


def knock_on_every_door(harness: Harness) -> None:
    """Come with credentials that are wrong, malformed or in the wrong place."""
    make = harness.canaries
    payload = make_payload(0, make)
    wrong = (
        harness.basic(make["wrong password"]),
        f"Basic {make['malformed credentials']}!",
        f"Digest {make['credentials of another scheme']}",
        make["credentials without a scheme"],
        f"Bearer {make['wrong key']}",
    )
    for authorization in wrong:
        assert harness.post(payload, authorization) == 401
        assert harness.call("GET", "/v1/rules", Authorization=authorization)[0] == 401
    other = {"Authorization": f"Bearer {make['other key']}"}
    assert harness.call("GET", "/v1/rules", **other)[0] == 403
    assert harness.post(payload, harness.basic(make["previous password"])) == 200
    secret = json.dumps({"wsChannel": {"secret": make["secret in a broken body"]}}).encode()
    for body in (secret[:-2], secret + b"x" * (1 << 20), b"\xff" + secret, secret):
        assert harness.post(body) in {400, 413}
    assert harness.post({**payload, "trigger": 1, "secret": make["secret beside a fault"]}) == 400
    for path in ("/v1/rules", "/v1/notifications", "/webhook", "/nowhere"):
        harness.call("GET", f"{path}?key={make['key in a query']}&cursor={make['key in a cursor']}")
    assert harness.call("GET", "/v1/notifications?recipient=breakdown")[0] == 500


def deliver(harness: Harness) -> None:
    """Let every channel send until its provider has answered in every way."""
    for number in range(1, ROUNDS + 1):
        assert harness.post(make_payload(number, harness.canaries)) == 200
    wait_for(lambda: all(sign in harness.reasons() for sign in OUTCOMES))


def break_the_rules(harness: Harness) -> None:
    """Reload rules that are broken where a secret stands, and bring the good ones back."""
    make = harness.canaries
    good = harness.rules.read_text(encoding="utf-8")
    channel = f'{{plugin: leaky, token: "{make["token in broken rules"]}"'
    bad = {
        "no YAML": f"channels:\n  a: {channel}\n",
        "no YAML at a secret": f"channels:\n  a:\n    token: @{make['token that is no YAML']}\n",
        "a misspelt key": f'channels:\n  a: {channel}, spaer: "{make["misspelt"]}"}}\n',
        "an unknown plugin": f"channels:\n  a: {{plugin: laeky, x: {{y: [{make['unread']}]}}}}\n",
        "a wrong type": f"channels:\n  a: {channel}, timeout: soon}}\n",
        "a secret refused": f"channels:\n  a: {{plugin: leaky, token: bad{make['refused']}}}\n",
        "a bad URL": f"channels:\n  a: {{plugin: sms, url: 'nope://{make['bad url']}@x'}}\n",
        "a secret that is a list": f"channels:\n  a: {{plugin: leaky, token: [{make['list']}]}}\n",
    }
    for name, text in bad.items():
        harness.rules.write_text(f"version: 1\n{text}rules: []\n", encoding="utf-8")
        assert harness.call("POST", "/v1/rules/reload")[0] == 422, name
        harness.seen.append(harness.run("check").encode())
        harness.seen.append(harness.run("check", "--format", "json").encode())
        harness.call("GET", "/v1/rules")
    harness.process.send(signal.SIGHUP)
    harness.rules.write_text(good, encoding="utf-8")
    assert harness.call("POST", "/v1/rules/reload")[0] == 200


def hold_the_database(harness: Harness) -> None:
    """Keep the router from writing for longer than it waits."""
    connection = sqlite3.connect(harness.database, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        assert harness.post(make_payload(ROUNDS + 1, harness.canaries)) == 503
        body = {"appId": APP, "contacts": {"slack": harness.canaries["address unwritten"]}}
        assert harness.call("PUT", f"/v1/recipients/{UID}", body)[0] == 503
    finally:
        connection.execute("ROLLBACK")
        connection.close()
    wait_for(lambda: harness.post(make_payload(ROUNDS + 1, harness.canaries)) == 200)


def read_every_page(harness: Harness) -> None:
    """Read every list, every item in it, and all that has no items."""
    for path in ("/metrics", "/docs/openapi.json", "/health/ready", "/v1/rules"):
        assert harness.call("GET", path)[0] == 200, path
    for name in LISTS:
        _, page = harness.call("GET", f"/v1/{name}?limit=200")
        assert page["items"] or name == "dead-letters"
        for item in page["items"][:50]:
            assert harness.call("GET", f"/v1/{name}/{item['id']}")[0] == 200
    assert harness.call("GET", f"/v1/recipients/{UID}?appId={APP}")[0] == 200
    payload = make_payload(1, harness.canaries)
    assert harness.call("POST", "/v1/rules/explain", payload)[0] == 200


def call_every_verb(harness: Harness) -> str:
    """Return what the command line prints about all this."""
    payload = harness.folder / "payload.json"
    payload.write_text(json.dumps(make_payload(1, harness.canaries)), encoding="utf-8")
    sandbox = {"ROUTER_SANDBOX": "true", "ROUTER_LOG_LEVEL": "debug"}
    printed = [
        harness.run("plugins"),
        harness.run("check"),
        harness.run("check", "--format", "json"),
        harness.run("schema"),
        harness.run("explain", str(payload)),
        harness.run("explain", str(payload), "--format", "json"),
        harness.run("deliveries", "--limit", "200"),
        harness.run("deliveries", "--format", "json", "--limit", "200"),
        harness.run("dead", "list", "--format", "json", "--limit", "200"),
        harness.run("migrate"),
        harness.run("healthcheck", "--url", harness.process.url),
        harness.run_apart("serve", ROUTER_PORT=str(harness.process.port)),
    ]
    password = harness.canaries["database password"]
    for url in (
        f"postgresql+asyncpg://ann:{password}@127.0.0.1:1/router",
        f"nonsense://ann:{password}@127.0.0.1/router",
        f"postgresql+asyncpg://ann:{password}@[/router",
    ):
        printed += [harness.run("migrate", ROUTER_DATABASE=url)]
        printed += [harness.run_apart("serve", ROUTER_DATABASE=url)]
    printed += [
        harness.run_apart("send", "--channel", name, "--to", "+12125550123", **sandbox)
        for name in ("leaky-token", "webhook-basic", "slack-bot_token", "sms-url")
    ]
    return "\n".join(printed)


def assert_that_things_went_wrong(harness: Harness, log: str) -> None:
    """Prove that what was to go wrong did: where nothing fails, nothing is shown."""
    for sign in (
        *("unhandled exception in task", "unhandled exception in thread", "request failed"),
        *("exception in channel plugin", "plugin not loaded", "py.warnings"),
        *(
            "template rendering failed",
            "database unavailable",
            "Fatal Python error: Aborted",
            "refused: ",
        ),
    ):
        assert sign in log, f"the log does not say {sign}"
