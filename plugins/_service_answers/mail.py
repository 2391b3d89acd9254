"""Answers of mailers, with their sources.

A mailer that calls an address suppressed, inactive or malformed rejects the mail, and the contact
stays: the operator can lift a suppression at the vendor.
"""

from collections.abc import Mapping

from router.bridge import BodyTest, ErrorCode, RetryAfter, ServiceAnswers, group_response_codes
from router.plugins._service_answers.aws import AWS_CODE, AWS_RESPONSE_CODES
from router.plugins._service_answers.smtp import SMTP_ANSWERS

MAIL_ANSWERS: Mapping[str, ServiceAnswers] = {
    "NotifyBrevo": ServiceAnswers(
        source="https://developers.brevo.com/docs/how-it-works",
        codes=(ErrorCode("code"),),
        response_codes=group_response_codes(
            suspend=(
                "account_under_validation",
                "not_enough_credits",
                "permission_denied",
                "unauthorized",
            ),
            throttled=("too_many_requests",),
        ),
        retry_after=(RetryAfter(header="x-sib-ratelimit-reset"),),
    ),
    "NotifyEmail": SMTP_ANSWERS,
    "NotifyGroundmail": ServiceAnswers(
        source="https://docs.groundmail.dev/errors",
        response_codes=group_response_codes(rejected=(422,), retry=(409,)),
    ),
    "NotifyMailerSend": ServiceAnswers(
        source="https://developers.mailersend.com/api/v1/email.html#responses",
        failures=(BodyTest("warnings.0.type", equals=("ALL_SUPPRESSED",)),),
        codes=(
            ErrorCode("warnings.0.type"),
            ErrorCode("message", r"(from\.email) (?:domain )?must be verified"),
            ErrorCode("errors", r"(from\.email) (?:domain )?must be verified"),
        ),
        response_codes=group_response_codes(suspend=("from.email",)),
    ),
    "NotifyMailgun": ServiceAnswers(
        source="https://documentation.mailgun.com/docs/mailgun/api-reference/mg-errors",
        codes=(ErrorCode("message", r"domain not found|is not allowed to send"),),
        response_codes=group_response_codes(
            suspend=("domain not found",),
            refused=("is not allowed to send",),  # a sandbox sends to authorized recipients alone
        ),
    ),
    "NotifyOffice365": ServiceAnswers(
        source="https://learn.microsoft.com/graph/errors",
        codes=(ErrorCode("error.code"), ErrorCode("error")),
        response_codes=group_response_codes(
            suspend=(
                404,  # no URL names a recipient
                "ErrorAccessDenied",
                "ErrorInvalidUser",
                "ErrorMessageSubmissionBlocked",
                "ErrorSendAsDenied",
                "InvalidAuthenticationToken",
                "MailboxNotEnabledForRESTAPI",
            ),
            retry=("ErrorServerBusy",),
            throttled=("ApplicationThrottled", "TooManyRequests"),
        ),
        login=r"login\.microsoftonline\.com",
    ),
    "NotifyPostmark": ServiceAnswers(
        source="https://postmarkapp.com/developer/api/overview#error-codes",
        failures=(BodyTest("ErrorCode", other_than=(0,)),),
        codes=(ErrorCode("ErrorCode"),),
        response_codes=group_response_codes(
            suspend=("10", "400", "401", "405", "412", "413"),
            rejected=("300", "406"),
            retry=("100",),
            throttled=("429",),
        ),
    ),
    "NotifyResend": ServiceAnswers(
        source="https://resend.com/docs/api-reference/errors",
        codes=(ErrorCode("name"),),
        response_codes=group_response_codes(
            suspend=(
                "invalid_api_key",
                "invalid_from_address",
                "missing_api_key",
                "restricted_api_key",
            ),
            throttled=("daily_quota_exceeded", "monthly_quota_exceeded", "rate_limit_exceeded"),
        ),
        retry_after=(RetryAfter(header="ratelimit-reset"),),
    ),
    "NotifySES": ServiceAnswers(
        source="https://docs.aws.amazon.com/ses/latest/APIReference/API_SendRawEmail.html"
        "#API_SendRawEmail_Errors",
        codes=(ErrorCode("", r"Email address is not verified"), AWS_CODE),
        blamed=r"identities failed the check in region [A-Z0-9-]+: ([^<]*)",
        response_codes=group_response_codes(
            suspend=(
                *AWS_RESPONSE_CODES["suspend"],
                "accountsendingpaused",
                "configurationsetdoesnotexist",
                "configurationsetsendingpaused",
                "email address is not verified",
                "mailfromdomainnotverified",
            ),
            retry=AWS_RESPONSE_CODES["retry"],
            throttled=(*AWS_RESPONSE_CODES["throttled"], "limitexceeded"),
        ),
    ),
    "NotifySMTP2Go": ServiceAnswers(
        source="https://developers.smtp2go.com/reference/send-standard-email",
        failures=(BodyTest("data.failed"),),
        codes=(ErrorCode("data.error_code", r"[A-Z_]{4,60}$"),),
        response_codes=group_response_codes(suspend=("endpoint_permission_denied",)),
    ),
    "NotifySendGrid": ServiceAnswers(
        source="https://www.twilio.com/docs/sendgrid/api-reference/how-to-use-the-sendgrid-v3-api/"
        "rate-limits",
        retry_after=(RetryAfter(header="x-ratelimit-reset", unit="epoch_s"),),
    ),
    "NotifySendPulse": ServiceAnswers(
        source="https://sendpulse.com/integrations/api/smtp",
        failures=(BodyTest("result", equals=(False,)),),
        codes=(ErrorCode("error_code"), ErrorCode("error")),
        login=r"/oauth/access_token",
    ),
    "NotifySparkPost": ServiceAnswers(
        source="https://developers.sparkpost.com/api/transmissions/",
        failures=(BodyTest("results.total_rejected_recipients"),),
        codes=(ErrorCode("errors.0.code"),),
        response_codes=group_response_codes(suspend=("7001",), throttled=(420,)),
    ),
}
