"""Answers of alerting services, media centres and plain sockets, with their sources.

The URL of such a service names its one destination, so a hook that the vendor no longer knows
suspends the channel until the operator acts.
"""

from collections.abc import Mapping

from router.bridge import BodyTest, ErrorCode, RetryAfter, ServiceAnswers, group_response_codes

HOOK_RESPONSE_CODES = group_response_codes(suspend=(404, 410))

SESSIONS_URL = r"/Sessions\?"
"""Apprise's request for the screens of a media centre; without a screen, it sends nothing."""

ALERTING_ANSWERS: Mapping[str, ServiceAnswers] = {
    "NotifyAMQP": ServiceAnswers(source="https://www.rabbitmq.com/docs/amqp; it is no HTTP"),
    "NotifyAppriseAPI": ServiceAnswers(
        source="https://github.com/caronc/apprise-api#api-details",
    ),
    "NotifyAprs": ServiceAnswers(source="https://www.aprs-is.net/Connecting.aspx; it is no HTTP"),
    "NotifyBetterStack": ServiceAnswers(
        source="https://betterstack.com/docs/logs/ingesting-data/http/logs/",
    ),
    "NotifyDapnet": ServiceAnswers(
        source="https://hampager.de/dokuwiki/doku.php#dapnet_api",
    ),
    "NotifyEmby": ServiceAnswers(
        source="https://github.com/MediaBrowser/Emby/wiki/Authentication",
        login=r"/Users/AuthenticateByName",
        logout=r"/Sessions/Logout",
        lookup=SESSIONS_URL,
    ),
    "NotifyEnigma2": ServiceAnswers(
        source="https://github.com/E2OpenPlugins/e2openplugin-OpenWebif/wiki/"
        "OpenWebif-API-documentation",
        failures=(BodyTest("result", equals=(False,)),),
        success=b'{"result": true, "message": "Message sent successfully!"}',
    ),
    "NotifyFireHydrant": ServiceAnswers(
        source="https://docs.firehydrant.com/docs/generic-webhook-event-source",
        response_codes=HOOK_RESPONSE_CODES,
    ),
    "NotifyFlowtriq": ServiceAnswers(source="https://flowtriq.com"),
    "NotifyForm": ServiceAnswers(source="the operator's own server"),
    "NotifyGitHub": ServiceAnswers(
        source="https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api",
        failures=(BodyTest("errors"),),
        codes=(ErrorCode("message", r"secondary rate limit|api rate limit exceeded"),),
        response_codes=group_response_codes(
            suspend=(410,), throttled=("api rate limit exceeded", "secondary rate limit")
        ),
        retry_after=(RetryAfter(header="x-ratelimit-reset", unit="epoch_s"),),
    ),
    "NotifyGoAlert": ServiceAnswers(
        source="https://github.com/target/goalert/blob/master/genericapi/handler.go",
    ),
    "NotifyHomeAssistant": ServiceAnswers(
        source="https://developers.home-assistant.io/docs/api/rest/",
    ),
    "NotifyIFTTT": ServiceAnswers(source="https://ifttt.com/maker_webhooks"),
    "NotifyILert": ServiceAnswers(
        source="https://docs.ilert.com/developer-docs/rest-api/api-reference/events",
        codes=(ErrorCode("code"),),
    ),
    "NotifyIncidentIO": ServiceAnswers(
        source="https://docs.incident.io/api-reference/alert-events-v2/createhttp",
        response_codes=HOOK_RESPONSE_CODES,
    ),
    "NotifyJSON": ServiceAnswers(source="the operator's own server"),
    "NotifyJellyfin": ServiceAnswers(
        source="https://api.jellyfin.org/",
        login=r"/Users/AuthenticateByName",
        logout=r"/Sessions/Logout",
        lookup=SESSIONS_URL,
    ),
    "NotifyJira": ServiceAnswers(
        source="https://developer.atlassian.com/cloud/jira/service-desk-ops/rest/v2/intro/",
    ),
    "NotifyLFGAlarm": ServiceAnswers(
        source="https://lfg.gm/developers",
        failures=(BodyTest("fired", equals=(False,)),),
        response_codes=group_response_codes(suspend=(404,)),
        retry_after=(RetryAfter("retryAfterSeconds"),),
        success=b'{"fired": true, "devices": 1}',
    ),
    "NotifyLametric": ServiceAnswers(source="https://lametric-documentation.readthedocs.io/"),
    "NotifyOpsgenie": ServiceAnswers(
        source="https://docs.opsgenie.com/docs/response",
    ),
    "NotifyPagerDuty": ServiceAnswers(
        source="https://developer.pagerduty.com/docs/events-api-v2-overview#response-codes--retry-logic",
        success=b'{"status": "success", "message": "Event processed"}',
        success_status=202,
    ),
    "NotifyPagerTree": ServiceAnswers(
        source="https://pagertree.com/docs/integration-guides/webhook",
        response_codes=group_response_codes(suspend=(404, 405)),
    ),
    "NotifyParsePlatform": ServiceAnswers(
        source="https://docs.parseplatform.org/rest/guide/#response-format",
        failures=(BodyTest("error"),),
        codes=(ErrorCode("code"),),
    ),
    "NotifyRSyslog": ServiceAnswers(source="https://www.rfc-editor.org/rfc/rfc5424; no HTTP"),
    "NotifySIGNL4": ServiceAnswers(
        source="https://docs.signl4.com/integrations/webhook/webhook.html",
    ),
    "NotifySpike": ServiceAnswers(
        source="https://www.spike.sh/docs/alerts/send-alerts-to-spike/",
    ),
    "NotifySplunk": ServiceAnswers(
        source="https://help.victorops.com/knowledge-base/rest-endpoint-integration-guide/",
        failures=(BodyTest("result", equals=("failure",)),),
    ),
    "NotifySquadcast": ServiceAnswers(
        source="https://support.squadcast.com/integrations/incident-webhook-incident-webhook-api",
        response_codes=HOOK_RESPONSE_CODES,
    ),
    "NotifyStreamlabs": ServiceAnswers(source="https://dev.streamlabs.com/reference/alerts"),
    "NotifySyslog": ServiceAnswers(source="https://www.rfc-editor.org/rfc/rfc5424; no HTTP"),
    "NotifyXBMC": ServiceAnswers(
        source="https://kodi.wiki/view/JSON-RPC_API and https://www.jsonrpc.org/specification#error_object",
        failures=(BodyTest("error"),),
        codes=(ErrorCode("error.code"),),
    ),
    "NotifyXML": ServiceAnswers(source="the operator's own server"),
    "NotifyXMatters": ServiceAnswers(
        source="https://help.xmatters.com/xmapi/index.html#response-codes",
        response_codes=HOOK_RESPONSE_CODES,
    ),
}
