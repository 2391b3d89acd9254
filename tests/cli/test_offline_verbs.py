"""`check`, `explain`, `plugins` and `send`: verbs that need no server and no database."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from router.cli import VERBS, main
from router.cli.github_annotations import annotate
from router.core.errors import Problem

SAMPLES = Path("router/samples")
BAD = """\
version: 1
channels:
  app: {plugin: push, fcm: {service_account: "${file:/nowhere}"}}
rules:
  - name: call
    when: {type: call, callAction: intiated}
    send: [ap]
"""


@pytest.fixture
def router(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.delenv("ROUTER_SANDBOX", raising=False)
    return lambda *args: CliRunner().invoke(main, [str(arg) for arg in args])


@pytest.fixture
def sandbox(router: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROUTER_SANDBOX", "true")


def test_help_lists_every_verb(router: Callable[..., Result]) -> None:
    text = router("--help").output
    assert [verb for verb in VERBS if f"\n  {verb} " not in text] == []


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(router: Callable[..., Result], verb: str) -> None:
    result = router(verb, "--help")
    assert result.exit_code == 0
    assert "Usage:" in result.output


def test_an_unknown_verb_is_wrong_usage(router: Callable[..., Result]) -> None:
    assert router("serv").exit_code == 2


def test_check_names_every_problem_with_its_place(
    router: Callable[..., Result], tmp_path: Path
) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(BAD)
    result = router("check", file)
    assert result.exit_code == 1
    lines = [line for line in result.output.splitlines() if line.startswith(str(file))]
    fault = "the file /nowhere cannot be read: No such file or directory"
    assert lines == [
        f"{file}:3:47: error: {fault}; put a file there that the router may read",
        f'{file}:6:36: error: unknown value "intiated" for callAction; did you mean "initiated"?',
        f'{file}:7:12: error: unknown channel "ap"; did you mean "app"?',
        f"{file}: 3 errors, 0 warnings",
    ]
    assert "    6 |     when: {type: call, callAction: intiated}\n" in result.output


def test_check_prints_json(router: Callable[..., Result], tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(BAD)
    rows = json.loads(router("check", file, "--format", "json").stdout)
    assert [set(row) for row in rows] == [
        {"file", "line", "column", "severity", "message", "hint"}
    ] * 3
    assert rows[1]["hint"] == 'did you mean "initiated"?'


@pytest.mark.usefixtures("sandbox")
def test_warnings_alone_pass_unless_strict(router: Callable[..., Result]) -> None:
    assert router("check", "rules.yaml").exit_code == 0
    assert router("check", "rules.yaml", "--strict").exit_code == 1


def test_check_annotates_a_pull_request_by_workflow_commands(
    router: Callable[..., Result], tmp_path: Path
) -> None:
    file = tmp_path / "a,b:c%.yaml"
    file.write_text(
        "version: 1\nrules:\n  - {name: one, when: {callAction: intiated}, drop: true}\n"
        '  - {name: two, when: {custom.a: "5%*"}, drop: true}\n'
    )
    result = router("check", str(file), "--format", "github")
    name = str(file).replace("a,b:c%", "a%2Cb%3Ac%25")
    unknown = 'unknown value "intiated" for callAction; did you mean "initiated"?'
    star = 'a "*" stands for itself here; write {glob: "5%25*"}'
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        f"::error file={name},line=3,col=36,endColumn=44,title=router check::{unknown}",
        f"::warning file={name},line=4,col=34,endColumn=39,title=router check::{star}",
    ]


def test_an_annotation_is_one_line_whatever_a_problem_says() -> None:
    problem = Problem(file="f", line=1, column=2, message="a\r\nb: c, d", hint="100%")
    assert annotate(problem) == (
        "::error file=f,line=1,col=2,endColumn=3,title=router check::a%0D%0Ab: c, d; 100%25"
    )


def test_schema_prints_the_json_schema_of_the_rules(router: Callable[..., Result]) -> None:
    schema = json.loads(router("schema").stdout)
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert {"rules", "classify", "fields"} <= schema["properties"].keys()
    assert "url" in schema["definitions"]["settings of sms"]["properties"]


def test_check_of_a_file_that_is_not_there_is_wrong_usage(router: Callable[..., Result]) -> None:
    assert router("check", "no-such-file.yaml").exit_code == 2


def test_explain_needs_no_secrets(router: Callable[..., Result]) -> None:
    result = router("explain", SAMPLES / "push_call_audio_initiated.json")
    assert result.exit_code == 0
    assert "✓ incoming-call" in result.output
    assert "Andrew Joseph is calling" in result.output


def test_explain_prints_the_pinned_json(router: Callable[..., Result]) -> None:
    result = router("explain", SAMPLES / "push_call_audio_initiated.json", "--format", "json")
    trace = json.loads(result.stdout)
    assert trace["notification"]["kind"] == "call"
    assert trace["notification"]["feed"] == "push"
    assert trace["notification"]["recipient"] == "cometchat-uid-2"
    rule = next(rule for rule in trace["rules"] if rule["name"] == "incoming-call")
    assert rule["matched"] is True
    assert {"field", "place", "held", "why"} <= set(rule["tests"][0])
    delivery = trace["deliveries"][0]
    assert {"rule", "channel", "to", "due", "title", "body"} <= set(delivery)
    assert delivery["due"] == 1741847453.0


def test_explain_takes_another_time(router: Callable[..., Result]) -> None:
    sample = SAMPLES / "push_chat_one_on_one.json"
    result = router("explain", sample, "--at", "2026-03-29T01:59:50+01:00", "--format", "json")
    assert json.loads(result.stdout)["deliveries"][0]["due"] == 1774745990.0
    assert router("explain", sample, "--at", "tomorrow").exit_code == 2


def test_explain_of_something_else_says_what_is_missing(
    router: Callable[..., Result], tmp_path: Path
) -> None:
    file = tmp_path / "payload.json"
    file.write_text('{"trigger": "message_sent"}')
    result = router("explain", file)
    assert result.exit_code == 1
    assert '$.trigger: unknown value "message_sent"' in result.stderr


def test_plugins_lists_the_shipped_ones_and_names_a_broken_one(
    router: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert router("plugins").exit_code == 0
    (tmp_path / "broken.py").write_text("import no_such_module\n")
    monkeypatch.setenv("ROUTER_PLUGINS_DIR", str(tmp_path))
    result = router("plugins")
    assert result.exit_code == 1
    for name in ("push", "sms", "slack", "email", "webhook", "apprise"):
        assert name in result.stdout
    assert "no_such_module" in result.stderr


@pytest.mark.usefixtures("sandbox")
def test_send_in_the_sandbox_shows_the_request(router: Callable[..., Result]) -> None:
    result = router("send", "--channel", "text", "--to", "+12125550123")
    assert result.exit_code == 0
    assert "send: delivered" in result.output
    assert "POST https://" in result.output


@pytest.mark.usefixtures("sandbox")
def test_send_names_the_nearest_channel_and_asks_for_an_address(
    router: Callable[..., Result],
) -> None:
    unknown = router("send", "--channel", "txt", "--to", "+12125550123")
    assert unknown.exit_code == 2
    assert 'did you mean "text"?' in unknown.stderr
    assert router("send", "--channel", "text").exit_code == 2


@pytest.mark.usefixtures("sandbox")
def test_send_reads_a_number_in_the_country_of_the_rules_or_refuses_it(
    router: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = tmp_path / "rules.yaml"
    monkeypatch.setenv("ROUTER_RULES", str(rules))
    text = (
        'version: 1\nchannels: {text: {plugin: sms, url: "${env:SMS_URL}"}}\n'
        "rules: [{name: all, send: [text]}]\n"
    )
    rules.write_text(text)
    refused = router("send", "--channel", "text", "--to", "(212) 555-0100")
    assert refused.exit_code == 2
    assert "has no country code" in " ".join(refused.stderr.split())
    rules.write_text(text + "defaults: {country: US}\n")
    sent = router("send", "--channel", "text", "--to", "(212) 555-0100")
    assert sent.exit_code == 0
    assert "To=%2B12125550100" in sent.output


def test_check_says_what_is_wrong_with_a_number(
    router: Callable[..., Result], tmp_path: Path
) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(
        "version: 1\n"
        "channels: {text: {plugin: sms, url: 'twilio://AC00000000000000000000000000000000:"
        "00000000000000000000000000000000@+15005550006/{to}'}}\n"
        "rules:\n"
        "  - name: all\n"
        "    send: [{channel: text, to: [(212) 555-0100, +12125550100, 12345]}]\n"
    )
    result = router("check", file)
    assert result.exit_code == 1
    (line,) = [line for line in result.output.splitlines() if ": error: " in line]
    assert line == (
        f'{file}:5:33: error: channel text cannot send to "(212) 555-0100"; has no country code; '
        "write it with + and the country code, as +12125550100, or say its `country`"
    )


def test_simulate_lists_the_samples_and_names_the_nearest(
    router: Callable[..., Result],
) -> None:
    names = router("simulate", "--list").stdout.split()
    assert sorted(names) == sorted(file.stem for file in SAMPLES.glob("*_*.json"))
    result = router("simulate", "push_call_audio_initated")
    assert result.exit_code == 2
    assert 'did you mean "push_call_audio_initiated"?' in result.stderr


def test_simulate_without_a_server_says_so(
    router: Callable[..., Result], unused_tcp_port: int
) -> None:
    result = router("simulate", "sms_group", "--url", f"http://127.0.0.1:{unused_tcp_port}")
    assert result.exit_code == 1
    assert "is `router serve` running?" in result.stderr
    assert router("healthcheck", "--url", f"http://127.0.0.1:{unused_tcp_port}").exit_code == 1


def test_every_problem_of_the_environment_is_named(
    router: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROUTER_PROT", "8000")
    monkeypatch.setenv("ROUTER_LOG_LEVEL", "loud")
    result = router("check")
    assert result.exit_code == 1
    assert "ROUTER_PROT" in result.stderr
    assert "did you mean ROUTER_PORT?" in result.stderr
    assert "ROUTER_LOG_LEVEL" in result.stderr
