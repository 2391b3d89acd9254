"""Error codes of Amazon's query APIs: SES, which sends mail, and SNS, which sends text messages."""

from router.bridge import ErrorCode

AWS_RESPONSE_CODES = {
    "suspend": (
        "accessdenied",
        "accessdeniedexception",
        "authorizationerror",
        "expiredtoken",
        "incompletesignature",
        "invalidclienttokenid",
        "invalidsecurity",
        "missingauthenticationtoken",
        "notauthorized",
        "optinrequired",
        "signaturedoesnotmatch",
    ),
    "retry": (
        "internalerror",
        "internalfailure",
        "requestexpired",
        "serviceunavailable",
    ),
    "throttled": ("throttled", "throttling", "throttlingexception"),
}
"""The codes that all of these APIs share, by their meaning."""

AWS_CODE = ErrorCode("", r"<Code>\s*([A-Za-z.]{1,60})\s*</Code>")
