"""Answers of SMS providers, with their sources.

A code without an entry is `rejected`, as it is about this number or this text. The router forgets
only a number that the vendor calls invalid or deactivated for every account.
"""

from collections.abc import Mapping

from router.bridge import (
    BodyTest,
    ErrorCode,
    ServiceAnswers,
    group_response_codes,
)
from router.plugins._service_answers.aws import AWS_CODE, AWS_RESPONSE_CODES

SMS_ANSWERS: Mapping[str, ServiceAnswers] = {
    "Notify46Elks": ServiceAnswers(
        source="https://46elks.com/docs/send-sms",
        failures=(BodyTest("status", equals=("failed",)),),
    ),
    "NotifyAfricasTalking": ServiceAnswers(
        source="https://developers.africastalking.com/docs/sms/sending/bulk",
        failures=(
            BodyTest("SMSMessageData.Recipients.0.statusCode", other_than=(100, 101, 102)),
            BodyTest("SMSMessageData.Message", matches=r"^(InvalidSenderId$|Sent to 0/)"),
        ),
        codes=(
            ErrorCode("SMSMessageData.Recipients.0.statusCode"),
            ErrorCode("SMSMessageData.Message", r"^InvalidSenderId$"),
        ),
        response_codes=group_response_codes(
            suspend=("402", "405", "invalidsenderid"),
            retry=("500", "501"),
        ),
    ),
    "NotifyBulkSMS": ServiceAnswers(
        source="https://www.bulksms.com/developer/json/v1/#tag/Message",
        failures=(BodyTest("0.status.type", equals=("FAILED",)),),
        codes=(ErrorCode("0.status.subtype"), ErrorCode("type", r"errors#([a-z-]{1,40})")),
        response_codes=group_response_codes(
            suspend=("authentication-failed", "insufficient-credits")
        ),
    ),
    "NotifyBulkVS": ServiceAnswers(source="no statement found; stock Apprise decides"),
    "NotifyBurstSMS": ServiceAnswers(
        source="https://developers.kudosity.com/reference/status-codes",
        failures=(BodyTest("error.code", other_than=("SUCCESS",)),),
        codes=(ErrorCode("error.code"),),
        response_codes=group_response_codes(
            suspend=(
                "AUTH_FAILED",
                "AUTH_FAILED_NO_DATA",
                "BAD_CALLER_ID",
                "LEDGER_ERROR",
                "NO_ACCESS",
            ),
            throttled=("OVER_LIMIT",),
        ),
    ),
    "NotifyCM": ServiceAnswers(
        source="https://developers.cm.com/messaging/docs/responses-errors-json",
        failures=(BodyTest("errorCode", other_than=(0,)),),
        codes=(ErrorCode("messages.0.messageErrorCode"), ErrorCode("errorCode")),
        response_codes=group_response_codes(suspend=("101", "102", "103"), retry=("999",)),
    ),
    "NotifyClickSend": ServiceAnswers(
        source="https://developers.clicksend.com/docs",
        failures=(
            BodyTest("data.messages.0.status", other_than=("SUCCESS",)),
            BodyTest("response_code", other_than=("SUCCESS",)),
        ),
        codes=(
            ErrorCode("data.messages.0.status", r"^(?!SUCCESS$)[A-Z_]{1,40}$"),
            ErrorCode("response_code", r"^(?!SUCCESS$)[A-Z_]{1,40}$"),
        ),
        response_codes=group_response_codes(
            suspend=(
                "account_not_activated",
                "insufficient_credit",
                "invalid_credentials",
                "invalid_sender_id",
                "missing_credentials",
                "unauthorized",
            ),
            retry=("internal_error",),
            throttled=("throttled", "too_many_requests"),
        ),
        success=b'{"response_code": "SUCCESS", "data": {"messages": [{"status": "SUCCESS"}]}}',
    ),
    "NotifyClickatell": ServiceAnswers(
        source="https://docs.clickatell.com/channels/one-api/one-api-reference/ and, of the codes, "
        "https://www.clickatell.com/developers/api-documentation/one-api-error-messages/",
        failures=(BodyTest("messages.0.accepted", equals=(False,)),),
        codes=(
            ErrorCode("messages.0.errorCode"),
            ErrorCode("messages.0.error.code"),
            ErrorCode("error.code"),
        ),
        response_codes=group_response_codes(
            suspend=("1", "2", "3", "7", "20", "38", "39", "44", "45"),
            retry=("18", "19"),
            throttled=("43",),
        ),
    ),
    "NotifyD7Networks": ServiceAnswers(source="https://d7networks.com/docs/Messages/Send_Message/"),
    "NotifyEight00com": ServiceAnswers(source="https://api.800.com/docs"),
    "NotifyExotel": ServiceAnswers(
        source="https://developer.exotel.com/docs/sms-support/sms-status-codes",
        failures=(
            BodyTest("RestException"),
            BodyTest("SMSMessage.Status", equals=("failed", "undelivered")),
        ),
        codes=(
            ErrorCode("SMSMessage.DetailedStatusCode"),
            ErrorCode("RestException.Status"),
        ),
        response_codes=group_response_codes(
            suspend=("401", "402", "403"), retry=("500", "503"), throttled=("429",)
        ),
    ),
    "NotifyFreeMobile": ServiceAnswers(
        source="https://mobile.free.fr/account/mes-options/notifications-sms",
        response_codes=group_response_codes(suspend=(403,), retry=(402,)),
    ),
    "NotifyHttpSMS": ServiceAnswers(
        source="https://github.com/NdoleStudio/httpsms/blob/main/api/pkg/handlers/handler.go",
    ),
    "NotifyInfobip": ServiceAnswers(
        source="https://www.infobip.com/docs/essentials/api-essentials/"
        "response-status-and-error-codes",
        failures=(
            BodyTest(
                "messages.0.status.groupName", equals=("UNDELIVERABLE", "EXPIRED", "REJECTED")
            ),
        ),
        codes=(
            ErrorCode("messages.0.status.name"),
            ErrorCode("requestError.serviceException.messageId"),
        ),
        response_codes=group_response_codes(
            suspend=(
                "FORBIDDEN",
                "REJECTED_NOT_ENOUGH_CREDITS",
                "REJECTED_SENDER",
                "UNAUTHORIZED",
            ),
            retry=("REJECTED_SYSTEM_ERROR",),
            throttled=("TOO_MANY_REQUESTS",),
        ),
    ),
    "NotifyKaleyra": ServiceAnswers(
        source="https://developers.kaleyra.io/docs/understand-error-codes",
        codes=(ErrorCode("code"),),
    ),
    "NotifyKavenegar": ServiceAnswers(
        source="https://kavenegar.com/rest.html",
        failures=(BodyTest("return.status", other_than=(200,)),),
        codes=(ErrorCode("return.status"),),
        response_codes=group_response_codes(
            suspend=(401, 403, 412, 416, 418, "401", "403", "412", "416", "418"),
            retry=(409, "409"),
            rejected=(407, 501, "407", "501"),
        ),
    ),
    "NotifyMSG91": ServiceAnswers(
        source="https://docs.msg91.com/reference/send-sms",
        failures=(BodyTest("type", equals=("error",)),),
        codes=(ErrorCode("message", r"invalid auth ?key|authentication failure"),),
        response_codes=group_response_codes(
            suspend=("authentication failure", "invalid auth key", "invalid authkey"),
        ),
    ),
    "NotifyMessageBird": ServiceAnswers(
        source="https://developers.messagebird.com/api/#api-errors",
        codes=(ErrorCode("errors.0.code"),),
        response_codes=group_response_codes(suspend=("2", "25"), retry=("99",)),
    ),
    "NotifyMobileMessage": ServiceAnswers(
        source="https://mobilemessage.com.au/api-documentation",
        codes=(ErrorCode("results.0.status", r"^(?!success$)[a-z_]{1,40}$"),),
    ),
    "NotifyNotifyre": ServiceAnswers(
        source="https://docs.notifyre.com/",
        failures=(BodyTest("success", equals=(False,)),),
    ),
    "NotifyOctopush": ServiceAnswers(
        source="https://dev.octopush.com/en/sms-gateway-api-documentation/send-sms/",
        codes=(ErrorCode("code"),),
        success=b'{"sms_ticket": "sms_1", "number_of_contacts": 1}',
        success_status=201,
    ),
    "NotifyPlivo": ServiceAnswers(source="https://www.plivo.com/docs/messaging/api/message/"),
    "NotifyRingCentral": ServiceAnswers(
        source="https://developers.ringcentral.com/guide/basics/errors",
        codes=(ErrorCode("errorCode"), ErrorCode("error")),
        response_codes=group_response_codes(
            suspend=("FeatureNotAvailable", "InsufficientPermissions", "OAU-213", "TokenInvalid"),
            throttled=("CMN-301",),
        ),
        login=r"/restapi/oauth/token",
        logout=r"/restapi/oauth/revoke",
    ),
    "NotifySFR": ServiceAnswers(
        source="no statement found; stock Apprise decides",
        failures=(BodyTest("success", equals=(False,)),),
        codes=(ErrorCode("errorCode"),),
    ),
    "NotifySMSC": ServiceAnswers(
        source="https://smsc.ru/api/http/send/sms/",
        failures=(BodyTest("error_code", other_than=(0,)),),
        codes=(ErrorCode("error_code"),),
        response_codes=group_response_codes(suspend=("2", "3"), retry=("4",), throttled=("9",)),
    ),
    "NotifySMSEagle": ServiceAnswers(
        source="https://www.smseagle.eu/api/",
        failures=(BodyTest("result.status", equals=("error",)),),
        success=b'{"result": {"message_id": "748", "status": "ok"}}',
    ),
    "NotifySMSManager": ServiceAnswers(
        source="https://smsmanager.cz/api/http#send",
        failures=(BodyTest("", matches=r"^ERROR\|"),),
        codes=(ErrorCode("", r"^ERROR\|([0-9]{1,5})"),),
        response_codes=group_response_codes(suspend=("103", "105", "203")),
    ),
    "NotifySMSTunnel": ServiceAnswers(
        source="https://smstunnel.io/api-reference",
        failures=(BodyTest("success", equals=(False,)),),
        response_codes=group_response_codes(suspend=(404,)),
    ),
    "NotifySNS": ServiceAnswers(
        source="https://docs.aws.amazon.com/sns/latest/api/API_Publish.html#API_Publish_Errors",
        codes=(AWS_CODE,),
        response_codes=group_response_codes(**AWS_RESPONSE_CODES),
    ),
    "NotifySerwerSMS": ServiceAnswers(
        source="https://api2.serwersms.pl/",
        failures=(BodyTest("success", equals=(False,)),),
        codes=(ErrorCode("error.code"),),
    ),
    "NotifySeven": ServiceAnswers(
        source="https://github.com/seven-io/js-client#response-codes",
        failures=(
            BodyTest("success", other_than=(100,)),
            BodyTest("", matches=r'^"?(?!100\b)[0-9]{3}"?\s*$'),
        ),
        codes=(ErrorCode("success"), ErrorCode("", r'^"?([0-9]{3})"?\s*$')),
        response_codes=group_response_codes(
            suspend=("201", "500", "900", "901", "902", "903"),
            retry=("600", "700"),
        ),
        success=b'{"success": "100", "messages": [{"id": "1", "success": true}]}',
    ),
    "NotifySinch": ServiceAnswers(
        source="https://developers.sinch.com/docs/sms/api-reference/status-codes/",
        codes=(ErrorCode("code"),),
    ),
    "NotifyTelesign": ServiceAnswers(
        source="https://developer.telesign.com/enterprise/docs/all-status-and-error-codes",
        codes=(ErrorCode("status.code"), ErrorCode("errors.0.code")),
    ),
    "NotifyTelnyx": ServiceAnswers(
        source="https://support.telnyx.com/en/articles/6505121-telnyx-messaging-error-codes",
        failures=(BodyTest("data.to.0.status", equals=("delivery_failed", "sending_failed")),),
        codes=(ErrorCode("errors.0.code"), ErrorCode("data.errors.0.code")),
        response_codes=group_response_codes(
            suspend=("10009", "20100", "40305", "40306", "40312"),
            rejected=("40300", "40310"),
            throttled=("10011",),
        ),
    ),
    "NotifyTwilio": ServiceAnswers(
        source="https://www.twilio.com/docs/api/errors",
        codes=(ErrorCode("code"),),
        response_codes=group_response_codes(
            suspend=(
                *(404, "20003", "20005", "20008", "20404"),
                *("21212", "21601", "21603", "21606", "21659", "21660", "63007"),
            ),
            gone=("21211", "21217", "21614"),
            rejected=("21408", "21610", "21612", "63015", "63016"),
            throttled=("14107", "20429", "21611", "63018"),
        ),
        success=b'{"sid": "SM0", "status": "queued"}',
        success_status=201,
    ),
    "NotifyVoipms": ServiceAnswers(
        source="https://voip.ms/m/apidocs.php",
        failures=(BodyTest("status", other_than=("success",)),),
        codes=(ErrorCode("status"),),
        response_codes=group_response_codes(
            suspend=(
                "api_not_enabled",
                "invalid_credentials",
                "invalid_did",
                "ip_not_enabled",
                "missing_credentials",
                "missing_did",
            ),
            throttled=("api_limit_exceeded", "limit_reached"),
        ),
    ),
    "NotifyVonage": ServiceAnswers(
        source="https://developer.vonage.com/en/api-errors/sms",
        failures=(BodyTest("messages.0.status", other_than=(0,)),),
        codes=(ErrorCode("messages.0.status"),),
        response_codes=group_response_codes(
            suspend=("4", "8", "9", "11", "14", "15", "32"),
            gone=("33",),
            retry=("5",),
            throttled=("1", "10"),
        ),
        success=b'{"message-count": "1", "messages": [{"status": "0", "message-id": "sandbox"}]}',
    ),
}
