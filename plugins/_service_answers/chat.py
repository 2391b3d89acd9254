"""Answers of team chats, with their sources.

The URL of a team chat is usually a credential of the operator: a webhook that is gone suspends the
channel, and an unknown room or person rejects the message.
"""

from collections.abc import Mapping

from router.bridge import BodyTest, ErrorCode, RetryAfter, ServiceAnswers, group_response_codes

SLACK_SUSPEND_CODES = (
    *("access_denied", "account_inactive", "accesslimited", "action_prohibited"),
    *("channel_is_archived", "ekm_access_denied", "enterprise_is_restricted", "invalid_auth"),
    *("invalid_token", "messages_tab_disabled", "missing_scope", "no_active_hooks"),
    *(
        "no_service",
        "no_service_id",
        "no_team",
        "not_allowed_token_type",
        "not_authed",
        "org_login_required",
    ),
    *("team_access_not_granted", "team_disabled", "token_expired", "token_revoked"),
    "two_factor_setup_required",
)
SLACK_RETRY_CODES = (
    *("fatal_error", "internal_error", "request_timeout", "rollup_error"),
    *("service_unavailable", "team_added_to_org"),
)
SLACK_THROTTLE_CODES = ("message_limit_exceeded", "rate_limited", "ratelimited")

FEISHU_ANSWERS = ServiceAnswers(
    source="https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot",
    failures=(BodyTest("code", other_than=(0,)), BodyTest("StatusCode", other_than=(0,))),
    codes=(ErrorCode("code"), ErrorCode("StatusCode")),
    response_codes=group_response_codes(
        suspend=("19001", "19021", "19022"), throttled=("11232", "99991400")
    ),
)
"""Feishu and Lark are one product under two names."""

