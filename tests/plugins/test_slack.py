"""Slack: what webhooks, workflows and bots send, and what the answers mean."""

from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router import Delivered, Outcome, Rejected, Retry, Suspend, Unknown
from router.core.errors import SettingsError
from router.plugins.slack import Slack as SlackChannel
from router.plugins.slack import fit_text
from router.registry import load_plugins
from router.testing import ProviderReply
from tests.fakes.answer import path_of, read_json, reply_json
from tests.fakes.slack import Slack
from tests.plugins.opening import make_message, open_channel, read_settings, without_reason

HOOK = f"https://hooks.slack.com{Slack.hook}"


@pytest.fixture(scope="module", autouse=True)
def _shared_tables() -> None:
    """Let every plugin share its tables, as in a router that runs: Slack's own go before them."""
    load_plugins()


@pytest.fixture
async def slack() -> AsyncIterator[Slack]:
    async with Slack() as server:
        yield server


@pytest.fixture
async def hook(slack: Slack) -> AsyncIterator[SlackChannel]:
    async with open_channel(SlackChannel, {"url": HOOK, "timeout": 1.0}, slack) as channel:
        yield channel


@pytest.fixture
async def bot(slack: Slack) -> AsyncIterator[SlackChannel]:
    settings = {"bot_token": Slack.bot_token, "channel": "#support", "timeout": 1.0}
    async with open_channel(SlackChannel, settings, slack) as channel:
        yield channel


async def test_a_webhook_gets_the_words_as_text(slack: Slack, hook: SlackChannel) -> None:
    outcome = await hook.send(
        make_message(title="Andrew", body="Hello!", link="https://x.test/a|b")
    )
    assert outcome == Delivered(status=200)
    assert path_of(slack.requests[0]) == Slack.hook
    assert read_json(slack.requests[0]) == {"text": "*Andrew*\nHello!\n<https://x.test/a%7Cb>"}


async def test_what_people_write_never_becomes_slack_s_markup(
    slack: Slack, hook: SlackChannel
) -> None:
    await hook.send(make_message(title="<!channel>", body="<@U1> & <https://evil.test|click>"))
    text = read_json(slack.requests[0])["text"]
    expected = "*&lt;!channel&gt;*\n&lt;@U1&gt; &amp; &lt;https://evil.test|click&gt;"
    assert text == expected


@pytest.mark.parametrize("blocks", [True, False])
async def test_an_image_that_slack_cannot_fetch_costs_the_image_alone(
    slack: Slack, *, blocks: bool
) -> None:
    settings = {"bot_token": Slack.bot_token, "channel": "#support", "blocks": blocks}
    message = make_message(title="Andrew", body="Hello!", image="https://x.test/gone.png")
    async with open_channel(SlackChannel, settings, slack) as bot:
        slack.lost_images.add("https://x.test/gone.png")
        outcome = await bot.send(message)
        assert isinstance(outcome, Delivered)
        assert isinstance(await bot.update(outcome.handle, message), Delivered)
    assert len(slack.requests) == 4
    (shown,) = slack.shown.values()
    assert "image_url" not in str(shown)
    assert "https://x.test/gone.png" in str(shown)


async def test_blocks_that_slack_refuses_for_something_else_are_not_sent_again(
    slack: Slack, bot: SlackChannel
) -> None:
    slack.say([reply_json({"ok": False, "error": "invalid_blocks"})])
    assert isinstance(await bot.send(make_message(body="Hello!")), Rejected)
    assert len(slack.requests) == 1


async def test_blocks_hold_a_headline_the_words_the_image_and_the_link(slack: Slack) -> None:
    message = make_message(
        title="Andrew", body="a < b", image="https://x.test/i.png", link="https://x.test/"
    )
    async with open_channel(SlackChannel, {"url": HOOK, "blocks": True}, slack) as hook:
        await hook.send(message)
    link = {"type": "mrkdwn", "text": "<https://x.test/>"}
    assert read_json(slack.requests[0]) == {
        "text": "Andrew: a &lt; b",
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": "Andrew"}},
            {"type": "section", "text": {"type": "mrkdwn", "text": "a &lt; b"}},
            {"type": "image", "image_url": "https://x.test/i.png", "alt_text": "image"},
            {"type": "context", "elements": [link]},
        ],
    }


async def test_a_bot_s_message_is_known_by_channel_and_time(
    slack: Slack, bot: SlackChannel
) -> None:
    outcome = await bot.send(make_message(title="Andrew", body="Hello!"))
    assert outcome == Delivered(status=200, handle=f"{Slack.channel}:1700000000.000001")
    request = slack.requests[0]
    assert request.headers["authorization"] == f"Bearer {Slack.bot_token}"
    assert read_json(request) == {"channel": "#support", "text": "*Andrew*\nHello!"}


