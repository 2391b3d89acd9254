"""No secret shows: each is a canary, everything goes wrong, and all there is to read is read."""

import json
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.client import wait_for
from tests.fakes.webpush import Browser
from tests.secrecy.echo import echoing
from tests.secrecy.stage import APP, ROUNDS, UID, Stage, make_payload

LOGS = {
    "json": {"ROUTER_LOG_LEVEL": "debug", "ROUTER_LOG_FORMAT": "json"},
    "text": {"ROUTER_LOG_LEVEL": "debug", "ROUTER_LOG_FORMAT": "text"},
}
ADDRESS = "address"
"""Names of canaries begin so that stand in the tables of addresses, and nowhere else."""
HOMES = {"contacts", "deliveries", "once"}
OUTCOMES = ("302", "400", "500", "401", "422", "535", "timed out", "closed", "raised R")
"""What attempts end with, the words of each kind of answer among them."""
LISTS = ("notifications", "deliveries", "dead-letters")


@pytest.fixture(params=sorted(LOGS))
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    with echoing("q7accesstokenq7accesstok") as rewrite:
        stage = Stage(tmp_path, rewrite, LOGS[request.param])
        stage.canaries.adopt("q7accesstokenq7accesstok", "access token")
        try:
            stage.process.start()
            yield stage
        finally:
            stage.process.kill()


def test_no_secret_shows_wherever_it_is_and_whatever_goes_wrong(stage: Stage) -> None:
    register(stage)
    knock_on_every_door(stage)
    deliver(stage)
    break_the_rules(stage)
    hold_the_database(stage)
    read_every_page(stage)
    printed = call_every_verb(stage)
    tables = list(stage.texts())
    files = stage.files()
    stage.process.abort()

    log = stage.process.log.read_bytes()
    assert_that_things_went_wrong(stage, log.decode())
    find = stage.canaries.find
    found = {
        "the log": find(log),
        "an answer": find(b"\n".join(stage.seen)),
        "the command line": find(printed.encode()),
        "the database's files": find(files, but=ADDRESS),
    }
    for table, text in tables:
        shown = find(text.encode(), but=ADDRESS if table in HOMES else "")
        found[table] = found.get(table, set()) | shown
    assert {place: names for place, names in found.items() if names} == {}


def register(stage: Stage) -> None:
    """Give a recipient an address of every kind, and devices."""
    make, path = stage.canaries, f"/v1/recipients/{UID}"
    contacts = {
        "email": f"{make['address by mail']}@people.test",
        "sms": "+12125550123",
        "slack": make["address at slack"],
        "apprise": "12315544",
        "webhook": f"https://people.test/@{make['address']}",
    }
    secret = f"https://ann:{make['address with a password']}@people.test/"
    refused = {"appId": APP, "contacts": {"webhook": secret}}
    assert stage.call("PUT", path, refused)[0] == 400
    body = {"appId": APP, "contacts": contacts}
    assert stage.call("PUT", path, body)[0] == 200
    browser = Browser(make["address of a browser, endpoint"], host="push.test")
    for name, key in browser.keys.items():
        make.adopt(key, f"address of a browser, {name}")
    devices = (
        {"platform": "fcm_android", "token": make["address of a device"]},
        {"platform": "web", "subscription": browser.subscription},
    )
    for device in devices:
        body = {"appId": APP, "authToken": make["auth token"], **device}
        assert stage.call("PUT", f"{path}/devices", body)[0] == 200
    for broken in ({"platform": 1, "token": make["refused token"]}, {"authToken": make["lone"]}):
        assert stage.call("PUT", f"{path}/devices", {"appId": APP, **broken})[0] == 400
    assert stage.call("POST", f"{path}/logout", {"authToken": make["other auth token"]})[0] == 200


def knock_on_every_door(stage: Stage) -> None:
    """Come with credentials that are wrong, malformed or in the wrong place."""
    make = stage.canaries
    payload = make_payload(0, make)
    wrong = (
        stage.basic(make["wrong password"]),
        f"Basic {make['malformed credentials']}!",
        f"Digest {make['credentials of another scheme']}",
        make["credentials without a scheme"],
        f"Bearer {make['wrong key']}",
    )
    for authorization in wrong:
        assert stage.post(payload, authorization) == 401
        assert stage.call("GET", "/v1/rules", Authorization=authorization)[0] == 401
    other = {"Authorization": f"Bearer {make['other key']}"}
    assert stage.call("GET", "/v1/rules", **other)[0] == 403
    assert stage.post(payload, stage.basic(make["previous password"])) == 200
    secret = json.dumps({"wsChannel": {"secret": make["secret in a broken body"]}}).encode()
    for body in (secret[:-2], secret + b"x" * (1 << 20), b"\xff" + secret, secret):
        assert stage.post(body) in {400, 413}
    assert stage.post({**payload, "trigger": 1, "secret": make["secret beside a fault"]}) == 400
    for path in ("/v1/rules", "/v1/notifications", "/webhook", "/nowhere"):
        stage.call("GET", f"{path}?key={make['key in a query']}&cursor={make['key in a cursor']}")
    assert stage.call("GET", "/v1/notifications?recipient=breakdown")[0] == 500


