"""Answers of messengers and social networks, with their sources.

A chat that blocks the bot rejects the message, and the contact stays: the person can admit the bot
again, and nobody would register the same address a second time. The router forgets only accounts
and groups that no longer exist.
"""

from collections.abc import Mapping

from router.bridge import BodyTest, ErrorCode, RetryAfter, ServiceAnswers, group_response_codes

TELEGRAM_GONE = ("the group chat was deleted", "user is deactivated", "input_user_deactivated")

TELEGRAM_MOVED = "group chat was upgraded to a supergroup chat"
"""A refusal that names the chat's new id: https://core.telegram.org/bots/api#responseparameters"""

TELEGRAM_REFUSALS = (
    "bot can't initiate conversation with a user",
    "bot can't send messages to",
    "bot is not a member",
    "bot was blocked by the user",
    "bot was kicked",
    "chat not found",
    "chat_write_forbidden",
    "have no rights to send a message",
    "message thread not found",
    "need administrator rights in the channel chat",
    "not enough rights to send",
    "peer_id_invalid",
    "topic_closed",
    "user not found",
    "user_is_blocked",
)

MESSENGER_ANSWERS: Mapping[str, ServiceAnswers] = {
    "NotifyBlueSky": ServiceAnswers(
        source="https://docs.bsky.app/docs/advanced-guides/rate-limits",
        codes=(ErrorCode("error"),),
        response_codes=group_response_codes(
            suspend=("AccountTakedown", "AuthMissing", "ExpiredToken", "InvalidToken"),
            throttled=("RateLimitExceeded",),
        ),
        retry_after=(RetryAfter(header="ratelimit-reset", unit="epoch_s"),),
        login=r"/xrpc/com\.atproto\.server\.createSession",
    ),
    "NotifyDeltaChat": ServiceAnswers(source="https://github.com/deltachat/spec; it is no HTTP"),
    "NotifyEvolution": ServiceAnswers(
        source="https://github.com/EvolutionAPI/evolution-api/blob/main/src/api/integrations/"
        "channel/whatsapp/whatsapp.baileys.service.ts",
    ),
    "NotifyGupshup": ServiceAnswers(
        source="https://docs.gupshup.io/docs/error-codes",
        failures=(BodyTest("status", equals=("error",)),),
        codes=(ErrorCode("code"),),
    ),
    "NotifyKakaoTalk": ServiceAnswers(
        source="https://developers.kakao.com/docs/en/kakaotalk-message/rest-api",
        failures=(BodyTest("failure_info"), BodyTest("result_code", other_than=(0,))),
        codes=(ErrorCode("failure_info.0.code"), ErrorCode("code"), ErrorCode("error")),
        response_codes=group_response_codes(
            suspend=("-401", "-402"),
            rejected=("-501", "-502", "-530"),
            retry=("-1", "-531", "-532", "-533"),
            throttled=("-10",),
        ),
        login=r"kauth\.kakao\.com/oauth/token",
    ),
    "NotifyLine": ServiceAnswers(
        source="https://developers.line.biz/en/reference/messaging-api/#error-responses",
        codes=(ErrorCode("message", r"reached your monthly limit"),),
        response_codes=group_response_codes(suspend=("reached your monthly limit",)),
    ),
    "NotifyMastodon": ServiceAnswers(
        source="https://docs.joinmastodon.org/api/rate-limits/",
        retry_after=(RetryAfter(header="x-ratelimit-reset", unit="date"),),
    ),
    "NotifyMisskey": ServiceAnswers(
        source="https://misskey-hub.net/en/docs/for-developers/api/",
        codes=(ErrorCode("error.code"),),
        response_codes=group_response_codes(
            suspend=(
                "AUTHENTICATION_FAILED",
                "CREDENTIAL_REQUIRED",
                "PERMISSION_DENIED",
                "YOUR_ACCOUNT_SUSPENDED",
            ),
            retry=("INTERNAL_ERROR",),
            throttled=("RATE_LIMIT_EXCEEDED",),
        ),
    ),
    "NotifyNostr": ServiceAnswers(
        source="https://github.com/nostr-protocol/nips; relays speak WebSocket"
    ),
    "NotifyOneBot": ServiceAnswers(
        source="https://github.com/botuniverse/onebot-11/blob/master/communication/http.md",
        failures=(
            BodyTest("status", equals=("failed",)),
            BodyTest("retcode", other_than=(0, 1)),
        ),
        codes=(ErrorCode("retcode"),),
    ),
    "NotifyQQ": ServiceAnswers(
        source="https://qmsg.zendee.cn/docs/api",
        failures=(BodyTest("success", equals=(False,)),),
        codes=(ErrorCode("code"),),
    ),
    "NotifyReddit": ServiceAnswers(
        source="https://www.reddit.com/dev/api/#POST_api_submit",
        failures=(BodyTest("json.errors"),),
        codes=(ErrorCode("json.errors.0.0"), ErrorCode("error")),
        response_codes=group_response_codes(throttled=("RATELIMIT",)),
        retry_after=(RetryAfter("json.ratelimit"), RetryAfter(header="x-ratelimit-reset")),
        login=r"/api/v1/access_token",
    ),
    "NotifySessionOGS": ServiceAnswers(
        source="https://github.com/session-foundation/session-pysogs/blob/dev/sogs/model/exc.py",
    ),
    "NotifySignalAPI": ServiceAnswers(
        source="https://github.com/bbernhard/signal-cli-rest-api/blob/master/src/api/api.go",
        codes=(
            ErrorCode(
                "error",
                r"unregistered user|untrusted recipient keys|specified account does not exist",
            ),
        ),
        response_codes=group_response_codes(suspend=("specified account does not exist",)),
    ),
    "NotifyTelegram": ServiceAnswers(
        source="https://core.telegram.org/bots/api#making-requests; the texts of refusals: "
        "https://github.com/tdlib/telegram-bot-api/blob/master/telegram-bot-api/Client.cpp",
        failures=(BodyTest("ok", equals=(False,)),),
        codes=(
            ErrorCode(
                "description",
                "|".join((*TELEGRAM_GONE, TELEGRAM_MOVED, *TELEGRAM_REFUSALS)),
            ),
            ErrorCode("error_code"),
        ),
        response_codes=group_response_codes(
            suspend=("401", "404"),
            gone=(*TELEGRAM_GONE, TELEGRAM_MOVED),
            rejected=TELEGRAM_REFUSALS,
        ),
        retry_after=(RetryAfter("parameters.retry_after"),),
        new_address="parameters.migrate_to_chat_id",
    ),
    "NotifyThreema": ServiceAnswers(
        source="https://gateway.threema.ch/en/developer/api",
        response_codes=group_response_codes(suspend=(402,), rejected=(400, 404)),
    ),
    "NotifyTwitter": ServiceAnswers(
        source="https://docs.x.com/x-api/fundamentals/response-codes-and-errors",
        codes=(ErrorCode("errors.0.code"),),
        response_codes=group_response_codes(
            suspend=("32", "64", "89", "326", "453"),
            rejected=("50", "108", "150", "187", "349"),
            retry=("130", "131"),
            throttled=("88",),
        ),
        retry_after=(RetryAfter(header="x-rate-limit-reset", unit="epoch_s"),),
    ),
    "NotifyViber": ServiceAnswers(
        source="https://developers.viber.com/docs/api/rest-bot-api/#error-codes",
        failures=(BodyTest("status", other_than=(0,)),),
        codes=(ErrorCode("status"),),
        response_codes=group_response_codes(
            suspend=("2", "7", "8", "9", "10"),
            gone=("5",),
            rejected=("6", "11"),
            throttled=("12",),
        ),
        success=b'{"status": 0, "status_message": "ok", "message_token": 1}',
    ),
    "NotifyWeChat": ServiceAnswers(
        source="https://developer.work.weixin.qq.com/document/path/90236",
        failures=(BodyTest("errcode", other_than=(0,)), BodyTest("invaliduser")),
        codes=(ErrorCode("errcode", r"^(?!0$)-?[0-9]{1,6}$"),),
        response_codes=group_response_codes(
            suspend=("40001", "40013", "40014", "42001", "48001", "60020"),
            rejected=("40003", "81013"),
            retry=("-1",),
            throttled=("45009", "45033"),
        ),
        login=r"/cgi-bin/gettoken",
    ),
    "NotifyWhapi": ServiceAnswers(
        source="https://whapi.readme.io/reference/sendmessagetext",
        codes=(ErrorCode("error.code"),),
        response_codes=group_response_codes(rejected=(403, "403")),
    ),
    "NotifyWhatsApp": ServiceAnswers(
        source="https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes",
        codes=(ErrorCode("error.code"),),
        response_codes=group_response_codes(
            suspend=(
                *("0", "3", "10", "33", "190", "200", "368"),
                *(
                    "131005",
                    "131031",
                    "131037",
                    "131042",
                    "131045",
                    "132001",
                    "132015",
                    "132016",
                    "133010",
                ),
            ),
            rejected=(
                "130472",
                "130497",
                "131021",
                "131026",
                "131030",
                "131047",
                "131049",
                "131050",
            ),
            retry=("1", "2", "131000", "131016", "131057", "133004"),
            throttled=("4", "613", "80007", "130429", "131048", "131056"),
        ),
    ),
    "NotifyZalo": ServiceAnswers(
        source="https://bot.zapps.me/docs/error-code/",
        failures=(BodyTest("ok", equals=(False,)),),
        codes=(ErrorCode("error_code"),),
        response_codes=group_response_codes(suspend=("401",), retry=("408",), throttled=("429",)),
    ),
}