async def test_a_bot_s_message_is_edited_and_removed_by_its_handle(
    slack: Slack, bot: SlackChannel
) -> None:
    sent = await bot.send(make_message(body="Helo", image="https://x.test/i.png"))
    other = await bot.send(make_message(body="Other"))
    assert isinstance(sent, Delivered)
    assert isinstance(other, Delivered)
    edited = await bot.update(sent.handle, make_message(title="Andrew", body="<Hello>"))
    assert edited == Delivered(status=200, handle=sent.handle)
    ts, kept = (each.handle.partition(":")[2] for each in (sent, other))
    assert slack.shown[ts] == {"text": "*Andrew*\n&lt;Hello&gt;"}, "and the image is gone"
    assert await bot.retract(sent.handle) == Delivered(status=200, handle=sent.handle)
    assert list(slack.shown) == [kept]
    assert await bot.retract(sent.handle) == Delivered(status=200), "it is gone already"
    for request in slack.requests:
        assert request.headers["authorization"] == f"Bearer {Slack.bot_token}"


async def test_an_edit_keeps_the_layout(slack: Slack) -> None:
    settings = {"bot_token": Slack.bot_token, "channel": "#support", "blocks": True}
    async with open_channel(SlackChannel, settings, slack) as bot:
        sent = await bot.send(make_message(body="Helo", link="https://x.test/"))
        assert isinstance(sent, Delivered)
        await bot.update(sent.handle, make_message(title="Andrew", body="Hello"))
    (shown,) = slack.shown.values()
    blocks = shown["blocks"]
    assert isinstance(blocks, list)
    assert [block["type"] for block in blocks] == ["header", "section"]


@pytest.mark.parametrize(
    ("word", "edited", "removed"),
    [
        ("message_not_found", Rejected, Delivered),
        ("cant_update_message", Rejected, Rejected),
        ("cant_delete_message", Rejected, Rejected),
        ("edit_window_closed", Rejected, Rejected),
        ("update_failed", Retry, Retry),
        ("ratelimited", Retry, Retry),
        ("token_revoked", Suspend, Suspend),
    ],
)
async def test_what_slack_says_of_an_edit_and_a_removal_has_its_outcome(
    slack: Slack, bot: SlackChannel, word: str, edited: type[Outcome], removed: type[Outcome]
) -> None:
    slack.say([reply_json({"ok": False, "error": word})] * 2)
    handle = f"{Slack.channel}:1700000000.000001"
    assert isinstance(await bot.update(handle, make_message()), edited)
    assert isinstance(await bot.retract(handle), removed)


async def test_what_slack_does_not_answer_may_have_been_done(
    slack: Slack, bot: SlackChannel
) -> None:
    slack.say(
        [ProviderReply(fault="reset"), ProviderReply(status=429, headers={"Retry-After": "9"})]
    )
    handle = f"{Slack.channel}:1700000000.000001"
    outcome = await bot.update(handle, make_message())
    assert isinstance(outcome, Unknown)
    assert Slack.bot_token not in outcome.reason
    assert without_reason(await bot.retract(handle)) == Retry(status=429, reason="", after=9)


async def test_what_no_bot_has_posted_cannot_be_changed(slack: Slack, hook: SlackChannel) -> None:
    assert isinstance(await hook.update("C1:1.0", make_message()), Rejected)
    assert isinstance(await hook.retract("C1:1.0"), Rejected)
    assert slack.requests == []


async def test_a_bot_without_a_channel_writes_to_the_recipient_s_contact(slack: Slack) -> None:
    async with open_channel(SlackChannel, {"bot_token": Slack.bot_token}, slack) as bot:
        assert SlackChannel.needs_contact(bot.settings)
        assert isinstance(await bot.send(make_message(address="@george")), Delivered)
        assert isinstance(await bot.send(make_message(address="#a,#b")), Rejected)
    assert [read_json(request)["channel"] for request in slack.requests] == ["@george"]


async def test_a_contact_may_be_an_e_mail_address_that_slack_looks_up(slack: Slack) -> None:
    slack.say([reply_json({"ok": True, "user": {"id": "U0000000B"}})])
    async with open_channel(SlackChannel, {"bot_token": Slack.bot_token}, slack) as bot:
        outcome = await bot.send(make_message(address="george@example.org"))
    assert isinstance(outcome, Delivered)
    assert read_json(slack.requests[1])["channel"] == "U0000000B"


async def test_an_e_mail_address_that_slack_does_not_know_is_rejected(slack: Slack) -> None:
    slack.say([reply_json({"ok": False, "error": "users_not_found"})])
    async with open_channel(SlackChannel, {"bot_token": Slack.bot_token}, slack) as bot:
        outcome = await bot.send(make_message(address="george@example.org"))
    assert isinstance(outcome, Rejected)
    assert "users_not_found" in outcome.reason
    assert len(slack.requests) == 1


