import time
from datetime import UTC
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.errors import Problem
from router.core.loading import LoadResult, load, render_excerpt
from router.core.loading.yaml_document import split_lines
from router.core.rules.ruleset import Defaults, Ruleset
from tests import TESTDATA
from tests.core.plugin_schemas import PLUGINS, load_text, resolve

FOLDER = TESTDATA / "rules"
GOOD = sorted((FOLDER / "good").glob("*.yaml"))
BAD = sorted((FOLDER / "bad").glob("*.yaml"))


def expected(text: str) -> list[str]:
    """Return the problems that the comments at the top of a file announce."""
    lines = (line.removeprefix("# ") for line in text.splitlines())
    return [line for line in lines if line.startswith("rules.yaml:")]


def load_good(name: str) -> Ruleset:
    ruleset = load_text((FOLDER / "good" / f"{name}.yaml").read_text("utf-8")).ruleset
    assert ruleset is not None
    return ruleset


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_a_bad_file_is_refused_with_every_problem_in_file_order(path: Path) -> None:
    text = path.read_text("utf-8")
    loaded = load_text(text)
    assert [str(problem) for problem in loaded.problems] == expected(text)
    assert loaded.ruleset is None


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_a_good_file_is_taken_with_the_warnings_it_announces(path: Path) -> None:
    text = path.read_text("utf-8")
    loaded = load_text(text)
    assert [str(problem) for problem in loaded.problems] == expected(text)
    assert loaded.ruleset is not None


@pytest.mark.parametrize("path", [*GOOD, *BAD], ids=lambda path: path.stem)
def test_every_problem_has_a_picture_of_its_line(path: Path) -> None:
    loaded = load_text(path.read_text("utf-8"))
    for problem in loaded.problems:
        first, second = render_excerpt(problem, split_lines(loaded.text)).splitlines()
        assert first.startswith(f"{problem.line:>5} | ")
        assert second.lstrip(" |").strip("^") == ""


def test_the_version_of_a_ruleset_is_that_of_its_text() -> None:
    text = (FOLDER / "good" / "smallest.yaml").read_text("utf-8")
    one, same, other = (load_text(t).ruleset for t in (text, text, text + "# more\n"))
    assert one is not None
    assert same is not None
    assert other is not None
    assert one.version == same.version != other.version


def test_a_channel_keeps_its_settings_and_what_it_sends_to() -> None:
    channels = load_good("steps").channels
    assert list(channels) == ["mail", "room", "text"]
    assert (channels["mail"].plugin, channels["mail"].address_kind) == ("email", "email")
    assert channels["room"].address_kind == "", "its destination is fixed"
    assert channels["text"].settings == {"url": "value-of-SMS_URL", "rate": "10/s"}
    assert str(channels["mail"].place) == "rules.yaml:3:3"


def test_a_step_keeps_what_the_file_says_of_it() -> None:
    (rule,) = load_good("steps").rules
    bare, once, full, fixed, several = rule.send
    assert (bare.channel, bare.to, bare.priority, bare.expires) == ("room", (), None, None)
    assert (once.once_per, once.privacy) == ("message", "no_content")
    assert (full.channel, full.to, full.priority, full.expires) == ("mail", (), "high", 86400.0)
    assert full.when is not None
    assert fixed.to == ("ops@example.com",)
    assert (several.to, several.privacy) == (("a@example.com", "b@example.com"), "no_body")


def test_defaults_are_those_of_the_file_or_else_the_documented_ones() -> None:
    assert load_good("steps").defaults == Defaults(
        on_no_match=("text",),
        notify_sender=True,
        private_body="News",
        private_title="Hello",
        retention=7 * 86400.0,
    )
    smallest = load_good("smallest")
    assert (smallest.defaults, smallest.hours.zone) == (Defaults(), UTC)


def test_words_are_templates_at_the_place_of_their_text() -> None:
    ruleset = load_good("words")
    urgent, where = ruleset.enrich
    assert urgent.when is not None
    assert where.when is None
    assert urgent.title is not None
    assert urgent.title.render({"title": "Hi"}) == "URGENT: Hi"
    assert str(urgent.title.place) == "rules.yaml:7:13"
    (rule,) = ruleset.rules
    assert rule.enrich.body is not None
    assert rule.enrich.body.render({"senderName": "A", "body": "b"}) == "A wrote:\nb"
    assert rule.enrich.data["urgent"].render({}) == "true"
    assert rule.enrich.badge is not None
    assert rule.enrich.badge.render({}) == "1"
    assert rule.send[0].enrich.sound is not None


def test_texts_are_compared_as_they_are_written() -> None:
    (rule,) = load_good("texts_as_written").rules
    condition = rule.when
    assert "('007', '7', '0x1F', '1.50', 'no', 'yes', '22:00', '2026-01-01', 'true', '1e3')" in str(
        condition
    )


def test_secrets_come_from_outside_and_lose_the_line_end_of_their_file() -> None:
    app = load_good("block_secrets").channels["app"]
    assert app.settings == {
        "topics": ["1", "two"],
        "fcm": {"service_account": '{"type": "service_account"}'},
    }


