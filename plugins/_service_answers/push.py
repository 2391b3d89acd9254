"""Answers of push services, with their sources.

The router forgets a token that the vendor calls unregistered. A token that may be valid for another
app, key or environment rejects the message, and the contact stays.
"""

from collections.abc import Mapping

from router.bridge import BodyTest, ErrorCode, RetryAfter, ServiceAnswers, group_response_codes

UNDOCUMENTED = ServiceAnswers(source="no statement found; stock Apprise decides")

PUSH_ANSWERS: Mapping[str, ServiceAnswers] = {
    "NotifyBark": ServiceAnswers(
        source="https://github.com/Finb/bark-server/blob/master/route_push.go",
        failures=(BodyTest("code", other_than=(200,)),),
        codes=(ErrorCode("message", r"baddevicetoken|unregistered|failed to get device token"),),
        response_codes=group_response_codes(
            rejected=("baddevicetoken", "failed to get device token", "unregistered"),
        ),
        success=b'{"code": 200, "message": "success"}',
    ),
    "NotifyChanify": ServiceAnswers(source="https://github.com/chanify/chanify#as-sender-client"),
    "NotifyDot": ServiceAnswers(
        source="https://dot.mindreset.tech/docs/service/open/text_api",
    ),
    "NotifyFCM": ServiceAnswers(
        source="https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode and, of the "
        "legacy API, https://firebase.google.com/docs/cloud-messaging/http-server-ref",
        failures=(BodyTest("failure"),),
        codes=(
            ErrorCode("results.0.error"),
            ErrorCode("", r'"errorCode"\s*:\s*"([A-Z_]{3,40})"'),
            ErrorCode("error.status"),
        ),
        response_codes=group_response_codes(
            suspend=(
                *("InvalidApnsCredential", "PERMISSION_DENIED", "UNAUTHENTICATED"),
                "third_party_auth_error",
            ),
            gone=("NotRegistered", "unregistered"),
            rejected=("InvalidRegistration", "MismatchSenderId", "sender_id_mismatch"),
            retry=(
                *("InternalServerError", "Unavailable"),
                *("internal", "unavailable"),
            ),
            throttled=("DeviceMessageRateExceeded", "quota_exceeded"),
        ),
        login=r"oauth2\.googleapis\.com/token|/oauth2/v4/token",
    ),
    "NotifyGorush": ServiceAnswers(
        source="https://github.com/appleboy/gorush#get-http-api-response",
        failures=(BodyTest("logs"),),
        codes=(
            ErrorCode(
                "logs.0.error",
                r"baddevicetoken|devicetokennotfortopic|invalidregistration|mismatchsenderid"
                r"|notregistered|unregistered",
            ),
        ),
        response_codes=group_response_codes(gone=("notregistered", "unregistered")),
    ),
    "NotifyGotify": ServiceAnswers(source="https://gotify.net/api-docs"),
    "NotifyJoin": ServiceAnswers(
        source="https://joaoapps.com/join/api/",
        failures=(BodyTest("success", equals=(False,)),),
        codes=(ErrorCode("", r'"(userAuthError)"\s*:\s*true'),),
        response_codes=group_response_codes(suspend=("userautherror",)),
    ),
    "NotifyKumulos": ServiceAnswers(
        source="https://docs.kumulos.com/messaging/api/#sending-in-app-messages",
    ),
    "NotifyLauther": ServiceAnswers(source="https://lauther.app/docs.html"),
    "NotifyNotica": ServiceAnswers(source="https://notica.us/"),
    "NotifyNotifiarr": ServiceAnswers(
        source="https://notifiarr.wiki/en/Website/",
        failures=(BodyTest("result", equals=("error",)),),
    ),
    "NotifyNotifico": ServiceAnswers(source="https://notifico.tech/"),
    "NotifyNtfy": ServiceAnswers(
        source="https://github.com/binwiederhier/ntfy/blob/main/server/errors.go",
        codes=(ErrorCode("code"),),
        response_codes=group_response_codes(suspend=("40101",), rejected=("50701",)),
    ),
    "NotifyOneSignal": ServiceAnswers(
        source="https://documentation.onesignal.com/reference/create-message",
        failures=(BodyTest("errors"),),
        codes=(
            ErrorCode(
                "errors",
                r"invalid_player_ids|invalid_subscription_ids|invalid_external_user_ids"
                r"|invalid_aliases|invalid_email_tokens|invalid_phone_numbers|not subscribed"
                r"|app_id not found",
            ),
        ),
        response_codes=group_response_codes(
            suspend=("app_id not found",),
            gone=("invalid_player_ids", "invalid_subscription_ids"),
        ),
    ),
    "NotifyPinglet": ServiceAnswers(source="https://pinglet.co.uk/"),
    "NotifyPingram": ServiceAnswers(source="https://www.pingram.io/docs/api-reference"),
    "NotifyProwl": ServiceAnswers(
        source="https://www.prowlapp.com/api.php",
        response_codes=group_response_codes(suspend=(409,), throttled=(406,)),
    ),
    "NotifyPushBullet": ServiceAnswers(
        source="https://docs.pushbullet.com/#errors",
        codes=(ErrorCode("error.code"), ErrorCode("error_code")),
        response_codes=group_response_codes(suspend=("invalid_access_token",)),
        retry_after=(RetryAfter(header="x-ratelimit-reset", unit="epoch_s"),),
    ),
    "NotifyPushDeer": ServiceAnswers(
        source="https://github.com/easychen/pushdeer/blob/main/api/app/Http/Controllers/"
        "PushDeerMessageController.php",
        failures=(BodyTest("code", other_than=(0,)),),
        codes=(ErrorCode("code"),),
    ),
    "NotifyPushMe": ServiceAnswers(source="https://push.i-i.me/docs/index"),
    "NotifyPushSafer": ServiceAnswers(
        source="https://www.pushsafer.com/en/pushapi_errors",
        failures=(BodyTest("status", other_than=(1,)),),
        success=b'{"status": 1, "success": "message transmitted"}',
    ),
    "NotifyPushWard": ServiceAnswers(source="https://pushward.app/docs/api"),
    "NotifyPushed": ServiceAnswers(
        source="https://about.pushed.co/docs/api",
        codes=(ErrorCode("error.type"),),
    ),
    "NotifyPushjet": UNDOCUMENTED,
    "NotifyPushover": ServiceAnswers(
        source="https://pushover.net/api#response",
        failures=(BodyTest("status", other_than=(1,)),),
        codes=(ErrorCode("", r'"(user|token|device)"\s*:\s*"[^"]*invalid'),),
        response_codes=group_response_codes(suspend=("token",), rejected=("device", "user")),
        retry_after=(RetryAfter(header="x-limit-app-reset", unit="epoch_s"),),
        success=b'{"status": 1, "request": "647d2300-702c-4b38-8b2f-d56326ae460b"}',
    ),
    "NotifyPushplus": ServiceAnswers(
        source="https://www.pushplus.plus/doc/guide/code.html",
        failures=(BodyTest("code", other_than=(200,)),),
        codes=(ErrorCode("code"),),
        success=b'{"code": 200, "msg": "ok", "data": "1"}',
    ),
    "NotifyPushy": ServiceAnswers(
        source="https://pushy.me/docs/api/send-notifications",
        failures=(BodyTest("success", equals=(False,)), BodyTest("error")),
        codes=(ErrorCode("code"),),
        response_codes=group_response_codes(
            suspend=("ACCOUNT_SUSPENDED", "INVALID_API_KEY"),
            rejected=("NO_RECIPIENTS",),
            retry=("INTERNAL_ERROR",),
            throttled=("RATE_LIMIT_EXCEEDED",),
        ),
    ),
    "NotifyServerChan": ServiceAnswers(
        source="https://sct.ftqq.com/sendkey",
        failures=(BodyTest("code", other_than=(0,)),),
        codes=(ErrorCode("code"),),
    ),
    "NotifySignalgrid": ServiceAnswers(source="https://docs.signalgrid.co/api/push-api/"),
    "NotifySimplePush": ServiceAnswers(source="https://simplepu.sh/guide/curl"),
    "NotifySpugpush": ServiceAnswers(
        source="https://push.spug.cc/guide/http",
        codes=(ErrorCode("code"),),
    ),
    "NotifyTechulusPush": ServiceAnswers(
        source="https://docs.push.techulus.com/api-documentation",
        failures=(BodyTest("success", equals=(False,)),),
    ),
    "NotifyTrigv": ServiceAnswers(source="https://trigv.com/docs/learn/api-keys"),
    "NotifyVapid": ServiceAnswers(
        source="https://www.rfc-editor.org/rfc/rfc8030#section-7.3",
        response_codes=group_response_codes(gone=(404, 410)),
    ),
    "NotifyWPush": ServiceAnswers(
        source="https://github.com/WPUSH/skills",
        failures=(BodyTest("code", other_than=(0,)),),
        codes=(ErrorCode("code"),),
    ),
    "NotifyWxPusher": ServiceAnswers(
        source="https://wxpusher.zjiecode.com/docs/",
        failures=(BodyTest("code", other_than=(1000,)),),
        codes=(ErrorCode("code"),),
        success=b'{"code": 1000, "success": true, "data": [{"code": 1000}]}',
    ),
    "NotifyYouLMK": ServiceAnswers(
        source="https://youlmk.com/docs/http",
        response_codes=group_response_codes(suspend=(410,)),
    ),
}
