"""`router recipients export` and `show`, on both databases."""

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from router.cli import main
from router.core.model.payload import Json
from tests.fakes.webpush import Browser

Router = Callable[..., Result]


@pytest.fixture
def router(make_url: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> Router:
    monkeypatch.setenv("ROUTER_DATABASE", make_url())
    return lambda *args: CliRunner().invoke(main, ["recipients", *map(str, args)])


def write(path: Path, *lines: Json | str) -> Path:
    text = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path.write_text("\n".join(text), encoding="utf-8")
    return path


WHOLE: Json = {
    "uid": "nadia",
    "appId": "app123",
    "contacts": {"email": "nadia@example.com", "sms": "+15005550006"},
    "attributes": {"tier": "gold", "age": 41, "trial": False},
    "timezone": "Europe/Paris",
    "locale": "fr-FR",
    "muted": {"group_noisy": 0.0, "group_later": 4102444800.0},
    "optOuts": ["chat", "mail"],
    "devices": [
        {
            "platform": "fcm_android",
            "token": "token-of-the-phone",
            "authToken": "secret-session",
            "providerId": "second",
            "locale": "de",
            "timezone": "Asia/Tokyo",
            "seenAt": 1700000000.5,
        },
        {
            "platform": "web",
            "subscription": {
                "endpoint": "https://push.example/secret-endpoint",
                "keys": dict(Browser(host="push.example").keys),
            },
            "seenAt": 1700000001,
        },
    ],
}
NOBODY: Json = {"uid": "zoe", "appId": "app123"}
UIDS = [f"uid-{number:03}" for number in range(450)]
OTHERS: list[Json] = [{"uid": uid, "appId": "other"} for uid in UIDS]


def test_what_is_exported_is_taken_back_as_it_was(
    make_url: Callable[[], str], router: Router, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert router("import", write(tmp_path / "people.jsonl", WHOLE, NOBODY, *OTHERS)).exit_code == 0
    first = router("export", "--with-tokens")
    lines = [json.loads(line) for line in first.stdout.splitlines()]
    assert [line["uid"] for line in lines] == ["nadia", "zoe", *UIDS]
    assert lines[0]["devices"][0]["session"] == sha256(b"secret-session").hexdigest()
    assert "secret-session" not in first.stdout
    monkeypatch.setenv("ROUTER_DATABASE", make_url())
    back = router("import", write(tmp_path / "back.jsonl", first.stdout))
    assert (back.exit_code, back.stdout) == (0, "452 lines: 452 changed, 0 unchanged, 0 invalid\n")
    assert router("export", "--with-tokens").stdout == first.stdout
    again = router("import", tmp_path / "back.jsonl")
    assert again.stdout == "452 lines: 0 changed, 452 unchanged, 0 invalid\n"
    other = [json.loads(line) for line in router("export", "--app", "other").stdout.splitlines()]
    assert other == OTHERS


def test_tokens_are_exported_only_when_that_is_asked_for(router: Router, tmp_path: Path) -> None:
    router("import", write(tmp_path / "people.jsonl", WHOLE))
    (line,) = router("export").stdout.splitlines()
    assert isinstance(WHOLE, dict)
    assert json.loads(line) == {name: part for name, part in WHOLE.items() if name != "devices"}


def test_a_recipient_is_shown_with_nothing_that_gives_an_address_away(
    router: Router, tmp_path: Path
) -> None:
    router("import", write(tmp_path / "people.jsonl", WHOLE))
    shown = router("show", "nadia")
    assert (shown.exit_code, shown.stdout.splitlines()) == (
        0,
        [
            "field\tvalue",
            "uid\tnadia",
            "appId\tapp123",
            "contacts.email\tn…@example.com",
            "contacts.sms\t+1…06",
            "attributes.age\t41",
            "attributes.tier\tgold",
            "attributes.trial\tfalse",
            "timezone\tEurope/Paris",
            "locale\tfr-FR",
            "optOuts\tchat;mail",
            "muted.group_later\tuntil 2100-01-01T00:00:00Z",
            "muted.group_noisy\tfor good",
            "device\tfcm_android to…ne second de Asia/Tokyo",
            'device\tweb {"…}}',
        ],
    )
    told = json.loads(router("show", "nadia", "--format", "json").stdout)
    assert told["devices"][0]["token"] == "to…ne"
    assert not any(word in shown.stdout + str(told) for word in ("secret", "of-the-phone"))


def test_who_is_not_known_or_not_told_apart_is_not_shown(router: Router, tmp_path: Path) -> None:
    router("import", write(tmp_path / "people.jsonl", WHOLE, NOBODY, *OTHERS))
    unclear = router("show", "nadia")
    assert unclear.exit_code == 1
    assert "appId" in unclear.stderr
    unknown = router("show", "nadja", "--app", "app123")
    assert (unknown.exit_code, unknown.stderr) == (1, "error: recipient nadja is not registered\n")