SANDBOX = """version: 1
channels:
  text: {plugin: sms, url: "twilio://${env:SID}:${env:TOKEN}@+1555/{to}"}
  mail: {plugin: email, url: "mailto://${env:USER_NAME}:${env:MAIL_URL}@example.com"}
rules:
  - {name: all, send: [text, mail]}
"""


def test_in_sandbox_mode_placeholders_stand_in_for_what_is_not_there() -> None:
    loaded = load_text(SANDBOX, sandbox=True)
    assert [str(problem) for problem in loaded.problems] == [
        f"rules.yaml:{place}: warning: the variable {name} is not set; "
        "in sandbox mode a placeholder stands in"
        for place, name in (("3:38", "SID"), ("3:49", "TOKEN"), ("4:40", "USER_NAME"))
    ]
    assert loaded.ruleset is not None
    channels = loaded.ruleset.channels
    assert channels["text"].settings == {"url": "sms://sandbox/{to}"}
    assert channels["mail"].settings == {
        "url": "mailto://placeholder:value-of-MAIL_URL@example.com"
    }
    assert load_text(SANDBOX).ruleset is None


def test_without_zones_there_is_utc() -> None:
    def zone(name: str) -> LoadResult:
        text = f"version: 1\ntimezone: {name}\nrules: []\n"
        return load(text, file="rules.yaml", plugins=PLUGINS, resolve=resolve)

    assert zone("UTC").ruleset is not None
    assert [p.hint for p in zone("Berlin").problems] == ["write a name such as Europe/Berlin"]


def test_a_picture_shows_the_line_and_underlines_the_fault() -> None:
    text = (FOLDER / "bad" / "unknown_value.yaml").read_text("utf-8")
    (problem,) = load_text(text).problems
    assert render_excerpt(problem, split_lines(text)) == (
        "    8 |     when: {type: call, callAction: intiated}\n"
        "      |                                    ^^^^^^^^"
    )


def test_a_picture_keeps_its_carets_below_tabs_and_wide_letters() -> None:
    problem = Problem(file="f", line=1, column=4, message="m", length=2)
    assert render_excerpt(problem, split_lines("\t漢a漢b")) == "    1 | \t漢a漢b\n      | \t   ^^^"


def test_a_picture_of_a_long_line_shows_the_part_around_the_fault() -> None:
    problem = Problem(file="f", line=1, column=1001, message="m")
    shown, carets = render_excerpt(problem, split_lines("a" * 1000 + "b" + "c" * 1000)).splitlines()
    assert len(shown) < 200
    assert shown[carets.index("^")] == "b"
    assert "aaabccc" in shown


def test_a_picture_of_a_line_that_is_not_there_is_empty() -> None:
    assert (
        render_excerpt(Problem(file="f", line=3, column=1, message="m"), split_lines("a"))
        == "    3 | \n      | ^"
    )


def test_pictures_hide_secrets_written_out_in_the_file() -> None:
    text = (FOLDER / "good" / "warn_literal_secret.yaml").read_text("utf-8")
    loaded = load_text(text)
    assert "hunter2" not in loaded.text
    assert "sesame" not in loaded.text
    lines = zip(text.splitlines(), loaded.text.splitlines(), strict=True)
    assert all(len(before) == len(after) for before, after in lines)
    assert "port: 587, verify: true}" in loaded.text


@pytest.mark.parametrize(
    "channel",
    [
        "{plugin: smms, url: hunter2, more: [hunter2, {deep: hunter2}]}",
        "{plugin: sms, url: hunter2, tokn: hunter2}",
        "{plugin: sms, url: 'https://ann:hunter2@example.com', tokn: ",
        "{plugin: sms, 'api_key': hunter2, token: @hunter2}",
        "\n    secret: hunter2\n   url: @hunter2",
    ],
)
def test_pictures_hide_what_may_be_secret_in_a_file_that_is_broken(channel: str) -> None:
    loaded = load_text(f"version: 1\nchannels:\n  text: {channel}\nrules: []\n")
    assert loaded.ruleset is None
    assert "hunter2" not in loaded.text
    assert "version: 1" in loaded.text


@given(st.sampled_from(GOOD), st.data())
def test_a_good_file_with_something_cut_out_is_loaded_or_refused(
    path: Path, data: st.DataObject
) -> None:
    text = path.read_text("utf-8")
    start = data.draw(st.integers(0, len(text) - 1))
    loaded = load_text(text[:start] + text[start + data.draw(st.integers(1, 12)) :])
    has_error = any(problem.severity == "error" for problem in loaded.problems)
    assert has_error is (loaded.ruleset is None)
    assert list(loaded.problems) == sorted(loaded.problems, key=lambda p: (p.line, p.column))


def test_a_condition_of_thousands_of_parts_is_read_in_reasonable_time() -> None:
    parts = ", ".join(f"{{body: {{contains: word-{number}}}}}" for number in range(5000))
    text = (
        "version: 1\nchannels: {app: {plugin: push}}\n"
        f"rules: [{{name: many, when: {{all: [{parts}]}}, send: [app]}}]\n"
    )
    started = time.process_time()
    assert load_text(text).ruleset is not None
    assert time.process_time() - started < 20
