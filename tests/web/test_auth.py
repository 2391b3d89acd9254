"""Who may come in, as a table of keys, scopes and places a request comes from."""

from functools import reduce
from pathlib import Path

from tests.web.harness import (
    APP,
    KEYS,
    LIVE,
    OPERATOR,
    SANDBOX,
    Harness,
    Memory,
    basic,
    open_harness,
)

RECIPIENTS = [
    ("GET", "/v1/recipients/bob"),
    ("PUT", "/v1/recipients/bob"),
    ("DELETE", "/v1/recipients/bob"),
    ("PUT", "/v1/recipients/bob/devices"),
    ("POST", "/v1/recipients/bob/logout"),
    ("POST", "/v1/recipients/import"),
]
OPERATIONS = [
    ("GET", "/v1/notifications"),
    ("GET", "/v1/notifications/n1"),
    ("GET", "/v1/deliveries"),
    ("GET", "/v1/deliveries/n1-1"),
    ("POST", "/v1/deliveries/cancel"),
    ("GET", "/v1/dead-letters"),
    ("GET", "/v1/dead-letters/n1-1"),
    ("POST", "/v1/dead-letters/retry"),
    ("POST", "/v1/dead-letters/n1-1/retry"),
    ("POST", "/v1/dead-letters/drop"),
    ("GET", "/v1/channels"),
    ("POST", "/v1/channels/mail/pause"),
    ("POST", "/v1/channels/mail/resume"),
    ("GET", "/v1/sending"),
    ("POST", "/v1/sending/stop"),
    ("POST", "/v1/sending/start"),
    ("GET", "/v1/rules"),
    ("POST", "/v1/rules/reload"),
    ("POST", "/v1/rules/explain"),
    ("GET", "/v1/rules/stats"),
]
OPEN = [
    ("GET", "/health/live"),
    ("GET", "/health/ready"),
    ("GET", "/metrics"),
    ("GET", "/docs/openapi.json"),
]
API = [*RECIPIENTS, *OPERATIONS]
PARAMETERS = [("bob", "{uid}"), ("n1-1", "{id}"), ("n1", "{id}"), ("mail", "{name}")]
BEARER = 'Bearer realm="router"'
BASIC = 'Basic realm="router", charset="UTF-8"'


async def test_the_tables_hold_every_route_but_the_webhook(harness: Harness) -> None:
    document = (await harness.client().get("/docs/openapi.json")).json()
    served = {(m.upper(), path) for path, methods in document["paths"].items() for m in methods}
    named = {
        (method, reduce(lambda text, change: text.replace(*change), PARAMETERS, path))
        for method, path in [*API, *OPEN]
    }
    assert served == named | {("POST", "/webhook"), ("POST", "/webhook/events")}


WRONG = [
    b"Bearer wrong",
    f"Bearer {OPERATOR}x".encode(),
    f"Bearer {OPERATOR[:-1]}".encode(),
    f"Bearer ops:operator:{OPERATOR}".encode(),
    b"Bearer ",
    b"Bearer",
    f"Basic {OPERATOR}".encode(),
    OPERATOR.encode(),
    "Bearer é".encode(),
]


async def test_health_metrics_and_document_need_no_key(harness: Harness) -> None:
    for method, path in OPEN:
        for key in ("", "wrong", APP):
            answer = await harness.client(key).request(method, path)
            assert answer.status_code in {200, 503}, path


async def test_the_api_needs_a_key(harness: Harness) -> None:
    for method, path in API:
        answer = await harness.client().request(method, path)
        assert answer.status_code == 401, path
        assert answer.headers["WWW-Authenticate"] == BEARER
        assert answer.json()["detail"] == "send `Authorization: Bearer KEY`"


async def test_a_wrong_key_opens_nothing(harness: Harness) -> None:
    for line in WRONG:
        for method, path in API:
            headers = [(b"Authorization", line)]
            answer = await harness.client().request(method, path, headers=headers)
            assert answer.status_code == 401, (line, path)
            assert answer.headers["WWW-Authenticate"] == BEARER
            assert OPERATOR not in answer.text


async def test_two_authorization_lines_open_nothing(harness: Harness) -> None:
    lines = [("Authorization", f"Bearer {OPERATOR}"), ("Authorization", "Bearer wrong")]
    answer = await harness.client().get("/v1/rules", headers=lines)
    assert answer.status_code == 401


async def test_recipients_open_to_both_scopes(harness: Harness) -> None:
    for key in (APP, OPERATOR):
        for method, path in RECIPIENTS:
            answer = await harness.client(key).request(method, path)
            assert answer.status_code in {200, 400, 404}, path


async def test_operations_are_closed_to_the_recipients_scope(harness: Harness) -> None:
    for method, path in OPERATIONS:
        answer = await harness.client(APP).request(method, path)
        assert answer.status_code == 403, path
        assert answer.json()["detail"] == "this route needs an API key with the scope operator"


async def test_operations_open_to_the_operator_scope(harness: Harness) -> None:
    for method, path in OPERATIONS:
        answer = await harness.client(OPERATOR).request(method, path)
        assert answer.status_code in {200, 400, 404, 409, 422}, path


async def test_the_scheme_is_read_in_any_case(harness: Harness) -> None:
    answer = await harness.client(Authorization=f"bEARER {OPERATOR}").get("/v1/rules")
    assert answer.status_code == 200