async def test_a_message_that_names_its_own_address_is_sent_all_the_same(slack: Slack) -> None:
    async with open_channel(SlackChannel, {"bot_token": Slack.bot_token}, slack) as bot:
        outcome = await bot.send(make_message(address="@george", body="george: hi", title="george"))
    assert isinstance(outcome, Delivered)


async def test_a_workflow_gets_one_plain_text(slack: Slack) -> None:
    url = f"https://hooks.slack.com{Slack.workflow}"
    async with open_channel(SlackChannel, {"url": url}, slack) as workflow:
        outcome = await workflow.send(make_message(title="Andrew", body="a < b"))
    assert outcome == Delivered(status=200)
    assert path_of(slack.requests[0]) == Slack.workflow
    assert read_json(slack.requests[0]) == {"text": "Andrew: a < b"}


async def test_an_apprise_url_of_slack_works_too(slack: Slack) -> None:
    url = "slack://T0000000A/B0000000A/abcdefghijklmnopqrstuvwx"
    async with open_channel(SlackChannel, {"url": url}, slack) as hook:
        assert isinstance(await hook.send(make_message()), Delivered)
    assert path_of(slack.requests[0]) == Slack.hook


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (ProviderReply(status=404, body=b"no_service"), Suspend(status=404, reason="")),
        (ProviderReply(status=404, body=b"channel_not_found"), Suspend(status=404, reason="")),
        (ProviderReply(status=410, body=b"channel_is_archived"), Suspend(status=410, reason="")),
        (ProviderReply(status=403, body=b"action_prohibited"), Suspend(status=403, reason="")),
        (ProviderReply(status=403, body=b"invalid_token"), Suspend(status=403, reason="")),
        (ProviderReply(status=400, body=b"invalid_payload"), Rejected(status=400, reason="")),
        (
            ProviderReply(status=429, body=b"rate_limited", headers={"Retry-After": "30"}),
            Retry(status=429, reason="", after=30),
        ),
        (ProviderReply(status=500, body=b"rollup_error"), Retry(status=500, reason="")),
        (ProviderReply(status=200, body=b"<html>"), Rejected(status=200, reason="")),
        (ProviderReply(fault="hang"), Unknown(reason="")),
        (ProviderReply(fault="reset"), Unknown(reason="")),
    ],
)
async def test_every_answer_to_a_webhook_has_its_outcome(
    slack: Slack, hook: SlackChannel, answer: ProviderReply, expected: Outcome
) -> None:
    slack.say([answer])
    outcome = await hook.send(make_message())
    assert not isinstance(outcome, Delivered)
    assert Slack.hook not in outcome.reason
    assert without_reason(outcome) == expected


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("ratelimited", Retry),
        ("internal_error", Retry),
        ("invalid_auth", Suspend),
        ("account_inactive", Suspend),
        ("token_revoked", Suspend),
        ("missing_scope", Suspend),
        ("channel_not_found", Rejected),
        ("is_archived", Rejected),
        ("not_in_channel", Rejected),
        ("msg_too_long", Rejected),
        ("a_word_of_tomorrow", Rejected),
    ],
)
async def test_a_200_that_is_not_ok_means_what_its_word_says(
    slack: Slack, bot: SlackChannel, word: str, expected: type[Outcome]
) -> None:
    slack.say([reply_json({"ok": False, "error": word})])
    outcome = await bot.send(make_message())
    assert isinstance(outcome, expected)
    assert not isinstance(outcome, Delivered)
    assert word in outcome.reason
    assert outcome.status == 200


@given(text=st.text(st.characters(exclude_categories=["Cs"])), size=st.integers(8, 60))
def test_a_text_fits_when_it_is_escaped_and_no_escape_is_split(text: str, size: int) -> None:
    shown = fit_text(text, size)
    assert len(shown) <= size
    for piece in shown.split("&")[1:]:
        assert piece.startswith(("amp;", "lt;", "gt;"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "either `url` or `bot_token`"),
        ({"url": HOOK, "bot_token": Slack.bot_token}, "either `url` or `bot_token`"),
        ({"url": HOOK, "channel": "#a"}, "goes with `bot_token`"),
        ({"bot_token": "xoxo-hunter2"}, "bot_token: is not a bot token of Slack"),
        ({"url": "slack://hunter2/a/-"}, "url: is not a webhook of Slack"),
        ({"url": "https://example.com/hunter2"}, "must be https://hooks.slack.com"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, str], message: str) -> None:
    with pytest.raises(SettingsError, match=message) as refusal:
        read_settings(SlackChannel, settings)
    assert "hunter2" not in str(refusal.value)