CHAT_ANSWERS: Mapping[str, ServiceAnswers] = {
    "NotifyCliq": ServiceAnswers(
        source="https://www.zoho.com/cliq/help/restapi/v2/",
        codes=(ErrorCode("code"),),
    ),
    "NotifyDingTalk": ServiceAnswers(
        source="https://open.dingtalk.com/document/robots/custom-robot-access",
        failures=(BodyTest("errcode", other_than=(0,)),),
        codes=(ErrorCode("errcode"),),
        response_codes=group_response_codes(
            suspend=("300001",), retry=("-1",), throttled=("130101",)
        ),
    ),
    "NotifyDiscord": ServiceAnswers(
        source="https://discord.com/developers/docs/topics/opcodes-and-status-codes"
        "#json-json-error-codes",
        codes=(ErrorCode("code"),),
        response_codes=group_response_codes(
            suspend=("10015", "40001", "50014", "50027"),
            rejected=("10003", "10004", "10013", "40007", "50001", "50007", "50013", "50278"),
            throttled=("20016", "20028", "20029", "40003"),
        ),
        retry_after=(RetryAfter("retry_after"),),
    ),
    "NotifyFeishu": FEISHU_ANSWERS,
    "NotifyFlock": ServiceAnswers(source="https://dev.flock.com/webhooks/incoming"),
    "NotifyFluxer": ServiceAnswers(
        source="https://docs.fluxer.app/http-api/messages/",
        codes=(ErrorCode("code"),),
    ),
    "NotifyGoogleChat": ServiceAnswers(
        source="https://developers.google.com/workspace/chat/api-errors",
        codes=(ErrorCode("error.status"),),
        response_codes=group_response_codes(
            suspend=(404, "NOT_FOUND", "PERMISSION_DENIED", "UNAUTHENTICATED"),
            retry=("INTERNAL", "UNAVAILABLE"),
            throttled=("RESOURCE_EXHAUSTED",),
        ),
    ),
    "NotifyGroupMe": ServiceAnswers(
        source="https://dev.groupme.com/docs/responses",
        codes=(ErrorCode("meta.code"),),
        response_codes=group_response_codes(suspend=(404,)),
    ),
    "NotifyGuilded": ServiceAnswers(source="no statement found; stock Apprise decides"),
    "NotifyHumHub": ServiceAnswers(
        source="https://marketplace.humhub.com/module/rest/docs/html/post.html",
    ),
    "NotifyIRC": ServiceAnswers(source="https://ircv3.net/; it is no HTTP"),
    "NotifyKook": ServiceAnswers(
        source="https://developer.kookapp.cn/doc/reference",
        failures=(BodyTest("code", other_than=(0,)),),
        codes=(ErrorCode("code"),),
        response_codes=group_response_codes(suspend=("401", "40100", "40101"), throttled=("429",)),
        retry_after=(RetryAfter(header="x-rate-limit-reset"),),
    ),
    "NotifyLark": FEISHU_ANSWERS,
    "NotifyMatrix": ServiceAnswers(
        source="https://spec.matrix.org/latest/client-server-api/#standard-error-response",
        codes=(ErrorCode("errcode"),),
        response_codes=group_response_codes(
            suspend=(
                "M_CONSENT_NOT_GIVEN",
                "M_MISSING_TOKEN",
                "M_UNKNOWN_TOKEN",
                "M_USER_DEACTIVATED",
                "M_USER_LOCKED",
                "M_USER_SUSPENDED",
            ),
            rejected=("M_FORBIDDEN", "M_GUEST_ACCESS_FORBIDDEN", "M_NOT_FOUND"),
            throttled=("M_LIMIT_EXCEEDED",),
        ),
        retry_after=(
            RetryAfter("retry_after_ms", unit="ms"),
            RetryAfter("error.retry_after_ms", unit="ms"),
        ),
        login=r"/_matrix/client/[^?]*/(?:login|register)\b",
        logout=r"/_matrix/client/[^?]*/logout\b",
    ),
    "NotifyMattermost": ServiceAnswers(
        source="https://developers.mattermost.com/api-documentation/#errors",
        codes=(ErrorCode("id", r"^(?:[a-z]+\.)*(incoming_webhook\.[a-z_]+)\."), ErrorCode("id")),
        response_codes=group_response_codes(
            suspend=(
                "api.context.session_expired.app_error",
                "incoming_webhook.disabled",
                "incoming_webhook.invalid",
            ),
            rejected=("incoming_webhook.channel", "incoming_webhook.user"),
        ),
        retry_after=(RetryAfter(header="x-ratelimit-reset"),),
    ),
    "NotifyNextcloud": ServiceAnswers(
        source="https://docs.nextcloud.com/server/latest/developer_manual/client_apis/OCS/"
        "ocs-api-overview.html",
        failures=(BodyTest("ocs.meta.status", equals=("failure",)),),
        codes=(ErrorCode("ocs.meta.statuscode"),),
        response_codes=group_response_codes(
            suspend=("997",), retry=("500", "503", "996"), throttled=("429",)
        ),
    ),
    "NotifyNextcloudTalk": ServiceAnswers(
        source="https://nextcloud-talk.readthedocs.io/en/latest/bots/",
        failures=(BodyTest("ocs.meta.status", equals=("failure",)),),
        codes=(ErrorCode("ocs.meta.statuscode"),),
        response_codes=group_response_codes(
            suspend=("997",), retry=("500", "503", "996"), throttled=("429",)
        ),
    ),
    "NotifyRevolt": ServiceAnswers(
        source="https://github.com/stoatchat/stoatchat/blob/main/crates/core/ratelimits/src/"
        "rocket.rs",
        codes=(ErrorCode("type"),),
        response_codes=group_response_codes(suspend=("InvalidSession", "NotAuthenticated")),
        retry_after=(
            RetryAfter("retry_after", unit="ms"),
            RetryAfter(header="x-ratelimit-reset-after", unit="ms"),
        ),
    ),
    "NotifyRocketChat": ServiceAnswers(
        source="https://developer.rocket.chat/apidocs/chat-postmessage",
        failures=(BodyTest("success", equals=(False,)),),
        codes=(ErrorCode("", r"error-[a-z-]{3,40}"),),
        response_codes=group_response_codes(throttled=("error-too-many-requests",)),
        retry_after=(
            RetryAfter("details.timeToReset", unit="ms"),
            RetryAfter(header="x-ratelimit-reset", unit="epoch_ms"),
        ),
        login=r"/api/v1/login$",
        logout=r"/api/v1/logout$",
    ),
    "NotifyRyver": ServiceAnswers(source="no statement found; stock Apprise decides"),
    "NotifySlack": ServiceAnswers(
        source="https://docs.slack.dev/reference/methods/chat.postMessage#errors",
        failures=(BodyTest("ok", equals=(False,)),),
        codes=(ErrorCode("error"), ErrorCode("", r"^[a-z_]{2,40}$")),
        response_codes=group_response_codes(
            suspend=SLACK_SUSPEND_CODES,
            rejected=("channel_not_found", "is_archived", "user_not_found"),
            retry=SLACK_RETRY_CODES,
            throttled=SLACK_THROTTLE_CODES,
            refused=("no_permission",),  # the bot may be no member of this one conversation
        ),
    ),
    "NotifyStackfield": ServiceAnswers(source="https://www.stackfield.com/developer-api"),
    "NotifySynology": ServiceAnswers(
        source="https://kb.synology.com/en-au/DSM/help/Chat/chat_integration; a refusal as it "
        "comes: https://github.com/whyour/qinglong/pull/1610",
        failures=(BodyTest("success", equals=(False,)),),
        codes=(
            ErrorCode("error.errors", r"create post too fast|invalid token"),
            ErrorCode("error.code"),
        ),
        response_codes=group_response_codes(
            suspend=("invalid token",), throttled=("create post too fast", "411")
        ),
    ),
    "NotifyTwist": ServiceAnswers(
        source="https://developer.twist.com/v3/#errors",
        codes=(ErrorCode("error_code"),),
        response_codes=group_response_codes(suspend=("120", "200")),
        login=r"/users/login$",
        logout=r"/users/logout$",
    ),
    "NotifyWeComBot": ServiceAnswers(
        source="https://developer.work.weixin.qq.com/document/path/91770",
        failures=(BodyTest("errcode", other_than=(0,)),),
        codes=(ErrorCode("errcode"),),
        response_codes=group_response_codes(
            suspend=("93000",), retry=("-1",), throttled=("45009",)
        ),
    ),
    "NotifyWebexTeams": ServiceAnswers(
        source="https://developer.webex.com/docs/basics#api-errors",
    ),
    "NotifyWorkflows": ServiceAnswers(
        source="https://learn.microsoft.com/power-automate/http-response-codes",
        codes=(ErrorCode("error.code"),),
        response_codes=group_response_codes(
            suspend=(
                "DirectApiAuthorizationRequired",
                "WorkflowNotFound",
                "WorkflowTriggerIsNotEnabled",
            ),
        ),
    ),
    "NotifyZoom": ServiceAnswers(
        source="https://support.zoom.com/hc/en/article?id=zm_kb&sysparm_article=KB0067640",
        response_codes=group_response_codes(suspend=(404,)),
    ),
    "NotifyZulip": ServiceAnswers(
        source="https://zulip.com/api/rest-error-handling",
        failures=(BodyTest("result", equals=("error",)),),
        codes=(ErrorCode("code"),),
        response_codes=group_response_codes(
            suspend=("INVALID_API_KEY", "REALM_DEACTIVATED", "USER_DEACTIVATED"),
            throttled=("RATE_LIMIT_HIT",),
        ),
        retry_after=(RetryAfter("retry-after"),),
    ),
}