async def test_live_mode_without_keys_closes_the_api(tmp_path: Path) -> None:
    async with open_harness(tmp_path, {**LIVE, "ROUTER_API_KEYS": ""}) as harness:
        for method, path in API:
            for key in ("", OPERATOR):
                answer = await harness.client(key).request(method, path)
                assert answer.status_code == 401, path
                assert "ROUTER_API_KEYS" in answer.json()["detail"]


FROM_HERE: list[dict[str, str]] = [
    {},
    {"Host": "localhost:8000"},
    {"Host": "localhost"},
    {"Host": "127.0.0.1"},
    {"Host": "127.1.2.3:80"},
    {"Host": "[::1]:8000"},
    {"Host": "[::1]"},
    {"Origin": "http://localhost:8000"},
]
FROM_AWAY: list[dict[str, str]] = [
    {"Host": "router.example.com"},
    {"Host": "router.example.com:8000"},
    {"Host": "localhost.example.com"},
    {"Host": "10.0.0.5:8000"},
    {"Host": "0.0.0.0:8000"},
    {"Forwarded": "for=10.0.0.5"},
    {"X-Forwarded-For": "10.0.0.5"},
    {"X-Forwarded-Host": "localhost"},
    {"X-Forwarded-Proto": "https"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
]


async def test_a_sandbox_without_keys_answers_this_machine(tmp_path: Path) -> None:
    async with open_harness(tmp_path, SANDBOX, intake=Memory()) as harness:
        for headers in FROM_HERE:
            answer = await harness.client().get("/v1/rules", headers=headers)
            assert answer.status_code == 200, headers
            answer = await harness.client().post("/webhook", content=b"{}", headers=headers)
            assert answer.status_code == 400, headers


async def test_a_sandbox_without_keys_answers_nobody_else(tmp_path: Path) -> None:
    async with open_harness(tmp_path, SANDBOX, intake=Memory()) as harness:
        for headers in FROM_AWAY:
            for method, path in API:
                answer = await harness.client().request(method, path, headers=headers)
                assert answer.status_code == 403, (headers, path)
            answer = await harness.client().post("/webhook", content=b"{}", headers=headers)
            assert answer.status_code == 403, headers
            assert "ROUTER_WEBHOOK_USER" in answer.json()["detail"]
        assert harness.refused == ["forbidden"] * len(FROM_AWAY)


async def test_a_sandbox_with_keys_wants_them_and_answers_everyone(tmp_path: Path) -> None:
    async with open_harness(tmp_path, {**SANDBOX, "ROUTER_API_KEYS": KEYS}) as harness:
        assert (await harness.client().get("/v1/rules")).status_code == 401
        away = harness.client(OPERATOR, Host="router.example.com")
        assert (await away.get("/v1/rules")).status_code == 200


WRONG_BASIC = [
    None,
    basic(password="wrong")["Authorization"],
    basic(user="wrong")["Authorization"],
    basic(password="orang")["Authorization"],
    basic(password="orange ")["Authorization"],
    basic(password="")["Authorization"],
    basic(user="", password="")["Authorization"],
    "Basic Y29tZXRjaGF0",
    "Basic not base64!",
    "Basic é",
    "Basic ",
    "Basic",
    "Bearer " + basic()["Authorization"].removeprefix("Basic "),
    f"Bearer {OPERATOR}",
]


async def test_a_wrong_webhook_credential_is_refused(tmp_path: Path) -> None:
    async with open_harness(tmp_path, intake=Memory()) as harness:
        for line in WRONG_BASIC:
            headers = [] if line is None else [(b"Authorization", line.encode())]
            answer = await harness.client().post("/webhook", content=b"{}", headers=headers)
            assert answer.status_code == 401, line
            assert answer.headers["WWW-Authenticate"] == BASIC
            assert answer.json()["message"] == "unauthorized"
            assert "orange" not in answer.text


async def test_two_passwords_are_none(tmp_path: Path) -> None:
    async with open_harness(tmp_path, intake=Memory()) as harness:
        lines = [*basic().items(), *basic(password="wrong").items()]
        answer = await harness.client().post("/webhook", content=b"{}", headers=lines)
    assert (answer.status_code, answer.json()["detail"]) == (401, "send `Authorization` once")


async def test_the_previous_password_still_opens_while_it_is_set(tmp_path: Path) -> None:
    environ = {**LIVE, "ROUTER_WEBHOOK_PASSWORD_PREVIOUS": "lemon"}
    async with open_harness(tmp_path, environ, intake=Memory()) as harness:
        for password, status in (("orange", 400), ("lemon", 400), ("lime", 401)):
            line = basic(password=password)
            answer = await harness.client().post("/webhook", content=b"{}", headers=line)
            assert answer.status_code == status


async def test_a_password_may_hold_a_colon_and_any_letter(tmp_path: Path) -> None:
    environ = {**LIVE, "ROUTER_WEBHOOK_PASSWORD": "ö:Я:🍊"}
    async with open_harness(tmp_path, environ, intake=Memory()) as harness:
        line = basic(password="ö:Я:🍊")
        answer = await harness.client().post("/webhook", content=b"{}", headers=line)
    assert answer.status_code == 400


async def test_live_mode_without_a_credential_lets_nobody_in(tmp_path: Path) -> None:
    async with open_harness(tmp_path, {"ROUTER_API_KEYS": KEYS}, intake=Memory()) as harness:
        for line in ({}, basic("", ""), basic()):
            answer = await harness.client().post("/webhook", content=b"{}", headers=line)
            assert answer.status_code == 401