def deliver(stage: Stage) -> None:
    """Let every channel send until its provider has answered in every way."""
    for number in range(1, ROUNDS + 1):
        assert stage.post(make_payload(number, stage.canaries)) == 200
    wait_for(lambda: all(sign in stage.reasons() for sign in OUTCOMES))


def break_the_rules(stage: Stage) -> None:
    """Reload rules that are broken where a secret stands, and bring the good ones back."""
    make = stage.canaries
    good = stage.rules.read_text(encoding="utf-8")
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
        stage.rules.write_text(f"version: 1\n{text}rules: []\n", encoding="utf-8")
        assert stage.call("POST", "/v1/rules/reload")[0] == 422, name
        stage.seen.append(stage.run("check").encode())
        stage.seen.append(stage.run("check", "--format", "json").encode())
        stage.call("GET", "/v1/rules")
    stage.process.send(signal.SIGHUP)
    stage.rules.write_text(good, encoding="utf-8")
    assert stage.call("POST", "/v1/rules/reload")[0] == 200


def hold_the_database(stage: Stage) -> None:
    """Keep the router from writing for longer than it waits."""
    connection = sqlite3.connect(stage.database, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        assert stage.post(make_payload(ROUNDS + 1, stage.canaries)) == 503
        body = {"appId": APP, "contacts": {"slack": stage.canaries["address unwritten"]}}
        assert stage.call("PUT", f"/v1/recipients/{UID}", body)[0] == 503
    finally:
        connection.execute("ROLLBACK")
        connection.close()
    wait_for(lambda: stage.post(make_payload(ROUNDS + 1, stage.canaries)) == 200)


def read_every_page(stage: Stage) -> None:
    """Read every list, every item in it, and all that has no items."""
    for path in ("/metrics", "/docs/openapi.json", "/health/ready", "/v1/rules"):
        assert stage.call("GET", path)[0] == 200, path
    for name in LISTS:
        _, page = stage.call("GET", f"/v1/{name}?limit=200")
        assert page["items"] or name == "dead-letters"
        for item in page["items"][:50]:
            assert stage.call("GET", f"/v1/{name}/{item['id']}")[0] == 200
    assert stage.call("GET", f"/v1/recipients/{UID}?appId={APP}")[0] == 200
    payload = make_payload(1, stage.canaries)
    assert stage.call("POST", "/v1/rules/explain", payload)[0] == 200


def call_every_verb(stage: Stage) -> str:
    """Return what the command line prints about all this."""
    payload = stage.folder / "payload.json"
    payload.write_text(json.dumps(make_payload(1, stage.canaries)), encoding="utf-8")
    sandbox = {"ROUTER_SANDBOX": "true", "ROUTER_LOG_LEVEL": "debug"}
    printed = [
        stage.run("plugins"),
        stage.run("check"),
        stage.run("check", "--format", "json"),
        stage.run("schema"),
        stage.run("explain", str(payload)),
        stage.run("explain", str(payload), "--format", "json"),
        stage.run("deliveries", "--limit", "200"),
        stage.run("deliveries", "--format", "json", "--limit", "200"),
        stage.run("dead", "list", "--format", "json", "--limit", "200"),
        stage.run("migrate"),
        stage.run("healthcheck", "--url", stage.process.url),
        stage.run_apart("serve", ROUTER_PORT=str(stage.process.port)),
    ]
    password = stage.canaries["database password"]
    for url in (
        f"postgresql+asyncpg://ann:{password}@127.0.0.1:1/router",
        f"nonsense://ann:{password}@127.0.0.1/router",
        f"postgresql+asyncpg://ann:{password}@[/router",
    ):
        printed += [stage.run("migrate", ROUTER_DATABASE=url)]
        printed += [stage.run_apart("serve", ROUTER_DATABASE=url)]
    printed += [
        stage.run_apart("send", "--channel", name, "--to", "+12125550123", **sandbox)
        for name in ("leaky-token", "webhook-basic", "slack-bot_token", "sms-url")
    ]
    return "\n".join(printed)


def assert_that_things_went_wrong(stage: Stage, log: str) -> None:
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
