"""`router explain` as a person reads it, and the recipient that its options tell of."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from router.cli import main
from tests.core.notifications import sample

RULES = """\
version: 1
timezone: Europe/Berlin
channels:
  app: {plugin: push, fcm: {service_account: "${file:/nowhere}"}}
  mail: {plugin: email, url: "${env:NO_SUCH_URL}"}
  room: {plugin: slack, url: "https://hooks.slack.com/services/T0000000/B0000000/abcdefghijkl"}
rules:
  - name: vip
    when: {kind: message, attributes.tier: gold}
    send: [mail]
  - name: chat
    when: {kind: message}
    enrich: {data: {word: "a b"}, link: "https://example.com/x"}
    send: [app, {channel: mail, when: {attributes.logins: {gt: 3}}, privacy: no_body}]
    stop: true
  - name: later
    send: [app]
"""
SAMPLE = "sample:push_chat_one_on_one"
AT = ("--at", "2026-03-29T12:00:00+02:00")


@pytest.fixture
def rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = Path("rules.yaml")
    path.write_text(RULES)
    return path


@pytest.fixture
def explain(rules: Path) -> Callable[..., Result]:
    return lambda *args: CliRunner().invoke(main, ["explain", *args, "--rules", str(rules)])


def test_the_account_has_every_verdict_its_place_and_what_goes_out(
    explain: Callable[..., Result],
) -> None:
    result = explain(SAMPLE, *AT)
    assert result.exit_code == 0
    text = result.stdout
    assert "push · message · for cometchat-uid-2 of app app123\n" in text
    assert "  as of 2026-03-29 12:00 Europe/Berlin, by rules " in text
    assert '  ✗ vip   rules.yaml:8:11\n      ✓ kind is "message"   9:12\n' in text
    assert '      ✗ attributes.tier is absent, wants "gold"   9:27\n' in text
    assert "  ✓ chat   rules.yaml:11:11   and ends here: stop\n" in text
    assert "      ✗ step mail   14:17\n          ✗ attributes.logins is absent" in text
    assert "  · later   rules.yaml:16:11   not reached below `chat`\n" in text
    assert "  ≈ `chat` to mail failed only on attributes.logins is absent" in text
    assert '\nNear misses\n  ≈ `vip` failed only on attributes.tier is absent, wants "gold"' in text
    assert "  → app to (their push address), now   (rule chat)\n" in text
    assert "      priority normal, until 2026-03-30 12:00 Europe/Berlin\n" in text
    assert "      link       https://example.com/x\n" in text
    assert "      data.word  a b\n" in text


def test_no_line_is_wider_than_a_hundred_columns_where_it_can_be_broken(
    explain: Callable[..., Result], rules: Path
) -> None:
    rules.write_text(
        RULES.replace("{kind: message}", f"{{sender: [{', '.join('abcdefghi' * 3)}]}}")
    )
    text = explain(SAMPLE).stdout
    assert max(map(len, text.splitlines())) <= 100


def test_the_options_tell_of_the_recipient(explain: Callable[..., Result]) -> None:
    options = ("--attributes", "tier=gold", "--attributes", "logins=4")
    contacts = ("--contact", "push=", "--contact", "email=a@x.org", "--contact", "email=b@x.org")
    trace = json.loads(explain(SAMPLE, *options, *contacts, "--format", "json").stdout)
    assert [rule["matched"] for rule in trace["rules"]] == [True, True, False]
    assert [(d["channel"], d["to"], d["state"]) for d in trace["deliveries"]] == [
        ("mail", "a@x.org", "waiting"),
        ("mail", "b@x.org", "waiting"),
        ("app", "", "suppressed"),
    ]
    text = explain(SAMPLE, *options, *contacts).stdout
    assert "  ✗ app: suppressed, no_contact: the recipient has no address" in text
    assert "  · mail: rule vip already sends to it   (rule chat)\n" in text


def test_a_contact_is_read_as_it_would_be_registered(explain: Callable[..., Result]) -> None:
    options = ("--attributes", "tier=gold", "--contact", "email=ann@bücher.example")
    trace = json.loads(explain(SAMPLE, *options, "--format", "json").stdout)
    addresses = {d["to"] for d in trace["deliveries"] if d["channel"] == "mail"}
    assert addresses == {"ann@xn--bcher-kva.example"}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--contact", "emial=x"), 'did you mean "email"?'),
        (("--contact", "email"), "write NAME=VALUE"),
        (("--contact", "email=ann"), "email=ann: "),
        (("--attributes", "=gold"), "write NAME=VALUE"),
        (("--timezone", "Europe/Berlim"), 'did you mean "Europe/Berlin"?'),
        (("--only", "vp"), 'did you mean "vip"?'),
        (("--at", "noon"), "must be a time like"),
    ],
)
def test_wrong_usage_is_told_with_the_nearest(
    explain: Callable[..., Result], options: tuple[str, str], says: str
) -> None:
    result = explain(SAMPLE, *options)
    assert result.exit_code == 2
    assert says in result.stderr


def test_an_unknown_sample_is_wrong_usage(explain: Callable[..., Result]) -> None:
    result = explain("sample:push_chat_one_on_on")
    assert result.exit_code == 2
    assert 'did you mean "push_chat_one_on_one"?' in result.stderr


def test_only_some_rules_are_shown_if_asked(explain: Callable[..., Result]) -> None:
    trace = json.loads(explain(SAMPLE, "--only", "vip", "--format", "json").stdout)
    assert [rule["name"] for rule in trace["rules"]] == ["vip"]
    assert [delivery["rule"] for delivery in trace["deliveries"]] == ["chat"]


def test_a_payload_may_come_by_stdin(rules: Path) -> None:
    body = sample("sms_group")
    result = CliRunner().invoke(main, ["explain", "-", "--rules", str(rules)], input=body)
    assert result.exit_code == 0
    assert "kind digest: it arrived by the sms feed" in result.stdout
    broken = CliRunner().invoke(main, ["explain", "-", "--rules", str(rules)], input=b"{")
    assert (broken.exit_code, broken.stderr.startswith("error: stdin: $: ")) == (1, True)


def test_long_texts_are_cut_and_what_the_provider_cuts_is_told(
    explain: Callable[..., Result], rules: Path
) -> None:
    long = "b" * 4000
    rules.write_text(RULES.replace("send: [app,", f"send: [{{channel: room, title: {long}}},"))
    text = " ".join(explain(SAMPLE).stdout.split())
    assert f"{'b' * 299}… (4000 characters, cut to " in text
    assert "b" * 301 not in text


def test_no_secret_is_shown(explain: Callable[..., Result], rules: Path) -> None:
    step = '{channel: own, to: "https://hooks.example.com/services/very-secret"}'
    own = 'channels:\n  own: {plugin: webhook, url: "{to}"}\n'
    text = RULES.replace("channels:\n", own).replace("send: [app,", f"send: [{step},")
    rules.write_text(text)
    for form in ("text", "json"):
        result = explain(SAMPLE, "--format", form)
        assert result.exit_code == 0
        assert "very-secret" not in result.output
        assert "abcdefghijkl" not in result.output


def test_errors_of_the_rules_are_shown_as_check_shows_them(
    explain: Callable[..., Result], rules: Path
) -> None:
    rules.write_text(RULES.replace("kind: message", "kind: massage"))
    result = explain(SAMPLE)
    assert result.exit_code == 1
    assert f'{rules}:9:18: error: unknown value "massage" for kind' in result.stderr
    assert "^^^^^^^" in result.stderr


def test_nothing_to_send_says_why(explain: Callable[..., Result], rules: Path) -> None:
    rules.write_text(RULES.replace("- name: later\n    send: [app]", "- {name: x, drop: true}"))
    assert "  ✗ nothing: dropped: x\n" in explain("sample:sms_group").stdout
    rules.write_text(RULES.partition("  - name: later")[0])
    assert "  ✗ nothing: no_match: no rule matched, and" in explain("sample:sms_group").stdout


def test_a_deferred_step_says_when_it_goes_and_why(
    explain: Callable[..., Result], rules: Path
) -> None:
    night = '{from: "22:00", to: "07:00", timezone: recipient}'
    step = "{channel: app, after: 10m, quiet: night}"
    head, _, _ = RULES.partition("rules:")
    rules.write_text(f"{head}hours: {{night: {night}}}\nrules: [{{name: all, send: [{step}]}}]\n")
    text = explain(SAMPLE, *AT, "--timezone", "Asia/Tokyo").stdout
    # 12:00 in Berlin is 19:00 in Tokyo.
    assert ", in 10 min, at 12:10 Europe/Berlin   (rule all)" in text
    late = ("--at", "2026-03-29T15:00:00+02:00")
    text = " ".join(explain(SAMPLE, *late, "--timezone", "Asia/Tokyo").stdout.split())
    words = "in 9 h, at 2026-03-30 00:00 Europe/Berlin, deferred to 07:00 Asia/Tokyo by night"
    assert words in text


def test_what_somebody_wrote_does_nothing_to_a_terminal(rules: Path) -> None:
    body = sample("push_chat_one_on_one").replace(b'"Hello!"', rb'"\u001b[2Jx\u202ey\u009b1m"')
    assert rb"\u001b" in body
    result = CliRunner().invoke(main, ["explain", "-", "--rules", str(rules)], input=body)
    assert not any(letter in result.stdout for letter in "\x1b\u202e\x9b")
    assert "body       \ufffd[2Jx\ufffdy\ufffd1m" in result.stdout


def test_it_says_when_what_waits_goes_and_what_makes_it_needless(
    explain: Callable[..., Result], rules: Path
) -> None:
    steps = "app, {channel: mail, unless: {delivered: app}}, {channel: room, after: 90m}"
    rules.write_text(RULES.replace("send: [app,", f"send: [{steps},"))
    text = explain(SAMPLE, *AT).stdout
    assert "  → mail to (their email address), if the deliveries before it reach nobody" in text
    assert "      unless delivered app\n" in text
    assert "  → room, in 1 h 30 min, at 13:30 Europe/Berlin   (rule chat)\n" in text


def test_an_edit_changes_and_a_deletion_takes_back_what_was_shown(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        'version: 1\nchannels: {room: {plugin: slack, bot_token: "${env:X}", channel: "#a"}}\n'
        "rules: [{name: a, when: {kind: [message, edit]}, send: [room]}]\n"
    )
    edit = sample("push_chat_message_edited")
    said = explained(edit, rules, tmp_path)
    assert "update: changes the message that was sent" in said
    deletion = edit.replace(b'"action": "edited"', b'"action": "deleted"')
    said = explained(deletion, rules, tmp_path)
    assert "retract: removes the message that was sent" in said


def explained(payload: bytes, rules: Path, folder: Path) -> str:
    file = folder / "payload.json"
    file.write_bytes(payload)
    done = CliRunner().invoke(main, ["explain", str(file), "--rules", str(rules)])
    assert done.exit_code == 0, done.output
    return done.output
